//! MQTT 3.1.1 (protocol level 4) through rumqttc.
//!
//! What it cannot say: why a filter was refused, that a message was (PUBACK has no reason: a broker that does not permit
//! it acknowledges and drops it), its limits, for how long it keeps a session, what a payload is.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill as WireWill, MqttOptions,
    Outgoing as Went, Packet, Publish, QoS, StateError, SubscribeFilter, SubscribeReasonCode,
};

use crate::topic::{TopicFilter, TopicName};

use super::{
    Answer, Incoming, Outgoing, Refusal, Server, Session, Takes, Why,
    connection::{CONNECT_TIMEOUT_S, IN_FLIGHT, MAX_PACKET, Polled, REQUESTS, Seen},
    packet::{Denial, Online},
};

pub(super) fn begin(server: &Server, session: Session) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(session.client_id, server.rumqttc_host(), server.port);
    options
        .set_transport(server.rumqttc_transport())
        .set_keep_alive(server.keep_alive)
        .set_clean_session(session.kept.is_none())
        .set_manual_acks(true)
        .set_inflight(IN_FLIGHT)
        // The broker announces no limit; ours is checked when a packet comes.
        .set_max_packet_size(MAX_PACKET as usize, usize::MAX);
    if let Some((username, password)) = &server.login {
        options.set_credentials(username, password.reveal());
    }
    if let Some(will) = session.will {
        options.set_last_will(WireWill::new(will.topic.as_str(), will.payload, level(will.qos), will.retain));
    }
    let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_S);
    eventloop.set_network_options(network);
    if session.expects_releases {
        expect_releases(&mut eventloop);
    }
    (client, eventloop)
}

/// As for MQTT 5: a PUBREL may be for a PUBLISH of an earlier connection (MQTT-4.4.0-1).
fn expect_releases(eventloop: &mut EventLoop) {
    for packet_id in 1..=u16::MAX {
        let before = publish_with(packet_id, QoS::ExactlyOnce);
        let _ = eventloop.state.handle_incoming_packet(Packet::Publish(before));
        eventloop.state.events.clear();
    }
}

fn publish_with(packet_id: u16, qos: QoS) -> Publish {
    Publish { pkid: packet_id, ..Publish::from_bytes("", qos, bytes::Bytes::new()) }
}

fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

pub(super) fn publish(client: &AsyncClient, message: &Outgoing<'_>) -> bool {
    let (topic, qos) = (message.topic.as_str(), level(message.qos));
    client.try_publish(topic, qos, message.retain, message.payload.clone()).is_ok()
}

pub(super) fn subscribe(client: &AsyncClient, filters: &[(TopicFilter, u8)]) -> bool {
    let filters: Vec<_> = filters
        .iter()
        .map(|(filter, qos)| SubscribeFilter::new(filter.as_str().to_owned(), level(*qos)))
        .collect();
    client.try_subscribe_many(filters).is_ok()
}

pub(super) fn acknowledge(client: &AsyncClient, packet_id: u16, qos: u8) -> bool {
    client.try_ack(&publish_with(packet_id, level(qos))).is_ok()
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
    let taken = Answer::Taken { no_subscribers: false };
    Some(match packet {
        Packet::ConnAck(connack) => {
            let takes = Takes::within(None, None, None, None);
            Seen::Online(Online { session_present: connack.session_present }, takes)
        }
        Packet::Publish(publish) => Seen::Incoming(incoming(publish)),
        Packet::PubAck(puback) => Seen::Answered(puback.pkid, taken, None),
        Packet::PubRec(pubrec) => Seen::Answered(pubrec.pkid, taken, None),
        Packet::PubComp(pubcomp) => Seen::Completed(pubcomp.pkid),
        Packet::PubRel(pubrel) => Seen::Released(pubrel.pkid),
        Packet::SubAck(suback) => {
            let one = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(qos) => Ok(*qos as u8),
                SubscribeReasonCode::Failure => Err(Denial::Unexplained),
            };
            Seen::Subscribed(suback.pkid, suback.return_codes.iter().map(one).collect())
        }
        Packet::UnsubAck(unsuback) => Seen::Unsubscribed(unsuback.pkid),
        _ => return None,
    })
}

fn incoming(publish: Publish) -> Incoming {
    Incoming {
        topic: TopicName::new(publish.topic).ok(),
        payload: publish.payload,
        qos: publish.qos as u8,
        retain: publish.retain,
        dup: publish.dup,
        packet_id: publish.pkid,
    }
}

fn why(error: &ConnectionError) -> Why {
    match error {
        ConnectionError::ConnectionRefused(code) => Why::Refused(match code {
            ConnectReturnCode::RefusedProtocolVersion => Refusal::Version,
            ConnectReturnCode::BadClientId => Refusal::ClientId,
            ConnectReturnCode::ServiceUnavailable => Refusal::Unavailable,
            ConnectReturnCode::BadUserNamePassword => Refusal::Credentials,
            ConnectReturnCode::NotAuthorized => Refusal::NotAuthorized,
            ConnectReturnCode::Success => Refusal::Other("success".to_owned()),
        }),
        ConnectionError::MqttState(StateError::ConnectionAborted) => Why::Closed,
        ConnectionError::MqttState(StateError::AwaitPingResp) => Why::NoAnswer,
        // A CONNACK of MQTT 5: 0x84 is "unsupported protocol version" (§3.2.2.2).
        ConnectionError::MqttState(StateError::Deserialization(
            rumqttc::mqttbytes::Error::InvalidConnectReturnCode(0x84),
        )) => Why::Refused(Refusal::Version),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => Why::TimedOut,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_filter_is_refused_without_a_reason_and_a_message_that_was_taken_says_nothing_of_readers() {
        let codes = vec![SubscribeReasonCode::Success(QoS::AtMostOnce), SubscribeReasonCode::Failure];
        let suback = arrived(Packet::SubAck(rumqttc::SubAck::new(7, codes)));
        let Some(Seen::Subscribed(7, granted)) = suback else { panic!("it is a SUBACK") };
        assert_eq!(granted, [Ok(0), Err(Denial::Unexplained)]);
        let why = Denial::Unexplained.told("the broker");
        assert_eq!(why, "the broker refused it, and MQTT 3.1.1 cannot say why");
        let puback = arrived(Packet::PubAck(rumqttc::PubAck::new(3)));
        assert!(matches!(puback, Some(Seen::Answered(3, Answer::Taken { no_subscribers: false }, None))));
    }
}
