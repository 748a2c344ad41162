//! System 002: a chat in the terminal.
//!
//! 32 characters are the key: their bytes, the first 16 for the MAC and the last 16 for the cipher. A passphrase that
//! people can remember is far weaker than 32 random bytes. A message is `<username>: <text>`, and the leave notice
//! `<username> has left the chat`.

use super::{PassphraseError, ShapeError, Spoken};
use crate::seal::EpochSecret;

const LEFT: &str = " has left the chat";

pub(super) fn secret(passphrase: &str) -> Result<EpochSecret, PassphraseError> {
    // Counted in characters, as the program does; those that are more than a byte fail it only later.
    let characters = passphrase.chars().count();
    if characters != 32 {
        return Err(PassphraseError::NotThirtyTwo(characters));
    }
    if let Some((at, character)) = passphrase.chars().enumerate().find(|(_, character)| !character.is_ascii())
    {
        return Err(PassphraseError::NotAscii { character, position: at + 1 });
    }
    let bytes = passphrase.as_bytes().first_chunk().ok_or(PassphraseError::NotThirtyTwo(characters))?;
    Ok(EpochSecret::from_bytes(*bytes))
}

pub(super) fn compose(spoken: &Spoken) -> Result<String, ShapeError> {
    let author = spoken.author.as_deref().filter(|author| !author.trim().is_empty());
    let author = author.ok_or(ShapeError::NoAuthor)?;
    // Before the words of the leave notice, which begin with a space, one colon at the end is enough.
    let divided = author.contains(": ") || spoken.leaves && author.ends_with(':');
    if divided || author.contains(['\n', '\r']) {
        return Err(ShapeError::AmbiguousAuthor);
    }
    // An empty message is sent by the program too.
    Ok(if spoken.leaves { format!("{author}{LEFT}") } else { format!("{author}: {}", spoken.text) })
}

/// Never fails: the program prints whatever opens.
pub(super) fn parse(text: &str) -> Spoken {
    if let Some((author, words)) = text.split_once(": ") {
        return Spoken { author: Some(author.to_owned()), text: words.to_owned(), ..Spoken::default() };
    }
    match text.strip_suffix(LEFT) {
        Some(author) => Spoken { author: Some(author.to_owned()), leaves: true, ..Spoken::default() },
        None => Spoken { text: text.to_owned(), ..Spoken::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(author: &str, text: &str) -> Spoken {
        Spoken { author: Some(author.to_owned()), text: text.to_owned(), ..Spoken::default() }
    }

    #[test]
    fn thirty_two_characters_are_the_key() {
        let made = secret("01234567890123456789012345678912").unwrap();
        assert_eq!(made.expose(), b"01234567890123456789012345678912");
        assert!(secret(" 1234567890123456789012345678912").is_ok(), "a space counts");
    }

    #[test]
    fn other_lengths_and_accents_are_refused_by_the_fact() {
        let refused = |text: &str| secret(text).unwrap_err();
        assert_eq!(refused("short"), PassphraseError::NotThirtyTwo(5));
        assert_eq!(refused(&"x".repeat(33)), PassphraseError::NotThirtyTwo(33));
        // 32 bytes, but 16 characters; and 32 characters, but 33 bytes.
        assert_eq!(refused(&"ü".repeat(16)), PassphraseError::NotThirtyTwo(16));
        let accented = format!("{}ü", "x".repeat(31));
        assert_eq!(refused(&accented), PassphraseError::NotAscii { character: 'ü', position: 32 });
    }

    #[test]
    fn messages_and_the_leave_notice_go_both_ways() {
        let leaving = Spoken { leaves: true, ..says("daniel", "") };
        for (spoken, text) in [
            (says("daniel", "hello"), "daniel: hello"),
            (says("Åsa", "tid: 10:30 ✓"), "Åsa: tid: 10:30 ✓"),
            (says("daniel", ""), "daniel: "),
            (leaving, "daniel has left the chat"),
        ] {
            assert_eq!(compose(&spoken).unwrap(), text);
            assert_eq!(parse(text), spoken);
        }
        assert_eq!(parse("what is this").author, None);
        assert_eq!(compose(&says(" ", "x")), Err(ShapeError::NoAuthor));
        assert_eq!(compose(&says("a: b", "x")), Err(ShapeError::AmbiguousAuthor));
        assert!(compose(&says("a:", "x")).is_ok(), "its words begin after the last colon");
        let leaving = Spoken { leaves: true, ..says("a:", "") };
        assert_eq!(compose(&leaving), Err(ShapeError::AmbiguousAuthor), "it would read as words of “a”");
    }
}
