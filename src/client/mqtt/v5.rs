//! MQTT 5.0 through rumqttc.

use rumqttc::{
    Outgoing as Went,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError,
        mqttbytes::{
            Error as Malformed, QoS,
            v5::{
                ConnAck, ConnectProperties, ConnectReturnCode, DisconnectReasonCode, Filter,
                LastWill as WireWill, LastWillProperties, Packet, PubAckReason, PubRecReason, Publish,
                PublishProperties, RetainForwardRule, SubAck, SubscribeReasonCode,
            },
        },
    },
};

use crate::topic::{TopicFilter, TopicName};

use super::{
    Answer, Incoming, LastWill, Outgoing, Refusal, Server, Session, Takes, Why,
    connection::{CONNECT_TIMEOUT_S, IN_FLIGHT, MAX_PACKET, Polled, RECEIVE_MAXIMUM, REQUESTS, Seen},
    lost::Ended,
    packet::{Denial, Granted, Online},
};

pub(super) fn begin(server: &Server, session: Session) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(session.client_id, server.rumqttc_host(), server.port);
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval =
        session.kept.map(|kept| u32::try_from(kept.as_secs()).unwrap_or(u32::MAX));
    properties.receive_maximum = Some(RECEIVE_MAXIMUM);
    properties.max_packet_size = Some(MAX_PACKET);
    properties.request_problem_info = Some(1);
    options
        .set_transport(server.rumqttc_transport())
        .set_keep_alive(server.keep_alive)
        .set_connection_timeout(CONNECT_TIMEOUT_S)
        .set_clean_start(session.kept.is_none())
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(IN_FLIGHT)
        .set_connect_properties(properties);
    if let Some((username, password)) = &server.login {
        options.set_credentials(username, password.reveal());
    }
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if let Some(will) = session.will {
        options.set_last_will(wire_will(*will));
    }
    let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
    if session.expects_releases {
        expect_releases(&mut eventloop);
    }
    (client, eventloop)
}

fn wire_will(will: LastWill) -> WireWill {
    let properties = LastWillProperties {
        delay_interval: u32::try_from(will.delay.as_secs()).ok().filter(|delay| *delay > 0),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: will.content_type,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    WireWill::new(will.topic.as_str(), will.payload, level(will.qos), will.retain, Some(properties))
}

/// Lets rumqttc answer a PUBREL for any packet id. It takes one for an error whose PUBLISH came before this connection,
/// which the broker must send again until it is answered (MQTT-4.4.0-1): every new connection would end the same way.
fn expect_releases(eventloop: &mut EventLoop) {
    for pkid in 1..=u16::MAX {
        let before = Publish { pkid, qos: QoS::ExactlyOnce, ..Publish::default() };
        // With manual acknowledgement it only notes the packet id.
        let _ = eventloop.state.handle_incoming_packet(Packet::Publish(before));
        eventloop.state.events.clear();
    }
}

fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

pub(super) fn publish(client: &AsyncClient, message: &Outgoing<'_>) -> bool {
    let properties = PublishProperties {
        content_type: message.content_type.map(str::to_owned),
        ..PublishProperties::default()
    };
    let (topic, qos) = (message.topic.as_str(), level(message.qos));
    client
        .try_publish_with_properties(topic, qos, message.retain, message.payload.clone(), properties)
        .is_ok()
}

pub(super) fn subscribe(client: &AsyncClient, filters: &[(TopicFilter, u8)]) -> bool {
    let filters: Vec<_> = filters
        .iter()
        .map(|(filter, qos)| Filter {
            retain_forward_rule: RetainForwardRule::OnNewSubscribe,
            ..Filter::new(filter.as_str(), level(*qos))
        })
        .collect();
    client.try_subscribe_many(filters).is_ok()
}

pub(super) fn acknowledge(client: &AsyncClient, pkid: u16, qos: u8) -> bool {
    client.try_ack(&Publish { pkid, qos: level(qos), ..Publish::default() }).is_ok()
}

impl Polled for EventLoop {
    async fn poll(&mut self) -> Seen {
        loop {
            return match EventLoop::poll(self).await {
                Ok(Event::Incoming(packet)) => match arrived(packet) {
                    Some(seen) => seen,
                    None => continue,
                },
                Ok(Event::Outgoing(Went::Publish(packet_id))) => Seen::Sent(packet_id),
                Ok(Event::Outgoing(Went::Subscribe(packet_id) | Went::Unsubscribe(packet_id))) => {
                    Seen::AskSent(packet_id)
                }
                Ok(Event::Outgoing(_)) => continue,
                Err(error) => Seen::Lost(why(&error)),
            };
        }
    }
}

fn arrived(packet: Packet) -> Option<Seen> {
    Some(match packet {
        Packet::ConnAck(connack) => online(&connack),
        Packet::Publish(publish) => Seen::Incoming(incoming(publish)),
        Packet::PubAck(puback) => {
            let told = puback.properties.and_then(|properties| properties.reason_string);
            Seen::Answered(puback.pkid, of_puback(puback.reason), told)
        }
        Packet::PubRec(pubrec) => {
            let told = pubrec.properties.and_then(|properties| properties.reason_string);
            Seen::Answered(pubrec.pkid, of_pubrec(pubrec.reason), told)
        }
        Packet::PubComp(pubcomp) => Seen::Completed(pubcomp.pkid),
        Packet::PubRel(pubrel) => Seen::Released(pubrel.pkid),
        Packet::SubAck(suback) => Seen::Subscribed(suback.pkid, granted(suback)),
        Packet::UnsubAck(unsuback) => Seen::Unsubscribed(unsuback.pkid),
        _ => return None,
    })
}

fn online(connack: &ConnAck) -> Seen {
    let told = connack.properties.as_ref();
    let takes = Takes::within(
        told.and_then(|told| told.receive_max),
        told.and_then(|told| told.max_packet_size),
        told.and_then(|told| told.max_qos),
        told.and_then(|told| told.retain_available),
    );
    Seen::Online(Online { session_present: connack.session_present }, takes)
}

fn incoming(publish: Publish) -> Incoming {
    let topic = std::str::from_utf8(&publish.topic).ok().and_then(|topic| TopicName::new(topic).ok());
    Incoming {
        topic,
        payload: publish.payload,
        qos: publish.qos as u8,
        retain: publish.retain,
        dup: publish.dup,
        packet_id: publish.pkid,
    }
}

fn of_puback(reason: PubAckReason) -> Answer {
    match reason {
        PubAckReason::Success => Answer::Taken { no_subscribers: false },
        PubAckReason::NoMatchingSubscribers => Answer::Taken { no_subscribers: true },
        PubAckReason::QuotaExceeded => Answer::NoRoom,
        PubAckReason::NotAuthorized => Answer::NotPermitted,
        PubAckReason::TopicNameInvalid => Answer::InvalidTopic,
        PubAckReason::PayloadFormatInvalid => Answer::InvalidPayload,
        _ => Answer::Refused,
    }
}

fn of_pubrec(reason: PubRecReason) -> Answer {
    match reason {
        PubRecReason::Success => Answer::Taken { no_subscribers: false },
        PubRecReason::NoMatchingSubscribers => Answer::Taken { no_subscribers: true },
        PubRecReason::QuotaExceeded => Answer::NoRoom,
        PubRecReason::NotAuthorized => Answer::NotPermitted,
        PubRecReason::TopicNameInvalid => Answer::InvalidTopic,
        PubRecReason::PayloadFormatInvalid => Answer::InvalidPayload,
        _ => Answer::Refused,
    }
}

fn granted(suback: SubAck) -> Vec<Granted> {
    let told = suback.properties.and_then(|properties| properties.reason_string);
    let denied = |denial: Denial| Err(told.clone().map_or(denial, Denial::Told));
    let one = |code: &SubscribeReasonCode| match code {
        SubscribeReasonCode::Success(qos) => Ok(*qos as u8),
        SubscribeReasonCode::NotAuthorized => denied(Denial::NotPermitted),
        SubscribeReasonCode::TopicFilterInvalid => denied(Denial::InvalidFilter),
        SubscribeReasonCode::QuotaExceeded => denied(Denial::Quota),
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => denied(Denial::NoWildcards),
        _ => denied(Denial::Other),
    };
    suback.return_codes.iter().map(one).collect()
}

fn why(error: &ConnectionError) -> Why {
    match error {
        ConnectionError::ConnectionRefused(code) => Why::Refused(refusal(*code)),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
            Why::Ended { reason: ended(*reason_code), told: reason_string.clone() }
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => Why::Closed,
        ConnectionError::MqttState(StateError::AwaitPingResp) => Why::NoAnswer,
        // A CONNACK of MQTT 3.1.1: "unacceptable protocol version" is 1 there (§3.2.2.3).
        ConnectionError::MqttState(StateError::Deserialization(Malformed::InvalidConnectReturnCode(1))) => {
            Why::Refused(Refusal::Version)
        }
        ConnectionError::Timeout(_) => Why::TimedOut,
        ConnectionError::RequestsDone => Why::Stopped,
        ConnectionError::Websocket(_)
        | ConnectionError::WsConnect(_)
        | ConnectionError::InvalidUrl(_)
        | ConnectionError::ResponseValidation(_) => {
            Why::beneath(error).unwrap_or_else(|| Why::WebSocket(error.to_string()))
        }
        other => Why::beneath(other).unwrap_or_else(|| Why::Protocol(other.to_string())),
    }
}

fn refusal(code: ConnectReturnCode) -> Refusal {
    use ConnectReturnCode as Code;
    match code {
        Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => Refusal::Version,
        Code::BadClientId | Code::ClientIdentifierNotValid => Refusal::ClientId,
        Code::BadUserNamePassword => Refusal::Credentials,
        Code::NotAuthorized => Refusal::NotAuthorized,
        Code::Banned => Refusal::Banned,
        Code::ServerBusy => Refusal::Busy,
        Code::ServerUnavailable | Code::ServiceUnavailable => Refusal::Unavailable,
        Code::ConnectionRateExceeded => Refusal::Rate,
        Code::QuotaExceeded => Refusal::Quota,
        Code::QoSNotSupported => Refusal::QosOfWill,
        Code::RetainNotSupported => Refusal::RetainOfWill,
        Code::TopicNameInvalid => Refusal::TopicOfWill,
        Code::PacketTooLarge => Refusal::SizeOfWill,
        Code::PayloadFormatInvalid => Refusal::PayloadOfWill,
        other => Refusal::Other(format!("{other:?}")),
    }
}

fn ended(code: DisconnectReasonCode) -> Ended {
    match code {
        DisconnectReasonCode::NotAuthorized => Ended::NotAuthorized,
        DisconnectReasonCode::AdministrativeAction => Ended::Administrator,
        DisconnectReasonCode::SessionTakenOver => Ended::TakenOver,
        DisconnectReasonCode::ServerShuttingDown => Ended::ShuttingDown,
        other => Ended::Other(format!("{other:?}")),
    }
}
