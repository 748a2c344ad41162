//! The judge: which memory is asked, what is remembered, and what is forgotten when a memory is full.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::{
    super::{Kid, Opened},
    BadReplayRow, Judgement, Replay, ReplayRow, ReplayWindow,
    row::{Mark, Session, Subject, decode_stamp},
};
use crate::topic::TopicName;

/// Sessions remembered in all (about 12 MiB).
pub const MAX_SESSIONS: usize = 65_536;
/// Sessions remembered per key, so that one sender that restarts in a loop pushes out only its own.
pub const MAX_SESSIONS_PER_KEY: usize = 256;
/// Wills and messages of the suites that are not native, remembered in all (about 4 MiB). The key with the most gives way first.
pub const MAX_EXACT: usize = 65_536;
/// Topics whose newest retained stamp is remembered.
pub const MAX_RETAINED_TOPICS: usize = 65_536;
/// How far ahead of our clock a stamp may be: beyond, it is remembered as this far, so that a wrong clock, or a member who
/// dates a message in the year 2099, does not make all that comes later look old.
pub const MAX_AHEAD_MS: u64 = 10 * 60 * 1000;

/// Remembers what came, and judges what comes.
#[derive(Debug)]
pub struct ReplayGuard {
    sessions: BTreeMap<Kid, Sessions>,
    session_count: usize,
    exact: BTreeMap<Kid, Exact>,
    exact_count: usize,
    /// By a digest of the topic, so that the table stays small.
    retained: HashMap<[u8; 16], u64>,
    changed: BTreeSet<Subject>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    sessions: usize,
    sessions_per_key: usize,
    exact: usize,
    retained_topics: usize,
}

#[derive(Debug, Default)]
struct Sessions {
    live: HashMap<[u8; 16], Session>,
    /// What is stamped before this, in a session that is not `live`, may have been seen and forgotten.
    known_from_ms: u64,
}

#[derive(Debug, Default)]
struct Exact {
    marks: BTreeSet<Mark>,
    /// Of what has no stamp: when it came, counted; it stands in the mark instead of the stamp.
    arrivals: HashMap<[u8; 16], u64>,
    known_from_ms: u64,
}

/// Stands in a mark for the sequence number of a message without a stamp. No session is that long.
const UNSTAMPED: u64 = u64::MAX;

impl ReplayGuard {
    /// A guard that remembers nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits {
            sessions: MAX_SESSIONS,
            sessions_per_key: MAX_SESSIONS_PER_KEY,
            exact: MAX_EXACT,
            retained_topics: MAX_RETAINED_TOPICS,
        })
    }

    fn with_limits(limits: Limits) -> Self {
        Self {
            sessions: BTreeMap::new(),
            session_count: 0,
            exact: BTreeMap::new(),
            exact_count: 0,
            retained: HashMap::new(),
            changed: BTreeSet::new(),
            limits,
        }
    }

    /// Judges an opened message that came at `now_ms` (milliseconds since 1970), and remembers it.
    ///
    /// Whoever signs has windows of their own: another member cannot use up the numbers of a signer's session.
    ///
    /// `delivered_retained` is the packet's RETAIN flag; it tells a retained copy from a live one as long as subscriptions
    /// are made without MQTT 5's “Retain As Published”. A Fernet token cannot say whether it was meant to be retained, so a
    /// retained one is judged by its stamp alone; under `aes-cbc-hmac`, which has no stamp, it always passes.
    pub fn judge(
        &mut self,
        opened: &Opened,
        topic: &TopicName,
        delivered_retained: bool,
        now_ms: u64,
    ) -> Replay {
        let meant_retained = opened.kind.retained || !opened.suite.is_native();
        if delivered_retained && !meant_retained {
            return Replay::ReplayedAsRetained;
        }
        let latest = now_ms.saturating_add(MAX_AHEAD_MS);
        let by_memory = self.judge_by_memory(opened, latest);
        let stamp = opened.sealed_at_ms.map(|stamp| stamp.min(latest));
        if delivered_retained {
            // Every new subscription brings it again: only its stamp counts. It was remembered all the same, so that the
            // broker cannot deliver it live once more as if it were news.
            let is_newest = stamp.is_none_or(|stamp| self.note_retained(topic, stamp));
            if is_newest { Replay::Fresh } else { Replay::RolledBack }
        } else {
            if let Some(stamp) = stamp
                && by_memory == Replay::Fresh
                && opened.kind.retained
            {
                self.note_retained(topic, stamp);
            }
            by_memory
        }
    }

    /// Whether something changed since [`Self::take_changes`].
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The rows that changed since the last call, for the transaction that stores the message.
    ///
    /// If that transaction fails, write [`Self::all_rows`] with the next one.
    pub fn take_changes(&mut self) -> Vec<ReplayRow> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|subject| self.row(subject)).collect()
    }

    /// Everything, as rows.
    #[must_use]
    pub fn all_rows(&self) -> Vec<ReplayRow> {
        let mut subjects = Vec::new();
        for (&kid, sessions) in &self.sessions {
            subjects.push(Subject::SessionsKnownFrom(kid));
            subjects.extend(sessions.live.keys().map(|&session| Subject::Session(kid, session)));
        }
        for (&kid, exact) in &self.exact {
            subjects.push(Subject::MarksKnownFrom(kid));
            subjects.extend(exact.marks.iter().map(|&mark| Subject::Mark(kid, mark)));
        }
        subjects.extend(self.retained.keys().map(|&topic| Subject::Retained(topic)));
        subjects.into_iter().map(|subject| self.row(subject)).collect()
    }

    /// A guard that remembers what was stored, from pairs of key and value.
    ///
    /// # Errors
    /// A row that this version cannot read; starting with an empty memory instead is for a person to decide.
    pub fn load<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        rows: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, BadReplayRow> {
        let mut guard = Self::new();
        for (key, value) in rows {
            let value = value.as_ref();
            match Subject::decode(key.as_ref())? {
                Subject::Session(kid, session) => {
                    let state = Session::decode(value)?;
                    let replaced = guard.sessions.entry(kid).or_default().live.insert(session, state);
                    guard.session_count += usize::from(replaced.is_none());
                }
                Subject::SessionsKnownFrom(kid) => {
                    guard.sessions.entry(kid).or_default().known_from_ms = decode_stamp(value)?;
                }
                Subject::Mark(kid, mark) => {
                    let exact = guard.exact.entry(kid).or_default();
                    if mark.2 == UNSTAMPED {
                        exact.arrivals.insert(mark.1, mark.0);
                    }
                    let added = exact.marks.insert(mark);
                    guard.exact_count += usize::from(added);
                }
                Subject::MarksKnownFrom(kid) => {
                    guard.exact.entry(kid).or_default().known_from_ms = decode_stamp(value)?;
                }
                Subject::Retained(topic) => {
                    guard.retained.insert(topic, decode_stamp(value)?);
                }
            }
        }
        Ok(guard)
    }

    fn judge_by_memory(&mut self, opened: &Opened, latest: u64) -> Replay {
        let session = session_of(opened);
        // One less than the end of time, so that “before the next millisecond” always exists.
        let Some(stamp) = opened.sealed_at_ms.map(|stamp| stamp.min(u64::MAX - 1)) else {
            return self.judge_unstamped(opened.kid, session);
        };
        if opened.kind.will || !opened.suite.is_native() {
            self.judge_exactly(opened.kid, (stamp, session, opened.sequence))
        } else {
            self.judge_in_session(opened.kid, session, opened.sequence, stamp.min(latest))
        }
    }

    fn judge_in_session(&mut self, kid: Kid, id: [u8; 16], sequence: u64, stamp: u64) -> Replay {
        let sessions = self.sessions.entry(kid).or_default();
        if let Some(session) = sessions.live.get_mut(&id) {
            if session.window.judge(sequence) == Judgement::Fresh && stamp < session.known_from_ms {
                return Replay::TooOldToJudge;
            }
            return match session.window.advance(sequence) {
                Judgement::Repeated => Replay::Repeated,
                Judgement::TooOld => Replay::TooOldToJudge,
                Judgement::Fresh => {
                    session.newest_ms = session.newest_ms.max(stamp);
                    self.changed.insert(Subject::Session(kid, id));
                    Replay::Fresh
                }
            };
        }
        if stamp < sessions.known_from_ms {
            return Replay::TooOldToJudge;
        }
        let mut window = ReplayWindow::new();
        window.advance(sequence);
        let known_from_ms = sessions.known_from_ms;
        sessions.live.insert(id, Session { window, newest_ms: stamp, known_from_ms });
        let crowded = sessions.live.len() > self.limits.sessions_per_key;
        self.session_count += 1;
        self.changed.insert(Subject::Session(kid, id));
        if crowded {
            self.forget_a_session(Some(kid));
        } else if self.session_count > self.limits.sessions {
            self.forget_a_session(None);
        }
        Replay::Fresh
    }

    /// Forgets the session whose newest stamp is the oldest, of one key or of all.
    fn forget_a_session(&mut self, of: Option<Kid>) {
        let oldest = self
            .sessions
            .iter()
            .filter(|(kid, _)| of.is_none_or(|only| **kid == only))
            .flat_map(|(&kid, sessions)| {
                sessions.live.iter().map(move |(&id, session)| (session.newest_ms, kid, id))
            })
            .min();
        let Some((newest_ms, kid, id)) = oldest else { return };
        if let Some(sessions) = self.sessions.get_mut(&kid) {
            sessions.live.remove(&id);
            sessions.known_from_ms = sessions.known_from_ms.max(newest_ms + 1);
            self.session_count -= 1;
            self.changed.extend([Subject::Session(kid, id), Subject::SessionsKnownFrom(kid)]);
        }
    }

    fn judge_exactly(&mut self, kid: Kid, mark: Mark) -> Replay {
        let exact = self.exact.entry(kid).or_default();
        if exact.marks.contains(&mark) {
            return Replay::Repeated;
        }
        if mark.0 < exact.known_from_ms {
            return Replay::TooOldToJudge;
        }
        self.remember(kid, mark);
        Replay::Fresh
    }

    /// By the exact set alone. What it has forgotten cannot be told from what never came.
    fn judge_unstamped(&mut self, kid: Kid, id: [u8; 16]) -> Replay {
        let exact = self.exact.entry(kid).or_default();
        if exact.arrivals.contains_key(&id) {
            return Replay::Repeated;
        }
        let arrival = exact.marks.last().map_or(0, |last| last.0.saturating_add(1));
        exact.arrivals.insert(id, arrival);
        self.remember(kid, (arrival, id, UNSTAMPED));
        Replay::Fresh
    }

    fn remember(&mut self, kid: Kid, mark: Mark) {
        self.exact.entry(kid).or_default().marks.insert(mark);
        self.exact_count += 1;
        self.changed.insert(Subject::Mark(kid, mark));
        if self.exact_count > self.limits.exact {
            self.forget_a_mark();
        }
    }

    /// Forgets the oldest mark of the key that has the most.
    fn forget_a_mark(&mut self) {
        let Some((&kid, exact)) = self.exact.iter_mut().max_by_key(|(_, exact)| exact.marks.len()) else {
            return;
        };
        if let Some(oldest) = exact.marks.pop_first() {
            if oldest.2 == UNSTAMPED {
                exact.arrivals.remove(&oldest.1);
            } else {
                exact.known_from_ms = exact.known_from_ms.max(oldest.0 + 1);
            }
            self.exact_count -= 1;
            self.changed.extend([Subject::Mark(kid, oldest), Subject::MarksKnownFrom(kid)]);
        }
    }

    /// Remembers a retained message's stamp. `false` if a newer one was here.
    fn note_retained(&mut self, topic: &TopicName, stamp: u64) -> bool {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(topic.as_str())[..16]);
        match self.retained.get(&digest) {
            Some(&newest) if stamp < newest => return false,
            Some(&newest) if stamp == newest => return true,
            _ => {}
        }
        self.retained.insert(digest, stamp);
        self.changed.insert(Subject::Retained(digest));
        if self.retained.len() > self.limits.retained_topics {
            let oldest = self.retained.iter().map(|(&topic, &stamp)| (stamp, topic)).min();
            if let Some((_, topic)) = oldest {
                self.retained.remove(&topic);
                self.changed.insert(Subject::Retained(topic));
            }
        }
        true
    }

    fn row(&self, subject: Subject) -> ReplayRow {
        let stamp = |stamp: u64| stamp.to_be_bytes().to_vec();
        let value = match subject {
            Subject::Session(kid, id) => {
                self.sessions.get(&kid).and_then(|sessions| sessions.live.get(&id)).map(Session::encode)
            }
            Subject::SessionsKnownFrom(kid) => {
                self.sessions.get(&kid).map(|sessions| stamp(sessions.known_from_ms))
            }
            Subject::Mark(kid, mark) => {
                self.exact.get(&kid).filter(|exact| exact.marks.contains(&mark)).map(|_| Vec::new())
            }
            Subject::MarksKnownFrom(kid) => self.exact.get(&kid).map(|exact| stamp(exact.known_from_ms)),
            Subject::Retained(topic) => self.retained.get(&topic).copied().map(stamp),
        };
        ReplayRow { key: subject.encode(), value }
    }
}

/// What stands for a session: of a signed message also its signer, by `SHA-256(session ‖ signer)`, the first 16 bytes.
fn session_of(opened: &Opened) -> [u8; 16] {
    let Some(signer) = opened.signer else { return opened.session };
    let digest = Sha256::new().chain_update(opened.session).chain_update(signer.as_bytes()).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

impl Default for ReplayGuard {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
