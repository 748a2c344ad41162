//! Topic keys, the keyring, passwords and the vault: who may seal and open what, and how it rests.
//!
//! May use [`crate::seal`] and [`crate::topic`]; knows nothing of files, networks or accounts beyond their names.
//! Everything secret is wiped when dropped and prints as `…`.
//!
//! | start at | for |
//! |---|---|
//! | [`Keyring`] | which key seals a topic, which opens a message, what an import may do |
//! | [`TopicKey`] | one key: label, filters, suite, epochs |
//! | [`key_line`] | a key as one line of text, to hand to another person |
//! | [`key_file`] | many keys with all their epochs, in an `age` file under a passphrase |
//! | [`fernet_key`] | a key file as Python's `cryptography` writes it |
//! | [`passphrase`] | a key from words that people tell each other |
//! | [`PasswordKeys`] | a password turned into what the station may see and what opens the vault |
//! | [`legacy`] | a key for the programs of an older system |
//! | [`People`] | whose signatures this account knows |
//! | [`Vault`] | the keyring encrypted, under a secret that password and recovery codes unwrap |
//! | [`strength`] | whether a password is good enough |

mod boxed;
pub mod fernet_key;
pub mod key_file;
pub mod key_line;
mod keyring;
pub mod legacy;
pub mod passphrase;
mod password;
mod people;
mod random;
mod record;
mod recovery;
mod strength;
mod topic_key;
mod vault;

pub use keyring::{Consent, Edited, ImportReport, Imported, Keyring, KeyringError, OpenedWith};
pub use password::{KdfError, KdfParams, Password, PasswordKeys};
pub use people::{Learned, MAX_PEOPLE, People, Sender};
pub use random::NoRandomness;
pub use recovery::{RECOVERY_CODES, RecoveryCode, RecoveryCodeError};
pub use strength::{MIN_PASSWORD_CHARS, Strength, strength};
pub use topic_key::{Epoch, KeyError, MAX_FILTERS, MAX_LABEL_CHARS, RETIRED_GRACE_MS, TopicKey};
pub use vault::{SealedVault, Vault, VaultError, VaultSecret, WrappedSecret};
