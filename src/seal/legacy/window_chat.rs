//! System 003: a chat in a window.
//!
//! The key is PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2) of the passphrase with one salt for everybody, so that a guess once
//! computed serves against every chat. A message is JSON as Python's `json.dumps` writes it: `{"username": "…", "text": "…"}`
//! with a space after each colon and comma, and all that is not printable ASCII as `\uXXXX`, in UTF-16.

use std::borrow::Cow;

use serde::Deserialize;

use super::{PassphraseError, ShapeError, Spoken};
use crate::seal::EpochSecret;

const SALT: &[u8] = b"static_salt_value";
const ITERATIONS: u32 = 100_000;
/// The program's own limits: characters of a passphrase and of a name, bytes of a text.
const LEAST_PASSPHRASE: usize = 8;
const MOST_AUTHOR: usize = 50;
const MOST_TEXT: usize = 256 * 1024;

pub(super) fn secret(passphrase: &str) -> Result<EpochSecret, PassphraseError> {
    let passphrase = strip(passphrase);
    let characters = passphrase.chars().count();
    if characters < LEAST_PASSPHRASE {
        return Err(PassphraseError::TooShort(characters));
    }
    let mut derived = zeroize::Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(passphrase.as_bytes(), SALT, ITERATIONS, &mut *derived);
    Ok(EpochSecret::from_bytes(*derived))
}

/// What Python's `str.strip` takes off: white space, and the four separators of ASCII, which Unicode does not count as such.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

pub(super) fn compose(spoken: &Spoken) -> Result<String, ShapeError> {
    let author = spoken.author.as_deref().filter(|author| !strip(author).is_empty());
    let author = author.ok_or(ShapeError::NoAuthor)?;
    match author.chars().count() {
        0..=MOST_AUTHOR => {}
        long => return Err(ShapeError::LongAuthor(long)),
    }
    if strip(&spoken.text).is_empty() {
        return Err(ShapeError::NoWords);
    }
    if spoken.text.len() > MOST_TEXT {
        return Err(ShapeError::LongText(spoken.text.len()));
    }
    let mut out = String::with_capacity(spoken.text.len() + 64);
    out.push_str("{\"username\": ");
    quote(&mut out, author);
    out.push_str(", \"text\": ");
    quote(&mut out, &spoken.text);
    out.push('}');
    Ok(out)
}

/// A string as `json.dumps` writes it with `ensure_ascii`.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str("\\u");
                    for shift in [12, 8, 4, 0] {
                        out.push(char::from_digit(u32::from(*unit >> shift & 0xf), 16).unwrap_or('0'));
                    }
                }
            }
        }
    }
    out.push('"');
}

/// As tolerant as the program: fields in any order, and others beside them.
#[derive(Deserialize)]
struct Message {
    username: String,
    text: String,
}

pub(super) fn parse(text: &str) -> Result<Spoken, ShapeError> {
    let message: Message =
        serde_json::from_str(&mend_surrogates(text)).map_err(|_| ShapeError::NotAChatMessage)?;
    Ok(Spoken { author: Some(message.username), text: message.text, ..Spoken::default() })
}

/// Python writes and reads half a surrogate pair, which no Rust string can hold: it reads as U+FFFD.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    // The UTF-16 unit that an escape at this place stands for.
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = String::new();
    let (mut at, mut kept) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(&text[kept..at]);
                mended.push_str("\\ufffd");
                at += 6;
                kept = at;
            }
            (Some(_), _) => at += 6,
            // Another escape, of which the second character may be a backslash.
            (None, _) => at += 2,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[kept..]);
    Cow::Owned(mended)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn says(author: &str, text: &str) -> Spoken {
        Spoken { author: Some(author.to_owned()), text: text.to_owned(), ..Spoken::default() }
    }

    #[test]
    fn the_passphrase_is_stripped_and_stretched_as_the_program_does() {
        let expected = URL_SAFE.decode("xFUfaq9Wce9x2wD1oB3WjxPfSz23bCWPIAaSfM4ruzo=").unwrap();
        for text in ["correct horse battery", " \tcorrect horse battery\n", "\x1ccorrect horse battery"] {
            assert_eq!(secret(text).unwrap().expose()[..], expected[..]);
        }
        assert_eq!(secret("  short  ").unwrap_err(), PassphraseError::TooShort(5));
    }

    #[test]
    fn a_message_is_written_as_python_writes_it() {
        let written = |author: &str, text: &str| compose(&says(author, text)).unwrap();
        assert_eq!(written("alice", "hello"), r#"{"username": "alice", "text": "hello"}"#);
        // Made with Python 3: json.dumps({"username": "Åsa", "text": …}).
        assert_eq!(
            written("Åsa", "a\"b\\c/d\n\t\r\u{8}\u{c}\u{1}\u{7f} 😀 \u{2028}"),
            r#"{"username": "\u00c5sa", "text": "a\"b\\c/d\n\t\r\b\f\u0001\u007f \ud83d\ude00 \u2028"}"#
        );
    }

    #[test]
    fn what_the_program_would_not_send_is_refused_by_name() {
        assert_eq!(compose(&says("", "x")), Err(ShapeError::NoAuthor));
        assert_eq!(compose(&says(&"å".repeat(50), "x")).map(|_| ()), Ok(()));
        assert_eq!(compose(&says(&"å".repeat(51), "x")), Err(ShapeError::LongAuthor(51)));
        assert_eq!(compose(&says("alice", " \n")), Err(ShapeError::NoWords));
        assert_eq!(compose(&says("alice", &"å".repeat(MOST_TEXT / 2))).map(|_| ()), Ok(()));
        let long = "x".repeat(MOST_TEXT + 1);
        assert_eq!(compose(&says("alice", &long)), Err(ShapeError::LongText(MOST_TEXT + 1)));
    }

    #[test]
    fn what_the_program_reads_is_read_and_the_rest_is_told() {
        assert_eq!(parse(r#"{"text":"hi","username":"b","at":1}"#), Ok(says("b", "hi")));
        for text in ["", "alice: hello", r#"{"username": "b"}"#, r#"{"username": "b", "text": 5}"#] {
            assert_eq!(parse(text), Err(ShapeError::NotAChatMessage), "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_does_not_hide_a_message() {
        let read = |text: &str| parse(&format!(r#"{{"username": "b", "text": "{text}"}}"#)).unwrap().text;
        assert_eq!(read(r"a\ud83d!"), "a\u{fffd}!");
        assert_eq!(read(r"\ud83d\ud83d\ude00"), "\u{fffd}😀");
        assert_eq!(read(r"\\ud83d"), r"\ud83d", "an escaped backslash is no escape");
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(author in ".{1,50}", text in "\\PC{0,200}") {
            if let Ok(written) = compose(&says(&author, &text)) {
                prop_assert!(written.is_ascii());
                prop_assert_eq!(parse(&written), Ok(says(&author, &text)));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in r#"[\\ud8cf0-9"{}:, username]{0,40}"#) {
            let _ = parse(&text);
        }
    }
}
