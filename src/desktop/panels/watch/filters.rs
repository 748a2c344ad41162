//! What is watched: the list of topic filters with what the broker said to each, and the field that adds one.

use eframe::egui::{self, Align, Key, Label, Layout, RichText, Role, ScrollArea, Ui, WidgetInfo};

use crate::{
    client::{Asked, Command, LinkState, SampleState, SubscriptionView, sentence},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::sealing::why_not_watch,
        theme::{Tone, tokens},
        widgets::{
            Banner, Button, Problem, TextField, dot, icon_button, icon_button_small, menu, menu_row,
            section_header, segmented_explained, spinner,
        },
    },
    topic::TopicFilter,
};

/// The height of the list before it scrolls: five filters.
const LIST_HEIGHT: f32 = 136.0;

/// What each quality of service means to who watches.
const WATCHED_AT: [(u8, &str, &str); 3] = [
    (0, "QoS 0", "As fast as it goes; what comes while you are away is not kept."),
    (1, "QoS 1", "Kept for an hour while you are away. What comes twice is dropped, where it is sealed."),
    (
        2,
        "QoS 2",
        "As QoS 1, and the broker hands each message over exactly once, also without a seal. Slower.",
    ),
];

/// The list and the field.
#[derive(Debug, Default)]
pub(super) struct Filters {
    open: bool,
    focus: bool,
    text: String,
    qos: Qos,
}

/// The quality of service that is asked for, 1 unless chosen otherwise.
#[derive(Debug, Clone, Copy)]
struct Qos(u8);

impl Default for Qos {
    fn default() -> Self {
        Self(1)
    }
}

/// What can be said of the text while it is typed.
enum Typed {
    Nothing,
    Wrong(String),
    Good { filter: TopicFilter, hint: Option<String> },
}

impl Filters {
    /// Shows the field, ready to type.
    pub(super) fn open(&mut self) {
        self.open = true;
        self.focus = true;
    }

    pub(super) fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        let mut opened = false;
        section_header(ui, "Watching", None, |ui| {
            if !self.open {
                opened = icon_button(ui, icons::PLUS, "Watch a topic filter…").clicked();
            }
        });
        if opened {
            self.open();
        }
        if self.open {
            self.field(ui, model, out);
        }
        if let Some(failure) = model.failure(Asked::Subscribe) {
            let problem = Problem::new(&failure.what, &failure.why, &failure.next);
            if Banner::error(&problem).dismissible().show(ui).dismissed {
                model.dismiss(Asked::Subscribe);
            }
        }
        if model.subscriptions.is_empty() && !self.open {
            let text = RichText::new("Nothing yet. Name a topic to see its messages.");
            ui.add(Label::new(text.font(fonts::regular(12.0)).color(tokens(ui).text_muted)).wrap());
            if Button::secondary("Watch a topic filter…").icon(icons::PLUS).wide().show(ui).clicked() {
                self.open();
            }
        }
        ScrollArea::vertical()
            .id_salt("watched filters")
            .max_height(LIST_HEIGHT)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                let online = matches!(model.link, LinkState::Online { .. });
                for subscription in &model.subscriptions {
                    row(ui, subscription, online, out);
                }
            });
        if model.sample == SampleState::Running {
            sample(ui, out);
        }
    }

    fn field(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        let typed = self.typed(model);
        let error = match &typed {
            Typed::Wrong(why) => Some(why.as_str()),
            Typed::Nothing | Typed::Good { .. } => None,
        };
        let help = match &typed {
            Typed::Good { hint: Some(hint), .. } => hint.as_str(),
            _ => "+ stands for one level, # at the end for all below.",
        };
        let response = TextField::new("Topic filter", &mut self.text)
            .hide_label()
            .compact()
            .mono()
            .hint("plant/+/press or plant/#")
            .error(error)
            .help(help)
            .limit(1_024)
            .focus(std::mem::take(&mut self.focus))
            .show(ui);
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let escaped = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape));
        ui.horizontal(|ui| {
            segmented_explained(ui, "Quality of service of the subscription", &mut self.qos.0, &WATCHED_AT);
        });
        let good = matches!(typed, Typed::Good { .. });
        let (mut pressed, mut cancelled) = (false, false);
        ui.horizontal(|ui| {
            pressed = Button::primary("Watch")
                .enabled(good)
                .busy(model.is_pending(Asked::Subscribe))
                .tooltip("Subscribes now and after each login")
                .show(ui)
                .clicked();
            cancelled = Button::ghost("Cancel").show(ui).clicked();
        });
        if cancelled || escaped {
            self.open = false;
            self.text.clear();
        } else if pressed || entered {
            match typed {
                Typed::Good { filter, .. } => {
                    out.send(Command::SubscribeAt { filter, qos: self.qos.0 });
                    self.qos = Qos::default();
                    self.text.clear();
                    self.open = false;
                }
                Typed::Wrong(_) | Typed::Nothing => self.focus = true,
            }
        }
    }

    fn typed(&self, model: &Model) -> Typed {
        let text = self.text.trim();
        if text.is_empty() {
            return Typed::Nothing;
        }
        let filter = match TopicFilter::new(text) {
            Ok(filter) => filter,
            Err(error) => return Typed::Wrong(sentence(&error.to_string())),
        };
        if model
            .subscriptions
            .iter()
            .any(|known| known.filter == filter && !matches!(known.granted, Some(Err(_))))
        {
            return Typed::Wrong("You watch this filter already.".to_owned());
        }
        if let Some(why) = why_not_watch(model, &filter) {
            return Typed::Wrong(why);
        }
        let covered = model.subscriptions.iter().find(|known| known.filter.covers(&filter));
        let hint = covered
            .map(|known| format!("{} covers it already; watching both changes nothing.", known.filter));
        Typed::Good { filter, hint }
    }
}

fn row(ui: &mut Ui, subscription: &SubscriptionView, online: bool, out: &mut Outbound) {
    let t = tokens(ui);
    let filter = subscription.filter.as_str();
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 24.0;
        ui.spacing_mut().item_spacing.x = 6.0;
        match &subscription.granted {
            None => {
                spinner(ui, 12.0, &format!("Asking to watch {filter}"));
            }
            Some(Ok(_)) => {
                // Green is for what flows now.
                dot(ui, if online { Tone::Green } else { Tone::Neutral });
            }
            Some(Err(_)) => {
                ui.label(icons::icon(icons::PROHIBIT, 13.0).color(t.red.text));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button_small(ui, icons::X, &format!("Stop watching {filter}")).clicked() {
                out.send(Command::Unsubscribe(subscription.filter.clone()));
            }
            let (word, ink) = match &subscription.granted {
                None => ("asking".to_owned(), t.text_muted),
                Some(Ok(qos)) => (format!("QoS {qos}"), t.text_muted),
                Some(Err(_)) => ("refused".to_owned(), t.red.text),
            };
            let name = format!("{word}: change the quality of service of {filter}");
            let words = RichText::new(word).font(fonts::regular(11.5)).color(ink);
            let lower = match &subscription.granted {
                Some(Ok(granted)) if *granted < subscription.qos => {
                    format!("\nYou asked for QoS {}; the broker grants {granted}.", subscription.qos)
                }
                _ => String::new(),
            };
            let anchor =
                ui.add(egui::Button::new(words).frame(false)).on_hover_text(format!("{name}{lower}"));
            anchor.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
            menu(&anchor, |ui| {
                for (qos, text, about) in WATCHED_AT {
                    let row = menu_row(ui, None, text, subscription.qos == qos).on_hover_text(about);
                    if row.clicked() && subscription.qos != qos {
                        out.send(Command::SubscribeAt { filter: subscription.filter.clone(), qos });
                    }
                }
            });
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = RichText::new(filter).font(fonts::mono(12.0)).color(t.text_strong);
                ui.add(Label::new(text).truncate()).on_hover_text(filter);
            });
        });
    });
    if let Some(Err(why)) = &subscription.granted {
        ui.horizontal(|ui| {
            ui.add_space(19.0);
            ui.add(Label::new(RichText::new(why).font(fonts::regular(12.0)).color(t.red.text)).wrap());
        });
    }
}

fn sample(ui: &mut Ui, out: &mut Outbound) {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.label(icons::icon(icons::BROADCAST, 14.0).color(t.teal.text));
        ui.label(RichText::new("Sample sensor runs").font(fonts::regular(12.5)).color(t.text));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if Button::ghost("Stop").tooltip("Stops the sample sensor").show(ui).clicked() {
                out.send(Command::StopSample);
            }
        });
    });
}
