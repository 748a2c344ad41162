//! Create an account: the first one of a station becomes its admin, later ones pick a role.

use eframe::egui::Ui;

use super::ScreenAction;
use super::page::{self, Page, ScreenContext};
use crate::desktop::icons;
use crate::desktop::widgets::{
    Banner, Button, Problem, SecretText, Severity, Strength, TextField, choice_card, problem, strength_meter,
};

/// A role that the station offers to people who sign up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChoice {
    /// Its name at the station: "publisher".
    pub role: String,
    /// As people read it: "Publisher".
    pub title: String,
    /// What one may do with it, in a sentence.
    pub text: String,
    /// An icon from [`crate::desktop::icons`].
    pub icon: &'static str,
}

impl RoleChoice {
    /// Sends.
    #[must_use]
    pub fn publisher() -> Self {
        Self {
            role: "publisher".to_owned(),
            title: "Publisher".to_owned(),
            text: "You send: readings, messages, files. You decide who can read them.".to_owned(),
            icon: icons::PAPER_PLANE_TILT,
        }
    }

    /// Reads.
    #[must_use]
    pub fn subscriber() -> Self {
        Self {
            role: "subscriber".to_owned(),
            title: "Subscriber".to_owned(),
            text: "You read what others send you, as it arrives.".to_owned(),
            icon: icons::EYE,
        }
    }
}

/// The create account form.
#[derive(Debug, Default)]
pub struct CreateForm {
    /// The name; filled with the system's user name at first.
    pub username: String,
    /// What is wrong with the name: "Taken."
    pub username_error: Option<String>,
    /// The password.
    pub password: SecretText,
    /// The password again.
    pub confirm: SecretText,
    /// How strong the password is, as the app judged it.
    pub strength: Strength,
    /// The station has no account yet: this one becomes its admin.
    pub first_account: bool,
    /// The roles to pick from; with one or none, nothing is asked.
    pub roles: Vec<RoleChoice>,
    /// Index of the picked one.
    pub role: usize,
    /// The station asks for an invite code.
    pub invite_needed: bool,
    /// That code.
    pub invite: SecretText,
    /// There is a screen to go back to.
    pub may_go_back: bool,
    /// The attempt is under way.
    pub busy: bool,
    /// Why the last attempt failed.
    pub error: Option<Problem>,
}

/// Draws it.
pub fn create_ui(ui: &mut Ui, form: &mut CreateForm, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    page::page(ui, context, "create account", |ui, page| {
        let mut action = None;
        let subtitle = format!("On {}. Nobody there can read what you seal.", context.station);
        let subtitle = if form.first_account { "You will be this station's admin." } else { &subtitle };
        if page::head(ui, "Create your account", subtitle, form.may_go_back) {
            action = Some(ScreenAction::Back);
        }
        problem(ui, form.error.as_ref());
        role_choice(ui, form);
        let unnamed = form.username.is_empty();
        let username = TextField::new("Username", &mut form.username)
            .icon(icons::USER)
            .error(form.username_error.as_deref())
            .limit(128)
            .focus(page.fresh && unnamed);
        let response = username.enabled(!form.busy).show(ui);
        if page.field(ui, response).changed() {
            form.username_error = None;
        }
        page::gap(ui);
        if form.invite_needed {
            let (label, help) = if form.first_account {
                ("Setup code", "Printed where the station was started, and in its file keys/setup-code.")
            } else {
                ("Invite code", "From the person who runs this station.")
            };
            let invite = TextField::new(label, form.invite.edit())
                .icon(icons::ENVELOPE_OPEN)
                .mono()
                .help(help)
                .limit(128);
            let response = invite.enabled(!form.busy).show(ui);
            page.field(ui, response);
            page::gap(ui);
        }
        let fresh = page.fresh && !form.username.is_empty();
        if new_password(ui, page, &mut form.password, &mut form.confirm, &form.strength, form.busy, fresh) {
            action = Some(ScreenAction::JudgePassword);
        }
        page::gap(ui);
        let ready = !form.username.trim().is_empty()
            && form.strength.acceptable
            && form.password.as_str() == form.confirm.as_str()
            && (!form.invite_needed || !form.invite.is_empty());
        let button = Button::primary("Create account").large().wide().busy(form.busy).enabled(ready);
        if (button.show(ui).clicked() || page.enter(ui)) && ready && !form.busy {
            action = Some(ScreenAction::CreateAccount);
        }
        if form.first_account {
            if page::aside(ui, "Have an account elsewhere?", "Another station…") {
                action = Some(ScreenAction::GoToStation);
            }
        } else if page::aside(ui, "Have an account?", "Log in") {
            action = Some(ScreenAction::GoToLogin);
        }
        action
    })
}

fn role_choice(ui: &mut Ui, form: &mut CreateForm) {
    if form.first_account {
        Banner::new(Severity::Info, "This is the first account here.")
            .why("It looks after the station, and may send and read on every topic.")
            .show(ui);
        page::gap(ui);
        return;
    }
    if form.roles.len() < 2 {
        return;
    }
    page::group_label(ui, "What will you do here?");
    for (index, choice) in form.roles.iter().enumerate() {
        if choice_card(ui, index == form.role, choice.icon, &choice.title, &choice.text).clicked()
            && !form.busy
        {
            form.role = index;
        }
    }
    page::gap(ui);
}

/// A new password with its strength, and the same again. True when the first one changed.
pub(super) fn new_password(
    ui: &mut Ui,
    page: &mut Page,
    password: &mut SecretText,
    confirm: &mut SecretText,
    strength: &Strength,
    busy: bool,
    focus: bool,
) -> bool {
    let field =
        TextField::new("Password", password.edit()).icon(icons::LOCK_SIMPLE).secret().limit(256).focus(focus);
    let response = field.enabled(!busy).show(ui);
    let changed = page.field(ui, response).changed();
    strength_meter(ui, strength);
    page::gap(ui);
    let differs = !confirm.is_empty() && !password.as_str().starts_with(confirm.as_str());
    let field = TextField::new("Password again", confirm.edit())
        .icon(icons::LOCK_SIMPLE)
        .secret()
        .limit(256)
        .error(differs.then_some("The two passwords are not the same."));
    let response = field.enabled(!busy).show(ui);
    page.field(ui, response);
    changed
}
