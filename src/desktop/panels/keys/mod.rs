//! Keys: what seals and opens, and whose signatures this account can tell. Each half has a list on the left and what is
//! chosen on the right; dialogs make, import, change, hand on and delete.
//!
//! A key's secret is here only while a dialog shows it, on request, and is wiped when that closes. Start at
//! [`KeysPanel::ui`].

mod chosen;
mod compare;
mod consequences;
mod copied;
mod covered;
mod create;
mod delete;
mod dialogs;
mod edit;
mod entry;
mod epochs;
mod export;
mod give;
mod import;
mod import_file;
mod legacy;
mod list;
mod passphrase;
mod people;
mod person;
mod retire;
mod rotate;
mod signing;
mod typed;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::{
    client::{Asked, Event, KeyView, SenderKey},
    desktop::{
        icons,
        model::{Model, Outbound},
        widgets::{Banner, EmptyState, Problem, Severity, segmented},
    },
};

use self::{
    compare::About,
    create::Create,
    delete::Delete,
    dialogs::{Dialog, Told},
    edit::Edit,
    export::Export,
    give::Give,
    import::Import,
    import_file::ImportFile,
    legacy::Legacy,
    people::Chosen,
    person::Own,
    retire::Retire,
    rotate::Rotate,
};

/// Which half of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Keys,
    People,
}

/// The page of keys and people.
#[derive(Debug, Default)]
pub struct KeysPanel {
    tab: Tab,
    selected: Option<String>,
    person: Chosen,
    own: Own,
    dialog: Dialog,
    /// What happened since the last frame, to be said in a toast.
    told: Vec<(Severity, String)>,
}

/// What a person asked for on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Create,
    Import,
    ImportFile,
    Legacy,
    Give(String),
    Edit(String),
    Rotate(String),
    Retire(String),
    Delete(String),
    /// One key, by id and label.
    Export(String, String),
    ExportAll,
    Compare(SenderKey),
    Accept(SenderKey),
    Forget(SenderKey),
}

impl KeysPanel {
    /// Opens the dialog for a new key with a filter filled in.
    pub fn new_key_for(&mut self, filter: &str) {
        self.tab = Tab::Keys;
        self.dialog = Dialog::Create(Create::for_filter(filter));
    }

    /// Opens the dialog that takes a key in.
    pub fn import_key(&mut self) {
        self.tab = Tab::Keys;
        self.dialog = Dialog::Import(Import::default());
    }

    /// Chooses a key.
    pub fn select(&mut self, id: &str) {
        self.tab = Tab::Keys;
        self.selected = Some(id.to_owned());
    }

    /// Shows whose signatures are known; with one of them chosen where said.
    pub fn show_people(&mut self, person: Option<SenderKey>) {
        self.tab = Tab::People;
        self.person = person.map_or(Chosen::You, Chosen::Person);
    }

    /// Whether what is in sight shows failures of this kind by itself.
    #[must_use]
    pub fn shows_failure(&self, asked: Asked) -> bool {
        match asked {
            Asked::People => self.tab == Tab::People,
            Asked::ExportKey | Asked::RetireKey if self.tab == Tab::Keys => true,
            _ => self.dialog.shows_failure(asked),
        }
    }

    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        for (severity, text) in self.told.drain(..) {
            out.toast(severity, text);
        }
        self.tabs(ui, model);
        let wish = match self.tab {
            Tab::Keys => self.keys(ui, model, out),
            Tab::People => self.people(ui, model, out),
        };
        if let Some(wish) = wish {
            self.begin(wish, model);
        }
        let ctx = ui.ctx().clone();
        if let Some(next) = self.dialog.ui(&ctx, model, out) {
            self.dialog = Dialog::None;
            if let Some(wish) = next {
                self.begin(wish, model);
            }
        }
    }

    fn tabs(&mut self, ui: &mut Ui, model: &Model) {
        let frame = Frame::new().inner_margin(Margin { left: 14, right: 14, top: 12, bottom: 0 });
        Panel::top("keys tabs").frame(frame).show_separator_line(false).show(ui, |ui| {
            let people = match people::doubtful(&model.people) {
                0 => "People".to_owned(),
                changed => format!("People ({changed} changed)"),
            };
            segmented(ui, "Show", &mut self.tab, &[(Tab::Keys, "Keyring"), (Tab::People, &people)]);
        });
    }

    /// Opens the dialog for what was asked.
    fn begin(&mut self, wish: Wish, model: &Model) {
        self.dialog = match wish {
            Wish::Create => Dialog::Create(Create::for_filter("")),
            Wish::Import => Dialog::Import(Import::default()),
            Wish::ImportFile => Dialog::ImportFile(ImportFile::default()),
            Wish::Legacy => Dialog::Legacy(Legacy::new(model)),
            Wish::Give(id) => Dialog::Give(Give::new(id)),
            Wish::Edit(id) => match model.keys.iter().find(|key| key.id == id) {
                Some(key) => Dialog::Edit(Edit::new(key)),
                None => Dialog::None,
            },
            Wish::Rotate(id) => Dialog::Rotate(Rotate::new(id)),
            Wish::Retire(id) => Dialog::Retire(Retire::new(id)),
            Wish::Delete(id) => Dialog::Delete(Delete::new(id)),
            Wish::Export(id, label) => Dialog::Export(Export::one(id, label)),
            Wish::ExportAll => Dialog::Export(Export::all()),
            Wish::Compare(key) => Dialog::About(About::compare(key)),
            Wish::Accept(key) => Dialog::About(About::accept(key)),
            Wish::Forget(key) => Dialog::About(About::forget(key)),
        };
    }

    fn keys(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) -> Option<Wish> {
        let mut wish = None;
        if model.keys.is_empty() && model.clear_topics.is_empty() {
            CentralPanel::default_margins().frame(Frame::new().inner_margin(16)).show(ui, |ui| {
                let pressed = EmptyState {
                    icon: icons::KEY,
                    title: "No keys yet",
                    text: "A key seals what you publish and opens what you watch, for the topics it covers. Make one, or import the line or file that somebody gave you. The broker never holds a key.",
                    actions: &["Make a key…", "Import a key…", "Import an age file…", "Legacy program…"],
                }
                .show(ui);
                wish = match pressed {
                    Some(0) => Some(Wish::Create),
                    Some(1) => Some(Wish::Import),
                    Some(2) => Some(Wish::ImportFile),
                    Some(_) => Some(Wish::Legacy),
                    None => None,
                };
            });
            return wish;
        }
        left_panel(ui, "keys list", |ui| {
            let chosen = chosen_key(&self.selected, model).map(|key| key.id.clone());
            let answer = list::list(ui, model, chosen.as_deref(), out);
            if let Some(id) = answer.chosen {
                self.selected = Some(id);
            }
            wish = answer.wish;
        });
        right_panel(ui, |ui| {
            if let Some(key) = chosen_key(&self.selected, model) {
                wish = chosen::chosen(ui, key, model, out).or(wish.take());
            }
        });
        wish
    }

    fn people(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) -> Option<Wish> {
        left_panel(ui, "people list", |ui| people::list(ui, model, &mut self.person));
        let mut wish = None;
        right_panel(ui, |ui| match self.person {
            Chosen::You => self.own.ui(ui, model, out),
            Chosen::Person(key) => {
                if let Some(known) = model.people.of(&key) {
                    wish = person::person(ui, known, model, out);
                }
            }
        });
        wish
    }

    /// Takes notice of an event before the model does.
    pub fn on_event(&mut self, event: &Event, model: &Model) {
        if matches!(event, Event::LoggedOut { .. }) {
            *self = Self::default();
            return;
        }
        if let Event::KeyImported { key, .. } = event {
            self.selected = Some(key.id.clone());
        }
        let Told { close, select, say } = self.dialog.told(event, model);
        if close {
            self.dialog = Dialog::None;
        }
        if select.is_some() {
            self.selected = select;
        }
        self.told.extend(say.map(|text| (Severity::Success, text)));
    }
}

fn left_panel(ui: &mut Ui, id: &'static str, contents: impl FnOnce(&mut Ui)) {
    let width = (ui.available_width() * 0.4).clamp(320.0, 460.0);
    let frame = Frame::new().inner_margin(Margin { left: 14, right: 12, top: 10, bottom: 8 });
    Panel::left(id).exact_size(width).resizable(false).frame(frame).show(ui, contents);
}

fn right_panel(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    let frame = Frame::new().inner_margin(Margin { left: 24, right: 24, top: 14, bottom: 12 });
    CentralPanel::default_margins().frame(frame).show(ui, contents);
}

/// The failure of what was asked, beside it.
fn failed(ui: &mut Ui, model: &Model, asked: Asked) {
    if let Some(failure) = model.failure(asked) {
        Banner::error(&Problem::new(&failure.what, &failure.why, &failure.next)).show(ui);
    }
}

/// The chosen key, or the first.
fn chosen_key<'a>(selected: &Option<String>, model: &'a Model) -> Option<&'a KeyView> {
    let wanted = selected.as_deref();
    model.keys.iter().find(|key| Some(key.id.as_str()) == wanted).or_else(|| model.keys.first())
}
