//! The broker's own figures, for an admin's page: asked for while it is open, and never kept.

use crate::topic::{TopicFilter, TopicName};

use super::{
    super::{Asked, Event, Failure, failure::told},
    Link, Turn,
};

/// Where the figures are; the topics of Mosquitto's users.
const FIGURES: &str = "$SYS/broker/#";
/// What stands before a figure's own name.
const PREFIX: &str = "$SYS/broker/";

const WHAT: &str = "The broker's figures are not known.";

fn figures() -> Option<TopicFilter> {
    TopicFilter::new(FIGURES).ok()
}

impl Link {
    /// Begins or ends it.
    pub(super) fn watch_broker(&mut self, on: bool) {
        self.figures_wanted = false;
        let Some(filter) = figures() else { return };
        if on {
            if self.carrier.is_other() {
                let why = "Another broker carries your messages, and the station's own figures come over its broker.";
                let next = "Use the station's broker again to see them.";
                self.teller.fail(Asked::Figures, Failure::new(WHAT, why, next));
                return;
            }
            if let Some(why) = self.why_not_subscribe(&filter) {
                self.teller.fail(Asked::Figures, Failure::new(WHAT, why, ""));
                return;
            }
            self.figures_wanted = true;
            self.subscriptions.ask_quietly(filter);
        } else {
            self.subscriptions.end_quietly(filter);
        }
    }

    /// A new connection.
    pub(super) fn ask_figures_again(&mut self) {
        if let Some(filter) = figures().filter(|_| self.figures_wanted && !self.carrier.is_other()) {
            self.subscriptions.ask_quietly(filter);
        }
    }

    /// The broker said no.
    pub(super) fn figures_refused(&self, filter: &TopicFilter, why: &str) {
        if self.figures_wanted && filter.as_str() == FIGURES {
            let next = "Another broker than Sealwire's may not have them.";
            self.teller.fail(Asked::Figures, Failure::new(WHAT, why, next));
        }
    }

    /// Takes a figure. True where it is for the page alone, and not for who watches its topic.
    pub(super) fn take_figure(&mut self, topic: &TopicName, payload: &[u8], turn: &mut Turn) -> bool {
        let Some(name) = topic.as_str().strip_prefix(PREFIX) else { return false };
        let watched = self.subscriptions.watches(topic);
        if self.figures_wanted {
            turn.figures.push((name.to_owned(), told(&String::from_utf8_lossy(payload))));
        } else if let Some(filter) = figures().filter(|_| !watched) {
            // Left over from a page that was closed while the link was down.
            self.subscriptions.end_quietly(filter);
        }
        !watched
    }

    /// Tells what a turn gathered.
    pub(super) fn tell_figures(&self, turn: &mut Turn) {
        if !turn.figures.is_empty() {
            self.teller.tell(Event::Figures(std::mem::take(&mut turn.figures)));
        }
    }
}
