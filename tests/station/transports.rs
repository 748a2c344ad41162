//! The ways into a station: TLS of both versions, certificates of clients, certificates that are exchanged while it
//! runs, WebSocket; and who is refused on each.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use sealwire::{
    api::*,
    station::{Config, StationError},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::*;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// An authority that signs.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, PEM.
struct Signed {
    certificate: String,
    key: String,
    serial: SerialNumber,
}

impl Signer {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(
        &self,
        names: Vec<SanType>,
        common: &str,
        purpose: ExtendedKeyUsagePurpose,
        until: i32,
    ) -> Signed {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![purpose];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let serial = SerialNumber::from(key.public_key_raw()[..16].to_vec());
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signed { certificate, key: key.serialize_pem(), serial }
    }

    fn client(&self, common: &str) -> Signed {
        self.sign(Vec::new(), common, ExtendedKeyUsagePurpose::ClientAuth, 2090)
    }

    /// Its revocation list, PEM, with these on it.
    fn takes_back(&self, year: i32, signed: &[&Signed]) -> String {
        let revoked = |signed: &&Signed| RevokedCertParams {
            serial_number: signed.serial.clone(),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(year, 1, 1),
            next_update: date_time_ymd(year + 1, 1, 1),
            crl_number: SerialNumber::from(signed.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: signed.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    fn server(&self, name: &str) -> Signed {
        let names = vec![SanType::DnsName(name.try_into().unwrap())];
        self.sign(names, "server", ExtendedKeyUsagePurpose::ServerAuth, 2090)
    }
}

/// A client's TLS that trusts this authority's PEM, with a certificate or without.
fn tls(
    ca: &[u8],
    shown: Option<&Signed>,
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    match shown {
        None => builder.with_no_client_auth(),
        Some(signed) => {
            let chain = vec![CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

async fn dial(
    to: SocketAddr,
    name: &'static str,
    tls: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await.unwrap();
    TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from(name).unwrap(), stream).await
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// An MQTT 5 CONNECT.
fn connect(id: &str, username: Option<&str>, password: Option<&str>) -> Vec<u8> {
    let flags = 0x02 | username.map_or(0, |_| 0x80) | password.map_or(0, |_| 0x40);
    let mut body = [&text("MQTT")[..], &[5, flags, 0, 0, 0], &text(id)].concat();
    body.extend([username, password].into_iter().flatten().flat_map(text));
    [&[0x10, body.len() as u8][..], &body].concat()
}

/// The code of the CONNACK to it; none where there is no answer.
async fn asked(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), connect: &[u8]) -> Option<u8> {
    stream.write_all(connect).await.ok()?;
    let mut ack = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut ack)).await.expect("an answer or the end").ok()?;
    assert_eq!(ack[0], 0x20);
    let mut rest = vec![0; usize::from(ack[1]) - 2];
    timeout(PATIENCE, stream.read_exact(&mut rest)).await.unwrap().unwrap();
    Some(ack[3])
}

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn local() -> Option<SocketAddr> {
    Some("127.0.0.1:0".parse().unwrap())
}

impl Station {
    fn ca(&self) -> Vec<u8> {
        std::fs::read(&self.running.ca_certificate).unwrap()
    }

    /// CONNECT over MQTT's TLS port with this certificate.
    async fn as_certificate(&self, shown: Option<&Signed>, username: Option<&str>) -> Option<u8> {
        let tls = tls(&self.ca(), shown, &TLS13);
        let mut stream = dial(self.running.mqtt_tls, "localhost", tls).await.ok()?;
        asked(&mut stream, &connect("c", username, None)).await
    }

    /// Which authority's certificate the MQTT port shows to whoever asks for this name.
    async fn shows(&self, name: &'static str, ca: &[u8]) -> bool {
        dial(self.running.mqtt_tls, name, tls(ca, None, &TLS13)).await.is_ok()
    }
}

#[tokio::test]
async fn other_programs_come_in_by_tls_1_2_and_by_1_3() {
    let station = start().await;
    let paul = station.member("paul", "publisher").await;
    for version in [&TLS12, &TLS13] {
        let tls = tls(&station.ca(), None, version);
        let mut stream = dial(station.running.mqtt_tls, "localhost", tls).await.unwrap();
        let connect = connect("c", Some("paul"), Some(paul.mqtt_token.reveal()));
        assert_eq!(asked(&mut stream, &connect).await, Some(0), "{version:?}");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
}

#[tokio::test]
async fn a_clients_certificate_is_its_account_where_there_is_such_an_account() {
    let plant = Signer::new("plant");
    let ca = plant.pem.clone();
    let station = start_with(move |config| {
        config.certificates.client_ca = Some(file(config.data.root(), "client-ca.pem", &ca));
    })
    .await;
    station.member("paul", "publisher").await;
    let paul = plant.client("Paul");
    assert_eq!(station.as_certificate(Some(&paul), None).await, Some(0), "without name and password");
    assert_eq!(station.as_certificate(Some(&paul), Some("PAUL")).await, Some(0), "names have no case");
    assert_eq!(station.as_certificate(Some(&paul), Some("root")).await, Some(0x87), "another's name");
    assert_eq!(station.as_certificate(Some(&plant.client("nobody")), None).await, Some(0x87));
    assert_eq!(station.as_certificate(Some(&plant.client("not a name!")), None).await, Some(0x87));
    assert_eq!(station.as_certificate(None, None).await, Some(0x87), "one without may come, by a password");

    let names = vec![
        SanType::URI("urn:device:7".try_into().unwrap()),
        SanType::Rfc822Name("paul".try_into().unwrap()),
        SanType::DnsName("root".try_into().unwrap()),
    ];
    let many = plant.sign(names, "nobody", ExtendedKeyUsagePurpose::ClientAuth, 2090);
    assert_eq!(
        station.as_certificate(Some(&many), Some("paul")).await,
        Some(0),
        "the first that is a username"
    );

    // What is not this authority's, not for clients or over does not even come through TLS.
    let stranger = Signer::new("plant").client("paul");
    assert_eq!(station.as_certificate(Some(&stranger), None).await, None);
    let over = plant.sign(Vec::new(), "paul", ExtendedKeyUsagePurpose::ClientAuth, 2025);
    assert_eq!(station.as_certificate(Some(&over), None).await, None);
    let server = plant.sign(Vec::new(), "paul", ExtendedKeyUsagePurpose::ServerAuth, 2090);
    assert_eq!(station.as_certificate(Some(&server), None).await, None);

    // The role is the account's: a publisher may not subscribe.
    let mut stream =
        dial(station.running.mqtt_tls, "localhost", tls(&station.ca(), Some(&paul), &TLS12)).await.unwrap();
    assert_eq!(asked(&mut stream, &connect("c", None, None)).await, Some(0));
    stream.write_all(b"\x82\x07\0\x01\0\0\x01t\x00").await.unwrap();
    let mut suback = [0; 2];
    stream.read_exact(&mut suback).await.unwrap();
    let mut rest = vec![0; suback[1].into()];
    stream.read_exact(&mut rest).await.unwrap();
    assert_eq!((suback[0], rest.last()), (0x90, Some(&0x87)));
}

#[tokio::test]
async fn a_certificate_that_was_taken_back_does_not_come_in_from_the_next_reading_on() {
    let (plant, depot) = (Signer::new("plant"), Signer::new("depot"));
    let (first, second, other) = (plant.client("paul"), plant.client("paul"), depot.client("paul"));
    let (authorities, list) = (format!("{}{}", plant.pem, depot.pem), plant.takes_back(2021, &[&first]));
    let server = plant.server("plant.example");
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "crl.pem", &list);
    let listed = path.clone();
    let certificate = file(dir.path(), "cert.pem", &server.certificate);
    let key = file(dir.path(), "key.pem", &server.key);
    let station = start_with(move |config| {
        config.certificates.client_ca = Some(file(config.data.root(), "client-ca.pem", &authorities));
        config.certificates.client_crl = Some(listed.clone());
        config.certificates.certificate = Some(certificate.clone());
        config.certificates.key = Some(key.clone());
    })
    .await;
    station.member("paul", "publisher").await;
    assert_eq!(
        station.as_certificate(Some(&first), None).await,
        None,
        "taken back, by a list that is overdue"
    );
    assert_eq!(station.as_certificate(Some(&second), None).await, Some(0));
    assert_eq!(station.as_certificate(Some(&other), None).await, None, "its authority has no list");

    // The newer list counts wherever it stands, also where the server's own certificate is at fault.
    file(dir.path(), "cert.pem", "cut off");
    let newer = plant.takes_back(2022, &[&first, &second]);
    file(dir.path(), "crl.pem", &format!("{list}{newer}{}", depot.takes_back(2021, &[])));
    hang_up().await;
    let reread = async {
        while station.as_certificate(Some(&second), None).await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reread).await.expect("the second is taken back too");
    assert_eq!(station.as_certificate(Some(&other), None).await, Some(0));
    // A list that cannot be read takes nothing back that it took.
    std::fs::write(&path, "cut off").unwrap();
    hang_up().await;
    assert_eq!(station.as_certificate(Some(&first), None).await, None);
    assert_eq!(station.as_certificate(Some(&other), None).await, Some(0));
}

#[tokio::test]
async fn where_client_certificates_are_required_nobody_comes_without() {
    let plant = Signer::new("plant");
    let ca = plant.pem.clone();
    let station = start_with(move |config| {
        config.certificates.client_ca = Some(file(config.data.root(), "client-ca.pem", &ca));
        config.certificates.require_client_certificate = true;
        config.anonymous = Some("subscriber".into());
    })
    .await;
    station.member("paul", "publisher").await;
    assert_eq!(station.as_certificate(None, None).await, None);
    assert_eq!(station.as_certificate(Some(&plant.client("paul")), None).await, Some(0));
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_shown_for_its_names_and_exchanged_while_the_station_runs() {
    let (first, second) = (Signer::new("first"), Signer::new("second"));
    let signed = first.server("plant.example");
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "cert.pem", &signed.certificate);
    let key = file(dir.path(), "key.pem", &signed.key);
    let files = (path.clone(), key.clone());
    let station = start_with(move |config| {
        config.certificates.certificate = Some(files.0.clone());
        config.certificates.key = Some(files.1.clone());
    })
    .await;
    let own = station.ca();
    assert!(station.shows("plant.example", first.pem.as_bytes()).await);
    assert!(station.shows("localhost", &own).await, "the station's own to who asks for another name");
    assert!(station.shows(TLS_NAME, &own).await, "and to the app");
    // The API never changes.
    assert!(dial(station.running.api, "localhost", tls(&own, None, &TLS13)).await.is_ok());

    let config = tls(first.pem.as_bytes(), None, &TLS13);
    let mut live = dial(station.running.mqtt_tls, "plant.example", config).await.unwrap();
    let paul = station.member("paul", "publisher").await;
    let hello = connect("c", Some("paul"), Some(paul.mqtt_token.reveal()));
    assert_eq!(asked(&mut live, &hello).await, Some(0));

    // A key that does not belong to the certificate changes nothing; a pair that fits does.
    let renewed = second.server("plant.example");
    file(dir.path(), "cert.pem", &renewed.certificate);
    hang_up().await;
    assert!(station.shows("plant.example", first.pem.as_bytes()).await, "the old one stays");
    file(dir.path(), "key.pem", &renewed.key);
    hang_up().await;
    let shown = async {
        while !station.shows("plant.example", second.pem.as_bytes()).await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, shown).await.expect("the new certificate");
    live.write_all(&[0xC0, 0]).await.unwrap();
    let mut pong = [0; 2];
    timeout(PATIENCE, live.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(pong, [0xD0, 0], "who was connected goes on");
    station.end().await;
}

/// SIGHUP to this process, in which the station runs.
async fn hang_up() {
    let id = std::process::id().to_string();
    let sent = tokio::process::Command::new("kill").args(["-HUP", &id]).status().await.unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn what_cannot_be_used_keeps_a_station_from_starting_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Signer::new("plant");
    let (signed, other) = (plant.server("plant.example"), plant.server("plant.example"));
    let over = plant.sign(Vec::new(), "x", ExtendedKeyUsagePurpose::ServerAuth, 2025);
    let write = |name: &str, content: &str| Some(file(dir.path(), name, content));
    let refused_with = async |change: &dyn Fn(&mut Config)| {
        let mut config = config(&dir);
        change(&mut config);
        refused(config).await.to_string()
    };
    let error = refused_with(&|config| {
        config.certificates.certificate = write("cert.pem", &signed.certificate);
        config.certificates.key = write("key.pem", &other.key);
    })
    .await;
    assert!(error.contains("key.pem cannot be used"));
    let error = refused_with(&|config| {
        config.certificates.certificate = write("cert.pem", &over.certificate);
        config.certificates.key = write("key.pem", &over.key);
    })
    .await;
    assert!(error.contains("it ended on"));
    let error =
        refused_with(&|config| config.certificates.certificate = write("cert.pem", &signed.certificate))
            .await;
    assert!(error.contains("--key"));
    let error =
        refused_with(&|config| config.certificates.client_ca = write("ca.pem", "not a certificate")).await;
    assert!(error.contains("it holds no certificate"));
    let error = refused_with(&|config| {
        config.certificates.client_ca = write("ca.pem", &plant.pem);
        config.certificates.client_crl = write("crl.pem", &plant.pem);
    })
    .await;
    assert!(
        error.contains("crl.pem cannot be used") && error.contains("it holds no revocation list"),
        "{error}"
    );
    let list = plant.takes_back(2021, &[]);
    let error = refused_with(&|config| config.certificates.client_crl = write("crl.pem", &list)).await;
    assert!(error.contains("--client-ca"), "{error}");
    let error = refused_with(&|config| config.certificates.require_client_certificate = true).await;
    assert!(error.contains("--client-ca"));

    for plain in [true, false] {
        let mut config = config(&dir);
        let anywhere = Some("0.0.0.0:0".parse().unwrap());
        if plain {
            config.plain = anywhere;
        } else {
            config.websocket = anywhere;
        }
        assert!(matches!(refused(config).await, StationError::PlainBeyondLoopback(_)));
    }
}

#[tokio::test]
async fn plain_mqtt_goes_beyond_loopback_only_if_the_station_was_told_so() {
    let station = start_with(|config| {
        config.plain = Some("0.0.0.0:0".parse().unwrap());
        config.plain_beyond_loopback = true;
    })
    .await;
    let port = station.running.plain.unwrap().port();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert_eq!(asked(&mut stream, &connect("c", None, None)).await, Some(0x87));
}

#[tokio::test]
async fn web_sockets_are_as_open_as_what_is_beneath_them() {
    let station = start_with(|config| {
        config.websocket = local();
        config.websocket_tls = local();
        config.anonymous = Some("subscriber".into());
    })
    .await;
    let paul = station.member("paul", "publisher").await;
    let request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n";
    let login = connect("c", Some("paul"), Some(paul.mqtt_token.reveal()));

    let mut plain = TcpStream::connect(station.running.websocket.unwrap()).await.unwrap();
    assert_eq!(over_websocket(&mut plain, request, "", &login).await, Some(0x87), "no login's token here");
    let mut plain = TcpStream::connect(station.running.websocket.unwrap()).await.unwrap();
    assert_eq!(
        over_websocket(&mut plain, request, "", &connect("c", None, None)).await,
        Some(0),
        "but a guest"
    );
    let mut plain = TcpStream::connect(station.running.websocket.unwrap()).await.unwrap();
    let origin = "Origin: https://evil.example\r\n";
    assert_eq!(over_websocket(&mut plain, request, origin, &connect("c", None, None)).await, None);

    let secure = async || {
        dial(station.running.websocket_tls.unwrap(), "localhost", tls(&station.ca(), None, &TLS13))
            .await
            .unwrap()
    };
    assert_eq!(over_websocket(&mut secure().await, request, "", &login).await, Some(0));
    let same = "Origin: https://localhost:8443\r\n";
    assert_eq!(over_websocket(&mut secure().await, request, same, &login).await, Some(0));
    assert_eq!(over_websocket(&mut secure().await, request, origin, &login).await, None);
}

/// CONNECT in one frame after the upgrade; the CONNACK's code, none where the upgrade is refused.
async fn over_websocket(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
    more: &str,
    connect: &[u8],
) -> Option<u8> {
    stream.write_all(format!("{request}{more}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").ok()?);
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return None;
    }
    let mut frame = vec![0x82];
    match u8::try_from(connect.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        _ => frame.extend([&[0x80 | 126][..], &(connect.len() as u16).to_be_bytes()].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(connect);
    stream.write_all(&frame).await.unwrap();
    let mut head = [0; 2];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(head[0], 0x82);
    let mut connack = vec![0; head[1].into()];
    timeout(PATIENCE, stream.read_exact(&mut connack)).await.unwrap().unwrap();
    Some(connack[3])
}

/// What the interoperability tests of Eclipse Paho expect of a broker.
const PACK: &str = r#"
first_account = "admin"
sign_up = ["guest"]
[[role]]
name = "admin"
admin = true
rules = ["allow both #"]
[[role]]
name = "guest"
rules = ["allow both #", "deny subscribe test/nosubscribe", "deny publish test/nopublish"]
"#;

#[tokio::test]
async fn a_role_can_deny_single_filters_and_clients_of_every_version_are_told() {
    let station = start_with(|config| {
        config.plain = local();
        config.anonymous = Some("guest".into());
        let users = config.data.users().unwrap();
        std::fs::create_dir_all(&users).unwrap();
        file(&users, "interop.toml", PACK);
    })
    .await;
    let plain = station.running.plain.unwrap();
    let mut new = TcpStream::connect(plain).await.unwrap();
    assert_eq!(asked(&mut new, &connect("five", None, None)).await, Some(0));
    let mut old = TcpStream::connect(plain).await.unwrap();
    old.write_all(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04four").await.unwrap();
    let mut connack = [0; 4];
    old.read_exact(&mut connack).await.unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0]);

    /// One packet: its first byte and its body.
    async fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
        let mut body = vec![0; head[1].into()];
        stream.read_exact(&mut body).await.unwrap();
        (head[0], body)
    }
    let filters = [&text("test/nosubscribe")[..], &[1], &text("test/#"), &[1]].concat();
    let body = [&[0, 1, 0][..], &filters].concat();
    new.write_all(&[&[0x82, body.len() as u8][..], &body].concat()).await.unwrap();
    let (kind, body) = packet(&mut new).await;
    assert_eq!((kind, &body[body.len() - 2..]), (0x90, &[0x87, 1][..]));
    let body = [&[0, 1][..], &filters].concat();
    old.write_all(&[&[0x82, body.len() as u8][..], &body].concat()).await.unwrap();
    let (kind, body) = packet(&mut old).await;
    assert_eq!((kind, &body[2..]), (0x90, &[0x80, 1][..]));

    let body = [&text("test/nopublish")[..], &[0, 9, 0], b"x"].concat();
    new.write_all(&[&[0x32, body.len() as u8][..], &body].concat()).await.unwrap();
    let (kind, body) = packet(&mut new).await;
    assert_eq!((kind, &body[..3]), (0x40, &[0, 9, 0x87][..]));
    let body = [&text("test/nopublish")[..], &[0, 9], b"x"].concat();
    old.write_all(&[&[0x32, body.len() as u8][..], &body].concat()).await.unwrap();
    assert_eq!(packet(&mut old).await, (0x40, vec![0, 9]), "acknowledged, and given to nobody");
    old.write_all(&[0xC0, 0]).await.unwrap();
    assert_eq!(packet(&mut old).await.0, 0xD0);
}

#[tokio::test]
async fn the_settings_bind_the_broker() {
    let station = start_with(|config| {
        config.plain = local();
        config.anonymous = Some("subscriber".into());
        config.limits.max_connections = 1;
    })
    .await;
    let plain = station.running.plain.unwrap();
    let mut first = TcpStream::connect(plain).await.unwrap();
    assert_eq!(asked(&mut first, &connect("a", None, None)).await, Some(0));
    let mut second = TcpStream::connect(plain).await.unwrap();
    assert_eq!(asked(&mut second, &connect("b", None, None)).await, Some(0x89));
}
