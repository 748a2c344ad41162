//! A station whose identity is settled, and a login there that takes no folder on this computer.

use std::path::{Path, PathBuf};

use hyper::Method;
use tokio::sync::watch;

use crate::{
    acl::{Right, Role, Subject},
    api::{self, Blob, Confidential, PutVault, SecondFactor, Username, VaultVersion},
    keys::{KdfParams, PasswordKeys, RecoveryCode, SealedVault, Vault, VaultSecret, WrappedSecret},
    topic::{TopicFilter, TopicName},
};

use super::{
    super::{
        Password,
        address::Address,
        desk::NO_BODY,
        http::{self, CallError, Http, Pinned},
        keyring::{TRIES, pause},
        login,
        mqtt::Server,
        stations::Stations,
        tls::{self, Fingerprint},
    },
    DirectError, Line,
    seen::SeenVaults,
};

/// A station that was reached and is the one that was meant. Nothing secret was sent yet.
pub struct Door {
    station: Pinned,
    clients: PathBuf,
    /// Never closes: what is under way is dropped with its future.
    _open: watch::Sender<bool>,
}

impl Door {
    /// Finds the station at `host:port` or behind an invite link. Its identity is the one given, the link's, or the one that
    /// this computer pinned before, in that order; they must not contradict each other.
    ///
    /// # Errors
    /// Nobody there, somebody else there, or nobody knows who is to be there.
    pub async fn find(clients: &Path, place: &str, fingerprint: Option<&str>) -> Result<Self, DirectError> {
        let wrong = |why: String| DirectError::Address { text: place.to_owned(), why };
        let (address, invited) = Address::parse(place).map_err(|error| wrong(error.to_string()))?;
        let named = match fingerprint {
            Some(text) => Some(
                Fingerprint::parse(text)
                    .ok_or_else(|| wrong("a fingerprint has 64 hexadecimal digits".to_owned()))?,
            ),
            None => None,
        };
        let known = Stations::in_folder(clients).pin(&address)?;
        let mut pin: Option<(&'static str, Fingerprint)> = None;
        let sources = [
            ("the fingerprint given", named),
            ("the one in the link", invited),
            ("the one that this computer pinned", known),
        ];
        for (source, next) in sources {
            match (&pin, next) {
                (Some((one, first)), Some(second)) if *first != second => {
                    return Err(DirectError::Fingerprints {
                        address: address.to_string(),
                        one,
                        first: first.as_str().to_owned(),
                        other: source,
                        second: second.as_str().to_owned(),
                    });
                }
                (None, Some(first)) => pin = Some((source, first)),
                _ => {}
            }
        }
        let identity = http::look(&address).await?;
        let seen = identity.fingerprint.as_str().to_owned();
        let Some((_, pin)) = pin else {
            return Err(DirectError::UnknownStation { address: address.to_string(), fingerprint: seen });
        };
        if pin != identity.fingerprint {
            let pinned = pin.as_str().to_owned();
            return Err(DirectError::OtherStation { address: address.to_string(), pinned, seen });
        }
        let (config, _) =
            tls::client_config(Some(pin)).map_err(|error| DirectError::Other(error.to_string()))?;
        let (open, closing) = watch::channel(false);
        let http = Http::new(address, &config, closing);
        Ok(Self { station: Pinned { http, tls: config, identity }, clients: clients.to_owned(), _open: open })
    }

    /// Whether this computer was told to stand in for this account's one-time code.
    #[must_use]
    pub fn remembers(&self, username: &str) -> bool {
        Username::new(username).is_ok_and(|username| self.remembered(&username).is_some())
    }

    fn remembered(&self, username: &Username) -> Option<Confidential> {
        let folder = self.clients.join(login::folder_name(&self.station.identity.fingerprint, username));
        login::read_remembered(&folder)
    }

    /// Logs in. Without a code the computer's remembered one stands in, if there is one. A code may be a recovery code too,
    /// which is spent by that.
    ///
    /// # Errors
    /// What the station says, or a vault that does not open.
    pub async fn log_in(
        self,
        username: &str,
        password: Password,
        code: Option<&Password>,
    ) -> Result<Account, DirectError> {
        let username = Username::new(username).map_err(|error| DirectError::Other(error.to_string()))?;
        let http = &self.station.http;
        let second = match code {
            Some(code) => Some(match RecoveryCode::parse(code.reveal()) {
                Ok(recovery) => SecondFactor::Recovery(Confidential::new(recovery.auth_key().to_string())),
                Err(_) => SecondFactor::Code(Confidential::new(
                    code.reveal().chars().filter(|c| !c.is_whitespace()).collect(),
                )),
            }),
            None => self.remembered(&username).map(SecondFactor::Remembered),
        };
        let request = api::SaltRequest { username: username.clone() };
        let salt: api::Salt = http.call(Method::POST, "account/salt", None, Some(&request)).await?;
        let params =
            KdfParams { memory_kib: salt.kdf.memory_kib, iterations: salt.kdf.passes, lanes: salt.kdf.lanes };
        let derived = tokio::task::spawn_blocking(move || {
            PasswordKeys::derive(&crate::keys::Password::new(password.reveal()), &salt.salt.0, &params)
        });
        let keys = derived.await.map_err(|error| DirectError::thread(&error))??;
        let auth_key = Confidential::new(keys.auth_key().to_string());
        let request = api::LogIn { username: username.clone(), auth_key, second, remember: false };
        let grant: api::SessionGrant = http.call(Method::POST, "session", None, Some(&request)).await?;
        let mut account = Account {
            door: self,
            account: grant.account,
            token: grant.api_token,
            mqtt_token: grant.mqtt_token,
            mqtt_port: grant.mqtt.tls_port,
            sealed: SealedVault { version: grant.vault.version, ciphertext: grant.vault.sealed.0 },
            vault: None,
        };
        let wrapped = WrappedSecret::from_bytes(grant.vault.password_wrap.0);
        let opened = VaultSecret::unwrap_with_password(username.as_str(), &wrapped, &keys)
            .and_then(|secret| Vault::open(username.as_str(), &account.sealed, secret));
        let settled = match opened {
            Ok(vault) => {
                account.vault = Some(vault);
                account.settle().await
            }
            Err(error) => Err(error.into()),
        };
        match settled {
            Ok(()) => Ok(account),
            Err(error) => {
                account.log_out().await;
                Err(error)
            }
        }
    }
}

/// A login at a station. End it with [`Self::log_out`]: dropped, its tokens live on until they run out.
pub struct Account {
    door: Door,
    account: api::Account,
    token: Confidential,
    mqtt_token: Confidential,
    mqtt_port: u16,
    sealed: SealedVault,
    /// There from the login on.
    vault: Option<Vault>,
}

impl Account {
    /// Its name.
    #[must_use]
    pub fn username(&self) -> &str {
        self.account.username.as_str()
    }

    /// The way to the station's own broker, under a client id of its own.
    ///
    /// # Errors
    /// No randomness.
    pub fn line(&self) -> Result<Line, DirectError> {
        let place = self.door.station.http.address().at(self.mqtt_port);
        let tls = std::sync::Arc::clone(&self.door.station.tls);
        let token = self.mqtt_token.reveal();
        Line::own(Server::pinned(&place.host, place.port, tls, self.username(), token))
    }

    /// After the login: an old vault is refused, and one of before there were signatures gets an identity to sign with.
    async fn settle(&mut self) -> Result<(), DirectError> {
        self.check_version().await?;
        if self.vault()?.identity().is_none() {
            // On another computer it may have got one meanwhile: then that one counts.
            let made = self.change_vault(|vault| Ok(vault.ensure_identity()?)).await;
            if let Err(error) = made {
                tracing::warn!(%error, "no identity was stored; the next login tries again");
            }
        }
        Ok(())
    }

    fn seen_vaults(&self) -> SeenVaults {
        SeenVaults::of(&self.door.clients, &self.door.station.identity.fingerprint, &self.account.username)
    }

    /// Refuses a version older than one that a command on this computer has seen.
    async fn check_version(&mut self) -> Result<(), DirectError> {
        let seen = self.seen_vaults();
        let id = self.vault()?.secret().id();
        if seen.newer_than(&id, self.sealed.version)?.is_some() {
            // Another command may have stored a newer one since our login: it is older only if it still is.
            self.fetch_vault().await?;
            if let Some(known) = seen.newer_than(&id, self.sealed.version)? {
                return Err(DirectError::RolledBack { known, got: self.sealed.version });
            }
            let secret = self.vault()?.secret().duplicate();
            self.vault = Some(Vault::open(self.account.username.as_str(), &self.sealed, secret)?);
        }
        self.remember_version().await
    }

    async fn remember_version(&self) -> Result<(), DirectError> {
        let id = self.vault()?.secret().id();
        if let Err(error) = self.seen_vaults().remember(&id, self.sealed.version).await {
            // A folder that cannot be written keeps nobody from working.
            tracing::warn!(%error, "the vault's version was not remembered");
        }
        Ok(())
    }

    /// The open vault.
    pub(super) fn vault(&self) -> Result<&Vault, DirectError> {
        self.vault.as_ref().ok_or_else(|| DirectError::Other("the vault is not open".to_owned()))
    }

    /// Asks the role, before the broker is asked.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_publish(&self, line: &Line, topic: &TopicName) -> Result<(), DirectError> {
        let role = &self.account.role;
        let decision = role.decide_publish(&self.subject(line), topic);
        self.decided(decision.is_allowed(), || decision.explain(role, Right::Publish, topic.as_str()))
    }

    /// As [`Self::may_publish`], for a subscription.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_subscribe(&self, line: &Line, filter: &TopicFilter) -> Result<(), DirectError> {
        let role = &self.account.role;
        let decision = role.decide_subscribe(&self.subject(line), filter);
        self.decided(decision.is_allowed(), || decision.explain(role, Right::Subscribe, filter.as_str()))
    }

    /// What it may, for a list.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.account.role
    }

    fn subject<'a>(&'a self, line: &'a Line) -> Subject<'a> {
        Subject { username: self.username(), client_id: line.client_id() }
    }

    fn decided(&self, allowed: bool, why: impl Fn() -> String) -> Result<(), DirectError> {
        if allowed { Ok(()) } else { Err(DirectError::NotPermitted(why())) }
    }

    /// What the account that signs with this key is called, as the station says; `None` where it knows nobody.
    pub async fn who_is(&self, sender: &str) -> Option<String> {
        let http = &self.door.station.http;
        let path = format!("identities/{sender}");
        let told = http.call::<api::Identity>(Method::GET, &path, Some(&self.token), NO_BODY).await;
        // What is no name of an account is none to show or compare either.
        told.ok().and_then(|identity| Username::new(&identity.username).ok()).map(String::from)
    }

    /// Tells the station what this account signs with, as a window does at login, so that others can ask whose signature it is.
    pub async fn tell_identity(&self) {
        let Some(identity) = self.vault.as_ref().and_then(Vault::identity) else { return };
        let key = identity.sender();
        if self.who_is(&key.to_string()).await.is_some_and(|name| name == self.username()) {
            return;
        }
        let claim = api::PutIdentity {
            key: Blob(key.as_bytes().to_vec()),
            proof: Blob(identity.claim(self.username()).to_vec()),
        };
        let http = &self.door.station.http;
        let put: Result<(), CallError> =
            http.call(Method::PUT, "identity", Some(&self.token), Some(&claim)).await;
        if let Err(error) = put {
            // An older station has no such path: signatures hold all the same.
            tracing::info!(%error, "the station was not told what this account signs with");
        }
    }

    /// What this account signs with, and the sixty digits for comparing it.
    ///
    /// # Errors
    /// The vault has no identity yet, and none could be stored.
    pub fn identity(&self) -> Result<(String, String), DirectError> {
        let sender = self.vault()?.identity().ok_or(DirectError::NoIdentityYet)?.sender();
        Ok((sender.to_string(), sender.digits()))
    }

    /// Makes `change` to the newest vault and stores it. Where another computer was faster, the change is made again.
    ///
    /// # Errors
    /// The change's own, or what the station says.
    pub(super) async fn change_vault<T>(
        &mut self,
        change: impl Fn(&mut Vault) -> Result<T, DirectError>,
    ) -> Result<T, DirectError> {
        for tried in 1..=TRIES {
            let secret = self.vault()?.secret().duplicate();
            let mut next = Vault::open(self.account.username.as_str(), &self.sealed, secret)?;
            let answer = change(&mut next)?;
            let sealed = next.seal(self.sealed.version + 1)?;
            let request = PutVault {
                version: sealed.version,
                sealed: Blob(sealed.ciphertext.clone()),
                password_wrap: None,
            };
            let http = &self.door.station.http;
            let put =
                http.call::<VaultVersion>(Method::PUT, "vault", Some(&self.token), Some(&request)).await;
            match put {
                Ok(_) => {
                    (self.sealed, self.vault) = (sealed, Some(next));
                    self.remember_version().await?;
                    return Ok(answer);
                }
                Err(error) if error.is_conflict() => {
                    if tried > 1 {
                        tokio::time::sleep(pause(tried)).await;
                    }
                    self.fetch_vault().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(DirectError::Busy)
    }

    async fn fetch_vault(&mut self) -> Result<(), DirectError> {
        let http = &self.door.station.http;
        let fetched: api::Vault = http.call(Method::GET, "vault", Some(&self.token), NO_BODY).await?;
        if fetched.version < self.sealed.version {
            return Err(DirectError::RolledBack { known: self.sealed.version, got: fetched.version });
        }
        self.sealed = SealedVault { version: fetched.version, ciphertext: fetched.sealed.0 };
        Ok(())
    }

    /// Says goodbye: both tokens are revoked. That the station cannot be reached is no failure; they run out by themselves.
    pub async fn log_out(self) {
        let http = &self.door.station.http;
        let gone: Result<(), CallError> =
            http.call(Method::DELETE, "session", Some(&self.token), NO_BODY).await;
        if let Err(error) = gone {
            tracing::info!(%error, "the station was not told of the logout");
        }
    }
}
