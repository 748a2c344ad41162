//! The topic keys that one account holds, and which of them seals or opens what.

use subtle::ConstantTimeEq;

use super::{
    random::NoRandomness,
    topic_key::{Epoch, KeyError, TopicKey},
};
use crate::{
    seal::{Found, Kid, OpenError, Opened, Peek, Suite, cbc_hmac, legacy::Profile, peek},
    topic::{TopicFilter, TopicName},
};

/// The topic keys that one account holds. Labels and secrets are unique in it.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<TopicKey>,
}

/// Why a keyring was left as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The label is taken.
    #[error("there is already a key named “{0}”: choose another name")]
    LabelTaken(String),
    /// The very same secret is there under another suite.
    #[error(
        "this secret is already there as “{0}”, with another suite; a secret has one suite for life: remove that key first"
    )]
    SecretTaken(String),
    /// No such key.
    #[error("there is no key named “{0}”")]
    NoSuchKey(String),
    /// The key itself is not possible.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<NoRandomness> for KeyringError {
    fn from(error: NoRandomness) -> Self {
        Self::Key(KeyError::Randomness(error))
    }
}

/// Whether an imported key may take over the sealing of topics that another key seals now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It may not: where it would, it only opens.
    OpenOnly,
    /// Its owner was asked, and it may.
    TakeOver,
}

/// What became of an imported key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// The label under which it is in the keyring: its own, or with a number where that was taken.
    pub label: String,
    /// What it does.
    pub outcome: Imported,
}

/// What an imported key does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It seals and opens; before, nothing sealed its topics.
    Seals,
    /// It seals and opens, and took over from these keys.
    TookOver(Vec<String>),
    /// It only opens: these keys go on sealing, until its owner consents by [`Keyring::set_sealing`].
    OpensOnly(Vec<String>),
    /// It was there already; nothing changed.
    AlreadyThere,
}

/// An opened message and the key that opened it.
#[derive(Debug)]
pub struct OpenedWith<'a> {
    /// The message.
    pub opened: Opened,
    /// The key.
    pub key: &'a TopicKey,
    /// Its epoch.
    pub epoch: &'a Epoch,
}

impl Keyring {
    /// A keyring without keys.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    /// All keys, in the order in which they came.
    #[must_use]
    pub fn keys(&self) -> &[TopicKey] {
        &self.keys
    }

    /// The key with this label.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&TopicKey> {
        self.keys.iter().find(|key| key.label() == label)
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds a key that its owner made here: it seals at once, also where another key covers.
    ///
    /// # Errors
    /// Its label or its secret is there already.
    pub fn add(&mut self, key: TopicKey) -> Result<&TopicKey, KeyringError> {
        if self.get(key.label()).is_some() {
            return Err(KeyringError::LabelTaken(key.label().to_owned()));
        }
        if let Some(same) = self.with_secret_of(&key) {
            return Err(KeyringError::SecretTaken(same.label().to_owned()));
        }
        self.keys.push(key);
        Ok(&self.keys[self.keys.len() - 1])
    }

    /// Adds a key that came from someone else. Without [`Consent::TakeOver`] it never changes which key seals.
    ///
    /// # Errors
    /// The same secret is there under another suite.
    pub fn import(&mut self, mut key: TopicKey, consent: Consent) -> Result<ImportReport, KeyringError> {
        if let Some(same) = self.with_secret_of(&key) {
            let label = same.label().to_owned();
            return if same.suite() == key.suite() {
                Ok(ImportReport { label, outcome: Imported::AlreadyThere })
            } else {
                Err(KeyringError::SecretTaken(label))
            };
        }
        let taken_over = self.would_take_over(key.filters());
        let outcome = match (taken_over.is_empty(), consent) {
            (true, _) => Imported::Seals,
            (false, Consent::TakeOver) => Imported::TookOver(taken_over),
            (false, Consent::OpenOnly) => Imported::OpensOnly(taken_over),
        };
        key.set_sealing(!matches!(outcome, Imported::OpensOnly(_)));
        let label = self.free_label(key.label());
        key.rename(&label)?;
        self.keys.push(key);
        Ok(ImportReport { label, outcome })
    }

    /// The labels of the keys from which a key with these filters would take over the sealing of some topic.
    #[must_use]
    pub fn would_take_over(&self, filters: &[TopicFilter]) -> Vec<String> {
        let wins =
            |new: &TopicFilter, old: &TopicFilter| new.overlaps(old) && new.cmp_specificity(old).is_ge();
        let loses = |key: &&TopicKey| {
            key.sealing_allowed() && key.filters().iter().any(|old| filters.iter().any(|new| wins(new, old)))
        };
        self.keys.iter().filter(loses).map(|key| key.label().to_owned()).collect()
    }

    /// Takes a key out. What was sealed with it cannot be opened any more.
    ///
    /// # Errors
    /// No such key.
    pub fn remove(&mut self, label: &str) -> Result<TopicKey, KeyringError> {
        let at = self.position(label)?;
        Ok(self.keys.remove(at))
    }

    /// Gives a key another label.
    ///
    /// # Errors
    /// No such key, or the new label is taken or not possible.
    pub fn rename(&mut self, label: &str, new_label: &str) -> Result<(), KeyringError> {
        let at = self.position(label)?;
        if self.keys.iter().enumerate().any(|(other, key)| other != at && key.label() == new_label.trim()) {
            return Err(KeyringError::LabelTaken(new_label.trim().to_owned()));
        }
        Ok(self.keys[at].rename(new_label)?)
    }

    /// Makes a new epoch for sealing; the old ones go on to open.
    ///
    /// # Errors
    /// No such key, or no randomness.
    pub fn rotate(&mut self, label: &str, now_ms: u64) -> Result<Kid, KeyringError> {
        let at = self.position(label)?;
        Ok(self.keys[at].rotate(now_ms)?)
    }

    /// Lets a key follow a legacy profile, for these filters too. A filter whose sealing it would take over from another key is
    /// left out unless there is consent; those are returned, each with the other key's label.
    ///
    /// # Errors
    /// No such key, or too many filters.
    pub fn follow_profile(
        &mut self,
        label: &str,
        profile: Profile,
        filters: &[TopicFilter],
        consent: Consent,
    ) -> Result<Vec<(TopicFilter, String)>, KeyringError> {
        let at = self.position(label)?;
        let (mut more, mut left_out) = (Vec::new(), Vec::new());
        for filter in filters.iter().filter(|filter| !self.keys[at].filters().contains(filter)) {
            let mut others = self.would_take_over(std::slice::from_ref(filter));
            others.retain(|other| other != label);
            if others.is_empty() || consent == Consent::TakeOver {
                more.push(filter.clone());
            } else {
                left_out.extend(others.into_iter().map(|other| (filter.clone(), other)));
            }
        }
        self.keys[at].follow_profile(profile, more)?;
        Ok(left_out)
    }

    /// Lets a key seal, or stops it. Allowing it is the owner's consent to what [`Self::would_take_over`] names, so it then
    /// goes before keys that are equally specific.
    ///
    /// # Errors
    /// No such key.
    pub fn set_sealing(&mut self, label: &str, allowed: bool) -> Result<(), KeyringError> {
        let at = self.position(label)?;
        if allowed && !self.keys[at].sealing_allowed() {
            let key = self.keys.remove(at);
            self.keys.push(key);
        }
        let at = self.position(label)?;
        self.keys[at].set_sealing(allowed);
        Ok(())
    }

    /// The key that seals this topic: of those that may, the one with the most specific covering filter, and of equals the
    /// one that came last.
    #[must_use]
    pub fn key_for_sealing(&self, topic: &TopicName) -> Option<&TopicKey> {
        self.most_specific(topic, TopicKey::sealing_allowed)
    }

    /// The key and epoch with this key id.
    #[must_use]
    pub fn key_for_opening(&self, kid: Kid) -> Option<(&TopicKey, &Epoch)> {
        self.keys.iter().find_map(|key| key.epoch(kid).map(|epoch| (key, epoch)))
    }

    /// Whether any key is for this topic, so that plaintext there is not as required.
    #[must_use]
    pub fn covers(&self, topic: &TopicName) -> bool {
        self.keys.iter().any(|key| key.covers(topic))
    }

    /// Opens a message that was delivered on `topic`.
    ///
    /// A native envelope names its key. A Fernet token does not, nor does a message under `aes-cbc-hmac`: the keys of that suite
    /// that cover the topic are tried, the most specific first, but none where a native key covers the topic more
    /// specifically; so a weak key for `#` cannot speak on a topic that has a strong one.
    ///
    /// # Errors
    /// Each cause has its own name.
    pub fn open(&self, topic: &TopicName, wire: &[u8]) -> Result<OpenedWith<'_>, OpenError> {
        match peek(wire) {
            Peek::Native { kid, .. } => {
                let (key, epoch) = self.key_for_opening(kid).ok_or(OpenError::UnknownKey { kid })?;
                if !key.covers(topic) {
                    return Err(OpenError::KeyNotForTopic { topic: topic.as_str().to_owned() });
                }
                epoch.opener().open(topic, wire).map(|opened| OpenedWith { opened, key, epoch })
            }
            Peek::FernetToken => self
                .open_unnamed(Suite::Fernet, topic, wire)
                .unwrap_or_else(|| Err(self.not_as_required(topic, Found::Suite(Suite::Fernet)))),
            Peek::NotAnEnvelope(reason) => {
                // Only a key can tell base64 under `aes-cbc-hmac` from words.
                if cbc_hmac::looks_like_one(wire)
                    && let Some(opening) = self.open_unnamed(Suite::AesCbcHmac, topic, wire)
                {
                    return opening;
                }
                match reason {
                    OpenError::NotAnEnvelope => Err(self.not_as_required(topic, Found::Plaintext)),
                    damaged => Err(damaged),
                }
            }
        }
    }

    /// Tries the keys of a suite that names none; `None` where none may speak on this topic.
    fn open_unnamed(
        &self,
        suite: Suite,
        topic: &TopicName,
        wire: &[u8],
    ) -> Option<Result<OpenedWith<'_>, OpenError>> {
        let strong =
            self.most_specific(topic, |key| key.suite().is_native()).and_then(|key| key.covering(topic));
        let mut candidates: Vec<_> = self
            .keys
            .iter()
            .filter(|key| key.suite() == suite)
            .filter_map(|key| key.covering(topic).map(|filter| (key, filter)))
            .filter(|(_, filter)| strong.is_none_or(|strong| filter.cmp_specificity(strong).is_ge()))
            .collect();
        if candidates.is_empty() {
            return None;
        }
        candidates.sort_by(|(_, a), (_, b)| b.cmp_specificity(a));
        let mut refusal = OpenError::FernetRefused;
        let mut all_tried = Vec::new();
        for (key, epoch) in
            candidates.iter().flat_map(|(key, _)| key.epochs().iter().rev().map(move |epoch| (*key, epoch)))
        {
            match epoch.opener().open(topic, wire) {
                Ok(opened) => return Some(Ok(OpenedWith { opened, key, epoch })),
                Err(OpenError::CbcHmacRefused { tried }) => {
                    all_tried.extend(tried);
                    refusal = OpenError::CbcHmacRefused { tried: all_tried.clone() };
                }
                Err(error) => refusal = error,
            }
        }
        Some(Err(refusal))
    }

    fn not_as_required(&self, topic: &TopicName, found: Found) -> OpenError {
        match (self.most_specific(topic, |_| true), found) {
            (Some(key), found) => OpenError::NotSealedAsRequired { required: key.suite(), found },
            (None, Found::Suite(_)) => OpenError::NoKeyForTopic { topic: topic.as_str().to_owned() },
            (None, Found::Plaintext) => OpenError::NotAnEnvelope,
        }
    }

    fn most_specific(&self, topic: &TopicName, eligible: impl Fn(&TopicKey) -> bool) -> Option<&TopicKey> {
        self.keys
            .iter()
            .filter(|key| eligible(key))
            .filter_map(|key| key.covering(topic).map(|filter| (key, filter)))
            .max_by(|(_, a), (_, b)| a.cmp_specificity(b))
            .map(|(key, _)| key)
    }

    /// The key that holds one of the other's secrets, whatever the suite.
    fn with_secret_of(&self, other: &TopicKey) -> Option<&TopicKey> {
        let same =
            |ours: &Epoch, theirs: &Epoch| bool::from(ours.secret().expose().ct_eq(theirs.secret().expose()));
        let shares = |key: &&TopicKey| {
            key.epochs().iter().any(|ours| other.epochs().iter().any(|theirs| same(ours, theirs)))
        };
        self.keys.iter().find(shares)
    }

    fn position(&self, label: &str) -> Result<usize, KeyringError> {
        let at = self.keys.iter().position(|key| key.label() == label);
        at.ok_or_else(|| KeyringError::NoSuchKey(label.to_owned()))
    }

    /// The label itself, or with the first free number behind it.
    fn free_label(&self, label: &str) -> String {
        if self.get(label).is_none() {
            return label.to_owned();
        }
        let stem: String = label.chars().take(super::MAX_LABEL_CHARS - 8).collect();
        (2..=self.keys.len() + 2)
            .map(|number| format!("{} ({number})", stem.trim_end()))
            .find(|candidate| self.get(candidate).is_none())
            .unwrap_or_else(|| label.to_owned())
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
