//! Keys made, edited, rotated, retired and deleted; and what that would mean, asked beforehand.

use crate::{
    keys::{Consent, Edited, KeyError, Keyring, KeyringError, TopicKey, passphrase},
    topic::TopicFilter,
};

use super::{
    super::{
        Asked, Event, Failure, KeyConsequences, Password, Signatures, Suite,
        clock::now_ms,
        desk::Desk,
        failure::not_logged_in,
        link::{Ask, KeyInUse},
        sealing::{self, find, view},
        wipe,
    },
    covered, strong,
};

/// What a key is made of, but for its secret.
pub(in crate::client) struct NewKey {
    pub label: String,
    pub filters: Vec<TopicFilter>,
    pub suite: Suite,
    pub signatures: Signatures,
}

impl Desk {
    pub(in crate::client) async fn create_key(&mut self, new: NewKey) {
        match self.try_create_key(&new).await {
            Ok(()) => self.watch(&new.filters),
            Err(failure) => self.teller.fail(Asked::CreateKey, failure),
        }
    }

    pub(super) async fn try_create_key(&mut self, new: &NewKey) -> Result<(), Failure> {
        // Made once: a second try after a conflict must not make another secret.
        let key = wipe::clean(|| TopicKey::generate(&new.label, new.filters.clone(), new.suite, now_ms()));
        self.add_key("create key", key.and_then(|key| key.asking(new.signatures))).await
    }

    async fn add_key(&mut self, action: &str, key: Result<TopicKey, KeyError>) -> Result<(), Failure> {
        let what = "The key was not made.";
        if self.session.is_none() {
            return Err(not_logged_in(what));
        }
        let key = key.map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let made = self.change_keys(|keyring| keyring.add(key.duplicate()).map(view)).await;
        let shown = made.map_err(|error| error.failure(what))?;
        self.note_key(action, &shown, Ok(()));
        Ok(())
    }

    pub(in crate::client) async fn create_from_passphrase(
        &mut self,
        new: NewKey,
        room: String,
        typed: Password,
    ) {
        match self.try_create_from_passphrase(&new, room, typed).await {
            Ok(()) => self.watch(&new.filters),
            Err(failure) => self.teller.fail(Asked::CreateKey, failure),
        }
    }

    async fn try_create_from_passphrase(
        &mut self,
        new: &NewKey,
        room: String,
        typed: Password,
    ) -> Result<(), Failure> {
        let what = "The key was not made.";
        if self.session.is_none() {
            return Err(not_logged_in(what));
        }
        if room.trim().is_empty() {
            let next = "Name it as the others do: room and passphrase together make the key.";
            return Err(Failure::new(what, "The room has no name.", next));
        }
        strong(what, "passphrase", &typed, &[&room])?;
        let secret = off_the_reactor(what, move || {
            passphrase::room_secret(&room, &crate::keys::Password::new(typed.reveal()))
        });
        let secret = secret.await?.map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let key = TopicKey::from_secret(&new.label, new.filters.clone(), new.suite, secret, now_ms());
        self.add_key("create key from passphrase", key.and_then(|key| key.asking(new.signatures))).await
    }

    pub(in crate::client) fn suggest_passphrase(&self) {
        match passphrase::suggest() {
            Ok(words) => self.teller.tell(Event::Passphrase(Password::new(words.expose()))),
            Err(error) => {
                let failure = Failure::new("No passphrase was drawn.", error.to_string(), "");
                self.teller.fail(Asked::Passphrase, failure);
            }
        }
    }

    pub(in crate::client) async fn rotate_key(&mut self, id: &str) {
        let now = now_ms();
        let rotate = |keyring: &mut Keyring, label: &str| keyring.rotate(label, now).map(drop);
        self.change_key(Asked::RotateKey, id, "rotate key", "The key was not rotated.", rotate).await;
    }

    pub(in crate::client) async fn retire_key(&mut self, id: &str, retired: bool) {
        let since = retired.then(now_ms);
        let retire = |keyring: &mut Keyring, label: &str| {
            // Already retired: since then, and not since now.
            if keyring.get(label).is_some_and(|key| key.retired_ms().is_some() == retired) {
                return Ok(());
            }
            keyring.set_retired(label, since)
        };
        let (action, what) = match retired {
            true => ("retire key", "The key was not retired."),
            false => ("take key back", "The key is still retired."),
        };
        self.change_key(Asked::RetireKey, id, action, what, retire).await;
    }

    pub(in crate::client) async fn delete_key(&mut self, id: &str) {
        let what = "The key was not deleted.";
        if self.session.is_none() {
            self.teller.fail(Asked::DeleteKey, not_logged_in(what));
            return;
        }
        let deleted = self
            .change_keys(|keyring| {
                let key = find(keyring, id).ok_or(KeyringError::Gone)?;
                let (label, shown) = (key.label().to_owned(), view(key));
                keyring.remove(&label)?;
                Ok(shown)
            })
            .await;
        match deleted {
            Ok(key) => self.note_key("delete key", &key, Ok(())),
            Err(error) => self.teller.fail(Asked::DeleteKey, error.failure(what)),
        }
    }

    /// Changes one key that stays.
    async fn change_key(
        &mut self,
        asked: Asked,
        id: &str,
        action: &str,
        what: &str,
        change: impl Fn(&mut Keyring, &str) -> Result<(), KeyringError>,
    ) {
        if self.session.is_none() {
            self.teller.fail(asked, not_logged_in(what));
            return;
        }
        let changed = self
            .change_keys(|keyring| {
                let label = find(keyring, id).ok_or(KeyringError::Gone)?.label().to_owned();
                change(keyring, &label)?;
                keyring.get(&label).map(view).ok_or(KeyringError::Gone)
            })
            .await;
        match changed {
            Ok(key) => self.note_key(action, &key, Ok(())),
            Err(error) => self.teller.fail(asked, error.failure(what)),
        }
    }

    pub(in crate::client) async fn edit_key(
        &mut self,
        id: &str,
        label: &str,
        filters: &[TopicFilter],
        signatures: Signatures,
        take_over: bool,
    ) {
        let what = "The key was not changed.";
        if self.session.is_none() {
            self.teller.fail(Asked::EditKey, not_logged_in(what));
            return;
        }
        let consent = if take_over { Consent::TakeOver } else { Consent::OpenOnly };
        let edited = self
            .change_keys_unless(|keyring| {
                let key = find(keyring, id).ok_or(KeyringError::Gone)?;
                let (old, before) = (key.label().to_owned(), key.filters().to_vec());
                let outcome = keyring.edit(&old, label, filters.to_vec(), signatures, consent)?;
                let key = find(keyring, id).ok_or(KeyringError::Gone)?;
                Ok(match outcome {
                    Edited::Done => Ok((view(key), before)),
                    Edited::NeedsConsent(labels) => {
                        let new: Vec<TopicFilter> =
                            filters.iter().filter(|filter| !before.contains(filter)).cloned().collect();
                        Err((view(key), covered(keyring, &new, &labels)))
                    }
                })
            })
            .await;
        match edited {
            Ok(Ok((key, before))) => {
                self.note_key("edit key", &key, Ok(()));
                let new: Vec<TopicFilter> =
                    key.filters.iter().filter(|filter| !before.contains(filter)).cloned().collect();
                self.watch(&new);
                self.teller.tell(Event::KeyEdited { key, covered: Vec::new() });
            }
            Ok(Err((key, covered))) => self.teller.tell(Event::KeyEdited { key, covered }),
            Err(error) => self.teller.fail(Asked::EditKey, error.failure(what)),
        }
    }

    /// The desk tells what it knows of the keyring; the link adds what rests on this computer, and answers.
    pub(in crate::client) fn ask_consequences(&self, id: &str) {
        let what = "What depends on the key is not known.";
        let Some(session) = &self.session else {
            self.teller.fail(Asked::KeyConsequences, not_logged_in(what));
            return;
        };
        let vault = sealing::read(&session.vault.shared);
        let Some(key) = find(&vault.keyring, id) else {
            drop(vault);
            let failure = Failure::new(what, KeyringError::Gone.to_string(), "");
            self.teller.fail(Asked::KeyConsequences, failure);
            return;
        };
        let (filters_uncovered, others_cover) = without(&vault.keyring, key);
        let in_use = KeyInUse {
            id: id.to_owned(),
            suite: key.suite(),
            filters: key.filters().to_vec(),
            kids: key.epochs().iter().map(crate::keys::Epoch::kid).collect(),
            known: KeyConsequences { filters_uncovered, others_cover, ..KeyConsequences::default() },
        };
        drop(vault);
        self.pass(Asked::KeyConsequences, what, Ask::Consequences(Box::new(in_use)));
    }
}

/// Which of a key's filters nothing would seal without it, and what would seal the others, in part or whole.
fn without(keyring: &Keyring, key: &TopicKey) -> (Vec<TopicFilter>, Vec<(TopicFilter, String)>) {
    let sealing =
        keyring.keys().iter().filter(|other| other.sealing_allowed() && other.label() != key.label());
    let others: Vec<&TopicKey> = sealing.collect();
    let (mut uncovered, mut covered) = (Vec::new(), Vec::new());
    for filter in key.filters() {
        if !others.iter().any(|other| other.filters().iter().any(|theirs| theirs.covers(filter))) {
            uncovered.push(filter.clone());
        }
        let overlapping =
            others.iter().filter(|other| other.filters().iter().any(|theirs| theirs.overlaps(filter)));
        covered.extend(overlapping.map(|other| (filter.clone(), other.label().to_owned())));
    }
    (uncovered, covered)
}

/// Key stretching takes a while and much memory: not where the link runs.
pub(super) async fn off_the_reactor<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(move || wipe::clean(work))
        .await
        .map_err(|_| Failure::new(what, "It was broken off.", "Close some programs and try again."))
}
