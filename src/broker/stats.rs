//! What the broker counts about itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A snapshot of the counters. Totals count from the start of the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections past CONNECT, now.
    pub connections: u64,
    /// Sessions, connected or away, now.
    pub sessions: u64,
    /// Subscriptions of all sessions, now.
    pub subscriptions: u64,
    /// Retained messages, now.
    pub retained: u64,
    /// PUBLISH packets received and accepted, total.
    pub messages_in: u64,
    /// PUBLISH packets handed to connections, total; redeliveries count again.
    pub messages_out: u64,
    /// Bytes read from connections, total.
    pub bytes_in: u64,
    /// Bytes written to connections, total.
    pub bytes_out: u64,
    /// Messages that a subscriber lost because it read too slowly or its queue was full, total.
    pub dropped: u64,
    /// Messages that were refused, and not acknowledged, because they could not be kept, total.
    pub not_kept: u64,
    /// How often each limit was met, total.
    pub limits_hit: LimitsHit,
}

/// The running totals.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) messages_in: AtomicU64,
    pub(super) messages_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) not_kept: AtomicU64,
    limits_hit: [AtomicU64; Limit::ALL.len()],
}

impl Counters {
    /// Adds, and spares the shared cache line where there is nothing to add.
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        if amount > 0 {
            counter.fetch_add(amount, Relaxed);
        }
    }

    /// A limit was met so many times.
    pub(super) fn hit(&self, limit: Limit, times: u64) {
        if let Some(counter) = self.limits_hit.get(limit as usize) {
            Self::add(counter, times);
        }
    }

    pub(super) fn limits_hit(&self) -> LimitsHit {
        LimitsHit(std::array::from_fn(|at| self.limits_hit[at].load(Relaxed)))
    }
}

/// The limits whose meeting is counted, by the names that they have in [`super::Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "see the fields of the same names")]
pub enum Limit {
    MaxConnections,
    MaxConnectionsPerAddress,
    ConnectsPerSecondPerAddress,
    ConnectsPerSecond,
    MaxPendingHandshakes,
    HandshakeTimeout,
    MaxSessions,
    MaxConnectBytes,
    MaxClientIdBytes,
    MaxPacketBytes,
    MaxTopicLevels,
    MaxSubscriptionsPerSession,
    MaxInflight,
    /// `queue_messages` and `queue_bytes`: messages that were lost.
    Queue,
    /// The same for want of `queue_bytes_total`.
    QueueBytesTotal,
    PublishesPerSecond,
    WriteTimeout,
    /// `max_retained_messages` and `max_retained_bytes`.
    MaxRetained,
}

impl Limit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::MaxConnections,
        Self::MaxConnectionsPerAddress,
        Self::ConnectsPerSecondPerAddress,
        Self::ConnectsPerSecond,
        Self::MaxPendingHandshakes,
        Self::HandshakeTimeout,
        Self::MaxSessions,
        Self::MaxConnectBytes,
        Self::MaxClientIdBytes,
        Self::MaxPacketBytes,
        Self::MaxTopicLevels,
        Self::MaxSubscriptionsPerSession,
        Self::MaxInflight,
        Self::Queue,
        Self::QueueBytesTotal,
        Self::PublishesPerSecond,
        Self::WriteTimeout,
        Self::MaxRetained,
    ];

    /// Its name for settings and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxConnections => "max_connections",
            Self::MaxConnectionsPerAddress => "max_connections_per_address",
            Self::ConnectsPerSecondPerAddress => "connects_per_second_per_address",
            Self::ConnectsPerSecond => "connects_per_second",
            Self::MaxPendingHandshakes => "max_pending_handshakes",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::MaxSessions => "max_sessions",
            Self::MaxConnectBytes => "max_connect_bytes",
            Self::MaxClientIdBytes => "max_client_id_bytes",
            Self::MaxPacketBytes => "max_packet_bytes",
            Self::MaxTopicLevels => "max_topic_levels",
            Self::MaxSubscriptionsPerSession => "max_subscriptions_per_session",
            Self::MaxInflight => "max_inflight",
            Self::Queue => "queue",
            Self::QueueBytesTotal => "queue_bytes_total",
            Self::PublishesPerSecond => "publishes_per_second",
            Self::WriteTimeout => "write_timeout",
            Self::MaxRetained => "max_retained",
        }
    }
}

/// How often each limit was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsHit([u64; Limit::ALL.len()]);

impl LimitsHit {
    /// How often that one.
    #[must_use]
    pub fn of(&self, limit: Limit) -> u64 {
        self.0.get(limit as usize).copied().unwrap_or_default()
    }

    /// With a count that is kept elsewhere.
    pub(super) fn with(mut self, limit: Limit, times: u64) -> Self {
        if let Some(count) = self.0.get_mut(limit as usize) {
            *count = times;
        }
        self
    }

    /// Each limit with its count.
    pub fn each(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for (times, limit) in (1..).zip(Limit::ALL) {
            counters.hit(limit, times);
        }
        let hit: Vec<_> = counters.limits_hit().each().collect();
        let expected: Vec<_> = Limit::ALL.into_iter().zip(1..).collect();
        assert_eq!(hit, expected);
        assert_eq!(counters.limits_hit().of(Limit::MaxRetained), Limit::ALL.len() as u64);
    }
}
