//! From what happens to what is on disk: gathers the changes of all connections, in order, and has the keeper commit
//! them batch by batch. Whoever owes an answer holds a [`Ticket`] and waits for its batch.
//!
//! Its lock is the innermost: it is taken with a session's, the outbox's or the retained messages' held, so that
//! changes stand here in the order in which they happened there. It is held for one push and never across an await.
//!
//! A batch waits for the one before it, and so carries whatever came meanwhile (group commit). What nobody waits for,
//! such as acknowledgements by subscribers, is in no hurry; much of it cancels out with what it removes and never
//! reaches the disk.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    commits::{CommitTallies, Commits},
    keeper::{Change, KeepError, Keeper},
    ticket::{Batch, Ticket, Tickets},
};

/// Bytes of changes that wait for the keeper; then publishers wait, after at most one more packet each.
const MAX_PENDING_BYTES: usize = 32 << 20;
/// About what a change costs without its message.
const CHANGE_BYTES: usize = 128;
/// How long a change may stay in memory that nobody waits for.
const LAZY: Duration = Duration::from_millis(100);
/// How long it rests after the keeper failed; publishes are refused meanwhile without being tried.
const REST: Duration = Duration::from_secs(1);
/// Changes that remove something are tried again after a failure, up to so many.
const MAX_CARRIED: usize = 100_000;

/// Why something is refused that would have to be kept.
pub(super) const NOT_KEPT: &str = "the station cannot write to its disk now: try again later";

/// See the module.
pub(super) struct Journal {
    keeper: Arc<dyn Keeper>,
    pending: Mutex<Pending>,
    /// Held while changes are added that must not be torn apart, and by itself while a batch is cut off.
    gate: RwLock<()>,
    /// The batch that the keeper has.
    committing: Mutex<Option<Arc<Batch>>>,
    work: Notify,
    room: Notify,
    full: AtomicBool,
    failing: AtomicBool,
    /// While it fails: when a publish may be tried again.
    retry_at: Mutex<Instant>,
    /// The last number given to a message.
    messages: AtomicU64,
    finished: CancellationToken,
    tallies: CommitTallies,
}

struct Pending {
    changes: Vec<Change>,
    bytes: usize,
    batch: Arc<Batch>,
    /// Somebody waits for it.
    hurried: bool,
    /// What is there is the last.
    closing: bool,
    /// Nothing is committed any more.
    closed: bool,
    /// The message whose bytes were counted last: a fan-out's changes share it.
    counted: u64,
}

impl Journal {
    /// `last_message` is the highest number of the messages that were restored.
    pub(super) fn new(keeper: Arc<dyn Keeper>, last_message: u64) -> Self {
        let pending = Pending {
            changes: Vec::new(),
            bytes: 0,
            batch: Arc::default(),
            hurried: false,
            closing: false,
            closed: false,
            counted: 0,
        };
        Self {
            keeper,
            pending: Mutex::new(pending),
            gate: RwLock::new(()),
            committing: Mutex::new(None),
            work: Notify::new(),
            room: Notify::new(),
            full: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            retry_at: Mutex::new(Instant::now()),
            messages: AtomicU64::new(last_message),
            finished: CancellationToken::new(),
            tallies: CommitTallies::default(),
        }
    }

    /// A number that no message has.
    pub(super) fn next_message(&self) -> u64 {
        self.messages.fetch_add(1, SeqCst) + 1
    }

    /// Adds a change.
    pub(super) fn record(&self, change: Change) -> Ticket {
        let message = match &change {
            Change::Queued { parcel, .. } => Some(&parcel.message),
            Change::Retained { message } => Some(message),
            _ => None,
        };
        let mut pending = self.pending.lock();
        let ticket = Ticket(Arc::clone(&pending.batch));
        if pending.closed {
            return ticket;
        }
        pending.bytes += CHANGE_BYTES;
        if let Some(message) = message.filter(|message| message.number != pending.counted) {
            pending.bytes += message.weight();
            pending.counted = message.number;
        }
        let first = pending.changes.is_empty();
        pending.changes.push(change);
        let hurry = pending.bytes >= MAX_PENDING_BYTES / 2 && !std::mem::replace(&mut pending.hurried, true);
        self.full.store(pending.bytes >= MAX_PENDING_BYTES, SeqCst);
        drop(pending);
        if first || hurry {
            self.work.notify_one();
        }
        ticket
    }

    /// The batch into which a change goes now; the same as long as the gate's guard lives.
    pub(super) fn batch(&self) -> Ticket {
        Ticket(Arc::clone(&self.pending.lock().batch))
    }

    /// While the guard lives, all that is added goes into one batch. Not to be held across an await, nor taken twice.
    pub(super) fn gate(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read()
    }

    /// Waits until the batches are committed; false where one was not.
    pub(super) async fn settled(&self, tickets: &Tickets) -> bool {
        let mut kept = true;
        for ticket in tickets.iter() {
            self.hurry(ticket);
            kept &= ticket.settled().await;
        }
        kept
    }

    /// Somebody waits for its batch.
    pub(super) fn hurry(&self, ticket: &Ticket) {
        let mut pending = self.pending.lock();
        let waits = Arc::ptr_eq(&pending.batch, &ticket.0);
        if waits && !std::mem::replace(&mut pending.hurried, true) {
            drop(pending);
            self.work.notify_one();
        }
    }

    /// Whether publishers should wait before they add more.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(SeqCst)
    }

    /// Waits until there is room.
    pub(super) async fn room(&self) {
        loop {
            let room = self.room.notified();
            if !self.is_full() {
                return;
            }
            room.await;
        }
    }

    /// Whether the last batch could not be kept.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(SeqCst)
    }

    /// Whether a publish that must be kept is refused without being tried: while the keeper fails, one a second is
    /// let through to see whether it works again.
    pub(super) fn refuses(&self) -> bool {
        if !self.is_failing() {
            return false;
        }
        let now = Instant::now();
        let mut retry_at = self.retry_at.lock();
        let refuses = now < *retry_at;
        if !refuses {
            *retry_at = now + REST;
        }
        refuses
    }

    /// What it counted, and what waits now.
    pub(super) fn commits(&self) -> Commits {
        let (pending, pending_bytes) = {
            let pending = self.pending.lock();
            (pending.changes.len() as u64, pending.bytes as u64)
        };
        Commits { pending, pending_bytes, failing: self.is_failing(), ..self.tallies.snapshot() }
    }

    /// Commits what is there, and then nothing more.
    pub(super) fn close(&self) {
        self.pending.lock().closing = true;
        self.work.notify_one();
    }

    /// Resolves when the last batch was committed after [`Journal::close`].
    pub(super) async fn finished(&self) {
        self.finished.cancelled().await;
    }

    /// Commits batch after batch until [`Journal::close`].
    pub(super) async fn run(self: Arc<Self>) {
        let _last = LastWords(&self);
        while self.work_is_due().await {
            let Some((batch, mut changes, bytes)) = self.take() else { continue };
            prune(&mut changes);
            let (count, begun) = (changes.len(), Instant::now());
            let outcome = if count == 0 { Ok(()) } else { self.keeper.commit(&changes).await };
            if count > 0 {
                self.tallies.note(outcome.is_ok(), count, bytes, begun.elapsed());
            }
            *self.committing.lock() = None;
            self.judge(&outcome);
            if outcome.is_err() {
                self.carry_over(changes);
            }
            batch.settle(outcome.is_ok());
            self.room.notify_waiters();
        }
    }

    /// Waits until a batch should be committed; false where there will be none.
    async fn work_is_due(&self) -> bool {
        let mut deadline = None;
        loop {
            {
                let pending = self.pending.lock();
                if pending.closing {
                    return !pending.changes.is_empty();
                }
                if pending.hurried {
                    return true;
                }
                if pending.changes.is_empty() {
                    deadline = None;
                } else if deadline.is_none() {
                    deadline = Some(Instant::now() + if self.is_failing() { REST } else { LAZY });
                }
            }
            match deadline {
                None => self.work.notified().await,
                Some(deadline) => {
                    if timeout_at(deadline, self.work.notified()).await.is_err() {
                        return true;
                    }
                }
            }
        }
    }

    fn take(&self) -> Option<(Arc<Batch>, Vec<Change>, usize)> {
        let _whole = self.gate.write();
        let mut pending = self.pending.lock();
        pending.hurried = false;
        if pending.changes.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut pending.bytes);
        pending.counted = 0;
        let changes = std::mem::take(&mut pending.changes);
        let batch = std::mem::take(&mut pending.batch);
        *self.committing.lock() = Some(Arc::clone(&batch));
        self.full.store(false, SeqCst);
        Some((batch, changes, bytes))
    }

    /// Says in the log when the keeper begins to fail and when it works again.
    fn judge(&self, outcome: &Result<(), KeepError>) {
        match outcome {
            Ok(()) => {
                if self.failing.swap(false, SeqCst) {
                    tracing::info!("sessions and retained messages are kept again");
                }
            }
            Err(error) => {
                *self.retry_at.lock() = Instant::now() + REST;
                if !self.failing.swap(true, SeqCst) {
                    tracing::error!(
                        %error,
                        "sessions and messages cannot be kept: what would have to be is refused until they can"
                    );
                }
            }
        }
    }

    /// What was not removed stays to be removed, ahead of what came meanwhile. So do the steps of QoS 2 exchanges that
    /// a client has said and may not say again: its PUBREC takes the message, its PUBREL the packet id.
    fn carry_over(&self, changes: Vec<Change>) {
        let removals = changes.into_iter().filter(|change| {
            matches!(
                change,
                Change::Ended { handed_on: false, .. }
                    | Change::Left { .. }
                    | Change::Unsubscribed { .. }
                    | Change::Released { .. }
                    | Change::Completed { .. }
                    | Change::Delivered { .. }
                    | Change::Cleared { .. }
                    | Change::WillGone { .. }
            )
        });
        let mut carried: Vec<_> = removals.collect();
        once_each(&mut carried);
        if carried.len() > MAX_CARRIED {
            // They come again at the next start: sessions that expire, messages with DUP.
            tracing::warn!(lost = carried.len() - MAX_CARRIED, "what is over may come back after a restart");
            carried.truncate(MAX_CARRIED);
        }
        let mut pending = self.pending.lock();
        if pending.closing {
            return;
        }
        pending.bytes += carried.len() * CHANGE_BYTES;
        carried.append(&mut pending.changes);
        pending.changes = carried;
    }
}

/// Of what its owners record again while nothing can be kept, one is enough.
fn once_each(changes: &mut Vec<Change>) {
    let mut known = HashSet::new();
    changes.retain_mut(|change| {
        let (session, numbers) = match change {
            Change::Released { session, numbers } => (*session, numbers),
            _ => return true,
        };
        numbers.retain(|number| known.insert((session, *number)));
        !numbers.is_empty()
    });
}

/// However the task ends, nobody waits for ever.
struct LastWords<'a>(&'a Journal);

impl Drop for LastWords<'_> {
    fn drop(&mut self) {
        let mut pending = self.0.pending.lock();
        pending.closed = true;
        pending.changes = Vec::new();
        let last = Arc::clone(&pending.batch);
        drop(pending);
        last.settle(false);
        if let Some(batch) = self.0.committing.lock().take() {
            batch.settle(false);
        }
        self.0.failing.store(true, SeqCst);
        self.0.full.store(false, SeqCst);
        self.0.room.notify_waiters();
        self.0.finished.cancel();
    }
}

/// What is queued and delivered within one batch, or of a session that ends in it, need not reach the disk; nor need
/// a will that is followed by another or by its end. Numbers do not come again: what is said of one after it was
/// delivered would stay for ever.
fn prune(changes: &mut Vec<Change>) {
    let (mut ended, mut wills) = (HashSet::new(), HashSet::new());
    // Numbers that are over, by where that is said.
    let mut over: HashMap<(u64, u64), usize> = HashMap::new();
    let (mut needless, mut cancelled) = (vec![false; changes.len()], HashSet::new());
    let mut last_released = None;
    for (index, change) in changes.iter_mut().enumerate().rev() {
        needless[index] = match change {
            Change::Delivered { session, numbers } => {
                over.extend(numbers.iter().map(|number| ((*session, *number), index)));
                ended.contains(session)
            }
            Change::Released { session, numbers } => {
                numbers.retain(|number| !over.contains_key(&(*session, *number)));
                let needless = numbers.is_empty() || ended.contains(session);
                last_released = last_released.or((!needless).then_some(index));
                needless
            }
            Change::Queued { session, parcel } => {
                let place = (*session, parcel.number);
                let over = if ended.contains(session) { None } else { over.remove(&place) };
                cancelled.extend(over.map(|at| (at, parcel.number)));
                over.is_some() || ended.contains(session)
            }
            Change::Accepted { session, .. } | Change::Completed { session, .. } => ended.contains(session),
            Change::Ended { session, .. } => {
                ended.insert(*session);
                false
            }
            Change::WillLeft { session, .. } | Change::WillGone { session } => !wills.insert(*session),
            _ => false,
        };
    }
    let (mut index, mut delivered) = (0, HashSet::new());
    changes.retain_mut(|change| {
        let (at, mut keep) = (index, !needless[index]);
        index += 1;
        match change {
            Change::Delivered { session, numbers } => {
                if last_released.is_some_and(|last| at < last) {
                    delivered.extend(numbers.iter().map(|number| (*session, *number)));
                }
                numbers.retain(|number| !cancelled.contains(&(at, *number)));
                keep &= !numbers.is_empty();
            }
            Change::Released { session, numbers } => {
                numbers.retain(|number| !delivered.contains(&(*session, *number)));
                keep &= !numbers.is_empty();
            }
            _ => {}
        }
        keep
    });
}

#[cfg(test)]
mod tests;
