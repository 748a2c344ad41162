//! One topic key: a label, the filters it is for, a suite for life, and its epochs.

use std::sync::OnceLock;

use super::random::{NoRandomness, random};
use crate::{
    seal::{
        EpochSecret, Kid, Opener, Sealer, Signatures, Suite, cbc_hmac,
        legacy::{Profile, published_keys},
    },
    topic::{TopicFilter, TopicName},
};

/// The longest label, in characters.
pub const MAX_LABEL_CHARS: usize = 64;
/// The most filters that one key may have.
pub const MAX_FILTERS: usize = 64;
/// The most epochs that one key may have: a file of keys may not keep a program busy with them.
pub const MAX_EPOCHS: usize = 1_024;
/// The highest number of an epoch.
const MAX_EPOCH_NUMBER: u32 = 1 << 30;
/// How long after a rotation live traffic under the old epoch is still unremarkable: one hour.
pub const RETIRED_GRACE_MS: u64 = 60 * 60 * 1000;

/// Why something is not a topic key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No label, or only spaces.
    #[error("a key needs a name: give it one that tells what it is for")]
    EmptyLabel,
    /// More than [`MAX_LABEL_CHARS`].
    #[error("a key's name may have at most 64 characters, this one has {0}: shorten it")]
    LongLabel(usize),
    /// A line break or the like.
    #[error("a key's name cannot hold line breaks or other control characters: remove them")]
    ControlInLabel,
    /// No filter.
    #[error("a key needs at least one topic filter, such as “plant/#”: say which topics it is for")]
    NoFilters,
    /// More than [`MAX_FILTERS`].
    #[error("a key may have at most 64 topic filters, this one has {0}: use wildcards or a second key")]
    ManyFilters(usize),
    /// More than `MAX_EPOCHS`.
    #[error("a key may have at most 1,024 epochs: make a new key")]
    ManyEpochs,
    /// No epoch, numbers that do not ascend from 1, or a last epoch that is retired.
    #[error("the key's epochs are damaged: import the key again from a copy")]
    BadEpochs,
    /// Signatures under a suite that cannot carry them.
    #[error("{0} has no room for signatures: choose cose-a256gcm or cose-chacha20, or leave signatures off")]
    NoSignatures(Suite),
    /// No randomness for a new secret.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// One secret of a key and the time it was in use. Epochs are independent: none follows from another.
#[derive(Debug)]
pub struct Epoch {
    number: u32,
    secret: EpochSecret,
    created_ms: u64,
    retired_ms: Option<u64>,
    kid: Kid,
    suite: Suite,
    opener: OnceLock<Opener>,
}

/// A secret that seals payloads for some topics.
#[derive(Debug)]
pub struct TopicKey {
    label: String,
    filters: Vec<TopicFilter>,
    suite: Suite,
    epochs: Vec<Epoch>,
    sealing_allowed: bool,
    retired_ms: Option<u64>,
    signatures: Signatures,
    profile: Option<Profile>,
}

impl Epoch {
    pub(super) fn new(
        number: u32,
        secret: EpochSecret,
        suite: Suite,
        created_ms: u64,
        retired_ms: Option<u64>,
    ) -> Self {
        let kid = secret.kid(suite);
        Self { number, secret, created_ms, retired_ms, kid, suite, opener: OnceLock::new() }
    }

    /// Its number in the key, ascending from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its secret.
    #[must_use]
    pub const fn secret(&self) -> &EpochSecret {
        &self.secret
    }

    /// Its key id.
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub const fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// When a later epoch took over, or `None` while it seals.
    #[must_use]
    pub const fn retired_ms(&self) -> Option<u64> {
        self.retired_ms
    }

    /// Whether live traffic under it, arriving now, is to be shown as “sealed with a retired key”.
    #[must_use]
    pub fn is_overdue_at(&self, now_ms: u64) -> bool {
        self.retired_ms.is_some_and(|retired| is_overdue(retired, now_ms))
    }

    fn duplicate(&self) -> Self {
        Self::new(self.number, self.secret.duplicate(), self.suite, self.created_ms, self.retired_ms)
    }

    /// What opens messages under it; made once.
    pub fn opener(&self) -> &Opener {
        self.opener.get_or_init(|| match self.published_keys() {
            Some(keys) => Opener::with_cbc_hmac(&keys).named(self.kid),
            None => Opener::new(&self.secret, self.suite),
        })
    }

    /// The two keys that one of the older systems published, where its secret stands for them.
    fn published_keys(&self) -> Option<cbc_hmac::Keys> {
        (self.suite == Suite::AesCbcHmac).then(|| published_keys(&self.secret)).flatten()
    }

    fn sealer(&self, session: [u8; 16]) -> Sealer {
        match self.published_keys() {
            Some(keys) => Sealer::with_cbc_hmac(&keys, session).named(self.kid),
            None => Sealer::new(&self.secret, self.suite, session),
        }
    }
}

impl TopicKey {
    /// Makes a key with a fresh secret.
    ///
    /// # Errors
    /// The label or the filters are not possible, or there is no randomness.
    pub fn generate(
        label: &str,
        filters: Vec<TopicFilter>,
        suite: Suite,
        now_ms: u64,
    ) -> Result<Self, KeyError> {
        Self::from_secret(label, filters, suite, EpochSecret::from_bytes(*random()?), now_ms)
    }

    /// A key around a secret that came from elsewhere, as its first epoch.
    ///
    /// # Errors
    /// The label or the filters are not possible.
    pub fn from_secret(
        label: &str,
        filters: Vec<TopicFilter>,
        suite: Suite,
        secret: EpochSecret,
        now_ms: u64,
    ) -> Result<Self, KeyError> {
        Self::from_parts(label, filters, suite, vec![Epoch::new(1, secret, suite, now_ms, None)], true)
    }

    pub(super) fn from_parts(
        label: &str,
        mut filters: Vec<TopicFilter>,
        suite: Suite,
        epochs: Vec<Epoch>,
        sealing_allowed: bool,
    ) -> Result<Self, KeyError> {
        let label = checked_label(label)?;
        filters.sort();
        filters.dedup();
        match filters.len() {
            0 => return Err(KeyError::NoFilters),
            1..=MAX_FILTERS => {}
            many => return Err(KeyError::ManyFilters(many)),
        }
        let ascending = epochs.is_sorted_by(|a, b| a.number < b.number);
        let numbered = epochs.iter().all(|epoch| (1..=MAX_EPOCH_NUMBER).contains(&epoch.number));
        if !ascending || !numbered || epochs.last().is_none_or(|last| last.retired_ms.is_some()) {
            return Err(KeyError::BadEpochs);
        }
        if epochs.len() > MAX_EPOCHS {
            return Err(KeyError::ManyEpochs);
        }
        Ok(Self {
            label,
            filters,
            suite,
            epochs,
            sealing_allowed,
            retired_ms: None,
            signatures: Signatures::default(),
            profile: None,
        })
    }

    /// What its owner calls it. Unique in a keyring.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The filters that it is for, sorted.
    #[must_use]
    pub fn filters(&self) -> &[TopicFilter] {
        &self.filters
    }

    /// How it seals.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Its epochs, the oldest first; never none.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Whether it may seal; a received key only opens until its owner consents, and a retired one for ever.
    #[must_use]
    pub const fn sealing_allowed(&self) -> bool {
        self.sealing_allowed && self.retired_ms.is_none()
    }

    /// Since when it seals no more, in milliseconds since 1970, or `None`.
    #[must_use]
    pub const fn retired_ms(&self) -> Option<u64> {
        self.retired_ms
    }

    /// Whether live traffic under this epoch, arriving now, is to be shown as “sealed with a retired key”: the key or the
    /// epoch was retired over [`RETIRED_GRACE_MS`] ago.
    #[must_use]
    pub fn is_overdue_at(&self, epoch: &Epoch, now_ms: u64) -> bool {
        let retired = self.retired_ms.is_some_and(|retired| is_overdue(retired, now_ms));
        retired || epoch.is_overdue_at(now_ms)
    }

    /// Why it keeps little or nothing secret, where that is so; to be shown wherever the key is.
    #[must_use]
    pub const fn weakness(&self) -> Option<&'static str> {
        match self.profile {
            Some(Profile::IndustrialIot) => {
                Some("no secrecy: this key was published with the system's source")
            }
            Some(Profile::RoomChat) => {
                Some("weak: the characters of a passphrase are the key itself, so it is quickly guessed")
            }
            Some(Profile::WindowChat) => {
                Some("weak: every installation stretches its passphrase with the same salt")
            }
            Some(Profile::DisasterResponse) | None => None,
        }
    }

    /// A second copy, secrets and all, on purpose: a change that another computer was faster than is made again.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            label: self.label.clone(),
            filters: self.filters.clone(),
            suite: self.suite,
            epochs: self.epochs.iter().map(Epoch::duplicate).collect(),
            sealing_allowed: self.sealing_allowed,
            retired_ms: self.retired_ms,
            signatures: self.signatures,
            profile: self.profile,
        }
    }

    /// What it asks of signatures. Only a native suite has room for one; under the others this is [`Signatures::Off`].
    #[must_use]
    pub const fn signatures(&self) -> Signatures {
        self.signatures
    }

    /// The legacy profile that it follows, if it is for programs of one of the older systems.
    #[must_use]
    pub const fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// The same key, asking this of signatures, because a person said so.
    ///
    /// # Errors
    /// Its suite has no room for them.
    pub fn asking(self, signatures: Signatures) -> Result<Self, KeyError> {
        if signatures != Signatures::Off && !self.suite.is_native() {
            return Err(KeyError::NoSignatures(self.suite));
        }
        Ok(self.with_signatures(signatures))
    }

    /// The same key, asking this of signatures; a suite without room for them stays without.
    #[must_use]
    pub const fn with_signatures(mut self, signatures: Signatures) -> Self {
        if self.suite.is_native() {
            self.signatures = signatures;
        }
        self
    }

    /// The same key, for the programs of an older system; a profile of another suite than the key's is no profile.
    #[must_use]
    pub fn with_profile(mut self, profile: Option<Profile>) -> Self {
        self.profile = profile.filter(|profile| profile.suite() == self.suite);
        self
    }

    /// The same key with no date after `now_ms`: a file may not say that an epoch is in use until the year 2099.
    #[must_use]
    pub fn not_after(mut self, now_ms: u64) -> Self {
        for epoch in &mut self.epochs {
            epoch.created_ms = epoch.created_ms.min(now_ms);
            epoch.retired_ms = epoch.retired_ms.map(|at| at.min(now_ms));
        }
        self.retired_ms = self.retired_ms.map(|at| at.min(now_ms));
        self
    }

    /// The epoch that seals.
    #[must_use]
    pub fn current(&self) -> &Epoch {
        // `from_parts` lets no key be without an epoch, and `rotate` only adds.
        &self.epochs[self.epochs.len() - 1]
    }

    /// The key id of the current epoch.
    #[must_use]
    pub fn kid(&self) -> Kid {
        self.current().kid
    }

    /// The current key id's short form, for two people to compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.kid().fingerprint()
    }

    /// The epoch with this key id.
    #[must_use]
    pub fn epoch(&self, kid: Kid) -> Option<&Epoch> {
        self.epochs.iter().find(|epoch| epoch.kid == kid)
    }

    /// The most specific of its filters that covers the topic.
    #[must_use]
    pub fn covering(&self, topic: &TopicName) -> Option<&TopicFilter> {
        self.filters.iter().filter(|filter| filter.matches(topic)).max_by(|a, b| a.cmp_specificity(b))
    }

    /// Whether it is for this topic.
    #[must_use]
    pub fn covers(&self, topic: &TopicName) -> bool {
        self.filters.iter().any(|filter| filter.matches(topic))
    }

    /// A sealer under the current epoch. `session` must be 16 fresh random bytes.
    #[must_use]
    pub fn sealer(&self, session: [u8; 16]) -> Sealer {
        self.current().sealer(session)
    }

    /// For programs of an older system from now on, and for these filters too.
    pub(super) fn follow_profile(
        &mut self,
        profile: Profile,
        more: Vec<TopicFilter>,
    ) -> Result<(), KeyError> {
        let many = self.filters.len() + more.len();
        if many > MAX_FILTERS {
            return Err(KeyError::ManyFilters(many));
        }
        if profile.suite() != self.suite {
            return Ok(());
        }
        self.profile = Some(profile);
        self.filters.extend(more);
        self.filters.sort();
        Ok(())
    }

    pub(super) fn rename(&mut self, label: &str) -> Result<(), KeyError> {
        self.label = checked_label(label)?;
        Ok(())
    }

    pub(super) const fn set_sealing(&mut self, allowed: bool) {
        self.sealing_allowed = allowed;
    }

    /// What its owner decided, whether or not it is retired.
    pub(super) const fn sealing_flag(&self) -> bool {
        self.sealing_allowed
    }

    pub(super) const fn set_retired(&mut self, retired_ms: Option<u64>) {
        self.retired_ms = retired_ms;
    }

    /// The same key for other topics, asking something else of signatures.
    pub(super) fn edited(
        self,
        label: &str,
        filters: Vec<TopicFilter>,
        signatures: Signatures,
    ) -> Result<Self, KeyError> {
        let Self { suite, epochs, sealing_allowed, retired_ms, profile, .. } = self;
        let mut key = Self::from_parts(label, filters, suite, epochs, sealing_allowed)?;
        key.retired_ms = retired_ms;
        Ok(key.asking(signatures)?.with_profile(profile))
    }

    /// Takes over epochs of the same key that it does not have. The newest of all seals.
    pub(super) fn adopt(&mut self, others: Vec<Epoch>, now_ms: u64) -> Result<(), KeyError> {
        let numbers: Vec<u32> = self.epochs.iter().map(Epoch::number).collect();
        if others.iter().any(|other| numbers.contains(&other.number)) {
            return Err(KeyError::BadEpochs);
        }
        if self.epochs.len() + others.len() > MAX_EPOCHS {
            return Err(KeyError::ManyEpochs);
        }
        self.epochs.extend(others);
        self.epochs.sort_by_key(Epoch::number);
        let last = self.epochs.len() - 1;
        for epoch in &mut self.epochs[..last] {
            epoch.retired_ms.get_or_insert(now_ms);
        }
        self.epochs[last].retired_ms = None;
        Ok(())
    }

    pub(super) fn into_epochs(self) -> Vec<Epoch> {
        self.epochs
    }

    /// Makes a fresh epoch; the present one goes on to open what was sealed under it.
    pub(super) fn rotate(&mut self, now_ms: u64) -> Result<Kid, KeyError> {
        if self.epochs.len() >= MAX_EPOCHS || self.current().number >= MAX_EPOCH_NUMBER {
            return Err(KeyError::ManyEpochs);
        }
        let secret = EpochSecret::from_bytes(*random()?);
        let number = self.current().number + 1;
        if let Some(last) = self.epochs.last_mut() {
            last.retired_ms = Some(now_ms);
        }
        self.epochs.push(Epoch::new(number, secret, self.suite, now_ms, None));
        Ok(self.kid())
    }
}

const fn is_overdue(retired_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(retired_ms) > RETIRED_GRACE_MS
}

fn checked_label(label: &str) -> Result<String, KeyError> {
    let label = label.trim();
    match label.chars().count() {
        0 => Err(KeyError::EmptyLabel),
        long if long > MAX_LABEL_CHARS => Err(KeyError::LongLabel(long)),
        _ if label.chars().any(char::is_control) => Err(KeyError::ControlInLabel),
        _ => Ok(label.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(texts: &[&str]) -> Vec<TopicFilter> {
        texts.iter().map(|text| TopicFilter::new(text).unwrap()).collect()
    }

    #[test]
    fn a_key_needs_a_printable_name_and_a_filter() {
        let make = |label: &str, texts: &[&str]| {
            TopicKey::generate(label, filters(texts), Suite::default(), 1).map(|key| key.label().to_owned())
        };
        assert_eq!(make(" Press ", &["a", "a"]), Ok("Press".into()));
        assert_eq!(make("  ", &["a"]), Err(KeyError::EmptyLabel));
        assert_eq!(make("a\nb", &["a"]), Err(KeyError::ControlInLabel));
        assert_eq!(make(&"ü".repeat(65), &["a"]), Err(KeyError::LongLabel(65)));
        assert_eq!(make("Press", &[]), Err(KeyError::NoFilters));
    }

    #[test]
    fn a_rotated_key_seals_with_the_new_epoch_and_shows_the_old_one_as_retired_after_an_hour() {
        let mut key = TopicKey::generate("Press", filters(&["press/#"]), Suite::default(), 1).unwrap();
        let old = key.kid();
        let new = key.rotate(1000).unwrap();
        assert_ne!(old, new);
        assert_eq!((key.kid(), key.current().number()), (new, 2));
        assert_eq!(key.sealer([1; 16]).kid(), new);
        let retired = key.epoch(old).unwrap();
        assert!(!retired.is_overdue_at(1000 + RETIRED_GRACE_MS));
        assert!(retired.is_overdue_at(1001 + RETIRED_GRACE_MS));
        assert!(!key.current().is_overdue_at(u64::MAX));
    }
}
