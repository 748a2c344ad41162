//! One application message, and how it is written as a PUBLISH packet.
//!
//! Writing one takes less time than looking whether it was written before: only runs of QoS 0 messages are forwarded as
//! they came, see [`super::lean`]. Start at [`Message::append`].

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use rmqtt_codec::v5::PublishProperties;

use super::{
    aliases::Alias,
    journal::Journal,
    keeper::{KeptMessage, now_ms},
};
use crate::topic::TopicName;

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_ID: u8 = 0x0B;
const TOPIC_ALIAS: u8 = 0x23;
const USER_PROPERTY: u8 = 0x26;

/// What was published.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: TopicName,
    pub(super) payload: Bytes,
    /// As published: 0, 1 or 2.
    pub(super) qos: u8,
    /// The retain flag as published.
    pub(super) retain: bool,
    /// MQTT 5 properties to be forwarded unaltered, as they stand on the wire, without expiry.
    pub(super) properties: Bytes,
    /// When it came, for what remains of its expiry.
    pub(super) received: Instant,
    /// Message Expiry Interval, seconds.
    pub(super) expiry: Option<u32>,
    /// As the keeper is told of it; made when it first is.
    pub(super) kept: OnceLock<Arc<KeptMessage>>,
}

/// The wire form of the properties that a broker forwards unaltered (MQTT 5.0 §3.3.2.3): all but topic alias,
/// subscription identifier and expiry.
pub(super) fn forwarded(properties: &PublishProperties) -> Bytes {
    let mut wire = Vec::new();
    let put = |wire: &mut Vec<u8>, id: u8, value: &[u8]| {
        wire.put_u8(id);
        put_binary(wire, value);
    };
    if properties.is_utf8_payload {
        wire.extend([PAYLOAD_FORMAT, 1]);
    }
    if let Some(content_type) = &properties.content_type {
        put(&mut wire, CONTENT_TYPE, content_type.as_bytes());
    }
    if let Some(response_topic) = &properties.response_topic {
        put(&mut wire, RESPONSE_TOPIC, response_topic.as_bytes());
    }
    if let Some(data) = &properties.correlation_data {
        put(&mut wire, CORRELATION_DATA, data);
    }
    for (key, value) in &properties.user_properties {
        put(&mut wire, USER_PROPERTY, key.as_bytes());
        put_binary(&mut wire, value.as_bytes());
    }
    wire.into()
}

/// Two bytes of length and the bytes. What comes from a decoded packet always fits.
fn put_binary(out: &mut impl BufMut, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&value[..usize::from(length)]);
}

fn put_varint(out: &mut impl BufMut, mut value: usize) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            return out.put_u8(low);
        }
        out.put_u8(low | 0x80);
    }
}

pub(super) fn varint_len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// How one copy of a message is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) v5: bool,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) dup: bool,
    /// Ignored at QoS 0.
    pub(super) packet_id: u16,
    pub(super) subscription_ids: &'a [u32],
    /// The client's Maximum Packet Size.
    pub(super) max_packet: usize,
    /// How the topic is said; never but by its name before MQTT 5.
    pub(super) alias: Alias,
}

impl Message {
    /// What it weighs in a bounded queue.
    pub(super) fn weight(&self) -> usize {
        self.topic.as_str().len() + self.payload.len() + self.properties.len()
    }

    /// Whether its Message Expiry Interval is over.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|seconds| {
            now.saturating_duration_since(self.received) >= Duration::from_secs(seconds.into())
        })
    }

    /// As the keeper is told of it: the same for every session, so that it is kept once.
    pub(super) fn kept(&self, journal: &Journal) -> Arc<KeptMessage> {
        let kept = self.kept.get_or_init(|| {
            let age_ms = u64::try_from(self.received.elapsed().as_millis()).unwrap_or(u64::MAX);
            let expires_ms =
                self.expiry.map(|seconds| (now_ms() + u64::from(seconds) * 1000).saturating_sub(age_ms));
            Arc::new(KeptMessage {
                number: journal.next_message(),
                topic: self.topic.clone(),
                payload: self.payload.clone(),
                properties: self.properties.to_vec().into(),
                qos: self.qos,
                retain: self.retain,
                expires_ms,
            })
        });
        Arc::clone(kept)
    }

    /// What was kept, or none where it has expired. Its interval begins anew with what is left of it.
    pub(super) fn restored(kept: &Arc<KeptMessage>, now_ms: u64) -> Option<Self> {
        let left_ms = kept.expires_ms.map(|at| at.saturating_sub(now_ms));
        if left_ms == Some(0) {
            return None;
        }
        Some(Self {
            topic: kept.topic.clone(),
            payload: kept.payload.clone(),
            qos: kept.qos,
            retain: kept.retain,
            properties: Bytes::copy_from_slice(&kept.properties),
            received: Instant::now(),
            expiry: left_ms.map(|left| u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX)),
            kept: OnceLock::from(Arc::clone(kept)),
        })
    }

    /// A copy that does not pin the buffer it was read into.
    pub(super) fn detached(&self) -> Self {
        Self { payload: Bytes::copy_from_slice(&self.payload), ..self.clone() }
    }

    /// Appends one copy. False where it exceeds what the client takes: the copy counts as delivered
    /// (MQTT-3.1.2-25).
    pub(super) fn append(&self, form: Form<'_>, out: &mut BytesMut) -> bool {
        let topic = match form.alias {
            Alias::Known(_) => &[],
            _ => self.topic.as_str().as_bytes(),
        };
        let mut remaining = 2 + topic.len() + self.payload.len();
        if form.qos > 0 {
            remaining += 2;
        }
        let mut properties = self.properties.len();
        if form.v5 {
            if self.expiry.is_some() {
                properties += 5;
            }
            if form.alias != Alias::None {
                properties += 3;
            }
            properties += form.subscription_ids.iter().map(|id| 1 + varint_len(*id as usize)).sum::<usize>();
            remaining += varint_len(properties) + properties;
        }
        let length = 1 + varint_len(remaining) + remaining;
        if length > form.max_packet {
            return false;
        }
        out.reserve(length);
        out.put_u8(0x30 | u8::from(form.dup) << 3 | form.qos << 1 | u8::from(form.retain));
        put_varint(out, remaining);
        put_binary(out, topic);
        if form.qos > 0 {
            out.put_u16(form.packet_id);
        }
        if form.v5 {
            put_varint(out, properties);
            out.put_slice(&self.properties);
            if let Some(seconds) = self.expiry {
                let passed = u32::try_from(self.received.elapsed().as_secs()).unwrap_or(u32::MAX);
                out.put_u8(MESSAGE_EXPIRY);
                out.put_u32(seconds.saturating_sub(passed));
            }
            if let Alias::New(alias) | Alias::Known(alias) = form.alias {
                out.put_u8(TOPIC_ALIAS);
                out.put_u16(alias);
            }
            for id in form.subscription_ids {
                out.put_u8(SUBSCRIPTION_ID);
                put_varint(out, *id as usize);
            }
        }
        out.put_slice(&self.payload);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmqtt_codec::{types::Publish, v3, v5};
    use tokio_util::codec::Decoder;

    use super::*;

    fn decode(mut bytes: BytesMut, v5: bool) -> Publish {
        let publish = if v5 {
            match v5::Codec::new(0, 0).decode(&mut bytes).unwrap().unwrap().0 {
                v5::Packet::Publish(publish) => *publish,
                other => panic!("{other:?}"),
            }
        } else {
            match v3::Codec::new(0).decode(&mut bytes).unwrap().unwrap().0 {
                v3::Packet::Publish(publish) => *publish,
                other => panic!("{other:?}"),
            }
        };
        assert!(bytes.is_empty(), "nothing may follow the packet");
        publish
    }

    proptest! {
        #[test]
        fn the_codec_reads_back_what_is_written(
            topic in "[a-z/]{1,200}", payload in prop::collection::vec(any::<u8>(), 0..20_000),
            v5: bool, qos in 0u8..3, retain: bool, dup: bool, packet_id in 1u16..,
            ids in prop::collection::vec(1u32..268_435_455, 0..3), expiry in prop::option::of(1u32..),
            content_type in prop::option::of("[a-z/]{0,300}"), user in prop::collection::vec(("[a-z]{0,9}", "[a-z]{0,9}"), 0..3),
            utf8: bool,
        ) {
            let properties = PublishProperties {
                content_type: content_type.map(Into::into),
                user_properties: user.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
                is_utf8_payload: utf8,
                ..PublishProperties::default()
            };
            let message = Message {
                topic: TopicName::new(&topic).unwrap(), payload: payload.clone().into(), qos, retain,
                properties: forwarded(&properties), received: Instant::now(), expiry, kept: OnceLock::new(),
            };
            let form = Form { v5, qos, retain, dup: dup && qos > 0, packet_id, subscription_ids: &ids, max_packet: usize::MAX, alias: Alias::None };
            let mut out = BytesMut::new();
            prop_assert!(message.append(form, &mut out));
            let publish = decode(out, v5);
            prop_assert_eq!(&publish.topic[..], &topic);
            prop_assert_eq!(&publish.payload[..], &payload);
            prop_assert_eq!(publish.qos.value(), qos);
            prop_assert_eq!(publish.retain, retain);
            prop_assert_eq!(publish.dup, dup && qos > 0);
            prop_assert_eq!(publish.packet_id.map(u16::from), (qos > 0).then_some(packet_id));
            if v5 {
                let read = publish.properties.unwrap();
                prop_assert_eq!(read.content_type, properties.content_type);
                prop_assert_eq!(read.user_properties, properties.user_properties);
                prop_assert_eq!(read.is_utf8_payload, utf8);
                prop_assert_eq!(read.message_expiry_interval.map(u32::from), expiry);
                prop_assert_eq!(read.subscription_ids.iter().map(|id| id.get()).collect::<Vec<_>>(), ids);
            }
        }
    }

    #[test]
    fn a_packet_over_the_clients_maximum_is_not_sent() {
        let message = Message {
            topic: TopicName::new("a").unwrap(),
            payload: Bytes::from_static(&[0; 100]),
            qos: 0,
            retain: false,
            properties: Bytes::new(),
            received: Instant::now(),
            expiry: None,
            kept: OnceLock::new(),
        };
        let form = Form {
            v5: true,
            qos: 0,
            retain: false,
            dup: false,
            packet_id: 0,
            subscription_ids: &[],
            max_packet: 100,
            alias: Alias::None,
        };
        let mut out = BytesMut::new();
        assert!(!message.append(form, &mut out));
        assert!(out.is_empty());
        assert!(message.append(Form { max_packet: 106, ..form }, &mut out));
        assert_eq!(out.len(), 106);
    }
}
