//! What a station tells anybody about itself.

use serde::{Deserialize, Serialize};

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUpPolicy {
    /// Anybody who reaches the station, in the roles it lists.
    Open,
    /// Nobody but the first account.
    Closed,
}

/// Whether accounts need one-time codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtpPolicy {
    /// Each account decides: the default of the station that the app starts.
    Offered,
    /// Every account enrols at sign-up: the default of `sealwire station`.
    Required,
}

/// A role that can be chosen at sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleOffer {
    /// Its name.
    pub name: String,
    /// One sentence.
    pub description: String,
}

/// Where MQTT is spoken. The host is the one the API was reached at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MqttEndpoint {
    /// The TLS port.
    pub tls_port: u16,
}

/// Parameters of Argon2id (RFC 9106) for the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KdfParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for KdfParams {
    /// 64 MiB, three passes, four lanes: the second recommended option of RFC 9106 §4.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

/// What a station tells anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationInfo {
    /// Its name, for people.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Whether nobody has an account yet: the first one needs the setup code and becomes admin.
    pub needs_first_account: bool,
    /// Who may sign up.
    pub sign_up: SignUpPolicy,
    /// What a later account may choose.
    pub roles: Vec<RoleOffer>,
    /// Whether one-time codes are needed.
    pub otp: OtpPolicy,
    /// Where MQTT is.
    pub mqtt: MqttEndpoint,
    /// The station's clock, milliseconds since 1970, so that a client can tell that its own is wrong.
    pub now_ms: u64,
}
