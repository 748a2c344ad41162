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
    sync::Arc,
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use sealwire::{
    api::{BASE, Confidential, LogIn, Salt, SaltRequest, SessionGrant, TLS_NAME, Username},
    client::{Asked, Command, Event, Password, Suite, Trust},
    keys::key_line,
    seal::{Peek, derive, peek},
};

use crate::harness::{PASSWORD, Person, Station};

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

/// One request to the station's API, with its own CA.
async fn call<T: serde::de::DeserializeOwned>(
    station: &Station,
    path: &str,
    body: impl serde::Serialize,
) -> T {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&station.running.ca_certificate).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(station.running.api).await.unwrap();
    let name = ServerName::try_from(TLS_NAME).unwrap();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
    let connection = tokio::spawn(connection);
    let body: Full<Bytes> = Full::from(Bytes::from(serde_json::to_vec(&body).unwrap()));
    let request = Request::post(format!("{BASE}/{path}"))
        .header(header::HOST, TLS_NAME)
        .header(header::CONTENT_TYPE, "application/json");
    let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

/// Opens a box of the vault (docs/keys.md): `1 ‖ nonce ‖ ciphertext and tag`, bound to `[purpose, account, last]`.
fn open_box(key: &[u8], last: &[u8], purpose: &str, sealed: &[u8]) -> Vec<u8> {
    let text = |text: &str| -> Vec<u8> {
        let head = if text.len() < 24 { vec![0x60 | text.len() as u8] } else { vec![0x78, text.len() as u8] };
        [head, text.into()].concat()
    };
    let aad = [vec![0x83], text(purpose), text("anna"), last.to_vec()].concat();
    let payload = Payload { msg: &sealed[25..], aad: &aad };
    XChaCha20Poly1305::new_from_slice(key)
        .unwrap()
        .decrypt(sealed[1..25].try_into().unwrap(), payload)
        .unwrap()
}

/// What the vault of this account holds and is opened with, by name.
fn secrets(station: &Station) -> BTreeMap<String, Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let username = Username::new("anna").unwrap();
    let salt: Salt =
        runtime.block_on(call(station, "account/salt", SaltRequest { username: username.clone() }));
    let mut stretched = [0; 32];
    let params = Params::new(salt.kdf.memory_kib, salt.kdf.passes, salt.kdf.lanes, Some(32)).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSWORD.as_bytes(), &salt.salt.0, &mut stretched)
        .unwrap();
    let auth = URL_SAFE_NO_PAD.encode(*derive::<32>(&stretched, &[b"sealwire/1 auth"]));
    let vault_key = derive::<32>(&stretched, &[b"sealwire/1 vault"]);
    let auth_key = Confidential::new(auth.clone());
    let request = LogIn { username, auth_key, second: None, remember: false };
    let grant: SessionGrant = runtime.block_on(call(station, "session", request));
    let wrapped = &grant.vault.password_wrap.0;
    let secret = open_box(&*vault_key, b"\x68password", "sealwire/1 vault secret", wrapped);
    let contents_key = derive::<32>(&secret, &[b"sealwire/1 vault contents"]);
    assert!(grant.vault.version < 24);
    let version = [u8::try_from(grant.vault.version).unwrap()];
    let json = open_box(&*contents_key, &version, "sealwire/1 vault", &grant.vault.sealed.0);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let identity = json["identity"].as_str().unwrap();
    BTreeMap::from([
        ("the password".into(), PASSWORD.into()),
        ("the passphrase of a key file".into(), PASSPHRASE.into()),
        ("what Argon2id makes of the password".into(), stretched.to_vec()),
        ("the authentication key as text".into(), auth.into()),
        ("the vault key".into(), vault_key.to_vec()),
        ("the vault secret".into(), secret),
        ("the key of the vault's contents".into(), contents_key.to_vec()),
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
    for name in ["the topic key", "the vault secret", "the identity", "the key of topic ids"] {
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
