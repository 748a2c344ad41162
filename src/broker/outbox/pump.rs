//! From what waits to the connection's buffer, as far as the client's window, the buffer and the disk allow.

use std::time::Instant;

use bytes::BufMut;

use super::{Link, Outbox, Slot, State, Ticket, form, packet_id, put};

/// What stopped the pump.
enum Stop {
    /// There is nothing, or no room.
    Done,
    /// This must be on disk first.
    Waits(Ticket),
    /// This was to be on disk, and is not: it must be written down again.
    Lost(u64),
}

impl Outbox {
    /// Moves what waits into the buffer.
    pub(super) fn pump(&mut self) {
        loop {
            let mut gone = Vec::new();
            let releases = self.send_releases();
            let messages = self.send_messages(&mut gone);
            self.delivered(gone);
            let mut again = false;
            for stop in [releases, messages] {
                match stop {
                    Stop::Done => {}
                    // Where it has been settled meanwhile, nobody would call.
                    Stop::Waits(ticket) => again |= !self.watch(&ticket),
                    // A journal that is closed keeps nothing any more.
                    Stop::Lost(number) => {
                        let ticket = self.mark_released(vec![number]);
                        again |= ticket.is_none_or(|ticket| ticket.outcome() != Some(false));
                    }
                }
            }
            if !again {
                return;
            }
        }
    }

    /// These messages are released: PUBREL is what is left of them to be sent, once that is on disk.
    pub(super) fn mark_released(&mut self, numbers: Vec<u64>) -> Option<Ticket> {
        if numbers.is_empty() {
            return None;
        }
        let ticket = self.page.as_ref().map(|page| page.released(numbers.clone()));
        for number in numbers {
            if let Some(state) = self.inflight.numbered(number) {
                *state = State::Released(ticket.clone());
            }
        }
        ticket
    }

    /// PUBREL for what the client has said PUBREC to over this connection.
    fn send_releases(&mut self) -> Stop {
        let Some(link) = self.link.as_mut().filter(|link| !link.held) else { return Stop::Done };
        while let Some(number) = self.releases.front().copied() {
            if let Some(State::Released(ticket)) = self.inflight.numbered(number) {
                match ticket.as_ref().map(Ticket::outcome) {
                    None | Some(Some(true)) => {}
                    Some(None) => return ticket.clone().map_or(Stop::Done, Stop::Waits),
                    Some(Some(false)) => return Stop::Lost(number),
                }
                *ticket = None;
                pubrel(number, link);
            }
            self.releases.pop_front();
        }
        Stop::Done
    }

    /// PUBLISH, and PUBREL for what was released before this connection. `gone` are numbers that come to nothing.
    fn send_messages(&mut self, gone: &mut Vec<u64>) -> Stop {
        let Some(link) = self.link.as_mut().filter(|link| !link.held) else { return Stop::Done };
        let mut now = None;
        while link.buffer.len() < self.high_water {
            let room = self.inflight.outstanding() < link.window;
            if let Some(slot) = self.inflight.next() {
                let number = slot.number;
                match &mut slot.state {
                    State::Free => {}
                    _ if !room => break,
                    State::Sent(parcel) => {
                        let id = packet_id(number);
                        let form = form(link, parcel.qos, parcel.retain, true, id, &parcel.subscription_ids);
                        if put(link, &parcel.message, form) {
                            link.sent.add(parcel.qos, parcel.message.payload.len());
                        } else if parcel.qos == 2 {
                            return Stop::Lost(number);
                        } else {
                            gone.push(number);
                            slot.state = State::Free;
                        }
                    }
                    State::Released(ticket) => {
                        match ticket.as_ref().map(Ticket::outcome) {
                            None | Some(Some(true)) => {}
                            Some(None) => return ticket.clone().map_or(Stop::Done, Stop::Waits),
                            Some(Some(false)) => return Stop::Lost(number),
                        }
                        *ticket = None;
                        pubrel(number, link);
                    }
                }
                self.inflight.advance();
                continue;
            }
            let Some(next) = self.waiting.front() else { break };
            match next.after.as_ref().map(Ticket::outcome) {
                None | Some(Some(true)) => {}
                Some(None) => return next.after.clone().map_or(Stop::Done, Stop::Waits),
                Some(Some(false)) => {
                    gone.extend(self.waiting.pop().map(|parcel| parcel.number));
                    continue;
                }
            }
            if next.qos > 0 && !(room && self.inflight.has_place_for(next.number)) {
                break;
            }
            let Some(mut parcel) = self.waiting.pop() else { break };
            parcel.after = None;
            let (number, qos) = (parcel.number, parcel.qos);
            let payload = parcel.message.payload.len();
            let sent = !parcel.void && !parcel.message.is_expired(*now.get_or_insert_with(Instant::now)) && {
                let id = packet_id(number);
                let form = form(link, qos, parcel.retain, parcel.again, id, &parcel.subscription_ids);
                put(link, &parcel.message, form)
            };
            if sent {
                link.sent.add(qos, payload);
                if qos > 0 {
                    self.inflight.push(Slot { number, state: State::Sent(parcel) });
                }
            } else if parcel.again && qos == 2 {
                // The client may have it from before, and wait for PUBREL.
                self.inflight.push_unsent(Slot { number, state: State::Sent(parcel) });
                return Stop::Lost(number);
            } else {
                gone.push(number);
            }
        }
        Stop::Done
    }
}

/// PUBREL with success: the same four bytes in every version.
fn pubrel(number: u64, link: &mut Link) {
    link.buffer.put_slice(&[0x62, 2]);
    link.buffer.put_u16(packet_id(number));
    link.sent.others += 1;
}
