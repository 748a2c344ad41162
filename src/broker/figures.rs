//! The broker seen from outside: what `$SYS`, `/metrics` and the list of sessions count beyond
//! [`Stats`](super::Stats).
//!
//! The running totals are [`Tallies`], touched once a batch and never once a message; each connection
//! gathers a [`Count`] until then. What only a look at every
//! session tells is added up when somebody asks: [`Core::figures`].

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    Broker, Limit, Limits, Protocol, Stats, Transport, commits::Commits, core::Core, keeper::now_ms,
    stats::Counters,
};

/// PUBLISH packets, and the bytes of their payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Packets by QoS: 0, 1, 2.
    pub messages: [u64; 3],
    /// Bytes of payload.
    pub bytes: u64,
}

impl Flow {
    /// Packets of every QoS.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.messages.iter().sum()
    }
}

/// What waits for clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait for room.
    pub queued: u64,
    /// Their bytes of topic, payload and properties; retained messages that a subscription asked for are not counted,
    /// since they are shared.
    pub queued_bytes: u64,
    /// Sent or to be sent again under a packet id, and not acknowledged.
    pub inflight: u64,
}

impl Depth {
    fn add(&mut self, other: Self) {
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
        self.inflight += other.inflight;
    }
}

/// Connections that speak one protocol over one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaking {
    /// The protocol.
    pub protocol: Protocol,
    /// How its bytes come.
    pub transport: Transport,
    /// How many.
    pub connections: u64,
}

/// A snapshot of everything that is counted.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The counters.
    pub stats: Stats,
    /// Since the broker was made.
    pub uptime: Duration,
    /// When the broker was made, milliseconds since 1970.
    pub started_ms: u64,
    /// The most connections that there were at a time.
    pub max_connections: u64,
    /// Connections now, by protocol and transport.
    pub speaking: Vec<Speaking>,
    /// Sessions without a connection that ended because their time was over, total.
    pub expired: u64,
    /// Sockets accepted, total.
    pub sockets: u64,
    /// CONNECT packets understood, total.
    pub connects: u64,
    /// Packets of any type received, total.
    pub packets_in: u64,
    /// Packets of any type sent, total.
    pub packets_out: u64,
    /// PUBLISH packets received, whatever became of them, total.
    pub received: Flow,
    /// PUBLISH packets sent, total.
    pub sent: Flow,
    /// Subscriptions that are shared with a group (`$share/…`), now; they count among the others too.
    pub shared_subscriptions: u64,
    /// Bytes of topic, payload and properties of the retained messages, now.
    pub retained_bytes: u64,
    /// What waits in all sessions, now.
    pub depth: Depth,
    /// Wills that will be published should their clients vanish, or when their delay is over, now.
    pub wills: u64,
    /// Wills published, total.
    pub wills_published: u64,
    /// The journal's; none where nothing is kept.
    pub commits: Option<Commits>,
    /// Connections whose CONNECT is not answered yet, now.
    pub handshakes: u64,
    /// The bounds in force, to hold the figures against.
    pub limits: Limits,
}

/// The running totals.
#[derive(Debug)]
pub(super) struct Tallies {
    started: Instant,
    started_ms: u64,
    pub(super) max_connections: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) sockets: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) wills_published: AtomicU64,
    packets_in: AtomicU64,
    packets_out: AtomicU64,
    received: [AtomicU64; 3],
    received_bytes: AtomicU64,
    sent: [AtomicU64; 3],
    sent_bytes: AtomicU64,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            started_ms: now_ms(),
            max_connections: AtomicU64::default(),
            expired: AtomicU64::default(),
            sockets: AtomicU64::default(),
            connects: AtomicU64::default(),
            wills_published: AtomicU64::default(),
            packets_in: AtomicU64::default(),
            packets_out: AtomicU64::default(),
            received: Default::default(),
            received_bytes: AtomicU64::default(),
            sent: Default::default(),
            sent_bytes: AtomicU64::default(),
        }
    }
}

impl Tallies {
    /// A batch of packets came in, and was answered.
    pub(super) fn came(&self, packets: u64, lately: &Count) {
        Counters::add(&self.packets_in, packets);
        Counters::add(&self.packets_out, lately.others.into());
        for (counter, messages) in self.received.iter().zip(lately.messages) {
            Counters::add(counter, messages.into());
        }
        Counters::add(&self.received_bytes, lately.bytes);
    }

    /// A packet went out that answers none of a batch: CONNACK, DISCONNECT.
    pub(super) fn spoke(&self) {
        self.packets_out.fetch_add(1, Relaxed);
    }

    /// A batch of packets went out.
    pub(super) fn went(&self, lately: &Count) {
        Counters::add(&self.packets_out, lately.others.into());
        for (counter, messages) in self.sent.iter().zip(lately.messages) {
            Counters::add(counter, messages.into());
        }
        Counters::add(&self.sent_bytes, lately.bytes);
    }

    fn received(&self) -> Flow {
        let messages = std::array::from_fn(|qos| self.received[qos].load(Relaxed));
        Flow { messages, bytes: self.received_bytes.load(Relaxed) }
    }

    fn sent(&self) -> Flow {
        let messages = std::array::from_fn(|qos| self.sent[qos].load(Relaxed));
        Flow { messages, bytes: self.sent_bytes.load(Relaxed) }
    }
}

/// What one connection received or sent lately. Small, because every connection has two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// PUBLISH packets by QoS.
    messages: [u32; 3],
    /// Packets sent that are not PUBLISH.
    pub(super) others: u32,
    /// Bytes of payload.
    bytes: u64,
}

impl Count {
    /// Counts one PUBLISH.
    pub(super) fn add(&mut self, qos: u8, payload: usize) {
        self.add_many(qos, 1, payload as u64);
    }

    /// Counts several of one QoS.
    pub(super) fn add_many(&mut self, qos: u8, messages: u64, bytes: u64) {
        if let Some(count) = self.messages.get_mut(usize::from(qos)) {
            *count = count.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
        }
        self.bytes += bytes;
    }

    /// PUBLISH packets of every QoS.
    pub(super) fn total(&self) -> u64 {
        self.messages.iter().map(|messages| u64::from(*messages)).sum()
    }
}

/// What one connection received in the present batch, and how many packets answer it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) lately: Count,
    packets: u64,
}

impl Seen {
    /// So many packets more answer the batch.
    pub(super) fn answered(&mut self, packets: usize) {
        self.lately.others = self.lately.others.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
    }

    /// Hands the counts over, and returns how many PUBLISH packets came; `packets` is the connection's running total.
    pub(super) fn settle(&mut self, packets: u64, tallies: &Tallies) -> u64 {
        let lately = std::mem::take(&mut self.lately);
        tallies.came(packets - self.packets, &lately);
        self.packets = packets;
        lately.total()
    }
}

impl Core {
    /// Everything that is counted, now. Looks at every session once, under its own short lock.
    pub(super) fn figures(&self) -> Figures {
        let mut figures = self.totals();
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        let controls: Vec<_> = self.connections.lock().values().cloned().collect();
        let (mut depth, mut wills) = (Depth::default(), self.orphans.lock().len() as u64);
        for session in &sessions {
            depth.add(session.depth());
            wills += u64::from(session.pending_will.lock().is_some());
        }
        let mut speaking: Vec<Speaking> = Vec::new();
        for control in &controls {
            wills += u64::from(control.facts.get().is_some_and(|facts| facts.will.is_some()));
            let (protocol, transport) = (control.protocol, control.transport);
            let same = |group: &&mut Speaking| group.protocol == protocol && group.transport == transport;
            match speaking.iter_mut().find(same) {
                Some(group) => group.connections += 1,
                None => speaking.push(Speaking { protocol, transport, connections: 1 }),
            }
        }
        (figures.depth, figures.wills, figures.speaking) = (depth, wills, speaking);
        figures
    }

    /// What is counted anyhow; what only a look at every session tells is left out.
    pub(super) fn totals(&self) -> Figures {
        let tallies = &self.tallies;
        let answers = tallies.packets_out.load(Relaxed);
        let (received, sent) = (tallies.received(), tallies.sent());
        let connects = tallies.connects.load(Relaxed);
        let pending = self.limits.max_pending_handshakes - self.handshakes.available_permits();
        Figures {
            stats: self.stats(),
            uptime: tallies.started.elapsed(),
            started_ms: tallies.started_ms,
            max_connections: tallies.max_connections.load(Relaxed),
            expired: tallies.expired.load(Relaxed),
            sockets: tallies.sockets.load(Relaxed),
            connects,
            packets_in: connects + tallies.packets_in.load(Relaxed),
            packets_out: answers + sent.total(),
            received,
            sent,
            shared_subscriptions: self.router.shared_len() as u64,
            retained_bytes: self.retained.lock().bytes() as u64,
            wills_published: tallies.wills_published.load(Relaxed),
            commits: self.journal.as_ref().map(|journal| journal.commits()),
            handshakes: pending as u64,
            limits: self.limits.clone(),
            ..Figures::default()
        }
    }

    /// The counters.
    pub(super) fn stats(&self) -> Stats {
        let counters = &self.counters;
        Stats {
            connections: self.connections.lock().len() as u64,
            sessions: self.sessions.lock().len() as u64,
            subscriptions: self.router.len() as u64,
            retained: self.retained.lock().len() as u64,
            messages_in: counters.messages_in.load(Relaxed),
            messages_out: counters.messages_out.load(Relaxed),
            bytes_in: counters.bytes_in.load(Relaxed),
            bytes_out: counters.bytes_out.load(Relaxed),
            dropped: counters.dropped.load(Relaxed),
            not_kept: counters.not_kept.load(Relaxed),
            limits_hit: counters.limits_hit().with(Limit::QueueBytesTotal, self.queued.refused()),
        }
    }
}

impl Broker {
    /// Everything that is counted, now. Looks at every session: for a scrape or a screen, not for a hot path.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.core.figures()
    }
}
