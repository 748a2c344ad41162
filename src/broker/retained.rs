//! The last retained message of every topic, bounded by count and bytes.
//!
//! Topics are kept sorted, so that a filter needs to look only at those that share its beginning.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound,
    sync::Arc,
    time::Instant,
};

use super::message::Message;
use crate::topic::{TopicFilter, TopicName};

/// Why a message cannot be retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the station keeps no more retained messages: clear some, or raise its limit")]
pub(super) struct RetainedFull;

/// Retained messages by topic.
#[derive(Debug)]
pub(super) struct Retained {
    by_topic: BTreeMap<TopicName, Arc<Message>>,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
}

impl Retained {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self { by_topic: BTreeMap::new(), bytes: 0, max_messages, max_bytes }
    }

    /// Keeps a message in place of the topic's last; an empty payload clears the topic (MQTT-3.3.1-6).
    ///
    /// # Errors
    /// When it would exceed a bound; what was kept stays.
    pub(super) fn put(&mut self, message: &Arc<Message>) -> Result<(), RetainedFull> {
        if message.payload.is_empty() {
            if let Some(old) = self.by_topic.remove(&message.topic) {
                self.bytes -= old.weight();
            }
            return Ok(());
        }
        let count = self.by_topic.len();
        match self.by_topic.entry(message.topic.clone()) {
            Entry::Occupied(mut entry) => {
                let bytes = self.bytes - entry.get().weight() + message.weight();
                if bytes > self.max_bytes {
                    return Err(RetainedFull);
                }
                self.bytes = bytes;
                entry.insert(Arc::clone(message));
            }
            Entry::Vacant(entry) => {
                let bytes = self.bytes + message.weight();
                if bytes > self.max_bytes || count >= self.max_messages {
                    return Err(RetainedFull);
                }
                self.bytes = bytes;
                entry.insert(Arc::clone(message));
            }
        }
        Ok(())
    }

    /// The topic's message, unless it expired.
    pub(super) fn get(&self, topic: &TopicName, now: Instant) -> Option<&Arc<Message>> {
        self.by_topic.get(topic).filter(|message| !message.is_expired(now))
    }

    /// The topics that a filter matches.
    pub(super) fn matching(&self, filter: &TopicFilter) -> Vec<TopicName> {
        let literal: Vec<_> = filter.levels().take_while(|level| !matches!(*level, "+" | "#")).collect();
        let prefix = literal.join("/");
        let start = TopicName::new(&prefix).map_or(Bound::Unbounded, Bound::Included);
        self.by_topic
            .range((start, Bound::Unbounded))
            .map(|(topic, _)| topic)
            .take_while(|topic| topic.as_str().starts_with(&prefix))
            .filter(|topic| filter.matches(topic))
            .cloned()
            .collect()
    }

    /// Forgets what expired, and says what that was.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<TopicName> {
        let (bytes, mut gone) = (&mut self.bytes, Vec::new());
        self.by_topic.retain(|topic, message| {
            let keep = !message.is_expired(now);
            if !keep {
                *bytes -= message.weight();
                gone.push(topic.clone());
            }
            keep
        });
        gone
    }

    pub(super) fn len(&self) -> usize {
        self.by_topic.len()
    }

    /// Topic, payload and properties of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn message(topic: &str, payload: &'static [u8]) -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::new(topic).unwrap(),
            payload: payload.into(),
            qos: 0,
            retain: true,
            properties: bytes::Bytes::new(),
            received: Instant::now(),
            expiry: None,
            kept: std::sync::OnceLock::new(),
        })
    }

    fn kept(retained: &Retained, topic: &str) -> Option<Vec<u8>> {
        let topic = TopicName::new(topic).unwrap();
        retained.get(&topic, Instant::now()).map(|message| message.payload.to_vec())
    }

    #[test]
    fn a_message_replaces_the_last_and_an_empty_one_clears() {
        let mut retained = Retained::new(10, 1_000);
        retained.put(&message("a", b"one")).unwrap();
        retained.put(&message("a", b"two")).unwrap();
        assert_eq!(kept(&retained, "a").unwrap(), b"two");
        retained.put(&message("a", b"")).unwrap();
        assert_eq!((kept(&retained, "a"), retained.len(), retained.bytes), (None, 0, 0));
    }

    #[test]
    fn both_bounds_hold_and_what_was_kept_stays() {
        let mut retained = Retained::new(2, 20);
        retained.put(&message("a", b"12345")).unwrap();
        retained.put(&message("b", b"12345")).unwrap();
        assert_eq!(retained.put(&message("c", b"1")), Err(RetainedFull));
        assert_eq!(retained.put(&message("b", b"123456789012345")), Err(RetainedFull));
        assert_eq!(kept(&retained, "b").unwrap(), b"12345");
        retained.put(&message("a", b"")).unwrap();
        retained.put(&message("b", b"1234567890123")).unwrap();
        assert_eq!(retained.bytes, 14);
    }

    #[test]
    fn an_expired_message_is_gone() {
        let mut retained = Retained::new(2, 100);
        let mut short = Arc::unwrap_or_clone(message("a", b"x"));
        short.expiry = Some(1);
        retained.put(&Arc::new(short)).unwrap();
        let later = Instant::now() + Duration::from_secs(2);
        let topic = TopicName::new("a").unwrap();
        assert!(retained.get(&topic, Instant::now()).is_some());
        assert!(retained.get(&topic, later).is_none());
        assert_eq!(retained.sweep(later), [topic]);
        assert_eq!((retained.len(), retained.bytes), (0, 0));
    }

    proptest! {
        #[test]
        fn a_filter_finds_what_it_would_find_by_looking_at_all(
            names in prop::collection::btree_set("[ab$!](/[ab!]{0,2}){0,3}", 0..30),
            filter in "([ab$!]|\\+)(/([ab!]{0,2}|\\+)){0,3}(/#)?|#",
        ) {
            let filter = TopicFilter::new(&filter).unwrap();
            let mut retained = Retained::new(100, 10_000);
            for name in &names {
                retained.put(&message(name, b"x")).unwrap();
            }
            let found: Vec<_> = retained.matching(&filter).iter().map(|topic| topic.as_str().to_owned()).collect();
            let wanted: Vec<_> =
                names.iter().filter(|name| crate::topic::filter_matches(filter.as_str(), name)).cloned().collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
