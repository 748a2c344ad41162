//! What goes into a connection, and what happens on it.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::topic::{TopicFilter, TopicName};

use super::{Lost, connection::IN_FLIGHT};

/// The client's session at the broker.
pub(in crate::client) struct Session {
    pub client_id: String,
    /// How long the broker keeps it once the connection is gone; `None`: it begins and ends with the connection. MQTT 3.1.1
    /// knows only for ever or not at all.
    pub kept: Option<Duration>,
    pub will: Option<Box<LastWill>>,
    /// The broker may ask to release messages at QoS 2 that came over an earlier connection.
    pub expects_releases: bool,
}

impl Session {
    /// One that begins and ends with the connection.
    pub(in crate::client) fn ending(client_id: String) -> Self {
        Self { client_id, kept: None, will: None, expects_releases: false }
    }
}

/// What the broker publishes if the connection breaks without goodbye.
pub(in crate::client) struct LastWill {
    pub topic: TopicName,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    /// Not told under MQTT 3.1.1.
    pub content_type: Option<String>,
    /// Under MQTT 3.1.1 the broker publishes it at once.
    pub delay: Duration,
}

/// A message to hand over.
pub(in crate::client) struct Outgoing<'a> {
    pub topic: &'a TopicName,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    /// Not told under MQTT 3.1.1.
    pub content_type: Option<&'a str>,
}

/// A message that came.
#[derive(Debug)]
pub(in crate::client) struct Incoming {
    /// `None` where the broker sent what is no topic name.
    pub topic: Option<TopicName>,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    /// The broker sent it before (MQTT-3.3.1-1).
    pub dup: bool,
    /// 0 at QoS 0.
    pub packet_id: u16,
}

/// What the broker answered to a message at QoS 1 (PUBACK) or QoS 2 (PUBREC). MQTT 3.1.1 knows only "taken", also for
/// what the broker then drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Answer {
    /// It has it.
    Taken { no_subscribers: bool },
    /// It has no room for it now: its disk is full, or a quota is spent.
    NoRoom,
    /// This client may not.
    NotPermitted,
    /// It takes the topic for invalid.
    InvalidTopic,
    /// It takes the payload for invalid.
    InvalidPayload,
    /// It does not want it.
    Refused,
}

impl Answer {
    /// Why it did not take the message, where `who` ("the broker") answered.
    pub(in crate::client) fn told(self, who: &str) -> String {
        match self {
            Self::Taken { .. } => format!("{who} has it"),
            Self::NoRoom => format!("{who} has no room for it now"),
            Self::NotPermitted => format!("{who} does not permit it"),
            Self::InvalidTopic => format!("{who} takes the topic for invalid"),
            Self::InvalidPayload => format!("{who} takes the payload for invalid"),
            Self::Refused => format!("{who} refused it"),
        }
    }
}

/// What the broker answered to one filter: the QoS that it grants, or why not.
pub(in crate::client) type Granted = Result<u8, Denial>;

/// Why a filter was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::client) enum Denial {
    NotPermitted,
    InvalidFilter,
    Quota,
    NoWildcards,
    /// MQTT 3.1.1's one failure code, 0x80.
    Unexplained,
    Other,
    /// The broker's own words.
    Told(String),
}

impl Denial {
    /// In words, where `who` ("the broker") answered.
    pub(in crate::client) fn told(&self, who: &str) -> String {
        match self {
            Self::NotPermitted => format!("{who} does not permit it"),
            Self::InvalidFilter => format!("{who} takes the filter for invalid"),
            Self::Quota => format!("{who}'s limit of subscriptions is reached"),
            Self::NoWildcards => format!("{who} takes no wildcards"),
            Self::Unexplained => format!("{who} refused it, and MQTT 3.1.1 cannot say why"),
            Self::Other => format!("{who} refused it"),
            Self::Told(words) => words.clone(),
        }
    }
}

/// CONNACK.
#[derive(Debug, Clone, Copy)]
pub(in crate::client) struct Online {
    /// The broker still had our session.
    pub session_present: bool,
}

/// What happens on a connection.
pub(in crate::client) enum Happening {
    /// From here on [`super::Connection::takes`] is known.
    Online(Online),
    /// A message, and its share of the bytes that may wait, to be held until the message is dealt with.
    Incoming(Incoming, OwnedSemaphorePermit),
    /// The network has the next message that was handed over: its packet id, 0 at QoS 0.
    Sent(u16),
    /// PUBACK at QoS 1, PUBREC at QoS 2, with the broker's own words.
    Answered(u16, Answer, Option<String>),
    /// PUBCOMP: the exchange of this packet id is over.
    Completed(u16),
    /// PUBREL: the broker will not send the message of this packet id again.
    Released(u16),
    /// Each filter's answer.
    Subscribed(Vec<(TopicFilter, Granted)>),
    Unsubscribed(Vec<TopicFilter>),
    /// It is over.
    Lost(Lost),
}

/// What a broker takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::client) struct Takes {
    /// Bytes of a packet.
    pub packet: usize,
    pub retain: bool,
    /// The highest QoS of a message to it.
    pub qos: u8,
    /// Unacknowledged publishes.
    pub(super) window: u16,
    /// Packet ids before they start over.
    pub(super) ids: u16,
}

impl Takes {
    /// The largest packet there is (MQTT 5.0 §2.1.4).
    const MOST: u32 = 268_435_455;

    /// As CONNACK told it. `None` where the broker takes nothing at all, which none may say (MQTT 5.0 §3.2.2.3.3,
    /// §3.2.2.3.6).
    pub(in crate::client) fn within(
        receive_maximum: Option<u16>,
        max_packet_size: Option<u32>,
        max_qos: Option<u8>,
        retain_available: Option<u8>,
    ) -> Option<Self> {
        if receive_maximum == Some(0) || max_packet_size == Some(0) {
            return None;
        }
        let ids = receive_maximum.unwrap_or(u16::MAX).min(IN_FLIGHT);
        Some(Self {
            packet: usize::try_from(max_packet_size.unwrap_or(Self::MOST)).unwrap_or(usize::MAX),
            retain: retain_available != Some(0),
            qos: max_qos.map_or(2, |qos| qos.min(2)),
            window: (ids - 1).max(1),
            ids,
        })
    }
}
