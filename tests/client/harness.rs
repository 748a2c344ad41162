//! A station in a thread of its own, and people with their sessions.

use std::{
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sealwire::{
    api::OtpPolicy,
    client::{
        AccountView, Asked, Command, Draft, EnrolmentView, Event, Failure, LinkState, Message, Opening,
        OutboxEntry, OutboxState, Password, SecondStep, Session, Signatures, StationView, SubscriptionView,
        Suite, Trust,
    },
    files::DataFolders,
    station::{Clock, Config, Running, run},
    topic::{TopicFilter, TopicName},
};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(45);

pub(crate) const PASSWORD: &str = "lantern gravel otter mosaic";

/// A station that runs in this process.
pub(crate) struct Station {
    pub(crate) running: Running,
    pub(crate) clock: Clock,
    pub(crate) dir: Arc<TempDir>,
    otp: OtpPolicy,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What a station leaves behind when it ends.
pub(crate) struct Ended {
    dir: Arc<TempDir>,
    clock: Clock,
    otp: OtpPolicy,
    api: SocketAddr,
    mqtt: SocketAddr,
}

impl Station {
    pub(crate) fn start() -> Self {
        Self::with(OtpPolicy::Offered)
    }

    pub(crate) fn with(otp: OtpPolicy) -> Self {
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::run(Arc::new(tempfile::tempdir().unwrap()), Clock::by_hand(now), otp, free, free)
    }

    fn run(dir: Arc<TempDir>, clock: Clock, otp: OtpPolicy, api: SocketAddr, mqtt: SocketAddr) -> Self {
        let data = DataFolders::find(Some(dir.path())).unwrap();
        let config = Config { lease: false, clock: clock.clone(), otp, api, mqtt, ..Config::for_app(data) };
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let until = async move { drop(stopped.await) };
                run(config, move |running| ready.send(running.clone()).unwrap(), until).await.unwrap();
            });
        });
        let running = is_ready.recv_timeout(PATIENCE).expect("the station starts");
        Self { running, clock, dir, otp, stop, thread }
    }

    pub(crate) fn end(self) -> Ended {
        let _ = self.stop.send(());
        self.thread.join().unwrap();
        let (api, mqtt) = (self.running.api, self.running.mqtt_tls);
        Ended { dir: self.dir, clock: self.clock, otp: self.otp, api, mqtt }
    }

    /// Lets time pass at the station: the next one-time code is another.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.set(self.clock.now_ms() + seconds * 1000);
    }

    pub(crate) fn code(&self, enrolment: &EnrolmentView) -> Password {
        let totp = totp_rs::Totp::from_url(enrolment.uri.reveal()).unwrap();
        assert_eq!(totp.secret().to_base32(), enrolment.secret.reveal());
        Password::new(totp.generate(self.clock.now_ms() / 1000).to_string())
    }
}

impl Ended {
    /// Lets time pass before it starts again.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.set(self.clock.now_ms() + seconds * 1000);
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.dir.path().to_owned()
    }

    /// The same station again: same folder, same ports.
    pub(crate) fn start(self) -> Station {
        Station::run(self.dir, self.clock, self.otp, self.api, self.mqtt)
    }

    /// Another station at the same address.
    pub(crate) fn impostor(&self) -> Station {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Station::run(dir, self.clock.clone(), self.otp, self.api, self.mqtt)
    }
}

/// A second way to a station, which a test can cut: 127.0.0.2, with the station's own ports.
pub(crate) struct Wire {
    open: Arc<Mutex<Vec<TcpStream>>>,
    pub(crate) api: SocketAddr,
}

impl Wire {
    pub(crate) fn to(station: &Station) -> Self {
        let open = Arc::new(Mutex::new(Vec::new()));
        let near = |far: SocketAddr| SocketAddr::from(([127, 0, 0, 2], far.port()));
        for far in [station.running.api, station.running.mqtt_tls] {
            let listener = TcpListener::bind(near(far)).unwrap();
            let open = Arc::clone(&open);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (Ok(stream), Ok(onward)) = (stream, TcpStream::connect(far)) else { continue };
                    for (mut from, mut to) in [(&stream, &onward), (&onward, &stream)]
                        .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
                    {
                        std::thread::spawn(move || {
                            let _ = std::io::copy(&mut from, &mut to);
                            let _ = to.shutdown(Shutdown::Both);
                        });
                    }
                    open.lock().unwrap().extend([stream, onward]);
                }
            });
        }
        Self { open, api: near(station.running.api) }
    }

    /// Cuts every connection that there is; new ones are let through.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A computer's data folder; several windows may open on it.
#[derive(Clone)]
pub(crate) struct Computer(Arc<TempDir>);

impl Computer {
    pub(crate) fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub(crate) fn window(&self) -> Person {
        let folders = DataFolders::find(Some(self.0.path())).unwrap();
        let session = Session::start(folders, Arc::new(|| {})).unwrap();
        Person {
            session,
            computer: self.clone(),
            waiting: Vec::new(),
            subscriptions: Vec::new(),
            arrived: Vec::new(),
            seen: Vec::new(),
        }
    }
}

/// A window and what it was told.
pub(crate) struct Person {
    session: Session,
    pub(crate) computer: Computer,
    waiting: Vec<Event>,
    /// As told last.
    subscriptions: Vec<SubscriptionView>,
    /// Messages that came while something else was waited for: a message may come before or after the
    /// acknowledgement of its own sending.
    arrived: Vec<Message>,
    /// What was passed over, for the message when a wait fails.
    seen: Vec<String>,
}

impl Person {
    /// A person at a computer of their own.
    pub(crate) fn new() -> Self {
        Computer::new().window()
    }

    pub(crate) fn send(&self, command: Command) {
        self.session.send(command);
    }

    /// The first event from now on of which `pick` makes something; what comes before it is passed over.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            while !self.waiting.is_empty() {
                let event = self.waiting.remove(0);
                match &event {
                    Event::Subscriptions(list) => self.subscriptions = list.clone(),
                    // A new connection asks anew.
                    Event::Link(_) => self.subscriptions.clear(),
                    _ => {}
                }
                if let Some(picked) = pick(&event) {
                    return picked;
                }
                self.seen.push(format!("{event:?}").chars().take(300).collect());
                if let Event::Messages(messages) = event {
                    self.arrived.extend(messages);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.session.wait(left) {
                Some(batch) => self.waiting.extend(batch),
                None => panic!("waited for {what} in vain; was told:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// As [`Self::until`], but a failure of that command is one of the test.
    #[track_caller]
    pub(crate) fn answer<T>(&mut self, asked: Asked, pick: impl Fn(&Event) -> Option<T>) -> T {
        self.until(&format!("the answer to {asked:?}"), |event| match event {
            Event::Failed(of, failure) if *of == asked => panic!("{asked:?} failed: {failure:?}"),
            event => pick(event),
        })
    }

    #[track_caller]
    pub(crate) fn failure(&mut self, asked: Asked) -> Failure {
        self.until(&format!("the failure of {asked:?}"), |event| match event {
            Event::Failed(of, failure) if *of == asked => Some(failure.clone()),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn open(&mut self, station: &Station) -> StationView {
        self.open_at(station, station.running.api)
    }

    #[track_caller]
    pub(crate) fn open_at(&mut self, station: &Station, address: SocketAddr) -> StationView {
        self.send(Command::OpenStation {
            address: address.to_string(),
            trust: Trust::Pinned(station.running.fingerprint.clone()),
        });
        self.answer(Asked::OpenStation, |event| match event {
            Event::Station(view) => Some(view.clone()),
            _ => None,
        })
    }

    /// Opens the station and signs up there; the first account is the admin.
    #[track_caller]
    pub(crate) fn sign_up(&mut self, station: &Station, name: &str, role: &str) -> SignedUp {
        let view = self.open(station);
        let setup_code = view.needs_first_account.then(|| {
            Password::new(
                station.running.setup_code.as_ref().expect("a new station has a setup code").reveal(),
            )
        });
        self.send(Command::SignUp {
            username: name.to_owned(),
            password: Password::new(PASSWORD),
            role: Some(role.to_owned()),
            setup_code,
        });
        self.answer(Asked::SignUp, |event| match event {
            Event::SignedUp { recovery_codes, enrolment, otp_required } => Some(SignedUp {
                recovery_codes: recovery_codes.clone(),
                enrolment: enrolment.clone(),
                otp_required: *otp_required,
            }),
            _ => None,
        })
    }

    /// Turns one-time codes on.
    #[track_caller]
    pub(crate) fn confirm_codes(&mut self, station: &Station, signed_up: &SignedUp) {
        self.send(Command::ConfirmOtp { code: station.code(&signed_up.enrolment) });
        self.answer(Asked::Otp, |event| matches!(event, Event::OtpOn).then_some(()));
    }

    /// Logs out, takes another password by a one-time code, which makes a new vault, and logs in again. How many recovery
    /// codes there are now.
    #[track_caller]
    pub(crate) fn reset_by_code(&mut self, station: &Station, signed_up: &SignedUp, name: &str) -> usize {
        let password = "a wholly other lantern";
        self.log_out();
        station.pass(30);
        self.send(Command::ResetByCode {
            username: name.to_owned(),
            code: station.code(&signed_up.enrolment),
            new_password: Password::new(password),
        });
        let codes = self.answer(Asked::Reset, |event| match event {
            Event::PasswordReset { recovery_codes } => Some(recovery_codes.len()),
            _ => None,
        });
        station.pass(30);
        self.send(Command::LogIn {
            username: name.to_owned(),
            password: Password::new(password),
            second: Some(SecondStep::Code(station.code(&signed_up.enrolment))),
            remember: false,
        });
        codes
    }

    /// Signs up where codes are offered only, and waits for the link.
    #[track_caller]
    pub(crate) fn joined(station: &Station, name: &str, role: &str) -> Self {
        let mut person = Self::new();
        person.sign_up(station, name, role);
        person.logged_in();
        person.online();
        person
    }

    #[track_caller]
    pub(crate) fn logged_in(&mut self) -> AccountView {
        self.answer(Asked::LogIn, |event| match event {
            Event::LoggedIn(view) => Some(view.clone()),
            _ => None,
        })
    }

    pub(crate) fn ask_log_in(&self, name: &str, password: &str) {
        self.send(Command::LogIn {
            username: name.to_owned(),
            password: Password::new(password),
            second: None,
            remember: false,
        });
    }

    #[track_caller]
    pub(crate) fn log_in(&mut self, station: &Station, name: &str) -> AccountView {
        self.open(station);
        self.ask_log_in(name, PASSWORD);
        let view = self.logged_in();
        self.online();
        view
    }

    #[track_caller]
    pub(crate) fn log_out(&mut self) {
        self.send(Command::LogOut);
        self.answer(Asked::LogOut, |event| matches!(event, Event::LoggedOut { .. }).then_some(()));
    }

    #[track_caller]
    pub(crate) fn online(&mut self) {
        self.until("the link", |event| matches!(event, Event::Link(LinkState::Online { .. })).then_some(()));
    }

    #[track_caller]
    pub(crate) fn offline(&mut self) {
        self.until("the link's end", |event| {
            matches!(event, Event::Link(LinkState::Waiting { .. })).then_some(())
        });
    }

    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str) {
        let filter = TopicFilter::new(filter).unwrap();
        self.send(Command::Subscribe(filter.clone()));
        self.granted(&filter);
    }

    #[track_caller]
    pub(crate) fn granted(&mut self, filter: &TopicFilter) {
        let is_granted = |list: &[SubscriptionView]| {
            list.iter().any(|view| view.filter == *filter && matches!(view.granted, Some(Ok(_))))
        };
        if is_granted(&self.subscriptions) {
            return;
        }
        let granted = |event: &Event| match event {
            Event::Subscriptions(list) => is_granted(list).then_some(()),
            _ => None,
        };
        self.answer(Asked::Subscribe, granted);
    }

    /// Makes a key and returns its line.
    #[track_caller]
    pub(crate) fn key(&mut self, label: &str, filter: &str, suite: Suite) -> Password {
        let filters = vec![TopicFilter::new(filter).unwrap()];
        self.send(Command::CreateKey {
            label: label.to_owned(),
            filters,
            suite,
            signatures: Signatures::Off,
        });
        let id = self.answer(Asked::CreateKey, |event| match event {
            Event::Keys(keys) => keys.iter().find(|key| key.label == label).map(|key| key.id.clone()),
            _ => None,
        });
        self.export(&id)
    }

    #[track_caller]
    pub(crate) fn export(&mut self, id: &str) -> Password {
        self.send(Command::ExportKey { id: id.to_owned(), form: sealwire::client::KeyForm::Line });
        self.answer(Asked::ExportKey, |event| match event {
            Event::KeyExported { text, .. } => Some(text.clone()),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn import(&mut self, line: &Password) {
        self.send(Command::ImportKey { line: line.clone(), take_over: false });
        self.answer(Asked::ImportKey, |event| matches!(event, Event::KeyImported { .. }).then_some(()));
    }

    pub(crate) fn publish(&self, topic: &str, body: &str) {
        self.send(Command::Publish { draft: draft(topic, body), every: None });
    }

    /// The next outbox entry that has come to its end.
    #[track_caller]
    pub(crate) fn settled(&mut self, topic: &str) -> OutboxEntry {
        self.answer(Asked::Publish, |event| match event {
            Event::Outbox(entries) => entries
                .iter()
                .find(|entry| {
                    entry.topic.as_str() == topic
                        && matches!(
                            entry.state,
                            OutboxState::Acknowledged { .. } | OutboxState::Refused { .. }
                        )
                })
                .cloned(),
            _ => None,
        })
    }

    /// Waits until `count` messages on `topic` are acknowledged, each once.
    #[track_caller]
    pub(crate) fn acknowledged(&mut self, topic: &str, count: usize) {
        let mut done = std::collections::BTreeSet::new();
        while done.len() < count {
            let batch: Vec<OutboxEntry> = self.answer(Asked::Publish, |event| match event {
                Event::Outbox(entries) => Some(entries.clone()),
                _ => None,
            });
            for entry in batch.into_iter().filter(|entry| entry.topic.as_str() == topic) {
                match entry.state {
                    OutboxState::Acknowledged { .. } => assert!(done.insert(entry.id), "{} twice", entry.id),
                    OutboxState::Refused { why } => panic!("refused: {why}"),
                    _ => assert!(!done.contains(&entry.id), "{} came back after its end", entry.id),
                }
            }
        }
    }

    /// The next message on `topic`.
    #[track_caller]
    pub(crate) fn message(&mut self, topic: &str) -> Message {
        if let Some(at) = self.arrived.iter().position(|message| message.topic.as_str() == topic) {
            return self.arrived.remove(at);
        }
        // Several may come in one batch: the rest is for the next call.
        let until = Instant::now() + PATIENCE;
        loop {
            for at in 0..self.waiting.len() {
                if let Event::Messages(messages) = &mut self.waiting[at]
                    && let Some(found) = messages.iter().position(|message| message.topic.as_str() == topic)
                {
                    let found = messages.remove(found);
                    if messages.is_empty() {
                        self.waiting.remove(at);
                    }
                    return found;
                }
            }
            match self.session.wait(until.saturating_duration_since(Instant::now())) {
                Some(batch) => self.waiting.extend(batch),
                None => {
                    panic!("no message on {topic}; was told:\n{:?}\n{}", self.waiting, self.seen.join("\n"))
                }
            }
        }
    }
}

/// What sign-up told.
pub(crate) struct SignedUp {
    pub(crate) recovery_codes: Vec<Password>,
    pub(crate) enrolment: EnrolmentView,
    pub(crate) otp_required: bool,
}

pub(crate) fn draft(topic: &str, body: &str) -> Draft {
    Draft {
        topic: TopicName::new(topic).unwrap(),
        body: body.as_bytes().to_vec(),
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        qos: 1,
        retain: false,
    }
}

/// The text of a message that opened.
#[track_caller]
pub(crate) fn text(message: &Message) -> String {
    match &message.opening {
        Opening::Opened { body, .. } | Opening::InTheClear { body } => {
            String::from_utf8(body.to_vec()).unwrap()
        }
        Opening::Refused { name, why } => panic!("not opened: {name}: {why}"),
    }
}

/// The name under which a message was refused.
#[track_caller]
pub(crate) fn refusal(message: &Message) -> &str {
    match &message.opening {
        Opening::Refused { name, .. } => name,
        other => panic!("opened: {other:?}"),
    }
}

/// What is noted of a message that opened.
#[track_caller]
pub(crate) fn notes(message: &Message) -> &[String] {
    match &message.opening {
        Opening::Opened { notes, .. } => notes,
        other => panic!("not opened: {other:?}"),
    }
}
