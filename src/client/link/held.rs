//! Messages that were queued without a seal, and whose topic was decided about anew before they went out.
//!
//! They are neither sent nor thrown away: they wait for a person, who seals them, sends them as they are, or takes them
//! back. Nothing that is sealed is ever held.

use crate::topic::{TopicFilter, TopicName};

use super::{
    super::{Asked, AuditLog, Draft, Failure, OutboxState, sealing::Sealing},
    Link, Turn,
};

/// Why a message without a seal must not go to a topic now.
pub(super) fn hold<'a>(
    sealing: &'a Sealing,
    clear: &'a [TopicFilter],
) -> impl Fn(&TopicName) -> Option<String> + use<'a> {
    move |topic| {
        if sealing.covers(topic) {
            Some("this topic has a key now, and the message has no seal".to_owned())
        } else if clear.iter().any(|filter| filter.matches(topic)) {
            None
        } else {
            Some("you no longer let this topic go in the clear".to_owned())
        }
    }
}

impl Link {
    /// Keys or choices have changed: held messages may go, and the will may need another seal.
    pub(super) async fn reconsider(&mut self, turn: &mut Turn) {
        let hold = hold(&self.sealing, &self.clear);
        let mut free = self.outgoing.reconsider(&hold);
        free.extend(self.exactly_once.outgoing.reconsider(&hold));
        drop(hold);
        turn.entries.extend(free.iter().map(|row| row.entry(OutboxState::Queued)));
        self.will_reconsidered(turn).await;
    }

    /// A person decided: with the seal that the topic has now, or as it is.
    pub(super) fn release_held(&mut self, id: i64, seal: bool, turn: &mut Turn) {
        let not_sent = |why: &str, next: &str| Failure::new("The message is still held.", why, next);
        let row = self.outgoing.held(id).or_else(|| self.exactly_once.outgoing.held(id)).cloned();
        let Some(row) = row else {
            self.teller.fail(Asked::Publish, not_sent("It is not held.", ""));
            return;
        };
        if !seal {
            if let Some(row) = self.outgoing_at(row.qos).let_go(id) {
                turn.entries.push(row.entry(OutboxState::Queued));
            }
            return;
        }
        if !self.sealing.covers(&row.topic) {
            let next = "Make a key for it in Keys, or take the message back.";
            self.teller.fail(Asked::Publish, not_sent(&format!("No key covers {}.", row.topic), next));
            return;
        }
        // Without a seal the bytes on the wire are the payload.
        let draft = Draft {
            topic: row.topic.clone(),
            body: row.wire.to_vec(),
            content_type: row.content_type.clone(),
            qos: row.qos,
            retain: row.retain,
        };
        match self.queue(&draft, turn) {
            Ok(()) => {
                self.outgoing_at(row.qos).discard(id);
                turn.changes.done.push(id);
                let outcome = Err("sealed instead");
                turn.audit.push((AuditLog::Publisher, self.outbox_record(&row, outcome)));
                turn.entries.push(row.entry(OutboxState::Discarded));
            }
            Err(failure) => self.teller.fail(Asked::Publish, failure),
        }
    }
}
