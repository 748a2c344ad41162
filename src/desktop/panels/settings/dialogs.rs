//! The settings' dialogs: what needs more input, and what is shown once.

use eframe::egui::{self, Context, Key, Ui};
use zeroize::Zeroizing;

use crate::{
    client::{Asked, Command, DeviceView, Event, Password},
    desktop::{
        dialogs::SavePurpose,
        entry::{in_fours, judge, recovery_text},
        icons,
        model::{Model, Outbound, problem_of},
        widgets::{
            Button, ButtonKind, DialogButton, QrPicture, SecretText, Severity, Strength, TextField, body,
            caps, code_field, code_is_complete, copy_line, dialog, dialog_buttons, muted, problem,
            strength_meter, waiting,
        },
    },
};

use super::{
    SettingsContext,
    device::{MadeDevice, made_device_dialog},
};

/// What is open.
#[derive(Debug)]
pub(super) enum Dialog {
    /// Turning one-time codes on; the picture comes with the enrolment.
    OneTime { picture: Option<QrPicture>, secret: Zeroizing<String>, code: String },
    /// The password for new recovery codes.
    NewCodes { password: SecretText },
    /// Eight new codes, shown once.
    Codes { codes: Vec<Zeroizing<String>> },
    /// Another password.
    Password { old: SecretText, new: SecretText, again: SecretText, strength: Strength },
    /// A name for a program.
    NewDevice { label: String },
    /// A program's credential, shown once.
    MadeDevice(Box<MadeDevice>),
    /// Take a credential back?
    Revoke { id: i64, label: String },
    /// Forget the history?
    ClearHistory,
}

impl Dialog {
    pub(super) fn one_time() -> Self {
        Self::OneTime { picture: None, secret: Zeroizing::default(), code: String::new() }
    }

    pub(super) fn new_codes() -> Self {
        Self::NewCodes { password: SecretText::new() }
    }

    pub(super) fn password() -> Self {
        Self::Password {
            old: SecretText::new(),
            new: SecretText::new(),
            again: SecretText::new(),
            strength: Strength::default(),
        }
    }

    pub(super) fn new_device() -> Self {
        Self::NewDevice { label: String::new() }
    }

    pub(super) fn revoke(device: &DeviceView) -> Self {
        Self::Revoke { id: device.id, label: device.label.clone() }
    }

    /// Whose failures this dialog shows itself.
    pub(super) const fn asked(&self) -> Option<Asked> {
        match self {
            Self::OneTime { .. } => Some(Asked::Otp),
            Self::NewCodes { .. } => Some(Asked::RecoveryCodes),
            Self::Password { .. } => Some(Asked::ChangePassword),
            Self::NewDevice { .. } | Self::Revoke { .. } => Some(Asked::Devices),
            Self::ClearHistory | Self::Codes { .. } | Self::MadeDevice(_) => None,
        }
    }
}

/// What an event means to the dialog that is open.
pub(super) fn told(open: &mut Option<Dialog>, event: &Event) {
    match (event, &mut *open) {
        (Event::Enrolment(enrolment), Some(Dialog::OneTime { picture, secret, .. })) => {
            *picture = QrPicture::new(enrolment.uri.reveal());
            *secret = in_fours(enrolment.secret.reveal());
        }
        (Event::OtpOn, Some(Dialog::OneTime { .. }))
        | (Event::PasswordChanged, Some(Dialog::Password { .. })) => {
            *open = None;
        }
        // Shown once: whatever else is open gives way.
        (Event::RecoveryCodes(codes), _) => {
            let codes = codes.iter().map(|code| Zeroizing::new(code.reveal().to_owned())).collect();
            *open = Some(Dialog::Codes { codes });
        }
        (Event::DeviceMade { device, username, password, mqtt, ca_pem }, _) => {
            *open = Some(Dialog::MadeDevice(Box::new(MadeDevice {
                label: device.label.clone(),
                username: username.clone(),
                password: password.clone(),
                mqtt: mqtt.clone(),
                ca_pem: ca_pem.clone(),
                confirm_close: false,
            })));
        }
        _ => {}
    }
}

/// Draws the open dialog.
pub(super) fn show(
    ctx: &Context,
    open: &mut Option<Dialog>,
    model: &Model,
    out: &mut Outbound,
    context: &mut SettingsContext<'_>,
) {
    let Some(dialog) = open else { return };
    let failure = dialog.asked().and_then(|asked| model.failure(asked)).map(problem_of);
    let busy = dialog.asked().is_some_and(|asked| model.is_pending(asked));
    let failure = failure.as_ref();
    let close = match dialog {
        Dialog::OneTime { picture, secret, code } => {
            one_time(ctx, picture.as_ref(), secret, code, failure, busy, out)
        }
        Dialog::NewCodes { password } => new_codes(ctx, password, failure, busy, out),
        Dialog::Codes { codes } => codes_dialog(ctx, codes, model, out, context),
        Dialog::Password { old, new, again, strength } => {
            let username = model.account.as_ref().map_or("", |account| account.username.as_str());
            change_password(ctx, (old, new, again), strength, username, failure, busy, out)
        }
        Dialog::NewDevice { label } => new_device(ctx, label, failure, busy, out),
        Dialog::MadeDevice(made) => made_device_dialog(ctx, made, out, context),
        Dialog::Revoke { id, label } => {
            let text = format!("“{label}” is disconnected at once and cannot come back with its password.");
            confirm(ctx, "Revoke this credential?", &text, "Revoke", failure, || {
                out.send(Command::RevokeDevice { id: *id });
            })
        }
        Dialog::ClearHistory => {
            let text = "The messages that arrived on this computer are deleted from its disk, and from the window. \
                        This cannot be undone.";
            confirm(ctx, "Forget the history?", text, "Forget it", failure, || {
                out.send(Command::ClearHistory);
            })
        }
    };
    if close {
        *open = None;
    }
}

type Failed<'a> = Option<&'a crate::desktop::widgets::Problem>;

/// Whether Enter was pressed in one of these fields.
fn entered(ui: &Ui, fields: &[&egui::Response]) -> bool {
    fields.iter().any(|field| field.lost_focus()) && ui.input(|input| input.key_pressed(Key::Enter))
}

/// The first field takes the focus in the first frame of a dialog.
fn is_first_frame(ui: &Ui, what: &str) -> bool {
    let id = egui::Id::unique(("settings dialog", what));
    let frame = ui.ctx().cumulative_frame_nr();
    let (last, fresh): (u64, bool) = ui.data(|data| data.get_temp(id)).unwrap_or((0, false));
    let fresh = if last == frame { fresh } else { last + 1 < frame };
    ui.data_mut(|data| data.insert_temp(id, (frame, fresh)));
    fresh
}

fn one_time(
    ctx: &Context,
    picture: Option<&QrPicture>,
    secret: &str,
    code: &mut String,
    failure: Failed<'_>,
    busy: bool,
    out: &mut Outbound,
) -> bool {
    let answer = dialog(ctx, "one-time", "Turn on one-time codes", 400.0, |ui| {
        problem(ui, failure);
        let Some(picture) = picture else {
            if failure.is_none() {
                waiting(ui, "Asking the station…");
            }
            return None;
        };
        muted(ui, "Scan this with any authenticator app.");
        ui.vertical_centered(|ui| picture.show(ui, 184.0, "QR code for your authenticator app"));
        caps(ui, "Or type this key into the app");
        if copy_line(ui, "key for the authenticator app", secret) {
            out.toast(Severity::Info, "The key is copied. Other programs can read the clipboard.");
        }
        ui.add_space(4.0);
        let fresh = is_first_frame(ui, "one-time");
        let field = code_field(ui, "The code that the app shows now", code, fresh);
        let ready = code_is_complete(code);
        let pressed = dialog_buttons(ui, ButtonKind::Primary, "Turn on", ready, busy);
        if pressed.is_none() && ready && !busy && entered(ui, &[&field]) {
            Some(DialogButton::Confirm)
        } else {
            pressed
        }
    });
    if answer.inner == Some(DialogButton::Confirm) {
        out.send(Command::ConfirmOtp { code: Password::new(std::mem::take(code)) });
    }
    answer.inner == Some(DialogButton::Cancel) || answer.close
}

fn new_codes(
    ctx: &Context,
    password: &mut SecretText,
    failure: Failed<'_>,
    busy: bool,
    out: &mut Outbound,
) -> bool {
    let answer = dialog(ctx, "new codes", "Make new recovery codes", 420.0, |ui| {
        body(ui, "You get eight new codes. The old ones stop working at once.");
        problem(ui, failure);
        let fresh = is_first_frame(ui, "new codes");
        let field = TextField::new("Your password", password.edit())
            .icon(icons::LOCK_SIMPLE)
            .secret()
            .limit(256)
            .focus(fresh)
            .enabled(!busy)
            .show(ui);
        let ready = !password.is_empty();
        let pressed = dialog_buttons(ui, ButtonKind::Primary, "Make codes", ready, busy);
        if pressed.is_none() && ready && !busy && entered(ui, &[&field]) {
            Some(DialogButton::Confirm)
        } else {
            pressed
        }
    });
    if answer.inner == Some(DialogButton::Confirm) {
        out.send(Command::NewRecoveryCodes { password: Password::new(password.as_str()) });
    }
    answer.inner == Some(DialogButton::Cancel) || answer.close
}

fn codes_dialog(
    ctx: &Context,
    codes: &[Zeroizing<String>],
    model: &Model,
    out: &mut Outbound,
    context: &mut SettingsContext<'_>,
) -> bool {
    let answer = dialog(ctx, "codes", "Your new recovery codes", 440.0, |ui| {
        muted(ui, "They are shown this once. Each opens your vault once, if you forget your password.");
        for code in codes {
            ui.label(egui::RichText::new(code.as_str()).font(crate::desktop::fonts::mono(13.0)));
        }
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            if Button::secondary("Save to a file…").icon(icons::DOWNLOAD_SIMPLE).show(ui).clicked() {
                context.saver.begin(ui.ctx(), SavePurpose::RecoveryCodes, recovery_text(codes));
            }
            if Button::secondary("Copy all").icon(icons::COPY).show(ui).clicked() {
                let all: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
                ui.ctx().copy_text(all.join("\n"));
                out.toast(Severity::Info, "The codes are copied. Other programs can read the clipboard.");
            }
        });
        ui.add_space(8.0);
        Button::primary("I have kept them").show(ui).clicked()
    });
    if answer.inner
        && let Some(account) = &model.account
    {
        out.send(crate::desktop::cards::remember(
            crate::desktop::cards::Step::RecoveryCodes,
            &account.username,
        ));
    }
    // Esc or a click beside it must not lose what is shown once.
    answer.inner
}

fn change_password(
    ctx: &Context,
    (old, new, again): (&mut SecretText, &mut SecretText, &mut SecretText),
    strength: &mut Strength,
    username: &str,
    failure: Failed<'_>,
    busy: bool,
    out: &mut Outbound,
) -> bool {
    let answer = dialog(ctx, "password", "Change password", 420.0, |ui| {
        muted(ui, "Your other sessions end. Your keys and recovery codes stay as they are.");
        problem(ui, failure);
        let fresh = is_first_frame(ui, "password");
        let field = |label, text: &mut SecretText, ui: &mut Ui, focus| {
            TextField::new(label, text.edit())
                .icon(icons::LOCK_SIMPLE)
                .secret()
                .limit(256)
                .focus(focus)
                .enabled(!busy)
                .show(ui)
        };
        let first = field("Old password", old, ui, fresh);
        let second = field("New password", new, ui, false);
        if second.changed() {
            *strength = judge(new.as_str(), username);
        }
        strength_meter(ui, strength);
        let third = field("New password again", again, ui, false);
        let same = new.as_str() == again.as_str();
        if !again.is_empty() && !new.as_str().starts_with(again.as_str()) {
            muted(ui, "The two new passwords are not the same.");
        }
        let ready = !old.is_empty() && strength.acceptable && same;
        let pressed = dialog_buttons(ui, ButtonKind::Primary, "Change password", ready, busy);
        let enter = ready && !busy && entered(ui, &[&first, &second, &third]);
        if pressed.is_none() && enter { Some(DialogButton::Confirm) } else { pressed }
    });
    if answer.inner == Some(DialogButton::Confirm) {
        out.send(Command::ChangePassword {
            old: Password::new(old.as_str()),
            new: Password::new(new.as_str()),
        });
    }
    answer.inner == Some(DialogButton::Cancel) || answer.close
}

fn new_device(
    ctx: &Context,
    label: &mut String,
    failure: Failed<'_>,
    busy: bool,
    out: &mut Outbound,
) -> bool {
    let answer = dialog(ctx, "new device", "Connect a program", 420.0, |ui| {
        problem(ui, failure);
        let fresh = is_first_frame(ui, "new device");
        let field = TextField::new("What is it for?", label)
            .icon(icons::CPU)
            .hint("Thermometer in hall 2")
            .help("A name for you. You get a username and a password for it next.")
            .limit(64)
            .focus(fresh)
            .enabled(!busy)
            .show(ui);
        let ready = !label.trim().is_empty();
        let pressed = dialog_buttons(ui, ButtonKind::Primary, "Make a credential", ready, busy);
        if pressed.is_none() && ready && !busy && entered(ui, &[&field]) {
            Some(DialogButton::Confirm)
        } else {
            pressed
        }
    });
    if answer.inner == Some(DialogButton::Confirm) {
        out.send(Command::NewDevice { label: label.trim().to_owned() });
    }
    answer.inner == Some(DialogButton::Cancel) || answer.close
}

/// A question with a danger button. True when it is to be closed.
fn confirm(
    ctx: &Context,
    title: &str,
    text: &str,
    button: &str,
    failure: Failed<'_>,
    does: impl FnOnce(),
) -> bool {
    let answer = dialog(ctx, title, title, 420.0, |ui| {
        body(ui, text);
        problem(ui, failure);
        dialog_buttons(ui, ButtonKind::Danger, button, true, false)
    });
    if answer.inner == Some(DialogButton::Confirm) {
        does();
    }
    answer.inner.is_some() || answer.close
}
