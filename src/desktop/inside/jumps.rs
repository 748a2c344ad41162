//! What Ctrl+K can reach, and going there.

use eframe::egui::Ui;

use crate::{
    acl::Right,
    client::{Command, LinkState, SampleState},
    desktop::{
        app::THEME_PREFERENCE,
        cards, icons,
        model::{Model, Outbound, Place},
        palette::Entry,
        panels::Section,
        widgets::Severity,
    },
    topic::TopicName,
};

use super::{Inside, icon_of, places};

/// How many topics are offered; typing narrows them down, not scrolling.
const TOPICS: usize = 5_000;

/// Where an entry leads.
#[derive(Debug, Clone)]
enum Jump {
    Place(Place),
    Section(Section),
    Topic(TopicName),
    Key(String),
    NewKey,
    People,
    Theme(&'static str),
    CopyInvite,
    Sample(bool),
    RetryNow,
    LogOut,
}

impl Inside {
    pub(super) fn jump(&mut self, ui: &Ui, model: &Model, out: &mut Outbound) {
        if !self.palette.is_open() {
            return;
        }
        let entries = entries(model);
        let Some(jump) = self.palette.show(ui.ctx(), &entries) else { return };
        match jump {
            Jump::Place(place) => self.place = place,
            Jump::Section(section) => self.show_section(section),
            Jump::Topic(topic) if model.may(Right::Subscribe) => {
                self.watch.show_topic(&topic, model);
                self.place = Place::Watch;
            }
            Jump::Topic(topic) => self.publish_to(topic.as_str()),
            Jump::Key(id) => {
                self.keys.select(&id);
                self.place = Place::Keys;
            }
            Jump::NewKey => self.new_key_for(""),
            Jump::People => self.show_people(None),
            Jump::Theme(value) => {
                out.send(Command::SetPreference {
                    name: THEME_PREFERENCE.to_owned(),
                    value: value.to_owned(),
                });
            }
            Jump::CopyInvite => {
                if let Some(station) = &model.station {
                    ui.ctx().copy_text(cards::invite_link(station));
                    out.toast(Severity::Success, "The invite link is copied.");
                }
            }
            Jump::Sample(true) => out.send(Command::StartSample),
            Jump::Sample(false) => out.send(Command::StopSample),
            Jump::RetryNow => out.send(Command::RetryNow),
            Jump::LogOut => {
                self.ask_log_out(false, model, out);
            }
        }
    }
}

fn entries(model: &Model) -> Vec<Entry<Jump>> {
    let mut entries = Vec::new();
    let mut add = |icon, text: String, kind, to| entries.push(Entry { icon, text, kind, to });
    for place in places(model) {
        add(icon_of(place), place.name().to_owned(), "Page", Jump::Place(place));
    }
    for section in Section::ALL {
        add(section.icon(), section.name().to_owned(), "Settings", Jump::Section(section));
    }
    add(icons::PLUS, "Make a key…".to_owned(), "Action", Jump::NewKey);
    add(icons::USERS, "People".to_owned(), "Keys", Jump::People);
    match model.sample {
        SampleState::Off if model.may(Right::Publish) && model.may(Right::Subscribe) => {
            add(icons::THERMOMETER, "Start the sample sensor".to_owned(), "Action", Jump::Sample(true));
        }
        SampleState::Off => {}
        SampleState::Running => {
            add(icons::STOP, "Stop the sample sensor".to_owned(), "Action", Jump::Sample(false));
        }
    }
    if !matches!(model.link, LinkState::Online { .. }) {
        add(icons::ARROW_CLOCKWISE, "Retry the connection now".to_owned(), "Action", Jump::RetryNow);
    }
    add(icons::LINK, "Copy the invite link".to_owned(), "Action", Jump::CopyInvite);
    add(icons::MOON, "Dark theme".to_owned(), "Action", Jump::Theme("dark"));
    add(icons::SUN, "Light theme".to_owned(), "Action", Jump::Theme("light"));
    add(icons::MONITOR, "Theme of the system".to_owned(), "Action", Jump::Theme("system"));
    add(icons::SIGN_OUT, "Log out".to_owned(), "Action", Jump::LogOut);
    for key in &model.keys {
        add(icons::KEY, key.label.clone(), "Key", Jump::Key(key.id.clone()));
    }
    let mut topics: Vec<&TopicName> = model.outbox.iter().map(|entry| &entry.topic).collect();
    topics.extend(model.messages.tree().names().take(TOPICS));
    topics.sort();
    topics.dedup();
    for topic in topics {
        add(icons::HASH, topic.to_string(), "Topic", Jump::Topic(topic.clone()));
    }
    entries
}
