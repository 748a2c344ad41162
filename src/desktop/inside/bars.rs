//! The top bar, the status bar and the banner of a lost link: what is always told.

use std::time::Duration;

use eframe::egui::Ui;

use crate::{
    client::{LinkState, sentence},
    desktop::{
        icons,
        model::Model,
        theme::Tone,
        when,
        widgets::{
            Banner, Severity, link, pill, pill_button, search_button, size_text, status_button, status_text,
        },
    },
};

/// What was pressed in the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    None,
    Search,
    Lock,
    Link,
    RetryNow,
    StartStation,
    LogInAgain,
    ChooseBroker,
}

/// What the bars say, taken before the frame, because the page may change the model while it is drawn.
pub(super) struct Snapshot {
    role: String,
    admin: bool,
    account: String,
    link: LinkState,
    /// Another broker than the station's: its place, and whether the way is encrypted.
    other: Option<(String, bool)>,
    lock: (&'static str, String, Tone),
    sealing: String,
    memory: String,
}

impl Snapshot {
    pub(super) fn of(model: &Model) -> Self {
        let (account, role, admin) = match &model.account {
            Some(account) => (account.username.clone(), account.role.name.clone(), account.role.admin),
            None => (String::new(), String::new(), false),
        };
        Self {
            account: if role.is_empty() { account } else { format!("{account} · {role}") },
            role,
            admin,
            link: model.link.clone(),
            other: model.other_broker.as_ref().map(|other| (other.endpoint.place(), other.encrypted)),
            lock: lock(model),
            sealing: sealing(model),
            memory: memory(model),
        }
    }

    pub(super) fn role_pill(&self, ui: &mut Ui) {
        if !self.role.is_empty() {
            pill(ui, &self.role, if self.admin { Tone::Violet } else { Tone::Accent });
        }
    }

    pub(super) fn controls(&self, ui: &mut Ui) -> Pressed {
        let mut pressed = Pressed::None;
        let width = if ui.ctx().content_rect().width() < 1100.0 { 200.0 } else { 252.0 };
        if search_button(ui, "Search or jump to…", "Ctrl K", width).clicked() {
            pressed = Pressed::Search;
        }
        let (icon, text, tone) = &self.lock;
        if pill_button(ui, icon, text, *tone).on_hover_text("What is sealed, and what is not").clicked() {
            pressed = Pressed::Lock;
        }
        pressed
    }

    pub(super) fn status_left(&self, ui: &mut Ui) -> Pressed {
        let mut pressed = Pressed::None;
        let (mut tone, mut text) = link_words(&self.link);
        match (&self.other, &self.link) {
            (Some((_, false)), LinkState::Online { .. }) => tone = Tone::Amber,
            (Some((place, _)), LinkState::Connecting { .. } | LinkState::Waiting { .. }) => {
                text = format!("{place} · {text}");
            }
            _ => {}
        }
        if status_button(ui, tone, &text, "About this connection").clicked() {
            pressed = Pressed::Link;
        }
        match &self.link {
            LinkState::Waiting { .. } if link(ui, "Retry now").clicked() => pressed = Pressed::RetryNow,
            LinkState::LogInAgain { .. } if link(ui, "Log in again…").clicked() => {
                pressed = Pressed::LogInAgain;
            }
            LinkState::ChooseBroker { .. } if link(ui, "Choose…").clicked() => {
                pressed = Pressed::ChooseBroker;
            }
            LinkState::Waiting { .. } => {
                // The countdown is on the screen: once a second, and only then.
                ui.ctx().request_repaint_after(Duration::from_secs(1));
            }
            _ => {}
        }
        status_text(ui, &self.account);
        pressed
    }

    pub(super) fn status_right(&self, ui: &mut Ui) {
        status_text(ui, &self.sealing);
        if !self.memory.is_empty() {
            status_text(ui, "·");
            status_text(ui, &self.memory);
        }
    }

    pub(super) fn needs_banner(&self) -> bool {
        matches!(
            self.link,
            LinkState::Waiting { .. } | LinkState::LogInAgain { .. } | LinkState::ChooseBroker { .. }
        )
    }

    pub(super) fn banner(&self, ui: &mut Ui, own_station: bool, starting: bool) -> Pressed {
        match &self.link {
            LinkState::Waiting { reason, .. } => {
                let next = "What you send waits on this disk and goes out when the connection is back.";
                let what = match &self.other {
                    Some((place, _)) => format!("Not connected to the broker {place}."),
                    None => "Not connected to the station.".to_owned(),
                };
                let (action, does) = match (own_station && self.other.is_none(), starting) {
                    (true, true) => ("Starting your station…", Pressed::None),
                    (true, false) => ("Start it again", Pressed::StartStation),
                    (false, _) => ("Retry now", Pressed::RetryNow),
                };
                asks(ui, &what, reason, next, action, does)
            }
            LinkState::LogInAgain { reason } => {
                let (what, next) = ("Log in again to go on.", "What waits to be sent is kept.");
                asks(ui, what, reason, next, "Log in again…", Pressed::LogInAgain)
            }
            LinkState::ChooseBroker { reason } => {
                let what = "Choose the broker that carries your messages.";
                let next = "Until then nothing goes to any. What you send waits on this disk.";
                asks(ui, what, reason, next, "Choose the broker…", Pressed::ChooseBroker)
            }
            _ => Pressed::None,
        }
    }
}

/// A banner with one way out of it.
fn asks(ui: &mut Ui, what: &str, reason: &str, next: &str, action: &str, does: Pressed) -> Pressed {
    let reason = sentence(reason);
    let banner = Banner::new(Severity::Warning, what).why(&reason).next(next).low().action(action);
    if banner.show(ui).acted { does } else { Pressed::None }
}

/// The lock of the top bar: icon, word, tone.
fn lock(model: &Model) -> (&'static str, String, Tone) {
    match (model.clear_topics.len(), model.keys.len()) {
        (0, 0) => (icons::LOCK_KEY, "No keys yet".to_owned(), Tone::Neutral),
        (0, _) => (icons::LOCK, "Sealed".to_owned(), Tone::Green),
        (1, _) => (icons::LOCK_OPEN, "1 topic in the clear".to_owned(), Tone::Amber),
        (clear, _) => (icons::LOCK_OPEN, format!("{clear} topics in the clear"), Tone::Amber),
    }
}

/// What seals what is sent next.
fn sealing(model: &Model) -> String {
    let mut sealing = model.keys.iter().filter(|key| key.seals);
    match (sealing.next(), sealing.count()) {
        (None, _) => "No key seals yet".to_owned(),
        (Some(key), 0) => format!("Seals with {}", key.label),
        (Some(_), more) => format!("{} keys seal", more + 1),
    }
}

fn memory(model: &Model) -> String {
    if model.messages.is_empty() {
        return String::new();
    }
    let budget = model.messages.budget();
    format!(
        "{} in memory, {} of {}",
        super::super::panels::count_text(model.messages.len() as u64, "message"),
        size_text(model.messages.bytes()),
        size_text(budget.bytes),
    )
}

/// The state of the link, and the tone that says the same.
pub(super) fn link_words(state: &LinkState) -> (Tone, String) {
    match state {
        LinkState::Off => (Tone::Neutral, "Not connected".to_owned()),
        LinkState::Connecting { attempt: 1 } => (Tone::Amber, "Connecting…".to_owned()),
        LinkState::Connecting { attempt } => (Tone::Amber, format!("Connecting, attempt {attempt}…")),
        LinkState::Online { broker, protocol, tls, .. } => {
            (Tone::Green, format!("{broker}   {protocol} · {tls}"))
        }
        LinkState::Waiting { attempt, retry_at_ms, .. } => {
            let seconds = retry_at_ms.saturating_sub(when::now_ms()).div_ceil(1_000);
            (Tone::Red, format!("Not connected · attempt {attempt} failed · next in {seconds} s"))
        }
        LinkState::LogInAgain { .. } => (Tone::Red, "Logged out by the station".to_owned()),
        LinkState::ChooseBroker { .. } => (Tone::Red, "No broker is chosen".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_never_goes_below_zero() {
        let state = LinkState::Waiting { attempt: 3, retry_at_ms: 1, reason: String::new() };
        assert_eq!(link_words(&state).1, "Not connected · attempt 3 failed · next in 0 s");
    }
}
