//! What opening told, in one icon and one word, for rows and pills.

use crate::{
    client::{Message, Opening},
    desktop::{icons, theme::Tone},
};

/// An icon, a word and a tone that say the same.
pub(super) struct Verdict<'a> {
    pub(super) icon: &'static str,
    pub(super) word: &'a str,
    pub(super) tone: Tone,
}

/// What opening told.
pub(super) fn verdict(message: &Message) -> Verdict<'_> {
    match &message.opening {
        Opening::Opened { notes, .. } => match notes.first() {
            None => Verdict { icon: icons::LOCK_KEY, word: "Sealed", tone: Tone::Green },
            Some(note) => Verdict { icon: icons::SEAL_WARNING, word: note, tone: Tone::Amber },
        },
        Opening::InTheClear { .. } => {
            Verdict { icon: icons::LOCK_OPEN, word: "In the clear", tone: Tone::Amber }
        }
        Opening::Refused { name, .. } => Verdict { icon: icons::PROHIBIT, word: name, tone: Tone::Red },
    }
}
