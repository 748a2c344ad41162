//! Keys that rest: in a file under a passphrase, or in an account's vault. One face for both.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    files::{FileLock, FilesError, read_bounded, real_path, write_secret},
    keys::{
        Consent, Imported, Keyring, KeyringError, TopicKey, fernet_key,
        key_file::{self, MAX_FILE_BYTES},
        key_line, passphrase, strength,
    },
    topic::TopicFilter,
};

use super::{
    super::{
        KeyForm, KeyView, Password, Signatures, Suite,
        clock::now_ms,
        legacy::LegacyKey,
        sealing::{key_id, view},
    },
    Account, DirectError,
    line::password,
    locked::lock_within,
};

/// How long another command may be changing a keyring: it stretches a passphrase twice meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where keys rest.
pub enum KeyStore {
    /// A file under a passphrase.
    File(Box<KeyFile>),
    /// The vault of an account.
    Vault(Box<Account>),
}

/// A keyring file, locked while it is open here.
pub struct KeyFile {
    path: PathBuf,
    passphrase: Password,
    keyring: Keyring,
    _lock: FileLock,
}

/// What a new key is made of, but for its secret.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it is called.
    pub label: String,
    /// What it is for.
    pub filters: Vec<TopicFilter>,
    /// How it seals.
    pub suite: Suite,
    /// What it asks of signatures.
    pub signatures: Signatures,
}

/// What became of a key that came in.
#[derive(Debug, Clone)]
pub struct ImportedKey {
    /// The label that it came with.
    pub label: String,
    /// The key as it is here now; `None` where it was refused.
    pub key: Option<KeyView>,
    /// In words.
    pub outcome: String,
}

/// A key written down.
pub struct Written {
    /// The key, without its secret.
    pub key: KeyView,
    /// The text. Whoever reads it has the key.
    pub text: Password,
}

impl KeyFile {
    /// Opens a file, or begins a new one where there is none.
    ///
    /// # Errors
    /// It is in use, cannot be read, or the passphrase does not open it; or it is new and the passphrase is weak.
    pub async fn open(path: &Path, passphrase: Password) -> Result<Self, DirectError> {
        let path = &real_path(path)?;
        let lock = lock_within(&path.with_added_extension("lock"), PATIENCE)
            .await?
            .ok_or_else(|| DirectError::FileInUse(path.display().to_string()))?;
        let keyring = match read_bounded(path, MAX_FILE_BYTES as u64) {
            Ok(file) => {
                let typed = passphrase.clone();
                let read = tokio::task::spawn_blocking(move || key_file::read(&file, &password(&typed)));
                keyring_of(read.await.map_err(|error| DirectError::thread(&error))??)?
            }
            Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                let strength = strength(passphrase.reveal(), &[]);
                if !strength.acceptable() {
                    return Err(DirectError::WeakPassphrase { label: strength.label, hint: strength.hint });
                }
                Keyring::new()
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_owned(), passphrase, keyring, _lock: lock })
    }

    /// Whether there is such a file already.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        path.exists()
    }

    /// A change is on disk before it is told; where it cannot be written, the keyring in memory is of no matter, because
    /// the command ends.
    async fn save(&self) -> Result<(), DirectError> {
        let keys: Vec<TopicKey> = self.keyring.keys().iter().map(TopicKey::duplicate).collect();
        if keys.is_empty() {
            return Err(DirectError::Other(format!(
                "this is the only key in {0}: a keyring file without keys cannot be; delete the file itself",
                self.path.display()
            )));
        }
        let typed = self.passphrase.clone();
        let written = tokio::task::spawn_blocking(move || key_file::write(&keys, &password(&typed)));
        let file = written.await.map_err(|error| DirectError::thread(&error))??;
        Ok(write_secret(&self.path, &file)?)
    }
}

fn keyring_of(keys: Vec<TopicKey>) -> Result<Keyring, DirectError> {
    let mut keyring = Keyring::new();
    for key in keys {
        keyring.add(key)?;
    }
    Ok(keyring)
}

impl KeyStore {
    fn keyring(&self) -> Result<&Keyring, DirectError> {
        match self {
            Self::File(file) => Ok(&file.keyring),
            Self::Vault(account) => Ok(&account.vault()?.keyring),
        }
    }

    async fn change<T>(
        &mut self,
        change: impl Fn(&mut Keyring) -> Result<T, DirectError>,
    ) -> Result<T, DirectError> {
        match self {
            Self::File(file) => {
                let answer = change(&mut file.keyring)?;
                file.save().await?;
                Ok(answer)
            }
            Self::Vault(account) => account.change_vault(|vault| change(&mut vault.keyring)).await,
        }
    }

    /// All keys.
    ///
    /// # Errors
    /// The vault is not open.
    pub fn keys(&self) -> Result<Vec<KeyView>, DirectError> {
        Ok(self.keyring()?.keys().iter().map(view).collect())
    }

    /// One key, by its label, or by the beginning of its key id or fingerprint.
    ///
    /// # Errors
    /// There is none, or several begin so.
    pub fn key(&self, named: &str) -> Result<KeyView, DirectError> {
        Ok(view(find(self.keyring()?, named)?))
    }

    /// Makes a key with a fresh secret.
    ///
    /// # Errors
    /// Label or filters are not possible or taken, or it cannot be stored.
    pub async fn create(&mut self, new: &NewKey) -> Result<KeyView, DirectError> {
        let key = TopicKey::generate(&new.label, new.filters.clone(), new.suite, now_ms())?;
        self.put(key.asking(new.signatures)?).await
    }

    /// Makes the key that this room and passphrase give, here and on every other computer.
    ///
    /// # Errors
    /// As [`Self::create`], and a weak passphrase.
    pub async fn create_for_room(
        &mut self,
        new: &NewKey,
        room: String,
        typed: Password,
    ) -> Result<KeyView, DirectError> {
        let key = room_key(new, room, typed).await?;
        self.put(key).await
    }

    /// Makes the key for programs of an older system.
    ///
    /// # Errors
    /// As [`Self::create`], and what those programs would not take.
    pub async fn create_legacy(&mut self, new: LegacyKey) -> Result<KeyView, DirectError> {
        let key = new.made().await?;
        self.put(key).await
    }

    async fn put(&mut self, key: TopicKey) -> Result<KeyView, DirectError> {
        self.change(|keyring| Ok(keyring.add(key.duplicate()).map(view)?)).await
    }

    /// Takes keys in: key lines, a Fernet key (`fernet`: its label and filters), or an age file (with its passphrase).
    ///
    /// # Errors
    /// What is wrong with what came; a key that is refused alone is told in its report.
    pub async fn import(
        &mut self,
        file: Vec<u8>,
        typed: Option<Password>,
        fernet: Option<NewKey>,
        take_over: bool,
    ) -> Result<Vec<ImportedKey>, DirectError> {
        let keys = read_keys(file, typed, fernet).await?;
        let consent = if take_over { Consent::TakeOver } else { Consent::OpenOnly };
        self.change(|keyring| {
            let again = keys.iter().map(TopicKey::duplicate).collect();
            let mut reports = Vec::new();
            for (came, (label, imported)) in keys.iter().zip(keyring.import_all(again, consent)) {
                let (here, outcome) = match imported {
                    Ok(report) => {
                        // It may have been there before, without a profile or for other topics.
                        let left_out = match came.profile() {
                            Some(profile) => {
                                keyring.follow_profile(&report.label, profile, came.filters(), consent)?
                            }
                            None => Vec::new(),
                        };
                        if take_over && report.outcome == Imported::AlreadyThere {
                            keyring.set_sealing(&report.label, true)?;
                        }
                        let mut outcome = outcome(&report.outcome);
                        for (filter, other) in left_out {
                            outcome.push_str(&format!("; not for {filter}, which “{other}” goes on sealing"));
                        }
                        (Some(report.label), outcome)
                    }
                    Err(error) => (None, format!("refused: {error}")),
                };
                let key = here.and_then(|label| keyring.get(&label).map(view));
                reports.push(ImportedKey { label, key, outcome });
            }
            Ok(reports)
        })
        .await
    }

    /// Writes one key down.
    ///
    /// # Errors
    /// No such key, or it has no such form.
    pub fn write(&self, named: &str, form: KeyForm) -> Result<Written, DirectError> {
        written(find(self.keyring()?, named)?, form)
    }

    /// Writes keys into an age file under a passphrase: those named, or all.
    ///
    /// # Errors
    /// No such key, or a weak passphrase.
    pub async fn export(&self, named: &[String], typed: Password) -> Result<Vec<u8>, DirectError> {
        let strength = strength(typed.reveal(), &[]);
        if !strength.acceptable() {
            return Err(DirectError::WeakPassphrase { label: strength.label, hint: strength.hint });
        }
        let keyring = self.keyring()?;
        let keys: Vec<TopicKey> = match named {
            [] => keyring.keys().iter().map(TopicKey::duplicate).collect(),
            named => named
                .iter()
                .map(|named| find(keyring, named).map(TopicKey::duplicate))
                .collect::<Result<_, _>>()?,
        };
        let written = tokio::task::spawn_blocking(move || key_file::write(&keys, &password(&typed)));
        Ok(written.await.map_err(|error| DirectError::thread(&error))??)
    }

    /// Makes a new epoch for sealing; the old ones open for ever.
    ///
    /// # Errors
    /// No such key, or it cannot be rotated.
    pub async fn rotate(&mut self, named: &str) -> Result<KeyView, DirectError> {
        self.on(named, |keyring, label| keyring.rotate(label, now_ms()).map(drop)).await
    }

    /// Retires a key, so that it seals no more and opens for ever; or takes it back into use.
    ///
    /// # Errors
    /// No such key.
    pub async fn retire(&mut self, named: &str, retired: bool) -> Result<KeyView, DirectError> {
        self.on(named, |keyring, label| {
            // Already retired: since then, and not since now.
            if keyring.get(label).is_some_and(|key| key.retired_ms().is_some() == retired) {
                return Ok(());
            }
            keyring.set_retired(label, retired.then(now_ms))
        })
        .await
    }

    async fn on(
        &mut self,
        named: &str,
        change: impl Fn(&mut Keyring, &str) -> Result<(), KeyringError>,
    ) -> Result<KeyView, DirectError> {
        self.change(|keyring| {
            let label = find(keyring, named)?.label().to_owned();
            change(keyring, &label)?;
            Ok(view(find(keyring, &label)?))
        })
        .await
    }

    /// Deletes a key. What was sealed with it cannot be opened any more.
    ///
    /// # Errors
    /// No such key.
    pub async fn delete(&mut self, named: &str) -> Result<KeyView, DirectError> {
        self.change(|keyring| {
            let key = find(keyring, named)?;
            let (label, shown) = (key.label().to_owned(), view(key));
            keyring.remove(&label)?;
            Ok(shown)
        })
        .await
    }

    /// The account's login ends; a file's lock is given back.
    pub async fn close(self) {
        if let Self::Vault(account) = self {
            account.log_out().await;
        }
    }
}

impl Written {
    /// A key that rests nowhere but in this text: from a fresh secret, or from a room and its passphrase.
    ///
    /// # Errors
    /// Label or filters are not possible, or the passphrase is weak.
    pub async fn fresh(new: &NewKey, room: Option<(String, Password)>) -> Result<Self, DirectError> {
        let key = match room {
            Some((room, typed)) => room_key(new, room, typed).await?,
            None => TopicKey::generate(&new.label, new.filters.clone(), new.suite, now_ms())?
                .asking(new.signatures)?,
        };
        written(&key, KeyForm::Line)
    }

    /// The same, of a key for programs of an older system.
    ///
    /// # Errors
    /// As [`Self::fresh`], and what those programs would not take.
    pub async fn legacy(new: LegacyKey) -> Result<Self, DirectError> {
        written(&new.made().await?, KeyForm::Line)
    }
}

/// A passphrase of six words, drawn by the operating system's randomness.
///
/// # Errors
/// No randomness.
pub fn suggest_passphrase() -> Result<Password, DirectError> {
    Ok(Password::new(passphrase::suggest()?.expose()))
}

async fn room_key(new: &NewKey, room: String, typed: Password) -> Result<TopicKey, DirectError> {
    let strength = strength(typed.reveal(), &[&room]);
    if !strength.acceptable() {
        return Err(DirectError::WeakPassphrase { label: strength.label, hint: strength.hint });
    }
    let derive = move || passphrase::room_secret(&room, &password(&typed));
    let secret = tokio::task::spawn_blocking(derive).await.map_err(|error| DirectError::thread(&error))??;
    let key = TopicKey::from_secret(&new.label, new.filters.clone(), new.suite, secret, now_ms())?;
    Ok(key.asking(new.signatures)?)
}

fn written(key: &TopicKey, form: KeyForm) -> Result<Written, DirectError> {
    let text = match form {
        KeyForm::Line => key_line::write(key),
        KeyForm::FernetFile if key.suite() == Suite::Fernet => fernet_key::write(key.current().secret()),
        KeyForm::FernetFile => {
            return Err(DirectError::BadKey(format!(
                "“{}” is a key of the suite {}, not a Fernet key: export it as a line",
                key.label(),
                key.suite()
            )));
        }
    };
    Ok(Written { key: view(key), text: Password::new(text.as_str()) })
}

async fn read_keys(
    file: Vec<u8>,
    typed: Option<Password>,
    fernet: Option<NewKey>,
) -> Result<Vec<TopicKey>, DirectError> {
    let bad = |why: String| DirectError::BadKey(why);
    if let Some(new) = fernet {
        let secret = fernet_key::read(&file).map_err(|error| bad(error.to_string()))?;
        return Ok(vec![TopicKey::from_secret(&new.label, new.filters, Suite::Fernet, secret, now_ms())?]);
    }
    if let Some(typed) = typed {
        let read = tokio::task::spawn_blocking(move || key_file::read(&file, &password(&typed)));
        return Ok(read.await.map_err(|error| DirectError::thread(&error))??);
    }
    let text = std::str::from_utf8(&file)
        .map_err(|_| bad("this is neither a key line nor a Fernet key nor an age file".to_owned()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys: Vec<TopicKey> = lines
        .map(|line| key_line::read(line).map_err(|error| bad(error.to_string())))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(bad("the file is empty".to_owned())) } else { Ok(keys) }
}

fn outcome(imported: &Imported) -> String {
    match imported {
        Imported::Seals => "seals and opens".to_owned(),
        Imported::TookOver(from) => format!("seals and opens; took over from {}", from.join(", ")),
        Imported::OpensOnly(from) if from.is_empty() => "opens only".to_owned(),
        Imported::OpensOnly(from) => format!(
            "opens only, because {} goes on sealing; import it again with --take-over to change that",
            from.join(", ")
        ),
        Imported::AlreadyThere => "was there already".to_owned(),
        Imported::Completed(epochs) => format!("was there already, and has {epochs} epochs more now"),
    }
}

fn find<'k>(keyring: &'k Keyring, named: &str) -> Result<&'k TopicKey, DirectError> {
    if let Some(key) = keyring.get(named.trim()) {
        return Ok(key);
    }
    let digits: String = named.chars().filter(|c| !c.is_whitespace()).collect();
    let long_enough = digits.len() >= 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let begins = |key: &&TopicKey| {
        key_id(key).starts_with(&digits.to_lowercase())
            || key.epochs().iter().any(|epoch| epoch.kid().to_string().starts_with(&digits.to_lowercase()))
    };
    let found: Vec<&TopicKey> = keyring.keys().iter().filter(|_| long_enough).filter(begins).collect();
    match found.as_slice() {
        [key] => Ok(key),
        [] => Err(KeyringError::NoSuchKey(named.to_owned()).into()),
        _ => Err(DirectError::BadKey(format!(
            "several keys begin with {named}: give more digits, or the name"
        ))),
    }
}
