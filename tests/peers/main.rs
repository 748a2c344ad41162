//! Programs that are not ours against the real station: mosquitto's clients, paho-mqtt, MQTT.js, rumqttc, Python's
//! cryptography, the envelope's reader in Python, and the programs of four older systems; and our load generator against
//! mosquitto.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../support/mod.rs"]
mod support;

mod bench;
mod legacy;
#[path = "../support/mosquitto.rs"]
mod mosquitto;
mod others;

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Output, Stdio},
};

use sealwire::{
    client::{Command, Event, KeyForm, KeyView, Message, Opening, Signatures, Suite},
    topic::TopicFilter,
};
use support::{Person, Station};

/// A station, its admin, and the admin's credential for plain MQTT programs.
struct Scene {
    folder: tempfile::TempDir,
    station: Station,
    admin: Person,
    user: String,
    token: String,
}

impl Scene {
    fn open() -> Self {
        Self::with(&["--websocket-tls", "127.0.0.1:0"])
    }

    /// With these options of the station.
    fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let station = Station::start(&folder.path().join("station"), options);
        let admin = Person::sign_up(&station, &folder.path().join("ada"), "ada", None);
        let (user, token) = credential(&admin);
        Self { folder, station, admin, user, token }
    }

    fn port(&self) -> &str {
        self.station.mqtt.rsplit(':').next().unwrap()
    }

    /// A mosquitto client with this scene's credential.
    fn mosquitto(&self, program: &str, user: &str, token: &str, version: &str, more: &[&str]) -> Process {
        let mut process = Process::new(program);
        process
            .args(["-h", "localhost", "-p", self.port(), "--cafile", self.station.ca.to_str().unwrap()])
            .args(["-u", user, "-P", token, "-V", version])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    fn python(&self, verb: &str, more: &[&str]) -> Process {
        self.python_on(self.port(), verb, more)
    }

    fn python_on(&self, port: &str, verb: &str, more: &[&str]) -> Process {
        let mut process = python();
        process
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/peer.py"))
            .args([verb, "localhost", port, self.station.ca.to_str().unwrap(), &self.user, &self.token])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
        path
    }
}

fn python() -> Process {
    Process::new(std::env::var("SEALWIRE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
}

fn credential(person: &Person) -> (String, String) {
    person.ask(Command::NewDevice { label: "peer".to_owned() });
    person.expect("a credential", |event| match event {
        Event::DeviceMade { username, password, .. } => {
            Some((username.clone(), password.reveal().to_owned()))
        }
        _ => None,
    })
}

fn new_key(person: &Person, label: &str, filter: &str, suite: Suite) -> KeyView {
    person.ask(Command::CreateKey {
        label: label.to_owned(),
        filters: vec![TopicFilter::new(filter).unwrap()],
        suite,
        signatures: Signatures::Off,
    });
    person.expect("the key", |event| match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == label).cloned(),
        _ => None,
    })
}

fn export(person: &Person, key: &KeyView, form: KeyForm) -> String {
    person.ask(Command::ExportKey { id: key.id.clone(), form });
    person.expect("the key's text", |event| match event {
        Event::KeyExported { text, .. } => Some(text.reveal().to_owned()),
        _ => None,
    })
}

fn next_message(person: &Person, topic: &str) -> Message {
    person.expect("a message", |event| match event {
        Event::Messages(messages) => messages.iter().find(|m| m.topic.as_str() == topic).cloned(),
        _ => None,
    })
}

/// Its first line of output, once it comes.
fn first_line(child: &mut Child) -> (String, BufReader<std::process::ChildStdout>) {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line.trim().to_owned(), reader)
}

fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn mosquitto_clients_publish_and_subscribe_in_both_versions_over_tls() {
    let scene = Scene::open();
    for version in ["311", "5"] {
        for qos in ["0", "1"] {
            // Retained, so that the subscriber needs no head start.
            let topic = format!("mosquitto/{version}/{qos}");
            let pub_options = ["-t", &topic, "-m", "hello", "-q", qos, "-r"];
            done(
                &scene
                    .mosquitto("mosquitto_pub", &scene.user, &scene.token, version, &pub_options)
                    .output()
                    .unwrap(),
            );
            let filter = format!("mosquitto/{version}/+/#");
            let sub_options = ["-t", &filter, "-q", qos, "-C", "1", "-W", "30", "-F", "%t %p %r"];
            let heard = done(
                &scene
                    .mosquitto("mosquitto_sub", &scene.user, &scene.token, version, &sub_options)
                    .output()
                    .unwrap(),
            );
            assert_eq!(
                heard.trim(),
                format!("mosquitto/{version}/0 hello 1"),
                "version {version}, QoS {qos}"
            );
        }
    }
}

#[test]
fn a_wrong_password_and_a_role_without_the_right_are_refused_to_mosquitto_too() {
    let scene = Scene::open();
    let wrong =
        scene.mosquitto("mosquitto_pub", &scene.user, "wrong", "5", &["-t", "a", "-m", "x", "-q", "1"]);
    assert!(!{ wrong }.output().unwrap().status.success());

    let anna = Person::sign_up(&scene.station, &scene.folder.path().join("anna"), "anna", Some("publisher"));
    let (user, token) = credential(&anna);
    let options = ["-t", "a/#", "-W", "10"];
    let refused = scene.mosquitto("mosquitto_sub", &user, &token, "5", &options).output().unwrap();
    let said =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("denied") || said.contains("Not authorized"), "{said}");

    let ben = Person::sign_up(&scene.station, &scene.folder.path().join("ben"), "ben", Some("subscriber"));
    let (user, token) = credential(&ben);
    let options = ["-t", "a", "-m", "forged", "-q", "1", "-d"];
    let refused = scene.mosquitto("mosquitto_pub", &user, &token, "5", &options).output().unwrap();
    let said =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("135") || said.contains("Not authorized"), "{said}");
}

#[test]
fn paho_goes_round_in_both_versions() {
    let scene = Scene::open();
    let said = done(&scene.python("roundtrip", &[]).output().unwrap());
    assert_eq!(said.lines().collect::<Vec<_>>(), ["paho 3.1.1 ok", "paho 5.0 ok"]);
}

#[test]
fn paho_goes_round_over_web_sockets_too() {
    let scene = Scene::open();
    let address = scene.station.websocket_tls.as_deref().unwrap();
    let port = address.rsplit(':').next().unwrap();
    let said = done(&scene.python_on(port, "roundtrip", &["websockets"]).output().unwrap());
    assert_eq!(said.lines().collect::<Vec<_>>(), ["paho 3.1.1 ok", "paho 5.0 ok"]);
}

#[test]
fn pythons_fernet_opens_what_we_sealed_and_we_open_what_it_sealed() {
    let scene = Scene::open();
    let key = new_key(&scene.admin, "Old sensors", "fernet/#", Suite::Fernet);
    let key_file = scene.file("fernet.key", &export(&scene.admin, &key, KeyForm::FernetFile));
    let key_file = key_file.to_str().unwrap();

    let mut listener = scene.python("listen", &["fernet/out", key_file]).spawn().unwrap();
    let (ready, rest) = first_line(&mut listener);
    assert_eq!(ready, "listening");
    scene.admin.publish("fernet/out", "21.5 °C".as_bytes());
    let opened = rest.lines().next().unwrap().unwrap();
    assert_eq!(opened, "opened 21.5 °C");
    assert!(listener.wait().unwrap().success());

    scene.admin.watch("fernet/in");
    done(&scene.python("fernet", &["fernet/in", key_file, "from Python ✓"]).output().unwrap());
    match next_message(&scene.admin, "fernet/in").opening {
        Opening::Opened { body, with, .. } => {
            assert_eq!((&body[..], with.suite), ("from Python ✓".as_bytes(), Suite::Fernet));
        }
        other => panic!("not opened: {other:?}"),
    }
}

/// A key of this suite, and a file with suite and secret as the Python reader takes them.
fn key_for_python(scene: &Scene, suite: Suite) -> PathBuf {
    let name = suite.name();
    let key = new_key(&scene.admin, name, &format!("{name}/#"), suite);
    let line = export(&scene.admin, &key, KeyForm::Line);
    let key = sealwire::keys::key_line::read(&line).unwrap();
    let secret: String = key.current().secret().expose().iter().map(|byte| format!("{byte:02x}")).collect();
    scene.file(name, &format!("{name} {secret}"))
}

const SUITES_OF_THE_READER: [Suite; 3] = [Suite::CoseA256Gcm, Suite::CoseChaCha20, Suite::AesCbcHmac];

#[test]
fn a_reader_written_in_python_from_the_specification_opens_our_envelopes() {
    let scene = Scene::open();
    for suite in SUITES_OF_THE_READER {
        let key_file = key_for_python(&scene, suite);
        let topic = format!("{suite}/press/celsius");
        let mut listener = scene.python("listen", &[&topic, key_file.to_str().unwrap()]).spawn().unwrap();
        let (ready, rest) = first_line(&mut listener);
        assert_eq!(ready, "listening");
        scene.admin.publish(&topic, br#"{"celsius":71.3}"#);
        let opened = rest.lines().next().unwrap().unwrap();
        assert_eq!(opened, r#"opened {"celsius":71.3}"#);
        assert!(listener.wait().unwrap().success());
    }
}

#[test]
fn we_open_what_that_reader_seals_signed_or_not() {
    let scene = Scene::open();
    let seed = "5a".repeat(32);
    for suite in SUITES_OF_THE_READER {
        let key_file = key_for_python(&scene, suite);
        let key_file = key_file.to_str().unwrap();
        scene.admin.watch(&format!("{suite}/#"));
        for signature in [None, Some(seed.as_str()).filter(|_| suite.is_native())] {
            let topic = format!("{suite}/{}", if signature.is_some() { "signed" } else { "plain" });
            let options: Vec<&str> =
                [topic.as_str(), key_file, "from Python ✓"].into_iter().chain(signature).collect();
            done(&scene.python("seal", &options).output().unwrap());
            match next_message(&scene.admin, &topic).opening {
                Opening::Opened { body, with, .. } => {
                    assert_eq!((&body[..], with.suite), ("from Python ✓".as_bytes(), suite));
                }
                other => panic!("not opened: {other:?}"),
            }
        }
    }
}

#[test]
fn that_reader_opens_every_vector_or_refuses_it_by_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut vectors: Vec<_> =
        std::fs::read_dir(root.join("docs/vectors")).unwrap().map(|entry| entry.unwrap().path()).collect();
    vectors.sort();
    assert!(vectors.len() >= 5, "{vectors:?}");
    let said =
        done(&python().arg(root.join("docs/reader/sealwire_reader.py")).args(vectors).output().unwrap());
    assert!(said.contains("vectors as they should be"), "{said}");
}

#[test]
fn what_is_not_sealed_as_a_key_requires_is_named_so() {
    let scene = Scene::open();
    new_key(&scene.admin, "Plant", "plant/#", Suite::CoseA256Gcm);
    scene.admin.watch("plant/#");
    let options = ["-t", "plant/x", "-m", "in the clear", "-q", "1"];
    done(&scene.mosquitto("mosquitto_pub", &scene.user, &scene.token, "311", &options).output().unwrap());
    match next_message(&scene.admin, "plant/x").opening {
        Opening::Refused { name, .. } => assert_eq!(name, "Not sealed as required"),
        other => panic!("shown as {other:?}"),
    }
}
