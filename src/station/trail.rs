//! The station's audit trail, and what the broker tells.
//!
//! Everything passes through one bounded queue to one thread that owns the file: neither the broker nor a request
//! ever waits for the disk. What does not fit is counted, and the count is written. The trail holds names, topics,
//! addresses and outcomes; never payloads, passwords, codes or tokens.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    audit::{AuditFile, Record},
    broker::{ConnectRefusal, Event, Identity, Observer},
};

use super::{Clock, StationError};

/// Records that wait for the disk at most: about 2 MiB, and 40 MiB of the longest that strangers can cause.
const QUEUE: usize = 8192;
/// How much of a topic is noted.
const TOPIC_BYTES: usize = 2048;
/// Records in one write.
const BATCH: usize = 512;
/// The same denial of the same client is written once, and then its count every so often.
const REPEAT_EVERY: Duration = Duration::from_secs(10);
/// Denials that are told apart at a time.
const REPEATS: usize = 4096;
/// How often what was written is forced to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

enum Message {
    Note(Box<Record>),
    End,
}

/// Where everything that happens is noted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trail {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    clock: Clock,
}

/// Ends the trail: waits until what was noted is on disk.
pub(crate) struct TrailEnd {
    queue: SyncSender<Message>,
    writer: Option<JoinHandle<()>>,
}

impl Trail {
    /// Opens `path` and starts the thread that writes it.
    pub(crate) fn open(path: &Path, clock: &Clock) -> Result<(Self, TrailEnd), StationError> {
        let audit = |error: &dyn std::fmt::Display| StationError::Audit(error.to_string());
        let file = AuditFile::open(path, clock.now_ms()).map_err(|e| audit(&e))?;
        let (queue, notes) = mpsc::sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let writer =
            Writer { file, lost: Arc::clone(&lost), clock: clock.clone(), repeats: Repeats::default() };
        let thread = std::thread::Builder::new()
            .name("station-audit".into())
            .spawn(move || writer.run(&notes))
            .map_err(|e| audit(&e))?;
        let end = TrailEnd { queue: queue.clone(), writer: Some(thread) };
        Ok((Self { queue, lost, clock: clock.clone() }, end))
    }

    /// Notes what an account did. Never waits.
    pub(crate) fn note(&self, account: &str, role: &str, action: &str, outcome: &str, peer: Option<String>) {
        self.push(Record {
            account: account.to_owned(),
            role: role.to_owned(),
            action: action.to_owned(),
            outcome: outcome.to_owned(),
            peer,
            ..Record::default()
        });
    }

    fn push(&self, mut record: Record) {
        record.time_ms = self.clock.now_ms();
        record.shorten(TOPIC_BYTES);
        if self.queue.try_send(Message::Note(Box::new(record))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl TrailEnd {
    /// Waits for the thread. Blocks: not for the reactor.
    pub(crate) fn finish(mut self) {
        // A full queue is being written: this waits for room.
        let _ = self.queue.send(Message::End);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The thread that owns the file.
struct Writer {
    file: AuditFile,
    lost: Arc<AtomicU64>,
    clock: Clock,
    repeats: Repeats,
}

impl Writer {
    fn run(mut self, notes: &Receiver<Message>) {
        let mut unsynced = false;
        let mut synced = Instant::now();
        loop {
            let mut batch = Vec::new();
            let mut ended = false;
            match notes.recv_timeout(SYNC_EVERY) {
                Ok(first) => {
                    for message in std::iter::once(first).chain(notes.try_iter().take(BATCH - 1)) {
                        match message {
                            Message::Note(record) => batch.extend(self.repeats.pass(*record)),
                            Message::End => ended = true,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => ended = true,
            }
            batch.extend(self.repeats.due(ended));
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                batch.push(Record {
                    time_ms: self.clock.now_ms(),
                    action: "lost".into(),
                    outcome: format!("{lost} records came faster than the disk could take them"),
                    ..Record::default()
                });
            }
            if !batch.is_empty() {
                unsynced = true;
                if let Err(error) = self.file.append_all(&batch) {
                    tracing::error!(%error, records = batch.len(), "the audit trail could not be written");
                    self.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                }
            }
            if unsynced && (ended || synced.elapsed() >= SYNC_EVERY) {
                if let Err(error) = self.file.sync() {
                    tracing::error!(%error, "the audit trail could not be flushed");
                }
                (unsynced, synced) = (false, Instant::now());
            }
            if ended {
                return;
            }
        }
    }
}

/// Denials that repeat: a client that is refused a thousand times a second must not fill the disk, nor may a stranger
/// who is not even let in.
#[derive(Default)]
struct Repeats(HashMap<Denial, Repeated>);

/// Who was denied what on which topic; of those who were not let in, from which address.
type Denial = (String, String, String);

/// The newest of them, how many since it was last written, and when that was.
struct Repeated {
    newest: Record,
    count: u64,
    since: Instant,
}

impl Repeats {
    /// The record itself where it is no repeated denial.
    fn pass(&mut self, record: Record) -> Option<Record> {
        let Some(what) = what_repeats(&record) else { return Some(record) };
        let key = (record.account.clone(), record.action.clone(), what);
        if let Some(repeated) = self.0.get_mut(&key) {
            repeated.newest.time_ms = record.time_ms;
            repeated.count += 1;
            return None;
        }
        if self.0.len() < REPEATS {
            self.0.insert(key, Repeated { newest: record.clone(), count: 0, since: Instant::now() });
        }
        Some(record)
    }

    /// The counts whose time has come.
    fn due(&mut self, all: bool) -> Vec<Record> {
        let mut due = Vec::new();
        self.0.retain(|_, repeated| {
            if !all && repeated.since.elapsed() < REPEAT_EVERY {
                return true;
            }
            if repeated.count == 0 {
                return false;
            }
            let outcome = format!("{} (again, {} times)", repeated.newest.outcome, repeated.count);
            due.push(Record { outcome, ..repeated.newest.clone() });
            (repeated.count, repeated.since) = (0, Instant::now());
            !all
        });
        due
    }
}

/// What a denial is told apart by; `None` for what is noted each time.
fn what_repeats(record: &Record) -> Option<String> {
    if record.outcome == "ok" {
        return None;
    }
    if let Some(topic) = &record.topic {
        return Some(topic.clone());
    }
    let outside = matches!(record.action.as_str(), "connect" | "protocol error");
    // `address:port client id`: port and client id are whatever the stranger likes.
    let peer = record.peer.as_deref().filter(|_| outside)?;
    let address = peer.split(' ').next().and_then(|peer| peer.parse::<SocketAddr>().ok())?;
    Some(format!("{} {}", address.ip(), record.outcome))
}

/// Hears the broker: notes what matters in the trail, counts the rest, knows which credentials are in use now.
pub(crate) struct Watch {
    trail: Trail,
    live: Mutex<HashMap<u64, u32>>,
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Watch {
    pub(crate) fn new(trail: Trail) -> Self {
        Self { trail, live: Mutex::default(), messages: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// The credentials of live connections.
    pub(crate) fn live(&self) -> Vec<u64> {
        self.live.lock().keys().copied().collect()
    }

    /// Messages and bytes that were accepted since the start.
    pub(crate) fn accepted(&self) -> (u64, u64) {
        (self.messages.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn note(
        &self,
        who: &Identity,
        action: &str,
        topic: Option<&str>,
        outcome: &str,
        peer: Option<SocketAddr>,
    ) {
        let peer = match peer {
            Some(peer) => format!("{peer} {}", who.client_id),
            None => who.client_id.to_string(),
        };
        self.trail.push(Record {
            account: who.account.to_string(),
            role: who.role.to_string(),
            action: action.to_owned(),
            topic: topic.map(str::to_owned),
            outcome: outcome.to_owned(),
            peer: Some(peer),
            ..Record::default()
        });
    }
}

impl Observer for Watch {
    fn observe(&self, event: Event<'_>) {
        match event {
            Event::Connected { identity, peer, .. } => {
                *self.live.lock().entry(identity.credential).or_default() += 1;
                self.note(identity, "connect", None, "ok", Some(peer));
            }
            Event::Disconnected { identity, peer, reason } => {
                let mut live = self.live.lock();
                if let Some(count) = live.get_mut(&identity.credential) {
                    *count -= 1;
                    if *count == 0 {
                        live.remove(&identity.credential);
                    }
                }
                drop(live);
                self.note(identity, "disconnect", None, reason, Some(peer));
            }
            // The name is noted only where the refusal is not about it: what is no account's name may be a password
            // in the wrong field.
            Event::Refused { client_id, username, peer, reason } => {
                let known = !matches!(reason, ConnectRefusal::BadCredentials);
                let name = username.filter(|_| known).unwrap_or_default();
                self.trail.note(
                    name,
                    "",
                    "connect",
                    &reason.to_string(),
                    Some(format!("{peer} {client_id}")),
                );
            }
            Event::Subscribed { identity, filter, .. } => {
                self.note(identity, "subscribe", Some(filter.as_str()), "ok", None);
            }
            Event::SubscribeDenied { identity, filter, reason } => {
                self.note(identity, "subscribe", Some(filter.as_str()), reason, None);
            }
            Event::Unsubscribed { identity, filter } => {
                self.note(identity, "unsubscribe", Some(filter.as_str()), "ok", None);
            }
            Event::Published { messages, bytes, .. } => {
                self.messages.fetch_add(messages, Ordering::Relaxed);
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Event::PublishDenied { identity, topic, reason } => {
                self.note(identity, "publish", Some(topic.as_str()), reason, None);
            }
            Event::DeliveryDenied { identity, topic } => {
                self.note(identity, "receive", Some(topic.as_str()), "the role does not permit it", None);
            }
            Event::Dropped { identity, messages } => {
                let outcome = format!("{messages} messages were dropped: the client reads too slowly");
                self.note(identity, "receive", None, &outcome, None);
            }
            Event::ProtocolError { peer, client_id, error } => {
                let peer = format!("{peer} {}", client_id.unwrap_or_default());
                self.trail.note("", "", "protocol error", error, Some(peer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(topic: &str) -> Record {
        Record {
            account: "anna".into(),
            action: "publish".into(),
            topic: Some(topic.into()),
            outcome: "no".into(),
            ..Record::default()
        }
    }

    #[test]
    fn a_denial_that_repeats_is_written_once_and_then_counted() {
        let mut repeats = Repeats::default();
        assert!(repeats.pass(denial("a")).is_some());
        assert!(repeats.pass(denial("b")).is_some());
        for _ in 0..1000 {
            assert!(repeats.pass(denial("a")).is_none());
        }
        assert!(repeats.due(false).is_empty(), "not yet");
        let due = repeats.due(true);
        assert_eq!((due.len(), due[0].outcome.as_str()), (1, "no (again, 1000 times)"));
    }

    #[test]
    fn strangers_who_are_refused_again_and_again_do_not_fill_the_disk() {
        let mut repeats = Repeats::default();
        let mut refused = |action: &str, peer: &str| {
            let (action, peer) = (action.to_owned(), Some(peer.to_owned()));
            repeats.pass(Record { action, peer, outcome: "wrong".into(), ..Record::default() }).is_some()
        };
        assert!(refused("connect", "192.0.2.1:1000 a"));
        assert!(!refused("connect", "192.0.2.1:1001 b"), "another port and client id are no news");
        assert!(refused("connect", "192.0.2.2:1000 a"), "another address is");
        assert!(refused("protocol error", "[2001:db8::1]:1 "));
        assert!(!refused("protocol error", "[2001:db8::1]:2 "));
        assert!(
            refused("login", "192.0.2.1") && refused("login", "192.0.2.1"),
            "logins are limited elsewhere"
        );
    }

    #[test]
    fn a_credential_is_live_until_its_last_connection_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (trail, _end) = Trail::open(&dir.path().join("log"), &Clock::by_hand(5)).unwrap();
        let watch = Watch::new(trail);
        let who =
            Identity { account: "anna".into(), client_id: "c".into(), role: "admin".into(), credential: 7 };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (protocol, transport) = (crate::broker::Protocol::V5, crate::broker::Transport::Tls);
        for _ in 0..2 {
            watch.observe(Event::Connected { identity: &who, peer, protocol, transport });
        }
        watch.observe(Event::Disconnected { identity: &who, peer, reason: "gone" });
        assert_eq!(watch.live(), [7]);
        watch.observe(Event::Disconnected { identity: &who, peer, reason: "gone" });
        assert!(watch.live().is_empty());
    }

    #[test]
    fn what_was_noted_is_on_disk_when_the_trail_has_ended_and_the_chain_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("station_audit.log");
        let (trail, end) = Trail::open(&path, &Clock::by_hand(5)).unwrap();
        for _ in 0..3000 {
            trail.note("anna", "admin", "login", "ok", None);
        }
        end.finish();
        let report = crate::audit::verify(&path, |_| None).unwrap();
        assert_eq!((report.records, report.broken), (3000, None));
    }
}
