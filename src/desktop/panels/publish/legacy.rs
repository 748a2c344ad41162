//! What the program of an older system wants beside the message: a name, or a place.

use eframe::egui::{Label, RichText, Ui};

use crate::{
    client::{
        Command, Draft,
        legacy::{Place, Profile, Spoken, compose},
        sentence,
    },
    desktop::{
        fonts,
        model::{Model, Outbound},
        panels::sealing::{Sealing, legacy_pill},
        theme::tokens,
        widgets::{TextField, toggle},
    },
};

use super::{body::Body, form::Topic};

/// The preference that holds the name that was used last.
const NAME: &str = "legacy.name";

/// What is typed.
#[derive(Debug)]
pub(super) struct Fields {
    /// `None` until the remembered one was looked up.
    name: Option<String>,
    x: String,
    y: String,
    leaves: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self { name: None, x: "50".to_owned(), y: "50".to_owned(), leaves: false }
    }
}

/// The profile of the key that would seal for a topic.
pub(super) fn profile_of(topic: &Topic) -> Option<Profile> {
    match &topic.good {
        Some((_, Sealing::Key(key))) => key.profile,
        _ => None,
    }
}

/// Whether its message has words of its own.
pub(super) const fn has_words(profile: Profile) -> bool {
    !matches!(profile, Profile::DisasterResponse)
}

impl Fields {
    /// Draws the fields of a profile.
    pub(super) fn ui(&mut self, ui: &mut Ui, profile: Profile, model: &Model) {
        ui.horizontal_wrapped(|ui| {
            legacy_pill(ui, profile);
            let words = format!("Written as the programs of “{}” do.", profile.title());
            let words = RichText::new(words).font(fonts::regular(12.0)).color(tokens(ui).text_muted);
            ui.add(Label::new(words).wrap());
        });
        match profile {
            Profile::IndustrialIot => {}
            Profile::DisasterResponse => self.place(ui),
            Profile::RoomChat | Profile::WindowChat => {
                let name = self.name.get_or_insert_with(|| remembered(model));
                TextField::new("Name in the chat", name)
                    .hint("The others see it before your words")
                    .limit(if profile == Profile::WindowChat { 50 } else { 200 })
                    .show(ui);
                if profile == Profile::RoomChat {
                    toggle(ui, &mut self.leaves, "Say that you have left");
                }
            }
        }
    }

    fn place(&mut self, ui: &mut Ui) {
        let wrong = self.wrong_place();
        ui.horizontal_top(|ui| {
            let width = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
            for (label, text) in [("Place, first number", &mut self.x), ("Place, second number", &mut self.y)]
            {
                TextField::new(label, text).mono().hint("1 to 100").limit(6).width(width).show(ui);
            }
        });
        let (words, ink) = match &wrong {
            Some(wrong) => (wrong.as_str(), tokens(ui).red.text),
            None => ("From 1 to 100. Each call gets an id of its own.", tokens(ui).text_muted),
        };
        ui.add(Label::new(RichText::new(words).font(fonts::regular(12.0)).color(ink)).wrap());
    }

    fn wrong_place(&self) -> Option<String> {
        let wrong = |text: &str| text.trim().parse::<i64>().is_err();
        (wrong(&self.x) || wrong(&self.y)).then(|| "A place has two whole numbers from 1 to 100.".to_owned())
    }

    /// What its programs would have sent; why not, otherwise.
    pub(super) fn compose(&self, profile: Profile, body: &Body) -> Result<Vec<u8>, String> {
        if profile == Profile::DisasterResponse
            && let Some(wrong) = self.wrong_place()
        {
            return Err(wrong);
        }
        let number = |text: &str| text.trim().parse().unwrap_or_default();
        let spoken = Spoken {
            author: Some(self.name.as_deref().unwrap_or_default().trim().to_owned()),
            text: body.as_sent().to_owned(),
            place: Some(Place { x: number(&self.x), y: number(&self.y) }),
            leaves: self.leaves && profile == Profile::RoomChat,
            ..Spoken::default()
        };
        compose(profile, &spoken).map_err(|error| sentence(&error.to_string()))
    }

    /// The name is remembered on this computer.
    pub(super) fn remember(&self, model: &Model, out: &mut Outbound) {
        if let Some(name) = self.name.as_deref().map(str::trim)
            && model.preference(NAME) != Some(name)
            && !name.is_empty()
        {
            out.send(Command::SetPreference { name: NAME.to_owned(), value: name.to_owned() });
        }
    }

    /// Fills in what an earlier draft said. Its words, if there are any.
    pub(super) fn take(&mut self, profile: Profile, draft: &Draft) -> Option<String> {
        let said = profile.parse(&draft.body).ok()?;
        if let Some(Place { x, y }) = said.place {
            (self.x, self.y) = (x.to_string(), y.to_string());
        }
        if said.author.is_some() {
            self.name = said.author;
        }
        self.leaves = said.leaves;
        Some(said.text)
    }
}

/// The name that was used last, or the account's.
fn remembered(model: &Model) -> String {
    let account = || model.account.as_ref().map(|account| account.username.clone());
    model.preference(NAME).map(str::to_owned).or_else(account).unwrap_or_default()
}
