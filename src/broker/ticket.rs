//! What an answer waits for: the batches of the journal that carry what it promises.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Changes that are kept or lost together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    kept: OnceLock<bool>,
    settled: Notify,
}

impl Batch {
    pub(super) fn settle(&self, kept: bool) {
        let _ = self.kept.set(kept);
        self.settled.notify_waiters();
    }
}

/// Which batch a change went into.
#[derive(Debug, Clone)]
pub(super) struct Ticket(pub(super) Arc<Batch>);

impl Ticket {
    /// Whether its batch was kept, once that is known.
    pub(super) async fn settled(&self) -> bool {
        loop {
            let settled = self.0.settled.notified();
            if let Some(kept) = self.0.kept.get() {
                return *kept;
            }
            settled.await;
        }
    }
}

/// The batches that an answer waits for, each once.
#[derive(Debug, Default)]
pub(super) struct Tickets(Vec<Ticket>);

impl Tickets {
    pub(super) fn note(&mut self, ticket: Ticket) {
        if !self.0.last().is_some_and(|last| Arc::ptr_eq(&last.0, &ticket.0)) {
            self.0.push(ticket);
        }
    }

    pub(super) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|ticket| self.note(ticket));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
