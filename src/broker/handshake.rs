//! From the first byte to the answer to CONNECT: nothing that comes from a stranger is kept longer or larger than
//! it must be.
//!
//! Start at [`read_connect`], then [`admit`].

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use rmqtt_codec::{
    error::DecodeError,
    types::MQTT_LEVEL_31,
    v3,
    v5::{self, ConnectAckReason, DisconnectReasonCode},
    version::{ProtocolVersion, VersionCodec},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};
use tokio_util::codec::Decoder;
use zeroize::{Zeroize, Zeroizing};

use super::{
    ConnectRefusal, ConnectRequest, Event, Limit, Limits, Protocol, Verdict,
    codec::{Codec, Connect, ConnectCode, Violation, reason_string, topic_name},
    connection::Origin,
    control::Control,
    core::{Arrival, Attached, Core, NoPlace},
    framing,
    lean::frame,
    message::forwarded,
    will::Will,
};
use crate::topic::TopicName;

/// A CONNECT that is understood, in terms that all versions share.
pub(super) struct Opening {
    codec: Codec,
    protocol: Protocol,
    /// None where the broker is to assign one.
    client_id: Option<Arc<str>>,
    username: Option<String>,
    password: Option<Zeroizing<Vec<u8>>>,
    clean_start: bool,
    keep_alive_secs: u16,
    session_expiry_secs: u32,
    window: usize,
    max_packet: usize,
    topic_aliases: u16,
    will: Option<Will>,
    /// What came after CONNECT already.
    rest: BytesMut,
}

/// A CONNECT that led to nothing.
pub(super) struct Refusal {
    /// What is written before closing; may be empty.
    pub(super) answer: BytesMut,
    /// For the log.
    pub(super) text: String,
    /// Which limit it met, if it met one.
    pub(super) limit: Option<Limit>,
}

/// A connection that is in.
pub(super) struct Admitted {
    pub(super) attached: Attached,
    pub(super) codec: Codec,
    pub(super) keep_alive: Option<Duration>,
    pub(super) session_expiry_secs: u32,
    /// Most leave none.
    pub(super) will: Option<Box<Will>>,
    pub(super) rest: BytesMut,
}

fn silent(text: impl Into<String>) -> Refusal {
    Refusal { answer: BytesMut::new(), text: text.into(), limit: None }
}

/// Writes a negative CONNACK, unless the client takes none that short.
fn refuse(codec: &mut Codec, protocol: Protocol, code: ConnectCode, text: &str) -> Refusal {
    let mut answer = BytesMut::new();
    if protocol.is_v5() {
        let reason_string = reason_string(text);
        let ack = v5::ConnectAck { reason_code: code.v5, reason_string, ..v5::ConnectAck::default() };
        codec.connack_v5(ack, &mut answer);
    } else {
        codec.connack_v3(code.v3, false, &mut answer);
    }
    Refusal { answer, text: text.to_owned(), limit: None }
}

const fn code(v5: ConnectAckReason, v3: v3::ConnectAckReason) -> ConnectCode {
    ConnectCode { v5, v3 }
}

const BUSY: ConnectCode = code(ConnectAckReason::ServerBusy, v3::ConnectAckReason::ServiceUnavailable);
const BAD_CLIENT_ID: ConnectCode =
    code(ConnectAckReason::ClientIdentifierNotValid, v3::ConnectAckReason::IdentifierRejected);
const NOT_AUTHORIZED: ConnectCode =
    code(ConnectAckReason::NotAuthorized, v3::ConnectAckReason::NotAuthorized);

/// Reads until CONNECT is complete. The caller sets the time limit.
pub(super) async fn read_connect(
    socket: &mut (impl AsyncRead + Unpin),
    limits: &Limits,
) -> Result<Opening, Refusal> {
    let mut buffer = BytesMut::with_capacity(1024);
    let protocol = loop {
        match VersionCodec.decode(&mut buffer) {
            Ok(Some(version)) if name_fits_level(&buffer) => break version,
            Ok(Some(_)) => return Err(unknown_protocol(&buffer, &DecodeError::UnsupportedProtocolLevel)),
            Ok(None) if buffer.len() > 16 => return Err(silent("the first packet is not CONNECT")),
            Ok(None) => fill(socket, &mut buffer).await?,
            Err(DecodeError::UnsupportedPacketType) => return Err(silent("the first packet is not CONNECT")),
            Err(error) => return Err(unknown_protocol(&buffer, &error)),
        }
    };
    let max = limits.max_connect_bytes;
    let v5 = protocol == ProtocolVersion::MQTT5;
    let mut codec = Codec::new(v5);
    let found = loop {
        match frame(&buffer, max, v5) {
            Ok(Some(found)) => break found,
            Ok(None) => fill(socket, &mut buffer).await?,
            Err(violation) => return Err(broken_connect(&mut codec, v5, &violation)),
        }
    };
    let will_expires_at_once = framing::check_connect(&mut buffer[..found.length], found.header)
        .map_err(|breach| broken_connect(&mut codec, v5, &breach.into()))?;
    let connect = codec.decode_connect(&mut buffer).map_err(|error| bad_connect(&mut codec, v5, &error))?;
    // The password was read into this buffer; what comes after it goes on in another, so that it can be wiped.
    let rest = BytesMut::from(&buffer[..]);
    drop(buffer);
    match connect {
        Connect::V3(connect) => open_v3(codec, *connect, rest, limits),
        Connect::V5(connect) => open_v5(codec, *connect, will_expires_at_once, rest, limits),
    }
}

async fn fill(socket: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<(), Refusal> {
    match socket.read_buf(buffer).await {
        Ok(0) => Err(silent("closed before CONNECT")),
        Ok(_) => Ok(()),
        Err(error) => Err(silent(format!("lost before CONNECT: {error}"))),
    }
}

/// The codec takes any known name with any known level; only 3 is called `MQIsdp`, and only that is 3.
fn name_fits_level(buffer: &[u8]) -> bool {
    let fixed_header = 1 + buffer.iter().skip(1).take(4).take_while(|byte| **byte >= 0x80).count() + 1;
    match buffer.get(fixed_header..) {
        Some([0, 6, b'M', b'Q', b'I', b's', b'd', b'p', level, ..]) => *level == MQTT_LEVEL_31,
        Some([0, 4, b'M', b'Q', b'T', b'T', level, ..]) => *level != MQTT_LEVEL_31,
        _ => false,
    }
}

/// A client of another version is told so in the one form that all understand (MQTT-3.1.2-2).
fn unknown_protocol(buffer: &[u8], error: &DecodeError) -> Refusal {
    let named_mqtt = buffer.windows(6).take(6).any(|window| window == b"\0\x04MQTT");
    let mut refusal = silent(format!("CONNECT of an unknown protocol or level: {error}"));
    if named_mqtt {
        refusal.answer.extend_from_slice(&[0x20, 2, 0, 1]);
    }
    refusal
}

/// What the codec does not see.
fn broken_connect(codec: &mut Codec, v5: bool, violation: &Violation) -> Refusal {
    let text = format!("CONNECT cannot be read: {violation}");
    let limit = violation.limit.map(|_| Limit::MaxConnectBytes);
    if !v5 {
        return Refusal { limit, ..silent(text) };
    }
    let code = match violation.code {
        DisconnectReasonCode::MalformedPacket => ConnectAckReason::MalformedPacket,
        DisconnectReasonCode::PacketTooLarge => ConnectAckReason::PacketTooLarge,
        _ => ConnectAckReason::ProtocolError,
    };
    let refusal = refuse(codec, Protocol::V5, self::code(code, v3::ConnectAckReason::Reserved), &text);
    Refusal { limit, ..refusal }
}

fn bad_connect(codec: &mut Codec, v5: bool, error: &DecodeError) -> Refusal {
    let text = format!("CONNECT cannot be read: {error}");
    let code = match error {
        DecodeError::InvalidClientId => BAD_CLIENT_ID,
        DecodeError::UnsupportedPacketType => return silent("the first packet is not CONNECT"),
        _ if !v5 => return silent(text),
        DecodeError::InvalidConnectFlags => {
            code(ConnectAckReason::ProtocolError, v3::ConnectAckReason::Reserved)
        }
        _ => code(ConnectAckReason::MalformedPacket, v3::ConnectAckReason::Reserved),
    };
    let protocol = if v5 { Protocol::V5 } else { Protocol::V311 };
    refuse(codec, protocol, code, &text)
}

/// Copies a secret and wipes where it came from, as far as nobody else holds that buffer.
fn secret(bytes: Bytes) -> Zeroizing<Vec<u8>> {
    let secret = Zeroizing::new(bytes.to_vec());
    if let Ok(mut unique) = bytes.try_into_mut() {
        unique.as_mut().zeroize();
    }
    secret
}

fn client_id(text: &str, limits: &Limits) -> Result<Option<Arc<str>>, (String, Option<Limit>)> {
    if text.len() > limits.max_client_id_bytes {
        let text = format!("a client id may have at most {} bytes", limits.max_client_id_bytes);
        return Err((text, Some(Limit::MaxClientIdBytes)));
    }
    if text.chars().any(char::is_control) {
        return Err(("a client id cannot hold control characters".to_owned(), None));
    }
    Ok((!text.is_empty()).then(|| text.into()))
}

fn open_v3(
    mut codec: Codec,
    connect: v3::Connect,
    rest: BytesMut,
    limits: &Limits,
) -> Result<Opening, Refusal> {
    let protocol = if connect.protocol.level() == MQTT_LEVEL_31 { Protocol::V31 } else { Protocol::V311 };
    codec.establish(protocol, usize::MAX);
    if connect.username.is_none() && connect.password.is_some() {
        return Err(silent("CONNECT has a password and no username"));
    }
    let refused = |codec: &mut Codec, code, text: &str| refuse(codec, protocol, code, text);
    let client_id = client_id(&connect.client_id, limits)
        .map_err(|(text, limit)| Refusal { limit, ..refused(&mut codec, BAD_CLIENT_ID, &text) })?;
    if client_id.is_none() && protocol == Protocol::V31 {
        return Err(refused(&mut codec, BAD_CLIENT_ID, "MQTT 3.1 needs a client id"));
    }
    let will = match connect.last_will {
        None => None,
        Some(will) => Some(Will {
            topic: topic_name(&will.topic, limits)
                .map_err(|violation| silent(format!("the will: {violation}")))?,
            payload: Bytes::copy_from_slice(&will.message),
            qos: will.qos.value(),
            retain: will.retain,
            properties: bytes::Bytes::new(),
            expiry: None,
            delay: Duration::ZERO,
        }),
    };
    let username = connect.username.as_ref().map(ToString::to_string);
    let (clean_start, keep_alive_secs, password) =
        (connect.clean_session, connect.keep_alive, connect.password);
    drop((connect.client_id, connect.username));
    Ok(Opening {
        codec,
        protocol,
        client_id,
        username,
        password: password.map(secret),
        clean_start,
        keep_alive_secs,
        session_expiry_secs: if clean_start { 0 } else { limits.max_session_expiry_secs },
        window: limits.max_inflight.into(),
        max_packet: usize::MAX,
        topic_aliases: 0,
        will,
        rest,
    })
}

fn open_v5(
    mut codec: Codec,
    connect: v5::Connect,
    will_expires_at_once: bool,
    rest: BytesMut,
    limits: &Limits,
) -> Result<Opening, Refusal> {
    let max_packet = connect.max_packet_size.map_or(usize::MAX, |max| u32::from(max) as usize);
    codec.establish(Protocol::V5, max_packet);
    let refused = |codec: &mut Codec, v5, text: &str| {
        refuse(codec, Protocol::V5, code(v5, v3::ConnectAckReason::Reserved), text)
    };
    if connect.auth_method.is_some() {
        let text = "enhanced authentication is not supported: use username and password";
        return Err(refused(&mut codec, ConnectAckReason::BadAuthenticationMethod, text));
    }
    if connect.auth_data.is_some() {
        let text = "authentication data without an authentication method";
        return Err(refused(&mut codec, ConnectAckReason::ProtocolError, text));
    }
    let client_id = client_id(&connect.client_id, limits).map_err(|(text, limit)| Refusal {
        limit,
        ..refused(&mut codec, ConnectAckReason::ClientIdentifierNotValid, &text)
    })?;
    let will = match connect.last_will {
        None => None,
        Some(will) => {
            let topic = topic_name(&will.topic, limits).map_err(|violation| {
                let text = format!("the will: {violation}");
                let code = match violation.code {
                    DisconnectReasonCode::TopicNameInvalid => ConnectAckReason::TopicNameInvalid,
                    _ => ConnectAckReason::MalformedPacket,
                };
                refused(&mut codec, code, &text)
            })?;
            let response = will.response_topic.as_ref().map(TopicName::new).transpose();
            response.map_err(|error| {
                refused(&mut codec, ConnectAckReason::ProtocolError, &format!("the will's response: {error}"))
            })?;
            let properties = v5::PublishProperties {
                correlation_data: will.correlation_data,
                content_type: will.content_type,
                user_properties: will.user_properties,
                is_utf8_payload: will.is_utf8_payload.unwrap_or(false),
                response_topic: will.response_topic,
                ..v5::PublishProperties::default()
            };
            Some(Will {
                topic,
                payload: Bytes::copy_from_slice(&will.message),
                qos: will.qos.value(),
                retain: will.retain,
                properties: forwarded(&properties),
                expiry: if will_expires_at_once {
                    Some(0)
                } else {
                    will.message_expiry_interval.map(Into::into)
                },
                delay: Duration::from_secs(will.will_delay_interval_sec.unwrap_or(0).into()),
            })
        }
    };
    let username = connect.username.as_ref().map(ToString::to_string);
    let window = connect.receive_max.map_or(u16::MAX, Into::into).min(limits.max_inflight);
    let (clean_start, keep_alive_secs, password) =
        (connect.clean_start, connect.keep_alive, connect.password);
    drop((connect.client_id, connect.username, connect.auth_data, connect.user_properties));
    Ok(Opening {
        codec,
        protocol: Protocol::V5,
        client_id,
        username,
        password: password.map(secret),
        clean_start,
        keep_alive_secs,
        session_expiry_secs: connect.session_expiry_interval_secs,
        window: window.into(),
        max_packet,
        topic_aliases: connect.topic_alias_max,
        will,
        rest,
    })
}

/// A client id that nobody can guess, so that nobody can take its session over.
fn assigned_client_id() -> Option<Arc<str>> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).ok()?;
    Some(format!("auto-{:032x}", u128::from_be_bytes(random)).into())
}

/// Asks the authority, and finds the connection its place.
pub(super) async fn admit(core: &Arc<Core>, opening: Opening, origin: Origin) -> Result<Admitted, Refusal> {
    let Origin { peer, transport, certificate, .. } = origin;
    let Opening { mut codec, protocol, username, will, .. } = opening;
    let limits = &core.limits;
    let assigned = if opening.client_id.is_none() { assigned_client_id() } else { None };
    let Some(client_id) = opening.client_id.or_else(|| assigned.clone()) else {
        return Err(refuse(&mut codec, protocol, BUSY, "no randomness for a client id"));
    };
    let evictions = core.evictions();
    let request = ConnectRequest {
        client_id: Arc::clone(&client_id),
        username: username.clone(),
        password: opening.password,
        peer,
        transport,
        certificate,
        protocol,
    };
    let answer = timeout(limits.authority_timeout, core.authority.connect(request)).await;
    let answer = answer.unwrap_or_else(|_| Err(ConnectRefusal::Unavailable("no answer in time".to_owned())));
    let answer = answer.and_then(|identity| match &will {
        Some(will) => match core.may_publish(&identity, &will.topic) {
            Verdict::Allow => Ok(identity),
            Verdict::Deny(reason) => {
                Err(ConnectRefusal::NotAuthorized(format!("the will to {}: {reason}", will.topic)))
            }
        },
        None => Ok(identity),
    });
    let identity = match answer {
        Ok(identity) => Arc::new(identity),
        Err(reason) => {
            let (client_id, username) = (&*client_id, username.as_deref());
            core.observer.observe(Event::Refused { client_id, username, peer, reason: &reason });
            return Err(refuse(&mut codec, protocol, refusal_code(&reason), &reason.to_string()));
        }
    };

    let session_expiry_secs = opening.session_expiry_secs.min(limits.max_session_expiry_secs);
    let keep_alive_secs = keep_alive_secs(opening.keep_alive_secs, protocol, limits);
    let mut ack = v5::ConnectAck {
        session_expiry_interval_secs: (session_expiry_secs != opening.session_expiry_secs)
            .then_some(session_expiry_secs),
        max_packet_size: Some(limits.max_packet_bytes),
        assigned_client_id: assigned.map(|id| id.as_ref().into()),
        topic_alias_max: limits.max_topic_aliases,
        server_keepalive_sec: (keep_alive_secs != opening.keep_alive_secs).then_some(keep_alive_secs),
        ..v5::ConnectAck::default()
    };
    ack.receive_max = limits.max_inflight.try_into().unwrap_or(ack.receive_max);
    if protocol.is_v5() && !codec.connack_v5(ack.clone(), &mut BytesMut::new()) {
        let text = "the client's Maximum Packet Size is too small for the answer to CONNECT";
        let too_large = code(ConnectAckReason::PacketTooLarge, v3::ConnectAckReason::Reserved);
        let (client_id, username) = (&*client_id, username.as_deref());
        let reason = ConnectRefusal::Unavailable(text.to_owned());
        core.observer.observe(Event::Refused { client_id, username, peer, reason: &reason });
        return Err(refuse(&mut codec, protocol, too_large, text));
    }
    let arrival = Arrival {
        control: Control::new(core.next_id(), identity, peer, protocol, transport),
        clean_start: opening.clean_start,
        session_expiry_secs,
        window: opening.window,
        max_packet: opening.max_packet,
        topic_aliases: opening.topic_aliases,
        will: will.clone(),
        evictions,
    };
    let attached = core.attach(arrival, |session_present| {
        let mut first = BytesMut::new();
        if protocol.is_v5() {
            codec.connack_v5(v5::ConnectAck { session_present, ..ack }, &mut first);
        } else {
            // MQTT 3.1 has no such flag: the byte is reserved.
            let session_present = session_present && protocol == Protocol::V311;
            codec.connack_v3(v3::ConnectAckReason::ConnectionAccepted, session_present, &mut first);
        }
        first
    });
    let attached = match attached {
        Ok(attached) => core.confirm(attached, session_expiry_secs).await,
        Err(no_place) => Err(no_place),
    };
    match attached {
        Ok(attached) => Ok(Admitted {
            attached,
            codec,
            keep_alive: keep_alive(keep_alive_secs),
            session_expiry_secs,
            will: will.map(Box::new),
            rest: opening.rest,
        }),
        Err(no_place) => {
            match no_place {
                NoPlace::Connections => core.counters.hit(Limit::MaxConnections, 1),
                NoPlace::Sessions => core.counters.hit(Limit::MaxSessions, 1),
                NoPlace::Changed | NoPlace::Stopping | NoPlace::NotKept => {}
            }
            let code = match no_place {
                NoPlace::Sessions => {
                    code(ConnectAckReason::QuotaExceeded, v3::ConnectAckReason::ServiceUnavailable)
                }
                NoPlace::Connections | NoPlace::Changed => BUSY,
                NoPlace::Stopping | NoPlace::NotKept => {
                    code(ConnectAckReason::ServerUnavailable, v3::ConnectAckReason::ServiceUnavailable)
                }
            };
            let text = no_place.to_string();
            let (client_id, username) = (&*client_id, username.as_deref());
            let reason = ConnectRefusal::Unavailable(text.clone());
            core.observer.observe(Event::Refused { client_id, username, peer, reason: &reason });
            Err(refuse(&mut codec, protocol, code, &text))
        }
    }
}

/// What holds for the connection: MQTT 5 clients can be told to speak more often than they meant to.
fn keep_alive_secs(wanted: u16, protocol: Protocol, limits: &Limits) -> u16 {
    let max = limits.max_keep_alive_secs;
    if protocol.is_v5() && max < u16::MAX && (wanted == 0 || wanted > max) { max } else { wanted }
}

/// One and a half times what the client promised (MQTT-3.1.2-22); 0 turns it off.
fn keep_alive(seconds: u16) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_millis(u64::from(seconds) * 1_500))
}

fn refusal_code(refusal: &ConnectRefusal) -> ConnectCode {
    use v3::ConnectAckReason as V3;
    match refusal {
        ConnectRefusal::BadCredentials => {
            code(ConnectAckReason::BadUserNameOrPassword, V3::BadUserNameOrPassword)
        }
        ConnectRefusal::NotAuthorized(_) => NOT_AUTHORIZED,
        ConnectRefusal::TryLater(_) => code(ConnectAckReason::QuotaExceeded, V3::ServiceUnavailable),
        ConnectRefusal::Unavailable(_) => code(ConnectAckReason::ServerUnavailable, V3::ServiceUnavailable),
    }
}
