//! Shared subscriptions (MQTT 5 §4.8.2): sessions that subscribe to `$share/<group>/<filter>` take turns.
//!
//! A group is known by its name and filter. Start at [`SharedFilter::parse`] and [`Groups`].

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use parking_lot::RwLock;

use super::{
    message::Message,
    outbox::{Fanout, Outcome, Readiness},
    router::{Subscription, Target},
    trie::Trie,
};
use crate::topic::{TopicFilter, TopicName};

/// What `$share/<group>/<filter>` says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SharedFilter {
    group: Box<str>,
    /// Without the prefix: what is matched, and what the authority is asked about.
    pub(super) filter: TopicFilter,
}

/// A filter that begins with `$share` and goes on wrongly (MQTT-4.8.2-1, MQTT-4.8.2-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shared subscription is $share, a name without + and #, and a topic filter, with slashes between")]
pub(super) struct BadShare;

impl SharedFilter {
    /// None for a filter that is not shared.
    pub(super) fn parse(filter: &TopicFilter) -> Result<Option<Self>, BadShare> {
        let text = filter.as_str();
        let Some(rest) = text.strip_prefix("$share/") else {
            return if text == "$share" { Err(BadShare) } else { Ok(None) };
        };
        let (group, filter) = rest.split_once('/').ok_or(BadShare)?;
        if group.is_empty() || group.contains(['+', '#']) {
            return Err(BadShare);
        }
        let filter = TopicFilter::new(filter).map_err(|_| BadShare)?;
        Ok(Some(Self { group: group.into(), filter }))
    }
}

/// The sessions that take turns.
#[derive(Debug)]
struct Group {
    id: u64,
    members: Vec<Arc<Subscription>>,
    turn: Arc<AtomicUsize>,
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<Arc<SharedFilter>, Group>,
    by_filter: Trie<Arc<SharedFilter>>,
    last_id: u64,
    members: usize,
}

/// A group as a message finds it.
pub(super) struct Found {
    pub(super) share: Arc<SharedFilter>,
    pub(super) members: Vec<Arc<Subscription>>,
    /// Whose turn it is.
    pub(super) turn: Arc<AtomicUsize>,
}

impl Group {
    fn found(&self, share: &Arc<SharedFilter>) -> Found {
        Found { share: Arc::clone(share), members: self.members.clone(), turn: Arc::clone(&self.turn) }
    }
}

impl Groups {
    /// Adds or replaces a member; true if it is new.
    pub(super) fn join(&self, shared: &SharedFilter, member: Arc<Subscription>) -> bool {
        let mut state = self.state.write();
        if let Some(group) = state.groups.get_mut(shared) {
            let session = member.session.id;
            if let Some(there) = group.members.iter_mut().find(|there| there.session.id == session) {
                *there = member;
                return false;
            }
            group.members.push(member);
        } else {
            state.last_id += 1;
            let group = Group { id: state.last_id, members: vec![member], turn: Arc::default() };
            let shared = Arc::new(shared.clone());
            state.by_filter.insert(&shared.filter, group.id, Arc::clone(&shared));
            state.groups.insert(shared, group);
        }
        state.members += 1;
        true
    }

    /// Takes a member out; the last one takes the group with it.
    pub(super) fn leave(&self, shared: &SharedFilter, session: u64) -> bool {
        let mut state = self.state.write();
        let Some(group) = state.groups.get_mut(shared) else { return false };
        let Some(place) = group.members.iter().position(|member| member.session.id == session) else {
            return false;
        };
        group.members.remove(place);
        let (id, empty) = (group.id, group.members.is_empty());
        state.members -= 1;
        if empty {
            state.groups.remove(shared);
            state.by_filter.remove(&shared.filter, id);
        }
        true
    }

    /// How many memberships there are.
    pub(super) fn len(&self) -> usize {
        self.state.read().members
    }

    /// Whether one shares a filter that begins with this level.
    pub(super) fn has_under(&self, level: &str) -> bool {
        self.state.read().by_filter.has_under(level)
    }

    /// The groups that a message of this topic is for.
    pub(super) fn matching(&self, topic: &TopicName) -> Vec<Found> {
        let state = self.state.read();
        if state.groups.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        state.by_filter.visit(topic, |shared| {
            found.extend(state.groups.get(shared).map(|group| group.found(shared)));
        });
        found
    }

    /// The group of this name and filter, with so many of its members at most, from whose turn it is.
    pub(super) fn named(&self, share: &SharedFilter, most: usize) -> Option<Found> {
        let state = self.state.read();
        let (share, Group { members, turn, .. }) = state.groups.get_key_value(share)?;
        let count = members.len();
        let first = turn.fetch_add(1, Relaxed) % count.max(1);
        let some = members.iter().cycle().skip(first).take(count.min(most)).cloned().collect();
        Some(Found { share: Arc::clone(share), members: some, turn: Arc::clone(turn) })
    }
}

/// A group in a route: who of it may be sent the route's topic.
#[derive(Debug)]
pub(super) struct SharedTarget {
    pub(super) members: Box<[Target]>,
    pub(super) turn: Arc<AtomicUsize>,
}

impl SharedTarget {
    /// Gives a message to the next member that has room; to one that is connected if none has; to one that is away,
    /// and will come back, if none is connected.
    pub(super) fn give(&self, message: &Arc<Message>, fanout: &mut Fanout) -> Outcome {
        let turn = self.turn.fetch_add(1, Relaxed);
        let count = self.members.len();
        let mut others = Vec::new();
        for place in 0..count {
            let Some(member) = self.members.get((turn.wrapping_add(place)) % count) else { continue };
            match member.session.readiness() {
                Readiness::Ready => match member.give(message, fanout) {
                    outcome @ (Outcome::Taken | Outcome::Congested) => return outcome,
                    _ => others.push((Readiness::Busy, member)),
                },
                Readiness::Gone => {}
                readiness => others.push((readiness, member)),
            }
        }
        others.sort_by_key(|(readiness, _)| *readiness);
        let mut last = Outcome::Absent;
        for (_, member) in others {
            match member.give(message, fanout) {
                outcome @ (Outcome::Taken | Outcome::Congested) => return outcome,
                // It loses its connection, as it takes nothing; the message goes on to the next.
                Outcome::Overflow => last = Outcome::Lost,
                Outcome::Absent => {}
                outcome => last = outcome,
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_a_name_and_a_filter() {
        let parse = |text: &str| SharedFilter::parse(&TopicFilter::new(text).unwrap());
        let shared = parse("$share/group/a/+/#").unwrap().unwrap();
        assert_eq!((&*shared.group, shared.filter.as_str()), ("group", "a/+/#"));
        assert_eq!(parse("$share/g//").unwrap().unwrap().filter.as_str(), "/");
        for plain in ["a", "$shared/g/a", "+/share", "$SYS/share/a"] {
            assert_eq!(parse(plain), Ok(None));
        }
        for bad in ["$share", "$share/g", "$share//a", "$share/+/a", "$share/g/", "$share/#"] {
            assert_eq!(parse(bad), Err(BadShare), "{bad}");
        }
    }
}
