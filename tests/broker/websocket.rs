//! MQTT over WebSocket: a client of another's make, and frames by hand.

use std::{net::TcpStream, sync::Arc};

use sealwire::broker::{Limit, Limits, Origins, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    client::{IntoClientRequest, client},
    http::{HeaderValue, header},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::harness::{House, PATIENCE, house_with};

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x";
const CONNACK: &[u8] = b"\x20\x02\0\0";
const PING: &[u8] = &[0xC0, 0];
const PONG: &[u8] = &[0xD0, 0];
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A house whose address speaks WebSocket.
async fn house(limits: Limits, origins: &[&str]) -> House {
    let mut house = house_with(limits).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    house.address = listener.local_addr().unwrap();
    let listed: Vec<_> = origins.iter().map(ToString::to_string).collect();
    let serving = house.broker.clone();
    tokio::spawn(
        async move { serving.serve_websocket(listener, None, Origins::new(&listed)).await.unwrap() },
    );
    house
}

/// Another's client, which waits.
fn dial(house: &House, path: &str, protocol: &'static str) -> WebSocket<TcpStream> {
    let mut request = format!("ws://{}{path}", house.address).into_client_request().unwrap();
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    let socket = TcpStream::connect(house.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (client, response) = client(request, socket).unwrap();
    let chosen = response.headers()[header::SEC_WEBSOCKET_PROTOCOL].to_str().unwrap();
    assert!(protocol.split(", ").any(|offered| offered == chosen), "{chosen}");
    client
}

fn binary(message: Message) -> Vec<u8> {
    match message {
        Message::Binary(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// What is left to read of a client's binary messages, until there is that much.
fn collect(client: &mut WebSocket<TcpStream>, length: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < length {
        got.extend(binary(client.read().unwrap()));
    }
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_make_publishes_and_subscribes_with_pings_and_a_goodbye() {
    let house = house(Limits::default(), &[]).await;
    tokio::task::block_in_place(|| {
        let mut client = dial(&house, "/mqtt", "mqtt");
        client.send(Message::binary(CONNECT)).unwrap();
        assert_eq!(binary(client.read().unwrap()), CONNACK);
        client.send(Message::binary(&b"\x82\x06\0\x01\0\x01t\x00"[..])).unwrap();
        assert_eq!(binary(client.read().unwrap()), b"\x90\x03\0\x01\0");
        client.send(Message::Ping("are you there".into())).unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong("are you there".into()));

        // Far more than one frame of ours, and than what is read at once.
        let payload: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
        let mut publish = vec![0x30];
        let mut length = payload.len() + 3;
        while length > 0 {
            publish.push((length % 128) as u8 | if length >= 128 { 0x80 } else { 0 });
            length /= 128;
        }
        publish.extend(b"\0\x01t");
        publish.extend(&payload);
        client.send(Message::binary(publish.clone())).unwrap();
        assert!(collect(&mut client, publish.len()) == publish, "it comes back as it was sent");

        client.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).unwrap();
        assert!(
            matches!(client.read().unwrap(), Message::Close(Some(frame)) if frame.code == CloseCode::Normal)
        );
    });
    house.log.until(&["Disconnected"]).await;
    assert!(house.log.has(&["Connected", &format!("{:?}", Transport::WebSocket)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_name_and_the_root_path_are_taken_too() {
    let house = house(Limits::default(), &[]).await;
    tokio::task::block_in_place(|| {
        for (path, protocol) in [("/", "mqtt"), ("/mqtt", "mqttv3.1"), ("/mqtt", "other, mqtt")] {
            let mut client = dial(&house, path, protocol);
            client.send(Message::binary(CONNECT)).unwrap();
            assert_eq!(binary(client.read().unwrap()), CONNACK);
        }
    });
}

/// A socket after the upgrade, and frames by hand.
struct Raw(tokio::net::TcpStream);

impl Raw {
    async fn ask(house: &House, request: &str) -> (Self, String) {
        let mut socket = tokio::net::TcpStream::connect(house.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, socket.read_u8()).await.expect("an answer");
            match byte {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
        (Self(socket), String::from_utf8(answer).unwrap())
    }

    async fn upgraded(house: &House) -> Self {
        let request =
            format!("GET /mqtt HTTP/1.1\r\nHost: x\r\n{UPGRADE}Sec-WebSocket-Protocol: mqtt\r\n\r\n");
        let (raw, answer) = Self::ask(house, &request).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the key of RFC 6455, 1.3");
        raw
    }

    /// A masked frame; `first` is its first byte.
    async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![first, 0x80 | payload.len() as u8];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        self.0.write_all(&frame).await.unwrap();
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        timeout(PATIENCE, self.0.read_exact(&mut got)).await.expect("an answer").unwrap();
        assert_eq!(got, bytes);
    }

    /// Only a close frame with this code may come, and then the end.
    async fn closed_with(mut self, code: u16) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the end");
        let [high, low] = code.to_be_bytes();
        assert_eq!(rest, [0x88, 2, high, low]);
    }
}

#[tokio::test]
async fn packets_may_span_frames_and_frames_hold_several_with_pings_in_between() {
    let house = house(Limits::default(), &[]).await;
    let mut raw = Raw::upgraded(&house).await;
    // A message in three frames, a ping within it, an empty frame.
    raw.frame(0x02, &CONNECT[..3]).await;
    raw.frame(0x00, b"").await;
    raw.frame(0x89, b"hi").await;
    raw.expect(b"\x8a\x02hi").await;
    raw.frame(0x80, &CONNECT[3..]).await;
    raw.expect(&[&[0x82, 4], CONNACK].concat()).await;
    raw.frame(0x82, &[PING, PING, &PING[..1]].concat()).await;
    raw.frame(0x82, &PING[1..]).await;
    let mut pongs = Vec::new();
    while pongs.iter().filter(|byte| **byte == PONG[0]).count() < 3 {
        pongs.push(timeout(PATIENCE, raw.0.read_u8()).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn text_ends_the_connection_with_1003_and_what_is_forbidden_with_1002() {
    let house = house(Limits::default(), &[]).await;
    let cases: [(u8, &[u8], u16, &str); 7] = [
        (0x81, b"text", 1003, "text frame"),
        (0xC2, CONNECT, 1002, "extension"),
        (0x80, CONNECT, 1002, "out of its order"),
        (0x83, b"", 1002, "out of its order"),
        (0x09, b"", 1002, "in parts"),
        (0x8B, b"", 1002, "unknown kind"),
        (0x88, &[0x03, 0xE9], 1001, "closed before CONNECT"),
    ];
    for (first, payload, code, why) in cases {
        let mut raw = Raw::upgraded(&house).await;
        raw.frame(first, payload).await;
        raw.closed_with(code).await;
        house.log.until(&["ProtocolError", why]).await;
    }
    let mut raw = Raw::upgraded(&house).await;
    raw.0.write_all(&[0x82, 2, 0xC0, 0]).await.unwrap();
    raw.closed_with(1002).await;
    house.log.until(&["not masked"]).await;
    let mut raw = Raw::upgraded(&house).await;
    raw.0.write_all(&[0x8A, 0xFE, 0, 200, 1, 2, 3, 4]).await.unwrap();
    raw.closed_with(1002).await;
}

#[tokio::test]
async fn a_request_that_is_not_for_mqtt_is_told_so_and_let_go() {
    let house = house(Limits::default(), &["https://panel.example"]).await;
    let refused = async |path: &str, more: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{UPGRADE}{more}\r\n");
        Raw::ask(&house, &request).await.1
    };
    let protocol = "Sec-WebSocket-Protocol: mqtt\r\n";
    let answers = [
        (refused("/other", protocol).await, "404"),
        (refused("/mqtt", "").await, "400"),
        (refused("/mqtt", "Sec-WebSocket-Protocol: chat\r\n").await, "400"),
        (refused("/mqtt", &format!("{protocol}Origin: https://evil.example\r\n")).await, "403"),
        (refused("/mqtt", &format!("{protocol}Origin: http://127.0.0.1:9\r\n")).await, "101"),
        (refused("/mqtt", &format!("{protocol}Origin: https://panel.example\r\n")).await, "101"),
    ];
    for (answer, status) in answers {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    house.log.until(&["pages of this site may not connect"]).await;
    let (_, answer) = Raw::ask(&house, "POST /mqtt HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.contains("101"), "{answer}");
}

#[tokio::test]
async fn a_stranger_has_neither_time_nor_room_beyond_the_limits() {
    let limits = Limits {
        handshake_timeout: std::time::Duration::from_millis(100),
        max_connect_bytes: 100,
        ..Limits::default()
    };
    let house = house(limits, &[]).await;
    let socket = tokio::net::TcpStream::connect(house.address).await.unwrap();
    house.log.until(&["no WebSocket handshake in time"]).await;
    drop(socket);
    let raw = Raw::upgraded(&house).await;
    house.log.until(&["no complete CONNECT in time"]).await;
    assert_eq!(house.broker.stats().limits_hit.of(Limit::HandshakeTimeout), 2);
    drop(raw);

    // A frame that says it is huge is read as far as its CONNECT may be long.
    let mut raw = Raw::upgraded(&house).await;
    let mut head = vec![0x82, 0xFF];
    head.extend((1_u64 << 40).to_be_bytes());
    head.extend([0; 4]);
    head.extend(b"\x10\xff\xff\x03\0\x04MQTT\x04\x02\0\0");
    raw.0.write_all(&head).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, raw.0.read_to_end(&mut rest)).await.expect("the end");
    assert_eq!(house.broker.stats().limits_hit.of(Limit::MaxConnectBytes), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_socket_subscriber_gets_all_of_a_burst_in_order_while_it_pings() {
    let house = Arc::new(house(Limits::default(), &[]).await);
    let publisher = Arc::clone(&house);
    tokio::task::block_in_place(|| {
        let mut client = dial(&house, "/mqtt", "mqtt");
        client.send(Message::binary(CONNECT)).unwrap();
        assert_eq!(binary(client.read().unwrap()), CONNACK);
        client.send(Message::binary(&b"\x82\x06\0\x01\0\x01t\x00"[..])).unwrap();
        assert_eq!(binary(client.read().unwrap()).len(), 5);
        let publishing = std::thread::spawn(move || {
            let mut client = dial(&publisher, "/mqtt", "mqtt");
            client.send(Message::binary(&b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01y"[..])).unwrap();
            assert_eq!(binary(client.read().unwrap()), CONNACK);
            for number in 0..20_000_u32 {
                let message = [&b"\x30\x07\0\x01t"[..], &number.to_be_bytes()].concat();
                client.write(Message::binary(message)).unwrap();
            }
            client.flush().unwrap();
            client
        });
        let mut got = Vec::new();
        while got.len() < 20_000 * 9 {
            client.write(Message::Ping("x".into())).unwrap();
            match client.read().unwrap() {
                Message::Binary(bytes) => got.extend(bytes),
                Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let numbers = got.chunks(9).map(|message| u32::from_be_bytes(message[5..].try_into().unwrap()));
        assert!(numbers.eq(0..20_000));
        drop(publishing.join().unwrap());
    });
}
