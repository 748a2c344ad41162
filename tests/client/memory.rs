//! A locked vault leaves no key in the process's memory: a client in a process of its own logs in, seals, opens, exports,
//! logs out, and all its writable memory is searched for its secrets; while it is open, where they must be found, so that
//! the search is known to work, and after.
//!
//! Linux only: it reads `/proc/PID/mem`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    process::{Child, Command as Process, Stdio},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sealwire::{
    client::{Asked, Command, Event, Password, Suite, Trust},
    keys::key_line,
    seal::{Peek, derive, peek},
};

use crate::{
    harness::{PASSWORD, Person, Station},
    inside::Inside,
};

/// Set for the process that is searched: the station's address and fingerprint.
const SEARCHED: &str = "SEALWIRE_TEST_SEARCHED";
const PASSPHRASE: &str = "violet anchor mosaic lantern";
const KEY: &str = "Plant";
const TOPIC: &str = "plant/x";

/// Not a test by itself: the process that is searched. Whatever secret it names is a constant of the program, and so in
/// memory that cannot be written.
#[test]
fn the_process_that_is_searched() {
    let Ok(station) = std::env::var(SEARCHED) else { return };
    let (address, fingerprint) = station.split_once(' ').unwrap();
    let mut anna = Person::new();
    let trust = Trust::Pinned(fingerprint.to_owned());
    anna.send(Command::OpenStation { address: address.to_owned(), trust });
    anna.answer(Asked::OpenStation, |event| matches!(event, Event::Station(_)).then_some(()));
    anna.ask_log_in("anna", PASSWORD);
    anna.logged_in();
    let id = anna.answer(Asked::LogIn, |event| match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == KEY).map(|key| key.id.clone()),
        _ => None,
    });
    anna.online();
    anna.subscribe("plant/#");
    anna.publish(TOPIC, "21.5");
    anna.message(TOPIC);
    // All that writes secrets down, or takes them in.
    let line = anna.export(&id);
    anna.import(&line);
    drop(line);
    anna.send(Command::ExportKeys { ids: None, passphrase: Password::new(PASSPHRASE) });
    let file = anna.answer(Asked::ExportKeys, |event| match event {
        Event::KeysExported { file, .. } => Some(file.clone()),
        _ => None,
    });
    anna.send(Command::ImportKeys { file, passphrase: Password::new(PASSPHRASE), take_over: false });
    anna.answer(Asked::ImportKeys, |event| matches!(event, Event::KeysImported { .. }).then_some(()));
    anna.key("Another", "another/#", Suite::default());
    anna.send(Command::ChangePassword { old: Password::new(PASSWORD), new: Password::new(PASSWORD) });
    anna.answer(Asked::ChangePassword, |event| matches!(event, Event::PasswordChanged).then_some(()));
    for (state, log_out) in [("open", true), ("locked", false)] {
        println!("searched: {state}");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        if log_out {
            anna.log_out();
        }
    }
}

/// What the vault of this account holds and is opened with, by name.
fn secrets(station: &Station) -> BTreeMap<String, Vec<u8>> {
    let inside = Inside::of(station);
    let identity = inside.contents["identity"].as_str().unwrap();
    BTreeMap::from([
        ("the password".into(), PASSWORD.into()),
        ("the passphrase of a key file".into(), PASSPHRASE.into()),
        ("what Argon2id makes of the password".into(), inside.stretched.to_vec()),
        ("the authentication key as text".into(), inside.auth.clone().into()),
        ("the vault key".into(), inside.vault_key.to_vec()),
        ("the vault secret".into(), inside.secret.clone()),
        ("the key of the vault's contents".into(), inside.contents_key.to_vec()),
        ("the identity".into(), URL_SAFE_NO_PAD.decode(identity).unwrap()),
        ("the identity as text".into(), identity.into()),
    ])
}

/// The forms in which an epoch secret and what follows from it may lie about.
fn forms_of_key(secret: &[u8; 32], session: &[u8; 16]) -> BTreeMap<String, Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let message = derive::<44>(secret, &[b"sealwire/1 msg\0", &[3], session]);
    BTreeMap::from([
        ("the topic key".into(), secret.to_vec()),
        ("the topic key in base64url".into(), URL_SAFE_NO_PAD.encode(secret).into()),
        // 32 bytes end a line that is 42 whole characters and a bit: the last character differs from base64url's.
        ("the topic key in base64".into(), STANDARD.encode(secret)[..42].into()),
        ("the topic key in hex".into(), hex.into()),
        ("the AEAD key of a session".into(), message[..32].to_vec()),
        ("the context IV of a session".into(), message[32..].to_vec()),
        ("the key of topic ids".into(), derive::<32>(secret, &[b"sealwire/1 topic"]).to_vec()),
    ])
}

/// How often each secret is in the writable memory of a process.
fn search(process: &Child, secrets: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<String>> {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.id())).unwrap();
    let mut memory = File::open(format!("/proc/{}/mem", process.id())).unwrap();
    let mut by_first = vec![Vec::new(); 256];
    for (name, bytes) in secrets {
        by_first[usize::from(bytes[0])].push((name, bytes));
    }
    let mut found = BTreeMap::new();
    let mut searched = 0;
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let (range, rights) = (parts.next().unwrap(), parts.next().unwrap());
        if !rights.starts_with("rw") || line.ends_with("[vvar]") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from)).unwrap();
        memory.read_exact(&mut bytes).unwrap_or_else(|error| panic!("{line}: {error}"));
        searched += bytes.len();
        for (at, byte) in bytes.iter().enumerate() {
            for (name, secret) in &by_first[usize::from(*byte)] {
                if bytes[at..].starts_with(secret) {
                    let place = line.split_whitespace().nth(5).unwrap_or("anonymous");
                    let around = &bytes[at.saturating_sub(32)..(at + secret.len() + 32).min(bytes.len())];
                    let around = String::from_utf8_lossy(around).replace(|c: char| c.is_control(), ".");
                    found
                        .entry((*name).clone())
                        .or_insert_with(Vec::new)
                        .push(format!("{:x} in {place} {range}: {around}", from + at as u64));
                }
            }
        }
    }
    assert!(searched > 1 << 20, "{searched} bytes are not a process");
    found
}

#[test]
fn a_locked_vault_leaves_no_key_in_the_memory_of_the_process() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let line = anna.key(KEY, "plant/#", Suite::default());
    anna.granted(&sealwire::topic::TopicFilter::new("plant/#").unwrap());
    let mut searched = Process::new(std::env::current_exe().unwrap())
        .args(["memory::the_process_that_is_searched", "--exact", "--nocapture"])
        .env(SEARCHED, format!("{} {}", station.running.api, station.running.fingerprint))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(searched.stdout.take().unwrap()).lines();
    let mut until = |word: &str| {
        said.find(|line| line.as_ref().is_ok_and(|line| line.contains(word)))
            .expect("it ended early")
            .unwrap();
    };
    until("searched: open");
    let wire = anna.message(TOPIC).wire;
    let Peek::Native { session, .. } = peek(&wire) else { panic!("not sealed") };
    let key = key_line::read(line.reveal()).unwrap();
    let mut secrets = secrets(&station);
    secrets.extend(forms_of_key(key.current().secret().expose(), &session));
    let open = search(&searched, &secrets);
    // Of the key of topic ids only the keyed hash is kept.
    for name in ["the topic key", "the vault secret", "the identity", "the AEAD key of a session"] {
        assert!(open.contains_key(name), "{name} is not found in an open vault: {:?}", open.keys());
    }
    let go_on = searched.stdin.as_mut().unwrap();
    writeln!(go_on).unwrap();
    until("searched: locked");
    let locked = search(&searched, &secrets);
    searched.kill().unwrap();
    searched.wait().unwrap();
    println!("open: {:#?}", open.iter().map(|(name, places)| (name, places.len())).collect::<Vec<_>>());
    assert!(locked.is_empty(), "after the logout there is {locked:#?}");
}
