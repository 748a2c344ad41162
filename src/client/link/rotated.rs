//! A key was rotated, here or on another computer: what this account has retained, and what in the outbox was never on
//! the network, is sealed anew. And what would be lost with a key, for whoever thinks of deleting it.
//!
//! What was on the network goes out again as it was: whoever has it already tells a repeat by its bytes.
//! A retained message of another computer, or of somebody else, is never overwritten, as far as this side can know: it
//! follows what it publishes and what it sees of its topics.

use std::collections::{HashMap, HashSet};

use crate::{
    seal::Kid,
    topic::{TopicFilter, TopicName},
};

use super::{
    super::{
        Asked, Draft, Event, Failure, KeyConsequences, Opening, OutboxState, Suite,
        store::{Changes, OutboxRow, RetainedRow},
    },
    Link, Turn,
};

/// From which row on the outbox was never on the network; not there while the link may be sending.
pub(super) const NEVER_SENT: &str = "outbox_never_sent_from";
/// As many bytes at the end of an envelope tell it from every other: they are its tag.
const TAIL: usize = 16;

/// What the desk knows of a key whose end is considered.
pub(in crate::client) struct KeyInUse {
    pub id: String,
    pub suite: Suite,
    pub filters: Vec<TopicFilter>,
    pub kids: Vec<Kid>,
    /// What the keyring tells.
    pub known: KeyConsequences,
}

/// The topics at which the broker has a retained message of this computer, as far as is known.
#[derive(Default)]
pub(super) struct OwnRetained(HashMap<TopicName, (Vec<u8>, u64)>);

impl OwnRetained {
    pub(super) fn of(rows: &[RetainedRow]) -> Self {
        Self(rows.iter().map(|row| (row.topic.clone(), (tail(&row.wire), row.queued_ms))).collect())
    }
}

fn tail(wire: &[u8]) -> Vec<u8> {
    wire[wire.len().saturating_sub(TAIL)..].to_vec()
}

/// What arrived, as far as it matters to what is retained.
pub(super) struct Seen<'a> {
    pub topic: &'a TopicName,
    pub wire: &'a [u8],
    /// The broker had kept it.
    pub retained: bool,
    /// When it was sealed, if it opened and was meant to be retained.
    pub meant_at_ms: Option<u64>,
}

impl Link {
    /// A retained message has reached the broker.
    pub(super) fn note_retained(&mut self, row: &OutboxRow, turn: &mut Turn) {
        if !row.retain {
            return;
        }
        let own = RetainedRow::of(row);
        match &own {
            Some(own) => self.retained.0.insert(own.topic.clone(), (tail(&own.wire), own.queued_ms)),
            None => self.retained.0.remove(&row.topic),
        };
        turn.changes.retained.push((row.topic.clone(), own));
    }

    /// Somebody else's message stands where ours stood: it is not ours to seal anew any more.
    pub(super) fn forget_replaced(&mut self, seen: &Seen<'_>, turn: &mut Turn) {
        let Some((own, queued_ms)) = self.retained.0.get(seen.topic) else { return };
        // A live message may be an older one of our own on its way back.
        let newer = seen.retained || seen.meant_at_ms.is_some_and(|at| at > *queued_ms);
        if newer && tail(seen.wire) != *own {
            self.retained.0.remove(seen.topic);
            turn.changes.retained.push((seen.topic.clone(), None));
        }
    }

    /// A key may have been rotated while this computer was away.
    pub(super) async fn reseal_at_start(&mut self) {
        let mut turn = Turn::default();
        self.reseal(&mut turn).await;
        self.finish(&mut turn).await;
    }

    /// Seals anew what an older epoch has sealed.
    pub(super) async fn reseal(&mut self, turn: &mut Turn) {
        let outbox = self.reseal_outbox(turn).await;
        let (retained, left) = self.reseal_retained(turn).await;
        if outbox > 0 || retained > 0 || !left.is_empty() {
            self.teller.tell(Event::Resealed { retained, outbox, left });
        }
    }

    async fn reseal_outbox(&mut self, turn: &mut Turn) -> usize {
        let stale: Vec<OutboxRow> = self
            .outgoing
            .never_sent()
            .chain(self.exactly_once.outgoing.never_sent())
            .filter(|row| {
                let kid = row.sealed_with.as_ref().and_then(|with| with.kid.parse().ok());
                kid.is_some_and(|kid| self.sealing.is_superseded(&row.topic, kid))
            })
            .cloned()
            .collect();
        let mut resealed = Vec::new();
        for row in stale {
            // Where it does not succeed, the row goes out under the old epoch, which opens for ever.
            let Ok(draft) = self.opened_again(&row.topic, &row.wire, row.qos, row.retain) else { continue };
            if let Some(Ok(sealed)) = self.sealing.seal(&draft) {
                let content_type = sealed.content_type.map(str::to_owned);
                resealed.push(OutboxRow {
                    wire: sealed.wire,
                    sealed_with: Some(sealed.with),
                    content_type,
                    ..row
                });
            }
        }
        if let Err(error) =
            self.store.commit(&Changes { resealed: resealed.clone(), ..Changes::default() }).await
        {
            tracing::warn!(%error, "the outbox stays sealed with the epoch of before");
            return 0;
        }
        for row in &resealed {
            turn.entries.push(row.entry(OutboxState::Queued));
            self.outgoing_at(row.qos).replace(row.clone());
        }
        resealed.len()
    }

    async fn reseal_retained(&mut self, turn: &mut Turn) -> (usize, Vec<(TopicName, String)>) {
        let rows = match self.store.retained().await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "what this account has retained is not known");
                return (0, Vec::new());
            }
        };
        let stale = |row: &RetainedRow| {
            self.retained.0.contains_key(&row.topic)
                && row.kid.parse().is_ok_and(|kid| self.sealing.is_superseded(&row.topic, kid))
        };
        let stale: Vec<RetainedRow> = rows.into_iter().filter(stale).collect();
        // A newer one is on its way already.
        let on_its_way: HashSet<TopicName> = (self.outgoing.all())
            .chain(self.exactly_once.outgoing.all())
            .chain(&turn.changes.queued)
            .filter(|row| row.retain)
            .map(|row| row.topic.clone())
            .collect();
        let (mut resealed, mut left) = (0, Vec::new());
        for row in stale.into_iter().filter(|row| !on_its_way.contains(&row.topic)) {
            let draft = self.opened_again(&row.topic, &row.wire, row.qos, true);
            let queued = draft.and_then(|draft| {
                self.queue(&draft, turn).map_err(|failure| format!("{} {}", failure.why, failure.next))
            });
            match queued {
                Ok(()) => resealed += 1,
                Err(why) => left.push((row.topic, why.trim_end().to_owned())),
            }
        }
        (resealed, left)
    }

    /// What was sealed, as it was written.
    fn opened_again(
        &self,
        topic: &TopicName,
        wire: &bytes::Bytes,
        qos: u8,
        retain: bool,
    ) -> Result<Draft, String> {
        match self.sealing.open(topic, wire, false, |_| None).opening {
            Opening::Opened { body, content_type, .. } => {
                Ok(Draft { topic: topic.clone(), body: body.to_vec(), content_type, qos, retain })
            }
            Opening::Refused { why, .. } => Err(why),
            Opening::InTheClear { .. } => Err("it has no seal".to_owned()),
        }
    }

    /// Before the link may send anything: from now on nothing in the outbox is known never to have been sent.
    pub(super) async fn may_send(&mut self) {
        if let Err(error) = self.store.forget_setting(NEVER_SENT).await {
            tracing::warn!(%error, "after a crash, a rotation may seal messages anew that were sent");
        }
    }

    /// The link sends nothing: notes what was never sent, for after the next start.
    pub(super) async fn note_never_sent(&mut self) {
        let last = self.outgoing.last_sent().max(self.exactly_once.outgoing.last_sent());
        let from = last.map_or(0, |id| id + 1);
        if let Err(error) = self.store.set_setting(NEVER_SENT, &from.to_string()).await {
            tracing::warn!(%error, "after the next start, a rotation seals nothing of the outbox anew");
        }
    }

    /// Adds what rests on this computer to what the keyring tells.
    pub(super) async fn tell_consequences(&mut self, key: KeyInUse) {
        let is_its = |kid: &str| kid.parse().is_ok_and(|kid| key.kids.contains(&kid));
        let rows = self.outgoing.all().chain(self.exactly_once.outgoing.all());
        let sealed = rows.filter_map(|row| row.sealed_with.as_ref());
        let outbox = sealed.filter(|with| is_its(&with.kid)).count() as u64;
        let will = self.will.topic().and_then(|topic| self.sealing.kid_for(topic));
        let will = will.is_some_and(|kid| key.kids.contains(&kid));
        let counted = async {
            let retained = self.store.retained().await?;
            let own = retained.iter().filter(|row| self.retained.0.contains_key(&row.topic));
            let retained = own.filter(|row| is_its(&row.kid)).count() as u64;
            let history = match key.suite.is_native() {
                true => self.store.history_under(&key.kids).await?,
                false => {
                    let opens = |topic: &TopicName, wire: &bytes::Bytes| {
                        key.filters.iter().any(|filter| filter.matches(topic))
                            && matches!(
                                self.sealing.open(topic, wire, false, |_| None).opening,
                                Opening::Opened { with, .. } if is_its(&with.kid)
                            )
                    };
                    self.store.history_where(opens).await?
                }
            };
            Ok::<_, super::super::store::StoreError>((history, retained))
        };
        match counted.await {
            Ok((history, retained)) => {
                let consequences = KeyConsequences { history, outbox, retained, will, ..key.known };
                self.teller.tell(Event::KeyConsequences { id: key.id, consequences });
            }
            Err(error) => {
                let what = "What depends on the key is not known.";
                self.teller.fail(Asked::KeyConsequences, Failure::new(what, error.to_string(), ""));
            }
        }
    }
}
