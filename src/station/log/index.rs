//! What is live: the state that all changes so far add up to. From it a snapshot is written, and what the broker gets
//! at the start. The same code brings it forward when a batch was kept and when a log is read, so both agree.
//!
//! Messages are held, not copied: the broker holds the same ones as long as they wait, and payloads are counted
//! references. So old segments need never be read again, and a message costs one entry here.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use ahash::AHashMap;

use super::encode::same;
use crate::{
    broker::{Change, Kept, KeptMessage, KeptParcel, KeptSession, KeptWill, SubscriptionOptions},
    topic::{TopicFilter, TopicName},
};

/// About what a session, and what any other thing, takes in a segment beside its texts.
const SESSION_BYTES: u64 = 32;
const ENTRY_BYTES: u64 = 16;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) retained: AHashMap<TopicName, Slot<Arc<KeptMessage>>>,
    pub(super) wills: BTreeMap<u64, Arc<KeptWill>>,
    /// By number, those that somebody waits for.
    bodies: AHashMap<u64, Body>,
    next_body: u64,
    live_bytes: u64,
}

/// Something with the id of its body in the log.
#[derive(Debug, Clone)]
pub(super) struct Slot<T> {
    pub(super) body: u64,
    pub(super) what: T,
}

#[derive(Debug, Clone)]
struct Body {
    id: u64,
    message: Arc<KeptMessage>,
    /// Places that it waits in.
    uses: usize,
}

/// One session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) account: Arc<str>,
    pub(super) client_id: Arc<str>,
    pub(super) expiry_secs: u32,
    pub(super) left_ms: Option<u64>,
    pub(super) subscriptions: BTreeMap<TopicFilter, SubscriptionOptions>,
    pub(super) queue: BTreeMap<u64, Slot<KeptParcel>>,
    pub(super) released: BTreeSet<u64>,
    pub(super) accepted: BTreeSet<u16>,
}

impl Index {
    /// The id of a message's body, if a segment that stays has it.
    pub(super) fn body(&self, message: &Arc<KeptMessage>) -> Option<u64> {
        let body = self.bodies.get(&message.number)?;
        same(&body.message, message).then_some(body.id)
    }

    /// The body of this number, if it has this id.
    pub(super) fn message(&self, number: u64, id: u64) -> Option<&Arc<KeptMessage>> {
        self.bodies.get(&number).filter(|body| body.id == id).map(|body| &body.message)
    }

    /// From which on ids are free.
    pub(super) fn next_body(&self) -> u64 {
        self.next_body
    }

    /// Ids up to this one were given.
    pub(super) fn gave(&mut self, id: u64) {
        self.next_body = self.next_body.max(id.saturating_add(1));
    }

    /// How many bodies there are.
    pub(super) fn bodies(&self) -> usize {
        self.bodies.len()
    }

    /// About what a snapshot takes.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Brings it forward by a batch; `bodies` has the id for each change that has a message.
    pub(super) fn apply(&mut self, changes: Vec<Change>, bodies: &[u64]) {
        let mut bodies = bodies.iter().copied();
        for change in changes {
            self.apply_one(change, &mut bodies);
        }
    }

    fn apply_one(&mut self, change: Change, bodies: &mut impl Iterator<Item = u64>) {
        match change {
            Change::Opened { session, account, client_id, expiry_secs } => {
                self.open(session, account, client_id, expiry_secs);
            }
            Change::Resumed { session, expiry_secs } => self.session(session, |session| {
                (session.expiry_secs, session.left_ms) = (expiry_secs, None);
            }),
            Change::Left { session, expiry_secs, at_ms } => self.session(session, |session| {
                (session.expiry_secs, session.left_ms) = (expiry_secs, Some(at_ms));
            }),
            Change::Ended { session, .. } => self.end(session),
            Change::Subscribed { session, filter, options } => {
                let length = filter.as_str().len();
                if let Some(session) = self.sessions.get_mut(&session)
                    && session.subscriptions.insert(filter, options).is_none()
                {
                    self.grow(length);
                }
            }
            Change::Unsubscribed { session, filter } => {
                if let Some(session) = self.sessions.get_mut(&session)
                    && session.subscriptions.remove(&filter).is_some()
                {
                    self.shrink(filter.as_str().len());
                }
            }
            Change::Queued { session, parcel } => {
                let Some(body) = bodies.next() else { return };
                self.gave(body);
                self.queue(session, Slot { body, what: parcel });
            }
            Change::Released { session, numbers } => {
                self.take(session, &numbers);
                self.session(session, |session| session.released.extend(numbers));
            }
            Change::Delivered { session, numbers } => {
                self.take(session, &numbers);
                self.session(session, |session| {
                    if session.released.is_empty() {
                        return;
                    }
                    for number in &numbers {
                        session.released.remove(number);
                    }
                });
            }
            Change::Accepted { session, packet_id } => {
                self.session(session, |session| session.accepted.extend([packet_id]));
            }
            Change::Completed { session, packet_ids } => self.session(session, |session| {
                for packet_id in &packet_ids {
                    session.accepted.remove(packet_id);
                }
            }),
            Change::WillLeft { session, will } => {
                self.grow(will.message.weight());
                if let Some(old) = self.wills.insert(session, will) {
                    self.shrink(old.message.weight());
                }
            }
            Change::WillGone { session } => {
                if let Some(old) = self.wills.remove(&session) {
                    self.shrink(old.message.weight());
                }
            }
            Change::Retained { message } => {
                let Some(body) = bodies.next() else { return };
                self.gave(body);
                self.hold(&message, body);
                self.grow(0);
                let slot = Slot { body, what: Arc::clone(&message) };
                if let Some(old) = self.retained.insert(message.topic.clone(), slot) {
                    self.shrink(0);
                    self.let_go(old.what.number, old.body);
                }
            }
            Change::Cleared { topic } => {
                if let Some(old) = self.retained.remove(&topic) {
                    self.shrink(0);
                    self.let_go(old.what.number, old.body);
                }
            }
        }
    }

    /// A session that is not there (any more) is passed over.
    fn session(&mut self, session: u64, work: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.get_mut(&session) {
            work(session);
        }
    }

    fn open(&mut self, session: u64, account: Arc<str>, client_id: Arc<str>, expiry_secs: u32) {
        match self.sessions.entry(session) {
            Entry::Occupied(mut there) => {
                let there = there.get_mut();
                (there.account, there.client_id) = (account, client_id);
                (there.expiry_secs, there.left_ms) = (expiry_secs, None);
            }
            Entry::Vacant(place) => {
                self.live_bytes += SESSION_BYTES + (account.len() + client_id.len()) as u64;
                place.insert(Session {
                    account,
                    client_id,
                    expiry_secs,
                    left_ms: None,
                    subscriptions: BTreeMap::new(),
                    queue: BTreeMap::new(),
                    released: BTreeSet::new(),
                    accepted: BTreeSet::new(),
                });
            }
        }
    }

    fn end(&mut self, session: u64) {
        let Some(session) = self.sessions.remove(&session) else { return };
        let texts = (session.account.len() + session.client_id.len()) as u64;
        self.live_bytes = self.live_bytes.saturating_sub(SESSION_BYTES + texts);
        session.subscriptions.keys().for_each(|filter| self.shrink(filter.as_str().len()));
        for slot in session.queue.into_values() {
            self.shrink(0);
            self.let_go(slot.what.message.number, slot.body);
        }
    }

    fn queue(&mut self, session: u64, slot: Slot<KeptParcel>) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        let (message, body) = (Arc::clone(&slot.what.message), slot.body);
        let old = session.queue.insert(slot.what.number, slot);
        self.grow(0);
        self.hold(&message, body);
        if let Some(old) = old {
            self.shrink(0);
            self.let_go(old.what.message.number, old.body);
        }
    }

    /// Takes these out of a session's queue.
    fn take(&mut self, session: u64, numbers: &[u64]) {
        for number in numbers {
            let Some(session) = self.sessions.get_mut(&session) else { return };
            if let Some(slot) = session.queue.remove(number) {
                self.shrink(0);
                self.let_go(slot.what.message.number, slot.body);
            }
        }
    }

    fn hold(&mut self, message: &Arc<KeptMessage>, id: u64) {
        let body = self.bodies.get_mut(&message.number).filter(|body| body.id == id);
        if let Some(body) = body {
            body.uses += 1;
            return;
        }
        self.grow(message.weight());
        let body = Body { id, message: Arc::clone(message), uses: 1 };
        // Another one by this number: whoever waits for that has it still, but it is not found by number any more.
        if let Some(other) = self.bodies.insert(message.number, body) {
            self.shrink(other.message.weight());
        }
    }

    fn let_go(&mut self, number: u64, id: u64) {
        let Some(body) = self.bodies.get_mut(&number).filter(|body| body.id == id) else { return };
        body.uses -= 1;
        if body.uses == 0
            && let Some(body) = self.bodies.remove(&number)
        {
            self.shrink(body.message.weight());
        }
    }

    fn grow(&mut self, bytes: usize) {
        self.live_bytes += ENTRY_BYTES + bytes as u64;
    }

    fn shrink(&mut self, bytes: usize) {
        self.live_bytes = self.live_bytes.saturating_sub(ENTRY_BYTES + bytes as u64);
    }

    /// As the broker asks for it.
    pub(super) fn kept(&self) -> Kept {
        let sessions = self.sessions.iter().map(|(number, session)| KeptSession {
            session: *number,
            account: Arc::clone(&session.account),
            client_id: Arc::clone(&session.client_id),
            expiry_secs: session.expiry_secs,
            left_ms: session.left_ms,
            subscriptions: session.subscriptions.iter().map(|(f, options)| (f.clone(), *options)).collect(),
            queue: session.queue.values().map(|slot| slot.what.clone()).collect(),
            released: session.released.iter().copied().collect(),
            accepted: session.accepted.iter().copied().collect(),
        });
        let mut retained: Vec<_> = self.retained.values().map(|slot| Arc::clone(&slot.what)).collect();
        retained.sort_by(|one, other| one.topic.cmp(&other.topic));
        let wills = self.wills.iter().map(|(session, will)| (*session, Arc::clone(will)));
        Kept { sessions: sessions.collect(), retained, wills: wills.collect() }
    }
}
