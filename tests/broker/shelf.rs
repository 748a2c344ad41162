//! A keeper that a test holds in its hands: it keeps in memory what a disk would, waits and fails when told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sealwire::broker::{BoxFuture, Change, KeepError, Keeper, Kept, KeptSession};
use tokio::sync::watch;

/// Longer than anything here takes, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module. It outlives brokers, as a disk does.
pub struct Shelf {
    kept: Mutex<Kept>,
    /// Every batch that was asked for, kept or not.
    pub batches: Mutex<Vec<Vec<Change>>>,
    mood: watch::Sender<Mood>,
    /// Commits that began before the last kill come to nothing.
    kills: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Keeps,
    /// Neither keeps nor fails until told.
    Waits,
    Fails,
    Panics,
}

impl Shelf {
    pub fn new() -> Arc<Self> {
        let (kept, batches) = (Mutex::default(), Mutex::default());
        Arc::new(Self { kept, batches, mood: watch::Sender::new(Mood::Keeps), kills: AtomicU64::new(0) })
    }

    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The process ends while it waits: what it was asked to keep is lost, and for the next it keeps again.
    pub fn kill(&self) {
        self.kills.fetch_add(1, SeqCst);
        self.set(Mood::Keeps);
    }

    /// What is kept at this moment, out of reach of whoever keeps here: a kill.
    pub fn copied(&self) -> Arc<Self> {
        let copy = Self::new();
        *copy.kept.lock() = self.kept();
        copy
    }

    /// What a broker that starts now would find.
    pub fn kept(&self) -> Kept {
        self.kept.lock().clone()
    }

    pub fn session(&self, client_id: &str) -> Option<KeptSession> {
        self.kept().sessions.into_iter().find(|session| &*session.client_id == client_id)
    }

    /// The payloads that wait for a client.
    pub fn queue(&self, client_id: &str) -> Vec<String> {
        let queue = self.session(client_id).map(|session| session.queue).unwrap_or_default();
        queue.iter().map(|parcel| String::from_utf8(parcel.message.payload.to_vec()).unwrap()).collect()
    }

    /// Once what is kept is as the test wants it.
    pub async fn until(&self, what: &str, test: impl Fn(&Self) -> bool) {
        let come = async {
            while !test(self) {
                tokio::task::yield_now().await;
            }
        };
        let late = tokio::time::timeout(PATIENCE, come).await;
        late.unwrap_or_else(|_| panic!("never: {what}: {:#?}", self.kept()));
    }

    fn apply(kept: &mut Kept, change: &Change) {
        let Kept { sessions, retained, wills } = kept;
        let find = |sessions: &mut Vec<KeptSession>, number: u64, work: &dyn Fn(&mut KeptSession)| {
            sessions.iter_mut().filter(|session| session.session == number).for_each(work);
        };
        match change {
            Change::Opened { session, account, client_id, expiry_secs } => sessions.push(KeptSession {
                session: *session,
                account: account.clone(),
                client_id: client_id.clone(),
                expiry_secs: *expiry_secs,
                left_ms: None,
                subscriptions: Vec::new(),
                queue: Vec::new(),
                released: Vec::new(),
                accepted: Vec::new(),
            }),
            Change::Resumed { session, expiry_secs } => find(sessions, *session, &|session| {
                (session.expiry_secs, session.left_ms) = (*expiry_secs, None);
            }),
            Change::Left { session, expiry_secs, at_ms } => find(sessions, *session, &|session| {
                (session.expiry_secs, session.left_ms) = (*expiry_secs, Some(*at_ms));
            }),
            Change::Ended { session, .. } => sessions.retain(|there| there.session != *session),
            Change::Subscribed { session, filter, options } => find(sessions, *session, &|session| {
                session.subscriptions.retain(|(there, _)| there != filter);
                session.subscriptions.push((filter.clone(), *options));
            }),
            Change::Unsubscribed { session, filter } => find(sessions, *session, &|session| {
                session.subscriptions.retain(|(there, _)| there != filter);
            }),
            Change::Queued { session, parcel } => find(sessions, *session, &|session| {
                session.queue.push(parcel.clone());
                session.queue.sort_by_key(|parcel| parcel.number);
            }),
            Change::Released { session, numbers } => find(sessions, *session, &|session| {
                session.queue.retain(|parcel| !numbers.contains(&parcel.number));
                session.released.extend(numbers);
                session.released.sort_unstable();
                session.released.dedup();
            }),
            Change::Delivered { session, numbers } => find(sessions, *session, &|session| {
                session.queue.retain(|parcel| !numbers.contains(&parcel.number));
                session.released.retain(|number| !numbers.contains(number));
            }),
            Change::Accepted { session, packet_id } => find(sessions, *session, &|session| {
                session.accepted.retain(|there| there != packet_id);
                session.accepted.push(*packet_id);
            }),
            Change::Completed { session, packet_ids } => find(sessions, *session, &|session| {
                session.accepted.retain(|packet_id| !packet_ids.contains(packet_id));
            }),
            Change::WillLeft { session, will } => {
                wills.retain(|(there, _)| there != session);
                wills.push((*session, will.clone()));
            }
            Change::WillGone { session } => wills.retain(|(there, _)| there != session),
            Change::Retained { message } => {
                retained.retain(|there| there.topic != message.topic);
                retained.push(message.clone());
            }
            Change::Cleared { topic } => retained.retain(|there| there.topic != *topic),
        }
    }
}

impl Keeper for Shelf {
    fn restore(&self) -> BoxFuture<'_, Kept> {
        Box::pin(async { self.kept() })
    }

    fn commit<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        self.batches.lock().push(changes.to_vec());
        let kills = self.kills.load(SeqCst);
        Box::pin(async move {
            let mut moods = self.mood.subscribe();
            let mood = *moods.wait_for(|mood| *mood != Mood::Waits).await.unwrap();
            assert_ne!(mood, Mood::Panics);
            if mood == Mood::Fails || kills != self.kills.load(SeqCst) {
                return Err(KeepError("no space left".into()));
            }
            // All of a batch or nothing is what a kill finds.
            let mut kept = self.kept.lock();
            changes.iter().for_each(|change| Self::apply(&mut kept, change));
            Ok(())
        })
    }
}
