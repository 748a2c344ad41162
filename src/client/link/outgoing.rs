//! The outbox in memory, in order: what waits, what was handed to the network, what is not acknowledged.
//!
//! It alone owns retransmission. After a lost connection everything unacknowledged goes back to the front and the
//! identical bytes go out again. Two kinds of messages stand beside the queue, so that they hold up nothing: those that
//! the broker has no room for now, with all later ones to the same topic, and those without a seal whose topic was decided
//! about anew.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::topic::TopicName;

use super::{
    super::{
        mqtt::{Connection, Outgoing as Message, Takes},
        store::OutboxRow,
    },
    backoff,
};

/// Messages that may wait.
pub(in crate::client) const MAX_ROWS: usize = 10_000;
/// Their bytes on the wire.
pub(in crate::client) const MAX_BYTES: usize = 64 << 20;
/// QoS 0 messages handed to the network and not yet written to it.
const MAX_HANDED: usize = 512;
/// The shortest wait before a message that the broker had no room for goes out again.
const LEAST_WAIT: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Default)]
pub(super) struct Outgoing {
    waiting: VecDeque<OutboxRow>,
    /// In the order handed over, with their number among packet ids.
    handed: VecDeque<(u64, OutboxRow)>,
    /// On the network, unacknowledged, by number.
    open: BTreeMap<u64, Open>,
    number_of: HashMap<u16, u64>,
    /// Those for which the broker had no room, and what follows them to the same topic, by row.
    postponed: BTreeMap<i64, Postponed>,
    /// How often the broker had no room for a row.
    tries: HashMap<i64, u32>,
    /// Held until a person decides, with why.
    held: BTreeMap<i64, (OutboxRow, String)>,
    /// Held rows that a person let go as they are.
    let_go: HashSet<i64>,
    /// Rows that were never handed to the network, as far as is known.
    never_sent: HashSet<i64>,
    bytes: usize,
}

struct Open {
    row: OutboxRow,
    /// What PUBREC told: whether nobody subscribes.
    received: Option<bool>,
}

struct Postponed {
    row: OutboxRow,
    due: Instant,
}

/// What handing over came to.
#[derive(Default)]
pub(super) struct Pumped {
    /// Messages that this broker cannot take, and why.
    pub refused: Vec<(OutboxRow, String)>,
    /// Messages that are held from now on, and why.
    pub held: Vec<(OutboxRow, String)>,
}

/// Why a message without a seal must not go out now; `None` where it may.
pub(super) type Hold<'a> = &'a dyn Fn(&TopicName) -> Option<String>;

impl Outgoing {
    /// What rested. What of it was sent, nobody knows: see [`Self::never_sent_from`].
    pub(super) fn of(rows: Vec<OutboxRow>) -> Self {
        let mut outgoing = Self::default();
        rows.into_iter().for_each(|row| outgoing.push(row));
        outgoing.never_sent.clear();
        outgoing
    }

    /// A new message, at the end.
    pub(super) fn push(&mut self, row: OutboxRow) {
        self.bytes += row.wire.len();
        self.never_sent.insert(row.id);
        self.waiting.push_back(row);
    }

    /// It was noted that no row from this one on had been sent.
    pub(super) fn never_sent_from(&mut self, id: i64) {
        let ids: Vec<i64> = self.all().map(|row| row.id).filter(|there| *there >= id).collect();
        self.never_sent.extend(ids);
    }

    /// Rows that were never handed to the network, in no order.
    pub(super) fn never_sent(&self) -> impl Iterator<Item = &OutboxRow> {
        self.all().filter(|row| self.never_sent.contains(&row.id))
    }

    /// The newest row that may have been on the network.
    pub(super) fn last_sent(&self) -> Option<i64> {
        self.all().map(|row| row.id).filter(|id| !self.never_sent.contains(id)).max()
    }

    /// The same row with another seal, where it waits.
    pub(super) fn replace(&mut self, new: OutboxRow) {
        let aside = self.postponed.get_mut(&new.id).map(|postponed| &mut postponed.row);
        if let Some(row) = aside.or_else(|| self.waiting.iter_mut().find(|row| row.id == new.id)) {
            self.bytes = self.bytes - row.wire.len() + new.wire.len();
            *row = new;
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.waiting.len() + self.handed.len() + self.open.len() + self.postponed.len() + self.held.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a message could be handed over now.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether something was handed over and is not done.
    pub(super) fn is_under_way(&self) -> bool {
        !self.handed.is_empty() || !self.open.is_empty()
    }

    /// All of it: what is on the network, what was handed to it, what waits, and what stands aside.
    pub(super) fn all(&self) -> impl Iterator<Item = &OutboxRow> {
        let open = self.open.values().map(|open| &open.row);
        let handed = self.handed.iter().map(|(_, row)| row);
        let postponed = self.postponed.values().map(|postponed| &postponed.row);
        let held = self.held.values().map(|(row, _)| row);
        open.chain(handed).chain(&self.waiting).chain(postponed).chain(held)
    }

    /// The number of the oldest open publish, for [`Connection`].
    pub(super) fn oldest(&self) -> Option<u64> {
        let handed = self.handed.iter().map(|(number, _)| *number).find(|number| *number > 0);
        self.open.keys().next().copied().or(handed)
    }

    /// When what was postponed is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.postponed.values().map(|postponed| postponed.due).min()
    }

    /// Hands over as much as the window takes.
    pub(super) fn pump(&mut self, connection: &mut Connection, now: Instant, hold: Hold<'_>) -> Pumped {
        let mut pumped = Pumped::default();
        let Some(takes) = connection.takes else { return pumped };
        self.wake(now);
        let aside = self.topics_aside();
        let mut open = self.open.len() + self.handed.iter().filter(|(number, _)| *number > 0).count();
        let mut oldest = self.oldest();
        while let Some(row) = self.waiting.front() {
            if let Some(why) = unfit(row, takes) {
                if let Some(row) = self.waiting.pop_front() {
                    self.forget(&row);
                    pumped.refused.push((row, why));
                }
                continue;
            }
            if row.sealed_with.is_none()
                && !self.let_go.contains(&row.id)
                && let Some(why) = hold(&row.topic)
            {
                if let Some(row) = self.waiting.pop_front() {
                    pumped.held.push((row.clone(), why.clone()));
                    self.held.insert(row.id, (row, why));
                }
                continue;
            }
            if let Some(due) = aside.get(&row.topic).copied() {
                // An older one to this topic waits for room: overtaking it, this one would be undone by it.
                if let Some(row) = self.waiting.pop_front() {
                    self.postponed.insert(row.id, Postponed { row, due });
                }
                continue;
            }
            if self.handed.len() >= MAX_HANDED {
                break;
            }
            let message = Message {
                topic: &row.topic,
                payload: row.wire.clone(),
                qos: row.qos,
                retain: row.retain,
                content_type: row.content_type.as_deref(),
            };
            let Some(number) = connection.publish(&message, open, oldest) else { break };
            if number > 0 {
                open += 1;
                oldest = oldest.or(Some(number));
            }
            if let Some(row) = self.waiting.pop_front() {
                self.never_sent.remove(&row.id);
                self.handed.push_back((number, row));
            }
        }
        pumped
    }

    /// The topics of what was postponed, and when they may go on.
    fn topics_aside(&self) -> HashMap<TopicName, Instant> {
        let mut aside = HashMap::new();
        for postponed in self.postponed.values() {
            let due = aside.entry(postponed.row.topic.clone()).or_insert(postponed.due);
            *due = postponed.due.max(*due);
        }
        aside
    }

    /// What is due waits in the queue again.
    fn wake(&mut self, now: Instant) {
        if self.next_due().is_none_or(|due| due > now) {
            return;
        }
        let (due, later) =
            std::mem::take(&mut self.postponed).into_iter().partition(|(_, postponed)| postponed.due <= now);
        self.postponed = later;
        self.requeue(BTreeMap::into_values(due).map(|postponed: Postponed| postponed.row));
    }

    /// Back into the queue, in the order of the rows.
    fn requeue(&mut self, rows: impl Iterator<Item = OutboxRow>) {
        self.waiting.extend(rows);
        self.waiting.make_contiguous().sort_by_key(|row| row.id);
    }

    /// A row has come to its end.
    fn forget(&mut self, row: &OutboxRow) {
        self.bytes -= row.wire.len();
        self.tries.remove(&row.id);
        self.let_go.remove(&row.id);
        self.never_sent.remove(&row.id);
    }

    /// The oldest that was handed over is on the network. At QoS 0 it is done and given back; at QoS 1 and 2 it is shown.
    pub(super) fn sent(&mut self, packet_id: u16) -> Option<(OutboxRow, bool)> {
        let (number, row) = self.handed.pop_front()?;
        if number == 0 {
            self.forget(&row);
            return Some((row, true));
        }
        self.number_of.insert(packet_id, number);
        self.open.insert(number, Open { row: row.clone(), received: None });
        Some((row, false))
    }

    /// At QoS 2 the broker has this one; `nobody` subscribes to it. Its packet id stays taken until it is completed.
    pub(super) fn received(&mut self, packet_id: u16, nobody: bool) -> Option<&OutboxRow> {
        let open = self.open.get_mut(self.number_of.get(&packet_id)?)?;
        open.received = Some(nobody);
        Some(&open.row)
    }

    /// The broker answered for this one: it is done. With what PUBREC told.
    pub(super) fn answered(&mut self, packet_id: u16) -> Option<(OutboxRow, bool)> {
        let Open { row, received } = self.open.remove(&self.number_of.remove(&packet_id)?)?;
        self.forget(&row);
        Some((row, received.unwrap_or(false)))
    }

    /// The broker has no room for this one: it goes out again, after a wait that grows.
    pub(super) fn postpone(&mut self, packet_id: u16) -> Option<(OutboxRow, Duration)> {
        let Open { row, .. } = self.open.remove(&self.number_of.remove(&packet_id)?)?;
        let tries = self.tries.entry(row.id).or_default();
        *tries += 1;
        let wait = backoff::wait(*tries).max(LEAST_WAIT);
        self.postponed.insert(row.id, Postponed { row: row.clone(), due: Instant::now() + wait });
        Some((row, wait))
    }

    /// The connection is gone: everything unacknowledged goes back, in order. Those that were on the network are
    /// given as well, because they are queued again.
    pub(super) fn back(&mut self) -> Vec<OutboxRow> {
        self.number_of.clear();
        let again: Vec<OutboxRow> =
            std::mem::take(&mut self.open).into_values().map(|open| open.row).collect();
        let handed = std::mem::take(&mut self.handed).into_iter().map(|(_, row)| row);
        // QoS 0 may overtake within a window, but what is sent again keeps the order in which it was queued.
        let rows: Vec<OutboxRow> = again.iter().cloned().chain(handed).collect();
        self.requeue(rows.into_iter());
        again
    }

    /// Takes one back that was not handed over.
    pub(super) fn discard(&mut self, id: i64) -> Option<OutboxRow> {
        let row = match self.waiting.iter().position(|row| row.id == id) {
            Some(at) => self.waiting.remove(at)?,
            None => match self.postponed.remove(&id) {
                Some(postponed) => postponed.row,
                None => self.held.remove(&id)?.0,
            },
        };
        self.forget(&row);
        Some(row)
    }

    /// One that is held.
    pub(super) fn held(&self, id: i64) -> Option<&OutboxRow> {
        self.held.get(&id).map(|(row, _)| row)
    }

    /// Lets a held one go as it is.
    pub(super) fn let_go(&mut self, id: i64) -> Option<OutboxRow> {
        let (row, _) = self.held.remove(&id)?;
        self.let_go.insert(id);
        self.requeue(std::iter::once(row.clone()));
        Some(row)
    }

    /// Keys or choices have changed: what need not be held any more is queued again, and given.
    pub(super) fn reconsider(&mut self, hold: Hold<'_>) -> Vec<OutboxRow> {
        let (free, held): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, (row, _))| hold(&row.topic).is_none());
        self.held = held;
        let free: Vec<OutboxRow> = free.into_values().map(|(row, _)| row).collect();
        self.requeue(free.clone().into_iter());
        free
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
    match takes.qos {
        most if row.qos <= most => None,
        0 => Some("this broker acknowledges nothing (QoS 0 only)".to_owned()),
        _ => Some("this broker takes QoS 0 and 1, not QoS 2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{
            Endpoint,
            mqtt::{Server, Session},
        },
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
        let server = Server::of(&Endpoint::parse("mqtt://127.0.0.1:1").unwrap()).unwrap();
        let mut connection = Connection::begin(&server, Session::ending("c".to_owned()));
        connection.takes = Takes::within(Some(receive_max), Some(max_packet_size), None, None);
        connection
    }

    fn anything(_: &TopicName) -> Option<String> {
        None
    }

    fn handed(outgoing: &Outgoing) -> usize {
        outgoing.handed.len()
    }

    #[tokio::test]
    async fn no_packet_id_is_handed_out_again_while_its_message_is_open_whatever_order_acks_come_in() {
        let mut connection = connection(4, 1000);
        let mut outgoing = Outgoing::of((1..=9).map(|id| row(id, 1)).collect());
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(handed(&outgoing), 3, "one place stays free");
        for packet_id in 1..=3 {
            assert_eq!(outgoing.sent(packet_id).unwrap().0.id, i64::from(packet_id));
        }
        // The first stays open; the ids after it come round to it after one more message.
        outgoing.answered(2).unwrap();
        outgoing.answered(3).unwrap();
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(handed(&outgoing), 1);
        outgoing.sent(4).unwrap();
        outgoing.answered(4).unwrap();
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(handed(&outgoing), 0);
        outgoing.answered(1).unwrap();
        outgoing.pump(&mut connection, Instant::now(), &anything);
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
        outgoing.pump(&mut lost, Instant::now(), &anything);
        outgoing.sent(1).unwrap();
        outgoing.sent(2).unwrap();
        let (at_qos_0, done) = outgoing.sent(0).unwrap();
        assert_eq!((at_qos_0.id, done), (3, true));
        outgoing.sent(3).unwrap();
        outgoing.answered(1).unwrap();
        let again: Vec<i64> = outgoing.back().iter().map(|row| row.id).collect();
        assert_eq!(again, [2, 4]);
        let order: Vec<i64> = outgoing.all().map(|row| row.id).collect();
        assert_eq!(order, [2, 4, 5, 6]);
        assert_eq!((outgoing.rows(), outgoing.bytes()), (4, 40));
        let mut next = connection(10, 1000);
        outgoing.pump(&mut next, Instant::now(), &anything);
        assert_eq!(outgoing.sent(1).unwrap().0.id, 2);
    }

    #[tokio::test]
    async fn what_the_broker_cannot_take_is_refused_and_does_not_hold_up_the_rest() {
        let mut connection = connection(10, 100);
        let large = OutboxRow { wire: vec![0; 100].into(), ..row(1, 1) };
        let mut outgoing = Outgoing::of(vec![large, row(2, 1)]);
        let refused = outgoing.pump(&mut connection, Instant::now(), &anything).refused;
        assert_eq!((refused[0].0.id, handed(&outgoing)), (1, 1));
        assert!(refused[0].1.contains("at most 100"), "{}", refused[0].1);
        assert_eq!(outgoing.discard(2).map(|row| row.id), None, "it is on its way");
    }

    fn to(topic: &str, id: i64) -> OutboxRow {
        OutboxRow { topic: TopicName::new(topic).unwrap(), ..row(id, 1) }
    }

    #[tokio::test]
    async fn what_the_broker_has_no_room_for_waits_with_all_that_follows_it_to_its_topic_and_nothing_else() {
        let mut connection = connection(10, 1000);
        let mut outgoing = Outgoing::of(vec![to("a", 1), to("b", 2)]);
        outgoing.pump(&mut connection, Instant::now(), &anything);
        outgoing.sent(1).unwrap();
        outgoing.sent(2).unwrap();
        let (first, wait) = outgoing.postpone(1).unwrap();
        assert_eq!(first.id, 1);
        assert!(wait >= LEAST_WAIT && outgoing.next_due().is_some());
        outgoing.answered(2).unwrap();
        outgoing.push(to("a", 3));
        outgoing.push(to("b", 4));
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(outgoing.sent(3).unwrap().0.id, 4, "another topic goes on");
        assert!(outgoing.sent(4).is_none(), "the younger one to the same topic does not overtake");
        outgoing.pump(&mut connection, Instant::now() + wait, &anything);
        assert_eq!([outgoing.sent(4), outgoing.sent(5)].map(|sent| sent.unwrap().0.id), [1, 3]);
        let (_, longer) = outgoing.postpone(4).unwrap();
        assert!(longer <= Duration::from_secs(2), "the wait grows from its own beginning: {longer:?}");
        assert_eq!(outgoing.discard(1).map(|row| row.id), Some(1), "it can be taken back");
        assert_eq!((outgoing.rows(), outgoing.bytes()), (2, 20));
    }

    #[tokio::test]
    async fn a_message_without_a_seal_is_held_when_its_topic_got_a_key_and_goes_when_it_is_let_go() {
        let mut connection = connection(10, 1000);
        let keyed = |topic: &TopicName| (topic.as_str() == "a").then(|| "it has a key now".to_owned());
        let mut outgoing = Outgoing::of(vec![to("a", 1), to("b", 2), to("a", 3)]);
        let held = outgoing.pump(&mut connection, Instant::now(), &keyed).held;
        assert_eq!(held.iter().map(|(row, _)| row.id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(outgoing.sent(1).unwrap().0.id, 2, "nothing else is held up");
        assert!(outgoing.reconsider(&keyed).is_empty());
        outgoing.let_go(1).unwrap();
        assert!(outgoing.pump(&mut connection, Instant::now(), &keyed).held.is_empty());
        assert_eq!(outgoing.sent(2).unwrap().0.id, 1);
        assert!(outgoing.held(3).is_some() && outgoing.held(1).is_none());
        let free: Vec<i64> = outgoing.reconsider(&anything).iter().map(|row| row.id).collect();
        assert_eq!(free, [3], "the key is gone again");
    }

    #[tokio::test]
    async fn at_qos_2_a_packet_id_is_taken_until_the_exchange_is_completed() {
        let mut connection = connection(3, 1000);
        let mut outgoing = Outgoing::of((1..=4).map(|id| row(id, 2)).collect());
        outgoing.pump(&mut connection, Instant::now(), &anything);
        outgoing.sent(1).unwrap();
        outgoing.sent(2).unwrap();
        assert_eq!(outgoing.received(1, true).unwrap().id, 1);
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(handed(&outgoing), 0, "received is not completed");
        let (done, nobody) = outgoing.answered(1).unwrap();
        assert_eq!((done.id, nobody), (1, true));
        outgoing.pump(&mut connection, Instant::now(), &anything);
        assert_eq!(handed(&outgoing), 1);
        assert_eq!(outgoing.back().len(), 1, "what was not completed is queued again");
    }

    #[tokio::test]
    async fn a_broker_that_does_not_take_qos_2_is_told_from_one_that_does() {
        let mut connection = connection(10, 1000);
        if let Some(takes) = &mut connection.takes {
            takes.qos = 1;
        }
        let refused = Outgoing::of(vec![row(1, 2)]).pump(&mut connection, Instant::now(), &anything).refused;
        assert!(refused[0].1.contains("not QoS 2"), "{}", refused[0].1);
    }
}
