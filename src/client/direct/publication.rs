//! Sending: each message is done when the broker has answered it as its quality of service asks.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{
    super::{
        Draft, SealedWith,
        failure::told,
        mqtt::{Answer, Connection, Happening, Outgoing},
    },
    DirectError, Line, Manner, Ring,
};

/// What an MQTT packet has beside topic and payload: fixed header, topic's length, packet id, properties.
const PACKET_OVERHEAD: usize = 64;

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
    published: Published,
}

/// A connection that publishes.
pub struct Publication {
    connection: Connection,
    who: &'static str,
    /// Handed over and not yet on the network, in order.
    handed: VecDeque<Slot>,
    /// By packet id: on the network and not answered.
    in_flight: HashMap<u16, Slot>,
    /// The numbers among packet ids of all that are not answered, so that each message need not look through them.
    open: BTreeSet<u64>,
    done: Vec<Published>,
}

impl Publication {
    /// Connects. A connection that fails is not tried again: whoever calls a command sees its failure.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn begin(line: &Line, ring: &mut Ring) -> Result<Self, DirectError> {
        let mut connection = line.begin(ring)?;
        line.online(&mut connection).await.map_err(|lost| DirectError::lost(&lost, line.who))?;
        Ok(Self {
            connection,
            who: line.who,
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
    pub async fn send(&mut self, ring: &mut Ring, draft: &Draft, manner: Manner) -> Result<(), DirectError> {
        let fitted = ring.fitted(draft)?;
        let draft = fitted.as_ref();
        let sealed = ring.seal(draft, manner, false)?;
        if let Some(takes) = self.connection.takes {
            let size = sealed.wire.len() + draft.topic.as_str().len() + PACKET_OVERHEAD;
            if size > takes.packet {
                return Err(DirectError::TooMuch(format!(
                    "the sealed message has {} bytes and {} takes packets of {} bytes at most: send it in parts",
                    sealed.wire.len(),
                    self.who,
                    takes.packet
                )));
            }
            if draft.retain && !takes.retain {
                return Err(DirectError::TooMuch(format!("{} keeps no retained messages", self.who)));
            }
            if draft.qos > takes.qos {
                return Err(DirectError::TooMuch(format!(
                    "{} takes messages at QoS {} at most",
                    self.who, takes.qos
                )));
            }
        }
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
        let message = |payload| Outgoing {
            topic: &draft.topic,
            payload,
            qos: draft.qos,
            retain: draft.retain,
            content_type: sealed.content_type.as_deref(),
        };
        loop {
            let (open, oldest) = (self.open.len(), self.open.first().copied());
            if let Some(number) = self.connection.publish(&message(sealed.wire.clone()), open, oldest) {
                if number > 0 {
                    self.open.insert(number);
                }
                self.handed.push_back(Slot { number, published });
                return Ok(());
            }
            self.happen().await?;
        }
    }

    /// Waits for the next thing to happen on the connection. To be waited for beside whatever brings the next message, so
    /// that a lost connection is heard of.
    ///
    /// # Errors
    /// The connection broke, or the broker refused a message.
    pub async fn happen(&mut self) -> Result<(), DirectError> {
        match self.connection.next().await {
            Happening::Sent(packet_id) => {
                if let Some(slot) = self.handed.pop_front() {
                    if slot.published.qos == 0 {
                        self.done.push(slot.published);
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
            Happening::Lost(lost) => return Err(DirectError::lost(&lost, self.who)),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, packet_id: u16) {
        if let Some(slot) = self.in_flight.remove(&packet_id) {
            self.open.remove(&slot.number);
            self.done.push(slot.published);
        }
    }

    fn refusal(&self, answer: Answer, words: Option<String>) -> String {
        let answer = answer.told(self.who);
        words.map_or_else(|| answer.clone(), |words| format!("{answer}: {}", told(&words)))
    }

    /// How many messages have no answer yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.handed.len() + self.in_flight.len()
    }

    /// The messages that are done since the last call.
    pub fn take_done(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.done)
    }

    /// Says goodbye.
    pub async fn end(self) {
        Line::end(self.connection).await;
    }
}
