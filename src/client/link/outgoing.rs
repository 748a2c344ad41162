//! The outbox in memory, in order: what waits, what was handed to the network, what is not acknowledged.
//!
//! It alone owns retransmission. After a lost connection everything unacknowledged goes back to the front and the
//! identical bytes go out again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    super::store::OutboxRow,
    connect::{Connection, Takes},
};

/// Messages that may wait.
pub(in crate::client) const MAX_ROWS: usize = 10_000;
/// Their bytes on the wire.
pub(in crate::client) const MAX_BYTES: usize = 64 << 20;
/// QoS 0 messages handed to the network and not yet written to it.
const MAX_HANDED: usize = 512;

/// See the module.
#[derive(Default)]
pub(super) struct Outgoing {
    waiting: VecDeque<OutboxRow>,
    /// In the order handed over, with their number among packet ids.
    handed: VecDeque<(u64, OutboxRow)>,
    /// On the network, unacknowledged, by number.
    open: BTreeMap<u64, OutboxRow>,
    number_of: HashMap<u16, u64>,
    bytes: usize,
}

/// What handing over came to.
#[derive(Default)]
pub(super) struct Pumped {
    /// Messages that this broker cannot take, and why.
    pub refused: Vec<(OutboxRow, String)>,
}

impl Outgoing {
    pub(super) fn of(rows: Vec<OutboxRow>) -> Self {
        let mut outgoing = Self::default();
        rows.into_iter().for_each(|row| outgoing.push(row));
        outgoing
    }

    /// A new message, at the end.
    pub(super) fn push(&mut self, row: OutboxRow) {
        self.bytes += row.wire.len();
        self.waiting.push_back(row);
    }

    pub(super) fn rows(&self) -> usize {
        self.waiting.len() + self.handed.len() + self.open.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it, in order, and whether each is on the network already.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OutboxRow, bool)> {
        let handed = self.handed.iter().map(|(_, row)| (row, false));
        self.open
            .values()
            .map(|row| (row, true))
            .chain(handed)
            .chain(self.waiting.iter().map(|row| (row, false)))
    }

    /// The number of the oldest open publish, for [`Connection`].
    pub(super) fn oldest(&self) -> Option<u64> {
        let handed = self.handed.iter().map(|(number, _)| *number).find(|number| *number > 0);
        self.open.keys().next().copied().or(handed)
    }

    /// Hands over as much as the window takes.
    pub(super) fn pump(&mut self, connection: &mut Connection) -> Pumped {
        let mut pumped = Pumped::default();
        let Some(takes) = connection.takes else { return pumped };
        let mut open = self.open.len() + self.handed.iter().filter(|(number, _)| *number > 0).count();
        let mut oldest = self.oldest();
        while let Some(row) = self.waiting.front() {
            if let Some(why) = unfit(row, takes) {
                if let Some(row) = self.waiting.pop_front() {
                    self.bytes -= row.wire.len();
                    pumped.refused.push((row, why));
                }
                continue;
            }
            if self.handed.len() >= MAX_HANDED {
                break;
            }
            let Some(number) = connection.publish(row, open, oldest) else { break };
            if number > 0 {
                open += 1;
                oldest = oldest.or(Some(number));
            }
            if let Some(row) = self.waiting.pop_front() {
                self.handed.push_back((number, row));
            }
        }
        pumped
    }

    /// The oldest that was handed over is on the network. At QoS 0 it is done and given back; at QoS 1 it is shown.
    pub(super) fn sent(&mut self, packet_id: u16) -> Option<(OutboxRow, bool)> {
        let (number, row) = self.handed.pop_front()?;
        if number == 0 {
            self.bytes -= row.wire.len();
            return Some((row, true));
        }
        self.number_of.insert(packet_id, number);
        self.open.insert(number, row.clone());
        Some((row, false))
    }

    /// The broker answered for this one: it is done.
    pub(super) fn answered(&mut self, packet_id: u16) -> Option<OutboxRow> {
        let row = self.open.remove(&self.number_of.remove(&packet_id)?)?;
        self.bytes -= row.wire.len();
        Some(row)
    }

    /// The connection is gone: everything unacknowledged goes back, in order. Those that were on the network are
    /// given as well, because they are queued again.
    pub(super) fn back(&mut self) -> Vec<OutboxRow> {
        self.number_of.clear();
        let open = std::mem::take(&mut self.open);
        let again: Vec<OutboxRow> = open.into_values().collect();
        let handed = std::mem::take(&mut self.handed).into_iter().map(|(_, row)| row);
        let mut waiting: VecDeque<OutboxRow> = again.iter().cloned().chain(handed).collect();
        waiting.append(&mut self.waiting);
        self.waiting = waiting;
        // QoS 0 may overtake within a window, but what is sent again keeps the order in which it was queued.
        self.waiting.make_contiguous().sort_by_key(|row| row.id);
        again
    }

    /// Takes one back that was not handed over.
    pub(super) fn discard(&mut self, id: i64) -> Option<OutboxRow> {
        let at = self.waiting.iter().position(|row| row.id == id)?;
        let row = self.waiting.remove(at)?;
        self.bytes -= row.wire.len();
        Some(row)
    }
}

/// Why this broker cannot take it.
fn unfit(row: &OutboxRow, takes: Takes) -> Option<String> {
    // Fixed header 5, topic length 2, packet id 2, property lengths and content type.
    let overhead = 5 + 2 + 2 + 4 + 3 + row.content_type.as_ref().map_or(0, String::len);
    let size = row.wire.len() + row.topic.as_str().len() + overhead;
    if size > takes.packet {
        return Some(format!(
            "sealed it has {size} bytes, and this broker takes packets of at most {}",
            takes.packet
        ));
    }
    if row.retain && !takes.retain {
        return Some("this broker keeps no retained messages".to_owned());
    }
    (row.qos > 0 && !takes.qos1).then(|| "this broker acknowledges nothing (QoS 0 only)".to_owned())
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnAckProperties, ConnectReturnCode};

    use super::*;
    use crate::{
        client::{address::Address, tls},
        topic::TopicName,
    };

    fn row(id: i64, qos: u8) -> OutboxRow {
        OutboxRow {
            id,
            queued_ms: 0,
            topic: TopicName::new("t").unwrap(),
            qos,
            retain: false,
            wire: bytes::Bytes::from_static(b"0123456789"),
            plain_len: 1,
            sealed_with: None,
            content_type: None,
        }
    }

    /// A connection that nobody answers, as if a broker had told its limits.
    fn connection(receive_max: u16, max_packet_size: u32) -> Connection {
        let mut connection = Connection::begin(&super::super::Broker {
            address: Address::parse("127.0.0.1:1").unwrap().0,
            tls: tls::client_config(None).unwrap().0,
            username: "anna".into(),
            token: "token".into(),
            client_id: "c".into(),
        });
        let connack = ConnAck {
            session_present: false,
            code: ConnectReturnCode::Success,
            properties: Some(ConnAckProperties {
                receive_max: Some(receive_max),
                max_packet_size: Some(max_packet_size),
                ..none()
            }),
        };
        connection.takes = Takes::of(&connack);
        connection
    }

    fn none() -> ConnAckProperties {
        ConnAckProperties {
            session_expiry_interval: None,
            receive_max: None,
            max_qos: None,
            retain_available: None,
            max_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_max: None,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }

    fn handed(outgoing: &Outgoing) -> usize {
        outgoing.handed.len()
    }

    #[tokio::test]
    async fn no_packet_id_is_handed_out_again_while_its_message_is_open_whatever_order_acks_come_in() {
        let mut connection = connection(4, 1000);
        let mut outgoing = Outgoing::of((1..=9).map(|id| row(id, 1)).collect());
        outgoing.pump(&mut connection);
        assert_eq!(handed(&outgoing), 3, "one place stays free");
        for packet_id in 1..=3 {
            assert_eq!(outgoing.sent(packet_id).unwrap().0.id, i64::from(packet_id));
        }
        // The first stays open; the ids after it come round to it after one more message.
        outgoing.answered(2).unwrap();
        outgoing.answered(3).unwrap();
        outgoing.pump(&mut connection);
        assert_eq!(handed(&outgoing), 1);
        outgoing.sent(4).unwrap();
        outgoing.answered(4).unwrap();
        outgoing.pump(&mut connection);
        assert_eq!(handed(&outgoing), 0);
        outgoing.answered(1).unwrap();
        outgoing.pump(&mut connection);
        assert_eq!(handed(&outgoing), 3);
        assert!(outgoing.answered(77).is_none());
    }

    #[tokio::test]
    async fn a_broker_that_claims_to_take_nothing_is_no_broker() {
        assert!(connection(0, 1000).takes.is_none());
        assert!(connection(10, 0).takes.is_none());
        assert!(connection(1, 1000).takes.is_some());
    }

    #[tokio::test]
    async fn after_a_lost_connection_all_that_is_open_goes_out_again_in_the_order_of_the_queue() {
        let mut lost = connection(10, 1000);
        let mut outgoing = Outgoing::of((1..=6).map(|id| row(id, u8::from(id != 3))).collect());
        outgoing.pump(&mut lost);
        outgoing.sent(1).unwrap();
        outgoing.sent(2).unwrap();
        let (at_qos_0, done) = outgoing.sent(0).unwrap();
        assert_eq!((at_qos_0.id, done), (3, true));
        outgoing.sent(3).unwrap();
        outgoing.answered(1).unwrap();
        let again: Vec<i64> = outgoing.back().iter().map(|row| row.id).collect();
        assert_eq!(again, [2, 4]);
        let order: Vec<i64> = outgoing.all().map(|(row, _)| row.id).collect();
        assert_eq!(order, [2, 4, 5, 6]);
        assert_eq!((outgoing.rows(), outgoing.bytes()), (4, 40));
        let mut next = connection(10, 1000);
        outgoing.pump(&mut next);
        assert_eq!(outgoing.sent(1).unwrap().0.id, 2);
    }

    #[tokio::test]
    async fn what_the_broker_cannot_take_is_refused_and_does_not_hold_up_the_rest() {
        let mut connection = connection(10, 100);
        let large = OutboxRow { wire: vec![0; 100].into(), ..row(1, 1) };
        let mut outgoing = Outgoing::of(vec![large, row(2, 1)]);
        let refused = outgoing.pump(&mut connection).refused;
        assert_eq!((refused[0].0.id, handed(&outgoing)), (1, 1));
        assert!(refused[0].1.contains("at most 100"), "{}", refused[0].1);
        assert_eq!(outgoing.discard(2).map(|row| row.id), None, "it is on its way");
    }
}
