//! Real parts for the tests that need them: the station's own process, and people with sessions.
#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::{
    cell::RefCell,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use sealwire::{
    client::{AccountView, Command, DataFolders, Event, Failure, Password, Session, Trust},
    topic::{TopicFilter, TopicName},
};

/// How long any one thing may take. It bounds a hang; it is no measurement.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `sealwire station` in a process of its own.
pub struct Station {
    process: Option<Child>,
    pub api: String,
    pub mqtt: String,
    pub plain: Option<String>,
    pub websocket_tls: Option<String>,
    pub fingerprint: String,
    pub setup_code: Option<String>,
    pub ca: PathBuf,
}

impl Station {
    /// On free ports.
    pub fn start(data: &Path, options: &[&str]) -> Self {
        Self::start_on(data, "127.0.0.1:0", "127.0.0.1:0", options)
    }

    /// On these ports, so that it can come back where it was.
    pub fn start_on(data: &Path, api: &str, mqtt: &str, options: &[&str]) -> Self {
        let mut process = Process::new(env!("CARGO_BIN_EXE_sealwire"))
            .args(["station", "--otp", "offered", "--api", api, "--listen", mqtt])
            .args(options)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self::read(process, stdout)
    }

    fn read(mut process: Child, mut stdout: BufReader<std::process::ChildStdout>) -> Self {
        let (mut api, mut mqtt, mut plain, mut websocket_tls) = Default::default();
        let (mut fingerprint, mut setup_code, mut ca) = Default::default();
        let mut line = String::new();
        loop {
            line.clear();
            if stdout.read_line(&mut line).unwrap() == 0 {
                panic!("the station ended as it started: {:?}", process.wait());
            }
            let text = line.trim();
            let value = || text.rsplit("  ").next().unwrap().trim().to_owned();
            if text.starts_with("HTTPS API") {
                api = value().replace("https://", "");
            } else if text.starts_with("MQTT over TLS") {
                mqtt = value().replace("mqtts://", "");
            } else if text.starts_with("MQTT, no TLS") {
                plain = Some(text.split("mqtt://").nth(1).unwrap().split(' ').next().unwrap().to_owned());
            } else if text.starts_with("MQTT, WebSocket") {
                websocket_tls = Some(value().replace("wss://", "").replace("/mqtt", ""));
            } else if text.starts_with("Fingerprint") {
                fingerprint = value();
            } else if text.starts_with("Setup code") {
                setup_code = Some(value());
            } else if text.starts_with("CA certificate") {
                ca = PathBuf::from(value());
            } else if text.starts_with("Ready") {
                break;
            }
        }
        // Whatever it prints later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self { process: Some(process), api, mqtt, plain, websocket_tls, fingerprint, setup_code, ca }
    }

    /// One that another process runs: "API-ADDRESS FINGERPRINT".
    pub fn elsewhere(where_and_who: &str) -> Self {
        let (api, fingerprint) = where_and_who.split_once(' ').unwrap();
        Self {
            process: None,
            api: api.to_owned(),
            mqtt: String::new(),
            plain: None,
            websocket_tls: None,
            fingerprint: fingerprint.to_owned(),
            setup_code: None,
            ca: PathBuf::new(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs here").id()
    }

    /// As a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A password that the strength meter takes.
pub fn password(of: &str) -> Password {
    Password::new(format!("{of} horse battery staple"))
}

/// One person with a session.
pub struct Person {
    pub name: String,
    session: Session,
    told: RefCell<Vec<Event>>,
}

impl Person {
    /// Starts a session on `data` and reaches the station.
    pub fn arrive(station: &Station, data: &Path, name: &str) -> Self {
        let session = Session::start(DataFolders::find(Some(data)).unwrap(), Arc::new(|| {})).unwrap();
        let person = Self { name: name.to_owned(), session, told: RefCell::default() };
        person.ask(Command::OpenStation {
            address: station.api.clone(),
            trust: Trust::Pinned(station.fingerprint.clone()),
        });
        person.expect("the station's answer", |event| matches!(event, Event::Station(_)).then_some(()));
        person
    }

    /// A new account, logged in. Without a role it is the first one, hence the admin.
    pub fn sign_up(station: &Station, data: &Path, name: &str, role: Option<&str>) -> Self {
        let person = Self::arrive(station, data, name);
        let code = if role.is_none() { station.setup_code.clone() } else { None };
        person.ask(Command::SignUp {
            username: name.to_owned(),
            password: password(name),
            role: role.map(str::to_owned),
            setup_code: code.map(Password::new),
        });
        person.logged_in();
        person
    }

    pub fn log_in(station: &Station, data: &Path, name: &str) -> Self {
        let person = Self::arrive(station, data, name);
        person.ask(Command::LogIn {
            username: name.to_owned(),
            password: password(name),
            second: None,
            remember: false,
        });
        person.logged_in();
        person
    }

    pub fn logged_in(&self) -> AccountView {
        self.expect("the login", |event| match event {
            Event::LoggedIn(account) => Some(account.clone()),
            _ => None,
        })
    }

    /// Watches a filter, and returns once the station granted it.
    pub fn watch(&self, filter: &str) {
        let filter = TopicFilter::new(filter).unwrap();
        self.ask(Command::Subscribe(filter.clone()));
        self.expect("the subscription", |event| match event {
            Event::Subscriptions(all) => {
                all.iter().any(|s| s.filter == filter && matches!(s.granted, Some(Ok(_)))).then_some(())
            }
            _ => None,
        });
    }

    pub fn publish(&self, topic: &str, body: &[u8]) {
        self.ask(Command::Publish { draft: draft(topic, body), every: None });
    }

    /// The session itself, and what it told that nobody waited for.
    pub fn into_session(self) -> (Session, Vec<Event>) {
        (self.session, self.told.into_inner())
    }

    pub fn ask(&self, command: Command) {
        self.session.send(command);
    }

    /// Waits for an event that `pick` takes; a failure that comes first fails the test.
    pub fn expect<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        self.wait(what, |event| match event {
            Event::Failed(asked, failure) => panic!("{}: {what}: {asked:?} failed: {failure:?}", self.name),
            event => pick(event),
        })
    }

    /// Waits for the failure that must come.
    pub fn expect_failure(&self, what: &str) -> Failure {
        self.wait(what, |event| match event {
            Event::Failed(_, failure) => Some(failure.clone()),
            _ => None,
        })
    }

    fn wait<T>(&self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut told = self.told.borrow_mut();
        loop {
            while !told.is_empty() {
                if let Some(found) = pick(&told.remove(0)) {
                    return found;
                }
            }
            match self.session.wait(until.saturating_duration_since(Instant::now())) {
                Some(batch) => told.extend(batch),
                None => panic!("{}: {what} did not come within {PATIENCE:?}", self.name),
            }
        }
    }
}

pub fn draft(topic: &str, body: &[u8]) -> sealwire::client::Draft {
    sealwire::client::Draft {
        topic: TopicName::new(topic).unwrap(),
        body: body.to_vec(),
        content_type: None,
        qos: 1,
        retain: false,
    }
}
