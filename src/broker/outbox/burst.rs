//! Messages of one topic that come one behind the other, for one client: at QoS 0 its connection is sent the bytes that
//! the publisher sent.

use std::{sync::Arc, time::Instant};

use super::{super::inbound::Burst, Delivery, Fanout, Outbox, Outcome};

/// What became of messages that were given to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Given {
    /// The publisher should wait for room before its next.
    pub(in super::super) congested: bool,
    /// Messages lost to a full queue.
    pub(in super::super) lost: u64,
    /// The queue of a connected client is full: its connection must end.
    pub(in super::super) overflow: bool,
}

impl Given {
    /// Adds what became of one message.
    pub(in super::super) fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken | Outcome::Absent | Outcome::Dropped => {}
            Outcome::Congested => self.congested = true,
            Outcome::Lost => self.lost += 1,
            Outcome::Overflow => (self.lost, self.overflow) = (self.lost + 1, true),
        }
    }

    /// Adds what became of it elsewhere.
    pub(in super::super) fn add(&mut self, other: Self) {
        self.congested |= other.congested;
        self.lost += other.lost;
        self.overflow |= other.overflow;
    }
}

impl Outbox {
    /// How many QoS 1 messages it takes before publishers should wait for it. One that nobody waits for takes any
    /// number, or loses them.
    pub(in super::super) fn room_for_burst(&self) -> usize {
        match &self.link {
            Some(link) if !link.stuck => (self.max_messages / 2).saturating_sub(self.waiting.bounded()),
            _ => usize::MAX,
        }
    }

    /// Sends a burst, or keeps it for later.
    pub(in super::super) fn push_burst(
        &mut self,
        burst: &Burst<'_>,
        qos: u8,
        ids: &Arc<[u32]>,
        fanout: &mut Fanout,
    ) -> Given {
        let mut taken = Given::default();
        let qos = qos.min(burst.qos());
        if qos == 0 && burst.qos() == 0 && ids.is_empty() && self.forward(burst, &mut taken) {
            return taken;
        }
        for message in burst.messages() {
            let delivery = Delivery { qos, retain: false, subscription_ids: ids, share: None };
            let outcome = self.push(message, delivery, fanout);
            taken.note(outcome);
        }
        taken
    }

    /// Sends a burst of QoS 0 as it came. False where its messages must be looked at one by one.
    fn forward(&mut self, burst: &Burst<'_>, taken: &mut Given) -> bool {
        if self.ended {
            return true;
        }
        let Some(link) = &mut self.link else { return true };
        // A property length more than the publisher wrote, if at all.
        let small = burst.largest + 2 > link.max_packet;
        if small || link.aliases.is_some() || link.held || self.waiting.hold_back_qos0() {
            return false;
        }
        let count = burst.len() as u64;
        let full = link.buffer.len() >= self.high_water;
        let slow = full && link.slow_until.is_some_and(|until| Instant::now() < until);
        if slow || link.buffer.len() >= 2 * self.high_water {
            link.dropped += count;
            return true;
        }
        link.buffer.extend_from_slice(burst.forwardable(link.v5));
        link.sent.add_many(0, count, burst.payload_bytes);
        taken.congested = link.buffer.len() >= self.high_water;
        true
    }
}
