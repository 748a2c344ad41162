//! The handle by which others reach a live connection: wake its writer, end it.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::BytesMut;
use parking_lot::Mutex;
use rmqtt_codec::v5::DisconnectReasonCode;

use super::{
    Identity, Protocol, Transport,
    live::Facts,
    signals::{Signal, Signals},
};

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// What an MQTT 5 client is told; none where there is nobody to tell.
    pub(super) code: Option<DisconnectReasonCode>,
    /// For the observer, and the reason string.
    pub(super) text: Cow<'static, str>,
    /// Whether the will is published.
    pub(super) will: bool,
}

impl End {
    /// The server ends it.
    pub(super) fn by_server(code: DisconnectReasonCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code), text: text.into(), will: true }
    }

    /// The network or the client ended it.
    pub(super) fn lost(text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: None, text: text.into(), will: true }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Control {
    /// Unique in this process.
    pub(super) id: u64,
    pub(super) identity: Arc<Identity>,
    pub(super) peer: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    /// Set once the connection is live.
    pub(super) facts: OnceLock<Facts>,
    /// The reader should stop when it ends ([`Control::why`] says why), the writer once it finishes.
    pub(super) signals: Signals,
    why: Mutex<Option<End>>,
    last_words: Mutex<BytesMut>,
}

impl Control {
    pub(super) fn new(
        id: u64,
        identity: Arc<Identity>,
        peer: SocketAddr,
        protocol: Protocol,
        transport: Transport,
    ) -> Self {
        Self {
            id,
            identity,
            peer,
            protocol,
            transport,
            facts: OnceLock::new(),
            signals: Signals::default(),
            why: Mutex::new(None),
            last_words: Mutex::new(BytesMut::new()),
        }
    }

    /// Ends the connection; the first reason stands. False if it was ending already.
    pub(super) fn end(&self, end: End) -> bool {
        let mut why = self.why.lock();
        let first = why.is_none();
        if first {
            *why = Some(end);
        }
        drop(why);
        self.signals.raise(Signal::Ending);
        first
    }

    /// Whether it ends.
    pub(super) fn has_ended(&self) -> bool {
        self.signals.is_raised(Signal::Ending)
    }

    /// Resolves when it ends. Only for its own task.
    pub(super) async fn ending(&self) {
        self.signals.raised(Signal::Ending).await;
    }

    /// The reason that stands.
    pub(super) fn why(&self) -> Option<End> {
        self.why.lock().clone()
    }

    /// Gives the writer its last bytes and lets it stop.
    pub(super) fn finish(&self, last_words: BytesMut) {
        *self.last_words.lock() = last_words;
        self.signals.raise(Signal::Finishing);
    }

    /// What [`Control::finish`] left.
    pub(super) fn last_words(&self) -> BytesMut {
        std::mem::take(&mut self.last_words.lock())
    }
}
