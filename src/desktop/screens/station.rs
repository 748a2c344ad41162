//! Another station: its address or an invite link, then the fingerprint of its CA's key, to compare and pin.

use eframe::egui::{self, CornerRadius, Frame, Label, Margin, RichText, Stroke, Ui};

use super::ScreenAction;
use super::page::{self, ScreenContext};
use crate::desktop::theme::{RADIUS, Tone, tokens};
use crate::desktop::widgets::{
    Banner, Button, Problem, Severity, TextField, icon_button_small, pill_icon, problem,
};
use crate::desktop::{fonts, icons};

/// The SHA-256 of a CA's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// As people compare it: groups of four hexadecimal digits, four groups in a line.
    #[must_use]
    pub fn lines(&self) -> [String; 4] {
        std::array::from_fn(|line| {
            let groups: Vec<String> = self.0[line * 8..line * 8 + 8]
                .chunks(2)
                .map(|pair| format!("{:02x}{:02x}", pair[0], pair[1]))
                .collect();
            groups.join(" ")
        })
    }

    /// As one line of hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is known of the station at that address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StationCheck {
    /// Nothing yet.
    #[default]
    NotYet,
    /// It answered, and was never seen before.
    Found {
        /// What it calls itself.
        name: String,
        /// Its fingerprint.
        fingerprint: Fingerprint,
        /// The invite link named the same fingerprint.
        matches_invite: bool,
    },
    /// It shows another key than the one that was pinned, or than the invite link names: a hard stop.
    Changed {
        /// What it calls itself.
        name: String,
        /// The one that was pinned or promised.
        expected: Fingerprint,
        /// The one it shows.
        shown: Fingerprint,
    },
}

/// The form for another station.
#[derive(Debug, Default)]
pub struct StationForm {
    /// Address or invite link.
    pub address: String,
    /// What is known of it.
    pub check: StationCheck,
    /// Whether this computer's own station can be returned to.
    pub may_use_own: bool,
    /// The check is under way.
    pub busy: bool,
    /// Why the check failed.
    pub error: Option<Problem>,
}

/// Draws it.
pub fn station_ui(ui: &mut Ui, form: &mut StationForm, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    let id = match form.check {
        StationCheck::NotYet => "another station",
        StationCheck::Found { .. } => "pin a station",
        StationCheck::Changed { .. } => "changed station",
    };
    page::page(ui, context, id, |ui, page| match form.check.clone() {
        StationCheck::NotYet => ask(ui, form, page),
        StationCheck::Found { name, fingerprint, matches_invite } => {
            found(ui, page, form, &name, &fingerprint, matches_invite)
        }
        StationCheck::Changed { name, expected, shown } => changed(ui, page, &name, &expected, &shown),
    })
}

fn ask(ui: &mut Ui, form: &mut StationForm, page: &mut page::Page) -> Option<ScreenAction> {
    let mut action = None;
    let subtitle = "A station keeps the accounts and carries the messages of a group. It cannot open them.";
    if page::head(ui, "Another station", subtitle, true) {
        action = Some(ScreenAction::Back);
    }
    problem(ui, form.error.as_ref());
    let address = TextField::new("Address or invite link", &mut form.address)
        .icon(icons::GLOBE)
        .hint("station.example:8443")
        .help("An invite link starts with sealwire://")
        .limit(512);
    let response = address.focus(page.fresh).enabled(!form.busy).show(ui);
    page.field(ui, response);
    page::gap(ui);
    let ready = !form.address.trim().is_empty();
    let button = Button::primary("Find it").large().wide().busy(form.busy).enabled(ready);
    if (button.show(ui).clicked() || page.enter(ui)) && ready && !form.busy {
        action = Some(ScreenAction::CheckStation);
    }
    if form.may_use_own && page::aside(ui, "", "Use this computer's own station") {
        action = Some(ScreenAction::UseOwnStation);
    }
    action
}

fn found(
    ui: &mut Ui,
    page: &mut page::Page,
    form: &StationForm,
    name: &str,
    fingerprint: &Fingerprint,
    matches_invite: bool,
) -> Option<ScreenAction> {
    let mut action = None;
    if page::head(ui, "Is this the right station?", name, true) {
        action = Some(ScreenAction::Back);
    }
    problem(ui, form.error.as_ref());
    page::paragraph(
        ui,
        "Compare these digits with what the station's owner shows you, by phone or in person. \
         From now on only this key is trusted.",
    );
    page::group_label(ui, "Fingerprint of its key (SHA-256)");
    if fingerprint_ui(ui, fingerprint, Tone::Accent) {
        action = Some(ScreenAction::Copied("The fingerprint"));
    }
    if matches_invite {
        pill_icon(ui, icons::SEAL_CHECK, "These digits stand in the invite link", Tone::Green);
    }
    page::gap(ui);
    let pin = Button::primary("It is the same: trust it")
        .icon(icons::PUSH_PIN)
        .large()
        .wide()
        .busy(form.busy)
        .show(ui);
    if page.fresh {
        // Not on the button that trusts: Enter must not slip through two pages.
        ui.memory_mut(egui::Memory::stop_text_input);
    }
    if pin.clicked() {
        action = Some(ScreenAction::PinStation);
    }
    if Button::ghost("It is not the same").wide().show(ui).clicked() {
        action = Some(ScreenAction::Back);
    }
    action
}

fn changed(
    ui: &mut Ui,
    page: &mut page::Page,
    name: &str,
    expected: &Fingerprint,
    shown: &Fingerprint,
) -> Option<ScreenAction> {
    let mut action = None;
    if page::head(ui, "Stopped: another key", name, true) {
        action = Some(ScreenAction::Back);
    }
    Banner::new(Severity::Error, "This station's key is not the one you trusted.")
        .why("Someone may stand between you and the station, or it was set up anew.")
        .next("Ask its owner, not over this connection. If the key is meant to be new, ask for a new invite link.")
        .show(ui);
    page::gap(ui);
    page::group_label(ui, "Expected");
    fingerprint_ui(ui, expected, Tone::Green);
    page::group_label(ui, "Shown now");
    if fingerprint_ui(ui, shown, Tone::Red) {
        action = Some(ScreenAction::Copied("The fingerprint"));
    }
    page::gap(ui);
    let back = Button::secondary("Do not connect").large().wide().show(ui);
    if page.fresh {
        back.request_focus();
    }
    if back.clicked() {
        action = Some(ScreenAction::Back);
    }
    action
}

/// Four lines of four groups. True when it was copied.
fn fingerprint_ui(ui: &mut Ui, fingerprint: &Fingerprint, tone: Tone) -> bool {
    let t = tokens(ui);
    let mut copied = false;
    ui.push_id(fingerprint.0, |ui| {
        Frame::new()
            .fill(t.input)
            .stroke(Stroke::new(1.0, tone.border(t)))
            .corner_radius(CornerRadius::same(RADIUS))
            .inner_margin(Margin { left: 14, right: 8, top: 9, bottom: 9 })
            .show(ui, |ui| {
                ui.horizontal_top(|ui| {
                    let width = ui.available_width() - 24.0 - ui.spacing().item_spacing.x;
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.spacing_mut().item_spacing.y = 4.0;
                        for line in fingerprint.lines() {
                            let text = RichText::new(line).font(fonts::mono(14.0)).color(tone.text(t));
                            ui.add(Label::new(text));
                        }
                    });
                    if icon_button_small(ui, icons::COPY, "Copy the fingerprint").clicked() {
                        ui.ctx().copy_text(fingerprint.hex());
                        copied = true;
                    }
                });
            });
    });
    copied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_four_lines_of_four_groups() {
        let fingerprint = Fingerprint(std::array::from_fn(|index| index as u8));
        let lines = fingerprint.lines();
        assert_eq!(lines[0], "0001 0203 0405 0607");
        assert_eq!(lines[3], "1819 1a1b 1c1d 1e1f");
        assert_eq!(lines.concat().replace(' ', ""), fingerprint.hex());
    }
}
