//! The rows that a filter lets through, found a bounded piece at a time.
//!
//! A frame never looks at all rows: [`View::update`] goes on where it stopped, the newest first, until its allowance is
//! spent, and says whether there is more to look at.

use std::{collections::VecDeque, ops::Range};

use crate::client::{Opening, SenderKey};

use super::{MessageStore, NodeId, ROOT, Row, body_of};

/// Rows that one update looks at.
const ROWS_PER_UPDATE: usize = 5_000;
/// Bytes of payload that one update searches.
const BYTES_PER_UPDATE: usize = 2 * 1024 * 1024;

/// What to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At or below this level of the tree.
    pub under: NodeId,
    /// With this text in topic or payload, whatever its case.
    pub text: String,
    /// Only what was refused or is notable.
    pub only_problems: bool,
    /// Signed with one of these: the people whose name the text is part of.
    pub senders: Vec<SenderKey>,
    /// Signed with one of these is a problem too: people whose key or name has changed, and strangers.
    pub doubtful: Vec<SenderKey>,
}

impl Filter {
    /// Whether every row passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.under == ROOT && self.text.trim().is_empty() && !self.only_problems
    }
}

/// The rows that pass, by number.
#[derive(Debug, Default)]
pub struct View {
    filter: Filter,
    needle: String,
    generation: u64,
    /// The rows that were looked at.
    seen: Range<u64>,
    passed: VecDeque<u64>,
    visited: usize,
}

impl View {
    /// Another filter: what was found is void.
    pub fn set_filter(&mut self, filter: Filter) {
        if filter != self.filter {
            self.needle = filter.text.trim().to_lowercase();
            self.filter = filter;
            self.seen = 0..0;
            self.passed.clear();
        }
    }

    /// The filter in force.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Looks at further rows. True when there are more for the next frame.
    pub fn update(&mut self, store: &MessageStore) -> bool {
        self.visited = 0;
        if self.generation != store.generation() {
            self.generation = store.generation();
            self.seen = 0..0;
            self.passed.clear();
        }
        let all = store.numbers();
        if self.filter.is_open() {
            self.seen = all;
            self.passed.clear();
            return false;
        }
        while self.passed.front().is_some_and(|number| *number < all.start) {
            self.passed.pop_front();
        }
        self.seen.start = self.seen.start.max(all.start);
        if self.seen.is_empty() || self.seen.end > all.end {
            // Nothing that was looked at is left.
            self.seen = all.end..all.end;
            self.passed.clear();
        }
        let mut allowance = Allowance { rows: ROWS_PER_UPDATE, bytes: BYTES_PER_UPDATE };
        while self.seen.end < all.end && allowance.left() {
            if self.passes(store, self.seen.end, &mut allowance) {
                self.passed.push_back(self.seen.end);
            }
            self.seen.end += 1;
        }
        while self.seen.start > all.start && allowance.left() {
            self.seen.start -= 1;
            if self.passes(store, self.seen.start, &mut allowance) {
                self.passed.push_front(self.seen.start);
            }
        }
        self.seen != all
    }

    fn passes(&mut self, store: &MessageStore, number: u64, allowance: &mut Allowance) -> bool {
        self.visited += 1;
        allowance.rows = allowance.rows.saturating_sub(1);
        let Some(row) = store.row(number) else { return false };
        (!self.filter.only_problems || row.problem || is_from(row, &self.filter.doubtful))
            && (self.filter.under == ROOT || store.tree().is_under(row.node, self.filter.under))
            && (self.needle.is_empty()
                || is_from(row, &self.filter.senders)
                || holds(row, &self.needle, allowance))
    }

    /// How many rows pass, of those looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.filter.is_open() { (self.seen.end - self.seen.start) as usize } else { self.passed.len() }
    }

    /// Whether none passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the row at a place, the newest at 0.
    #[must_use]
    pub fn newest_first(&self, place: usize) -> Option<u64> {
        let at = self.len().checked_sub(place + 1)?;
        if self.filter.is_open() { Some(self.seen.start + at as u64) } else { self.passed.get(at).copied() }
    }

    /// Where a row stands, the newest at 0.
    #[must_use]
    pub fn place_of(&self, number: u64) -> Option<usize> {
        let at = if self.filter.is_open() {
            self.seen.contains(&number).then(|| (number - self.seen.start) as usize)
        } else {
            self.passed.binary_search(&number).ok()
        }?;
        Some(self.len() - 1 - at)
    }

    /// Rows that the last update looked at, for tests of what a frame costs.
    #[must_use]
    pub const fn visited(&self) -> usize {
        self.visited
    }
}

/// What an update may still spend.
struct Allowance {
    rows: usize,
    bytes: usize,
}

impl Allowance {
    const fn left(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }
}

/// Whether one of these signed it.
fn is_from(row: &Row, senders: &[SenderKey]) -> bool {
    match &row.message.opening {
        Opening::Opened { signer: Some(signer), .. } => senders.contains(signer),
        _ => false,
    }
}

fn holds(row: &Row, needle: &str, allowance: &mut Allowance) -> bool {
    let topic = row.message.topic.as_str().as_bytes();
    let body = body_of(&row.message).map_or(&[][..], |body| &body[..]);
    allowance.bytes = allowance.bytes.saturating_sub(topic.len() + body.len());
    contains(topic, needle) || contains(body, needle)
}

/// Whether bytes hold a text, which is in lower case, whatever the case they have.
fn contains(hay: &[u8], needle: &str) -> bool {
    if !needle.is_ascii() {
        return String::from_utf8_lossy(hay).to_lowercase().contains(needle);
    }
    let needle = needle.as_bytes();
    let Some(first) = needle.first() else { return true };
    let upper = first.to_ascii_uppercase();
    let Some(last_start) = hay.len().checked_sub(needle.len()) else { return false };
    (0..=last_start).any(|at| {
        (hay[at] == *first || hay[at] == upper) && hay[at..at + needle.len()].eq_ignore_ascii_case(needle)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{message, refused, store_of};
    use super::*;

    fn numbers(view: &View) -> Vec<u64> {
        (0..view.len()).filter_map(|place| view.newest_first(place)).collect()
    }

    fn settle(view: &mut View, store: &MessageStore) -> usize {
        let mut frames = 1;
        while view.update(store) {
            frames += 1;
            assert!(frames < 1_000);
        }
        frames
    }

    #[test]
    fn text_is_found_in_topic_and_payload_whatever_its_case() {
        assert!(contains(b"Plant/PRESS", "press") && contains("Über".as_bytes(), "über"));
        assert!(!contains(b"pres", "press") && contains(b"", ""));
        let store = store_of(vec![
            message(1, "plant/press", "{\"State\":\"RUNNING\"}"),
            message(2, "plant/hvac", "21"),
        ]);
        let mut view = View::default();
        view.set_filter(Filter { text: " running ".into(), ..Filter::default() });
        assert!(!view.update(&store));
        assert_eq!(numbers(&view), [store.numbers().start]);
    }

    #[test]
    fn a_subtree_and_problems_narrow_what_is_shown_and_places_go_both_ways() {
        let mut rows: Vec<_> =
            (1..=20).map(|n| message(n, if n % 2 == 0 { "a/x" } else { "b/y" }, "1")).collect();
        rows.push(refused(21, "a/x"));
        let store = store_of(rows);
        let a = store.tree().parent(store.row(store.numbers().start + 1).unwrap().node);
        let mut view = View::default();
        view.set_filter(Filter { under: a, ..Filter::default() });
        view.update(&store);
        assert_eq!(view.len(), 11);
        for place in 0..view.len() {
            assert_eq!(view.place_of(view.newest_first(place).unwrap()), Some(place));
        }
        view.set_filter(Filter { under: a, only_problems: true, ..Filter::default() });
        view.update(&store);
        assert_eq!(numbers(&view), [store.numbers().end - 1]);
    }

    #[test]
    fn a_doubtful_signer_is_a_problem_though_the_seal_held() {
        let by = |serial, key: u8| {
            let mut message = message(serial, "a", "1");
            if let Opening::Opened { signer, .. } = &mut message.opening {
                *signer = Some(SenderKey::from_bytes([key; 32]));
            }
            message
        };
        let store = store_of(vec![by(1, 1), by(2, 2), message(3, "a", "1"), refused(4, "a")]);
        let mut view = View::default();
        let doubtful = vec![SenderKey::from_bytes([2; 32])];
        view.set_filter(Filter { only_problems: true, doubtful, ..Filter::default() });
        view.update(&store);
        let start = store.numbers().start;
        assert_eq!(numbers(&view), [start + 3, start + 1]);
    }

    #[test]
    fn a_frame_looks_at_a_bounded_number_of_rows_and_the_newest_come_first() {
        let store = store_of(
            (0..100_000).map(|n| message(n, "a/b", if n % 10 == 0 { "needle" } else { "hay" })).collect(),
        );
        let mut view = View::default();
        view.update(&store);
        assert_eq!((view.visited(), view.len()), (0, 100_000));
        view.set_filter(Filter { text: "needle".into(), ..Filter::default() });
        assert!(view.update(&store));
        assert!(view.visited() <= ROWS_PER_UPDATE);
        assert_eq!(view.newest_first(0), Some(store.numbers().end - 10));
        settle(&mut view, &store);
        assert_eq!(view.len(), 10_000);
        view.update(&store);
        assert_eq!(view.visited(), 0, "a frame without news looks at nothing");
    }

    #[test]
    fn large_payloads_spend_the_allowance_sooner() {
        let big = "x".repeat(100_000);
        let store = store_of((0..200).map(|n| message(n, "a", &big)).collect());
        let mut view = View::default();
        view.set_filter(Filter { text: "needle".into(), ..Filter::default() });
        assert!(view.update(&store));
        assert!(view.visited() < 30, "{}", view.visited());
    }

    #[test]
    fn the_index_follows_what_comes_and_what_the_ring_drops() {
        let mut store = MessageStore::with_budget(super::super::Budget { rows: 1_000, bytes: usize::MAX });
        let mut view = View::default();
        view.set_filter(Filter { text: "b".into(), ..Filter::default() });
        for round in 0..50 {
            let batch =
                (0..100).map(|n| message(round * 100 + n, if n % 2 == 0 { "a" } else { "b" }, "1")).collect();
            store.push_batch(batch);
            settle(&mut view, &store);
            assert!(
                numbers(&view).iter().all(|number| store.row(*number).unwrap().message.topic.as_str() == "b")
            );
        }
        assert_eq!(view.len(), 500);
        store.clear();
        view.update(&store);
        assert!(view.is_empty());
        store.push_batch((0..5_000).map(|n| message(n, "b", "1")).collect());
        settle(&mut view, &store);
        assert_eq!(view.len(), 1_000);
    }
}
