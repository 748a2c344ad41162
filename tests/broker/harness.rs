//! A broker on a port of its own, an authority that the test tells what to say, and a client that shows every packet.

use std::{collections::VecDeque, net::SocketAddr, num::NonZeroU16, sync::Arc, time::Duration};

use bytes::BytesMut;
use rmqtt_codec::{
    types::{Protocol as Level, Publish, QoS},
    v3, v5,
};
use sealwire::broker::{Broker, Forgetful, Keeper, Limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::codec::{Decoder, Encoder};

pub use crate::rules::{Log, Rules, filter};

/// Longer than anything here takes, short enough to fail.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct House {
    pub broker: Broker,
    pub address: SocketAddr,
    pub rules: Arc<Rules>,
    pub log: Arc<Log>,
}

pub async fn house_with(limits: Limits) -> House {
    house_of(limits, Arc::new(Forgetful)).await
}

/// A house whose broker has this keeper.
pub async fn house_of(limits: Limits, keeper: Arc<dyn Keeper>) -> House {
    house_under(limits, keeper, Rules::default()).await
}

/// The same with an authority that has been told what to say.
pub async fn house_under(limits: Limits, keeper: Arc<dyn Keeper>, rules: Rules) -> House {
    let (rules, log) = (Arc::new(rules), Arc::<Log>::default());
    let broker = Broker::new(limits, rules.clone(), log.clone(), keeper).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = broker.clone();
    tokio::spawn(async move { serving.serve_tcp(listener).await.unwrap() });
    House { broker, address, rules, log }
}

pub async fn house() -> House {
    house_with(Limits::default()).await
}

/// How to connect. `v` is the protocol level: 3, 4 or 5.
#[derive(Clone)]
pub struct As {
    pub v: u8,
    pub id: &'static str,
    pub account: &'static str,
    pub clean: bool,
    pub expiry: u32,
    pub keep_alive: u16,
    pub receive_max: Option<u16>,
    pub max_packet: Option<u32>,
    pub topic_aliases: u16,
    pub problem_info: bool,
    pub will: Option<(&'static str, &'static str, u8, bool, u32)>,
    pub password: Option<&'static str>,
    pub auth_method: Option<&'static str>,
}

pub fn v(v: u8, id: &'static str) -> As {
    As {
        v,
        id,
        account: "ann",
        clean: true,
        expiry: 0,
        keep_alive: 0,
        receive_max: None,
        max_packet: None,
        topic_aliases: 0,
        problem_info: true,
        will: None,
        password: None,
        auth_method: None,
    }
}

impl As {
    /// A session that stays.
    pub fn staying(self) -> Self {
        Self { clean: false, expiry: 3600, ..self }
    }

    pub fn account(self, account: &'static str) -> Self {
        Self { account, ..self }
    }
}

/// What came, in terms of both layouts.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    ConnAck { code: u8, present: bool },
    Publish(Box<Publish>),
    PubAck { id: u16, code: u8, reason: Option<String> },
    PubRec { id: u16, code: u8, reason: Option<String> },
    PubRel { id: u16, code: u8 },
    PubComp { id: u16, code: u8 },
    SubAck { codes: Vec<u8>, reason: Option<String> },
    UnsubAck { codes: Vec<u8> },
    Pong,
    Disconnect { code: u8, reason: Option<String> },
    Closed,
}

pub struct Client {
    pub stream: TcpStream,
    pub v: u8,
    old: v3::Codec,
    new: v5::Codec,
    buffer: BytesMut,
    pub connack: Option<Box<v5::ConnectAck>>,
    /// What came before something that was waited for.
    ahead: VecDeque<Got>,
}

pub fn id(id: u16) -> NonZeroU16 {
    NonZeroU16::new(id).unwrap()
}

impl House {
    pub async fn raw(&self, v: u8) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (old, new) = (v3::Codec::new(0), v5::Codec::new(0, 0));
        Client { stream, v, old, new, buffer: BytesMut::new(), connack: None, ahead: VecDeque::new() }
    }

    /// Sends CONNECT and shows the answer.
    pub async fn try_connect(&self, how: As) -> (Client, Got) {
        let mut client = self.raw(how.v).await;
        client.connect(how).await;
        let got = client.next().await;
        (client, got)
    }

    /// Connects; says whether the session was there.
    pub async fn connect_again(&self, how: As) -> (Client, bool) {
        match self.try_connect(how).await {
            (client, Got::ConnAck { code: 0, present }) => (client, present),
            (_, other) => panic!("not let in: {other:?}"),
        }
    }

    pub async fn connect(&self, how: As) -> Client {
        self.connect_again(how).await.0
    }
}

impl Client {
    pub async fn connect(&mut self, how: As) {
        let qos = |value: u8| QoS::try_from(value).unwrap();
        if how.v == 5 {
            let packet = v5::Connect {
                clean_start: how.clean,
                keep_alive: how.keep_alive,
                session_expiry_interval_secs: how.expiry,
                client_id: how.id.into(),
                username: Some(how.account.into()),
                password: how.password.map(|password| password.as_bytes().into()),
                request_problem_info: how.problem_info,
                topic_alias_max: how.topic_aliases,
                receive_max: how.receive_max.and_then(NonZeroU16::new),
                max_packet_size: how.max_packet.and_then(|max| max.try_into().ok()),
                auth_method: how.auth_method.map(Into::into),
                last_will: how.will.map(|(topic, message, level, retain, delay)| v5::LastWill {
                    qos: qos(level),
                    retain,
                    topic: topic.into(),
                    message: message.as_bytes().into(),
                    will_delay_interval_sec: (delay > 0).then_some(delay),
                    correlation_data: None,
                    message_expiry_interval: None,
                    content_type: None,
                    user_properties: Vec::new(),
                    is_utf8_payload: None,
                    response_topic: None,
                }),
                ..v5::Connect::default()
            };
            self.send5(v5::Packet::Connect(Box::new(packet))).await;
        } else {
            let packet = v3::Connect {
                protocol: Level(how.v),
                clean_session: how.clean,
                keep_alive: how.keep_alive,
                client_id: how.id.into(),
                username: Some(how.account.into()),
                password: how.password.map(|password| password.as_bytes().into()),
                last_will: how.will.map(|(topic, message, level, retain, _)| v3::LastWill {
                    qos: qos(level),
                    retain,
                    topic: topic.into(),
                    message: message.as_bytes().into(),
                }),
                cert: None,
            };
            let mut bytes = BytesMut::new();
            self.old.encode(v3::Packet::Connect(Box::new(packet)), &mut bytes).unwrap();
            // The codec writes level 4 whatever it is told.
            let level = bytes.iter().position(|byte| *byte == 4).filter(|_| how.v == 3);
            if let Some(at) = level {
                bytes[at] = 3;
            }
            self.bytes(&bytes).await;
        }
    }

    pub async fn send3(&mut self, packet: v3::Packet) {
        let mut bytes = BytesMut::new();
        self.old.encode(packet, &mut bytes).unwrap();
        self.bytes(&bytes).await;
    }

    pub async fn send5(&mut self, packet: v5::Packet) {
        let mut bytes = BytesMut::new();
        self.new.encode(packet, &mut bytes).unwrap();
        self.bytes(&bytes).await;
    }

    pub async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next packet, whatever it is.
    pub async fn next(&mut self) -> Got {
        if let Some(got) = self.ahead.pop_front() {
            return got;
        }
        timeout(PATIENCE, self.read()).await.expect("the broker says nothing")
    }

    async fn read(&mut self) -> Got {
        loop {
            if self.v == 5 {
                if let Some((packet, _)) = self.new.decode(&mut self.buffer).unwrap() {
                    return self.shown5(packet);
                }
            } else if let Some((packet, _)) = self.old.decode(&mut self.buffer).unwrap() {
                return shown3(packet);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Got::Closed,
                Ok(_) => {}
            }
        }
    }

    fn shown5(&mut self, packet: v5::Packet) -> Got {
        use v5::Packet;
        let text = |reason: Option<_>| reason.map(String::from);
        match packet {
            Packet::ConnectAck(ack) => {
                let got = Got::ConnAck { code: ack.reason_code.into(), present: ack.session_present };
                self.connack = Some(ack);
                got
            }
            Packet::Publish(publish) => Got::Publish(publish),
            Packet::PublishAck(ack) => Got::PubAck {
                id: ack.packet_id.get(),
                code: ack.reason_code.into(),
                reason: text(ack.reason_string),
            },
            Packet::PublishReceived(ack) => Got::PubRec {
                id: ack.packet_id.get(),
                code: ack.reason_code.into(),
                reason: text(ack.reason_string),
            },
            Packet::PublishRelease(ack) => {
                Got::PubRel { id: ack.packet_id.get(), code: ack.reason_code.into() }
            }
            Packet::PublishComplete(ack) => {
                Got::PubComp { id: ack.packet_id.get(), code: ack.reason_code.into() }
            }
            Packet::SubscribeAck(ack) => Got::SubAck {
                codes: ack.status.iter().map(|code| (*code).into()).collect(),
                reason: text(ack.reason_string),
            },
            Packet::UnsubscribeAck(ack) => {
                Got::UnsubAck { codes: ack.status.iter().map(|code| (*code).into()).collect() }
            }
            Packet::PingResponse => Got::Pong,
            Packet::Disconnect(packet) => {
                Got::Disconnect { code: packet.reason_code.into(), reason: text(packet.reason_string) }
            }
            other => panic!("servers do not send {other:?}"),
        }
    }

    /// Subscribes to one filter and returns the code granted.
    pub async fn subscribe(&mut self, topic: &str, qos: u8) -> u8 {
        let options = v5::SubscriptionOptions { qos: QoS::try_from(qos).unwrap(), ..Default::default() };
        self.subscribe_with(topic, options, None).await
    }

    pub async fn subscribe_with(
        &mut self,
        topic: &str,
        options: v5::SubscriptionOptions,
        sub: Option<u32>,
    ) -> u8 {
        self.ask_subscribe(topic, options, sub).await;
        match self.next().await {
            Got::SubAck { codes, .. } if codes.len() == 1 => codes[0],
            other => panic!("no SUBACK but {other:?}"),
        }
    }

    pub async fn ask_subscribe(&mut self, topic: &str, options: v5::SubscriptionOptions, sub: Option<u32>) {
        if self.v == 5 {
            let (packet_id, topic_filters) = (id(7), vec![(topic.into(), options)]);
            let sub = sub.and_then(|sub| sub.try_into().ok());
            let packet = v5::Subscribe { packet_id, id: sub, user_properties: Vec::new(), topic_filters };
            self.send5(v5::Packet::Subscribe(packet)).await;
        } else {
            let (packet_id, topic_filters) = (id(7), vec![(topic.into(), options.qos)]);
            self.send3(v3::Packet::Subscribe { packet_id, topic_filters }).await;
        }
    }

    pub async fn unsubscribe(&mut self, topic: &str) -> Got {
        self.ask_unsubscribe(topic).await;
        self.next().await
    }

    pub async fn ask_unsubscribe(&mut self, topic: &str) {
        if self.v == 5 {
            let (packet_id, topic_filters) = (id(8), vec![topic.into()]);
            let packet = v5::Unsubscribe { packet_id, user_properties: Vec::new(), topic_filters };
            self.send5(v5::Packet::Unsubscribe(packet)).await;
        } else {
            let (packet_id, topic_filters) = (id(8), vec![topic.into()]);
            self.send3(v3::Packet::Unsubscribe { packet_id, topic_filters }).await;
        }
    }

    /// The next packet of this kind; what comes before it is for later.
    pub async fn skip_to(&mut self, wanted: impl Fn(&Got) -> bool) -> Got {
        let mut between = Vec::new();
        let found = loop {
            match self.next().await {
                Got::Closed => panic!("closed while something was waited for"),
                got if wanted(&got) => break got,
                other => between.push(other),
            }
        };
        between.into_iter().rev().for_each(|got| self.ahead.push_front(got));
        found
    }

    pub async fn send_publish(&mut self, publish: Publish) {
        if self.v == 5 {
            self.send5(v5::Packet::Publish(Box::new(publish))).await;
        } else {
            self.send3(v3::Packet::Publish(Box::new(publish))).await;
        }
    }

    /// Publishes; waits for the acknowledgement and returns its code; at QoS 2 goes on to PUBCOMP.
    pub async fn publish(&mut self, topic: &str, payload: &str, qos: u8) -> u8 {
        self.send_publish(message(topic, payload, qos)).await;
        self.acknowledged(qos).await
    }

    pub async fn retain(&mut self, topic: &str, payload: &str, qos: u8) -> u8 {
        self.send_publish(Publish { retain: true, ..message(topic, payload, qos) }).await;
        self.acknowledged(qos).await
    }

    async fn acknowledged(&mut self, qos: u8) -> u8 {
        if qos == 0 {
            // The answer to the ping says that the message was handled.
            self.fence().await;
            return 0;
        }
        match self.next().await {
            Got::PubAck { id: 9, code, .. } if qos == 1 => code,
            Got::PubRec { id: 9, code, .. } if qos == 2 && code >= 0x80 => code,
            Got::PubRec { id: 9, code, .. } if qos == 2 => {
                self.pubrel(9).await;
                assert_eq!(self.next().await, Got::PubComp { id: 9, code: 0 });
                code
            }
            other => panic!("no acknowledgement but {other:?}"),
        }
    }

    async fn short(&mut self, kind: u8, packet_id: u16) {
        let [high, low] = packet_id.to_be_bytes();
        self.bytes(&[kind, 2, high, low]).await;
    }

    pub async fn pubrec(&mut self, packet_id: u16) {
        self.short(0x50, packet_id).await;
    }

    pub async fn pubrel(&mut self, packet_id: u16) {
        self.short(0x62, packet_id).await;
    }

    pub async fn pubcomp(&mut self, packet_id: u16) {
        self.short(0x70, packet_id).await;
    }

    /// The next packet must be a message.
    pub async fn message(&mut self) -> Publish {
        match self.next().await {
            Got::Publish(publish) => *publish,
            other => panic!("no message but {other:?}"),
        }
    }

    /// The next packet must be a message with this payload; acknowledges it.
    pub async fn expect(&mut self, payload: &str) -> Publish {
        let publish = self.message().await;
        assert_eq!(std::str::from_utf8(&publish.payload).unwrap(), payload);
        match (publish.packet_id, publish.qos) {
            (Some(packet_id), QoS::ExactlyOnce) => self.settle(packet_id.get()).await,
            (Some(packet_id), _) => self.ack(packet_id.get()).await,
            (None, _) => {}
        }
        publish
    }

    /// PUBREC, PUBREL, PUBCOMP; what comes between is for later.
    pub async fn settle(&mut self, packet_id: u16) {
        self.pubrec(packet_id).await;
        self.skip_to(|got| *got == Got::PubRel { id: packet_id, code: 0 }).await;
        self.pubcomp(packet_id).await;
    }

    pub async fn ack(&mut self, packet_id: u16) {
        self.short(0x40, packet_id).await;
    }

    /// Nothing may stand between here and the answer to a ping: what was handed to this client before has come.
    pub async fn fence(&mut self) {
        self.bytes(&[0xC0, 0]).await;
        assert_eq!(self.next().await, Got::Pong);
    }

    /// Says goodbye and waits for the broker to close.
    pub async fn goodbye(mut self) {
        self.bytes(&[0xE0, 0]).await;
        assert_eq!(self.next().await, Got::Closed);
    }

    /// The same, whatever is still on its way.
    pub async fn leave(mut self) {
        self.bytes(&[0xE0, 0]).await;
        while self.next().await != Got::Closed {}
    }

    pub async fn ended_with(&mut self, code: u8) {
        match self.next().await {
            Got::Disconnect { code: got, .. } => assert_eq!(got, code, "0x{got:02X} is not 0x{code:02X}"),
            other => panic!("no DISCONNECT 0x{code:02X} but {other:?}"),
        }
        assert_eq!(self.next().await, Got::Closed);
    }
}

fn shown3(packet: v3::Packet) -> Got {
    use v3::Packet;
    match packet {
        Packet::ConnectAck(ack) => {
            Got::ConnAck { code: ack.return_code.into(), present: ack.session_present }
        }
        Packet::Publish(publish) => Got::Publish(publish),
        Packet::PublishAck { packet_id } => Got::PubAck { id: packet_id.get(), code: 0, reason: None },
        Packet::PublishReceived { packet_id } => Got::PubRec { id: packet_id.get(), code: 0, reason: None },
        Packet::PublishRelease { packet_id } => Got::PubRel { id: packet_id.get(), code: 0 },
        Packet::PublishComplete { packet_id } => Got::PubComp { id: packet_id.get(), code: 0 },
        Packet::SubscribeAck { status, .. } => {
            let codes = status.iter().map(|status| match status {
                v3::SubscribeReturnCode::Success(qos) => qos.value(),
                v3::SubscribeReturnCode::Failure => 0x80,
            });
            Got::SubAck { codes: codes.collect(), reason: None }
        }
        Packet::UnsubscribeAck { .. } => Got::UnsubAck { codes: Vec::new() },
        Packet::PingResponse => Got::Pong,
        other => panic!("servers do not send {other:?}"),
    }
}

pub fn message(topic: &str, payload: &str, qos: u8) -> Publish {
    Publish {
        dup: false,
        retain: false,
        qos: QoS::try_from(qos).unwrap(),
        topic: topic.into(),
        packet_id: (qos > 0).then(|| id(9)),
        payload: payload.as_bytes().to_vec().into(),
        properties: None,
    }
}
