//! The numbers that topics carried, over the last hour, few enough points to draw.
//!
//! A full field is thinned: the hour is cut into pieces of equal time, and of each the lowest and the highest point
//! stay, so that no peak is lost and old times are as dense as new ones.

use std::collections::{HashMap, VecDeque};

use super::{NodeId, budget::allocated, numbers_in};

/// The most points of one field.
pub const MAX_POINTS: usize = 2_000;
/// The most fields of all topics together: 16 MB of points.
const MAX_SERIES: usize = 500;
/// Older points go.
const KEPT_MS: u64 = 60 * 60 * 1000;

/// One point: milliseconds since 1970, and the number.
pub(super) type Point = (u64, f64);

/// One number of a topic over time.
#[derive(Debug)]
pub struct Field {
    name: Box<str>,
    points: VecDeque<Point>,
}

impl Field {
    /// Its name within the payload.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest number.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.points.back().map(|point| point.1)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + allocated(self.name.len())
            + allocated(self.points.capacity() * size_of::<Point>())
    }

    /// The points from a time on, oldest first, with the one before them, so that a line enters from the edge.
    pub fn since(&self, from_ms: u64) -> impl Iterator<Item = Point> + '_ {
        let start = self.points.partition_point(|point| point.0 < from_ms).saturating_sub(1);
        self.points.range(start..).copied()
    }

    fn take(&mut self, at_ms: u64, number: f64) {
        if self.points.back().is_none_or(|newest| newest.0 <= at_ms) {
            self.points.push_back((at_ms, number));
        } else {
            let at = self.points.partition_point(|point| point.0 <= at_ms);
            self.points.insert(at, (at_ms, number));
        }
        if self.points.len() >= MAX_POINTS {
            let newest = self.points.back().map_or(at_ms, |point| point.0);
            let gone = self.points.partition_point(|point| point.0 + KEPT_MS < newest);
            self.points.drain(..gone);
            let points: Vec<Point> = self.points.iter().copied().collect();
            self.points = thin(&points, MAX_POINTS / 4).into();
        }
    }
}

/// At most two points per piece of equal time: the lowest and the highest, in the order they came.
#[must_use]
pub fn thin(points: &[Point], pieces: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() <= pieces * 2 || pieces == 0 {
        return points.to_vec();
    }
    let span = (last.0 - first.0).max(1);
    let piece_of =
        |point: &Point| (u128::from(point.0 - first.0) * pieces as u128 / (u128::from(span) + 1)) as usize;
    let mut thinned = Vec::with_capacity(pieces * 2);
    for piece in points.chunk_by(|a, b| piece_of(a) == piece_of(b)) {
        let (mut low, mut high) = (0, 0);
        for (at, point) in piece.iter().enumerate() {
            if point.1 < piece[low].1 {
                low = at;
            }
            if point.1 > piece[high].1 {
                high = at;
            }
        }
        thinned.push(piece[low.min(high)]);
        if low != high {
            thinned.push(piece[low.max(high)]);
        }
    }
    thinned
}

/// The fields of all topics, bounded.
#[derive(Debug, Default)]
pub struct SeriesSet {
    topics: HashMap<NodeId, Vec<Field>>,
    fields: usize,
    bytes: usize,
}

impl SeriesSet {
    /// Takes the numbers of a payload in.
    pub(super) fn take(&mut self, node: NodeId, at_ms: u64, body: &[u8]) {
        let known = self.topics.get_mut(&node);
        if known.is_none() && self.fields >= MAX_SERIES {
            return;
        }
        let numbers = numbers_in(body);
        if numbers.is_empty() {
            return;
        }
        let fields = match known {
            Some(fields) => fields,
            None => self.topics.entry(node).or_default(),
        };
        for (name, number) in numbers {
            if let Some(field) = fields.iter_mut().find(|field| *field.name == *name) {
                let before = field.bytes();
                field.take(at_ms, number);
                self.bytes = self.bytes + field.bytes() - before;
            } else if fields.len() < super::MAX_FIELDS && self.fields < MAX_SERIES {
                self.fields += 1;
                let field = Field { name: name.into(), points: VecDeque::from([(at_ms, number)]) };
                self.bytes += field.bytes();
                fields.push(field);
            }
        }
    }

    /// The fields of one topic, in the order they were first seen.
    #[must_use]
    pub fn of(&self, node: NodeId) -> &[Field] {
        self.topics.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Whether a topic has numbers.
    #[must_use]
    pub fn has(&self, node: NodeId) -> bool {
        self.topics.contains_key(&node)
    }

    /// What the points have in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no further topic gets in.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.fields >= MAX_SERIES
    }

    /// Lets the topic go that was silent for the longest time.
    pub(super) fn make_room(&mut self) {
        let newest =
            |fields: &[Field]| fields.iter().filter_map(|field| field.points.back()).map(|p| p.0).max();
        let silent = self.topics.iter().min_by_key(|(_, fields)| newest(fields)).map(|(node, _)| *node);
        if let Some(fields) = silent.and_then(|node| self.topics.remove(&node)) {
            self.fields -= fields.len();
            self.bytes -= fields.iter().map(Field::bytes).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(set: &SeriesSet, node: NodeId) -> Vec<Point> {
        set.of(node)[0].since(0).collect()
    }

    #[test]
    fn thinning_keeps_every_peak_of_a_piece_and_the_order() {
        let mut line: Vec<Point> = (0..10_000).map(|at| (at, (at as f64 / 100.0).sin())).collect();
        line[5_005].1 = 50.0;
        line[7_777].1 = -50.0;
        let thinned = thin(&line, 100);
        assert!(thinned.len() <= 200);
        assert!(thinned.iter().any(|p| p.1 == 50.0) && thinned.iter().any(|p| p.1 == -50.0));
        assert!(thinned.is_sorted_by_key(|point| point.0));
        assert_eq!(thin(&line[..20], 100), line[..20]);
    }

    #[test]
    fn a_field_never_grows_past_its_bound_and_covers_the_last_hour_only() {
        let mut set = SeriesSet::default();
        for at in 0..50_000_u64 {
            set.take(1, at * 200, format!("{at}").as_bytes());
        }
        let points = points(&set, 1);
        assert!(points.len() <= MAX_POINTS);
        let (first, last) = (points[0].0, points[points.len() - 1].0);
        assert_eq!(last, 49_999 * 200);
        assert!(last - first <= KEPT_MS + 500_000 && last - first > KEPT_MS / 2, "{first} {last}");
    }

    #[test]
    fn history_that_comes_later_is_put_in_its_place() {
        let mut set = SeriesSet::default();
        for at in [50, 30, 40, 10] {
            set.take(1, at, b"1");
        }
        assert_eq!(points(&set, 1).iter().map(|p| p.0).collect::<Vec<_>>(), [10, 30, 40, 50]);
    }

    #[test]
    fn the_number_of_fields_is_bounded_and_the_most_silent_topic_makes_room() {
        let mut set = SeriesSet::default();
        for node in 0..MAX_SERIES as u32 + 10 {
            set.take(node, u64::from(node), b"1");
        }
        assert!(set.is_full() && set.has(0) && !set.has(MAX_SERIES as u32));
        set.make_room();
        assert!(!set.has(0) && set.has(1) && !set.is_full());
    }
}
