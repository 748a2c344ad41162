//! When to try again, and why the last try failed, in words.

use std::time::Duration;

use super::super::mqtt::{Ended, Lost, Refusal, Why};

/// The longest wait.
const MOST: Duration = Duration::from_secs(60);

/// How long to wait after the nth failed attempt, from 1: exponential with full jitter, 1 s to 60 s at most, so that
/// a thousand windows do not come back to a restarted station in the same instant.
pub(super) fn wait(attempt: u32) -> Duration {
    let most = Duration::from_secs(1 << attempt.saturating_sub(1).min(6)).min(MOST);
    let mut random = [0; 4];
    // Without randomness the longest wait is the safe one.
    if getrandom::fill(&mut random).is_err() {
        return most;
    }
    most.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

/// What a lost connection means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Worth another try.
    Transient(String),
    /// The broker does not know the token any more, or will not have us.
    Credentials(String),
    /// Another station than the pinned one answered.
    Identity,
}

impl Cause {
    /// `who` is at the other end.
    pub(super) fn of(lost: &Lost, who: &str) -> Self {
        match &lost.why {
            Why::Refused(Refusal::Credentials | Refusal::NotAuthorized | Refusal::Banned) => {
                Self::Credentials(format!("{who} does not accept this session any more"))
            }
            Why::Ended { reason: Ended::NotAuthorized | Ended::Administrator, .. } => {
                Self::Credentials(lost.told(who))
            }
            Why::Certificate(_) => Self::Identity,
            _ => Self::Transient(lost.told(who)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::MqttVersion;

    #[test]
    fn waits_grow_to_a_minute_and_no_further() {
        for attempt in 1..=40 {
            let most = Duration::from_secs(1 << (attempt - 1).min(6)).min(MOST);
            for _ in 0..20 {
                assert!(wait(attempt) <= most, "{attempt}");
            }
        }
        let spread: std::collections::HashSet<_> = (0..20).map(|_| wait(10)).collect();
        assert!(spread.len() > 10, "the jitter spreads");
    }

    #[test]
    fn a_refused_token_is_told_from_a_broken_line_and_from_another_identity() {
        let cause =
            |why| Cause::of(&Lost { why, was_online: false, version: MqttVersion::V5 }, "the station");
        assert!(matches!(cause(Why::Refused(Refusal::Credentials)), Cause::Credentials(_)));
        let reset = std::io::ErrorKind::ConnectionReset;
        assert!(matches!(cause(Why::Io(reset, "reset".into())), Cause::Transient(_)));
        assert_eq!(cause(Why::Certificate("unknown issuer".into())), Cause::Identity);
    }
}
