//! Credentials for programs that speak plain MQTT: `mosquitto_sub`, a Python script, a sensor.

use serde::{Deserialize, Serialize};

use super::Confidential;

/// Makes a credential. It has the role of the account that makes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewDevice {
    /// What it is for, 1 to 64 characters.
    pub label: String,
}

/// Shown once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceCredential {
    /// Which.
    pub device: Device,
    /// MQTT's username.
    pub username: String,
    /// MQTT's password: a random token.
    pub password: Confidential,
}

/// A credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// For revoking it.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
}
