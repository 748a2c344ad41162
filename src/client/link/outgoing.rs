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
