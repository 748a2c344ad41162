//! One MQTT 5 connection: made afresh for every attempt, polled by one task, fed without waiting.
//!
//! What is known of rumqttc 0.25 and held here: a publish is matched to its packet id first-in-first-out by
//! `Outgoing`; nothing awaits its request channel while it is polled; packet ids never catch up with one that is
//! still open, because no more ids are handed out than its in-flight table has places.
//!
//! Messages go out at QoS 2 on a connection of their own ([`Purpose::ExactlyOnce`]) whose session ends with it: over a
//! session that the broker keeps, the fresh packet ids of a next connection would be taken for repeats. What comes in at
//! QoS 2 comes over the session that is kept; rumqttc then has to be told that it may be asked to release packet ids
//! of an earlier connection ([`expect_releases`]).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use rumqttc::{
    Outgoing, TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{
                ConnAck, ConnectProperties, Filter, LastWill, Packet, PubAck, PubRec, Publish,
                PublishProperties, RetainForwardRule, SubAck, UnsubAck,
            },
        },
    },
};
use rustls::ClientConfig;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use crate::{api::Confidential, client::address::Address, topic::TopicFilter};

use super::super::store::OutboxRow;

/// Places in rumqttc's table of unacknowledged publishes. One is kept free: a full table would hold back our
/// acknowledgements too.
const IN_FLIGHT: u16 = 257;
/// Unacknowledged messages that the broker may send us.
const RECEIVE_MAXIMUM: u16 = 1_000;
/// The largest packet that we take, told to the broker.
pub(super) const MAX_PACKET: u32 = 16 << 20;
/// Events that wait for the link; then the network waits.
const EVENTS: usize = 512;
/// Bytes of messages that wait for the link or for the disk; then the network waits. Events alone would be 8 GiB of the
/// largest packets.
const WAITING_BYTES: u32 = 64 << 20;
/// Requests that wait for the network: every unacknowledged message in both directions, and then some.
const REQUESTS: usize = 4_096;
/// How long the broker keeps our session, and messages at QoS 1 and 2 for us, while the link is down.
pub(super) const SESSION_EXPIRY_S: u32 = 3_600;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// TCP, TLS and CONNECT together.
const CONNECT_TIMEOUT_S: u64 = 10;

/// How to reach the broker.
#[derive(Clone)]
pub(in crate::client) struct Broker {
    pub address: Address,
    pub tls: Arc<ClientConfig>,
    pub username: String,
    pub token: Confidential,
    pub client_id: String,
}

impl Broker {
    /// The client id of the connection that publishes at QoS 2.
    pub(super) fn exactly_once_id(&self) -> String {
        format!("{}-qos2", self.client_id)
    }
}

/// What a connection is for.
pub(super) enum Purpose {
    /// All but publishing at QoS 2. The broker keeps the session while the link is down.
    Account {
        will: Option<Box<LastWill>>,
        /// Messages were ever asked for at QoS 2.
        exactly_once: bool,
    },
    /// Publishing at QoS 2. The session begins and ends with the connection.
    ExactlyOnce,
}

/// What happens on a connection.
pub(super) enum Happening {
    Online(ConnAck),
    /// A message, and its share of [`WAITING_BYTES`], to be held until the message is on disk.
    Incoming(Publish, OwnedSemaphorePermit),
    /// The network has it: its packet id, 0 at QoS 0.
    Sent(u16),
    Acked(PubAck),
    /// PUBREC: at QoS 2 the broker has it, or does not want it.
    Received(PubRec),
    /// PUBCOMP: the exchange of this packet id is over.
    Completed(u16),
    /// PUBREL: the broker will not send the message of this packet id again.
    Released(u16),
    SubscribeSent(u16),
    Subscribed(SubAck),
    UnsubscribeSent(u16),
    Unsubscribed(UnsubAck),
    Lost(ConnectionError),
}

/// What the broker takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Takes {
    /// Bytes of a packet.
    pub packet: usize,
    pub retain: bool,
    /// The highest QoS of a message to it.
    pub qos: u8,
    /// Unacknowledged publishes.
    window: u16,
    /// Packet ids before they start over.
    ids: u16,
}

impl Takes {
    /// `None` where the broker takes nothing at all, which none may say (MQTT 5.0 §3.2.2.3.3, §3.2.2.3.6).
    pub(super) fn of(connack: &ConnAck) -> Option<Self> {
        let told = connack.properties.as_ref();
        if told.is_some_and(|told| told.receive_max == Some(0) || told.max_packet_size == Some(0)) {
            return None;
        }
        let packet = told.and_then(|told| told.max_packet_size).unwrap_or(268_435_455);
        let ids = told.and_then(|told| told.receive_max).unwrap_or(u16::MAX).min(IN_FLIGHT);
        Some(Self {
            packet: usize::try_from(packet).unwrap_or(usize::MAX),
            retain: told.and_then(|told| told.retain_available) != Some(0),
            qos: told.and_then(|told| told.max_qos).map_or(2, |qos| qos.min(2)),
            window: (ids - 1).max(1),
            ids,
        })
    }
}

/// One connection, or the attempt at one. Dropping it ends it at once.
pub(super) struct Connection {
    client: AsyncClient,
    pub(super) events: mpsc::Receiver<Happening>,
    task: JoinHandle<()>,
    /// From CONNACK.
    pub(super) takes: Option<Takes>,
    /// Packet ids handed out so far.
    ids: u64,
    /// Subscribes and unsubscribes: handed over, then by packet id.
    asked: VecDeque<(u64, Vec<TopicFilter>)>,
    asked_by_id: HashMap<u16, (u64, Vec<TopicFilter>)>,
    /// Acknowledgements that found the request channel full.
    acks: VecDeque<(u16, QoS)>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Begins an attempt.
    pub(super) fn begin(broker: &Broker, purpose: Purpose) -> Self {
        let (client_id, clean) = match &purpose {
            Purpose::Account { .. } => (broker.client_id.clone(), false),
            Purpose::ExactlyOnce => (broker.exactly_once_id(), true),
        };
        let mut options = MqttOptions::new(client_id, &broker.address.host, broker.address.port);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = (!clean).then_some(SESSION_EXPIRY_S);
        properties.receive_maximum = Some(RECEIVE_MAXIMUM);
        properties.max_packet_size = Some(MAX_PACKET);
        properties.request_problem_info = Some(1);
        options
            .set_credentials(&broker.username, broker.token.reveal())
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(&broker.tls))))
            .set_keep_alive(KEEP_ALIVE)
            .set_connection_timeout(CONNECT_TIMEOUT_S)
            .set_clean_start(clean)
            .set_manual_acks(true)
            .set_outgoing_inflight_upper_limit(IN_FLIGHT)
            .set_connect_properties(properties);
        let mut network = rumqttc::NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        let mut expects_releases = false;
        if let Purpose::Account { will, exactly_once } = purpose {
            expects_releases = exactly_once;
            if let Some(will) = will {
                options.set_last_will(*will);
            }
        }
        let (client, mut eventloop) = AsyncClient::new(options, REQUESTS);
        if expects_releases {
            expect_releases(&mut eventloop);
        }
        let (happened, events) = mpsc::channel(EVENTS);
        let task = tokio::spawn(poll(eventloop, happened));
        Self {
            client,
            events,
            task,
            takes: None,
            ids: 0,
            asked: VecDeque::new(),
            asked_by_id: HashMap::new(),
            acks: VecDeque::new(),
        }
    }

    /// Whether one more packet id can be handed out: `oldest` is the number of the oldest open publish.
    fn has_id(&self, takes: Takes, oldest: Option<u64>) -> bool {
        let open = self.asked.iter().chain(self.asked_by_id.values()).map(|(number, _)| *number);
        let next = self.ids + 1;
        next - open.chain(oldest).min().unwrap_or(next) < u64::from(takes.ids)
    }

    /// Hands a message to the network. `open`: how many messages at QoS 1 or 2 are unacknowledged, and the number of the
    /// oldest. The answer is its number among packet ids (0 at QoS 0), or `None` where it must wait.
    pub(super) fn publish(&mut self, row: &OutboxRow, open: usize, oldest: Option<u64>) -> Option<u64> {
        let takes = self.takes?;
        if row.qos > 0 && (open >= usize::from(takes.window) || !self.has_id(takes, oldest)) {
            return None;
        }
        let qos = level(row.qos);
        let properties = row
            .content_type
            .as_ref()
            .map(|text| PublishProperties {
                content_type: Some(text.clone()),
                ..PublishProperties::default()
            })
            .unwrap_or_default();
        self.client
            .try_publish_with_properties(row.topic.as_str(), qos, row.retain, row.wire.clone(), properties)
            .ok()?;
        if row.qos == 0 {
            return Some(0);
        }
        self.ids += 1;
        Some(self.ids)
    }

    /// Subscribes. The broker is to send retained messages only where it did not know the subscription, and to mark
    /// them as such (Retain As Published off), so that the replay guard can tell them from live ones.
    pub(super) fn subscribe(
        &mut self,
        filters: Vec<(TopicFilter, u8)>,
        oldest: Option<u64>,
    ) -> Result<(), Vec<TopicFilter>> {
        let asked = filters.iter().map(|(filter, qos)| Filter {
            retain_forward_rule: RetainForwardRule::OnNewSubscribe,
            ..Filter::new(filter.as_str(), level(*qos))
        });
        let asked: Vec<_> = asked.collect();
        let filters = filters.into_iter().map(|(filter, _)| filter).collect();
        if self.takes.is_none_or(|takes| !self.has_id(takes, oldest)) {
            return Err(filters);
        }
        match self.client.try_subscribe_many(asked) {
            Ok(()) => {
                self.ids += 1;
                self.asked.push_back((self.ids, filters));
                Ok(())
            }
            Err(_) => Err(filters),
        }
    }

    /// Unsubscribes.
    pub(super) fn unsubscribe(
        &mut self,
        filter: TopicFilter,
        oldest: Option<u64>,
    ) -> Result<(), TopicFilter> {
        if self.takes.is_none_or(|takes| !self.has_id(takes, oldest)) {
            return Err(filter);
        }
        match self.client.try_unsubscribe(filter.as_str()) {
            Ok(()) => {
                self.ids += 1;
                self.asked.push_back((self.ids, vec![filter]));
                Ok(())
            }
            Err(_) => Err(filter),
        }
    }

    /// The oldest subscribe or unsubscribe that was handed over has this packet id.
    pub(super) fn asked_with(&mut self, packet_id: u16) {
        if let Some(asked) = self.asked.pop_front() {
            self.asked_by_id.insert(packet_id, asked);
        }
    }

    /// What was asked with this packet id; it is answered now.
    pub(super) fn answered(&mut self, packet_id: u16) -> Vec<TopicFilter> {
        self.asked_by_id.remove(&packet_id).map(|(_, filters)| filters).unwrap_or_default()
    }

    /// Acknowledges messages that are on disk: PUBACK at QoS 1, PUBREC at QoS 2.
    pub(super) fn acknowledge(&mut self, packet_ids: impl IntoIterator<Item = (u16, QoS)>) {
        self.acks.extend(packet_ids);
        while let Some(&(pkid, qos)) = self.acks.front() {
            let publish = Publish { pkid, qos, ..Publish::default() };
            if self.client.try_ack(&publish).is_err() {
                break;
            }
            self.acks.pop_front();
        }
    }

    /// Says goodbye once everything handed over has gone out, and waits for that. With goodbye the broker drops the
    /// will; so one that may have gone out with a CONNECT without an answer yet is worth the wait (`announced`).
    pub(super) async fn disconnect(mut self, announced: bool, at_most: Duration) {
        if (self.takes.is_none() && !announced) || self.client.try_disconnect().is_err() {
            return;
        }
        let goodbye = async {
            while let Some(happening) = self.events.recv().await {
                if matches!(happening, Happening::Lost(_)) {
                    break;
                }
            }
        };
        // A peer that does not close is left behind.
        let _ = tokio::time::timeout(at_most, goodbye).await;
    }
}

/// The one task that polls. It waits for the link where that is behind, and the link never waits for it.
async fn poll(mut eventloop: EventLoop, happened: mpsc::Sender<Happening>) {
    let waiting = Arc::new(Semaphore::new(WAITING_BYTES as usize));
    loop {
        let happening = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => Happening::Online(connack),
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let Some(room) = room(&waiting, publish.payload.len() + publish.topic.len()).await else {
                    return;
                };
                Happening::Incoming(publish, room)
            }
            Ok(Event::Incoming(Packet::PubAck(puback))) => Happening::Acked(puback),
            Ok(Event::Incoming(Packet::PubRec(pubrec))) => Happening::Received(pubrec),
            Ok(Event::Incoming(Packet::PubComp(pubcomp))) => Happening::Completed(pubcomp.pkid),
            Ok(Event::Incoming(Packet::PubRel(pubrel))) => Happening::Released(pubrel.pkid),
            Ok(Event::Incoming(Packet::SubAck(suback))) => Happening::Subscribed(suback),
            Ok(Event::Incoming(Packet::UnsubAck(unsuback))) => Happening::Unsubscribed(unsuback),
            Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => Happening::Sent(packet_id),
            Ok(Event::Outgoing(Outgoing::Subscribe(packet_id))) => Happening::SubscribeSent(packet_id),
            Ok(Event::Outgoing(Outgoing::Unsubscribe(packet_id))) => Happening::UnsubscribeSent(packet_id),
            Ok(_) => continue,
            Err(error) => {
                let _ = happened.send(Happening::Lost(error)).await;
                return;
            }
        };
        if happened.send(happening).await.is_err() {
            return;
        }
    }
}

pub(super) fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
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

/// Waits for room for a message of so many bytes. One that is larger than all the room there is has it alone.
async fn room(waiting: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let share = u32::try_from(bytes).unwrap_or(WAITING_BYTES).min(WAITING_BYTES);
    Arc::clone(waiting).acquire_many_owned(share).await.ok()
}

#[cfg(test)]
mod tests {
    use std::{future::Future, task::Poll};

    use super::*;

    #[tokio::test]
    async fn a_flood_of_large_messages_waits_in_the_network_and_not_in_memory() {
        let waiting = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(room(&waiting, MAX_PACKET as usize).await.unwrap());
        }
        let next = room(&waiting, 1);
        tokio::pin!(next);
        let pending = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending()));
        assert!(pending.await);
        held.pop();
        drop(next.await.unwrap());
        held.clear();
        assert!(room(&waiting, usize::MAX).await.is_some(), "nothing waits for ever");
    }
}
