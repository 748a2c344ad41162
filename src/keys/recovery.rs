//! Recovery codes: 120 random bits that stand in for a password, written for people.
//!
//! 24 characters of Crockford's base32 and a check character, in five groups of five: `7Z3KQ-…`. The check character makes the
//! code, read as a polynomial over GF(32) with `x⁵ + x² + 1`, zero at the field's generator; so every single wrong character
//! and every two that changed places are noticed. What `HKDF-SHA-256` derives: `sealwire/1 recovery auth` for the
//! station, and `sealwire/1 recovery wrap`, which stays here. A random code of 120 bits needs no stretching.

use std::{fmt, str::FromStr};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    password::in_text,
    random::{NoRandomness, random},
};
use crate::seal::derive;

/// How many codes an account gets.
pub const RECOVERY_CODES: usize = 8;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DATA_CHARS: usize = 24;
const CHARS: usize = DATA_CHARS + 1;
const GROUP: usize = 5;

/// One recovery code. Wiped when dropped; `Display` is the code itself, `Debug` is not.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; 15]);

/// What is wrong with a text that should be a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryCodeError {
    /// Not 25 characters.
    #[error("a recovery code has 25 letters and digits in five groups, and this has {0}: type all of it")]
    Length(usize),
    /// A character that no code has.
    #[error(
        "“{character}” in group {group} cannot stand in a recovery code (the letter U never does, perhaps it is a V): look again"
    )]
    BadCharacter {
        /// The character.
        character: char,
        /// Its group, counted from 1.
        group: usize,
    },
    /// The check character does not agree.
    #[error("one character is wrong, or two changed places: compare the code with your copy, group by group")]
    Typo,
}

impl RecoveryCode {
    /// A fresh code.
    ///
    /// # Errors
    /// No randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(*random()?))
    }

    /// A fresh set, as an account gets it.
    ///
    /// # Errors
    /// No randomness.
    pub fn generate_set() -> Result<Vec<Self>, NoRandomness> {
        (0..RECOVERY_CODES).map(|_| Self::generate()).collect()
    }

    /// Reads a code: in any case, with any spaces and dashes, `I` and `L` for 1 and `O` for 0.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let is_separator =
            |character: char| character.is_whitespace() || matches!(character, '-' | '‐'..='―' | '_' | '.');
        let mut values = Zeroizing::new([0; CHARS]);
        let mut count = 0;
        for character in text.chars().filter(|character| !is_separator(*character)) {
            let value = value_of(character).ok_or(RecoveryCodeError::BadCharacter {
                character,
                group: (count / GROUP + 1).min(GROUP),
            })?;
            if let Some(place) = values.get_mut(count) {
                *place = value;
            }
            count += 1;
        }
        if count != CHARS {
            return Err(RecoveryCodeError::Length(count));
        }
        if evaluate(&*values) != 0 {
            return Err(RecoveryCodeError::Typo);
        }
        let mut code = Self([0; 15]);
        for (bytes, values) in code.0.chunks_exact_mut(5).zip(values.chunks_exact(8)) {
            let bits = values.iter().fold(0_u64, |bits, value| bits << 5 | u64::from(*value));
            bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Ok(code)
    }

    /// What the station sees of this code and keeps hashed: 43 characters of base64url.
    #[must_use]
    pub fn auth_key(&self) -> Zeroizing<String> {
        in_text(&derive(&self.0, &[b"sealwire/1 recovery auth"]))
    }

    /// What wraps the vault secret.
    pub(super) fn wrap_key(&self) -> Zeroizing<[u8; 32]> {
        derive(&self.0, &[b"sealwire/1 recovery wrap"])
    }

    fn values(&self) -> Zeroizing<[u8; CHARS]> {
        let mut values = Zeroizing::new([0; CHARS]);
        for (bytes, values) in self.0.chunks_exact(5).zip(values.chunks_exact_mut(8)) {
            let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for (at, value) in values.iter_mut().enumerate() {
                *value = (bits >> (35 - 5 * at) & 31) as u8;
            }
        }
        values[DATA_CHARS] = evaluate(&*values);
        values
    }
}

/// The polynomial with these coefficients, the last one constant, at the generator of GF(32).
fn evaluate(coefficients: &[u8]) -> u8 {
    coefficients.iter().fold(0, |sum, coefficient| {
        let doubled = sum << 1;
        (if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }) ^ coefficient
    })
}

fn value_of(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    let at = ALPHABET.iter().position(|letter| char::from(*letter) == character)?;
    u8::try_from(at).ok()
}

impl FromStr for RecoveryCode {
    type Err = RecoveryCodeError;
    fn from_str(text: &str) -> Result<Self, RecoveryCodeError> {
        Self::parse(text)
    }
}

impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.values().iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(ALPHABET[usize::from(value % 32)]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_five_groups_of_five_and_reads_back_however_it_is_typed() {
        let code = RecoveryCode(std::array::from_fn(|at| at as u8 * 17));
        let text = code.to_string();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
        for typed in [
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace('-', ""),
            text.replace('0', "o").replace('1', "l"),
        ] {
            assert_eq!(RecoveryCode::parse(&typed).unwrap().0, code.0, "{typed}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_code_is_named() {
        assert_eq!(RecoveryCode::parse("").unwrap_err(), RecoveryCodeError::Length(0));
        assert_eq!(RecoveryCode::parse(&"0".repeat(26)).unwrap_err(), RecoveryCodeError::Length(26));
        let error = RecoveryCode::parse("00000-00U00").unwrap_err();
        assert_eq!(error, RecoveryCodeError::BadCharacter { character: 'U', group: 2 });
    }

    #[test]
    fn a_set_has_eight_different_codes_that_do_not_print_by_accident() {
        let set = RecoveryCode::generate_set().unwrap();
        let texts: std::collections::HashSet<_> = set.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), RECOVERY_CODES);
        assert_eq!(format!("{:?}", set[0]), "RecoveryCode(…)");
        assert_eq!(set[0].auth_key().len(), 43);
        assert_ne!(*set[0].auth_key(), *in_text(&set[0].wrap_key()));
    }

    proptest! {
        #[test]
        fn every_single_typo_and_every_swap_is_noticed(bytes in any::<[u8; 15]>(), at in 0usize..25, other in 0usize..25, by in 1u8..32) {
            let values = RecoveryCode(bytes).values();
            prop_assert_eq!(evaluate(&*values), 0);
            let text = |values: &[u8]| values.iter().map(|value| char::from(ALPHABET[usize::from(*value)])).collect::<String>();
            prop_assert_eq!(RecoveryCode::parse(&text(&*values)).unwrap().0, bytes);
            let mut typo = *values;
            typo[at] ^= by;
            prop_assert_eq!(RecoveryCode::parse(&text(&typo)).unwrap_err(), RecoveryCodeError::Typo);
            let mut swapped = *values;
            swapped.swap(at, other);
            if swapped != *values {
                prop_assert_eq!(RecoveryCode::parse(&text(&swapped)).unwrap_err(), RecoveryCodeError::Typo);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
            let _ = RecoveryCode::parse(&text);
        }
    }
}
