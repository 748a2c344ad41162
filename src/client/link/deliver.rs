//! What arrives: opened, judged, kept, then acknowledged and shown. And the history, opened again.

use bytes::Bytes;

use crate::{
    audit::Record,
    seal::{SenderKey, replay::Replay},
    topic::TopicName,
};

use super::{
    super::{
        Asked, AuditLog, Event, Failure, Message, Opening,
        clock::now_ms,
        mqtt::Incoming,
        sealing::{NO_KEY, Received},
        store::{Changes, HistoryRow},
    },
    Link, Note, Turn,
    rotated::Seen,
};

/// Messages of the history that are opened again at most; more would not reach the window in one piece.
const MAX_LOADED: u32 = 5_000;

/// Signers whose name is asked for in one session: a member of a topic could invent any number.
const MOST_MET: usize = 1_024;
/// Messages that wait until it is known who signed them; more are refused at once.
const MOST_STRANGE: usize = 256;
/// Envelopes up to this size are copied: as they come they are pieces of the network's buffer, and one that is kept in
/// the window would keep all of it.
const COPIED: usize = 8 * 1024;

fn own(payload: Bytes) -> Bytes {
    if payload.len() <= COPIED { Bytes::copy_from_slice(&payload) } else { payload }
}

impl Link {
    pub(super) fn receive(&mut self, message: Incoming, turn: &mut Turn) {
        let Incoming { topic, payload: wire, qos, retain: retained, dup, packet_id } = message;
        if qos > 0 {
            turn.acks.push((packet_id, qos));
        }
        if qos == 2 {
            // The broker did not hear that it is kept here, or has not released it (MQTT-4.3.3-10). An id without DUP is
            // a new message, whatever is remembered of it.
            let known = !self.unreleased.insert(packet_id);
            if known && dup {
                turn.repeats += 1;
                return;
            }
            turn.changes.unreleased.push(packet_id);
        }
        let Some(topic) = topic else {
            tracing::warn!("a message under an invalid topic name was left out");
            return;
        };
        if topic.is_system() && !self.carrier.is_other() && self.take_figure(&topic, &wire, turn) {
            return;
        }
        let wire = own(wire);
        let guard = &mut self.guard;
        let mut meant_at_ms = None;
        let received = self.sealing.open(&topic, &wire, !retained, |opened| {
            meant_at_ms = opened.sealed_at_ms.filter(|_| opened.kind.retained);
            Some(guard.judge(opened, &topic, retained, now_ms()))
        });
        // MQTT may repeat a QoS 1 message: no alarm, and not shown twice.
        if received.verdict == Some(Replay::Repeated) {
            turn.repeats += 1;
            return;
        }
        if let Some(signer) = received.unknown
            && self.waits_for(&signer)
        {
            // Neither kept nor acknowledged until the desk has found out whose key it is.
            if qos > 0 {
                turn.acks.pop();
            }
            if qos == 2 {
                self.unreleased.remove(&packet_id);
                turn.changes.unreleased.pop();
            }
            let payload = wire;
            let message = Incoming { topic: Some(topic), payload, qos, retain: retained, dup, packet_id };
            self.strange.push((signer, message));
            self.meet(signer);
            return;
        }
        if let Opening::Opened { signer: Some(key), .. } = &received.opening {
            self.meet(*key);
        }
        self.forget_replaced(&Seen { topic: &topic, wire: &wire, retained, meant_at_ms }, turn);
        if matches!(&received.opening, Opening::Refused { name, .. } if name == NO_KEY) {
            self.missed_key();
        }
        turn.audit.push((AuditLog::Subscriber, self.receive_record(&topic, wire.len(), &received.opening)));
        let row = HistoryRow {
            id: self.store.take_history_id(),
            arrived_ms: now_ms(),
            topic,
            qos,
            retained,
            wire,
            verdict: received.verdict,
        };
        turn.messages.push(shown(&row, received));
        turn.changes.arrived.push(row);
    }

    /// Whether the desk is still to say who this is.
    fn waits_for(&self, signer: &SenderKey) -> bool {
        !self.answered.contains(signer) && self.met.len() < MOST_MET && self.strange.len() < MOST_STRANGE
    }

    /// The desk knows whose key it is, or that nobody does.
    pub(super) fn sender_answered(&mut self, key: SenderKey, turn: &mut Turn) {
        self.answered.insert(key);
        let (theirs, others) =
            std::mem::take(&mut self.strange).into_iter().partition(|(signer, _)| *signer == key);
        self.strange = others;
        let theirs: Vec<(SenderKey, Incoming)> = theirs;
        for (_, message) in theirs {
            self.receive(message, turn);
        }
    }

    /// Lets the desk find out, once, whose key it is.
    fn meet(&mut self, key: SenderKey) {
        if !self.met.contains(&key) && self.met.len() < MOST_MET {
            self.met.insert(key);
            if !self.sealing.knows(&key) {
                let _ = self.notes.send(Note::UnknownSigner(key));
            }
        }
    }

    /// The broker will not send the message of this packet id again; rumqttc has answered.
    pub(super) fn released(&mut self, packet_id: u16, turn: &mut Turn) {
        if self.unreleased.remove(&packet_id) {
            turn.changes.unreleased.retain(|id| *id != packet_id);
            turn.changes.released.push(packet_id);
        }
    }

    /// The broker began a new session, and knows nothing of the packet ids of the one before.
    pub(super) async fn forget_unreleased(&mut self) {
        let released: Vec<u16> = self.unreleased.drain().collect();
        if let Err(error) = self.store.commit(&Changes { released, ..Changes::default() }).await {
            tracing::warn!(%error, "packet ids of an earlier session are still remembered");
        }
    }

    fn receive_record(&self, topic: &TopicName, wire_len: usize, opening: &Opening) -> Record {
        let base = |outcome| Record {
            topic: Some(topic.as_str().to_owned()),
            wire_len: Some(wire_len as u64),
            ..self.auditor.record("receive", outcome)
        };
        match opening {
            Opening::Opened { with, body, notes, .. } => {
                let notes = notes.join(", ");
                Record {
                    kid: Some(with.kid.clone()),
                    suite: Some(with.suite.to_string()),
                    plain_len: Some(body.len() as u64),
                    ..base(if notes.is_empty() { Ok(()) } else { Err(&notes) })
                }
            }
            Opening::InTheClear { body } => {
                Record { plain_len: Some(body.len() as u64), ..base(Err("in the clear")) }
            }
            Opening::Refused { name, .. } => base(Err(name)),
        }
    }

    /// Opens the newest messages again. Their replay verdict is the one of their arrival.
    pub(super) async fn load_history(&mut self, limit: u32) {
        let rows = match self.store.history(limit.min(MAX_LOADED)).await {
            Ok(rows) => rows,
            Err(error) => {
                let what = "The history could not be read.";
                self.teller.fail(Asked::History, Failure::new(what, error.to_string(), ""));
                return;
            }
        };
        let opened = rows.iter().map(|row| {
            let received = self.sealing.open(&row.topic, &row.wire, false, |_| row.verdict);
            shown(row, received)
        });
        let messages: Vec<Message> = opened.collect();
        self.teller.tell(Event::Messages(messages));
    }

    pub(super) async fn clear_history(&mut self) {
        if let Err(error) = self.store.clear_history().await {
            let what = "The history is still there.";
            self.teller.fail(Asked::History, Failure::new(what, error.to_string(), ""));
        }
    }
}

fn shown(row: &HistoryRow, received: Received) -> Message {
    Message {
        serial: row.id,
        arrived_ms: row.arrived_ms,
        topic: row.topic.clone(),
        qos: row.qos,
        retained: row.retained,
        wire: row.wire.clone(),
        opening: received.opening,
    }
}
