//! What the client says to the messages it was sent: PUBACK, PUBREC, PUBCOMP.

use std::time::Instant;

use super::{Outbox, Slot, State};

/// An answer to a QoS 2 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Answer {
    /// PUBREC: it is there.
    Received(u16),
    /// PUBREC with an error: it is not wanted, and the exchange is over.
    Refused(u16),
    /// PUBCOMP: the exchange is over.
    Completed(u16),
}

impl Outbox {
    /// A PUBACK came in. Unknown ids are ignored: the message may have been acknowledged before a reconnect.
    pub(in super::super) fn acknowledge(&mut self, connection: u64, packet_ids: &[u16]) {
        if !self.is_mine(connection) {
            return;
        }
        let mut gone = Vec::new();
        for id in packet_ids {
            let Some((index, true)) = self.inflight.by_packet_id(*id) else { continue };
            if let Some(Slot { number, state: State::Sent(parcel) }) = self.inflight.slot(index)
                && parcel.qos == 1
            {
                gone.push(*number);
                self.inflight.settle(index);
            }
        }
        self.delivered(gone);
        self.heard();
    }

    /// Answers to QoS 2 messages came in, in this order. Returns the packet ids in PUBREC that stand for nothing.
    pub(in super::super) fn answer(&mut self, connection: u64, answers: &[Answer]) -> Vec<u16> {
        let mut unknown = Vec::new();
        if !self.is_mine(connection) {
            return unknown;
        }
        let (mut gone, mut released) = (Vec::new(), Vec::new());
        for answer in answers {
            let (Answer::Received(id) | Answer::Refused(id) | Answer::Completed(id)) = *answer;
            let found = self.inflight.by_packet_id(id);
            let Some((index, sent)) = found else {
                unknown.extend(matches!(answer, Answer::Received(_)).then_some(id));
                continue;
            };
            // What is to be sent again is answered again.
            if !sent {
                continue;
            }
            let Some(Slot { number, state }) = self.inflight.slot(index) else { continue };
            let number = *number;
            match (answer, &mut *state) {
                (Answer::Received(_), State::Sent(parcel)) if parcel.qos == 2 => {
                    *state = State::Released(None);
                    released.push(number);
                    self.releases.push_back(number);
                }
                (Answer::Received(_), State::Released(_)) if !self.releases.contains(&number) => {
                    self.releases.push_back(number);
                }
                (Answer::Refused(_), State::Sent(parcel)) if parcel.qos == 2 => {
                    gone.push(number);
                    self.inflight.settle(index);
                }
                (Answer::Completed(_), State::Released(_)) => {
                    gone.push(number);
                    self.inflight.settle(index);
                }
                // An answer to something else: there is nothing that it could change.
                _ => {}
            }
        }
        self.mark_released(released);
        self.delivered(gone);
        self.heard();
        unknown
    }

    /// The client is alive and makes room.
    fn heard(&mut self) {
        if let Some(link) = &mut self.link {
            link.last_ack = Instant::now();
            link.stuck = false;
        }
        self.pump();
    }
}
