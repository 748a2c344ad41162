//! The topic keys that one account holds, and which of them seals or opens what.

use subtle::ConstantTimeEq;

use super::{
    random::NoRandomness,
    topic_key::{Epoch, KeyError, TopicKey},
};
use crate::{
    seal::{Found, Kid, OpenError, Opened, Peek, Signatures, Suite, cbc_hmac, legacy::Profile, peek},
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
    /// It was there and is not any more.
    #[error("this key is not there any more: it was deleted, perhaps on another computer")]
    Gone,
    /// It follows programs whose key cannot change.
    #[error(
        "“{0}” is a key that was published with older programs, which know no other: it cannot be rotated; make a key of your own instead"
    )]
    CannotRotate(String),
    /// A retired key gets no new epoch.
    #[error("“{0}” is retired and seals nothing: take it back into use first, then rotate it")]
    Retired(String),
    /// An import has newer epochs of a key that is there, which would seal from then on.
    #[error(
        "it holds newer epochs of “{0}”, which would seal from now on: import it again and let it take over"
    )]
    NewerEpochs(String),
    /// An import has other secrets under the numbers of epochs that are there.
    #[error(
        "it and “{0}” were rotated apart: they share an epoch and differ in a later one; delete one of them, or rename and keep both by rotating"
    )]
    RotatedApart(String),
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
    /// It was there, and now has this many epochs more.
    Completed(usize),
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// It was made.
    Done,
    /// Nothing was changed: the key would take over from these keys, to which its owner must consent.
    NeedsConsent(Vec<String>),
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
    pub fn import(&mut self, key: TopicKey, consent: Consent) -> Result<ImportReport, KeyringError> {
        let there = self.labels();
        self.import_beside(key, consent, &there)
    }

    /// Adds keys that came together, as from a file. They do not stand in each other's way: only from keys that were
    /// there before does one need [`Consent::TakeOver`] to take over. Each with the label that it came with.
    pub fn import_all(
        &mut self,
        keys: Vec<TopicKey>,
        consent: Consent,
    ) -> Vec<(String, Result<ImportReport, KeyringError>)> {
        let there = self.labels();
        let import = |key: TopicKey| (key.label().to_owned(), self.import_beside(key, consent, &there));
        keys.into_iter().map(import).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.label().to_owned()).collect()
    }

    fn import_beside(
        &mut self,
        mut key: TopicKey,
        consent: Consent,
        there: &[String],
    ) -> Result<ImportReport, KeyringError> {
        if let Some(same) = self.with_secret_of(&key) {
            let label = same.label().to_owned();
            if same.suite() != key.suite() {
                return Err(KeyringError::SecretTaken(label));
            }
            return self.complete(label, key, consent);
        }
        let mut taken_over = self.would_take_over(key.filters());
        taken_over.retain(|label| there.contains(label));
        let outcome = match (taken_over.is_empty(), consent) {
            // Its owner retired it, or lets it open only.
            _ if !key.sealing_allowed() => Imported::OpensOnly(taken_over),
            (true, _) => Imported::Seals,
            (false, Consent::TakeOver) => Imported::TookOver(taken_over),
            (false, Consent::OpenOnly) => Imported::OpensOnly(taken_over),
        };
        if matches!(outcome, Imported::OpensOnly(_)) && key.retired_ms().is_none() {
            key.set_sealing(false);
        }
        let label = self.free_label(key.label());
        key.rename(&label)?;
        self.keys.push(key);
        Ok(ImportReport { label, outcome })
    }

    /// The key is there: takes over those of its epochs that are not. Newer ones would seal, so they need consent.
    fn complete(
        &mut self,
        label: String,
        key: TopicKey,
        consent: Consent,
    ) -> Result<ImportReport, KeyringError> {
        let at = self.position(&label)?;
        let ours = &self.keys[at];
        let (current, created_ms) = (ours.current().number(), key.current().created_ms());
        let known = |epoch: &Epoch| ours.epoch(epoch.kid()).is_some();
        let new: Vec<Epoch> = key.into_epochs().into_iter().filter(|epoch| !known(epoch)).collect();
        let count = new.len();
        // A secret belongs to one key: a file could else give one key the secrets of another, with other topics.
        let others = self.keys.iter().enumerate().filter(|(other, _)| *other != at);
        let mut theirs = others.flat_map(|(_, key)| key.epochs().iter().map(move |epoch| (key, epoch)));
        let taken = theirs.find(|(_, there)| {
            let same = |new: &Epoch| bool::from(new.secret().expose().ct_eq(there.secret().expose()));
            new.iter().any(same)
        });
        if let Some((key, _)) = taken {
            return Err(KeyringError::SecretTaken(key.label().to_owned()));
        }
        let ours = &mut self.keys[at];
        if count == 0 {
            return Ok(ImportReport { label, outcome: Imported::AlreadyThere });
        }
        if consent == Consent::OpenOnly && new.iter().any(|epoch| epoch.number() > current) {
            return Err(KeyringError::NewerEpochs(label));
        }
        ours.adopt(new, created_ms).map_err(|error| match error {
            KeyError::BadEpochs => KeyringError::RotatedApart(label.clone()),
            error => error.into(),
        })?;
        Ok(ImportReport { label, outcome: Imported::Completed(count) })
    }

    /// Gives a key another label, other filters and other demands on signatures, all at once. Where filters that are new
    /// to it would take over from other keys and there is no [`Consent::TakeOver`], nothing is changed.
    ///
    /// # Errors
    /// No such key; or the label or the filters are not possible.
    pub fn edit(
        &mut self,
        label: &str,
        new_label: &str,
        filters: Vec<TopicFilter>,
        signatures: Signatures,
        consent: Consent,
    ) -> Result<Edited, KeyringError> {
        let at = self.position(label)?;
        let old = &self.keys[at];
        if self.keys.iter().enumerate().any(|(other, key)| other != at && key.label() == new_label.trim()) {
            return Err(KeyringError::LabelTaken(new_label.trim().to_owned()));
        }
        let added: Vec<TopicFilter> =
            filters.iter().filter(|filter| !old.filters().contains(filter)).cloned().collect();
        let taken_over = match old.sealing_allowed() {
            true => self.would_take_over(&added),
            false => Vec::new(),
        };
        let taken_over: Vec<String> = taken_over.into_iter().filter(|other| other != label).collect();
        if !taken_over.is_empty() && consent == Consent::OpenOnly {
            return Ok(Edited::NeedsConsent(taken_over));
        }
        let edited = old.duplicate().edited(new_label, filters, signatures)?;
        self.keys[at] = edited;
        if !taken_over.is_empty() {
            // Of equally specific filters the key that came last seals.
            let key = self.keys.remove(at);
            self.keys.push(key);
        }
        Ok(Edited::Done)
    }

    /// Retires a key, so that it seals no more and opens for ever, or takes it back into use.
    ///
    /// # Errors
    /// No such key.
    pub fn set_retired(&mut self, label: &str, retired_ms: Option<u64>) -> Result<(), KeyringError> {
        let at = self.position(label)?;
        self.keys[at].set_retired(retired_ms);
        Ok(())
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
    /// No such key, it is retired or was published, or no randomness.
    pub fn rotate(&mut self, label: &str, now_ms: u64) -> Result<Kid, KeyringError> {
        let at = self.position(label)?;
        if self.keys[at].profile() == Some(Profile::IndustrialIot) {
            return Err(KeyringError::CannotRotate(label.to_owned()));
        }
        if self.keys[at].retired_ms().is_some() {
            return Err(KeyringError::Retired(label.to_owned()));
        }
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
                let opened = epoch.opener().open(topic, wire)?;
                self.as_asked(topic, OpenedWith { opened, key, epoch })
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

    /// What is asked of signatures on a topic, of a message under `key`: by that key and by the one that seals there, the
    /// stricter. So who holds a wide key cannot speak unsigned where a narrower one requires signatures.
    #[must_use]
    pub fn signatures_asked(&self, topic: &TopicName, key: &TopicKey) -> Signatures {
        let of_topic = self.key_for_sealing(topic).map_or(Signatures::Off, TopicKey::signatures);
        of_topic.max(key.signatures())
    }

    /// Whether `key` is for more topics than the one that seals for this topic is.
    #[must_use]
    pub fn is_wider(&self, topic: &TopicName, key: &TopicKey) -> bool {
        let of_topic = self.key_for_sealing(topic).and_then(|narrow| narrow.covering(topic));
        match (of_topic, key.covering(topic)) {
            (Some(narrow), Some(wide)) => wide.cmp_specificity(narrow).is_lt(),
            _ => false,
        }
    }

    fn as_asked<'k>(
        &self,
        topic: &TopicName,
        opened_with: OpenedWith<'k>,
    ) -> Result<OpenedWith<'k>, OpenError> {
        let asked = self.signatures_asked(topic, opened_with.key);
        if opened_with.opened.signer.is_none() && asked == Signatures::Require {
            return Err(OpenError::NotSigned);
        }
        Ok(opened_with)
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
                Ok(opened) => return Some(self.as_asked(topic, OpenedWith { opened, key, epoch })),
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
