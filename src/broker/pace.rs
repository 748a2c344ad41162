//! Rates that are bounded: a bucket of tokens that fills by the second.
//!
//! Pure: it is told what time it is.

use std::time::{Duration, Instant};

/// A bucket that holds one second's worth of tokens, and may owe some.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full one; none where the rate is 0, which means that there is no bound.
    pub(super) fn new(per_second: u32, now: Instant) -> Option<Self> {
        let rate = f64::from(per_second);
        (per_second > 0).then_some(Self { per_second: rate, tokens: rate, filled: now })
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + seconds * self.per_second).min(self.per_second);
        self.filled = self.filled.max(now);
    }

    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// Takes that many, there or not. Returns how long it is until none is owed.
    pub(super) fn spend(&mut self, amount: u64, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= amount as f64;
        Duration::try_from_secs_f64(-self.tokens / self.per_second).unwrap_or_default()
    }

    /// Whether it was not used for so long that a new one would be the same.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_one_seconds_worth_at_once_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start).unwrap();
        assert_eq!((0..50).filter(|_| bucket.take(start)).count(), 10);
        let later = start + Duration::from_millis(301);
        assert_eq!((0..50).filter(|_| bucket.take(later)).count(), 3);
        assert!(!bucket.is_full(later));
        let much_later = start + Duration::from_secs(3600);
        assert!(bucket.is_full(much_later));
        assert_eq!((0..50).filter(|_| bucket.take(much_later)).count(), 10, "it does not save up");
        assert!(Bucket::new(0, start).is_none());
    }

    #[test]
    fn what_is_spent_beyond_the_bucket_is_waited_for() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, start).unwrap();
        assert_eq!(bucket.spend(100, start), Duration::ZERO);
        assert_eq!(bucket.spend(50, start), Duration::from_millis(500));
        assert_eq!(bucket.spend(0, start + Duration::from_millis(250)), Duration::from_millis(250));
        assert_eq!(bucket.spend(0, start + Duration::from_millis(501)), Duration::ZERO);
    }
}
