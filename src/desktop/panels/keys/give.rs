//! The dialog that hands a key on. The secret is shown when asked for, and wiped when the dialog closes.

use eframe::egui::{Context, CornerRadius, Frame, Label, Margin, Stroke, Ui, text::LayoutJob};

use crate::{
    client::{Asked, Command, KeyForm, KeyView, Password, Suite},
    desktop::{
        dialogs::{SavePurpose, TextSaver, file_name},
        fonts, icons,
        model::{Model, Outbound},
        theme::{RADIUS, tokens},
        widgets::{
            Banner, Button, Problem, QrPicture, SecretText, Severity, caps, dialog, icon_button_small, muted,
            problem, segmented,
        },
    },
    topic::TopicFilter,
};

use super::chosen::fingerprint;

/// What is shown.
#[derive(Debug)]
pub(super) struct Give {
    id: String,
    form: KeyForm,
    text: Option<Password>,
    qr: Option<QrPicture>,
    saver: TextSaver,
    unsaved: Option<Problem>,
}

impl Give {
    /// For a key; nothing is shown yet.
    pub(super) fn new(id: String) -> Self {
        Self { id, form: KeyForm::Line, text: None, qr: None, saver: TextSaver::default(), unsaved: None }
    }

    /// The key, written down.
    pub(super) fn exported(&mut self, id: &str, text: &Password) {
        if id == self.id {
            self.qr = QrPicture::new(text.reveal());
            self.text = Some(text.clone());
        }
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let Some(key) = model.keys.iter().find(|key| key.id == self.id).cloned() else { return true };
        if let Some(saved) = self.saver.poll() {
            match saved.outcome {
                Ok(path) => {
                    out.toast(Severity::Success, format!("The key is saved as {}.", file_name(&path)));
                }
                Err(wrong) => self.unsaved = Some(wrong),
            }
        }
        let title = format!("Give “{}” to someone", key.label);
        let answer = dialog(ctx, "give key", &title, 520.0, |ui| {
            let topics: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
            let what = if self.form == KeyForm::Line {
                "Whoever has this line can read and send"
            } else {
                "Whoever has this file can read and send"
            };
            Banner::new(Severity::Warning, what)
                .why(&format!("On {}. It cannot be taken back.", topics.join(", ")))
                .next("Hand it on by a way that you trust: in person, or by an encrypted messenger.")
                .show(ui);
            if key.suite == Suite::Fernet
                && segmented(
                    ui,
                    "Written as",
                    &mut self.form,
                    &[(KeyForm::Line, "One line"), (KeyForm::FernetFile, "Fernet file")],
                )
            {
                (self.text, self.qr) = (None, None);
            }
            match &self.text {
                None => self.hidden(ui, model, out),
                Some(text) => {
                    let text = text.clone();
                    self.shown(ui, &key, &text, out);
                }
            }
            ui.add_space(8.0);
            Button::secondary("Close").show(ui).clicked()
        });
        let close = answer.close || answer.inner;
        if close {
            model.dismiss(Asked::ExportKey);
        }
        close
    }

    fn hidden(&self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        muted(ui, "The key is not on the screen yet. Look who stands behind you.");
        if let Some(failure) = model.failure(Asked::ExportKey) {
            Banner::error(&Problem::new(&failure.what, &failure.why, &failure.next)).show(ui);
        }
        if Button::primary("Show the key")
            .icon(icons::EYE)
            .busy(model.is_pending(Asked::ExportKey))
            .show(ui)
            .clicked()
        {
            out.send(Command::ExportKey { id: self.id.clone(), form: self.form });
        }
    }

    fn shown(&mut self, ui: &mut Ui, key: &KeyView, text: &Password, out: &mut Outbound) {
        let name = if self.form == KeyForm::Line { "key line" } else { "Fernet key" };
        if secret_lines(ui, name, text.reveal()) {
            out.toast(
                Severity::Warning,
                format!("The {name} is on the clipboard: paste it, then copy something else."),
            );
        }
        ui.horizontal_top(|ui| {
            if let Some(qr) = &self.qr {
                qr.show(ui, 190.0, &format!("QR code of the {name}"));
            }
            ui.vertical(|ui| {
                caps(ui, "To compare");
                fingerprint(ui, &key.fingerprint, out);
                muted(ui, "The other side sees the same digits after the import.");
                if Button::secondary("Save to a file…")
                    .icon(icons::FLOPPY_DISK)
                    .busy(self.saver.is_open())
                    .show(ui)
                    .clicked()
                {
                    let purpose = if self.form == KeyForm::Line {
                        SavePurpose::KeyLine
                    } else {
                        SavePurpose::FernetKey
                    };
                    self.unsaved = None;
                    self.saver.begin(ui.ctx(), purpose, SecretText::from(text.reveal()));
                }
            });
        });
        problem(ui, self.unsaved.as_ref());
    }
}

/// The text in monospace, broken wherever the line is full, with a button that copies it. True when it was copied.
fn secret_lines(ui: &mut Ui, name: &str, text: &str) -> bool {
    let t = tokens(ui);
    let frame = Frame::new()
        .fill(t.input)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin { left: 12, right: 6, top: 8, bottom: 8 });
    let row = |ui: &mut Ui| {
        let mut job =
            LayoutJob::simple(text.to_owned(), fonts::mono(12.0), t.text_strong, ui.available_width() - 36.0);
        job.wrap.break_anywhere = true;
        let galley = ui.painter().layout_job(job);
        ui.add(Label::new(galley));
        icon_button_small(ui, icons::COPY, &format!("Copy the {name}")).clicked()
    };
    let copied = frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(row).inner
        })
        .inner;
    if copied {
        ui.ctx().copy_text(text.to_owned());
    }
    copied
}
