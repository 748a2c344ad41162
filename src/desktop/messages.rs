//! What arrived, for the table, the tree and the plot: a ring with a bound, and what is worked out from it.
//!
//! Knows nothing of pixels and asks for nothing. Start at [`MessageStore::push_batch`]: it must stay cheap, because
//! 20,000 messages may come in a second. Whatever looks through the rows does so by a [`View`], a bounded piece at a
//! time.
//!
//! Rows have numbers that never change while they are here, so that a selection or an index survives what the ring
//! drops. While somebody reads, [`MessageStore::hold`] keeps the rows where they are, and what comes meanwhile waits.

mod budget;
mod numbers;
mod rate;
mod series;
mod tree;
mod view;

pub use budget::{Budget, DEFAULT_BYTES, DEFAULT_ROWS, MOST_ROWS, ROWS_PREFERENCE};
pub use numbers::{MAX_FIELDS, numbers_in};
pub use rate::Rate;
pub use series::{Field, MAX_POINTS, SeriesSet, thin};
pub use tree::{MAX_NODES, NodeId, ROOT, TopicTree, TreeLine};
pub use view::{Filter, View};

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

use crate::client::{Message, Opening};

/// Row numbers begin here, so that history from the disk finds room before what is already shown.
const FIRST_NUMBER: u64 = 1 << 40;
/// Rows that are looked through for the numbers of one topic.
const LOOKED_THROUGH: usize = 20_000;

/// One message with what was worked out once.
#[derive(Debug)]
pub struct Row {
    /// The message.
    pub message: Message,
    /// Where it hangs in the tree.
    pub node: NodeId,
    /// Whether it was refused or has something notable.
    pub problem: bool,
    /// What it has in memory.
    bytes: usize,
}

/// The payload in the open, where there is one.
#[must_use]
pub fn body_of(message: &Message) -> Option<&Bytes> {
    match &message.opening {
        Opening::Opened { body, .. } | Opening::InTheClear { body } => Some(body),
        Opening::Refused { .. } => None,
    }
}

/// Whether a message was refused, or opened with something notable.
#[must_use]
pub fn is_problem(message: &Message) -> bool {
    match &message.opening {
        Opening::Opened { notes, .. } => !notes.is_empty(),
        Opening::InTheClear { .. } => false,
        Opening::Refused { .. } => true,
    }
}

/// Whether its sender sealed it as a will.
#[must_use]
pub fn is_will(message: &Message) -> bool {
    matches!(message.opening, Opening::Opened { will: true, .. })
}

/// What arrived, oldest first.
#[derive(Debug)]
pub struct MessageStore {
    budget: Budget,
    /// Each on its own, so that a ring that grows moves pointers and no frame waits for it.
    rows: VecDeque<Box<Row>>,
    first: u64,
    bytes: usize,
    waiting: Option<Waiting>,
    left_out: u64,
    problems: usize,
    tree: TopicTree,
    series: SeriesSet,
    /// The last topic that [`Self::want_series`] looked for.
    wanted: Option<NodeId>,
    total: Rate,
    throughput: Rate,
    newest_ms: u64,
    generation: u64,
}

/// What came while the rows are held.
#[derive(Debug, Default)]
struct Waiting {
    rows: VecDeque<Box<Row>>,
    bytes: usize,
    problems: usize,
    count: u64,
}

impl Default for MessageStore {
    fn default() -> Self {
        Self::with_budget(Budget::default())
    }
}

impl MessageStore {
    /// Empty, with the default budget.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empty, with a budget.
    #[must_use]
    pub fn with_budget(budget: Budget) -> Self {
        Self {
            budget,
            rows: VecDeque::new(),
            first: FIRST_NUMBER,
            bytes: 0,
            waiting: None,
            left_out: 0,
            problems: 0,
            tree: TopicTree::new(),
            series: SeriesSet::default(),
            wanted: None,
            total: Rate::default(),
            throughput: Rate::default(),
            newest_ms: 0,
            generation: 0,
        }
    }

    /// Another budget from now on; a smaller one lets the oldest rows go.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.make_room();
    }

    /// The budget in force.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        self.budget
    }

    /// Adds messages, oldest first. What is older than all that is here (history from the disk) goes before it as far
    /// as there is room; what is here already is passed over.
    pub fn push_batch(&mut self, batch: Vec<Message>) {
        let oldest = self.rows.front().map(|row| row.message.serial);
        let mut newest = self.newest_serial();
        let mut older = Vec::new();
        for message in batch {
            if newest.is_none_or(|newest| message.serial > newest) {
                newest = Some(message.serial);
                self.append(message);
            } else if oldest.is_some_and(|oldest| message.serial < oldest) {
                older.push(message);
            }
        }
        if !older.is_empty() {
            self.prepend(older);
        }
        self.make_room();
    }

    fn newest_serial(&self) -> Option<i64> {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.rows.back());
        waiting.or_else(|| self.rows.back()).map(|row| row.message.serial)
    }

    fn append(&mut self, message: Message) {
        let row = self.take_in(message);
        match &mut self.waiting {
            Some(waiting) => {
                waiting.bytes += row.bytes;
                waiting.problems += usize::from(row.problem);
                waiting.count += 1;
                waiting.rows.push_back(row);
            }
            None => {
                self.bytes += row.bytes;
                self.problems += usize::from(row.problem);
                self.rows.push_back(row);
            }
        }
    }

    fn prepend(&mut self, mut older: Vec<Message>) {
        older.sort_unstable_by_key(|message| std::cmp::Reverse(message.serial));
        older.dedup_by_key(|message| message.serial);
        let mut rest = older.into_iter();
        while self.rows.len() < self.budget.rows && self.first > 0 {
            let Some(message) = rest.next() else { return };
            if self.bytes + budget::row_bytes(&message, false) > self.room_for_rows() {
                self.left_out += 1;
                break;
            }
            let row = self.take_in(message);
            self.bytes += row.bytes;
            self.problems += usize::from(row.problem);
            self.rows.push_front(row);
            self.first -= 1;
        }
        self.left_out += rest.len() as u64;
    }

    /// Counts a message in the tree, the rates and the series.
    fn take_in(&mut self, mut message: Message) -> Box<Row> {
        let problem = is_problem(&message);
        let at = message.arrived_ms;
        let node = self.tree.count(&message.topic, at, problem);
        // One text per topic, however many messages it has.
        let shared = match self.tree.topic(node).filter(|topic| **topic == message.topic) {
            Some(topic) => {
                message.topic = topic.clone();
                true
            }
            None => false,
        };
        self.total.count(at, 1);
        self.throughput.count(at, message.wire.len() as u64);
        self.newest_ms = self.newest_ms.max(at);
        if let Some(body) = body_of(&message) {
            self.series.take(node, at, body);
        }
        let bytes = budget::row_bytes(&message, shared);
        Box::new(Row { message, node, problem, bytes })
    }

    /// What the rows that are shown may have: the budget without topics and series, and without the tenth that is kept for
    /// what waits while somebody reads.
    fn room_for_rows(&self) -> usize {
        let other = self.tree.bytes() + self.series.bytes();
        (self.budget.bytes - self.budget.bytes / 10).saturating_sub(other)
    }

    fn make_room(&mut self) {
        let Budget { rows, bytes } = self.budget;
        if let Some(waiting) = &mut self.waiting {
            // What is being read stays. What waits has what is left of the budget: of the rows a tenth in any case.
            let room = rows.saturating_sub(self.rows.len()).max(rows / 10);
            let other = self.bytes + self.tree.bytes() + self.series.bytes();
            let bytes_room = bytes.saturating_sub(other).max(bytes / 20);
            while waiting.rows.len() > room || waiting.bytes > bytes_room {
                let Some(row) = waiting.rows.pop_front() else { break };
                waiting.bytes -= row.bytes;
                waiting.problems -= usize::from(row.problem);
                self.left_out += 1;
            }
            return;
        }
        let room = self.room_for_rows();
        while self.rows.len() > rows || (self.bytes > room && self.rows.len() > 1) {
            let Some(row) = self.rows.pop_front() else { break };
            self.bytes -= row.bytes;
            self.problems -= usize::from(row.problem);
            self.first += 1;
            self.left_out += 1;
        }
    }

    /// Keeps the rows where they are while somebody reads, or lets what waited in.
    pub fn hold(&mut self, held: bool) {
        if held {
            self.waiting.get_or_insert_default();
        } else if let Some(mut waiting) = self.waiting.take() {
            self.bytes += waiting.bytes;
            self.problems += waiting.problems;
            self.rows.append(&mut waiting.rows);
            self.make_room();
        }
    }

    /// How many came while the rows are held.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.as_ref().map_or(0, |waiting| waiting.count)
    }

    /// Whether the rows are held.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.waiting.is_some()
    }

    /// Forgets all, the budget excepted.
    pub fn clear(&mut self) {
        let generation = self.generation + 1;
        *self = Self { generation, ..Self::with_budget(self.budget) };
    }

    /// Changes when [`Self::clear`] made all row numbers void.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How many rows there are, those that wait excepted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.waiting() == 0
    }

    /// Bytes that all this has in memory, about: rows with their payloads, opened and sealed, also those that wait; topics
    /// and series.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, |waiting| waiting.bytes);
        self.bytes + waiting + self.tree.bytes() + self.series.bytes()
    }

    /// Rows that made room for newer ones.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Rows that were refused or have something notable.
    #[must_use]
    pub const fn problems(&self) -> usize {
        self.problems
    }

    /// The numbers of the rows that are here.
    #[must_use]
    pub fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.rows.len() as u64
    }

    /// A row by its number, as long as it is here.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<&Row> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.rows.get(at).map(|row| &**row)
    }

    /// The topics.
    #[must_use]
    pub const fn tree(&self) -> &TopicTree {
        &self.tree
    }

    /// The numbers in the payloads, by topic.
    #[must_use]
    pub const fn series(&self) -> &SeriesSet {
        &self.series
    }

    /// Makes sure that this topic has its numbers kept, though there are too many topics for all to have them. Costs
    /// something only when another topic is wanted than the last time.
    pub fn want_series(&mut self, node: NodeId) {
        if self.series.has(node) || !self.series.is_full() || self.wanted == Some(node) {
            return;
        }
        self.wanted = Some(node);
        let newest = self.rows.iter().rev().take(LOOKED_THROUGH);
        let of_topic: Vec<&Row> =
            newest.filter(|row| row.node == node).take(MAX_POINTS).map(|row| &**row).collect();
        let bodies =
            of_topic.iter().rev().filter_map(|row| Some((row.message.arrived_ms, body_of(&row.message)?)));
        // Another topic gives way only to one that has numbers.
        if bodies.clone().any(|(_, body)| !numbers_in(body).is_empty()) {
            self.series.make_room();
            bodies.for_each(|(at, body)| self.series.take(node, at, body));
        }
    }

    /// Messages a second, of all topics.
    #[must_use]
    pub fn rate(&self, now_ms: u64) -> f64 {
        self.total.per_second(now_ms)
    }

    /// Bytes on the wire a second, of all topics.
    #[must_use]
    pub fn throughput(&self, now_ms: u64) -> f64 {
        self.throughput.per_second(now_ms)
    }

    /// When the newest message arrived, milliseconds since 1970; 0 before the first.
    #[must_use]
    pub const fn newest_ms(&self) -> u64 {
        self.newest_ms
    }
}

#[cfg(test)]
pub(super) mod tests;
