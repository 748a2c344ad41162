//! What an admin is asked before it is done: a connection ended, an account changed.

use eframe::egui::Context;

use crate::{
    client::{Asked, Command},
    desktop::{
        model::{Model, Outbound, problem_of},
        widgets::{ButtonKind, DialogButton, body, dialog, dialog_buttons, muted, problem},
    },
};

/// What is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialog {
    /// End a connection, or a session?
    End { id: u64, client: String, forget: bool, own: bool },
    /// Give an account this role?
    Role { username: String, role: String, was: String, own: bool },
    /// Remove an account?
    Remove { username: String, own: bool },
}

impl Dialog {
    const fn asked(&self) -> Asked {
        match self {
            Self::End { .. } => Asked::EndSession,
            Self::Role { .. } | Self::Remove { .. } => Asked::ChangeAccount,
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::End { id, forget, .. } => Command::EndSession { id: *id, forget: *forget },
            Self::Role { username, role, .. } => {
                Command::SetRole { username: username.clone(), role: role.clone() }
            }
            Self::Remove { username, .. } => Command::RemoveAccount { username: username.clone() },
        }
    }

    /// Title, what happens, what is worth knowing besides, and the button.
    fn words(&self) -> (String, String, &'static str, &'static str) {
        match self {
            Self::End { client, forget: false, own, .. } => (
                "End this connection?".to_owned(),
                format!(
                    "{client} is disconnected and told so. Its session stays, and it may connect again at once."
                ),
                if *own { "It is this window's own connection: it comes back by itself." } else { "" },
                "End the connection",
            ),
            Self::End { client, forget: true, own, .. } => (
                "Remove this session?".to_owned(),
                format!(
                    "{client} is disconnected, its subscriptions end, and what waits for it is deleted. This cannot be \
                     undone. It may connect again with a new session."
                ),
                if *own { "It is this window's own session: what waits for it is lost to you." } else { "" },
                "Remove the session",
            ),
            Self::Role { username, role, was, own } => (
                format!("Make {username} {role}?"),
                format!("{username} is {was} now. The new role holds at once, also for what is connected."),
                if *own { "It is your own account: you may not see this page any more." } else { "" },
                "Change the role",
            ),
            Self::Remove { username, own } => (
                format!("Remove the account {username}?"),
                format!(
                    "{username} is logged out everywhere. The vault with its keys, the devices and what waits in the \
                     broker are deleted. What it had retained stays. This cannot be undone."
                ),
                if *own { "It is your own account: you are logged out, and cannot come back." } else { "" },
                "Remove the account",
            ),
        }
    }
}

/// Draws the open dialog; `sent` says whether it was answered with yes.
pub(super) fn show(
    ctx: &Context,
    open: &mut Option<Dialog>,
    sent: &mut bool,
    model: &Model,
    out: &mut Outbound,
) {
    let Some(dialog_of) = open else { return };
    let failure = model.failure(dialog_of.asked()).filter(|_| *sent).map(problem_of);
    let busy = model.is_pending(dialog_of.asked());
    let (title, text, besides, button) = dialog_of.words();
    let kind =
        if matches!(dialog_of, Dialog::Role { .. }) { ButtonKind::Primary } else { ButtonKind::Danger };
    let answer = dialog(ctx, "station question", &title, 420.0, |ui| {
        body(ui, &text);
        if !besides.is_empty() {
            muted(ui, besides);
        }
        problem(ui, failure.as_ref());
        dialog_buttons(ui, kind, button, !busy, busy)
    });
    if answer.inner == Some(DialogButton::Confirm) {
        out.send(dialog_of.command());
        *sent = true;
    }
    if answer.inner == Some(DialogButton::Cancel) || answer.close {
        *open = None;
    }
}
