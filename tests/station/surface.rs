//! What strangers can do to the API, and what stays on disk.

use http_body_util::Full;
use hyper::{Request, body::Bytes, header};
use sealwire::api::{ProblemCode::*, *};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::*;

#[tokio::test]
async fn every_request_that_is_not_what_it_should_be_gets_a_problem() {
    let station = start().await;
    station.member("paul", "publisher").await;
    let login = r#"{"username":"paul","auth_key":"x","second":null,"remember":false}"#;
    let huge = format!(r#"{{"username":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
    let json = "application/json";
    let cases: &[(&str, &str, &str, &str, ProblemCode)] = &[
        ("GET", "/", json, "", NotFound),
        ("GET", "/api/v1/nothing", json, "", NotFound),
        ("PATCH", "/api/v1/station", json, "", NotFound),
        ("GET", "/api/v1/account", json, "", NotFound),
        ("POST", "/api/v1/session", json, "", Malformed),
        ("POST", "/api/v1/session", json, "{", Malformed),
        ("POST", "/api/v1/session", json, "[]", Malformed),
        ("POST", "/api/v1/session", json, "{}", Malformed),
        ("POST", "/api/v1/session", json, login, Malformed),
        ("POST", "/api/v1/session", "text/plain", login, Malformed),
        ("POST", "/api/v1/account/salt", json, r#"{"username":"a/b"}"#, Malformed),
        ("POST", "/api/v1/account/salt", json, r#"{"username":"../.."}"#, Malformed),
        ("POST", "/api/v1/account/salt", json, "\u{1}\u{2}", Malformed),
        ("POST", "/api/v1/account/salt", json, &huge, TooLarge),
        ("GET", "/api/v1/vault", json, "", SessionOver),
        ("PUT", "/api/v1/vault", json, "{", SessionOver),
        ("DELETE", "/api/v1/devices/x", json, "", SessionOver),
        ("GET", "/api/v1/accounts", json, "", SessionOver),
    ];
    for (method, path, content_type, body, expected) in cases {
        let request =
            Request::builder().method(*method).uri(*path).header(header::CONTENT_TYPE, *content_type);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let (status, text) = station.send(request.body(Full::from(body)).unwrap()).await;
        let problem: Problem =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{method} {path}: {text}"));
        assert_eq!((problem.code, problem.status()), (*expected, status), "{method} {path}: {text}");
    }
    let session = station.log_in("paul", None).await.unwrap();
    for path in ["devices/x", "devices/99999999999999999999", "devices/-1"] {
        assert_eq!(code(station.ask::<()>("DELETE", path, Some(&session.api_token), ()).await), NotFound);
    }
}

#[tokio::test]
async fn sign_ups_with_impossible_parts_are_refused_before_anything_is_made() {
    let station = start().await;
    let good = || station.sign_up_request("root", "");
    let mut bad = Vec::new();
    bad.push(SignUp { auth_key: "short".into(), ..good() });
    bad.push(SignUp { auth_key: format!("{}=", auth_key("a").reveal()).into(), ..good() });
    bad.push(SignUp { vault: PutVault { version: 2, ..new_vault("a") }, ..good() });
    bad.push(SignUp { vault: PutVault { password_wrap: None, ..new_vault("a") }, ..good() });
    bad.push(SignUp { vault: PutVault { sealed: Blob(vec![]), ..new_vault("a") }, ..good() });
    bad.push(SignUp { recovery: recovery("a")[..7].to_vec(), ..good() });
    let mut twice = recovery("a");
    twice[7] = twice[0].clone();
    bad.push(SignUp { recovery: twice, ..good() });
    for request in bad {
        assert_eq!(code(station.post::<SignedUp>("account", &request).await), Malformed, "{request:?}");
    }
    assert!(station.ask::<StationInfo>("GET", "station", None, ()).await.unwrap().needs_first_account);
    station.post::<SignedUp>("account", good()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_one_kind_is_no_token_of_another_and_none_is_guessed_from_its_shape() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    for wrong in [&session.mqtt_token, &auth_key("paul"), &"".into(), &"x".repeat(5000).into()] {
        assert_eq!(code(station.ask::<Account>("GET", "session", Some(wrong), ()).await), SessionOver);
    }
}

#[tokio::test]
async fn admins_change_roles_and_nobody_else_and_the_last_admin_stays() {
    let station = start().await;
    let admin = *station.sign_up("root", "").await.unwrap().session.unwrap();
    let paul = station.member("paul", "publisher").await;
    let set = |token: &Confidential, name: &str, role: &str| {
        let (token, path) = (token.clone(), format!("accounts/{name}/role"));
        let body = SetRole { role: role.to_owned() };
        let station = &station;
        async move { station.ask::<()>("PUT", &path, Some(&token), body).await }
    };
    assert_eq!(code(set(&paul.api_token, "paul", "admin").await), Forbidden);
    assert_eq!(
        code(station.ask::<Vec<AccountEntry>>("GET", "accounts", Some(&paul.api_token), ()).await),
        Forbidden
    );
    assert_eq!(code(set(&admin.api_token, "root", "publisher").await), Forbidden, "the last admin");
    assert_eq!(code(set(&admin.api_token, "nobody", "publisher").await), NotFound);
    assert_eq!(code(set(&admin.api_token, "paul", "emperor").await), Malformed);
    set(&admin.api_token, "paul", "admin").await.unwrap();
    set(&paul.api_token, "root", "subscriber").await.unwrap();
    let accounts: Vec<AccountEntry> =
        station.ask("GET", "accounts", Some(&paul.api_token), ()).await.unwrap();
    let roles: Vec<_> = accounts.iter().map(|entry| (entry.username.as_str(), entry.role.as_str())).collect();
    assert_eq!(roles, [("paul", "admin"), ("root", "subscriber")]);
    assert_eq!(code(set(&admin.api_token, "root", "admin").await), Forbidden, "at once");
}

#[tokio::test]
async fn no_secret_rests_in_clear_in_any_file_but_the_key_files() {
    let station = start().await;
    let setup_code = station.running.setup_code.clone().unwrap();
    let (session, codes) = station.member_with_codes("paul", "publisher").await;
    let other = station.log_in_as("paul", auth_key("paul"), codes.second(), true).await.unwrap();
    let token = Some(&session.api_token);
    let device: DeviceCredential =
        station.ask("POST", "devices", token, NewDevice { label: "press".into() }).await.unwrap();
    let enrolment: Enrolment = station.ask("POST", "otp/begin", token, ()).await.unwrap();
    let typo = station.log_in_as("my-secret-password", auth_key("paul"), None, false).await;
    assert_eq!(code(typo), WrongCredentials);
    let (api_token, mqtt_token) = (session.api_token.clone(), session.mqtt_token.clone());
    let (dir, _) = station.end().await;

    let texts = [
        setup_code,
        api_token,
        mqtt_token,
        other.remembered.unwrap(),
        device.password,
        enrolment.secret.clone(),
    ];
    let mut secrets: Vec<(String, Vec<u8>)> =
        texts.iter().map(|text| (text.reveal().to_owned(), text.reveal().as_bytes().to_vec())).collect();
    let secret = totp_rs::Secret::try_from_base32(enrolment.secret.reveal()).unwrap();
    secrets.push(("one-time code secret".into(), secret.as_bytes().to_vec()));
    for text in ["$2b$", "sealed vault of", "password wrap of", "recovery wrap", "my-secret-password"] {
        secrets.push((text.to_owned(), text.as_bytes().to_vec()));
    }
    for text in [auth_key("paul"), recovery_auth("paul", 0)] {
        secrets.push(("an authentication key".into(), text.reveal().as_bytes().to_vec()));
    }
    let mut seen = Vec::new();
    for file in files(dir.path()) {
        let bytes = std::fs::read(&file).unwrap();
        for (name, secret) in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{name} in {}", file.display());
        }
        seen.push(file.strip_prefix(dir.path()).unwrap().display().to_string());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o077;
            let bare = ["station.lock", "station_audit.lock"].iter().any(|name| file.ends_with(name));
            assert!(mode == 0 || bare, "{} can be read by others: {mode:o}", file.display());
        }
    }
    for expected in ["users/station.db", "logs/station_audit.log", "keys/station.key"] {
        assert!(seen.iter().any(|file| file == expected), "{seen:?}");
    }
    let trail = std::fs::read_to_string(dir.path().join("logs/station_audit.log")).unwrap();
    assert!(trail.contains("no such account") && trail.contains("one-time codes on"), "{trail}");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn the_chain_ends_in_the_ca_whose_public_key_is_the_fingerprint() {
    let station = start().await;
    let stream = tokio::net::TcpStream::connect(station.running.mqtt_tls).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(station.tls()));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(chain.len(), 2, "leaf and CA");
    let ca = webpki::EndEntityCert::try_from(&chain[1]).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(ca.subject_public_key_info());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, station.running.fingerprint);
    let fingerprint = station.running.fingerprint.clone();
    assert_eq!(station.restart().await.running.fingerprint, fingerprint);
}

#[tokio::test]
async fn what_is_no_tls_or_no_http_is_closed_and_others_are_served_meanwhile() {
    let station = start().await;
    let mut plain = tokio::net::TcpStream::connect(station.running.api).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 2"));
    let _silent = tokio::net::TcpStream::connect(station.running.api).await.unwrap();
    let info: StationInfo = station.ask("GET", "station", None, ()).await.unwrap();
    assert_eq!(info.now_ms, station.clock.now_ms());
}
