//! Legacy profiles: the four older systems whose programs are still out there, by name.
//!
//! A profile sets suite, key, topics and the shape of a message. It is opt-in, and whatever it carries is labelled “legacy”
//! wherever it shows.

use std::{fmt, str::FromStr};

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
