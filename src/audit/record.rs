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

/// The longest topic that a line takes, in bytes: MQTT's own limit.
pub const MAX_TOPIC_BYTES: usize = 65_535;
/// The longest of every other text, in bytes. Client ids and reasons come from strangers and may have 64 KiB each.
const MAX_TEXT_BYTES: usize = 1024;

impl Record {
    /// Whether [`Self::shorten`] would change nothing.
    pub(super) fn fits(&self, most_topic_bytes: usize) -> bool {
        let always = [&self.account, &self.role, &self.action, &self.outcome];
        let sometimes = [&self.kid, &self.suite, &self.peer];
        always.into_iter().chain(sometimes.into_iter().flatten()).all(|text| text.len() <= MAX_TEXT_BYTES)
            && self.topic.as_ref().is_none_or(|topic| topic.len() <= most_topic_bytes)
    }

    /// Cuts what is too long, and says so: a line that readers refuse for its length would end the whole log.
    pub fn shorten(&mut self, most_topic_bytes: usize) {
        for text in [&mut self.account, &mut self.role, &mut self.action, &mut self.outcome] {
            cut(text, MAX_TEXT_BYTES);
        }
        for text in [&mut self.kid, &mut self.suite, &mut self.peer].into_iter().flatten() {
            cut(text, MAX_TEXT_BYTES);
        }
        if let Some(topic) = &mut self.topic {
            cut(topic, most_topic_bytes);
        }
    }
}

fn cut(text: &mut String, most: usize) {
    let bytes = text.len();
    if bytes > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("… ({bytes} bytes)"));
    }
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
