//! What one client is yet to be sent: the bytes for its socket, the messages that it has not settled, and those that
//! wait for room or for the disk. Pure state, no I/O, kept under one short lock by [`super::session::Session`].
//!
//! It outlives connections: a [`Link`] is the connection that the client has now, if any. Start at
//! [`Outbox::push`]; `pump` sends what waits, `answers` is what the client says to it.

mod answers;
mod burst;
mod link;
mod parting;
mod pump;

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{
    Limits,
    control::Control,
    figures::{Count, Depth},
    inflight::{Inflight, Slot, State, packet_id},
    message::Message,
    page::Page,
    parcels::{Parcel, Parcels, Total},
    shared::SharedFilter,
    ticket::{Ticket, Tickets, Watcher},
};
pub(super) use answers::Answer;
pub(super) use burst::Given;
pub(super) use link::Link;
use link::{form, put};
pub(super) use parting::{Remains, Room};

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

/// How well a session could do with another message; the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Readiness {
    /// It would be sent at once.
    Ready,
    /// It would have to wait for room.
    Busy,
    /// No connection holds the session.
    Away,
    /// The session is over.
    Gone,
}

/// How a session is sent a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) subscription_ids: &'a Arc<[u32]>,
    /// The group that it is sent for.
    pub(super) share: Option<&'a Arc<SharedFilter>>,
}

impl Delivery<'_> {
    fn parcel(&self, message: &Arc<Message>) -> Parcel {
        Parcel {
            message: Arc::clone(message),
            qos: self.qos,
            retain: self.retain,
            subscription_ids: Arc::clone(self.subscription_ids),
            replay: false,
            share: self.share.cloned(),
            number: 0,
            again: false,
            after: None,
            void: false,
        }
    }
}

/// What giving one message to many sessions shares.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    /// What must be on disk before the message is acknowledged.
    pub(super) kept: Tickets,
    /// What must be on disk before anybody is sent it.
    pub(super) after: Option<Ticket>,
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
    /// QoS 1 and 2 messages lost to a full queue, counted when it happened.
    pub(super) lost: u64,
    pub(super) sent: Count,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    link: Option<Link>,
    inflight: Inflight,
    waiting: Parcels,
    /// Numbers whose PUBREL is to be sent over this link, in the order of their PUBREC (MQTT-4.6.0-4).
    releases: VecDeque<u64>,
    /// The number of the next message: they rise, may have gaps, and do not come again.
    next: u64,
    /// Where its changes are written down; none where the session ends with its connection.
    page: Option<Page>,
    /// Who is called when something that waits for the disk need wait no more.
    owner: Weak<dyn Watcher>,
    /// The batch that it was last asked to be called for.
    watched: Option<Ticket>,
    /// The session is over: nothing is taken any more.
    ended: bool,
    /// QoS 1 and 2 messages lost since a writer last looked.
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
    pub(super) fn new(limits: &Limits, owner: Weak<dyn Watcher>) -> Self {
        Self {
            link: None,
            inflight: Inflight::default(),
            waiting: Parcels::default(),
            releases: VecDeque::new(),
            next: 1,
            page: None,
            owner,
            watched: None,
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

    /// Takes up what was kept: messages and the numbers of those whose PUBREC came, each by rising number. The next
    /// number is `jump` over them all, so that a late acknowledgement of something that was sent and not kept is
    /// unlikely to be taken for one of what comes now.
    pub(super) fn restore(&mut self, page: Page, parcels: Vec<Parcel>, released: Vec<u64>, jump: u64) {
        let last =
            parcels.last().map(|parcel| parcel.number).into_iter().chain(released.last().copied()).max();
        self.next = last.unwrap_or(0) + jump;
        self.page = Some(page);
        let last_released = released.last().copied().unwrap_or(0);
        // What stands before something that was released has been sent.
        let (sent, waiting): (Vec<_>, Vec<_>) =
            parcels.into_iter().partition(|parcel| parcel.number < last_released);
        let sent = sent.into_iter().map(|parcel| Slot { number: parcel.number, state: State::Sent(parcel) });
        let released = released.into_iter().map(|number| Slot { number, state: State::Released(None) });
        let mut slots: Vec<_> = sent.chain(released).collect();
        slots.sort_by_key(|slot| slot.number);
        self.inflight = Inflight::restored(slots);
        waiting.into_iter().for_each(|parcel| self.waiting.push(parcel));
    }

    /// Where its changes are written down, if they are.
    pub(super) fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// The session, which is new, outlives its connections.
    pub(super) fn begin_page(&mut self, page: Page) {
        self.page = Some(page);
    }

    /// The session ends with its connection from now on, or now.
    pub(super) fn end_page(&mut self, tickets: &mut Tickets) {
        if let Some(page) = self.page.take() {
            tickets.note(page.ended(false));
        }
    }

    /// Its queue counts against what all queues may weigh.
    pub(super) fn share(&mut self, total: &Arc<Total>) {
        self.waiting.share(total);
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
        self.inflight.restart();
        self.releases.clear();
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

    /// Sends a message, or keeps it for later.
    pub(super) fn push(
        &mut self,
        message: &Arc<Message>,
        delivery: Delivery<'_>,
        fanout: &mut Fanout,
    ) -> Outcome {
        let Delivery { qos, retain, subscription_ids, .. } = delivery;
        if self.ended {
            return Outcome::Absent;
        }
        // It was over before anybody could be sent it (MQTT-3.3.2-5).
        if message.expiry == Some(0) {
            return Outcome::Taken;
        }
        let Some(link) = &mut self.link else {
            return if qos == 0 { Outcome::Absent } else { self.queue(message, delivery, fanout) };
        };
        let waits_for_disk = fanout.after.is_some() || qos == 2 && self.page.is_some();
        if qos > 0 {
            let idle = self.waiting.is_empty() && !link.held && self.inflight.is_all_sent();
            let number = self.next;
            let room = self.inflight.outstanding() < link.window && self.inflight.has_place_for(number);
            if waits_for_disk || !(idle && room && link.buffer.len() < self.high_water) {
                return self.queue(message, delivery, fanout);
            }
            let form = form(link, qos, retain, false, packet_id(number), subscription_ids);
            if put(link, message, form) {
                link.sent.add(qos, message.payload.len());
                self.next += 1;
                let parcel = Parcel { number, ..delivery.parcel(message) };
                if let Some(page) = &self.page {
                    fanout.kept.note(page.queued(&parcel));
                }
                self.inflight.push(Slot { number, state: State::Sent(parcel) });
            }
            return Outcome::Taken;
        }
        if waits_for_disk || self.waiting.hold_back_qos0() || link.held {
            let message = Arc::new(message.detached());
            return self.queue(&message, delivery, fanout);
        }
        let full = link.buffer.len() >= self.high_water;
        let slow = full && link.slow_until.is_some_and(|until| Instant::now() < until);
        if slow || link.buffer.len() >= 2 * self.high_water {
            link.dropped += 1;
            return Outcome::Dropped;
        }
        let form = form(link, 0, retain, false, 0, subscription_ids);
        if put(link, message, form) {
            link.sent.add(0, message.payload.len());
        }
        if link.buffer.len() >= self.high_water { Outcome::Congested } else { Outcome::Taken }
    }

    fn queue(&mut self, message: &Arc<Message>, delivery: Delivery<'_>, fanout: &mut Fanout) -> Outcome {
        let weight = message.weight();
        let bytes = self.waiting.bytes() + weight;
        if self.waiting.bounded() >= self.max_messages
            || bytes > self.max_bytes
            || !self.waiting.total_has_room(weight, self.link.is_some())
        {
            if delivery.qos > 0 {
                self.lost += 1;
                return if self.link.is_some() { Outcome::Overflow } else { Outcome::Lost };
            }
            if let Some(link) = &mut self.link {
                link.dropped += 1;
            }
            return Outcome::Dropped;
        }
        self.enqueue(Parcel { after: fanout.after.clone(), ..delivery.parcel(message) }, &mut fanout.kept);
        match &self.link {
            Some(link) if self.queue_is_half_full() && !link.stuck => Outcome::Congested,
            _ => Outcome::Taken,
        }
    }

    /// Gives a message its number, has it kept if that is due, and puts it behind all others. With QoS 2 it is sent to
    /// a session that is kept once it is on disk: else its packet id could stand for another after a crash, which the
    /// client would take for a repetition.
    fn enqueue(&mut self, mut parcel: Parcel, tickets: &mut Tickets) {
        if parcel.qos > 0 {
            parcel.number = self.next;
            self.next += 1;
            if let Some(page) = &self.page {
                let ticket = page.queued(&parcel);
                if parcel.qos == 2 {
                    parcel.after.get_or_insert_with(|| ticket.clone());
                }
                tickets.note(ticket);
            }
        }
        let after = parcel.after.clone();
        self.waiting.push(parcel);
        if after.is_some_and(|ticket| !self.watch(&ticket)) {
            self.pump();
        }
    }

    /// Has the owner called when a batch is settled; false if it is settled already.
    fn watch(&mut self, ticket: &Ticket) -> bool {
        if !self.watched.as_ref().is_some_and(|watched| watched.is_same(ticket)) {
            if !ticket.watch(self.owner.clone()) {
                return false;
            }
            self.watched = Some(ticket.clone());
        }
        ticket.outcome().is_none()
    }

    /// A batch is settled that something here waits for.
    pub(super) fn settled(&mut self, kept: bool) {
        self.watched = None;
        if !kept {
            // What was not kept may have been written down by a page that began meanwhile.
            let lost = |parcel: &Parcel| parcel.after.as_ref().and_then(Ticket::outcome) == Some(false);
            let gone =
                self.waiting.iter().filter(|parcel| lost(parcel)).map(|parcel| parcel.number).collect();
            self.waiting.retain(|parcel| !lost(parcel));
            self.delivered(gone);
        }
        self.pump();
    }

    /// Queues retained messages for a new subscription, behind what waits already.
    pub(super) fn replay(&mut self, parcels: Vec<Parcel>, tickets: &mut Tickets) {
        if self.ended || self.link.is_none() {
            return;
        }
        for parcel in parcels {
            if self.waiting.replays() < self.max_replays {
                self.enqueue(Parcel { retain: true, replay: true, ..parcel }, tickets);
            } else if let Some(link) = &mut self.link {
                link.dropped += 1;
            }
        }
        self.pump();
    }

    /// The keeper need not keep these any longer.
    fn delivered(&self, mut numbers: Vec<u64>) {
        numbers.retain(|number| *number > 0);
        if let Some(page) = &self.page {
            page.delivered(numbers);
        }
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
        // A writer that gets nothing goes to sleep, and must not leave behind what nobody would wake it for. What it took
        // nothing of has no more room than before, and what came on disk is told to the owner, who wakes it.
        let more = !self.waiting.is_empty() || !self.inflight.is_all_sent() || !self.releases.is_empty();
        if more && !empty.is_empty() {
            self.pump();
        }
        Taken { gone: false, dropped, lost, sent }
    }

    /// The topics of all that is not yet sent over this link, to be asked about again.
    pub(super) fn unsent(&self) -> Vec<Arc<Message>> {
        let waiting = self.waiting.iter().filter(|parcel| !parcel.void);
        let mut messages: Vec<_> =
            self.inflight.unsent().chain(waiting).map(|parcel| Arc::clone(&parcel.message)).collect();
        messages.sort_by(|a, b| a.topic.cmp(&b.topic));
        messages.dedup_by(|a, b| a.topic == b.topic);
        messages
    }

    /// Forgets what is not yet sent and no longer permitted. Of a QoS 2 message that the client may have from before,
    /// PUBREL is left, so that it does not wait for that for ever.
    pub(super) fn withhold(&mut self, permitted: impl Fn(&Message) -> bool) {
        let (mut gone, mut released) = (Vec::new(), Vec::new());
        for slot in self.inflight.unsent_mut() {
            match &slot.state {
                State::Sent(parcel) if permitted(&parcel.message) => {}
                State::Sent(parcel) if parcel.qos == 2 => released.push(slot.number),
                State::Sent(_) => {
                    gone.push(slot.number);
                    slot.state = State::Free;
                }
                _ => {}
            }
        }
        self.mark_released(released);
        for parcel in self.waiting.iter_mut().filter(|parcel| parcel.again && parcel.qos == 2) {
            parcel.void |= !permitted(&parcel.message);
        }
        self.waiting.retain(|parcel| {
            let keep = parcel.void || permitted(&parcel.message);
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

    /// See [`Readiness`].
    pub(super) fn readiness(&self) -> Readiness {
        match &self.link {
            _ if self.ended => Readiness::Gone,
            None => Readiness::Away,
            Some(link) => {
                let room = self.inflight.outstanding() < link.window && link.buffer.len() < self.high_water;
                if room && self.waiting.is_empty() { Readiness::Ready } else { Readiness::Busy }
            }
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
            // One that was slow once may only have been starved for a moment: the time grows while it happens again.
            let again = link.slow_until.is_some_and(|until| now < until + self.slow_period);
            link.slow_for = if again { link.slow_for * 2 } else { self.slow_period / 16 };
            link.slow_for = link.slow_for.min(self.slow_period);
            link.slow_until = Some(now + link.slow_for);
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
            inflight: self.inflight.unsettled() as u64,
        }
    }

    /// Whether the writer has something to do.
    pub(super) fn has_output(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.buffer.is_empty())
    }
}

#[cfg(test)]
mod tests;
