//! The message that a client leaves for the case that it vanishes.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::message::Message;
use crate::topic::TopicName;

/// A will as CONNECT brought it, and was permitted.
#[derive(Debug, Clone)]
pub(super) struct Will {
    pub(super) topic: TopicName,
    pub(super) payload: Bytes,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// As [`Message::properties`].
    pub(super) properties: Bytes,
    pub(super) expiry: Option<u32>,
    /// From the end of the connection; shorter if the session ends before.
    pub(super) delay: Duration,
}

impl Will {
    /// The message it is, from now on.
    pub(super) fn into_message(self) -> Message {
        Message {
            topic: self.topic,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties,
            received: Instant::now(),
            expiry: self.expiry,
            kept: OnceLock::new(),
        }
    }
}
