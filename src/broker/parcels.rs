//! Messages that wait for one client, weighed so that the queue can be bounded, and with it all queues together.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{message::Message, shared::SharedFilter, ticket::Ticket};

/// What all queues of a broker weigh together, and may weigh.
#[derive(Debug)]
pub(super) struct Total {
    bytes: AtomicUsize,
    max: usize,
    refused: AtomicU64,
}

impl Total {
    pub(super) fn new(max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), max, refused: AtomicU64::new(0) }
    }

    /// Whether so much more fits. The last quarter is for clients that are connected: those that are away, and may
    /// never come back, cannot take it from them. Counted where it does not fit.
    fn has_room(&self, bytes: usize, connected: bool) -> bool {
        let max = if connected { self.max } else { self.max - self.max / 4 };
        let fits = self.bytes.load(Relaxed).saturating_add(bytes) <= max;
        if !fits {
            self.refused.fetch_add(1, Relaxed);
        }
        fits
    }

    /// How many messages did not fit.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// One message for one client.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) message: Arc<Message>,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) subscription_ids: Arc<[u32]>,
    /// A retained message that a subscription asked for. Not bounded by the queue's limits, since it is shared with
    /// the table of retained messages.
    pub(super) replay: bool,
    /// The group that it was sent for, if it came by a shared subscription.
    pub(super) share: Option<Arc<SharedFilter>>,
    /// Its place in the session's queue, from which its packet id follows; 0 at QoS 0.
    pub(super) number: u64,
    /// It may have been sent before, over a connection that this process does not know.
    pub(super) again: bool,
    /// What must be on disk before it is sent; where it is lost, so is this.
    pub(super) after: Option<Ticket>,
    /// It is not to be delivered. As it may have been sent before, with QoS 2, it leaves as PUBREL.
    pub(super) void: bool,
}

impl Parcel {
    /// Whether another of its group may be sent it, should its session end: at QoS 2 only what was never sent
    /// (MQTT-4.8.2-5).
    pub(super) fn may_go_on(&self, was_sent: bool) -> bool {
        self.share.is_some() && !self.void && (self.qos == 1 || self.qos == 2 && !was_sent && !self.again)
    }

    /// Whether QoS 0 messages that come later must not overtake it.
    fn is_ahead_of_qos0(&self) -> bool {
        self.replay || self.qos == 0
    }

    fn weight(&self) -> usize {
        if self.replay { 0 } else { self.message.weight() }
    }
}

/// A queue of parcels.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    queue: VecDeque<Parcel>,
    bytes: usize,
    /// How many are replays.
    replays: usize,
    /// How many are replays or QoS 0.
    ahead_of_qos0: usize,
    /// What `bytes` is part of.
    total: Option<Arc<Total>>,
}

impl Drop for Parcels {
    fn drop(&mut self) {
        if let Some(total) = &self.total {
            total.bytes.fetch_sub(self.bytes, Relaxed);
        }
    }
}

impl Parcels {
    /// Counts against a total from now on.
    pub(super) fn share(&mut self, total: &Arc<Total>) {
        total.bytes.fetch_add(self.bytes, Relaxed);
        self.total = Some(Arc::clone(total));
    }

    /// Whether so much more fits in the total.
    pub(super) fn total_has_room(&self, bytes: usize, connected: bool) -> bool {
        self.total.as_ref().is_none_or(|total| total.has_room(bytes, connected))
    }

    pub(super) fn push(&mut self, parcel: Parcel) {
        if let Some(total) = &self.total {
            total.bytes.fetch_add(parcel.weight(), Relaxed);
        }
        self.bytes += parcel.weight();
        self.replays += usize::from(parcel.replay);
        self.ahead_of_qos0 += usize::from(parcel.is_ahead_of_qos0());
        self.queue.push_back(parcel);
    }

    pub(super) fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.queue.pop_front()?;
        if let Some(total) = &self.total {
            total.bytes.fetch_sub(parcel.weight(), Relaxed);
        }
        self.bytes -= parcel.weight();
        self.replays -= usize::from(parcel.replay);
        self.ahead_of_qos0 -= usize::from(parcel.is_ahead_of_qos0());
        Some(parcel)
    }

    pub(super) fn front(&self) -> Option<&Parcel> {
        self.queue.front()
    }

    /// To change what has no weight.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Parcel> {
        self.queue.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Parcel> {
        self.queue.iter()
    }

    /// Keeps what passes the test, in its order.
    pub(super) fn retain(&mut self, test: impl FnMut(&Parcel) -> bool) {
        let mut all = std::mem::take(self);
        // `all` takes its weight out of the total when it is dropped.
        self.total = all.total.clone();
        for parcel in std::mem::take(&mut all.queue).into_iter().filter(test) {
            self.push(parcel);
        }
    }

    /// All of them, in order; they weigh nothing any more.
    pub(super) fn take(&mut self) -> VecDeque<Parcel> {
        let mut all = std::mem::take(self);
        std::mem::take(&mut all.queue)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What counts against the queue's limit of messages: all but replays.
    pub(super) fn bounded(&self) -> usize {
        self.queue.len() - self.replays
    }

    pub(super) fn replays(&self) -> usize {
        self.replays
    }

    /// What counts against the queue's limit of bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a QoS 0 message must queue up behind what waits.
    pub(super) fn hold_back_qos0(&self) -> bool {
        self.ahead_of_qos0 > 0
    }
}
