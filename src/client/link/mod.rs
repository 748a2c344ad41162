//! The link: the account's live MQTT connection, its outbox and what arrives, in one task.
//!
//! It works in turns: take everything that waits (commands, happenings on the network, clocks), put what changed on
//! disk in one transaction, then acknowledge and tell. So the cost of the disk is shared by all that came in the
//! meantime, nothing is acknowledged before it is kept, and nothing is told as queued before it is on disk.
//!
//! | file | subject |
//! |---|---|
//! | `carrier` | the station's broker, or another |
//! | `other` | going over to another broker, and back |
//! | `outgoing` | the outbox in memory, in order |
//! | `exactly_once` | the connection of its own for messages at QoS 2 |
//! | `publish` | from a draft to an outbox row; repeats; the sample sensor's readings |
//! | `deliver` | what arrives: opened, judged, kept |
//! | `held` | messages without a seal whose topic was decided about anew |
//! | `rotated` | what an older epoch has sealed, sealed anew |
//! | `will` | what the broker publishes if this computer vanishes |
//! | `subscriptions` | what is watched |
//! | `sys` | the broker's own figures, while a page shows them |
//! | `state` | online, waiting, given up, and what a lost connection means |
//! | `backoff` | how long to wait, and causes in words |

mod asks;
mod backoff;
mod carrier;
mod deliver;
mod exactly_once;
mod held;
mod other;
mod outgoing;
mod publish;
mod rotated;
mod state;
mod subscriptions;
mod sys;
mod will;

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};

use crate::{
    acl::{Right, Role, Subject},
    audit::Record,
    seal::{SenderKey, replay::ReplayGuard},
    topic::{TopicFilter, TopicName},
};

use super::{
    Asked, AuditLog, Endpoint, Event, Failure, Message, OutboxEntry, OutboxState,
    audit::Auditor,
    keyring::remember_version,
    mqtt::{Happening, Incoming, Lost},
    sealing::{Sealing, SharedVault},
    store::{Changes, OutboxRow, Store},
    teller::Teller,
    tls::Seen,
};
use carrier::Carrier;

pub(super) use asks::{Ask, Note};
pub(super) use carrier::Broker;
pub(super) use rotated::KeyInUse;

/// Commands and happenings that one turn takes at most, so that no turn is long.
const PER_TURN: usize = 1_000;
/// How long goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a link begins with.
pub(super) struct Start {
    pub broker: Broker,
    pub seen: Seen,
    pub pinned: String,
    pub role: Role,
    pub store: Store,
    pub guard: ReplayGuard,
    pub vault: SharedVault,
    pub sealing: Sealing,
    pub auditor: Auditor,
    pub teller: Teller,
    pub asks: mpsc::UnboundedReceiver<Ask>,
    pub notes: mpsc::UnboundedSender<Note>,
}

/// See the module.
pub(super) struct Link {
    /// The station's.
    broker: Broker,
    /// What carries the messages.
    carrier: Carrier,
    /// Another broker, where one is set, with its secrets.
    other: Option<Endpoint>,
    vault: SharedVault,
    seen: Seen,
    pinned: String,
    role: Role,
    store: Store,
    guard: ReplayGuard,
    sealing: Sealing,
    auditor: Auditor,
    teller: Teller,
    notes: mpsc::UnboundedSender<Note>,
    phase: state::Phase,
    /// Attempts since the link was last online for a while.
    attempt: u32,
    was_online: bool,
    /// Messages at QoS 0 and 1.
    outgoing: outgoing::Outgoing,
    /// Messages at QoS 2, with their connection.
    exactly_once: exactly_once::ExactlyOnce,
    /// The client id of that connection at the station.
    exactly_once_id: String,
    will: will::OwnWill,
    /// Whether messages were ever asked for at QoS 2.
    receives_exactly_once: bool,
    /// Packet ids of messages that came at QoS 2 and are not released.
    unreleased: HashSet<u16>,
    subscriptions: subscriptions::Subscriptions,
    clear: Vec<TopicFilter>,
    repeats: publish::Repeats,
    role_checked: Option<Instant>,
    /// Signers that the desk was told of already.
    met: HashSet<SenderKey>,
    /// Signers of whom the desk has said what there is to say.
    answered: HashSet<SenderKey>,
    /// Messages on topics that require signatures, until it is known who signed them.
    strange: Vec<(SenderKey, Incoming)>,
    /// Rows that are acknowledged but could not be deleted yet: the disk was full.
    done_later: Vec<i64>,
    /// As well, packet ids that were released.
    released_later: Vec<u16>,
    figures_wanted: bool,
    /// What the broker keeps of this account.
    retained: rotated::OwnRetained,
    /// When the desk is to look at the vault again.
    vault_due: Option<Instant>,
    vault_looked: Option<Instant>,
    /// Something that was retained under an older epoch has reached the broker.
    reseal_due: bool,
}

/// What one turn gathers.
#[derive(Default)]
struct Turn {
    changes: Changes,
    /// Told after the commit.
    entries: Vec<OutboxEntry>,
    messages: Vec<Message>,
    figures: Vec<(String, String)>,
    audit: Vec<(AuditLog, Record)>,
    /// Packet ids to acknowledge after the commit, with their QoS.
    acks: Vec<(u16, u8)>,
    /// Given back when the turn has ended, so that no more bytes come in than the disk takes.
    rooms: Vec<OwnedSemaphorePermit>,
    repeats: u64,
    queued_bytes: usize,
    lost: Option<Lost>,
    ended: Vec<oneshot::Sender<()>>,
}

impl Link {
    /// Loads what rests, tells it, and runs until it is ended.
    pub(super) async fn run(start: Start) {
        let Start {
            broker,
            seen,
            pinned,
            role,
            mut store,
            guard,
            vault,
            sealing,
            auditor,
            teller,
            mut asks,
            notes,
        } = start;
        let loaded = async {
            let outbox = store.outbox().await?;
            let (watched, gone) = store.subscriptions().await?;
            let asked_at_2 = store.setting(subscriptions::EXACTLY_ONCE).await?.is_some();
            let at_2 = (asked_at_2, store.unreleased().await?);
            let will = store.setting(will::SETTING).await?;
            Ok::<_, super::store::StoreError>((
                outbox,
                watched,
                gone,
                store.clear_topics().await?,
                at_2,
                will,
                (store.retained().await?, store.setting(rotated::NEVER_SENT).await?),
            ))
        };
        let (outbox, watched, gone, clear, at_2, will, (retained, never_sent)) =
            loaded.await.unwrap_or_else(|error| {
                let what = "What waited on this computer could not be read.";
                teller.fail(Asked::History, Failure::new(what, error.to_string(), ""));
                Default::default()
            });
        let outbox = outbox.into_iter().map(|mut row| {
            if let Some(with) = &mut row.sealed_with {
                with.profile = sealing.profile_of(&with.kid);
            }
            row
        });
        let (outbox_2, outbox) = outbox.partition(|row| row.qos == 2);
        let carrier = Carrier::station(&broker);
        let exactly_once = exactly_once::ExactlyOnce::of(outbox_2);
        let exactly_once_id = carrier.exactly_once_id();
        let will = will::OwnWill::kept(will.as_deref(), &sealing);
        let mut link = Self {
            broker,
            carrier,
            other: None,
            vault,
            seen,
            pinned,
            role,
            store,
            guard,
            sealing,
            auditor,
            teller,
            notes,
            phase: state::Phase::Idle,
            attempt: 0,
            was_online: false,
            outgoing: outgoing::Outgoing::of(outbox),
            exactly_once,
            exactly_once_id,
            will,
            receives_exactly_once: at_2.0,
            unreleased: at_2.1.into_iter().collect(),
            subscriptions: subscriptions::Subscriptions::of(watched, gone),
            clear,
            repeats: publish::Repeats::default(),
            role_checked: None,
            met: HashSet::new(),
            answered: HashSet::new(),
            strange: Vec::new(),
            done_later: Vec::new(),
            released_later: Vec::new(),
            figures_wanted: false,
            retained: rotated::OwnRetained::of(&retained),
            vault_due: None,
            vault_looked: None,
            reseal_due: false,
        };
        if let Some(from) = never_sent.and_then(|from| from.parse().ok()) {
            link.outgoing.never_sent_from(from);
            link.exactly_once.outgoing.never_sent_from(from);
        }
        let carried = link.load_other_broker().await;
        link.tell_all();
        link.reseal_by_itself().await;
        match carried {
            Ok(()) => link.connect(),
            Err(why) => link.choose_broker(why),
        }
        let ended = link.turns(&mut asks).await;
        link.end().await;
        for answer in ended {
            let _ = answer.send(());
        }
    }

    fn tell_all(&self) {
        let rows = self.outgoing.all().chain(self.exactly_once.outgoing.all());
        let mut entries: Vec<_> = rows.map(|row| row.entry(OutboxState::Queued)).collect();
        entries.sort_by_key(|entry| entry.id);
        self.teller.tell(Event::Outbox(entries));
        self.tell_broker();
        self.teller.tell(Event::Subscriptions(self.subscriptions.view()));
        self.teller.tell(Event::ClearTopics(self.clear.clone()));
    }

    async fn turns(&mut self, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Vec<oneshot::Sender<()>> {
        loop {
            let mut turn = Turn::default();
            let wake_at = self.next_clock();
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.ask(ask, &mut turn).await,
                    // The desk is gone without a word.
                    None => return Vec::new(),
                },
                happening = self.phase.happening() => self.happening(happening, &mut turn).await,
                happening = self.exactly_once.happening() => self.happening_at_2(happening, &mut turn),
                () = sleep_until(wake_at) => {}
            }
            for _ in 0..PER_TURN {
                let Ok(ask) = asks.try_recv() else { break };
                self.ask(ask, &mut turn).await;
            }
            for _ in 0..PER_TURN {
                let Some(happening) = self.phase.waiting_happening() else { break };
                self.happening(happening, &mut turn).await;
            }
            for _ in 0..PER_TURN {
                let Some(happening) = self.exactly_once.waiting_happening() else { break };
                self.happening_at_2(happening, &mut turn);
            }
            self.clocks(&mut turn);
            self.finish(&mut turn).await;
            if !turn.ended.is_empty() {
                return turn.ended;
            }
            if self.reseal_due {
                self.reseal_by_itself().await;
            }
        }
    }

    /// When something is due next.
    fn next_clock(&self) -> Option<Instant> {
        let clocks = [
            self.phase.retry_at(),
            self.repeats.next(),
            self.outgoing.next_due(),
            self.exactly_once.next_clock(),
            self.vault_due,
        ];
        clocks.into_iter().flatten().min()
    }

    fn clocks(&mut self, turn: &mut Turn) {
        let now = Instant::now();
        if self.phase.retry_at().is_some_and(|at| at <= now) {
            self.connect();
        }
        if self.vault_due.is_some_and(|at| at <= now) {
            self.look_at_vault();
        }
        self.due_repeats(now, turn);
    }

    /// Puts the turn on disk, then acknowledges and tells.
    async fn finish(&mut self, turn: &mut Turn) {
        let guard_rows = self.guard.take_changes();
        turn.changes.replay.extend(guard_rows.into_iter().map(|row| (row.key, row.value)));
        turn.changes.done.append(&mut self.done_later);
        turn.changes.released.append(&mut self.released_later);
        match self.store.commit(&turn.changes).await {
            Ok(()) => {
                for row in std::mem::take(&mut turn.changes.queued) {
                    turn.entries.push(row.entry(OutboxState::Queued));
                    self.outgoing_at(row.qos).push(row);
                }
                if let Some(connection) = self.phase.connection() {
                    connection.acknowledge(std::mem::take(&mut turn.acks));
                }
                self.auditor.note_all(std::mem::take(&mut turn.audit));
                self.teller.tell_all(&mut turn.messages, &mut turn.entries, turn.repeats);
            }
            Err(error) => self.not_kept(turn, &error.to_string()).await,
        }
        self.tell_figures(turn);
        self.pump().await;
        if let Some(lost) = turn.lost.take() {
            self.lost(&lost, turn);
            self.note_never_sent().await;
            self.teller.tell_all(&mut turn.messages, &mut turn.entries, 0);
        }
    }

    /// The disk took nothing of this turn: nothing of it is acknowledged, and the network has to send it again.
    async fn not_kept(&mut self, turn: &mut Turn, why: &str) {
        let next = "Free some space on this computer's disk, then try again.";
        if !turn.changes.queued.is_empty() {
            let what = match turn.changes.queued.len() {
                1 => "The message was not queued.".to_owned(),
                many => format!("{many} messages were not queued."),
            };
            self.teller.fail(Asked::Publish, Failure::new(what, why, next));
        }
        self.done_later.append(&mut turn.changes.done);
        self.released_later.append(&mut turn.changes.released);
        for packet_id in &turn.changes.unreleased {
            self.unreleased.remove(packet_id);
        }
        let settled = turn.entries.drain(..).collect();
        self.teller.tell(Event::Outbox(settled));
        if turn.changes.arrived.is_empty() {
            // Only repeats of what was kept before: the broker waits for their acknowledgements.
            if let Some(connection) = self.phase.connection() {
                connection.acknowledge(std::mem::take(&mut turn.acks));
            }
            return;
        }
        let what = "Messages that arrived could not be kept.";
        self.teller.fail(Asked::History, Failure::new(what, why, next));
        // The guard must not remember what was not kept: the broker sends it again.
        match self.store.replay_rows().await.map(ReplayGuard::load) {
            Ok(Ok(guard)) => self.guard = guard,
            Ok(Err(error)) => tracing::error!(%error, "the replay memory cannot be read back"),
            Err(error) => tracing::error!(%error, "the replay memory cannot be read back"),
        }
        self.drop_connection(format!("messages could not be kept: {why}"), turn);
        self.teller.tell_all(&mut Vec::new(), &mut turn.entries, 0);
    }

    async fn ask(&mut self, ask: Ask, turn: &mut Turn) {
        match ask {
            Ask::Publish { draft, every } => self.publish(draft, every, turn),
            Ask::StopRepeat(topic) => self.stop_repeat(&topic),
            Ask::Discard(id) => self.discard(id, turn),
            Ask::Subscribe(filter, qos) => self.subscribe(filter, qos).await,
            Ask::Unsubscribe(filter) => self.unsubscribe(filter).await,
            Ask::ReleaseHeld { id, seal } => self.release_held(id, seal, turn),
            Ask::SetWill(will) => self.set_will(will, turn).await,
            Ask::SetClear { filter, clear } => {
                self.set_clear(filter, clear).await;
                self.reconsider(turn).await;
            }
            Ask::LoadHistory(limit) => self.load_history(limit).await,
            Ask::ClearHistory => self.clear_history().await,
            Ask::StartSample => self.start_sample(),
            Ask::StopSample => self.stop_sample(),
            Ask::SetBroker(other) => self.set_broker(other.map(|other| *other), turn).await,
            Ask::TestBroker(other) => self.test_broker(*other),
            Ask::WatchBroker(on) => self.watch_broker(on),
            Ask::KeysChanged => {
                self.sealing.keys_changed();
                self.reseal(turn).await;
                self.reconsider(turn).await;
            }
            Ask::SenderAnswered(key) => self.sender_answered(key, turn),
            Ask::ForgetSender(key) => {
                self.met.remove(&key);
                self.answered.remove(&key);
            }
            Ask::Consequences(key) => self.tell_consequences(*key).await,
            Ask::VaultSeen { version } => remember_version(&mut self.store, version).await,
            Ask::Role(role) => self.role = role,
            Ask::RetryNow => self.retry_now().await,
            Ask::Moved(address) => {
                self.broker.address = address;
                if !self.carrier.is_other() {
                    self.carrier = Carrier::station(&self.broker);
                    self.retry_now().await;
                }
            }
            Ask::Refused { reason } => self.refused(reason),
            Ask::Over { reason } => self.over(reason, turn),
            Ask::End(answer) => turn.ended.push(answer),
        }
    }

    async fn happening(&mut self, happening: Happening, turn: &mut Turn) {
        match happening {
            Happening::Online(online) => self.online(online.session_present).await,
            Happening::Incoming(message, room) => {
                turn.rooms.push(room);
                self.receive(message, turn);
            }
            Happening::Sent(packet_id) => self.sent(1, packet_id, turn),
            Happening::Answered(packet_id, answer, told) => {
                self.answered(1, packet_id, answer, told.as_deref(), turn);
            }
            Happening::Released(packet_id) => self.released(packet_id, turn),
            // Only messages at QoS 2 have it, and they go out elsewhere.
            Happening::Completed(_) => {}
            Happening::Subscribed(answers) => self.subscribed(answers),
            Happening::Unsubscribed(filters) => self.unsubscribed(filters).await,
            Happening::Lost(lost) => turn.lost = Some(lost),
        }
    }

    /// Hands the network what it takes; what this broker cannot take at all is told and removed.
    async fn pump(&mut self) {
        self.pump_subscriptions();
        let now = Instant::now();
        let hold = held::hold(&self.sealing, &self.clear);
        let mut pumped = outgoing::Pumped::default();
        if let Some(connection) = self.phase.connection() {
            connection.acknowledge([]);
            pumped = self.outgoing.pump(connection, now, &hold);
        }
        let online = self.phase.connection().is_some_and(|connection| connection.takes.is_some());
        let at_2 = self.exactly_once.pump(&self.carrier, online, now, &hold);
        let refused: Vec<_> = pumped.refused.into_iter().chain(at_2.refused).collect();
        let held: Vec<_> = pumped.held.into_iter().chain(at_2.held).collect();
        if !held.is_empty() {
            let entries = held.into_iter().map(|(row, why)| row.entry(OutboxState::Held { why })).collect();
            self.teller.tell(Event::Outbox(entries));
        }
        if refused.is_empty() {
            return;
        }
        let done = refused.iter().map(|(row, _)| row.id).collect();
        if let Err(error) = self.store.commit(&Changes { done, ..Changes::default() }).await {
            tracing::warn!(%error, "refused messages stay in the outbox");
        }
        let mut entries = Vec::new();
        for (row, why) in refused {
            self.auditor.note_record(AuditLog::Publisher, self.outbox_record(&row, Err(&why)));
            entries.push(row.entry(OutboxState::Refused { why }));
        }
        self.teller.tell(Event::Outbox(entries));
    }

    /// An audit line about an outgoing message.
    fn outbox_record(&self, row: &OutboxRow, outcome: Result<(), &str>) -> Record {
        Record {
            topic: Some(row.topic.as_str().to_owned()),
            kid: row.sealed_with.as_ref().map(|with| with.kid.clone()),
            suite: row.sealed_with.as_ref().map(|with| with.suite.to_string()),
            plain_len: Some(row.plain_len as u64),
            wire_len: Some(row.wire.len() as u64),
            ..self.auditor.record("publish", outcome)
        }
    }

    /// Who asks, for `acl`.
    fn subject(&self) -> Subject<'_> {
        Subject { username: &self.broker.username, client_id: &self.broker.client_id }
    }

    /// Another broker decides for itself, also one that is still to be chosen.
    fn role_governs(&self) -> bool {
        !self.carrier.is_other() && !matches!(self.phase, state::Phase::Choosing)
    }

    /// What the role says about publishing; nothing, where another broker carries the messages and decides itself.
    fn why_not_publish(&self, qos: u8, topic: &TopicName) -> Option<String> {
        if !self.role_governs() {
            return None;
        }
        let decision = self.role.decide_publish(&self.subject_at(qos), topic);
        (!decision.is_allowed()).then(|| decision.explain(&self.role, Right::Publish, topic.as_str()))
    }

    /// As well, about watching.
    fn why_not_subscribe(&self, filter: &TopicFilter) -> Option<String> {
        if !self.role_governs() {
            return None;
        }
        let decision = self.role.decide_subscribe(&self.subject(), filter);
        (!decision.is_allowed()).then(|| decision.explain(&self.role, Right::Subscribe, filter.as_str()))
    }

    /// Who asks, for `acl`, where a message goes out at this quality of service.
    fn subject_at(&self, qos: u8) -> Subject<'_> {
        let client_id = if qos == 2 { &self.exactly_once_id } else { &self.broker.client_id };
        Subject { username: &self.broker.username, client_id }
    }

    /// The outbox in memory for a quality of service.
    fn outgoing_at(&mut self, qos: u8) -> &mut outgoing::Outgoing {
        if qos == 2 { &mut self.exactly_once.outgoing } else { &mut self.outgoing }
    }

    async fn end(mut self) {
        let announced = self.will.is_announced();
        let own = async {
            if let Some(connection) = self.phase.take_connection() {
                connection.disconnect(announced, GOODBYE).await;
            }
        };
        let at_2 = async {
            if let Some(connection) = self.exactly_once.take_connection() {
                connection.disconnect(false, GOODBYE).await;
            }
        };
        tokio::join!(own, at_2);
        self.note_never_sent().await;
        self.store.close().await;
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
