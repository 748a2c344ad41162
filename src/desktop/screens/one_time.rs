//! Turn on one-time codes: a QR code, the secret as text, and the first code to prove that the app has it.

use eframe::egui::Ui;
use zeroize::Zeroizing;

use super::ScreenAction;
use super::page::{self, ScreenContext};
use crate::desktop::icons;
use crate::desktop::widgets::{Button, Problem, QrPicture, code_field, code_is_complete, copy_line, problem};

/// The one-time code form.
#[derive(Debug, Default)]
pub struct OneTimeForm {
    /// The `otpauth:` link as a picture.
    pub picture: Option<QrPicture>,
    /// The secret in base32, for typing by hand, in groups of four.
    pub secret: Zeroizing<String>,
    /// The first code.
    pub code: String,
    /// Whether the station lets people do without.
    pub may_postpone: bool,
    /// The check is under way.
    pub busy: bool,
    /// Why the last code did not work.
    pub error: Option<Problem>,
}

/// Draws it.
pub fn one_time_ui(ui: &mut Ui, form: &mut OneTimeForm, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    page::page(ui, context, "one-time codes", |ui, page| {
        let mut action = None;
        let subtitle = "Scan this with any authenticator app. Then a stolen password alone opens nothing.";
        page::head(ui, "One-time codes", subtitle, false);
        problem(ui, form.error.as_ref());
        if let Some(picture) = &form.picture {
            let side = 184.0;
            ui.horizontal(|ui| {
                ui.add_space(((ui.available_width() - side) / 2.0).max(0.0));
                picture.show(ui, side, "QR code for your authenticator app");
            });
        }
        page::group_label(ui, "Or type this key into the app");
        if copy_line(ui, "key for the authenticator app", &form.secret) {
            action = Some(ScreenAction::Copied("The key for the authenticator app"));
        }
        page::gap(ui);
        let response = code_field(ui, "The code that the app shows now", &mut form.code, page.fresh);
        page.field(ui, response);
        page::gap(ui);
        let ready = code_is_complete(&form.code);
        let button = Button::primary("Turn on").icon(icons::SHIELD_CHECK).large().wide();
        if (button.busy(form.busy).enabled(ready).show(ui).clicked() || page.enter(ui)) && ready && !form.busy
        {
            action = Some(ScreenAction::ConfirmOneTime);
        }
        if form.may_postpone {
            let later =
                Button::ghost("Later").wide().tooltip("You can turn them on in Settings at any time.");
            if later.show(ui).clicked() {
                action = Some(ScreenAction::PostponeOneTime);
            }
        }
        action
    })
}
