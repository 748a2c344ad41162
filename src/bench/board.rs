//! What the threads of a run tell each other: the phase, and counters that each thread writes for itself.

use std::{
    io,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mio::Waker;

/// Where a run stands. Only the conductor moves it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Connections are made and subscribe.
    Connect,
    /// Publishers send.
    Run,
    /// No more is sent; what is on its way may arrive.
    Drain,
    /// Everybody leaves.
    Stop,
}

/// Shared by the conductor and its workers.
pub struct Board {
    began: Instant,
    phase: AtomicU8,
    measuring: AtomicBool,
    /// Nanoseconds since `began` when the phase became [`Phase::Run`].
    run_began_ns: AtomicU64,
    ready: AtomicUsize,
    workers: Vec<Place>,
    sent: Vec<Padded<AtomicU64>>,
    /// For each publisher, for each of its subscribers: one past the highest number that came through.
    progress: Vec<AtomicU64>,
    copies: usize,
    trouble: Mutex<Trouble>,
}

/// On a cache line of its own, so that threads do not slow each other down.
#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// What one worker tells.
#[derive(Default)]
#[repr(align(128))]
struct Place {
    delivered: AtomicU64,
    delivered_bytes: AtomicU64,
    acknowledged: AtomicU64,
    waker: OnceLock<Waker>,
    /// It waits for progress, and wants to be woken.
    hungry: AtomicBool,
}

/// Sums over all workers at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// Messages that publishers handed to the system.
    pub sent: u64,
    /// Different messages that subscribers got.
    pub delivered: u64,
    /// Payload bytes of those.
    pub delivered_bytes: u64,
    /// Messages whose QoS 1 or 2 exchange is complete.
    pub acknowledged: u64,
}

/// What went wrong on the way.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// Connections that ended before they should.
    pub connections_lost: u64,
    /// The first that was heard of.
    pub first: Option<Loss>,
}

/// Why a connection ended, or was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Which kind.
    pub kind: LossKind,
    /// In words.
    pub what: String,
}

impl Loss {
    pub(super) fn of(kind: LossKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// The socket's error, with what failed.
    pub(super) fn io(what: &str, error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let untrusted = matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
        let kind = if untrusted { LossKind::Untrusted } else { LossKind::Broke };
        Self::of(kind, format!("{what} ({error})"))
    }
}

/// What a loss means for whoever asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossKind {
    /// Nobody was reached, or the connection broke.
    Broke,
    /// The broker said no to a login, or to a permission.
    Refused,
    /// The broker's certificate does not hold.
    Untrusted,
    /// The broker cannot do what was asked for.
    Unable,
}

impl Board {
    /// For so many workers and publishers, each with so many subscribers.
    #[must_use]
    pub fn new(workers: usize, publishers: usize, copies: usize) -> Self {
        Self {
            began: Instant::now(),
            phase: AtomicU8::new(Phase::Connect as u8),
            measuring: AtomicBool::new(false),
            run_began_ns: AtomicU64::new(0),
            ready: AtomicUsize::new(0),
            workers: (0..workers).map(|_| Place::default()).collect(),
            sent: (0..publishers).map(|_| Padded::default()).collect(),
            progress: (0..publishers * copies).map(|_| AtomicU64::new(0)).collect(),
            copies,
            trouble: Mutex::default(),
        }
    }

    /// Nanoseconds since the board was made: the clock of all stamps.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.began.elapsed())
    }

    /// Where the run stands.
    #[inline]
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Connect,
            1 => Phase::Run,
            2 => Phase::Drain,
            _ => Phase::Stop,
        }
    }

    /// Moves the run on, and wakes everybody.
    pub fn enter(&self, phase: Phase) {
        if phase == Phase::Run {
            self.run_began_ns.store(self.now_ns(), Ordering::Release);
        }
        self.phase.store(phase as u8, Ordering::Release);
        for at in 0..self.workers.len() {
            self.wake(at);
        }
    }

    /// When publishers began, on the board's clock.
    #[must_use]
    pub fn run_began_ns(&self) -> u64 {
        self.run_began_ns.load(Ordering::Acquire)
    }

    /// Whether latencies count.
    #[inline]
    #[must_use]
    pub fn measuring(&self) -> bool {
        self.measuring.load(Ordering::Relaxed)
    }

    /// From here on latencies count, or no longer.
    pub fn measure(&self, on: bool) {
        self.measuring.store(on, Ordering::Relaxed);
    }

    /// One more connection stands, and is subscribed.
    pub fn one_ready(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
    }

    /// How many stand.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.load(Ordering::Acquire)
    }

    /// A worker's way to be woken.
    pub fn set_waker(&self, worker: usize, waker: Waker) {
        if let Some(place) = self.workers.get(worker) {
            let _ = place.waker.set(waker);
        }
    }

    fn wake(&self, worker: usize) {
        if let Some(waker) = self.workers.get(worker).and_then(|place| place.waker.get()) {
            // A worker that is gone needs no waking.
            let _ = waker.wake();
        }
    }

    /// Says that this worker is about to wait for progress.
    pub fn go_hungry(&self, worker: usize) {
        if let Some(place) = self.workers.get(worker) {
            place.hungry.store(true, Ordering::SeqCst);
        }
    }

    /// Wakes those who wait for progress, except the caller.
    #[inline]
    pub fn feed(&self, caller: usize) {
        for (at, place) in self.workers.iter().enumerate() {
            if at != caller
                && place.hungry.load(Ordering::SeqCst)
                && place.hungry.swap(false, Ordering::SeqCst)
            {
                self.wake(at);
            }
        }
    }

    /// What a worker's subscribers and publishers have seen in all.
    #[inline]
    pub fn tell(&self, worker: usize, delivered: u64, delivered_bytes: u64, acknowledged: u64) {
        if let Some(place) = self.workers.get(worker) {
            place.delivered.store(delivered, Ordering::Release);
            place.delivered_bytes.store(delivered_bytes, Ordering::Relaxed);
            place.acknowledged.store(acknowledged, Ordering::Relaxed);
        }
    }

    /// How many messages a publisher has sent.
    #[inline]
    pub fn tell_sent(&self, publisher: usize, sent: u64) {
        if let Some(place) = self.sent.get(publisher) {
            place.0.store(sent, Ordering::Release);
        }
    }

    /// How many messages a publisher has sent.
    #[must_use]
    pub fn sent(&self, publisher: usize) -> u64 {
        self.sent.get(publisher).map_or(0, |place| place.0.load(Ordering::Acquire))
    }

    /// How far a publisher's messages came at one of its subscribers.
    #[inline]
    pub fn tell_progress(&self, publisher: usize, copy: usize, next: u64) {
        if let Some(place) = self.progress.get(publisher * self.copies + copy) {
            place.store(next, Ordering::Release);
        }
    }

    /// How far a publisher's messages came at the slowest of its subscribers.
    #[inline]
    #[must_use]
    pub fn progress(&self, publisher: usize) -> u64 {
        let from = publisher * self.copies;
        let places = self.progress.get(from..from + self.copies).unwrap_or_default();
        places.iter().map(|place| place.load(Ordering::Acquire)).min().unwrap_or(0)
    }

    /// All sums now.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for place in &self.workers {
            sums.delivered += place.delivered.load(Ordering::Acquire);
            sums.delivered_bytes += place.delivered_bytes.load(Ordering::Relaxed);
            sums.acknowledged += place.acknowledged.load(Ordering::Relaxed);
        }
        sums.sent = self.sent.iter().map(|place| place.0.load(Ordering::Acquire)).sum();
        sums
    }

    /// Notes a connection that ended, or could not be made.
    pub fn lose(&self, loss: Loss) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.connections_lost += 1;
        trouble.first.get_or_insert(loss);
    }

    /// What went wrong so far.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A span in nanoseconds. 584 years fit.
#[inline]
pub fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
