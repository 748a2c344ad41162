//! One client's session: its subscriptions and its outbox. It outlives connections where the client asked for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use parking_lot::{Mutex, RwLock};
use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::sync::Notify;

use super::{
    Identity, Limits, SubscriptionOptions,
    control::{Control, End},
    exchanges::Exchanges,
    figures::Depth,
    inbound::Burst,
    journal::Journal,
    keeper::{Change, KeptParcel, KeptSession, now_ms},
    live::Traces,
    message::Message,
    outbox::{
        Answer, Congestion, Delivery, Fanout, Given, Link, Outbox, Outcome, Readiness, Remains, Room, Taken,
    },
    page::Page,
    parcels::{Parcel, Total},
    shared::SharedFilter,
    signals::Signal,
    ticket::{Ticket, Tickets, Watcher},
    will::Will,
};
use crate::topic::TopicFilter;

/// Whose session it is: another account can neither take it over nor inherit it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) account: Arc<str>,
    pub(super) client_id: Arc<str>,
}

/// How far numbers jump at most after a restart, where something is in flight: few enough that packet ids stay free.
const MODEST_JUMP: u16 = 1_024;

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    /// Unique in this process.
    pub(super) id: u64,
    pub(super) key: SessionKey,
    identity: RwLock<Arc<Identity>>,
    outbox: Mutex<Outbox>,
    /// What it subscribed to. The router holds the same, by filter.
    pub(super) subscriptions: Mutex<BTreeMap<TopicFilter, SubscriptionOptions>>,
    /// The QoS 2 messages of its client that are not completed. Locked before any outbox.
    pub(super) exchanges: Mutex<Exchanges>,
    /// Held by the connection whose packets are being handled. One that takes the session over waits until its predecessor
    /// has stopped: else both could take a message that is sent again as a new one.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// There may be room again for a publisher that waits.
    pub(super) room: Notify,
    /// Its own reader waits for another session's room, so none may wait for it: two that publish to each other
    /// would wait for ever.
    pub(super) paused: AtomicBool,
    /// It outlives the connection that it has.
    stays: AtomicBool,
    /// When it is over, while no connection holds it.
    away_until: Mutex<Option<Instant>>,
    /// A will that is delayed, and the connection that left it.
    pub(super) pending_will: Mutex<Option<(u64, Box<Will>)>>,
    /// The connection that left the will which the keeper has.
    pub(super) will_on_file: Mutex<Option<u64>>,
    /// For people to see.
    pub(super) traces: Traces,
}

impl Session {
    pub(super) fn new(id: u64, key: SessionKey, identity: Arc<Identity>, limits: &Limits) -> Arc<Self> {
        Arc::new_cyclic(|own: &Weak<Self>| Self {
            id,
            key,
            identity: RwLock::new(identity),
            outbox: Mutex::new(Outbox::new(limits, own.clone())),
            exchanges: Mutex::default(),
            subscriptions: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            room: Notify::new(),
            paused: AtomicBool::new(false),
            stays: AtomicBool::new(true),
            away_until: Mutex::new(None),
            pending_will: Mutex::new(None),
            will_on_file: Mutex::new(None),
            traces: Traces::default(),
        })
    }

    /// One that was kept, `id` being its number: away, until somebody comes back for it or its time is over.
    pub(super) fn restored(kept: KeptSession, journal: &Arc<Journal>, limits: &Limits) -> Arc<Self> {
        let now = now_ms();
        let id = kept.session;
        let key = SessionKey { account: kept.account, client_id: kept.client_id };
        let (account, client_id) = (Arc::clone(&key.account), Arc::clone(&key.client_id));
        let identity = Identity { account, client_id, role: "".into(), credential: 0 };
        let page = Page::new(Arc::clone(journal), id);
        let shares = kept.subscriptions.iter().filter_map(|(filter, _)| SharedFilter::parse(filter).ok()?);
        let shares: Vec<_> = shares.map(Arc::new).collect();
        // It is not known any more for which of several groups a message was sent: each copy stands for another.
        let mut copies: HashMap<u64, usize> = HashMap::new();
        let mut share_of = |parcel: &KeptParcel| {
            let copy =
                if parcel.shared { copies.entry(parcel.message.number).or_default() } else { return None };
            *copy += 1;
            let mut matching =
                shares.iter().filter(|share| share.filter.matches(&parcel.message.topic)).cycle();
            matching.nth(*copy - 1).cloned()
        };
        let (mut expired, mut released) = (Vec::new(), kept.released);
        let bare = kept.queue.is_empty() && released.is_empty();
        let parcels = kept.queue.into_iter().filter_map(|parcel| {
            let Some(message) = Message::restored(&parcel.message, now) else {
                // The client may have received it, and wait for PUBREL.
                if parcel.qos == 2 {
                    released.push(parcel.number);
                } else {
                    expired.push(parcel.number);
                }
                return None;
            };
            let share = share_of(&parcel);
            Some(Parcel {
                message: Arc::new(message),
                qos: parcel.qos,
                retain: parcel.retain,
                subscription_ids: parcel.subscription_ids,
                replay: parcel.replay,
                share,
                number: parcel.number,
                again: true,
                after: None,
                void: false,
            })
        });
        let parcels: Vec<_> = parcels.collect();
        page.delivered(expired);
        released.sort_unstable();
        if !released.is_empty() {
            page.released(released.clone());
        }
        let expiry_secs = kept.expiry_secs.min(limits.max_session_expiry_secs);
        let expiry_ms = u64::from(expiry_secs) * 1000;
        // Where the clock was set back, no session lives longer for it.
        let left_ms = kept.left_ms.map_or(now, |left| left.min(now));
        if kept.left_ms.is_none() {
            page.record(|session| Change::Left { session, expiry_secs, at_ms: now });
        }
        let remaining = Duration::from_millis((left_ms + expiry_ms).saturating_sub(now));
        let mut random = [0; 2];
        // Without randomness it goes on at the next, which is no harm but for a client that breaks the rules.
        let _ = getrandom::fill(&mut random);
        let reach = if bare { u16::MAX } else { MODEST_JUMP };
        let jump = u64::from(u16::from_be_bytes(random) % reach) + 1;
        let session = Self::new(id, key, Arc::new(identity), limits);
        session.outbox.lock().restore(page, parcels, released, jump);
        *session.exchanges.lock() = Exchanges::restored(kept.accepted);
        *session.subscriptions.lock() = kept.subscriptions.into_iter().collect();
        *session.away_until.lock() = Some(Instant::now() + remaining);
        session.traces.left_ms.store(left_ms, SeqCst);
        session
    }

    /// Its queue counts against what all queues may weigh.
    pub(super) fn share(&self, total: &Arc<Total>) {
        self.outbox.lock().share(total);
    }

    /// Who it speaks for, as of its last CONNECT.
    pub(super) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read())
    }

    /// Sets who it speaks for; true if that changed.
    pub(super) fn set_identity(&self, identity: &Arc<Identity>) -> bool {
        let mut own = self.identity.write();
        let changed = **own != **identity;
        *own = Arc::clone(identity);
        changed
    }

    /// Works on the outbox, then wakes the writer if there is something for it and publishers if there is room.
    fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = self.outbox.lock();
        let idle = !outbox.has_output();
        let result = work(&mut outbox);
        let wake = if idle && outbox.has_output() {
            outbox.link().map(|link| Arc::clone(&link.control))
        } else {
            None
        };
        let room = outbox.has_room_for_waiters();
        drop(outbox);
        if let Some(control) = wake {
            control.signals.raise(Signal::Output);
        }
        if room {
            self.room.notify_waiters();
        }
        result
    }

    /// Sends a message, or keeps it for later. Ends the connection where its queue overflows.
    pub(super) fn push(
        &self,
        message: &Arc<Message>,
        delivery: Delivery<'_>,
        fanout: &mut Fanout,
    ) -> Outcome {
        let (outcome, control) = self.with_outbox(|outbox| {
            let outcome = outbox.push(message, delivery, fanout);
            let overflow = outcome == Outcome::Overflow;
            (outcome, outbox.link().filter(|_| overflow).map(|link| Arc::clone(&link.control)))
        });
        if let Some(control) = control {
            end_of_overflow(&control);
        }
        outcome
    }

    /// See [`Outbox::push_within`].
    pub(super) fn push_within(
        &self,
        message: &Arc<Message>,
        delivery: Delivery<'_>,
        fanout: &mut Fanout,
    ) -> Outcome {
        self.with_outbox(|outbox| outbox.push_within(message, delivery, fanout))
    }

    /// See [`Outbox::room`].
    pub(super) fn room_left(&self) -> Room {
        self.outbox.lock().room()
    }

    /// See [`Outbox::room_for_burst`].
    pub(super) fn room_for_burst(&self) -> usize {
        self.outbox.lock().room_for_burst()
    }

    /// Sends a burst of messages, or keeps them for later, as [`Session::push`] does each.
    pub(super) fn push_burst(
        &self,
        burst: &Burst<'_>,
        qos: u8,
        subscription_ids: &Arc<[u32]>,
        fanout: &mut Fanout,
    ) -> Given {
        let (taken, control) = self.with_outbox(|outbox| {
            let taken = outbox.push_burst(burst, qos, subscription_ids, fanout);
            (taken, outbox.link().filter(|_| taken.overflow).map(|link| Arc::clone(&link.control)))
        });
        if let Some(control) = control {
            end_of_overflow(&control);
        }
        taken
    }

    /// Retained messages for a new subscription.
    pub(super) fn replay(&self, parcels: Vec<Parcel>, tickets: &mut Tickets) {
        self.with_outbox(|outbox| outbox.replay(parcels, tickets));
    }

    /// Messages that the client acknowledged.
    pub(super) fn acknowledge(&self, connection: u64, packet_ids: &[u16]) {
        self.with_outbox(|outbox| outbox.acknowledge(connection, packet_ids));
    }

    /// What the client said to QoS 2 messages. Returns the packet ids in PUBREC that stand for nothing.
    pub(super) fn answer(&self, connection: u64, answers: &[Answer]) -> Vec<u16> {
        self.with_outbox(|outbox| outbox.answer(connection, answers))
    }

    /// Bytes that are not messages.
    pub(super) fn reply(&self, control: &Control, bytes: &[u8]) {
        self.outbox.lock().reply(control.id, bytes);
        control.signals.raise_within(Signal::Answer);
    }

    /// For the writer: all that is ready.
    pub(super) fn take(&self, connection: u64, empty: &mut BytesMut) -> Taken {
        let mut outbox = self.outbox.lock();
        let taken = outbox.take(connection, empty);
        let room = outbox.has_room_for_waiters();
        drop(outbox);
        if room {
            self.room.notify_waiters();
        }
        taken
    }

    /// Gives the session a connection, and returns the one that it takes the place of. With a journal it is written
    /// down whether it will outlive that connection.
    pub(super) fn attach(
        &self,
        link: Link,
        journal: Option<&Arc<Journal>>,
        expiry_secs: u32,
        tickets: &mut Tickets,
    ) -> Option<Arc<Control>> {
        *self.away_until.lock() = None;
        self.stays.store(expiry_secs > 0, SeqCst);
        let (id, key) = (self.id, &self.key);
        self.with_outbox(|outbox| {
            if expiry_secs == 0 {
                outbox.end_page(tickets);
            } else if let Some(page) = outbox.page() {
                tickets.note(page.record(|session| Change::Resumed { session, expiry_secs }));
            } else if let Some(journal) = journal {
                // A new one: nobody takes over a session that was to end with its connection.
                let (account, client_id) = (Arc::clone(&key.account), Arc::clone(&key.client_id));
                let opened = Change::Opened { session: id, account, client_id, expiry_secs };
                tickets.note(journal.record(opened));
                outbox.begin_page(Page::new(Arc::clone(journal), id));
            }
            outbox.attach(link)
        })
    }

    /// Writes a change down, if the session outlives its connection.
    pub(super) fn record(&self, change: impl FnOnce(u64) -> Change) -> Option<Ticket> {
        self.outbox.lock().page().map(|page| page.record(change))
    }

    /// Whether what is queued for it must be kept.
    pub(super) fn is_kept(&self) -> bool {
        self.outbox.lock().page().is_some()
    }

    /// Keeps what waits from going to the connection until [`Session::release`].
    pub(super) fn hold(&self, connection: u64) {
        self.with_outbox(|outbox| outbox.hold(connection));
    }

    /// Lets what waits go to the connection.
    pub(super) fn release(&self, connection: u64) {
        self.with_outbox(|outbox| outbox.release(connection));
    }

    /// The connection is over; what was still to be sent, or none if another has the session.
    pub(super) fn detach(&self, connection: u64, keep_for: Duration) -> Option<BytesMut> {
        let left = self.with_outbox(|outbox| {
            let left = outbox.detach(connection)?;
            if let Some(page) = outbox.page() {
                let expiry_secs = u32::try_from(keep_for.as_secs()).unwrap_or(u32::MAX);
                page.record(|session| Change::Left { session, expiry_secs, at_ms: now_ms() });
            }
            Some(left)
        })?;
        *self.away_until.lock() = Some(Instant::now() + keep_for);
        self.traces.left_ms.store(now_ms(), SeqCst);
        self.room.notify_waiters();
        Some(left)
    }

    /// The session is over; what it leaves behind.
    pub(super) fn end(&self) -> Remains {
        let remains = self.outbox.lock().end();
        self.room.notify_waiters();
        remains
    }

    /// Whether it is over, or nobody came back in time.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.outbox.lock().has_ended() || self.away_until.lock().is_some_and(|until| now >= until)
    }

    /// Whether another connection finds nothing of it: it ends with the one that it has, also where that is taken over
    /// (MQTT-3.1.2-6; MQTT 5 §3.1.4).
    pub(super) fn ends_with_connection(&self) -> bool {
        !self.stays.load(SeqCst) && self.is_connected()
    }

    /// How long it has while no connection holds it.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        self.away_until.lock().map_or(Duration::MAX, |until| until.saturating_duration_since(now))
    }

    /// Whether it has been ended, so that nothing may be added to it.
    pub(super) fn has_ended(&self) -> bool {
        self.outbox.lock().has_ended()
    }

    /// Whether a connection holds it.
    pub(super) fn is_connected(&self) -> bool {
        self.outbox.lock().link().is_some()
    }

    /// The connection that holds it.
    pub(super) fn control(&self) -> Option<Arc<Control>> {
        self.outbox.lock().link().map(|link| Arc::clone(&link.control))
    }

    /// When it is over, unless somebody comes back for it.
    pub(super) fn away_until(&self) -> Option<Instant> {
        *self.away_until.lock()
    }

    /// What waits for its client.
    pub(super) fn depth(&self) -> Depth {
        self.outbox.lock().depth()
    }

    /// One message of every topic that is yet to be sent.
    pub(super) fn unsent(&self) -> Vec<Arc<Message>> {
        self.outbox.lock().unsent()
    }

    /// Forgets what is yet to be sent and no longer permitted.
    pub(super) fn withhold(&self, permitted: impl Fn(&Message) -> bool) {
        self.with_outbox(|outbox| outbox.withhold(permitted));
    }

    /// How well it could do with another message.
    pub(super) fn readiness(&self) -> Readiness {
        self.outbox.lock().readiness()
    }

    /// Whether a publisher should wait for this session before it goes on.
    pub(super) fn congestion(&self) -> Option<Congestion> {
        if self.paused.load(SeqCst) { None } else { self.outbox.lock().congestion(Instant::now()) }
    }

    /// A publisher waited in vain.
    pub(super) fn give_up(&self) {
        self.outbox.lock().give_up(Instant::now());
    }

    /// Whether the connection's own socket has fallen behind.
    pub(super) fn is_behind(&self, connection: u64) -> bool {
        self.outbox.lock().is_behind(connection)
    }
}

impl Watcher for Session {
    fn settled(&self, kept: bool) {
        self.with_outbox(|outbox| outbox.settled(kept));
    }
}

/// A connected client whose queue is full ends: it acknowledges nothing.
fn end_of_overflow(control: &Control) {
    let text = "too many messages wait to be acknowledged";
    control.end(End::by_server(DisconnectReasonCode::QuotaExceeded, text));
}
