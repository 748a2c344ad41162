//! Who is to be sent a message: the subscriptions of all sessions, and the routes made from them.
//!
//! A route is what one publisher may do with one topic. It holds until [`Router::generation`] moves on, which every
//! change of a subscription or permission makes it do.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use ahash::AHashMap;
use parking_lot::RwLock;

use super::{
    Authority, Event, Observer, SubscriptionOptions, Verdict,
    message::Message,
    outbox::{Delivery, Fanout, Outcome},
    session::Session,
    shared::{Found, Groups, SharedFilter, SharedTarget},
    trie::Trie,
};
use crate::topic::{TopicFilter, TopicName};

/// In the place of a generation of the permissions: the authority is to be asked before the first use.
pub(super) const NOT_ASKED: u64 = u64::MAX >> 1;

/// One filter of one session.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) session: Arc<Session>,
    /// Without what makes it a shared one.
    filter: TopicFilter,
    options: SubscriptionOptions,
    /// The authority's last word: generation of the permissions, times two, plus one if it was a yes.
    permitted: AtomicU64,
}

impl Subscription {
    fn is_permitted(&self, authority: &dyn Authority, permissions: u64) -> bool {
        let known = self.permitted.load(SeqCst);
        if known >> 1 == permissions {
            return known & 1 == 1;
        }
        let yes = authority.subscribe(&self.session.identity(), &self.filter).is_allowed();
        self.permitted.store(permissions << 1 | u64::from(yes), SeqCst);
        yes
    }
}

impl Subscription {
    /// As a member of a group, if it may still be one.
    fn target_for(
        &self,
        share: &Arc<SharedFilter>,
        authority: &dyn Authority,
        permissions: u64,
    ) -> Option<Target> {
        self.is_permitted(authority, permissions).then(|| Target {
            session: Arc::clone(&self.session),
            qos: self.options.qos,
            retain_as_published: self.options.retain_as_published,
            subscription_ids: self.options.id.into_iter().collect(),
            share: Some(Arc::clone(share)),
        })
    }
}

/// One session that is sent the messages of a route, once each, whatever number of its filters match.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) session: Arc<Session>,
    /// The highest of its subscriptions.
    pub(super) qos: u8,
    pub(super) retain_as_published: bool,
    pub(super) subscription_ids: Arc<[u32]>,
    /// The group that it is a member of here.
    share: Option<Arc<SharedFilter>>,
}

impl Target {
    /// Whether a QoS 1 or 2 message for it must be on disk before it is acknowledged.
    pub(super) fn is_kept(&self) -> bool {
        self.qos > 0 && self.session.is_kept()
    }

    /// How its session is sent a message.
    pub(super) fn delivery(&self, message: &Message) -> Delivery<'_> {
        Delivery {
            qos: message.qos.min(self.qos),
            retain: message.retain && self.retain_as_published,
            subscription_ids: &self.subscription_ids,
            share: self.share.as_ref(),
        }
    }

    /// Gives its session a copy.
    pub(super) fn give(&self, message: &Arc<Message>, fanout: &mut Fanout) -> Outcome {
        self.session.push(message, self.delivery(message), fanout)
    }
}

/// A publisher's verdict and addressees for one topic.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) verdict: Verdict,
    pub(super) targets: Arc<[Target]>,
    /// Groups of which one member is sent each message.
    pub(super) shared: Arc<[SharedTarget]>,
}

impl Route {
    /// One that leads nowhere.
    pub(super) fn to_nobody(verdict: Verdict) -> Self {
        Self { verdict, targets: Arc::from([]), shared: Arc::from([]) }
    }

    /// Whether there is nobody to be sent anything.
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.shared.is_empty()
    }

    /// Everybody who may be sent something.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().chain(self.shared.iter().flat_map(|group| &group.members))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Router {
    subscriptions: RwLock<Trie<Arc<Subscription>>>,
    groups: Groups,
    generation: AtomicU64,
    permissions: AtomicU64,
}

impl Router {
    /// Routes made before this moved on are no longer valid.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }

    /// Every verdict is to be asked for again.
    pub(super) fn forget_verdicts(&self) {
        self.permissions.fetch_add(1, SeqCst);
        self.generation.fetch_add(1, SeqCst);
    }

    /// Moves on whenever the authority's verdicts may have changed.
    pub(super) fn permissions(&self) -> u64 {
        self.permissions.load(SeqCst)
    }

    /// Adds or replaces a subscription that the authority allowed when [`Router::permissions`] was `permissions`;
    /// true if it is new.
    pub(super) fn subscribe(
        &self,
        session: &Arc<Session>,
        filter: &TopicFilter,
        options: SubscriptionOptions,
        permissions: u64,
    ) -> bool {
        let shared = SharedFilter::parse(filter).unwrap_or(None);
        let subscription = Arc::new(Subscription {
            session: Arc::clone(session),
            filter: shared.as_ref().map_or(filter, |shared| &shared.filter).clone(),
            options,
            permitted: AtomicU64::new(permissions << 1 | 1),
        });
        let new = match shared {
            Some(shared) => self.groups.join(&shared, subscription),
            None => self.subscriptions.write().insert(filter, session.id, subscription).is_none(),
        };
        self.generation.fetch_add(1, SeqCst);
        new
    }

    /// Takes a subscription back; false if there was none.
    pub(super) fn unsubscribe(&self, session: &Session, filter: &TopicFilter) -> bool {
        let removed = match SharedFilter::parse(filter) {
            Ok(Some(shared)) => self.groups.leave(&shared, session.id),
            _ => self.subscriptions.write().remove(filter, session.id).is_some(),
        };
        self.generation.fetch_add(1, SeqCst);
        removed
    }

    /// Takes all subscriptions of a session that is over.
    pub(super) fn forget(&self, session: &Session) {
        let filters = std::mem::take(&mut *session.subscriptions.lock());
        if filters.is_empty() {
            return;
        }
        for filter in filters.keys() {
            match SharedFilter::parse(filter) {
                Ok(Some(shared)) => drop(self.groups.leave(&shared, session.id)),
                _ => drop(self.subscriptions.write().remove(filter, session.id)),
            }
        }
        self.generation.fetch_add(1, SeqCst);
    }

    pub(super) fn len(&self) -> usize {
        self.subscriptions.read().len() + self.groups.len()
    }

    /// Those of the subscriptions that are shared.
    pub(super) fn shared_len(&self) -> usize {
        self.groups.len()
    }

    /// The groups that share the messages of `topic`, with those of their members who may be sent them.
    pub(super) fn shared(
        &self,
        topic: &TopicName,
        authority: &dyn Authority,
        observer: &dyn Observer,
    ) -> Arc<[SharedTarget]> {
        let found = self.groups.matching(topic).into_iter();
        found.filter_map(|found| self.shared_target(found, topic, authority, observer)).collect()
    }

    /// Members of a group, `most` of them, who may have subscribed to it, whatever they may be sent.
    pub(super) fn members(
        &self,
        share: &SharedFilter,
        most: usize,
        authority: &dyn Authority,
    ) -> Vec<Target> {
        let permissions = self.permissions();
        let Some(Found { share, members, .. }) = self.groups.named(share, most) else { return Vec::new() };
        let permitted = members.iter().filter_map(|member| member.target_for(&share, authority, permissions));
        permitted.collect()
    }

    fn shared_target(
        &self,
        found: Found,
        topic: &TopicName,
        authority: &dyn Authority,
        observer: &dyn Observer,
    ) -> Option<SharedTarget> {
        let permissions = self.permissions();
        let Found { share, members, turn } = found;
        let permitted = members.iter().filter_map(|member| member.target_for(&share, authority, permissions));
        let members = permitted.filter(|target| may_be_given(target, topic, authority, observer));
        let members: Box<[Target]> = members.collect();
        (!members.is_empty()).then_some(SharedTarget { members, turn })
    }

    /// Whether there is a filter that begins with this level.
    pub(super) fn has_under(&self, level: &str) -> bool {
        self.subscriptions.read().has_under(level) || self.groups.has_under(level)
    }

    /// Who is to be sent the messages of `topic` that come from the session `publisher`.
    pub(super) fn targets(
        &self,
        publisher: u64,
        topic: &TopicName,
        authority: &dyn Authority,
        observer: &dyn Observer,
    ) -> Arc<[Target]> {
        let permissions = self.permissions();
        let mut matching = Vec::new();
        self.subscriptions.read().visit(topic, |subscription| matching.push(Arc::clone(subscription)));

        // The authority is asked with no lock held.
        let mut by_session: AHashMap<u64, usize> = AHashMap::new();
        let mut merged: Vec<(Target, Vec<u32>)> = Vec::new();
        for subscription in matching {
            let options = subscription.options;
            if options.no_local && subscription.session.id == publisher {
                continue;
            }
            if !subscription.is_permitted(authority, permissions) {
                continue;
            }
            let index = *by_session.entry(subscription.session.id).or_insert_with(|| {
                let session = Arc::clone(&subscription.session);
                let target = Target {
                    session,
                    qos: 0,
                    retain_as_published: false,
                    subscription_ids: Arc::from([]),
                    share: None,
                };
                merged.push((target, Vec::new()));
                merged.len() - 1
            });
            let (target, ids) = &mut merged[index];
            target.qos = target.qos.max(options.qos);
            target.retain_as_published |= options.retain_as_published;
            ids.extend(options.id);
        }
        let permitted = merged.into_iter().filter_map(|(target, ids)| {
            let permitted = may_be_given(&target, topic, authority, observer);
            permitted.then(|| Target { subscription_ids: ids.into(), ..target })
        });
        permitted.collect()
    }
}

/// Asks whether a session may be given messages of a topic, whatever its subscription was.
pub(super) fn may_be_given(
    target: &Target,
    topic: &TopicName,
    authority: &dyn Authority,
    observer: &dyn Observer,
) -> bool {
    let identity = target.session.identity();
    let yes = authority.deliver(&identity, topic);
    if !yes {
        observer.observe(Event::DeliveryDenied { identity: &identity, topic });
    }
    yes
}
