//! What arrived, for the table: a ring with a bound.

use std::collections::VecDeque;

use crate::client::Message;

/// The most rows that are kept.
const ROWS: usize = 100_000;

/// What arrived, oldest first.
#[derive(Debug, Default)]
pub struct MessageStore {
    rows: VecDeque<Message>,
}

impl MessageStore {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds messages, oldest first; the oldest rows make room.
    pub fn push_batch(&mut self, batch: Vec<Message>) {
        self.rows.extend(batch);
        while self.rows.len() > ROWS {
            self.rows.pop_front();
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
