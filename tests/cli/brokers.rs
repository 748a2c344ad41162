//! `pub` and `sub` through a mosquitto, with its clients and Python's cryptography beside them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::harness::{Desk, Listener, Mosquitto, PASSPHRASE, python};

#[test]
fn every_suite_goes_through_another_broker_in_both_versions() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let url = broker.url();
    for suite in ["cose-a256gcm", "cose-chacha20", "fernet", "aes-cbc-hmac"] {
        let key = desk.key_line(&format!("{suite}.key"), "plant/#", suite);
        let key = key.to_str().unwrap();
        for (version, qos) in [("3.1.1", "0"), ("5", "1"), ("5", "2")] {
            let common = ["--broker", &url, "--mqtt-version", version, "--key-line", key, "-q", qos];
            let sub = [&common[..], &["-t", "plant/#", "--json", "--count", "1"]].concat();
            let mut listener = Listener::start(&desk, &sub, &[]);
            let publish = [&["pub"], &common[..], &["-t", "plant/°C", "-m", "21.5 °C"]].concat();
            assert!(desk.run(&publish).ok().out.is_empty(), "it is silent");
            let message = listener.json();
            assert_eq!(message["body"], "21.5 °C", "{message}");
            assert_eq!(message["topic"], "plant/°C");
            assert_eq!(message["suite"], suite);
            assert_eq!(message["verdict"], "fresh");
            assert_eq!(message["signature"], "none");
            assert_eq!(message["qos"].to_string(), qos);
            assert!(message["wire_length"].as_u64().unwrap() > 16);
            assert_eq!(message["sealed_at"].is_null(), suite == "aes-cbc-hmac");
            listener.rest().ok();
        }
    }
}

#[test]
fn a_room_and_its_passphrase_are_the_same_key_on_both_sides() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let url = broker.url();
    let secret = [("SEALWIRE_PASSPHRASE", PASSPHRASE)];
    let args = ["--broker", &url, "--passphrase-room", "Gartenhaus", "-t", "room/1"];
    let mut listener = Listener::start(&desk, &[&args[..], &["--count", "1"]].concat(), &secret);
    let file = desk.file("words", format!("{PASSPHRASE}\n"));
    let publish = [&["pub"], &args[..], &["--passphrase-file", file.to_str().unwrap()]].concat();
    desk.feed(&publish, b"by the fire").ok();
    let line = listener.line();
    assert!(line.starts_with("room/1 (cose-a256gcm “room Gartenhaus”, not signed, fresh)"), "{line}");
    assert!(line.ends_with(": by the fire"), "{line}");
}

#[test]
fn the_broker_sees_sealed_bytes_only_and_raw_shows_the_same() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let publish = ["pub", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b", "-r", "--json"];
    let told = desk.feed(&publish, b"a reading that nobody may read").ok();
    let wire = broker.retained("a/b");
    assert!(!wire.windows(7).any(|bytes| bytes == b"reading"), "plaintext crossed the broker");
    assert_eq!(told.lines()[0]["wire_length"], wire.len());
    let raw = ["sub", "--broker", &url, "-t", "a/b", "--raw", "--count", "1", "--no-newline"];
    assert_eq!(desk.run(&raw).ok().out, wire);
    // A retained message that was meant to be one holds.
    let sub = ["sub", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b", "--count", "1"];
    let opened = desk.run(&[&sub[..], &["--strict"]].concat()).ok();
    assert_eq!(opened.out, b"a reading that nobody may read\n");
}

#[test]
fn python_opens_what_is_sealed_with_fernet_and_is_opened() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let url = broker.url();
    let key = python("from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())", &[]);
    let key = desk.file("fernet.key", key);
    let key = key.to_str().unwrap();
    desk.run(&["pub", "--broker", &url, "--fernet", key, "-t", "news", "-r", "-m", "Grüße"]).ok();
    let token = desk.file("token", broker.retained("news"));
    let open = "import sys; from cryptography.fernet import Fernet; \
                sys.stdout.buffer.write(Fernet(open(sys.argv[1]).read().strip()).decrypt(open(sys.argv[2],'rb').read()))";
    assert_eq!(python(open, &[key, token.to_str().unwrap()]), "Grüße".as_bytes());

    let seal = "import sys; from cryptography.fernet import Fernet; \
                sys.stdout.buffer.write(Fernet(open(sys.argv[1]).read().strip()).encrypt(b'from Python'))";
    let token = desk.file("token", python(seal, &[key]));
    broker.publish(&["-t", "news", "-r", "-f", token.to_str().unwrap()]);
    let sub = ["sub", "--broker", &url, "--fernet", key, "-t", "news", "--count", "1", "--strict"];
    assert_eq!(desk.run(&sub).ok().out, b"from Python\n");
}

#[test]
fn lines_are_messages_in_their_order_whatever_bytes_they_hold() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-chacha20"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap(), "-q", "1", "-t", "a/b"];
    let sub = [&common[..], &["--json", "--count", "303"]].concat();
    let mut listener = Listener::start(&desk, &sub, &[]);
    let mut input: Vec<u8> = (0..300).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    input.extend(b"\nnot \xff UTF-8\nthe last \x1b[2J");
    let publish = [&["pub", "-l", "--json"], &common[..]].concat();
    assert_eq!(desk.feed(&publish, &input).ok().lines().len(), 303);
    for n in 0..300 {
        assert_eq!(listener.json()["body"], format!("line {n}"));
    }
    assert_eq!(listener.json()["body"], "");
    let bytes = listener.json();
    assert_eq!((bytes["body"].is_null(), &bytes["body_base64"]), (true, &"bm90IP8gVVRGLTg=".into()));
    let last = listener.line();
    assert!(!last.contains('\u{1b}') && last.contains("\\u001b[2J"), "{last}");
    listener.rest().ok();
}

#[test]
fn a_will_is_sealed_and_told_as_one_when_a_publisher_is_killed() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let will = desk.file("will", "gone");
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let mut listener =
        Listener::start(&desk, &[&common[..], &["-t", "a/#", "--json", "--count", "2"]].concat(), &[]);
    let publish = [
        &["pub", "-l", "-t", "a/live", "--will-topic", "a/will", "--will-message", will.to_str().unwrap()],
        &common[..],
    ]
    .concat();
    let mut publisher = desk.sealwire(&publish).stdin(Stdio::piped()).spawn().unwrap();
    publisher.stdin.as_mut().unwrap().write_all(b"here\n").unwrap();
    let live = listener.json();
    assert_eq!((&live["body"], &live["will"]), (&"here".into(), &false.into()));
    publisher.kill().unwrap();
    publisher.wait().unwrap();
    let told = listener.json();
    assert_eq!((&told["topic"], &told["body"]), (&"a/will".into(), &"gone".into()));
    assert_eq!((&told["will"], &told["verdict"]), (&true.into(), &"fresh".into()));
    listener.rest().ok();
}

#[test]
fn what_does_not_hold_is_withheld_told_and_under_strict_the_end() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    desk.run(&[&["pub", "-t", "a/b", "-r", "-m", "genuine"], &common[..]].concat()).ok();
    let genuine = broker.retained("a/b");
    let mut altered = genuine.clone();
    *altered.last_mut().unwrap() ^= 1;
    let altered = desk.file("altered", altered);
    let genuine = desk.file("genuine", genuine);
    let altered = altered.to_str().unwrap();

    let sub = [&common[..], &["-t", "a/+", "--json", "--count", "2"]].concat();
    let mut listener = Listener::start(&desk, &sub, &[]);
    assert_eq!(listener.json()["body"], "genuine");
    broker.publish(&["-t", "a/b", "-f", altered]);
    broker.publish(&["-t", "a/c", "-f", genuine.to_str().unwrap()]);
    broker.publish(&["-t", "a/b", "-m", "in the clear"]);
    for verdict in ["altered", "moved-topic", "not-sealed-as-required"] {
        let message = listener.json();
        assert_eq!(message["verdict"], verdict);
        assert!(message["body"].is_null() && message["why"].is_string(), "{message}");
    }
    desk.run(&[&["pub", "-t", "a/b", "-m", "the second"], &common[..]].concat()).ok();
    assert_eq!(listener.json()["body"], "the second");
    listener.rest().ok();

    let sub = [&common[..], &["-t", "a/x", "--count", "1", "--strict"]].concat();
    let listener = Listener::start(&desk, &sub, &[]);
    broker.publish(&["-t", "a/x", "-f", altered]);
    let done = listener.rest().ends(3);
    assert!(done.out.is_empty() && done.err.contains("altered"), "{done:?}");
}

#[test]
fn a_message_that_comes_again_is_dropped_and_counted() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    desk.run(&[&["pub", "-t", "a/b", "-r", "-m", "one"], &common[..]].concat()).ok();
    let one = desk.file("one", broker.retained("a/b"));
    let listener = Listener::start(&desk, &[&common[..], &["-t", "a/b", "--count", "2"]].concat(), &[]);
    broker.publish(&["-t", "a/b", "-f", one.to_str().unwrap()]);
    desk.run(&[&["pub", "-t", "a/b", "-m", "two"], &common[..]].concat()).ok();
    let done = listener.rest().ok();
    assert_eq!(done.text().lines().count(), 2, "{done:?}");
    assert!(done.err.contains("1 repeat of a message was dropped"), "{done:?}");
}

#[test]
fn in_the_clear_is_sent_and_shown_only_where_it_was_said() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    desk.run(&["pub", "--broker", &url, "-t", "b", "-m", "x"]).ends(2);
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let refused = desk.run(&[&["pub", "-t", "b", "-m", "x"], &common[..]].concat()).ends(1);
    assert!(refused.err.contains("for a/#") && refused.err.contains("--in-the-clear"), "{refused:?}");
    // Where there is a key it is sealed all the same.
    desk.run(&[&["pub", "-t", "a/b", "-r", "--in-the-clear", "-m", "hush"], &common[..]].concat()).ok();
    assert!(!broker.retained("a/b").windows(4).any(|bytes| bytes == b"hush"));
    desk.run(&["pub", "--broker", &url, "-t", "b", "-r", "--in-the-clear", "-m", "for all"]).ok();
    assert_eq!(broker.retained("b"), b"for all");
    let clear = ["sub", "--broker", &url, "-t", "b", "--count", "1", "--in-the-clear"];
    assert_eq!(desk.run(&clear).ok().out, b"for all\n");
    let withheld =
        desk.run(&[&["sub", "-t", "b", "--count", "1", "--timeout", "2"], &common[..]].concat()).ends(5);
    assert!(withheld.out.is_empty() && withheld.err.contains("in the clear"), "{withheld:?}");
}

#[test]
fn a_subscriber_outlives_its_broker_and_says_so() {
    let (desk, mut broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let mut listener = Listener::start(&desk, &[&common[..], &["-t", "a/#", "--count", "1"]].concat(), &[]);
    broker.restart();
    listener.hear("trying again");
    listener.hear("subscribed");
    desk.run(&[&["pub", "-t", "a/b", "-m", "again"], &common[..]].concat()).ok();
    assert!(listener.line().ends_with(": again"));
    listener.rest().ok();
}

#[test]
fn what_was_seen_is_remembered_in_a_file_for_the_next_command() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let memory = desk.path("seen");
    let memory = memory.to_str().unwrap();
    let sub = [&["sub", "-t", "a/#", "--json", "--memory", memory], &common[..]].concat();
    let heard = |more: &[&str]| desk.run(&[&sub[..], more].concat());
    let retain = |body: &str| {
        desk.run(&[&["pub", "-t", "a/state", "-r", "-m", body], &common[..]].concat()).ok();
        desk.file("wire", broker.retained("a/state"))
    };
    let old = std::fs::read(retain("on")).unwrap();
    retain("off");
    let first = heard(&["--count", "1"]).ok();
    assert_eq!((&first.lines()[0]["body"], &first.lines()[0]["verdict"]), (&"off".into(), &"fresh".into()));
    // Whoever has the broker puts the old one back: the next command knows it for what it is.
    let old = desk.file("wire", old);
    broker.publish(&["-t", "a/state", "-r", "-f", old.to_str().unwrap()]);
    let second = heard(&["--count", "1", "--strict"]).ends(3);
    assert_eq!(second.lines()[0]["verdict"], "rolled-back");

    // A live message, sent once more after the command that heard it.
    let mut listener = Listener::start(&desk, &[&sub[1..], &["--count", "1"]].concat(), &[]);
    assert_eq!(listener.json()["verdict"], "rolled-back");
    let other_command = heard(&["--count", "1"]).ends(1);
    assert!(other_command.err.contains("in use by another command"), "{}", other_command.err);
    let raw = ["--broker", &url, "-t", "a/live", "--raw", "--json", "--count", "1"];
    let mut raw = Listener::start(&desk, &raw, &[]);
    desk.run(&[&["pub", "-t", "a/live", "-m", "open the gate"], &common[..]].concat()).ok();
    assert_eq!(listener.json()["body"], "open the gate");
    listener.rest().ok();
    let wire = raw.json()["wire_base64"].as_str().unwrap().to_owned();
    let wire = desk.file("live", STANDARD.decode(wire).unwrap());
    let mut listener = Listener::start(&desk, &[&sub[1..], &["--timeout", "3"]].concat(), &[]);
    listener.json();
    broker.publish(&["-t", "a/live", "-q", "1", "-f", wire.to_str().unwrap()]);
    let rest = listener.rest().ok();
    let repeat = &rest.lines()[0];
    assert_eq!((&repeat["verdict"], &repeat["topic"]), (&"repeated".into(), &"a/live".into()));
    assert!(
        repeat.get("body").is_none() && rest.err.contains("1 repeat of a message was dropped"),
        "{rest:?}"
    );

    let kept = std::fs::read_to_string(memory).unwrap();
    assert!(!kept.contains("a/live") && !kept.contains("gate"));
    std::fs::write(memory, &kept[..kept.len() / 2]).unwrap();
    let damaged = heard(&["--count", "1"]).ends(1);
    assert!(damaged.err.contains("delete it to remember anew"), "{}", damaged.err);
}

#[test]
fn lines_go_on_when_the_broker_is_back_and_what_had_no_answer_goes_once_more() {
    let (desk, mut broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b"];
    let publish = [&["pub", "-l", "--json"], &common[..]].concat();
    let mut child = desk.sealwire(&publish).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut done = BufReader::new(child.stdout.take().unwrap()).lines();
    input.write_all(b"one\n").unwrap();
    assert!(done.next().unwrap().unwrap().contains("\"topic\":\"a/b\""), "the broker has it");
    broker.stop();
    assert!(told.next().unwrap().unwrap().contains("trying again"));
    input.write_all(b"two\nthree\n").unwrap();
    broker.start_again();
    let mut listener = Listener::start(&desk, &[&common[..], &["--json"]].concat(), &[]);
    drop(input);
    // Whoever subscribes only now may miss them, the broker does not.
    assert_eq!(done.by_ref().take(2).filter(Result::is_ok).count(), 2);
    assert!(child.wait().unwrap().success());
    desk.run(&[&["pub", "-m", "four"], &common[..]].concat()).ok();
    while listener.json()["body"] != "four" {}
}

#[test]
fn a_retained_message_is_cleared_and_nothing_sealed_takes_its_place() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    desk.run(&[&["pub", "-t", "a/b", "-r", "-m", "kept"], &common[..]].concat()).ok();
    broker.retained("a/b");
    desk.run(&[&["pub", "-t", "a/b", "--clear-retained"], &common[..]].concat()).ok();
    let sub = [&["sub", "-t", "a/b", "--count", "1", "--timeout", "2"], &common[..]].concat();
    assert!(desk.run(&sub).ends(5).out.is_empty());
}

#[test]
fn what_is_in_the_clear_shows_only_where_that_was_asked_for_in_json_too() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    broker.publish(&["-t", "other", "-r", "-m", "forged"]);
    let sub = ["sub", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "other", "--json"];
    let withheld = desk.run(&[&sub[..], &["--strict"]].concat()).ends(3);
    let line = &withheld.lines()[0];
    assert_eq!((&line["verdict"], line.get("body")), (&"in-the-clear".into(), None));
    let shown = desk.run(&[&sub[..], &["--in-the-clear", "--count", "1"]].concat()).ok();
    assert_eq!(shown.lines()[0]["body"], "forged");
}

#[test]
fn time_that_is_over_without_a_connection_is_told_from_time_in_which_nothing_came() {
    let (desk, mut broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let sub = ["--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b", "--timeout", "3"];
    desk.run(&[&["sub"], &sub[..]].concat()).ok();
    let listener = Listener::start(&desk, &sub, &[]);
    broker.stop();
    assert!(listener.rest().ends(6).err.contains("there was no connection"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", silent.local_addr().unwrap());
    let sub = ["sub", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b", "--timeout", "1"];
    assert!(desk.run(&sub).ends(6).err.contains("there was no connection"));
}

#[test]
fn a_message_at_which_the_broker_hangs_up_each_time_is_given_up() {
    let desk = Desk::new();
    let key = desk.key_line("k", "a/#", "cose-a256gcm");
    let broker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", broker.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in broker.incoming() {
            let (mut stream, mut bytes) = (stream.unwrap(), [0; 4096]);
            // CONNACK of MQTT 5 to whatever came, and the end with the next packet.
            let answered = stream.read(&mut bytes).and_then(|_| stream.write_all(b"\x20\x03\0\0\0"));
            let _ = answered.and_then(|()| stream.read(&mut bytes));
        }
    });
    let publish = ["pub", "-l", "--broker", &url, "--key-line", key.to_str().unwrap(), "-t", "a/b"];
    let done = desk.feed(&publish, b"one\ntwo\n").ends(6);
    assert_eq!(done.err.matches("trying again").count(), 3, "{}", done.err);
    assert!(done.err.contains("messages were not taken"), "{}", done.err);
}
