//! What an admin sees and does at the station: sessions of the broker, accounts, roles.

use hyper::Method;

use crate::api;

use super::{
    Asked, Event,
    desk::{Desk, NO_BODY},
    failure::told,
};

/// Sessions that are shown at a time; a filter finds the others.
const SHOWN: usize = api::MAX_SESSIONS;

/// One session of the broker. Times are milliseconds since 1970, by the station's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Names it in commands.
    pub id: u64,
    /// The MQTT client id.
    pub client_id: String,
    /// Its account; empty for an anonymous client.
    pub account: String,
    /// The account's role when it connected; may be empty.
    pub role: String,
    /// `None` while the client is away.
    pub connection: Option<ConnectionView>,
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
    /// The topic of its will.
    pub will: Option<String>,
}

/// The connection of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// `address:port`.
    pub address: String,
    /// `MQTT 5`.
    pub protocol: String,
    /// `TLS`.
    pub transport: String,
    /// Since when.
    pub since_ms: u64,
    /// Seconds; 0: none.
    pub keep_alive_s: u16,
}

/// An account, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLine {
    /// Its name.
    pub username: String,
    /// Its role's name.
    pub role: String,
    /// Whether one-time codes are on.
    pub otp: bool,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
}

/// A role that an account can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleLine {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it administers the station.
    pub admin: bool,
}

/// A text for a query (RFC 3986 §2.1): what is not plainly harmless is escaped.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn session_view(entry: api::SessionEntry) -> SessionView {
    SessionView {
        id: entry.id,
        client_id: told(&entry.client_id),
        account: told(&entry.account),
        role: told(&entry.role),
        connection: entry.connection.map(|connection| ConnectionView {
            address: told(&connection.address),
            protocol: told(&connection.protocol),
            transport: told(&connection.transport),
            since_ms: connection.since_ms,
            keep_alive_s: connection.keep_alive_s,
        }),
        away_since_ms: entry.away_since_ms,
        expiry_s: entry.expiry_s,
        subscriptions: entry.subscriptions,
        queued: entry.queued,
        queued_bytes: entry.queued_bytes,
        inflight: entry.inflight,
        received: entry.received,
        sent: entry.sent,
        will: entry.will.as_deref().map(told),
    }
}

impl Desk {
    pub(super) async fn list_sessions(&self, find: String) {
        let path = format!("sessions?find={}&limit={SHOWN}", escaped(&find));
        match self.call_in_session::<api::SessionList>(Method::GET, &path, NO_BODY).await {
            Ok(list) => {
                let sessions = list.sessions.into_iter().map(session_view).collect();
                self.teller.tell(Event::Sessions { find, total: list.total, sessions });
            }
            Err(error) => self.teller.fail(Asked::Sessions, error.failure("The sessions are not known.")),
        }
    }

    pub(super) async fn end_broker_session(&self, id: u64, forget: bool) {
        let path = format!("sessions/{id}?forget={forget}");
        match self.call_in_session::<()>(Method::DELETE, &path, NO_BODY).await {
            Ok(()) => self.teller.tell(Event::SessionEnded { id, forgotten: forget }),
            Err(error) => {
                let what =
                    if forget { "The session is still there." } else { "The connection was not ended." };
                self.teller.fail(Asked::EndSession, error.failure(what));
            }
        }
    }

    pub(super) async fn list_accounts(&self) {
        let what = "The accounts are not known.";
        let accounts = self.call_in_session::<Vec<api::AccountEntry>>(Method::GET, "accounts", NO_BODY).await;
        let roles = self.call_in_session::<Vec<api::RoleEntry>>(Method::GET, "roles", NO_BODY).await;
        match (accounts, roles) {
            (Ok(accounts), Ok(roles)) => {
                let account = |entry: api::AccountEntry| AccountLine {
                    username: told(&entry.username),
                    role: told(&entry.role),
                    otp: entry.otp,
                    created_ms: entry.created_ms,
                };
                let role = |entry: api::RoleEntry| RoleLine {
                    name: told(&entry.name),
                    description: told(&entry.description),
                    admin: entry.admin,
                };
                self.teller.tell(Event::Accounts {
                    accounts: accounts.into_iter().map(account).collect(),
                    roles: roles.into_iter().map(role).collect(),
                });
            }
            (Err(error), _) | (_, Err(error)) => {
                self.teller.fail(Asked::Accounts, error.failure(what));
            }
        }
    }

    pub(super) async fn set_role(&mut self, username: String, role: String) {
        let path = format!("accounts/{}/role", escaped(&username));
        let request = api::SetRole { role };
        match self.call_in_session::<()>(Method::PUT, &path, Some(&request)).await {
            Ok(()) => self.account_changed(username).await,
            Err(error) => {
                self.teller.fail(Asked::ChangeAccount, error.failure("The role is the same as before."));
            }
        }
    }

    pub(super) async fn remove_account(&mut self, username: String) {
        let path = format!("accounts/{}", escaped(&username));
        match self.call_in_session::<()>(Method::DELETE, &path, NO_BODY).await {
            Ok(()) => self.account_changed(username).await,
            Err(error) => {
                self.teller.fail(Asked::ChangeAccount, error.failure("The account is still there."));
            }
        }
    }

    /// Somebody's account is another, or gone. Where that was one's own, more changes than the list.
    async fn account_changed(&mut self, username: String) {
        self.teller.tell(Event::AccountChanged { username: username.clone() });
        let own = self.session.as_ref().is_some_and(|session| session.account.username.as_str() == username);
        if own && let Ok(account) = self.call_in_session(Method::GET, "session", NO_BODY).await {
            self.update_account(account);
        }
        if !own {
            self.list_accounts().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_stays_one_value_of_the_query() {
        assert_eq!(escaped("press-7_a.b~"), "press-7_a.b~");
        assert_eq!(escaped("a&limit=1#é /"), "a%26limit%3D1%23%C3%A9%20%2F");
    }
}
