//! The selected message: what opening told, the payload in the open, and what the broker sees, beside each other.

use eframe::egui::{Context, Label, RichText, ScrollArea, Ui};

use crate::{
    acl::Right,
    client::{
        Message, Opening, SealedWith, Suite,
        legacy::{Place, spoken},
        sentence,
    },
    desktop::{
        fonts, icons,
        messages::{body_of, is_will},
        model::{Model, Outbound},
        panels::{
            ends::ends,
            sealing::{legacy_pill, profile_words, suite_words},
        },
        theme::{Tone, tokens},
        when,
        widgets::{
            Banner, FIRST_LIMIT, PayloadForm, PayloadView, Severity, caps, dialog, icon_button, key_values,
            muted, pill, pill_icon, segmented, size_text, title,
        },
    },
};

use super::{
    Selected,
    verdict::{WILL, profile_of, verdict},
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
            if !last {
                facts(ui, message, out);
            }
            // Payload and sealed bytes share what is left, so that both are seen at once; a short payload leaves more
            // to the bytes.
            let left = room - (ui.cursor().top() - top);
            self.opened(ui, message, ((left - AROUND) / 2.0).clamp(72.0, 320.0), out);
            let left = room - (ui.cursor().top() - top);
            self.sealed(ui, message, (left - AROUND_BYTES).clamp(92.0, 480.0), out);
            if last {
                facts(ui, message, out);
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
            let verdict = verdict(message);
            pill_icon(ui, verdict.icon, verdict.word, verdict.tone);
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

    /// Both sides in a large dialog.
    pub(super) fn dialog(&mut self, ctx: &Context, selected: Option<&Selected>) {
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

/// What opening told, always.
fn facts(ui: &mut Ui, message: &Message, out: &mut Outbound) {
    let received = when::date_time(message.arrived_ms);
    let wire_size = size_text(message.wire.len());
    match &message.opening {
        Opening::Opened { with, body, sealed_at_ms, notes, .. } => {
            if !notes.is_empty() {
                Banner::new(Severity::Warning, "Opened, but look").why(&notes.join(". ")).show(ui);
            }
            if let Some(profile) = with.profile.filter(|profile| !profile.is_secret()) {
                Banner::new(Severity::Warning, &sentence(profile_words(profile).2))
                    .why("Anybody could have read this message, and anybody could have made it up.")
                    .show(ui);
            }
            let suite = format!("{} ({})", suite_words(with.suite), with.suite);
            let key = format!("{} · {}", with.label, short(&with.kid));
            let sealed_at = match *sealed_at_ms {
                0 => "no time told".to_owned(),
                told => format!("{}{}", when::date_time(told), delay(told, message.arrived_ms)),
            };
            let replay =
                if notes.is_empty() { "fresh: not seen here before".to_owned() } else { notes.join(", ") };
            let size = format!("{}, sealed {wire_size}", size_text(body.len()));
            let mut values = vec![
                ("Received", received.as_str()),
                ("Sealed", &sealed_at),
                ("Suite", &suite),
                ("Key", &key),
                ("Replay", &replay),
                ("Sender", "not signed: any holder of the key"),
                ("Size", &size),
            ];
            let said = said(message);
            values.extend(said.iter().map(|(name, value)| (*name, value.as_str())));
            key_values(ui, &values);
        }
        Opening::InTheClear { .. } => {
            Banner::new(Severity::Warning, "In the clear")
                .why("No key covers this topic, so it needs no seal here, and has none. Anybody on the way can read and change it.")
                .show(ui);
            key_values(ui, &[("Received", &received), ("Size", &wire_size)]);
        }
        Opening::Refused { name, why } => {
            let why = sentence(why);
            let banner = Banner::new(Severity::Error, name).why(&why);
            let lower = name.to_lowercase();
            let wants_key = lower.contains("key");
            let banner = if wants_key { banner.action("Import a key…") } else { banner };
            if banner.show(ui).acted {
                out.import_key();
            }
            key_values(ui, &[("Received", &received), ("Size", &format!("sealed {wire_size}"))]);
        }
    }
}

/// What a message of an older system says, beside its words.
fn said(message: &Message) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    let Some(profile) = profile_of(message) else { return said };
    said.push(("Program", profile.title().to_owned()));
    let Some(spoken) = spoken(message) else {
        said.push(("Shape", "not as that program writes".to_owned()));
        return said;
    };
    if let Some(author) = spoken.author {
        let left = if spoken.leaves { ", who has left" } else { "" };
        said.push(("Name in it", format!("{author}{left} (anybody can write any name)")));
    }
    if let Some(Place { x, y }) = spoken.place {
        said.push(("Place", format!("{x}, {y}")));
    }
    if let Some(id) = spoken.id {
        said.push(("Call", id));
    }
    said
}

/// The first eight digits of a key id are enough for the eye.
fn short(kid: &str) -> &str {
    kid.get(..8).unwrap_or(kid)
}

/// How long a message took, where both clocks agree enough to say.
fn delay(sealed_ms: u64, arrived_ms: u64) -> String {
    match arrived_ms.checked_sub(sealed_ms) {
        None => " (by a clock ahead of ours)".to_owned(),
        Some(ms) if ms < 1_000 => format!(" ({ms} ms before)"),
        Some(ms) if ms < 120_000 => format!(" ({:.1} s before)", ms as f64 / 1000.0),
        Some(ms) if ms < 7_200_000 => format!(" ({} min before)", ms / 60_000),
        Some(ms) if ms < 172_800_000 => format!(" ({} h before)", ms / 3_600_000),
        Some(ms) => format!(" ({} days before)", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_told_in_the_unit_that_fits() {
        let told = |ms: u64| delay(1_000, 1_000 + ms);
        assert_eq!(
            [11, 2_500, 300_000, 7_300_000, 400_000_000].map(told),
            [" (11 ms before)", " (2.5 s before)", " (5 min before)", " (2 h before)", " (4 days before)"]
        );
        assert_eq!(delay(2_000, 1_000), " (by a clock ahead of ours)");
    }
}
