//! The packets that the load generator sends: MQTT 3.1.1 (OASIS 2014) and 5.0 (OASIS 2019).
//!
//! Written by hand, because a PUBLISH is made once and then only has its stamp patched: see [`PublishShape`].

use super::settings::{Qos, Version};

/// What stands at the head of each payload: publisher (4 bytes), sequence number (4 bytes, wrapping) and the time of
/// sending in nanoseconds since the run began (8 bytes), all little-endian.
pub const STAMP_LEN: usize = 16;

/// The head of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Whose message.
    pub publisher: u32,
    /// Its number, from 0, of which this is the lower half.
    pub sequence: u32,
    /// When it was sent, in nanoseconds since the run began.
    pub sent_ns: u64,
}

impl Stamp {
    /// Reads it, if the payload is long enough to hold one.
    #[inline]
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let head: &[u8; STAMP_LEN] = payload.first_chunk()?;
        let [a, b, c, d, e, f, g, h, t @ ..] = *head;
        Some(Self {
            publisher: u32::from_le_bytes([a, b, c, d]),
            sequence: u32::from_le_bytes([e, f, g, h]),
            sent_ns: u64::from_le_bytes(t),
        })
    }

    /// As it stands in a payload.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> [u8; STAMP_LEN] {
        let mut out = [0; STAMP_LEN];
        out[..4].copy_from_slice(&self.publisher.to_le_bytes());
        out[4..8].copy_from_slice(&self.sequence.to_le_bytes());
        out[8..].copy_from_slice(&self.sent_ns.to_le_bytes());
        out
    }
}

/// What a CONNECT says.
pub struct Connect<'a> {
    pub version: Version,
    pub client_id: &'a str,
    /// Begin anew, and (unless `keep_session`) leave nothing behind.
    pub clean: bool,
    /// MQTT 5: keep the session after the connection ended.
    pub keep_session: bool,
    /// Seconds; 0 is off.
    pub keep_alive: u16,
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
}

/// How long a durable session outlives its connection under MQTT 5, in seconds. The run ends it; this is for a run that
/// was killed.
const SESSION_EXPIRY: u32 = 3600;

impl Connect<'_> {
    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(64);
        text(&mut body, "MQTT");
        body.push(match self.version {
            Version::V311 => 4,
            Version::V5 => 5,
        });
        let mut flags = 0;
        if self.clean {
            flags |= 0x02;
        }
        if self.username.is_some() {
            flags |= 0x80;
        }
        if self.password.is_some() {
            flags |= 0x40;
        }
        body.push(flags);
        body.extend_from_slice(&self.keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            if self.keep_session {
                body.push(5);
                body.push(0x11); // Session Expiry Interval
                body.extend_from_slice(&SESSION_EXPIRY.to_be_bytes());
            } else {
                body.push(0);
            }
        }
        text(&mut body, self.client_id);
        for field in [self.username, self.password].into_iter().flatten() {
            text(&mut body, field);
        }
        packet(out, 0x10, &body);
        zeroize::Zeroize::zeroize(&mut body);
    }
}

/// Appends a SUBSCRIBE for these filters.
pub fn subscribe<'a>(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    filters: impl IntoIterator<Item = &'a str>,
    qos: Qos,
) {
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(&packet_id.to_be_bytes());
    if version == Version::V5 {
        body.push(0);
    }
    for filter in filters {
        text(&mut body, filter);
        body.push(qos.bits());
    }
    packet(out, 0x82, &body);
}

/// PINGREQ.
pub const PINGREQ: [u8; 2] = [0xc0, 0];
/// DISCONNECT, under MQTT 5 with reason "normal".
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// The first byte of PUBACK, PUBREC, PUBREL (with its reserved bits) and PUBCOMP.
pub const PUBACK: u8 = 0x40;
pub const PUBREC: u8 = 0x50;
pub const PUBREL: u8 = 0x62;
pub const PUBCOMP: u8 = 0x70;

/// An acknowledgement without a reason, which both versions write alike.
#[inline]
#[must_use]
pub const fn acknowledgement(first: u8, packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [first, 2, high, low]
}

/// A PUBLISH that was encoded once; what changes is patched in place.
#[derive(Debug, Clone)]
pub struct PublishShape {
    bytes: Vec<u8>,
    /// Where the packet id stands; with QoS 0 nowhere.
    packet_id_at: Option<usize>,
    stamp_at: usize,
}

impl PublishShape {
    /// Encodes a PUBLISH with this payload, at whose head a stamp is to be patched.
    #[must_use]
    pub fn new(version: Version, qos: Qos, topic: &str, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(payload.len() + topic.len() + 12);
        Self::encode(&mut bytes, version, qos, topic, 1, payload);
        let stamp_at = bytes.len() - payload.len();
        let properties = usize::from(version == Version::V5);
        let packet_id_at = (qos != Qos::AtMostOnce).then(|| stamp_at - properties - 2);
        Self { bytes, packet_id_at, stamp_at }
    }

    /// Appends a PUBLISH. `packet_id` is left out at QoS 0.
    pub fn encode(
        out: &mut Vec<u8>,
        version: Version,
        qos: Qos,
        topic: &str,
        packet_id: u16,
        payload: &[u8],
    ) {
        let id = packet_id.to_be_bytes();
        let id: &[u8] = if qos == Qos::AtMostOnce { &[] } else { &id };
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        head(out, 0x30 | (qos.bits() << 1), 2 + topic.len() + id.len() + properties.len() + payload.len());
        text(out, topic);
        out.extend_from_slice(id);
        out.extend_from_slice(properties);
        out.extend_from_slice(payload);
    }

    /// The whole packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Patches the stamp and the packet id into a copy of [`Self::bytes`].
    #[inline]
    pub fn patch(&self, copy: &mut [u8], stamp: Stamp, packet_id: u16) {
        if let Some(head) = copy.get_mut(self.stamp_at..self.stamp_at + STAMP_LEN) {
            head.copy_from_slice(&stamp.bytes());
        }
        if let Some(at) = self.packet_id_at
            && let Some(id) = copy.get_mut(at..at + 2)
        {
            id.copy_from_slice(&packet_id.to_be_bytes());
        }
    }
}

/// A length-prefixed string.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

/// A fixed header, and what follows it.
fn packet(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    head(out, first, body.len());
    out.extend_from_slice(body);
}

/// A fixed header.
fn head(out: &mut Vec<u8>, first: u8, remaining_length: usize) {
    out.push(first);
    let mut left = remaining_length;
    loop {
        let digit = u8::try_from(left % 128).unwrap_or(0);
        left /= 128;
        out.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_what_the_specification_says() {
        let mut out = Vec::new();
        let mut connect = Connect {
            version: Version::V311,
            client_id: "a",
            clean: true,
            keep_session: false,
            keep_alive: 60,
            username: Some("u"),
            password: Some("pw"),
        };
        connect.encode(&mut out);
        assert_eq!(out, b"\x10\x14\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x01u\0\x02pw");
        out.clear();
        connect = Connect {
            version: Version::V5,
            clean: false,
            keep_session: true,
            username: None,
            password: None,
            ..connect
        };
        connect.encode(&mut out);
        assert_eq!(out, b"\x10\x13\0\x04MQTT\x05\0\0\x3c\x05\x11\0\0\x0e\x10\0\x01a");
    }

    #[test]
    fn a_publish_is_encoded_once_and_patched_in_place() {
        let payload = [7; 200];
        let shape = PublishShape::new(Version::V5, Qos::AtLeastOnce, "t/1", &payload);
        let mut copy = shape.bytes().to_vec();
        let stamp = Stamp { publisher: 3, sequence: 9, sent_ns: 77 };
        shape.patch(&mut copy, stamp, 0x0102);
        // 2 + 3 topic, 2 id, 1 properties, 200 payload = 208 = 0xd0 0x01
        assert_eq!(copy[..11], *b"\x32\xd0\x01\0\x03t/1\x01\x02\0");
        assert_eq!(Stamp::read(&copy[11..]), Some(stamp));
        assert_eq!(copy[11 + STAMP_LEN..], [7; 200 - STAMP_LEN]);
        assert_eq!(Stamp::read(&[0; 15]), None);
    }

    #[test]
    fn a_subscribe_asks_for_its_filters_in_one_packet() {
        let mut out = Vec::new();
        subscribe(&mut out, Version::V311, 5, ["a/+", "b"], Qos::ExactlyOnce);
        assert_eq!(out, b"\x82\x0c\0\x05\0\x03a/+\x02\0\x01b\x02");
    }
}
