//! What pub, sub and key share: the options for station, broker and keys, and what becomes of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    client::{
        ClientIdentity, Endpoint, MqttVersion, Password, Suite,
        direct::{Account, DirectError, Door, Line, Ring},
        legacy::{LegacyKey, Profile},
    },
    station::host::DataFolders,
    topic::TopicFilter,
};

use super::{
    exit::Ended,
    legacy,
    secrets::{self, Secret},
};

/// An account at a station.
#[derive(Debug, clap::Args)]
pub(super) struct AccountOptions {
    /// The station: HOST:PORT of its API, or its invite link.
    #[arg(long, value_name = "STATION", requires = "user", help_heading = "Station")]
    pub station: Option<String>,
    /// SHA-256 of the station's public key, as it prints it. Not needed with an invite link, or where the app of this
    /// computer knows the station.
    #[arg(long, value_name = "SHA256", requires = "station", help_heading = "Station")]
    pub fingerprint: Option<String>,
    /// The account. Its password comes from --password-file, SEALWIRE_PASSWORD or a prompt; its one-time code, or a recovery
    /// code, from SEALWIRE_OTP or a prompt.
    #[arg(long, value_name = "NAME", requires = "station", help_heading = "Station")]
    pub user: Option<String>,
    /// A file whose first line is the account's password; only its owner may be able to read it.
    #[arg(long, value_name = "FILE", requires = "user", help_heading = "Station")]
    pub password_file: Option<PathBuf>,
}

/// Any MQTT broker.
#[derive(Debug, clap::Args)]
pub(super) struct BrokerOptions {
    /// Any broker: mqtt://[USER@]HOST[:PORT], mqtts://, ws:// or wss://HOST[:PORT][/PATH]. With --station too, the account's keys
    /// are used and the messages go here.
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    pub broker: Option<String>,
    /// The authorities that may have signed the broker's certificate (PEM), instead of the system's.
    #[arg(long, value_name = "FILE", requires = "broker", help_heading = "Broker")]
    pub ca: Option<PathBuf>,
    /// A certificate to show to the broker (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["broker", "cert_key"], help_heading = "Broker")]
    pub cert: Option<PathBuf>,
    /// The private key of --cert (PEM, not encrypted).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Broker")]
    pub cert_key: Option<PathBuf>,
    /// The version of MQTT that the broker speaks.
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = VersionName::V5, help_heading = "Broker")]
    pub mqtt_version: VersionName,
    /// The username at the broker. Its password comes from --broker-password-file, SEALWIRE_BROKER_PASSWORD or a prompt.
    #[arg(long, value_name = "NAME", requires = "broker", help_heading = "Broker")]
    pub username: Option<String>,
    /// A file whose first line is the password at the broker; only its owner may be able to read it.
    #[arg(long, value_name = "FILE", requires = "broker", help_heading = "Broker")]
    pub broker_password_file: Option<PathBuf>,
    /// The MQTT client id, instead of a random one.
    #[arg(long, value_name = "ID", help_heading = "Broker")]
    pub client_id: Option<String>,
}

/// Keys that are not an account's.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOptions {
    /// A keyring file (age, under a passphrase: see `sealwire key`).
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    pub keyring: Option<PathBuf>,
    /// A file whose first line is the keyring's passphrase, instead of SEALWIRE_KEYRING_PASSPHRASE or a prompt.
    #[arg(long, value_name = "FILE", requires = "keyring", help_heading = "Keys")]
    pub keyring_passphrase_file: Option<PathBuf>,
    /// A file with key lines (sealwire-key:…); - is standard input. May be given several times.
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    pub key_line: Vec<PathBuf>,
    /// A Fernet key file as Python's cryptography writes it, for the topics given here; with --profile disaster-response its
    /// secureKey.key.
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    pub fernet: Option<PathBuf>,
    /// The key of this room, from a passphrase, for the topics given here. The passphrase comes from --passphrase-file,
    /// SEALWIRE_PASSPHRASE or a prompt.
    #[arg(long, value_name = "ROOM", value_parser = room_name, group = "stretched", help_heading = "Keys")]
    pub passphrase_room: Option<String>,
    /// A file whose first line is the passphrase of the room, or of the programs; only its owner may be able to read it.
    #[arg(long, value_name = "FILE", requires = "stretched", help_heading = "Keys")]
    pub passphrase_file: Option<PathBuf>,
    /// How the room's key seals: cose-a256gcm, cose-chacha20, fernet or aes-cbc-hmac. Every other key has its suite for life.
    #[arg(long, value_name = "SUITE", value_parser = suites(), requires = "passphrase_room", default_value_t = Suite::default(), help_heading = "Keys")]
    pub suite: Suite,
    /// Send, or show, what has no seal on topics without a key. Topics with a key stay sealed.
    #[arg(long, help_heading = "Keys")]
    pub in_the_clear: bool,
    /// The programs of an older system, with their key, topics and shape of messages (docs/legacy.md). The key comes from
    /// --fernet (disaster-response), from nowhere, because it was published (industrial-iot), or from the passphrase that
    /// everybody there types: --passphrase-file, SEALWIRE_PASSPHRASE or a prompt (room-chat, window-chat).
    #[arg(long, value_name = "PROFILE", value_parser = legacy::profiles(), group = "stretched", help_heading = "Legacy programs")]
    pub profile: Option<Profile>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum VersionName {
    /// MQTT 3.1.1
    #[value(name = "3.1.1", alias = "4")]
    V311,
    /// MQTT 5.0
    #[value(name = "5", alias = "5.0")]
    V5,
}

/// A login that was asked for, its secrets read.
pub(super) struct Login {
    place: String,
    fingerprint: Option<String>,
    user: String,
    password: Password,
    clients: PathBuf,
}

impl AccountOptions {
    /// Reads the password, before anything is asked of the network.
    pub(super) fn login(&self, folders: &DataFolders) -> anyhow::Result<Option<Login>> {
        let (Some(place), Some(user)) = (&self.station, &self.user) else { return Ok(None) };
        let what = format!("the password of {user}");
        let password = Secret {
            what: &what,
            option: "--password-file",
            file: self.password_file.as_deref(),
            variable: "SEALWIRE_PASSWORD",
        };
        Ok(Some(Login {
            place: place.clone(),
            fingerprint: self.fingerprint.clone(),
            user: user.clone(),
            password: password.read()?,
            clients: folders.clients()?,
        }))
    }
}

impl Login {
    pub(super) async fn log_in(self) -> anyhow::Result<Account> {
        let door = Door::find(&self.clients, &self.place, self.fingerprint.as_deref()).await?;
        let code = if door.remembers(&self.user) && std::env::var_os("SEALWIRE_OTP").is_none() {
            None
        } else {
            secrets::one_time_code()?
        };
        Ok(door.log_in(&self.user, self.password, code.as_ref()).await?)
    }
}

impl BrokerOptions {
    /// The broker with its secrets, where one is named.
    pub(super) fn endpoint(&self) -> anyhow::Result<Option<Endpoint>> {
        let Some(url) = &self.broker else { return Ok(None) };
        let mut endpoint = Endpoint::parse(url).map_err(DirectError::from)?;
        endpoint.version = match self.mqtt_version {
            VersionName::V311 => MqttVersion::V311,
            VersionName::V5 => MqttVersion::V5,
        };
        endpoint.ca = self.ca.as_deref().map(pem).transpose()?;
        if let (Some(cert), Some(key)) = (&self.cert, &self.cert_key) {
            let key = secrets::key_file(key)?;
            let key = std::str::from_utf8(&key).context("the client key is no PEM file")?;
            endpoint.identity = Some(ClientIdentity { certificate: pem(cert)?, key: Password::new(key) });
        }
        match (&endpoint.username, &self.username) {
            (Some(named), Some(given)) if named != given => {
                return Err(Ended::misused("--username and the user in --broker differ: give one of them"));
            }
            (_, Some(_)) => endpoint.username.clone_from(&self.username),
            (None, None) if self.broker_password_file.is_some() => {
                return Err(Ended::misused(
                    "--broker-password-file is the password of whom? Give --username too",
                ));
            }
            _ => {}
        }
        if let Some(user) = &endpoint.username {
            let what = format!("the password of {user} at the broker");
            let password = Secret {
                what: &what,
                option: "--broker-password-file",
                file: self.broker_password_file.as_deref(),
                variable: "SEALWIRE_BROKER_PASSWORD",
            };
            endpoint.password = Some(password.read()?);
            if !endpoint.transport.is_encrypted() && !is_this_computer(&endpoint.host) {
                super::note(&format!(
                    "warning: the password of {} goes over the network without encryption; mqtts:// and wss:// encrypt",
                    super::printable(user)
                ));
            }
        }
        endpoint.client_id.clone_from(&self.client_id);
        Ok(Some(endpoint))
    }
}

fn is_this_computer(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The suites by name, so that shells can offer them.
pub(super) fn suites() -> impl TypedValueParser<Value = Suite> {
    PossibleValuesParser::new(Suite::ALL.map(Suite::name)).try_map(|name| name.parse::<Suite>())
}

/// A MIME type: one line of text, as MQTT takes it.
pub(super) fn content_type(text: &str) -> Result<String, &'static str> {
    match text.chars().any(char::is_control) || text.is_empty() || text.len() > 255 {
        true => Err("a content type is one line, such as application/json"),
        false => Ok(text.to_owned()),
    }
}

/// A room's name: room and passphrase together make the key, so spaces around it, which nobody sees, do not count.
pub(super) fn room_name(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => {
            Err("the room has no name: name it as the others do; room and passphrase together make the key")
        }
        name => Ok(name.to_owned()),
    }
}

fn pem(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("the certificate cannot be read from {}", path.display()))
}

/// The keyring file's passphrase.
pub(super) fn keyring_passphrase<'a>(what: &'a str, file: Option<&'a Path>) -> Secret<'a> {
    Secret { what, option: "--keyring-passphrase-file", file, variable: "SEALWIRE_KEYRING_PASSPHRASE" }
}

/// A room's passphrase.
pub(super) fn room_passphrase<'a>(what: &'a str, file: Option<&'a Path>) -> Secret<'a> {
    Secret { what, option: "--passphrase-file", file, variable: "SEALWIRE_PASSPHRASE" }
}

/// Everything that pub and sub need, its secrets read, nothing connected.
pub(super) struct Plans {
    login: Option<Login>,
    endpoint: Option<Endpoint>,
    client_id: Option<String>,
    keyring: Option<(Vec<u8>, Password)>,
    key_lines: Vec<Password>,
    fernet: Option<Password>,
    room: Option<(String, Password, Suite)>,
    legacy: Option<LegacyKey>,
}

/// The keys, and the login that has to end.
pub(super) struct Way {
    pub account: Option<Account>,
    pub ring: Ring,
    /// Whether the messages go through the account's own station, whose role can be asked first.
    own: bool,
}

impl Plans {
    pub(super) fn of(
        folders: impl FnOnce() -> anyhow::Result<DataFolders>,
        account: &AccountOptions,
        broker: &BrokerOptions,
        keys: &KeyOptions,
        needs_keys: bool,
    ) -> anyhow::Result<Self> {
        if account.station.is_none() && broker.broker.is_none() {
            return Err(Ended::misused("say where to: --broker URL, or --station and --user"));
        }
        let has_key = account.station.is_some()
            || keys.keyring.is_some()
            || !keys.key_line.is_empty()
            || keys.fernet.is_some()
            || keys.passphrase_room.is_some()
            || keys.profile.is_some();
        if needs_keys && !has_key {
            return Err(Ended::misused(
                "there is no key to seal or open with: name one (--key-line, --keyring, --fernet, --passphrase-room or --profile), log in to an account that has one (--station and --user), or say --in-the-clear",
            ));
        }
        let login = match account.station {
            Some(_) => account.login(&folders()?)?,
            None => None,
        };
        let keyring = match &keys.keyring {
            Some(path) => {
                let file = secrets::key_file(path)?.to_vec();
                let what = format!("the passphrase of {}", path.display());
                let passphrase = keyring_passphrase(&what, keys.keyring_passphrase_file.as_deref()).read()?;
                Some((file, passphrase))
            }
            None => None,
        };
        let key_lines = keys.key_line.iter().map(|path| key_text(path)).collect::<anyhow::Result<_>>()?;
        let room = match &keys.passphrase_room {
            Some(room) => {
                let what = format!("the passphrase of the room {room}");
                let passphrase = room_passphrase(&what, keys.passphrase_file.as_deref()).read()?;
                Some((room.clone(), passphrase, keys.suite))
            }
            None => None,
        };
        let (fernet, legacy) = match keys.profile {
            // The key file is the profile's then, and no key of its own. Its topics come with `open`.
            Some(profile) => {
                let files = (keys.fernet.as_deref(), keys.passphrase_file.as_deref());
                (None, Some(legacy::key(profile, files.0, files.1, Vec::new(), None)?))
            }
            None => (keys.fernet.as_deref().map(key_text).transpose()?, None),
        };
        Ok(Self {
            login,
            endpoint: broker.endpoint()?,
            client_id: broker.client_id.clone(),
            keyring,
            key_lines,
            fernet,
            room,
            legacy,
        })
    }

    /// Logs in, gathers the keys, and finds the way to the broker. Keys that name no topics are for `filters`.
    pub(super) async fn open(mut self, filters: &[TopicFilter]) -> anyhow::Result<(Way, Line)> {
        let account = match self.login.take() {
            Some(login) => Some(login.log_in().await?),
            None => None,
        };
        let own = self.endpoint.is_none();
        match self.gather(account.as_ref(), filters).await {
            Ok((line, ring)) => Ok((Way { account, ring, own }, line)),
            Err(error) => {
                if let Some(account) = account {
                    account.log_out().await;
                }
                Err(error)
            }
        }
    }

    async fn gather(
        self,
        account: Option<&Account>,
        filters: &[TopicFilter],
    ) -> anyhow::Result<(Line, Ring)> {
        let line = match (&self.endpoint, account) {
            (Some(endpoint), _) => Line::to(endpoint)?,
            (None, Some(account)) => account.line()?,
            (None, None) => return Err(Ended::misused("give --station and --user, or --broker")),
        };
        let line = match self.client_id {
            Some(id) => line.named(id),
            None => line,
        };
        let mut ring = Ring::new();
        if let Some(account) = account {
            ring.add_account(account)?;
        }
        if let Some((file, passphrase)) = self.keyring {
            ring.add_keyring(file, passphrase).await?;
        }
        for lines in self.key_lines {
            ring.add_key_lines(lines.reveal())?;
        }
        if let Some(key) = self.fernet {
            ring.add_fernet(key.reveal().as_bytes(), filters.to_vec())?;
        }
        if let Some((room, passphrase, suite)) = self.room {
            ring.add_room(room, passphrase, filters.to_vec(), suite).await?;
        }
        if let Some(key) = self.legacy {
            ring.add_legacy(LegacyKey { filters: Some(filters.to_vec()), ..key }).await?;
        }
        Ok((line, ring))
    }
}

impl Way {
    /// The account, where it is its own station that decides what is permitted.
    pub(super) fn decides(&self) -> Option<&Account> {
        self.account.as_ref().filter(|_| self.own)
    }

    /// Ends the login.
    pub(super) async fn close(self) {
        if let Some(account) = self.account {
            account.log_out().await;
        }
    }
}

/// A key file of text.
pub(super) fn key_text(path: &Path) -> anyhow::Result<Password> {
    let bytes = secrets::key_file(path)?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("{} holds no key: it is not text", path.display()))?;
    Ok(Password::new(text))
}

/// Tells that the connection is gone and comes back by itself.
pub(super) fn note_wait(why: &str, wait: Duration) {
    super::note(&format!("{}; trying again in {} s", super::printable(why), wait.as_secs()));
}

/// A runtime for one command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("this system gives no threads to work on")
}
