//! `sealwire key`: the keys in a file under a passphrase, or in an account's vault.

mod args;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    client::{
        KeyForm, KeyView, Password, Signatures, Suite,
        direct::{ImportedKey, KeyFile, KeyStore, NewKey, Written, suggest_passphrase},
    },
    station::host::DataFolders,
    topic::TopicFilter,
};

use super::{
    exit::Ended,
    legacy, note, printable, say,
    secrets::{self, Secret},
    show::{json_line, stamp},
    way::{self, Login},
};
pub(super) use args::KeyCommand;
use args::{ExportOptions, FormName, ImportOptions, NewOptions, SignaturesName, StoreOptions};

/// Where keys rest, the secrets read, nothing opened.
enum Place {
    File(PathBuf, Password),
    Vault(Login),
}

pub(super) fn run(
    folders: impl Fn() -> anyhow::Result<DataFolders>,
    command: KeyCommand,
) -> anyhow::Result<ExitCode> {
    let runtime = way::runtime()?;
    let place = |store: &StoreOptions| place(&folders, store, false);
    match command {
        KeyCommand::New(options) => new(&runtime, &folders, &options)?,
        KeyCommand::List { json, store } => {
            let keys = runtime.block_on(with(place(&store)?, async |store| Ok(store.keys()?)))?;
            list(&keys, json)?;
        }
        KeyCommand::Show { key, secret: true, store, .. } => {
            let written = runtime
                .block_on(with(place(&store)?, async |store| Ok(store.write(&key, KeyForm::Line)?)))?;
            say(written.text.reveal())?;
        }
        KeyCommand::Show { key, json, store, .. } => {
            let key = runtime.block_on(with(place(&store)?, async |store| Ok(store.key(&key)?)))?;
            show(&key, json)?;
        }
        KeyCommand::Fingerprint { key, store } => {
            let key = runtime.block_on(with(place(&store)?, async |store| Ok(store.key(&key)?)))?;
            say(&key.fingerprint)?;
        }
        KeyCommand::Identity { account } => {
            let login = account.login(&folders()?)?.ok_or_else(|| {
                Ended::misused("only an account has an identity: give --station and --user")
            })?;
            let (identity, digits) = runtime.block_on(async {
                let account = login.log_in().await?;
                let identity = account.identity();
                account.log_out().await;
                anyhow::Ok(identity?)
            })?;
            say(&identity)?;
            say(&digits)?;
        }
        KeyCommand::Import(options) => import(&runtime, &folders, options)?,
        KeyCommand::Export(options) => export(&runtime, &folders, &options)?,
        KeyCommand::Rotate { key, store } => {
            let key = runtime.block_on(with(place(&store)?, async |store| Ok(store.rotate(&key).await?)))?;
            say(&format!("“{}” seals with a new secret now: {}", printable(&key.label), key.fingerprint))?;
            note("who shares the key needs the new one: hand it over again");
            if store.keyring.is_none() {
                note("what the account's app has retained at a broker is sealed anew when it is next online");
            }
        }
        KeyCommand::Retire { key, undo, store } => {
            let key = runtime
                .block_on(with(place(&store)?, async |store| Ok(store.retire(&key, !undo).await?)))?;
            let does = if undo { "seals and opens again" } else { "seals no more, and opens for ever" };
            say(&format!("“{}” {does}", printable(&key.label)))?;
        }
        KeyCommand::Delete { yes: false, .. } => {
            return Err(Ended::misused(
                "what was sealed with a deleted key can never be opened again (retire only stops the sealing): add --yes to delete it",
            ));
        }
        KeyCommand::Delete { key, store, .. } => {
            let key = runtime.block_on(with(place(&store)?, async |store| Ok(store.delete(&key).await?)))?;
            say(&format!("“{}” is deleted", printable(&key.label)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the place, does the work, and ends the login whatever came of it.
async fn with<T>(
    place: Place,
    work: impl AsyncFnOnce(&mut KeyStore) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut store = match place {
        Place::File(path, passphrase) => KeyStore::File(Box::new(
            KeyFile::open(&path, passphrase)
                .await
                .with_context(|| format!("the keyring {} was not opened", path.display()))?,
        )),
        Place::Vault(login) => KeyStore::Vault(Box::new(login.log_in().await?)),
    };
    let done = work(&mut store).await;
    store.close().await;
    done
}

/// Reads what the place needs. Only `makes` may begin a keyring that is not there.
fn place(
    folders: impl Fn() -> anyhow::Result<DataFolders>,
    store: &StoreOptions,
    makes: bool,
) -> anyhow::Result<Place> {
    if let Some(path) = &store.keyring {
        let is_there = KeyFile::exists(path);
        if !is_there && !makes {
            return Err(Ended::misused(format!(
                "there is no keyring {}: sealwire key new or import makes one",
                path.display()
            )));
        }
        let what = format!("the passphrase of {}", path.display());
        let secret = way::keyring_passphrase(&what, store.keyring_passphrase_file.as_deref());
        let passphrase = if is_there { secret.read()? } else { secret.read_new()? };
        return Ok(Place::File(path.clone(), passphrase));
    }
    match &store.account.station {
        Some(_) => store.account.login(&folders()?)?.map(Place::Vault).ok_or_else(nowhere),
        None => Err(nowhere()),
    }
}

fn nowhere() -> anyhow::Error {
    Ended::misused("say where the keys rest: --keyring FILE, or --station and --user")
}

fn new(
    runtime: &tokio::runtime::Runtime,
    folders: impl Fn() -> anyhow::Result<DataFolders>,
    options: &NewOptions,
) -> anyhow::Result<()> {
    let new = NewKey {
        label: options.label.clone().unwrap_or_default(),
        filters: options.topic.clone(),
        suite: options.suite,
        signatures: match options.signatures {
            SignaturesName::Off => Signatures::Off,
            SignaturesName::Accept => Signatures::Accept,
            SignaturesName::Require => Signatures::Require,
        },
    };
    if new.signatures != Signatures::Off && !new.suite.is_native() {
        return Err(Ended::misused(format!(
            "{} has no room for signatures: choose cose-a256gcm or cose-chacha20, or leave --signatures out",
            new.suite
        )));
    }
    let nowhere_to_rest = options.store.keyring.is_none() && options.store.account.station.is_none();
    if nowhere_to_rest && options.out.is_none() {
        return Err(Ended::misused(
            "say where the key is to rest: --keyring FILE, --station and --user, or only --out FILE",
        ));
    }
    if let Some(path) = &options.out {
        may_write(path)?;
    }
    let room = match &options.passphrase_room {
        None => None,
        Some(room) if options.suggest => Some((room.clone(), suggest_passphrase()?)),
        Some(room) => {
            let what = format!("the passphrase of the room {room}");
            Some((room.clone(), way::room_passphrase(&what, options.passphrase_file.as_deref()).read_new()?))
        }
    };
    // Before anything is made of them: a key whose words nobody has seen cannot be made again elsewhere.
    if let Some((_, words)) = room.as_ref().filter(|_| options.suggest) {
        say(words.reveal())?;
    }
    let legacy = match options.profile {
        Some(profile) => {
            let files = (options.fernet.as_deref(), options.passphrase_file.as_deref());
            Some(legacy::key(profile, files.0, files.1, new.filters.clone(), options.label.clone())?)
        }
        None => None,
    };
    let (key, line) = if nowhere_to_rest {
        let written = match legacy {
            Some(legacy) => runtime.block_on(Written::legacy(legacy))?,
            None => runtime.block_on(Written::fresh(&new, room))?,
        };
        (written.key, Some(written.text))
    } else {
        let place = place(folders, &options.store, true)?;
        runtime.block_on(with(place, async |store| {
            let key = match (legacy, room) {
                (Some(legacy), _) => store.create_legacy(legacy).await?,
                (None, Some((room, passphrase))) => store.create_for_room(&new, room, passphrase).await?,
                (None, None) => store.create(&new).await?,
            };
            let line = match options.out {
                Some(_) => Some(store.write(&key.id, KeyForm::Line)?.text),
                None => None,
            };
            Ok((key, line))
        }))?
    };
    if let (Some(path), Some(line)) = (&options.out, line) {
        write_secret(path, line.reveal().as_bytes()).map_err(|error| match nowhere_to_rest {
            true => error,
            false => {
                error.context("the key is made and stored, but not written down (sealwire key export does)")
            }
        })?;
    }
    let older = key.profile.map_or_else(String::new, |profile| format!(", legacy {profile}"));
    note(&format!("“{}” ({}{older}) is made: {}", printable(&key.label), key.suite, key.fingerprint));
    if let Some(weak) = &key.weak {
        note(weak);
    }
    Ok(())
}

fn import(
    runtime: &tokio::runtime::Runtime,
    folders: impl Fn() -> anyhow::Result<DataFolders>,
    options: ImportOptions,
) -> anyhow::Result<()> {
    let file = secrets::key_file(&options.file)?;
    let typed = if is_age(&file) {
        let what = format!("the passphrase of {}", options.file.display());
        Some(file_passphrase(&what, options.file_passphrase_file.as_deref()).read()?)
    } else {
        None
    };
    let filters: Vec<TopicFilter> = options.topic;
    let fernet = options.fernet.map(|label| NewKey {
        label,
        filters,
        suite: Suite::Fernet,
        signatures: Signatures::Off,
    });
    let place = place(folders, &options.store, true)?;
    let imported = runtime.block_on(with(place, async |store| {
        Ok(store.import(file.to_vec(), typed, fernet, options.take_over).await?)
    }))?;
    for one in &imported {
        say(&report(one))?;
    }
    let refused = imported.iter().filter(|one| one.key.is_none()).count();
    anyhow::ensure!(refused == 0, "{refused} of {} keys were not taken in", imported.len());
    Ok(())
}

fn report(one: &ImportedKey) -> String {
    let here = one.key.as_ref().filter(|key| key.label != one.label);
    let here = here.map_or_else(String::new, |key| format!(" is here as “{}”:", key.label));
    printable(&format!("“{}”{here} {}", one.label, one.outcome))
}

fn is_age(file: &[u8]) -> bool {
    let file = file.trim_ascii_start();
    file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") || file.starts_with(b"age-encryption.org/")
}

fn export(
    runtime: &tokio::runtime::Runtime,
    folders: impl Fn() -> anyhow::Result<DataFolders>,
    options: &ExportOptions,
) -> anyhow::Result<()> {
    let form = match options.form {
        FormName::Age => None,
        FormName::Line => Some(KeyForm::Line),
        FormName::Fernet => Some(KeyForm::FernetFile),
    };
    let named = match (form, options.keys.as_slice()) {
        (None, _) => None,
        (Some(form), [one]) => Some((form, one)),
        (Some(_), _) => {
            return Err(Ended::misused(
                "one key goes into a line or a Fernet key file: name it, or use --form age",
            ));
        }
    };
    if named.is_some() && options.file_passphrase_file.is_some() {
        return Err(Ended::misused(
            "a line or a Fernet key file has no passphrase: whoever reads it has the key",
        ));
    }
    may_write(&options.out)?;
    let place = place(folders, &options.store, false)?;
    if let Some((form, key)) = named {
        let written = runtime.block_on(with(place, async |store| Ok(store.write(key, form)?)))?;
        return write_secret(&options.out, written.text.reveal().as_bytes());
    }
    let what = format!("the passphrase for {}", options.out.display());
    let typed = file_passphrase(&what, options.file_passphrase_file.as_deref()).read_new()?;
    let file = runtime.block_on(with(place, async |store| Ok(store.export(&options.keys, typed).await?)))?;
    write_secret(&options.out, file.trim_ascii_end())
}

fn file_passphrase<'a>(what: &'a str, file: Option<&'a Path>) -> Secret<'a> {
    Secret { what, option: "--file-passphrase-file", file, variable: "SEALWIRE_FILE_PASSPHRASE" }
}

/// Refuses a place where [`write_secret`] could not write, before anything is made that should go there.
fn may_write(path: &Path) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return Ok(());
    }
    let shown = path.display();
    anyhow::ensure!(
        path.symlink_metadata().is_err(),
        "{shown} is there already and is not overwritten: nothing was made; give another name"
    );
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    anyhow::ensure!(
        folder.is_none_or(Path::is_dir),
        "the folder of {shown} is not there: nothing was made; make it first"
    );
    Ok(())
}

/// Writes a line to a file that only its owner can read, or to standard output. A file that is there is not overwritten.
fn write_secret(path: &Path, line: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        out.write_all(line)?;
        out.write_all(b"\n")?;
        return Ok(out.flush()?);
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(line)
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn list(keys: &[KeyView], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say(&json_line(&Value::Array(keys.iter().map(object).collect())));
    }
    for key in keys {
        let filters: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
        say(&printable(&format!(
            "{}  {}  {:<13}  {}{}",
            key.fingerprint,
            seals(key),
            key.suite.name(),
            key.label,
            format_args!("  ({})", filters.join(", "))
        )))?;
    }
    Ok(())
}

fn seals(key: &KeyView) -> &'static str {
    match (key.seals, key.retired) {
        (true, _) => "seals  ",
        (false, true) => "retired",
        (false, false) => "opens  ",
    }
}

fn show(key: &KeyView, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say(&json_line(&object(key)));
    }
    let filters: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
    say(&printable(&format!("name         {}", key.label)))?;
    say(&printable(&format!("topics       {}", filters.join(", "))))?;
    say(&format!("suite        {}", key.suite))?;
    say(&format!("signatures   {}", json!(key.signatures).as_str().unwrap_or_default()))?;
    say(&format!("use          {}", seals(key).trim()))?;
    if let Some(profile) = key.profile {
        say(&format!("legacy       {profile}"))?;
    }
    if let Some(weak) = &key.weak {
        say(&format!("weak         {weak}"))?;
    }
    say(&format!("fingerprint  {}", key.fingerprint))?;
    for epoch in &key.epochs {
        let retired = epoch.retired_ms.map_or_else(String::new, |ms| format!(", retired {}", stamp(ms)));
        say(&format!("epoch {:<6} {}  made {}{retired}", epoch.number, epoch.kid, stamp(epoch.created_ms)))?;
    }
    Ok(())
}

fn object(key: &KeyView) -> Value {
    let epochs: Vec<Value> = key
        .epochs
        .iter()
        .map(|epoch| {
            json!({
                "number": epoch.number,
                "kid": epoch.kid,
                "fingerprint": epoch.fingerprint,
                "created": stamp(epoch.created_ms),
                "retired": epoch.retired_ms.map(stamp),
            })
        })
        .collect();
    json!({
        "id": key.id,
        "name": key.label,
        "topics": key.filters,
        "suite": key.suite,
        "kid": key.kid,
        "fingerprint": key.fingerprint,
        "seals": key.seals,
        "retired": key.retired,
        "signatures": key.signatures,
        "profile": key.profile,
        "weak": key.weak,
        "epochs": epochs,
    })
}
