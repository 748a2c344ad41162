//! Topic keys in a file under a passphrase: for a backup, or for another account of one's own.
//!
//! The file is an `age` file (age-encryption.org/v1, armored) with one scrypt recipient, so `age -d` and `rage -d` open
//! it too. Inside is JSON, `{"sealwire-keys": 1, "keys": […]}`, each key with all its epochs as in the vault; or, where
//! somebody made the file with `age -p` by hand, key lines, one a line. `docs/keys.md` specifies both.
//!
//! A passphrase has to be strong, because a file can be guessed at for ever; who calls [`write()`] has to see to it with
//! [`super::strength`].

use std::io::{Read, Write};

use age::{
    DecryptError, Decryptor, Encryptor, Identity, Recipient,
    armor::{ArmoredReader, ArmoredWriter, Format},
    scrypt,
    secrecy::SecretString,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    key_line::{self, KeyLineError},
    password::Password,
    record::{KeyRecord, to_json},
    topic_key::TopicKey,
};

/// The largest file that is read, in bytes: some thousand keys.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// The most keys that a file may have.
pub const MAX_FILE_KEYS: usize = 1_024;
const VERSION: u32 = 1;
/// What `age` encrypts at a time.
const CHUNK: usize = 64 << 10;
/// scrypt's N is 2 to this, as `age` has it: 256 MiB and some tenths of a second.
const WORK_FACTOR: u8 = 18;
/// The most that a file may ask for: 1 GiB. A hostile file must not stall the computer.
const MAX_WORK_FACTOR: u8 = 20;

/// Why a key file was not written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// No key to write.
    #[error("there is no key to write")]
    NoKeys,
    /// Not an age file.
    #[error(
        "this is not a key file: one begins with “-----BEGIN AGE ENCRYPTED FILE-----” or “age-encryption.org/v1”"
    )]
    NotAKeyFile,
    /// An age file for somebody's key, not for a passphrase.
    #[error("this age file is not under a passphrase but for somebody's key: open it with age first")]
    NoPassphrase,
    /// Larger than [`MAX_FILE_BYTES`], or more keys than [`MAX_FILE_KEYS`].
    #[error("the file is too large for a key file (4 MiB and 1,024 keys at most)")]
    TooLarge,
    /// The passphrase does not open it, or its header was altered.
    #[error("the passphrase does not open this file: check it, capitals and spaces too")]
    WrongPassphrase,
    /// It would take more work to open than this program does for a file.
    #[error(
        "opening this file would take more than 1 GiB of memory: write it again with a work factor of at most 20"
    )]
    TooMuchWork,
    /// A key line, which is under no passphrase.
    #[error(
        "this is a key line, under no passphrase: give it as one (in the terminal with --key-line, or to key import)"
    )]
    KeyLine,
    /// Opened in part: cut short, or altered.
    #[error("the file is damaged: it was cut short or altered; take another copy")]
    Damaged,
    /// Opened, and made by a later program.
    #[error("the file was made by a newer Sealwire: update this one")]
    Newer,
    /// Opened, but not what a key file holds.
    #[error("the file opened, and what is in it are no topic keys")]
    Malformed,
    /// Opened, but a key line in it is wrong.
    #[error("line {line} of the file: {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        error: KeyLineError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents<'a> {
    #[serde(rename = "sealwire-keys")]
    version: u32,
    #[serde(borrow)]
    keys: Vec<KeyRecord<'a>>,
}

/// Only the version, of whatever else there may be.
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "sealwire-keys")]
    version: u32,
}

/// Writes keys with all their epochs. Takes as long as [`read`].
///
/// # Errors
/// No keys.
pub fn write(keys: &[TopicKey], passphrase: &Password) -> Result<Vec<u8>, KeyFileError> {
    write_with(keys, passphrase, WORK_FACTOR)
}

fn write_with(keys: &[TopicKey], passphrase: &Password, work_factor: u8) -> Result<Vec<u8>, KeyFileError> {
    if keys.is_empty() {
        return Err(KeyFileError::NoKeys);
    }
    if keys.len() > MAX_FILE_KEYS {
        return Err(KeyFileError::TooLarge);
    }
    let contents = Contents { version: VERSION, keys: keys.iter().map(KeyRecord::from).collect() };
    let plaintext = to_json(&contents, padded).map_err(|_| KeyFileError::Malformed)?;
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.expose()));
    recipient.set_work_factor(work_factor);
    encrypt(&recipient, &plaintext).map_err(|_| KeyFileError::Malformed)
}

/// Room for what follows the content in spaces. `age`'s writer does not wipe its buffer of one chunk, so what is written
/// last has to cover all of it that was in use; and so the file's size does not tell how many keys there are.
fn padded(len: usize) -> usize {
    len.next_multiple_of(CHUNK) + len.min(CHUNK).next_multiple_of(4096)
}

fn encrypt(recipient: &dyn Recipient, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient))?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(plaintext)?;
    Ok(writer.finish()?.finish()?)
}

/// Reads a key file, armored or not. Takes some tenths of a second and 256 MiB, or up to 1 GiB where the file asks for
/// that: never on a thread that must answer.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &[u8], passphrase: &Password) -> Result<Vec<TopicKey>, KeyFileError> {
    let plaintext = decrypt(file, passphrase)?;
    let keys = match plaintext.trim_ascii_start().first() {
        Some(b'{') => read_json(&plaintext)?,
        _ => read_lines(&plaintext)?,
    };
    match keys.len() {
        0 => Err(KeyFileError::NoKeys),
        1..=MAX_FILE_KEYS => Ok(keys),
        _ => Err(KeyFileError::TooLarge),
    }
}

fn decrypt(file: &[u8], passphrase: &Password) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    if file.trim_ascii_start().starts_with(b"sealwire-key") {
        return Err(KeyFileError::KeyLine);
    }
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(file)).map_err(|error| refusal(&error))?;
    if !decryptor.is_scrypt() {
        return Err(KeyFileError::NoPassphrase);
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.expose()));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let identity: &dyn Identity = &identity;
    let mut reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| refusal(&error))?;
    // What is inside is shorter than the file, so the buffer never grows and leaves no copy behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(file.len()));
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        match reader.read(&mut *chunk) {
            Ok(0) => return Ok(plaintext),
            Ok(len) => plaintext.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(KeyFileError::Damaged),
        }
    }
}

fn refusal(error: &DecryptError) -> KeyFileError {
    match error {
        DecryptError::ExcessiveWork { .. } => KeyFileError::TooMuchWork,
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            KeyFileError::WrongPassphrase
        }
        DecryptError::InvalidMac | DecryptError::InvalidHeader => KeyFileError::Damaged,
        DecryptError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => KeyFileError::Damaged,
        _ => KeyFileError::NotAKeyFile,
    }
}

fn read_json(plaintext: &[u8]) -> Result<Vec<TopicKey>, KeyFileError> {
    let version: Version = serde_json::from_slice(plaintext).map_err(|_| KeyFileError::Malformed)?;
    if version.version > VERSION {
        return Err(KeyFileError::Newer);
    }
    let contents: Contents<'_> = serde_json::from_slice(plaintext).map_err(|_| KeyFileError::Malformed)?;
    let keys = contents.keys.into_iter().map(TopicKey::try_from);
    keys.collect::<Result<_, _>>().map_err(|_| KeyFileError::Malformed)
}

fn read_lines(plaintext: &[u8]) -> Result<Vec<TopicKey>, KeyFileError> {
    let text = std::str::from_utf8(plaintext).map_err(|_| KeyFileError::Malformed)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let key = |(at, line)| key_line::read(line).map_err(|error| KeyFileError::Line { line: at + 1, error });
    lines.map(key).collect()
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
