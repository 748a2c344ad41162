//! A publisher: makes its packets once, and each time patches stamps into as many as it may send.

use super::{
    BenchError,
    board::Board,
    packet::{PublishShape, STAMP_LEN, Stamp},
    sealing::SealingEnd,
    settings::{Length, Pace, Qos, Scenario, Settings},
    stream::Limits,
};
use crate::{keys::TopicKey, topic::TopicName};

/// The most bytes that are made at once.
const BATCH_BYTES: usize = 128 << 10;
/// After so long without progress, what is on its way at QoS 0 is given up, in nanoseconds.
const GIVE_UP_NS: u64 = 1_000_000_000;

/// One publisher's messages.
pub struct Publisher {
    index: usize,
    next: u64,
    quota: u64,
    source: Source,
    /// Made, and from `from` on not yet written.
    batch: Vec<u8>,
    from: usize,
    to: usize,
    flight: Flight,
    pace: Gate,
}

enum Source {
    /// `batch` holds `slots` finished packets, all of one length; message `n` goes out in slot `n % slots`.
    Shaped { shapes: Vec<PublishShape>, slots: u64 },
    /// Each message is sealed and encoded anew.
    Sealed { end: Box<SealingEnd>, topics: Vec<TopicName>, plain: Vec<u8>, at_once: u64 },
}

/// What is unacknowledged.
struct Flight {
    qos: Qos,
    window: u64,
    unacknowledged: u64,
    /// Ids in use, a bit each; empty at QoS 0.
    in_use: Vec<u64>,
    last_id: u16,
    /// Acknowledgements of nothing that is in flight.
    unexpected: u64,
    refused: u64,
}

/// What holds a publisher back besides acknowledgements.
enum Gate {
    Open,
    /// Progress at the subscribers.
    Progress {
        in_flight: u64,
        given_up: u64,
        seen: u64,
        seen_at_ns: u64,
    },
    /// A time-table: message `n` is due `offset + n * interval` after the run began.
    Timed {
        offset_ns: f64,
        interval_ns: f64,
        behind: bool,
    },
}

/// When there is something to do again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At once.
    Now,
    /// At this time on the board's clock.
    At(u64),
    /// When something arrives.
    Waits,
    /// Never: everything is sent.
    Done,
}

/// Lateness of the time-table's own clockwork.
pub type Lateness<'a> = &'a mut dyn FnMut(u64);

impl Publisher {
    /// Publisher number `index` of a run whose topics begin with `prefix`.
    ///
    /// # Errors
    /// There is no randomness for a sealing session.
    pub fn new(
        settings: &Settings,
        index: usize,
        prefix: &str,
        key: Option<&TopicKey>,
    ) -> Result<Self, BenchError> {
        let topics: Vec<String> =
            (0..settings.topics).map(|topic| topic_name(prefix, index, topic, settings.topics)).collect();
        let turns = settings.scenario == Scenario::TurnBased && settings.qos != Qos::AtMostOnce;
        let mut window = u64::from(settings.window);
        let pace = match settings.pace {
            // Whoever waits for acknowledgements takes turns by them.
            Pace::InFlight(most) if turns => {
                window = window.min(most);
                Gate::Open
            }
            Pace::Open => Gate::Open,
            Pace::InFlight(in_flight) => Gate::Progress { in_flight, given_up: 0, seen: 0, seen_at_ns: 0 },
            Pace::Rate(rate) => {
                let publishers = settings.publishers as f64;
                let interval_ns = publishers / rate * 1e9;
                Gate::Timed { offset_ns: interval_ns * index as f64 / publishers, interval_ns, behind: false }
            }
        };
        let quota = match settings.length {
            Length::Time { .. } => u64::MAX,
            Length::Messages(all) => {
                let (each, rest) = (all / settings.publishers as u64, all % settings.publishers as u64);
                each + u64::from((index as u64) < rest)
            }
        };
        let mut most_at_once = match (&pace, settings.qos) {
            (Gate::Progress { in_flight, .. }, _) => *in_flight,
            (_, Qos::AtMostOnce) => u64::MAX,
            _ => window,
        };
        if matches!(pace, Gate::Timed { .. }) {
            most_at_once = most_at_once.min(64);
        }
        let plain = payload(settings.payload);
        let (source, batch) = match key {
            None => shaped(settings, &topics, &plain, most_at_once),
            Some(key) => {
                let topics = topics
                    .iter()
                    .map(TopicName::new)
                    .collect::<Result<_, _>>()
                    .map_err(|error| BenchError::Settings(error.to_string()))?;
                let end = Box::new(SealingEnd::new(key, settings.version)?);
                (Source::Sealed { end, topics, plain, at_once: most_at_once.min(64) }, Vec::new())
            }
        };
        let ids = if settings.qos == Qos::AtMostOnce { 0 } else { 65_536 / 64 };
        Ok(Self {
            index,
            next: 0,
            quota,
            source,
            batch,
            from: 0,
            to: 0,
            flight: Flight {
                qos: settings.qos,
                window,
                unacknowledged: 0,
                in_use: vec![0; ids],
                last_id: 0,
                unexpected: 0,
                refused: 0,
            },
            pace,
        })
    }

    /// What the broker allows, learnt when it let this publisher in.
    pub fn limit(&mut self, limits: Limits) {
        self.flight.window = self.flight.window.min(u64::from(limits.receive_maximum));
    }

    /// The window that is used, after the broker's limit.
    pub const fn window(&self) -> u64 {
        self.flight.window
    }

    /// Messages that the broker refused (MQTT 5).
    pub const fn refused(&self) -> u64 {
        self.flight.refused
    }

    /// Acknowledgements of nothing.
    pub const fn unexpected(&self) -> u64 {
        self.flight.unexpected
    }

    /// What is to be written.
    pub fn pending(&self) -> &[u8] {
        self.batch.get(self.from..self.to).unwrap_or_default()
    }

    /// So many bytes of it were.
    pub fn written(&mut self, bytes: usize) {
        self.from = (self.from + bytes).min(self.to);
    }

    /// Makes the packets that may be sent now. Only once [`Self::pending`] is empty. Says when to ask again, if nothing was made.
    pub fn make(&mut self, board: &Board, now_ns: u64, late: Lateness<'_>) -> Result<Next, BenchError> {
        let left = self.quota - self.next;
        if left == 0 {
            return Ok(Next::Done);
        }
        let mut room = left;
        if self.flight.qos != Qos::AtMostOnce {
            room = room.min(self.flight.window - self.flight.unacknowledged.min(self.flight.window));
        }
        let run_began = board.run_began_ns();
        match &mut self.pace {
            Gate::Open => {}
            Gate::Progress { in_flight, given_up, seen, seen_at_ns } => {
                let came = board.progress(self.index);
                if came != *seen || *seen_at_ns == 0 {
                    (*seen, *seen_at_ns) = (came, now_ns);
                } else if now_ns - *seen_at_ns > GIVE_UP_NS && self.next > came {
                    *given_up = self.next;
                    *seen_at_ns = now_ns;
                }
                let under_way = self.next - came.max(*given_up).min(self.next);
                room = room.min(in_flight.saturating_sub(under_way));
            }
            Gate::Timed { offset_ns, interval_ns, behind } => {
                let since = (now_ns - run_began.min(now_ns)) as f64 - *offset_ns;
                let due = if since < 0.0 { 0 } else { (since / *interval_ns) as u64 + 1 };
                if due <= self.next {
                    *behind = false;
                    let at = *offset_ns + self.next as f64 * *interval_ns;
                    return Ok(Next::At(run_began + at.ceil() as u64));
                }
                if room == 0 {
                    *behind = true;
                }
                room = room.min(due - self.next);
            }
        }
        if room == 0 {
            return Ok(Next::Waits);
        }
        let sent_ns = |number: u64, pace: &Gate| match pace {
            // Held up by the broker: the message is as old as its place in the time-table.
            Gate::Timed { offset_ns, interval_ns, behind: true } => {
                run_began + (*offset_ns + number as f64 * *interval_ns) as u64
            }
            _ => now_ns,
        };
        if let Gate::Timed { offset_ns, interval_ns, behind: false } = &self.pace {
            let due = run_began + (*offset_ns + self.next as f64 * *interval_ns) as u64;
            late(now_ns.saturating_sub(due));
        }
        match &mut self.source {
            Source::Shaped { shapes, slots } => {
                let slot = self.next % *slots;
                let count = room.min(*slots - slot);
                let len = shapes.first().map_or(0, |shape| shape.bytes().len());
                self.from = slot as usize * len;
                self.to = self.from + count as usize * len;
                let topics = shapes.len() as u64;
                for (number, copy) in (self.next..).zip(self.batch[self.from..self.to].chunks_exact_mut(len))
                {
                    let stamp = Stamp {
                        publisher: self.index as u32,
                        sequence: number as u32,
                        sent_ns: sent_ns(number, &self.pace),
                    };
                    shapes[(number % topics) as usize].patch(copy, stamp, self.flight.take_id());
                }
                self.next += count;
            }
            Source::Sealed { end, topics, plain, at_once } => {
                self.batch.clear();
                self.from = 0;
                let count = room.min(*at_once);
                for number in self.next..self.next + count {
                    let stamp = Stamp {
                        publisher: self.index as u32,
                        sequence: number as u32,
                        sent_ns: sent_ns(number, &self.pace),
                    };
                    plain[..STAMP_LEN].copy_from_slice(&stamp.bytes());
                    let topic = &topics[(number % topics.len() as u64) as usize];
                    end.publish(&mut self.batch, topic, self.flight.qos, self.flight.take_id(), plain)?;
                }
                self.to = self.batch.len();
                self.next += count;
            }
        }
        board.tell_sent(self.index, self.next);
        Ok(Next::Now)
    }

    /// The socket took no more while messages were due.
    pub fn held_up(&mut self) {
        if let Gate::Timed { behind, .. } = &mut self.pace {
            *behind = true;
        }
    }

    /// The exchange of this id is complete. Whether it was one of ours.
    pub fn acknowledged(&mut self, packet_id: u16, reason: u8) -> bool {
        self.flight.release(packet_id, reason)
    }
}

impl Flight {
    /// An id that is not in use; 0 at QoS 0.
    #[inline]
    fn take_id(&mut self) -> u16 {
        if self.qos == Qos::AtMostOnce {
            return 0;
        }
        // At most `window` of 65,535 are in use, so this ends.
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let (word, bit) = (usize::from(self.last_id / 64), self.last_id % 64);
            if self.in_use[word] >> bit & 1 == 0 {
                self.in_use[word] |= 1 << bit;
                self.unacknowledged += 1;
                return self.last_id;
            }
        }
    }

    #[inline]
    fn release(&mut self, packet_id: u16, reason: u8) -> bool {
        let (word, bit) = (usize::from(packet_id / 64), packet_id % 64);
        let ours = self.in_use.get(word).is_some_and(|word| word >> bit & 1 == 1);
        if !ours {
            self.unexpected += 1;
            return false;
        }
        self.in_use[word] &= !(1 << bit);
        self.unacknowledged -= 1;
        if reason >= 0x80 {
            self.refused += 1;
        }
        true
    }
}

/// One of a publisher's topics, all of one length, so that all its packets are.
pub fn topic_name(prefix: &str, publisher: usize, topic: usize, topics: usize) -> String {
    if topics == 1 {
        return format!("{prefix}/{publisher:04}");
    }
    let width = (topics - 1).to_string().len();
    format!("{prefix}/{publisher:04}/{topic:0width$}")
}

/// What a subscriber asks for: the topics of one publisher, or of all.
pub fn filter(prefix: &str, publisher: Option<usize>, topics: usize) -> String {
    let deeper = if topics == 1 { "" } else { "/+" };
    match publisher {
        Some(publisher) => format!("{prefix}/{publisher:04}{deeper}"),
        None => format!("{prefix}/+{deeper}"),
    }
}

/// Letters, so that a person who looks sees something; the head is for the stamp.
fn payload(len: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(len).collect()
}

fn shaped(settings: &Settings, topics: &[String], plain: &[u8], most_at_once: u64) -> (Source, Vec<u8>) {
    let shapes: Vec<PublishShape> =
        topics.iter().map(|topic| PublishShape::new(settings.version, settings.qos, topic, plain)).collect();
    let len = shapes.first().map_or(1, |shape| shape.bytes().len());
    let topics = shapes.len() as u64;
    let fit = (BATCH_BYTES / len).max(1) as u64;
    // A multiple of the topics, so that a slot keeps its topic.
    let slots = fit.min(most_at_once).div_ceil(topics).max(1) * topics;
    let batch = (0..slots).flat_map(|slot| shapes[(slot % topics) as usize].bytes()).copied().collect();
    (Source::Shaped { shapes, slots }, batch)
}
