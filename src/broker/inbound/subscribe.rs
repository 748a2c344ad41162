//! What SUBSCRIBE and UNSUBSCRIBE do, and the retained messages that a new subscription is sent.

use std::{num::NonZeroU16, sync::Arc, time::Instant};

use rmqtt_codec::v5::{self, RetainHandling, SubscribeAckReason, UnsubscribeAckReason};

use super::{
    super::{
        Event, Limit, Protocol, SubscriptionOptions, Verdict, codec::Violation, keeper::Change,
        parcels::Parcel, shared::SharedFilter,
    },
    Inbound,
};
use crate::topic::TopicFilter;

impl Inbound {
    pub(super) fn subscribe(
        &mut self,
        packet_id: NonZeroU16,
        id: Option<u32>,
        filters: &[(TopicFilter, v5::SubscriptionOptions)],
    ) -> Result<(), Violation> {
        // MQTT-3.8.3-4.
        if filters.iter().any(|(filter, options)| options.no_local && is_shared(filter)) {
            return Err(Violation::protocol("No Local in a shared subscription"));
        }
        let mut codes = Vec::with_capacity(filters.len());
        let mut refusal: Option<Arc<str>> = None;
        for (filter, wanted) in filters {
            let granted = SubscriptionOptions {
                qos: wanted.qos.value(),
                no_local: wanted.no_local,
                retain_as_published: wanted.retain_as_published,
                id,
            };
            match self.grant(filter, granted) {
                Ok(new) => {
                    let replay = match wanted.retain_handling {
                        RetainHandling::AtSubscribe => true,
                        RetainHandling::AtSubscribeNew => new,
                        RetainHandling::NoAtSubscribe => false,
                    };
                    if replay && !is_shared(filter) {
                        self.replays.push((filter.clone(), granted));
                    }
                    codes.push(match granted.qos {
                        0 => SubscribeAckReason::GrantedQos0,
                        1 => SubscribeAckReason::GrantedQos1,
                        _ => SubscribeAckReason::GrantedQos2,
                    });
                }
                Err((code, reason)) => {
                    let identity = &self.control.identity;
                    self.core.observer.observe(Event::SubscribeDenied { identity, filter, reason: &reason });
                    refusal.get_or_insert(reason);
                    // MQTT 3.1 knows no refusal here: the client is told QoS 0, and gets nothing.
                    codes.push(match self.control.protocol {
                        Protocol::V31 => SubscribeAckReason::GrantedQos0,
                        _ => code,
                    });
                }
            }
        }
        self.seen.answered(1);
        self.codec.suback(packet_id, codes, refusal.as_deref(), &mut self.replies);
        Ok(())
    }

    /// Makes a subscription, if it is permitted; true if there was none to this filter.
    fn grant(
        &mut self,
        filter: &TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<bool, (SubscribeAckReason, Arc<str>)> {
        let shared = SharedFilter::parse(filter);
        let shared =
            shared.map_err(|bad| (SubscribeAckReason::TopicFilterInvalid, bad.to_string().into()))?;
        let asked = shared.as_ref().map_or(filter, |shared| &shared.filter);
        let identity = &Arc::clone(&self.control.identity);
        let permissions = self.core.router.permissions();
        if let Verdict::Deny(reason) = self.core.authority.subscribe(identity, asked) {
            return Err((SubscribeAckReason::NotAuthorized, reason));
        }
        {
            let mut subscriptions = self.session.subscriptions.lock();
            let maximum = self.core.limits.max_subscriptions_per_session;
            if !subscriptions.contains_key(filter) && subscriptions.len() >= maximum {
                self.core.counters.hit(Limit::MaxSubscriptionsPerSession, 1);
                let reason =
                    format!("a session may have at most {maximum} subscriptions: unsubscribe from some");
                return Err((SubscribeAckReason::QuotaExceeded, reason.into()));
            }
            subscriptions.insert(filter.clone(), options);
        }
        let new = self.core.router.subscribe(&self.session, filter, options, permissions);
        // Where the session ended meanwhile, nobody else would take the subscription back.
        if self.session.has_ended() {
            self.core.router.unsubscribe(&self.session, filter);
        }
        self.write_down(|session| Change::Subscribed { session, filter: filter.clone(), options });
        self.core.observer.observe(Event::Subscribed { identity, filter, qos: options.qos });
        Ok(new)
    }

    /// A change of the subscriptions, to be on disk before it is answered if the session outlives its connection.
    fn write_down(&mut self, change: impl FnOnce(u64) -> Change) {
        if let Some(ticket) = self.session.record(change) {
            self.tickets.note(ticket);
            self.subscribed = true;
        }
    }

    pub(super) fn replay(&mut self, subscriptions: &[(TopicFilter, SubscriptionOptions)]) {
        for (filter, options) in subscriptions {
            self.replay_one(filter, *options);
        }
    }

    /// Sends the retained messages that a filter matches.
    fn replay_one(&mut self, filter: &TopicFilter, options: SubscriptionOptions) {
        let table = self.core.retained_for(filter);
        let topics = table.lock().matching(filter);
        let identity = &self.control.identity;
        let permitted = topics.into_iter().filter(|topic| {
            let yes = self.core.authority.deliver(identity, topic);
            if !yes {
                self.core.observer.observe(Event::DeliveryDenied { identity, topic });
            }
            yes
        });
        let permitted: Vec<_> = permitted.collect();
        if permitted.is_empty() {
            return;
        }
        let subscription_ids: Arc<[u32]> = options.id.into_iter().collect();
        let now = Instant::now();
        // Looked up again and queued under one lock, so that a newer message cannot come before an older one.
        let retained = table.lock();
        let parcels = permitted.iter().filter_map(|topic| {
            let message = Arc::clone(retained.get(topic, now)?);
            let (qos, subscription_ids) = (message.qos.min(options.qos), Arc::clone(&subscription_ids));
            let (retain, replay, number, again, after, void) = (true, true, 0, false, None, false);
            let share = None;
            Some(Parcel { message, qos, retain, subscription_ids, replay, share, number, again, after, void })
        });
        self.session.replay(parcels.collect(), &mut self.tickets);
    }

    pub(super) fn unsubscribe(&mut self, packet_id: NonZeroU16, filters: &[TopicFilter]) {
        let mut codes = Vec::with_capacity(filters.len());
        for filter in filters {
            let known = self.session.subscriptions.lock().remove(filter).is_some();
            if known {
                self.core.router.unsubscribe(&self.session, filter);
                self.write_down(|session| Change::Unsubscribed { session, filter: filter.clone() });
                let identity = &self.control.identity;
                self.core.observer.observe(Event::Unsubscribed { identity, filter });
            }
            codes.push(match known {
                true => UnsubscribeAckReason::Success,
                false => UnsubscribeAckReason::NoSubscriptionExisted,
            });
        }
        self.seen.answered(1);
        self.codec.unsuback(packet_id, codes, &mut self.replies);
    }
}

fn is_shared(filter: &TopicFilter) -> bool {
    matches!(SharedFilter::parse(filter), Ok(Some(_)))
}
