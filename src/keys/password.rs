//! A password, and what is derived from it: all that the station ever sees, and what never leaves the client.
//!
//! `Argon2id(password, salt, parameters, 32)` (RFC 9106), then `HKDF-SHA-256` with the labels `sealwire/1 auth` and
//! `sealwire/1 vault`. The password is taken in Unicode's normal form C (RFC 8265 §4.2), because two keyboards may write
//! one accent in two ways; it is not trimmed.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::seal::derive;

/// A password as it was typed. Wiped when dropped, and does not print.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How hard a guess is made. The station names them, so the client holds them between a floor and a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KdfParams {
    /// Memory, in KiB: 65,536 (64 MiB) to 1,048,576 (1 GiB).
    pub memory_kib: u32,
    /// Passes over it: 3 to 10.
    pub iterations: u32,
    /// Lanes: 4 to 16.
    pub lanes: u32,
}

/// Why no keys were derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KdfError {
    /// Weaker than this program accepts: a station could ask for a hash that is quickly guessed.
    #[error(
        "the station asks for a password hash that is too weak ({0}): do not log in there; tell whoever runs it"
    )]
    TooWeak(&'static str),
    /// Heavier than this program accepts.
    #[error(
        "the station asks for a password hash that would stall this computer ({0}): tell whoever runs it"
    )]
    TooHeavy(&'static str),
    /// RFC 9106 §3.1 recommends 16 bytes.
    #[error("the station sent a salt of {0} bytes where 16 to 64 are possible: tell whoever runs it")]
    Salt(usize),
    /// The memory is not there.
    #[error(
        "there is not enough free memory to check the password (64 MiB are needed): close some programs and try again"
    )]
    OutOfMemory,
}

impl KdfParams {
    /// The floor, and what a new account gets: RFC 9106 §4's second recommended option.
    pub const RECOMMENDED: Self = Self { memory_kib: 64 << 10, iterations: 3, lanes: 4 };
    const CEILING: Self = Self { memory_kib: 1 << 20, iterations: 10, lanes: 16 };

    /// Checks floor and ceiling.
    ///
    /// # Errors
    /// Which of them is passed, and in what.
    pub const fn check(&self) -> Result<(), KdfError> {
        let (floor, ceiling) = (Self::RECOMMENDED, Self::CEILING);
        if self.memory_kib < floor.memory_kib {
            return Err(KdfError::TooWeak("less than 64 MiB of memory"));
        }
        if self.iterations < floor.iterations {
            return Err(KdfError::TooWeak("fewer than 3 passes"));
        }
        if self.lanes < floor.lanes {
            return Err(KdfError::TooWeak("fewer than 4 lanes"));
        }
        if self.memory_kib > ceiling.memory_kib {
            return Err(KdfError::TooHeavy("more than 1 GiB of memory"));
        }
        if self.iterations > ceiling.iterations {
            return Err(KdfError::TooHeavy("more than 10 passes"));
        }
        if self.lanes > ceiling.lanes {
            return Err(KdfError::TooHeavy("more than 16 lanes"));
        }
        Ok(())
    }

    /// `Argon2id(NFC(password), salt, self, 32)`.
    pub(super) fn stretch(&self, password: &Password, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KdfError> {
        let mut stretched = Zeroizing::new([0; 32]);
        let params = Params::new(self.memory_kib, self.iterations, self.lanes, Some(stretched.len()))
            .map_err(|_| KdfError::TooHeavy("parameters that do not fit together"))?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(normal_form(password.expose()).as_bytes(), salt, &mut *stretched)
            .map_err(|_| KdfError::OutOfMemory)?;
        Ok(stretched)
    }
}

/// Unicode's normal form C. The buffer has room from the start (form C is at most three times as long in UTF-8, UAX #15):
/// one that grew would leave parts of the text behind in memory.
fn normal_form(text: &str) -> Zeroizing<String> {
    let mut normal = Zeroizing::new(String::with_capacity(text.len() * 3));
    normal.extend(text.nfc());
    normal
}

impl Default for KdfParams {
    fn default() -> Self {
        Self::RECOMMENDED
    }
}

/// What a password gives: the authentication key for the station, and the vault key, which stays here.
pub struct PasswordKeys {
    auth: Zeroizing<String>,
    vault: Zeroizing<[u8; 32]>,
}

impl PasswordKeys {
    /// Derives both. Takes a tenth of a second or more and 64 MiB or more: never on a thread that must answer.
    ///
    /// # Errors
    /// Parameters or salt out of bounds, or too little memory.
    pub fn derive(password: &Password, salt: &[u8], params: &KdfParams) -> Result<Self, KdfError> {
        params.check()?;
        if !(16..=64).contains(&salt.len()) {
            return Err(KdfError::Salt(salt.len()));
        }
        let stretched = params.stretch(password, salt)?;
        let auth = derive::<32>(&*stretched, &[b"sealwire/1 auth"]);
        Ok(Self { auth: in_text(&auth), vault: derive(&*stretched, &[b"sealwire/1 vault"]) })
    }

    /// The authentication key, all that the station ever sees of the password: 43 characters of base64url.
    #[must_use]
    pub fn auth_key(&self) -> Zeroizing<String> {
        self.auth.clone()
    }

    /// What wraps the vault secret.
    pub(super) fn vault_key(&self) -> &[u8; 32] {
        &self.vault
    }
}

impl std::fmt::Debug for PasswordKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordKeys(…)")
    }
}

/// 32 bytes as 43 characters of base64url.
pub(super) fn in_text(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(43));
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_and_salt_both_decide_and_the_two_keys_differ() {
        let derive = |password: &str, salt: [u8; 16]| {
            PasswordKeys::derive(&Password::new(password), &salt, &KdfParams::RECOMMENDED).unwrap()
        };
        let keys = derive("correct horse", [1; 16]);
        assert_eq!(keys.auth_key().len(), 43);
        assert_ne!(*keys.auth_key(), *in_text(keys.vault_key()));
        assert_eq!(*keys.auth_key(), *derive("correct horse", [1; 16]).auth_key());
        assert_ne!(*keys.auth_key(), *derive("correct horse ", [1; 16]).auth_key());
        // An e with an accent, as one character and as two.
        assert_eq!(*derive("caf\u{e9}", [1; 16]).auth_key(), *derive("cafe\u{301}", [1; 16]).auth_key());
        assert_ne!(*keys.auth_key(), *derive("correct horse", [2; 16]).auth_key());
    }

    /// Made with Argon2id and HKDF of Python's `cryptography` 48.
    #[test]
    fn an_independent_implementation_derives_the_same_keys() {
        let salt: [u8; 16] = std::array::from_fn(|at| at as u8);
        let keys = PasswordKeys::derive(&Password::new("pässword"), &salt, &KdfParams::RECOMMENDED).unwrap();
        assert_eq!(*keys.auth_key(), "8t9ndjOfI61cw6XNl7WQjkWRcyeSsQBgQfXTFjwQL2A");
        let vault: String = keys.vault_key().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(vault, "19b93f85fdc55ba0f0243a95c6d003e89f199487bf5d12703ce8eca7068a096a");
    }

    #[test]
    fn the_station_can_ask_for_neither_a_weak_nor_an_absurd_hash() {
        let good = KdfParams::RECOMMENDED;
        assert_eq!(good.check(), Ok(()));
        for weak in [
            KdfParams { memory_kib: 65_535, ..good },
            KdfParams { iterations: 2, ..good },
            KdfParams { lanes: 1, ..good },
        ] {
            assert!(matches!(weak.check(), Err(KdfError::TooWeak(_))));
            assert!(PasswordKeys::derive(&Password::new("x"), &[1; 16], &weak).is_err());
        }
        for heavy in [
            KdfParams { memory_kib: u32::MAX, ..good },
            KdfParams { iterations: 11, ..good },
            KdfParams { lanes: 17, ..good },
        ] {
            assert!(matches!(heavy.check(), Err(KdfError::TooHeavy(_))));
        }
        let short = PasswordKeys::derive(&Password::new("x"), &[1; 15], &good).unwrap_err();
        assert_eq!(short, KdfError::Salt(15));
    }

    #[test]
    fn nothing_secret_prints() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(…)");
    }
}
