//! The seam between the broker and who owns it: an [`Authority`] that it asks, an [`Observer`] that it tells.
//!
//! The broker knows nothing of accounts, passwords or roles. Whatever it must decide about a person it asks here.

use std::{fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use zeroize::Zeroizing;

use super::ClientCertificate;
use crate::topic::{TopicFilter, TopicName};

/// Which MQTT a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 3.1 (`MQIsdp`, level 3).
    V31,
    /// MQTT 3.1.1 (level 4).
    V311,
    /// MQTT 5.0 (level 5).
    V5,
}

impl Protocol {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V31 => "MQTT 3.1",
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        }
    }
}

impl Transport {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::MutualTls => "mutual TLS",
            Self::WebSocket => "WebSocket",
            Self::WebSocketTls => "WebSocket over TLS",
        }
    }
}

/// How the bytes came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP: everything but sealed payloads can be read on the way.
    Tcp,
    /// TLS, server certificate only.
    Tls,
    /// TLS, and the client showed a certificate too.
    MutualTls,
    /// WebSocket without TLS: as open as TCP.
    WebSocket,
    /// WebSocket over TLS, with a client's certificate or without.
    WebSocketTls,
}

impl Transport {
    /// Whether nobody on the way can read what is sent.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::MutualTls | Self::WebSocketTls)
    }
}

/// What a CONNECT asks for.
pub struct ConnectRequest {
    /// As sent, or assigned by the broker when it was empty.
    pub client_id: Arc<str>,
    /// None for a client that gives no name.
    pub username: Option<String>,
    /// Wiped when dropped; never printed.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// TLS or not.
    pub transport: Transport,
    /// What the client showed in the TLS handshake, and TLS verified.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The protocol level.
    pub protocol: Protocol,
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Who a live connection speaks for, as the [`Authority`] decided at CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The account's name; empty for an anonymous client. Two accounts never share a persistent session: the
    /// broker keys sessions by (account, client id).
    pub account: Arc<str>,
    /// The client id in force.
    pub client_id: Arc<str>,
    /// The role at CONNECT, for display; the authority looks the present one up whenever it is asked.
    pub role: Arc<str>,
    /// Names the credential that let it in, so that revoking a token ends the connections that used it.
    pub credential: u64,
}

/// Why a CONNECT is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectRefusal {
    /// CONNACK 0x86 in MQTT 5, 4 before. Unknown name and wrong password are the same.
    #[error("wrong username or password")]
    BadCredentials,
    /// CONNACK 0x87 in MQTT 5, 5 before.
    #[error("not authorized: {0}")]
    NotAuthorized(String),
    /// CONNACK 0x97 in MQTT 5, 3 before: too many failures, wait.
    #[error("too many attempts: {0}")]
    TryLater(String),
    /// CONNACK 0x88 in MQTT 5, 3 before.
    #[error("the station cannot answer now: {0}")]
    Unavailable(String),
}

/// A yes or a no, with the reason that the person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allow,
    /// Not permitted, and which rule says so. Sent as the reason string under MQTT 5.
    Deny(Arc<str>),
}

impl Verdict {
    /// Whether it is a yes.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides for the broker. The three synchronous questions are asked once per (connection, topic or filter) and
/// cached until [`super::Broker::permissions_changed`]; they must be quick and must not block.
pub trait Authority: Send + Sync + 'static {
    /// Who is this, and may they come in?
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'_, Result<Identity, ConnectRefusal>>;
    /// May they publish to this topic?
    fn publish(&self, identity: &Identity, topic: &TopicName) -> Verdict;
    /// May they subscribe to this filter?
    fn subscribe(&self, identity: &Identity, filter: &TopicFilter) -> Verdict;
    /// May they be given a message of this topic? Asked again at delivery, whatever the subscription was.
    fn deliver(&self, identity: &Identity, topic: &TopicName) -> bool;
}

/// Hears what happened. Called on the broker's hot path: must neither block nor fail.
pub trait Observer: Send + Sync + 'static {
    /// One thing that happened.
    fn observe(&self, event: Event<'_>);
}

/// What an [`Observer`] is told.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are what their names and the variant say")]
pub enum Event<'a> {
    /// A client is in.
    Connected { identity: &'a Identity, peer: SocketAddr, protocol: Protocol, transport: Transport },
    /// A CONNECT was refused.
    Refused { client_id: &'a str, username: Option<&'a str>, peer: SocketAddr, reason: &'a ConnectRefusal },
    /// A connection is over.
    Disconnected { identity: &'a Identity, peer: SocketAddr, reason: &'a str },
    /// A filter was granted.
    Subscribed { identity: &'a Identity, filter: &'a TopicFilter, qos: u8 },
    /// A filter was refused.
    SubscribeDenied { identity: &'a Identity, filter: &'a TopicFilter, reason: &'a str },
    /// A filter was given back.
    Unsubscribed { identity: &'a Identity, filter: &'a TopicFilter },
    /// Messages of one topic were accepted, counted over one batch of reads.
    Published { identity: &'a Identity, topic: &'a TopicName, messages: u64, bytes: u64, retained: bool },
    /// A message was refused.
    PublishDenied { identity: &'a Identity, topic: &'a TopicName, reason: &'a str },
    /// A delivery was withheld by the check at delivery.
    DeliveryDenied { identity: &'a Identity, topic: &'a TopicName },
    /// A client lost messages: QoS 0 because it reads too slowly, or QoS 1 because its queue was full; the
    /// latter are told together when the client comes back.
    Dropped { identity: &'a Identity, messages: u64 },
    /// A peer broke the protocol and was cut off.
    ProtocolError { peer: SocketAddr, client_id: Option<&'a str>, error: &'a str },
}
