//! Messages that wait for one client, weighed so that the queue can be bounded.

use std::{collections::VecDeque, sync::Arc};

use super::{message::Message, ticket::Ticket};

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
}

impl Parcels {
    pub(super) fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.weight();
        self.replays += usize::from(parcel.replay);
        self.ahead_of_qos0 += usize::from(parcel.is_ahead_of_qos0());
        self.queue.push_back(parcel);
    }

    pub(super) fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.queue.pop_front()?;
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
        for parcel in std::mem::take(self).queue.into_iter().filter(test) {
            self.push(parcel);
        }
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
