//! Messages of one topic that came one behind the other: looked up once, given to each subscriber under one lock, and
//! at QoS 0 forwarded as the bytes that they are.
//!
//! Start at [`Inbound::burst`].

use std::{
    cell::OnceCell,
    num::NonZeroU16,
    ops::Range,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use rmqtt_codec::v5::PublishAckReason;

use super::{
    super::{
        Verdict,
        aliases::Alias,
        codec::{Receipt, Violation},
        core::Published,
        lean::{Frame, Lean, LeanPublish, frame},
        message::{Form, Message},
        stats::Counters,
    },
    Inbound, Step,
};
use crate::topic::TopicName;

/// A burst ends with the packet that reaches this. Small enough that back-pressure works within a full read buffer, and
/// that a message which waits does not keep much else in memory.
const BURST_BYTES: usize = 32 * 1024;

/// Consecutive packets that differ in packet id and payload only.
#[derive(Debug)]
pub(in super::super) struct Burst<'a> {
    /// The packets as they came.
    pub(in super::super) packets: &'a [u8],
    pub(in super::super) v5: bool,
    pub(in super::super) topic: TopicName,
    qos: u8,
    properties: Bytes,
    /// Packet id and payload of each. The id is none at QoS 0.
    pieces: &'a [Piece],
    pub(in super::super) largest: usize,
    /// Of all together.
    pub(in super::super) payload_bytes: u64,
    received: Instant,
    /// QoS 0 for the other version of the protocol; written when first asked for.
    translated: OnceCell<BytesMut>,
    messages: OnceCell<Vec<Arc<Message>>>,
}

/// One packet of a burst: its id, and where its payload stands.
pub(super) type Piece = (Option<NonZeroU16>, Range<usize>);

impl Burst<'_> {
    /// How many messages it has.
    pub(in super::super) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(in super::super) fn qos(&self) -> u8 {
        self.qos
    }

    /// The packets of a QoS 0 burst as a connection of this version takes them. `largest` is about right for both.
    pub(in super::super) fn forwardable(&self, v5: bool) -> &[u8] {
        if v5 == self.v5 {
            return self.packets;
        }
        self.translated.get_or_init(|| {
            let mut out = BytesMut::with_capacity(self.packets.len() + self.len() * 2);
            let form = Form {
                v5,
                qos: 0,
                retain: false,
                dup: false,
                packet_id: 0,
                subscription_ids: &[],
                max_packet: usize::MAX,
                alias: Alias::None,
            };
            for message in self.messages() {
                message.append(form, &mut out);
            }
            out
        })
    }

    /// Each as a message of its own. They share one copy of the bytes, so that none pins what it was read into.
    pub(in super::super) fn messages(&self) -> &[Arc<Message>] {
        self.messages.get_or_init(|| {
            let copy = Bytes::copy_from_slice(self.packets);
            let message = |(_, payload): &Piece| {
                Arc::new(Message {
                    topic: self.topic.clone(),
                    payload: copy.slice(payload.clone()),
                    qos: self.qos,
                    retain: false,
                    properties: self.properties.clone(),
                    received: self.received,
                    expiry: None,
                    kept: OnceLock::new(),
                })
            };
            self.pieces.iter().map(message).collect()
        })
    }
}

impl Inbound {
    /// Whether a PUBLISH can go the short way: it has no properties, or the same as one that the codec has seen and
    /// that are forwarded as they are.
    pub(super) fn is_plain(&self, head: &LeanPublish<'_>) -> bool {
        head.properties.is_empty() || head.properties == &self.plain_properties[..]
    }

    /// Handles the PUBLISH packet `head`, which stands at the beginning of `buffer`, and all those behind it that
    /// resemble it. Returns how many bytes that were.
    pub(super) fn burst(
        &mut self,
        buffer: &[u8],
        found: Frame,
        head: &LeanPublish<'_>,
    ) -> Result<(usize, Option<Step>), Violation> {
        let v5 = self.control.protocol.is_v5();
        let max = self.core.limits.max_packet_bytes;
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        pieces.push((head.packet_id, found.length - head.payload.len()..found.length));
        let (mut end, mut largest) = (found.length, found.length);
        while end < BURST_BYTES {
            // What is wrong with the next packet is found again when it is its turn.
            let Ok(Some(next)) = frame(&buffer[end..], max, v5) else { break };
            let Some(Lean::Publish(other)) = Lean::of(&buffer[end..], next, v5) else { break };
            if !other.resembles(head) {
                break;
            }
            end += next.length;
            pieces.push((other.packet_id, end - other.payload.len()..end));
            largest = largest.max(next.length);
        }
        let outcome = self.publish_burst(buffer, head, &pieces, largest);
        self.pieces = pieces;
        outcome
    }

    /// The first of them was counted as a packet when it was found.
    fn count_burst(&mut self, qos: u8, messages: usize, payload_bytes: u64) {
        let messages = messages as u64;
        self.packets += messages.saturating_sub(1);
        self.publishes += messages;
        self.seen.lately.add_many(qos, messages, payload_bytes);
    }

    fn publish_burst(
        &mut self,
        buffer: &[u8],
        head: &LeanPublish<'_>,
        pieces: &[Piece],
        largest: usize,
    ) -> Result<(usize, Option<Step>), Violation> {
        let name = std::str::from_utf8(head.topic)
            .map_err(|_| Violation::malformed("a topic name that is not UTF-8"))?;
        let (topic, route) = self.known(name)?;
        if let Verdict::Deny(reason) = &route.verdict {
            for (packet_id, _) in pieces {
                self.deny(&topic, Receipt::PubAck, *packet_id, PublishAckReason::NotAuthorized, reason);
            }
            self.count_burst(head.qos(), pieces.len(), payload_bytes(pieces));
            return Ok((pieces.last().map_or(0, |(_, payload)| payload.end), None));
        }
        // No more at once than the subscribers' queues have room for, so that waiting comes before losing.
        let room = if head.qos() == 0 { usize::MAX } else { self.core.room_for_burst(&route) };
        let pieces = pieces.get(..room).unwrap_or(pieces);
        let end = pieces.last().map_or(0, |(_, payload)| payload.end);
        let (packets, bytes) = (&buffer[..end], payload_bytes(pieces));
        self.count_burst(head.qos(), pieces.len(), bytes);
        let burst = Burst {
            packets,
            v5: self.control.protocol.is_v5(),
            topic: topic.clone(),
            qos: head.qos(),
            properties: if head.properties.is_empty() { Bytes::new() } else { self.plain_properties.clone() },
            pieces,
            largest,
            payload_bytes: bytes,
            received: Instant::now(),
            translated: OnceCell::new(),
            messages: OnceCell::new(),
        };
        match self.core.publish_burst(&burst, &route) {
            Published::Accepted { congested, kept } => {
                let tally = self.tally(&topic, false, pieces.len() as u64, bytes);
                let (must_be_kept, nobody) = (!kept.is_empty(), route.is_empty());
                self.tickets.extend(kept);
                for (packet_id, payload) in pieces {
                    let Some(packet_id) = *packet_id else { continue };
                    let promised = must_be_kept.then_some((tally, payload.len() as u64));
                    self.acknowledge(Receipt::PubAck, packet_id, nobody, promised);
                }
                Ok((end, self.pause(route, congested, must_be_kept)))
            }
            Published::NotKept => {
                Counters::add(&self.core.counters.not_kept, pieces.len() as u64);
                let mut told = pieces.iter();
                let step =
                    told.find_map(|(packet_id, _)| self.tell_not_kept(&topic, Receipt::PubAck, *packet_id));
                Ok((end, step))
            }
            // Nothing of a burst is retained.
            Published::NotRetained(_) => Ok((end, None)),
        }
    }
}

fn payload_bytes(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|(_, payload)| payload.len() as u64).sum()
}
