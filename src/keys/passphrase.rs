//! A topic key from a passphrase that people tell each other, for a room that they name.
//!
//! `Argon2id(passphrase, salt, 64 MiB, t=3, p=4, 32)` (RFC 9106) is the epoch secret; the salt is the first 16 bytes of
//! `SHA-256("sealwire/1 room" ‖ 0 ‖ room)`. Passphrase and room are taken in Unicode's normal form C (RFC 8265 §4.2) and are
//! not trimmed. So the same two texts give the same key, and key id, on every computer. The salt is no secret: rooms
//! keep one guess from being tried against all of them at once, and nothing but the passphrase keeps it from being made.

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::{
    password::{KdfError, KdfParams, Password},
    random::{NoRandomness, random},
};
use crate::seal::EpochSecret;

const ROOM_LABEL: &[u8] = b"sealwire/1 room\0";
/// Words of a suggested passphrase: 11 bits each, 66 in all, on top of what Argon2id costs a guesser.
const WORDS: usize = 6;

/// The secret of the topic key for this room and passphrase. Takes as long and as much memory as
/// [`super::PasswordKeys::derive`]: never on a thread that must answer.
///
/// # Errors
/// Too little memory.
pub fn room_secret(room: &str, passphrase: &Password) -> Result<EpochSecret, KdfError> {
    let stretched = KdfParams::RECOMMENDED.stretch(passphrase, &salt(room))?;
    Ok(EpochSecret::from_bytes(*stretched))
}

fn salt(room: &str) -> [u8; 16] {
    let room: String = room.nfc().collect();
    let digest = Sha256::new().chain_update(ROOM_LABEL).chain_update(room.as_bytes()).finalize();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    salt
}

/// A fresh passphrase of six words, each one of 2,048 (BIP 39's English list), evenly drawn.
///
/// # Errors
/// No randomness.
pub fn suggest() -> Result<Password, NoRandomness> {
    let words = bip39::Language::English.word_list();
    let draws = random::<{ WORDS * 2 }>()?;
    // No word is longer than 8 letters: the buffer never grows, and leaves no copy behind.
    let mut text = String::with_capacity(WORDS * 9);
    for pair in draws.chunks_exact(2) {
        // 65,536 is a multiple of 2,048, so the remainder is as even as the draw.
        let at = (usize::from(pair[0]) << 8 | usize::from(pair[1])) % words.len();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(words[at]);
    }
    Ok(Password::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::strength, seal::Suite};

    fn secret(room: &str, passphrase: &str) -> EpochSecret {
        room_secret(room, &Password::new(passphrase)).unwrap()
    }

    #[test]
    fn room_and_passphrase_both_decide_however_their_accents_were_typed() {
        let one = secret("caf\u{e9}", "lantern gravel otter p\u{e4}th");
        let same = secret("cafe\u{301}", "lantern gravel otter pa\u{308}th");
        assert_eq!(one.kid(Suite::default()), same.kid(Suite::default()));
        let other_room = secret("cafe", "lantern gravel otter p\u{e4}th");
        assert_ne!(one.expose(), other_room.expose());
        assert_ne!(one.expose(), secret("caf\u{e9}", "lantern gravel otter path").expose());
    }

    #[test]
    fn a_suggestion_has_six_words_of_the_list_and_is_never_refused_as_weak() {
        for _ in 0..20 {
            let suggestion = suggest().unwrap();
            let words: Vec<&str> = suggestion.expose().split(' ').collect();
            assert_eq!(words.len(), 6);
            assert!(words.iter().all(|word| bip39::Language::English.find_word(word).is_some()));
            assert!(strength(suggestion.expose(), &[]).acceptable(), "{words:?}");
        }
        assert_ne!(suggest().unwrap().expose(), suggest().unwrap().expose());
    }
}
