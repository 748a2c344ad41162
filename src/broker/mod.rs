//! The MQTT server core: versions 3.1, 3.1.1 and 5.0 over TCP, TLS and WebSocket, QoS 0 to 2, retained messages,
//! shared subscriptions, sessions that
//! outlive connections. Knows topics and connections, nothing of accounts or databases: it asks an [`Authority`],
//! tells an [`Observer`], and has a [`Keeper`] keep what must outlive the process.
//!
//! | file | what |
//! |---|---|
//! | `seam`, `keeper` | what the broker asks and tells; what it has kept |
//! | `limits`, `stats` | what it gives out at most; what it counts |
//! | `figures`, `commits`, `sys`, `live` | seen from outside: all figures, `$SYS`, the sessions that there are |
//! | `listener`, `handshake` | from accept to the answer to CONNECT |
//! | `tls`, `websocket`, `frames` | what may lie between TCP and MQTT |
//! | `admission`, `pace` | who may knock, and how fast things may come |
//! | `connection`, `inbound` | the half of a task that reads: waits, and what packets do |
//! | `writer`, `control`, `signals` | the half of a task that writes; how others reach a connection |
//! | `codec`, `framing` | bytes to packets and back; what is checked before |
//! | `message`, `aliases` | a message, encoded once for all; shorter names for topics |
//! | `session`, `outbox`, `parcels`, `inflight` | one client: what it subscribed to, what it is yet to be sent |
//! | `exchanges` | the QoS 2 messages that it sent, and when they are new |
//! | `journal`, `page`, `ticket` | changes on their way to the keeper, a session's own, and who waits for them |
//! | `router`, `trie`, `shared`, `retained`, `will` | who is sent what |
//! | `remains` | the end of a session: who is sent what it left |
//! | `core` | what all connections share |
//!
//! The way of a message: `connection` reads, `inbound` handles every complete packet of what was read, looks the
//! route up in its cache, `core` gives the message to every target's `outbox`, whose `writer` takes all that is
//! ready in one swap.
//!
//! Acknowledged means kept: a QoS 1 or 2 publish that is retained or reaches a session which outlives its connection is
//! acknowledged once the keeper has it, and so are the CONNECT and SUBSCRIBE of such a session. It is forwarded at
//! once. What need not be kept waits for nothing.
//!
//! Exactly once, also past a kill: a QoS 2 publish by a session that outlives its connection is kept in one piece with
//! all that it causes, and reaches nobody before; towards such a session each step of the exchange is on disk before
//! the client hears of it, and what is sent again has the packet id that it had.
//!
//! Not offered, and refused as the standard says: enhanced authentication.
//! A will whose connection ends with the process stays kept, and is published after the next start, after
//! [`Limits::will_grace`] and unless its client has come back.

mod admission;
mod aliases;
mod codec;
mod commits;
mod connection;
mod control;
mod core;
mod exchanges;
mod figures;
mod frames;
mod framing;
mod handshake;
mod inbound;
mod inflight;
mod input;
mod journal;
mod keeper;
mod lean;
mod limits;
mod listener;
mod live;
mod message;
mod outbox;
mod pace;
mod page;
mod parcels;
mod remains;
mod retained;
mod router;
mod seam;
mod session;
mod shared;
mod signals;
mod stats;
mod sys;
mod ticket;
mod tls;
mod trie;
mod websocket;
mod will;
mod writer;

use std::{fmt, io, net::SocketAddr, sync::Arc};

use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};

pub use self::{
    commits::{COMMIT_CLASSES_US, Commits},
    figures::{Depth, Figures, Flow, Speaking},
    keeper::{
        Change, Forgetful, KeepError, Keeper, Kept, KeptMessage, KeptParcel, KeptSession, KeptWill,
        SubscriptionOptions,
    },
    limits::Limits,
    live::{LiveConnection, LiveSession, Selection},
    seam::{
        Authority, BoxFuture, ConnectRefusal, ConnectRequest, Event, Identity, Observer, Protocol, Transport,
        Verdict,
    },
    stats::{Limit, LimitsHit, Stats},
    tls::{ClientCertificate, SharedTls},
    websocket::Origins,
};
use self::{
    control::End,
    core::Core,
    journal::Journal,
    listener::{Door, accept_loop, serve_stream},
};

/// An MQTT broker. A cheap handle: clones are the same broker.
#[derive(Clone)]
pub struct Broker {
    core: Arc<Core>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker that listens nowhere yet, with all that `keeper` kept.
    pub async fn new(
        limits: Limits,
        authority: Arc<dyn Authority>,
        observer: Arc<dyn Observer>,
        keeper: Arc<dyn Keeper>,
    ) -> Self {
        if !keeper.keeps() {
            return Self { core: Arc::new(Core::new(limits, authority, observer, None)) };
        }
        let kept = keeper.restore().await;
        let queued = kept.sessions.iter().flat_map(|session| &session.queue).map(|parcel| &parcel.message);
        let last_message = queued.chain(&kept.retained).map(|message| message.number).max();
        let journal = Arc::new(Journal::new(keeper, last_message.unwrap_or(0)));
        let core = Arc::new(Core::new(limits, authority, observer, Some(Arc::clone(&journal))));
        core.restore(&journal, kept);
        tokio::spawn(journal.run());
        Self { core }
    }

    /// Serves MQTT without TLS until [`Broker::shutdown`]. Transient errors, such as too many open files, are
    /// survived.
    ///
    /// # Errors
    /// When the listener itself is of no use.
    pub async fn serve_tcp(&self, listener: TcpListener) -> io::Result<()> {
        accept_loop(&self.core, listener, Door::default()).await
    }

    /// Serves MQTT over TLS until [`Broker::shutdown`]. Where the configuration verifies client certificates, the
    /// [`Authority`] is given what they say.
    ///
    /// # Errors
    /// As [`Broker::serve_tcp`].
    pub async fn serve_tls(&self, listener: TcpListener, tls: impl Into<SharedTls>) -> io::Result<()> {
        accept_loop(&self.core, listener, Door { tls: Some(tls.into()), websocket: None }).await
    }

    /// Serves MQTT over WebSocket, with TLS if `tls` is there, until [`Broker::shutdown`].
    ///
    /// # Errors
    /// As [`Broker::serve_tcp`].
    pub async fn serve_websocket(
        &self,
        listener: TcpListener,
        tls: Option<SharedTls>,
        origins: Origins,
    ) -> io::Result<()> {
        accept_loop(&self.core, listener, Door { tls, websocket: Some(origins) }).await
    }

    /// Serves MQTT on one stream that is open already, in a task of its own: for who embeds a broker, or accepts
    /// connections in another way. `peer` and `transport` are what the [`Authority`] is told and the limits per address
    /// count; a WebSocket's stream must have been unwrapped. The stream is dropped unheard where a limit stands
    /// against it. To be called within a tokio runtime.
    pub fn serve_stream<S>(&self, stream: S, peer: SocketAddr, transport: Transport)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        serve_stream(&self.core, stream, peer, transport);
    }

    /// Every cached verdict is forgotten; subscriptions that are no longer permitted stop delivering, also what
    /// they queued. They deliver again if they are permitted again.
    pub fn permissions_changed(&self) {
        self.core.permissions_changed();
    }

    /// Ends the connections whose identity satisfies the test (MQTT 5: DISCONNECT 0x98 with the reason), and
    /// returns how many. Also refuses whoever was let in before this call and is not yet connected.
    pub fn disconnect(&self, test: impl Fn(&Identity) -> bool, reason: &str) -> usize {
        self.core.disconnect(test, reason)
    }

    /// Ends an account's connections and forgets its sessions, with all that waits in them. What it retained stays.
    pub fn forget(&self, account: &str) {
        self.core.forget(account);
    }

    /// What the broker counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Stops accepting, ends all connections (MQTT 5: DISCONNECT 0x8B) and waits for them, within
    /// [`Limits::shutdown_timeout`]. Wills are not published, as nobody is left to hear them: they stay kept for the
    /// next start (MQTT 5 §3.1.2.5 allows that they are deferred).
    pub async fn shutdown(&self) {
        self.core.stopping.cancel();
        let connections: Vec<_> = self.core.connections.lock().values().cloned().collect();
        for control in connections {
            let code = Some(DisconnectReasonCode::ServerShuttingDown);
            control.end(End { code, text: "the station is shutting down".into(), will: false });
        }
        self.core.tasks.close();
        if timeout(self.core.limits.shutdown_timeout, self.core.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not say goodbye in time");
        }
        if let Some(journal) = &self.core.journal {
            journal.close();
            if timeout(self.core.limits.shutdown_timeout, journal.finished()).await.is_err() {
                tracing::warn!("the last changes of sessions were not kept in time");
            }
        }
    }
}
