//! The desk: takes commands in order, does what needs the station's API, and passes the rest to the link.
//!
//! Start at [`Desk::run`]; `account` has the ways in, `login` begins and ends a session, `keyring` changes the vault.

use std::{path::PathBuf, time::Duration};

use hyper::Method;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    acl::Right,
    api::{self, Confidential, OtpPolicy, SignUpPolicy, StationInfo},
    keys::PasswordKeys,
};

use super::{
    AccountView, Asked, AuditLog, Command, Event, Failure, LinkState, Password, StationView, Trust,
    account::Enrolling,
    address::Address,
    audit::Auditor,
    clock::now_ms,
    failure::{not_logged_in, told},
    http::{self, CallError, Http, Pinned},
    keyring::{NewKey, OpenVault},
    legacy::LegacyKey,
    link::{Ask, Note},
    login,
    people::Strangers,
    preferences::Preferences,
    stations::Stations,
    teller::Teller,
    tls::{self, Fingerprint, Identity},
};

/// Nothing to send.
pub(super) const NO_BODY: Option<&()> = None;

/// How long a command may go on once the face is gone: requests are cut short by themselves, hashing is not.
const LAST_COMMAND: Duration = Duration::from_secs(1);

/// Resolves when the face is gone, with or without a word.
async fn until_closed(mut closing: watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// See the module.
pub(super) struct Desk {
    pub(super) clients: PathBuf,
    pub(super) logs: PathBuf,
    pub(super) teller: Teller,
    pub(super) stations: Stations,
    preferences: Preferences,
    pub(super) closing: watch::Receiver<bool>,
    /// A station that was shown and waits to be trusted.
    shown: Option<(Address, Identity)>,
    pub(super) station: Option<Pinned>,
    /// One-time codes that wait for their first code.
    pub(super) enrolling: Option<Enrolling>,
    pub(super) session: Option<LoggedIn>,
}

/// Somebody is logged in.
pub(super) struct LoggedIn {
    pub(super) account: api::Account,
    pub(super) token: Confidential,
    pub(super) broker: Address,
    pub(super) vault: OpenVault,
    pub(super) asks: mpsc::UnboundedSender<Ask>,
    pub(super) link: JoinHandle<()>,
    pub(super) notes: mpsc::UnboundedReceiver<Note>,
    pub(super) auditor: Auditor,
    pub(super) audit_thread: std::thread::JoinHandle<()>,
    pub(super) anchors_due: mpsc::UnboundedReceiver<api::Anchors>,
    pub(super) client_id: String,
    pub(super) folder: PathBuf,
    pub(super) first_time_here: bool,
    /// Who signed and is not known.
    pub(super) strangers: Strangers,
}

impl LoggedIn {
    pub(super) fn view(&self) -> AccountView {
        login::view(&self.account, &self.client_id, &self.folder, self.first_time_here)
    }

    /// The log that a login or a key belongs to: what the account mainly is.
    pub(super) fn main_log(&self) -> AuditLog {
        if self.account.role.may_ever(Right::Publish) { AuditLog::Publisher } else { AuditLog::Subscriber }
    }
}

/// What the desk waits for.
enum Inbox {
    Command(Command),
    Note(Note),
    Anchors(api::Anchors),
    Closed,
}

impl Desk {
    pub(super) fn new(
        clients: PathBuf,
        logs: PathBuf,
        teller: Teller,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let stations = Stations::in_folder(&clients);
        let preferences = Preferences::in_folder(&clients);
        Self {
            clients,
            logs,
            teller,
            stations,
            preferences,
            closing,
            shown: None,
            station: None,
            enrolling: None,
            session: None,
        }
    }

    /// Works until the face is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        self.teller.tell(Event::Preferences(self.preferences.all()));
        loop {
            match self.next(&mut commands).await {
                Inbox::Command(command) => {
                    let closed = until_closed(self.closing.clone());
                    tokio::select! {
                        () = self.command(command) => {}
                        () = async { closed.await; tokio::time::sleep(LAST_COMMAND).await } => break,
                    }
                }
                Inbox::Note(note) => self.note(note).await,
                Inbox::Anchors(anchors) => self.put_anchors(&anchors).await,
                Inbox::Closed => break,
            }
        }
        self.end_session().await;
    }

    async fn next(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> Inbox {
        let closed = until_closed(self.closing.clone());
        let Some(session) = &mut self.session else {
            return tokio::select! {
                command = commands.recv() => command.map_or(Inbox::Closed, Inbox::Command),
                () = closed => Inbox::Closed,
            };
        };
        tokio::select! {
            command = commands.recv() => command.map_or(Inbox::Closed, Inbox::Command),
            Some(note) = session.notes.recv() => Inbox::Note(note),
            Some(anchors) = session.anchors_due.recv() => Inbox::Anchors(anchors),
            () = closed => Inbox::Closed,
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::OpenStation { address, trust } => self.open_station(&address, trust).await,
            Command::TrustStation { fingerprint } => self.trust_station(&fingerprint).await,
            Command::SignUp { username, password, role, setup_code } => {
                self.sign_up(&username, password, role, setup_code).await;
            }
            Command::BeginOtp => self.begin_otp().await,
            Command::ConfirmOtp { code } => self.confirm_otp(&code).await,
            Command::LogIn { username, password, second, remember } => {
                self.log_in(&username, password, second, remember).await;
            }
            Command::ResetByRecovery { username, recovery, code, new_password } => {
                self.reset_by_recovery(&username, &recovery, code.as_ref(), new_password).await;
            }
            Command::ResetByCode { username, code, new_password } => {
                self.reset_by_code(&username, &code, new_password).await;
            }
            Command::ChangePassword { old, new } => self.change_password(old, new).await,
            Command::NewRecoveryCodes { password } => self.new_recovery_codes(password).await,
            Command::LogOut => self.log_out().await,
            Command::SetPreference { name, value } => self.set_preference(&name, &value),
            Command::RetryNow => self.pass(Asked::LogIn, "There is no link.", Ask::RetryNow),
            Command::Subscribe(filter) => {
                self.pass(Asked::Subscribe, "It is not watched.", Ask::Subscribe(filter, None));
            }
            Command::SubscribeAt { filter, qos } => {
                self.pass(Asked::Subscribe, "It is not watched.", Ask::Subscribe(filter, Some(qos)));
            }
            Command::Unsubscribe(filter) => {
                self.pass(Asked::Subscribe, "Nothing changed.", Ask::Unsubscribe(filter));
            }
            Command::LoadHistory { limit } => {
                self.pass(Asked::History, "There is no history.", Ask::LoadHistory(limit));
            }
            Command::ClearHistory => self.pass(Asked::History, "Nothing was forgotten.", Ask::ClearHistory),
            Command::Publish { draft, every } => {
                self.pass(Asked::Publish, "The message was not sent.", Ask::Publish { draft, every });
            }
            Command::StopRepeat { topic } => {
                self.pass(Asked::Publish, "Nothing is repeated.", Ask::StopRepeat(topic));
            }
            Command::Discard { id } => self.pass(Asked::Publish, "Nothing was taken back.", Ask::Discard(id)),
            Command::ReleaseHeld { id, seal } => {
                self.pass(Asked::Publish, "The message is still held.", Ask::ReleaseHeld { id, seal });
            }
            Command::SetWill { will, on } => {
                self.pass(Asked::Will, "The will was not changed.", Ask::SetWill(Some((will, on))));
            }
            Command::ForgetWill => {
                self.pass(Asked::Will, "The will was not forgotten.", Ask::SetWill(None));
            }
            Command::SetClear { filter, clear } => {
                self.pass(Asked::Clear, "Nothing changed.", Ask::SetClear { filter, clear });
            }
            Command::StartSample => self.start_sample().await,
            Command::StopSample => self.pass(Asked::Sample, "It does not run.", Ask::StopSample),
            Command::CreateKey { label, filters, suite, signatures } => {
                self.create_key(NewKey { label, filters, suite, signatures }).await;
            }
            Command::CreateFromPassphrase { label, filters, suite, room, passphrase, signatures } => {
                let new = NewKey { label, filters, suite, signatures };
                self.create_from_passphrase(new, room, passphrase).await;
            }
            Command::SuggestPassphrase => self.suggest_passphrase(),
            Command::RotateKey { id } => self.rotate_key(&id).await,
            Command::RetireKey { id, retired } => self.retire_key(&id, retired).await,
            Command::EditKey { id, label, filters, signatures, take_over } => {
                self.edit_key(&id, &label, &filters, signatures, take_over).await;
            }
            Command::AskConsequences { id } => self.ask_consequences(&id),
            Command::ExportKeys { ids, passphrase } => self.export_keys(ids, passphrase).await,
            Command::ImportKeys { file, passphrase, take_over } => {
                self.import_keys(file, passphrase, take_over).await;
            }
            Command::ImportKey { line, take_over } => self.import_key(&line, take_over).await,
            Command::AddLegacy { profile, filters, secret, label, take_over } => {
                let key = LegacyKey { profile, filters, secret, label };
                self.add_legacy(key, take_over).await;
            }
            Command::ImportFernet { text, label, filters, take_over } => {
                self.import_fernet(&text, &label, filters, take_over).await;
            }
            Command::ExportKey { id, form } => self.export_key(&id, form),
            Command::DeleteKey { id } => self.delete_key(&id).await,
            Command::SetCompared { key, compared } => self.set_compared(key, compared).await,
            Command::AcceptSender { key } => self.accept_sender(key).await,
            Command::ForgetSender { key } => self.forget_sender(key).await,
            Command::ReadAudit { log, limit } => self.read_audit(log, limit).await,
            Command::VerifyAudit { log } => self.verify_audit(log).await,
            Command::ListDevices => self.list_devices().await,
            Command::NewDevice { label } => self.new_device(label).await,
            Command::RevokeDevice { id } => self.revoke_device(id).await,
            Command::SetBroker(other) => {
                self.pass(Asked::Broker, "The broker was not changed.", Ask::SetBroker(other));
            }
            Command::TestBroker(other) => {
                self.pass(Asked::TestBroker, "The broker was not asked.", Ask::TestBroker(other));
            }
            Command::WatchBroker(on) => {
                self.pass(Asked::Figures, "The broker's figures are not known.", Ask::WatchBroker(on));
            }
            Command::ListSessions { find } => self.list_sessions(find).await,
            Command::EndSession { id, forget } => self.end_broker_session(id, forget).await,
            Command::ListAccounts => self.list_accounts().await,
            Command::SetRole { username, role } => self.set_role(username, role).await,
            Command::RemoveAccount { username } => self.remove_account(username).await,
        }
    }

    /// A choice that cannot be kept is lost at the next start, which harms nobody: it is logged.
    fn set_preference(&self, name: &str, value: &str) {
        if let Err(error) = self.preferences.set(name, value) {
            tracing::warn!(%error, name, "the preference is not remembered");
        }
        self.teller.tell(Event::Preferences(self.preferences.all()));
    }

    /// Passes something to the link.
    pub(super) fn pass(&self, asked: Asked, what: &str, ask: Ask) {
        match &self.session {
            Some(session) if session.asks.send(ask).is_ok() => {}
            Some(_) => {
                let failure = Failure::new(what, "The link has ended.", "Log out and in again.");
                self.teller.fail(asked, failure);
            }
            None => self.teller.fail(asked, not_logged_in(what)),
        }
    }

    async fn open_station(&mut self, address: &str, trust: Trust) {
        let what = "The station was not reached.";
        let (address, invited) = match Address::parse(address) {
            Ok(parsed) => parsed,
            Err(error) => {
                let next = "Write it as host:port, or paste the whole invite link.";
                self.teller.fail(Asked::OpenStation, Failure::new(what, error.to_string(), next));
                return;
            }
        };
        let known = match self.stations.pin(&address) {
            Ok(known) => known,
            Err(error) => {
                self.teller.fail(Asked::OpenStation, Failure::of_files(what, &error));
                return;
            }
        };
        let pin = match (trust, invited, known) {
            (Trust::Pinned(text), ..) => match Fingerprint::parse(&text) {
                Some(pin) => Some(pin),
                None => {
                    let why = "The fingerprint is not 64 hexadecimal digits.";
                    self.teller.fail(Asked::OpenStation, Failure::new(what, why, "Copy it whole."));
                    return;
                }
            },
            (Trust::AsKnown, Some(invited), Some(known)) if invited != known => {
                let (pinned, seen) = (known.as_str().to_owned(), invited.as_str().to_owned());
                self.teller.tell(Event::StationChanged { address: address.to_string(), pinned, seen });
                return;
            }
            (Trust::AsKnown, invited, known) => invited.or(known),
        };
        let identity = match http::look(&address).await {
            Ok(identity) => identity,
            Err(error) => {
                self.teller.fail(Asked::OpenStation, error.failure(what));
                return;
            }
        };
        match pin {
            None => {
                let fingerprint = identity.fingerprint.as_str().to_owned();
                self.teller.tell(Event::StationUnknown { address: address.to_string(), fingerprint });
                self.shown = Some((address, identity));
            }
            Some(pin) if pin != identity.fingerprint => {
                let (pinned, seen) = (pin.as_str().to_owned(), identity.fingerprint.as_str().to_owned());
                self.teller.tell(Event::StationChanged { address: address.to_string(), pinned, seen });
            }
            Some(_) => self.meet(address, identity).await,
        }
    }

    async fn trust_station(&mut self, fingerprint: &str) {
        match self.shown.take() {
            Some((address, identity))
                if Fingerprint::parse(fingerprint).as_ref() == Some(&identity.fingerprint) =>
            {
                self.meet(address, identity).await;
            }
            _ => {
                let why = "That is not the station that was shown.";
                let failure = Failure::new("The station is not trusted.", why, "Open it again and compare.");
                self.teller.fail(Asked::OpenStation, failure);
            }
        }
    }

    /// Pins a station and asks it about itself.
    async fn meet(&mut self, address: Address, identity: Identity) {
        let what = "The station was not reached.";
        let elsewhere = |known: &Pinned| known.identity.fingerprint != identity.fingerprint;
        if self.session.is_some() && self.station.as_ref().is_some_and(elsewhere) {
            // A session's tokens are its own station's alone.
            let why = "You are logged in at another station.";
            self.teller.fail(Asked::OpenStation, Failure::new(what, why, "Log out first."));
            return;
        }
        let config = match tls::client_config(Some(identity.fingerprint.clone())) {
            Ok((config, _)) => config,
            Err(error) => {
                self.teller.fail(Asked::OpenStation, Failure::new(what, error.to_string(), ""));
                return;
            }
        };
        let http = Http::new(address.clone(), &config, self.closing.clone());
        let sent = now_ms();
        let info: StationInfo = match http.call(Method::GET, "station", None, NO_BODY).await {
            Ok(info) => info,
            Err(error) => {
                self.teller.fail(Asked::OpenStation, error.failure(what));
                return;
            }
        };
        let received = now_ms();
        if let Err(error) = self.stations.set_pin(&address, &identity.fingerprint) {
            self.teller.fail(Asked::OpenStation, Failure::of_files(what, &error));
            return;
        }
        // Half of the round trip, as any clock comparison does.
        let middle = sent + received.saturating_sub(sent) / 2;
        let ahead = i64::try_from(middle).unwrap_or(0) - i64::try_from(info.now_ms).unwrap_or(0);
        let view = StationView {
            name: told(&info.name),
            address: address.to_string(),
            fingerprint: identity.fingerprint.as_str().to_owned(),
            version: told(&info.version),
            needs_first_account: info.needs_first_account,
            sign_up_open: info.sign_up == SignUpPolicy::Open,
            roles: info.roles.into_iter().map(|role| (role.name, told(&role.description))).collect(),
            otp_required: info.otp == OtpPolicy::Required,
            clock_ahead_ms: ahead,
            known_accounts: self.stations.accounts(&identity.fingerprint),
        };
        if self.station.as_ref().is_some_and(elsewhere) {
            // What waits for a code at one station is not for another to hear.
            self.enrolling = None;
        }
        if let Some(session) = &mut self.session {
            // A station that was started again may have other ports.
            let broker = address.at(info.mqtt.tls_port);
            if session.broker != broker {
                let _ = session.asks.send(Ask::Moved(broker.clone()));
                session.broker = broker;
            }
        }
        self.station = Some(Pinned { http, tls: config, identity });
        self.teller.tell(Event::Station(view));
    }

    /// A request to the station without a session.
    pub(super) async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<A, CallError> {
        self.http()?.call(method, path, None, body).await
    }

    /// A request in the session. Where that is over, the link is told.
    pub(super) async fn call_in_session<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<A, CallError> {
        let token = self.session.as_ref().map(|session| session.token.clone());
        let answered = self.http()?.call(method, path, token.as_ref(), body).await;
        if let (Err(error), Some(session)) = (&answered, &self.session)
            && error.is_session_over()
        {
            let _ = session.asks.send(Ask::Over { reason: error.to_string() });
        }
        answered
    }

    pub(super) fn http(&self) -> Result<&Http, CallError> {
        self.station.as_ref().map(|station| &station.http).ok_or(CallError::NoStation)
    }

    async fn note(&mut self, note: Note) {
        match note {
            Note::CheckSession { reason } => {
                let asked = self.call_in_session::<api::Account>(Method::GET, "session", NO_BODY).await;
                match asked {
                    Ok(account) => {
                        // The session lives: the broker has its own reasons. Another try, but not at once.
                        self.update_account(account);
                        self.ask_link(Ask::Refused { reason });
                    }
                    Err(error) if error.is_session_over() => {}
                    Err(_) => self.ask_link(Ask::Refused { reason }),
                }
            }
            Note::UnknownSigner(key) => self.meet_sender(key).await,
            Note::RoleDoubted => {
                if let Ok(account) = self.call_in_session(Method::GET, "session", NO_BODY).await {
                    self.update_account(account);
                }
            }
            Note::VaultDue => self.refresh_vault().await,
            Note::OnlineAgain => {
                if let Ok(account) = self.call_in_session(Method::GET, "session", NO_BODY).await {
                    self.update_account(account);
                    self.refresh_vault().await;
                }
            }
        }
    }

    pub(super) fn ask_link(&self, ask: Ask) {
        if let Some(session) = &self.session {
            // A link that has ended is told at the next command.
            let _ = session.asks.send(ask);
        }
    }

    /// The account as the station knows it now.
    pub(super) fn update_account(&mut self, account: api::Account) {
        let Some(session) = &mut self.session else { return };
        if session.account != account {
            if session.account.role != account.role {
                let _ = session.asks.send(Ask::Role(account.role.clone()));
            }
            session.account = account;
            self.teller.tell(Event::Account(session.view()));
        }
    }

    pub(super) async fn put_anchors(&self, anchors: &api::Anchors) {
        if let Err(error) = self.call_in_session::<()>(Method::PUT, "audit/anchors", Some(anchors)).await {
            tracing::warn!(%error, "the end of the audit logs was not kept at the station");
        }
    }

    /// Argon2, off the reactor.
    pub(super) async fn derive(
        &self,
        username: &api::Username,
        password: Password,
    ) -> Result<PasswordKeys, Failure> {
        let what = "The password could not be checked.";
        let request = api::SaltRequest { username: username.clone() };
        let salt: api::Salt = self
            .call(Method::POST, "account/salt", Some(&request))
            .await
            .map_err(|error| error.failure(what))?;
        let params = crate::keys::KdfParams {
            memory_kib: salt.kdf.memory_kib,
            iterations: salt.kdf.passes,
            lanes: salt.kdf.lanes,
        };
        let derived = tokio::task::spawn_blocking(move || {
            let typed = crate::keys::Password::new(password.reveal());
            PasswordKeys::derive(&typed, &salt.salt.0, &params)
        });
        match tokio::time::timeout(Duration::from_secs(120), derived).await {
            Ok(Ok(Ok(keys))) => Ok(keys),
            Ok(Ok(Err(error))) => Err(Failure::new(what, error.to_string(), "")),
            Ok(Err(_)) | Err(_) => {
                Err(Failure::new(what, "It took too long.", "Close some programs and try again."))
            }
        }
    }

    /// Nobody is logged in any more.
    pub(super) fn tell_off(&self, reason: String) {
        self.teller.tell(Event::Link(LinkState::Off));
        self.teller.tell(Event::LoggedOut { reason });
    }
}
