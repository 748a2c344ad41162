//! What a client's QoS 2 packets do: PUBLISH and PUBREL of what it publishes, PUBREC and PUBCOMP for what it is sent.

use std::{num::NonZeroU16, sync::Arc};

use rmqtt_codec::v5::DisconnectReasonCode;

use super::{
    super::{
        codec::{Receipt, Violation, pubcomp},
        core::{Core, Published},
        exchanges::{Completion, Known},
        keeper::Change,
        message::Message,
        router::Route,
        session::Session,
    },
    Inbound, Promise,
};

impl Inbound {
    /// Whether a message was taken before under this packet id: then PUBREC is due again, and nothing else
    /// (MQTT-4.3.3-10).
    pub(super) fn is_repeated(&mut self, packet_id: NonZeroU16) -> Result<bool, Violation> {
        let maximum = usize::from(self.core.limits.max_inflight);
        let mut exchanges = self.session.exchanges.lock();
        match exchanges.look(packet_id.get()) {
            Known::New if self.control.protocol.is_v5() && exchanges.len() >= maximum => {
                let text = "more messages at once than Receive Maximum";
                Err(Violation::new(DisconnectReasonCode::ReceiveMaximumExceeded, text))
            }
            Known::New => Ok(false),
            Known::Taken(ticket) => {
                if let Some(ticket) = ticket {
                    self.tickets.note(ticket);
                    let (at, receipt) = (self.replies.len(), Receipt::PubRec);
                    self.promises.push(Promise { at, packet_id, length: 4, receipt, counted: None });
                }
                Receipt::PubRec.put(packet_id, &mut self.replies);
                self.seen.answered(1);
                Ok(true)
            }
        }
    }

    /// PUBREL.
    pub(super) fn release(&mut self, packet_id: NonZeroU16) {
        let mut exchanges = self.session.exchanges.lock();
        self.seen.answered(1);
        let completed = |session| Change::Completed { session, packet_ids: vec![packet_id.get()] };
        match exchanges.complete(packet_id.get(), || self.session.record(completed)) {
            Completion::Unknown => self.codec.pubcomp_unknown(packet_id, &mut self.replies),
            Completion::Done => pubcomp(packet_id, &mut self.replies),
            Completion::After(ticket) => {
                self.tickets.note(ticket);
                self.completed.push(packet_id.get());
                pubcomp(packet_id, &mut self.replies);
            }
        }
    }

    /// PUBREC and PUBCOMP of the batch.
    pub(super) fn settle_answers(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let unknown = self.session.answer(self.control.id, &self.answers);
        self.answers.clear();
        for packet_id in unknown.into_iter().filter_map(NonZeroU16::new) {
            self.seen.answered(1);
            self.codec.pubrel_unknown(packet_id, &mut self.replies);
        }
    }
}

/// Takes a new message, and notes that it was taken. Where the session outlives its connection the two are kept
/// together, and nobody is sent the message before.
pub(super) fn publish_once(
    core: &Core,
    session: &Session,
    packet_id: NonZeroU16,
    message: &Arc<Message>,
    route: &Route,
) -> Published {
    let mut exchanges = session.exchanges.lock();
    let accepted = |session| Change::Accepted { session, packet_id: packet_id.get() };
    let published = core.publish_once(message, route, session, accepted);
    if let Published::Accepted { kept, .. } = &published {
        exchanges.take(packet_id.get(), kept.last().cloned());
    }
    published
}
