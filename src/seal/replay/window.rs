//! One sliding window over the sequence numbers of one session (the shape of RFC 4303 §3.4.3, without the wrap).

/// How many sequence numbers behind the highest one can still be judged.
pub const WINDOW: u64 = 1024;
const WORDS: usize = 16;
const BITMAP_BYTES: usize = WORDS * 8;

/// Which of the last 1,024 sequence numbers of one session were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayWindow {
    highest: u64,
    /// Bit `n % 1024` stands for sequence number `n`, for the 1,024 numbers up to `highest`.
    seen: [u64; WORDS],
}

/// What a window says of one sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Not seen yet.
    Fresh,
    /// Seen.
    Repeated,
    /// So far behind the highest that nothing is known of it.
    TooOld,
}

impl ReplayWindow {
    /// A window that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: 0, seen: [0; WORDS] }
    }

    /// The highest number seen, 0 for none.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Judges `sequence` without remembering it.
    #[must_use]
    pub fn judge(&self, sequence: u64) -> Judgement {
        if sequence > self.highest {
            Judgement::Fresh
        } else if self.highest - sequence >= WINDOW {
            Judgement::TooOld
        } else if self.seen[word(sequence)] & bit(sequence) != 0 {
            Judgement::Repeated
        } else {
            Judgement::Fresh
        }
    }

    /// Judges `sequence`, and remembers it if it is fresh.
    pub fn advance(&mut self, sequence: u64) -> Judgement {
        let judgement = self.judge(sequence);
        if judgement == Judgement::Fresh {
            if sequence > self.highest {
                if sequence - self.highest >= WINDOW {
                    self.seen = [0; WORDS];
                } else {
                    (self.highest + 1..sequence)
                        .for_each(|skipped| self.seen[word(skipped)] &= !bit(skipped));
                }
                self.highest = sequence;
            }
            self.seen[word(sequence)] |= bit(sequence);
        }
        judgement
    }

    /// The bitmap as bytes, for keeping on disk beside [`Self::highest`].
    #[must_use]
    pub fn bitmap(&self) -> [u8; BITMAP_BYTES] {
        let mut bytes = [0; BITMAP_BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.seen) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// A window as it was kept. `None` if the bitmap is not 128 bytes.
    #[must_use]
    pub fn from_parts(highest: u64, bitmap: &[u8]) -> Option<Self> {
        let bitmap: &[u8; BITMAP_BYTES] = bitmap.try_into().ok()?;
        let mut seen = [0; WORDS];
        for (word, chunk) in seen.iter_mut().zip(bitmap.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*chunk);
        }
        Some(Self { highest, seen })
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

const fn word(sequence: u64) -> usize {
    (sequence % WINDOW / 64) as usize
}

const fn bit(sequence: u64) -> u64 {
    1 << (sequence % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_does_not_matter_within_the_window_and_beyond_it_nothing_is_claimed() {
        let mut window = ReplayWindow::new();
        assert_eq!(window.advance(2), Judgement::Fresh);
        assert_eq!(window.advance(1), Judgement::Fresh);
        assert_eq!(window.advance(2), Judgement::Repeated);
        assert_eq!(window.advance(1025), Judgement::Fresh);
        assert_eq!(window.judge(2), Judgement::Repeated);
        assert_eq!(window.judge(1), Judgement::TooOld);
        assert_eq!(window.advance(16_777_216), Judgement::Fresh);
        assert_eq!(window.judge(16_777_216 - 1023), Judgement::Fresh);
        assert_eq!(window.judge(16_777_216 - 1024), Judgement::TooOld);
    }

    proptest! {
        #[test]
        fn a_window_agrees_with_remembering_everything(steps in prop::collection::vec((any::<bool>(), 0u64..3000), 1..400)) {
            let mut window = ReplayWindow::new();
            let mut all = HashSet::new();
            let mut highest = 0;
            for (forward, distance) in steps {
                let sequence = if forward { highest + distance } else { highest.saturating_sub(distance) };
                let wanted = if sequence <= highest && highest - sequence >= WINDOW {
                    Judgement::TooOld
                } else if sequence <= highest && all.contains(&sequence) {
                    Judgement::Repeated
                } else {
                    Judgement::Fresh
                };
                prop_assert_eq!(window.advance(sequence), wanted);
                if wanted == Judgement::Fresh {
                    all.insert(sequence);
                }
                highest = highest.max(sequence);
                window = ReplayWindow::from_parts(window.highest(), &window.bitmap()).unwrap();
            }
        }
    }
}
