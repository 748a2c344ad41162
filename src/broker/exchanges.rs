//! Which QoS 2 messages of a client were taken and are not completed: what makes them arrive once, however often they
//! are sent. It outlives connections with its session.

use super::ticket::Ticket;
use std::collections::BTreeMap;

/// How far one packet id is.
#[derive(Debug)]
enum Stage {
    /// Its message was taken, and is PUBREC once this is on disk.
    Taken(Option<Ticket>),
    /// PUBREL came: the id is free once this is on disk.
    Completing(Ticket),
}

/// What is known of a packet id in PUBLISH.
#[derive(Debug)]
pub(super) enum Known {
    /// Its message is a new one.
    New,
    /// Its message was taken; PUBREC is due once this is on disk.
    Taken(Option<Ticket>),
}

/// What becomes of a PUBREL.
#[derive(Debug)]
pub(super) enum Completion {
    /// There is no such exchange (any more).
    Unknown,
    /// PUBCOMP is due.
    Done,
    /// PUBCOMP is due once this is on disk: else a crash would bring the id back, and what is sent under it next
    /// would be taken for a repetition.
    After(Ticket),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    stages: BTreeMap<u16, Stage>,
    /// How many are taken.
    taken: usize,
}

impl Exchanges {
    /// Those that were on disk.
    pub(super) fn restored(packet_ids: Vec<u16>) -> Self {
        let stages: BTreeMap<_, _> = packet_ids.into_iter().map(|id| (id, Stage::Taken(None))).collect();
        Self { taken: stages.len(), stages }
    }

    /// How many messages are taken and not released.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// Whether a message under this id was taken before. One that could not be kept was not.
    pub(super) fn look(&mut self, packet_id: u16) -> Known {
        let Some(Stage::Taken(ticket)) = self.stages.get_mut(&packet_id) else { return Known::New };
        match ticket.as_ref().map(Ticket::outcome) {
            Some(None) => Known::Taken(ticket.clone()),
            Some(Some(false)) => {
                self.forget(packet_id);
                Known::New
            }
            None | Some(Some(true)) => {
                *ticket = None;
                Known::Taken(None)
            }
        }
    }

    /// A new message was taken; `ticket` is what must be on disk before PUBREC.
    pub(super) fn take(&mut self, packet_id: u16, ticket: Option<Ticket>) {
        self.forget(packet_id);
        self.stages.insert(packet_id, Stage::Taken(ticket));
        self.taken += 1;
    }

    /// It could not be kept, so that it was not taken.
    pub(super) fn forget(&mut self, packet_id: u16) {
        if let Some(Stage::Taken(_)) = self.stages.remove(&packet_id) {
            self.taken -= 1;
        }
    }

    /// PUBREL came. `record` writes it down, if that is due.
    pub(super) fn complete(&mut self, packet_id: u16, record: impl FnOnce() -> Option<Ticket>) -> Completion {
        match self.stages.get(&packet_id) {
            None => return Completion::Unknown,
            Some(Stage::Taken(ticket)) => {
                let failed = ticket.as_ref().and_then(Ticket::outcome) == Some(false);
                self.forget(packet_id);
                if failed {
                    return Completion::Unknown;
                }
            }
            Some(Stage::Completing(ticket)) => match ticket.outcome() {
                None => return Completion::After(ticket.clone()),
                Some(true) => {
                    self.stages.remove(&packet_id);
                    return Completion::Unknown;
                }
                Some(false) => {}
            },
        }
        match record() {
            Some(ticket) => {
                self.stages.insert(packet_id, Stage::Completing(ticket.clone()));
                Completion::After(ticket)
            }
            None => Completion::Done,
        }
    }

    /// PUBCOMP is on its way, what it waited for being on disk.
    pub(super) fn completed(&mut self, packet_id: u16) {
        if let Some(Stage::Completing(ticket)) = self.stages.get(&packet_id)
            && ticket.outcome() == Some(true)
        {
            self.stages.remove(&packet_id);
        }
    }
}
