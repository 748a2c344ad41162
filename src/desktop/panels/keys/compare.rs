//! The dialogs about people: comparing digits, taking a new key, forgetting.

use eframe::egui::Context;

use crate::{
    client::{Asked, Command, PeopleView, SenderKey, Standing},
    desktop::{
        icons,
        model::{Model, Outbound},
        widgets::{
            Banner, Button, ButtonKind, DialogButton, Severity, body, caps, checkbox, dialog, dialog_buttons,
            muted,
        },
    },
};

use super::{failed, people::name_of, person::digits_box};

/// What is decided about whom.
#[derive(Debug)]
pub(super) struct About {
    key: SenderKey,
    what: What,
    /// What was sent and is not seen in the list yet.
    asked: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Compare,
    /// The digits are not the same: what to do.
    Different,
    Accept {
        agreed: bool,
    },
    Forget,
}

impl About {
    /// Compare digits.
    pub(super) const fn compare(key: SenderKey) -> Self {
        Self { key, what: What::Compare, asked: false }
    }

    /// Take the new key, or the new name.
    pub(super) const fn accept(key: SenderKey) -> Self {
        Self { key, what: What::Accept { agreed: false }, asked: false }
    }

    /// Forget whose key it is.
    pub(super) const fn forget(key: SenderKey) -> Self {
        Self { key, what: What::Forget, asked: false }
    }

    /// What to say, once the list shows that it was done.
    pub(super) fn done(&self, people: &PeopleView) -> Option<&'static str> {
        let standing = people.of(&self.key).map(|person| &person.standing);
        if !self.asked {
            return None;
        }
        match (&self.what, standing) {
            (What::Compare, Some(Standing::Known { compared: true, .. })) => Some("The digits match: noted."),
            (What::Accept { .. }, Some(Standing::Known { .. })) => Some("The new key is known from now on."),
            (What::Forget, None) => Some("Forgotten."),
            _ => None,
        }
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let Some(person) = model.people.of(&self.key) else { return true };
        let (digits, name) = (person.digits.clone(), name_of(person).unwrap_or("this person").to_owned());
        let standing = person.standing.clone();
        let close = match self.what {
            What::Compare => self.compare_ui(ctx, &name, &digits, model, out),
            What::Different => different(ctx, &name),
            What::Accept { .. } => self.accept_ui(ctx, &name, &digits, &standing, model, out),
            What::Forget => self.forget_ui(ctx, &name, model, out),
        };
        if close {
            model.dismiss(Asked::People);
        }
        close
    }

    fn compare_ui(
        &mut self,
        ctx: &Context,
        name: &str,
        digits: &str,
        model: &Model,
        out: &mut Outbound,
    ) -> bool {
        let busy = model.is_pending(Asked::People);
        let (mut match_, mut differ) = (false, false);
        let title = format!("Compare digits with {name}");
        let answer = dialog(ctx, "compare digits", &title, 500.0, |ui| {
            body(
                ui,
                &format!(
                    "Sit beside {name}, or call. {name} reads what stands under “You sign as” in their own Sealwire; you read along here. Not by a message through this station: it could change them."
                ),
            );
            caps(ui, &format!("The digits of {name}"));
            digits_box(ui, digits, "the digits", out);
            if let Some(own) = &model.people.own {
                caps(ui, "Yours, for them to compare");
                digits_box(ui, &own.digits(), "your digits", out);
            }
            muted(
                ui,
                &format!(
                    "“They match” notes it, and {name} shows as compared from now on. “They do not match” takes such a note back, and says what to do."
                ),
            );
            failed(ui, model, Asked::People);
            ui.add_space(6.0);
            ui.horizontal_wrapped(|ui| {
                match_ = Button::primary("They match").icon(icons::CHECK).busy(busy).show(ui).clicked();
                differ = Button::secondary("They do not match").icon(icons::X).show(ui).clicked();
            });
        });
        if match_ || differ {
            self.asked = true;
            out.send(Command::SetCompared { key: self.key, compared: match_ });
        }
        if differ {
            self.what = What::Different;
        }
        answer.close
    }

    fn accept_ui(
        &mut self,
        ctx: &Context,
        name: &str,
        digits: &str,
        standing: &Standing,
        model: &Model,
        out: &mut Outbound,
    ) -> bool {
        let busy = model.is_pending(Asked::People);
        let What::Accept { agreed } = &mut self.what else { return true };
        let renamed = matches!(standing, Standing::Renamed { .. });
        let (title, tick, button) = if renamed {
            (
                format!("Take the new name {name}?"),
                format!("I asked: the account is called {name} now"),
                "Take the new name",
            )
        } else {
            (
                format!("Take the new key of {name}?"),
                format!("I compared these digits with {name}"),
                "Take the new key",
            )
        };
        let answer = dialog(ctx, "accept sender", &title, 500.0, |ui| {
            if renamed {
                body(ui, &format!("Messages signed with this key will show as from {name}."));
            } else {
                Banner::new(Severity::Error, "Only if you compared the digits")
                    .why(&format!("From then on, what is signed with this key shows as from {name}. Whoever took their place would be believed."))
                    .show(ui);
                caps(ui, "The new digits");
                digits_box(ui, digits, "the digits", out);
            }
            checkbox(ui, agreed, &tick);
            failed(ui, model, Asked::People);
            let kind = if renamed { ButtonKind::Primary } else { ButtonKind::Danger };
            dialog_buttons(ui, kind, button, *agreed, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) && *agreed {
            self.asked = true;
            out.send(Command::AcceptSender { key: self.key });
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn forget_ui(&mut self, ctx: &Context, name: &str, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::People);
        let answer = dialog(ctx, "forget sender", &format!("Forget {name}?"), 460.0, |ui| {
            body(
                ui,
                &format!(
                    "That you know this key, since when, and whether you compared digits is gone. When {name} signs again, the station is asked anew whose key it is, and whatever it says then is believed."
                ),
            );
            failed(ui, model, Asked::People);
            dialog_buttons(ui, ButtonKind::Danger, "Forget", true, busy)
        });
        if answer.inner == Some(DialogButton::Confirm) {
            self.asked = true;
            out.send(Command::ForgetSender { key: self.key });
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }
}

/// The digits are not the same.
fn different(ctx: &Context, name: &str) -> bool {
    let answer = dialog(ctx, "different digits", "The digits do not match", 480.0, |ui| {
        Banner::new(Severity::Error, &format!("This is not the key of {name}"))
            .why(&format!("What shows as from {name} may come from somebody else: the station gave you another key than {name} has."))
            .next("Believe nothing that is signed with it. Tell whoever runs the station.")
            .show(ui);
        muted(
            ui,
            "First make sure that you both looked at the right place: they at “You sign as”, you at their entry. One slip in reading is enough.",
        );
        ui.add_space(6.0);
        Button::secondary("Close").show(ui).clicked()
    });
    answer.close || answer.inner
}
