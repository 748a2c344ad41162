//! Where an account's audit logs were last seen to end, so that a cut-off end shows.

use serde::{Deserialize, Serialize};

/// The end of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Lines so far.
    pub count: u64,
    /// The last line's hash, 64 hex digits.
    pub head: String,
}

/// The ends of both logs. One computer's logs have one `log_id`; the station keeps the newest of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchors {
    /// By log: a random id made with the log file.
    pub logs: std::collections::BTreeMap<String, Anchor>,
}
