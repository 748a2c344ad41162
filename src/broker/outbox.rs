//! What one client is yet to be sent: the bytes for its socket, the QoS 1 messages it has not acknowledged, and
//! those that wait for room. Pure state, no I/O, kept under one short lock by [`super::session::Session`].
//!
//! It outlives connections: a [`Link`] is the connection that the client has now, if any. Start at
//! [`Outbox::push`].

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{
    Limits,
    control::Control,
    figures::{Depth, Flow},
    journal::Journal,
    keeper::Change,
    message::{Form, Heads, Message},
    page::Page,
    parcels::{Parcel, Parcels},
    ticket::Tickets,
};

/// Packet ids in use at once: ids are 1 to 65,535.
const PACKET_IDS: u64 = 65_535;

/// The connection that a session has now.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) control: Arc<Control>,
    pub(super) v5: bool,
    /// Unacknowledged QoS 1 messages that the client takes at once.
    pub(super) window: usize,
    /// Largest packet the client takes.
    pub(super) max_packet: usize,
    /// Encoded, not yet taken by the writer.
    pub(super) buffer: BytesMut,
    /// Publishers do not wait for it until then.
    slow_until: Option<Instant>,
    /// It acknowledged nothing for so long that publishers wait no more.
    stuck: bool,
    last_ack: Instant,
    /// QoS 0 messages lost since the writer last looked.
    dropped: u64,
    /// Messages put into the buffer since the writer last looked.
    sent: Flow,
    /// Nothing leaves the queues while the authority is asked about them again.
    held: bool,
}

impl Link {
    pub(super) fn new(
        control: Arc<Control>,
        v5: bool,
        window: usize,
        max_packet: usize,
        buffer: BytesMut,
    ) -> Self {
        Self {
            control,
            v5,
            window: window.max(1),
            max_packet,
            buffer,
            slow_until: None,
            stuck: false,
            last_ack: Instant::now(),
            dropped: 0,
            sent: Flow::default(),
            held: true,
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Sent or queued.
    Taken,
    /// Sent or queued, and the publisher should wait for room before its next.
    Congested,
    /// Nobody is there to be sent a QoS 0 message.
    Absent,
    /// Lost, and counted: the reader is too slow.
    Dropped,
    /// Lost: the queue of an absent client is full.
    Lost,
    /// Lost: the queue is full, and the client connected. Its connection must end.
    Overflow,
}

/// What giving one message to many sessions shares.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    heads: Heads,
    /// What must be on disk before the message is acknowledged.
    pub(super) kept: Tickets,
}

/// Why and how long a publisher should wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Congestion {
    pub(super) patience: Duration,
}

/// What the writer takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    /// The session has gone to another connection or ended.
    pub(super) gone: bool,
    /// QoS 0 messages lost to this connection's slowness, to be counted.
    pub(super) dropped: u64,
    /// QoS 1 messages lost to a full queue, counted when it happened.
    pub(super) lost: u64,
    pub(super) sent: Flow,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    link: Option<Link>,
    /// Assigned a packet id and not acknowledged; the slot at index i has sequence number `base + i`, its packet id
    /// is that modulo 65,535, plus one. Acknowledged out of order: none.
    inflight: VecDeque<Option<Parcel>>,
    base: u64,
    /// Sequence number of the first that was not sent over this link.
    cursor: u64,
    /// Sent over this link and not acknowledged.
    outstanding: usize,
    waiting: Parcels,
    /// Where its changes are written down; none where the session ends with its connection.
    page: Option<Page>,
    /// The highest number that a page before this one gave: numbers do not come again.
    last_number: u64,
    /// The session is over: nothing is taken any more.
    ended: bool,
    /// QoS 1 messages lost since a writer last looked.
    lost: u64,
    /// A publisher waits for room.
    awaited: bool,
    max_messages: usize,
    max_bytes: usize,
    max_replays: usize,
    high_water: usize,
    reader_patience: Duration,
    slow_period: Duration,
    ack_patience: Duration,
}

impl Outbox {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            link: None,
            inflight: VecDeque::new(),
            base: 0,
            cursor: 0,
            outstanding: 0,
            waiting: Parcels::default(),
            page: None,
            last_number: 0,
            ended: false,
            lost: 0,
            awaited: false,
            max_messages: limits.queue_messages,
            max_bytes: limits.queue_bytes,
            max_replays: limits.max_retained_messages,
            high_water: limits.send_buffer_bytes,
            reader_patience: limits.reader_patience,
            slow_period: limits.slow_period,
            ack_patience: limits.ack_patience,
        }
    }

    /// One that was kept. Its packet ids begin at `base`: anywhere, so that a late acknowledgement of what another
    /// process sent is unlikely to be taken for one of ours.
    pub(super) fn restored(limits: &Limits, page: Page, parcels: Vec<Parcel>, base: u16) -> Self {
        let mut outbox = Self::new(limits);
        (outbox.base, outbox.cursor) = (base.into(), base.into());
        outbox.page = Some(page);
        parcels.into_iter().for_each(|parcel| outbox.waiting.push(parcel));
        outbox
    }

    /// Where its changes are written down, if they are.
    pub(super) fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// The session outlives its connections from now on.
    pub(super) fn begin_page(&mut self, journal: &Arc<Journal>, session: u64, tickets: &mut Tickets) {
        let mut page = Page::new(Arc::clone(journal), session, self.last_number);
        let waiting = self.waiting.iter_mut();
        for parcel in self.inflight.iter_mut().flatten().chain(waiting).filter(|parcel| parcel.qos > 0) {
            let flags = (parcel.retain, parcel.replay);
            parcel.number = page.queued(&parcel.message, flags, &parcel.subscription_ids, tickets);
        }
        self.page = Some(page);
    }

    /// The session ends with its connection from now on, or now.
    pub(super) fn end_page(&mut self, tickets: &mut Tickets) {
        if let Some(page) = self.page.take() {
            self.last_number = page.last();
            tickets.note(page.record(|session| Change::Ended { session }));
        }
    }

    pub(super) fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn is_mine(&self, connection: u64) -> bool {
        self.link.as_ref().is_some_and(|link| link.control.id == connection)
    }

    /// Gives the session a connection and returns the one it takes the place of. What was in flight will be sent
    /// again, under its packet ids (MQTT-4.4.0-1); nothing leaves before [`Outbox::release`].
    pub(super) fn attach(&mut self, link: Link) -> Option<Arc<Control>> {
        self.cursor = self.base;
        self.outstanding = 0;
        self.link.replace(link).map(|old| old.control)
    }

    /// The connection is over. Returns what it was still to be sent, or none if the session is another's by now.
    pub(super) fn detach(&mut self, connection: u64) -> Option<BytesMut> {
        if !self.is_mine(connection) {
            return None;
        }
        self.waiting.retain(|parcel| parcel.qos > 0);
        self.link.take().map(|link| link.buffer)
    }

    /// The session is over: everything is forgotten.
    pub(super) fn end(&mut self, tickets: &mut Tickets) -> Option<Arc<Control>> {
        self.end_page(tickets);
        self.ended = true;
        self.inflight = VecDeque::new();
        self.waiting = Parcels::default();
        self.outstanding = 0;
        self.link.take().map(|link| link.control)
    }

    /// Sends a message, or keeps it for later.
    pub(super) fn push(
        &mut self,
        message: &Arc<Message>,
        qos: u8,
        retain: bool,
        subscription_ids: &Arc<[u32]>,
        fanout: &mut Fanout,
    ) -> Outcome {
        if self.ended {
            return Outcome::Absent;
        }
        let Some(link) = &mut self.link else {
            return if qos == 0 {
                Outcome::Absent
            } else {
                self.queue(message, qos, retain, subscription_ids, &mut fanout.kept)
            };
        };
        let idle = self.waiting.is_empty() && !link.held;
        if qos > 0 {
            let end = self.base + self.inflight.len() as u64;
            let free = self.outstanding < link.window && (self.inflight.len() as u64) < PACKET_IDS;
            if !(idle && free && self.cursor == end && link.buffer.len() < self.high_water) {
                return self.queue(message, qos, retain, subscription_ids, &mut fanout.kept);
            }
            let packet_id = packet_id(end);
            let form = form(link, qos, retain, false, packet_id, subscription_ids);
            if message.append_shared(form, &mut fanout.heads, &mut link.buffer) {
                link.sent.add(qos, message.payload.len());
                let number = match &mut self.page {
                    Some(page) => page.queued(message, (retain, false), subscription_ids, &mut fanout.kept),
                    None => 0,
                };
                let (message, subscription_ids) = (Arc::clone(message), Arc::clone(subscription_ids));
                let parcel =
                    Parcel { message, qos, retain, subscription_ids, replay: false, number, again: false };
                self.inflight.push_back(Some(parcel));
                self.cursor += 1;
                self.outstanding += 1;
            }
            return Outcome::Taken;
        }
        if self.waiting.hold_back_qos0() || link.held {
            let message = Arc::new(message.detached());
            return self.queue(&message, qos, retain, subscription_ids, &mut fanout.kept);
        }
        let full = link.buffer.len() >= self.high_water;
        let slow = full && link.slow_until.is_some_and(|until| Instant::now() < until);
        if slow || link.buffer.len() >= 2 * self.high_water {
            link.dropped += 1;
            return Outcome::Dropped;
        }
        let form = form(link, 0, retain, false, 0, subscription_ids);
        if message.append_shared(form, &mut fanout.heads, &mut link.buffer) {
            link.sent.add(0, message.payload.len());
        }
        if link.buffer.len() >= self.high_water { Outcome::Congested } else { Outcome::Taken }
    }

    fn queue(
        &mut self,
        message: &Arc<Message>,
        qos: u8,
        retain: bool,
        ids: &Arc<[u32]>,
        tickets: &mut Tickets,
    ) -> Outcome {
        let bytes = self.waiting.bytes() + message.weight();
        if self.waiting.bounded() >= self.max_messages || bytes > self.max_bytes {
            if qos > 0 {
                self.lost += 1;
                return if self.link.is_some() { Outcome::Overflow } else { Outcome::Lost };
            }
            if let Some(link) = &mut self.link {
                link.dropped += 1;
            }
            return Outcome::Dropped;
        }
        let number = match &mut self.page {
            Some(page) if qos > 0 => page.queued(message, (retain, false), ids, tickets),
            _ => 0,
        };
        let (message, subscription_ids) = (Arc::clone(message), Arc::clone(ids));
        let replay = false;
        self.waiting.push(Parcel { message, qos, retain, subscription_ids, replay, number, again: false });
        match &self.link {
            Some(link) if self.queue_is_half_full() && !link.stuck => Outcome::Congested,
            _ => Outcome::Taken,
        }
    }

    /// Queues retained messages for a new subscription, behind what waits already.
    pub(super) fn replay(&mut self, parcels: Vec<Parcel>, tickets: &mut Tickets) {
        if self.ended || self.link.is_none() {
            return;
        }
        for parcel in parcels {
            if self.waiting.replays() < self.max_replays {
                let number = match &mut self.page {
                    Some(page) if parcel.qos > 0 => {
                        let ids = &parcel.subscription_ids;
                        page.queued(&parcel.message, (true, true), ids, tickets)
                    }
                    _ => 0,
                };
                self.waiting.push(Parcel { retain: true, replay: true, number, ..parcel });
            } else if let Some(link) = &mut self.link {
                link.dropped += 1;
            }
        }
        self.pump();
    }

    /// Moves what waits into the buffer, as far as window and buffer allow.
    fn pump(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.held) else { return };
        let (mut now, mut gone) = (None, Vec::new());
        while link.buffer.len() < self.high_water {
            let room = self.outstanding < link.window;
            let end = self.base + self.inflight.len() as u64;
            if self.cursor < end {
                if !room {
                    break;
                }
                let slot = &mut self.inflight[(self.cursor - self.base) as usize];
                if let Some(parcel) = slot {
                    let id = packet_id(self.cursor);
                    let form = form(link, parcel.qos, parcel.retain, true, id, &parcel.subscription_ids);
                    if parcel.message.append(form, &mut link.buffer) {
                        link.sent.add(parcel.qos, parcel.message.payload.len());
                        self.outstanding += 1;
                    } else {
                        gone.extend(slot.take().map(|parcel| parcel.number));
                    }
                }
                self.cursor += 1;
                continue;
            }
            let Some(next) = self.waiting.front() else { break };
            if next.qos > 0 && !(room && (self.inflight.len() as u64) < PACKET_IDS) {
                break;
            }
            let Some(parcel) = self.waiting.pop() else { break };
            if parcel.message.is_expired(*now.get_or_insert_with(Instant::now)) {
                gone.push(parcel.number);
                continue;
            }
            let id = packet_id(end);
            let form = form(link, parcel.qos, parcel.retain, parcel.again, id, &parcel.subscription_ids);
            if !parcel.message.append(form, &mut link.buffer) {
                gone.push(parcel.number);
                continue;
            }
            link.sent.add(parcel.qos, parcel.message.payload.len());
            if parcel.qos > 0 {
                self.inflight.push_back(Some(parcel));
                self.cursor += 1;
                self.outstanding += 1;
            }
        }
        self.delivered(gone);
    }

    /// The keeper need not keep these any longer.
    fn delivered(&self, mut numbers: Vec<u64>) {
        numbers.retain(|number| *number > 0);
        if let Some(page) = &self.page {
            page.delivered(numbers);
        }
    }

    /// A PUBACK came in. Unknown ids are ignored: the message may have been acknowledged before a reconnect.
    pub(super) fn acknowledge(&mut self, connection: u64, packet_ids: &[u16]) {
        if !self.is_mine(connection) {
            return;
        }
        let mut gone = Vec::new();
        for id in packet_ids {
            let first = self.base % PACKET_IDS;
            let offset = (u64::from(*id) + PACKET_IDS - 1 - first) % PACKET_IDS;
            if self.base + offset >= self.cursor {
                continue;
            }
            let slot = self.inflight.get_mut(offset as usize);
            if let Some(parcel) = slot.and_then(Option::take) {
                self.outstanding -= 1;
                if parcel.number > 0 {
                    gone.push(parcel.number);
                }
            }
            while let Some(None) = self.inflight.front() {
                self.inflight.pop_front();
                self.base += 1;
            }
            self.cursor = self.cursor.max(self.base);
        }
        self.delivered(gone);
        if let Some(link) = &mut self.link {
            link.last_ack = Instant::now();
            link.stuck = false;
        }
        self.pump();
    }

    /// Bytes that are not messages: acknowledgements, answers.
    pub(super) fn reply(&mut self, connection: u64, bytes: &[u8]) {
        if let Some(link) = self.link.as_mut().filter(|link| link.control.id == connection) {
            link.buffer.extend_from_slice(bytes);
        }
    }

    /// Hands the writer all that is ready, in exchange for its empty buffer.
    pub(super) fn take(&mut self, connection: u64, empty: &mut BytesMut) -> Taken {
        if !self.is_mine(connection) {
            return Taken { gone: true, ..Taken::default() };
        }
        let Some(link) = &mut self.link else { return Taken { gone: true, ..Taken::default() } };
        std::mem::swap(&mut link.buffer, empty);
        let (dropped, sent) = (std::mem::take(&mut link.dropped), std::mem::take(&mut link.sent));
        let lost = std::mem::take(&mut self.lost);
        if !self.waiting.is_empty() || self.cursor < self.base + self.inflight.len() as u64 {
            self.pump();
        }
        Taken { gone: false, dropped, lost, sent }
    }

    /// The topics of all that is not yet sent over this link, to be asked about again.
    pub(super) fn unsent(&self) -> Vec<Arc<Message>> {
        let from = (self.cursor - self.base) as usize;
        let resend = self.inflight.iter().skip(from).flatten();
        let mut messages: Vec<_> =
            resend.chain(self.waiting.iter()).map(|parcel| Arc::clone(&parcel.message)).collect();
        messages.sort_by(|a, b| a.topic.cmp(&b.topic));
        messages.dedup_by(|a, b| a.topic == b.topic);
        messages
    }

    /// Forgets what is not yet sent and no longer permitted.
    pub(super) fn withhold(&mut self, permitted: impl Fn(&Message) -> bool) {
        let from = (self.cursor - self.base) as usize;
        let mut gone = Vec::new();
        for slot in self.inflight.iter_mut().skip(from) {
            gone.extend(slot.take_if(|parcel| !permitted(&parcel.message)).map(|parcel| parcel.number));
        }
        self.waiting.retain(|parcel| {
            let keep = permitted(&parcel.message);
            if !keep {
                gone.push(parcel.number);
            }
            keep
        });
        self.delivered(gone);
    }

    /// Keeps what waits from going over this link.
    pub(super) fn hold(&mut self, connection: u64) {
        if let Some(link) = self.link.as_mut().filter(|link| link.control.id == connection) {
            link.held = true;
        }
    }

    /// Lets what waits go, after [`Outbox::attach`] or [`Outbox::hold`].
    pub(super) fn release(&mut self, connection: u64) {
        if let Some(link) = self.link.as_mut().filter(|link| link.control.id == connection) {
            link.held = false;
            self.pump();
        }
    }

    fn queue_is_half_full(&self) -> bool {
        self.waiting.bounded() * 2 >= self.max_messages || self.waiting.bytes() * 2 >= self.max_bytes
    }

    /// Whether a publisher should wait before it sends more here, and how long at most.
    pub(super) fn congestion(&mut self, now: Instant) -> Option<Congestion> {
        let link = self.link.as_ref()?;
        let queue = self.queue_is_half_full();
        let buffer = link.buffer.len() >= self.high_water;
        let patience = if queue && !link.stuck {
            self.ack_patience
        } else if buffer && !queue && link.slow_until.is_none_or(|until| now >= until) {
            self.reader_patience
        } else {
            return None;
        };
        self.awaited = true;
        Some(Congestion { patience })
    }

    /// The wait was in vain: publishers go on without it.
    pub(super) fn give_up(&mut self, now: Instant) {
        let queue = self.queue_is_half_full();
        let Some(link) = &mut self.link else { return };
        if !queue {
            link.slow_until = Some(now + self.slow_period);
        } else if now.saturating_duration_since(link.last_ack) >= self.ack_patience {
            link.stuck = true;
        }
    }

    /// Whether those who wait for room should look again.
    pub(super) fn has_room_for_waiters(&mut self) -> bool {
        let room = self.awaited && self.congestion(Instant::now()).is_none();
        if room {
            self.awaited = false;
        }
        room
    }

    /// Whether the socket has fallen behind, so that its own reader should pause.
    pub(super) fn is_behind(&mut self, connection: u64) -> bool {
        let high_water = self.high_water;
        let link = self.link.as_ref().filter(|link| link.control.id == connection);
        let behind = link.is_some_and(|link| link.buffer.len() >= 2 * high_water);
        self.awaited |= behind;
        behind
    }

    /// How much waits for the client.
    pub(super) fn depth(&self) -> Depth {
        Depth {
            queued: (self.waiting.bounded() + self.waiting.replays()) as u64,
            queued_bytes: self.waiting.bytes() as u64,
            inflight: self.inflight.iter().flatten().count() as u64,
        }
    }

    /// Whether the writer has something to do.
    pub(super) fn has_output(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.buffer.is_empty())
    }
}

fn packet_id(sequence: u64) -> u16 {
    (sequence % PACKET_IDS) as u16 + 1
}

fn form<'a>(link: &Link, qos: u8, retain: bool, dup: bool, packet_id: u16, ids: &'a Arc<[u32]>) -> Form<'a> {
    Form { v5: link.v5, qos, retain, dup, packet_id, subscription_ids: ids, max_packet: link.max_packet }
}

#[cfg(test)]
mod tests;
