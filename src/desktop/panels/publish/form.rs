//! The form of a message: topic, payload, how it is sent. What was typed stays when another page is shown.

use std::time::Duration;

use eframe::egui::{Align2, Event, Id, Label, RichText, Ui};

use crate::{
    acl::Right,
    client::{Draft, Signatures, Suite, sentence},
    desktop::{
        fonts, icons,
        model::Model,
        panels::{
            ends::ends,
            sealing::{Sealing, sealing, subject, why_not_publish},
        },
        theme::tokens,
        widgets::{
            Button, PayloadForm, PayloadView, TextField, caps, icon_button, link, menu, menu_row, segmented,
            segmented_explained, size_text, toggle,
        },
    },
    topic::{TopicFilter, TopicName},
};

use super::{
    super::QOS,
    body::{Body, EDITOR, Kind, PACKET, SIGNATURE, largest},
    legacy::{Fields, has_words, profile_of},
};

/// The shortest and the longest time between repeated messages, in seconds.
const REPEAT: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;
/// Topics that are offered.
const OFFERED: usize = 14;

/// What is being written.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) topic: String,
    pub(super) body: Body,
    pub(super) legacy: Fields,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) repeat: bool,
    pub(super) seconds: String,
    pub(super) focus_topic: bool,
    payload_id: Option<Id>,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            topic: String::new(),
            body: Body::default(),
            legacy: Fields::default(),
            qos: 1,
            retain: false,
            repeat: false,
            seconds: "5".to_owned(),
            focus_topic: false,
            payload_id: None,
        }
    }
}

/// What is known of the topic as typed.
pub(super) struct Topic {
    /// Valid and permitted, with what would seal it.
    pub(super) good: Option<(TopicName, Sealing)>,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

impl Form {
    /// Judges the topic as it is typed.
    pub(super) fn judge(&self, model: &Model) -> Topic {
        let text = self.topic.trim();
        if text.is_empty() {
            return Topic { good: None, problem: None };
        }
        match TopicName::new(text) {
            Err(error) => Topic { good: None, problem: Some(sentence(&error.to_string())) },
            Ok(topic) => match why_not_publish(model, &topic) {
                Some(why) => Topic { good: None, problem: Some(why) },
                None => {
                    let sealing = sealing(model, &topic);
                    Topic { good: Some((topic, sealing)), problem: None }
                }
            },
        }
    }

    /// How often, where it is repeated.
    pub(super) fn every(&self) -> Result<Option<Duration>, String> {
        if !self.repeat {
            return Ok(None);
        }
        match self.seconds.trim().parse::<f64>() {
            Ok(seconds) if REPEAT.contains(&seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
            _ => Err("From 0.1 to 86,400 seconds (a day).".to_owned()),
        }
    }

    /// What would be sent, or the first thing that is missing.
    pub(super) fn draft(&mut self, topic: &Topic) -> Result<(Draft, Option<Duration>), String> {
        let (name, sealing) = match (&topic.good, &topic.problem) {
            (Some(good), _) => good,
            (None, Some(problem)) => return Err(problem.clone()),
            (None, None) => return Err("Name a topic.".to_owned()),
        };
        if matches!(sealing, Sealing::Nothing { .. }) {
            return Err("No key covers this topic.".to_owned());
        }
        if let Some(problem) = self.body.problem() {
            return Err(problem);
        }
        let every = self.every()?;
        if let Some(profile) = profile_of(topic) {
            let body = self.legacy.compose(profile, &self.body)?;
            return Ok((
                Draft { topic: name.clone(), body, content_type: None, qos: 0, retain: false },
                every,
            ));
        }
        let draft = Draft {
            topic: name.clone(),
            body: self.body.as_sent().as_bytes().to_vec(),
            content_type: Some(self.body.kind.content_type().to_owned()),
            qos: self.qos,
            retain: self.retain,
        };
        Ok((draft, every))
    }

    /// The most bytes that may be written, by what would seal them and what the broker takes.
    pub(super) fn allow(&mut self, topic: &Topic, model: &Model) {
        let packet = model.max_packet().unwrap_or(PACKET);
        let (suite, length) = match &topic.good {
            Some((name, Sealing::Key(key))) => (Some(key.suite), name.as_str().len()),
            Some((name, Sealing::Clear(_))) => (None, name.as_str().len()),
            Some((_, Sealing::Nothing { .. })) | None => (Some(Suite::default()), 0),
        };
        let signed = match &topic.good {
            Some((_, Sealing::Key(key))) if key.signatures != Signatures::Off => SIGNATURE,
            _ => 0,
        };
        self.body.allow(largest(suite, length, packet).saturating_sub(signed));
    }

    pub(super) fn topic_field(&mut self, ui: &mut Ui, model: &Model, topic: &Topic) {
        let width = ui.available_width();
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            TextField::new("Topic", &mut self.topic)
                .mono()
                .hint("plant/line-1/press")
                .error(topic.problem.as_deref())
                .limit(4_096)
                .width(width - 42.0)
                .focus(std::mem::take(&mut self.focus_topic))
                .show(ui);
            ui.vertical(|ui| {
                // Beside the field, below its label.
                ui.add_space(24.0);
                let anchor = icon_button(ui, icons::LIST_BULLETS, "Choose a topic");
                menu(&anchor, |ui| self.offers(ui, model));
            });
        });
    }

    fn offers(&mut self, ui: &mut Ui, model: &Model) {
        let offers = offers(model);
        if offers.is_empty() {
            ui.label("Nothing to offer yet: type a topic.");
        }
        for (group, texts) in offers {
            caps(ui, group);
            for text in texts {
                if menu_row(ui, None, &text, self.topic == text).clicked() {
                    // A filter stands for many topics: what is before its first wildcard is a beginning.
                    self.topic = text.split(['+', '#']).next().unwrap_or_default().to_owned();
                    self.focus_topic = true;
                }
            }
        }
    }

    pub(super) fn payload_field(&mut self, ui: &mut Ui, topic: &Topic, model: &Model) {
        let t = tokens(ui);
        let profile = profile_of(topic);
        if let Some(profile) = profile {
            self.legacy.ui(ui, profile, model);
            if !has_words(profile) {
                return;
            }
            if self.body.kind != Kind::Text {
                self.body.kind = Kind::Text;
                self.body.changed();
            }
        }
        // Painted, not a label: the field below carries the name.
        let words = |ui: &mut Ui| {
            let at = ui.max_rect().left_center();
            ui.painter().text(at, Align2::LEFT_CENTER, "Payload", fonts::medium(12.0), t.text_muted);
        };
        ends(ui, "payload head", 32.0, words, |ui| {
            if profile.is_none() && segmented(ui, "Payload is", &mut self.body.kind, &Kind::ALL) {
                self.body.changed();
            }
        });
        self.intercept_paste(ui);
        let problem = self.body.problem();
        if let Some(pasted) = self.body.pasted() {
            let form = if self.body.kind == Kind::Json { PayloadForm::Json } else { PayloadForm::Text };
            let size = size_text(pasted.len());
            PayloadView::new("pasted", &pasted.as_bytes()[..pasted.len().min(EDITOR)], form)
                .height(150.0)
                .show(ui);
            let mut remove = false;
            ui.horizontal(|ui| {
                let text = format!("Pasted, {size}: too long for the editor, sent as it is.");
                ui.add(Label::new(RichText::new(text).font(fonts::regular(12.0)).color(t.text_muted)).wrap());
                remove = Button::ghost("Remove").show(ui).clicked();
            });
            if let Some(problem) = &problem {
                ui.add(
                    Label::new(RichText::new(problem).font(fonts::regular(12.0)).color(t.red.text)).wrap(),
                );
            }
            if remove {
                self.body.remove_pasted();
            }
            self.offer_json(ui);
            return;
        }
        // Nothing typed is nothing wrong yet.
        let shown = problem.filter(|_| !self.body.text.is_empty() || self.body.kind == Kind::Text);
        let size =
            format!("{} of at most {}", size_text(self.body.as_sent().len()), size_text(self.body.most()));
        let hint = match self.body.kind {
            Kind::Text => "What you want to say",
            Kind::Number => "21.5",
            Kind::Json => "{ \"celsius\": 21.5 }",
        };
        let low = ui.ctx().content_rect().height() < 760.0;
        let rows = match self.body.kind {
            Kind::Number => 1,
            Kind::Text | Kind::Json => {
                if low {
                    4
                } else {
                    7
                }
            }
        };
        let mut field = TextField::new("Payload", &mut self.body.text)
            .hide_label()
            .hint(hint)
            .rows(rows)
            .limit(EDITOR)
            .error(shown.as_deref())
            .help(&size);
        if self.body.kind != Kind::Text {
            field = field.mono();
        }
        let response = field.show(ui);
        self.payload_id = Some(response.id);
        if response.changed() {
            self.body.changed();
        }
        if profile.is_none() {
            self.offer_json(ui);
        }
    }

    /// JSON that is sent as text reads as text at the other side: one click says what it is.
    fn offer_json(&mut self, ui: &mut Ui) {
        if self.body.looks_like_json() {
            ui.horizontal(|ui| {
                let words = RichText::new("Looks like JSON.").font(fonts::regular(12.0));
                ui.add(Label::new(words.color(tokens(ui).text_muted)).selectable(false));
                if link(ui, "Send as JSON").clicked() {
                    self.body.kind = Kind::Json;
                    self.body.changed();
                }
            });
        }
    }

    /// A long paste never reaches the editor: laying it out would take seconds.
    fn intercept_paste(&mut self, ui: &Ui) {
        let Some(id) = self.payload_id else { return };
        if !ui.memory(|memory| memory.has_focus(id)) {
            return;
        }
        let body = &mut self.body;
        ui.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::Paste(text) => !body.take_paste(text),
                _ => true,
            });
        });
    }

    pub(super) fn options(&mut self, ui: &mut Ui, topic: &Topic) {
        let t = tokens(ui);
        let legacy = profile_of(topic).is_some();
        if !legacy {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 14.0;
                segmented_explained(ui, "Quality of service", &mut self.qos, &QOS);
                toggle(ui, &mut self.retain, "Retain")
                    .on_hover_text("The broker keeps the last one for those who come later.");
            });
        }
        let clear = matches!(&topic.good, Some((_, Sealing::Clear(_))));
        let mut words = match self.qos {
            _ if legacy => {
                "Sent once, at QoS 0 and never retained, as the legacy programs do: it may be lost."
            }
            0 => "Sent once, with no answer: it may be lost.",
            1 => "Kept here until the broker acknowledges it.",
            // Said where it is chosen: without a seal nothing tells a reader that it is the same message.
            _ if clear => {
                "Kept here until the broker has taken it once. If the connection breaks in the middle it goes out again, and without a seal readers may see it twice."
            }
            _ => {
                "Kept here until the broker has taken it once. If the connection breaks in the middle it goes out again, and readers drop the second."
            }
        }
        .to_owned();
        if self.retain && !legacy {
            words.push_str(" The broker keeps the last one for those who come later.");
        }
        ui.add(Label::new(RichText::new(words).font(fonts::regular(12.0)).color(t.text_muted)).wrap());
        let problem = self.every().err();
        ui.horizontal(|ui| {
            toggle(ui, &mut self.repeat, "Repeat every");
            if self.repeat {
                TextField::new("Seconds between messages", &mut self.seconds)
                    .hide_label()
                    .compact()
                    .width(84.0)
                    .limit(12)
                    .show(ui);
                ui.add(Label::new(RichText::new("seconds").color(t.text_muted)).selectable(false));
            }
        });
        if let Some(problem) = problem {
            ui.add(Label::new(RichText::new(problem).font(fonts::regular(12.0)).color(t.red.text)).wrap());
        }
    }
}

/// Topics to choose from: sent to before, covered by a key of one's own, permitted by the role.
fn offers(model: &Model) -> Vec<(&'static str, Vec<String>)> {
    let mut left = OFFERED;
    let mut known: Vec<String> = Vec::new();
    let mut take = |texts: &mut dyn Iterator<Item = String>| {
        let mut group = Vec::new();
        for text in texts {
            if left == 0 {
                break;
            }
            if !known.contains(&text) {
                known.push(text.clone());
                group.push(text);
                left -= 1;
            }
        }
        group
    };
    let recent = take(&mut model.outbox.iter().rev().map(|entry| entry.topic.to_string()).take(200));
    let text = |filter: &TopicFilter| filter.to_string();
    let keys =
        take(&mut model.keys.iter().filter(|key| key.seals).flat_map(|key| key.filters.iter().map(text)));
    let clear = take(&mut model.clear_topics.iter().map(text));
    let granted = model
        .account
        .as_ref()
        .map(|account| account.role.granted(&subject(account), Right::Publish))
        .unwrap_or_default();
    let granted = take(&mut granted.iter().map(text));
    let groups = [
        ("Recent", recent),
        ("Your keys seal", keys),
        ("In the clear", clear),
        ("Your role permits", granted),
    ];
    groups.into_iter().filter(|(_, texts)| !texts.is_empty()).collect()
}
