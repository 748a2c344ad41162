//! The keys of one command, wherever they came from, and what sealing and opening with them tells.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    path::Path,
};

use bytes::Bytes;

use crate::{
    keys::{Consent, Keyring, Learned, People, TopicKey, fernet_key, key_file, key_line, passphrase},
    seal::{
        Body, Kid, Kind, MEDIA_TYPE, OpenError, Plain, SealError, Sealed, Sealer, SenderKey, Signatures,
        SigningKey, replay::ReplayGuard,
    },
    topic::{TopicFilter, TopicName},
};

use super::{
    super::{
        Draft, Password, Profile, SealedWith, Suite,
        clock::now_ms,
        legacy::{self, LegacyKey, Spoken},
        sealing::{remarks, sealed_with, session},
    },
    Account, DirectError,
    line::{Wire, password},
    memory::Memory,
};

pub use crate::seal::replay::Replay as Verdict;

/// Of a message that opened and was sealed by another program than its key is for.
const ODD_SHAPE: &str = "not as that program writes";
/// So many keys are named where none fits.
const NAMED: usize = 5;

/// How a message is to go out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Signed, also where the topic's key does not ask for it.
    pub sign: bool,
    /// In the clear where no key is for the topic. Where one is, it is sealed all the same: others expect that.
    pub in_the_clear: bool,
}

/// The keys of one command, in memory only.
#[derive(Default)]
pub struct Ring {
    keyring: Keyring,
    people: People,
    /// The account's name, where one is logged in.
    own_name: Option<String>,
    identity: Option<SigningKey>,
    /// One a key epoch, hence one session a program start.
    sealers: HashMap<Kid, Sealer>,
    guard: ReplayGuard,
    /// Where what the guard knows outlives the command.
    memory: Option<Memory>,
}

/// What came of the bytes that arrived. Always shown, never guessed.
#[derive(Debug)]
pub enum Reading {
    /// Its seal held. The verdict says whether it was here before.
    Opened(Box<Opened>),
    /// No seal, on a topic that no key is for.
    InTheClear,
    /// Not opened.
    Refused {
        /// The cause's name in the specification of the envelope: `altered`, `unknown-key`.
        name: &'static str,
        /// What, why, and the next step.
        why: String,
    },
}

/// What an opened message tells.
pub struct Opened {
    /// The payload. Wiped when dropped.
    pub body: Body,
    /// As told inside the seal.
    pub content_type: Option<String>,
    /// What sealed it.
    pub with: SealedWith,
    /// By the sender's clock, milliseconds since 1970; `None` where the suite tells no time.
    pub sealed_at_ms: Option<u64>,
    /// Whether its sender sealed it as a will.
    pub will: bool,
    /// Who signed it; the signature holds.
    pub sender: Option<SenderView>,
    /// Whether its topic asks for a signature of somebody known.
    pub must_be_known: bool,
    /// Whether it was here before, as far as this command and its memory have seen.
    pub verdict: Verdict,
    /// What else is notable. Empty when all is well.
    pub notes: Vec<String>,
}

impl Opened {
    /// What keeps it from being taken for good, by the name that programs know; `None` where it holds.
    #[must_use]
    pub fn doubt(&self) -> Option<&'static str> {
        let signed_by = |is: fn(&SenderView) -> bool| self.sender.as_ref().is_some_and(is);
        match self.verdict {
            _ if signed_by(|sender| sender.changed) => Some("changed-key"),
            _ if self.must_be_known && !signed_by(|sender| sender.known) => Some("unknown-signer"),
            Verdict::Fresh => None,
            Verdict::Repeated => Some("repeated"),
            Verdict::TooOldToJudge => Some("too-old-to-judge"),
            Verdict::ReplayedAsRetained => Some("replayed-as-retained"),
            Verdict::RolledBack => Some("rolled-back"),
        }
    }

    /// As [`Self::doubt`], for whoever takes nothing on a stranger's word: a signature of somebody whom only the station
    /// knows, or nobody, is one too.
    #[must_use]
    pub fn strict_doubt(&self) -> Option<&'static str> {
        let stranger = self.sender.as_ref().is_some_and(|sender| !sender.known);
        self.doubt().or(stranger.then_some("unknown-signer"))
    }
}

impl Opened {
    /// What it says, where its key is for programs of an older system and it is in their shape.
    #[must_use]
    pub fn spoken(&self) -> Option<Spoken> {
        self.with.profile?.parse(&self.body).ok()
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({:?}, {:?}, …)", self.with, self.verdict)
    }
}

/// Somebody who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderView {
    /// The identity key, 64 hex digits.
    pub key: String,
    /// The name under which the key is known, if it is, or else the one that the station tells.
    pub name: Option<String>,
    /// Whether this account, or `--known`, knows the key under that name. Otherwise only the station says so.
    pub known: bool,
    /// Whether the two people compared their digits.
    pub compared: bool,
    /// Whether the station gives the key to somebody who is known with another one. It has no name then.
    pub changed: bool,
}

impl Ring {
    /// Without any key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was seen before by commands with this file counts from now on, and what is seen now for those to come.
    ///
    /// # Errors
    /// It is in use, or cannot be read.
    pub fn remember_in(&mut self, path: &Path) -> Result<(), DirectError> {
        let (memory, guard) = Memory::open(path)?;
        (self.memory, self.guard) = (Some(memory), guard);
        Ok(())
    }

    /// What was seen is written down, if there is a file for it and it is time.
    pub(super) fn keep(&mut self) -> Result<(), DirectError> {
        self.memory.as_mut().map_or(Ok(()), |memory| memory.keep(&mut self.guard))
    }

    /// What was seen is written down, if there is a file for it.
    pub(super) fn keep_all(&mut self) -> Result<(), DirectError> {
        self.memory.as_mut().map_or(Ok(()), |memory| memory.write(&mut self.guard))
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keyring.is_empty()
    }

    /// Whether a key is for this topic.
    #[must_use]
    pub fn covers(&self, topic: &TopicName) -> bool {
        self.keyring.covers(topic)
    }

    /// The keys, the people and the identity of an account's vault.
    ///
    /// # Errors
    /// A key that is here already under another suite.
    pub fn add_account(&mut self, account: &Account) -> Result<(), DirectError> {
        let vault = account.vault()?;
        self.add(vault.keyring.keys().iter().map(TopicKey::duplicate).collect())?;
        self.people = vault.people.clone();
        self.own_name = Some(account.username().to_owned());
        self.identity = vault.identity().map(|identity| SigningKey::from_bytes(identity.expose()));
        Ok(())
    }

    /// A keyring file under a passphrase.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn add_keyring(&mut self, file: Vec<u8>, typed: Password) -> Result<(), DirectError> {
        let read = tokio::task::spawn_blocking(move || key_file::read(&file, &password(&typed)));
        self.add(read.await.map_err(|error| DirectError::thread(&error))??)
    }

    /// Key lines, one a line. The keys are for the topics that they name.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn add_key_lines(&mut self, text: &str) -> Result<(), DirectError> {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let key = key_line::read(line).map_err(|error| DirectError::BadKey(error.to_string()))?;
            self.add(vec![key])?;
        }
        Ok(())
    }

    /// A Fernet key, for these topics.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_fernet(&mut self, text: &[u8], filters: Vec<TopicFilter>) -> Result<(), DirectError> {
        let secret = fernet_key::read(text).map_err(|error| DirectError::BadKey(error.to_string()))?;
        let key = TopicKey::from_secret("Fernet key", filters, Suite::Fernet, secret, now_ms())?;
        self.add(vec![key])
    }

    /// The key that this room and passphrase give, for these topics.
    ///
    /// # Errors
    /// Too little memory.
    pub async fn add_room(
        &mut self,
        room: String,
        typed: Password,
        filters: Vec<TopicFilter>,
        suite: Suite,
    ) -> Result<(), DirectError> {
        let label: String = room.chars().filter(|c| !c.is_control()).take(50).collect();
        let derive = move || passphrase::room_secret(&room, &password(&typed));
        let secret =
            tokio::task::spawn_blocking(derive).await.map_err(|error| DirectError::thread(&error))??;
        self.add(vec![TopicKey::from_secret(&format!("room {label}"), filters, suite, secret, now_ms())?])
    }

    /// The key for programs of an older system. It seals, also where another key for the same topics would.
    ///
    /// # Errors
    /// What those programs would not take.
    pub async fn add_legacy(&mut self, key: LegacyKey) -> Result<(), DirectError> {
        let key = key.made().await?;
        let (filters, profile) = (key.filters().to_vec(), key.profile());
        let there = self.keyring.import(key, Consent::TakeOver)?;
        if let Some(profile) = profile {
            // The same secret may have come as a plain Fernet key, or for other topics.
            self.keyring.follow_profile(&there.label, profile, &filters, Consent::TakeOver)?;
        }
        Ok(self.keyring.set_sealing(&there.label, true)?)
    }

    /// The older system whose programs read what goes to this topic, where the key for sealing is one of theirs.
    #[must_use]
    pub fn profile_for(&self, topic: &TopicName) -> Option<Profile> {
        self.keyring.key_for_sealing(topic)?.profile()
    }

    /// Why the key that seals this topic keeps little or nothing secret, where that is so.
    #[must_use]
    pub fn weakness_for(&self, topic: &TopicName) -> Option<&'static str> {
        self.keyring.key_for_sealing(topic)?.weakness()
    }

    /// The draft as it may go out: for the programs of an older system, as they would send it.
    pub(super) fn fitted<'d>(&self, draft: &'d Draft) -> Result<Cow<'d, Draft>, DirectError> {
        match self.profile_for(&draft.topic) {
            None => Ok(Cow::Borrowed(draft)),
            Some(profile) => legacy::within(profile, draft)
                .map(Cow::Owned)
                .map_err(|error| DirectError::Shape { topic: draft.topic.clone(), error }),
        }
    }

    /// Somebody whose signature is known: the 64 hex digits of the identity key.
    ///
    /// # Errors
    /// It is no identity key, or name and key are known otherwise.
    pub fn add_known(&mut self, name: &str, key: &str) -> Result<(), DirectError> {
        let key: SenderKey =
            key.parse().map_err(|error| DirectError::BadKey(format!("the identity of {name}: {error}")))?;
        match self.people.learn(name, key, now_ms()) {
            Learned::New | Learned::Same => Ok(()),
            Learned::Changed { .. } | Learned::Renamed { .. } | Learned::Full => Err(DirectError::BadKey(
                format!("{name} or this identity is known otherwise: look at what the account knows first"),
            )),
        }
    }

    fn add(&mut self, keys: Vec<TopicKey>) -> Result<(), DirectError> {
        for key in keys {
            self.keyring.import(key, Consent::TakeOver)?;
        }
        Ok(())
    }

    /// Whether a message to this topic can go out so, to be asked before anybody is connected to.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn may_seal(&self, topic: &TopicName, manner: Manner) -> Result<(), DirectError> {
        match key_for(&self.keyring, topic, manner)? {
            Some(key) => signer(self.identity.as_ref(), self.own_name.is_some(), key, manner).map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn seal(&mut self, draft: &Draft, manner: Manner, will: bool) -> Result<Wire, DirectError> {
        let Some(key) = key_for(&self.keyring, &draft.topic, manner)? else {
            return Ok(Wire {
                wire: Bytes::copy_from_slice(&draft.body),
                content_type: draft.content_type.clone(),
                with: None,
                signed: false,
            });
        };
        let kid = key.kid();
        let signer = signer(self.identity.as_ref(), self.own_name.is_some(), key, manner)?;
        let sealer = match self.sealers.entry(kid) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(key.sealer(session().map_err(DirectError::Other)?)),
        };
        let plain = Plain {
            kind: Kind { retained: draft.retain, will },
            content_type: draft.content_type.as_deref(),
            body: &draft.body,
        };
        let seal = |sealer: &mut Sealer| match signer {
            Some(identity) => sealer.seal_signed(&draft.topic, &plain, now_ms(), identity),
            None => sealer.seal(&draft.topic, &plain, now_ms()),
        };
        let mut sealed = seal(sealer);
        if matches!(sealed, Err(SealError::Spent)) {
            sealer.start_session(session().map_err(DirectError::Other)?)?;
            sealed = seal(sealer);
        }
        Ok(Wire {
            wire: sealed.map(Sealed::into_bytes)?.into(),
            content_type: key.suite().is_native().then(|| MEDIA_TYPE.to_owned()),
            with: Some(sealed_with(key, kid, signer.is_some())),
            signed: signer.is_some(),
        })
    }

    pub(super) fn open(&mut self, topic: &TopicName, wire: &Bytes, retained: bool) -> Reading {
        let opened_with = match self.keyring.open(topic, wire) {
            Ok(opened_with) => opened_with,
            Err(OpenError::NotAnEnvelope) => return Reading::InTheClear,
            Err(OpenError::Empty) if !self.keyring.covers(topic) => return Reading::InTheClear,
            Err(error) => return refused(&error),
        };
        let verdict = self.guard.judge(&opened_with.opened, topic, retained, now_ms());
        let mut notes = remarks(&self.keyring, topic, &opened_with, !retained);
        let (key, opened) = (opened_with.key, opened_with.opened);
        if let Some(weakness) = key.weakness() {
            notes.push(weakness.to_owned());
        }
        if opened.signer.is_none() && key.signatures() == Signatures::Accept {
            notes.push("not signed".to_owned());
        }
        if key.profile().is_some_and(|profile| profile.parse(&opened.body).is_err()) {
            notes.push(ODD_SHAPE.to_owned());
        }
        let sender = opened.signer.map(|signer| self.sender(&signer));
        Reading::Opened(Box::new(Opened {
            with: sealed_with(key, opened.kid, opened.signer.is_some()),
            body: opened.body,
            content_type: opened.content_type,
            sealed_at_ms: opened.sealed_at_ms,
            will: opened.kind.will,
            sender,
            must_be_known: self.keyring.signatures_asked(topic, key) == Signatures::Require,
            verdict,
            notes,
        }))
    }

    /// Takes in what the station says of the signer of a message whom nobody here knows. A name that is known with another
    /// key, or is the account's own, is not taken: whoever runs the station could say so of any key.
    pub fn hear_of_sender(&self, opened: &mut Opened, told: &str) {
        let Some(sender) = opened.sender.as_mut().filter(|sender| !sender.known) else { return };
        // The station's names are in lower case, those that people gave with --known may not be.
        let is_known = self.people.all().iter().any(|known| known.name.to_lowercase() == told);
        sender.changed = is_known || self.own_name.as_deref() == Some(told);
        if sender.changed {
            sender.name = None;
            opened
                .notes
                .push(format!("changed key: the station says this is {told}, who is known with another key"));
        } else {
            sender.name = Some(told.to_owned());
            opened
                .notes
                .push(format!("the station says that {told} signed it, whom this account has not met"));
        }
    }

    fn sender(&self, key: &SenderKey) -> SenderView {
        let own = self.identity.as_ref().is_some_and(|own| own.sender() == *key);
        let known = self.people.get(key);
        SenderView {
            key: key.to_string(),
            name: known.map(|known| known.name.clone()).or_else(|| own.then(|| "yourself".to_owned())),
            known: own || known.is_some(),
            compared: own || known.is_some_and(|known| known.compared),
            changed: false,
        }
    }
}

/// The key that seals a topic; `None` where it may go in the clear.
fn key_for<'k>(
    keyring: &'k Keyring,
    topic: &TopicName,
    manner: Manner,
) -> Result<Option<&'k TopicKey>, DirectError> {
    match keyring.key_for_sealing(topic) {
        Some(key) => Ok(Some(key)),
        None if keyring.covers(topic) => Err(DirectError::OpensOnly(topic.clone())),
        None if manner.in_the_clear => Ok(None),
        None => Err(DirectError::NoKey { topic: topic.clone(), others: others(keyring) }),
    }
}

/// What a message is signed with, where it is to be.
fn signer<'k>(
    identity: Option<&'k SigningKey>,
    has_account: bool,
    key: &TopicKey,
    manner: Manner,
) -> Result<Option<&'k SigningKey>, DirectError> {
    match (manner.sign || key.signatures() != Signatures::Off, identity) {
        (false, _) => Ok(None),
        (true, Some(identity)) => Ok(Some(identity)),
        (true, None) if has_account => Err(DirectError::NoIdentityYet),
        (true, None) => Err(DirectError::NoIdentity),
    }
}

/// “ (the keys are …)”, so that a mistyped topic shows; nothing where there is no key.
fn others(keyring: &Keyring) -> String {
    let filters = |key: &TopicKey| {
        let filters: Vec<&str> = key.filters().iter().map(TopicFilter::as_str).collect();
        format!("“{}” for {}", key.label(), filters.join(", "))
    };
    let named: Vec<String> = keyring.keys().iter().take(NAMED).map(filters).collect();
    match (named.as_slice(), keyring.len() - named.len()) {
        ([], _) => String::new(),
        ([only], _) => format!(" (the only key is {only})"),
        (_, 0) => format!(" (the keys are {})", named.join("; ")),
        (_, 1) => format!(" (the keys are {}; and one more)", named.join("; ")),
        (_, more) => format!(" (the keys are {}; and {more} more)", named.join("; ")),
    }
}

fn refused(error: &OpenError) -> Reading {
    Reading::Refused { name: error.name(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::EpochSecret;

    /// A ring with this key, and with what this byte makes to sign with.
    fn ring(signatures: Signatures, identity: u8) -> Ring {
        let filters = vec![TopicFilter::new("a/#").unwrap()];
        let secret = EpochSecret::from_bytes([7; 32]);
        let key = TopicKey::from_secret("A", filters, Suite::default(), secret, 1).unwrap();
        let mut ring = Ring::new();
        ring.add(vec![key.with_signatures(signatures)]).unwrap();
        ring.identity = Some(SigningKey::from_bytes(&[identity; 32]));
        ring
    }

    /// What `ada`, who knows `anna` with the identity 1, has of a message signed with the identity 2 once the station has
    /// told whose it is.
    fn heard(signatures: Signatures, told: &str) -> Box<Opened> {
        let topic = TopicName::new("a/x").unwrap();
        let draft = Draft { topic, body: b"21.5".to_vec(), content_type: None, qos: 1, retain: false };
        let sealed = ring(signatures, 2).seal(&draft, Manner::default(), false).unwrap();
        let mut ada = ring(signatures, 9);
        ada.own_name = Some("ada".to_owned());
        let anna = SigningKey::from_bytes(&[1; 32]).sender();
        ada.add_known("Anna", &anna.to_string()).unwrap();
        let Reading::Opened(mut opened) = ada.open(&draft.topic, &sealed.wire, false) else {
            panic!("not opened")
        };
        ada.hear_of_sender(&mut opened, told);
        opened
    }

    #[test]
    fn the_station_cannot_give_a_known_name_to_another_key_nor_the_account_s_own() {
        for signatures in [Signatures::Accept, Signatures::Require] {
            for name in ["anna", "ada"] {
                let opened = heard(signatures, name);
                assert_eq!(opened.sender.as_ref().and_then(|sender| sender.name.as_deref()), None);
                assert_eq!(opened.doubt(), Some("changed-key"), "{name}");
                assert!(
                    opened.notes.iter().any(|note| note.starts_with("changed key")),
                    "{:?}",
                    opened.notes
                );
            }
        }
        let told = heard(Signatures::Accept, "ben");
        assert_eq!(told.sender.as_ref().and_then(|sender| sender.name.as_deref()), Some("ben"));
        assert_eq!((told.doubt(), told.strict_doubt()), (None, Some("unknown-signer")));
        assert_eq!(heard(Signatures::Require, "ben").doubt(), Some("unknown-signer"));
    }

    #[test]
    fn where_no_key_is_for_a_topic_those_that_there_are_are_named() {
        let mut ring = Ring::new();
        assert_eq!(others(&ring.keyring), "");
        for at in 1..=7_u8 {
            let filters = vec![TopicFilter::new(format!("{at}/#")).unwrap()];
            let secret = EpochSecret::from_bytes([at; 32]);
            let key = TopicKey::from_secret(&at.to_string(), filters, Suite::default(), secret, 1).unwrap();
            ring.add(vec![key]).unwrap();
            match at {
                1 => assert_eq!(others(&ring.keyring), " (the only key is “1” for 1/#)"),
                2 => assert_eq!(others(&ring.keyring), " (the keys are “1” for 1/#; “2” for 2/#)"),
                6 => assert!(others(&ring.keyring).ends_with("“5” for 5/#; and one more)")),
                7 => assert!(others(&ring.keyring).ends_with("“5” for 5/#; and 2 more)")),
                _ => {}
            }
        }
        let topic = TopicName::new("x").unwrap();
        assert!(matches!(ring.may_seal(&topic, Manner::default()), Err(DirectError::NoKey { .. })));
        assert!(ring.may_seal(&topic, Manner { in_the_clear: true, ..Manner::default() }).is_ok());
    }
}
