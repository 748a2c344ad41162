//! A session, from the station's grant to goodbye: the vault opened, this computer's state opened, the link begun.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::Method;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    acl::Right,
    api::{self, Confidential, SessionGrant, Username},
    files::{read_bounded, write_secret},
    keys::PasswordKeys,
    seal::replay::ReplayGuard,
};

use super::{
    AccountView, Asked, AuditLog, Event, Failure,
    audit::{Actor, Auditor},
    clock::now_ms,
    desk::{Desk, LoggedIn, NO_BODY},
    failure::not_logged_in,
    http::{Http, Pinned},
    keyring::OpenVault,
    link::{Ask, Broker, Link, Start},
    other_broker,
    people::Strangers,
    sealing::Sealing,
    store::{Store, StoreError},
    tls::{self, Fingerprint},
    wipe,
};

/// How long the link may take to end.
const LINK_GOODBYE: Duration = Duration::from_secs(3);
/// How long the station may take to hear goodbye.
const STATION_GOODBYE: Duration = Duration::from_secs(2);
/// A remembered token has some hundred bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

/// The folder of one account at one station, under `clients/` and under `logs/`.
pub(super) fn folder_name(fingerprint: &Fingerprint, username: &Username) -> String {
    format!("{}-{username}", &fingerprint.as_str()[..16])
}

fn remembered_path(folder: &Path) -> PathBuf {
    folder.join("remembered")
}

/// The token that stands in for the one-time code on this computer.
pub(super) fn read_remembered(folder: &Path) -> Option<Confidential> {
    let bytes = read_bounded(&remembered_path(folder), MAX_TOKEN_BYTES).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(Confidential::new(text.trim().to_owned()))
}

/// The account as its owner sees it.
pub(super) fn view(
    account: &api::Account,
    client_id: &str,
    folder: &Path,
    first_time_here: bool,
) -> AccountView {
    AccountView {
        username: account.username.as_str().to_owned(),
        role: account.role.clone(),
        otp: account.otp,
        recovery_codes_left: account.recovery_codes_left,
        client_id: client_id.to_owned(),
        folder: folder.display().to_string(),
        first_time_here,
    }
}

impl Desk {
    /// Begins a session, or gives it back to the station where this computer cannot begin it.
    pub(super) async fn begin_session(
        &mut self,
        grant: SessionGrant,
        keys: PasswordKeys,
    ) -> Result<(), Failure> {
        let token = grant.api_token.clone();
        let begun = self.try_begin_session(grant, &keys).await;
        if begun.is_err()
            && let Some(station) = self.station.clone()
        {
            let _ = station.http.call::<()>(Method::DELETE, "session", Some(&token), NO_BODY).await;
        }
        begun
    }

    async fn try_begin_session(&mut self, grant: SessionGrant, keys: &PasswordKeys) -> Result<(), Failure> {
        let what = "You are not logged in.";
        let station = self.station.clone().ok_or_else(|| not_logged_in(what))?;
        let username = grant.account.username.clone();
        let vault = OpenVault::open(&username, &grant.vault, keys)
            .map_err(|error| Failure::new(what, error.to_string(), ""))?;
        // The one before gives way only now: a failed login leaves it alone.
        self.end_session().await;

        let name = folder_name(&station.identity.fingerprint, &username);
        let folder = self.clients.join(&name);
        let mut store = self.open_store(what, &folder).await?;
        vault.check_version(&mut store).await?;
        let (client_id, first_time_here) = client_id(what, &mut store).await?;
        let guard = self.load_guard(what, &mut store).await?;
        if let Some(token) = &grant.remembered
            && let Err(error) = write_secret(&remembered_path(&folder), token.reveal().as_bytes())
        {
            self.teller.fail(Asked::LogIn, Failure::of_files("This computer is not remembered.", &error));
        }
        if let Err(error) = self.stations.remember_account(station.http.address(), username.as_str()) {
            tracing::warn!(%error, "the account is not offered next time");
        }

        let role = grant.account.role.clone();
        let actor = Actor {
            account: username.as_str().to_owned(),
            role: role.name.clone(),
            client_id: client_id.clone(),
        };
        let mut logs = Vec::new();
        logs.extend(role.may_ever(Right::Publish).then_some(AuditLog::Publisher));
        logs.extend(role.may_ever(Right::Subscribe).then_some(AuditLog::Subscriber));
        let (due, anchors_due) = mpsc::unbounded_channel();
        let (auditor, audit_thread) =
            Auditor::open(self.logs.join(&name), actor, &logs, grant.anchors, due, self.teller.clone())
                .map_err(|error| {
                    Failure::new(what, error.to_string(), "Close some programs and try again.")
                })?;

        let (config, seen) = tls::client_config(Some(station.identity.fingerprint.clone()))
            .map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let broker = Broker {
            address: station.http.address().at(grant.mqtt.tls_port),
            tls: config,
            username: username.as_str().to_owned(),
            token: grant.mqtt_token.clone(),
            client_id: client_id.clone(),
        };
        let (asks, asked) = mpsc::unbounded_channel();
        let (noted, notes) = mpsc::unbounded_channel();
        let start = Start {
            broker: broker.clone(),
            seen,
            pinned: station.identity.fingerprint.as_str().to_owned(),
            role,
            store,
            guard,
            vault: vault.shared(),
            sealing: Sealing::new(vault.shared()),
            auditor: auditor.clone(),
            teller: self.teller.clone(),
            asks: asked,
            notes: noted,
        };
        // The window hears of the login first; what the link tells belongs to it.
        self.teller.tell(Event::LoggedIn(view(&grant.account, &client_id, &folder, first_time_here)));
        self.teller.tell(Event::Keys(vault.views()));
        self.session = Some(LoggedIn {
            account: grant.account,
            token: grant.api_token,
            broker: broker.address,
            vault,
            asks,
            link: tokio::spawn(Link::run(start)),
            notes,
            auditor,
            audit_thread,
            anchors_due,
            client_id,
            folder,
            first_time_here,
            strangers: Strangers::default(),
        });
        self.note_account("login", &Ok(()));
        self.introduce().await;
        Ok(())
    }

    async fn open_store(&self, what: &str, folder: &Path) -> Result<Store, Failure> {
        match Store::open(folder, now_ms()).await {
            Ok((store, None)) => Ok(store),
            Ok((mut store, Some(aside))) => {
                let what = "What this computer kept of this account was damaged.";
                let why = format!("The file was moved aside: {}.", aside.display());
                let next = "Outbox, history and replay memory begin anew; keys are safe in the vault.";
                self.teller.fail(Asked::History, Failure::new(what, why, next));
                // Without the mark the station's broker would be used, whatever was set before.
                let marked = store.set_setting(other_broker::SETTING, other_broker::UNKNOWN).await;
                marked.map_err(|error| Failure::new("You are not logged in.", error.to_string(), ""))?;
                Ok(store)
            }
            Err(StoreError::InUse) => {
                let why = "This account is open in another window on this computer.";
                Err(Failure::new(what, why, "Use that window, or close it and log in here."))
            }
            Err(error) => Err(Failure::new(what, error.to_string(), "")),
        }
    }

    async fn load_guard(&self, what: &str, store: &mut Store) -> Result<ReplayGuard, Failure> {
        let rows = store.replay_rows().await.map_err(|error| Failure::new(what, error.to_string(), ""))?;
        match ReplayGuard::load(rows) {
            Ok(guard) => Ok(guard),
            Err(error) => {
                store.forget_replay().await.map_err(|error| Failure::new(what, error.to_string(), ""))?;
                let what = "The memory against replays begins anew on this computer.";
                let next = "Until new messages come, an old one may pass as new once.";
                self.teller.fail(Asked::History, Failure::new(what, error.to_string(), next));
                Ok(ReplayGuard::new())
            }
        }
    }

    pub(super) async fn log_out(&mut self) {
        if self.session.is_none() {
            self.teller.fail(Asked::LogOut, not_logged_in("Nothing changed."));
            return;
        }
        self.end_session().await;
        self.tell_off(String::new());
    }

    /// Ends the session, if there is one: the link first, then the logs, then the station hears of it.
    pub(super) async fn end_session(&mut self) {
        if self.session.is_none() {
            return;
        }
        self.note_account("logout", &Ok(()));
        let Some(session) = self.session.take() else { return };
        let (answer, ended) = oneshot::channel();
        if session.asks.send(Ask::End(answer)).is_ok() {
            let _ = tokio::time::timeout(LINK_GOODBYE, ended).await;
        }
        // Where it did not end in time: its state file is given back only when it is gone.
        session.link.abort();
        let _ = session.link.await;
        drop(session.vault);
        wipe::stacks().await;
        let anchors = session.auditor.close().await;
        if session.audit_thread.join().is_err() {
            tracing::error!("the audit thread panicked");
        }
        let Some(station) = &self.station else { return };
        let goodbye = farewell(station, &session.token, &anchors);
        if tokio::time::timeout(STATION_GOODBYE, goodbye).await.is_err() {
            tracing::info!("the station did not hear goodbye; its tokens run out by themselves");
        }
    }
}

/// The anchors are kept and the tokens revoked, also while this side is closing.
async fn farewell(station: &Pinned, token: &Confidential, anchors: &api::Anchors) {
    let (_open, never) = watch::channel(false);
    let http = Http::new(station.http.address().clone(), &station.tls, never);
    if let Err(error) = http.call::<()>(Method::PUT, "audit/anchors", Some(token), Some(anchors)).await {
        tracing::info!(%error, "the end of the audit logs was not kept at the station");
    }
    if let Err(error) = http.call::<()>(Method::DELETE, "session", Some(token), NO_BODY).await {
        tracing::info!(%error, "the station was not told of the logout");
    }
}

/// The client id of this account on this computer, the same at every login, so that the broker keeps its session.
async fn client_id(what: &str, store: &mut Store) -> Result<(String, bool), Failure> {
    let failed = |error: StoreError| Failure::new(what, error.to_string(), "");
    if let Some(id) = store.setting("client_id").await.map_err(failed)? {
        return Ok((id, false));
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| Failure::new(what, error.to_string(), ""))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = format!("sealwire-{hex}");
    store.set_setting("client_id", &id).await.map_err(failed)?;
    Ok((id, true))
}
