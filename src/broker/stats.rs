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
}

impl Counters {
    /// Adds, and spares the shared cache line where there is nothing to add.
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        if amount > 0 {
            counter.fetch_add(amount, Relaxed);
        }
    }
}
