//! MQTT as a strict client reads it: anything that a server must not send panics.

/// What a server sends. Codes are 0 where the version has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    ConnAck { present: bool, code: u8 },
    Publish { dup: bool, qos: u8, retain: bool, id: u16, payload: Vec<u8> },
    PubAck { id: u16, code: u8 },
    PubRec { id: u16, code: u8 },
    PubRel { id: u16, code: u8 },
    PubComp { id: u16, code: u8 },
    SubAck { id: u16, codes: Vec<u8> },
    UnsubAck { id: u16 },
    Pong,
    Disconnect { code: u8 },
}

/// Bytes as they come.
pub struct Reader {
    version: u8,
    buffer: Vec<u8>,
    /// Topics that the server gave an alias.
    aliases: Vec<Option<String>>,
    ended: bool,
}

impl Reader {
    /// `aliases` is the Topic Alias Maximum that the server was told.
    pub fn new(version: u8, aliases: u16) -> Self {
        Self { version, buffer: Vec::new(), aliases: vec![None; usize::from(aliases)], ended: false }
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether it ends between two packets.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next packet, if it is complete.
    pub fn next(&mut self) -> Option<Packet> {
        let first = *self.buffer.first()?;
        let (mut length, mut at, mut shift) = (0usize, 1, 0);
        loop {
            let byte = *self.buffer.get(at)?;
            length |= usize::from(byte & 0x7F) << shift;
            at += 1;
            if byte & 0x80 == 0 {
                assert!(byte != 0 || at == 2, "a length in more bytes than it needs");
                break;
            }
            shift += 7;
            assert!(shift < 28, "a length of more than four bytes");
        }
        if self.buffer.len() < at + length {
            return None;
        }
        let packet: Vec<u8> = self.buffer.drain(..at + length).skip(at).collect();
        assert!(!self.ended, "something after DISCONNECT");
        Some(self.packet(first, &mut Body { bytes: &packet, version: self.version }))
    }

    fn packet(&mut self, first: u8, body: &mut Body<'_>) -> Packet {
        let (kind, flags) = (first >> 4, first & 15);
        assert!(
            kind == 3 || flags == if kind == 6 { 2 } else { 0 },
            "flags {flags:04b} in packet type {kind}"
        );
        let v5 = self.version == 5;
        let packet = match kind {
            2 => {
                let (acknowledge, code) = (body.byte(), body.byte());
                assert!(acknowledge <= 1 && (acknowledge == 0 || code == 0));
                assert!(self.version != 3 || acknowledge == 0, "MQTT 3.1 has no session present");
                body.properties(&[
                    0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28,
                    0x29, 0x2A,
                ]);
                assert!(v5 || code <= 5, "CONNACK {code}");
                Packet::ConnAck { present: acknowledge == 1, code }
            }
            3 => self.publish(flags, body),
            4..=7 => {
                let id = body.id();
                assert!(v5 || body.bytes.is_empty());
                let code = if body.bytes.is_empty() { 0 } else { body.byte() };
                if !body.bytes.is_empty() {
                    body.properties(&[0x1F, 0x26]);
                }
                match kind {
                    4 => Packet::PubAck { id, code },
                    5 => Packet::PubRec { id, code },
                    6 => Packet::PubRel { id, code },
                    _ => Packet::PubComp { id, code },
                }
            }
            9 => {
                let id = body.id();
                body.properties(&[0x1F, 0x26]);
                let codes = body.rest();
                assert!(
                    !codes.is_empty()
                        && codes.iter().all(|code| *code <= 2 || v5 && *code > 0x7F || *code == 0x80)
                );
                Packet::SubAck { id, codes }
            }
            11 => {
                let id = body.id();
                body.properties(&[0x1F, 0x26]);
                let codes = body.rest();
                assert_eq!(v5, !codes.is_empty());
                Packet::UnsubAck { id }
            }
            13 => Packet::Pong,
            14 if v5 => {
                self.ended = true;
                let code = if body.bytes.is_empty() { 0 } else { body.byte() };
                if !body.bytes.is_empty() {
                    body.properties(&[0x1C, 0x1F, 0x26]);
                }
                Packet::Disconnect { code }
            }
            other => panic!("a server does not send packet type {other} in version {}", self.version),
        };
        assert!(body.bytes.is_empty(), "{} bytes too many in {packet:?}", body.bytes.len());
        packet
    }

    fn publish(&mut self, flags: u8, body: &mut Body<'_>) -> Packet {
        let (dup, qos, retain) = (flags & 8 != 0, flags >> 1 & 3, flags & 1 != 0);
        assert!(qos < 3 && !(dup && qos == 0));
        let topic = body.text();
        let id = if qos > 0 { body.id() } else { 0 };
        let alias = body.properties(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]);
        if let Some(alias) = alias {
            let place = usize::from(alias).checked_sub(1).and_then(|at| self.aliases.get_mut(at));
            let place = place.expect("an alias beyond the maximum");
            if topic.is_empty() {
                assert!(place.is_some(), "an alias that stands for nothing");
            } else {
                *place = Some(topic.clone());
            }
        }
        assert!(!topic.is_empty() || alias.is_some(), "no topic");
        assert!(!topic.contains(['+', '#', '\0']), "no topic name: {topic:?}");
        Packet::Publish { dup, qos, retain, id, payload: body.rest() }
    }
}

struct Body<'a> {
    bytes: &'a [u8],
    version: u8,
}

impl Body<'_> {
    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.bytes.split_at_checked(length).expect("a packet that is too short");
        self.bytes = rest;
        taken
    }

    fn rest(&mut self) -> Vec<u8> {
        self.take(self.bytes.len()).to_vec()
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A packet id.
    fn id(&mut self) -> u16 {
        let id = self.short();
        assert!(id != 0, "packet id 0");
        id
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.short());
        let text = String::from_utf8(self.take(length).to_vec()).expect("text that is no UTF-8");
        assert!(!text.contains('\0'), "U+0000 in a text");
        text
    }

    fn varint(&mut self) -> usize {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte();
            value |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("a variable byte integer of more than four bytes");
    }

    /// MQTT 5 §2.2.2: only these, each but user properties and subscription identifiers once. Returns the topic alias.
    fn properties(&mut self, allowed: &[u8]) -> Option<u16> {
        if self.version < 5 {
            return None;
        }
        let length = self.varint();
        let bytes = self.take(length).to_vec();
        let mut body = Body { bytes: &bytes, version: self.version };
        let (mut seen, mut alias) = (Vec::new(), None);
        while !body.bytes.is_empty() {
            let id = body.byte();
            assert!(allowed.contains(&id), "property 0x{id:02X} does not belong here");
            assert!(matches!(id, 0x26 | 0x0B) || !seen.contains(&id), "property 0x{id:02X} twice");
            seen.push(id);
            match id {
                0x01 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => assert!(body.byte() <= 1),
                0x02 | 0x11 => drop(body.take(4).to_vec()),
                0x27 => assert_ne!(body.take(4), [0; 4]),
                0x03 | 0x08 | 0x12 | 0x15 | 0x1A | 0x1C | 0x1F => drop(body.text()),
                0x09 | 0x16 => {
                    let length = usize::from(body.short());
                    body.take(length);
                }
                0x0B => assert_ne!(body.varint(), 0),
                0x13 | 0x22 => drop(body.take(2).to_vec()),
                0x21 => assert_ne!(body.short(), 0),
                0x23 => alias = Some(body.short()),
                0x26 => drop((body.text(), body.text())),
                other => panic!("there is no property 0x{other:02X}"),
            }
        }
        alias
    }
}
