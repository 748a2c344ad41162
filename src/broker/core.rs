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
    Authority, Event, Identity, Limit, Limits, Observer, Verdict,
    admission::Admission,
    aliases::Aliases,
    control::{Control, End},
    figures::Tallies,
    inbound::Burst,
    journal::{Journal, NOT_KEPT},
    keeper::{Change, Kept, now_ms},
    message::Message,
    outbox::{Fanout, Given, Link},
    parcels::Total,
    remains::Over,
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
    pub(super) admission: Arc<Admission>,
    pub(super) queued: Arc<Total>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Wills of clients that the last process had, whose sessions ended with it; with the sessions' numbers.
    pub(super) orphans: Mutex<HashMap<SessionKey, (u64, Will)>>,
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
    /// Topic aliases that the client takes.
    pub(super) topic_aliases: u16,
    pub(super) will: Option<Will>,
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
            queued: Arc::new(Total::new(limits.queue_bytes_total)),
            admission: Arc::new(Admission::new(&limits, Instant::now())),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            orphans: Mutex::default(),
            next_id: AtomicU64::new(1),
            evictions: AtomicU64::new(0),
            sweeping: AtomicBool::new(false),
            limits,
            authority,
            observer,
        }
    }

    /// Takes up what was kept. Called before anything connects.
    pub(super) fn restore(self: &Arc<Self>, journal: &Arc<Journal>, kept: Kept) {
        let (mut sessions, mut superseded) = (self.sessions.lock(), Vec::new());
        for kept in kept.sessions {
            self.no_longer_free(kept.session);
            let session = Session::restored(kept, journal, &self.limits);
            session.share(&self.queued);
            for (filter, options) in session.subscriptions.lock().iter() {
                self.router.subscribe(&session, filter, *options, NOT_ASKED);
            }
            // Where a clean start was cut off between the two, the later one counts.
            let other = match sessions.get(&session.key) {
                Some(other) if other.id > session.id => Some(session),
                _ => sessions.insert(session.key.clone(), session),
            };
            superseded.extend(other);
        }
        drop(sessions);
        for session in superseded {
            self.end_session(&session, Over::Removed, &mut Tickets::default());
        }
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
        drop(retained);
        self.restore_wills(kept.wills);
    }

    /// A session of another process has this number.
    pub(super) fn no_longer_free(&self, number: u64) {
        self.next_id.fetch_max(number + 1, SeqCst);
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
        if !verdict.is_allowed() {
            return Route::to_nobody(verdict);
        }
        self.allowed_route(publisher, topic)
    }

    /// Who is sent what a session, or nobody's (0), publishes to `topic`.
    pub(super) fn allowed_route(&self, publisher: u64, topic: &TopicName) -> Route {
        let (authority, observer) = (&*self.authority, &*self.observer);
        let targets = self.router.targets(publisher, topic, authority, observer);
        let shared = self.router.shared(topic, authority, observer);
        Route { verdict: Verdict::Allow, targets, shared }
    }

    /// Retains the message if it asks for that, and gives it to every target.
    pub(super) fn publish(&self, message: &Arc<Message>, route: &Route) -> Published {
        if self.refuses(|| must_be_kept(message, route)) {
            return Published::NotKept;
        }
        let mut fanout = Fanout::default();
        if let Err(full) = self.retain(message, &mut fanout) {
            return Published::NotRetained(full);
        }
        self.give(message, route, fanout)
    }

    /// The same for a QoS 2 message, which `accepted` says of its publisher's session. All that is to be kept of it is
    /// kept together. Where that session is kept too, nobody is sent the message before: after a crash the publisher
    /// sends it again, as a new one.
    pub(super) fn publish_once(
        &self,
        message: &Arc<Message>,
        route: &Route,
        publisher: &Session,
        accepted: impl FnOnce(u64) -> Change,
    ) -> Published {
        if self.refuses(|| publisher.is_kept() || must_be_kept(message, route)) {
            return Published::NotKept;
        }
        let mut fanout = Fanout::default();
        let _whole = self.journal.as_ref().map(|journal| journal.gate());
        if let Err(full) = self.retain(message, &mut fanout) {
            return Published::NotRetained(full);
        }
        fanout.after = publisher.record(accepted);
        fanout.after.iter().for_each(|ticket| fanout.kept.note(ticket.clone()));
        self.give(message, route, fanout)
    }

    /// Whether something is refused that would have to be kept, because nothing can be.
    fn refuses(&self, must_be_kept: impl FnOnce() -> bool) -> bool {
        self.journal
            .as_ref()
            .is_some_and(|journal| journal.is_failing() && must_be_kept() && journal.refuses())
    }

    fn retain(&self, message: &Arc<Message>, fanout: &mut Fanout) -> Result<(), RetainedFull> {
        if !message.retain {
            return Ok(());
        }
        let mut retained = self.retained.lock();
        retained.put(message)?;
        if let Some(journal) = &self.journal {
            let change = if message.payload.is_empty() {
                Change::Cleared { topic: message.topic.clone() }
            } else {
                Change::Retained { message: message.kept(journal) }
            };
            fanout.kept.note(journal.record(change));
        }
        Ok(())
    }

    fn give(&self, message: &Arc<Message>, route: &Route, mut fanout: Fanout) -> Published {
        let mut given = Given::default();
        route.targets.iter().for_each(|target| given.note(target.give(message, &mut fanout)));
        route.shared.iter().for_each(|group| given.note(group.give(message, &mut fanout)));
        Counters::add(&self.counters.dropped, given.lost);
        self.counters.hit(Limit::Queue, given.lost);
        Published::Accepted { congested: given.congested, kept: fanout.kept }
    }

    /// How many messages of QoS 1 everybody can take before their publishers should wait; at least one.
    pub(super) fn room_for_burst(&self, route: &Route) -> usize {
        let of_target = |target: &Target| target.session.room_for_burst();
        route.sessions().filter(|target| target.qos > 0).map(of_target).min().unwrap_or(usize::MAX).max(1)
    }

    /// Gives a burst to everybody who is meant. Nothing of it is retained.
    pub(super) fn publish_burst(&self, burst: &Burst<'_>, route: &Route) -> Published {
        let kept = || burst.qos() > 0 && route.sessions().any(Target::is_kept);
        if self.refuses(kept) {
            return Published::NotKept;
        }
        let mut fanout = Fanout::default();
        let mut given = Given::default();
        for target in &*route.targets {
            given.add(target.session.push_burst(burst, target.qos, &target.subscription_ids, &mut fanout));
        }
        for group in &*route.shared {
            burst.messages().iter().for_each(|message| given.note(group.give(message, &mut fanout)));
        }
        Counters::add(&self.counters.dropped, given.lost);
        self.counters.hit(Limit::Queue, given.lost);
        Published::Accepted { congested: given.congested, kept: fanout.kept }
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
        let resumed = found.clone().filter(|session| {
            !arrival.clean_start && !session.ends_with_connection() && !session.is_over(Instant::now())
        });
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
                session.share(&self.queued);
                sessions.insert(key, Arc::clone(&session));
                session
            }
        };
        let v5 = control.protocol.is_v5();
        let mut link =
            Link::new(Arc::clone(&control), v5, arrival.window, arrival.max_packet, connack(present));
        link.aliases = Aliases::up_to(arrival.topic_aliases.min(self.limits.max_topic_aliases));
        let (mut kept, journal) = (Tickets::default(), self.journal.as_ref());
        let mut previous = session.attach(link, journal, arrival.session_expiry_secs, &mut kept);
        self.take_will(&session, control.id, arrival.will.as_ref());
        let changed = session.set_identity(&identity);
        drop(sessions);

        if let Some(replaced) = replaced {
            previous = self.end_session(&replaced, Over::Ended, &mut kept);
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
        let stopping =
            control.why().is_some_and(|end| end.code == Some(DisconnectReasonCode::ServerShuttingDown));
        match will {
            Some(will) if held && !will.delay.min(keep_for).is_zero() => {
                let delay = will.delay.min(keep_for);
                self.publish_will_later(session, control.id, will, delay);
            }
            Some(will) if left.is_some() || will.delay.is_zero() || session.is_over(Instant::now()) => {
                self.publish_will_of(&control.identity, session, control.id, will);
            }
            None if stopping => {}
            _ => self.forget_will(session, control.id),
        }
        if left.is_some() && !held {
            self.remove_if_over(session);
        }
        left.unwrap_or_default()
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
        self.end_session(session, Over::Expired, &mut Tickets::default());
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
            self.end_session(&session, Over::Removed, &mut Tickets::default());
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
fn must_be_kept(message: &Message, route: &Route) -> bool {
    message.retain || message.qos > 0 && route.sessions().any(Target::is_kept)
}
