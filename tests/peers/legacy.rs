//! The programs of the four older systems, as `legacy/*.py` play them, and our session on the other side, both ways.
//!
//! They speak plain MQTT 3.1.1 without a login. So they come in by the station's plain port, and the session by TLS; or both
//! sides meet at a mosquitto, as those programs ran in their time.

mod program;

use std::{cell::RefCell, collections::VecDeque, path::PathBuf, time::Duration};

use sealwire::client::{
    Command, Draft, Endpoint, Event, KeyView, LinkState, Message, MqttVersion, Opening, OtherBroker,
    Password,
    legacy::{Place, Profile, Spoken, compose, spoken},
};

use crate::mosquitto::Mosquitto;
use crate::support::{Person, Station, draft};
use program::Program;

const KEY_FILE: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n";
const THIRTY_TWO: &str = "01234567890123456789012345678912";
const PASSPHRASE: &str = "correct horse battery";

/// Our person, and where the older programs connect.
struct Scene {
    folder: tempfile::TempDir,
    _station: Station,
    _mosquitto: Option<Mosquitto>,
    anna: Person,
    /// What came and was not looked at yet.
    heard: RefCell<VecDeque<Message>>,
    host: String,
    port: String,
}

impl Scene {
    /// By way of a station that lets programs in without a login.
    fn at_a_station() -> Self {
        let options = ["--plain", "127.0.0.1:0", "--anonymous", "admin"];
        let (folder, station, anna) = Self::signed_up(&options);
        let (host, port) = station.plain.as_deref().unwrap().rsplit_once(':').unwrap();
        let (host, port) = (host.to_owned(), port.to_owned());
        Self { folder, _station: station, _mosquitto: None, anna, heard: RefCell::default(), host, port }
    }

    /// By way of a mosquitto that lets everybody in. Our person's account and keys stay at a station of hers.
    fn at_mosquitto() -> Self {
        let (folder, station, anna) = Self::signed_up(&[]);
        let mosquitto = Mosquitto::open();
        let endpoint = Endpoint {
            version: MqttVersion::V311,
            ..Endpoint::parse(&format!("mqtt://{}", mosquitto.address())).unwrap()
        };
        let address = endpoint.address();
        anna.ask(Command::SetBroker(Some(Box::new(OtherBroker { endpoint, keep_secrets: false }))));
        anna.expect("the link to mosquitto", |event| match event {
            Event::Link(LinkState::Online { broker, .. }) => (*broker == address).then_some(()),
            _ => None,
        });
        let (host, port) = ("127.0.0.1".to_owned(), mosquitto.port.to_string());
        Self {
            folder,
            _station: station,
            _mosquitto: Some(mosquitto),
            anna,
            heard: RefCell::default(),
            host,
            port,
        }
    }

    fn signed_up(options: &[&str]) -> (tempfile::TempDir, Station, Person) {
        let folder = tempfile::tempdir().unwrap();
        let station = Station::start(&folder.path().join("station"), options);
        let anna = Person::sign_up(&station, &folder.path().join("anna"), "anna", None);
        (folder, station, anna)
    }

    /// The key of a profile, and its topics watched.
    fn add(&self, profile: Profile, secret: Option<&str>) -> KeyView {
        self.anna.ask(Command::AddLegacy {
            profile,
            filters: None,
            secret: secret.map(Password::new),
            label: None,
            take_over: false,
        });
        let key = self.anna.expect("the key", |event| match event {
            Event::KeyImported { key, covered } if covered.is_empty() => Some(key.clone()),
            _ => None,
        });
        assert_eq!(key.profile, Some(profile));
        for filter in &key.filters {
            self.anna.watch(filter.as_str());
        }
        key
    }

    fn says(&self, profile: Profile, topic: &str, said: &Spoken) {
        let draft = Draft { retain: true, ..draft(topic, &compose(profile, said).unwrap()) };
        self.anna.ask(Command::Publish { draft, every: None });
    }

    /// The next message on a topic. Several may come at once.
    fn next(&self, topic: &str) -> Message {
        let mut heard = self.heard.borrow_mut();
        loop {
            while let Some(message) = heard.pop_front() {
                if message.topic.as_str() == topic {
                    return message;
                }
            }
            heard.extend(self.anna.expect("a message", |event| match event {
                Event::Messages(messages) => Some(messages.clone()),
                _ => None,
            }));
        }
    }

    /// What arrives on a topic, in the shape of its profile.
    fn hears(&self, profile: Profile, topic: &str) -> (Message, Spoken) {
        let message = self.next(topic);
        let Opening::Opened { with, .. } = &message.opening else { panic!("not opened: {message:?}") };
        assert_eq!((with.profile, message.qos, message.retained), (Some(profile), 0, false));
        let said = spoken(&message).expect("in its shape");
        (message, said)
    }

    fn program(&self, name: &str, verb: Option<&str>, more: &[&str]) -> Program {
        Program::start(name, verb, &self.host, &self.port, more)
    }

    fn key_file(&self) -> PathBuf {
        let path = self.folder.path().join("secureKey.key");
        std::fs::write(&path, KEY_FILE).unwrap();
        path
    }
}

fn author_says(author: &str, text: &str) -> Spoken {
    Spoken { author: Some(author.to_owned()), text: text.to_owned(), ..Spoken::default() }
}

#[test]
fn calls_for_help_of_000_come_and_go() {
    calls_for_help(&Scene::at_a_station());
}

#[test]
fn calls_for_help_of_000_come_and_go_over_mosquitto() {
    calls_for_help(&Scene::at_mosquitto());
}

#[test]
fn readings_of_001_come_and_go_under_the_key_that_it_published() {
    readings(&Scene::at_a_station());
}

#[test]
fn readings_of_001_come_and_go_under_the_key_that_it_published_over_mosquitto() {
    readings(&Scene::at_mosquitto());
}

#[test]
fn the_room_of_002_understands_us_and_we_it() {
    room(&Scene::at_a_station());
}

#[test]
fn the_room_of_002_understands_us_and_we_it_over_mosquitto() {
    room(&Scene::at_mosquitto());
}

#[test]
fn the_window_of_003_understands_us_and_we_it() {
    window(&Scene::at_a_station());
}

#[test]
fn the_window_of_003_understands_us_and_we_it_over_mosquitto() {
    window(&Scene::at_mosquitto());
}

#[test]
fn another_passphrase_is_told_by_name_on_both_sides() {
    another_passphrase(&Scene::at_a_station());
}

#[test]
fn another_passphrase_is_told_by_name_on_both_sides_over_mosquitto() {
    another_passphrase(&Scene::at_mosquitto());
}

fn calls_for_help(scene: &Scene) {
    scene.add(Profile::DisasterResponse, Some(KEY_FILE));
    let key_file = scene.key_file();
    let key_file = key_file.to_str().unwrap();

    let sender = scene.program("disaster_response.py", Some("publish"), &[key_file, "2"]);
    for number in 1..=2 {
        let call = sender.prints(&format!("[{number}] Published securely: "));
        let (message, said) = scene.hears(Profile::DisasterResponse, "emergency/assist");
        assert_eq!(message.wire.len(), 164);
        let Place { x, y } = said.place.unwrap();
        assert_eq!(format!("ID:{} Coordinates:{x},{y}", said.id.unwrap()), call);
    }

    let receiver = scene.program("disaster_response.py", Some("subscribe"), &[key_file]);
    receiver.prints("(subscribed)");
    let call = Spoken { place: Some(Place { x: 42, y: 7 }), ..Spoken::default() };
    scene.says(Profile::DisasterResponse, "emergency/assist", &call);
    let heard = receiver.prints("Decrypted Message Received: ID:");
    assert!(heard.len() == 36 + " Coordinates:42,7".len() && heard.ends_with(" Coordinates:42,7"), "{heard}");
    // What we send comes back to us too, as long on the wire as all others.
    let (message, said) = scene.hears(Profile::DisasterResponse, "emergency/assist");
    assert_eq!((message.wire.len(), said.id.as_deref()), (164, heard.get(..36)));
    // Sent again and again, it is a new call each time.
    let draft = draft("emergency/assist", &compose(Profile::DisasterResponse, &call).unwrap());
    let topic = draft.topic.clone();
    scene.anna.ask(Command::Publish { draft, every: Some(Duration::from_millis(100)) });
    let repeated: Vec<String> = (0..3).map(|_| receiver.prints("Decrypted Message Received: ID:")).collect();
    scene.anna.ask(Command::StopRepeat { topic });
    assert!(repeated[0] != repeated[1] && repeated[1] != repeated[2], "{repeated:?}");
}

fn readings(scene: &Scene) {
    let key = scene.add(Profile::IndustrialIot, None);
    assert_eq!(key.filters.len(), 4);
    // Its own programs fail on most accents; what fills a block in letters and in bytes they can send.
    let texts = ["Hello Daniel", "", "åååååååååååååååå"];
    let sender =
        scene.program("industrial_iot.py", Some("publish"), &["iot/sensor", texts[0], texts[1], texts[2]]);
    let mut heard = Vec::new();
    for text in texts {
        assert_eq!(sender.prints("Published to iot/sensor: "), text);
        let (message, said) = scene.hears(Profile::IndustrialIot, "iot/sensor");
        let Opening::Opened { sealed_at_ms, .. } = message.opening else { unreachable!() };
        assert_eq!(sealed_at_ms, 0, "it tells no time");
        heard.push(said.text);
    }
    // Each comes by a connection of its own, and nothing orders those.
    heard.sort_by_key(|text| texts.iter().position(|sent| sent == text));
    assert_eq!(heard, texts);

    let receiver = scene.program("industrial_iot.py", Some("subscribe"), &["iot/control"]);
    receiver.prints("(subscribed)");
    for text in ["stop", "temp 25 °C 😀", "0123456789abcdef"] {
        scene.says(
            Profile::IndustrialIot,
            "iot/control",
            &Spoken { text: text.to_owned(), ..Spoken::default() },
        );
        assert_eq!(receiver.prints("Topic: iot/control Message: "), text);
    }
}

fn room(scene: &Scene) {
    scene.add(Profile::RoomChat, Some(THIRTY_TWO));
    let mut daniel = scene.program("room_chat.py", None, &[]);
    for line in ["daniel", "python", THIRTY_TWO] {
        daniel.types(line);
    }
    daniel.prints("(subscribed)");
    for text in ["hello", "tid: 10:30, 25 °C 😀", ""] {
        daniel.types(text);
        let (_, said) = scene.hears(Profile::RoomChat, "movantchat/python");
        assert_eq!(said, author_says("daniel", text));
        assert_eq!(daniel.prints("daniel: "), text, "its own echo");
    }
    scene.says(Profile::RoomChat, "movantchat/python", &author_says("Åsa", "hej ✓ 😀"));
    assert_eq!(daniel.prints("Åsa: "), "hej ✓ 😀");
    let leaves = Spoken { leaves: true, ..author_says("Åsa", "") };
    scene.says(Profile::RoomChat, "movantchat/python", &leaves);
    assert_eq!(daniel.prints("Åsa "), "has left the chat");
}

fn window(scene: &Scene) {
    scene.add(Profile::WindowChat, Some(&format!("  {PASSPHRASE}\n")));
    let mut alice = scene.program("window_chat.py", None, &[]);
    alice.types("alice");
    alice.types(PASSPHRASE);
    alice.prints("(subscribed)");
    for text in ["hello", "\"grüß\" \\ 😀 {}"] {
        alice.types(text);
        let (message, said) = scene.hears(Profile::WindowChat, "chat/channel");
        assert_eq!(said, author_says("alice", text));
        // What we would write is what Python wrote.
        let Opening::Opened { body, .. } = &message.opening else { unreachable!() };
        assert_eq!(&compose(Profile::WindowChat, &said).unwrap()[..], &body[..]);
        assert_eq!(alice.prints("alice: "), text);
    }
    scene.says(Profile::WindowChat, "chat/channel", &author_says("Åsa", "hej \u{2028}\u{7f}✓ 😀"));
    assert_eq!(alice.prints("Åsa: "), "hej \u{2028}\u{7f}✓ 😀");
}

fn another_passphrase(scene: &Scene) {
    scene.add(Profile::WindowChat, Some("another passphrase"));
    let mut alice = scene.program("window_chat.py", None, &[]);
    alice.types("alice");
    alice.types(PASSPHRASE);
    alice.prints("(subscribed)");
    alice.types("hello");
    match scene.next("chat/channel").opening {
        Opening::Refused { name, why } => {
            assert_eq!(name, "Altered or other key");
            assert!(why.contains("compare keys"), "{why}");
        }
        other => panic!("shown as {other:?}"),
    }
    scene.says(Profile::WindowChat, "chat/channel", &author_says("Åsa", "hej"));
    alice.prints("Failed to decrypt or parse the message.");
}

#[test]
fn what_the_older_programs_could_not_take_is_refused_before_it_is_sent() {
    let scene = Scene::at_a_station();
    let add = |profile, secret: &str| {
        scene.anna.ask(Command::AddLegacy {
            profile,
            filters: None,
            secret: Some(Password::new(secret)),
            label: None,
            take_over: false,
        });
        scene.anna.expect_failure("a refusal").why
    };
    assert!(add(Profile::RoomChat, "short").contains("exactly 32"));
    assert!(add(Profile::RoomChat, &"ü".repeat(32)).contains("not ASCII"));
    assert!(add(Profile::WindowChat, "short").contains("at least 8"));
    assert!(add(Profile::DisasterResponse, "nonsense").contains("44 characters"));

    scene.add(Profile::WindowChat, Some(PASSPHRASE));
    scene.anna.publish("chat/channel", b"no JSON");
    assert!(scene.anna.expect_failure("a refusal").why.contains("username"));
}
