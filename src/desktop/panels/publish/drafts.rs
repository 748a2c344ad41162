//! What was sent in this session, so that it can be used again: the outbox tells sizes and states, never payloads.

use std::collections::VecDeque;

use crate::client::{Draft, OutboxEntry};

use super::body::Kind;

/// The most drafts that are remembered.
const MOST: usize = 200;
/// The most bytes of all of them.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// One message that was sent from here.
#[derive(Debug)]
struct Sent {
    draft: Draft,
    kind: Kind,
    /// Sent again and again: stands for many entries.
    repeated: bool,
    id: Option<i64>,
}

/// What was sent, the newest last.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    sent: VecDeque<Sent>,
}

impl Drafts {
    /// Remembers a message that is being sent.
    pub(super) fn remember(&mut self, draft: Draft, kind: Kind, repeated: bool) {
        self.sent.push_back(Sent { draft, kind, repeated, id: None });
        while self.sent.len() > MOST
            || self.sent.iter().map(|sent| sent.draft.body.len()).sum::<usize>() > MOST_BYTES
        {
            if self.sent.pop_front().is_none() {
                break;
            }
        }
    }

    /// An entry that was not in the outbox before: it is the oldest draft like it that has no entry yet.
    pub(super) fn claim(&mut self, entry: &OutboxEntry) {
        if let Some(sent) =
            self.sent.iter_mut().find(|sent| sent.id.is_none() && !sent.repeated && alike(&sent.draft, entry))
        {
            sent.id = Some(entry.id);
        }
    }

    /// The message behind an entry, where it is remembered.
    pub(super) fn of(&self, entry: &OutboxEntry) -> Option<(&Draft, Kind)> {
        let by_id = self.sent.iter().rev().find(|sent| sent.id == Some(entry.id));
        by_id
            .or_else(|| self.sent.iter().rev().find(|sent| sent.repeated && alike(&sent.draft, entry)))
            .map(|sent| (&sent.draft, sent.kind))
    }
}

fn alike(draft: &Draft, entry: &OutboxEntry) -> bool {
    draft.topic == entry.topic
        && draft.qos == entry.qos
        && draft.retain == entry.retain
        && draft.body.len() == entry.plain_len
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::OutboxState, topic::TopicName};

    fn draft(body: &str) -> Draft {
        Draft {
            topic: TopicName::new("a/b").unwrap(),
            body: body.into(),
            content_type: None,
            qos: 1,
            retain: false,
        }
    }

    fn entry(id: i64, plain_len: usize) -> OutboxEntry {
        OutboxEntry {
            id,
            queued_ms: 0,
            topic: TopicName::new("a/b").unwrap(),
            qos: 1,
            retain: false,
            sealed_with: None,
            plain_len,
            wire_len: 0,
            state: OutboxState::Queued,
        }
    }

    #[test]
    fn entries_find_their_drafts_in_the_order_they_were_sent() {
        let mut drafts = Drafts::default();
        for body in ["one", "two", "three"] {
            drafts.remember(draft(body), Kind::Text, false);
        }
        for (id, length) in [(7, 3), (8, 3), (9, 5)] {
            drafts.claim(&entry(id, length));
        }
        let body = |id, length| drafts.of(&entry(id, length)).map(|(draft, _)| draft.body.clone());
        assert_eq!(body(8, 3), Some(b"two".to_vec()));
        assert_eq!(body(9, 5), Some(b"three".to_vec()));
        assert_eq!(body(10, 3), None);
    }

    #[test]
    fn a_repeated_message_stands_for_all_its_entries_and_memory_is_bounded() {
        let mut drafts = Drafts::default();
        drafts.remember(draft("tick"), Kind::Text, true);
        drafts.claim(&entry(1, 4));
        assert!(drafts.of(&entry(1, 4)).is_some() && drafts.of(&entry(2, 4)).is_some());
        for _ in 0..20 {
            drafts.remember(draft(&"x".repeat(1_000_000)), Kind::Text, false);
        }
        assert!(drafts.sent.len() <= 8);
    }
}
