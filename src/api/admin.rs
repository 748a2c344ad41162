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

/// Gives an account another role. Acts at once, also on live connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetRole {
    /// The role's name.
    pub role: String,
}
