//! The dialog that is open over the page of keys and people: drawing it, and what an event means for it.

use eframe::egui::Context;

use crate::{
    client::{Asked, Event},
    desktop::model::{Model, Outbound},
};

use super::{
    Wish,
    compare::About,
    create::Create,
    delete::Delete,
    edit::Edit,
    export::Export,
    give::Give,
    import::Import,
    import_file::ImportFile,
    legacy::Legacy,
    retire::Retire,
    rotate::{After, Rotate, resealed_words},
};

/// The dialog that is open.
#[derive(Debug, Default)]
pub(super) enum Dialog {
    #[default]
    None,
    Create(Create),
    Import(Import),
    ImportFile(ImportFile),
    Legacy(Legacy),
    Give(Give),
    Edit(Edit),
    Rotate(Rotate),
    Retire(Retire),
    Delete(Delete),
    Export(Export),
    About(About),
}

/// What an event meant.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The dialog is done.
    pub(super) close: bool,
    /// Choose this key.
    pub(super) select: Option<String>,
    /// Say this in a toast.
    pub(super) say: Option<String>,
}

impl Told {
    fn done(text: impl Into<String>) -> Self {
        Self { close: true, select: None, say: Some(text.into()) }
    }

    fn say(text: impl Into<String>) -> Self {
        Self { close: false, select: None, say: Some(text.into()) }
    }
}

impl Dialog {
    /// Whether the dialog shows failures of this kind.
    pub(super) const fn shows_failure(&self, asked: Asked) -> bool {
        match asked {
            Asked::CreateKey => matches!(self, Self::Create(_)),
            Asked::ImportKey => matches!(self, Self::Import(_) | Self::Legacy(_)),
            Asked::ImportKeys => matches!(self, Self::ImportFile(_)),
            Asked::ExportKey => matches!(self, Self::Give(_)),
            Asked::ExportKeys => matches!(self, Self::Export(_)),
            Asked::EditKey => matches!(self, Self::Edit(_)),
            Asked::RotateKey => matches!(self, Self::Rotate(_)),
            Asked::RetireKey => matches!(self, Self::Retire(_)),
            Asked::DeleteKey => matches!(self, Self::Delete(_)),
            Asked::KeyConsequences => matches!(self, Self::Delete(_) | Self::Retire(_)),
            Asked::Passphrase => matches!(self, Self::Create(_) | Self::Export(_)),
            Asked::People => matches!(self, Self::About(_)),
            _ => false,
        }
    }

    /// Draws it. `Some` when it is to be closed, with what comes next.
    pub(super) fn ui(
        &mut self,
        ctx: &Context,
        model: &mut Model,
        out: &mut Outbound,
    ) -> Option<Option<Wish>> {
        let close = match self {
            Self::None => false,
            Self::Create(create) => create.ui(ctx, model, out),
            Self::Import(import) => import.ui(ctx, model, out),
            Self::ImportFile(import) => import.ui(ctx, model, out),
            Self::Legacy(legacy) => legacy.ui(ctx, model, out),
            Self::Give(give) => give.ui(ctx, model, out),
            Self::Edit(edit) => edit.ui(ctx, model, out),
            Self::Rotate(rotate) => match rotate.ui(ctx, model, out) {
                After::Stay => false,
                After::Close => true,
                After::Give => return Some(Some(Wish::Give(rotate.id().to_owned()))),
            },
            Self::Retire(retire) => retire.ui(ctx, model, out),
            Self::Delete(delete) => delete.ui(ctx, model, out),
            Self::Export(export) => export.ui(ctx, model, out),
            Self::About(about) => about.ui(ctx, model, out),
        };
        close.then_some(None)
    }

    /// Takes notice of an event before the model does.
    pub(super) fn told(&mut self, event: &Event, model: &Model) -> Told {
        match (event, self) {
            (Event::Keys(keys), Self::Create(create)) => match create.made(keys) {
                Some(id) => Told { select: Some(id), ..Told::done("The key is made. It seals from now on.") },
                None => Told::default(),
            },
            (Event::Keys(keys), Self::Delete(delete)) if delete.done(keys) => {
                Told::done("The key is deleted.")
            }
            (Event::Keys(keys), Self::Retire(retire)) if retire.done(keys) => {
                Told::done("The key is retired. It opens as before.")
            }
            (Event::Keys(keys), Self::Rotate(rotate)) => {
                rotate.keys(keys);
                Told::default()
            }
            (Event::Resealed { retained, outbox, left }, dialog) => {
                let shown = match dialog {
                    Self::Rotate(rotate) => rotate.resealed(*retained, *outbox, left),
                    _ => false,
                };
                if shown { Told::default() } else { Told::say(resealed_words(*retained, *outbox)) }
            }
            (Event::KeyConsequences { id, consequences }, Self::Delete(delete)) => {
                delete.told(id, consequences);
                Told::default()
            }
            (Event::KeyConsequences { id, consequences }, Self::Retire(retire)) => {
                retire.told(id, consequences);
                Told::default()
            }
            (Event::KeyEdited { key, covered }, Self::Edit(edit)) => match edit.edited(key, covered) {
                true => Told::done(format!("“{}” is changed.", key.label)),
                false => Told::default(),
            },
            (Event::KeyImported { key, covered }, dialog) => {
                let asks = match dialog {
                    Self::Import(import) => import.imported(key, covered),
                    Self::Legacy(legacy) => legacy.imported(key, covered),
                    _ => false,
                };
                if asks {
                    return Told::default();
                }
                let close = matches!(dialog, Self::Import(_) | Self::Legacy(_));
                Told { close, ..Told::say(format!("“{}” is in your keyring.", key.label)) }
            }
            (Event::KeysImported { reports }, Self::ImportFile(import)) => {
                import.imported(reports);
                Told::default()
            }
            (Event::KeyExported { id, text, .. }, Self::Give(give)) => {
                give.exported(id, text);
                Told::default()
            }
            (Event::KeysExported { file, keys }, Self::Export(export)) => {
                export.exported(file, *keys);
                Told::default()
            }
            (Event::Passphrase(words), Self::Create(create)) => {
                create.suggested(words);
                Told::default()
            }
            (Event::Passphrase(words), Self::Export(export)) => {
                let username = model.account.as_ref().map_or("", |account| account.username.as_str());
                export.suggested(words, username);
                Told::default()
            }
            (Event::People(people), Self::About(about)) => match about.done(people) {
                Some(text) => Told::done(text),
                None => Told::default(),
            },
            _ => Told::default(),
        }
    }
}
