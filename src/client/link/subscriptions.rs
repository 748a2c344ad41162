//! What is watched: asked again at every connection, ended for good only when the broker confirms.

use std::collections::{BTreeMap, BTreeSet};

use crate::topic::{TopicFilter, TopicName};

use super::{
    super::{
        Asked, AuditLog, Event, Failure, SubscriptionView, failure::told as safe, mqtt::Granted,
        store::StoreError,
    },
    Link,
};

/// Filters in one SUBSCRIBE.
const PER_PACKET: usize = 20;

/// The setting that says that messages were once asked for at QoS 2.
pub(super) const EXACTLY_ONCE: &str = "asked_at_qos_2";

/// A filter that is watched.
struct Watched {
    qos: u8,
    /// The broker's answer.
    granted: Option<Result<u8, String>>,
}

/// See the module.
pub(super) struct Subscriptions {
    watched: BTreeMap<TopicFilter, Watched>,
    /// Ended here, not yet confirmed.
    gone: BTreeSet<TopicFilter>,
    /// To be sent.
    to_ask: BTreeSet<TopicFilter>,
    to_end: BTreeSet<TopicFilter>,
    /// Asked by a person and not by a new connection: goes into the audit log.
    fresh: BTreeSet<TopicFilter>,
}

impl Subscriptions {
    pub(super) fn of(watched: Vec<(TopicFilter, u8)>, gone: Vec<TopicFilter>) -> Self {
        Self {
            watched: watched
                .into_iter()
                .map(|(filter, qos)| (filter, Watched { qos, granted: None }))
                .collect(),
            gone: gone.into_iter().collect(),
            to_ask: BTreeSet::new(),
            to_end: BTreeSet::new(),
            fresh: BTreeSet::new(),
        }
    }

    pub(super) fn view(&self) -> Vec<SubscriptionView> {
        let view = |(filter, watched): (&TopicFilter, &Watched)| SubscriptionView {
            filter: filter.clone(),
            qos: watched.qos,
            granted: watched.granted.clone(),
        };
        self.watched.iter().map(view).collect()
    }

    /// A new connection: everything is asked again.
    pub(super) fn ask_all(&mut self) {
        self.forget_answers();
        self.to_ask = self.watched.keys().cloned().collect();
        self.to_end = self.gone.clone();
    }

    /// Asks for what no person watches: it is in no list, and not remembered.
    pub(super) fn ask_quietly(&mut self, filter: TopicFilter) {
        self.to_end.remove(&filter);
        self.to_ask.insert(filter);
    }

    /// Ends it, unless a person watches the same.
    pub(super) fn end_quietly(&mut self, filter: TopicFilter) {
        if !self.watched.contains_key(&filter) {
            self.to_ask.remove(&filter);
            self.to_end.insert(filter);
        }
    }

    /// Whether a person watches this topic.
    pub(super) fn watches(&self, topic: &TopicName) -> bool {
        self.watched.keys().any(|filter| filter.matches(topic))
    }

    pub(super) fn forget_answers(&mut self) {
        self.watched.values_mut().for_each(|watched| watched.granted = None);
    }
}

impl Link {
    fn tell_subscriptions(&self) {
        self.teller.tell(Event::Subscriptions(self.subscriptions.view()));
    }

    pub(super) async fn subscribe(&mut self, filter: TopicFilter, qos: Option<u8>) {
        if let Some(why) = self.why_not_subscribe(&filter) {
            self.auditor.note(AuditLog::Subscriber, "subscribe", Some(filter.as_str()), Err(&why));
            let what = format!("{filter} is not watched.");
            let next = "Choose a narrower filter, or ask the station's admin for the right.";
            self.teller.fail(Asked::Subscribe, Failure::new(what, why, next));
            return;
        }
        let known = self.subscriptions.watched.get(&filter).map(|watched| watched.qos);
        let qos = qos.or(known).unwrap_or(1).min(2);
        if let Err(error) = self.keep_subscription(&filter, qos).await {
            let what = format!("{filter} is not watched.");
            self.teller.fail(Asked::Subscribe, Failure::new(what, error.to_string(), ""));
            return;
        }
        self.subscriptions.gone.remove(&filter);
        self.subscriptions.to_end.remove(&filter);
        if self.subscriptions.watched.insert(filter.clone(), Watched { qos, granted: None }).is_none() {
            self.subscriptions.fresh.insert(filter.clone());
        }
        self.subscriptions.to_ask.insert(filter);
        self.tell_subscriptions();
    }

    /// On disk before it is asked for: from the first message at QoS 2 on, every connection must be ready for the broker
    /// to release one of an earlier connection.
    async fn keep_subscription(&mut self, filter: &TopicFilter, qos: u8) -> Result<(), StoreError> {
        if qos == 2 && !self.receives_exactly_once {
            self.store.set_setting(EXACTLY_ONCE, "yes").await?;
            self.receives_exactly_once = true;
        }
        self.store.set_subscription(filter, Some(qos)).await
    }

    pub(super) async fn unsubscribe(&mut self, filter: TopicFilter) {
        if let Err(error) = self.store.set_subscription(&filter, None).await {
            let what = format!("{filter} is still watched.");
            self.teller.fail(Asked::Subscribe, Failure::new(what, error.to_string(), ""));
            return;
        }
        self.auditor.note(AuditLog::Subscriber, "unsubscribe", Some(filter.as_str()), Ok(()));
        self.subscriptions.watched.remove(&filter);
        self.subscriptions.to_ask.remove(&filter);
        self.subscriptions.gone.insert(filter.clone());
        self.subscriptions.to_end.insert(filter);
        self.tell_subscriptions();
    }

    /// Sends what is to be asked or ended, as far as the connection takes it.
    pub(super) fn pump_subscriptions(&mut self) {
        let oldest = self.outgoing.oldest();
        let Some(connection) = self.phase.connection().filter(|connection| connection.takes.is_some()) else {
            return;
        };
        while let Some(filter) = self.subscriptions.to_end.pop_first() {
            if let Err(filter) = connection.unsubscribe(filter, oldest) {
                self.subscriptions.to_end.insert(filter);
                return;
            }
        }
        while !self.subscriptions.to_ask.is_empty() {
            let Subscriptions { to_ask, watched, .. } = &mut self.subscriptions;
            let some = std::iter::from_fn(|| to_ask.pop_first()).take(PER_PACKET);
            let some = some.map(|filter| {
                let qos = watched.get(&filter).map_or(1, |watched| watched.qos);
                (filter, qos)
            });
            let some = some.collect();
            if let Err(filters) = connection.subscribe(some, oldest) {
                self.subscriptions.to_ask.extend(filters);
                return;
            }
        }
    }

    pub(super) fn subscribed(&mut self, answers: Vec<(TopicFilter, Granted)>) {
        let mut refused = Vec::new();
        for (filter, granted) in answers {
            let granted = granted.map_err(|denial| safe(&denial.told(self.carrier.who())));
            if self.subscriptions.fresh.remove(&filter) {
                let outcome = granted.as_ref().map(|_| ()).map_err(String::as_str);
                self.auditor.note(AuditLog::Subscriber, "subscribe", Some(filter.as_str()), outcome);
            }
            if let Some(there) = self.subscriptions.watched.get_mut(&filter) {
                there.granted = Some(granted);
            } else if let Err(why) = granted {
                refused.push((filter, why));
            }
        }
        for (filter, why) in refused {
            self.figures_refused(&filter, &why);
        }
        self.tell_subscriptions();
    }

    pub(super) async fn unsubscribed(&mut self, filters: Vec<TopicFilter>) {
        for filter in filters {
            if self.subscriptions.gone.remove(&filter)
                && let Err(error) = self.store.forget_subscription(&filter).await
            {
                tracing::warn!(%error, "the end of a subscription was not kept");
            }
        }
    }
}
