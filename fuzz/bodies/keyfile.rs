//! Arbitrary bytes into what reads `age` key files, and into what reads the JSON or the key lines inside one.
//!
//! The first byte says which. A file says itself how much work opening it takes, so one that asks for much is left out here;
//! that such a file is refused, the key file's own tests show.

use std::io::{Read, Write};

use age::{
    Encryptor, Recipient,
    armor::{ArmoredReader, ArmoredWriter, Format},
    scrypt,
    secrecy::SecretString,
};
use sealwire::keys::{
    Password,
    key_file::{self, KeyFileError},
    key_line,
};

use super::keyline::same;

const PASSPHRASE: &str = "lantern gravel otter mosaic";
/// scrypt's N is 2 to this: nothing to wait for.
const WORK_FACTOR: u8 = 1;
/// The most that a file from the fuzzer may ask for: a millisecond or two.
const MAX_WORK_FACTOR: u32 = 9;

/// One case.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 4 {
        0 => inside(bytes),
        1 => file(bytes),
        2 => file(&armored(bytes)),
        _ => altered(bytes),
    }
}

fn read(file: &[u8]) -> Result<Vec<sealwire::keys::TopicKey>, KeyFileError> {
    key_file::read(file, &Password::new(PASSPHRASE))
}

/// What stands under a seal that holds.
fn inside(contents: &[u8]) {
    match read(&sealed(contents)) {
        Ok(keys) => {
            assert!((1..=key_file::MAX_FILE_KEYS).contains(&keys.len()));
            for key in keys {
                let again = key_line::read(&key_line::write(&key)).expect("what was read can be written");
                assert!(same(&key, &again), "{key:?} is read as {again:?}");
            }
        }
        Err(error) => assert!(
            matches!(
                error,
                KeyFileError::NoKeys
                    | KeyFileError::TooLarge
                    | KeyFileError::Newer
                    | KeyFileError::Malformed
                    | KeyFileError::Line { .. }
            ),
            "the file holds: {error}"
        ),
    }
}

/// Nobody but the fuzzer's luck has a tag that holds.
fn file(bytes: &[u8]) {
    if affordable(bytes) {
        let error = read(bytes).expect_err("a tag that nobody made");
        assert!(!error.to_string().is_empty());
    }
}

/// A file that was right until a byte of it was changed, or its end cut off.
fn altered(bytes: &[u8]) {
    let &[high, low, by, ..] = bytes else { return };
    let mut right = sealed(b"{\"sealwire-keys\":1,\"keys\":[]}");
    assert_eq!(read(&right).expect_err("no key in it"), KeyFileError::NoKeys);
    let at = usize::from(u16::from_be_bytes([high, low])) % right.len();
    match by {
        0 => right.truncate(at),
        _ => right[at] ^= by,
    }
    if affordable(&right) {
        let error = read(&right).expect_err("it was altered");
        assert_ne!(error, KeyFileError::NoKeys, "it opened");
    }
}

/// A binary file under the passphrase.
fn sealed(contents: &[u8]) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(PASSPHRASE));
    recipient.set_work_factor(WORK_FACTOR);
    let recipient: &dyn Recipient = &recipient;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).expect("one recipient");
    let mut writer = encryptor.wrap_output(Vec::new()).expect("it fits");
    writer.write_all(contents).expect("it fits");
    writer.finish().expect("it fits")
}

fn armored(bytes: &[u8]) -> Vec<u8> {
    let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).expect("it fits");
    writer.write_all(bytes).expect("it fits");
    writer.finish().expect("it fits")
}

/// Whether every work factor in it is low: the last word of a line `-> scrypt SALT FACTOR`.
fn affordable(file: &[u8]) -> bool {
    let mut binary = Vec::new();
    // What stands before a fault in the armour counts too.
    let _ = ArmoredReader::new(file).read_to_end(&mut binary);
    let text = String::from_utf8_lossy(&binary);
    text.lines()
        .filter_map(|line| line.strip_prefix("-> scrypt"))
        .filter_map(|words| words.split_whitespace().last()?.parse().ok())
        .all(|factor: u32| factor <= MAX_WORK_FACTOR)
}
