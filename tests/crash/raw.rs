//! MQTT 3.1.1 by hand over a plain socket: a client that repeats nothing and remembers nothing by itself.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// What a broker sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    ConnAck { present: bool },
    Publish { topic: String, qos: u8, id: Option<u16>, dup: bool, retain: bool, payload: Vec<u8> },
    PubAck(u16),
    PubRec(u16),
    PubRel(u16),
    PubComp(u16),
    SubAck(Vec<u8>),
    Pong,
}

/// Of a PUBLISH.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    pub dup: bool,
    pub retain: bool,
}

pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    /// Connects to a session that stays (or begins afresh and ends with the connection), and says whether it was
    /// there.
    pub fn connect(address: &str, client_id: &str, stays: bool) -> io::Result<(Self, bool)> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut raw = Self { stream, buffer: Vec::new() };
        let flags = if stays { 0 } else { 2 };
        let mut body = [b"\0\x04MQTT\x04".as_slice(), &[flags, 0, 0]].concat();
        put_text(&mut body, client_id);
        raw.send(0x10, &body)?;
        match raw.next()? {
            Packet::ConnAck { present } => Ok((raw, present)),
            other => panic!("no CONNACK but {other:?}"),
        }
    }

    fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![first];
        let mut length = body.len();
        while length > 0x7F {
            packet.push(length as u8 | 0x80);
            length >>= 7;
        }
        packet.push(length as u8);
        packet.extend_from_slice(body);
        self.stream.write_all(&packet)
    }

    pub fn subscribe(&mut self, filter: &str, qos: u8) -> io::Result<()> {
        let mut body = vec![0, 1];
        put_text(&mut body, filter);
        body.push(qos);
        self.send(0x82, &body)?;
        match self.next()? {
            Packet::SubAck(codes) => assert_eq!(codes, [qos]),
            other => panic!("no SUBACK but {other:?}"),
        }
        Ok(())
    }

    /// QoS 1.
    pub fn publish(&mut self, topic: &str, id: u16, payload: &[u8], retain: bool) -> io::Result<()> {
        self.send_publish(topic, 1, id, payload, Flags { dup: false, retain })
    }

    /// QoS 1 or 2.
    pub fn send_publish(
        &mut self,
        topic: &str,
        qos: u8,
        id: u16,
        payload: &[u8],
        flags: Flags,
    ) -> io::Result<()> {
        let mut body = Vec::new();
        put_text(&mut body, topic);
        body.extend(id.to_be_bytes());
        body.extend_from_slice(payload);
        self.send(0x30 | u8::from(flags.dup) << 3 | qos << 1 | u8::from(flags.retain), &body)
    }

    /// PUBACK.
    pub fn acknowledge(&mut self, id: u16) -> io::Result<()> {
        self.send(0x40, &id.to_be_bytes())
    }

    /// PUBREC.
    pub fn received(&mut self, id: u16) -> io::Result<()> {
        self.send(0x50, &id.to_be_bytes())
    }

    /// PUBREL.
    pub fn release(&mut self, id: u16) -> io::Result<()> {
        self.send(0x62, &id.to_be_bytes())
    }

    /// PUBCOMP.
    pub fn complete(&mut self, id: u16) -> io::Result<()> {
        self.send(0x70, &id.to_be_bytes())
    }

    pub fn ping(&mut self) -> io::Result<()> {
        self.send(0xC0, &[])
    }

    /// Waits for the next packet at most so long from now on; none where nothing came.
    pub fn next_within(&mut self, patience: Duration) -> io::Result<Option<Packet>> {
        self.stream.set_read_timeout(Some(patience))?;
        match self.next() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            other => other.map(Some),
        }
    }

    pub fn next(&mut self) -> io::Result<Packet> {
        loop {
            if let Some(packet) = self.take() {
                return Ok(packet);
            }
            let mut chunk = [0; 64 * 1024];
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    /// The first packet of the buffer, if it is complete.
    fn take(&mut self) -> Option<Packet> {
        let (mut length, mut at) = (0usize, 1);
        loop {
            let byte = *self.buffer.get(at)?;
            length |= usize::from(byte & 0x7F) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let first = *self.buffer.first()?;
        let body = self.buffer.get(at..at + length)?.to_vec();
        self.buffer.drain(..at + length);
        let id = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
        Some(match first >> 4 {
            2 => {
                assert_eq!(body[1], 0, "refused");
                Packet::ConnAck { present: body[0] == 1 }
            }
            3 => {
                let topic_end = 2 + usize::from(id(&body));
                let topic = String::from_utf8(body[2..topic_end].to_vec()).unwrap();
                let qos = first >> 1 & 3;
                let (id, payload) =
                    if qos > 0 { (Some(id(&body[topic_end..])), topic_end + 2) } else { (None, topic_end) };
                let (dup, retain) = (first & 8 != 0, first & 1 != 0);
                Packet::Publish { topic, qos, id, dup, retain, payload: body[payload..].to_vec() }
            }
            4 => Packet::PubAck(id(&body)),
            5 => Packet::PubRec(id(&body)),
            6 => Packet::PubRel(id(&body)),
            7 => Packet::PubComp(id(&body)),
            9 => Packet::SubAck(body[2..].to_vec()),
            13 => Packet::Pong,
            other => panic!("a broker does not send packet type {other}"),
        })
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
