//! What an admin sees and sets.

use serde::{Deserialize, Serialize};

/// An account, as an admin sees it: nothing that is anybody's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Its name.
    pub username: String,
    /// Its role's name.
    pub role: String,
    /// Whether one-time codes are on.
    pub otp: bool,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
}

/// A role of the station's pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEntry {
    /// Its name.
    pub name: String,
    /// What it is for, in one sentence.
    pub description: String,
    /// Whether it administers the station.
    pub admin: bool,
}

/// Gives an account another role. Acts at once, also on live connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetRole {
    /// The role's name.
    pub role: String,
}

/// Asks for sessions of the broker, in the query: `GET sessions?find=press&from=0&limit=100`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionQuery {
    /// Only of this account; the empty name is the anonymous clients'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only where this is part of the client id, of the account or of the address, whatever the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<String>,
    /// How many to pass over, in the order of account and client id.
    pub from: usize,
    /// How many to answer with: at most [`MAX_SESSIONS`], which is also what 0 gives.
    pub limit: usize,
}

/// Sessions in one answer.
pub const MAX_SESSIONS: usize = 500;

/// Sessions of the broker: a part of those that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// How many there are.
    pub total: usize,
    /// Those from [`SessionQuery::from`] on.
    pub sessions: Vec<SessionEntry>,
}

/// One session of the broker, as an admin sees it. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Names it in `DELETE sessions/{id}`, for as long as it lives.
    pub id: u64,
    /// The MQTT client id.
    pub client_id: String,
    /// Its account; empty for an anonymous client.
    pub account: String,
    /// The account's role at its CONNECT; empty where the station was started since.
    pub role: String,
    /// Its connection; `None` while the client is away.
    pub connection: Option<ConnectionEntry>,
    /// Since when the client is away.
    pub away_since_ms: Option<u64>,
    /// How long the session outlives its connection, in seconds; while the client is away, how much longer it waits.
    pub expiry_s: u64,
    /// Topic filters.
    pub subscriptions: u64,
    /// Messages that wait for it.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Messages sent to it and not acknowledged.
    pub inflight: u64,
    /// Messages that came from it.
    pub received: u64,
    /// Messages that went to it.
    pub sent: u64,
    /// The topic of its will, whether the client is there or the will waits for its delay.
    pub will: Option<String>,
}

/// A connection of the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionEntry {
    /// `address:port`.
    pub address: String,
    /// `MQTT 3.1`, `MQTT 3.1.1`, `MQTT 5`.
    pub protocol: String,
    /// `TCP`, `TLS`, …
    pub transport: String,
    /// Since when.
    pub since_ms: u64,
    /// Seconds; 0: none.
    pub keep_alive_s: u16,
}

/// How a session is ended, in the query: `DELETE sessions/17?forget=true`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndSession {
    /// Not the connection alone: the session too, with what is queued in it.
    pub forget: bool,
}
