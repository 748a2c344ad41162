//! Receiving: what comes is opened and judged, and acknowledged once the caller asks for the next.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::topic::{TopicFilter, TopicName};

use super::{
    super::{
        clock::now_ms,
        mqtt::{Connection, Happening, Incoming},
    },
    DirectError, Line, Reading, Ring, Verdict,
    line::{backoff, may_pass},
};

/// One message that arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Where from.
    pub topic: TopicName,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// What the broker sees.
    pub wire: Bytes,
    /// Milliseconds since 1970, by our clock.
    pub arrived_ms: u64,
    /// What opening it told.
    pub reading: Reading,
}

/// What there is to tell.
#[derive(Debug)]
pub enum Told {
    /// Subscribed: the broker granted every filter.
    Subscribed,
    /// A repeat of a sealed message, which MQTT allows: nothing new.
    Repeat {
        /// Where from.
        topic: TopicName,
        /// 0, 1 or 2.
        qos: u8,
    },
    /// A message. It is acknowledged with the next call of [`Subscription::next`], or with [`Subscription::end`].
    Message(Box<Arrived>),
    /// The connection is gone; the next try comes by itself.
    Waiting {
        /// Why it is gone.
        why: String,
        /// How long until the next try.
        wait: Duration,
    },
}

enum State {
    Line(Connection),
    Waiting(Instant),
}

/// A connection that subscribes, made again when it breaks.
pub struct Subscription {
    line: Line,
    filters: Vec<TopicFilter>,
    qos: u8,
    state: State,
    /// Whether it ever was online: before that a failure is final.
    was_online: bool,
    /// Whether the broker has granted everything over the connection that there is now.
    granted: bool,
    attempt: u32,
    /// The message that the caller has, and its share of the bytes that may wait.
    held: Option<((u16, u8), OwnedSemaphorePermit)>,
    repeats: u64,
}

impl Subscription {
    /// Begins.
    ///
    /// # Errors
    /// The will cannot be sealed.
    pub fn begin(
        line: Line,
        ring: &mut Ring,
        filters: Vec<TopicFilter>,
        qos: u8,
    ) -> Result<Self, DirectError> {
        let state = State::Line(line.begin(ring)?);
        Ok(Self {
            line,
            filters,
            qos,
            state,
            was_online: false,
            granted: false,
            attempt: 0,
            held: None,
            repeats: 0,
        })
    }

    /// How many repeats of sealed messages were dropped: MQTT may repeat a message at QoS 1.
    #[must_use]
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Whether messages would come now: connected, and every filter granted.
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        self.granted
    }

    /// Waits for the next thing to tell. May be dropped while it waits.
    ///
    /// # Errors
    /// The first connection failed; the broker refused a later one, or a filter; or what was seen could not be written
    /// down.
    pub async fn next(&mut self, ring: &mut Ring) -> Result<Told, DirectError> {
        self.acknowledge(ring)?;
        loop {
            let happening = match &mut self.state {
                State::Waiting(until) => {
                    tokio::time::sleep_until(*until).await;
                    self.state = State::Line(self.line.begin(ring)?);
                    continue;
                }
                State::Line(connection) => connection.next().await,
            };
            match happening {
                Happening::Online(_) => {
                    (self.was_online, self.attempt) = (true, 0);
                    let State::Line(connection) = &mut self.state else { continue };
                    let filters = self.filters.iter().map(|filter| (filter.clone(), self.qos)).collect();
                    if connection.subscribe(filters, None).is_err() {
                        return Err(DirectError::Other("the subscription could not be asked for".to_owned()));
                    }
                }
                Happening::Subscribed(answers) => {
                    for (filter, granted) in answers {
                        if let Err(denial) = granted {
                            let why = super::super::failure::told(&denial.told(self.line.who));
                            return Err(DirectError::NotPermitted(format!(
                                "the subscription to {filter} was refused: {why}"
                            )));
                        }
                    }
                    self.granted = true;
                    return Ok(Told::Subscribed);
                }
                Happening::Incoming(incoming, share) => {
                    if let Some(told) = self.arrived(ring, incoming, share) {
                        return Ok(told);
                    }
                    self.acknowledge(ring)?;
                }
                Happening::Lost(lost) => {
                    if !self.was_online || !may_pass(&lost) {
                        return Err(DirectError::lost(&lost, self.line.who));
                    }
                    (self.held, self.granted) = (None, false);
                    let wait = backoff(self.attempt);
                    self.attempt += 1;
                    self.state = State::Waiting(Instant::now() + wait);
                    return Ok(Told::Waiting { why: lost.told(self.line.who), wait });
                }
                _ => {}
            }
        }
    }

    /// `None` for what stands under no topic name.
    fn arrived(&mut self, ring: &mut Ring, incoming: Incoming, share: OwnedSemaphorePermit) -> Option<Told> {
        self.held = Some(((incoming.packet_id, incoming.qos), share));
        let topic = incoming.topic?;
        let reading = ring.open(&topic, &incoming.payload, incoming.retain);
        if matches!(&reading, Reading::Opened(opened) if opened.verdict == Verdict::Repeated) {
            self.repeats += 1;
            return Some(Told::Repeat { topic, qos: incoming.qos });
        }
        Some(Told::Message(Box::new(Arrived {
            topic,
            qos: incoming.qos,
            retained: incoming.retain,
            wire: incoming.payload,
            arrived_ms: now_ms(),
            reading,
        })))
    }

    /// What came is in the memory first, as far as it is written at all.
    fn acknowledge(&mut self, ring: &mut Ring) -> Result<(), DirectError> {
        ring.keep()?;
        self.acknowledge_held();
        Ok(())
    }

    fn acknowledge_held(&mut self) {
        if let (Some((packet, _)), State::Line(connection)) = (self.held.take(), &mut self.state) {
            connection.acknowledge([packet]);
        }
    }

    /// Acknowledges what the caller has, and says goodbye.
    ///
    /// # Errors
    /// What was seen could not be written down; then the last message is not acknowledged.
    pub async fn end(mut self, ring: &mut Ring) -> Result<(), DirectError> {
        let kept = ring.keep_all();
        if kept.is_ok() {
            self.acknowledge_held();
        }
        if let State::Line(connection) = self.state {
            Line::end(connection).await;
        }
        kept
    }
}
