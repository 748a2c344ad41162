//! Legacy profiles: the four older systems whose programs are still out there, by name.
//!
//! A profile sets suite, key, topics and the shape of a message. It is opt-in, and whatever it carries is labelled “legacy”
//! wherever it shows. None of them binds a topic, tells a replay or names a sender that anybody could check.
//!
//! Pure, as all of [`crate::seal`]: passphrases and randomness come in as arguments. One file a profile; start with
//! `shape`, what is said through any of them.

mod disaster_response;
mod industrial_iot;
mod room_chat;
mod shape;
mod window_chat;

use std::{fmt, str::FromStr};

use super::{EpochSecret, Suite};

pub use industrial_iot::{NO_SECRECY, published_keys};
pub use shape::{Place, ShapeError, Spoken};

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// System 000: calls for help on `emergency/assist`, Fernet under a key file.
    DisasterResponse,
    /// System 001: readings on `iot/…`, AES-128-CBC and HMAC under two published constants. No secrecy.
    IndustrialIot,
    /// System 002: a chat on `movantchat/python`, Fernet under 32 characters.
    RoomChat,
    /// System 003: a chat on `chat/channel`, JSON in Fernet under a stretched passphrase.
    WindowChat,
}

/// A text that names no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no legacy profile: use disaster-response, industrial-iot, room-chat or window-chat")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// All four, in the order of their systems.
    pub const ALL: [Self; 4] =
        [Self::DisasterResponse, Self::IndustrialIot, Self::RoomChat, Self::WindowChat];

    /// Its name, as it stands in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DisasterResponse => "disaster-response",
            Self::IndustrialIot => "industrial-iot",
            Self::RoomChat => "room-chat",
            Self::WindowChat => "window-chat",
        }
    }

    /// What its keys are called where nobody named them.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DisasterResponse => "Disaster response",
            Self::IndustrialIot => "Industrial IoT",
            Self::RoomChat => "Room chat",
            Self::WindowChat => "Window chat",
        }
    }

    /// How it seals.
    #[must_use]
    pub const fn suite(self) -> Suite {
        match self {
            Self::DisasterResponse | Self::RoomChat | Self::WindowChat => Suite::Fernet,
            Self::IndustrialIot => Suite::AesCbcHmac,
        }
    }

    /// The topics that its programs use unless they were told otherwise.
    #[must_use]
    pub const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::DisasterResponse => &["emergency/assist"],
            Self::IndustrialIot => &["iot/login", "iot/sensor", "iot/control", "iot/admin"],
            Self::RoomChat => &["movantchat/python"],
            Self::WindowChat => &["chat/channel"],
        }
    }

    /// What its key comes from.
    #[must_use]
    pub const fn key_source(self) -> KeySource {
        match self {
            Self::DisasterResponse => KeySource::KeyFile,
            Self::IndustrialIot => KeySource::Published,
            Self::RoomChat => KeySource::ThirtyTwoCharacters,
            Self::WindowChat => KeySource::Passphrase,
        }
    }

    /// Whether its key keeps anything from anybody. System 001 published its own.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        !matches!(self, Self::IndustrialIot)
    }

    /// The secret that its programs make of what was typed. Slow on purpose for [`KeySource::Passphrase`].
    ///
    /// # Errors
    /// What its programs would not take, with the fact; or a key file, which is for [`crate::keys`] to read.
    pub fn secret_from(self, passphrase: &str) -> Result<EpochSecret, PassphraseError> {
        match self {
            Self::DisasterResponse => Err(PassphraseError::KeyFile),
            Self::IndustrialIot => Ok(industrial_iot::secret()),
            Self::RoomChat => room_chat::secret(passphrase),
            Self::WindowChat => window_chat::secret(passphrase),
        }
    }

    /// The text that its programs put under the seal. `random` makes the id of a message where there is one, so it must be
    /// fresh for each.
    ///
    /// # Errors
    /// What its programs cannot say, or would not send.
    pub fn compose(self, spoken: &Spoken, random: [u8; 16]) -> Result<String, ShapeError> {
        match self {
            Self::DisasterResponse => disaster_response::compose(spoken, random),
            Self::IndustrialIot => Ok(industrial_iot::compose(spoken)),
            Self::RoomChat => room_chat::compose(spoken),
            Self::WindowChat => window_chat::compose(spoken),
        }
    }

    /// Reads a text in its shape.
    ///
    /// # Errors
    /// How it differs from what its programs write.
    pub fn parse(self, body: &[u8]) -> Result<Spoken, ShapeError> {
        let text = std::str::from_utf8(body).map_err(|_| ShapeError::NotText)?;
        match self {
            Self::DisasterResponse => disaster_response::parse(text),
            Self::IndustrialIot => Ok(Spoken { text: text.to_owned(), ..Spoken::default() }),
            Self::RoomChat => Ok(room_chat::parse(text)),
            Self::WindowChat => window_chat::parse(text),
        }
    }

    /// The same message, to be sent once more: what has an id of its own gets another.
    #[must_use]
    pub fn renew(self, body: &[u8], random: [u8; 16]) -> Option<String> {
        match self {
            Self::DisasterResponse => self.compose(&self.parse(body).ok()?, random).ok(),
            Self::IndustrialIot | Self::RoomChat | Self::WindowChat => None,
        }
    }
}

/// What the key of a profile comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// A Fernet key file that both sides have.
    KeyFile,
    /// Two constants in the programs' own source, for all to read.
    Published,
    /// Exactly 32 characters, which are the key.
    ThirtyTwoCharacters,
    /// A passphrase, stretched.
    Passphrase,
}

/// Why a text makes no key of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Not exactly 32 characters.
    #[error(
        "this has {0} characters, and the room chat takes exactly 32: type it as the others did, spaces too"
    )]
    NotThirtyTwo(usize),
    /// 32 characters that are more than 32 bytes.
    #[error(
        "“{character}” (character {position}) is not ASCII: the characters are the 32 bytes of the key, so the room chat takes letters without accents, digits and signs only"
    )]
    NotAscii {
        /// The character.
        character: char,
        /// Its place, counted from 1.
        position: usize,
    },
    /// Fewer than eight characters.
    #[error("this has {0} characters without the spaces around it, and the window chat takes at least 8")]
    TooShort(usize),
    /// Not a matter of a passphrase.
    #[error("disaster response has a key file, not a passphrase: choose the file secureKey.key")]
    KeyFile,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;
    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_written_and_read_by_one_name_everywhere() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
            assert_eq!(serde_json::to_string(&profile).unwrap(), format!("\"{profile}\""));
        }
        assert!("chat".parse::<Profile>().unwrap_err().to_string().contains("room-chat"));
    }
}
