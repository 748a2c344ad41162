//! Keys: what seals and opens. The list on the left, the chosen key on the right, and dialogs to make, import, hand on
//! and delete.
//!
//! A key's secret is here only while a dialog shows it, on request, and is wiped when that closes. Start at
//! [`KeysPanel::ui`].

mod chosen;
mod create;
mod delete;
mod give;
mod import;
mod legacy;
mod list;
mod typed;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::{
    client::{Event, KeyView},
    desktop::{
        icons,
        model::{Model, Outbound},
        widgets::{EmptyState, Severity},
    },
};

use self::{create::Create, delete::Delete, give::Give, import::Import, legacy::Legacy};

/// The page of keys.
#[derive(Debug, Default)]
pub struct KeysPanel {
    selected: Option<String>,
    dialog: Dialog,
    /// What happened since the last frame, to be said in a toast.
    told: Vec<(Severity, String)>,
}

/// The dialog that is open.
#[derive(Debug, Default)]
enum Dialog {
    #[default]
    None,
    Create(Create),
    Import(Import),
    Legacy(Legacy),
    Give(Give),
    Delete(Delete),
}

/// What a person asked for on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Create,
    Import,
    Legacy,
    Give(String),
    Delete(String),
}

impl KeysPanel {
    /// Opens the dialog for a new key with a filter filled in.
    pub fn new_key_for(&mut self, filter: &str) {
        self.dialog = Dialog::Create(Create::for_filter(filter));
    }

    /// Opens the dialog that takes a key in.
    pub fn import_key(&mut self) {
        self.dialog = Dialog::Import(Import::default());
    }

    /// Chooses a key.
    pub fn select(&mut self, id: &str) {
        self.selected = Some(id.to_owned());
    }

    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        for (severity, text) in self.told.drain(..) {
            out.toast(severity, text);
        }
        let wish = self.page(ui, model, out);
        match wish {
            Some(Wish::Create) => self.new_key_for(""),
            Some(Wish::Import) => self.import_key(),
            Some(Wish::Legacy) => self.dialog = Dialog::Legacy(Legacy::default()),
            Some(Wish::Give(id)) => self.dialog = Dialog::Give(Give::new(id)),
            Some(Wish::Delete(id)) => self.dialog = Dialog::Delete(Delete::new(id)),
            None => {}
        }
        let ctx = ui.ctx().clone();
        let close = match &mut self.dialog {
            Dialog::None => false,
            Dialog::Create(create) => create.ui(&ctx, model, out),
            Dialog::Import(import) => import.ui(&ctx, model, out),
            Dialog::Legacy(legacy) => legacy.ui(&ctx, model, out),
            Dialog::Give(give) => give.ui(&ctx, model, out),
            Dialog::Delete(delete) => delete.ui(&ctx, model, out),
        };
        if close {
            self.dialog = Dialog::None;
        }
    }

    fn page(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) -> Option<Wish> {
        let mut wish = None;
        if model.keys.is_empty() && model.clear_topics.is_empty() {
            CentralPanel::default_margins().frame(Frame::new().inner_margin(16)).show(ui, |ui| {
                let pressed = EmptyState {
                    icon: icons::KEY,
                    title: "No keys yet",
                    text: "A key seals what you publish and opens what you watch, for the topics it covers. Make one, or import the line that somebody gave you. The broker never holds a key.",
                    actions: &["Make a key…", "Import a key…", "Legacy program…"],
                }
                .show(ui);
                wish = match pressed {
                    Some(0) => Some(Wish::Create),
                    Some(1) => Some(Wish::Import),
                    Some(_) => Some(Wish::Legacy),
                    None => None,
                };
            });
            return wish;
        }
        let width = (ui.available_width() * 0.4).clamp(320.0, 460.0);
        let frame = Frame::new().inner_margin(Margin { left: 14, right: 12, top: 14, bottom: 8 });
        Panel::left("keys list").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
            let chosen = chosen_key(&self.selected, model).map(|key| key.id.clone());
            let answer = list::list(ui, model, chosen.as_deref(), out);
            if let Some(id) = answer.chosen {
                self.selected = Some(id);
            }
            wish = answer.wish;
        });
        let frame = Frame::new().inner_margin(Margin { left: 24, right: 24, top: 18, bottom: 12 });
        CentralPanel::default_margins().frame(frame).show(ui, |ui| {
            if let Some(key) = chosen_key(&self.selected, model) {
                wish = chosen::chosen(ui, key, model, out).or(wish.take());
            }
        });
        wish
    }

    /// Takes notice of an event before the model does.
    pub fn on_event(&mut self, event: &Event, _model: &Model) {
        match (event, &mut self.dialog) {
            (Event::LoggedOut { .. }, _) => *self = Self::default(),
            (Event::Keys(keys), Dialog::Create(create)) => {
                if let Some(id) = create.made(keys) {
                    self.selected = Some(id);
                    self.dialog = Dialog::None;
                    self.told.push((Severity::Success, "The key is made. It seals from now on.".to_owned()));
                }
            }
            (Event::Keys(keys), Dialog::Delete(delete)) if delete.done(keys) => {
                self.dialog = Dialog::None;
                self.told.push((Severity::Success, "The key is deleted.".to_owned()));
            }
            (Event::KeyImported { key, covered }, dialog) => {
                self.selected = Some(key.id.clone());
                let asks = match dialog {
                    Dialog::Import(import) => import.imported(key, covered),
                    Dialog::Legacy(legacy) => legacy.imported(key, covered),
                    _ => false,
                };
                if !asks {
                    if matches!(dialog, Dialog::Import(_) | Dialog::Legacy(_)) {
                        self.dialog = Dialog::None;
                    }
                    self.told.push((Severity::Success, format!("“{}” is in your keyring.", key.label)));
                }
            }
            (Event::KeyExported { id, text, .. }, Dialog::Give(give)) => give.exported(id, text),
            _ => {}
        }
    }
}

/// The chosen key, or the first.
fn chosen_key<'a>(selected: &Option<String>, model: &'a Model) -> Option<&'a KeyView> {
    let wanted = selected.as_deref();
    model.keys.iter().find(|key| Some(key.id.as_str()) == wanted).or_else(|| model.keys.first())
}
