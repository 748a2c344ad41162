//! Topic names and topic filters (MQTT 5.0 §4.7): valid by construction, matched level by level.
//!
//! Knows nothing of who asks. Start at [`TopicName`] and [`TopicFilter`].

mod filter;
mod name;

pub use filter::{TopicFilter, filter_matches};
pub use name::{TopicName, validate_name};

/// The longest topic name or filter, in bytes of UTF-8 (MQTT 5.0 §1.5.4: a two-byte length).
pub const MAX_TOPIC_BYTES: usize = 65_535;

/// Why a text is not a topic name or filter. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// MQTT-4.7.3-1.
    #[error("a topic needs at least one character")]
    Empty,
    /// MQTT-4.7.3-3.
    #[error("a topic may have at most 65,535 bytes, this one has {0}")]
    TooLong(usize),
    /// MQTT-4.7.3-2.
    #[error("a topic cannot hold the null character (U+0000): remove it")]
    Null,
    /// MQTT-3.3.2-2: a publisher names one topic.
    #[error("“{0}” stands for many topics: publish to one topic, without + or #")]
    WildcardInName(char),
    /// MQTT-4.7.1-1.
    #[error("# must be the last level and stand alone, as in “plant/#”")]
    MisplacedHash,
    /// MQTT-4.7.1-2.
    #[error("+ must stand alone in its level, as in “plant/+/state”")]
    MisplacedPlus,
}

/// The rules that names and filters share.
fn validate_common(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_TOPIC_BYTES {
        return Err(TopicError::TooLong(text.len()));
    }
    if text.contains('\0') {
        return Err(TopicError::Null);
    }
    Ok(())
}
