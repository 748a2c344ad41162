//! A secret while it is being typed.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Room for what people type, so that the text does not move in memory and leave a copy behind.
const ROOM: usize = 512;

/// Text that is wiped when dropped and does not print. Edit it with [`Self::edit`] in a
/// [`TextField`](super::TextField) that is `secret()`.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(ROOM)))
    }

    /// What was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the text field.
    pub fn edit(&mut self) -> &mut String {
        &mut self.0
    }

    /// Moves the text out and leaves nothing behind.
    #[must_use]
    pub fn take(&mut self) -> Zeroizing<String> {
        std::mem::take(self).0
    }

    /// Wipes it.
    pub fn clear(&mut self) {
        self.0.zeroize();
        self.0.reserve(ROOM);
    }
}

impl Default for SecretText {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        let mut secret = Self::new();
        secret.0.push_str(text);
        secret
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_and_can_be_taken_once() {
        let mut secret = SecretText::from("hunter2");
        assert_eq!(format!("{secret:?}"), "SecretText(…)");
        assert_eq!(secret.take().as_str(), "hunter2");
        assert!(secret.is_empty());
    }
}
