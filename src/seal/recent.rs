//! What an [`Opener`](super::Opener) remembers between messages, so that it need not derive it again: the keys of the
//! sessions that it heard last, and the last topic's id. Bounded; what is forgotten is wiped.
//!
//! Only what opened a message is remembered: nobody without the key can crowd out the others.

use std::sync::{Arc, Mutex, PoisonError};

use super::secret::SessionKey;
use crate::topic::TopicName;

/// How many sessions: as many publishers under one key find theirs remembered. One takes about a kilobyte.
pub(super) const REMEMBERED_SESSIONS: usize = 32;

/// Remembers. Shared between threads; locked only to look up, never while a message is opened.
#[derive(Default)]
pub(super) struct Recent(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The latest first.
    sessions: Vec<([u8; 16], Arc<SessionKey>)>,
    topic: Option<(TopicName, [u8; 16])>,
}

/// What was remembered.
pub(super) struct Remembered {
    pub(super) session_key: Option<Arc<SessionKey>>,
    pub(super) topic_id: Option<[u8; 16]>,
}

impl Recent {
    /// What there is for this session and topic.
    pub(super) fn recall(&self, session: &[u8; 16], topic: &TopicName) -> Remembered {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session_key = inner.sessions.iter().position(|(id, _)| id == session).map(|at| {
            inner.sessions[..=at].rotate_right(1);
            Arc::clone(&inner.sessions[0].1)
        });
        let topic_id = inner.topic.as_ref().filter(|(name, _)| name == topic).map(|&(_, id)| id);
        Remembered { session_key, topic_id }
    }

    /// Keeps a session's key; the one that was not heard for longest goes.
    pub(super) fn keep_session(&self, session: [u8; 16], key: Arc<SessionKey>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if inner.sessions.iter().any(|(id, _)| *id == session) {
            return;
        }
        inner.sessions.truncate(REMEMBERED_SESSIONS - 1);
        inner.sessions.insert(0, (session, key));
    }

    /// Keeps a topic's id, in place of the one before.
    pub(super) fn keep_topic(&self, topic: &TopicName, id: [u8; 16]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.topic = Some((topic.clone(), id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{EpochSecret, Suite, secret::Schedule};

    fn key(session: [u8; 16]) -> Arc<SessionKey> {
        let cose = Suite::CoseA256Gcm.cose().unwrap();
        Arc::new(Schedule::new(&EpochSecret::from_bytes([1; 32])).session_key(cose, &session))
    }

    #[test]
    fn the_sessions_heard_last_are_remembered_and_no_more_than_the_bound() {
        let (recent, topic) = (Recent::default(), TopicName::new("a").unwrap());
        let session = |number: usize| [number as u8; 16];
        let first = key(session(0));
        recent.keep_session(session(0), Arc::clone(&first));
        for number in 1..=REMEMBERED_SESSIONS {
            recent.keep_session(session(number), key(session(number)));
            let kept = recent.recall(&session(0), &topic).session_key.expect("it is heard again and again");
            assert!(Arc::ptr_eq(&kept, &first));
        }
        assert_eq!(recent.0.lock().unwrap().sessions.len(), REMEMBERED_SESSIONS);
        assert!(recent.recall(&session(1), &topic).session_key.is_none(), "the one not heard for longest");
        assert!(recent.recall(&session(2), &topic).session_key.is_some());
    }

    #[test]
    fn a_session_kept_twice_takes_one_place_and_a_topic_is_known_by_its_whole_name() {
        let (recent, topic) = (Recent::default(), TopicName::new("a/b").unwrap());
        for _ in 0..2 {
            recent.keep_session([1; 16], key([1; 16]));
        }
        assert_eq!(recent.0.lock().unwrap().sessions.len(), 1);
        recent.keep_topic(&topic, [7; 16]);
        assert_eq!(recent.recall(&[1; 16], &topic).topic_id, Some([7; 16]));
        assert_eq!(recent.recall(&[1; 16], &TopicName::new("a/c").unwrap()).topic_id, None);
    }
}
