//! What a connection's packets do. Handles every complete packet of a buffer without waiting for anything; the
//! acknowledgements of the batch leave together, once what they promise is on disk.
//!
//! Start at [`Inbound::consume`], then [`Inbound::settle`]; most messages take the short way through [`burst`].

mod burst;
mod exactly_once;
mod subscribe;

use std::{
    num::NonZeroU16,
    sync::{Arc, OnceLock},
    time::Instant,
};

use ahash::AHashMap;
use bytes::{Buf, Bytes, BytesMut};
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{DisconnectReasonCode, PublishAckReason, PublishProperties},
};

use super::{
    Event, Limit, SubscriptionOptions, Verdict,
    codec::{Codec, Incoming, PINGRESP, Receipt, Violation, topic_name},
    control::{Control, End},
    core::{Core, Published},
    figures::Seen,
    journal::NOT_KEPT,
    lean::{Lean, frame},
    message::{Message, forwarded},
    outbox::Answer,
    router::Route,
    session::Session,
    stats::Counters,
    ticket::Tickets,
};
use crate::topic::{TopicFilter, TopicName};
use exactly_once::publish_once;

pub(super) use self::burst::Burst;
use self::burst::Piece;

/// What the reader should do next.
pub(super) enum Step {
    /// Read more.
    Starved,
    /// Wait for room at one of these, then consume what is left.
    Congested(Arc<Route>),
    /// Consume what is left, once this much is settled.
    Settle,
    /// Wait until the journal has room, then consume what is left.
    Full,
    /// The connection is over.
    Ended(End),
}

/// A route, and where its messages are counted in the present batch, without and with the retain flag.
struct CachedRoute {
    route: Arc<Route>,
    tally: [(u64, usize); 2],
}

/// Messages of one topic in the present batch.
struct Tally {
    topic: TopicName,
    retained: bool,
    messages: u64,
    bytes: u64,
}

/// A receipt among the replies that must not leave before its message is on disk.
struct Promise {
    /// Where it stands.
    at: usize,
    packet_id: NonZeroU16,
    /// How many bytes it has.
    length: usize,
    receipt: Receipt,
    /// Where its message is counted, and its bytes; none for a repetition.
    counted: Option<(usize, u64)>,
}

/// See the module.
pub(super) struct Inbound {
    core: Arc<Core>,
    session: Arc<Session>,
    control: Arc<Control>,
    codec: Codec,
    routes: AHashMap<TopicName, CachedRoute>,
    /// The router's generation that the routes are valid for.
    generation: u64,
    /// Index 0 is alias 1.
    aliases: Vec<Option<TopicName>>,
    /// Properties of a PUBLISH, as they stand on the wire, that are forwarded as they are; the last that were seen.
    plain_properties: Bytes,
    /// The packets of the present burst; kept for its memory.
    pieces: Vec<Piece>,
    replies: BytesMut,
    acknowledged: Vec<u16>,
    answers: Vec<Answer>,
    tallies: Vec<Tally>,
    /// What must be on disk before the replies leave.
    tickets: Tickets,
    promises: Vec<Promise>,
    /// Packet ids whose PUBCOMP is among the replies and waits for the disk.
    completed: Vec<u16>,
    /// The replies answer a SUBSCRIBE or UNSUBSCRIBE that must be on disk.
    subscribed: bool,
    /// Subscriptions that are yet to be sent the retained messages.
    replays: Vec<(TopicFilter, SubscriptionOptions)>,
    batch: u64,
    /// In force when the connection ends; DISCONNECT can change it.
    pub(super) session_expiry_secs: u32,
    /// Packets handled so far.
    pub(super) packets: u64,
    /// Of these, messages.
    pub(super) publishes: u64,
    seen: Seen,
}

impl Inbound {
    pub(super) fn new(
        core: Arc<Core>,
        session: Arc<Session>,
        control: Arc<Control>,
        codec: Codec,
        session_expiry_secs: u32,
    ) -> Self {
        Self {
            generation: core.router.generation(),
            core,
            session,
            control,
            codec,
            routes: AHashMap::new(),
            aliases: Vec::new(),
            plain_properties: Bytes::new(),
            pieces: Vec::new(),
            replies: BytesMut::new(),
            acknowledged: Vec::new(),
            answers: Vec::new(),
            tallies: Vec::new(),
            tickets: Tickets::default(),
            promises: Vec::new(),
            completed: Vec::new(),
            subscribed: false,
            replays: Vec::new(),
            batch: 1,
            session_expiry_secs,
            packets: 0,
            publishes: 0,
            seen: Seen::default(),
        }
    }

    /// The MQTT 5 goodbye, if the end has a reason to give.
    pub(super) fn farewell(&mut self, end: &End, out: &mut BytesMut) {
        if let Some(code) = end.code {
            self.codec.disconnect(code, &end.text, out);
        }
    }

    /// Handles the complete packets in `buffer`, until one of them calls for a pause.
    pub(super) fn consume(&mut self, buffer: &mut BytesMut) -> Step {
        loop {
            if self.control.has_ended() {
                break Step::Starved;
            }
            match self.next(buffer) {
                Ok(None) => {}
                Ok(Some(step)) => break step,
                Err(violation) => break self.violation(violation),
            }
        }
    }

    /// Handles the packet that `buffer` begins with, and those behind it that resemble it.
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Step>, Violation> {
        let v5 = self.control.protocol.is_v5();
        let Some(found) = frame(buffer, self.core.limits.max_packet_bytes, v5)? else {
            return Ok(Some(Step::Starved));
        };
        self.packets += 1;
        let mut properties = None;
        match Lean::of(buffer, found, v5) {
            Some(Lean::PubAck(packet_id)) => {
                self.acknowledged.push(packet_id.get());
                buffer.advance(found.length);
                return Ok(None);
            }
            Some(Lean::Publish(head)) if self.is_plain(&head) => {
                let (bytes, step) = self.burst(buffer, found, &head)?;
                buffer.advance(bytes);
                return Ok(step);
            }
            Some(Lean::Publish(head)) => properties = Some(Bytes::copy_from_slice(head.properties)),
            None => {}
        }
        let Some(packet) = self.codec.decode(buffer, &self.core.limits)? else {
            return Ok(Some(Step::Starved));
        };
        if let (Some(properties), Incoming::Publish { publish, .. }) = (properties, &packet)
            && publish.properties.as_ref().is_some_and(are_forwarded_as_they_are)
        {
            self.plain_properties = properties;
        }
        self.handle(packet)
    }

    fn violation(&self, violation: Violation) -> Step {
        if let Some(limit) = violation.limit {
            self.core.counters.hit(limit, 1);
        }
        self.core.observer.observe(Event::ProtocolError {
            peer: self.control.peer,
            client_id: Some(&self.control.identity.client_id),
            error: &violation.text,
        });
        Step::Ended(End::by_server(violation.code, violation.text))
    }

    /// Everything that the batch left to be done at once. Waits where it must be on disk first; where that fails and
    /// the client cannot be told, the connection ends.
    pub(super) async fn settle(&mut self) -> Option<End> {
        if !self.acknowledged.is_empty() {
            self.session.acknowledge(self.control.id, &self.acknowledged);
            self.acknowledged.clear();
        }
        self.settle_answers();
        // The retained messages are part of what a SUBACK promises, and come after it.
        let replays = std::mem::take(&mut self.replays);
        let hold = !self.tickets.is_empty() && !replays.is_empty();
        if hold {
            self.session.hold(self.control.id);
            self.replay(&replays);
        }
        // Boxed: most connections never wait here, and each would own the room for it.
        let end = if self.tickets.is_empty() { None } else { Box::pin(self.keep_promises()).await };
        if !self.replies.is_empty() {
            self.session.reply(&self.control, &self.replies);
            self.replies.clear();
        }
        if !hold {
            self.replay(&replays);
        } else if end.is_none() {
            self.session.release(self.control.id);
        }
        let mut messages = 0;
        for tally in self.tallies.drain(..).filter(|tally| tally.messages > 0) {
            messages += tally.messages;
            self.core.observer.observe(Event::Published {
                identity: &self.control.identity,
                topic: &tally.topic,
                messages: tally.messages,
                bytes: tally.bytes,
                retained: tally.retained,
            });
        }
        Counters::add(&self.core.counters.messages_in, messages);
        let received = self.seen.settle(self.packets, &self.core.tallies);
        Counters::add(&self.session.traces.received, received);
        self.batch += 1;
        end
    }

    /// Waits until what the replies promise is on disk. What is not is refused instead.
    async fn keep_promises(&mut self) -> Option<End> {
        let kept = match &self.core.journal {
            Some(journal) => tokio::select! {
                biased;
                kept = journal.settled(&self.tickets) => kept,
                () = self.control.ending() => {
                    // Nobody is left to be told.
                    self.take_back_replies();
                    true
                }
            },
            None => true,
        };
        self.tickets.clear();
        let promises = std::mem::take(&mut self.promises);
        let completed = std::mem::take(&mut self.completed);
        let subscribed = std::mem::take(&mut self.subscribed);
        if kept {
            let mut exchanges = self.session.exchanges.lock();
            completed.into_iter().for_each(|packet_id| exchanges.completed(packet_id));
            return None;
        }
        Counters::add(&self.core.counters.not_kept, promises.len() as u64);
        let replies = self.replies.split();
        let mut from = 0;
        for promise in promises {
            if promise.receipt == Receipt::PubRec {
                // Forgets it, where it is its batch that was not kept.
                self.session.exchanges.lock().look(promise.packet_id.get());
            }
            if let Some((tally, bytes)) = promise.counted
                && let Some(tally) = self.tallies.get_mut(tally)
            {
                tally.messages -= 1;
                tally.bytes -= bytes;
                let (identity, topic) = (&self.control.identity, &tally.topic);
                self.core.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
            }
            self.replies.extend_from_slice(&replies[from..promise.at]);
            from = promise.at + promise.length;
            let code = PublishAckReason::QuotaExceeded;
            self.codec.receipt_with(promise.receipt, promise.packet_id, code, NOT_KEPT, &mut self.replies);
        }
        self.replies.extend_from_slice(&replies[from..]);
        // Neither SUBACK nor PUBCOMP can say so.
        if subscribed || !completed.is_empty() || !self.control.protocol.is_v5() {
            self.take_back_replies();
            return Some(not_kept());
        }
        None
    }

    /// Nothing of this batch is answered.
    fn take_back_replies(&mut self) {
        self.replies.clear();
        self.seen.lately.others = 0;
    }

    fn handle(&mut self, packet: Incoming) -> Result<Option<Step>, Violation> {
        match packet {
            Incoming::Publish { publish, expiry } => {
                self.publishes += 1;
                return self.publish(*publish, expiry);
            }
            Incoming::PubAck(packet_id) => self.acknowledged.push(packet_id.get()),
            Incoming::PubRec { packet_id, refused: false } => {
                self.answers.push(Answer::Received(packet_id.get()));
            }
            Incoming::PubRec { packet_id, refused: true } => {
                self.answers.push(Answer::Refused(packet_id.get()));
            }
            Incoming::PubComp(packet_id) => self.answers.push(Answer::Completed(packet_id.get())),
            Incoming::PubRel(packet_id) => self.release(packet_id),
            Incoming::Ping => {
                self.seen.answered(1);
                self.replies.extend_from_slice(&PINGRESP);
            }
            Incoming::Subscribe { packet_id, id, filters } => {
                self.codec.check_answer(filters.len())?;
                self.subscribe(packet_id, id, &filters)?;
                // The retained messages come after the answer and before those to the packets that follow.
                return Ok((!self.replays.is_empty()).then_some(Step::Settle));
            }
            Incoming::Unsubscribe { packet_id, filters } => {
                self.codec.check_answer(filters.len())?;
                self.unsubscribe(packet_id, &filters);
            }
            Incoming::Disconnect { keep_will, session_expiry } => {
                if let Some(seconds) = session_expiry {
                    if self.session_expiry_secs == 0 && seconds > 0 {
                        return Err(Violation::protocol(
                            "a session that was to end cannot be kept at DISCONNECT",
                        ));
                    }
                    self.session_expiry_secs = seconds.min(self.core.limits.max_session_expiry_secs);
                }
                let text = "the client said goodbye".into();
                return Ok(Some(Step::Ended(End { code: None, text, will: keep_will })));
            }
        }
        Ok(None)
    }

    fn publish(&mut self, publish: Publish, expiry: Option<u32>) -> Result<Option<Step>, Violation> {
        if publish.dup && publish.qos == QoS::AtMostOnce {
            return Err(Violation::malformed("DUP is set on a QoS 0 message"));
        }
        self.seen.lately.add(publish.qos.value(), publish.payload.len());
        let properties = publish.properties.as_ref();
        let alias = properties.and_then(|properties| properties.topic_alias);
        let aliased = match alias {
            Some(alias) => self.resolve_alias(alias, &publish.topic)?,
            None if publish.topic.is_empty() => {
                return Err(Violation::protocol("a PUBLISH without topic and topic alias"));
            }
            None => None,
        };
        let (once, receipt) = match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(packet_id)) => (Some(packet_id), Receipt::PubRec),
            _ => (None, Receipt::PubAck),
        };
        if let Some(packet_id) = once
            && self.is_repeated(packet_id)?
        {
            return Ok(None);
        }
        let name = aliased.as_ref().map_or(&publish.topic[..], TopicName::as_str);

        let (topic, route) = self.known(name)?;
        if let Verdict::Deny(reason) = &route.verdict {
            self.deny(&topic, receipt, publish.packet_id, PublishAckReason::NotAuthorized, reason);
            return Ok(None);
        }

        let qos = publish.qos.value();
        // What may be kept must not pin the buffer that it was read into.
        let payload = if qos > 0 || publish.retain {
            Bytes::copy_from_slice(&publish.payload)
        } else {
            publish.payload
        };
        let bytes = payload.len() as u64;
        let message = Arc::new(Message {
            topic,
            payload,
            qos,
            retain: publish.retain,
            properties: properties.map(forwarded).unwrap_or_default(),
            received: Instant::now(),
            expiry,
            kept: OnceLock::new(),
        });
        let published = match once {
            Some(packet_id) => publish_once(&self.core, &self.session, packet_id, &message, &route),
            None => self.core.publish(&message, &route),
        };
        match published {
            Published::NotRetained(full) => {
                self.core.counters.hit(Limit::MaxRetained, 1);
                let (reason, code) = (full.to_string(), PublishAckReason::QuotaExceeded);
                self.deny(&message.topic, receipt, publish.packet_id, code, &reason);
                Ok(None)
            }
            Published::NotKept => {
                Counters::add(&self.core.counters.not_kept, 1);
                Ok(self.tell_not_kept(&message.topic, receipt, publish.packet_id))
            }
            Published::Accepted { congested, kept } => {
                let tally = self.tally(&message.topic, publish.retain, 1, bytes);
                let must_be_kept = !kept.is_empty();
                if let Some(packet_id) = publish.packet_id {
                    let nobody = route.is_empty() && !publish.retain;
                    self.tickets.extend(kept);
                    self.acknowledge(receipt, packet_id, nobody, must_be_kept.then_some((tally, bytes)));
                }
                Ok(self.pause(route, congested, must_be_kept))
            }
        }
    }

    /// Says to its publisher that a message was taken; once it is on disk, if that is `promised`, with where the message
    /// is counted and its bytes.
    fn acknowledge(
        &mut self,
        receipt: Receipt,
        packet_id: NonZeroU16,
        nobody: bool,
        promised: Option<(usize, u64)>,
    ) {
        self.seen.answered(1);
        let at = self.replies.len();
        if nobody && self.control.protocol.is_v5() {
            receipt.put_no_subscribers(packet_id, &mut self.replies);
        } else {
            receipt.put(packet_id, &mut self.replies);
        }
        if promised.is_some() {
            let length = self.replies.len() - at;
            self.promises.push(Promise { at, packet_id, length, receipt, counted: promised });
        }
    }

    /// A message would have to be kept, and nothing can be: says so, or ends the connection of a client that cannot be
    /// told.
    fn tell_not_kept(
        &mut self,
        topic: &TopicName,
        receipt: Receipt,
        packet_id: Option<NonZeroU16>,
    ) -> Option<Step> {
        if packet_id.is_some() && !self.control.protocol.is_v5() {
            let identity = &self.control.identity;
            self.core.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
            return Some(Step::Ended(not_kept()));
        }
        self.deny(topic, receipt, packet_id, PublishAckReason::QuotaExceeded, NOT_KEPT);
        None
    }

    /// What the publisher waits for before its next message, if it should.
    fn pause(&self, route: Arc<Route>, congested: bool, must_be_kept: bool) -> Option<Step> {
        if congested {
            return Some(Step::Congested(route));
        }
        let full = must_be_kept && self.core.journal.as_ref().is_some_and(|journal| journal.is_full());
        full.then_some(Step::Full)
    }

    /// The topic of this name, what the publisher may do with it and who is to be sent it, from the cache while no
    /// subscription and no permission has changed.
    fn known(&mut self, name: &str) -> Result<(TopicName, Arc<Route>), Violation> {
        let generation = self.core.router.generation();
        if generation != self.generation || self.routes.len() >= self.core.limits.route_cache_topics {
            self.routes.clear();
            self.generation = generation;
        }
        if let Some((topic, cached)) = self.routes.get_key_value(name) {
            return Ok((topic.clone(), Arc::clone(&cached.route)));
        }
        let topic = topic_name(name, &self.core.limits)?;
        let route = Arc::new(self.core.route(&self.control.identity, self.session.id, &topic));
        self.routes.insert(topic.clone(), CachedRoute { route: Arc::clone(&route), tally: [(0, 0); 2] });
        Ok((topic, route))
    }

    /// Tells the observer of a message that is not taken, and its publisher if it can be told.
    fn deny(
        &mut self,
        topic: &TopicName,
        receipt: Receipt,
        packet_id: Option<NonZeroU16>,
        code: PublishAckReason,
        reason: &str,
    ) {
        let identity = &self.control.identity;
        self.core.observer.observe(Event::PublishDenied { identity, topic, reason });
        if let Some(packet_id) = packet_id {
            self.seen.answered(1);
            self.codec.receipt_with(receipt, packet_id, code, reason, &mut self.replies);
        }
    }

    /// Counts accepted messages in this batch; returns where.
    fn tally(&mut self, topic: &TopicName, retained: bool, messages: u64, bytes: u64) -> usize {
        let new = self.tallies.len();
        let mut at = new;
        if let Some(cached) = self.routes.get_mut(topic) {
            let slot = &mut cached.tally[usize::from(retained)];
            if slot.0 != self.batch {
                *slot = (self.batch, new);
            }
            at = slot.1;
        }
        if at == new {
            self.tallies.push(Tally { topic: topic.clone(), retained, messages: 0, bytes: 0 });
        }
        let tally = &mut self.tallies[at];
        tally.messages += messages;
        tally.bytes += bytes;
        at
    }

    /// Sets an alias, or finds the topic that it stands for; none where the packet has the topic itself.
    fn resolve_alias(&mut self, alias: NonZeroU16, topic: &str) -> Result<Option<TopicName>, Violation> {
        let invalid = |text: &'static str| Violation::new(DisconnectReasonCode::TopicAliasInvalid, text);
        if alias.get() > self.core.limits.max_topic_aliases {
            return Err(invalid("a topic alias over Topic Alias Maximum"));
        }
        let index = usize::from(alias.get()) - 1;
        if topic.is_empty() {
            let known = self.aliases.get(index).cloned().flatten();
            return known.map(Some).ok_or_else(|| invalid("a topic alias that was not set"));
        }
        let name = topic_name(topic, &self.core.limits)?;
        if self.aliases.len() <= index {
            self.aliases.resize(index + 1, None);
        }
        self.aliases[index] = Some(name);
        Ok(None)
    }
}

/// Whether the properties of a PUBLISH go on as they stand on the wire: nothing among them is for the broker.
fn are_forwarded_as_they_are(properties: &PublishProperties) -> bool {
    properties.topic_alias.is_none()
        && properties.message_expiry_interval.is_none()
        && properties.subscription_ids.is_empty()
}

/// The end of a connection whose client could not be told otherwise that something was not kept.
fn not_kept() -> End {
    End::by_server(DisconnectReasonCode::QuotaExceeded, NOT_KEPT)
}
