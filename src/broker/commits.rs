//! What the journal counts about its batches: how many, how large, and how long the keeper takes for one.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the classes of [`Commits::within`], in microseconds: a flash disk's commit takes about 1 ms, a
/// turning disk's 10 to 30.
pub const COMMIT_CLASSES_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// A snapshot of the journal's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commits {
    /// Batches kept, total.
    pub batches: u64,
    /// Batches that could not be kept, total.
    pub failures: u64,
    /// Changes kept, total; without what cancelled out within a batch.
    pub changes: u64,
    /// Bytes of topic, payload and properties, and about what each change costs besides, total; as they were written
    /// down, before what cancelled out within a batch.
    pub bytes: u64,
    /// Batches kept by how long the keeper took, not cumulated: `within[i]` took at most [`COMMIT_CLASSES_US`]`[i]`
    /// and more than the class before. The last is what took longer than all.
    pub within: [u64; COMMIT_CLASSES_US.len() + 1],
    /// Microseconds that all batches kept took together.
    pub took_us: u64,
    /// Changes that wait for the keeper, now.
    pub pending: u64,
    /// Their bytes, as of [`Commits::bytes`], now.
    pub pending_bytes: u64,
    /// Whether the last batch could not be kept.
    pub failing: bool,
}

/// The running totals.
#[derive(Debug, Default)]
pub(super) struct CommitTallies {
    batches: AtomicU64,
    failures: AtomicU64,
    changes: AtomicU64,
    bytes: AtomicU64,
    within: [AtomicU64; COMMIT_CLASSES_US.len() + 1],
    took_us: AtomicU64,
}

impl CommitTallies {
    /// A batch came back from the keeper.
    pub(super) fn note(&self, kept: bool, changes: usize, bytes: usize, took: Duration) {
        if !kept {
            self.failures.fetch_add(1, Relaxed);
            return;
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = COMMIT_CLASSES_US.partition_point(|bound| *bound < us);
        self.within[class].fetch_add(1, Relaxed);
        self.took_us.fetch_add(us, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.changes.fetch_add(changes as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// The totals, without what waits now.
    pub(super) fn snapshot(&self) -> Commits {
        Commits {
            batches: self.batches.load(Relaxed),
            failures: self.failures.load(Relaxed),
            changes: self.changes.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            within: std::array::from_fn(|class| self.within[class].load(Relaxed)),
            took_us: self.took_us.load(Relaxed),
            ..Commits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_falls_into_the_class_whose_bound_it_does_not_exceed() {
        let tallies = CommitTallies::default();
        for us in [1, 250, 251, 5_000_000, 5_000_001] {
            tallies.note(true, 2, 100, Duration::from_micros(us));
        }
        tallies.note(false, 9, 900, Duration::from_secs(1));
        let commits = tallies.snapshot();
        assert_eq!((commits.within[0], commits.within[1]), (2, 1));
        assert_eq!((commits.within[11], commits.within[12]), (1, 1));
        assert_eq!((commits.batches, commits.failures, commits.changes, commits.bytes), (5, 1, 10, 500));
        assert_eq!(commits.took_us, 10_000_503);
    }
}
