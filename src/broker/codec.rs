//! Bytes to packets and back, for all three versions: `rmqtt-codec` does the layout, this module checks what it
//! leaves open, and says with which MQTT 5 reason code a broken packet is answered.
//!
//! Start at [`Codec::decode`]. PUBLISH packets towards clients are written by [`super::message`].

use std::{borrow::Cow, num::NonZeroU16};

use bytes::{BufMut, BytesMut};
use rmqtt_codec::{
    error::DecodeError,
    types::{Publish, QoS},
    v3,
    v5::{
        self, ConnectAckReason, DisconnectReasonCode, PublishAck2Reason, PublishAckReason, RetainHandling,
        SubscribeAckReason, SubscriptionOptions, UnsubscribeAckReason,
    },
};
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Limit, Limits, Protocol,
    framing::{self, Breach},
    lean::frame,
    message::varint_len,
};
use crate::topic::{TopicError, TopicFilter, TopicName};

/// A peer broke the protocol, or asked for what is not offered: the connection ends with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct Violation {
    /// What MQTT 5 clients are told.
    pub(super) code: DisconnectReasonCode,
    /// For the log, and the reason string.
    pub(super) text: Cow<'static, str>,
    /// Which limit of ours it met, if it met one.
    pub(super) limit: Option<Limit>,
}

impl Violation {
    pub(super) fn new(code: DisconnectReasonCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into(), limit: None }
    }

    /// It goes beyond a limit of ours.
    pub(super) fn beyond(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    pub(super) fn malformed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(DisconnectReasonCode::MalformedPacket, text)
    }

    pub(super) fn protocol(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(DisconnectReasonCode::ProtocolError, text)
    }
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Self {
        use DisconnectReasonCode as Code;
        let code = match &error {
            DecodeError::InvalidTopicFilter
            | DecodeError::PacketIdRequired
            | DecodeError::InvalidProtocol => Code::ProtocolError,
            DecodeError::InvalidTopicName => Code::TopicNameInvalid,
            _ => Code::MalformedPacket,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Breach> for Violation {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Malformed(text) => Self::malformed(text),
            Breach::Protocol(text) => Self::protocol(text),
            Breach::TopicAlias(text) => Self::new(DisconnectReasonCode::TopicAliasInvalid, text),
        }
    }
}

/// What a client may send after CONNECT.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The expiry, in seconds, is here alone as the client said it.
    Publish {
        publish: Box<Publish>,
        expiry: Option<u32>,
    },
    PubAck(NonZeroU16),
    PubRec {
        packet_id: NonZeroU16,
        refused: bool,
    },
    PubRel(NonZeroU16),
    PubComp(NonZeroU16),
    Subscribe {
        packet_id: NonZeroU16,
        id: Option<u32>,
        filters: Vec<(TopicFilter, SubscriptionOptions)>,
    },
    Unsubscribe {
        packet_id: NonZeroU16,
        filters: Vec<TopicFilter>,
    },
    Ping,
    Disconnect {
        keep_will: bool,
        session_expiry: Option<u32>,
    },
}

/// One connection's codec.
#[derive(Debug)]
pub(super) struct Codec {
    wire: Wire,
    /// The client's Maximum Packet Size (MQTT-3.1.2-24).
    max_out: usize,
    /// It speaks MQTT 3.1, whose PUBREL, SUBSCRIBE and UNSUBSCRIBE have DUP when they are sent again.
    old: bool,
}

#[derive(Debug)]
enum Wire {
    V3(v3::Codec),
    V5(v5::Codec),
}

/// A topic name as a packet must hold it.
pub(super) fn topic_name(text: &str, limits: &Limits) -> Result<TopicName, Violation> {
    let name = TopicName::new(text)
        .map_err(|error| topic_violation(&error, DisconnectReasonCode::TopicNameInvalid))?;
    if name.levels().count() > limits.max_topic_levels {
        let text = format!("a topic may have at most {} levels", limits.max_topic_levels);
        let violation = Violation::new(DisconnectReasonCode::TopicNameInvalid, text);
        return Err(violation.beyond(Limit::MaxTopicLevels));
    }
    Ok(name)
}

fn topic_filter(text: &str, limits: &Limits) -> Result<TopicFilter, Violation> {
    let filter = TopicFilter::new(text)
        .map_err(|error| topic_violation(&error, DisconnectReasonCode::TopicFilterInvalid))?;
    if filter.levels().count() > limits.max_topic_levels {
        let text = format!("a topic filter may have at most {} levels", limits.max_topic_levels);
        let violation = Violation::new(DisconnectReasonCode::TopicFilterInvalid, text);
        return Err(violation.beyond(Limit::MaxTopicLevels));
    }
    Ok(filter)
}

fn topic_violation(error: &TopicError, code: DisconnectReasonCode) -> Violation {
    match error {
        TopicError::Null => Violation::malformed(error.to_string()),
        _ => Violation::new(code, error.to_string()),
    }
}

impl Codec {
    /// For one that has said nothing but its version yet.
    pub(super) fn new(v5: bool) -> Self {
        // Complete packets alone come to them, and none that is too long.
        let wire = if v5 { Wire::V5(v5::Codec::new(0, 0)) } else { Wire::V3(v3::Codec::new(0)) };
        Self { wire, max_out: usize::MAX, old: false }
    }

    /// What CONNECT said for the rest of the connection, its answer included.
    pub(super) fn establish(&mut self, protocol: Protocol, max_out: usize) {
        self.old = protocol == Protocol::V31;
        self.max_out = max_out;
    }

    fn is_v5(&self) -> bool {
        matches!(self.wire, Wire::V5(_))
    }

    /// Takes the first packet, which must be CONNECT and complete, out of the buffer.
    ///
    /// # Errors
    /// When it is anything else.
    pub(super) fn decode_connect(&mut self, buffer: &mut BytesMut) -> Result<Connect, DecodeError> {
        match &mut self.wire {
            Wire::V3(codec) => match codec.decode(buffer)? {
                Some((v3::Packet::Connect(connect), _)) => Ok(Connect::V3(connect)),
                _ => Err(DecodeError::UnsupportedPacketType),
            },
            Wire::V5(codec) => match codec.decode(buffer)? {
                Some((v5::Packet::Connect(connect), _)) => Ok(Connect::V5(connect)),
                _ => Err(DecodeError::UnsupportedPacketType),
            },
        }
    }

    /// The next complete packet in `buffer`, taken out of it; none while it is incomplete.
    ///
    /// # Errors
    /// When the connection must end: nothing after it can be understood.
    pub(super) fn decode(
        &mut self,
        buffer: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Incoming>, Violation> {
        let v5 = self.is_v5();
        let Some(frame) = frame(buffer, limits.max_packet_bytes, v5)? else { return Ok(None) };
        let Some(packet) = buffer.get_mut(..frame.length) else { return Ok(None) };
        if self.old
            && let Some(first) = packet.first_mut().filter(|first| matches!(first, 0x6A | 0x8A | 0xAA))
        {
            *first &= !0x08;
        }
        let expires_at_once = framing::check(packet, frame.header, v5)?;
        match &mut self.wire {
            Wire::V3(codec) => codec.decode(buffer)?.map(|(packet, _)| from_v3(packet, limits)).transpose(),
            Wire::V5(codec) => {
                let packet = codec.decode(buffer)?;
                packet.map(|(packet, _)| from_v5(packet, expires_at_once, limits)).transpose()
            }
        }
    }

    /// That SUBSCRIBE and UNSUBSCRIBE of so many filters can be answered.
    ///
    /// # Errors
    /// When the answer, one code for each, is longer than what the client takes (MQTT-3.1.2-24).
    pub(super) fn check_answer(&self, filters: usize) -> Result<(), Violation> {
        // Packet id and the length of no properties.
        let remaining = 3 + filters;
        if 1 + varint_len(remaining) + remaining > self.max_out {
            let text = "the answer is longer than the client's Maximum Packet Size";
            return Err(Violation::new(DisconnectReasonCode::PacketTooLarge, text));
        }
        Ok(())
    }

    /// Writes a packet of MQTT 5, unless it is longer than what the client takes; then false.
    fn encode_fitting(&mut self, packet: v5::Packet, out: &mut BytesMut) -> bool {
        let start = out.len();
        self.encode_v5(packet, out);
        if out.len() - start > self.max_out {
            out.truncate(start);
        }
        out.len() > start
    }

    fn encode_v5(&mut self, packet: v5::Packet, out: &mut BytesMut) {
        let start = out.len();
        let Wire::V5(codec) = &mut self.wire else { return };
        if let Err(error) = codec.encode(packet, out) {
            out.truncate(start);
            tracing::error!(%error, "a packet of the broker's own could not be encoded");
        }
    }

    fn encode_v3(&mut self, packet: v3::Packet, out: &mut BytesMut) {
        let start = out.len();
        let Wire::V3(codec) = &mut self.wire else { return };
        if let Err(error) = codec.encode(packet, out) {
            out.truncate(start);
            tracing::error!(%error, "a packet of the broker's own could not be encoded");
        }
    }

    /// The answer to CONNECT in MQTT 5, without what may be missing from it if it is too long for the client
    /// (MQTT-3.2.2-19). False where it is too long all the same: nothing may be sent.
    pub(super) fn connack_v5(&mut self, mut ack: v5::ConnectAck, out: &mut BytesMut) -> bool {
        // What goes last tells limits of ours: who knows nothing of them and meets one is disconnected with its code.
        let dispensable: [fn(&mut v5::ConnectAck); 4] = [
            |ack| ack.reason_string = None,
            |ack| ack.topic_alias_max = 0,
            |ack| ack.max_packet_size = None,
            |ack| ack.receive_max = NonZeroU16::MAX,
        ];
        for leave_out in dispensable {
            if self.encode_fitting(v5::Packet::ConnectAck(Box::new(ack.clone())), out) {
                return true;
            }
            leave_out(&mut ack);
        }
        self.encode_fitting(v5::Packet::ConnectAck(Box::new(ack)), out)
    }

    /// The answer to CONNECT before MQTT 5.
    pub(super) fn connack_v3(
        &mut self,
        return_code: v3::ConnectAckReason,
        session_present: bool,
        out: &mut BytesMut,
    ) {
        self.encode_v3(v3::Packet::ConnectAck(v3::ConnectAck { return_code, session_present }), out);
    }

    /// A receipt with more to say than that all is well; before MQTT 5 it cannot (MQTT-3.3.5-2).
    pub(super) fn receipt_with(
        &mut self,
        receipt: Receipt,
        packet_id: NonZeroU16,
        code: PublishAckReason,
        text: &str,
        out: &mut BytesMut,
    ) {
        if !self.is_v5() {
            return receipt.put(packet_id, out);
        }
        let (properties, reason_string) = (Vec::new(), reason_string(text));
        let ack = v5::PublishAck { packet_id, reason_code: code, properties, reason_string };
        let packet = match receipt {
            Receipt::PubAck => v5::Packet::PublishAck(ack),
            Receipt::PubRec => v5::Packet::PublishReceived(ack),
        };
        if !self.encode_fitting(packet, out) {
            coded(receipt as u8, packet_id, code.into(), out);
        }
    }

    /// The answer to PUBREC: there is no message with this packet id.
    pub(super) fn pubrel_unknown(&mut self, packet_id: NonZeroU16, out: &mut BytesMut) {
        match self.wire {
            Wire::V3(_) => self.encode_v3(v3::Packet::PublishRelease { packet_id }, out),
            Wire::V5(_) => coded(0x62, packet_id, PublishAck2Reason::PacketIdNotFound.into(), out),
        }
    }

    /// The answer to PUBREL: there is no QoS 2 exchange to end.
    pub(super) fn pubcomp_unknown(&mut self, packet_id: NonZeroU16, out: &mut BytesMut) {
        match self.wire {
            Wire::V3(_) => pubcomp(packet_id, out),
            Wire::V5(_) => coded(0x70, packet_id, PublishAck2Reason::PacketIdNotFound.into(), out),
        }
    }

    /// The answer to SUBSCRIBE, one code per filter; after [`Codec::check_answer`].
    pub(super) fn suback(
        &mut self,
        packet_id: NonZeroU16,
        codes: Vec<SubscribeAckReason>,
        text: Option<&str>,
        out: &mut BytesMut,
    ) {
        match self.wire {
            Wire::V3(_) => {
                let status = codes.iter().map(|code| match code {
                    SubscribeAckReason::GrantedQos0 => v3::SubscribeReturnCode::Success(QoS::AtMostOnce),
                    SubscribeAckReason::GrantedQos1 => v3::SubscribeReturnCode::Success(QoS::AtLeastOnce),
                    SubscribeAckReason::GrantedQos2 => v3::SubscribeReturnCode::Success(QoS::ExactlyOnce),
                    _ => v3::SubscribeReturnCode::Failure,
                });
                let status = status.collect();
                self.encode_v3(v3::Packet::SubscribeAck { packet_id, status }, out);
            }
            Wire::V5(_) => {
                let (properties, reason_string) = (Vec::new(), text.and_then(reason_string));
                let mut ack = v5::SubscribeAck { packet_id, properties, reason_string, status: codes };
                if ack.reason_string.is_some() {
                    if self.encode_fitting(v5::Packet::SubscribeAck(ack.clone()), out) {
                        return;
                    }
                    ack.reason_string = None;
                }
                self.encode_v5(v5::Packet::SubscribeAck(ack), out);
            }
        }
    }

    /// The answer to UNSUBSCRIBE, one code per filter under MQTT 5; after [`Codec::check_answer`].
    pub(super) fn unsuback(
        &mut self,
        packet_id: NonZeroU16,
        codes: Vec<UnsubscribeAckReason>,
        out: &mut BytesMut,
    ) {
        match self.wire {
            Wire::V3(_) => self.encode_v3(v3::Packet::UnsubscribeAck { packet_id }, out),
            Wire::V5(_) => self.encode_v5(
                v5::Packet::UnsubscribeAck(v5::UnsubscribeAck {
                    packet_id,
                    properties: Vec::new(),
                    reason_string: None,
                    status: codes,
                }),
                out,
            ),
        }
    }

    /// The goodbye of the server; MQTT before 5 has none.
    pub(super) fn disconnect(&mut self, code: DisconnectReasonCode, text: &str, out: &mut BytesMut) {
        let mut packet = v5::Disconnect::new(code);
        packet.reason_string = reason_string(text);
        let bare = [0xE0, 1, code.into()];
        if self.is_v5()
            && !self.encode_fitting(v5::Packet::Disconnect(packet), out)
            && bare.len() <= self.max_out
        {
            out.put_slice(&bare);
        }
    }
}

/// A CONNECT of either layout.
#[derive(Debug)]
pub(super) enum Connect {
    V3(Box<v3::Connect>),
    V5(Box<v5::Connect>),
}

/// Short enough for a string of the protocol; none where there is nothing to say.
pub(super) fn reason_string<S: From<String>>(text: &str) -> Option<S> {
    let text: String = text.chars().filter(|c| *c != '\0').take(512).collect();
    (!text.is_empty()).then(|| S::from(text))
}

/// An acknowledgement of MQTT 5 with a reason code and nothing else: no longer than the shortest CONNACK, so it fits
/// whoever was let in.
fn coded(first: u8, packet_id: NonZeroU16, code: u8, out: &mut BytesMut) {
    out.put_slice(&[first, 3]);
    out.put_u16(packet_id.get());
    out.put_u8(code);
}

/// Which packet says that a message was taken, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Receipt {
    PubAck = 0x40,
    PubRec = 0x50,
}

impl Receipt {
    /// The positive one: the same four bytes in every version.
    pub(super) fn put(self, packet_id: NonZeroU16, out: &mut BytesMut) {
        out.put_slice(&[self as u8, 2]);
        out.put_u16(packet_id.get());
    }

    /// That of MQTT 5 which says: taken, and nobody has subscribed to it.
    pub(super) fn put_no_subscribers(self, packet_id: NonZeroU16, out: &mut BytesMut) {
        coded(self as u8, packet_id, PublishAckReason::NoMatchingSubscribers.into(), out);
    }
}

/// A positive PUBCOMP.
pub(super) fn pubcomp(packet_id: NonZeroU16, out: &mut BytesMut) {
    out.put_slice(&[0x70, 2]);
    out.put_u16(packet_id.get());
}

/// PINGRESP.
pub(super) const PINGRESP: [u8; 2] = [0xD0, 0];

fn from_v3(packet: v3::Packet, limits: &Limits) -> Result<Incoming, Violation> {
    Ok(match packet {
        v3::Packet::Publish(publish) => Incoming::Publish { publish, expiry: None },
        v3::Packet::PublishAck { packet_id } => Incoming::PubAck(packet_id),
        v3::Packet::PublishRelease { packet_id } => Incoming::PubRel(packet_id),
        v3::Packet::PingRequest => Incoming::Ping,
        v3::Packet::Disconnect => Incoming::Disconnect { keep_will: false, session_expiry: None },
        v3::Packet::Subscribe { packet_id, topic_filters } => {
            let filters = topic_filters.iter().map(|(filter, qos)| {
                let options = SubscriptionOptions {
                    qos: *qos,
                    retain_handling: RetainHandling::AtSubscribe,
                    ..Default::default()
                };
                Ok((topic_filter(filter, limits)?, options))
            });
            Incoming::Subscribe { packet_id, id: None, filters: filters.collect::<Result<_, Violation>>()? }
        }
        v3::Packet::Unsubscribe { packet_id, topic_filters } => {
            let filters = topic_filters.iter().map(|filter| topic_filter(filter, limits));
            Incoming::Unsubscribe { packet_id, filters: filters.collect::<Result<_, _>>()? }
        }
        v3::Packet::Connect(_) => return Err(Violation::protocol("a second CONNECT")),
        v3::Packet::PublishReceived { packet_id } => Incoming::PubRec { packet_id, refused: false },
        v3::Packet::PublishComplete { packet_id } => Incoming::PubComp(packet_id),
        v3::Packet::ConnectAck(_)
        | v3::Packet::SubscribeAck { .. }
        | v3::Packet::UnsubscribeAck { .. }
        | v3::Packet::PingResponse => return Err(SERVERS_ONLY),
    })
}

const SERVERS_ONLY: Violation = Violation {
    code: DisconnectReasonCode::ProtocolError,
    text: Cow::Borrowed("a packet that only servers send"),
    limit: None,
};

fn from_v5(packet: v5::Packet, expires_at_once: bool, limits: &Limits) -> Result<Incoming, Violation> {
    Ok(match packet {
        v5::Packet::Publish(publish) => {
            if let Some(properties) = &publish.properties {
                if !properties.subscription_ids.is_empty() {
                    return Err(Violation::protocol("a client sent a subscription identifier in PUBLISH"));
                }
                if let Some(topic) = &properties.response_topic {
                    TopicName::new(&topic[..]).map_err(|error| Violation::protocol(error.to_string()))?;
                }
            }
            let properties = publish.properties.as_ref();
            let expiry = properties.and_then(|properties| properties.message_expiry_interval).map(u32::from);
            Incoming::Publish { publish, expiry: if expires_at_once { Some(0) } else { expiry } }
        }
        v5::Packet::PublishAck(ack) => Incoming::PubAck(ack.packet_id),
        v5::Packet::PublishRelease(ack) => Incoming::PubRel(ack.packet_id),
        v5::Packet::PingRequest => Incoming::Ping,
        v5::Packet::Disconnect(disconnect) => Incoming::Disconnect {
            keep_will: disconnect.reason_code != DisconnectReasonCode::NormalDisconnection,
            session_expiry: disconnect.session_expiry_interval_secs,
        },
        v5::Packet::Subscribe(subscribe) => {
            let filters = subscribe.topic_filters.iter();
            let filters = filters.map(|(filter, options)| Ok((topic_filter(filter, limits)?, *options)));
            Incoming::Subscribe {
                packet_id: subscribe.packet_id,
                id: subscribe.id.map(Into::into),
                filters: filters.collect::<Result<_, Violation>>()?,
            }
        }
        v5::Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.topic_filters.iter().map(|filter| topic_filter(filter, limits));
            Incoming::Unsubscribe {
                packet_id: unsubscribe.packet_id,
                filters: filters.collect::<Result<_, _>>()?,
            }
        }
        v5::Packet::Connect(_) => return Err(Violation::protocol("a second CONNECT")),
        v5::Packet::Auth(_) => {
            return Err(Violation::protocol("AUTH without an authentication method in CONNECT"));
        }
        v5::Packet::PublishReceived(ack) => {
            Incoming::PubRec { packet_id: ack.packet_id, refused: u8::from(ack.reason_code) >= 0x80 }
        }
        v5::Packet::PublishComplete(ack) => Incoming::PubComp(ack.packet_id),
        v5::Packet::ConnectAck(_)
        | v5::Packet::SubscribeAck(_)
        | v5::Packet::UnsubscribeAck(_)
        | v5::Packet::PingResponse => return Err(SERVERS_ONLY),
    })
}

/// What a refused CONNECT is told, in both tongues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectCode {
    pub(super) v5: ConnectAckReason,
    pub(super) v3: v3::ConnectAckReason,
}

impl Protocol {
    /// Whether it has reason codes and properties.
    pub(super) fn is_v5(self) -> bool {
        self == Self::V5
    }
}
