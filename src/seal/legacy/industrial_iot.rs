//! System 001: readings and commands of machines, AES-128-CBC and HMAC-SHA-256 under two constants.
//!
//! Both stand in the published source of its programs: whoever reads it opens and forges everything. The MAC's constant has
//! 33 bytes, not 32, because its base64 has 44 characters of data and padding behind them all the same; one byte less and
//! no MAC holds. The text is free.

use super::Spoken;

/// What is said wherever this key shows.
pub const NO_SECRECY: &str = "no secrecy: this key was published";

/// The text as it is.
pub(super) fn compose(spoken: &Spoken) -> String {
    spoken.text.clone()
}
