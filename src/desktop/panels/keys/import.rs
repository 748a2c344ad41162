//! The dialog that takes a key in: from its line, or a Fernet key from its file. Where another key seals the same
//! topics already, it asks which of the two shall.

use eframe::egui::{Context, Key, Label, Modifiers, RichText, Ui};

use crate::{
    client::{Asked, Command, KeyView, Password},
    desktop::{
        dialogs::KeyOpener,
        fonts, icons,
        model::{Model, Outbound},
        theme::tokens,
        widgets::{
            Button, ButtonKind, DialogButton, Problem, SecretText, TextField, dialog, dialog_buttons, muted,
            problem, segmented,
        },
    },
    topic::TopicFilter,
};

use super::{
    covered::WhichSeals,
    failed,
    typed::{filters, label_problem},
};

/// How an armored `age` file begins.
pub(super) const AGE: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// How every key line begins.
const PREFIX: &str = "sealwire-key:";
/// The most characters of a key's text: 64 long filters fit.
const LONGEST: usize = 64 * 1024;

/// In what form the key comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    #[default]
    Line,
    Fernet,
}

/// What is typed.
#[derive(Debug, Default)]
pub(super) struct Import {
    form: Form,
    secret: SecretText,
    label: String,
    filters: String,
    opener: KeyOpener,
    file: Option<Result<String, Problem>>,
    opened: bool,
    /// The key came in, and these topics are sealed by another: which shall?
    question: Option<Question>,
}

#[derive(Debug)]
struct Question {
    label: String,
    covered: Vec<(TopicFilter, String)>,
}

impl Import {
    /// The key is in. True when there is a question left.
    pub(super) fn imported(&mut self, key: &KeyView, covered: &[(TopicFilter, String)]) -> bool {
        if covered.is_empty() || self.question.is_some() {
            return false;
        }
        self.question = Some(Question { label: key.label.clone(), covered: covered.to_vec() });
        true
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let close =
            if self.question.is_some() { self.ask(ctx, model, out) } else { self.form(ctx, model, out) };
        if close {
            model.dismiss(Asked::ImportKey);
        }
        close
    }

    /// What is wrong with the text as far as can be told here; nothing while it is empty.
    fn text_problem(&self) -> Option<&'static str> {
        let text = self.secret.as_str().trim();
        match self.form {
            _ if text.is_empty() => None,
            _ if text.starts_with(AGE) => Some(
                "This is an age file: close this, and choose “Import an age file…” under the three dots.",
            ),
            Form::Line if text.starts_with(PREFIX) => None,
            Form::Line if looks_like_fernet(text) => {
                Some("This looks like a Fernet key: choose “Fernet key” above.")
            }
            Form::Line => {
                Some("Not a Sealwire key: its line begins with “sealwire-key:”. Copy the whole line.")
            }
            Form::Fernet if text.starts_with(PREFIX) => {
                Some("This is a Sealwire key line: choose “One line” above.")
            }
            Form::Fernet if looks_like_fernet(text) => None,
            Form::Fernet => Some("Not a Fernet key: it has 44 characters and ends in “=”."),
        }
    }

    fn form(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        if let Some(opened) = self.opener.poll() {
            self.file = Some(opened.map(|(name, text)| {
                self.form = if text.as_str().starts_with(PREFIX) { Form::Line } else { Form::Fernet };
                self.secret = text;
                name
            }));
        }
        let busy = model.is_pending(Asked::ImportKey);
        let wrong = self.text_problem();
        let parsed = filters(&self.filters);
        let filter_wrong = parsed.as_ref().err().cloned();
        let label_wrong =
            label_problem(&self.label, |label| !busy && model.keys.iter().any(|key| key.label == label));
        let fernet_ready = !self.label.trim().is_empty()
            && label_wrong.is_none()
            && parsed.as_ref().is_ok_and(|list| !list.is_empty());
        let ready = !self.secret.is_empty() && wrong.is_none() && (self.form == Form::Line || fernet_ready);
        let focus = !std::mem::replace(&mut self.opened, true);
        let answer = dialog(ctx, "import key", "Import a key", 480.0, |ui| {
            segmented(
                ui,
                "The key comes as",
                &mut self.form,
                &[(Form::Line, "One line"), (Form::Fernet, "Fernet key")],
            );
            muted(
                ui,
                match self.form {
                    Form::Line => {
                        "Somebody chose “Give to someone…” and sent you one line of text. It brings its name and topics along."
                    }
                    Form::Fernet => {
                        "The text of a Fernet key, as Python’s cryptography writes it. Say which topics it is for."
                    }
                },
            );
            let name = if self.form == Form::Line { "Key line" } else { "Fernet key" };
            let field = TextField::new(name, self.secret.edit())
                .id_salt("key text")
                .hint(if self.form == Form::Line { "sealwire-key:…" } else { "44 characters" })
                .icon(icons::KEY)
                .mono()
                .secret()
                .limit(LONGEST)
                .error(wrong)
                .focus(focus)
                .show(ui);
            if field.changed() {
                self.file = None;
            }
            self.file_row(ui);
            if self.form == Form::Fernet {
                TextField::new("Name", &mut self.label)
                    .hint("Old gateway")
                    .icon(icons::TAG)
                    .error(label_wrong.as_deref())
                    .limit(80)
                    .show(ui);
                TextField::new("Topic filters", &mut self.filters)
                    .hint("legacy/#")
                    .mono()
                    .rows(2)
                    .limit(8_192)
                    .error(filter_wrong.as_deref())
                    .help("One per line.")
                    .show(ui);
            }
            failed(ui, model, Asked::ImportKey);
            dialog_buttons(ui, ButtonKind::Primary, "Import", ready, busy)
        });
        let by_key = ready
            && !busy
            && ctx.input_mut(|input| {
                input.consume_key(Modifiers::COMMAND, Key::Enter)
                    || (self.form == Form::Line && input.consume_key(Modifiers::NONE, Key::Enter))
            });
        if by_key || answer.inner == Some(DialogButton::Confirm) {
            out.send(self.command(false));
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn file_row(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if Button::ghost("Choose a file…")
                .icon(icons::FOLDER_OPEN)
                .busy(self.opener.is_open())
                .show(ui)
                .clicked()
            {
                self.opener.begin(ui.ctx());
            }
            if let Some(Ok(name)) = &self.file {
                let ink = tokens(ui).text_muted;
                ui.add(
                    Label::new(RichText::new(format!("From {name}")).font(fonts::regular(12.0)).color(ink))
                        .truncate(),
                );
            }
        });
        if let Some(Err(wrong)) = &self.file {
            problem(ui, Some(wrong));
        }
    }

    fn command(&self, take_over: bool) -> Command {
        let text = Password::new(self.secret.as_str().trim());
        match self.form {
            Form::Line => Command::ImportKey { line: text, take_over },
            Form::Fernet => Command::ImportFernet {
                text,
                label: self.label.trim().to_owned(),
                filters: filters(&self.filters).unwrap_or_default(),
                take_over,
            },
        }
    }

    /// The key opens already. Shall it seal as well?
    fn ask(&self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let Some(question) = &self.question else { return true };
        let asked = WhichSeals {
            id: "covered key",
            lead: format!(
                "“{}” is imported and opens what others seal with it. These topics are sealed by another key of yours:",
                question.label
            ),
            covered: &question.covered,
            caution: "Whoever made the new key can read what it seals. Let it take over only if that is what you want.",
            take: "Let the new key seal",
        };
        let choice = asked.ui(ctx, model);
        if choice.take {
            out.send(self.command(true));
        }
        choice.close
    }
}

/// 32 bytes in base64url with its padding.
fn looks_like_fernet(text: &str) -> bool {
    text.len() == 44
        && text.ends_with('=')
        && text[..43].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_the_wrong_field_is_told_where_it_belongs() {
        let fernet = format!("{}=", "A".repeat(43));
        let judge = |form, text: &str| {
            Import { form, secret: SecretText::from(text), ..Import::default() }.text_problem()
        };
        assert_eq!(judge(Form::Line, " sealwire-key:AbC "), None);
        assert_eq!(judge(Form::Fernet, &fernet), None);
        assert!(judge(Form::Line, &fernet).is_some_and(|why| why.contains("Fernet key")));
        assert!(judge(Form::Fernet, "sealwire-key:x").is_some_and(|why| why.contains("One line")));
        assert!(judge(Form::Line, "hello").is_some() && judge(Form::Fernet, "hällo").is_some());
        assert_eq!(judge(Form::Line, ""), None);
    }
}
