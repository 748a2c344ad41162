//! One connection: made afresh for every attempt, polled by one task, fed without waiting.
//!
//! What is known of rumqttc 0.25 and held here: a publish is matched to its packet id first-in-first-out by
//! `Outgoing`; nothing awaits its request channel while it is polled; packet ids never catch up with one that is
//! still open, because no more ids are handed out than its in-flight table has places.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use crate::topic::TopicFilter;

use super::{
    Answer, Happening, Incoming, Lost, Outgoing, Server, Session, Takes, Version, Why,
    packet::{Denial, Granted, Online},
    v4, v5,
};

/// Places in rumqttc's table of unacknowledged publishes. One is kept free: a full table would hold back our
/// acknowledgements too.
pub(super) const IN_FLIGHT: u16 = 257;
/// Unacknowledged messages that the broker may send us.
pub(super) const RECEIVE_MAXIMUM: u16 = 1_000;
/// The largest packet that we take; under MQTT 5 the broker is told.
pub(super) const MAX_PACKET: u32 = 16 << 20;
/// Events that wait; then the network waits.
const EVENTS: usize = 512;
/// Bytes of messages that wait; then the network waits. Events alone would be 8 GiB of the largest packets.
const WAITING_BYTES: u32 = 64 << 20;
/// Requests that wait for the network: every unacknowledged message in both directions, and then some.
pub(super) const REQUESTS: usize = 4_096;
/// TCP, TLS and CONNECT together.
pub(super) const CONNECT_TIMEOUT_S: u64 = 10;

/// What the polling task saw.
pub(super) enum Seen {
    /// With what the broker takes; `None` where nothing.
    Online(Online, Option<Takes>),
    Incoming(Incoming),
    Sent(u16),
    Answered(u16, Answer, Option<String>),
    Completed(u16),
    Released(u16),
    /// A subscribe or unsubscribe got its packet id.
    AskSent(u16),
    Subscribed(u16, Vec<Granted>),
    Unsubscribed(u16),
    Lost(Why),
}

/// One of rumqttc's event loops.
pub(super) trait Polled: Send + 'static {
    /// The next thing to tell.
    fn poll(&mut self) -> impl Future<Output = Seen> + Send;
}

/// One of rumqttc's request channels. `false` where it is full.
pub(super) enum Requests {
    V5(rumqttc::v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// One connection, or the attempt at one. Dropping it ends it at once.
pub(in crate::client) struct Connection {
    requests: Requests,
    seen: mpsc::Receiver<(Seen, Option<OwnedSemaphorePermit>)>,
    task: JoinHandle<()>,
    /// From CONNACK.
    pub takes: Option<Takes>,
    version: Version,
    was_online: bool,
    /// Packet ids handed out so far.
    ids: u64,
    /// Subscribes and unsubscribes: handed over, then by packet id.
    asked: VecDeque<(u64, Vec<TopicFilter>)>,
    asked_by_id: HashMap<u16, (u64, Vec<TopicFilter>)>,
    /// Acknowledgements that found the request channel full.
    acks: VecDeque<(u16, u8)>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Begins an attempt.
    pub(in crate::client) fn begin(server: &Server, session: Session) -> Self {
        let (told, seen) = mpsc::channel(EVENTS);
        let (requests, task) = match server.version {
            Version::V5 => {
                let (client, polled) = v5::begin(server, session);
                (Requests::V5(client), tokio::spawn(poll(polled, told)))
            }
            Version::V311 => {
                let (client, polled) = v4::begin(server, session);
                (Requests::V311(client), tokio::spawn(poll(polled, told)))
            }
        };
        Self {
            requests,
            seen,
            task,
            takes: None,
            version: server.version,
            was_online: false,
            ids: 0,
            asked: VecDeque::new(),
            asked_by_id: HashMap::new(),
            acks: VecDeque::new(),
        }
    }

    /// The next happening. After [`Happening::Lost`] there is only more of it.
    pub(in crate::client) async fn next(&mut self) -> Happening {
        loop {
            let Some((seen, room)) = self.seen.recv().await else { return self.lost(Why::Stopped) };
            if let Some(happening) = self.taken(seen, room) {
                return happening;
            }
        }
    }

    /// A happening that waits already.
    pub(in crate::client) fn try_next(&mut self) -> Option<Happening> {
        loop {
            let (seen, room) = self.seen.try_recv().ok()?;
            if let Some(happening) = self.taken(seen, room) {
                return Some(happening);
            }
        }
    }

    fn lost(&self, why: Why) -> Happening {
        Happening::Lost(Lost { why, was_online: self.was_online, version: self.version })
    }

    /// Takes note, and gives what is to be told.
    fn taken(&mut self, seen: Seen, room: Option<OwnedSemaphorePermit>) -> Option<Happening> {
        Some(match seen {
            Seen::Online(online, takes) => {
                self.was_online = true;
                self.takes = takes;
                if takes.is_none() {
                    return Some(self.lost(Why::TakesNothing));
                }
                Happening::Online(online)
            }
            Seen::Incoming(message) => Happening::Incoming(message, room?),
            Seen::Sent(packet_id) => Happening::Sent(packet_id),
            Seen::Answered(packet_id, answer, told) => Happening::Answered(packet_id, answer, told),
            Seen::Completed(packet_id) => Happening::Completed(packet_id),
            Seen::Released(packet_id) => Happening::Released(packet_id),
            Seen::AskSent(packet_id) => {
                // The oldest subscribe or unsubscribe that was handed over has this packet id.
                if let Some(asked) = self.asked.pop_front() {
                    self.asked_by_id.insert(packet_id, asked);
                }
                return None;
            }
            Seen::Subscribed(packet_id, granted) => {
                let silent = std::iter::repeat(Err(Denial::Other));
                let filters = self.answered(packet_id);
                Happening::Subscribed(filters.into_iter().zip(granted.into_iter().chain(silent)).collect())
            }
            Seen::Unsubscribed(packet_id) => Happening::Unsubscribed(self.answered(packet_id)),
            Seen::Lost(why) => self.lost(why),
        })
    }

    /// What was asked with this packet id; it is answered now.
    fn answered(&mut self, packet_id: u16) -> Vec<TopicFilter> {
        self.asked_by_id.remove(&packet_id).map(|(_, filters)| filters).unwrap_or_default()
    }

    /// Whether one more packet id can be handed out: `oldest` is the number of the oldest open publish.
    fn has_id(&self, takes: Takes, oldest: Option<u64>) -> bool {
        let open = self.asked.iter().chain(self.asked_by_id.values()).map(|(number, _)| *number);
        let next = self.ids + 1;
        next - open.chain(oldest).min().unwrap_or(next) < u64::from(takes.ids)
    }

    /// Hands a message to the network. `open`: how many messages at QoS 1 or 2 are unacknowledged, and the number of the
    /// oldest. The answer is its number among packet ids (0 at QoS 0), or `None` where it must wait.
    pub(in crate::client) fn publish(
        &mut self,
        message: &Outgoing<'_>,
        open: usize,
        oldest: Option<u64>,
    ) -> Option<u64> {
        let takes = self.takes?;
        if message.qos > 0 && (open >= usize::from(takes.window) || !self.has_id(takes, oldest)) {
            return None;
        }
        let taken = match &self.requests {
            Requests::V5(client) => v5::publish(client, message),
            Requests::V311(client) => v4::publish(client, message),
        };
        if !taken {
            return None;
        }
        if message.qos == 0 {
            return Some(0);
        }
        self.ids += 1;
        Some(self.ids)
    }

    /// Subscribes, or gives the filters back where it must wait. Under MQTT 5 the broker is to send retained messages only
    /// where it did not know the subscription; under 3.1.1 it sends them every time. Either way it marks them as such, so that a
    /// replay guard can tell them from live ones.
    pub(in crate::client) fn subscribe(
        &mut self,
        filters: Vec<(TopicFilter, u8)>,
        oldest: Option<u64>,
    ) -> Result<(), Vec<TopicFilter>> {
        let has_id = self.takes.is_some_and(|takes| self.has_id(takes, oldest));
        let taken = has_id
            && match &self.requests {
                Requests::V5(client) => v5::subscribe(client, &filters),
                Requests::V311(client) => v4::subscribe(client, &filters),
            };
        let filters = filters.into_iter().map(|(filter, _)| filter).collect();
        if !taken {
            return Err(filters);
        }
        self.ids += 1;
        self.asked.push_back((self.ids, filters));
        Ok(())
    }

    /// Unsubscribes, or gives the filter back where it must wait.
    pub(in crate::client) fn unsubscribe(
        &mut self,
        filter: TopicFilter,
        oldest: Option<u64>,
    ) -> Result<(), TopicFilter> {
        let has_id = self.takes.is_some_and(|takes| self.has_id(takes, oldest));
        let taken = has_id
            && match &self.requests {
                Requests::V5(client) => client.try_unsubscribe(filter.as_str()).is_ok(),
                Requests::V311(client) => client.try_unsubscribe(filter.as_str()).is_ok(),
            };
        if !taken {
            return Err(filter);
        }
        self.ids += 1;
        self.asked.push_back((self.ids, vec![filter]));
        Ok(())
    }

    /// Acknowledges messages that are kept, by packet id and QoS: PUBACK at QoS 1, PUBREC at QoS 2, nothing at QoS 0.
    /// With none, tries again what found no place.
    pub(in crate::client) fn acknowledge(&mut self, packets: impl IntoIterator<Item = (u16, u8)>) {
        self.acks.extend(packets.into_iter().filter(|(_, qos)| *qos > 0));
        while let Some(&(packet_id, qos)) = self.acks.front() {
            let taken = match &self.requests {
                Requests::V5(client) => v5::acknowledge(client, packet_id, qos),
                Requests::V311(client) => v4::acknowledge(client, packet_id, qos),
            };
            if !taken {
                break;
            }
            self.acks.pop_front();
        }
    }

    /// Says goodbye once everything handed over has gone out, and waits for that. With goodbye the broker drops the
    /// will; so one that may have gone out with a CONNECT without an answer yet is worth the wait (`announced`).
    pub(in crate::client) async fn disconnect(mut self, announced: bool, at_most: Duration) {
        if self.takes.is_none() && !announced {
            return;
        }
        let asked = match &self.requests {
            Requests::V5(client) => client.try_disconnect().is_ok(),
            Requests::V311(client) => client.try_disconnect().is_ok(),
        };
        if !asked {
            return;
        }
        let goodbye = async {
            while let Some((seen, _)) = self.seen.recv().await {
                if matches!(seen, Seen::Lost(_)) {
                    break;
                }
            }
        };
        // A peer that does not close is left behind.
        let _ = tokio::time::timeout(at_most, goodbye).await;
    }
}

/// The one task that polls. It waits for whoever takes what happens, and they never wait for it.
async fn poll(mut polled: impl Polled, told: mpsc::Sender<(Seen, Option<OwnedSemaphorePermit>)>) {
    let waiting = Arc::new(Semaphore::new(WAITING_BYTES as usize));
    loop {
        let seen = polled.poll().await;
        let mut share = None;
        if let Seen::Incoming(message) = &seen {
            let topic = message.topic.as_ref().map_or(0, |topic| topic.as_str().len());
            let Some(room) = room(&waiting, message.payload.len() + topic).await else { return };
            share = Some(room);
        }
        let is_over = matches!(seen, Seen::Lost(_));
        if told.send((seen, share)).await.is_err() || is_over {
            return;
        }
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
