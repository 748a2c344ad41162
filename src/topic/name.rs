//! A topic name: what a message is published to.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use super::{TopicError, validate_common};

/// One valid topic name: 1 to 65,535 bytes, no wildcard, no U+0000. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(Arc<str>);

/// Checks a topic name without keeping it, for the hot path.
///
/// # Errors
/// The first rule of MQTT 5.0 §4.7 that `text` breaks.
pub fn validate_name(text: &str) -> Result<(), TopicError> {
    validate_common(text)?;
    match text.bytes().find(|byte| matches!(byte, b'+' | b'#')) {
        Some(wildcard) => Err(TopicError::WildcardInName(char::from(wildcard))),
        None => Ok(()),
    }
}

impl TopicName {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// As [`validate_name`].
    ///
    /// ```
    /// use sealwire::topic::TopicName;
    /// assert!(TopicName::new("plant/press/celsius").is_ok());
    /// assert!(TopicName::new("plant/#").is_err());
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, TopicError> {
        let text = text.as_ref();
        validate_name(text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels, between the slashes. A leading or trailing slash makes an empty level.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it begins with `$`, which no leading wildcard matches (MQTT-4.7.2-1).
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// So that a map by name can be asked with a text that has not been made a name.
impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TopicName {
    type Error = TopicError;
    fn try_from(text: String) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_wildcard_no_null_and_are_never_empty_or_too_long() {
        assert_eq!(TopicName::new(""), Err(TopicError::Empty));
        assert_eq!(TopicName::new("a/+/b"), Err(TopicError::WildcardInName('+')));
        assert_eq!(TopicName::new("a/#"), Err(TopicError::WildcardInName('#')));
        assert_eq!(TopicName::new("a\0b"), Err(TopicError::Null));
        assert_eq!(TopicName::new("x".repeat(65_536)), Err(TopicError::TooLong(65_536)));
        for good in ["a", "/", "a//b", "/a/", "plant/line 1/°C", "$SYS/x"] {
            assert!(TopicName::new(good).is_ok(), "{good}");
        }
    }
}
