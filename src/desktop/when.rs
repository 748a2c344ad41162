//! Times as people read them, in the system's time zone. Always absolute: "3 seconds ago" would need a repaint.

use jiff::{Timestamp, tz::TimeZone};

/// `2026-11-20 12:41:59`.
#[must_use]
pub(super) fn date_time(ms: u64) -> String {
    format(ms, "%Y-%m-%d %H:%M:%S")
}

/// `12:41:59`.
#[must_use]
pub(super) fn clock(ms: u64) -> String {
    format(ms, "%H:%M:%S")
}

/// `12:41:59.888`.
#[must_use]
pub(super) fn clock_ms(ms: u64) -> String {
    format(ms, "%H:%M:%S%.3f")
}

/// `2026-11-20`.
#[must_use]
pub(super) fn date(ms: u64) -> String {
    format(ms, "%Y-%m-%d")
}

/// Milliseconds since 1970, by this computer's clock.
#[must_use]
pub(super) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

fn format(ms: u64, pattern: &str) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(
        || "unknown".to_owned(),
        |time| time.to_zoned(TimeZone::system()).strftime(pattern).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_none_is_said_to_be_unknown() {
        assert_eq!(date_time(u64::MAX), "unknown");
        assert_eq!(date_time(0).len(), "1970-01-01 00:00:00".len());
    }
}
