//! What an admin's window knows of the broker: its own figures, and how fast messages pass.

use std::collections::{HashMap, VecDeque};

/// Rounds of figures that are remembered for the plot: an hour, at one every ten seconds.
const ROUNDS: usize = 360;
/// Nothing that calls itself a figure is longer, and there are never more.
const MAX_FIGURES: usize = 500;

/// How fast messages passed between two rounds of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The end of the round, milliseconds since 1970, by this computer's clock.
    pub at_ms: u64,
    /// Messages a second that came to the broker.
    pub received: f64,
    /// Messages a second that it handed on.
    pub sent: f64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct BrokerState {
    values: HashMap<String, String>,
    paces: VecDeque<Pace>,
    /// When the last round was complete, its uptime, and its totals received and sent.
    last: Option<(u64, u64, u64, u64)>,
}

impl BrokerState {
    /// Takes new figures in, at a time of this computer's clock.
    pub fn take(&mut self, figures: Vec<(String, String)>, now_ms: u64) {
        // The uptime comes last, and in every round.
        let complete = figures.iter().any(|(name, _)| name == "uptime");
        for (name, value) in figures {
            if self.values.len() < MAX_FIGURES || self.values.contains_key(&name) {
                self.values.insert(name, value);
            }
        }
        if complete {
            self.end_round(now_ms);
        }
    }

    fn end_round(&mut self, now_ms: u64) {
        let totals =
            (self.number("publish/messages/received"), self.number("publish/messages/sent"), self.uptime_s());
        let (Some(received), Some(sent), Some(uptime)) = totals else { return };
        if let Some((_, uptime_before, received_before, sent_before)) = self.last {
            // The broker's own clock: what is on the way for longer makes no pace uneven.
            let seconds = uptime.saturating_sub(uptime_before);
            if uptime < uptime_before {
                self.paces.clear();
            } else if seconds == 0 {
                return;
            } else {
                let pace = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds as f64;
                if self.paces.len() >= ROUNDS {
                    self.paces.pop_front();
                }
                self.paces.push_back(Pace {
                    at_ms: now_ms,
                    received: pace(received, received_before),
                    sent: pace(sent, sent_before),
                });
            }
        }
        self.last = Some((now_ms, uptime, received, sent));
    }

    /// A figure by its name below `$SYS/broker/`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A figure that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Seconds since the broker began.
    #[must_use]
    pub fn uptime_s(&self) -> Option<u64> {
        self.text("uptime")?.split(' ').next()?.parse().ok()
    }

    /// Whether any figure came.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.values.is_empty()
    }

    /// How fast messages passed, the newest last.
    #[must_use]
    pub const fn paces(&self) -> &VecDeque<Pace> {
        &self.paces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(uptime: u64, received: Option<u64>, sent: u64) -> Vec<(String, String)> {
        let mut figures = vec![("publish/messages/sent".to_owned(), sent.to_string())];
        figures.extend(received.map(|total| ("publish/messages/received".to_owned(), total.to_string())));
        figures.push(("uptime".to_owned(), format!("{uptime} seconds")));
        figures
    }

    #[test]
    fn a_pace_is_what_passed_between_two_rounds_by_the_brokers_own_clock() {
        let mut state = BrokerState::default();
        state.take(round(100, Some(50), 500), 1_000);
        assert!(state.paces().is_empty(), "one round says nothing of pace");
        state.take(round(110, Some(150), 500), 13_000);
        state.take(round(120, None, 700), 21_000);
        let paces: Vec<_> = state.paces().iter().map(|pace| (pace.at_ms, pace.received, pace.sent)).collect();
        assert_eq!(paces, [(13_000, 10.0, 0.0), (21_000, 0.0, 20.0)]);
        // The same once more, as a new subscriber is given it.
        state.take(round(120, Some(150), 700), 21_500);
        assert_eq!(state.paces().len(), 2);
    }

    #[test]
    fn a_broker_that_was_started_again_begins_a_new_plot() {
        let mut state = BrokerState::default();
        state.take(round(100, Some(50), 500), 1_000);
        state.take(round(110, Some(60), 510), 2_000);
        state.take(round(3, Some(0), 0), 3_000);
        assert!(state.paces().is_empty());
        state.take(round(13, Some(20), 30), 4_000);
        assert_eq!(state.paces().back().map(|pace| (pace.received, pace.sent)), Some((2.0, 3.0)));
    }
}
