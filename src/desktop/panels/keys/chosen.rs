//! The chosen key: what it covers, its fingerprint to compare, and what can be done with it.

use eframe::egui::{CornerRadius, Frame, Label, Margin, RichText, ScrollArea, Stroke, Ui};

use crate::{
    client::{Asked, KeyView, Suite, sentence},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::sealing::{legacy_pill, profile_words, suite_words},
        theme::{RADIUS, Tone, tokens},
        when,
        widgets::{
            Banner, Button, Problem, Severity, caps, icon_button_small, key_values, muted, pill, pill_icon,
            pill_row, title,
        },
    },
};

use super::Wish;

/// Draws the key.
pub(super) fn chosen(ui: &mut Ui, key: &KeyView, model: &Model, out: &mut Outbound) -> Option<Wish> {
    let mut wish = None;
    ScrollArea::vertical().id_salt("chosen key").auto_shrink([false, false]).show(ui, |ui| {
        ui.set_max_width(ui.available_width().min(640.0));
        ui.spacing_mut().item_spacing.y = 8.0;
        title(ui, &key.label, 18.0);
        pill_row(ui, |ui| {
            if key.seals {
                pill_icon(ui, icons::LOCK_KEY, "seals and opens", Tone::Green);
            } else {
                pill_icon(ui, icons::LOCK_OPEN, "opens only", Tone::Amber);
            }
            pill(ui, suite_words(key.suite), Tone::Violet);
            if let Some(profile) = key.profile {
                legacy_pill(ui, profile);
            }
        });
        if let Some(failure) = model.failure(Asked::ExportKey) {
            Banner::error(&Problem::new(&failure.what, &failure.why, &failure.next)).show(ui);
        }
        if !key.seals {
            Banner::new(Severity::Info, "This key opens, and does not seal")
                .why("Another key of yours had its topics first. What others seal with this one you can read.")
                .next("To let it seal, import its line once more and agree to the change.")
                .show(ui);
        }
        if let Some(profile) = key.profile.filter(|profile| !profile.is_secret()) {
            let why = "It stands in the source of that program: anybody can read what it seals, and make messages up. Send nothing that matters, and believe nothing that comes.";
            Banner::new(Severity::Warning, &sentence(profile_words(profile).2)).why(why).show(ui);
        }
        if key.suite == Suite::Fernet {
            Banner::new(Severity::Warning, "Fernet is for older programs")
                .why("It shows the time of sealing in the open, names no key, and does not bind the topic: a broker can move a message to another topic of this key.")
                .show(ui);
        }
        if key.suite == Suite::AesCbcHmac {
            Banner::new(Severity::Warning, "AES-CBC with HMAC is for older programs")
                .why("It names no key, tells no time, and does not bind the topic: a broker can move a message to another topic of this key.")
                .show(ui);
        }
        ui.add_space(4.0);
        caps(ui, "Covers");
        for filter in &key.filters {
            let ink = tokens(ui).accent_text;
            ui.add(Label::new(RichText::new(filter.as_str()).font(fonts::mono(13.0)).color(ink)).wrap());
        }
        ui.add_space(4.0);
        caps(ui, "Fingerprint");
        fingerprint(ui, &key.fingerprint, out);
        muted(ui, "Compare it with the other side, by phone or side by side. The same digits mean the same key.");
        ui.add_space(4.0);
        let suite = format!("{} ({})", suite_words(key.suite), key.suite);
        let since = when::date_time(key.created_ms);
        let mut values = vec![("Key id", key.kid.as_str()), ("Suite", &suite), ("Here since", &since)];
        if let Some(profile) = key.profile {
            values.push(("For programs of", profile.title()));
        }
        key_values(ui, &values);
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            if Button::secondary("Give to someone…").icon(icons::EXPORT).show(ui).clicked() {
                wish = Some(Wish::Give(key.id.clone()));
            }
            if Button::ghost("Delete…").icon(icons::TRASH).show(ui).clicked() {
                wish = Some(Wish::Delete(key.id.clone()));
            }
        });
    });
    wish
}

/// A fingerprint large enough to read out.
pub(super) fn fingerprint(ui: &mut Ui, text: &str, out: &mut Outbound) {
    let t = tokens(ui);
    Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin { left: 14, right: 8, top: 10, bottom: 10 })
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let width = ui.available_width() - 34.0;
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.add(
                        Label::new(RichText::new(text).font(fonts::mono(18.0)).color(t.text_strong)).wrap(),
                    );
                });
                if icon_button_small(ui, icons::COPY, "Copy the fingerprint").clicked() {
                    ui.ctx().copy_text(text.to_owned());
                    out.toast(Severity::Success, "The fingerprint is copied.");
                }
            });
        });
}
