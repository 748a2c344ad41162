//! What an answer, or a message, waits for: the batches of the journal that carry what it promises.

use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Somebody who has something to do when a batch is settled. Called with no lock held.
pub(super) trait Watcher: Send + Sync {
    fn settled(&self, kept: bool);
}

/// Changes that are kept or lost together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    kept: OnceLock<bool>,
    settled: Notify,
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
    /// Of [`Ticket::and`]: lives as long as somebody waits for it.
    whole: OnceLock<Arc<Whole>>,
}

/// What settles a ticket that stands for several batches.
#[derive(Debug)]
struct Whole {
    parts: Vec<Ticket>,
    batch: Weak<Batch>,
}

impl Watcher for Whole {
    fn settled(&self, _: bool) {
        let outcomes = || self.parts.iter().map(Ticket::outcome);
        let kept =
            match (outcomes().any(|kept| kept == Some(false)), outcomes().all(|kept| kept == Some(true))) {
                (true, _) => false,
                (_, true) => true,
                _ => return,
            };
        if let Some(batch) = self.batch.upgrade() {
            batch.settle(kept);
        }
    }
}

impl Batch {
    pub(super) fn settle(&self, kept: bool) {
        let watchers = {
            let mut watchers = self.watchers.lock();
            let _ = self.kept.set(kept);
            std::mem::take(&mut *watchers)
        };
        self.settled.notify_waiters();
        for watcher in watchers.iter().filter_map(Weak::upgrade) {
            watcher.settled(kept);
        }
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
            if let Some(kept) = self.outcome() {
                return kept;
            }
            settled.await;
        }
    }

    /// Whether its batch was kept; none while nobody knows.
    pub(super) fn outcome(&self) -> Option<bool> {
        self.0.kept.get().copied()
    }

    /// Has `watcher` called when its batch is settled; false where it is settled already.
    pub(super) fn watch(&self, watcher: Weak<dyn Watcher>) -> bool {
        let mut watchers = self.0.watchers.lock();
        let open = self.outcome().is_none();
        if open {
            watchers.push(watcher);
        }
        open
    }

    /// One that is kept once both are, and lost with the first that is.
    pub(super) fn and(self, other: Self) -> Self {
        let mut parts: Vec<Self> = Vec::new();
        for ticket in [self, other.clone()] {
            // What stands for several itself is taken apart, so that none stands for one that stands for others.
            let of_ticket = ticket.0.whole.get().map(|whole| whole.parts.clone());
            for part in of_ticket.unwrap_or_else(|| vec![ticket]) {
                if part.outcome() != Some(true) && !parts.iter().any(|known| known.is_same(&part)) {
                    parts.push(part);
                }
            }
        }
        match (parts.pop(), parts.is_empty()) {
            (None, _) => other,
            (Some(only), true) => only,
            (Some(last), false) => {
                parts.push(last);
                Self::of_all(parts)
            }
        }
    }

    fn of_all(parts: Vec<Self>) -> Self {
        let batch = Arc::new(Batch::default());
        let whole = Arc::new(Whole { parts, batch: Arc::downgrade(&batch) });
        for part in &whole.parts {
            part.watch(Arc::downgrade(&whole) as Weak<dyn Watcher>);
        }
        // Also where they were settled before they could be watched.
        whole.settled(true);
        let _ = batch.whole.set(whole);
        Self(batch)
    }

    /// Whether both stand for one batch.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The batches that an answer waits for, each once.
#[derive(Debug, Default)]
pub(super) struct Tickets(Vec<Ticket>);

impl Tickets {
    pub(super) fn note(&mut self, ticket: Ticket) {
        if !self.0.last().is_some_and(|last| last.is_same(&ticket)) {
            self.0.push(ticket);
        }
    }

    pub(super) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|ticket| self.note(ticket));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.0.iter()
    }

    /// The batch noted last.
    pub(super) fn last(&self) -> Option<&Ticket> {
        self.0.last()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_for_two_is_kept_when_both_are_and_lost_with_the_first_that_is() {
        for (first_then_second, outcomes) in [
            ([true, true], [None, Some(true)]),
            ([true, false], [None, Some(false)]),
            ([false, true], [Some(false); 2]),
        ] {
            for settled_before in 0..=2 {
                let (one, other) = (Ticket(Arc::default()), Ticket(Arc::default()));
                let settle = [(&one, first_then_second[0]), (&other, first_then_second[1])];
                settle[..settled_before].iter().for_each(|(ticket, kept)| ticket.0.settle(*kept));
                let both = one.clone().and(other.clone());
                if let Some(before) = settled_before.checked_sub(1) {
                    assert_eq!(both.outcome(), outcomes[before]);
                }
                for at in settled_before..2 {
                    settle[at].0.0.settle(settle[at].1);
                    assert_eq!(both.outcome(), outcomes[at]);
                }
            }
        }
        let [one, two, three] = [(); 3].map(|()| Ticket(Arc::default()));
        assert!(one.clone().and(one.clone()).is_same(&one));
        let nested = one.clone().and(two.clone()).and(three.clone()).and(two.clone());
        assert_eq!(nested.0.whole.get().unwrap().parts.len(), 3, "each once, and none within another");
        [&one, &two].into_iter().for_each(|ticket| ticket.0.settle(true));
        assert_eq!(nested.outcome(), None);
        assert!(nested.clone().and(one.clone()).is_same(&three), "only what is open counts");
        three.0.settle(true);
        assert_eq!(nested.outcome(), Some(true));
        assert!(one.clone().and(three.clone()).is_same(&three));
    }
}
