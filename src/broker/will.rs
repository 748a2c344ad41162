//! The message that a client leaves for the case that it vanishes: how it is kept, and when it is published.
//!
//! The keeper has at most one will per session, that of its present or last connection. It goes when the will is
//! published, in the same batch, or void. Where the process ends, however it ends, the will stays kept, and is published
//! after the next start unless its client is back before.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Event, Identity, Verdict,
    core::{Core, Published},
    journal::NOT_KEPT,
    keeper::{Change, KeptMessage, KeptWill},
    message::Message,
    session::{Session, SessionKey},
    stats::Counters,
};
use crate::topic::TopicName;

/// In the place of a connection: a will that was left to another process.
const ANOTHER_PROCESS: u64 = 0;

/// A will as CONNECT brought it, and was permitted.
#[derive(Debug, Clone)]
pub(super) struct Will {
    pub(super) topic: TopicName,
    pub(super) payload: Bytes,
    /// 0, 1 or 2.
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// As [`Message::properties`].
    pub(super) properties: Bytes,
    pub(super) expiry: Option<u32>,
    /// From the end of the connection; shorter if the session ends before.
    pub(super) delay: Duration,
}

impl Will {
    /// The message it is, from now on.
    fn into_message(self) -> Message {
        Message {
            topic: self.topic,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties,
            received: Instant::now(),
            expiry: self.expiry,
            kept: OnceLock::new(),
        }
    }

    fn kept(&self, key: &SessionKey) -> KeptWill {
        KeptWill {
            account: Arc::clone(&key.account),
            client_id: Arc::clone(&key.client_id),
            message: Arc::new(KeptMessage {
                number: 0,
                topic: self.topic.clone(),
                payload: self.payload.clone(),
                properties: self.properties.to_vec().into(),
                qos: self.qos,
                retain: self.retain,
                expires_ms: None,
            }),
            expiry_secs: self.expiry,
            delay_secs: u32::try_from(self.delay.as_secs()).unwrap_or(u32::MAX),
        }
    }

    fn restored(kept: &KeptWill) -> Self {
        Self {
            topic: kept.message.topic.clone(),
            payload: kept.message.payload.clone(),
            qos: kept.message.qos,
            retain: kept.message.retain,
            properties: kept.message.properties.clone().into(),
            expiry: kept.expiry_secs,
            delay: Duration::from_secs(kept.delay_secs.into()),
        }
    }
}

impl Core {
    /// Publishes a will, if that is still permitted, and has it forgotten together with what it causes.
    fn publish_will(&self, identity: &Identity, publisher: u64, will: Will, forget: impl FnOnce()) {
        let message = Arc::new(will.into_message());
        let topic = &message.topic;
        let route = self.route(identity, publisher, topic);
        if let Verdict::Deny(reason) = &route.verdict {
            forget();
            self.observer.observe(Event::PublishDenied { identity, topic, reason });
            return;
        }
        let published = {
            let _whole = self.journal.as_ref().map(|journal| journal.gate());
            let published = self.publish(&message, &route);
            forget();
            published
        };
        match published {
            Published::Accepted { .. } => {
                Counters::add(&self.tallies.wills_published, 1);
                let (bytes, retained) = (message.payload.len() as u64, message.retain);
                self.observer.observe(Event::Published { identity, topic, messages: 1, bytes, retained });
            }
            Published::NotRetained(full) => {
                self.observer.observe(Event::PublishDenied { identity, topic, reason: &full.to_string() });
            }
            Published::NotKept => {
                Counters::add(&self.counters.not_kept, 1);
                self.observer.observe(Event::PublishDenied { identity, topic, reason: NOT_KEPT });
            }
        }
    }

    /// Publishes the will that a connection left to a session.
    pub(super) fn publish_will_of(
        &self,
        identity: &Identity,
        session: &Session,
        connection: u64,
        will: Will,
    ) {
        self.publish_will(identity, session.id, will, || self.forget_will(session, connection));
    }

    /// A client is in, perhaps with a will: what is kept is that, in place of any other.
    pub(super) fn take_will(&self, session: &Session, connection: u64, will: Option<&Will>) {
        let void = session.pending_will.lock().take();
        let orphan = self.orphans.lock().remove(&session.key);
        let Some(journal) = &self.journal else { return };
        if let Some((number, _)) = orphan {
            journal.record(Change::WillGone { session: number });
        }
        if let Some(will) = will {
            let mut on_file = session.will_on_file.lock();
            *on_file = Some(connection);
            let will = Arc::new(will.kept(&session.key));
            journal.record(Change::WillLeft { session: session.id, will });
        } else if let Some((from, _)) = void {
            self.forget_will(session, from);
        }
    }

    /// The will that a connection left is not needed any more.
    pub(super) fn forget_will(&self, session: &Session, connection: u64) {
        let mut on_file = session.will_on_file.lock();
        if on_file.take_if(|from| *from == connection).is_some()
            && let Some(journal) = &self.journal
        {
            journal.record(Change::WillGone { session: session.id });
        }
    }

    pub(super) fn publish_will_later(
        self: &Arc<Self>,
        session: &Arc<Session>,
        connection: u64,
        will: Will,
        delay: Duration,
    ) {
        *session.pending_will.lock() = Some((connection, Box::new(will)));
        let (core, session) = (Arc::downgrade(self), Arc::downgrade(session));
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stopping.cancelled() => return,
            }
            let (Some(core), Some(session)) = (core.upgrade(), session.upgrade()) else { return };
            // The client may have come back and gone again with another will, which has its own delay.
            let will = session.pending_will.lock().take_if(|(from, _)| *from == connection);
            if let Some((_, will)) = will {
                core.publish_will_of(&session.identity(), &session, connection, *will);
            }
        });
    }

    /// Takes up the wills of clients that the end of the process cut off. They are given a moment to come back.
    pub(super) fn restore_wills(self: &Arc<Self>, kept: Vec<(u64, Arc<KeptWill>)>) {
        let grace = self.limits.will_grace;
        for (number, kept) in kept {
            self.no_longer_free(number);
            let will = Will::restored(&kept);
            let key =
                SessionKey { account: Arc::clone(&kept.account), client_id: Arc::clone(&kept.client_id) };
            let session = self.sessions.lock().get(&key).filter(|session| session.id == number).cloned();
            if let Some(session) = session {
                *session.will_on_file.lock() = Some(ANOTHER_PROCESS);
                let delay = will.delay.min(session.time_left(Instant::now())).max(grace);
                self.publish_will_later(&session, ANOTHER_PROCESS, will, delay);
                continue;
            }
            // Its session ended with its connection, so that no delay is left.
            self.orphans.lock().insert(key.clone(), (number, will));
            let (core, stopping) = (Arc::downgrade(self), self.stopping.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(grace) => {}
                    () = stopping.cancelled() => return,
                }
                let Some(core) = core.upgrade() else { return };
                let orphan = core.orphans.lock().remove(&key);
                let Some((number, will)) = orphan else { return };
                let (account, client_id) = (Arc::clone(&key.account), Arc::clone(&key.client_id));
                let identity = Identity { account, client_id, role: "".into(), credential: 0 };
                core.publish_will(&identity, number, will, || {
                    if let Some(journal) = &core.journal {
                        journal.record(Change::WillGone { session: number });
                    }
                });
            });
        }
    }
}
