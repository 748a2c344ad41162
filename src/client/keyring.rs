//! The vault at the station: opened at login, changed by compare and swap, and what people do with keys.
//!
//! A change is made to the newest vault and stored as the next version. Where another computer was faster, the
//! change is made again on what that one stored, so that no key is lost. What can be changed is in `editing`; how keys
//! come in and go out in `exchange`.

mod editing;
mod exchange;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Blob, ProblemCode, PutVault, RecoveryEntry, Username, VaultVersion},
    keys::{
        Keyring, KeyringError, PasswordKeys, RecoveryCode, SealedVault, Vault, VaultError, VaultSecret,
        WrappedSecret, strength,
    },
    topic::TopicFilter,
};

pub(super) use editing::NewKey;

use super::{
    Asked, Event, Failure, KeyView, Password, Signatures, Suite,
    account::recovery_entries,
    desk::{Desk, LoggedIn, NO_BODY},
    failure::not_logged_in,
    http::CallError,
    link::Ask,
    sample,
    sealing::{self, SharedVault, view},
    store::Store,
    wipe,
};

/// How often a change is made again because another computer was faster. One that changes keys without a pause is
/// always faster: the waits between the tries, at most [`MOST_WAIT`] each, outlast a burst of some seconds.
pub(super) const TRIES: u32 = 30;
/// The longest wait before the next try.
const MOST_WAIT: Duration = Duration::from_millis(250);
/// How long the station may take to show the vault where nobody waits for it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// The open vault of the account that is logged in.
pub(super) struct OpenVault {
    username: Username,
    secret: VaultSecret,
    sealed: SealedVault,
    shared: SharedVault,
}

/// The vaults seen on this computer, in the state file: hashes and numbers, nothing that opens anything.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SeenVaults {
    /// The vault in use, by [`VaultSecret::id`].
    id: String,
    version: u64,
    /// Those that a reset replaced.
    past: Vec<String>,
}

/// The vault in use has this version now.
pub(super) async fn remember_version(store: &mut Store, version: u64) {
    let kept = async {
        let text = store.setting("vault").await?.unwrap_or_default();
        if let Ok(mut seen) = serde_json::from_str::<SeenVaults>(&text) {
            seen.version = seen.version.max(version);
            store.set_setting("vault", &serde_json::to_string(&seen).unwrap_or_default()).await?;
        }
        Ok::<_, super::store::StoreError>(())
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "the vault's version was not remembered");
    }
}

/// Why a change was not made.
pub(super) enum ChangeError {
    Keyring(KeyringError),
    Vault(VaultError),
    Call(CallError),
    RolledBack { known: u64, got: u64 },
}

impl ChangeError {
    pub(super) fn failure(&self, what: &str) -> Failure {
        match self {
            Self::Keyring(error) => Failure::new(what, error.to_string(), ""),
            Self::Vault(error) => Failure::new(what, error.to_string(), ""),
            Self::Call(error) => error.failure(what),
            Self::RolledBack { known, got } => rolled_back(what, *known, *got),
        }
    }
}

fn rolled_back(what: &str, known: u64, got: u64) -> Failure {
    Failure::new(
        what,
        format!("The station gave version {got} of your vault, and this computer has seen version {known}."),
        "The station was restored from an old backup, or somebody tampers with it. Ask whoever looks after it.",
    )
}

fn sealed(vault: &api::Vault) -> SealedVault {
    SealedVault { version: vault.version, ciphertext: vault.sealed.0.clone() }
}

impl OpenVault {
    pub(super) fn open(
        username: &Username,
        vault: &api::Vault,
        keys: &PasswordKeys,
    ) -> Result<Self, VaultError> {
        let wrapped = WrappedSecret::from_bytes(vault.password_wrap.0.clone());
        let sealed = sealed(vault);
        wipe::clean(|| {
            let secret = VaultSecret::unwrap_with_password(username.as_str(), &wrapped, keys)?;
            let shared = Arc::new(RwLock::new(Vault::open(username.as_str(), &sealed, secret.duplicate())?));
            Ok(Self { username: username.clone(), secret, sealed, shared })
        })
    }

    pub(super) fn shared(&self) -> SharedVault {
        Arc::clone(&self.shared)
    }

    /// Refuses a version older than one that this computer has seen; a vault that a reset made anew is another vault.
    pub(super) async fn check_version(&self, store: &mut Store) -> Result<(), Failure> {
        let what = "You are not logged in.";
        let failed = |error: super::store::StoreError| Failure::new(what, error.to_string(), "");
        let id: String = self.secret.id().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = store.setting("vault").await.map_err(failed)?;
        let mut seen: SeenVaults =
            text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if seen.past.contains(&id) || (seen.id == id && self.sealed.version < seen.version) {
            return Err(rolled_back(what, seen.version, self.sealed.version));
        }
        if seen.id != id && !seen.id.is_empty() {
            seen.past.push(std::mem::take(&mut seen.id));
        }
        (seen.id, seen.version) = (id, self.sealed.version);
        let text = serde_json::to_string(&seen).unwrap_or_default();
        store.set_setting("vault", &text).await.map_err(failed)
    }

    pub(super) fn wrap_for_password(&self, keys: &PasswordKeys) -> Result<Vec<u8>, String> {
        let wrap = self.secret.wrap_for_password(self.username.as_str(), keys);
        wrap.map(WrappedSecret::into_bytes).map_err(|error| error.to_string())
    }

    pub(super) fn recovery_entries(&self, codes: &[RecoveryCode]) -> Result<Vec<RecoveryEntry>, String> {
        recovery_entries(&sealing::read(&self.shared), codes)
    }

    /// Takes over what the station has, if it is not older.
    fn take(&mut self, newer: SealedVault) -> Result<(), ChangeError> {
        if newer.version < self.sealed.version {
            return Err(ChangeError::RolledBack { known: self.sealed.version, got: newer.version });
        }
        wipe::clean(|| {
            let open = Vault::open(self.username.as_str(), &newer, self.secret.duplicate())
                .map_err(ChangeError::Vault)?;
            self.put(newer, open);
            Ok(())
        })
    }

    fn put(&mut self, sealed: SealedVault, open: Vault) {
        self.sealed = sealed;
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = open;
    }

    pub(super) fn views(&self) -> Vec<KeyView> {
        sealing::read(&self.shared).keyring.keys().iter().map(view).collect()
    }
}

impl Desk {
    pub(super) fn tell_keys(&self) {
        if let Some(session) = &self.session {
            self.teller.tell(Event::Keys(session.vault.views()));
        }
    }

    /// What another computer changed meanwhile.
    pub(super) async fn refresh_vault(&mut self) {
        let look = self.call_in_session::<api::Vault>(Method::GET, "vault", NO_BODY);
        let Ok(Ok(fetched)) = tokio::time::timeout(LOOK_TIMEOUT, look).await else { return };
        let Some(session) = &mut self.session else { return };
        if fetched.version == session.vault.sealed.version {
            return;
        }
        match session.vault.take(sealed(&fetched)) {
            Ok(()) => self.keys_changed(),
            Err(error) => {
                self.teller.fail(Asked::CreateKey, error.failure("The keys are those of before."));
            }
        }
    }

    /// A vault of before there were signatures gets an identity to sign with.
    pub(super) async fn ensure_identity(&mut self) {
        let has_one = self
            .session
            .as_ref()
            .is_none_or(|session| sealing::read(&session.vault.shared).identity().is_some());
        if has_one {
            return;
        }
        // On another computer it may have got one meanwhile: then that one counts.
        let made = self.change_vault(|vault| Ok((vault.ensure_identity()?, true))).await;
        if let Err(error) = made {
            let failure = error.failure("This account cannot sign its messages yet.");
            tracing::warn!(why = failure.why, "no identity was stored; the next login tries again");
        }
    }

    /// Makes `change` to the newest keyring and stores it.
    async fn change_keys<T>(
        &mut self,
        change: impl Fn(&mut Keyring) -> Result<T, KeyringError>,
    ) -> Result<T, ChangeError> {
        self.change_vault(|vault| Ok((change(&mut vault.keyring)?, true))).await
    }

    /// As [`Self::change_keys`], but what `change` answers by `Err` is not stored.
    async fn change_keys_unless<T, U>(
        &mut self,
        change: impl Fn(&mut Keyring) -> Result<Result<T, U>, KeyringError>,
    ) -> Result<Result<T, U>, ChangeError> {
        let change = |vault: &mut Vault| {
            let answer = change(&mut vault.keyring)?;
            let store = answer.is_ok();
            Ok((answer, store))
        };
        self.change_vault(change).await
    }

    /// Makes `change` to the newest vault and stores it where `change` says so.
    pub(super) async fn change_vault<T>(
        &mut self,
        change: impl Fn(&mut Vault) -> Result<(T, bool), KeyringError>,
    ) -> Result<T, ChangeError> {
        let gone = || {
            ChangeError::Call(CallError::Problem(api::Problem::new(
                ProblemCode::SessionOver,
                "Nobody is logged in.",
            )))
        };
        for tried in 1..=TRIES {
            let session = self.session.as_ref().ok_or_else(gone)?;
            let base = &session.vault.sealed;
            let changed = wipe::clean(|| {
                let secret = session.vault.secret.duplicate();
                let mut open = Vault::open(session.account.username.as_str(), base, secret)
                    .map_err(ChangeError::Vault)?;
                let (answer, store) = change(&mut open).map_err(ChangeError::Keyring)?;
                let next = match store {
                    true => {
                        let next = open.seal(base.version + 1).map_err(ChangeError::Vault)?;
                        // What could not be opened again must never take the place of what can.
                        let secret = open.secret().duplicate();
                        Vault::open(open.account(), &next, secret).map_err(ChangeError::Vault)?;
                        Some(next)
                    }
                    false => None,
                };
                Ok((open, answer, next))
            });
            let (open, answer, next) = changed?;
            let Some(next) = next else { return Ok(answer) };
            let request = PutVault {
                version: next.version,
                sealed: Blob(next.ciphertext.clone()),
                password_wrap: None,
            };
            match self.call_in_session::<VaultVersion>(Method::PUT, "vault", Some(&request)).await {
                Ok(_) => {
                    if let Some(session) = &mut self.session {
                        wipe::clean(|| session.vault.put(next, open));
                    }
                    self.keys_changed();
                    return Ok(answer);
                }
                Err(error) if error.is_conflict() && tried < TRIES => {
                    if tried > 1 {
                        tokio::time::sleep(pause(tried)).await;
                    }
                    let fetched = self
                        .call_in_session::<api::Vault>(Method::GET, "vault", NO_BODY)
                        .await
                        .map_err(ChangeError::Call)?;
                    if let Some(session) = &mut self.session {
                        session.vault.take(sealed(&fetched))?;
                    }
                }
                Err(error) => return Err(ChangeError::Call(error)),
            }
        }
        Err(gone())
    }

    fn keys_changed(&self) {
        // The window hears of the keys first; what the link does about them comes after.
        self.tell_keys();
        self.ask_link(Ask::KeysChanged);
        if let Some(session) = &self.session {
            let _ = session.asks.send(Ask::VaultSeen { version: session.vault.sealed.version });
        }
    }

    /// The sample sensor: its key if it is not there, its subscription, its readings.
    pub(super) async fn start_sample(&mut self) {
        if let Err(failure) = self.try_start_sample().await {
            self.teller.fail(Asked::Sample, failure);
        }
    }

    async fn try_start_sample(&mut self) -> Result<(), Failure> {
        use crate::acl::{Right, Subject};
        let what = "The sample sensor was not started.";
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        let (Some(filter), Some(topic)) = (sample::filter(), sample::topic()) else { return Ok(()) };
        let role = &session.account.role;
        let subject = Subject { username: session.account.username.as_str(), client_id: &session.client_id };
        let next = "Use an account whose role may do both, such as the station's first one.";
        let publish = role.decide_publish(&subject, &topic);
        if !publish.is_allowed() {
            let why = publish.explain(role, Right::Publish, topic.as_str());
            return Err(Failure::new(what, why, next));
        }
        let subscribe = role.decide_subscribe(&subject, &filter);
        if !subscribe.is_allowed() {
            let why = subscribe.explain(role, Right::Subscribe, filter.as_str());
            return Err(Failure::new(what, why, next));
        }
        let covered = sealing::read(&session.vault.shared).keyring.key_for_sealing(&topic).is_some();
        if !covered {
            let new = NewKey {
                label: sample::LABEL.to_owned(),
                filters: vec![filter.clone()],
                suite: Suite::default(),
                signatures: Signatures::Off,
            };
            self.try_create_key(&new)
                .await
                .map_err(|failure| Failure { what: what.to_owned(), ..failure })?;
        }
        self.watch(&[filter]);
        self.ask_link(Ask::StartSample);
        Ok(())
    }

    /// Watches the filters of a new key, as far as the role may.
    fn watch(&self, filters: &[TopicFilter]) {
        let Some(session) = &self.session else { return };
        let subject = crate::acl::Subject {
            username: session.account.username.as_str(),
            client_id: &session.client_id,
        };
        for filter in filters {
            if session.account.role.decide_subscribe(&subject, filter).is_allowed() {
                let _ = session.asks.send(Ask::Subscribe(filter.clone(), None));
            }
        }
    }

    fn note_key(&self, action: &str, key: &KeyView, outcome: Result<(), &str>) {
        let Some(session) = &self.session else { return };
        let filters: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
        let record = crate::audit::Record {
            topic: Some(filters.join(" ")),
            kid: Some(key.kid.clone()),
            suite: Some(key.suite.to_string()),
            ..session.auditor.record(action, outcome)
        };
        session.auditor.note_record(LoggedIn::main_log(session), record);
    }
}

/// A random wait that grows, so that two computers do not meet again and again.
pub(super) fn pause(tried: u32) -> Duration {
    let mut random = [0];
    // Without randomness the wait is merely the longest.
    let share = getrandom::fill(&mut random).map_or(1.0, |()| f64::from(random[0]) / 255.0);
    (Duration::from_millis(20) * tried).min(MOST_WAIT).mul_f64(share)
}

/// Refuses what is guessed too easily: with a key file or a message at hand, a guesser asks nobody.
fn strong(what: &str, name: &str, typed: &Password, inputs: &[&str]) -> Result<(), Failure> {
    let strength = strength(typed.reveal(), inputs);
    if strength.acceptable() {
        return Ok(());
    }
    Err(Failure::new(what, format!("The {name} is {}.", strength.label), strength.hint))
}

/// Which of these filters the keys with these labels seal still.
fn covered(keyring: &Keyring, filters: &[TopicFilter], labels: &[String]) -> Vec<(TopicFilter, String)> {
    let mut pairs = Vec::new();
    for other in keyring.keys().iter().filter(|other| labels.iter().any(|label| label == other.label())) {
        for filter in filters {
            if other.filters().iter().any(|theirs| theirs.overlaps(filter)) {
                pairs.push((filter.clone(), other.label().to_owned()));
            }
        }
    }
    pairs
}
