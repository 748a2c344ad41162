//! Reads packets out of a stream's bytes: one at a time, without copying and without allocating.
//!
//! It reads only what a load generator must know. It trusts nothing: whatever the bytes, it says how many it took, asks
//! for more, or calls them malformed.

use super::settings::Version;

/// One packet from the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// CONNACK: its code (0 is welcome) and what the broker allows.
    ConnAck { code: u8, limits: Limits },
    /// A message. `packet_id` is 0 at QoS 0.
    Publish { qos: u8, packet_id: u16, topic: &'a [u8], payload: &'a [u8] },
    /// PUBACK: for QoS 1.
    PubAck { packet_id: u16, reason: u8 },
    /// PUBREC: the first of QoS 2's answers to a publisher.
    PubRec { packet_id: u16, reason: u8 },
    /// PUBREL: to a subscriber, which answers PUBCOMP.
    PubRel { packet_id: u16 },
    /// PUBCOMP: QoS 2 is complete.
    PubComp { packet_id: u16 },
    /// SUBACK: one code a filter; 0x80 and above are refusals.
    SubAck { packet_id: u16, codes: &'a [u8] },
    /// PINGRESP.
    PingResp,
    /// MQTT 5: the broker ends the connection, and says why.
    Disconnect { reason: u8 },
}

/// What a broker of MQTT 5 allows; a broker of 3.1.1 says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many unacknowledged messages of QoS 1 and 2 it takes.
    pub receive_maximum: u16,
    /// The highest QoS that it knows.
    pub maximum_qos: u8,
    /// The longest packet that it takes.
    pub maximum_packet_size: u32,
    /// The keep-alive that it imposes, in seconds.
    pub keep_alive: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { receive_maximum: u16::MAX, maximum_qos: 2, maximum_packet_size: u32::MAX, keep_alive: None }
    }
}

/// Bytes that are no MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent something that is no MQTT: is this port really an MQTT broker's, and without TLS?")]
pub struct Malformed;

/// What the beginning of `bytes` holds: a packet and its length, or `None` if it is not yet whole.
///
/// # Errors
/// [`Malformed`].
#[inline]
pub fn next_packet(bytes: &[u8], version: Version) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    let Some((length, head)) = remaining_length(bytes)? else { return Ok(None) };
    let Some(body) = bytes.get(head..head + length) else { return Ok(None) };
    let first = bytes[0];
    let packet = if first >> 4 == 3 { publish(first, body, version)? } else { other(first, body, version)? };
    Ok(Some((packet, head + length)))
}

/// The length of the whole packet at the beginning of `bytes`, once its head is there.
pub fn packet_len(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    Ok(remaining_length(bytes)?.map(|(length, head)| head + length))
}

/// The remaining length and how many bytes the fixed header has (MQTT 5 §1.5.5).
#[inline]
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    match bytes {
        [_, a, ..] if *a < 0x80 => Ok(Some((usize::from(*a), 2))),
        [_, a, b, ..] if *b < 0x80 => Ok(Some((usize::from(*a & 0x7f) | usize::from(*b) << 7, 3))),
        [_, rest @ ..] => Ok(variable(rest)?.map(|(value, len)| (value, len + 1))),
        [] => Ok(None),
    }
}

/// A variable byte integer and its length.
fn variable(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 4 { Err(Malformed) } else { Ok(None) }
}

#[inline]
fn publish(first: u8, body: &[u8], version: Version) -> Result<Packet<'_>, Malformed> {
    let [high, low, rest @ ..] = body else { return Err(Malformed) };
    let topic_len = usize::from(u16::from_be_bytes([*high, *low]));
    let (topic, mut rest) = rest.split_at_checked(topic_len).ok_or(Malformed)?;
    let qos = (first >> 1) & 3;
    let mut packet_id = 0;
    match qos {
        0 => {}
        1 | 2 => (packet_id, rest) = split_id(rest)?,
        _ => return Err(Malformed),
    }
    if version == Version::V5 {
        rest = match rest {
            [0, rest @ ..] => rest,
            _ => properties(rest)?.1,
        };
    }
    Ok(Packet::Publish { qos, packet_id, topic, payload: rest })
}

fn other(first: u8, body: &[u8], version: Version) -> Result<Packet<'_>, Malformed> {
    let reason = |rest: &[u8]| rest.first().copied().unwrap_or(0);
    Ok(match first >> 4 {
        2 => match body {
            [_, code, rest @ ..] => {
                let limits = if version == Version::V5 && !rest.is_empty() {
                    limits(properties(rest)?.0)?
                } else {
                    Limits::default()
                };
                Packet::ConnAck { code: *code, limits }
            }
            _ => return Err(Malformed),
        },
        4 => split_id(body).map(|(packet_id, rest)| Packet::PubAck { packet_id, reason: reason(rest) })?,
        5 => split_id(body).map(|(packet_id, rest)| Packet::PubRec { packet_id, reason: reason(rest) })?,
        6 => split_id(body).map(|(packet_id, _)| Packet::PubRel { packet_id })?,
        7 => split_id(body).map(|(packet_id, _)| Packet::PubComp { packet_id })?,
        9 => {
            let (packet_id, mut rest) = split_id(body)?;
            if version == Version::V5 {
                rest = properties(rest)?.1;
            }
            Packet::SubAck { packet_id, codes: rest }
        }
        13 => Packet::PingResp,
        14 => Packet::Disconnect { reason: reason(body) },
        _ => return Err(Malformed),
    })
}

#[inline]
fn split_id(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let [high, low, rest @ ..] = bytes else { return Err(Malformed) };
    Ok((u16::from_be_bytes([*high, *low]), rest))
}

/// The properties, and what follows them.
fn properties(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, head) = variable(bytes)?.ok_or(Malformed)?;
    let rest = &bytes[head..];
    if rest.len() < length { Err(Malformed) } else { Ok(rest.split_at(length)) }
}

/// Reads those properties of a CONNACK that bind a client (MQTT 5 §3.2.2.3), and steps over the others.
fn limits(mut bytes: &[u8]) -> Result<Limits, Malformed> {
    let mut limits = Limits::default();
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    while let [id, rest @ ..] = bytes {
        let length = match id {
            // one byte: maximum QoS, retain, wildcards, subscription identifiers, shared subscriptions
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            // two: server keep-alive, receive maximum, topic alias maximum
            0x13 | 0x21 | 0x22 => 2,
            // four: session expiry, maximum packet size
            0x11 | 0x27 => 4,
            // strings: assigned client id, authentication, response information, server reference, reason
            0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => 2 + prefixed(rest)?,
            // a pair of strings: user property
            0x26 => {
                let key = 2 + prefixed(rest)?;
                key + 2 + prefixed(rest.get(key..).ok_or(Malformed)?)?
            }
            _ => return Err(Malformed),
        };
        let value = rest.get(..length).ok_or(Malformed)?;
        let short = || u16::try_from(number(value)).unwrap_or(u16::MAX);
        match id {
            0x21 => limits.receive_maximum = short().max(1),
            0x24 => limits.maximum_qos = value[0],
            0x27 => limits.maximum_packet_size = number(value),
            0x13 => limits.keep_alive = Some(short()),
            _ => {}
        }
        bytes = &rest[length..];
    }
    Ok(limits)
}

fn prefixed(bytes: &[u8]) -> Result<usize, Malformed> {
    split_id(bytes).map(|(length, _)| usize::from(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bench::{packet::PublishShape, settings::Qos};

    fn read_all(bytes: &[u8], version: Version) -> Vec<String> {
        let (mut at, mut seen) = (0, Vec::new());
        while let Some((packet, length)) = next_packet(&bytes[at..], version).unwrap() {
            seen.push(format!("{packet:?}"));
            at += length;
        }
        assert_eq!(at, bytes.len(), "a rest was left");
        seen
    }

    fn a_stream(version: Version, payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut out = b"\xd0\0\x40\x02\0\x07".to_vec();
        for (at, payload) in payloads.iter().enumerate() {
            let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][at % 3];
            out.extend_from_slice(PublishShape::new(version, qos, "some/topic", payload).bytes());
            out.extend_from_slice(b"\x62\x02\x01\x02");
        }
        out
    }

    proptest! {
        #[test]
        fn a_stream_counts_the_same_wherever_it_is_split(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            v5: bool,
        ) {
            let version = if v5 { Version::V5 } else { Version::V311 };
            let stream = a_stream(version, &payloads);
            let whole = read_all(&stream, version);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let (mut held, mut from, mut seen) = (Vec::new(), 0, Vec::new());
            for cut in cuts {
                held.extend_from_slice(&stream[from..cut]);
                from = cut;
                let mut at = 0;
                while let Some((packet, length)) = next_packet(&held[at..], version).unwrap() {
                    seen.push(format!("{packet:?}"));
                    at += length;
                }
                held.drain(..at);
            }
            prop_assert!(held.is_empty());
            prop_assert_eq!(seen, whole);
        }

        #[test]
        fn no_bytes_make_it_panic_or_read_past_the_end(bytes in prop::collection::vec(any::<u8>(), 0..200), v5: bool) {
            let version = if v5 { Version::V5 } else { Version::V311 };
            if let Ok(Some((_, length))) = next_packet(&bytes, version) {
                prop_assert!(length <= bytes.len() && length >= 2);
            }
        }
    }

    #[test]
    fn what_a_broker_of_version_5_allows_is_read_from_its_connack() {
        // session expiry, receive maximum 20, assigned id "x", user property a=b, maximum QoS 1, keep-alive 30
        let bytes =
            b"\x20\x1d\0\0\x1a\x11\0\0\0\0\x21\0\x14\x12\0\x01x\x26\0\x01a\0\x01b\x24\x01\x13\0\x1e\x25\x01";
        let (packet, length) = next_packet(bytes, Version::V5).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        let limits =
            Limits { receive_maximum: 20, maximum_qos: 1, keep_alive: Some(30), ..Limits::default() };
        assert_eq!(packet, Packet::ConnAck { code: 0, limits });
    }

    #[test]
    fn a_length_of_more_than_four_bytes_is_malformed() {
        assert_eq!(next_packet(b"\x30\xff\xff\xff\xff\x01", Version::V311), Err(Malformed));
        assert_eq!(next_packet(b"\x30\xff\xff\xff", Version::V311), Ok(None));
        assert_eq!(packet_len(b"\x30\x80\x01"), Ok(Some(131)));
    }
}
