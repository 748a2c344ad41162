//! The station of the demo, and the people who use it.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::sync::oneshot;
use totp_rs::{Builder, Secret};

use crate::{
    client::{AccountView, Command, Event, Failure, Password, Session, Trust},
    station::{self, Config, Running, host::DataFolders},
};

/// How long any one thing may take. Long, because small machines are slow at hashing passwords.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running station, in a thread of its own with a runtime of its own.
pub(super) struct Stage {
    pub running: Running,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), station::StationError>>>,
}

impl Stage {
    pub(super) fn open(folders: &DataFolders) -> anyhow::Result<Self> {
        let config = Config {
            plain: Some(([127, 0, 0, 1], 0).into()),
            anonymous: Some("subscriber".to_owned()),
            otp: station::OtpPolicy::Required,
            lease: false,
            name: "Demo station".to_owned(),
            ..Config::for_app(folders.clone())
        };
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Runtime::new()?;
        let thread = std::thread::Builder::new().name("station".into()).spawn(move || {
            runtime.block_on(station::run(
                config,
                move |running| drop(ready.send(running.clone())),
                async move { drop(stopped.await) },
            ))
        })?;
        match is_ready.recv_timeout(PATIENCE) {
            Ok(running) => Ok(Self { running, stop: Some(stop), thread: Some(thread) }),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("the station was not ready within {PATIENCE:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
                Ok(Err(error)) => Err(error.into()),
                _ => bail!("the station ended as it started"),
            },
        }
    }

    /// Where it speaks MQTT without TLS.
    pub(super) fn plain(&self) -> anyhow::Result<std::net::SocketAddr> {
        self.running.plain.context("the station opened no plain port")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One person with a session of their own, as in a window of their own.
pub(super) struct Person {
    name: String,
    session: Session,
    told: std::cell::RefCell<Vec<Event>>,
}

/// A password of the demo.
pub(super) fn password(text: &str) -> Password {
    Password::new(format!("{text} horse battery staple"))
}

impl Person {
    /// Starts a session and reaches the station.
    pub(super) fn arrive(stage: &Stage, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let folders = DataFolders::find(Some(&folder.join(name)))?;
        let session = Session::start(folders, Arc::new(|| {}))?;
        let person = Self { name: name.to_owned(), session, told: Vec::new().into() };
        person.ask(Command::OpenStation {
            address: stage.running.api.to_string(),
            trust: Trust::Pinned(stage.running.fingerprint.clone()),
        });
        person.expect("the station's answer", |event| matches!(event, Event::Station(_)).then_some(()))?;
        Ok(person)
    }

    /// Signs up, turns one-time codes on by the first code, and is logged in.
    pub(super) fn sign_up(&self, stage: &Stage, role: Option<&str>) -> anyhow::Result<AccountView> {
        let setup_code = match (role, &stage.running.setup_code) {
            (None, Some(code)) => Some(Password::new(code.reveal())),
            _ => None,
        };
        self.ask(Command::SignUp {
            username: self.name.clone(),
            password: password(&self.name),
            role: role.map(str::to_owned),
            setup_code,
        });
        let secret = self.expect("the sign-up", |event| match event {
            Event::SignedUp { enrolment, .. } => Some(enrolment.secret.clone()),
            _ => None,
        })?;
        self.ask(Command::ConfirmOtp { code: Password::new(code_of(secret.reveal())?) });
        self.expect("the login", |event| match event {
            Event::LoggedIn(account) => Some(account.clone()),
            _ => None,
        })
    }

    pub(super) fn ask(&self, command: Command) {
        self.session.send(command);
    }

    /// Waits for an event that `pick` takes. A failure that comes first ends the wait.
    pub(super) fn expect<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> anyhow::Result<T> {
        self.wait(what, |event| match event {
            Event::Failed(_, failure) => Some(Err(failure.clone())),
            event => pick(event).map(Ok),
        })?
        .map_err(|failure| {
            anyhow::anyhow!("{}: {what} failed: {} {} {}", self.name, failure.what, failure.why, failure.next)
        })
    }

    /// Waits for the failure that must come.
    pub(super) fn expect_failure(&self, what: &str) -> anyhow::Result<Failure> {
        self.wait(&format!("the refusal of {what}"), |event| match event {
            Event::Failed(_, failure) => Some(failure.clone()),
            _ => None,
        })
    }

    /// Looks through what was told already and not yet picked, then waits for more.
    fn wait<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> anyhow::Result<T> {
        let until = Instant::now() + PATIENCE;
        let mut told = self.told.borrow_mut();
        loop {
            while !told.is_empty() {
                if let Some(found) = pick(&told.remove(0)) {
                    return Ok(found);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.session.wait(left) {
                Some(batch) => told.extend(batch),
                None => bail!("{}: {what} did not come within {PATIENCE:?}", self.name),
            }
        }
    }
}

/// The one-time code of now, as an authenticator app shows it.
fn code_of(secret: &str) -> anyhow::Result<String> {
    let secret = Secret::try_from_base32(secret)
        .map_err(|e| anyhow::anyhow!("the station's secret is no base32: {e}"))?;
    let totp =
        Builder::new().with_secret(secret).build().map_err(|e| anyhow::anyhow!("no one-time codes: {e}"))?;
    Ok(totp.generate_current().to_string())
}
