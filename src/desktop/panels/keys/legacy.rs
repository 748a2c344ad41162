//! The dialog that lets programs of an older system take part: which one, what it protects and what not, its key file or
//! passphrase, its topics.

use eframe::egui::{Context, Key, Label, Modifiers, RichText, Ui};

use crate::{
    client::{
        Asked, Command, KeyView, Password,
        legacy::{KeySource, Profile},
    },
    desktop::{
        dialogs::KeyOpener,
        fonts, icons,
        model::{Model, Outbound},
        theme::tokens,
        widgets::{
            Banner, Button, ButtonKind, DialogButton, Problem, SecretText, Severity, TextField, choice_card,
            dialog, dialog_buttons, muted, problem,
        },
    },
    topic::TopicFilter,
};

use super::{
    covered::WhichSeals,
    failed,
    typed::{filters, label_problem},
};

/// The most characters of a key file's text or a passphrase.
const LONGEST: usize = 1_024;

/// What is typed.
#[derive(Debug)]
pub(super) struct Legacy {
    profile: Profile,
    secret: SecretText,
    opener: KeyOpener,
    file: Option<Result<String, Problem>>,
    label: String,
    filters: String,
    /// The key came in, and these topics are sealed by another: which shall?
    question: Option<(String, Vec<(TopicFilter, String)>)>,
}

impl Legacy {
    /// With the first program chosen.
    pub(super) fn new(model: &Model) -> Self {
        let mut fresh = Self {
            profile: Profile::DisasterResponse,
            secret: SecretText::default(),
            opener: KeyOpener::default(),
            file: None,
            label: String::new(),
            filters: String::new(),
            question: None,
        };
        fresh.choose(Profile::DisasterResponse, model);
        fresh
    }
}

/// What a profile is, in plain words.
struct Words {
    icon: &'static str,
    was: &'static str,
    protects: &'static str,
    not: &'static str,
}

const fn words(profile: Profile) -> Words {
    match profile {
        Profile::DisasterResponse => Words {
            icon: icons::SIREN,
            was: "Calls for help, with a place.",
            protects: "Who has no key file cannot read a call, and cannot tell two calls of one person from those of two.",
            not: "Topic and time are in the open. Everybody with the key file can make up calls, and an old call can be sent again.",
        },
        Profile::IndustrialIot => Words {
            icon: icons::CPU,
            was: "Readings and commands.",
            protects: "No secrecy: this key was published.",
            not: "It stands in the programs’ source. Anybody can read these messages and make them up: send nothing that matters, and believe nothing that comes.",
        },
        Profile::RoomChat => Words {
            icon: icons::TERMINAL_WINDOW,
            was: "A chat in the terminal.",
            protects: "As much as its 32 characters: random ones keep readers out, words that people remember can be guessed.",
            not: "Topic and time are in the open. Everybody in the room can write under any name.",
        },
        Profile::WindowChat => Words {
            icon: icons::CHAT_CIRCLE_TEXT,
            was: "A chat in a window.",
            protects: "As much as its passphrase: guesses are slowed down a little, and one computed list of guesses serves against every such chat.",
            not: "Topic and time are in the open. Everybody in the chat can write under any name.",
        },
    }
}

impl Legacy {
    fn choose(&mut self, profile: Profile, model: &Model) {
        self.profile = profile;
        // A second chat of the same program, under another passphrase, gets a number.
        let taken = |label: &str| model.keys.iter().any(|key| key.label == label);
        let numbered = |number| format!("{} {number}", profile.title());
        self.label = Some(profile.title().to_owned())
            .into_iter()
            .chain((2..100).map(numbered))
            .find(|label| !taken(label))
            .unwrap_or_default();
        self.filters = profile.topics().join("\n");
        self.secret.clear();
        self.file = None;
    }

    /// The key is in. True when there is a question left.
    pub(super) fn imported(&mut self, key: &KeyView, covered: &[(TopicFilter, String)]) -> bool {
        if covered.is_empty() || self.question.is_some() {
            return false;
        }
        self.question = Some((key.label.clone(), covered.to_vec()));
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

    /// What is wrong with what was typed; nothing while it is empty.
    fn secret_problem(&self) -> Option<String> {
        let text = self.secret.as_str();
        if text.is_empty() {
            return None;
        }
        match self.profile.key_source() {
            KeySource::Published => None,
            KeySource::KeyFile => (text.trim().len() != 44)
                .then(|| "Not a key file: its text has 44 characters and ends in “=”.".to_owned()),
            KeySource::ThirtyTwoCharacters => {
                let count = text.chars().count();
                if count != 32 {
                    Some(format!("{count} of 32 characters."))
                } else {
                    let odd = text.chars().find(|character| !character.is_ascii());
                    odd.map(|odd| {
                        format!("“{odd}” does not work here, nor in the old program: only letters without accents, digits and signs.")
                    })
                }
            }
            KeySource::Passphrase => (text.trim().chars().count() < 8)
                .then(|| "At least 8 characters, as the old program wants.".to_owned()),
        }
    }

    fn form(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        if let Some(opened) = self.opener.poll() {
            self.file = Some(opened.map(|(name, text)| {
                self.secret = text;
                name
            }));
        }
        let busy = model.is_pending(Asked::ImportKey);
        let wrong = self.secret_problem();
        let parsed = filters(&self.filters);
        let filter_wrong = parsed.as_ref().err().cloned();
        let label_wrong =
            label_problem(&self.label, |label| !busy && model.keys.iter().any(|key| key.label == label));
        let needs_secret = self.profile.key_source() != KeySource::Published;
        let ready = (!needs_secret || !self.secret.is_empty())
            && wrong.is_none()
            && label_wrong.is_none()
            && !self.label.trim().is_empty()
            && parsed.as_ref().is_ok_and(|list| !list.is_empty());
        let answer = dialog(ctx, "legacy program", "Let a legacy program take part", 560.0, |ui| {
            muted(
                ui,
                "A program of 2024 that seals in its own way. Choose which; its messages are marked “legacy” wherever they show.",
            );
            for pair in Profile::ALL.chunks(2) {
                ui.columns(2, |columns| {
                    for (ui, profile) in columns.iter_mut().zip(pair.iter().copied()) {
                        let words = words(profile);
                        let chosen = self.profile == profile;
                        if choice_card(ui, chosen, words.icon, profile.title(), words.was).clicked()
                            && !chosen
                        {
                            self.choose(profile, model);
                        }
                    }
                });
            }
            let words = words(self.profile);
            let severity = if self.profile.is_secret() { Severity::Info } else { Severity::Warning };
            Banner::new(severity, words.protects).why(words.not).show(ui);
            self.secret_field(ui, wrong.as_deref());
            TextField::new("Topic filters", &mut self.filters)
                .mono()
                .rows(if self.profile.topics().len() > 2 { 4 } else { 2 })
                .limit(8_192)
                .error(filter_wrong.as_deref())
                .help("Those of the program. Change them only where it was changed there, one per line.")
                .show(ui);
            TextField::new("Name", &mut self.label)
                .icon(icons::TAG)
                .error(label_wrong.as_deref())
                .limit(80)
                .show(ui);
            failed(ui, model, Asked::ImportKey);
            dialog_buttons(ui, ButtonKind::Primary, "Add", ready, busy)
        });
        let by_key =
            ready && !busy && ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        if by_key || answer.inner == Some(DialogButton::Confirm) {
            out.send(self.command(false));
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn secret_field(&mut self, ui: &mut Ui, wrong: Option<&str>) {
        let (name, hint, help) = match self.profile.key_source() {
            KeySource::Published => return,
            KeySource::KeyFile => {
                ("Key file", "44 characters", "The text of secureKey.key, the same file as the others have.")
            }
            KeySource::ThirtyTwoCharacters => (
                "Passphrase",
                "Exactly 32 characters",
                "The one that everybody in the room types, letter for letter.",
            ),
            KeySource::Passphrase => (
                "Passphrase",
                "At least 8 characters",
                "The one that everybody in the chat types. Spaces around it do not count.",
            ),
        };
        let field = TextField::new(name, self.secret.edit())
            .id_salt("legacy secret")
            .hint(hint)
            .icon(icons::KEY)
            .mono()
            .secret()
            .limit(LONGEST)
            .error(wrong)
            .help(help)
            .show(ui);
        if field.changed() {
            self.file = None;
        }
        if self.profile.key_source() == KeySource::KeyFile {
            self.file_row(ui);
        }
    }

    fn file_row(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let busy = self.opener.is_open();
            if Button::ghost("Choose a file…").icon(icons::FOLDER_OPEN).busy(busy).show(ui).clicked() {
                self.opener.begin(ui.ctx());
            }
            if let Some(Ok(name)) = &self.file {
                let words = RichText::new(format!("From {name}")).font(fonts::regular(12.0));
                ui.add(Label::new(words.color(tokens(ui).text_muted)).truncate());
            }
        });
        if let Some(Err(wrong)) = &self.file {
            problem(ui, Some(wrong));
        }
    }

    fn command(&self, take_over: bool) -> Command {
        let secret = match self.profile.key_source() {
            KeySource::Published => None,
            // Its spaces are of the key in the room chat; the others take them off by themselves.
            _ => Some(Password::new(self.secret.as_str())),
        };
        Command::AddLegacy {
            profile: self.profile,
            filters: filters(&self.filters).ok(),
            secret,
            label: Some(self.label.trim().to_owned()),
            take_over,
        }
    }

    /// The key opens already. Shall it seal as well?
    fn ask(&self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let Some((label, covered)) = &self.question else { return true };
        let asked = WhichSeals {
            id: "covered by a legacy key",
            lead: format!("“{label}” is there and opens. These topics are sealed by another key of yours:"),
            covered,
            caution: "The legacy program reads what you send only if its own key seals it. That seal is weaker.",
            take: "Let the legacy key seal",
        };
        let choice = asked.ui(ctx, model);
        if choice.take {
            out.send(self.command(true));
        }
        choice.close
    }
}
