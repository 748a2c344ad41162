//! Clients that others wrote, and TLS.

use std::{process::Stdio, sync::Arc, time::Duration};

#[cfg(feature = "client")]
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use sealwire::broker::{Broker, Forgetful, Limits, Transport};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    time::timeout,
};

use crate::harness::{Log, PATIENCE, Rules, house};

#[cfg(feature = "client")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rumqttc_publishes_and_subscribes() {
    let house = house().await;
    let mut options = MqttOptions::new("rumqttc", "127.0.0.1", house.address.port());
    options.set_keep_alive(Duration::from_secs(5)).set_credentials("ann", "secret");
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("plant/#", QoS::AtLeastOnce).await.unwrap();
    client.publish("plant/press", QoS::AtLeastOnce, false, "on").await.unwrap();
    let heard = async {
        loop {
            if let Event::Incoming(Packet::Publish(publish)) = events.poll().await.unwrap() {
                return publish;
            }
        }
    };
    let publish = timeout(PATIENCE, heard).await.unwrap();
    assert_eq!((&publish.topic[..], &publish.payload[..]), ("plant/press", &b"on"[..]));
    assert!(!house.log.has(&["secret"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_carries_the_same_protocol() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let log = Arc::<Log>::default();
    let broker =
        Broker::new(Limits::default(), Arc::<Rules>::default(), log.clone(), Arc::new(Forgetful)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = broker.clone();
    let served = tokio::spawn(async move { serving.serve_tls(listener, Arc::new(server)).await });

    // Plain MQTT to the TLS port ends its own connection.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(&[0x20]), "no CONNACK");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    // CONNECT, SUBSCRIBE to t, PUBLISH to t, DISCONNECT.
    stream.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x").await.unwrap();
    stream.write_all(b"\x82\x06\0\x01\0\x01t\x00\x30\x05\0\x01thi\xC0\0").await.unwrap();
    let wanted = b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x05\0\x01thi\xD0\0";
    let mut got = vec![0; wanted.len()];
    timeout(PATIENCE, stream.read_exact(&mut got)).await.unwrap().unwrap();
    got.sort_unstable();
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    assert_eq!(got, sorted, "CONNACK, SUBACK, the message and PINGRESP");
    assert!(log.has(&["Connected", &format!("{:?}", Transport::Tls)]));
    broker.shutdown().await;
    served.await.unwrap().unwrap();
}

async fn mosquitto(version: &str, port: u16) {
    let port = port.to_string();
    let shared = ["-h", "127.0.0.1", "-p", &port, "-V", version, "-u", "ann", "-P", "secret", "-q", "1"];
    let publish = async |more: &[&str]| {
        let mut command = Command::new("mosquitto_pub");
        let done = command.args(shared).args(more).output().await.expect("mosquitto_pub is installed");
        assert!(done.status.success(), "{version}: {}", String::from_utf8_lossy(&done.stderr));
    };
    publish(&["-t", "kept/state", "-m", "retained", "-r"]).await;
    let mut command = Command::new("mosquitto_sub");
    command.args(shared).args(["-t", "kept/#", "-t", "live/+", "-C", "4", "-F", "%r %t %p"]);
    let mut reader = command.stdout(Stdio::piped()).spawn().expect("mosquitto_sub is installed");
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "1 kept/state retained");
    let large = "x".repeat(200_000);
    publish(&["-t", "live/a", "-m", "one"]).await;
    publish(&["-t", "live/b", "-m", &large[..100_000]]).await;
    publish(&["-t", "kept/state", "-r", "-n"]).await;
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "0 live/a one");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), format!("0 live/b {}", &large[..100_000]));
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "0 kept/state ");
    assert!(reader.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto_pub and mosquitto_sub on the path"]
async fn mosquittos_clients_publish_and_subscribe_in_every_version() {
    let house = house().await;
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        timeout(3 * PATIENCE, mosquitto(version, house.address.port())).await.unwrap();
    }
    assert!(!house.log.has(&["ProtocolError"]), "{:#?}", house.log.0.lock());
}
