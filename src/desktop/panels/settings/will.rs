//! The will: what the station publishes for a person whose computer vanishes without saying goodbye.

use std::time::Duration;

use eframe::egui::{Label, RichText, Ui};

use crate::{
    acl::Right,
    client::{Asked, Command, Draft, Event, LinkState, Will, WillState, sentence},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::sealing::{Sealing, sealing, suite_words, why_not_publish},
        theme::{Tone, tokens},
        widgets::{
            Banner, Button, EmptyState, Severity, TextField, card, field_label, muted, pill_icon,
            section_header, segmented_explained, size_text, toggle,
        },
    },
    topic::TopicName,
};

use super::super::QOS;

/// The wait that is offered first: a short break of the line is not the end.
const DELAY_S: &str = "30";

/// The will as it is being written.
#[derive(Debug)]
pub(super) struct WillForm {
    topic: String,
    message: String,
    qos: u8,
    retain: bool,
    delay: String,
    /// Something was typed or chosen that the session does not have yet.
    changed: bool,
    /// Filled in from what the session told.
    filled: bool,
}

impl Default for WillForm {
    fn default() -> Self {
        Self {
            topic: String::new(),
            message: String::new(),
            qos: 1,
            retain: false,
            delay: DELAY_S.to_owned(),
            changed: false,
            filled: false,
        }
    }
}

impl WillForm {
    pub(super) fn on_event(&mut self, event: &Event) {
        match event {
            Event::LoggedOut { .. } => *self = Self::default(),
            // What was told while nothing was being written is what is shown.
            Event::Will(_) if !self.changed => self.filled = false,
            _ => {}
        }
    }

    fn fill(&mut self, model: &Model) {
        if self.filled || self.changed {
            return;
        }
        self.filled = true;
        let Some(Will { draft, delay }) = &model.will.will else {
            *self = Self { filled: true, ..Self::default() };
            return;
        };
        *self = Self {
            topic: draft.topic.to_string(),
            message: String::from_utf8_lossy(&draft.body).into_owned(),
            qos: draft.qos,
            retain: draft.retain,
            delay: delay.as_secs().to_string(),
            changed: false,
            filled: true,
        };
    }

    fn delay(&self) -> Result<Duration, String> {
        let most = Will::MOST_DELAY.as_secs();
        match self.delay.trim().parse::<u64>() {
            Ok(seconds) if seconds <= most => Ok(Duration::from_secs(seconds)),
            _ => Err("From 0 to 3,600 seconds (an hour).".to_owned()),
        }
    }

    fn topic(&self, model: &Model) -> (Option<(TopicName, Sealing)>, Option<String>) {
        let text = self.topic.trim();
        if text.is_empty() {
            return (None, None);
        }
        match TopicName::new(text) {
            Err(error) => (None, Some(sentence(&error.to_string()))),
            Ok(topic) => match why_not_publish(model, &topic) {
                Some(why) => (None, Some(why)),
                None => {
                    let sealing = sealing(model, &topic);
                    (Some((topic, sealing)), None)
                }
            },
        }
    }

    /// What would be handed over, or the first thing that is missing.
    fn will(&self, topic: &Option<(TopicName, Sealing)>) -> Result<Will, String> {
        let Some((topic, sealing)) = topic else { return Err("Name a topic.".to_owned()) };
        if matches!(sealing, Sealing::Nothing { .. }) {
            return Err("No key covers this topic.".to_owned());
        }
        if self.message.len() > Will::MOST_BYTES {
            return Err(too_long(self.message.len()));
        }
        let draft = Draft {
            topic: topic.clone(),
            body: self.message.as_bytes().to_vec(),
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            qos: self.qos,
            retain: self.retain,
        };
        Ok(Will { draft, delay: self.delay()? })
    }

    pub(super) fn show(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        self.fill(model);
        if !model.may(Right::Publish) {
            let empty = EmptyState {
                icon: icons::HEARTBEAT,
                title: "Your role publishes nothing",
                text: "A will is a message that the station publishes in your name, so only roles that may publish have one.",
                actions: &[],
            };
            empty.show(ui);
            return;
        }
        muted(ui, "What the station publishes for you if this computer vanishes without saying goodbye.");
        let is_on = model.will.state != WillState::Off;
        self.state(ui, model, is_on);
        let (topic, problem) = self.topic(model);
        card(ui, |ui| {
            section_header(ui, "The message", None, |_| {});
            let typed = TextField::new("Topic of the will", &mut self.topic)
                .mono()
                .hint("plant/line-1/press/state")
                .error(problem.as_deref())
                .limit(4_096)
                .show(ui);
            self.changed |= typed.changed();
            seal_line(ui, topic.as_ref(), out);
            let size =
                format!("{} of at most {}", size_text(self.message.len()), size_text(Will::MOST_BYTES));
            let long = (self.message.len() > Will::MOST_BYTES).then(|| too_long(self.message.len()));
            let typed = TextField::new("Message of the will", &mut self.message)
                .hint("The press went silent")
                .rows(3)
                .limit(Will::MOST_BYTES)
                .error(long.as_deref())
                .help(&size)
                .show(ui);
            self.changed |= typed.changed();
            ui.add_space(2.0);
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 14.0;
                self.changed |=
                    segmented_explained(ui, "Quality of service of the will", &mut self.qos, &QOS);
                self.changed |= toggle(ui, &mut self.retain, "Retain")
                    .on_hover_text("The broker keeps it for those who come later.")
                    .changed();
            });
            let problem = self.delay().err();
            field_label(ui, "Wait before it is published");
            ui.horizontal(|ui| {
                let typed = TextField::new("Seconds before the will is published", &mut self.delay)
                    .hide_label()
                    .compact()
                    .width(84.0)
                    .limit(6)
                    .show(ui);
                self.changed |= typed.changed();
                muted(ui, "seconds. Back within them, this computer has not vanished.");
            });
            if let Some(problem) = problem {
                let words = RichText::new(problem).font(fonts::regular(12.0));
                ui.add(Label::new(words.color(tokens(ui).red.text)).wrap());
            }
        });
        self.buttons(ui, &topic, is_on, model, out);
        muted(
            ui,
            "Sealed afresh at every connect, and marked as a will for those who open it. Logging out and closing the window say goodbye: then it is not published.",
        );
    }

    fn state(&self, ui: &mut Ui, model: &Model, is_on: bool) {
        let online = matches!(model.link, LinkState::Online { .. });
        let sealed_text;
        let (icon, words, text, tone) = match &model.will.state {
            WillState::Off if model.will.will.is_some() => {
                (icons::POWER, "Off", "It is written down and not handed over.", Tone::Neutral)
            }
            WillState::Off => (icons::POWER, "Off", "Nothing is published if you vanish.", Tone::Neutral),
            WillState::Waiting if online => (
                icons::HOURGLASS,
                "Connecting anew",
                "The station learns of it with the connect.",
                Tone::Accent,
            ),
            WillState::Waiting => {
                (icons::HOURGLASS, "At the next connect", "The station learns of it then.", Tone::Accent)
            }
            WillState::InForce { sealed_with: Some(with) } => {
                sealed_text = format!("The station has it, sealed with “{}”.", with.label);
                (icons::CHECK_CIRCLE, "In force", sealed_text.as_str(), Tone::Green)
            }
            WillState::InForce { sealed_with: None } => {
                (icons::LOCK_OPEN, "In force, in the clear", "The station can read it.", Tone::Amber)
            }
            WillState::Problem { why } => {
                (icons::WARNING, "The station does not have it", why.as_str(), Tone::Red)
            }
        };
        if let WillState::Problem { why } = &model.will.state {
            Banner::new(Severity::Error, "The station does not have your will").why(why).show(ui);
        } else {
            ui.horizontal_wrapped(|ui| {
                pill_icon(ui, icon, words, tone);
                muted(ui, text);
            });
        }
        if is_on && self.changed {
            muted(ui, "You changed it: what was handed over before stays in force until you save.");
        }
    }

    fn buttons(
        &mut self,
        ui: &mut Ui,
        topic: &Option<(TopicName, Sealing)>,
        is_on: bool,
        model: &Model,
        out: &mut Outbound,
    ) {
        let will = self.will(topic);
        let why = will.as_ref().err().cloned();
        let busy = model.is_pending(Asked::Will);
        let fresh = self.changed || !is_on;
        ui.horizontal_wrapped(|ui| {
            let words = if is_on { "Save and connect anew" } else { "Turn on" };
            let hover = why.as_deref().unwrap_or("The link connects anew, so that the station learns of it");
            let on = Button::primary(words).enabled(will.is_ok() && fresh).busy(busy).tooltip(hover);
            if on.show(ui).clicked()
                && let Ok(will) = &will
            {
                out.send(Command::SetWill { will: will.clone(), on: true });
                out.toast(Severity::Info, "Connecting anew, so that the station learns of the will.");
                self.changed = false;
            }
            if is_on
                && let Some(kept) = &model.will.will
                && Button::secondary("Turn off").show(ui).clicked()
            {
                out.send(Command::SetWill { will: kept.clone(), on: false });
                out.toast(Severity::Info, "Connecting anew without the will.");
                self.changed = false;
            }
            if (model.will.will.is_some() || is_on) && Button::ghost("Forget it").show(ui).clicked() {
                out.send(Command::ForgetWill);
                *self = Self::default();
            }
        });
        // A button that cannot be pressed says why where the eye is.
        if let Some(why) = why {
            muted(ui, &why);
        }
    }
}

fn too_long(size: usize) -> String {
    format!(
        "{} are too many: a will may have {}, because it goes with every connect.",
        size_text(size),
        size_text(Will::MOST_BYTES)
    )
}

/// What would seal it, always shown.
fn seal_line(ui: &mut Ui, topic: Option<&(TopicName, Sealing)>, out: &mut Outbound) {
    let t = tokens(ui);
    let Some((topic, sealing)) = topic else { return };
    let line = |ui: &mut Ui, icon: &str, tone: Tone, text: &str| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.label(icons::icon(icon, icons::INLINE).color(tone.text(t)));
            let words = RichText::new(text).font(fonts::regular(12.0)).color(tone.text(t));
            ui.add(Label::new(words).wrap());
        });
    };
    match sealing {
        Sealing::Key(key) => {
            let text = format!("Sealed with “{}”, {}", key.label, suite_words(key.suite));
            line(ui, icons::LOCK_KEY, Tone::Green, &text);
        }
        Sealing::Clear(filter) => {
            let text = format!("In the clear: you said that {filter} goes without a seal");
            line(ui, icons::LOCK_OPEN, Tone::Amber, &text);
        }
        Sealing::Nothing { opens_only } => {
            let text = match opens_only {
                Some(label) => format!("“{label}” opens {topic} and may not seal it."),
                None => format!("No key covers {topic}."),
            };
            line(ui, icons::LOCK_KEY_OPEN, Tone::Amber, &text);
            ui.horizontal_wrapped(|ui| {
                if Button::secondary("Make a key for it…").show(ui).clicked() {
                    out.new_key_for(topic.as_str());
                }
                if Button::ghost("Import…").show(ui).clicked() {
                    out.import_key();
                }
            });
        }
    }
}
