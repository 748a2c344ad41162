//! A broker that is not ours behind the station's name: TLS with the station's certificate in front of Debian's
//! mosquitto, and a say in what passes between them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{Person, Station},
    mosquitto::Mosquitto,
};

pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum From {
    Client,
    Broker,
}

/// What happens to the next packet of a type from one side; once.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) from: From,
    pub(crate) packet: u8,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// It does not pass, and the connection breaks.
    Cut,
    /// It passes as an acknowledgement with this reason code.
    Reason(u8),
}

/// See the module.
pub(crate) struct Front {
    pub(crate) api: SocketAddr,
    rules: Arc<Mutex<Vec<Rule>>>,
    _mosquitto: Mosquitto,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    /// At 127.0.0.2 with the station's own ports: the API goes on to the station, MQTT to mosquitto.
    pub(crate) fn to(station: &Station) -> Self {
        let mosquitto = Mosquitto::open();
        let free = mosquitto.address();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let rules = Arc::new(Mutex::new(Vec::new()));
        let near = |far: SocketAddr| SocketAddr::from(([127, 0, 0, 2], far.port()));
        let (api, mqtt) = (station.running.api, station.running.mqtt_tls);
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(certificate(station)));
        let (shared, listen) = (Arc::clone(&rules), runtime.block_on(TcpListener::bind(near(mqtt))).unwrap());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listen.accept().await {
                let (tls, rules) = (tls.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let (Ok(client), Ok(broker)) = (tls.accept(stream).await, TcpStream::connect(free).await)
                    else {
                        return;
                    };
                    let (from_client, to_client) = tokio::io::split(client);
                    let (from_broker, to_broker) = broker.into_split();
                    // Where one way ends, both do.
                    tokio::select! {
                        () = pass(from_client, to_broker, From::Client, &rules) => {}
                        () = pass(from_broker, to_client, From::Broker, &rules) => {}
                    }
                });
            }
        });
        let listen = runtime.block_on(TcpListener::bind(near(api))).unwrap();
        runtime.spawn(async move {
            while let Ok((mut stream, _)) = listen.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut onward) = TcpStream::connect(api).await {
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
                    }
                });
            }
        });
        Self { api: near(api), rules, _mosquitto: mosquitto, _runtime: runtime }
    }

    pub(crate) fn next(&self, from: From, packet: u8, what: What) {
        self.rules.lock().unwrap().push(Rule { from, packet, what });
    }

    /// Whether all that was to happen has.
    pub(crate) fn is_done(&self) -> bool {
        self.rules.lock().unwrap().is_empty()
    }

    /// Somebody who has an account at the station, here.
    pub(crate) fn enter(&self, station: &Station, person: Person, name: &str) -> Person {
        let computer = person.computer.clone();
        drop(person);
        let mut person = computer.window();
        person.open_at(station, self.api);
        person.ask_log_in(name, crate::harness::PASSWORD);
        person.logged_in();
        person.online();
        person
    }
}

fn certificate(station: &Station) -> ServerConfig {
    let keys = station.dir.path().join("keys");
    let chain = ["station-tls.pem", "station-ca.pem"]
        .map(|name| CertificateDer::from_pem_file(keys.join(name)).unwrap())
        .to_vec();
    let key = PrivateKeyDer::from_pem_file(keys.join("station-tls.key")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

/// Packet by packet, until one side ends or a rule says so.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    side: From,
    rules: &Mutex<Vec<Rule>>,
) {
    while let Some(mut packet) = read(&mut from).await {
        let rule = {
            let mut rules = rules.lock().unwrap();
            let at = rules.iter().position(|rule| rule.from == side && rule.packet == packet[0] >> 4);
            at.map(|at| rules.remove(at))
        };
        match rule.map(|rule| rule.what) {
            Some(What::Cut) => return,
            // Remaining length, packet id, reason; no properties.
            Some(What::Reason(reason)) => packet = vec![packet[0], 3, packet[2], packet[3], reason],
            None => {}
        }
        if to.write_all(&packet).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// One packet, whole.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut packet = vec![from.read_u8().await.ok()?];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = from.read_u8().await.ok()?;
        packet.push(byte);
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let begin = packet.len();
    packet.resize(begin + length, 0);
    from.read_exact(&mut packet[begin..]).await.ok()?;
    Some(packet)
}
