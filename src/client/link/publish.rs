//! From a draft to an outbox row: permitted, sealed, bounded, queued. Repeated messages and the sample sensor.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::topic::{TopicFilter, TopicName};

use super::{
    super::{
        Asked, AuditLog, Draft, Event, Failure, OutboxState, SampleState,
        clock::now_ms,
        failure::told as safe,
        legacy,
        mqtt::Answer,
        sample::{self, Sample},
        store::OutboxRow,
    },
    Link, Note, Turn,
    outgoing::{MAX_BYTES, MAX_ROWS},
};

/// The shortest time between two repeated messages.
const LEAST_EVERY: Duration = Duration::from_millis(100);

/// How often a refusal lets the desk look at the role.
const ROLE_CHECK_EVERY: Duration = Duration::from_secs(5);

/// What is sent again and again.
#[derive(Default)]
pub(super) struct Repeats {
    by_topic: BTreeMap<TopicName, Repeat>,
    sample: Option<(Sample, Instant)>,
}

struct Repeat {
    draft: Draft,
    every: Duration,
    next: Instant,
}

impl Repeats {
    pub(super) fn next(&self) -> Option<Instant> {
        let sample = self.sample.as_ref().map(|(_, next)| *next);
        self.by_topic.values().map(|repeat| repeat.next).chain(sample).min()
    }

    fn view(&self) -> Event {
        Event::Repeating(self.by_topic.iter().map(|(topic, repeat)| (topic.clone(), repeat.every)).collect())
    }
}

impl Link {
    /// A person's message, once or again and again.
    pub(super) fn publish(&mut self, draft: Draft, every: Option<Duration>, turn: &mut Turn) {
        if every.is_some_and(|every| every < LEAST_EVERY) {
            let failure = Failure::new(
                "The message was not sent.",
                "It cannot be repeated so often.",
                "Repeat it every 0.1 s at most.",
            );
            self.teller.fail(Asked::Publish, failure);
            return;
        }
        match self.queue(&draft, turn) {
            Ok(()) => {
                if let Some(every) = every {
                    let repeat = Repeat { next: Instant::now() + every, every, draft };
                    self.repeats.by_topic.insert(repeat.draft.topic.clone(), repeat);
                    self.teller.tell(self.repeats.view());
                }
            }
            Err(failure) => self.teller.fail(Asked::Publish, failure),
        }
    }

    pub(super) fn stop_repeat(&mut self, topic: &TopicName) {
        self.repeats.by_topic.remove(topic);
        self.teller.tell(self.repeats.view());
    }

    /// Queues what is due. What cannot be queued is not tried again and again.
    pub(super) fn due_repeats(&mut self, now: Instant, turn: &mut Turn) {
        let due = self.repeats.by_topic.values_mut().filter(|repeat| repeat.next <= now);
        let drafts: Vec<Draft> = due
            .map(|repeat| {
                // After a computer's sleep it goes on from now and does not catch up.
                repeat.next = (repeat.next + repeat.every).max(now);
                repeat.draft.clone()
            })
            .collect();
        for mut draft in drafts {
            if let Some(profile) = self.sealing.profile_for(&draft.topic) {
                legacy::renew(profile, &mut draft);
            }
            if let Err(failure) = self.queue(&draft, turn) {
                self.teller.fail(Asked::Publish, failure);
                self.stop_repeat(&draft.topic);
            }
        }
        let Some((sample, next)) = &mut self.repeats.sample else { return };
        if *next > now {
            return;
        }
        *next = (*next + sample::EVERY).max(now);
        let draft = sample.reading();
        if let Err(failure) = self.queue(&draft, turn) {
            self.teller.fail(Asked::Sample, failure);
            self.stop_sample();
        }
    }

    pub(super) fn start_sample(&mut self) {
        if self.repeats.sample.is_none() {
            self.repeats.sample = Some((Sample::default(), Instant::now()));
        }
        self.teller.tell(Event::Sample(SampleState::Running));
    }

    pub(super) fn stop_sample(&mut self) {
        self.repeats.sample = None;
        self.teller.tell(Event::Sample(SampleState::Off));
    }

    /// Permitted, sealed and within bounds: into this turn.
    pub(super) fn queue(&mut self, draft: &Draft, turn: &mut Turn) -> Result<(), Failure> {
        let topic = &draft.topic;
        let not_sent = |why: String, next: &str| Failure::new("The message was not sent.", why, next);
        let legacy_draft;
        let draft = match self.sealing.profile_for(topic) {
            Some(profile) => {
                let next = "Fill in the fields of that program, or choose a topic of your own.";
                legacy_draft =
                    legacy::within(profile, draft).map_err(|error| not_sent(error.to_string(), next))?;
                &legacy_draft
            }
            None => draft,
        };
        if let Some(why) = self.why_not_publish(draft.qos, topic) {
            self.auditor.note(AuditLog::Publisher, "publish", Some(topic.as_str()), Err(&why));
            return Err(not_sent(why, "Choose another topic, or ask the station's admin for the right."));
        }
        if draft.qos > 2 {
            return Err(not_sent(format!("QoS {} is not offered.", draft.qos), "Use QoS 0, 1 or 2."));
        }
        let rows = self.outgoing.rows() + self.exactly_once.outgoing.rows();
        if rows + turn.changes.queued.len() >= MAX_ROWS {
            let why = format!("{MAX_ROWS} messages wait in the outbox already.");
            return Err(not_sent(why, "Wait until the link is back, or discard some."));
        }
        let (wire, sealed_with, content_type) = match self.sealing.seal(draft) {
            Some(Ok(sealed)) => (sealed.wire, Some(sealed.with), sealed.content_type.map(str::to_owned)),
            Some(Err(why)) => return Err(not_sent(why, "")),
            None if self.clear.iter().any(|filter| filter.matches(topic)) => {
                (draft.body.clone().into(), None, draft.content_type.clone())
            }
            None => {
                let why = format!("No key covers {topic}.");
                return Err(not_sent(why, "Make one in Keys, or import it."));
            }
        };
        let largest =
            self.phase.connection().and_then(|connection| connection.takes).map(|takes| takes.packet);
        if let Some(largest) = largest
            && wire.len() + topic.as_str().len() + 128 > largest
        {
            let why = format!(
                "Sealed it has {} bytes, and {} takes messages of at most {largest}.",
                wire.len(),
                self.carrier.who()
            );
            return Err(not_sent(why, "Send it in parts."));
        }
        let bytes = self.outgoing.bytes() + self.exactly_once.outgoing.bytes();
        if bytes + turn.queued_bytes + wire.len() > MAX_BYTES {
            let why = format!("{} MiB wait in the outbox already.", MAX_BYTES >> 20);
            return Err(not_sent(why, "Wait until the link is back, or discard some."));
        }
        turn.queued_bytes += wire.len();
        turn.changes.queued.push(OutboxRow {
            id: self.store.take_outbox_id(),
            queued_ms: now_ms(),
            topic: topic.clone(),
            qos: draft.qos,
            retain: draft.retain,
            wire,
            plain_len: draft.body.len(),
            sealed_with,
            content_type,
        });
        Ok(())
    }

    /// A message is on the network. At QoS 0 that is all.
    pub(super) fn sent(&mut self, qos: u8, packet_id: u16, turn: &mut Turn) {
        let Some((row, done)) = self.outgoing_at(qos).sent(packet_id) else { return };
        turn.entries.push(row.entry(OutboxState::Sent));
        if done {
            turn.changes.done.push(row.id);
            self.note_retained(&row, turn);
            turn.audit.push((AuditLog::Publisher, self.outbox_record(&row, Ok(()))));
        }
    }

    /// The broker answered for a message that it has, or does not want.
    pub(super) fn answered(
        &mut self,
        qos: u8,
        packet_id: u16,
        answer: Answer,
        told: Option<&str>,
        turn: &mut Turn,
    ) {
        let why = told.map_or_else(|| answer.told(self.carrier.who()), safe);
        if let Answer::NoRoom = answer {
            if let Some((row, wait)) = self.outgoing_at(qos).postpone(packet_id) {
                let again_ms = now_ms() + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                turn.entries.push(row.entry(OutboxState::Postponed { why, again_ms }));
            }
            return;
        }
        let Some((row, _)) = self.outgoing_at(qos).answered(packet_id) else { return };
        let state = match answer {
            Answer::Taken { no_subscribers } => OutboxState::Acknowledged { no_subscribers },
            Answer::NotPermitted if !self.carrier.is_other() => {
                let checked = self.role_checked.is_some_and(|at| at.elapsed() < ROLE_CHECK_EVERY);
                if !checked {
                    // The role may have changed meanwhile; asked once for a whole queue of refusals.
                    self.role_checked = Some(Instant::now());
                    let _ = self.notes.send(Note::RoleDoubted);
                }
                OutboxState::Refused { why }
            }
            _ => OutboxState::Refused { why },
        };
        self.settle(&row, state, turn);
    }

    pub(super) fn discard(&mut self, id: i64, turn: &mut Turn) {
        let row = self.outgoing.discard(id).or_else(|| self.exactly_once.outgoing.discard(id));
        match row {
            Some(row) => {
                turn.changes.done.push(row.id);
                turn.audit.push((AuditLog::Publisher, self.outbox_record(&row, Err("discarded"))));
                turn.entries.push(row.entry(OutboxState::Discarded));
            }
            None => {
                let failure =
                    Failure::new("The message was not taken back.", "It is on its way already.", "");
                self.teller.fail(Asked::Publish, failure);
            }
        }
    }

    pub(super) async fn set_clear(&mut self, filter: TopicFilter, clear: bool) {
        if let Err(error) = self.store.set_clear(&filter, clear).await {
            let what = "The choice was not kept.";
            self.teller.fail(Asked::Clear, Failure::new(what, error.to_string(), ""));
            return;
        }
        self.clear.retain(|there| *there != filter);
        if clear {
            self.clear.push(filter);
            self.clear.sort();
        }
        self.teller.tell(Event::ClearTopics(self.clear.clone()));
    }
}
