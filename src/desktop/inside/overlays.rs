//! Dialogs that belong to no page: what the lock and the connection mean, logging out while messages wait, logging in
//! again.

use eframe::egui::{Context, Ui};

use crate::{
    client::{Asked, Command, LinkState, Password, SecondStep, sentence},
    desktop::{
        cards, icons,
        model::{Model, Outbound, problem_of},
        panels::{Section, count_text},
        widgets::{
            Button, ButtonKind, DialogButton, SecretText, TextField, body, caps, copy_line, dialog,
            dialog_buttons, key_values, muted, problem,
        },
    },
    topic::TopicFilter,
};

use super::{Inside, Overlay, Wanted, bars};

/// What is typed to log in again.
#[derive(Debug)]
pub(super) struct LogInAgain {
    password: SecretText,
    code: SecretText,
    fresh: bool,
}

impl Default for LogInAgain {
    fn default() -> Self {
        Self { password: SecretText::new(), code: SecretText::new(), fresh: true }
    }
}

impl LogInAgain {
    /// It did not work: the code is spent either way.
    pub(super) fn failed(&mut self) {
        self.code.clear();
    }
}

impl Inside {
    pub(super) fn overlay(
        &mut self,
        ctx: &Context,
        model: &mut Model,
        wanted: &mut Wanted,
        out: &mut Outbound,
    ) {
        let close = match &mut self.overlay {
            Overlay::None => return,
            Overlay::Lock => match lock_dialog(ctx, model) {
                Answer::Stay => false,
                Answer::Close => true,
                Answer::Help => {
                    self.show_section(Section::Protection);
                    true
                }
            },
            Overlay::Link => link_dialog(ctx, model, out),
            Overlay::LogOut { another_station } => {
                let another_station = *another_station;
                match log_out_dialog(ctx, model) {
                    Some(DialogButton::Confirm) => {
                        if another_station {
                            wanted.another_station = true;
                        } else {
                            out.send(Command::LogOut);
                        }
                        true
                    }
                    Some(DialogButton::Cancel) => true,
                    None => false,
                }
            }
            Overlay::LogInAgain(form) => log_in_dialog(ctx, form, model, out),
            Overlay::Invite(step) => cards::invite_dialog(ctx, *step, model, out),
        };
        if close {
            self.overlay = Overlay::None;
        }
    }
}

enum Answer {
    Stay,
    Close,
    Help,
}

fn lock_dialog(ctx: &Context, model: &Model) -> Answer {
    let answer = dialog(ctx, "lock", "What is sealed", 500.0, |ui| {
        body(
            ui,
            "A message is sealed on this computer before it leaves, and opened on the computers of those who hold the same key. The station and its broker carry bytes that they cannot open.",
        );
        ui.add_space(6.0);
        caps(ui, "Sealing keys");
        if model.keys.is_empty() {
            muted(ui, "None yet. A topic without a key is refused, not sent in the open.");
        }
        for key in model.keys.iter().take(6) {
            let filters: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
            let state = if key.seals { "seals" } else { "opens only" };
            muted(ui, &format!("{}: {}, {state}", key.label, filters.join(", ")));
        }
        if model.keys.len() > 6 {
            muted(ui, &format!("and {} more.", model.keys.len() - 6));
        }
        ui.add_space(6.0);
        caps(ui, "In the clear");
        if model.clear_topics.is_empty() {
            muted(ui, "Nothing. Whatever you send is sealed.");
        }
        for filter in &model.clear_topics {
            body(ui, &format!("{filter}: everybody at the broker can read this."));
        }
        ui.add_space(6.0);
        caps(ui, "What the broker still sees");
        muted(ui, "Topic names, when and how often, sizes rounded up, and your connection.");
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let close = Button::primary("Done").show(ui).clicked();
            let help = Button::ghost("What is not protected").icon(icons::QUESTION).show(ui).clicked();
            if help {
                Answer::Help
            } else if close {
                Answer::Close
            } else {
                Answer::Stay
            }
        })
        .inner
    });
    if answer.close { Answer::Close } else { answer.inner }
}

fn link_dialog(ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
    let answer = dialog(ctx, "link", "Connection", 500.0, |ui| {
        let (_, words) = bars::link_words(&model.link);
        body(ui, &words);
        match &model.link {
            LinkState::Waiting { reason, .. }
            | LinkState::LogInAgain { reason }
            | LinkState::ChooseBroker { reason } => {
                muted(ui, &sentence(reason));
            }
            _ => {}
        }
        ui.add_space(4.0);
        station_facts(ui, model);
        let waiting = model.waiting_to_send();
        if waiting > 0 {
            ui.add_space(4.0);
            let waiting = count_text(waiting as u64, "message");
            body(ui, &format!("Not at the broker yet: {waiting}, sealed and on this disk."));
        }
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let close = Button::primary("Done").show(ui).clicked();
            let retry = matches!(model.link, LinkState::Waiting { .. } | LinkState::ChooseBroker { .. })
                && Button::secondary("Retry now").icon(icons::ARROW_CLOCKWISE).show(ui).clicked();
            if retry {
                out.send(Command::RetryNow);
            }
            close || retry
        })
        .inner
    });
    answer.inner || answer.close
}

fn station_facts(ui: &mut Ui, model: &Model) {
    let Some(station) = &model.station else { return };
    let client_id = model.account.as_ref().map_or("", |account| account.client_id.as_str());
    key_values(
        ui,
        &[
            ("Station", station.name.as_str()),
            ("Address", station.address.as_str()),
            ("Client id", client_id),
        ],
    );
    ui.add_space(4.0);
    caps(ui, "Fingerprint of its key, pinned");
    copy_line(ui, "fingerprint", &station.fingerprint);
}

fn log_out_dialog(ctx: &Context, model: &Model) -> Option<DialogButton> {
    let answer = dialog(ctx, "log out", "Log out now?", 440.0, |ui| {
        match model.waiting_to_send() {
            0 => {}
            1 => {
                body(
                    ui,
                    "One message has not reached the broker yet. It stays on this disk, sealed, and goes out after your next login.",
                );
            }
            waiting => {
                body(
                    ui,
                    &format!(
                        "{waiting} messages have not reached the broker yet. They stay on this disk, sealed, and go out after your next login."
                    ),
                );
            }
        }
        if !model.repeating.is_empty() {
            body(ui, "Messages that are sent again and again stop.");
        }
        dialog_buttons(ui, ButtonKind::Primary, "Log out", true, false)
    });
    if answer.close { Some(DialogButton::Cancel) } else { answer.inner }
}

/// True when it is to be closed.
fn log_in_dialog(ctx: &Context, form: &mut LogInAgain, model: &mut Model, out: &mut Outbound) -> bool {
    let Some(username) = model.account.as_ref().map(|account| account.username.clone()) else { return true };
    let busy = model.is_pending(Asked::LogIn);
    let failure = model.failure(Asked::LogIn).map(problem_of);
    let answer = dialog(ctx, "log in again", "Log in again", 420.0, |ui| {
        muted(ui, &format!("As {username}. Your password opens your vault, so it is asked for each time."));
        problem(ui, failure.as_ref());
        let password = TextField::new("Password", form.password.edit())
            .icon(icons::LOCK_SIMPLE)
            .secret()
            .limit(256)
            .enabled(!busy)
            .focus(form.fresh)
            .show(ui);
        let code = TextField::new("One-time code", form.code.edit())
            .icon(icons::DEVICE_MOBILE)
            .mono()
            .hint("If your account uses them")
            .limit(12)
            .enabled(!busy)
            .show(ui);
        form.fresh = false;
        let enter = (password.lost_focus() || code.lost_focus())
            && ui.input(|input| input.key_pressed(eframe::egui::Key::Enter));
        let ready = !form.password.is_empty();
        match dialog_buttons(ui, ButtonKind::Primary, "Log in", ready, busy) {
            Some(DialogButton::Cancel) => Some(DialogButton::Cancel),
            Some(DialogButton::Confirm) => Some(DialogButton::Confirm),
            None if enter && ready && !busy => Some(DialogButton::Confirm),
            None => None,
        }
    });
    match answer.inner {
        Some(DialogButton::Confirm) => {
            let code: String =
                form.code.as_str().chars().filter(|character| !character.is_whitespace()).collect();
            out.send(Command::LogIn {
                username,
                password: Password::new(form.password.as_str()),
                second: (!code.is_empty()).then(|| SecondStep::Code(Password::new(code))),
                remember: false,
            });
            false
        }
        Some(DialogButton::Cancel) => true,
        None => answer.close,
    }
}
