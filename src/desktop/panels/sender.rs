//! Who signed a message, in words: what is known of the key that the signature was verified with.
//!
//! The session tells whose key it is; this only finds the words, the same ones wherever a sender shows.

use crate::{
    client::{KeyView, PeopleView, SenderKey, Signatures, Standing},
    desktop::{icons, theme::Tone},
};

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender<'a> {
    /// Nobody.
    NotSigned,
    /// This account.
    You,
    /// Somebody known.
    Known { name: &'a str, compared: bool },
    /// Somebody who says to be this account, which was known with another key.
    Changed { name: &'a str },
    /// A known key under another name than before.
    Renamed { name: &'a str, known: &'a str },
    /// An account of the station that the vault could not remember.
    Told { name: &'a str },
    /// No account that anybody knows.
    Stranger,
}

/// Who signed with a key.
#[must_use]
pub(super) fn sender<'a>(people: &'a PeopleView, signer: Option<&SenderKey>) -> Sender<'a> {
    let Some(key) = signer else { return Sender::NotSigned };
    if people.own.as_ref() == Some(key) {
        return Sender::You;
    }
    match people.of(key).map(|person| &person.standing) {
        Some(Standing::Known { name, compared }) => Sender::Known { name, compared: *compared },
        Some(Standing::Changed { name, .. }) => Sender::Changed { name },
        Some(Standing::Renamed { name, known }) => Sender::Renamed { name, known },
        Some(Standing::Told { name }) => Sender::Told { name },
        Some(Standing::Stranger) | None => Sender::Stranger,
    }
}

impl Sender<'_> {
    /// For a cell in a table.
    #[must_use]
    pub(super) const fn word(&self) -> &str {
        match self {
            Self::NotSigned => "not signed",
            Self::You => "you",
            Self::Known { name, .. } | Self::Told { name } => name,
            Self::Changed { .. } => "changed key",
            Self::Renamed { known, .. } => known,
            Self::Stranger => "unknown signer",
        }
    }

    /// What that is worth, in one or two sentences.
    #[must_use]
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::NotSigned => "Not signed: anybody who holds the key can have written it.".to_owned(),
            Self::You => "Signed with your own key.".to_owned(),
            Self::Known { name, compared: true } => {
                format!("Signed by {name}, whose digits you compared.")
            }
            Self::Known { name, compared: false } => format!(
                "Signed with the key that you first met as {name}. You have not compared digits: that it is {name} the station alone said."
            ),
            Self::Changed { name } => format!(
                "The station says that this is {name}, who signed with another key before. Either {name} has a new key, or somebody speaks as {name}. Compare digits before you believe it."
            ),
            Self::Renamed { name, known } => format!(
                "Signed with the key that you know as {known}. The station calls its account {name} now. Ask {known} whether that is right."
            ),
            Self::Told { name } => format!(
                "Signed by {name}, says the station. It could not be remembered, so a change would not be noticed: compare digits, and forget people you no longer need."
            ),
            Self::Stranger => "The signature holds, but no account of this station signs with this key. It may be somebody of another station, or an account that is gone.".to_owned(),
        }
    }

    /// The tone that goes with it.
    #[must_use]
    pub(super) const fn tone(&self) -> Tone {
        match self {
            Self::NotSigned => Tone::Neutral,
            Self::You | Self::Known { .. } => Tone::Green,
            Self::Changed { .. } => Tone::Red,
            Self::Renamed { .. } | Self::Told { .. } | Self::Stranger => Tone::Amber,
        }
    }

    /// The icon that says the same as the tone.
    #[must_use]
    pub(super) const fn icon(&self) -> &'static str {
        match self {
            Self::NotSigned => icons::USER_MINUS,
            Self::Known { compared: true, .. } => icons::SEAL_CHECK,
            Self::You | Self::Known { compared: false, .. } => icons::USER,
            Self::Changed { .. } => icons::WARNING_OCTAGON,
            Self::Renamed { .. } | Self::Told { .. } => icons::SEAL_WARNING,
            Self::Stranger => icons::SEAL_QUESTION,
        }
    }

    /// Whether somebody should look before believing it.
    #[must_use]
    pub(super) const fn is_doubtful(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Renamed { .. } | Self::Stranger)
    }
}

/// What the key that a message was sealed with asks of signatures now; `None` where the key is gone.
#[must_use]
pub(super) fn asked_of(keys: &[KeyView], kid: &str) -> Option<Signatures> {
    let sealed = |key: &&KeyView| key.kid == kid || key.epochs.iter().any(|epoch| epoch.kid == kid);
    keys.iter().find(sealed).map(|key| key.signatures)
}

/// What a key asks of signatures: each with its name and what it means.
pub(super) const SIGNATURES: [(Signatures, &str, &str); 3] = [
    (
        Signatures::Off,
        "Off",
        "Nothing is signed: everybody who holds the key can write, and nobody can tell who did.",
    ),
    (
        Signatures::Accept,
        "Accept",
        "What you send is signed. What others send need not be: without a signature it shows “Not signed”.",
    ),
    (
        Signatures::Require,
        "Require",
        "What you send is signed. What comes without a signature, or from somebody you do not know, is refused.",
    ),
];

/// What a setting of signatures means.
#[must_use]
pub(super) fn signatures_words(signatures: Signatures) -> (&'static str, &'static str) {
    let found = SIGNATURES.iter().find(|(value, ..)| *value == signatures);
    found.map_or(("", ""), |(_, name, meaning)| (name, meaning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::PersonView;

    fn person(key: u8, standing: Standing) -> PersonView {
        let key = SenderKey::from_bytes([key; 32]);
        PersonView { key, digits: key.digits(), standing, since_ms: 1 }
    }

    #[test]
    fn each_key_finds_its_words_and_one_that_nobody_met_is_a_stranger() {
        let known = Standing::Known { name: "ben".into(), compared: false };
        let changed = Standing::Changed { name: "cleo".into(), known: SenderKey::from_bytes([9; 32]) };
        let people = PeopleView {
            own: Some(SenderKey::from_bytes([1; 32])),
            people: vec![person(2, known), person(3, changed), person(4, Standing::Stranger)],
        };
        let word = |key: u8| sender(&people, Some(&SenderKey::from_bytes([key; 32]))).word().to_owned();
        assert_eq!(
            [1, 2, 3, 4, 5].map(word),
            ["you", "ben", "changed key", "unknown signer", "unknown signer"]
        );
        assert_eq!(sender(&people, None), Sender::NotSigned);
        assert_eq!(sender(&people, Some(&SenderKey::from_bytes([3; 32]))).tone(), Tone::Red);
    }

    #[test]
    fn a_message_of_an_older_epoch_still_finds_its_key() {
        let epochs = vec![crate::client::EpochView { kid: "old".into(), ..Default::default() }];
        let key = KeyView { kid: "new".into(), epochs, signatures: Signatures::Accept, ..KeyView::default() };
        let keys = [key];
        assert_eq!(asked_of(&keys, "old"), Some(Signatures::Accept));
        assert_eq!(asked_of(&keys, "new"), Some(Signatures::Accept));
        assert_eq!(asked_of(&keys, "gone"), None);
    }
}
