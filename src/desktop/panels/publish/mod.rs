//! Publish: write a message, see what will seal it, send it, and follow it to the broker.
//!
//! Start at [`PublishPanel::ui`]. The form is on the left and keeps what was typed; what was sent is on the right.

mod body;
mod drafts;
mod form;
mod legacy;
mod seal_box;
mod sent;

use eframe::egui::{
    CentralPanel, Frame, Key, Label, Margin, Modifiers, Panel, Rect, RichText, ScrollArea, Stroke, Ui,
    UiBuilder, pos2, vec2,
};

use crate::{
    client::{Asked, Command, Event, LinkState, OutboxEntry, SampleState, WillState},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{ends::ends, sealing::may_run_sample},
        theme::{PANEL_MARGIN, tokens},
        widgets::{
            Banner, Button, ButtonKind, DialogButton, Problem, Severity, body, checkbox, dialog,
            dialog_buttons, icon_button_small, link, section_header, title,
        },
    },
    topic::TopicName,
};

use self::{
    body::Kind,
    drafts::Drafts,
    form::{Form, Topic},
    sent::Shown,
};

/// How high the button and the line below it are, before they were drawn once.
const FOOT: f32 = 84.0;

/// The page for sending.
#[derive(Debug, Default)]
pub struct PublishPanel {
    form: Form,
    shown: Shown,
    drafts: Drafts,
    /// The topic that is about to go in the clear, and whether the box was ticked.
    clear: Option<(TopicName, bool)>,
}

impl PublishPanel {
    /// Fills a topic in; the payload stays.
    pub fn set_topic(&mut self, topic: impl Into<String>) {
        self.form.topic = topic.into();
        self.form.focus_topic = true;
    }

    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        let width = (ui.available_width() * 0.42).clamp(360.0, 480.0);
        let frame = Frame::new().inner_margin(Margin { left: 16, right: 12, top: 14, bottom: 12 });
        Panel::left("publish form").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
            let topic = self.form.judge(model);
            self.form.allow(&topic, model);
            // Sending is always in sight, however much is above it, and drawn last, so that Tab comes to it last.
            let rect = ui.max_rect();
            let id = ui.scope_id().with("height of the foot");
            let known: f32 = ui.data(|data| data.get_temp(id)).unwrap_or(FOOT);
            let split = (rect.bottom() - known).max(rect.top());
            let part = |ui: &mut Ui, salt: &str, rect: Rect| {
                ui.new_child(UiBuilder::new().id_salt(salt).max_rect(rect))
            };
            let above = Rect::from_min_max(rect.min, pos2(rect.right(), split));
            let mut above = part(ui, "publish form", above);
            ScrollArea::vertical().id_salt("publish form").auto_shrink([false, false]).show(
                &mut above,
                |ui| {
                    ui.set_width(ui.available_width() - 6.0);
                    self.left(ui, &topic, model, out);
                },
            );
            ui.painter().hline(rect.x_range(), split, Stroke::new(1.0, tokens(ui).line));
            let foot = Rect::from_min_max(pos2(rect.left(), split + 12.0), rect.max - vec2(6.0, 0.0));
            let mut foot = part(ui, "publish send", foot);
            self.send(&mut foot, &topic, model, out);
            let height = foot.min_rect().height() + 12.0;
            if (height - known).abs() > 0.5 {
                ui.data_mut(|data| data.insert_temp(id, height));
                ui.ctx().request_discard("the foot of the form changed its height");
            }
        });
        let frame = Frame::new().inner_margin(Margin::same(PANEL_MARGIN as i8));
        CentralPanel::default_margins().frame(frame).show(ui, |ui| {
            if let Some(entry) = sent::sent(ui, &mut self.shown, model, out) {
                self.use_again(&entry, out);
            }
        });
        self.clear_dialog(ui, model, out);
    }

    fn left(&mut self, ui: &mut Ui, topic: &Topic, model: &mut Model, out: &mut Outbound) {
        ui.spacing_mut().item_spacing.y = 10.0;
        title(ui, "New message", 13.5);
        self.form.topic_field(ui, model, topic);
        let payload = seal_box::Payload {
            length: self.form.body.as_sent().len(),
            content_type: self.form.body.kind.content_type(),
        };
        if seal_box::seal_box(ui, topic.good.as_ref(), payload, model, out) {
            self.clear = topic.good.as_ref().map(|(name, _)| (name.clone(), false));
        }
        self.form.payload_field(ui, topic, model);
        self.form.options(ui, topic);
        will_line(ui, model, out);
        repeating(ui, model, out);
        if may_run_sample(model) {
            sample(ui, model, out);
        }
    }

    fn send(&mut self, ui: &mut Ui, topic: &Topic, model: &mut Model, out: &mut Outbound) {
        if let Some(failure) = model.failure(Asked::Publish) {
            let problem = Problem::new(&failure.what, &failure.why, &failure.next);
            if Banner::error(&problem).dismissible().show(ui).dismissed {
                model.dismiss(Asked::Publish);
            }
        }
        let draft = self.form.draft(topic);
        let words = if self.form.repeat { "Start repeating" } else { "Send" };
        let why = draft.as_ref().err().cloned();
        let pressed = Button::primary(words)
            .icon(icons::PAPER_PLANE_TILT)
            .large()
            .wide()
            .enabled(draft.is_ok())
            .tooltip(why.as_deref().unwrap_or("Ctrl+Enter"))
            .show(ui)
            .clicked();
        let t = tokens(ui);
        // A button that cannot be pressed says why where the eye is, not only to the pointer.
        let below = match (&why, &model.link) {
            (Some(why), _) => why.as_str(),
            (None, LinkState::Online { .. }) => "Ctrl+Enter sends from anywhere on this page.",
            _ => {
                "Not connected: a message waits on this computer, sealed, and goes out when the connection is back."
            }
        };
        ui.add(Label::new(RichText::new(below).font(fonts::regular(12.0)).color(t.text_muted)).wrap());
        let by_key =
            self.clear.is_none() && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        if !pressed && !by_key {
            return;
        }
        match draft {
            Ok((draft, every)) => {
                if legacy::profile_of(topic).is_some() {
                    self.form.legacy.remember(model, out);
                }
                self.drafts.remember(draft.clone(), self.form.body.kind, every.is_some());
                out.send(Command::Publish { draft, every });
            }
            Err(why) => out.toast(Severity::Warning, format!("Not sent. {why}")),
        }
    }

    fn use_again(&mut self, entry: &OutboxEntry, out: &mut Outbound) {
        self.form.topic = entry.topic.to_string();
        self.form.qos = entry.qos;
        self.form.retain = entry.retain;
        match self.drafts.of(entry) {
            Some((draft, kind)) => {
                let profile = entry.sealed_with.as_ref().and_then(|with| with.profile);
                let said = profile.and_then(|profile| self.form.legacy.take(profile, draft));
                let text = said.unwrap_or_else(|| String::from_utf8_lossy(&draft.body).into_owned());
                self.form.body.set(kind, text);
            }
            None => {
                self.form.body.set(Kind::Text, String::new());
                out.toast(Severity::Info, "Topic and options are filled in. The payload of an earlier session is not kept in the open.");
            }
        }
    }

    fn clear_dialog(&mut self, ui: &Ui, model: &Model, out: &mut Outbound) {
        let Some((topic, agreed)) = &mut self.clear else { return };
        let busy = model.is_pending(Asked::Clear);
        let answer = dialog(ui.ctx(), "clear topic", "Send in the clear?", 460.0, |ui| {
            body(ui, &seal_box::clear_text(topic));
            ui.add_space(4.0);
            checkbox(ui, agreed, "Anybody on the way may read this topic");
            dialog_buttons(ui, ButtonKind::Danger, "Send in the clear", *agreed, busy)
        });
        let confirmed = answer.inner == Some(DialogButton::Confirm);
        if confirmed {
            out.send(Command::SetClear { filter: seal_box::filter_of(topic), clear: true });
        }
        if confirmed || answer.close || answer.inner == Some(DialogButton::Cancel) {
            self.clear = None;
        }
    }

    /// Takes notice of an event before the model does.
    pub fn on_event(&mut self, event: &Event, model: &Model) {
        match event {
            Event::Outbox(entries) => {
                for entry in
                    entries.iter().filter(|entry| model.outbox.iter().rev().all(|known| known.id != entry.id))
                {
                    self.drafts.claim(entry);
                }
            }
            Event::LoggedOut { .. } => *self = Self::default(),
            _ => {}
        }
    }
}

/// That a will is set, with the way to it.
fn will_line(ui: &mut Ui, model: &Model, out: &mut Outbound) {
    let t = tokens(ui);
    let (icon, ink, words) = match (&model.will.state, &model.will.will) {
        (WillState::Problem { .. }, _) => {
            (icons::WARNING, t.red.text, "The station does not have your will.".to_owned())
        }
        (WillState::InForce { .. }, Some(will)) => {
            (icons::HEARTBEAT, t.text_muted, format!("Will set for {}", will.draft.topic))
        }
        (WillState::Waiting, Some(will)) => {
            (icons::HEARTBEAT, t.text_muted, format!("Will for {}, at the next connect", will.draft.topic))
        }
        _ => (icons::HEARTBEAT, t.text_muted, "No will is set.".to_owned()),
    };
    let left = |ui: &mut Ui| {
        ui.label(icons::icon(icon, 14.0).color(ink));
        let words = RichText::new(&words).font(fonts::regular(12.0)).color(ink);
        ui.add(Label::new(words).truncate())
            .on_hover_text("What the station publishes for you if this computer vanishes");
    };
    ends(ui, "will", 22.0, left, |ui| {
        let is_set = model.will.will.is_some() || model.will.state != WillState::Off;
        if link(ui, if is_set { "Edit the will" } else { "Write a will" }).clicked() {
            out.edit_will();
        }
    });
}

/// What is sent again and again, each with its end.
fn repeating(ui: &mut Ui, model: &Model, out: &mut Outbound) {
    if model.repeating.is_empty() {
        return;
    }
    let t = tokens(ui);
    ui.add_space(2.0);
    section_header(ui, "Repeating", None, |_| {});
    for (at, (topic, every)) in model.repeating.iter().enumerate() {
        let left = |ui: &mut Ui| {
            ui.label(icons::icon(icons::ARROWS_CLOCKWISE, 14.0).color(t.accent_text));
            ui.add(
                Label::new(RichText::new(topic.as_str()).font(fonts::mono(12.0)).color(t.text_strong))
                    .truncate(),
            );
        };
        ends(ui, &format!("repeat {at}"), 26.0, left, |ui| {
            let seconds = every.as_secs_f64();
            let words =
                RichText::new(format!("every {seconds} s")).font(fonts::regular(12.0)).color(t.text_muted);
            ui.add(Label::new(words).selectable(false));
            if icon_button_small(ui, icons::STOP, &format!("Stop repeating {topic}")).clicked() {
                out.send(Command::StopRepeat { topic: topic.clone() });
            }
        });
    }
}

/// The sample sensor: something to see without a device.
fn sample(ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
    let t = tokens(ui);
    ui.add_space(2.0);
    ui.separator();
    let running = model.sample == SampleState::Running;
    let busy = model.is_pending(Asked::Sample);
    ends(
        ui,
        "sample",
        34.0,
        |ui| {
            let ink = if running { t.teal.text } else { t.text_muted };
            ui.label(icons::icon(icons::BROADCAST, 16.0).color(ink));
            let words =
                if running { "The sample sensor runs" } else { "Sample sensor, two readings a second" };
            ui.add(Label::new(RichText::new(words).color(t.text)).truncate());
        },
        |ui| {
            let words = if running { "Stop" } else { "Start" };
            if Button::secondary(words)
                .busy(busy)
                .tooltip("Publishes readings to sample/…, sealed with the key “Sample”")
                .show(ui)
                .clicked()
            {
                out.send(if running { Command::StopSample } else { Command::StartSample });
            }
        },
    );
    if let Some(failure) = model.failure(Asked::Sample) {
        let problem = Problem::new(&failure.what, &failure.why, &failure.next);
        if Banner::error(&problem).dismissible().show(ui).dismissed {
            model.dismiss(Asked::Sample);
        }
    }
}
