//! A topic key as one line of text, to hand to another person: `sealwire-key:` and base64url without padding.
//!
//! Inside stands deterministic CBOR, `[1, label, suite, [filters], epoch number, created ms, secret]`, or, for a key that asks
//! for signatures or follows a legacy profile, `[2, …the same…, signatures, profile or ""]`; then the first four bytes of its
//! SHA-256, so that a typo is told from a cut and from a newer version. Only the current epoch is handed on: a new
//! member reads from now on. Spaces and line breaks, as chat programs put them in, do no harm. `docs/keys.md`
//! specifies it.
//!
//! Whoever reads the line has the key: it is to be shown only when asked for, and handed on only by a channel that is
//! trusted.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    fernet_key,
    topic_key::{Epoch, KeyError, TopicKey},
};
use crate::{
    seal::{
        EpochSecret, Signatures, UnknownSuite, cbor,
        legacy::{Profile, UnknownProfile},
    },
    topic::{TopicError, TopicFilter},
};

/// How every key line begins.
pub const PREFIX: &str = "sealwire-key:";
/// Of a key that is no more than a key.
const PLAIN: u64 = 1;
/// Of one with signatures or a profile: a program that knows only version 1 must not take it for a plain one.
const FULL: u64 = 2;
const CHECKSUM_LEN: usize = 4;

/// Without padding; what the last character has to spare is left to the checksum to judge.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Why a text is not a key line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyLineError {
    /// It does not begin like one.
    #[error("this is not a Sealwire key: one begins with “sealwire-key:”; copy the whole line")]
    NotAKeyLine,
    /// It looks like a Fernet key instead.
    #[error(
        "this is a Fernet key and no Sealwire key: give it as a Fernet key file (in the terminal with --fernet)"
    )]
    FernetKey,
    /// A character that no key line has.
    #[error(
        "“{character}” (character {position}) is not part of a key: look there for a typo, or copy the line again"
    )]
    BadCharacter {
        /// The character.
        character: char,
        /// Its place, counted from 1, spaces left out.
        position: usize,
    },
    /// The end is missing.
    #[error("the key is cut short: its end is missing; copy the whole line")]
    CutShort,
    /// Something follows the end.
    #[error("something follows the end of the key: copy that line alone")]
    TooLong,
    /// The checksum does not agree.
    #[error("the key has a typo: its checksum does not agree; copy the line again")]
    Typo,
    /// Whole, but of a later version.
    #[error("this key was made by a newer Sealwire (key version {0}): update this one")]
    Newer(u64),
    /// Whole, but its suite is not known.
    #[error(transparent)]
    Suite(#[from] UnknownSuite),
    /// Whole, but its profile is not known.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    /// Whole, but a filter is not valid.
    #[error("the key is for a topic filter that is not valid: {0}")]
    Filter(#[from] TopicError),
    /// Whole, but not a possible key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Whole, but not what a key line holds.
    #[error("the key was made by a faulty program: ask for a new one")]
    Malformed,
}

/// Writes the key's current epoch.
#[must_use]
pub fn write(key: &TopicKey) -> Zeroizing<String> {
    let epoch = key.current();
    let text_len =
        key.label().len() + key.filters().iter().map(|filter| filter.as_str().len() + 9).sum::<usize>();
    let is_plain = key.signatures() == Signatures::Off && key.profile().is_none();
    let mut out = Zeroizing::new(Vec::with_capacity(text_len + 192));
    cbor::head(&mut out, cbor::ARRAY, if is_plain { 7 } else { 9 });
    cbor::head(&mut out, cbor::UINT, if is_plain { PLAIN } else { FULL });
    cbor::text(&mut out, key.label());
    cbor::text(&mut out, key.suite().name());
    cbor::head(&mut out, cbor::ARRAY, key.filters().len() as u64);
    key.filters().iter().for_each(|filter| cbor::text(&mut out, filter.as_str()));
    cbor::head(&mut out, cbor::UINT, u64::from(epoch.number()));
    cbor::head(&mut out, cbor::UINT, epoch.created_ms());
    cbor::bytes(&mut out, epoch.secret().expose());
    if !is_plain {
        cbor::text(&mut out, signatures_name(key.signatures()));
        cbor::text(&mut out, key.profile().map_or("", Profile::name));
    }
    let checksum = checksum(&out);
    out.extend_from_slice(&checksum);
    let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + out.len() * 4 / 3 + 4));
    line.push_str(PREFIX);
    BASE64.encode_string(&*out, &mut line);
    line
}

/// Reads a key line, with any space in it.
///
/// # Errors
/// What is wrong with it, as told to a person who copied it.
pub fn read(text: &str) -> Result<TopicKey, KeyLineError> {
    // With room from the start: a buffer that grew would leave copies of the key behind in memory.
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|character| !character.is_whitespace()));
    let Some(encoded) = compact.strip_prefix(PREFIX) else {
        let is_fernet = fernet_key::read(text.as_bytes()).is_ok();
        return Err(if is_fernet { KeyLineError::FernetKey } else { KeyLineError::NotAKeyLine });
    };
    let is_foreign =
        |character: char| !character.is_ascii_alphanumeric() && character != '-' && character != '_';
    if let Some((at, character)) = encoded.chars().enumerate().find(|(_, character)| is_foreign(*character)) {
        return Err(KeyLineError::BadCharacter { character, position: PREFIX.len() + at + 1 });
    }
    // Four characters are three bytes, and one alone is none: only a cut leaves one.
    let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| KeyLineError::CutShort)?);
    let mut reader = cbor::Reader::new(&bytes);
    let content = read_content(&mut reader);
    match bytes.split_last_chunk::<CHECKSUM_LEN>() {
        Some((covered, claimed)) if checksum(covered) == *claimed => {
            let content = content.map_err(|flaw| newer(covered).unwrap_or(flaw))?;
            if reader.rest().len() == CHECKSUM_LEN {
                content.into_key()
            } else {
                Err(KeyLineError::Malformed)
            }
        }
        _ => Err(match (content, reader.rest().len()) {
            (Err(KeyLineError::CutShort), _) | (Ok(_), 0..CHECKSUM_LEN) => KeyLineError::CutShort,
            (Ok(_), CHECKSUM_LEN) | (Err(_), _) => KeyLineError::Typo,
            (Ok(_), _) => KeyLineError::TooLong,
        }),
    }
}

struct Content<'a> {
    label: &'a str,
    suite: &'a str,
    filters: Vec<&'a str>,
    number: u64,
    created_ms: u64,
    secret: EpochSecret,
    signatures: &'a str,
    profile: &'a str,
}

impl Content<'_> {
    fn into_key(self) -> Result<TopicKey, KeyLineError> {
        let suite = self.suite.parse()?;
        let filters = self.filters.into_iter().map(TopicFilter::new).collect::<Result<_, _>>()?;
        let number = u32::try_from(self.number).map_err(|_| KeyLineError::Malformed)?;
        let epoch = Epoch::new(number, self.secret, suite, self.created_ms, None);
        let signatures = SIGNATURES.into_iter().find(|known| signatures_name(*known) == self.signatures);
        let profile = match self.profile {
            "" => None,
            name => Some(name.parse::<Profile>()?),
        };
        let key = TopicKey::from_parts(self.label, filters, suite, vec![epoch], true)?;
        Ok(key.with_signatures(signatures.ok_or(KeyLineError::Malformed)?).with_profile(profile))
    }
}

fn read_content<'a>(reader: &mut cbor::Reader<'a>) -> Result<Content<'a>, KeyLineError> {
    let flaw = |flaw| match flaw {
        cbor::Flaw::CutShort(_) => KeyLineError::CutShort,
        cbor::Flaw::Unexpected => KeyLineError::Malformed,
    };
    let parts = reader.head(cbor::ARRAY).map_err(flaw)?;
    let version = reader.head(cbor::UINT).map_err(flaw)?;
    if !matches!((parts, version), (7, PLAIN) | (9, FULL)) {
        return Err(KeyLineError::Malformed);
    }
    let label = reader.text().map_err(flaw)?;
    let suite = reader.text().map_err(flaw)?;
    let count = reader.head(cbor::ARRAY).map_err(flaw)?;
    let mut filters = Vec::new();
    for _ in 0..count {
        filters.push(reader.text().map_err(flaw)?);
    }
    let number = reader.head(cbor::UINT).map_err(flaw)?;
    let created_ms = reader.head(cbor::UINT).map_err(flaw)?;
    let secret = EpochSecret::from_bytes(reader.bytes_of().map_err(flaw)?);
    let (signatures, profile) = match version {
        FULL => (reader.text().map_err(flaw)?, reader.text().map_err(flaw)?),
        _ => (signatures_name(Signatures::Off), ""),
    };
    Ok(Content { label, suite, filters, number, created_ms, secret, signatures, profile })
}

const SIGNATURES: [Signatures; 3] = [Signatures::Off, Signatures::Accept, Signatures::Require];

const fn signatures_name(signatures: Signatures) -> &'static str {
    match signatures {
        Signatures::Off => "off",
        Signatures::Accept => "accept",
        Signatures::Require => "require",
    }
}

/// The error for a whole line of a later version, whatever that holds besides.
fn newer(covered: &[u8]) -> Option<KeyLineError> {
    let mut reader = cbor::Reader::new(covered);
    reader.head(cbor::ARRAY).ok()?;
    reader.head(cbor::UINT).ok().filter(|version| *version > FULL).map(KeyLineError::Newer)
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut checksum = [0; CHECKSUM_LEN];
    checksum.copy_from_slice(&Sha256::digest(content)[..CHECKSUM_LEN]);
    checksum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seal::Suite;

    fn key() -> TopicKey {
        let filters = vec![TopicFilter::new("plant/press/#").unwrap(), TopicFilter::new("°C").unwrap()];
        let secret = EpochSecret::from_bytes(std::array::from_fn(|at| at as u8));
        TopicKey::from_secret("Press hall", filters, Suite::CoseChaCha20, secret, 1_700_000_000_000).unwrap()
    }

    fn line() -> String {
        write(&key()).to_string()
    }

    #[test]
    fn a_key_goes_over_as_one_line_and_comes_back_whole() {
        let read = read(&line()).unwrap();
        assert_eq!(
            (read.label(), read.suite(), read.filters()),
            ("Press hall", Suite::CoseChaCha20, key().filters())
        );
        assert_eq!((read.kid(), read.current().number()), (key().kid(), 1));
        assert_eq!(read.current().created_ms(), 1_700_000_000_000);
        assert!(!line().contains(char::is_whitespace));
    }

    #[test]
    fn a_key_with_signatures_or_a_profile_keeps_them_and_a_plain_one_is_written_as_before() {
        let full = key().with_signatures(Signatures::Require);
        let back = read(&write(&full)).unwrap();
        assert_eq!((back.signatures(), back.profile(), back.kid()), (Signatures::Require, None, key().kid()));
        let secret = EpochSecret::from_bytes([5; 32]);
        let filters = vec![TopicFilter::new("movantchat/python").unwrap()];
        let legacy = TopicKey::from_secret("Chat", filters, Suite::Fernet, secret, 1).unwrap();
        let legacy = legacy.with_profile(Some(Profile::RoomChat));
        let back = read(&write(&legacy)).unwrap();
        assert_eq!((back.signatures(), back.profile()), (Signatures::Off, Some(Profile::RoomChat)));
        // Byte for byte what version 1 wrote: docs/keys.md has it.
        assert_eq!(line(), PLAIN_VECTOR);
        assert_eq!(*write(&full), FULL_VECTOR);
        for end in PREFIX.len()..FULL_VECTOR.len() {
            assert_eq!(read(&FULL_VECTOR[..end]).unwrap_err(), KeyLineError::CutShort, "{end}");
        }
    }

    const PLAIN_VECTOR: &str = "sealwire-key:hwFqUHJlc3MgaGFsbG1jb3NlLWNoYWNoYTIwgm1wbGFudC9wcmVzcy8jY8KwQwEbAAABi8_laABYIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fQq8l2Q";
    const FULL_VECTOR: &str = "sealwire-key:iQJqUHJlc3MgaGFsbG1jb3NlLWNoYWNoYTIwgm1wbGFudC9wcmVzcy8jY8KwQwEbAAABi8_laABYIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fZ3JlcXVpcmVg75OAug";

    #[test]
    fn line_breaks_and_spaces_on_the_way_do_no_harm() {
        let wrapped: String = line()
            .chars()
            .enumerate()
            .flat_map(|(at, c)| [(at % 30 == 29).then_some('\n'), Some(c)])
            .flatten()
            .collect();
        assert!(read(&format!("  {wrapped}\r\n")).is_ok());
    }

    #[test]
    fn a_cut_anywhere_is_told_as_a_cut() {
        for end in PREFIX.len()..line().len() {
            assert_eq!(read(&line()[..end]).unwrap_err(), KeyLineError::CutShort, "{end}");
        }
        assert_eq!(read(&line()[..5]).unwrap_err(), KeyLineError::NotAKeyLine);
    }

    #[test]
    fn what_follows_a_foreign_character_and_a_fernet_key_are_named() {
        assert_eq!(read(&format!("{}AAAA", line())).unwrap_err(), KeyLineError::TooLong);
        let foreign = KeyLineError::BadCharacter { character: '*', position: 20 };
        assert_eq!(read(&format!("{}*{}", &line()[..19], &line()[20..])).unwrap_err(), foreign);
        let fernet = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(read(fernet).unwrap_err(), KeyLineError::FernetKey);
        assert_eq!(read("hello").unwrap_err(), KeyLineError::NotAKeyLine);
    }

    #[test]
    fn a_later_version_is_named_as_such() {
        let mut bytes = vec![0x82, 0x03, 0x63];
        bytes.extend_from_slice(b"new");
        let sum = checksum(&bytes);
        bytes.extend(sum);
        assert_eq!(read(&format!("{PREFIX}{}", BASE64.encode(bytes))).unwrap_err(), KeyLineError::Newer(3));
    }

    proptest! {
        #[test]
        fn any_single_typo_is_noticed(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_-]") {
            let line = line();
            let at = PREFIX.len() + at.index(line.len() - PREFIX.len());
            let typo = format!("{}{with}{}", &line[..at], &line[at + 1..]);
            if typo != line {
                // The last character may have bits to spare, which do not matter.
                let read = read(&typo);
                prop_assert!(read.is_err() || (at == line.len() - 1 && read.unwrap().kid() == key().kid()));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(sealwire-key:)?[ -~]{0,80}") {
            let _ = read(&text);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let bytes = [&bytes[..], &checksum(&bytes)].concat();
            let _ = read(&format!("{PREFIX}{}", BASE64.encode(bytes)));
        }
    }
}
