//! A tree of topic filters, one level of the topic per level of the tree: finds the filters that match a name
//! without looking at the others. Knows nothing of sessions.

use std::hash::RandomState;

use ahash::AHashMap;

use crate::topic::{TopicFilter, TopicName};

/// Values under (filter, key). One key holds at most one value per filter.
#[derive(Debug)]
pub(super) struct Trie<V> {
    root: Node<V>,
    len: usize,
}

#[derive(Debug)]
struct Node<V> {
    /// Literal levels come from strangers: their hash is keyed against collisions.
    literal: std::collections::HashMap<Box<str>, Node<V>, RandomState>,
    plus: Option<Box<Node<V>>>,
    /// Filters that end here.
    here: AHashMap<u64, V>,
    /// Filters that end here with `/#`.
    hash: AHashMap<u64, V>,
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self { literal: Default::default(), plus: None, here: AHashMap::new(), hash: AHashMap::new() }
    }
}

impl<V> Node<V> {
    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.plus.is_none() && self.here.is_empty() && self.hash.is_empty()
    }

    fn insert(&mut self, levels: &[&str], key: u64, value: V) -> Option<V> {
        match levels {
            [] => self.here.insert(key, value),
            ["#"] => self.hash.insert(key, value),
            ["+", rest @ ..] => self.plus.get_or_insert_default().insert(rest, key, value),
            [level, rest @ ..] => match self.literal.get_mut(*level) {
                Some(child) => child.insert(rest, key, value),
                None => self.literal.entry((*level).into()).or_default().insert(rest, key, value),
            },
        }
    }

    /// Removes, and prunes what has become empty on the way back.
    fn remove(&mut self, levels: &[&str], key: u64) -> Option<V> {
        match levels {
            [] => self.here.remove(&key),
            ["#"] => self.hash.remove(&key),
            ["+", rest @ ..] => {
                let child = self.plus.as_deref_mut()?;
                let removed = child.remove(rest, key);
                if child.is_empty() {
                    self.plus = None;
                }
                removed
            }
            [level, rest @ ..] => {
                let child = self.literal.get_mut(*level)?;
                let removed = child.remove(rest, key);
                if child.is_empty() {
                    self.literal.remove(*level);
                }
                removed
            }
        }
    }

    fn visit<'a>(&'a self, levels: &[&str], wildcards: bool, found: &mut impl FnMut(&'a V)) {
        if wildcards {
            self.hash.values().for_each(&mut *found);
        }
        let [level, rest @ ..] = levels else {
            self.here.values().for_each(found);
            return;
        };
        if let Some(child) = self.literal.get(*level) {
            child.visit(rest, true, found);
        }
        if wildcards && let Some(child) = &self.plus {
            child.visit(rest, true, found);
        }
    }
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: Node::default(), len: 0 }
    }
}

impl<V> Trie<V> {
    /// Puts a value in, and returns the one that it replaces.
    pub(super) fn insert(&mut self, filter: &TopicFilter, key: u64, value: V) -> Option<V> {
        let levels: Vec<_> = filter.levels().collect();
        let replaced = self.root.insert(&levels, key, value);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, filter: &TopicFilter, key: u64) -> Option<V> {
        let levels: Vec<_> = filter.levels().collect();
        let removed = self.root.remove(&levels, key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Shows every value whose filter matches; a key comes once per matching filter. A leading wildcard does not
    /// match a name that begins with `$` (MQTT-4.7.2-1).
    pub(super) fn visit<'a>(&'a self, name: &TopicName, mut found: impl FnMut(&'a V)) {
        let levels: Vec<_> = name.levels().collect();
        self.root.visit(&levels, !name.is_system(), &mut found);
    }

    /// Whether some filter begins with this literal level.
    pub(super) fn has_under(&self, level: &str) -> bool {
        self.root.literal.contains_key(level)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn level() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]", Just(String::new()), Just("$x".to_owned())]
    }

    fn any_filter() -> impl Strategy<Value = TopicFilter> {
        (prop::collection::vec(prop_oneof![3 => level(), 1 => Just("+".to_owned())], 0..4), any::<bool>())
            .prop_filter_map("empty", |(mut levels, hash)| {
                if hash {
                    levels.push("#".to_owned());
                }
                TopicFilter::new(levels.join("/")).ok()
            })
    }

    fn any_name() -> impl Strategy<Value = TopicName> {
        prop::collection::vec(level(), 1..5)
            .prop_filter_map("empty", |levels| TopicName::new(levels.join("/")).ok())
    }

    proptest! {
        #[test]
        fn the_tree_finds_exactly_what_matches_one_by_one(
            steps in prop::collection::vec((any_filter(), 0u64..4, any::<bool>()), 0..40),
            names in prop::collection::vec(any_name(), 1..20),
        ) {
            let mut trie = Trie::default();
            let mut plain = BTreeMap::new();
            for (filter, key, insert) in steps {
                let entry = (filter.as_str().to_owned(), key);
                if insert {
                    prop_assert_eq!(trie.insert(&filter, key, entry.clone()), plain.insert(entry.clone(), entry));
                } else {
                    prop_assert_eq!(trie.remove(&filter, key), plain.remove(&entry));
                }
                prop_assert_eq!(trie.len(), plain.len());
            }
            for name in names {
                let mut found = Vec::new();
                trie.visit(&name, |value| found.push(value.clone()));
                found.sort();
                let wanted: Vec<_> = plain.keys()
                    .filter(|(filter, _)| crate::topic::filter_matches(filter, name.as_str())).cloned().collect();
                prop_assert_eq!(found, wanted, "{}", name);
            }
            for (filter, key) in plain.keys() {
                trie.remove(&TopicFilter::new(filter).unwrap(), *key);
            }
            prop_assert!(trie.root.is_empty(), "no branch may stay behind");
        }
    }
}
