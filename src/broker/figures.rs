//! The broker seen from outside: what `$SYS`, `/metrics` and the list of sessions count beyond
//! [`Stats`](super::Stats).
//!
//! The running totals are [`Tallies`], touched once a batch and never once a message. What only a look at every
//! session tells is added up when somebody asks: [`Core::figures`].

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    Broker, Limits, Protocol, Stats, Transport, commits::Commits, core::Core, keeper::now_ms, stats::Counters,
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
    /// Counts one packet.
    pub(super) fn add(&mut self, qos: u8, bytes: usize) {
        if let Some(messages) = self.messages.get_mut(usize::from(qos)) {
            *messages += 1;
        }
        self.bytes += bytes as u64;
    }

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
    /// A batch of packets came in, and was answered by so many.
    pub(super) fn came(&self, packets: u64, flow: &Flow, answers: u64) {
        Counters::add(&self.packets_in, packets);
        Counters::add(&self.packets_out, answers);
        for (counter, messages) in self.received.iter().zip(flow.messages) {
            Counters::add(counter, messages);
        }
        Counters::add(&self.received_bytes, flow.bytes);
    }

    /// A packet went out that answers none of a batch: CONNACK, DISCONNECT.
    pub(super) fn spoke(&self) {
        self.packets_out.fetch_add(1, Relaxed);
    }

    /// A batch of messages went out.
    pub(super) fn went(&self, flow: &Flow) {
        for (counter, messages) in self.sent.iter().zip(flow.messages) {
            Counters::add(counter, messages);
        }
        Counters::add(&self.sent_bytes, flow.bytes);
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

/// What one connection received in the present batch.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) flow: Flow,
    answers: u64,
    packets: u64,
}

impl Seen {
    /// Counts the packets that answer the batch.
    pub(super) fn answered(&mut self, replies: &[u8]) {
        self.answers += count_packets(replies);
    }

    /// Hands the counts over; `packets` is the connection's running total.
    pub(super) fn settle(&mut self, packets: u64, tallies: &Tallies) -> u64 {
        let new = packets - self.packets;
        let flow = std::mem::take(&mut self.flow);
        tallies.came(new, &flow, std::mem::take(&mut self.answers));
        self.packets = packets;
        flow.total()
    }
}

/// How many packets stand in `bytes`, by their fixed headers (MQTT 5.0 §2.1).
fn count_packets(mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while bytes.len() > 1 {
        let (mut length, mut header) = (0, 1);
        for (shift, byte) in bytes[1..].iter().take(4).enumerate() {
            length |= usize::from(byte & 0x7F) << (7 * shift);
            header += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        count += 1;
        bytes = bytes.get(header + length..).unwrap_or_default();
    }
    count
}

impl Core {
    /// Everything that is counted, now. Looks at every session once, under its own short lock.
    pub(super) fn figures(&self) -> Figures {
        let mut figures = self.totals();
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        let controls: Vec<_> = self.connections.lock().values().cloned().collect();
        let (mut depth, mut wills, mut shared) = (Depth::default(), 0, 0);
        for session in &sessions {
            depth.add(session.depth());
            let subscriptions = session.subscriptions.lock();
            shared += subscriptions.keys().filter(|filter| filter.levels().next() == Some("$share")).count();
            drop(subscriptions);
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
        figures.shared_subscriptions = shared as u64;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_counted_by_their_fixed_headers() {
        let puback = [0x40, 2, 0, 1];
        let pong = [0xD0, 0];
        let mut long = vec![0x90, 0x80, 0x01];
        long.resize(3 + 128, 0x40);
        let all = [&puback[..], &pong, &long, &puback, &pong].concat();
        assert_eq!(count_packets(&all), 5);
        assert_eq!(count_packets(&[]), 0);
        assert_eq!(count_packets(&[0x40, 0xFF, 0xFF]), 1, "one that is cut off ends the count");
    }
}
