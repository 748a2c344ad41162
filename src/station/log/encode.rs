//! A batch of changes as bytes: what is inside a frame. `decode` is the way back.
//!
//! ```text
//! record   sequence of the record before it in this segment (0: none) ‖ entry…
//! entry    tag (1) ‖ fields
//! ```
//!
//! Numbers are LEB128 varints, texts and payloads have their length before them, flags are one byte. A message's body
//! has an id of the log's own that is never given twice, and stands once: entries name it by the difference between
//! its id and the last id that the record named (zigzag). So what a record means never depends on one that was lost:
//! a name leads to that very body or to none.
//!
//! | tag | entry | fields |
//! |---|---|---|
//! | 0 | body | id difference, message |
//! | 1 | opened | session, account, client id, expiry |
//! | 2 | resumed | session, expiry |
//! | 3 | left | session, expiry, at |
//! | 4 | ended | session |
//! | 5 | subscribed | session, filter, flags (QoS in bits 0-1, no local 2, as published 3, has an id 4), id |
//! | 6 | unsubscribed | session, filter |
//! | 7 | queued | session, number, id difference, flags (QoS in 0-1, retain 2, replay 3, has ids 4, shared 5), count, ids |
//! | 8, 9 | released, delivered | session, count, numbers (each as the difference to the one before, zigzag) |
//! | 10 | accepted | session, packet id |
//! | 11 | completed | session, count, packet ids |
//! | 12 | will left | session, account, client id, delay, flags (has an expiry 0), expiry, message |
//! | 13 | will gone | session |
//! | 14 | retained | id difference |
//! | 15 | cleared | topic |
//!
//! A message is number, flags (QoS in bits 0-1, retain 2, expires 3), topic, properties, payload, and when it expires.

use std::sync::Arc;

use ahash::AHashMap;

use super::index::Index;
use crate::broker::{Change, KeptMessage, KeptParcel};

pub(super) mod tag {
    pub(in super::super) const BODY: u8 = 0;
    pub(in super::super) const OPENED: u8 = 1;
    pub(in super::super) const RESUMED: u8 = 2;
    pub(in super::super) const LEFT: u8 = 3;
    pub(in super::super) const ENDED: u8 = 4;
    pub(in super::super) const SUBSCRIBED: u8 = 5;
    pub(in super::super) const UNSUBSCRIBED: u8 = 6;
    pub(in super::super) const QUEUED: u8 = 7;
    pub(in super::super) const RELEASED: u8 = 8;
    pub(in super::super) const DELIVERED: u8 = 9;
    pub(in super::super) const ACCEPTED: u8 = 10;
    pub(in super::super) const COMPLETED: u8 = 11;
    pub(in super::super) const WILL_LEFT: u8 = 12;
    pub(in super::super) const WILL_GONE: u8 = 13;
    pub(in super::super) const RETAINED: u8 = 14;
    pub(in super::super) const CLEARED: u8 = 15;
}

/// Writes entries of one record.
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    last_body: u64,
}

/// Appends a record's plain bytes. Returns the id of the body of each change that has one, in order: those that the
/// index does not have are written along, with ids from [`Index::next_body`] on.
pub(super) fn batch(out: &mut Vec<u8>, previous: u64, changes: &[Change], index: &Index) -> Vec<u64> {
    let mut encoder = Encoder::new(out, previous);
    let mut bodies = Vec::new();
    let mut fresh: AHashMap<u64, (&Arc<KeptMessage>, u64)> = AHashMap::new();
    let mut next = index.next_body();
    for change in changes {
        let Some(message) = message_of(change) else {
            encoder.change(change, 0);
            continue;
        };
        let id = match fresh.get(&message.number) {
            Some((there, id)) if same(there, message) => *id,
            _ => index.body(message).unwrap_or_else(|| {
                encoder.body(next, message);
                fresh.insert(message.number, (message, next));
                next += 1;
                next - 1
            }),
        };
        bodies.push(id);
        encoder.change(change, id);
    }
    bodies
}

/// What a change refers to by id.
pub(super) fn message_of(change: &Change) -> Option<&Arc<KeptMessage>> {
    match change {
        Change::Queued { parcel, .. } => Some(&parcel.message),
        Change::Retained { message } => Some(message),
        _ => None,
    }
}

/// The same by its number is the same by its content; it is checked, because what a number leads to must never be
/// another's message.
pub(super) fn same(one: &Arc<KeptMessage>, other: &Arc<KeptMessage>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl<'a> Encoder<'a> {
    /// Begins a record.
    pub(super) fn new(out: &'a mut Vec<u8>, previous: u64) -> Self {
        let mut encoder = Self { out, last_body: 0 };
        encoder.number(previous);
        encoder
    }

    /// Goes on with a record; `last_body` is what [`Self::last_body`] was.
    pub(super) fn resume(out: &'a mut Vec<u8>, last_body: u64) -> Self {
        Self { out, last_body }
    }

    /// The last id that was named.
    pub(super) fn last_body(&self) -> u64 {
        self.last_body
    }

    /// The message that an id stands for from now on.
    pub(super) fn body(&mut self, id: u64, message: &KeptMessage) {
        self.out.push(tag::BODY);
        self.body_id(id);
        self.message(message);
    }

    /// A change; `body` is the id of its message, where it has one.
    pub(super) fn change(&mut self, change: &Change, body: u64) {
        match change {
            Change::Opened { session, account, client_id, expiry_secs } => {
                self.entry(tag::OPENED, *session);
                self.bytes(account.as_bytes());
                self.bytes(client_id.as_bytes());
                self.number((*expiry_secs).into());
            }
            Change::Resumed { session, expiry_secs } => {
                self.entry(tag::RESUMED, *session);
                self.number((*expiry_secs).into());
            }
            Change::Left { session, expiry_secs, at_ms } => {
                self.entry(tag::LEFT, *session);
                self.number((*expiry_secs).into());
                self.number(*at_ms);
            }
            Change::Ended { session, .. } => self.entry(tag::ENDED, *session),
            Change::Subscribed { session, filter, options } => {
                self.entry(tag::SUBSCRIBED, *session);
                self.bytes(filter.as_str().as_bytes());
                let flags = [options.no_local, options.retain_as_published, options.id.is_some()];
                self.flags(options.qos, flags);
                options.id.into_iter().for_each(|id| self.number(id.into()));
            }
            Change::Unsubscribed { session, filter } => {
                self.entry(tag::UNSUBSCRIBED, *session);
                self.bytes(filter.as_str().as_bytes());
            }
            Change::Queued { session, parcel } => self.queued(*session, parcel, body),
            Change::Released { session, numbers } => self.numbers(tag::RELEASED, *session, numbers),
            Change::Delivered { session, numbers } => self.numbers(tag::DELIVERED, *session, numbers),
            Change::Accepted { session, packet_id } => {
                self.entry(tag::ACCEPTED, *session);
                self.number((*packet_id).into());
            }
            Change::Completed { session, packet_ids } => {
                self.entry(tag::COMPLETED, *session);
                self.number(packet_ids.len() as u64);
                packet_ids.iter().for_each(|id| self.number((*id).into()));
            }
            Change::WillLeft { session, will } => {
                self.entry(tag::WILL_LEFT, *session);
                self.bytes(will.account.as_bytes());
                self.bytes(will.client_id.as_bytes());
                self.number(will.delay_secs.into());
                self.out.push(will.expiry_secs.is_some().into());
                will.expiry_secs.into_iter().for_each(|expiry| self.number(expiry.into()));
                self.message(&will.message);
            }
            Change::WillGone { session } => self.entry(tag::WILL_GONE, *session),
            Change::Retained { .. } => {
                self.out.push(tag::RETAINED);
                self.body_id(body);
            }
            Change::Cleared { topic } => {
                self.out.push(tag::CLEARED);
                self.bytes(topic.as_str().as_bytes());
            }
        }
    }

    /// [`Change::Queued`], without one.
    pub(super) fn queued(&mut self, session: u64, parcel: &KeptParcel, body: u64) {
        self.entry(tag::QUEUED, session);
        self.number(parcel.number);
        self.body_id(body);
        let ids = &parcel.subscription_ids;
        self.flags(parcel.qos, [parcel.retain, parcel.replay, !ids.is_empty(), parcel.shared]);
        if !ids.is_empty() {
            self.number(ids.len() as u64);
            ids.iter().for_each(|id| self.number((*id).into()));
        }
    }

    fn message(&mut self, message: &KeptMessage) {
        self.number(message.number);
        self.flags(message.qos, [message.retain, message.expires_ms.is_some(), false]);
        self.bytes(message.topic.as_str().as_bytes());
        self.bytes(&message.properties);
        self.bytes(&message.payload);
        message.expires_ms.into_iter().for_each(|at| self.number(at));
    }

    fn entry(&mut self, tag: u8, session: u64) {
        self.out.push(tag);
        self.number(session);
    }

    fn numbers(&mut self, tag: u8, session: u64, numbers: &[u64]) {
        self.entry(tag, session);
        self.number(numbers.len() as u64);
        let mut last = 0;
        for number in numbers {
            self.number(zigzag(number.wrapping_sub(last)));
            last = *number;
        }
    }

    fn body_id(&mut self, id: u64) {
        self.number(zigzag(id.wrapping_sub(self.last_body)));
        self.last_body = id;
    }

    /// QoS in bits 0 and 1, and what else there is from bit 2 on.
    fn flags<const N: usize>(&mut self, qos: u8, others: [bool; N]) {
        self.out
            .push(others.iter().rev().fold(0, |flags, other| flags << 1 | u8::from(*other)) << 2 | qos & 3);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn number(&mut self, mut number: u64) {
        while number > 0x7F {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}

/// A difference, modulo 2^64, so that small ones are short in either direction.
fn zigzag(difference: u64) -> u64 {
    let sign = difference.cast_signed() >> 63;
    difference << 1 ^ sign.cast_unsigned()
}
