//! Log in: username, password and, where the account uses them, a one-time code.

use eframe::egui::{Align, Layout, Ui};

use super::ScreenAction;
use super::page::{self, ScreenContext};
use crate::desktop::icons;
use crate::desktop::widgets::{
    Banner, Button, Problem, SecretText, Severity, TextField, checkbox, link, problem,
};

/// What proves the login besides the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactor {
    /// A code from an authenticator app, if the account uses them.
    #[default]
    OneTimeCode,
    /// A recovery code in its place, because the app is lost.
    RecoveryCode,
    /// Nothing is asked: this computer is remembered.
    Remembered,
}

/// The log in form.
#[derive(Debug, Default)]
pub struct LoginForm {
    /// Who.
    pub username: String,
    /// The password.
    pub password: SecretText,
    /// The one-time code, or the recovery code, as `factor` says.
    pub code: SecretText,
    /// What is asked for besides the password.
    pub factor: SecondFactor,
    /// Do not ask for the code on this computer for 30 days.
    pub remember: bool,
    /// Whether the station lets people sign up.
    pub may_create: bool,
    /// Whether this is another station than this computer's own.
    pub elsewhere: bool,
    /// The attempt is under way.
    pub busy: bool,
    /// The last attempt failed a moment ago: the password takes the focus, for a second try.
    pub again: bool,
    /// Why the last attempt failed.
    pub error: Option<Problem>,
    /// Something good to say: "Your password is changed."
    pub notice: Option<String>,
}

/// Draws it.
pub fn login_ui(ui: &mut Ui, form: &mut LoginForm, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    page::page(ui, context, "log in", |ui, page| {
        let mut action = None;
        let elsewhere = format!("Log in to {}.", context.station);
        let subtitle = if form.elsewhere { &elsewhere } else { "Log in to open your vault." };
        if page::head(ui, "Welcome back", subtitle, form.elsewhere) {
            action = Some(ScreenAction::Back);
        }
        if let Some(notice) = &form.notice {
            Banner::new(Severity::Success, notice).show(ui);
        }
        problem(ui, form.error.as_ref());

        let first = form.username.is_empty();
        let again = std::mem::take(&mut form.again);
        let username = TextField::new("Username", &mut form.username).icon(icons::USER).limit(128);
        let response = username.focus(page.fresh && first).enabled(!form.busy).show(ui);
        page.field(ui, response);
        page::gap(ui);
        let password =
            TextField::new("Password", form.password.edit()).icon(icons::LOCK_SIMPLE).secret().limit(256);
        let response = password.focus(page.fresh && !first).again(again).enabled(!form.busy).show(ui);
        page.field(ui, response);
        page::gap(ui);
        second_factor(ui, form, page);

        page::gap(ui);
        let ready = !form.username.is_empty() && !form.password.is_empty();
        let button = Button::primary("Log in").large().wide().busy(form.busy).enabled(ready);
        if (button.show(ui).clicked() || page.enter(ui)) && ready && !form.busy {
            action = Some(ScreenAction::LogIn);
        }
        ui.horizontal(|ui| {
            if link(ui, "Forgot password?").clicked() {
                action = Some(ScreenAction::GoToForgot);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if link(ui, "Another station…").clicked() {
                    action = Some(ScreenAction::GoToStation);
                }
            });
        });
        if form.may_create && page::aside(ui, "New here?", "Create account") {
            action = Some(ScreenAction::GoToCreate);
        }
        action
    })
}

fn second_factor(ui: &mut Ui, form: &mut LoginForm, page: &mut page::Page) {
    match form.factor {
        SecondFactor::OneTimeCode => {
            let field = TextField::new("One-time code", form.code.edit())
                .icon(icons::DEVICE_MOBILE)
                .mono()
                .hint("If this account uses them")
                .limit(12);
            let response = field.enabled(!form.busy).show(ui);
            page.field(ui, response);
            checkbox(ui, &mut form.remember, "Remember this computer for 30 days").on_hover_text(
                "Then no code is asked for on this computer. The password always is: it opens your vault.",
            );
        }
        SecondFactor::RecoveryCode => {
            let field = TextField::new("Recovery code", form.code.edit())
                .icon(icons::LIFEBUOY)
                .mono()
                .help("It stands in for the one-time code, once.")
                .limit(64);
            let response = field.enabled(!form.busy).show(ui);
            page.field(ui, response);
            if link(ui, "Use a one-time code instead").clicked() {
                form.factor = SecondFactor::OneTimeCode;
                form.code.clear();
            }
        }
        SecondFactor::Remembered => {}
    }
}
