//! The card of next steps after a first login, and the two dialogs that it opens by itself.

use eframe::egui::{Context, Margin, Ui};

use crate::client::{Command, StationView};

use super::{
    icons,
    model::{Model, Outbound},
    panels::ends,
    theme::CONTROL_HEIGHT,
    widgets::{
        Button, Severity, body, card, card_frame, copy_line, dialog, icon_button_small, muted, next_card,
        section_header, title,
    },
};

/// What a person may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Make recovery codes that are kept.
    RecoveryCodes,
    /// Turn one-time codes on.
    OneTimeCodes,
    /// Let somebody else in.
    SecondPerson,
    /// Use the account on another computer.
    OtherComputer,
}

impl Step {
    const ALL: [Self; 4] = [Self::RecoveryCodes, Self::OneTimeCodes, Self::SecondPerson, Self::OtherComputer];

    const fn name(self) -> &'static str {
        match self {
            Self::RecoveryCodes => "recovery-codes",
            Self::OneTimeCodes => "one-time-codes",
            Self::SecondPerson => "second-person",
            Self::OtherComputer => "other-computer",
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::RecoveryCodes => {
                (icons::LIFEBUOY, "Keep recovery codes", "The way back without your password.")
            }
            Self::OneTimeCodes => {
                (icons::DEVICE_MOBILE, "One-time codes", "A stolen password is not enough.")
            }
            Self::SecondPerson => (icons::USER_PLUS, "Add a second person", "One sends, the other watches."),
            Self::OtherComputer => (icons::DESKTOP, "Another computer", "The same account and keys there."),
        }
    }
}

/// Remembers that the person kept codes, opened a step or closed the card. Per account.
pub(super) fn remember(step: Step, username: &str) -> Command {
    Command::SetPreference { name: format!("step.{}.{username}", step.name()), value: "done".to_owned() }
}

fn is_done(step: Step, model: &Model) -> bool {
    let Some(account) = &model.account else { return true };
    let remembered =
        || model.preference(&format!("step.{}.{}", step.name(), account.username)) == Some("done");
    match step {
        Step::OneTimeCodes => account.otp,
        Step::RecoveryCodes => account.recovery_codes_left > 0 && remembered(),
        Step::SecondPerson | Step::OtherComputer => remembered(),
    }
}

fn closed_name(username: &str) -> String {
    format!("next-steps.{username}")
}

/// Whether the card is to be shown: there is something left to do and it was not closed.
pub(super) fn is_wanted(model: &Model) -> bool {
    let Some(account) = &model.account else { return false };
    model.preference(&closed_name(&account.username)) != Some("closed")
        && Step::ALL.iter().any(|step| !is_done(*step, model))
}

/// Draws the card, or one line where the page has no height to spare. Returns the step that was chosen.
pub(super) fn next_steps(ui: &mut Ui, model: &Model, low: bool, out: &mut Outbound) -> Option<Step> {
    let account = model.account.as_ref()?;
    let mut chosen = None;
    let open: Vec<_> = Step::ALL.into_iter().filter(|step| !is_done(*step, model)).collect();
    if low {
        return line(ui, &account.username, &open, out);
    }
    card(ui, |ui| {
        let count = format!("{} of {} left", open.len(), Step::ALL.len());
        section_header(ui, "Next steps", Some(&count), |ui| {
            if icon_button_small(ui, icons::X, "Close the next steps").clicked() {
                out.send(close(&account.username));
            }
        });
        // Only what is left, so that the card shrinks with every step.
        let columns = if ui.available_width() < 1100.0 { open.len().min(3) } else { open.len() };
        for row in open.chunks(columns.max(1)) {
            ui.columns(columns, |columns| {
                for (column, step) in columns.iter_mut().zip(row) {
                    let (icon, title, text) = step.words();
                    if next_card(column, icon, title, text).clicked() {
                        chosen = Some(*step);
                    }
                }
            });
        }
    });
    chosen
}

/// The same in the height of one button.
fn line(ui: &mut Ui, username: &str, open: &[Step], out: &mut Outbound) -> Option<Step> {
    let mut chosen = None;
    card_frame(ui).inner_margin(Margin::symmetric(12, 6)).show(ui, |ui| {
        let left = |ui: &mut Ui| {
            title(ui, "Next steps", 13.0);
            for step in open {
                let (icon, words, text) = step.words();
                if Button::ghost(words).icon(icon).tooltip(text).show(ui).clicked() {
                    chosen = Some(*step);
                }
            }
        };
        ends(ui, "next steps", CONTROL_HEIGHT, left, |ui| {
            if icon_button_small(ui, icons::X, "Close the next steps").clicked() {
                out.send(close(username));
            }
        });
    });
    chosen
}

fn close(username: &str) -> Command {
    Command::SetPreference { name: closed_name(username), value: "closed".to_owned() }
}

/// The invite link of a station.
#[must_use]
pub(super) fn invite_link(station: &StationView) -> String {
    format!("sealwire://{}/#{}", station.address, station.fingerprint)
}

/// Whether a station is reached on this computer alone.
fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// How somebody else gets in, or how the account is used elsewhere. True when it was closed.
pub(super) fn invite_dialog(ctx: &Context, step: Step, model: &Model, out: &mut Outbound) -> bool {
    let Some(station) = &model.station else { return true };
    let title = if step == Step::SecondPerson { "Add a second person" } else { "Use another computer" };
    let link = invite_link(station);
    let answer = dialog(ctx, "invite", title, 480.0, |ui| {
        if step == Step::SecondPerson {
            body(
                ui,
                "On this computer: open Sealwire once more. Each window has a login of its own; choose “Create account” there.",
            );
        } else {
            body(
                ui,
                "Install Sealwire there, choose “Another station…” and log in with the same name and password. Your keys come along: they rest at the station, sealed.",
            );
        }
        ui.add_space(4.0);
        if is_loopback(&station.address) {
            muted(
                ui,
                "This station answers on this computer only. For other computers, run one that listens on the network: sealwire station --help shows how. It prints an invite link.",
            );
        } else {
            if step == Step::SecondPerson {
                body(
                    ui,
                    "On another computer: give them this invite link. It names the station and its key, and holds nothing secret.",
                );
            }
            if copy_line(ui, "invite link", &link) {
                out.toast(Severity::Success, "The invite link is copied.");
            }
        }
        if step == Step::SecondPerson {
            ui.add_space(4.0);
            muted(ui, "To let them read what you seal, give them its key: Keys, then “Give to someone…”.");
        }
        ui.add_space(8.0);
        Button::primary("Done").show(ui).clicked()
    });
    answer.inner || answer.close
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computers_own_addresses_are_loopback() {
        for address in ["127.0.0.1:8443", "[::1]:8443", "localhost:1"] {
            assert!(is_loopback(address), "{address}");
        }
        for address in ["192.168.1.4:8443", "station.example:8443", "[2001:db8::1]:8443"] {
            assert!(!is_loopback(address), "{address}");
        }
    }
}
