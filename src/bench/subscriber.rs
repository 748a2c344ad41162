//! A subscriber: counts what arrives, and answers what wants an answer.

use std::sync::Arc;

use super::{board::Board, packet::Stamp, tally::Tally};
use crate::{keys::TopicKey, topic::TopicName};

/// One subscriber's view.
pub struct Subscriber {
    /// Which of a publisher's subscribers it is.
    copy: usize,
    /// The first publisher that it hears.
    first: usize,
    tallies: Vec<Tally>,
    opening: Option<Opening>,
    tells_progress: bool,
    /// Messages that are none of this run's.
    strays: u64,
    /// Envelopes that did not open.
    unopened: u64,
}

struct Opening {
    key: Arc<TopicKey>,
    /// The topics of the publishers it hears, publisher by publisher, to check that the envelope was made for its topic.
    topics: Vec<TopicName>,
    next: usize,
}

/// What one message was.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its number.
    pub number: u64,
    /// When it was sent.
    pub sent_ns: u64,
    /// Not seen before.
    pub fresh: bool,
}

impl Subscriber {
    /// Hears `publishers` of them from `first` on.
    pub fn new(copy: usize, first: usize, publishers: usize, tells_progress: bool) -> Self {
        Self {
            copy,
            first,
            tallies: (0..publishers).map(|_| Tally::default()).collect(),
            opening: None,
            tells_progress,
            strays: 0,
            unopened: 0,
        }
    }

    /// Opens envelopes with this key, sealed for one of these topics.
    pub fn open_with(&mut self, key: Arc<TopicKey>, topics: Vec<TopicName>) {
        self.opening = Some(Opening { key, topics, next: 0 });
    }

    /// Takes one message in. `None` if it is none of ours.
    #[inline]
    pub fn take(&mut self, payload: &[u8], topic: &[u8], board: &Board) -> Option<Taken> {
        let stamp = match &mut self.opening {
            None => Stamp::read(payload),
            Some(opening) => {
                let stamp = opening.open(payload, topic);
                self.unopened += u64::from(stamp.is_none());
                stamp
            }
        };
        let Some(stamp) = stamp else {
            self.strays += 1;
            return None;
        };
        let publisher = stamp.publisher as usize;
        let Some(tally) = self.tallies.get_mut(publisher.wrapping_sub(self.first)) else {
            self.strays += 1;
            return None;
        };
        let (number, fresh) = tally.take(stamp.sequence);
        if self.tells_progress {
            board.tell_progress(publisher, self.copy, tally.next());
        }
        Some(Taken { number, sent_ns: stamp.sent_ns, fresh })
    }

    /// The tally of each publisher it hears, by the publisher's number.
    pub fn tallies(&self) -> impl Iterator<Item = (usize, &Tally)> {
        self.tallies.iter().enumerate().map(|(at, tally)| (self.first + at, tally))
    }

    /// Messages that are none of this run's, those that did not open among them.
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// Envelopes that did not open.
    pub const fn unopened(&self) -> u64 {
        self.unopened
    }
}

impl Opening {
    fn open(&mut self, wire: &[u8], topic: &[u8]) -> Option<Stamp> {
        // The same topic comes again and again, or the next one.
        let count = self.topics.len();
        let at = (0..count)
            .map(|step| (self.next + step) % count)
            .find(|at| self.topics[*at].as_str().as_bytes() == topic)?;
        self.next = at;
        let opened = self.key.current().opener().open(&self.topics[at], wire).ok()?;
        Stamp::read(&opened.body)
    }
}
