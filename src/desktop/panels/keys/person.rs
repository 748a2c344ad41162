//! Who is chosen among the people: their digits, what is known of them, and what can be done.

use eframe::egui::{Label, Margin, RichText, ScrollArea, Ui};

use crate::{
    client::{Asked, PersonView, Standing},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::sender::sender,
        theme::{Tone, tokens},
        when,
        widgets::{
            Banner, Button, QrPicture, Severity, body, caps, key_values, muted, pill_icon, pill_row, title,
        },
    },
};

use super::{Wish, copied::copy_box, failed, people::name_of};

/// Digits as people read them out: four groups in a line.
const GROUPS_IN_A_LINE: usize = 4;

/// This account's own digits, with the picture of them.
#[derive(Debug, Default)]
pub(super) struct Own {
    of: String,
    qr: Option<QrPicture>,
}

impl Own {
    /// Draws what this account signs with.
    pub(super) fn ui(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        let name = model.account.as_ref().map_or("", |account| account.username.as_str());
        page(ui, "own digits", |ui| {
            title(ui, &format!("You sign as {name}"), 18.0);
            body(
                ui,
                "On topics whose key asks for signatures, your messages carry your signature inside the seal: who opens them can tell that you wrote them. The broker sees neither.",
            );
            let Some(own) = &model.people.own else {
                Banner::new(Severity::Warning, "There is nothing to sign with yet")
                    .why("This account has no key for signatures on this computer.")
                    .next("Log out and in again: it is made then.")
                    .show(ui);
                return;
            };
            let digits = own.digits();
            if self.of != digits {
                self.qr = QrPicture::new(&digits);
                self.of.clone_from(&digits);
            }
            ui.add_space(4.0);
            caps(ui, "Your digits");
            digits_box(ui, &digits, "your digits", out);
            muted(
                ui,
                "Read them to somebody by phone, or show them the picture: they see the same digits beside your name in their own Sealwire. If one differs, somebody is between you.",
            );
            if let Some(qr) = &self.qr {
                qr.show(ui, 176.0, "QR code of your digits");
            }
            ui.add_space(4.0);
            muted(ui, "They are no secret: send them to whom you like, by a way that nobody can change.");
        });
    }
}

/// Draws somebody. What the person wants of it.
pub(super) fn person(ui: &mut Ui, person: &PersonView, model: &Model, out: &mut Outbound) -> Option<Wish> {
    let mut wish = None;
    page(ui, "chosen person", |ui| {
        let name = name_of(person).unwrap_or("Somebody unknown");
        title(ui, name, 18.0);
        let who = sender(&model.people, Some(&person.key));
        pill_row(ui, |ui| match &person.standing {
            Standing::Known { compared: true, .. } => {
                pill_icon(ui, icons::SEAL_CHECK, "compared", Tone::Green);
            }
            Standing::Known { compared: false, .. } => {
                pill_icon(ui, icons::SEAL_QUESTION, "not compared", Tone::Neutral);
            }
            Standing::Changed { .. } => {
                pill_icon(ui, icons::WARNING_OCTAGON, "changed key", Tone::Red);
            }
            Standing::Renamed { .. } => {
                pill_icon(ui, icons::SEAL_WARNING, "another name", Tone::Amber);
            }
            Standing::Told { .. } => {
                pill_icon(ui, icons::SEAL_WARNING, "not remembered", Tone::Amber);
            }
            Standing::Stranger => {
                pill_icon(ui, icons::SEAL_QUESTION, "unknown signer", Tone::Amber);
            }
        });
        failed(ui, model, Asked::People);
        explained(ui, person, &who.sentence());
        ui.add_space(4.0);
        caps(
            ui,
            if matches!(person.standing, Standing::Changed { .. }) { "The new digits" } else { "Digits" },
        );
        digits_box(ui, &person.digits, "the digits", out);
        if let Standing::Changed { known, .. } = &person.standing {
            caps(ui, "The digits that you know");
            digits_box(ui, &known.digits(), "the digits that you know", out);
        }
        let since = when::date_time(person.since_ms);
        let key = person.key.to_string();
        let mut values = Vec::new();
        if person.since_ms > 0 {
            values.push(("Known since", since.as_str()));
        }
        values.push(("Public key", key.as_str()));
        key_values(ui, &values);
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| wish = buttons(ui, person));
    });
    wish
}

/// What is known, in a banner where it needs a look.
fn explained(ui: &mut Ui, person: &PersonView, sentence: &str) {
    match &person.standing {
        Standing::Changed { name, .. } => {
            Banner::new(Severity::Error, &format!("The key of {name} has changed"))
                .why(&format!("Messages come as {name}, signed with another key than the one you know. That happens when {name} had to start anew with a new vault. It also happens when somebody, the station among them, speaks as {name}."))
                .next(&format!("Call {name}, compare the new digits, and take the new key only if they match. Until then do not believe what comes."))
                .show(ui);
        }
        Standing::Renamed { name, known } => {
            Banner::new(Severity::Warning, &format!("{known} is called {name} now"))
                .why(&format!(
                    "The key is the one that you know as {known}; the station gives it to the account {name}."
                ))
                .next(&format!("Ask {known} whether that is right, then take the new name."))
                .show(ui);
        }
        _ => {
            body(ui, sentence);
        }
    }
}

fn buttons(ui: &mut Ui, person: &PersonView) -> Option<Wish> {
    let mut wish = None;
    match &person.standing {
        Standing::Known { compared, .. } => {
            let words = if *compared { "Compare again…" } else { "Compare digits…" };
            let compare = if *compared { Button::secondary(words) } else { Button::primary(words) };
            if compare.icon(icons::CHECKS).show(ui).clicked() {
                wish = Some(Wish::Compare(person.key));
            }
            if Button::ghost("Forget…").icon(icons::USER_MINUS).show(ui).clicked() {
                wish = Some(Wish::Forget(person.key));
            }
        }
        Standing::Changed { .. } => {
            if Button::danger("Take the new key…").icon(icons::KEY).show(ui).clicked() {
                wish = Some(Wish::Accept(person.key));
            }
        }
        Standing::Renamed { .. } => {
            if Button::secondary("Take the new name…").icon(icons::USER).show(ui).clicked() {
                wish = Some(Wish::Accept(person.key));
            }
        }
        Standing::Told { .. } | Standing::Stranger => {}
    }
    wish
}

fn page(ui: &mut Ui, id: &str, contents: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().id_salt(id).auto_shrink([false, false]).show(ui, |ui| {
        ui.set_max_width((ui.available_width() - 10.0).min(640.0));
        ui.spacing_mut().item_spacing.y = 8.0;
        contents(ui);
    });
}

/// Digits in lines of four groups, large enough to read out. `name` is what the button copies.
pub(super) fn digits_box(ui: &mut Ui, digits: &str, name: &str, out: &mut Outbound) {
    let text = RichText::new(in_lines(digits)).font(fonts::mono(17.0));
    let label = Label::new(text.color(tokens(ui).text_strong)).extend();
    let margin = Margin { left: 14, right: 8, top: 10, bottom: 10 };
    if copy_box(ui, margin, label, &format!("Copy {name}")) {
        ui.ctx().copy_text(digits.to_owned());
        out.toast(Severity::Success, "The digits are copied.");
    }
}

/// Sixty digits as three lines.
fn in_lines(digits: &str) -> String {
    let groups: Vec<&str> = digits.split(' ').collect();
    groups.chunks(GROUPS_IN_A_LINE).map(|line| line.join("  ")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_digits_stand_in_three_lines_of_four_groups() {
        let digits = crate::client::SenderKey::from_bytes([5; 32]).digits();
        let lines: Vec<_> = in_lines(&digits).lines().map(str::len).collect();
        assert_eq!(lines, [26, 26, 26]);
    }
}
