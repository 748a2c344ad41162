//! What a session that is over leaves behind, and how much of what others left a queue is given.

use std::{collections::VecDeque, sync::Arc};

use super::{
    super::{control::Control, message::Message, page::Page, parcels::Parcel},
    Delivery, Fanout, Outbox, Outcome,
};

/// How much more a queue may be given.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Room {
    pub(in super::super) messages: usize,
    pub(in super::super) bytes: usize,
}

impl Room {
    /// Takes its part of the room for a message; false where there is too little.
    pub(in super::super) fn take(&mut self, weight: usize) -> bool {
        let fits = self.messages > 0 && weight <= self.bytes;
        if fits {
            (self.messages, self.bytes) = (self.messages - 1, self.bytes - weight);
        }
        fits
    }
}

/// What a session that is over leaves behind.
#[derive(Debug, Default)]
pub(in super::super) struct Remains {
    /// Its connection, if it had one.
    pub(in super::super) control: Option<Arc<Control>>,
    /// Where it is to be written down that it is over.
    pub(in super::super) page: Option<Page>,
    /// What other members of its groups may be sent.
    pub(in super::super) shared: Vec<Parcel>,
}

impl Outbox {
    /// The session is over: everything is forgotten here.
    pub(in super::super) fn end(&mut self) -> Remains {
        self.ended = true;
        self.releases = VecDeque::new();
        let sent = std::mem::take(&mut self.inflight).into_unsettled().filter(|sent| sent.may_go_on(true));
        let waiting = self.waiting.take().into_iter().filter(|waiting| waiting.may_go_on(false));
        Remains {
            control: self.link.take().map(|link| link.control),
            page: self.page.take(),
            shared: sent.chain(waiting).collect(),
        }
    }

    /// How much more it may be given of what another session has left: an eighth of the queue stays free, because
    /// whoever publishes next waits for room only afterwards.
    pub(in super::super) fn room(&self) -> Room {
        let left =
            |max: usize, taken: usize| if self.ended { 0 } else { (max - max / 8).saturating_sub(taken) };
        Room {
            messages: left(self.max_messages, self.waiting.bounded()),
            bytes: left(self.max_bytes, self.waiting.bytes()),
        }
    }

    /// As [`Outbox::push`], but what would overflow the queue is lost, and costs nobody the connection.
    pub(in super::super) fn push_within(
        &mut self,
        message: &Arc<Message>,
        delivery: Delivery<'_>,
        fanout: &mut Fanout,
    ) -> Outcome {
        let weight = message.weight();
        let fits = self.room().take(weight) && self.waiting.total_has_room(weight, self.link.is_some());
        if self.ended || fits { self.push(message, delivery, fanout) } else { Outcome::Lost }
    }
}
