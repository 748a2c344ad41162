//! What all connections share, and the ways through it: publish, attach, end, forget.
//!
//! Locks are taken in the order sessions, outbox; the router's and the retained messages' are taken by themselves
//! (replaying retained messages takes the outbox within); the journal's comes within any. The authority and the observer are called with none held.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use parking_lot::Mutex;
use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Authority, Event, Identity, Limits, Observer, Verdict,
    control::{Control, End},
    figures::Tallies,
    journal::{Journal, NOT_KEPT},
    keeper::{Change, Kept, now_ms},
    message::Message,
    outbox::{Fanout, Link, Outcome},
    retained::{Retained, RetainedFull},
    router::{NOT_ASKED, Route, Router, Target},
    session::{Session, SessionKey},
    stats::Counters,
    sys::{self, Sys},
    ticket::Tickets,
    will::Will,
};
use crate::topic::TopicName;

/// How often what expired is looked for. What expired counts as gone at once wherever it is asked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Core {
    pub(super) limits: Limits,
    pub(super) authority: Arc<dyn Authority>,
    pub(super) observer: Arc<dyn Observer>,
    /// None where nothing is kept.
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) router: Router,
    pub(super) retained: Mutex<Retained>,
    pub(super) sessions: Mutex<HashMap<SessionKey, Arc<Session>>>,
    pub(super) connections: Mutex<HashMap<u64, Arc<Control>>>,
    pub(super) counters: Counters,
    pub(super) tallies: Tallies,
    pub(super) sys: Sys,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    next_id: AtomicU64,
    /// How often connections were ended from outside.
    evictions: AtomicU64,
    sweeping: AtomicBool,
}

/// A connection's place in the broker.
pub(super) struct Attached {
    pub(super) session: Arc<Session>,
    pub(super) control: Arc<Control>,
    /// Whether the session was there before.
    present: bool,
    /// What must be on disk before the client is told that it is in.
    kept: Tickets,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("the station has as many connections as it may have: try again later")]
    Connections,
    #[error("the station keeps as many sessions as it may keep: connect with a clean start or remove some")]
    Sessions,
    #[error("the station is shutting down")]
    Stopping,
    #[error("{NOT_KEPT}")]
    NotKept,
    #[error("accounts were changed at this moment: connect again")]
    Changed,
}

/// What a connection brings along when it takes its session.
pub(super) struct Arrival {
    pub(super) control: Control,
    pub(super) clean_start: bool,
    pub(super) session_expiry_secs: u32,
    pub(super) window: usize,
    pub(super) max_packet: usize,
    /// [`Core::evictions`] before the authority was asked.
    pub(super) evictions: u64,
}

/// What became of a publish.
pub(super) enum Published {
    /// Accepted; `congested` where some subscriber is full, so that the publisher should wait. It may be acknowledged
    /// once `kept` is settled.
    Accepted { congested: bool, kept: Tickets },
    /// It asks to be retained, and no more can be.
    NotRetained(RetainedFull),
    /// It would have to be kept, and nothing can be. Nobody was given it.
    NotKept,
}

impl Core {
    pub(super) fn new(
        limits: Limits,
        authority: Arc<dyn Authority>,
        observer: Arc<dyn Observer>,
        journal: Option<Arc<Journal>>,
    ) -> Self {
        Self {
            journal,
            router: Router::default(),
            retained: Mutex::new(Retained::new(limits.max_retained_messages, limits.max_retained_bytes)),
            sessions: Mutex::default(),
            connections: Mutex::default(),
            counters: Counters::default(),
            tallies: Tallies::default(),
            sys: Sys::default(),
            handshakes: Arc::new(Semaphore::new(limits.max_pending_handshakes)),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            next_id: AtomicU64::new(1),
            evictions: AtomicU64::new(0),
            sweeping: AtomicBool::new(false),
            limits,
            authority,
            observer,
        }
    }

    /// Takes up what was kept. Called before anything connects.
    pub(super) fn restore(&self, journal: &Arc<Journal>, kept: Kept) {
        let mut sessions = self.sessions.lock();
        for kept in kept.sessions {
            self.next_id.fetch_max(kept.session + 1, SeqCst);
            let session = Arc::new(Session::restored(kept, journal, &self.limits));
            for (filter, options) in session.subscriptions.lock().iter() {
                self.router.subscribe(&session, filter, *options, NOT_ASKED);
            }
            // Where a clean start was cut off between the two, the later one counts.
            let other = match sessions.get(&session.key) {
                Some(other) if other.id > session.id => Some(session),
                _ => sessions.insert(session.key.clone(), session),
            };
            if let Some(other) = other {
                self.router.forget(&other);
                other.end(&mut Tickets::default());
            }
        }
        drop(sessions);
        let (now, mut retained) = (now_ms(), self.retained.lock());
        for kept in kept.retained {
            let message = Message::restored(&kept, now).map(Arc::new);
            let cleared = match message.map(|message| retained.put(&message)) {
                Some(Ok(())) => continue,
                Some(Err(full)) => {
                    tracing::warn!(topic = kept.topic.as_str(), reason = %full, "a retained message is gone");
                    kept.topic.clone()
                }
                None => kept.topic.clone(),
            };
            journal.record(Change::Cleared { topic: cleared });
        }
    }

    /// A number that no other session or connection of this process has.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, SeqCst)
    }

    /// Moves on with every call that ends connections from outside.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(SeqCst)
    }

    /// Whether `identity` may publish to `topic`, asked afresh.
    pub(super) fn may_publish(&self, identity: &Identity, topic: &TopicName) -> Verdict {
        if sys::is_own(topic) {
            return Verdict::Deny(
                "topics under $SYS are the broker's own: nobody else publishes there".into(),
            );
        }
        self.authority.publish(identity, topic)
    }

    /// What `identity` may do with `topic`, asked afresh.
    pub(super) fn route(&self, identity: &Identity, publisher: u64, topic: &TopicName) -> Route {
        let verdict = self.may_publish(identity, topic);
        let targets = if verdict.is_allowed() {
            self.router.targets(publisher, topic, &*self.authority, &*self.observer)
        } else {
            Arc::from([])
        };
        Route { verdict, targets }
    }

    /// Retains the message if it asks for that, and gives it to every target.
    pub(super) fn publish(&self, message: &Arc<Message>, targets: &[Target]) -> Published {
        let mut fanout = Fanout::default();
        if let Some(journal) = &self.journal
            && journal.is_failing()
            && must_be_kept(message, targets)
            && journal.refuses()
        {
            return Published::NotKept;
        }
        if message.retain {
            let mut retained = self.retained.lock();
            if let Err(full) = retained.put(message) {
                return Published::NotRetained(full);
            }
            if let Some(journal) = &self.journal {
                let change = if message.payload.is_empty() {
                    Change::Cleared { topic: message.topic.clone() }
                } else {
                    Change::Retained { message: message.kept(journal) }
                };
                fanout.kept.note(journal.record(change));
            }
        }
        let (mut congested, mut lost) = (false, 0);
        for target in targets {
            let retain = message.retain && target.retain_as_published;
            let qos = message.qos.min(target.qos);
            match target.session.push(message, qos, retain, &target.subscription_ids, &mut fanout) {
                Outcome::Taken | Outcome::Absent | Outcome::Dropped => {}
                Outcome::Congested => congested = true,
                Outcome::Lost | Outcome::Overflow => lost += 1,
            }
        }
        Counters::add(&self.counters.dropped, lost);
        Published::Accepted { congested, kept: fanout.kept }
    }

    /// Publishes a will, if that is still permitted.
    pub(super) fn publish_will(&self, identity: &Identity, publisher: u64, will: Will) {
        let message = Arc::new(will.into_message());
        let topic = &message.topic;
        let route = self.route(identity, publisher, topic);
        if let Verdict::Deny(reason) = &route.verdict {
            self.observer.observe(Event::PublishDenied { identity, topic, reason });
            return;
        }
        match self.publish(&message, &route.targets) {
            Published::Accepted { .. } => {
                Counters::add(&self.tallies.wills_published, 1);
                let (bytes, retained) = (message.payload.len() as u64, message.retain);
                self.observer.observe(Event::Published { identity, topic, messages: 1, bytes, retained });
            }
            Published::NotRetained(full) => {
                self.observer.observe(Event::PublishDenied { identity, topic, reason: &full.to_string() });
            }
            Published::NotKept => {
                Counters::add(&self.counters.not_kept, 1);
                self.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
            }
        }
    }

    /// Gives an arriving connection its session: the one it had, or a new one. `connack` writes the first bytes,
    /// told whether the session was there before.
    pub(super) fn attach(
        &self,
        arrival: Arrival,
        connack: impl FnOnce(bool) -> BytesMut,
    ) -> Result<Attached, NoPlace> {
        let control = Arc::new(arrival.control);
        let identity = Arc::clone(&control.identity);
        let key =
            SessionKey { account: Arc::clone(&identity.account), client_id: Arc::clone(&identity.client_id) };
        {
            let mut connections = self.connections.lock();
            if self.stopping.is_cancelled() {
                return Err(NoPlace::Stopping);
            }
            // Whoever was let in before an eviction and arrives after it would be missed by it.
            if self.evictions() != arrival.evictions {
                return Err(NoPlace::Changed);
            }
            if connections.len() >= self.limits.max_connections {
                return Err(NoPlace::Connections);
            }
            connections.insert(control.id, Arc::clone(&control));
            self.tallies.max_connections.fetch_max(connections.len() as u64, SeqCst);
        }

        let mut sessions = self.sessions.lock();
        let found = sessions.get(&key).cloned();
        let resumed =
            found.clone().filter(|session| !arrival.clean_start && !session.is_over(Instant::now()));
        let present = resumed.is_some();
        let replaced = if present { None } else { found };
        let session = match resumed {
            Some(session) => session,
            None if replaced.is_none() && sessions.len() >= self.limits.max_sessions => {
                drop(sessions);
                self.connections.lock().remove(&control.id);
                return Err(NoPlace::Sessions);
            }
            None => {
                let session = Session::new(self.next_id(), key.clone(), Arc::clone(&identity), &self.limits);
                let session = Arc::new(session);
                sessions.insert(key, Arc::clone(&session));
                session
            }
        };
        let v5 = control.protocol.is_v5();
        let link = Link::new(Arc::clone(&control), v5, arrival.window, arrival.max_packet, connack(present));
        let (mut kept, journal) = (Tickets::default(), self.journal.as_ref());
        let mut previous = session.attach(link, journal, arrival.session_expiry_secs, &mut kept);
        if present {
            session.pending_will.lock().take();
        }
        let changed = session.set_identity(&identity);
        drop(sessions);

        if let Some(replaced) = replaced {
            previous = self.end_session(&replaced, true, &mut kept);
        }
        if let Some(previous) = previous {
            let text = "another connection took the session over";
            previous.end(End::by_server(DisconnectReasonCode::SessionTakenOver, text));
        }
        if changed {
            self.router.forget_verdicts();
        }
        if present {
            self.recheck(&session);
        }
        session.release(control.id);
        Ok(Attached { session, control, present, kept })
    }

    /// Waits until it is on disk that the client is in; if it cannot be, the client is out again.
    pub(super) async fn confirm(
        self: &Arc<Self>,
        attached: Attached,
        session_expiry_secs: u32,
    ) -> Result<Attached, NoPlace> {
        let Some(journal) = self.journal.as_ref().filter(|_| !attached.kept.is_empty()) else {
            return Ok(attached);
        };
        let settled = timeout(self.limits.authority_timeout, journal.settled(&attached.kept)).await;
        if settled == Ok(true) {
            return Ok(attached);
        }
        Counters::add(&self.counters.not_kept, 1);
        let keep_secs = if attached.present { session_expiry_secs } else { 0 };
        self.detach(&attached.session, &attached.control, keep_secs, None);
        Err(NoPlace::NotKept)
    }

    /// Asks again about everything that a session is yet to be sent.
    fn recheck(&self, session: &Session) {
        let identity = session.identity();
        let mut denied: Vec<TopicName> = Vec::new();
        for message in session.unsent() {
            if !self.authority.deliver(&identity, &message.topic) {
                self.observer.observe(Event::DeliveryDenied { identity: &identity, topic: &message.topic });
                denied.push(message.topic.clone());
            }
        }
        if !denied.is_empty() {
            denied.sort();
            session.withhold(|message| denied.binary_search(&message.topic).is_err());
        }
    }

    /// A session that is no longer among the sessions ends; returns its connection, if it has one.
    pub(super) fn end_session(
        &self,
        session: &Session,
        publish_will: bool,
        tickets: &mut Tickets,
    ) -> Option<Arc<Control>> {
        let control = session.end(tickets);
        self.router.forget(session);
        let will = session.pending_will.lock().take();
        if let Some((_, will)) = will.filter(|_| publish_will) {
            self.publish_will(&session.identity(), session.id, will);
        }
        control
    }

    /// A connection is over. Returns what it was still to be sent.
    pub(super) fn detach(
        self: &Arc<Self>,
        session: &Arc<Session>,
        control: &Control,
        session_expiry_secs: u32,
        will: Option<Will>,
    ) -> BytesMut {
        self.connections.lock().remove(&control.id);
        let keep_for = Duration::from_secs(session_expiry_secs.into());
        let left = session.detach(control.id, keep_for);
        let held = left.is_some() && !keep_for.is_zero();
        if let Some(will) = will {
            let delay = will.delay.min(keep_for);
            if held && !delay.is_zero() {
                self.publish_will_later(session, control.id, will, delay);
            } else if left.is_some() || will.delay.is_zero() || session.is_over(Instant::now()) {
                self.publish_will(&control.identity, session.id, will);
            }
        }
        if left.is_some() && !held {
            self.remove_if_over(session);
        }
        left.unwrap_or_default()
    }

    fn publish_will_later(
        self: &Arc<Self>,
        session: &Arc<Session>,
        connection: u64,
        will: Will,
        delay: Duration,
    ) {
        *session.pending_will.lock() = Some((connection, will));
        let (core, session) = (Arc::downgrade(self), Arc::downgrade(session));
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stopping.cancelled() => return,
            }
            let (Some(core), Some(session)) = (core.upgrade(), session.upgrade()) else { return };
            // The client may have come back and gone again with another will, which has its own delay.
            let will = session.pending_will.lock().take_if(|(from, _)| *from == connection);
            if let Some((_, will)) = will {
                core.publish_will(&session.identity(), session.id, will);
            }
        });
    }

    /// True if it was over, and is gone now.
    fn remove_if_over(&self, session: &Arc<Session>) -> bool {
        let mut sessions = self.sessions.lock();
        let current = sessions.get(&session.key).is_some_and(|current| Arc::ptr_eq(current, session));
        if !(current && !session.is_connected() && session.is_over(Instant::now())) {
            return false;
        }
        sessions.remove(&session.key);
        drop(sessions);
        self.end_session(session, true, &mut Tickets::default());
        true
    }

    /// See [`super::Broker::permissions_changed`].
    pub(super) fn permissions_changed(&self) {
        self.router.forget_verdicts();
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        for session in sessions {
            self.recheck(&session);
        }
    }

    /// See [`super::Broker::disconnect`].
    pub(super) fn disconnect(&self, test: impl Fn(&Identity) -> bool, reason: &str) -> usize {
        self.evictions.fetch_add(1, SeqCst);
        let connections: Vec<_> = self.connections.lock().values().cloned().collect();
        let meant = connections.into_iter().filter(|control| test(&control.identity));
        let code = DisconnectReasonCode::AdministrativeAction;
        meant.filter(|control| control.end(End::by_server(code, reason.to_owned()))).count()
    }

    /// See [`super::Broker::forget`].
    pub(super) fn forget(&self, account: &str) {
        self.disconnect(|identity| &*identity.account == account, "the account was removed");
        let mut gone = Vec::new();
        self.sessions.lock().retain(|key, session| {
            let keep = &*key.account != account;
            if !keep {
                gone.push(Arc::clone(session));
            }
            keep
        });
        for session in gone {
            self.end_session(&session, false, &mut Tickets::default());
        }
    }

    /// Starts the task that removes what expired, once.
    pub(super) fn sweep_in_background(self: &Arc<Self>) {
        if self.sweeping.swap(true, SeqCst) {
            return;
        }
        self.publish_sys_in_background();
        let core = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut interval = tokio::time::interval(SWEEP_INTERVAL);
            loop {
                tokio::select! {
                    _ = interval.tick() => core.sweep(),
                    () = core.stopping.cancelled() => return,
                }
            }
        });
    }

    fn sweep(&self) {
        let now = Instant::now();
        {
            let mut retained = self.retained.lock();
            let gone = retained.sweep(now);
            if let Some(journal) = &self.journal {
                gone.into_iter().for_each(|topic| {
                    journal.record(Change::Cleared { topic });
                });
            }
        }
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        for session in sessions.iter().filter(|session| session.is_over(now)) {
            Counters::add(&self.tallies.expired, u64::from(self.remove_if_over(session)));
        }
    }
}

/// The journal ends with the broker.
impl Drop for Core {
    fn drop(&mut self) {
        if let Some(journal) = &self.journal {
            journal.close();
        }
    }
}

/// Whether a message must be on disk before it is acknowledged.
fn must_be_kept(message: &Message, targets: &[Target]) -> bool {
    let for_a_session = |target: &Target| target.qos > 0 && target.session.is_kept();
    message.retain || message.qos > 0 && targets.iter().any(for_a_session)
}
