//! Keys that come in and go out: as a line of text, as a Fernet key file, and many at once in an `age` file.

use crate::{
    keys::{Consent, Imported, KeyringError, TopicKey, fernet_key, key_file, key_line},
    topic::TopicFilter,
};

use super::{
    super::{
        Asked, Event, Failure, KeyForm, KeyOutcome, KeyReport, KeyView, Password, Profile, Suite,
        clock::now_ms,
        desk::Desk,
        failure::not_logged_in,
        sealing::{self, find, view},
        wipe,
    },
    covered,
    editing::off_the_reactor,
    strong,
};

impl Desk {
    pub(in crate::client) async fn import_key(&mut self, line: &Password, take_over: bool) {
        let what = "The key was not imported.";
        match wipe::clean(|| key_line::read(line.reveal())) {
            Ok(key) => self.import(what, &key, take_over).await,
            Err(error) => {
                self.teller.fail(Asked::ImportKey, Failure::new(what, error.to_string(), ""));
            }
        }
    }

    pub(in crate::client) async fn import_fernet(
        &mut self,
        text: &Password,
        label: &str,
        filters: Vec<TopicFilter>,
        take_over: bool,
    ) {
        let what = "The key was not imported.";
        let failed = |why: String| Failure::new(what, why, "");
        let key = fernet_key::read(text.reveal().as_bytes()).map_err(|error| failed(error.to_string()));
        let key = key.and_then(|secret| {
            let key = TopicKey::from_secret(label, filters, Suite::Fernet, secret, now_ms());
            key.map_err(|error| failed(error.to_string()))
        });
        match key {
            Ok(key) => self.import(what, &key, take_over).await,
            Err(failure) => self.teller.fail(Asked::ImportKey, failure),
        }
    }

    /// A key for programs of an older system, which the person asked for by that name.
    pub(in crate::client) async fn import_legacy(&mut self, what: &str, key: &TopicKey, take_over: bool) {
        self.import_as(what, key, take_over, key.profile()).await;
    }

    async fn import(&mut self, what: &str, key: &TopicKey, take_over: bool) {
        // A line or file does not change what a key that is there already is for.
        self.import_as(what, key, take_over, None).await;
    }

    async fn import_as(&mut self, what: &str, key: &TopicKey, take_over: bool, follow: Option<Profile>) {
        if self.session.is_none() {
            self.teller.fail(Asked::ImportKey, not_logged_in(what));
            return;
        }
        let consent = if take_over { Consent::TakeOver } else { Consent::OpenOnly };
        let imported = self
            .change_keys(|keyring| {
                let report = keyring.import(key.duplicate().not_after(now_ms()), consent)?;
                // It may have been there before, without a profile or for other topics.
                let left_out = match follow {
                    Some(profile) => {
                        keyring.follow_profile(&report.label, profile, key.filters(), consent)?
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
                let key = keyring.get(&report.label).ok_or(KeyringError::Gone)?;
                let mut covered = covered(keyring, key.filters(), &labels);
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

    pub(in crate::client) async fn import_keys(&mut self, file: Vec<u8>, typed: Password, take_over: bool) {
        match self.try_import_keys(file, typed, take_over).await {
            Ok(reports) => self.teller.tell(Event::KeysImported { reports }),
            Err(failure) => self.teller.fail(Asked::ImportKeys, failure),
        }
    }

    async fn try_import_keys(
        &mut self,
        file: Vec<u8>,
        typed: Password,
        take_over: bool,
    ) -> Result<Vec<KeyReport>, Failure> {
        let what = "No key was imported.";
        if self.session.is_none() {
            return Err(not_logged_in(what));
        }
        let read =
            off_the_reactor(what, move || key_file::read(&file, &crate::keys::Password::new(typed.reveal())));
        let keys = read.await?.map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let consent = if take_over { Consent::TakeOver } else { Consent::OpenOnly };
        let imported = self
            .change_keys(|keyring| {
                let again = keys.iter().map(|key| key.duplicate().not_after(now_ms())).collect();
                let mut reports = Vec::new();
                for (label, imported) in keyring.import_all(again, consent) {
                    let (here, outcome) = match imported {
                        Ok(report) => {
                            if take_over && report.outcome == Imported::AlreadyThere {
                                keyring.set_sealing(&report.label, true)?;
                            }
                            (Some(report.label), outcome(report.outcome))
                        }
                        Err(error) => (None, KeyOutcome::Refused(error.to_string())),
                    };
                    reports.push((label, here, outcome));
                }
                let report = |(label, here, outcome): (String, Option<String>, KeyOutcome)| {
                    let key = here.and_then(|here| keyring.get(&here).map(view));
                    KeyReport { label, key, outcome }
                };
                Ok(reports.into_iter().map(report).collect::<Vec<_>>())
            })
            .await;
        let reports = imported.map_err(|error| error.failure(what))?;
        for report in &reports {
            if let Some(key) = &report.key {
                self.note_key("import key", key, Ok(()));
                self.watch(&key.filters);
            }
        }
        Ok(reports)
    }

    pub(in crate::client) async fn export_keys(&mut self, ids: Option<Vec<String>>, typed: Password) {
        match self.try_export_keys(ids.as_deref(), typed).await {
            Ok((file, keys)) => self.teller.tell(Event::KeysExported { file, keys }),
            Err(failure) => self.teller.fail(Asked::ExportKeys, failure),
        }
    }

    async fn try_export_keys(
        &mut self,
        ids: Option<&[String]>,
        typed: Password,
    ) -> Result<(Vec<u8>, usize), Failure> {
        let what = "No key was written.";
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        strong(what, "passphrase", &typed, &[session.account.username.as_str()])?;
        let (keys, shown): (Vec<TopicKey>, Vec<KeyView>) = {
            let vault = sealing::read(&session.vault.shared);
            let keys: Vec<&TopicKey> = match ids {
                None => vault.keyring.keys().iter().collect(),
                Some(ids) => ids
                    .iter()
                    .map(|id| find(&vault.keyring, id).ok_or(KeyringError::Gone))
                    .collect::<Result<_, _>>()
                    .map_err(|error| Failure::new(what, error.to_string(), ""))?,
            };
            (keys.iter().map(|key| key.duplicate()).collect(), keys.iter().map(|key| view(key)).collect())
        };
        let write = off_the_reactor(what, move || {
            key_file::write(&keys, &crate::keys::Password::new(typed.reveal()))
        });
        let file = write.await?.map_err(|error| Failure::new(what, error.to_string(), ""))?;
        for key in &shown {
            self.note_key("export key", key, Ok(()));
        }
        Ok((file, shown.len()))
    }

    pub(in crate::client) fn export_key(&self, id: &str, form: KeyForm) {
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
            KeyForm::Line => wipe::clean(|| Password::new(key_line::write(key).as_str())),
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
}

fn outcome(imported: Imported) -> KeyOutcome {
    match imported {
        Imported::Seals => KeyOutcome::Seals,
        Imported::TookOver(labels) => KeyOutcome::TookOver(labels),
        Imported::OpensOnly(labels) => KeyOutcome::OpensOnly(labels),
        Imported::AlreadyThere => KeyOutcome::AlreadyThere,
        Imported::Completed(epochs) => KeyOutcome::Completed(epochs),
    }
}
