//! What opening told, in one icon and one word, for rows and pills.

use crate::{
    client::{Message, Opening, legacy::Profile},
    desktop::{icons, messages::is_will, theme::Tone},
};

/// What it means that a message is a will.
pub(super) const WILL: &str =
    "Published by the broker, because the computer that sealed it vanished without saying goodbye";

/// An icon, a word and a tone that say the same.
pub(super) struct Verdict<'a> {
    pub(super) icon: &'static str,
    pub(super) word: &'a str,
    pub(super) tone: Tone,
}

/// What opening told.
pub(super) fn verdict(message: &Message) -> Verdict<'_> {
    match &message.opening {
        Opening::Opened { with, notes, .. } => match notes.first() {
            None if with.profile.is_some_and(|profile| !profile.is_secret()) => {
                Verdict { icon: icons::LOCK_OPEN, word: "No secrecy", tone: Tone::Amber }
            }
            None => Verdict { icon: icons::LOCK_KEY, word: "Sealed", tone: Tone::Green },
            Some(note) => Verdict { icon: icons::SEAL_WARNING, word: note, tone: Tone::Amber },
        },
        Opening::InTheClear { .. } => {
            Verdict { icon: icons::LOCK_OPEN, word: "In the clear", tone: Tone::Amber }
        }
        Opening::Refused { name, .. } => Verdict { icon: icons::PROHIBIT, word: name, tone: Tone::Red },
    }
}

/// The older system whose program sealed it, or might have.
pub(super) fn profile_of(message: &Message) -> Option<Profile> {
    match &message.opening {
        Opening::Opened { with, .. } => with.profile,
        Opening::InTheClear { .. } | Opening::Refused { .. } => None,
    }
}

/// The same in words alone, with whether it is a will.
pub(super) fn told(message: &Message) -> String {
    let word = verdict(message).word;
    match (is_will(message), profile_of(message)) {
        (true, _) => format!("Will, {}", word.to_lowercase()),
        // Beside it stands that its key was published.
        (false, Some(profile)) if !profile.is_secret() => "Legacy".to_owned(),
        (false, Some(_)) => format!("Legacy, {}", word.to_lowercase()),
        (false, None) => word.to_owned(),
    }
}
