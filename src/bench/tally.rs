//! Counts what arrived of one publisher at one subscriber: each message once, and what is missing, late or doubled.

use std::collections::VecDeque;

/// How many separate gaps are remembered, so that what comes late can fill them. Older ones count as lost for good.
const REMEMBERED_GAPS: usize = 1024;

/// The messages of one publisher as one subscriber saw them. Sequence numbers begin at 0.
#[derive(Debug, Default)]
pub struct Tally {
    /// One past the highest number seen.
    next: u64,
    /// Different messages seen.
    unique: u64,
    duplicates: u64,
    /// Times that a number was followed by one that is not the next.
    gaps: u64,
    /// Filled a gap afterwards: out of order, or sent again.
    late: u64,
    /// What is missing below `next`, as ranges `[from, to)`, ascending.
    missing: VecDeque<(u64, u64)>,
}

impl Tally {
    /// Takes in a message by the lower half of its number; returns the whole number, and whether it is new.
    #[inline]
    pub fn take(&mut self, sequence: u32) -> (u64, bool) {
        let number = self.whole(sequence);
        if number == self.next {
            self.next += 1;
            self.unique += 1;
            return (number, true);
        }
        (number, self.take_out_of_order(number))
    }

    /// The number nearest to what is expected that has this lower half.
    #[inline]
    fn whole(&self, sequence: u32) -> u64 {
        let expected = self.next as u32;
        let ahead = sequence.wrapping_sub(expected);
        if ahead <= u32::MAX / 2 {
            self.next + u64::from(ahead)
        } else {
            self.next.saturating_sub(u64::from(expected.wrapping_sub(sequence)))
        }
    }

    #[cold]
    fn take_out_of_order(&mut self, number: u64) -> bool {
        if number > self.next {
            self.gaps += 1;
            self.missing.push_back((self.next, number));
            if self.missing.len() > REMEMBERED_GAPS {
                self.missing.pop_front();
            }
            self.next = number + 1;
            self.unique += 1;
            return true;
        }
        // The late ones mostly fill one of the newest gaps.
        let found = self.missing.iter().rposition(|(from, to)| (*from..*to).contains(&number));
        let Some(at) = found else {
            self.duplicates += 1;
            return false;
        };
        self.unique += 1;
        self.late += 1;
        let (from, to) = self.missing[at];
        match (number == from, number + 1 == to) {
            (true, true) => drop(self.missing.remove(at)),
            (true, false) => self.missing[at].0 += 1,
            (false, true) => self.missing[at].1 -= 1,
            (false, false) => {
                self.missing[at].1 = number;
                self.missing.insert(at + 1, (number + 1, to));
            }
        }
        true
    }

    /// One past the highest number seen.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// What it comes to when `sent` messages were sent.
    #[must_use]
    pub const fn judge(&self, sent: u64) -> Judgement {
        Judgement {
            received: self.unique,
            lost: sent.saturating_sub(self.unique),
            gaps: self.gaps,
            duplicates: self.duplicates,
            late: self.late,
        }
    }
}

/// What became of a publisher's messages; or of all, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judgement {
    /// Different messages that arrived.
    pub received: u64,
    /// Messages that were sent and did not arrive.
    pub lost: u64,
    /// Times that messages were missing in a row.
    pub gaps: u64,
    /// Messages that arrived again.
    pub duplicates: u64,
    /// Messages that arrived after a later one.
    pub late: u64,
}

impl std::ops::AddAssign for Judgement {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.lost += other.lost;
        self.gaps += other.gaps;
        self.duplicates += other.duplicates;
        self.late += other.late;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn judged(numbers: &[u32], sent: u64) -> Judgement {
        let mut tally = Tally::default();
        for number in numbers {
            tally.take(*number);
        }
        tally.judge(sent)
    }

    #[test]
    fn loss_gaps_duplicates_and_late_ones_are_told_apart() {
        let all_well = Judgement { received: 4, ..Judgement::default() };
        assert_eq!(judged(&[0, 1, 2, 3], 4), all_well);
        assert_eq!(judged(&[0, 3], 5), Judgement { received: 2, lost: 3, gaps: 1, ..Judgement::default() });
        assert_eq!(judged(&[0, 1, 1, 0, 2, 3], 4), Judgement { duplicates: 2, ..all_well });
        assert_eq!(judged(&[0, 2, 3, 1], 4), Judgement { gaps: 1, late: 1, ..all_well });
        assert_eq!(judged(&[], 7), Judgement { lost: 7, ..Judgement::default() });
    }

    #[test]
    fn a_number_that_filled_its_gap_is_a_duplicate_the_second_time() {
        let tally = judged(&[0, 5, 3, 3, 1, 4, 2, 2], 6);
        assert_eq!(tally, Judgement { received: 6, lost: 0, gaps: 1, duplicates: 2, late: 4 });
    }

    #[test]
    fn numbers_go_on_past_the_end_of_their_lower_half() {
        let mut tally = Tally { next: u64::from(u32::MAX) - 1, ..Tally::default() };
        for sequence in [u32::MAX - 1, u32::MAX, 0, 1] {
            tally.take(sequence);
        }
        assert_eq!(tally.next(), (1 << 32) + 2);
        assert_eq!(
            tally.take(u32::MAX),
            (u64::from(u32::MAX), false),
            "one from before the end is an old one"
        );
        let judgement = tally.judge(0);
        assert_eq!((judgement.received, judgement.gaps, judgement.duplicates), (4, 0, 1));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_everything_seen(numbers in prop::collection::vec(0_u32..200, 0..400)) {
            let seen: BTreeSet<u32> = numbers.iter().copied().collect();
            let judgement = judged(&numbers, 200);
            prop_assert_eq!(judgement.received, seen.len() as u64);
            prop_assert_eq!(judgement.lost, 200 - seen.len() as u64);
            prop_assert_eq!(judgement.duplicates, (numbers.len() - seen.len()) as u64);
        }
    }
}
