//! The station seen from outside: metrics, the list of sessions, kicks, and accounts that are removed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rumqttc::{
    TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, MqttOptions, StateError,
        mqttbytes::{
            QoS,
            v5::{ConnectReturnCode, DisconnectReasonCode, Packet},
        },
    },
};
use sealwire::{
    api::{ProblemCode::*, *},
    station::StationError,
};
use tokio::net::TcpStream;

use crate::harness::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn admin(station: &Station) -> SessionGrant {
    *station.sign_up("root", "").await.unwrap().session.unwrap()
}

/// A client over TLS whose events the test polls.
struct Client {
    client: AsyncClient,
    events: rumqttc::v5::EventLoop,
}

async fn connect(
    station: &Station,
    id: &str,
    name: &str,
    token: &Confidential,
) -> Result<Client, ConnectReturnCode> {
    let mut options = MqttOptions::new(id, "localhost", station.running.mqtt_tls.port());
    options
        .set_credentials(name, token.reveal())
        .set_clean_start(false)
        .set_session_expiry_interval(Some(3600));
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(station.tls()))));
    let (client, mut events) = AsyncClient::new(options, 16);
    match tokio::time::timeout(PATIENCE, events.poll()).await.expect("an answer to CONNECT") {
        Ok(Event::Incoming(Packet::ConnAck(_))) => Ok(Client { client, events }),
        Err(ConnectionError::ConnectionRefused(code)) => Err(code),
        other => panic!("{other:?}"),
    }
}

impl Client {
    async fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        while !matches!(self.next().await, Ok(Event::Incoming(Packet::SubAck(_)))) {}
    }

    async fn next(&mut self) -> Result<Event, ConnectionError> {
        tokio::time::timeout(PATIENCE, self.events.poll()).await.expect("something happens")
    }

    /// The DISCONNECT that ends it.
    async fn end(mut self) -> (DisconnectReasonCode, Option<String>) {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(ConnectionError::MqttState(StateError::ServerDisconnect {
                    reason_code,
                    reason_string,
                })) => {
                    return (reason_code, reason_string);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

async fn sessions(station: &Station, token: &Confidential, query: &str) -> Result<SessionList, Problem> {
    station.ask("GET", &format!("sessions{query}"), Some(token), ()).await
}

async fn get(station: &Station, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Request::builder().uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    station.send(request.body(Full::<Bytes>::from(Bytes::new())).unwrap()).await
}

#[tokio::test]
async fn metrics_are_told_to_an_admin_and_to_a_scraper_and_to_nobody_else() {
    let station = start().await;
    let root = admin(&station).await;
    let paul = station.member("paul", "publisher").await;
    let file = station.path("keys/metrics.token");
    let token = std::fs::read_to_string(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    }
    for (token, status) in [
        (None, 401),
        (Some(""), 401),
        (Some("x"), 401),
        (Some(&token[1..]), 401),
        (Some(paul.api_token.reveal()), 403),
        (Some(root.mqtt_token.reveal()), 401),
        (Some(root.api_token.reveal()), 200),
        (Some(token.as_str()), 200),
    ] {
        let (got, text) = get(&station, "/metrics", token).await;
        assert_eq!(got, status, "{text}");
        assert_eq!(status == 200, text.contains("sealwire_build_info{version=\""), "{text}");
    }
    // The scrape token opens nothing else, and stays the same.
    assert_eq!(code(sessions(&station, &token.as_str().into(), "").await), SessionOver);
    let station = station.restart().await;
    assert_eq!(get(&station, "/metrics", Some(&token)).await.0, 200);
}

#[tokio::test]
async fn the_plain_metrics_count_what_happens_and_are_for_this_computer_alone() {
    let station = start_with(|config| config.metrics = Some(([127, 0, 0, 1], 0).into())).await;
    let root = admin(&station).await;
    let mut client = connect(&station, "desk", "root", &root.mqtt_token).await.unwrap();
    client.subscribe("t").await;
    client.client.publish("t", QoS::AtLeastOnce, true, "12345").await.unwrap();
    while !matches!(client.next().await, Ok(Event::Incoming(Packet::PubAck(_)))) {}
    let at = station.running.metrics.unwrap();
    let (status, text) = plain(at, "/metrics", &at.to_string()).await;
    assert_eq!(status, 200);
    for line in [
        "# TYPE sealwire_connections gauge",
        "sealwire_connections 1",
        "sealwire_connections_by{protocol=\"MQTT 5\",transport=\"TLS\"} 1",
        "sealwire_publish_received_total{qos=\"1\"} 1",
        "sealwire_publish_received_bytes_total 5",
        "sealwire_retained_bytes 6",
        "sealwire_journal_failures_total 0",
        "sealwire_journal_failing 0",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    let batches = text.lines().find_map(|line| line.strip_prefix("sealwire_journal_commit_seconds_count "));
    assert!(batches.unwrap().parse::<u64>().unwrap() > 0);
    #[cfg(target_os = "linux")]
    assert!(text.contains("process_resident_memory_bytes"));
    assert_eq!(plain(at, "/metrics", &format!("localhost:{}", at.port())).await.0, 200);
    assert_eq!(plain(at, "/metrics", "evil.example").await.0, 403);
    assert_eq!(plain(at, "/api/v1/station", &at.to_string()).await.0, 404);

    let dir = tempfile::tempdir().unwrap();
    let far = sealwire::station::Config { metrics: Some(([0, 0, 0, 0], 0).into()), ..config(&dir) };
    assert!(matches!(refused(far).await, StationError::MetricsBeyondLoopback(_)));
}

async fn plain(at: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request =
        Request::builder().uri(path).header(header::HOST, host).body(Full::<Bytes>::from(Bytes::new()));
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_admin_sees_the_sessions_and_ends_them_and_nobody_else_does() {
    let station = start().await;
    let root = admin(&station).await;
    let paul = station.member("paul", "publisher").await;
    let mut desk = connect(&station, "desk", "root", &root.mqtt_token).await.unwrap();
    desk.subscribe("t").await;
    let press = connect(&station, "press/7", "paul", &paul.mqtt_token).await.unwrap();

    assert_eq!(code(sessions(&station, &paul.api_token, "").await), Forbidden);
    assert_eq!(code(station.ask::<()>("DELETE", "sessions/1", Some(&paul.api_token), ()).await), Forbidden);
    let all = sessions(&station, &root.api_token, "").await.unwrap();
    assert_eq!(all.total, 2);
    let shown: Vec<_> = all.sessions.iter().map(|it| (&*it.account, &*it.client_id)).collect();
    assert_eq!(shown, [("paul", "press/7"), ("root", "desk")]);
    let of_paul = &all.sessions[0];
    let connection = of_paul.connection.as_ref().unwrap();
    assert_eq!((connection.protocol.as_str(), connection.transport.as_str()), ("MQTT 5", "TLS"));
    assert!(connection.address.starts_with("127.0.0.1:"));
    assert_eq!((of_paul.role.as_str(), of_paul.expiry_s), ("publisher", 3600));
    assert_eq!(all.sessions[1].subscriptions, 1);

    let part = sessions(&station, &root.api_token, "?from=1&limit=1").await.unwrap();
    assert_eq!((part.total, part.sessions.len(), &*part.sessions[0].client_id), (2, 1, "desk"));
    let found = sessions(&station, &root.api_token, "?find=PRESS%2F").await.unwrap();
    assert_eq!((found.total, &*found.sessions[0].account), (1, "paul"));
    assert_eq!(sessions(&station, &root.api_token, "?account=root").await.unwrap().total, 1);
    assert_eq!(code(sessions(&station, &root.api_token, "?from=x").await), Malformed);

    let id = of_paul.id;
    let end = |query: &'static str| {
        let (station, token) = (&station, root.api_token.clone());
        async move { station.ask::<()>("DELETE", &format!("sessions/{id}{query}"), Some(&token), ()).await }
    };
    end("").await.unwrap();
    let (reason, text) = press.end().await;
    assert_eq!(reason, DisconnectReasonCode::AdministrativeAction);
    assert!(text.unwrap().contains("root"));
    let away = loop {
        let of_paul = sessions(&station, &root.api_token, "?account=paul").await.unwrap().sessions.remove(0);
        if of_paul.connection.is_none() {
            break of_paul;
        }
    };
    assert!(away.away_since_ms.is_some() && away.expiry_s <= 3600);
    end("?forget=true").await.unwrap();
    assert_eq!(sessions(&station, &root.api_token, "?account=paul").await.unwrap().total, 0);
    assert_eq!(code(end("").await), NotFound);
    let token = Some(&root.api_token);
    assert_eq!(code(station.ask::<()>("DELETE", "sessions/x", token, ()).await), NotFound);
    let odd = station.ask::<()>("DELETE", &format!("sessions/{id}?forget=perhaps"), token, ()).await;
    assert_eq!(code(odd), Malformed);

    let (dir, _) = station.end().await;
    let trail = std::fs::read_to_string(dir.path().join("logs/station_audit.log")).unwrap();
    assert!(trail.contains("connection ended") && trail.contains("session removed"), "{trail}");
    assert!(trail.contains("press/7 of paul"));
}

#[tokio::test]
async fn a_removed_account_is_gone_at_once_and_the_last_admin_stays() {
    let station = start().await;
    let root = admin(&station).await;
    let paul = station.member("paul", "publisher").await;
    let token = Some(&paul.api_token);
    let device: DeviceCredential =
        station.ask("POST", "devices", token, NewDevice { label: "press".into() }).await.unwrap();
    let client = connect(&station, "press", "paul", &device.password).await.unwrap();
    let remove = |token: &Confidential, name: &'static str| {
        let (station, token) = (&station, token.clone());
        async move { station.ask::<()>("DELETE", &format!("accounts/{name}"), Some(&token), ()).await }
    };
    assert_eq!(code(remove(&paul.api_token, "root").await), Forbidden);
    assert_eq!(code(remove(&root.api_token, "root").await), Forbidden, "the last admin");
    assert_eq!(code(remove(&root.api_token, "nobody").await), NotFound);
    remove(&root.api_token, "paul").await.unwrap();
    assert_eq!(client.end().await.0, DisconnectReasonCode::AdministrativeAction);
    assert!(!station.is_on(&paul).await);
    assert_eq!(code(station.log_in("paul", None).await), WrongCredentials);
    let refused = connect(&station, "press", "paul", &device.password).await.err();
    assert_eq!(refused, Some(ConnectReturnCode::BadUserNamePassword));
    assert_eq!(sessions(&station, &root.api_token, "?account=paul").await.unwrap().total, 0);
    assert_eq!(code(remove(&root.api_token, "paul").await), NotFound);
    // The name is free, and what was the other's is not this one's.
    let again = station.member("paul", "subscriber").await;
    let devices: Vec<Device> = station.ask("GET", "devices", Some(&again.api_token), ()).await.unwrap();
    assert!(devices.is_empty());
    // Another admin may go, and then nobody can take the last one.
    let role = SetRole { role: "admin".into() };
    station.ask::<()>("PUT", "accounts/paul/role", Some(&root.api_token), role).await.unwrap();
    remove(&root.api_token, "root").await.unwrap();
    assert!(!station.is_on(&root).await);
    assert_eq!(code(remove(&again.api_token, "paul").await), Forbidden);
    let (dir, _) = station.end().await;
    let trail = std::fs::read_to_string(dir.path().join("logs/station_audit.log")).unwrap();
    assert!(trail.contains("account removed") && trail.contains("paul is gone"), "{trail}");
}

#[tokio::test]
async fn an_admin_watches_the_broker_by_its_topics_and_a_subscriber_does_not() {
    let station = start().await;
    let root = admin(&station).await;
    let mut desk = connect(&station, "desk", "root", &root.mqtt_token).await.unwrap();
    desk.client.subscribe("$SYS/broker/clients/#", QoS::AtMostOnce).await.unwrap();
    loop {
        if let Event::Incoming(Packet::Publish(publish)) = desk.next().await.unwrap() {
            assert!(publish.retain);
            if &publish.topic[..] == b"$SYS/broker/clients/connected" {
                assert_eq!(&publish.payload[..], b"1");
                break;
            }
        }
    }
    let paul = station.member("paul", "subscriber").await;
    let mut other = connect(&station, "other", "paul", &paul.mqtt_token).await.unwrap();
    other.client.subscribe("$SYS/#", QoS::AtMostOnce).await.unwrap();
    loop {
        match other.next().await.unwrap() {
            Event::Incoming(Packet::SubAck(ack)) => {
                assert_ne!(format!("{:?}", ack.return_codes[0]), "Success(AtMostOnce)");
                break;
            }
            Event::Incoming(Packet::Publish(publish)) => panic!("{publish:?}"),
            _ => {}
        }
    }
}
