//! How many in a second, over the last five seconds.

/// Seconds that are looked back on.
const WINDOW: u64 = 5;
/// Seconds that are kept: the window and some more, for messages that come a little late.
const KEPT: usize = 8;

/// A count per second for the last seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    counts: [u64; KEPT],
    newest: u64,
}

impl Rate {
    /// Counts `amount` at a time, milliseconds since 1970. What is older than is kept is passed over.
    pub fn count(&mut self, at_ms: u64, amount: u64) {
        let second = at_ms / 1000;
        if second > self.newest {
            let gone = (second - self.newest).min(KEPT as u64);
            for step in 1..=gone {
                self.counts[slot(second - gone + step)] = 0;
            }
            self.newest = second;
        } else if self.newest - second >= KEPT as u64 {
            return;
        }
        self.counts[slot(second)] += amount;
    }

    /// How many a second, up to a time.
    #[must_use]
    pub fn per_second(&self, now_ms: u64) -> f64 {
        let now = now_ms / 1000;
        let from = now.saturating_sub(WINDOW - 1);
        let oldest_kept = self.newest.saturating_sub(KEPT as u64 - 1);
        let sum: u64 =
            (from.max(oldest_kept)..=now.min(self.newest)).map(|second| self.counts[slot(second)]).sum();
        sum as f64 / ((WINDOW - 1) as f64 + (now_ms % 1000) as f64 / 1000.0)
    }
}

fn slot(second: u64) -> usize {
    (second % KEPT as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_silence_brings_it_to_nothing() {
        let mut rate = Rate::default();
        for ms in (1_000_000..1_010_000).step_by(100) {
            rate.count(ms, 1);
        }
        assert!((rate.per_second(1_010_000 - 1) - 10.0).abs() < 0.1);
        assert!(rate.per_second(1_012_000) > 0.0);
        assert!(rate.per_second(1_015_000) == 0.0);
        assert!(rate.per_second(9_000_000) == 0.0);
    }

    #[test]
    fn what_comes_late_counts_in_its_own_second_and_what_is_old_does_not() {
        let mut rate = Rate::default();
        rate.count(100_000, 1);
        rate.count(98_000, 4);
        rate.count(10_000, 1_000);
        assert!((rate.per_second(100_999) - 1.0).abs() < 0.01);
    }
}
