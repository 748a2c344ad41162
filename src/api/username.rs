//! What a username may be.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A username: 1 to 64 letters, digits, `.`, `_`, `-` or `@`, in lower case, so that `Anna` and `anna` are one.
///
/// It can stand in a topic (`%u`) and in a file name without harm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

/// Why a text is no username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Nothing there.
    #[error("type a username")]
    Empty,
    /// More than 64 characters.
    #[error("a username may have at most 64 characters")]
    TooLong,
    /// A character that would be trouble in a topic or a file name.
    #[error("a username cannot hold “{0}”: use letters, digits and . _ - @")]
    Character(char),
    /// Would name the folder itself or one above.
    #[error("a username must hold a letter or a digit")]
    NoLetter,
}

impl Username {
    /// Checks `text` and folds it to lower case.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn new(text: &str) -> Result<Self, UsernameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(UsernameError::Empty);
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@')))
        {
            return Err(UsernameError::Character(bad));
        }
        if !text.chars().any(char::is_alphanumeric) {
            return Err(UsernameError::NoLetter);
        }
        let folded = text.to_lowercase();
        if folded.chars().count() > 64 {
            return Err(UsernameError::TooLong);
        }
        Ok(Self(folded))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Username {
    type Err = UsernameError;
    fn from_str(text: &str) -> Result<Self, UsernameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Username {
    type Error = UsernameError;
    fn try_from(text: String) -> Result<Self, UsernameError> {
        Self::new(&text)
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_safe_in_a_topic_and_in_a_file_name() {
        assert_eq!(Username::new(" Anna.B ").unwrap().as_str(), "anna.b");
        assert_eq!(Username::new("Jörg").unwrap().as_str(), "jörg");
        for bad in ["a/b", "a+b", "a#b", "a b", "a\\b", "a\0b", "a%u"] {
            assert!(matches!(Username::new(bad), Err(UsernameError::Character(_))), "{bad}");
        }
        assert_eq!(Username::new(".."), Err(UsernameError::NoLetter));
        assert_eq!(Username::new("  "), Err(UsernameError::Empty));
        assert_eq!(Username::new(&"x".repeat(65)), Err(UsernameError::TooLong));
    }
}
