//! Sending: each message is done when the broker has answered it as its quality of service asks.
//!
//! One that has many to send does not end when its connection breaks: it connects again and sends what has no answer
//! once more, as it was. Whoever has it already tells a repeat by its bytes.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::topic::TopicName;

use super::{
    super::{
        Draft, SealedWith,
        failure::told,
        mqtt::{Answer, Connection, Happening, Lost, Outgoing, Takes},
    },
    DirectError, Line, Manner, Ring,
    line::{backoff, may_pass},
};

/// What an MQTT packet has beside topic and payload: fixed header, topic's length, packet id, properties.
const PACKET_OVERHEAD: usize = 64;
/// So many connections may break one after the other without an answer to anything before it is given up.
const MOST_FRUITLESS: u32 = 3;

/// A message that the broker has, or at QoS 0 the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where to.
    pub topic: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker was asked to keep it.
    pub retain: bool,
    /// `None`: in the clear.
    pub with: Option<SealedWith>,
    /// Whether it is signed.
    pub signed: bool,
    /// Payload in the open, bytes.
    pub plain_len: usize,
    /// Payload on the wire, bytes.
    pub wire_len: usize,
    /// Whether the broker said that nobody subscribes (MQTT 5 reason 0x10).
    pub no_subscribers: bool,
}

struct Slot {
    /// Among packet ids, as [`Connection::publish`] gave it; 0 at QoS 0.
    number: u64,
    topic: TopicName,
    wire: Bytes,
    content_type: Option<String>,
    published: Published,
}

impl Slot {
    /// Whether the broker that there is now takes such a message.
    fn fits(&self, takes: &Takes, who: &str) -> Result<(), DirectError> {
        let size = self.wire.len() + self.topic.as_str().len() + PACKET_OVERHEAD;
        if size > takes.packet {
            return Err(DirectError::TooMuch(format!(
                "the sealed message has {} bytes and {who} takes packets of {} bytes at most: send it in parts",
                self.wire.len(),
                takes.packet
            )));
        }
        if self.published.retain && !takes.retain {
            return Err(DirectError::TooMuch(format!("{who} keeps no retained messages")));
        }
        if self.published.qos > takes.qos {
            return Err(DirectError::TooMuch(format!("{who} takes messages at QoS {} at most", takes.qos)));
        }
        Ok(())
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            topic: &self.topic,
            payload: self.wire.clone(),
            qos: self.published.qos,
            retain: self.published.retain,
            content_type: self.content_type.as_deref(),
        }
    }
}

enum State {
    Line(Connection),
    Waiting(Instant),
}

/// What happened, beside what [`Publication::take_done`] gives.
#[derive(Debug)]
pub enum Happened {
    /// Nothing to tell.
    Nothing,
    /// The connection is gone; the next try comes by itself.
    Waiting {
        /// Why it is gone.
        why: String,
        /// How long until the next try.
        wait: Duration,
    },
}

/// A connection that publishes.
pub struct Publication {
    line: Line,
    state: State,
    /// Whether it connects again when the connection breaks.
    patient: bool,
    attempt: u32,
    /// Whether the connection that there is was let in.
    was_online: bool,
    /// How many connections broke, one after the other, without an answer to anything.
    fruitless: u32,
    /// To be sent, in order: what had no answer when a connection broke comes first.
    queue: VecDeque<Slot>,
    /// Handed over and not yet on the network, in order.
    handed: VecDeque<Slot>,
    /// By packet id: on the network and not answered.
    in_flight: HashMap<u16, Slot>,
    /// The numbers among packet ids of all that are not answered, so that each message need not look through them.
    open: BTreeSet<u64>,
    done: Vec<Published>,
}

impl Publication {
    /// Connects. A first connection that fails is not tried again: whoever calls a command sees its failure. One that breaks
    /// later is made again where it is `patient`.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn begin(line: Line, ring: &mut Ring, patient: bool) -> Result<Self, DirectError> {
        let mut connection = line.begin(ring)?;
        line.online(&mut connection).await.map_err(|lost| DirectError::lost(&lost, line.who))?;
        Ok(Self {
            line,
            state: State::Line(connection),
            patient,
            attempt: 0,
            was_online: true,
            fruitless: 0,
            queue: VecDeque::new(),
            handed: VecDeque::new(),
            in_flight: HashMap::new(),
            open: BTreeSet::new(),
            done: Vec::new(),
        })
    }

    /// Seals a message and hands it over, once there is room for it.
    ///
    /// # Errors
    /// It cannot be sealed, the broker does not take such a message, or the connection broke.
    pub async fn send(
        &mut self,
        ring: &mut Ring,
        draft: &Draft,
        manner: Manner,
        mut tell: impl FnMut(&Happened),
    ) -> Result<(), DirectError> {
        let fitted = ring.fitted(draft)?;
        let draft = fitted.as_ref();
        let sealed = ring.seal(draft, manner, false)?;
        let published = Published {
            topic: draft.topic.to_string(),
            qos: draft.qos,
            retain: draft.retain,
            with: sealed.with,
            signed: sealed.signed,
            plain_len: draft.body.len(),
            wire_len: sealed.wire.len(),
            no_subscribers: false,
        };
        let content_type = sealed.content_type;
        // Behind what is to be sent once more, where it is counted and waits for its turn.
        self.queue.push_back(Slot {
            number: 0,
            topic: draft.topic.clone(),
            wire: sealed.wire,
            content_type,
            published,
        });
        loop {
            self.hand_over()?;
            if self.queue.is_empty() {
                return Ok(());
            }
            tell(&self.happen(ring).await?);
        }
    }

    /// Hands to the network what waits, as far as there is room.
    fn hand_over(&mut self) -> Result<(), DirectError> {
        let State::Line(connection) = &mut self.state else { return Ok(()) };
        let Some(takes) = connection.takes else { return Ok(()) };
        while let Some(slot) = self.queue.front() {
            slot.fits(&takes, self.line.who)?;
            let (open, oldest) = (self.open.len(), self.open.first().copied());
            let Some(number) = connection.publish(&slot.outgoing(), open, oldest) else { return Ok(()) };
            if number > 0 {
                self.open.insert(number);
            }
            let Some(slot) = self.queue.pop_front() else { return Ok(()) };
            self.handed.push_back(Slot { number, ..slot });
        }
        Ok(())
    }

    /// Waits for the next thing to happen on the connection. To be waited for beside whatever brings the next message, so
    /// that a lost connection is heard of. May be dropped while it waits.
    ///
    /// # Errors
    /// The connection broke, or the broker refused a message.
    pub async fn happen(&mut self, ring: &mut Ring) -> Result<Happened, DirectError> {
        let happening = match &mut self.state {
            State::Waiting(until) => {
                tokio::time::sleep_until(*until).await;
                self.state = State::Line(self.line.begin(ring)?);
                return Ok(Happened::Nothing);
            }
            State::Line(connection) => connection.next().await,
        };
        match happening {
            Happening::Online(_) => self.was_online = true,
            Happening::Sent(packet_id) => {
                if let Some(slot) = self.handed.pop_front() {
                    if slot.published.qos == 0 {
                        self.advance(slot.published);
                    } else {
                        self.in_flight.insert(packet_id, slot);
                    }
                }
            }
            Happening::Answered(packet_id, Answer::Taken { no_subscribers }, _) => {
                if let Some(slot) = self.in_flight.get_mut(&packet_id) {
                    slot.published.no_subscribers = no_subscribers;
                    if slot.published.qos == 1 {
                        self.finish(packet_id);
                    }
                }
            }
            Happening::Answered(_, Answer::NotPermitted, words) => {
                return Err(DirectError::NotPermitted(self.refusal(Answer::NotPermitted, words)));
            }
            Happening::Answered(_, answer, words) => {
                return Err(DirectError::Other(self.refusal(answer, words)));
            }
            Happening::Completed(packet_id) => self.finish(packet_id),
            Happening::Lost(lost) => return self.lost(&lost),
            _ => {}
        }
        self.hand_over()?;
        Ok(Happened::Nothing)
    }

    fn lost(&mut self, lost: &Lost) -> Result<Happened, DirectError> {
        // A message that makes a broker hang up does so each time.
        let fruitless = std::mem::take(&mut self.was_online) && self.waiting() > 0;
        self.fruitless += u32::from(fruitless);
        if !self.patient || !may_pass(lost) || self.fruitless > MOST_FRUITLESS {
            return Err(DirectError::lost(lost, self.line.who));
        }
        let mut unanswered: Vec<Slot> = self.in_flight.drain().map(|(_, slot)| slot).collect();
        unanswered.sort_by_key(|slot| slot.number);
        let unanswered = unanswered.into_iter().chain(self.handed.drain(..)).chain(self.queue.drain(..));
        self.queue = unanswered.collect();
        self.open.clear();
        let wait = backoff(self.attempt);
        self.attempt += 1;
        self.state = State::Waiting(Instant::now() + wait);
        Ok(Happened::Waiting { why: lost.told(self.line.who), wait })
    }

    fn finish(&mut self, packet_id: u16) {
        if let Some(slot) = self.in_flight.remove(&packet_id) {
            self.open.remove(&slot.number);
            self.advance(slot.published);
        }
    }

    fn advance(&mut self, published: Published) {
        self.done.push(published);
        (self.attempt, self.fruitless) = (0, 0);
    }

    fn refusal(&self, answer: Answer, words: Option<String>) -> String {
        let answer = answer.told(self.line.who);
        words.map_or_else(|| answer.clone(), |words| format!("{answer}: {}", told(&words)))
    }

    /// How many messages have no answer yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.handed.len() + self.in_flight.len()
    }

    /// The messages that are done since the last call.
    pub fn take_done(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.done)
    }

    /// Says goodbye.
    pub async fn end(self) {
        if let State::Line(connection) = self.state {
            Line::end(connection).await;
        }
    }
}
