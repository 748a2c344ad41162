//! The vault: an account's keyring, encrypted; the only form in which keys rest.
//!
//! A random vault secret seals it, bound to the account and the vault's version, so that the station can neither read it nor
//! pass an old one off as new. The secret itself is wrapped under the password's vault key and under each recovery
//! code: changing the password wraps 32 bytes anew and leaves the vault alone.
//!
//! Inside is JSON with a version, padded with spaces to a multiple of 1 KiB, so that its size does not tell how many keys there are.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    boxed::{Binding, BoxError, open_box, seal_box},
    keyring::Keyring,
    password::PasswordKeys,
    people::{People, Sender},
    random::{NoRandomness, random},
    record::{KeyRecord, SecretText, to_json},
    recovery::RecoveryCode,
};
use crate::seal::{SigningKey, derive};

/// The version of the plaintext: 2 since there are identities. A later one is refused, never saved again with something
/// missing.
const FORMAT: u32 = 2;
const PAD_TO: usize = 1024;

/// Why a vault was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The wrapped secret does not open with this password.
    #[error("the password does not open the vault: check it, or use a recovery code")]
    WrongPassword,
    /// The wrapped secret does not open with this recovery code.
    #[error(
        "this recovery code does not open the vault: it may belong to another account, or have been replaced by newer ones"
    )]
    WrongRecoveryCode,
    /// The vault's tag does not verify.
    #[error(
        "the vault does not open: it was altered, is not version {version}, or belongs to another account; the station may have been tampered with, do not change your password now"
    )]
    Refused {
        /// The version that the station claims.
        version: u64,
    },
    /// Made by a later program.
    #[error("the vault was made by a newer Sealwire: update this one")]
    Newer,
    /// Opened, but not what a vault holds.
    #[error(
        "the vault was saved by a faulty program, and its contents cannot be read: restore an older version of it"
    )]
    Malformed,
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// The 32 bytes that open a vault. Wiped when dropped.
pub struct VaultSecret(Zeroizing<[u8; 32]>);

/// An account's vault, open.
#[derive(Debug)]
pub struct Vault {
    account: String,
    secret: VaultSecret,
    /// The topic keys.
    pub keyring: Keyring,
    /// What this account signs with. None in a vault of before there were signatures: see [`Self::ensure_identity`].
    identity: Option<SigningKey>,
    /// Whose signatures it knows.
    pub people: People,
}

/// A vault as it rests at the station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVault {
    /// Counts up with every change; bound into the ciphertext.
    pub version: u64,
    /// What only the vault secret opens.
    pub ciphertext: Vec<u8>,
}

/// A vault secret under a password or a recovery code, as it rests at the station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedSecret(Vec<u8>);

impl WrappedSecret {
    /// Takes bytes that the station kept.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the station to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents<'a> {
    version: u32,
    #[serde(borrow)]
    keys: Vec<KeyRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<SecretText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    people: Vec<Sender>,
}

/// Only the version, of whatever else there may be.
#[derive(Deserialize)]
struct Format {
    version: u32,
}

impl Vault {
    /// A new vault without keys, under a fresh secret and with a fresh identity.
    ///
    /// # Errors
    /// No randomness.
    pub fn create(account: &str) -> Result<Self, NoRandomness> {
        Ok(Self {
            account: account.to_owned(),
            secret: VaultSecret(random()?),
            keyring: Keyring::new(),
            identity: Some(SigningKey::from_bytes(&*random()?)),
            people: People::new(),
        })
    }

    /// The account whose vault it is.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// What this account signs with, if it has that yet.
    #[must_use]
    pub const fn identity(&self) -> Option<&SigningKey> {
        self.identity.as_ref()
    }

    /// Gives the account an identity if it has none; says whether that was needed.
    ///
    /// # Errors
    /// No randomness.
    pub fn ensure_identity(&mut self) -> Result<bool, NoRandomness> {
        if self.identity.is_some() {
            return Ok(false);
        }
        self.identity = Some(SigningKey::from_bytes(&*random()?));
        Ok(true)
    }

    /// The secret that seals it.
    #[must_use]
    pub const fn secret(&self) -> &VaultSecret {
        &self.secret
    }

    /// Encrypts it as this version, which must be higher than any before.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal(&self, version: u64) -> Result<SealedVault, VaultError> {
        let contents = Contents {
            version: FORMAT,
            keys: self.keyring.to_records(),
            identity: self.identity.as_ref().map(SecretText::of),
            people: self.people.all().to_vec(),
        };
        let plaintext =
            to_json(&contents, |len| len.next_multiple_of(PAD_TO)).map_err(|_| VaultError::Malformed)?;
        let ciphertext =
            seal_box(&self.secret.contents_key(), &contents_binding(&self.account, version), &plaintext)?;
        Ok(SealedVault { version, ciphertext })
    }

    /// Opens what the station kept. The caller remembers the highest version it saw and refuses a lower one.
    ///
    /// # Errors
    /// It was altered, is another account's or another version, or is newer than this program.
    pub fn open(account: &str, sealed: &SealedVault, secret: VaultSecret) -> Result<Self, VaultError> {
        let version = sealed.version;
        let plaintext =
            open_box(&secret.contents_key(), &contents_binding(account, version), &sealed.ciphertext)
                .map_err(|error| match error {
                    BoxError::Version(_) => VaultError::Newer,
                    BoxError::Refused => VaultError::Refused { version },
                })?;
        let format: Format = serde_json::from_slice(&plaintext).map_err(|_| VaultError::Malformed)?;
        if format.version > FORMAT {
            return Err(VaultError::Newer);
        }
        let contents: Contents<'_> = serde_json::from_slice(&plaintext).map_err(|_| VaultError::Malformed)?;
        let keyring = Keyring::from_records(contents.keys).ok_or(VaultError::Malformed)?;
        let identity = contents.identity.map(|text| text.to_identity());
        Ok(Self {
            account: account.to_owned(),
            secret,
            keyring,
            identity,
            people: People::of(contents.people),
        })
    }

    /// Encrypts what rests on this computer alone and is as secret as the keys: only this vault's secret opens it, and
    /// only for this purpose.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal_local(&self, purpose: &str, plaintext: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        seal_box(&self.secret.local_key(), &local_binding(&self.account, purpose), plaintext)
    }

    /// Opens what [`Self::seal_local`] encrypted; `None` where it was altered, is for another purpose or account, or the
    /// vault was made anew since.
    #[must_use]
    pub fn open_local(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open_box(&self.secret.local_key(), &local_binding(&self.account, purpose), sealed).ok()
    }

    /// The secret under a password.
    ///
    /// # Errors
    /// No randomness.
    pub fn wrap_for_password(&self, keys: &PasswordKeys) -> Result<WrappedSecret, NoRandomness> {
        self.secret.wrap_for_password(&self.account, keys)
    }

    /// The secret under a recovery code.
    ///
    /// # Errors
    /// No randomness.
    pub fn wrap_for_recovery(&self, code: &RecoveryCode) -> Result<WrappedSecret, NoRandomness> {
        let binding = wrap_binding(&self.account, "recovery");
        seal_box(&code.wrap_key(), &binding, &*self.secret.0).map(WrappedSecret)
    }
}

impl VaultSecret {
    /// Unwraps it with the password.
    ///
    /// # Errors
    /// Another password, another account, or altered.
    pub fn unwrap_with_password(
        account: &str,
        wrapped: &WrappedSecret,
        keys: &PasswordKeys,
    ) -> Result<Self, VaultError> {
        Self::unwrapped(
            keys.vault_key(),
            &wrap_binding(account, "password"),
            wrapped,
            VaultError::WrongPassword,
        )
    }

    /// Unwraps it with a recovery code.
    ///
    /// # Errors
    /// Another code, another account, or altered.
    pub fn unwrap_with_recovery(
        account: &str,
        wrapped: &WrappedSecret,
        code: &RecoveryCode,
    ) -> Result<Self, VaultError> {
        let binding = wrap_binding(account, "recovery");
        Self::unwrapped(&code.wrap_key(), &binding, wrapped, VaultError::WrongRecoveryCode)
    }

    fn unwrapped(
        key: &[u8; 32],
        binding: &Binding,
        wrapped: &WrappedSecret,
        refusal: VaultError,
    ) -> Result<Self, VaultError> {
        match open_box(key, binding, &wrapped.0) {
            Ok(bytes) => match bytes.first_chunk() {
                Some(secret) if bytes.len() == secret.len() => Ok(Self(Zeroizing::new(*secret))),
                _ => Err(VaultError::Malformed),
            },
            Err(BoxError::Version(_)) => Err(VaultError::Newer),
            Err(BoxError::Refused) => Err(refusal),
        }
    }

    /// Wraps it with a password, as a reset by recovery code must without the vault itself.
    ///
    /// # Errors
    /// No randomness.
    pub fn wrap_for_password(
        &self,
        account: &str,
        keys: &PasswordKeys,
    ) -> Result<WrappedSecret, NoRandomness> {
        let binding = wrap_binding(account, "password");
        seal_box(keys.vault_key(), &binding, &*self.0).map(WrappedSecret)
    }

    /// Names it without telling anything of it, so that a client can tell a vault that was made anew from an old
    /// version of the one it knows.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        *derive(&*self.0, &[b"sealwire/1 vault id"])
    }

    /// A second copy, on purpose: to open a newer version of a vault that is open.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    fn contents_key(&self) -> Zeroizing<[u8; 32]> {
        derive(&*self.0, &[b"sealwire/1 vault contents"])
    }

    fn local_key(&self) -> Zeroizing<[u8; 32]> {
        derive(&*self.0, &[b"sealwire/1 vault local"])
    }
}

impl std::fmt::Debug for VaultSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultSecret(…)")
    }
}

fn contents_binding(account: &str, version: u64) -> Binding {
    Binding::new("sealwire/1 vault", account).and_number(version)
}

fn local_binding(account: &str, purpose: &str) -> Binding {
    Binding::new("sealwire/1 vault local", account).and_text(purpose)
}

fn wrap_binding(account: &str, by: &str) -> Binding {
    Binding::new("sealwire/1 vault secret", account).and_text(by)
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
