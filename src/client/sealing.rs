//! The open vault at work: which key seals a draft, and what opening a message tells.
//!
//! One sealer, hence one session, per key epoch and program start. The vault is shared with the desk, which changes
//! it; it is read-locked for one message at a time and never across a wait.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use bytes::Bytes;

use crate::{
    keys::{Keyring, OpenedWith, TopicKey, Vault},
    seal::{
        Kid, Kind, MEDIA_TYPE, OpenError, Opened, Plain, SealError, Sealer, SenderKey, Signatures,
        legacy::Profile,
        replay::{MAX_AHEAD_MS, Replay},
    },
    topic::TopicName,
};

use super::{Draft, EpochView, KeyView, Opening, SealedWith, clock::now_ms, wipe};

/// The name of a refusal that a key would mend, which another computer of this account may have made.
pub(super) const NO_KEY: &str = "No key";

/// The open vault, shared between desk and link.
pub(super) type SharedVault = Arc<RwLock<Vault>>;

/// Reads the vault; a panic elsewhere does not lock people out of their keys.
pub(super) fn read(vault: &SharedVault) -> RwLockReadGuard<'_, Vault> {
    vault.read().unwrap_or_else(PoisonError::into_inner)
}

/// Seals and opens for one link.
pub(super) struct Sealing {
    vault: SharedVault,
    sealers: HashMap<Kid, Sealer>,
}

/// A draft, sealed.
pub(super) struct SealedDraft {
    pub wire: Bytes,
    pub with: SealedWith,
    /// For MQTT's content type.
    pub content_type: Option<&'static str>,
}

/// What arrived, opened or not.
pub(super) struct Received {
    pub opening: Opening,
    /// `None` where it was not opened.
    pub verdict: Option<Replay>,
    /// Whose signature holds, who must be known and is not.
    pub unknown: Option<SenderKey>,
}

impl Sealing {
    pub(super) fn new(vault: SharedVault) -> Self {
        Self { vault, sealers: HashMap::new() }
    }

    /// Drops the sealers of keys that are gone.
    pub(super) fn keys_changed(&mut self) {
        let vault = read(&self.vault);
        // Both native suites give a secret one kid: a key that was replaced by one of another suite needs a sealer of that.
        self.sealers.retain(|kid, sealer| {
            let key = vault.keyring.key_for_opening(*kid).map(|(key, _)| key);
            key.is_some_and(|key| key.suite() == sealer.suite() && key.kid() == *kid)
        });
    }

    /// Whether a key covers a topic, so that nothing goes there without a seal.
    pub(super) fn covers(&self, topic: &TopicName) -> bool {
        read(&self.vault).keyring.covers(topic)
    }

    /// Whether it is known who signs with this key.
    pub(super) fn knows(&self, key: &SenderKey) -> bool {
        knows(&read(&self.vault), key)
    }

    /// The id of the key that would seal for a topic.
    pub(super) fn kid_for(&self, topic: &TopicName) -> Option<Kid> {
        read(&self.vault).keyring.key_for_sealing(topic).map(TopicKey::kid)
    }

    /// Whether what was sealed for a topic under this key id would be sealed under a newer epoch of the same key now.
    pub(super) fn is_superseded(&self, topic: &TopicName, kid: Kid) -> bool {
        let vault = read(&self.vault);
        let sealing = vault.keyring.key_for_sealing(topic);
        sealing.is_some_and(|key| key.kid() != kid && key.epoch(kid).is_some())
    }

    /// The older system whose programs are met on a topic.
    pub(super) fn profile_for(&self, topic: &TopicName) -> Option<Profile> {
        read(&self.vault).keyring.key_for_sealing(topic).and_then(TopicKey::profile)
    }

    /// The older system that the key with this id is for.
    pub(super) fn profile_of(&self, kid: &str) -> Option<Profile> {
        let vault = read(&self.vault);
        let mut keys = vault.keyring.keys().iter();
        keys.find(|key| key.epochs().iter().any(|epoch| epoch.kid().to_string() == kid))?.profile()
    }

    /// Seals a draft with the key of its topic; `None` where no key covers it. A key that covers it but may only open is a
    /// failure: what others expect to be sealed never goes in the clear.
    pub(super) fn seal(&mut self, draft: &Draft) -> Option<Result<SealedDraft, String>> {
        self.seal_as(draft, false)
    }

    /// As [`Self::seal`], and marked inside the seal as a will: those who open it judge it by an exact set of what they
    /// have seen, because it comes long after its session went on.
    pub(super) fn seal_will(&mut self, draft: &Draft) -> Option<Result<SealedDraft, String>> {
        self.seal_as(draft, true)
    }

    fn seal_as(&mut self, draft: &Draft, will: bool) -> Option<Result<SealedDraft, String>> {
        let vault = read(&self.vault);
        let Some(key) = vault.keyring.key_for_sealing(&draft.topic) else {
            let why = || {
                format!(
                    "The key for {} may only open, not seal: let it take over, or take it back into use, in Keys.",
                    draft.topic
                )
            };
            return vault.keyring.covers(&draft.topic).then(|| Err(why()));
        };
        let kid = key.kid();
        let sealer = match self.sealers.entry(kid) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => match session() {
                Ok(session) => free.insert(wipe::clean(|| key.sealer(session))),
                Err(error) => return Some(Err(error)),
            },
        };
        let plain = Plain {
            kind: Kind { retained: draft.retain, will },
            content_type: draft.content_type.as_deref(),
            body: &draft.body,
        };
        let signer = match (key.signatures(), vault.identity()) {
            (Signatures::Off, _) => None,
            (_, Some(identity)) => Some(identity),
            (_, None) => {
                let why = "Messages to this topic are signed, and your vault holds nothing to sign with yet: log in again.";
                return Some(Err(why.to_owned()));
            }
        };
        let seal = |sealer: &mut Sealer| match signer {
            Some(identity) => {
                wipe::clean_message(|| sealer.seal_signed(&draft.topic, &plain, now_ms(), identity))
            }
            None => sealer.seal(&draft.topic, &plain, now_ms()),
        };
        let mut sealed = seal(sealer);
        if matches!(sealed, Err(SealError::Spent)) {
            sealed = match session() {
                Ok(session) => wipe::clean(|| sealer.start_session(session)).and_then(|()| seal(sealer)),
                Err(error) => return Some(Err(error)),
            };
        }
        Some(sealed.map_err(|error| error.to_string()).map(|sealed| SealedDraft {
            wire: sealed.into_bytes().into(),
            with: sealed_with(key, kid, signer.is_some()),
            content_type: key.suite().is_native().then_some(MEDIA_TYPE),
        }))
    }

    /// Opens what arrived. `judge` is asked of what opened; `live` where it came just now and not from the history.
    pub(super) fn open(
        &self,
        topic: &TopicName,
        wire: &Bytes,
        live: bool,
        judge: impl FnOnce(&Opened) -> Option<Replay>,
    ) -> Received {
        let vault = read(&self.vault);
        match wipe::clean_message(|| vault.keyring.open(topic, wire)) {
            Ok(opened_with) => {
                let opened = &opened_with.opened;
                let asked = vault.keyring.signatures_asked(topic, opened_with.key);
                if let Some(signer) = opened.signer
                    && asked == Signatures::Require
                    && !knows(&vault, &signer)
                {
                    // Not judged: it counts as never seen until its signer is known.
                    let error = OpenError::UnknownSigner { signer };
                    let opening = Opening::Refused { name: name(&error).to_owned(), why: error.to_string() };
                    return Received { opening, verdict: None, unknown: Some(signer) };
                }
                let verdict = judge(opened);
                let mut notes = Vec::new();
                match verdict {
                    None => notes.push("not judged when it came".to_owned()),
                    Some(Replay::Fresh) => {}
                    Some(notable) => notes.push(notable.to_string()),
                }
                notes.extend(remarks(&vault.keyring, topic, &opened_with, live));
                let opening = Opening::Opened {
                    with: sealed_with(opened_with.key, opened.kid, opened.signer.is_some()),
                    body: Bytes::copy_from_slice(&opened.body),
                    content_type: opened.content_type.clone(),
                    sealed_at_ms: opened.sealed_at_ms.unwrap_or(0),
                    will: opened.kind.will,
                    signer: opened.signer,
                    notes,
                };
                Received { opening, verdict, unknown: None }
            }
            Err(error) => {
                let in_the_clear = match error {
                    OpenError::NotAnEnvelope => true,
                    OpenError::Empty => !vault.keyring.covers(topic),
                    _ => false,
                };
                let opening = if in_the_clear {
                    Opening::InTheClear { body: wire.clone() }
                } else {
                    Opening::Refused { name: name(&error).to_owned(), why: error.to_string() }
                };
                Received { opening, verdict: None, unknown: None }
            }
        }
    }
}

fn knows(vault: &Vault, key: &SenderKey) -> bool {
    vault.people.get(key).is_some() || vault.identity().is_some_and(|own| own.sender() == *key)
}

/// What is notable of an opened message besides its verdict; `live` where it came just now.
pub(super) fn remarks(
    keyring: &Keyring,
    topic: &TopicName,
    opened_with: &OpenedWith<'_>,
    live: bool,
) -> Vec<String> {
    let OpenedWith { opened, key, epoch } = opened_with;
    let now = now_ms();
    let is_ahead = opened.sealed_at_ms.is_some_and(|stamp| stamp > now.saturating_add(MAX_AHEAD_MS));
    let remarks = [
        (is_ahead, "clock ahead"),
        (keyring.is_wider(topic, key), "sealed with a wider key"),
        (live && key.is_overdue_at(epoch, now), "sealed with a retired key"),
    ];
    remarks.into_iter().filter(|(holds, _)| *holds).map(|(_, remark)| remark.to_owned()).collect()
}

/// 16 fresh random bytes: a repeated session id would repeat nonces.
pub(super) fn session() -> Result<[u8; 16], String> {
    let mut session = [0; 16];
    getrandom::fill(&mut session).map_err(|error| {
        format!("the operating system gave no randomness ({error}), and without it no seal is safe")
    })?;
    Ok(session)
}

/// What sealed it, in words.
pub(super) fn sealed_with(key: &TopicKey, kid: Kid, signed: bool) -> SealedWith {
    SealedWith {
        label: key.label().to_owned(),
        kid: kid.to_string(),
        suite: key.suite(),
        profile: key.profile(),
        signed,
    }
}

/// Two or three words for a cell in a table.
fn name(error: &OpenError) -> &'static str {
    match error {
        OpenError::Empty => "Empty",
        OpenError::NotAnEnvelope => "Not sealed",
        OpenError::CutShort { .. } => "Cut short",
        OpenError::TrailingBytes { .. } => "Over-long",
        OpenError::BadHeader(_) => "Bad header",
        OpenError::UnknownAlgorithm(_) => "Unknown algorithm",
        OpenError::UnknownKey { .. } | OpenError::NoKeyForTopic { .. } => NO_KEY,
        OpenError::KeyNotForTopic { .. } => "Key not for this topic",
        OpenError::NotSealedAsRequired { .. } => "Not sealed as required",
        OpenError::Altered => "Altered",
        OpenError::MovedTopic { .. } => "Moved",
        OpenError::Padding => "Bad padding",
        OpenError::BadContents(_) => "Bad contents",
        OpenError::FernetRefused | OpenError::CbcHmacRefused { .. } => "Altered or other key",
        OpenError::BadSignature { .. } => "Bad signature",
        OpenError::NotSigned => "Not signed",
        OpenError::UnknownSigner { .. } => "Unknown signer",
    }
}

/// What names a key in commands: the id of its first epoch, which no rotation changes.
pub(super) fn key_id(key: &TopicKey) -> String {
    key.epochs().first().map_or_else(String::new, |first| first.kid().to_string())
}

/// The key that a command names.
pub(super) fn find<'k>(keyring: &'k Keyring, id: &str) -> Option<&'k TopicKey> {
    keyring.keys().iter().find(|key| key_id(key) == id)
}

/// A key as people see it.
pub(super) fn view(key: &TopicKey) -> KeyView {
    KeyView {
        id: key_id(key),
        label: key.label().to_owned(),
        filters: key.filters().to_vec(),
        suite: key.suite(),
        kid: key.kid().to_string(),
        fingerprint: key.fingerprint(),
        created_ms: key.epochs().first().map_or(0, crate::keys::Epoch::created_ms),
        seals: key.sealing_allowed(),
        retired: key.retired_ms().is_some(),
        signatures: key.signatures(),
        profile: key.profile(),
        weak: key.weakness().map(str::to_owned),
        epochs: key.epochs().iter().rev().map(epoch_view).collect(),
    }
}

fn epoch_view(epoch: &crate::keys::Epoch) -> EpochView {
    EpochView {
        number: epoch.number(),
        kid: epoch.kid().to_string(),
        fingerprint: epoch.kid().fingerprint(),
        created_ms: epoch.created_ms(),
        retired_ms: epoch.retired_ms(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::Consent,
        seal::{EpochSecret, Suite},
        topic::TopicFilter,
    };

    fn key(filters: &[&str], suite: Suite, secret: u8) -> TopicKey {
        let filters = filters.iter().map(|filter| TopicFilter::new(filter).unwrap()).collect();
        let secret = EpochSecret::from_bytes([secret; 32]);
        TopicKey::from_secret(&format!("{suite} {filters:?}"), filters, suite, secret, 1).unwrap()
    }

    fn draft(topic: &str) -> Draft {
        let topic = TopicName::new(topic).unwrap();
        Draft { topic, body: b"21.5".to_vec(), content_type: None, qos: 1, retain: false }
    }

    #[test]
    fn where_a_key_covers_but_may_not_seal_nothing_goes_out_and_so_not_in_the_clear() {
        let mut vault = Vault::create("anna").unwrap();
        vault.keyring.add(key(&["a/#"], Suite::default(), 1)).unwrap();
        vault.keyring.import(key(&["a/#", "b/#"], Suite::default(), 2), Consent::OpenOnly).unwrap();
        let mut sealing = Sealing::new(Arc::new(RwLock::new(vault)));
        assert!(matches!(sealing.seal(&draft("a/x")), Some(Ok(_))));
        assert!(matches!(sealing.seal(&draft("b/x")), Some(Err(_))));
        assert!(sealing.seal(&draft("c/x")).is_none(), "no key at all: that is for the person to say");
    }

    #[test]
    fn an_hour_after_a_rotation_or_a_retirement_live_traffic_shows_it_and_history_does_not() {
        let vault = Arc::new(RwLock::new(Vault::create("anna").unwrap()));
        let ring = |change: &dyn Fn(&mut Keyring)| change(&mut vault.write().unwrap().keyring);
        ring(&|ring| assert!(ring.add(key(&["a/#"], Suite::default(), 1)).is_ok()));
        let label = read(&vault).keyring.keys()[0].label().to_owned();
        let mut sealing = Sealing::new(Arc::clone(&vault));
        let wire = sealing.seal(&draft("a/x")).unwrap().unwrap().wire;
        let topic = TopicName::new("a/x").unwrap();
        let notes = |live| match sealing.open(&topic, &wire, live, |_| Some(Replay::Fresh)).opening {
            Opening::Opened { notes, .. } => notes,
            other => panic!("not opened: {other:?}"),
        };
        let long_ago = now_ms() - crate::keys::RETIRED_GRACE_MS - 1000;
        assert!(notes(true).is_empty());
        ring(&|ring| ring.set_retired(&label, Some(now_ms())).unwrap());
        assert!(notes(true).is_empty(), "within the hour it is unremarkable");
        ring(&|ring| ring.set_retired(&label, Some(long_ago)).unwrap());
        assert_eq!(notes(true), ["sealed with a retired key"]);
        assert!(notes(false).is_empty(), "from the history it is no news");
        ring(&|ring| ring.set_retired(&label, None).unwrap());
        ring(&|ring| assert!(ring.rotate(&label, long_ago).is_ok()));
        assert_eq!(notes(true), ["sealed with a retired key"]);
    }

    #[test]
    fn a_key_replaced_by_one_of_the_same_secret_seals_with_its_own_suite() {
        let vault = Arc::new(RwLock::new(Vault::create("anna").unwrap()));
        vault.write().unwrap().keyring.add(key(&["a/#"], Suite::CoseA256Gcm, 1)).unwrap();
        let mut sealing = Sealing::new(Arc::clone(&vault));
        sealing.seal(&draft("a/x")).unwrap().unwrap();
        let mut replaced = crate::keys::Keyring::new();
        replaced.add(key(&["a/#"], Suite::CoseChaCha20, 1)).unwrap();
        vault.write().unwrap().keyring = replaced;
        sealing.keys_changed();
        let sealed = sealing.seal(&draft("a/x")).unwrap().unwrap();
        let opened = read(&vault);
        let opened = opened.keyring.open(&TopicName::new("a/x").unwrap(), &sealed.wire).unwrap();
        assert_eq!((opened.opened.suite, sealed.with.suite), (Suite::CoseChaCha20, Suite::CoseChaCha20));
    }
}
