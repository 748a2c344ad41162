//! The seam between the broker and what outlives it: a [`Keeper`] is told every change that must survive a `kill -9`,
//! and tells at the next start what there was.
//!
//! Sessions have numbers of the broker's own, as have messages, and each message has a number in the queue of each
//! session. They have nothing to do with packet ids, which hold for one connection at a time. Start at [`Keeper`].

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;

use super::BoxFuture;
use crate::topic::{TopicFilter, TopicName};

/// Keeps sessions that outlive their connections, what is queued for them, and retained messages.
pub trait Keeper: Send + Sync + 'static {
    /// Whether it keeps anything. One that does not is told nothing and waited for by nobody.
    fn keeps(&self) -> bool {
        true
    }

    /// All that was kept. Asked once, before the first commit. It must answer: what it cannot read any more, it
    /// puts aside and says so in the log.
    fn restore(&self) -> BoxFuture<'_, Kept>;

    /// Makes changes durable, all or none; returns once they would survive a power cut. Called by one task, one
    /// batch after the other; a batch holds what many connections did meanwhile, in order.
    ///
    /// A change may speak of a session that is not there (any more): it is to be passed over. After an error, changes
    /// that remove something may come again.
    ///
    /// # Errors
    /// When nothing of the batch was kept. What waits for it is refused, not acknowledged.
    fn commit<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>>;
}

/// Keeps nothing: sessions and retained messages end with the process, and publishes are acknowledged at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Keeper for Forgetful {
    fn keeps(&self) -> bool {
        false
    }

    fn restore(&self) -> BoxFuture<'_, Kept> {
        Box::pin(std::future::ready(Kept::default()))
    }

    fn commit<'a>(&'a self, _: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Why changes could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeepError(pub String);

/// One thing that must survive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are what their names and the variant say")]
pub enum Change {
    /// A session that outlives its connection begins, or one that would not have now does. It is connected.
    Opened { session: u64, account: Arc<str>, client_id: Arc<str>, expiry_secs: u32 },
    /// Its client is back.
    Resumed { session: u64, expiry_secs: u32 },
    /// Its client is away since then, in milliseconds since 1970.
    Left { session: u64, expiry_secs: u32, at_ms: u64 },
    /// It is over, with its subscriptions and all that waits in it.
    ///
    /// `handed_on`: its time was over, and some of what waited is other sessions' now, who are told of it in the same batch. Such an end
    /// does not come again after an error, since what they were told does not either: the next start finds the session
    /// as it was. One that somebody ended on purpose comes again, whatever is lost by it.
    Ended { session: u64, handed_on: bool },
    /// It has a subscription, new or in place of the one to the same filter.
    Subscribed { session: u64, filter: TopicFilter, options: SubscriptionOptions },
    /// It gave one back.
    Unsubscribed { session: u64, filter: TopicFilter },
    /// A message is to be delivered to it.
    Queued { session: u64, parcel: KeptParcel },
    /// QoS 2 messages of its queue whose PUBREC came: they are not sent again, only their PUBREL is, until
    /// [`Change::Delivered`] names their numbers too.
    Released { session: u64, numbers: Vec<u64> },
    /// Those with these numbers were acknowledged, or need not be delivered any more.
    Delivered { session: u64, numbers: Vec<u64> },
    /// A QoS 2 publish of its client was taken under this packet id, and is not to be taken again. Always in the same
    /// batch as what it caused.
    Accepted { session: u64, packet_id: u16 },
    /// PUBREL came for these packet ids: the next publish under one of them is another.
    Completed { session: u64, packet_ids: Vec<u16> },
    /// A client left a will, in place of any other of this session. The session itself may be one that ends with its
    /// connection, and so was never [`Change::Opened`].
    WillLeft { session: u64, will: Arc<KeptWill> },
    /// The will was published, or is not to be.
    WillGone { session: u64 },
    /// A topic has this retained message, in place of any other.
    Retained { message: Arc<KeptMessage> },
    /// A topic has none any more.
    Cleared { topic: TopicName },
}

/// What a subscription asked for, as far as it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// 0, 1 or 2.
    pub qos: u8,
    /// Its own messages do not come back.
    pub no_local: bool,
    /// The retain flag is forwarded.
    pub retain_as_published: bool,
    /// Subscription Identifier.
    pub id: Option<u32>,
}

/// A message. One that waits for many sessions, or is retained too, is the same by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// From 1; not given to another while this one is kept.
    pub number: u64,
    /// Its topic.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// MQTT 5 properties that are forwarded, as they stand on the wire.
    pub properties: Box<[u8]>,
    /// As published: 0, 1 or 2.
    pub qos: u8,
    /// The retain flag as published.
    pub retain: bool,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

impl KeptMessage {
    /// About what it takes to keep.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.topic.as_str().len() + self.payload.len() + self.properties.len()
    }
}

/// A message that waits for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptParcel {
    /// Its place in the session's queue: from 1, rising.
    pub number: u64,
    /// What is to be delivered.
    pub message: Arc<KeptMessage>,
    /// 1 or 2: QoS 0 is not kept.
    pub qos: u8,
    /// The retain flag to be sent.
    pub retain: bool,
    /// A retained message that a subscription asked for.
    pub replay: bool,
    /// It came by a shared subscription: others may be sent it where this session ends first.
    pub shared: bool,
    /// Subscription Identifiers to be sent along.
    pub subscription_ids: Arc<[u32]>,
}

/// A will: what is to be published when its client vanishes, or has vanished with the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWill {
    /// Whose.
    pub account: Arc<str>,
    /// The client that left it.
    pub client_id: Arc<str>,
    /// What is to be published. Its number is 0, and it has no [`KeptMessage::expires_ms`].
    pub message: Arc<KeptMessage>,
    /// Message Expiry Interval, in seconds from when it is published.
    pub expiry_secs: Option<u32>,
    /// Will Delay Interval, in seconds.
    pub delay_secs: u32,
}

/// What was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The sessions.
    pub sessions: Vec<KeptSession>,
    /// The retained messages, one per topic.
    pub retained: Vec<Arc<KeptMessage>>,
    /// The wills, by session.
    pub wills: Vec<(u64, Arc<KeptWill>)>,
}

/// A session that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSession {
    /// As in [`Change::Opened`].
    pub session: u64,
    /// Whose.
    pub account: Arc<str>,
    /// Its client id.
    pub client_id: Arc<str>,
    /// How long it outlives its connection.
    pub expiry_secs: u32,
    /// Since when its client is away; none where the end of the process cut it off.
    pub left_ms: Option<u64>,
    /// What it subscribed to.
    pub subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
    /// What waits, by rising number.
    pub queue: Vec<KeptParcel>,
    /// See [`Change::Released`]; rising.
    pub released: Vec<u64>,
    /// See [`Change::Accepted`].
    pub accepted: Vec<u16>,
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
