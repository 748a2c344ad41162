//! What opening told, in one icon and one word, for rows and pills: the seal, and who signed.

use crate::{
    client::{KeyView, Message, Opening, PeopleView, Signatures, legacy::Profile},
    desktop::{
        icons,
        messages::is_will,
        model::Model,
        panels::sender::{Sender, asked_of, sender},
        theme::Tone,
    },
};

/// What it means that a message is a will.
pub(super) const WILL: &str =
    "Published by the broker, because the computer that sealed it vanished without saying goodbye";

/// What is known of keys and people, by which a message is judged.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    people: &'a PeopleView,
    keys: &'a [KeyView],
}

impl<'a> Known<'a> {
    /// As the window knows it now.
    pub(super) fn of(model: &'a Model) -> Self {
        Self { people: &model.people, keys: &model.keys }
    }

    /// Who signed a message; `None` where it was not opened.
    pub(super) fn sender(self, message: &Message) -> Option<Sender<'a>> {
        match &message.opening {
            Opening::Opened { signer, .. } => Some(sender(self.people, signer.as_ref())),
            Opening::InTheClear { .. } | Opening::Refused { .. } => None,
        }
    }

    /// Whether the key of a message asks for signatures now, and the message has none.
    pub(super) fn lacks_signature(self, message: &Message) -> bool {
        match &message.opening {
            Opening::Opened { with, signer: None, .. } => {
                asked_of(self.keys, &with.kid).is_some_and(|asked| asked != Signatures::Off)
            }
            _ => false,
        }
    }
}

/// An icon, a word and a tone that say the same.
pub(super) struct Verdict<'a> {
    pub(super) icon: &'static str,
    pub(super) word: &'a str,
    pub(super) tone: Tone,
}

/// What opening told.
pub(super) fn verdict<'a>(message: &'a Message, known: Known<'a>) -> Verdict<'a> {
    let (with, notes) = match &message.opening {
        Opening::Opened { with, notes, .. } => (with, notes),
        Opening::InTheClear { .. } => {
            return Verdict { icon: icons::LOCK_OPEN, word: "In the clear", tone: Tone::Amber };
        }
        Opening::Refused { name, .. } => {
            return Verdict { icon: icons::PROHIBIT, word: name, tone: Tone::Red };
        }
    };
    let who = known.sender(message).unwrap_or(Sender::NotSigned);
    // Somebody in another's place is graver than anything that is merely notable.
    if let Sender::Changed { .. } = who {
        return Verdict { icon: who.icon(), word: "Changed key", tone: who.tone() };
    }
    if let Some(note) = notes.first() {
        return Verdict { icon: icons::SEAL_WARNING, word: note, tone: Tone::Amber };
    }
    if with.profile.is_some_and(|profile| !profile.is_secret()) {
        return Verdict { icon: icons::LOCK_OPEN, word: "No secrecy", tone: Tone::Amber };
    }
    let (icon, word, tone) = match who {
        Sender::NotSigned if known.lacks_signature(message) => {
            (icons::SEAL_WARNING, "Not signed", Tone::Amber)
        }
        Sender::NotSigned => (icons::LOCK_KEY, "Sealed", Tone::Green),
        Sender::You | Sender::Known { .. } => (icons::SEAL_CHECK, "Signed", Tone::Green),
        Sender::Changed { .. } => (who.icon(), "Changed key", who.tone()),
        Sender::Renamed { .. } => (who.icon(), "Another name", who.tone()),
        Sender::Told { .. } => (who.icon(), "Not remembered", who.tone()),
        Sender::Stranger => (who.icon(), "Unknown signer", who.tone()),
    };
    Verdict { icon, word, tone }
}

/// The older system whose program sealed it, or might have.
pub(super) fn profile_of(message: &Message) -> Option<Profile> {
    match &message.opening {
        Opening::Opened { with, .. } => with.profile,
        Opening::InTheClear { .. } | Opening::Refused { .. } => None,
    }
}

/// The same in words alone, with whether it is a will.
pub(super) fn told(message: &Message, known: Known<'_>) -> String {
    let word = verdict(message, known).word;
    match (is_will(message), profile_of(message)) {
        (true, _) => format!("Will, {}", word.to_lowercase()),
        // Beside it stands that its key was published.
        (false, Some(profile)) if !profile.is_secret() => "Legacy".to_owned(),
        (false, Some(_)) => format!("Legacy, {}", word.to_lowercase()),
        (false, None) => word.to_owned(),
    }
}
