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

use super::{Authority, Event, Observer, SubscriptionOptions, Verdict, session::Session, trie::Trie};
use crate::topic::{TopicFilter, TopicName};

/// In the place of a generation of the permissions: the authority is to be asked before the first use.
pub(super) const NOT_ASKED: u64 = u64::MAX >> 1;

/// One filter of one session.
#[derive(Debug)]
pub(super) struct Subscription {
    session: Arc<Session>,
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

/// One session that is sent the messages of a route, once each, whatever number of its filters match.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) session: Arc<Session>,
    /// The highest of its subscriptions.
    pub(super) qos: u8,
    pub(super) retain_as_published: bool,
    pub(super) subscription_ids: Arc<[u32]>,
}

/// A publisher's verdict and addressees for one topic.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) verdict: Verdict,
    pub(super) targets: Arc<[Target]>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Router {
    subscriptions: RwLock<Trie<Arc<Subscription>>>,
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
        let subscription = Arc::new(Subscription {
            session: Arc::clone(session),
            filter: filter.clone(),
            options,
            permitted: AtomicU64::new(permissions << 1 | 1),
        });
        let replaced = self.subscriptions.write().insert(filter, session.id, subscription);
        self.generation.fetch_add(1, SeqCst);
        replaced.is_none()
    }

    /// Takes a subscription back; false if there was none.
    pub(super) fn unsubscribe(&self, session: &Session, filter: &TopicFilter) -> bool {
        let removed = self.subscriptions.write().remove(filter, session.id);
        self.generation.fetch_add(1, SeqCst);
        removed.is_some()
    }

    /// Takes all subscriptions of a session that is over.
    pub(super) fn forget(&self, session: &Session) {
        let filters = std::mem::take(&mut *session.subscriptions.lock());
        if filters.is_empty() {
            return;
        }
        let mut subscriptions = self.subscriptions.write();
        for filter in filters.keys() {
            subscriptions.remove(filter, session.id);
        }
        drop(subscriptions);
        self.generation.fetch_add(1, SeqCst);
    }

    pub(super) fn len(&self) -> usize {
        self.subscriptions.read().len()
    }

    /// Whether there is a filter that begins with this level.
    pub(super) fn has_under(&self, level: &str) -> bool {
        self.subscriptions.read().has_under(level)
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
                let target =
                    Target { session, qos: 0, retain_as_published: false, subscription_ids: Arc::from([]) };
                merged.push((target, Vec::new()));
                merged.len() - 1
            });
            let (target, ids) = &mut merged[index];
            target.qos = target.qos.max(options.qos);
            target.retain_as_published |= options.retain_as_published;
            ids.extend(options.id);
        }
        let permitted = merged.into_iter().filter_map(|(target, ids)| {
            let identity = target.session.identity();
            if authority.deliver(&identity, topic) {
                return Some(Target { subscription_ids: ids.into(), ..target });
            }
            observer.observe(Event::DeliveryDenied { identity: &identity, topic });
            None
        });
        permitted.collect()
    }
}
