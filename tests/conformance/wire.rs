//! Packets as bytes, by the letter of the standards. The builders write whatever they are told, broken packets too.
//! Back to packets: see [`crate::reading`].

pub use crate::reading::{Got, Props, Value, read};

/// A fixed header with the right remaining length, and what follows it.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &length(body.len() as u32), body].concat()
}

/// A variable byte integer.
pub fn length(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}

/// A string or binary data: two bytes of length, then the bytes.
pub fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Properties, to be joined with `concat`.
pub mod property {
    pub fn byte(id: u8, value: u8) -> Vec<u8> {
        vec![id, value]
    }

    pub fn two(id: u8, value: u16) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub fn four(id: u8, value: u32) -> Vec<u8> {
        [&[id][..], &value.to_be_bytes()].concat()
    }

    pub fn var(id: u8, value: u32) -> Vec<u8> {
        [&[id][..], &super::length(value)].concat()
    }

    pub fn text(id: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
        [&[id][..], &super::text(value)].concat()
    }

    pub fn user(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
        [&[0x26][..], &super::text(name), &super::text(value)].concat()
    }
}

/// The property identifiers of MQTT 5, table 2-4.
pub mod id {
    pub const PAYLOAD_FORMAT: u8 = 0x01;
    pub const MESSAGE_EXPIRY: u8 = 0x02;
    pub const CONTENT_TYPE: u8 = 0x03;
    pub const RESPONSE_TOPIC: u8 = 0x08;
    pub const CORRELATION_DATA: u8 = 0x09;
    pub const SUBSCRIPTION_ID: u8 = 0x0B;
    pub const SESSION_EXPIRY: u8 = 0x11;
    pub const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const AUTH_METHOD: u8 = 0x15;
    pub const AUTH_DATA: u8 = 0x16;
    pub const REQUEST_PROBLEM_INFO: u8 = 0x17;
    pub const WILL_DELAY: u8 = 0x18;
    pub const REQUEST_RESPONSE_INFO: u8 = 0x19;
    pub const RESPONSE_INFO: u8 = 0x1A;
    pub const SERVER_REFERENCE: u8 = 0x1C;
    pub const REASON_STRING: u8 = 0x1F;
    pub const RECEIVE_MAX: u8 = 0x21;
    pub const TOPIC_ALIAS_MAX: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const MAX_QOS: u8 = 0x24;
    pub const RETAIN_AVAILABLE: u8 = 0x25;
    pub const USER: u8 = 0x26;
    pub const MAX_PACKET: u8 = 0x27;
    pub const WILDCARD_AVAILABLE: u8 = 0x28;
    pub const SUBSCRIPTION_ID_AVAILABLE: u8 = 0x29;
    pub const SHARED_AVAILABLE: u8 = 0x2A;
}

use id::*;

/// A property list with its length; nothing before MQTT 5.
pub fn properties(v: u8, list: &[u8]) -> Vec<u8> {
    if v < 5 { Vec::new() } else { [length(list.len() as u32), list.to_vec()].concat() }
}

/// A will as CONNECT holds it.
#[derive(Clone)]
pub struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub properties: Vec<u8>,
}

/// A CONNECT. `v` is the protocol level.
#[derive(Clone)]
pub struct Connect {
    pub v: u8,
    pub id: String,
    pub clean: bool,
    pub keep_alive: u16,
    pub properties: Vec<u8>,
    pub will: Option<Will>,
    pub username: Option<String>,
    pub password: Option<Vec<u8>>,
}

impl Connect {
    pub fn bytes(&self) -> Vec<u8> {
        let will = self.will.as_ref();
        let flags = u8::from(self.clean) << 1
            | will.map_or(0, |will| 4 | will.qos << 3 | u8::from(will.retain) << 5)
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7;
        let name = if self.v == 3 { "MQIsdp" } else { "MQTT" };
        let mut body = [text(name), vec![self.v, flags], self.keep_alive.to_be_bytes().to_vec()].concat();
        body.extend(properties(self.v, &self.properties));
        body.extend(text(&self.id));
        if let Some(will) = will {
            body.extend(properties(self.v, &will.properties));
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        body.extend(self.username.iter().flat_map(text));
        body.extend(self.password.iter().flat_map(text));
        packet(0x10, &body)
    }

    /// The same with this property as well.
    pub fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }

    /// A session that stays for an hour.
    pub fn staying(self) -> Self {
        let expiry = if self.v == 5 { property::four(SESSION_EXPIRY, 3600) } else { Vec::new() };
        Self { clean: false, ..self }.with(expiry)
    }

    pub fn resuming(self) -> Self {
        Self { clean: false, ..self }
    }

    pub fn keep_alive(self, keep_alive: u16) -> Self {
        Self { keep_alive, ..self }
    }

    pub fn will(self, topic: &str, payload: &str, qos: u8, retain: bool, properties: Vec<u8>) -> Self {
        let (topic, payload) = (topic.to_owned(), payload.as_bytes().to_vec());
        Self { will: Some(Will { topic, payload, qos, retain, properties }), ..self }
    }
}

/// A PUBLISH, to send or as received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Publish {
    pub dup: bool,
    pub qos: u8,
    pub retain: bool,
    pub topic: Vec<u8>,
    /// 0 at QoS 0.
    pub id: u16,
    /// To send: the encoded list. As received: see `props`.
    pub properties: Vec<u8>,
    pub props: Props,
    pub payload: Vec<u8>,
}

pub fn message(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, qos: u8) -> Publish {
    let (topic, payload) = (topic.as_ref().to_vec(), payload.as_ref().to_vec());
    Publish { topic, payload, qos, id: if qos > 0 { 9 } else { 0 }, ..Publish::default() }
}

impl Publish {
    pub fn bytes(&self, v: u8) -> Vec<u8> {
        let first = 0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain);
        let mut body = text(&self.topic);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        body.extend(properties(v, &self.properties));
        body.extend(&self.payload);
        packet(first, &body)
    }

    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    pub fn dup(self) -> Self {
        Self { dup: true, ..self }
    }

    /// The same with this property as well.
    pub fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.extend(property);
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.payload.clone()).unwrap()
    }

    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap()
    }
}

pub const PUBACK: u8 = 0x40;
pub const PUBREC: u8 = 0x50;
pub const PUBREL: u8 = 0x62;
pub const PUBCOMP: u8 = 0x70;

/// PUBACK, PUBREC, PUBREL or PUBCOMP in the short form.
pub fn ack(kind: u8, id: u16) -> Vec<u8> {
    packet(kind, &id.to_be_bytes())
}

/// The same with a reason code (MQTT 5).
pub fn ack_because(kind: u8, id: u16, code: u8) -> Vec<u8> {
    packet(kind, &[&id.to_be_bytes()[..], &[code]].concat())
}

/// Filters with their options.
pub fn subscribe(v: u8, id: u16, list: &[u8], filters: &[(&[u8], u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(properties(v, list));
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

pub fn unsubscribe(v: u8, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(properties(v, &[]));
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xA2, &body)
}

pub const PINGREQ: [u8; 2] = [0xC0, 0];
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A DISCONNECT of MQTT 5.
pub fn disconnect(code: u8, list: &[u8]) -> Vec<u8> {
    packet(0xE0, &[vec![code], properties(5, list)].concat())
}
