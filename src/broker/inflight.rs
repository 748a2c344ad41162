//! What a client was given and has not settled yet, in the order in which it was first sent.
//!
//! A message has a number in its session's queue, and its packet id follows from that: so what is sent again after a
//! restart has the packet id that it had before, by which a receiver knows a QoS 2 message again.
//!
//! The price: a message that is never acknowledged, while 65,534 behind it are, keeps the next from leaving, whose packet
//! id would be its own. What comes after it waits; the queue fills until the client is disconnected (see
//! [`super::Limits::queue_messages`]), and over its next connection the message is sent again. To go around it, numbers
//! that were given when a message was queued, and are on disk, would have to change when it is sent.

use std::collections::VecDeque;

use super::{parcels::Parcel, ticket::Ticket};

/// Packet ids in use at once: ids are 1 to 65,535.
const PACKET_IDS: u64 = 65_535;

/// The packet id of the message with this number.
pub(super) fn packet_id(number: u64) -> u16 {
    (number % PACKET_IDS) as u16 + 1
}

/// One message's place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) number: u64,
    pub(super) state: State,
}

/// How far a message is.
#[derive(Debug)]
pub(super) enum State {
    /// PUBLISH was sent or is to be sent again.
    Sent(Parcel),
    /// PUBREC came: PUBREL may be sent once that is on disk, if there is something to wait for.
    Released(Option<Ticket>),
    /// It is settled, and others before it are not.
    Free,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inflight {
    /// By rising number.
    slots: VecDeque<Slot>,
    /// Index of the first that was not sent over this link.
    cursor: usize,
    /// Sent over this link and not settled.
    outstanding: usize,
}

impl Inflight {
    /// What a session had in flight when the process ended; all of it is to be sent again.
    pub(super) fn restored(slots: Vec<Slot>) -> Self {
        Self { slots: slots.into(), cursor: 0, outstanding: 0 }
    }

    /// Messages that count against what the client takes at once.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether nothing is to be sent again.
    pub(super) fn is_all_sent(&self) -> bool {
        self.cursor == self.slots.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether the packet id of this number is free, the numbers before it being here or settled.
    pub(super) fn has_place_for(&self, number: u64) -> bool {
        self.slots.front().is_none_or(|first| number - first.number < PACKET_IDS)
    }

    /// One that has just been sent, with a number over all others; call only if [`Inflight::is_all_sent`].
    pub(super) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
        self.cursor += 1;
        self.outstanding += 1;
    }

    /// One that is to be sent.
    pub(super) fn push_unsent(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    /// There is a new link: all is to be sent again.
    pub(super) fn restart(&mut self) {
        (self.cursor, self.outstanding) = (0, 0);
    }

    /// The next to be sent again.
    pub(super) fn next(&mut self) -> Option<&mut Slot> {
        self.slots.get_mut(self.cursor)
    }

    /// The next was sent again, or needs no sending.
    pub(super) fn advance(&mut self) {
        if let Some(slot) = self.slots.get(self.cursor) {
            self.outstanding += usize::from(!matches!(slot.state, State::Free));
            self.cursor += 1;
        }
        self.trim();
    }

    /// The slot with this packet id, and whether it was sent over this link.
    pub(super) fn by_packet_id(&mut self, packet_id: u16) -> Option<(usize, bool)> {
        let first = self.slots.front()?.number;
        let offset = (u64::from(packet_id) + PACKET_IDS - 1 - first % PACKET_IDS) % PACKET_IDS;
        let index = self.find(first + offset)?;
        Some((index, index < self.cursor))
    }

    /// The slot with this number. Without gaps its index is as far from the first as its number is.
    fn find(&self, number: u64) -> Option<usize> {
        let guess = usize::try_from(number.checked_sub(self.slots.front()?.number)?).ok()?;
        match self.slots.get(guess) {
            Some(slot) if slot.number == number => Some(guess),
            _ => self.slots.binary_search_by_key(&number, |slot| slot.number).ok(),
        }
    }

    pub(super) fn slot(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// The slot with this number, to be changed.
    pub(super) fn numbered(&mut self, number: u64) -> Option<&mut State> {
        let index = self.find(number)?;
        self.slots.get_mut(index).map(|slot| &mut slot.state)
    }

    /// The message is settled, and was sent over this link.
    pub(super) fn settle(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| !matches!(slot.state, State::Free)) {
            slot.state = State::Free;
            self.outstanding -= usize::from(index < self.cursor);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.cursor > 0 && self.slots.front().is_some_and(|slot| matches!(slot.state, State::Free)) {
            self.slots.pop_front();
            self.cursor -= 1;
        }
    }

    /// Those of which no answer came, in order.
    pub(super) fn into_unsettled(self) -> impl Iterator<Item = Parcel> {
        self.slots.into_iter().filter_map(|slot| match slot.state {
            State::Sent(parcel) => Some(parcel),
            _ => None,
        })
    }

    /// How many are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.slots.iter().filter(|slot| !matches!(slot.state, State::Free)).count()
    }

    /// What is yet to be sent over this link.
    pub(super) fn unsent(&self) -> impl Iterator<Item = &Parcel> {
        self.slots.iter().skip(self.cursor).filter_map(|slot| match &slot.state {
            State::Sent(parcel) => Some(parcel),
            _ => None,
        })
    }

    /// The same, to be changed.
    pub(super) fn unsent_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().skip(self.cursor)
    }
}
