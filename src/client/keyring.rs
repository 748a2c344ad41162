//! The vault at the station: opened at login, changed by compare and swap, and what people do with keys.
//!
//! A change is made to the newest vault and stored as the next version. Where another computer was faster, the
//! change is made again on what that one stored, so that no key is lost.

use std::sync::{Arc, PoisonError, RwLock};

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Blob, ProblemCode, PutVault, RecoveryEntry, Username, VaultVersion},
    keys::{
        Consent, Imported, Keyring, KeyringError, PasswordKeys, RecoveryCode, SealedVault, TopicKey, Vault,
        VaultError, VaultSecret, WrappedSecret, fernet_key, key_line,
    },
    topic::TopicFilter,
};

use super::{
    Asked, Event, Failure, KeyForm, KeyView, Password, Suite,
    account::recovery_entries,
    clock::now_ms,
    desk::{Desk, LoggedIn, NO_BODY},
    failure::not_logged_in,
    http::CallError,
    link::Ask,
    sample,
    sealing::{self, SharedVault, find, view},
    store::Store,
};

/// How often a change is made again because another computer was faster.
const TRIES: usize = 5;

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
enum ChangeError {
    Keyring(KeyringError),
    Vault(VaultError),
    Call(CallError),
    RolledBack { known: u64, got: u64 },
}

impl ChangeError {
    fn failure(&self, what: &str) -> Failure {
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
        let secret = VaultSecret::unwrap_with_password(username.as_str(), &wrapped, keys)?;
        let sealed = sealed(vault);
        let open = Vault::open(username.as_str(), &sealed, secret.duplicate())?;
        Ok(Self { username: username.clone(), secret, sealed, shared: Arc::new(RwLock::new(open)) })
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
        let open = Vault::open(self.username.as_str(), &newer, self.secret.duplicate())
            .map_err(ChangeError::Vault)?;
        self.put(newer, open);
        Ok(())
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
        let Ok(fetched) = self.call_in_session::<api::Vault>(Method::GET, "vault", NO_BODY).await else {
            return;
        };
        let Some(session) = &mut self.session else { return };
        if fetched.version == session.vault.sealed.version {
            return;
        }
        match session.vault.take(sealed(&fetched)) {
            Ok(()) => self.keys_changed().await,
            Err(error) => {
                self.teller.fail(Asked::CreateKey, error.failure("The keys are those of before."));
            }
        }
    }

    /// Makes `change` to the newest keyring and stores it.
    async fn change_keys<T>(
        &mut self,
        change: impl Fn(&mut Keyring) -> Result<T, KeyringError>,
    ) -> Result<T, ChangeError> {
        let gone = || {
            ChangeError::Call(CallError::Problem(api::Problem::new(
                ProblemCode::SessionOver,
                "Nobody is logged in.",
            )))
        };
        for left in (0..TRIES).rev() {
            let session = self.session.as_ref().ok_or_else(gone)?;
            let (base, secret) = (&session.vault.sealed, session.vault.secret.duplicate());
            let mut open =
                Vault::open(session.account.username.as_str(), base, secret).map_err(ChangeError::Vault)?;
            let answer = change(&mut open.keyring).map_err(ChangeError::Keyring)?;
            let next = open.seal(base.version + 1).map_err(ChangeError::Vault)?;
            let request = PutVault {
                version: next.version,
                sealed: Blob(next.ciphertext.clone()),
                password_wrap: None,
            };
            match self.call_in_session::<VaultVersion>(Method::PUT, "vault", Some(&request)).await {
                Ok(_) => {
                    if let Some(session) = &mut self.session {
                        session.vault.put(next, open);
                    }
                    self.keys_changed().await;
                    return Ok(answer);
                }
                Err(error) if error.is_conflict() && left > 0 => {
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

    async fn keys_changed(&mut self) {
        self.ask_link(Ask::KeysChanged);
        if let Some(session) = &self.session {
            let _ = session.asks.send(Ask::VaultSeen { version: session.vault.sealed.version });
        }
        self.tell_keys();
    }

    pub(super) async fn create_key(&mut self, label: &str, filters: Vec<TopicFilter>, suite: Suite) {
        match self.try_create_key(label, &filters, suite).await {
            Ok(()) => self.watch(&filters),
            Err(failure) => self.teller.fail(Asked::CreateKey, failure),
        }
    }

    async fn try_create_key(
        &mut self,
        label: &str,
        filters: &[TopicFilter],
        suite: Suite,
    ) -> Result<(), Failure> {
        let what = "The key was not made.";
        if self.session.is_none() {
            return Err(not_logged_in(what));
        }
        let failed = |error: &dyn std::fmt::Display| Failure::new(what, error.to_string(), "");
        // Made once: a second try after a conflict must not make another secret.
        let first =
            TopicKey::generate(label, filters.to_vec(), suite, now_ms()).map_err(|error| failed(&error))?;
        let line = key_line::write(&first);
        let made = self
            .change_keys(|keyring| {
                let key = key_line::read(&line).map_err(|_| KeyringError::NoSuchKey(label.to_owned()))?;
                keyring.add(key).map(|key| (view(key), Vec::<(TopicFilter, String)>::new()))
            })
            .await;
        match made {
            Ok((key, _)) => {
                self.note_key("create key", &key, Ok(()));
                Ok(())
            }
            Err(error) => Err(error.failure(what)),
        }
    }

    pub(super) async fn import_key(&mut self, line: &Password, take_over: bool) {
        let what = "The key was not imported.";
        if let Err(error) = key_line::read(line.reveal()) {
            self.teller.fail(Asked::ImportKey, Failure::new(what, error.to_string(), ""));
            return;
        }
        let read = || key_line::read(line.reveal()).map_err(|_| KeyringError::NoSuchKey(String::new()));
        self.import(what, read, take_over).await;
    }

    pub(super) async fn import_fernet(
        &mut self,
        text: &Password,
        label: &str,
        filters: &[TopicFilter],
        take_over: bool,
    ) {
        let what = "The key was not imported.";
        if let Err(error) = fernet_key::read(text.reveal().as_bytes()) {
            self.teller.fail(Asked::ImportKey, Failure::new(what, error.to_string(), ""));
            return;
        }
        let now = now_ms();
        let read = || {
            let secret = fernet_key::read(text.reveal().as_bytes())
                .map_err(|_| KeyringError::NoSuchKey(label.to_owned()))?;
            Ok(TopicKey::from_secret(label, filters.to_vec(), Suite::Fernet, secret, now)?)
        };
        self.import(what, read, take_over).await;
    }

    pub(super) async fn import(
        &mut self,
        what: &str,
        read: impl Fn() -> Result<TopicKey, KeyringError>,
        take_over: bool,
    ) {
        if self.session.is_none() {
            self.teller.fail(Asked::ImportKey, not_logged_in(what));
            return;
        }
        let consent = if take_over { Consent::TakeOver } else { Consent::OpenOnly };
        let imported = self
            .change_keys(|keyring| {
                let key = read()?;
                let legacy = key.profile().map(|profile| (profile, key.filters().to_vec()));
                let report = keyring.import(key, consent)?;
                // It may have been there before, without a profile or for other topics.
                let left_out = match legacy {
                    Some((profile, filters)) => {
                        keyring.follow_profile(&report.label, profile, &filters, consent)?
                    }
                    None => Vec::new(),
                };
                if take_over && report.outcome == Imported::AlreadyThere {
                    // Asked a second time, with consent.
                    keyring.set_sealing(&report.label, true)?;
                }
                let labels = match &report.outcome {
                    Imported::OpensOnly(labels) => labels.clone(),
                    _ => Vec::new(),
                };
                let key = keyring.get(&report.label).ok_or(KeyringError::NoSuchKey(report.label))?;
                let mut covered = covered(keyring, key, &labels);
                covered.extend(left_out);
                Ok((view(key), covered))
            })
            .await;
        match imported {
            Ok((key, covered)) => {
                self.note_key("import key", &key, Ok(()));
                self.watch(&key.filters);
                self.teller.tell(Event::KeyImported { key, covered });
            }
            Err(error) => self.teller.fail(Asked::ImportKey, error.failure(what)),
        }
    }

    pub(super) fn export_key(&self, id: &str, form: KeyForm) {
        let what = "The key was not written down.";
        let Some(session) = &self.session else {
            self.teller.fail(Asked::ExportKey, not_logged_in(what));
            return;
        };
        let vault = sealing::read(&session.vault.shared);
        let Some(key) = find(&vault.keyring, id) else {
            drop(vault);
            self.teller.fail(Asked::ExportKey, Failure::new(what, "There is no such key any more.", ""));
            return;
        };
        let text = match form {
            KeyForm::Line => Password::new(key_line::write(key).as_str()),
            KeyForm::FernetFile if key.suite() == Suite::Fernet => {
                Password::new(fernet_key::write(key.current().secret()).as_str())
            }
            KeyForm::FernetFile => {
                let why =
                    format!("“{}” is a key of the suite {}, not a Fernet key.", key.label(), key.suite());
                drop(vault);
                self.teller.fail(Asked::ExportKey, Failure::new(what, why, "Export it as a line of text."));
                return;
            }
        };
        let shown = view(key);
        drop(vault);
        self.note_key("export key", &shown, Ok(()));
        self.teller.tell(Event::KeyExported { id: id.to_owned(), form, text });
    }

    pub(super) async fn delete_key(&mut self, id: &str) {
        let what = "The key was not deleted.";
        if self.session.is_none() {
            self.teller.fail(Asked::DeleteKey, not_logged_in(what));
            return;
        }
        let deleted = self
            .change_keys(|keyring| {
                let key = find(keyring, id).ok_or_else(|| KeyringError::NoSuchKey(id.to_owned()))?;
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
            self.try_create_key(sample::LABEL, std::slice::from_ref(&filter), Suite::default())
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

/// The filters of `key` that the keys with these labels seal still.
fn covered(keyring: &Keyring, key: &TopicKey, labels: &[String]) -> Vec<(TopicFilter, String)> {
    let mut pairs = Vec::new();
    for other in keyring.keys().iter().filter(|other| labels.iter().any(|label| label == other.label())) {
        for filter in key.filters() {
            if other.filters().iter().any(|theirs| theirs.overlaps(filter)) {
                pairs.push((filter.clone(), other.label().to_owned()));
            }
        }
    }
    pairs
}
