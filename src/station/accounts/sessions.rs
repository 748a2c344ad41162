//! The broker's sessions: what an admin sees of them, and how one is ended.

use crate::{
    api::{
        ConnectionEntry, EndSession, MAX_SESSIONS, Problem, ProblemCode, SessionEntry, SessionList,
        SessionQuery,
    },
    broker::{LiveConnection, LiveSession, Selection},
};

use super::{Accounts, Admin, Caller};

impl Accounts {
    /// Sessions of the broker.
    pub(crate) fn sessions(&self, _admin: &Admin, query: SessionQuery) -> SessionList {
        let limit = if query.limit == 0 { MAX_SESSIONS } else { query.limit.min(MAX_SESSIONS) };
        let selection = Selection { account: query.account, find: query.find, from: query.from, limit };
        let (total, sessions) = self.mqtt.sessions(&selection);
        SessionList { total, sessions: sessions.into_iter().map(entry).collect() }
    }

    /// Ends a session's connection, and with `forget` the session.
    pub(crate) fn end_mqtt_session(
        &self,
        Admin(who): &Admin,
        id: u64,
        how: EndSession,
        caller: Caller,
    ) -> Result<(), Problem> {
        let reason = format!("ended by {}, an admin of this station", who.username);
        let ended = self.mqtt.kick(id, how.forget, &reason).ok_or_else(|| {
            Problem::new(ProblemCode::NotFound, "this session is not there any more: look at the list again")
        })?;
        let account = if ended.account.is_empty() { "an anonymous client" } else { &*ended.account };
        let action = if how.forget { "session removed" } else { "connection ended" };
        let outcome = format!("{} of {account}", ended.client_id);
        self.trail.note(&who.username, &who.role, action, &outcome, caller.peer());
        Ok(())
    }
}

fn entry(session: LiveSession) -> SessionEntry {
    let LiveSession { connection, away, depth, pending_will, .. } = session;
    let will = connection.as_ref().and_then(|connection| connection.will.clone()).or(pending_will);
    SessionEntry {
        id: session.id,
        client_id: session.client_id.to_string(),
        account: session.account.to_string(),
        role: session.role.to_string(),
        away_since_ms: away.map(|(since_ms, _)| since_ms),
        expiry_s: away.map_or(session.expiry_secs.into(), |(_, remaining)| remaining.as_secs()),
        connection: connection.as_ref().map(connection_entry),
        subscriptions: session.subscriptions,
        queued: depth.queued,
        queued_bytes: depth.queued_bytes,
        inflight: depth.inflight,
        received: session.received,
        sent: session.sent,
        will: will.map(|topic| topic.as_str().to_owned()),
    }
}

fn connection_entry(connection: &LiveConnection) -> ConnectionEntry {
    ConnectionEntry {
        address: connection.peer.to_string(),
        protocol: connection.protocol.name().to_owned(),
        transport: connection.transport.name().to_owned(),
        since_ms: connection.since_ms,
        keep_alive_s: connection.keep_alive_secs,
    }
}
