//! What a line says.

use serde::{Deserialize, Serialize};

/// One thing that was done. There is no field for a payload, a password or a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// Who.
    pub account: String,
    /// In which role.
    pub role: String,
    /// What: `login`, `publish`, `receive`, `subscribe`, …
    pub action: String,
    /// On which topic or filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `ok`, or why not.
    pub outcome: String,
    /// Which key, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Which suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Size in the open, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_len: Option<u64>,
    /// Size on the wire, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire_len: Option<u64>,
    /// Where from: an address, a client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

/// A record in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number; the first record is 1.
    pub number: u64,
    /// What it says.
    pub record: Record,
    /// Its hash.
    pub hash: super::Hash,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub n: u64,
    /// Which log: random, so that an anchor of one is never taken for another's.
    pub log: String,
    pub begun_ms: u64,
}

/// Every other line, as serialised.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Numbered<R> {
    pub n: u64,
    #[serde(flatten)]
    pub record: R,
}
