//! Whether an opened message was here before. Pure state: the caller keeps its changed rows on disk, in the
//! transaction that stores the message.
//!
//! Start at [`ReplayGuard::judge`]. Only what was opened may be judged, so nobody without the key can move the state.
//!
//! Three memories, all bounded, and none ever calls a message fresh twice (but for one suite, see below):
//! - a [`ReplayWindow`] of 1,024 sequence numbers per key and session, for ordinary messages;
//! - an exact set of what was seen, for wills (which come long after their session went on) and for the suites that are
//!   not native (which have no sequence);
//! - the newest stamp per topic, for retained messages.
//!
//! What a full memory forgets is the oldest by its stamp, and from then on whatever is that old or older, and not
//! remembered, is [`Replay::TooOldToJudge`]. One exception: under `aes-cbc-hmac` a message has no stamp, so the first to be
//! forgotten is the first that came, and it may come again as if it were new.

//!
//! ```
//! use sealwire::{seal::{EpochSecret, Kind, Opener, Plain, Sealer, Suite, replay::{Replay, ReplayGuard}}, topic::TopicName};
//! let (secret, topic) = (EpochSecret::from_bytes([7; 32]), TopicName::new("plant/press")?);
//! let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
//! let sealed = Sealer::new(&secret, Suite::CoseA256Gcm, [1; 16]).seal(&topic, &plain, 1_700_000_000_000)?;
//! let opened = Opener::new(&secret, Suite::CoseA256Gcm).open(&topic, sealed.as_bytes())?;
//! let mut guard = ReplayGuard::new();
//! assert_eq!(guard.judge(&opened, &topic, false, 1_700_000_000_000), Replay::Fresh);
//! let rows = guard.take_changes(); // to be stored with the message
//! assert_eq!(ReplayGuard::load(rows.into_iter().filter_map(|row| Some((row.key, row.value?))))?.judge(&opened, &topic, false, 1_700_000_000_000), Replay::Repeated);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod guard;
mod row;
mod window;

pub use guard::{
    MAX_AHEAD_MS, MAX_EXACT, MAX_RETAINED_TOPICS, MAX_SESSIONS, MAX_SESSIONS_PER_KEY, ReplayGuard,
};
pub use row::{BadReplayRow, ReplayRow};
pub use window::{Judgement, ReplayWindow, WINDOW};

/// What is known of an opened message's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// Never seen before.
    Fresh,
    /// Seen before. MQTT may repeat a QoS 1 message, so this is dropped and counted, without an alarm.
    Repeated,
    /// So old, or so far behind, that what came then is not remembered any more.
    TooOldToJudge,
    /// The broker delivers it as a retained message, but it was not sealed to be retained.
    ReplayedAsRetained,
    /// A retained message, but a newer one of this topic was here already.
    RolledBack,
}

impl std::fmt::Display for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Repeated => "repeated",
            Self::TooOldToJudge => "too old to judge",
            Self::ReplayedAsRetained => "replayed as retained",
            Self::RolledBack => "rolled back",
        })
    }
}
