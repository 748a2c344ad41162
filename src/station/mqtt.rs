//! The broker, as the desk sees it: something that can end connections.

use crate::broker::{Broker, Figures, LiveSession, Selection};

/// Live MQTT connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mqtt(Broker);

impl Mqtt {
    /// Of that broker.
    pub(crate) fn new(broker: Broker) -> Self {
        Self(broker)
    }

    /// Ends what is connected by these sessions or devices.
    pub(crate) fn end_credentials(&self, rows: &[i64], reason: &str) {
        if !rows.is_empty() {
            let named = |credential: u64| rows.iter().any(|row| row.unsigned_abs() == credential);
            self.0.disconnect(|identity| named(identity.credential), reason);
        }
    }

    /// Ends everything that an account has connected, its devices too.
    pub(crate) fn end_account(&self, username: &str, reason: &str) {
        self.0.disconnect(|identity| &*identity.account == username, reason);
    }

    /// Ends everything of an account that is gone, with what was queued for it.
    pub(crate) fn forget_account(&self, username: &str) {
        self.0.forget(username);
    }

    /// How many sessions a selection has, and those that it asks to see.
    pub(crate) fn sessions(&self, selection: &Selection) -> (usize, Vec<LiveSession>) {
        self.0.sessions(selection)
    }

    /// Ends a session's connection, or the session.
    pub(crate) fn kick(&self, id: u64, forget: bool, reason: &str) -> Option<LiveSession> {
        self.0.kick(id, forget, reason)
    }

    /// Everything that the broker counts.
    pub(crate) fn figures(&self) -> Figures {
        self.0.figures()
    }

    /// Somebody's role is another now.
    pub(crate) fn permissions_changed(&self) {
        self.0.permissions_changed();
    }
}
