//! `--profile`: the terminal among the programs of the four older systems, which Python plays, over a mosquitto.

#[path = "../peers/legacy/program.rs"]
mod program;

use std::{path::PathBuf, time::Instant};

use crate::harness::{Desk, Done, Listener, Mosquitto, PASSPHRASE};
use crate::support::PATIENCE;
use program::Program;

const KEY_FILE: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n";
const THIRTY_TWO: &str = " 1234567890123456789012345678912";

/// A folder, and a broker without passwords as those programs use it.
struct Scene {
    desk: Desk,
    broker: Mosquitto,
}

impl Scene {
    fn open() -> Self {
        Self { desk: Desk::new(), broker: Mosquitto::start() }
    }

    fn program(&self, name: &str, verb: Option<&str>, more: &[&str]) -> Program {
        Program::start(name, verb, "127.0.0.1", &self.broker.port.to_string(), more)
    }

    /// `sub` or `pub` for a profile, with a passphrase in the environment.
    fn run(&self, command: &str, profile: &str, passphrase: &str, more: &[&str]) -> Done {
        let url = self.broker.url();
        let args = [&[command, "--broker", &url, "--profile", profile], more].concat();
        Done::of(self.desk.sealwire(&args).env("SEALWIRE_PASSPHRASE", passphrase).output().unwrap())
    }

    fn says(&self, profile: &str, passphrase: &str, more: &[&str]) {
        let done = self.run("pub", profile, passphrase, more).ok();
        // Of a key that keeps little secret its sender hears once.
        let warned = match profile {
            "industrial-iot" => done.err.contains("warning: no secrecy"),
            "room-chat" | "window-chat" => done.err.contains("warning: weak"),
            _ => done.err.is_empty(),
        };
        assert!(done.out.is_empty() && warned && done.err.lines().count() <= 1, "{done:?}");
    }

    fn listen(&self, profile: &str, passphrase: &str, more: &[&str]) -> Listener {
        let url = self.broker.url();
        let args = [&["--broker", &url, "--profile", profile], more].concat();
        Listener::start(&self.desk, &args, &[("SEALWIRE_PASSPHRASE", passphrase)])
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        self.desk.file(name, content)
    }
}

#[test]
fn calls_for_help_come_and_go_with_a_place_and_a_new_id_each() {
    let scene = Scene::open();
    let key = scene.file("secureKey.key", KEY_FILE);
    let key = key.to_str().unwrap();
    let mut listener = scene.listen("disaster-response", "", &["--fernet", key, "--json", "--count", "5"]);
    let sender = scene.program("disaster_response.py", Some("publish"), &[key, "1"]);
    let call = sender.prints("[1] Published securely: ");
    let heard = listener.json();
    assert_eq!((&heard["body"], &heard["profile"]), (&call.as_str().into(), &"disaster-response".into()));
    let (id, place) = (heard["call_id"].as_str().unwrap(), heard["place"].as_array().unwrap());
    assert_eq!(format!("ID:{id} Coordinates:{},{}", place[0], place[1]), call);

    let receiver = scene.program("disaster_response.py", Some("subscribe"), &[key]);
    receiver.prints("(subscribed)");
    scene.says("disaster-response", "", &["--fernet", key, "--place", "42,7"]);
    let printed = receiver.prints("Decrypted Message Received: ID:");
    assert!(printed.ends_with(" Coordinates:42,7"), "{printed}");
    let first = listener.json();
    assert_eq!((&first["qos"], &first["wire_length"]), (&0.into(), &164.into()));
    // Several, a line each.
    let url = scene.broker.url();
    let lines = ["pub", "--broker", &url, "--profile", "disaster-response", "--fernet", key, "-l"];
    scene.desk.feed(&lines, b"1,100\n1, 100\n").ok();
    let (second, third) = (listener.json(), listener.json());
    assert_eq!(second["place"], third["place"]);
    assert_ne!(second["call_id"], third["call_id"], "a new id each");
    // What another program sealed with this key is shown, and said to be none of theirs.
    let odd = ["pub", "--broker", &url, "--fernet", key, "-t", "emergency/assist", "-m", "help"];
    scene.desk.run(&odd).ok();
    let heard = listener.json();
    assert_eq!((&heard["body"], heard["call_id"].is_null()), (&"help".into(), true));
    assert_eq!(heard["notes"], serde_json::json!(["not as that program writes"]));
    for wrong in ["0,5", "5,101", "here"] {
        let more = ["--fernet", key, "--place", wrong];
        assert_ne!(scene.run("pub", "disaster-response", "", &more).code, Some(0), "{wrong}");
    }
    let nowhere = scene.run("pub", "disaster-response", "", &["--fernet", key, "-m", "help"]).ends(2);
    assert!(nowhere.err.contains("--place"), "{nowhere:?}");
    let no_key = scene.run("pub", "disaster-response", "", &["--place", "1,2"]).ends(2);
    assert!(no_key.err.contains("--fernet"), "{no_key:?}");
}

#[test]
fn readings_under_the_published_key_come_and_go_and_it_is_said_that_anybody_can_read_them() {
    let scene = Scene::open();
    let mut listener = scene.listen("industrial-iot", "", &["--count", "1"]);
    let sender = scene.program("industrial_iot.py", Some("publish"), &["iot/admin", "Hello Daniel"]);
    sender.prints("Published to iot/admin: ");
    let line = listener.line();
    assert!(line.contains("legacy industrial-iot") && line.ends_with("): Hello Daniel"), "{line}");
    assert!(listener.rest().ok().err.contains("no secrecy"));

    let receiver = scene.program("industrial_iot.py", Some("subscribe"), &["iot/control"]);
    receiver.prints("(subscribed)");
    scene.says("industrial-iot", "", &["-t", "iot/control", "-m", "temp 25 °C 😀"]);
    assert_eq!(receiver.prints("Topic: iot/control Message: "), "temp 25 °C 😀");
    let several = scene.run("pub", "industrial-iot", "", &["-m", "x"]).ends(2);
    assert!(several.err.contains("iot/sensor"), "{several:?}");
}

#[test]
fn the_room_chat_hears_us_by_name_and_we_it() {
    let scene = Scene::open();
    // From a file: spaces of the passphrase count.
    let words = scene.file("words", &format!("{THIRTY_TWO}\n"));
    let words = ["--passphrase-file", words.to_str().unwrap()];
    let mut listener = scene.listen("room-chat", "", &[&words[..], &["--json", "--count", "3"]].concat());
    let mut daniel = scene.program("room_chat.py", None, &[]);
    for line in ["daniel", "python", THIRTY_TWO] {
        daniel.types(line);
    }
    daniel.prints("(subscribed)");
    daniel.types("tid: 10:30 ✓");
    let heard = listener.json();
    assert_eq!((&heard["author"], &heard["text"]), (&"daniel".into(), &"tid: 10:30 ✓".into()));
    assert_eq!((&heard["profile"], &heard["leaves"]), (&"room-chat".into(), &false.into()));

    scene.says("room-chat", THIRTY_TWO, &["--name", "Åsa", "-m", "hej ✓ 😀"]);
    assert_eq!(daniel.prints("Åsa: "), "hej ✓ 😀");
    assert_eq!(listener.json()["author"], "Åsa");
    scene.says("room-chat", THIRTY_TWO, &["--name", "Åsa", "--leave"]);
    assert_eq!(daniel.prints("Åsa "), "has left the chat");
    assert_eq!(listener.json()["leaves"], true);
    let nameless = scene.run("pub", "room-chat", THIRTY_TWO, &["-m", "hej"]).ends(2);
    assert!(nameless.err.contains("--name"), "{nameless:?}");
    let short = scene.run("pub", "room-chat", "short", &["--name", "Åsa", "-m", "hej"]).ends(1);
    assert!(short.err.contains("exactly 32"), "{short:?}");
}

#[test]
fn the_window_chat_hears_us_by_name_and_we_it_line_by_line() {
    let scene = Scene::open();
    let url = scene.broker.url();
    // Without -v, so that each line has to say by itself what it is.
    let args = ["sub", "--broker", &url, "--profile", "window-chat", "--count", "3"];
    let mut verbose = scene.listen("window-chat", PASSPHRASE, &["--count", "1"]);
    let mut quiet = scene.desk.sealwire(&args).env("SEALWIRE_PASSPHRASE", PASSPHRASE).spawn().unwrap();
    let mut alice = scene.program("window_chat.py", None, &[]);
    alice.types("alice");
    alice.types(PASSPHRASE);
    alice.prints("(subscribed)");
    // The quiet one does not tell when it listens: spoken to until it has heard enough, which the count tells.
    let until = Instant::now() + PATIENCE;
    while quiet.try_wait().unwrap().is_none() {
        alice.types("grüß \"dich\"");
        assert_eq!(alice.prints("alice: "), "grüß \"dich\"");
        assert!(Instant::now() < until, "nothing is heard");
    }
    let heard = Done::of(quiet.wait_with_output().unwrap()).ok();
    assert_eq!(heard.text(), "(legacy) alice: grüß \"dich\"\n".repeat(3));
    let line = verbose.line();
    assert!(line.contains("legacy window-chat") && line.ends_with("): alice: grüß \"dich\""), "{line}");

    let words = scene.file("words", &format!("  {PASSPHRASE} \n"));
    let words = words.to_str().unwrap();
    let publish =
        ["pub", "--broker", &url, "--profile", "window-chat", "--name", "Åsa", "--passphrase-file", words];
    scene.desk.feed(&[&publish[..], &["-l"]].concat(), "hej ✓ 😀\r\nen till\n".as_bytes()).ok();
    assert_eq!(alice.prints("Åsa: "), "hej ✓ 😀");
    assert_eq!(alice.prints("Åsa: "), "en till");
    // Standard input to its end is one message, without the line's end that `echo` adds.
    scene.desk.feed(&publish, b"from echo\n").ok();
    assert_eq!(alice.prints("Åsa: "), "from echo");
    let empty = scene.run("pub", "window-chat", PASSPHRASE, &["--name", "Åsa", "-m", " "]).ends(1);
    assert!(empty.err.contains("empty"), "{empty:?}");
}

#[test]
fn another_passphrase_is_told_on_both_sides_and_nothing_is_shown() {
    let scene = Scene::open();
    let mut listener = scene.listen("window-chat", "another passphrase", &["--strict"]);
    let mut alice = scene.program("window_chat.py", None, &[]);
    alice.types("alice");
    alice.types(PASSPHRASE);
    alice.prints("(subscribed)");
    alice.types("hello");
    let told = listener.hear("chat/channel: altered");
    assert!(told.contains("compare keys"), "{told}");
    assert!(listener.rest().ends(3).out.is_empty());
    scene.says("window-chat", "another passphrase", &["--name", "Åsa", "-m", "hej"]);
    alice.prints("Failed to decrypt or parse the message.");
}

#[test]
fn what_the_older_programs_do_not_do_is_refused_and_what_they_do_is_kept_to() {
    let scene = Scene::open();
    for (option, more) in [
        ("--qos", &["-q", "1"][..]),
        ("--qos", &["-q", "2"]),
        ("--retain", &["--retain"]),
        ("--content-type", &["--content-type", "text/plain"]),
        ("--place", &["--place", "1,2"]),
    ] {
        let words: &[&str] = if option == "--place" { &[] } else { &["-m", "hej"] };
        let all = [&["--name", "Åsa"], more, words].concat();
        let refused = scene.run("pub", "room-chat", THIRTY_TWO, &all).ends(2);
        assert!(refused.err.contains(option), "{option}: {refused:?}");
    }
    // What belongs to another profile, or to none.
    for (profile, more) in [
        ("window-chat", &["--name", "a", "--leave"][..]),
        ("industrial-iot", &["--name", "a", "-t", "iot/sensor", "-m", "x"]),
        ("industrial-iot", &["-t", "iot/sensor", "-m", "x", "--passphrase-file", "x"]),
        ("room-chat", &["--name", "a", "-m", "x", "--fernet", "x"]),
        ("room-chat", &["--name", "a", "-m", "x", "--passphrase-room", "x"]),
        ("teletext", &["-m", "x"]),
    ] {
        scene.run("pub", profile, THIRTY_TWO, more).ends(2);
    }
    let key = scene.desk.key_line("k", "a/#", "fernet");
    let url = scene.broker.url();
    let plain = ["pub", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b", "-m", "x"];
    let refused = scene.desk.run(&[&plain[..], &["--name", "Åsa"]].concat()).ends(2);
    assert!(refused.err.contains("--profile"), "{refused:?}");
    let mut listener = scene.listen("room-chat", THIRTY_TWO, &["--json", "--count", "1", "-q", "2"]);
    let more = ["--name", "Åsa", "-m", "hej", "--json"];
    let told = scene.run("pub", "room-chat", THIRTY_TWO, &more).ok().lines().remove(0);
    assert_eq!(
        (&told["qos"], &told["retain"], &told["profile"]),
        (&0.into(), &false.into(), &"room-chat".into())
    );
    assert_eq!((&listener.json()["qos"], told["sealed"].as_bool()), (&0.into(), Some(true)));
}

#[test]
fn a_key_made_for_a_profile_rests_in_a_keyring_and_speaks_as_its_programs_do() {
    let scene = Scene::open();
    let ring = ["--keyring", "ring.age"];
    let key = |args: &[&str]| {
        let mut process = scene.desk.sealwire(&[&["key"], args, &ring[..]].concat());
        process.env("SEALWIRE_KEYRING_PASSPHRASE", PASSPHRASE).env("SEALWIRE_PASSPHRASE", THIRTY_TWO);
        Done::of(process.output().unwrap())
    };
    assert!(key(&["new", "--profile", "room-chat"]).ok().err.contains("legacy room-chat"));
    assert!(
        key(&["new", "Machines", "--profile", "industrial-iot", "-t", "iot/sensor"])
            .ok()
            .err
            .contains("no secrecy")
    );
    let file = scene.file("secureKey.key", KEY_FILE);
    let made = ["new", "--profile", "disaster-response", "--fernet", file.to_str().unwrap(), "-t", "help/+"];
    key(&made).ok();
    key(&["new", "--profile", "room-chat", "--suite", "fernet"]).ends(2);
    key(&["new", "--profile", "disaster-response"]).ends(2);
    key(&["new", "Nothing"]).ends(2);
    let shown = |name: &str| key(&["show", name, "--json"]).ok().lines().remove(0);
    let room = shown("Room chat");
    assert_eq!((&room["profile"], &room["suite"]), (&"room-chat".into(), &"fernet".into()));
    assert_eq!(room["topics"], serde_json::json!(["movantchat/python"]));
    assert_eq!(shown("Machines")["topics"], serde_json::json!(["iot/sensor"]));
    assert_eq!(shown("Disaster response")["topics"], serde_json::json!(["help/+"]));

    let mut daniel = scene.program("room_chat.py", None, &[]);
    for line in ["daniel", "python", THIRTY_TWO] {
        daniel.types(line);
    }
    daniel.prints("(subscribed)");
    let words = scene.file("words", PASSPHRASE);
    let url = scene.broker.url();
    let common = [
        &["pub", "--broker", &url, "-t", "movantchat/python", "-m", "hej"],
        &ring[..],
        &["--keyring-passphrase-file", words.to_str().unwrap()],
    ]
    .concat();
    scene.desk.run(&[&common[..], &["--name", "Åsa"]].concat()).ok();
    assert_eq!(daniel.prints("Åsa: "), "hej");
    assert!(scene.desk.run(&common).ends(2).err.contains("--name"));
    assert!(
        scene.desk.run(&[&common[..], &["--name", "Åsa", "-r"]].concat()).ends(2).err.contains("--retain")
    );
    // Handed over as a line it is the same, profile and all; and so is one that rests nowhere else.
    let line = key(&["show", "Room chat", "--secret"]).ok().text();
    let args = ["key", "new", "Room chat", "--profile", "room-chat", "--out", "-"];
    let alone =
        Done::of(scene.desk.sealwire(&args).env("SEALWIRE_PASSPHRASE", THIRTY_TWO).output().unwrap()).ok();
    let fingerprint =
        |done: &Done| done.err.lines().next().unwrap().rsplit("made: ").next().unwrap().to_owned();
    assert_eq!(fingerprint(&alone), key(&["fingerprint", "Room chat"]).ok().text().trim());
    let line = scene.file("room.key", &line);
    let line = ["--key-line", line.to_str().unwrap()];
    let common = ["--broker", &url, "-t", "movantchat/python"];
    let mut listener =
        Listener::start(&scene.desk, &[&common[..], &line, &["--json", "--count", "1"]].concat(), &[]);
    daniel.types("till Åsa");
    assert_eq!(listener.json()["author"], "daniel");
}

#[test]
fn a_will_for_the_older_programs_is_one_that_they_can_read() {
    let scene = Scene::open();
    let will = scene.file("will", "Åsa has left the chat");
    let will = ["--will-topic", "movantchat/python", "--will-message", will.to_str().unwrap()];
    let listener = scene.listen("room-chat", THIRTY_TWO, &[&will[..], &["--will-retain"]].concat());
    let mut daniel = scene.program("room_chat.py", None, &[]);
    for line in ["daniel", "python", THIRTY_TWO] {
        daniel.types(line);
    }
    daniel.prints("(subscribed)");
    #[cfg(unix)]
    {
        let pid = listener.pid().to_string();
        assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        assert_eq!(daniel.prints("Åsa "), "has left the chat");
    }
    drop(listener);
    let will = ["--will-topic", "chat/channel", "--will-message", "will"];
    let refused = scene.run("sub", "window-chat", PASSPHRASE, &will).ends(1);
    assert!(refused.err.contains("username"), "{refused:?}");
}
