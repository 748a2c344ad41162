//! A broker to test, and the peer that tests it. Start at [`broker`].

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sealwire::{
    broker::{
        Authority, BoxFuture, Broker, ConnectRefusal, ConnectRequest, Event, Forgetful, Identity, Limits,
        Observer, Verdict,
    },
    topic::{TopicFilter, TopicName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, lookup_host},
    time::timeout,
};

use crate::wire::{self, Connect, Got, PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL, Props, Publish, message};

/// Longer than anything here takes, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(5);

/// What nobody may subscribe to at our broker.
pub const NO_SUBSCRIBE: &str = "test/nosubscribe";
/// What nobody may publish to.
pub const NO_PUBLISH: &str = "test/nopublish";

/// Lets everyone in but those with the password "wrong".
struct Permissive;

impl Authority for Permissive {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'_, Result<Identity, ConnectRefusal>> {
        Box::pin(async move {
            if request.password.as_ref().is_some_and(|password| password.as_slice() == b"wrong") {
                return Err(ConnectRefusal::BadCredentials);
            }
            Ok(Identity {
                account: "".into(),
                client_id: request.client_id,
                role: "any".into(),
                credential: 1,
            })
        })
    }

    fn publish(&self, _: &Identity, topic: &TopicName) -> Verdict {
        if topic.as_str() == NO_PUBLISH { Verdict::Deny("not here".into()) } else { Verdict::Allow }
    }

    fn subscribe(&self, _: &Identity, filter: &TopicFilter) -> Verdict {
        if filter.as_str() == NO_SUBSCRIBE { Verdict::Deny("not here".into()) } else { Verdict::Allow }
    }

    fn deliver(&self, _: &Identity, _: &TopicName) -> bool {
        true
    }
}

struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: Event<'_>) {}
}

/// The broker under test. Client ids and topics are its test's own, so that tests can share a broker.
pub struct Tested {
    address: SocketAddr,
    tag: String,
    /// In this process, so it is held to what it says as well as to what the standards say.
    pub ours: bool,
}

/// The broker of `SEALWIRE_CONFORMANCE_BROKER`, or one of our own.
pub async fn broker() -> Tested {
    match std::env::var("SEALWIRE_CONFORMANCE_BROKER") {
        Ok(address) => {
            let mut found = lookup_host(&address).await.expect("SEALWIRE_CONFORMANCE_BROKER is host:port");
            Tested { address: found.next().unwrap(), tag: tag(), ours: false }
        }
        Err(_) => own_broker(Limits::default()).await,
    }
}

/// One of our own, whatever the environment says: for what depends on settings.
pub async fn own_broker(limits: Limits) -> Tested {
    let broker = Broker::new(limits, Arc::new(Permissive), Arc::new(Deaf), Arc::new(Forgetful)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { broker.serve_tcp(listener).await.unwrap() });
    Tested { address, tag: tag(), ours: true }
}

fn tag() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{:x}z{:x}z", std::process::id() % 0x10_0000, COUNT.fetch_add(1, Ordering::SeqCst))
}

impl Tested {
    /// A client id of this test's own: letters and digits, at most 23.
    pub fn id(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    /// A topic or filter of this test's own.
    pub fn t(&self, rest: &str) -> String {
        format!("{}/{rest}", self.tag)
    }

    /// A CONNECT for a session that ends with its connection.
    pub fn plain(&self, v: u8, name: &str) -> Connect {
        let (id, properties) = (self.id(name), Vec::new());
        Connect { v, id, clean: true, keep_alive: 0, properties, will: None, username: None, password: None }
    }

    /// A connection that has sent nothing.
    pub async fn raw(&self, v: u8) -> Peer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (buffer, inbox, connack) = (Vec::new(), VecDeque::new(), Props::default());
        Peer { stream, v, ours: self.ours, buffer, inbox, connack, present: false, largest: 0 }
    }

    /// Sends CONNECT; shows the answer.
    pub async fn try_connect(&self, connect: &Connect) -> (Peer, Got) {
        let mut peer = self.raw(connect.v).await;
        peer.send(&connect.bytes()).await;
        let got = peer.next().await;
        (peer, got)
    }

    /// The answer to a CONNECT that must be refused: a CONNACK with one of these codes and the end, or just the end.
    pub async fn refusal(&self, v: u8, connect: &[u8], codes: &[u8]) -> Result<Option<u8>, String> {
        let mut peer = self.raw(v).await;
        peer.send(connect).await;
        match timeout(PATIENCE, peer.read()).await {
            Ok(Got::Closed) => Ok(None),
            Ok(Got::ConnAck { code, .. }) if codes.contains(&code) => {
                peer.until_closed().await.and_then(|told| match told {
                    None => Ok(Some(code)),
                    Some(_) => Err("DISCONNECT after a refusal".to_owned()),
                })
            }
            Ok(other) => Err(format!("{other:?}")),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    /// Connects, and is let in.
    pub async fn connect(&self, connect: &Connect) -> Peer {
        match self.try_connect(connect).await {
            (peer, Got::ConnAck { code: 0, flags, props }) => {
                Peer { present: flags == 1, connack: props, ..peer }
            }
            (_, other) => panic!("not let in: {other:?}"),
        }
    }

    /// Connects with a session that ends with its connection.
    pub async fn client(&self, v: u8, name: &str) -> Peer {
        self.connect(&self.plain(v, name)).await
    }
}

/// A connection, and what was read from it ahead of its turn.
pub struct Peer {
    stream: TcpStream,
    pub v: u8,
    ours: bool,
    buffer: Vec<u8>,
    inbox: VecDeque<Got>,
    /// The properties of CONNACK.
    pub connack: Props,
    /// Session present, in CONNACK.
    pub present: bool,
    /// The longest packet received.
    pub largest: usize,
}

impl Peer {
    pub async fn send(&mut self, bytes: &[u8]) {
        // Who was cut off is told by reading.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Ends the connection without a word.
    pub async fn vanish(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Ends the connection with a word, and waits until the broker has heard it.
    pub async fn goodbye(mut self) {
        self.send(&wire::DISCONNECT).await;
        assert_eq!(self.until_closed().await, Ok(None));
    }

    async fn read(&mut self) -> Got {
        loop {
            if let Some((got, bytes)) = wire::read(&mut self.buffer, self.v) {
                self.largest = self.largest.max(bytes);
                return got;
            }
            let mut chunk = [0; 8192];
            match self.stream.read(&mut chunk).await {
                Ok(0) => {
                    assert!(self.buffer.is_empty(), "closed within a packet: {:?}", self.buffer);
                    return Got::Closed;
                }
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(_) => return Got::Closed,
            }
        }
    }

    async fn read_in_time(&mut self) -> Got {
        let inbox = format!("{:?}", self.inbox);
        timeout(PATIENCE, self.read())
            .await
            .unwrap_or_else(|_| panic!("nothing comes; before that came {inbox}"))
    }

    /// The next packet.
    pub async fn next(&mut self) -> Got {
        match self.inbox.pop_front() {
            Some(got) => got,
            None => self.read_in_time().await,
        }
    }

    /// The first packet that is wanted; what comes before it keeps its place.
    pub async fn wait(&mut self, wanted: impl Fn(&Got) -> bool) -> Got {
        if let Some(position) = self.inbox.iter().position(&wanted) {
            return self.inbox.remove(position).unwrap();
        }
        loop {
            let got = self.read_in_time().await;
            if wanted(&got) {
                return got;
            }
            assert_ne!(got, Got::Closed, "closed; before that came {:?}", self.inbox);
            self.inbox.push_back(got);
        }
    }

    /// Nothing is there and nothing was on its way: a PINGRESP is the next packet.
    pub async fn silent(&mut self) {
        self.send(&PINGREQ).await;
        assert_eq!(self.next().await, Got::Pong);
    }

    /// Everything sent so far was handled; what came stays to be read.
    pub async fn handled(&mut self) {
        self.send(&PINGREQ).await;
        self.wait(|got| *got == Got::Pong).await;
    }

    /// The next packet, which must be a PUBLISH. It is not acknowledged.
    pub async fn message(&mut self) -> Publish {
        match self.next().await {
            Got::Publish(publish) => *publish,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next message with all that its QoS wants.
    pub async fn take(&mut self) -> Publish {
        let publish = self.message().await;
        self.acknowledge(&publish).await;
        publish
    }

    /// The next message, which must say this.
    pub async fn expect(&mut self, payload: &str) -> Publish {
        let publish = self.take().await;
        assert_eq!(publish.text(), payload);
        publish
    }

    /// All that the QoS of this message wants.
    pub async fn acknowledge(&mut self, publish: &Publish) {
        let id = publish.id;
        if publish.qos == 1 {
            self.send(&wire::ack(PUBACK, id)).await;
        } else if publish.qos == 2 {
            self.send(&wire::ack(PUBREC, id)).await;
            let code = self.acked(PUBREL, id).await;
            assert_eq!(code, 0, "PUBREL with a code");
            self.send(&wire::ack(PUBCOMP, id)).await;
        }
    }

    /// The messages there are, acknowledged, until no more come.
    pub async fn all(&mut self) -> Vec<Publish> {
        let mut messages = Vec::new();
        loop {
            let before = messages.len();
            self.handled().await;
            self.send(&PINGREQ).await;
            loop {
                match self.next().await {
                    Got::Publish(publish) => {
                        self.acknowledge(&publish).await;
                        messages.push(*publish);
                    }
                    Got::Pong => break,
                    other => panic!("{other:?}"),
                }
            }
            if messages.len() == before {
                return messages;
            }
        }
    }

    /// Waits for this acknowledgement; its reason code.
    pub async fn acked(&mut self, kind: u8, id: u16) -> u8 {
        let wanted = |got: &Got| match got {
            Got::Ack { kind: got_kind, id: got_id, .. } => (*got_kind, *got_id) == (kind, id),
            _ => false,
        };
        match self.wait(wanted).await {
            Got::Ack { code, .. } => code,
            _ => unreachable!(),
        }
    }

    /// Publishes and completes what the QoS wants; the reason code of the first answer.
    pub async fn publish_as(&mut self, publish: &Publish) -> u8 {
        self.send(&publish.bytes(self.v)).await;
        match publish.qos {
            0 => {
                self.handled().await;
                0
            }
            1 => self.acked(PUBACK, publish.id).await,
            _ => {
                let code = self.acked(PUBREC, publish.id).await;
                if code < 0x80 {
                    self.send(&wire::ack(PUBREL, publish.id)).await;
                    assert_eq!(self.acked(PUBCOMP, publish.id).await, 0);
                }
                code
            }
        }
    }

    pub async fn publish(&mut self, topic: &str, payload: &str, qos: u8) {
        let code = self.publish_as(&message(topic, payload, qos)).await;
        assert!(code < 0x80, "refused with 0x{code:02X}");
    }

    pub async fn retain(&mut self, topic: &str, payload: &str, qos: u8) {
        let code = self.publish_as(&message(topic, payload, qos).retained()).await;
        assert!(code < 0x80, "refused with 0x{code:02X}");
    }

    /// Subscribes; the code. Of what comes with it nothing is lost.
    pub async fn try_subscribe(&mut self, filter: impl AsRef<[u8]>, options: u8, list: &[u8]) -> u8 {
        let bytes = wire::subscribe(self.v, 77, list, &[(filter.as_ref(), options)]);
        self.send(&bytes).await;
        match self.wait(|got| matches!(got, Got::SubAck { .. })).await {
            Got::SubAck { id: 77, codes, .. } if codes.len() == 1 => codes[0],
            other => panic!("{other:?}"),
        }
    }

    /// Subscribes, and is granted the QoS that `options` ask for.
    pub async fn subscribe(&mut self, filter: impl AsRef<[u8]>, options: u8) {
        let filter = filter.as_ref();
        let code = self.try_subscribe(filter, options, &[]).await;
        assert_eq!(code, options & 3, "to {}", String::from_utf8_lossy(filter));
    }

    /// Subscribes with a subscription identifier.
    pub async fn subscribe_known_as(&mut self, filter: &str, options: u8, id: u32) {
        let list = wire::property::var(wire::id::SUBSCRIPTION_ID, id);
        assert_eq!(self.try_subscribe(filter, options, &list).await, options & 3);
    }

    /// Unsubscribes; the codes (none before MQTT 5).
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        self.send(&wire::unsubscribe(self.v, 78, filters)).await;
        match self.wait(|got| matches!(got, Got::UnsubAck { .. })).await {
            Got::UnsubAck { id: 78, codes, .. } => codes,
            other => panic!("{other:?}"),
        }
    }

    /// Reads to the end; the code of a DISCONNECT, if one came. No other packet may come.
    async fn until_closed(&mut self) -> Result<Option<u8>, String> {
        let mut told = None;
        loop {
            let next = match self.inbox.pop_front() {
                Some(got) => Ok(got),
                None => timeout(PATIENCE, self.read()).await,
            };
            match next {
                Ok(Got::Closed) => return Ok(told),
                Ok(Got::Disconnect { code, .. }) if told.is_none() => told = Some(code),
                Ok(other) => return Err(format!("{other:?}, not the end")),
                Err(_) => return Err("still connected".to_owned()),
            }
        }
    }

    /// The connection must end. Before it does, MQTT 5 clients may be told why, with one of these codes; our
    /// broker always tells.
    pub async fn ending(&mut self, codes: &[u8]) -> Result<(), String> {
        match self.until_closed().await? {
            Some(code) if codes.contains(&code) => Ok(()),
            Some(code) => Err(format!("told 0x{code:02X}, not {codes:02X?}")),
            None if self.v == 5 && self.ours => Err("closed without a word".to_owned()),
            None => Ok(()),
        }
    }

    /// The same, at once.
    pub async fn cut_off(&mut self, codes: &[u8]) {
        if let Err(fault) = self.ending(codes).await {
            panic!("{fault}");
        }
    }
}

/// Gathers what was wrong in the rows of a table.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn note(&mut self, row: &str, outcome: Result<(), String>) {
        if let Err(fault) = outcome {
            self.0.push(format!("{row}: {fault}"));
        }
    }

    pub fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}
