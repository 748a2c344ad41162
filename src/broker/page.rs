//! A session's part of the journal: what it writes down, and the numbers in its queue.

use std::sync::Arc;

use super::{
    journal::Journal,
    keeper::{Change, KeptParcel},
    message::Message,
    ticket::{Ticket, Tickets},
};

/// Where a session that outlives its connections has its changes written down.
pub(super) struct Page {
    journal: Arc<Journal>,
    session: u64,
    /// The number of the next message in its queue.
    next: u64,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("session", &self.session)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Page {
    /// Messages queued from now on have numbers over `last`.
    pub(super) fn new(journal: Arc<Journal>, session: u64, last: u64) -> Self {
        Self { journal, session, next: last + 1 }
    }

    /// Adds a change of this session.
    pub(super) fn record(&self, change: impl FnOnce(u64) -> Change) -> Ticket {
        self.journal.record(change(self.session))
    }

    /// A QoS 1 message is to be delivered; returns its number.
    pub(super) fn queued(
        &mut self,
        message: &Message,
        (retain, replay): (bool, bool),
        subscription_ids: &Arc<[u32]>,
        tickets: &mut Tickets,
    ) -> u64 {
        let (session, number) = (self.session, self.next);
        self.next += 1;
        let message = message.kept(&self.journal);
        let subscription_ids = Arc::clone(subscription_ids);
        let parcel = KeptParcel { number, message, qos: 1, retain, replay, subscription_ids };
        tickets.note(self.journal.record(Change::Queued { session, parcel }));
        number
    }

    /// The highest number given so far.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Nobody waits for these any more.
    pub(super) fn delivered(&self, numbers: Vec<u64>) {
        if !numbers.is_empty() {
            self.record(|session| Change::Delivered { session, numbers });
        }
    }
}
