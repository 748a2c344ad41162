//! The selected message: what opening told, the payload in the open, and what the broker sees, beside each other.

use eframe::egui::{Context, Label, RichText, ScrollArea, Ui};

use crate::{
    acl::Right,
    client::{Message, Opening, SealedWith, Suite},
    desktop::{
        fonts, icons,
        messages::{body_of, is_will},
        model::{Model, Outbound},
        panels::{ends::ends, sealing::legacy_pill},
        theme::{Tone, tokens},
        widgets::{
            FIRST_LIMIT, PayloadForm, PayloadView, Severity, caps, dialog, icon_button, muted, pill,
            pill_button, pill_icon, segmented, title,
        },
    },
};

use super::{
    Selected,
    explain::Explain,
    meanings::meaning,
    verdict::{Known, WILL, profile_of, verdict},
    wire,
};

/// Below this height the facts of a message do not fit over payload and bytes.
const LOW: f32 = 460.0;
/// What the heads and frames of payload and bytes take, and the words below.
const AROUND: f32 = 180.0;
/// The share of it that belongs to the bytes.
const AROUND_BYTES: f32 = 116.0;

/// How to show the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    #[default]
    Pretty,
    Text,
    Hex,
}

/// The pane's state.
#[derive(Debug, Default)]
pub(super) struct Detail {
    form: Form,
    limit: usize,
    of: Option<i64>,
    large: bool,
    explain: Explain,
}

impl Detail {
    /// Draws the pane. True when it was closed.
    pub(super) fn ui(
        &mut self,
        ui: &mut Ui,
        selected: Option<&Selected>,
        closable: bool,
        model: &Model,
        out: &mut Outbound,
    ) -> bool {
        let Some(selected) = selected else {
            title(ui, "Message", 13.5);
            ui.add_space(4.0);
            muted(
                ui,
                "Choose a message in the table: its payload appears here, with the sealed bytes that the broker sees and what opening them told.",
            );
            return false;
        };
        let message = &selected.message;
        if self.of != Some(message.serial) {
            (self.of, self.limit) = (Some(message.serial), FIRST_LIMIT);
        }
        let closed = self.head(ui, message, closable, model, out);
        let room = ui.available_height();
        ScrollArea::vertical().id_salt("message detail").auto_shrink([false, false]).show(ui, |ui| {
            ui.set_width(ui.available_width() - 8.0);
            ui.spacing_mut().item_spacing.y = 8.0;
            let top = ui.cursor().top();
            // Where there is little height, what opening told comes last; the verdict stands above in a word.
            let last = room < LOW && matches!(message.opening, Opening::Opened { .. });
            let known = Known::of(model);
            if !last {
                self.facts(ui, message, known, out);
            }
            // Payload and sealed bytes share what is left, so that both are seen at once; a short payload leaves more
            // to the bytes.
            let left = room - (ui.cursor().top() - top);
            self.opened(ui, message, ((left - AROUND) / 2.0).clamp(72.0, 320.0), out);
            let left = room - (ui.cursor().top() - top);
            self.sealed(ui, message, (left - AROUND_BYTES).clamp(92.0, 480.0), out);
            if last {
                self.facts(ui, message, known, out);
            }
        });
        closed
    }

    fn head(
        &mut self,
        ui: &mut Ui,
        message: &Message,
        closable: bool,
        model: &Model,
        out: &mut Outbound,
    ) -> bool {
        let t = tokens(ui);
        let mut closed = false;
        ends(
            ui,
            "message head",
            30.0,
            |ui| title(ui, "Message", 13.5),
            |ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                if icon_button(ui, icons::COPY, "Copy the topic").clicked() {
                    ui.ctx().copy_text(message.topic.as_str().to_owned());
                    out.toast(Severity::Success, "The topic is copied.");
                }
                if model.may(Right::Publish)
                    && icon_button(ui, icons::PAPER_PLANE_TILT, "Publish to this topic").clicked()
                {
                    out.publish_to(message.topic.as_str());
                }
                if icon_button(ui, icons::COLUMNS, "Show large, side by side").clicked() {
                    self.large = true;
                }
                if closable {
                    closed = icon_button(ui, icons::X, "Close the message").clicked();
                }
            },
        );
        let topic = RichText::new(message.topic.as_str()).font(fonts::mono(12.5)).color(t.accent_text);
        ui.add(Label::new(topic).wrap());
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = eframe::egui::vec2(6.0, 6.0);
            let verdict = verdict(message, Known::of(model));
            let pill_of_it = pill_button(ui, verdict.icon, verdict.word, verdict.tone);
            let meaning = meaning(verdict.word).unwrap_or("What opening it told");
            if pill_of_it.on_hover_text(format!("{meaning}\nClick for what was verified.")).clicked() {
                self.explain.open();
            }
            pill(ui, &format!("QoS {}", message.qos), Tone::Neutral);
            if message.retained {
                pill(ui, "retained", Tone::Violet);
            }
            if let Some(profile) = profile_of(message) {
                legacy_pill(ui, profile);
            }
            if is_will(message) {
                pill_icon(ui, icons::HEARTBEAT, "will", Tone::Violet).on_hover_text(WILL);
            }
            if let Opening::Opened { content_type: Some(kind), .. } = &message.opening {
                pill(ui, kind.split(';').next().unwrap_or(kind), Tone::Teal);
            }
        });
        ui.add_space(2.0);
        closed
    }

    fn opened(&mut self, ui: &mut Ui, message: &Message, height: f32, out: &mut Outbound) {
        let Some(body) = body_of(message) else { return };
        ends(
            ui,
            "payload head",
            32.0,
            |ui| caps(ui, "Payload"),
            |ui| {
                segmented(
                    ui,
                    "Payload as",
                    &mut self.form,
                    &[(Form::Pretty, "Pretty"), (Form::Text, "Text"), (Form::Hex, "Hex")],
                );
                if icon_button(ui, icons::COPY, "Copy the payload").clicked() {
                    ui.ctx().copy_text(String::from_utf8_lossy(body).into_owned());
                    out.toast(Severity::Success, "The payload is copied.");
                }
            },
        );
        self.payload(ui, "payload", body, height);
    }

    fn payload(&mut self, ui: &mut Ui, id: &str, body: &[u8], height: f32) {
        let form = match self.form {
            Form::Pretty => PayloadForm::guess(body),
            Form::Text => PayloadForm::Text,
            Form::Hex => {
                wire::hex(ui, id, body, height);
                return;
            }
        };
        if PayloadView::new(id, body, form).limit(self.limit).height(height).show(ui) {
            self.limit = self.limit.saturating_mul(4);
        }
    }

    fn sealed(&self, ui: &mut Ui, message: &Message, height: f32, out: &mut Outbound) {
        ends(
            ui,
            "wire head",
            30.0,
            |ui| caps(ui, "What the broker sees"),
            |ui| {
                if icon_button(ui, icons::COPY, "Copy the bytes on the wire as hex").clicked() {
                    ui.ctx().copy_text(wire::to_hex(&message.wire));
                    out.toast(Severity::Success, "The bytes on the wire are copied as hex.");
                }
            },
        );
        wire::hex(ui, "sealed", &message.wire, height);
        muted(ui, outsider(message));
    }

    /// Shows what the words of the message mean.
    pub(super) fn explain(&mut self) {
        self.explain.open();
    }

    /// The dialogs about a message: what its words mean, and both sides of it in large.
    pub(super) fn dialogs(&mut self, ctx: &Context, selected: Option<&Selected>, model: &Model) {
        self.explain.ui(ctx, selected.map(|selected| &selected.message), Known::of(model));
        self.large_dialog(ctx, selected);
    }

    fn large_dialog(&mut self, ctx: &Context, selected: Option<&Selected>) {
        let Some(selected) = selected.filter(|_| self.large) else {
            self.large = false;
            return;
        };
        let message = &selected.message;
        let height = (ctx.content_rect().height() - 300.0).max(160.0);
        let answer = dialog(ctx, "message bytes", message.topic.as_str(), 1_140.0, |ui| {
            ui.columns(2, |columns| {
                caps(&mut columns[0], "Opened, on this computer");
                match body_of(message) {
                    Some(body) => self.payload(&mut columns[0], "large payload", body, height),
                    None => {
                        muted(&mut columns[0], "Not opened: see why in the message.");
                    }
                }
                caps(&mut columns[1], "What the broker sees");
                wire::hex(&mut columns[1], "large sealed", &message.wire, height);
            });
            ui.add_space(4.0);
            muted(ui, outsider(message));
        });
        if answer.close {
            self.large = false;
        }
    }
}

/// What an outsider can read of it.
fn outsider(message: &Message) -> &'static str {
    match &message.opening {
        Opening::InTheClear { .. } => {
            "This message went in the clear: the broker, and whoever listens there, can read and change it."
        }
        Opening::Opened { with: SealedWith { profile: Some(profile), .. }, .. } if !profile.is_secret() => {
            "The broker, and whoever listens there, can read this message and make others up: its key was published."
        }
        Opening::Opened { with: SealedWith { suite: Suite::Fernet, .. }, .. } => {
            "The broker sees the topic, the time it was sealed (Fernet puts it in the open), and about how long it is. Not what it says."
        }
        Opening::Opened { with: SealedWith { suite: Suite::AesCbcHmac, .. }, .. } => {
            "The broker sees the topic, when it came, and about how long it is. Not what it says."
        }
        Opening::Opened { .. } => {
            "The broker sees the topic, when it came, the key's id and a padded length. Not what it says, and it cannot change it unnoticed."
        }
        Opening::Refused { .. } => "These are the bytes as they came. Nothing of them was trusted.",
    }
}
