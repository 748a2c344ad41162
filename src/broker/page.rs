//! A session's part of the journal: what it writes down.

use std::sync::Arc;

use super::{
    journal::Journal,
    keeper::{Change, KeptParcel},
    parcels::Parcel,
    ticket::Ticket,
};

/// Where a session that outlives its connections has its changes written down.
pub(super) struct Page {
    journal: Arc<Journal>,
    session: u64,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Page {
    pub(super) fn new(journal: Arc<Journal>, session: u64) -> Self {
        Self { journal, session }
    }

    /// Adds a change of this session.
    pub(super) fn record(&self, change: impl FnOnce(u64) -> Change) -> Ticket {
        self.journal.record(change(self.session))
    }

    /// A message with QoS 1 or 2 is to be delivered.
    pub(super) fn queued(&self, parcel: &Parcel) -> Ticket {
        let parcel = KeptParcel {
            number: parcel.number,
            message: parcel.message.kept(&self.journal),
            qos: parcel.qos,
            retain: parcel.retain,
            replay: parcel.replay,
            shared: parcel.share.is_some(),
            subscription_ids: Arc::clone(&parcel.subscription_ids),
        };
        self.record(|session| Change::Queued { session, parcel })
    }

    /// The session is over. See [`Change::Ended`] for `handed_on`.
    pub(super) fn ended(&self, handed_on: bool) -> Ticket {
        self.record(|session| Change::Ended { session, handed_on })
    }

    /// PUBREC came for these. Somebody waits for it: their PUBREL. Not in a hurry while the keeper fails, since what it
    /// could not keep is recorded again at once.
    pub(super) fn released(&self, numbers: Vec<u64>) -> Ticket {
        let ticket = self.record(|session| Change::Released { session, numbers });
        if !self.journal.is_failing() {
            self.journal.hurry(&ticket);
        }
        ticket
    }

    /// Nobody waits for these any more.
    pub(super) fn delivered(&self, numbers: Vec<u64>) {
        if !numbers.is_empty() {
            self.record(|session| Change::Delivered { session, numbers });
        }
    }
}
