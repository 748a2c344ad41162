//! The broker, as the desk sees it: something that can end connections.

use crate::broker::Broker;

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

    /// Somebody's role is another now.
    pub(crate) fn permissions_changed(&self) {
        self.0.permissions_changed();
    }
}
