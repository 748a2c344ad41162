//! The eight recovery codes: the only way back to the vault when the password is forgotten.

use eframe::egui::{CornerRadius, Frame, Label, Margin, RichText, Stroke, Ui};
use zeroize::Zeroizing;

use super::ScreenAction;
use super::page::{self, ScreenContext};
use crate::desktop::theme::{RADIUS, tokens};
use crate::desktop::widgets::{Banner, Button, Problem, Severity, checkbox, problem};
use crate::desktop::{fonts, icons};

/// The recovery code form.
#[derive(Debug, Default)]
pub struct RecoveryForm {
    /// The codes, in groups of five.
    pub codes: Vec<Zeroizing<String>>,
    /// The person says that they are kept.
    pub kept: bool,
    /// Where they were saved: a file name.
    pub saved_as: Option<String>,
    /// There is a screen to go back to: the codes are shown again from the settings.
    pub may_go_back: bool,
    /// Why saving failed.
    pub error: Option<Problem>,
}

/// Draws it.
pub fn recovery_ui(
    ui: &mut Ui,
    form: &mut RecoveryForm,
    context: &ScreenContext<'_>,
) -> Option<ScreenAction> {
    page::page(ui, context, "recovery codes", |ui, page| {
        let mut action = None;
        let subtitle = "If you forget your password, one of these opens your vault. Each works once. \
                        Nobody else has them, so nobody else can help.";
        if page::head(ui, "Keep your recovery codes", subtitle, form.may_go_back) {
            action = Some(ScreenAction::Back);
        }
        problem(ui, form.error.as_ref());
        codes(ui, &form.codes);
        ui.horizontal(|ui| {
            if Button::secondary("Save to a file…").icon(icons::DOWNLOAD_SIMPLE).show(ui).clicked() {
                action = Some(ScreenAction::SaveRecoveryCodes);
            }
            if Button::secondary("Copy all").icon(icons::COPY).show(ui).clicked() {
                let all: Vec<&str> = form.codes.iter().map(|code| code.as_str()).collect();
                ui.ctx().copy_text(all.join("\n"));
                action = Some(ScreenAction::Copied("The recovery codes"));
            }
        });
        if let Some(file) = &form.saved_as {
            Banner::new(Severity::Success, &format!("Saved as {file}."))
                .why("Move it off this computer: a USB stick, a printout, a password manager.")
                .show(ui);
        }
        page::gap(ui);
        checkbox(ui, &mut form.kept, "I have kept them in a safe place");
        let button = Button::primary("Continue").large().wide().enabled(form.kept);
        if (button.show(ui).clicked() || page.enter(ui)) && form.kept {
            action = Some(ScreenAction::RecoveryCodesKept);
        }
        action
    })
}

fn codes(ui: &mut Ui, codes: &[Zeroizing<String>]) {
    let t = tokens(ui);
    Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 6.0;
            ui.spacing_mut().interact_size.y = 18.0;
            for (index, code) in codes.iter().enumerate() {
                ui.horizontal(|ui| {
                    let number =
                        RichText::new(format!("{}", index + 1)).font(fonts::mono(11.5)).color(t.text_faint);
                    ui.add(Label::new(number).selectable(false));
                    ui.add_space(4.0);
                    ui.label(RichText::new(code.as_str()).font(fonts::mono(12.5)).color(t.text_strong));
                });
            }
        });
}
