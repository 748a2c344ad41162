//! The sessions that there are, for an admin to look at, and the way to end one of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rmqtt_codec::v5::DisconnectReasonCode;

use super::{
    Broker, Protocol, Transport, control::End, core::Core, figures::Depth, keeper::now_ms, remains::Over,
    session::Session, ticket::Tickets,
};
use crate::topic::TopicName;

/// What is known of a connection since its CONNECT, for people to see.
#[derive(Debug)]
pub(super) struct Facts {
    since_ms: u64,
    /// 0: none.
    keep_alive_secs: u16,
    session_expiry_secs: u32,
    pub(super) will: Option<TopicName>,
}

impl Facts {
    /// As of now; `keep_alive` is how long the broker waits for a packet.
    pub(super) fn new(
        keep_alive: Option<Duration>,
        session_expiry_secs: u32,
        will: Option<&TopicName>,
    ) -> Self {
        // What the broker waits is one and a half times what the client promised.
        let secs = keep_alive.map_or(0, |patience| patience.as_millis() / 1_500);
        let keep_alive_secs = u16::try_from(secs).unwrap_or(u16::MAX);
        Self { since_ms: now_ms(), keep_alive_secs, session_expiry_secs, will: will.cloned() }
    }
}

/// What a session leaves for people to see.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// When its last connection ended, milliseconds since 1970.
    pub(super) left_ms: AtomicU64,
    /// PUBLISH packets that came from it.
    pub(super) received: AtomicU64,
    /// PUBLISH packets that went to it.
    pub(super) sent: AtomicU64,
}

/// The connection that a session has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConnection {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// How its bytes come.
    pub transport: Transport,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// The keep-alive in force, in seconds; 0 is none.
    pub keep_alive_secs: u16,
    /// The will that is published should the client vanish: its topic.
    pub will: Option<TopicName>,
}

/// One session, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// Names it for [`Broker::kick`]; unique for the life of the session.
    pub id: u64,
    /// The client id.
    pub client_id: Arc<str>,
    /// The account; empty for an anonymous client.
    pub account: Arc<str>,
    /// The role at its last CONNECT; empty where the broker was started since.
    pub role: Arc<str>,
    /// None while the client is away.
    pub connection: Option<LiveConnection>,
    /// While the client is away: since when, milliseconds since 1970, and how much longer the session waits for it.
    pub away: Option<(u64, Duration)>,
    /// While it is connected: how long the session outlives the connection, in seconds; 0 ends with it.
    pub expiry_secs: u32,
    /// How many filters it subscribes to.
    pub subscriptions: u64,
    /// What waits for it.
    pub depth: Depth,
    /// PUBLISH packets that came from it since the session began or the broker was started.
    pub received: u64,
    /// PUBLISH packets that went to it, likewise.
    pub sent: u64,
    /// A will of a client that has gone, which waits for its delay: its topic.
    pub pending_will: Option<TopicName>,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only of this account.
    pub account: Option<String>,
    /// Only where this is part of the client id, of the account or of the address, whatever the case.
    pub find: Option<String>,
    /// How many to pass over, in the order of account and client id.
    pub from: usize,
    /// How many to show at most.
    pub limit: usize,
}

impl Core {
    /// How many sessions a selection has, and those that it asks to see.
    fn live_sessions(&self, selection: &Selection) -> (usize, Vec<LiveSession>) {
        let account = selection.account.as_deref();
        let find = selection.find.as_deref().map(str::to_lowercase).filter(|find| !find.is_empty());
        let mut sessions: Vec<Arc<Session>> = {
            let sessions = self.sessions.lock();
            let of_account = sessions
                .values()
                .filter(|session| account.is_none_or(|account| *session.key.account == *account));
            of_account.cloned().collect()
        };
        let now = Instant::now();
        sessions.retain(|session| {
            let found = |find: &String| {
                session.key.client_id.to_lowercase().contains(find)
                    || session.key.account.to_lowercase().contains(find)
                    || session.control().is_some_and(|control| control.peer.to_string().contains(find))
            };
            find.as_ref().is_none_or(found) && !session.is_over(now)
        });
        sessions.sort_unstable_by(|a, b| {
            (&a.key.account, &a.key.client_id, a.id).cmp(&(&b.key.account, &b.key.client_id, b.id))
        });
        let total = sessions.len();
        let shown = sessions.iter().skip(selection.from).take(selection.limit);
        (total, shown.map(|session| live(session, now)).collect())
    }

    /// Ends the connection of a session, or the session altogether.
    fn kick(&self, id: u64, forget: bool, reason: &str) -> Option<LiveSession> {
        let session = self.sessions.lock().values().find(|session| session.id == id).cloned()?;
        let seen = live(&session, Instant::now());
        let end = || End::by_server(DisconnectReasonCode::AdministrativeAction, reason.to_owned());
        if let Some(control) = session.control() {
            control.end(end());
        }
        if forget {
            let mut sessions = self.sessions.lock();
            let current = sessions.get(&session.key).is_some_and(|other| Arc::ptr_eq(other, &session));
            if current {
                sessions.remove(&session.key);
            }
            drop(sessions);
            if current {
                // One that arrived in between has no session any more.
                let late = self.end_session(&session, Over::Ended, &mut Tickets::default());
                if let Some(control) = late {
                    control.end(end());
                }
            }
        }
        Some(seen)
    }
}

fn live(session: &Session, now: Instant) -> LiveSession {
    let identity = session.identity();
    let control = session.control();
    let facts = control.as_ref().and_then(|control| control.facts.get());
    let connection = control.as_ref().map(|control| LiveConnection {
        peer: control.peer,
        protocol: control.protocol,
        transport: control.transport,
        since_ms: facts.map_or_else(now_ms, |facts| facts.since_ms),
        keep_alive_secs: facts.map_or(0, |facts| facts.keep_alive_secs),
        will: facts.and_then(|facts| facts.will.clone()),
    });
    let away = session
        .away_until()
        .map(|until| (session.traces.left_ms.load(Relaxed), until.saturating_duration_since(now)));
    LiveSession {
        id: session.id,
        client_id: Arc::clone(&session.key.client_id),
        account: Arc::clone(&session.key.account),
        role: Arc::clone(&identity.role),
        away: away.filter(|_| connection.is_none()),
        connection,
        expiry_secs: facts.map_or(0, |facts| facts.session_expiry_secs),
        subscriptions: session.subscriptions.lock().len() as u64,
        depth: session.depth(),
        received: session.traces.received.load(Relaxed),
        sent: session.traces.sent.load(Relaxed),
        pending_will: session.pending_will.lock().as_ref().map(|(_, will)| will.topic.clone()),
    }
}

impl Broker {
    /// How many sessions a selection has, and those that it asks to see, in the order of account and client id.
    #[must_use]
    pub fn sessions(&self, selection: &Selection) -> (usize, Vec<LiveSession>) {
        self.core.live_sessions(selection)
    }

    /// Ends the connection of a session (MQTT 5: DISCONNECT 0x98 with the reason), and with `forget` the session
    /// itself, with all that waits in it. Its will is published, as whenever the server ends a connection
    /// (MQTT 5.0 §3.1.2.5). Returns the session as it was, or none where there is none of that id.
    pub fn kick(&self, id: u64, forget: bool, reason: &str) -> Option<LiveSession> {
        self.core.kick(id, forget, reason)
    }
}
