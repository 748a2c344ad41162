//! The short way for the packets that make up nearly all traffic: PUBLISH without rarities, and PUBACK. Decoded by
//! hand, in place, because a general codec takes several times longer than all the rest of a message's way.
//!
//! It only ever recognizes: what it is not sure about it leaves to [`super::codec`], which also finds the words for
//! what is wrong. Every length is checked here, so that what comes after can slice. Start at [`frame`], then
//! [`Lean::of`].

use std::num::NonZeroU16;

use rmqtt_codec::v5::DisconnectReasonCode;

use super::{Limit, codec::Violation};

/// The first byte of a PUBLISH without its flags (MQTT 5.0 §2.1.2, type 3).
const PUBLISH: u8 = 0x30;
const PUBLISH_DUP: u8 = 0x08;
const PUBACK: u8 = 0x40;

/// One complete packet at the beginning of a buffer: where its fixed header ends, and how long all of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) header: usize,
    pub(super) length: usize,
}

/// Finds the first packet of `buffer`; none while it is incomplete (MQTT 5.0 §2.1.4: Remaining Length, at most four
/// bytes). MQTT 5 wants a length in no more bytes than it needs (MQTT-1.5.5-1); before it nothing is said of that, and
/// there are devices that leave the same room for every length.
///
/// # Errors
/// When all of it is longer than `max`, or its length is no length.
pub(super) fn frame(buffer: &[u8], max: u32, v5: bool) -> Result<Option<Frame>, Violation> {
    let mut remaining = 0_usize;
    for index in 1..5 {
        let Some(byte) = buffer.get(index) else { return Ok(None) };
        remaining |= usize::from(byte & 0x7F) << (7 * (index - 1));
        if byte & 0x80 == 0 {
            let frame = Frame { header: index + 1, length: index + 1 + remaining };
            if frame.length > max as usize {
                let text = format!("a packet of {} bytes, and {max} are the most", frame.length);
                let violation = Violation::new(DisconnectReasonCode::PacketTooLarge, text);
                return Err(violation.beyond(Limit::MaxPacketBytes));
            }
            if v5 && *byte == 0 && index > 1 {
                return Err(Violation::malformed("a remaining length of more bytes than it needs"));
            }
            return Ok((buffer.len() >= frame.length).then_some(frame));
        }
    }
    Err(Violation::malformed("a remaining length of more than four bytes"))
}

/// A packet of the common kinds, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean<'a> {
    /// QoS 0 or 1, not retained, with its topic.
    Publish(LeanPublish<'a>),
    PubAck(NonZeroU16),
}

/// A PUBLISH as it stands in the buffer. The topic is not yet known to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeanPublish<'a> {
    /// The first byte: equal ones have the same QoS and flags.
    pub(super) first: u8,
    pub(super) topic: &'a [u8],
    /// None at QoS 0.
    pub(super) packet_id: Option<NonZeroU16>,
    /// As they stand on the wire, without their length; empty before MQTT 5.
    pub(super) properties: &'a [u8],
    pub(super) payload: &'a [u8],
}

impl<'a> Lean<'a> {
    /// The complete packet that `frame` found, if it is of a common kind.
    pub(super) fn of(buffer: &'a [u8], frame: Frame, v5: bool) -> Option<Self> {
        let packet = buffer.get(..frame.length)?;
        match *packet.first()? {
            first if first & 0xF0 == PUBLISH => {
                LeanPublish::of(first, &packet[frame.header..], v5).map(Self::Publish)
            }
            PUBACK if frame.length == 4 => {
                Some(Self::PubAck(NonZeroU16::new(u16::from_be_bytes([packet[2], packet[3]]))?))
            }
            _ => None,
        }
    }
}

impl<'a> LeanPublish<'a> {
    fn of(first: u8, body: &'a [u8], v5: bool) -> Option<Self> {
        let with_id = match first & !PUBLISH_DUP {
            0x30 if first & PUBLISH_DUP == 0 => false,
            0x32 => true,
            _ => return None,
        };
        let (length, rest) = body.split_first_chunk()?;
        let (topic, mut rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if topic.is_empty() {
            return None;
        }
        let mut packet_id = None;
        if with_id {
            let (id, after) = rest.split_first_chunk()?;
            packet_id = Some(NonZeroU16::new(u16::from_be_bytes(*id))?);
            rest = after;
        }
        let mut properties: &[u8] = &[];
        if v5 {
            // Properties of 128 bytes and more are not common.
            let (length, after) = rest.split_first()?;
            (properties, rest) =
                if *length < 0x80 { after.split_at_checked(usize::from(*length))? } else { return None };
        }
        Some(Self { first, topic, packet_id, properties, payload: rest })
    }

    /// Whether another differs only in packet id, DUP and payload.
    pub(super) fn resembles(&self, other: &Self) -> bool {
        (self.first ^ other.first) & !PUBLISH_DUP == 0
            && self.topic == other.topic
            // Comparing two empty slices asks memory that is not there, which some processors take a hundred nanoseconds
            // to find out (masked loads with every lane off).
            && (self.properties.is_empty() && other.properties.is_empty() || self.properties == other.properties)
    }

    /// 0 or 1.
    pub(super) fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use rmqtt_codec::{v3, v5};
    use tokio_util::codec::{Decoder, Encoder};

    use super::*;

    const MAX: u32 = 1 << 20;

    fn general(packet: &[u8], v5: bool) -> Option<rmqtt_codec::types::Publish> {
        let mut buffer = BytesMut::from(packet);
        if v5 {
            match v5::Codec::new(0, 0).decode(&mut buffer).ok()?? {
                (v5::Packet::Publish(publish), _) => Some(*publish),
                _ => None,
            }
        } else {
            match v3::Codec::new(0).decode(&mut buffer).ok()?? {
                (v3::Packet::Publish(publish), _) => Some(*publish),
                _ => None,
            }
        }
    }

    proptest! {
        #[test]
        fn what_it_recognizes_the_general_codec_reads_alike(
            first in prop_oneof![Just(0x30u8), Just(0x32), Just(0x3A), Just(0x38), Just(0x31), Just(0x34), any::<u8>()],
            topic in "[a-z/]{0,40}", packet_id: u16, properties in prop_oneof![
                Just(vec![]), Just(vec![3, 0, 1, b'x']), prop::collection::vec(any::<u8>(), 0..200)],
            payload in prop::collection::vec(any::<u8>(), 0..300), v5: bool,
        ) {
            let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
            body.extend(topic.bytes());
            if first >> 1 & 3 > 0 {
                body.extend(packet_id.to_be_bytes());
            }
            if v5 {
                if properties.len() >= 0x80 {
                    body.push(0x80 | (properties.len() & 0x7F) as u8);
                    body.push((properties.len() >> 7) as u8);
                } else {
                    body.push(properties.len() as u8);
                }
                body.extend(&properties);
            }
            body.extend(&payload);
            let mut packet = vec![first];
            let mut length = body.len();
            loop {
                packet.push((length & 0x7F) as u8 | if length > 0x7F { 0x80 } else { 0 });
                length >>= 7;
                if length == 0 { break }
            }
            packet.extend(&body);
            let found = frame(&packet, MAX, v5).unwrap().unwrap();
            prop_assert_eq!(found.length, packet.len());
            let lean = Lean::of(&packet, found, v5);
            // The general codec judges the properties' content, which is none of the short way's business.
            if let (Some(Lean::Publish(lean)), Some(publish)) = (lean, general(&packet, v5)) {
                prop_assert_eq!(lean.topic, publish.topic.as_bytes());
                prop_assert_eq!(lean.payload, &publish.payload[..]);
                prop_assert_eq!(lean.qos(), publish.qos.value());
                prop_assert_eq!(lean.packet_id, publish.packet_id);
                prop_assert!(!publish.retain);
                prop_assert!(!(publish.dup && lean.qos() == 0));
            }
            let plain = (first == 0x30 || (first == 0x32 && packet_id > 0)) && !topic.is_empty();
            if plain && (!v5 || properties.len() < 0x80) {
                prop_assert!(lean.is_some(), "a common packet must take the short way");
            }
        }

        #[test]
        fn nothing_is_read_beyond_the_end_and_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), v5: bool) {
            if let Ok(Some(found)) = frame(&bytes, MAX, v5) {
                prop_assert!(found.length <= bytes.len());
                let _ = Lean::of(&bytes, found, v5);
            }
            for cut in 0..bytes.len() {
                let _ = frame(&bytes[..cut], MAX, v5);
            }
        }
    }

    #[test]
    fn a_puback_is_recognized_and_one_with_a_reason_is_left_to_the_codec() {
        let bytes = [0x40, 2, 0, 7];
        let found = frame(&bytes, MAX, true).unwrap().unwrap();
        assert_eq!(Lean::of(&bytes, found, true), Some(Lean::PubAck(NonZeroU16::new(7).unwrap())));
        let mut long = BytesMut::new();
        let ack = v5::PublishAck {
            packet_id: NonZeroU16::MIN,
            reason_code: v5::PublishAckReason::NotAuthorized,
            properties: Vec::new(),
            reason_string: None,
        };
        v5::Codec::new(0, 0).encode(v5::Packet::PublishAck(ack), &mut long).unwrap();
        let found = frame(&long, MAX, true).unwrap().unwrap();
        assert_eq!(Lean::of(&long, found, true), None);
        let zero = [0x40, 2, 0, 0];
        assert_eq!(Lean::of(&zero, frame(&zero, MAX, false).unwrap().unwrap(), false), None);
    }

    #[test]
    fn a_length_of_five_bytes_and_one_over_the_limit_are_refused_before_they_are_complete() {
        let malformed = frame(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], MAX, false).unwrap_err();
        assert_eq!(malformed.code, DisconnectReasonCode::MalformedPacket);
        let large = frame(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], MAX, true).unwrap_err();
        assert_eq!(large.code, DisconnectReasonCode::PacketTooLarge);
        assert_eq!(frame(&[0x30, 0xFF], MAX, true).unwrap(), None);
        // The fixed header counts.
        let packet = [&[0x30, 98][..], &[0; 98]].concat();
        assert!(frame(&packet, 100, true).unwrap().is_some());
        assert!(frame(&packet, 99, true).is_err());
    }

    #[test]
    fn a_length_of_more_bytes_than_it_needs_is_malformed_in_mqtt_5_alone() {
        let padded = [0xC0, 0x80, 0];
        assert_eq!(frame(&padded, MAX, true).unwrap_err().code, DisconnectReasonCode::MalformedPacket);
        assert_eq!(frame(&padded, MAX, false).unwrap(), Some(Frame { header: 3, length: 3 }));
    }
}
