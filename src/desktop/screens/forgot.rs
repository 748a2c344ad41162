//! Forgot password: which way, then the form. What each way costs is said before, not after.

use eframe::egui::Ui;

use super::ScreenAction;
use super::create::new_password;
use super::page::{self, ScreenContext};
use crate::desktop::icons;
use crate::desktop::widgets::{
    Banner, Button, Problem, SecretText, Severity, Strength, TextField, checkbox, next_card, problem,
};

/// What proves that the account is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetBy {
    /// A recovery code: keeps the vault.
    #[default]
    RecoveryCode,
    /// A one-time code: a new, empty vault.
    OneTimeCode,
}

/// The reset form, for either way.
#[derive(Debug, Default)]
pub struct ResetForm {
    /// Which way.
    pub by: ResetBy,
    /// Who.
    pub username: String,
    /// The recovery code, on that way.
    pub recovery_code: SecretText,
    /// The one-time code; on the way of the recovery code only if the account uses them.
    pub code: SecretText,
    /// The new password.
    pub password: SecretText,
    /// The same again.
    pub confirm: SecretText,
    /// How strong it is, as the app judged it.
    pub strength: Strength,
    /// On the way of the one-time code: they know that the vault will be empty.
    pub understood: bool,
    /// The attempt is under way.
    pub busy: bool,
    /// Why the last attempt failed.
    pub error: Option<Problem>,
}

/// The first step: which way.
pub fn forgot_ui(ui: &mut Ui, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    page::page(ui, context, "forgot password", |ui, _| {
        let mut action = None;
        let subtitle =
            "Your password also opens your vault, so there is no reset by mail. What do you still have?";
        if page::head(ui, "Forgot your password?", subtitle, true) {
            action = Some(ScreenAction::Back);
        }
        let by_recovery = next_card(
            ui,
            icons::LIFEBUOY,
            "A recovery code",
            "One of the eight you kept. Your keys and contacts stay as they are.",
        );
        if by_recovery.clicked() {
            action = Some(ScreenAction::GoToReset(ResetBy::RecoveryCode));
        }
        let by_code = next_card(
            ui,
            icons::DEVICE_MOBILE,
            "Only my authenticator app",
            "You get back in, with a new and empty vault: the keys in the old one stay locked.",
        );
        if by_code.clicked() {
            action = Some(ScreenAction::GoToReset(ResetBy::OneTimeCode));
        }
        let lost_app = next_card(
            ui,
            icons::LOCK_SIMPLE,
            "My password, but not my app",
            "Log in with the password and a recovery code in place of the one-time code.",
        );
        if lost_app.clicked() {
            action = Some(ScreenAction::GoToLoginWithRecoveryCode);
        }
        action
    })
}

/// The second step: the form.
pub fn reset_ui(ui: &mut Ui, form: &mut ResetForm, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    let id = match form.by {
        ResetBy::RecoveryCode => "reset by recovery code",
        ResetBy::OneTimeCode => "reset by one-time code",
    };
    page::page(ui, context, id, |ui, page| {
        let mut action = None;
        let (title, subtitle) = match form.by {
            ResetBy::RecoveryCode => {
                ("Reset by recovery code", "It opens your vault, and your keys stay. It works once.")
            }
            ResetBy::OneTimeCode => ("Reset by one-time code", ""),
        };
        if page::head(ui, title, subtitle, true) {
            action = Some(ScreenAction::Back);
        }
        problem(ui, form.error.as_ref());
        if form.by == ResetBy::OneTimeCode {
            consequence(ui);
        }
        let named = !form.username.is_empty();
        let username = TextField::new("Username", &mut form.username).icon(icons::USER).limit(128);
        let response = username.focus(page.fresh && !named).enabled(!form.busy).show(ui);
        page.field(ui, response);
        page::gap(ui);
        if form.by == ResetBy::RecoveryCode {
            let field = TextField::new("Recovery code", form.recovery_code.edit())
                .icon(icons::LIFEBUOY)
                .mono()
                .hint("XXXXX-XXXXX-XXXXX-XXXXX-XXXXX")
                .limit(64)
                .focus(page.fresh && named);
            let response = field.enabled(!form.busy).show(ui);
            page.field(ui, response);
            page::gap(ui);
        }
        let optional = form.by == ResetBy::RecoveryCode;
        let code = TextField::new("One-time code", form.code.edit())
            .icon(icons::DEVICE_MOBILE)
            .mono()
            .hint(if optional { "If this account uses them" } else { "000000" })
            .limit(12)
            .focus(page.fresh && named && !optional);
        let response = code.enabled(!form.busy).show(ui);
        page.field(ui, response);
        page::gap(ui);
        let (password, confirm) = (&mut form.password, &mut form.confirm);
        if new_password(ui, page, password, confirm, &form.strength, form.busy, false) {
            action = Some(ScreenAction::JudgePassword);
        }
        page::gap(ui);
        if form.by == ResetBy::OneTimeCode {
            checkbox(ui, &mut form.understood, "I understand that my vault will be empty");
        }
        let ready = ready(form);
        let button = Button::primary("Set the new password").large().wide().busy(form.busy).enabled(ready);
        if (button.show(ui).clicked() || page.enter(ui)) && ready && !form.busy {
            action = Some(ScreenAction::ResetPassword);
        }
        action
    })
}

fn consequence(ui: &mut Ui) {
    Banner::new(Severity::Warning, "Your vault will be new and empty.")
        .why("The keys in the old one stay locked: sealed messages and history cannot be opened with this account, \
              and others see new identity keys.")
        .next("A recovery code found within 30 days still opens the old vault.")
        .show(ui);
    page::gap(ui);
}

fn ready(form: &ResetForm) -> bool {
    let proof = match form.by {
        ResetBy::RecoveryCode => !form.recovery_code.is_empty(),
        ResetBy::OneTimeCode => !form.code.is_empty() && form.understood,
    };
    proof
        && !form.username.is_empty()
        && form.strength.acceptable
        && form.password.as_str() == form.confirm.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(by: ResetBy) -> ResetForm {
        ResetForm {
            by,
            username: "ada".to_owned(),
            recovery_code: "A".into(),
            code: "123456".into(),
            password: "correct horse".into(),
            confirm: "correct horse".into(),
            strength: Strength { score: Some(4), advice: String::new(), acceptable: true },
            understood: true,
            ..ResetForm::default()
        }
    }

    #[test]
    fn an_empty_vault_must_be_understood_first() {
        assert!(ready(&filled(ResetBy::OneTimeCode)));
        assert!(!ready(&ResetForm { understood: false, ..filled(ResetBy::OneTimeCode) }));
        assert!(ready(&ResetForm { understood: false, ..filled(ResetBy::RecoveryCode) }));
    }

    #[test]
    fn a_weak_or_mistyped_password_cannot_be_sent() {
        assert!(!ready(&ResetForm { confirm: "correct".into(), ..filled(ResetBy::RecoveryCode) }));
        assert!(!ready(&ResetForm { strength: Strength::default(), ..filled(ResetBy::RecoveryCode) }));
    }
}
