//! What a connection's packets do. Handles every complete packet of a buffer without waiting for anything; the
//! acknowledgements of the batch leave together, once what they promise is on disk.
//!
//! Start at [`Inbound::consume`], then [`Inbound::settle`].

use std::{
    num::NonZeroU16,
    sync::{Arc, OnceLock},
    time::Instant,
};

use ahash::AHashMap;
use bytes::{Bytes, BytesMut};
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{
        self, DisconnectReasonCode, PublishAckReason, RetainHandling, SubscribeAckReason,
        UnsubscribeAckReason,
    },
};

use super::{
    Event, Protocol, SubscriptionOptions, Verdict,
    codec::{Codec, Incoming, PINGRESP, PUBACK_BYTES, Violation, puback, topic_name},
    control::{Control, End},
    core::{Core, Published},
    figures::Seen,
    journal::{Journal, NOT_KEPT},
    keeper::Change,
    message::{Message, forwarded},
    parcels::Parcel,
    router::{Route, Target},
    session::Session,
    stats::Counters,
    ticket::Tickets,
};
use crate::topic::{TopicFilter, TopicName};

/// What the reader should do next.
pub(super) enum Step {
    /// Read more.
    Starved,
    /// Wait for room at one of these, then consume what is left.
    Congested(Arc<[Target]>),
    /// Consume what is left, once this much is settled.
    Settle,
    /// Wait until the journal has room, then consume what is left.
    Full,
    /// The connection is over.
    Ended(End),
}

/// A route, and where its messages are counted in the present batch, without and with the retain flag.
struct CachedRoute {
    route: Route,
    tally: [(u64, usize); 2],
}

/// Messages of one topic in the present batch.
struct Tally {
    topic: TopicName,
    retained: bool,
    messages: u64,
    bytes: u64,
}

/// A PUBACK among the replies that must not leave before its message is on disk.
struct Promise {
    /// Where it stands.
    at: usize,
    packet_id: NonZeroU16,
    /// Where its message is counted, and its bytes.
    tally: usize,
    bytes: u64,
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
    replies: BytesMut,
    acknowledged: Vec<u16>,
    tallies: Vec<Tally>,
    /// What must be on disk before the replies leave.
    tickets: Tickets,
    promises: Vec<Promise>,
    /// The replies answer a SUBSCRIBE or UNSUBSCRIBE that must be on disk.
    subscribed: bool,
    /// Subscriptions that are yet to be sent the retained messages.
    replays: Vec<(TopicFilter, SubscriptionOptions)>,
    batch: u64,
    /// In force when the connection ends; DISCONNECT can change it.
    pub(super) session_expiry_secs: u32,
    /// Packets handled so far.
    pub(super) packets: u64,
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
            replies: BytesMut::new(),
            acknowledged: Vec::new(),
            tallies: Vec::new(),
            tickets: Tickets::default(),
            promises: Vec::new(),
            subscribed: false,
            replays: Vec::new(),
            batch: 1,
            session_expiry_secs,
            packets: 0,
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
            let packet = match self.codec.decode(buffer, &self.core.limits) {
                Ok(Some(packet)) => packet,
                Ok(None) => break Step::Starved,
                Err(violation) => break self.violation(violation),
            };
            self.packets += 1;
            match self.handle(packet) {
                Ok(None) => {}
                Ok(Some(step)) => break step,
                Err(violation) => break self.violation(violation),
            }
        }
    }

    fn violation(&self, violation: Violation) -> Step {
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
        // The retained messages are part of what a SUBACK promises, and come after it.
        let replays = std::mem::take(&mut self.replays);
        let hold = !self.tickets.is_empty() && !replays.is_empty();
        if hold {
            self.session.hold(self.control.id);
            self.replay(&replays);
        }
        let end = if self.tickets.is_empty() { None } else { self.keep_promises().await };
        if !self.replies.is_empty() {
            self.seen.answered(&self.replies);
            self.session.reply(self.control.id, &self.replies);
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
                () = self.control.ending.cancelled() => {
                    // Nobody is left to be told.
                    self.replies.clear();
                    true
                }
            },
            None => true,
        };
        self.tickets.clear();
        let promises = std::mem::take(&mut self.promises);
        let subscribed = std::mem::take(&mut self.subscribed);
        if kept {
            return None;
        }
        Counters::add(&self.core.counters.not_kept, promises.len() as u64);
        let replies = self.replies.split();
        let mut from = 0;
        for promise in promises {
            if let Some(tally) = self.tallies.get_mut(promise.tally) {
                tally.messages -= 1;
                tally.bytes -= promise.bytes;
                let (identity, topic) = (&self.control.identity, &tally.topic);
                self.core.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
            }
            self.replies.extend_from_slice(&replies[from..promise.at]);
            from = promise.at + PUBACK_BYTES;
            let code = PublishAckReason::QuotaExceeded;
            self.codec.puback_refused(promise.packet_id, code, NOT_KEPT, &mut self.replies);
        }
        self.replies.extend_from_slice(&replies[from..]);
        if subscribed || !self.control.protocol.is_v5() {
            self.replies.clear();
            return Some(not_kept());
        }
        None
    }

    fn handle(&mut self, packet: Incoming) -> Result<Option<Step>, Violation> {
        match packet {
            Incoming::Publish(publish) => return self.publish(*publish),
            Incoming::PubAck(packet_id) => self.acknowledged.push(packet_id.get()),
            Incoming::PubRel(packet_id) => self.codec.pubcomp_unknown(packet_id, &mut self.replies),
            Incoming::Ping => self.replies.extend_from_slice(&PINGRESP),
            Incoming::Subscribe { packet_id, id, filters } => {
                self.subscribe(packet_id, id, &filters);
                // The retained messages come after the answer and before those to the packets that follow.
                return Ok((!self.replays.is_empty()).then_some(Step::Settle));
            }
            Incoming::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, &filters),
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

    fn publish(&mut self, publish: Publish) -> Result<Option<Step>, Violation> {
        if publish.qos == QoS::ExactlyOnce {
            let text = "QoS 2 is not supported: publish with QoS 1";
            return Err(Violation::new(DisconnectReasonCode::QosNotSupported, text));
        }
        if publish.dup && publish.qos == QoS::AtMostOnce {
            return Err(Violation::malformed("DUP is set on a QoS 0 message"));
        }
        self.seen.flow.add(publish.qos.value(), publish.payload.len());
        let properties = publish.properties.as_ref();
        let alias = properties.and_then(|properties| properties.topic_alias);
        let aliased = match alias {
            Some(alias) => self.resolve_alias(alias, &publish.topic)?,
            None if publish.topic.is_empty() => {
                return Err(Violation::protocol("a PUBLISH without topic and topic alias"));
            }
            None => None,
        };
        let name = aliased.as_ref().map_or(&publish.topic[..], TopicName::as_str);

        let generation = self.core.router.generation();
        if generation != self.generation || self.routes.len() >= self.core.limits.route_cache_topics {
            self.routes.clear();
            self.generation = generation;
        }
        if !self.routes.contains_key(name) {
            let topic = topic_name(name, &self.core.limits)?;
            let route = self.core.route(&self.control.identity, self.session.id, &topic);
            self.routes.insert(topic, CachedRoute { route, tally: [(0, 0); 2] });
        }
        let Some((topic, _)) = self.routes.get_key_value(name) else { return Ok(None) };
        let topic = topic.clone();
        let Some(cached) = self.routes.get_mut(name) else { return Ok(None) };

        if let Verdict::Deny(reason) = &cached.route.verdict {
            let identity = &self.control.identity;
            self.core.observer.observe(Event::PublishDenied { identity, topic: &topic, reason });
            if let Some(packet_id) = publish.packet_id {
                let code = PublishAckReason::NotAuthorized;
                self.codec.puback_refused(packet_id, code, reason, &mut self.replies);
            }
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
            expiry: properties.and_then(|properties| properties.message_expiry_interval).map(Into::into),
            kept: OnceLock::new(),
        });
        match self.core.publish(&message, &cached.route.targets) {
            Published::NotRetained(full) => {
                let (identity, reason) = (&self.control.identity, full.to_string());
                let event = Event::PublishDenied { identity, topic: &message.topic, reason: &reason };
                self.core.observer.observe(event);
                if let Some(packet_id) = publish.packet_id {
                    let code = PublishAckReason::QuotaExceeded;
                    self.codec.puback_refused(packet_id, code, &reason, &mut self.replies);
                }
                Ok(None)
            }
            Published::NotKept => {
                Counters::add(&self.core.counters.not_kept, 1);
                let (identity, topic) = (&self.control.identity, &message.topic);
                self.core.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
                let Some(packet_id) = publish.packet_id else { return Ok(None) };
                if !self.control.protocol.is_v5() {
                    return Ok(Some(Step::Ended(not_kept())));
                }
                let code = PublishAckReason::QuotaExceeded;
                self.codec.puback_refused(packet_id, code, NOT_KEPT, &mut self.replies);
                Ok(None)
            }
            Published::Accepted { congested, kept } => {
                let slot = &mut cached.tally[usize::from(publish.retain)];
                if slot.0 != self.batch {
                    *slot = (self.batch, self.tallies.len());
                    let (topic, retained) = (message.topic.clone(), publish.retain);
                    self.tallies.push(Tally { topic, retained, messages: 0, bytes: 0 });
                }
                if let Some(tally) = self.tallies.get_mut(slot.1) {
                    tally.messages += 1;
                    tally.bytes += bytes;
                }
                let must_be_kept = !kept.is_empty();
                if let Some(packet_id) = publish.packet_id {
                    if must_be_kept {
                        self.tickets.extend(kept);
                        self.promises.push(Promise {
                            at: self.replies.len(),
                            packet_id,
                            tally: slot.1,
                            bytes,
                        });
                    }
                    puback(packet_id, &mut self.replies);
                }
                if congested {
                    return Ok(Some(Step::Congested(Arc::clone(&cached.route.targets))));
                }
                let full = |journal: &Arc<Journal>| journal.is_full();
                let full = must_be_kept && self.core.journal.as_ref().is_some_and(full);
                Ok(full.then_some(Step::Full))
            }
        }
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

    fn subscribe(
        &mut self,
        packet_id: NonZeroU16,
        id: Option<u32>,
        filters: &[(TopicFilter, v5::SubscriptionOptions)],
    ) {
        let mut codes = Vec::with_capacity(filters.len());
        let mut refusal: Option<Arc<str>> = None;
        for (filter, wanted) in filters {
            let granted = SubscriptionOptions {
                qos: wanted.qos.value().min(1),
                no_local: wanted.no_local,
                retain_as_published: wanted.retain_as_published,
                id,
            };
            match self.grant(filter, granted) {
                Ok(new) => {
                    let replay = match wanted.retain_handling {
                        RetainHandling::AtSubscribe => true,
                        RetainHandling::AtSubscribeNew => new,
                        RetainHandling::NoAtSubscribe => false,
                    };
                    if replay {
                        self.replays.push((filter.clone(), granted));
                    }
                    codes.push(match granted.qos {
                        0 => SubscribeAckReason::GrantedQos0,
                        _ => SubscribeAckReason::GrantedQos1,
                    });
                }
                Err((code, reason)) => {
                    let identity = &self.control.identity;
                    self.core.observer.observe(Event::SubscribeDenied { identity, filter, reason: &reason });
                    refusal.get_or_insert(reason);
                    // MQTT 3.1 knows no refusal here: the client is told QoS 0, and gets nothing.
                    codes.push(match self.control.protocol {
                        Protocol::V31 => SubscribeAckReason::GrantedQos0,
                        _ => code,
                    });
                }
            }
        }
        self.codec.suback(packet_id, codes, refusal.as_deref(), &mut self.replies);
    }

    /// Makes a subscription, if it is permitted; true if there was none to this filter.
    fn grant(
        &mut self,
        filter: &TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<bool, (SubscribeAckReason, Arc<str>)> {
        if filter.levels().next() == Some("$share") {
            let reason =
                "shared subscriptions are not supported: subscribe to the topic filter itself".into();
            return Err((SubscribeAckReason::SharedSubscriptionNotSupported, reason));
        }
        let identity = &Arc::clone(&self.control.identity);
        let permissions = self.core.router.permissions();
        if let Verdict::Deny(reason) = self.core.authority.subscribe(identity, filter) {
            return Err((SubscribeAckReason::NotAuthorized, reason));
        }
        {
            let mut subscriptions = self.session.subscriptions.lock();
            let maximum = self.core.limits.max_subscriptions_per_session;
            if !subscriptions.contains_key(filter) && subscriptions.len() >= maximum {
                let reason =
                    format!("a session may have at most {maximum} subscriptions: unsubscribe from some");
                return Err((SubscribeAckReason::QuotaExceeded, reason.into()));
            }
            subscriptions.insert(filter.clone(), options);
        }
        let new = self.core.router.subscribe(&self.session, filter, options, permissions);
        // Where the session ended meanwhile, nobody else would take the subscription back.
        if self.session.has_ended() {
            self.core.router.unsubscribe(&self.session, filter);
        }
        self.write_down(|session| Change::Subscribed { session, filter: filter.clone(), options });
        self.core.observer.observe(Event::Subscribed { identity, filter, qos: options.qos });
        Ok(new)
    }

    /// A change of the subscriptions, to be on disk before it is answered if the session outlives its connection.
    fn write_down(&mut self, change: impl FnOnce(u64) -> Change) {
        if let Some(ticket) = self.session.record(change) {
            self.tickets.note(ticket);
            self.subscribed = true;
        }
    }

    fn replay(&mut self, subscriptions: &[(TopicFilter, SubscriptionOptions)]) {
        for (filter, options) in subscriptions {
            self.replay_one(filter, *options);
        }
    }

    /// Sends the retained messages that a filter matches.
    fn replay_one(&mut self, filter: &TopicFilter, options: SubscriptionOptions) {
        let table = self.core.retained_for(filter);
        let topics = table.lock().matching(filter);
        let identity = &self.control.identity;
        let permitted = topics.into_iter().filter(|topic| {
            let yes = self.core.authority.deliver(identity, topic);
            if !yes {
                self.core.observer.observe(Event::DeliveryDenied { identity, topic });
            }
            yes
        });
        let permitted: Vec<_> = permitted.collect();
        if permitted.is_empty() {
            return;
        }
        let subscription_ids: Arc<[u32]> = options.id.into_iter().collect();
        let now = Instant::now();
        // Looked up again and queued under one lock, so that a newer message cannot come before an older one.
        let retained = table.lock();
        let parcels = permitted.iter().filter_map(|topic| {
            let message = Arc::clone(retained.get(topic, now)?);
            let (qos, subscription_ids) = (message.qos.min(options.qos), Arc::clone(&subscription_ids));
            let (retain, replay, number, again) = (true, true, 0, false);
            Some(Parcel { message, qos, retain, subscription_ids, replay, number, again })
        });
        self.session.replay(parcels.collect(), &mut self.tickets);
    }

    fn unsubscribe(&mut self, packet_id: NonZeroU16, filters: &[TopicFilter]) {
        let mut codes = Vec::with_capacity(filters.len());
        for filter in filters {
            let known = self.session.subscriptions.lock().remove(filter).is_some();
            if known {
                self.core.router.unsubscribe(&self.session, filter);
                self.write_down(|session| Change::Unsubscribed { session, filter: filter.clone() });
                let identity = &self.control.identity;
                self.core.observer.observe(Event::Unsubscribed { identity, filter });
            }
            codes.push(match known {
                true => UnsubscribeAckReason::Success,
                false => UnsubscribeAckReason::NoSubscriptionExisted,
            });
        }
        self.codec.unsuback(packet_id, codes, &mut self.replies);
    }
}

/// The end of a connection whose client could not be told otherwise that something was not kept.
fn not_kept() -> End {
    End::by_server(DisconnectReasonCode::QuotaExceeded, NOT_KEPT)
}
