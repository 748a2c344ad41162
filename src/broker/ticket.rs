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
    both: OnceLock<Arc<Both>>,
}

/// What settles a ticket that stands for two.
#[derive(Debug)]
struct Both {
    parts: [Ticket; 2],
    whole: Weak<Batch>,
}

impl Watcher for Both {
    fn settled(&self, _: bool) {
        let kept = match [self.parts[0].outcome(), self.parts[1].outcome()] {
            [Some(false), _] | [_, Some(false)] => false,
            [Some(true), Some(true)] => true,
            _ => return,
        };
        if let Some(whole) = self.whole.upgrade() {
            whole.settle(kept);
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

    /// One that is kept once both are: settled with the later of them.
    pub(super) fn and(self, other: Self) -> Self {
        if self.is_same(&other) {
            return self;
        }
        let whole = Arc::new(Batch::default());
        let both = Arc::new(Both { parts: [self, other], whole: Arc::downgrade(&whole) });
        for part in &both.parts {
            part.watch(Arc::downgrade(&both) as Weak<dyn Watcher>);
        }
        // Also where both were settled before they could be watched.
        both.settled(true);
        let _ = whole.both.set(both);
        Self(whole)
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
        let one = Ticket(Arc::default());
        assert!(one.clone().and(one.clone()).is_same(&one));
    }
}
