//! The chosen key: what it covers, what it asks of signatures, its fingerprint to compare, its epochs, and what can be
//! done with it.

use eframe::egui::{Label, Margin, RichText, ScrollArea, Ui};

use crate::{
    client::{Asked, Command, KeyView, Profile, Suite, sentence},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{
            sealing::{legacy_pill, profile_words, suite_words},
            sender::signatures_words,
        },
        theme::{Tone, tokens},
        when,
        widgets::{
            Banner, Button, Severity, caps, icon_button, key_values, menu, menu_row, muted, pill, pill_icon,
            pill_row, title,
        },
    },
};

use super::{Wish, copied::copy_box, epochs::epochs, failed};

/// Draws the key.
pub(super) fn chosen(ui: &mut Ui, key: &KeyView, model: &Model, out: &mut Outbound) -> Option<Wish> {
    let mut wish = None;
    ScrollArea::vertical().id_salt("chosen key").auto_shrink([false, false]).show(ui, |ui| {
        ui.set_max_width((ui.available_width() - 10.0).min(640.0));
        ui.spacing_mut().item_spacing.y = 8.0;
        title(ui, &key.label, 18.0);
        pills(ui, key);
        ui.horizontal_wrapped(|ui| wish = actions(ui, key));
        failed(ui, model, Asked::ExportKey);
        failed(ui, model, Asked::RetireKey);
        warnings(ui, key, model, out);
        ui.add_space(4.0);
        caps(ui, "Covers");
        for filter in &key.filters {
            let ink = tokens(ui).accent_text;
            ui.add(Label::new(RichText::new(filter.as_str()).font(fonts::mono(13.0)).color(ink)).wrap());
        }
        ui.add_space(4.0);
        caps(ui, "Signatures");
        if key.suite.is_native() {
            let (name, meaning) = signatures_words(key.signatures);
            muted(ui, &format!("{name}. {meaning}"));
        } else {
            muted(ui, "None: this seal has no room for a signature.");
        }
        ui.add_space(4.0);
        caps(ui, "Fingerprint");
        fingerprint(ui, &key.fingerprint, out);
        muted(
            ui,
            "Compare it with the other side, by phone or side by side. The same digits mean the same key.",
        );
        ui.add_space(4.0);
        let suite = format!("{} ({})", suite_words(key.suite), key.suite);
        let since = when::date_time(key.created_ms);
        let mut values = vec![("Key id", key.kid.as_str()), ("Suite", &suite), ("Here since", &since)];
        if let Some(profile) = key.profile {
            values.push(("Program", profile.title()));
        }
        key_values(ui, &values);
        epochs(ui, key);
    });
    wish
}

fn pills(ui: &mut Ui, key: &KeyView) {
    pill_row(ui, |ui| {
        match (key.retired, key.seals) {
            (true, _) => pill_icon(ui, icons::LOCK_OPEN, "retired", Tone::Neutral),
            (false, true) => pill_icon(ui, icons::LOCK_KEY, "seals and opens", Tone::Green),
            (false, false) => pill_icon(ui, icons::LOCK_OPEN, "opens only", Tone::Amber),
        };
        pill(ui, suite_words(key.suite), Tone::Violet);
        if key.suite.is_native() {
            let (name, meaning) = signatures_words(key.signatures);
            let words = format!("signatures: {}", name.to_lowercase());
            pill(ui, &words, Tone::Neutral).on_hover_text(meaning);
        }
        if key.epochs.len() > 1 {
            pill(ui, &format!("{} epochs", key.epochs.len()), Tone::Neutral)
                .on_hover_text("It was rotated: the newest secret seals, the older ones open");
        }
        match (key.profile, &key.weak) {
            (Some(profile), _) => legacy_pill(ui, profile),
            (None, Some(weak)) => {
                pill_icon(ui, icons::LOCK_OPEN, "no secrecy", Tone::Amber).on_hover_text(weak.as_str());
            }
            (None, None) => {}
        }
    });
}

/// What can be done with it.
fn actions(ui: &mut Ui, key: &KeyView) -> Option<Wish> {
    let mut wish = None;
    let id = || key.id.clone();
    if Button::secondary("Give to someone…").icon(icons::EXPORT).show(ui).clicked() {
        wish = Some(Wish::Give(id()));
    }
    if Button::secondary("Edit…")
        .icon(icons::PENCIL_SIMPLE)
        .tooltip("Its name, its topics, and what it asks of signatures")
        .show(ui)
        .clicked()
    {
        wish = Some(Wish::Edit(id()));
    }
    // What only opens is rotated by who seals with it. Programs of an older system know one secret: a new one would shut
    // them out.
    if key.seals
        && !key.retired
        && key.profile.is_none()
        && Button::secondary("Rotate…")
            .icon(icons::ARROWS_CLOCKWISE)
            .tooltip("Gives it a new secret")
            .show(ui)
            .clicked()
    {
        wish = Some(Wish::Rotate(id()));
    }
    if Button::ghost("Delete…").icon(icons::TRASH).show(ui).clicked() {
        wish = Some(Wish::Delete(id()));
    }
    let more = icon_button(ui, icons::DOTS_THREE_VERTICAL, "More for this key");
    menu(&more, |ui| {
        ui.set_max_width(200.0);
        if menu_row(ui, Some(icons::DOWNLOAD_SIMPLE), "Export as a file…", false).clicked() {
            wish = Some(Wish::Export(id(), key.label.clone()));
        }
        if !key.retired && menu_row(ui, Some(icons::LOCK_OPEN), "Retire…", false).clicked() {
            wish = Some(Wish::Retire(id()));
        }
    });
    wish
}

/// What one should know before trusting it.
fn warnings(ui: &mut Ui, key: &KeyView, model: &Model, out: &mut Outbound) {
    if key.retired {
        let banner = Banner::new(Severity::Info, "You retired this key")
            .why("It opens what it sealed and what others still seal with it. It seals nothing for you.");
        if banner.action("Take it back into use").show(ui).acted && !model.is_pending(Asked::RetireKey) {
            out.send(Command::RetireKey { id: key.id.clone(), retired: false });
        }
    } else if !key.seals {
        Banner::new(Severity::Info, "This key opens, and does not seal")
            .why("Another key of yours had its topics first. What others seal with this one you can read.")
            .next("To let it seal, import its line once more and agree to the change.")
            .show(ui);
    }
    let secret = key.profile.is_none_or(Profile::is_secret);
    if let Some(profile) = key.profile.filter(|_| !secret) {
        let why = "It stands in the source of that program: anybody can read what it seals, and make messages up. Send nothing that matters, and believe nothing that comes.";
        Banner::new(Severity::Warning, &sentence(profile_words(profile).2)).why(why).show(ui);
    } else if let Some(weak) = &key.weak {
        let why = "Send nothing that matters with it, and believe nothing that comes. Make another key.";
        Banner::new(Severity::Warning, &sentence(weak)).why(why).show(ui);
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
}

/// A fingerprint large enough to read out.
pub(super) fn fingerprint(ui: &mut Ui, text: &str, out: &mut Outbound) {
    let ink = tokens(ui).text_strong;
    let label = Label::new(RichText::new(text).font(fonts::mono(18.0)).color(ink)).wrap();
    let margin = Margin { left: 14, right: 8, top: 10, bottom: 10 };
    if copy_box(ui, margin, label, "Copy the fingerprint") {
        ui.ctx().copy_text(text.to_owned());
        out.toast(Severity::Success, "The fingerprint is copied.");
    }
}
