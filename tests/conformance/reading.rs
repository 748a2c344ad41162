//! Bytes as packets, by the letter of the standards. Panics at anything that a server may not send, so every test checks
//! the form of every packet it reads. Start at [`read`].

use crate::wire::{PUBACK, PUBCOMP, PUBREC, PUBREL, Publish, id::*};

/// The properties of a packet as received, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Props(pub Vec<(u8, Value)>);

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(u32),
    Text(String),
    Data(Vec<u8>),
    Pair(String, String),
}

impl Props {
    pub fn number(&self, wanted: u8) -> Option<u32> {
        self.0.iter().find_map(|(id, value)| match value {
            Value::Number(number) if *id == wanted => Some(*number),
            _ => None,
        })
    }

    pub fn text(&self, wanted: u8) -> Option<&str> {
        self.0.iter().find_map(|(id, value)| match value {
            Value::Text(text) if *id == wanted => Some(&text[..]),
            _ => None,
        })
    }

    pub fn data(&self, wanted: u8) -> Option<&[u8]> {
        self.0.iter().find_map(|(id, value)| match value {
            Value::Data(data) if *id == wanted => Some(&data[..]),
            _ => None,
        })
    }

    pub fn has(&self, wanted: u8) -> bool {
        self.0.iter().any(|(id, _)| *id == wanted)
    }

    pub fn subscription_ids(&self) -> Vec<u32> {
        let ids = self.0.iter().filter_map(|(id, value)| match value {
            Value::Number(number) if *id == SUBSCRIPTION_ID => Some(*number),
            _ => None,
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.0.iter().filter_map(|(_, value)| match value {
            Value::Pair(name, value) => Some((&name[..], &value[..])),
            _ => None,
        });
        pairs.collect()
    }
}

/// What a server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Got {
    ConnAck {
        flags: u8,
        code: u8,
        props: Props,
    },
    Publish(Box<Publish>),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte.
    Ack {
        kind: u8,
        id: u16,
        code: u8,
        props: Props,
    },
    SubAck {
        id: u16,
        codes: Vec<u8>,
        props: Props,
    },
    UnsubAck {
        id: u16,
        codes: Vec<u8>,
        props: Props,
    },
    Pong,
    Disconnect {
        code: u8,
        props: Props,
    },
    Auth {
        code: u8,
        props: Props,
    },
    Closed,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(count).expect("a packet that ends within a field");
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn two(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn four(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    /// MQTT-1.5.5-1: no more bytes than it needs.
    fn var(&mut self) -> u32 {
        let mut value = 0;
        for position in 0..4 {
            let byte = self.byte();
            value |= u32::from(byte & 0x7F) << (7 * position);
            if byte < 0x80 {
                assert!(byte > 0 || position == 0, "a variable byte integer longer than it needs to be");
                return value;
            }
        }
        panic!("a variable byte integer of more than four bytes");
    }

    fn data(&mut self) -> &'a [u8] {
        let count = self.two();
        self.take(count.into())
    }

    fn text(&mut self) -> String {
        let text = std::str::from_utf8(self.data()).expect("a server sends UTF-8");
        assert!(!text.contains('\0'), "a server sent U+0000");
        text.to_owned()
    }

    fn id(&mut self) -> u16 {
        let id = self.two();
        assert_ne!(id, 0, "a server sent packet id 0");
        id
    }

    /// A list whose members may stand in a packet of this first byte, each once unless it may be repeated.
    fn properties(&mut self, kind: u8) -> Props {
        let count = self.var() as usize;
        let mut list = Reader(self.take(count));
        let mut props = Props::default();
        while !list.0.is_empty() {
            let id = list.byte();
            assert!(may_hold(kind, id), "a packet 0x{kind:02X} with property 0x{id:02X}");
            let repeats = id == USER || (id == SUBSCRIPTION_ID && kind == 0x30);
            assert!(repeats || !props.has(id), "property 0x{id:02X} twice");
            let value = match id {
                PAYLOAD_FORMAT
                | MAX_QOS
                | RETAIN_AVAILABLE
                | WILDCARD_AVAILABLE
                | SUBSCRIPTION_ID_AVAILABLE
                | SHARED_AVAILABLE => {
                    let value = list.byte();
                    assert!(value < 2, "property 0x{id:02X} is {value}");
                    Value::Number(value.into())
                }
                SERVER_KEEP_ALIVE | RECEIVE_MAX | TOPIC_ALIAS_MAX | TOPIC_ALIAS => {
                    Value::Number(list.two().into())
                }
                MESSAGE_EXPIRY | SESSION_EXPIRY | MAX_PACKET => Value::Number(list.four()),
                SUBSCRIPTION_ID => Value::Number(list.var()),
                CORRELATION_DATA | AUTH_DATA => Value::Data(list.data().to_vec()),
                USER => Value::Pair(list.text(), list.text()),
                _ => Value::Text(list.text()),
            };
            let never_zero = [RECEIVE_MAX, MAX_PACKET, SUBSCRIPTION_ID, TOPIC_ALIAS].contains(&id);
            assert!(!never_zero || value != Value::Number(0), "property 0x{id:02X} is 0");
            props.0.push((id, value));
        }
        props
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

/// MQTT 5, table 2-4, for what servers send.
fn may_hold(kind: u8, id: u8) -> bool {
    match kind {
        0x20 => matches!(
            id,
            SESSION_EXPIRY
                | ASSIGNED_CLIENT_ID
                | SERVER_KEEP_ALIVE
                | AUTH_METHOD
                | AUTH_DATA
                | RESPONSE_INFO
                | SERVER_REFERENCE
                | REASON_STRING
                | RECEIVE_MAX
                | TOPIC_ALIAS_MAX
                | MAX_QOS
                | RETAIN_AVAILABLE
                | USER
                | MAX_PACKET
                | WILDCARD_AVAILABLE
                | SUBSCRIPTION_ID_AVAILABLE
                | SHARED_AVAILABLE
        ),
        0x30 => matches!(
            id,
            PAYLOAD_FORMAT
                | MESSAGE_EXPIRY
                | CONTENT_TYPE
                | RESPONSE_TOPIC
                | CORRELATION_DATA
                | SUBSCRIPTION_ID
                | TOPIC_ALIAS
                | USER
        ),
        0xE0 => matches!(id, SERVER_REFERENCE | REASON_STRING | USER),
        0xF0 => matches!(id, AUTH_METHOD | AUTH_DATA | REASON_STRING | USER),
        _ => matches!(id, REASON_STRING | USER),
    }
}

/// The reason codes that a server may use in a packet of this first byte.
fn codes(kind: u8) -> &'static [u8] {
    match kind {
        0x20 => &[
            0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
        PUBACK | PUBREC => &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        PUBREL | PUBCOMP => &[0, 0x92],
        0x90 => &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
        0xB0 => &[0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        0xE0 => &[
            0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
            0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ],
        _ => &[0, 0x18, 0x19],
    }
}

fn known(kind: u8, code: u8) -> u8 {
    assert!(codes(kind).contains(&code), "a packet 0x{kind:02X} with code 0x{code:02X}");
    code
}

/// Takes the first packet out of `buffer`; none while it is incomplete. The second part is its length.
pub fn read(buffer: &mut Vec<u8>, v: u8) -> Option<(Got, usize)> {
    let length_bytes = buffer.iter().skip(1).take_while(|byte| **byte >= 0x80).count() + 1;
    assert!(length_bytes <= 4, "a remaining length of more than four bytes");
    if buffer.len() < 1 + length_bytes {
        return None;
    }
    let remaining = Reader(&buffer[1..]).var() as usize;
    let total = 1 + length_bytes + remaining;
    if buffer.len() < total {
        return None;
    }
    let taken: Vec<u8> = buffer.drain(..total).collect();
    let mut body = Reader(&taken[1 + length_bytes..]);
    let got = parse(taken[0], &mut body, v);
    assert!(body.0.is_empty(), "{got:?} has {} bytes too many", body.0.len());
    Some((got, total))
}

fn parse(first: u8, body: &mut Reader<'_>, v: u8) -> Got {
    match first {
        0x20 => {
            let (flags, code) = (body.byte(), body.byte());
            assert!(flags < 2, "CONNACK flags 0x{flags:02X}");
            // A client of a version that the server does not know is answered in the oldest form.
            let old = v < 5 || body.0.is_empty();
            assert!(!old || code < 6, "a return code of {code}");
            let props = if old { Props::default() } else { body.properties(0x20) };
            let code = if old { code } else { known(0x20, code) };
            assert!(code == 0 || flags == 0, "session present in a refusal");
            Got::ConnAck { flags, code, props }
        }
        0x30..=0x3F => {
            let (dup, qos, retain) = (first & 8 != 0, first >> 1 & 3, first & 1 != 0);
            assert!(qos < 3 && !(dup && qos == 0), "a PUBLISH with flags 0x{first:02X}");
            let topic = body.text().into_bytes();
            let id = if qos > 0 { body.id() } else { 0 };
            let props = if v == 5 { body.properties(0x30) } else { Props::default() };
            let topic_alone = !topic.is_empty() || props.has(TOPIC_ALIAS);
            assert!(topic_alone, "a PUBLISH without a topic");
            assert!(!topic.iter().any(|byte| b"+#".contains(byte)), "a PUBLISH to a wildcard");
            let payload = body.rest();
            Got::Publish(Box::new(Publish {
                dup,
                qos,
                retain,
                topic,
                id,
                properties: Vec::new(),
                props,
                payload,
            }))
        }
        PUBACK | PUBREC | PUBREL | PUBCOMP => {
            let id = body.id();
            let old = v < 5 || body.0.is_empty();
            let code = if old { 0 } else { known(first, body.byte()) };
            let props = if old || body.0.is_empty() { Props::default() } else { body.properties(first) };
            Got::Ack { kind: first, id, code, props }
        }
        0x90 => {
            let id = body.id();
            let props = if v == 5 { body.properties(first) } else { Props::default() };
            let codes = body.rest();
            for code in &codes {
                let legal = if v == 5 { codes_of_suback(*code) } else { matches!(*code, 0..=2 | 0x80) };
                assert!(legal, "SUBACK with 0x{code:02X}");
            }
            Got::SubAck { id, codes, props }
        }
        0xB0 => {
            let id = body.id();
            let props = if v == 5 { body.properties(first) } else { Props::default() };
            let codes = if v == 5 { body.rest() } else { Vec::new() };
            codes.iter().for_each(|code| assert_eq!(known(0xB0, *code), *code));
            Got::UnsubAck { id, codes, props }
        }
        0xD0 => Got::Pong,
        0xE0 | 0xF0 => {
            assert_eq!(v, 5, "a server of MQTT {v} sends no 0x{first:02X}");
            let code = if body.0.is_empty() { 0 } else { known(first, body.byte()) };
            let props = if body.0.is_empty() { Props::default() } else { body.properties(first) };
            if first == 0xE0 { Got::Disconnect { code, props } } else { Got::Auth { code, props } }
        }
        other => panic!("a server sent 0x{other:02X}"),
    }
}

fn codes_of_suback(code: u8) -> bool {
    codes(0x90).contains(&code)
}
