//! How a payload is sealed. A key has one suite for life; nothing ever falls back to another.

use std::{fmt, str::FromStr};

/// How a payload is sealed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub enum Suite {
    /// The native envelope with AES-256-GCM (COSE algorithm 3).
    #[default]
    #[serde(rename = "cose-a256gcm")]
    CoseA256Gcm,
    /// The native envelope with ChaCha20-Poly1305 (COSE algorithm 24).
    #[serde(rename = "cose-chacha20")]
    CoseChaCha20,
    /// Fernet tokens: AES-128-CBC and HMAC-SHA-256. Does not bind the topic and names no key. For older programs.
    #[serde(rename = "fernet")]
    Fernet,
    /// AES-128-CBC and HMAC-SHA-256 in base64. Binds no topic, names no key, tells no time. For older programs.
    #[serde(rename = "aes-cbc-hmac")]
    AesCbcHmac,
}

/// A COSE algorithm (RFC 9053 §4.1, §4.3): its number on the wire, and the cipher.
#[derive(Clone, Copy)]
pub(super) struct Cose {
    pub(super) number: u8,
    pub(super) aead: &'static ring::aead::Algorithm,
}

/// A suite name that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not a suite that this version knows: use cose-a256gcm, cose-chacha20, fernet or aes-cbc-hmac"
)]
pub struct UnknownSuite(pub String);

impl Suite {
    /// Every suite, the default first.
    pub const ALL: [Self; 4] = [Self::CoseA256Gcm, Self::CoseChaCha20, Self::Fernet, Self::AesCbcHmac];

    /// Its name, as it stands in settings and key lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CoseA256Gcm => "cose-a256gcm",
            Self::CoseChaCha20 => "cose-chacha20",
            Self::Fernet => "fernet",
            Self::AesCbcHmac => "aes-cbc-hmac",
        }
    }

    /// Whether it is our own envelope, which binds the topic, names its key and carries a sequence number.
    #[must_use]
    pub const fn is_native(self) -> bool {
        matches!(self, Self::CoseA256Gcm | Self::CoseChaCha20)
    }

    /// What COSE knows it as, or `None` for what is not COSE.
    pub(super) const fn cose(self) -> Option<Cose> {
        match self {
            Self::CoseA256Gcm => Some(Cose { number: 3, aead: &ring::aead::AES_256_GCM }),
            Self::CoseChaCha20 => Some(Cose { number: 24, aead: &ring::aead::CHACHA20_POLY1305 }),
            Self::Fernet | Self::AesCbcHmac => None,
        }
    }

    /// The native suite with this COSE algorithm number.
    pub(super) const fn from_cose_algorithm(algorithm: u64) -> Option<Self> {
        match algorithm {
            3 => Some(Self::CoseA256Gcm),
            24 => Some(Self::CoseChaCha20),
            _ => None,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = UnknownSuite;
    fn from_str(text: &str) -> Result<Self, UnknownSuite> {
        Self::ALL.into_iter().find(|suite| suite.name() == text).ok_or_else(|| UnknownSuite(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_written_and_read_by_one_name_everywhere() {
        for suite in Suite::ALL {
            assert_eq!(suite.to_string().parse(), Ok(suite));
            assert_eq!(serde_json::to_string(&suite).unwrap(), format!("\"{suite}\""));
        }
        assert!("aes".parse::<Suite>().unwrap_err().to_string().contains("cose-a256gcm"));
    }
}
