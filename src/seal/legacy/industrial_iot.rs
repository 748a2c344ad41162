//! System 001: readings and commands of machines, AES-128-CBC and HMAC-SHA-256 under two constants.
//!
//! Both stand in the published source of its programs: whoever reads it opens and forges everything. The MAC's constant has
//! 33 bytes, not 32, because its base64 has 44 characters of data and padding behind them all the same; one byte less and
//! no MAC holds. The text is free.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Spoken;
use crate::seal::{EpochSecret, cbc_hmac::Keys};

/// As they stand in the source.
const CIPHER_KEY: &str = "UAH11A5PTkuqMpB03gMNzg==";
const MAC_KEY: &str = "iVCj0p6JRySSVXa1RcdeEl4VvuACqGXwMsA21ed2qPQ1==";

/// Padding is taken off beforehand: that of the second is not where base64 has it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// What is said wherever this key shows.
pub const NO_SECRECY: &str = "no secrecy: this key was published";

/// The text as it is.
pub(super) fn compose(spoken: &Spoken) -> String {
    spoken.text.clone()
}

/// What stands for the two constants in a keyring, which has 32 bytes for a secret: the first and the beginning of the second.
pub(super) fn secret() -> EpochSecret {
    let Keys { cipher, mac } = constants();
    let mut both = Zeroizing::new([0; 32]);
    both[..16].copy_from_slice(&*cipher);
    both[16..].iter_mut().zip(mac.iter()).for_each(|(into, byte)| *into = *byte);
    EpochSecret::from_bytes(*both)
}

/// The two published keys, where this secret stands for them; what seals and opens under any other secret follows from it.
#[must_use]
pub fn published_keys(secret: &EpochSecret) -> Option<Keys> {
    bool::from(self::secret().expose().ct_eq(secret.expose())).then(constants)
}

fn constants() -> Keys {
    let decode = |text: &str| BASE64.decode(text.trim_end_matches('=')).unwrap_or_default();
    let mut cipher = Zeroizing::new([0; 16]);
    cipher.iter_mut().zip(decode(CIPHER_KEY)).for_each(|(into, byte)| *into = byte);
    Keys { cipher, mac: Zeroizing::new(decode(MAC_KEY)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_have_sixteen_and_thirty_three_bytes() {
        let Keys { cipher, mac } = constants();
        assert_eq!((cipher[..2].to_vec(), mac.len(), mac[32]), (vec![0x50, 0x01], 33, 0x35));
        assert!(published_keys(&secret()).is_some());
        assert!(published_keys(&EpochSecret::from_bytes([1; 32])).is_none());
    }
}
