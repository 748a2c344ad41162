//! People: what this account signs with, and whose signatures it can tell. The list; one person is in `person`, comparing
//! digits in `compare`.

use eframe::egui::{Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::{
    client::{PeopleView, PersonView, SenderKey, Standing},
    desktop::{
        fonts, icons,
        model::Model,
        panels::sender::{Sender, sender},
        theme::{Tone, tokens},
        widgets::{caps, muted},
    },
};

use super::{entry, list::line};

/// Height of one entry.
const ENTRY: f32 = 54.0;

/// Who is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Chosen {
    #[default]
    You,
    Person(SenderKey),
}

/// How many need a look: their key or name is another than before.
pub(super) fn doubtful(people: &PeopleView) -> usize {
    let changed =
        |person: &&PersonView| matches!(person.standing, Standing::Changed { .. } | Standing::Renamed { .. });
    people.people.iter().filter(changed).count()
}

/// Draws the list.
pub(super) fn list(ui: &mut Ui, model: &Model, chosen: &mut Chosen) {
    let people = &model.people;
    // Who is gone from the list is not looked at any more.
    if let Chosen::Person(key) = chosen
        && people.of(key).is_none()
    {
        *chosen = Chosen::You;
    }
    let name = model.account.as_ref().map_or("you", |account| account.username.as_str());
    let groups = [
        ("Look at these", [true, false, false]),
        ("Known", [false, true, false]),
        ("Strangers", [false, false, true]),
    ];
    ScrollArea::vertical().id_salt("people").auto_shrink([false, false]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        caps(ui, "You");
        let look = Look {
            name,
            below: "what you sign with",
            icon: icons::USER_CIRCLE,
            tone: Tone::Accent,
        };
        if entry(ui, "you", &look, *chosen == Chosen::You) {
            *chosen = Chosen::You;
        }
        for (title, takes) in groups {
            let members: Vec<&PersonView> =
                people.people.iter().filter(|person| takes[group_of(person)]).collect();
            if members.is_empty() {
                continue;
            }
            ui.add_space(8.0);
            caps(ui, title);
            for person in members {
                let who = sender(people, Some(&person.key));
                let short = person.digits.get(..11).unwrap_or(&person.digits);
                let look =
                    Look { name: name_of(person).unwrap_or(short), below: below(&who), icon: who.icon(), tone: who.tone() };
                let selected = *chosen == Chosen::Person(person.key);
                if entry(ui, &person.digits, &look, selected) {
                    *chosen = Chosen::Person(person.key);
                }
            }
        }
        if people.people.is_empty() {
            ui.add_space(8.0);
            muted(
                ui,
                "Nobody yet. Whoever signs a message that you receive appears here by the name of their account.",
            );
        }
    });
}

/// Where in the list: 0 to be looked at, 1 known, 2 strangers.
const fn group_of(person: &PersonView) -> usize {
    match person.standing {
        Standing::Changed { .. } | Standing::Renamed { .. } => 0,
        Standing::Known { .. } | Standing::Told { .. } => 1,
        Standing::Stranger => 2,
    }
}

/// The name that the station gives, where it gives one.
pub(super) fn name_of(person: &PersonView) -> Option<&str> {
    match &person.standing {
        Standing::Known { name, .. }
        | Standing::Changed { name, .. }
        | Standing::Renamed { name, .. }
        | Standing::Told { name } => Some(name),
        Standing::Stranger => None,
    }
}

const fn below(who: &Sender<'_>) -> &'static str {
    match who {
        Sender::Known { compared: true, .. } => "digits compared",
        Sender::Known { .. } => "digits not compared",
        Sender::Changed { .. } => "signs with another key now",
        Sender::Renamed { .. } => "a known key under another name",
        Sender::Told { .. } => "not remembered",
        Sender::Stranger => "no account of this station",
        Sender::You | Sender::NotSigned => "",
    }
}

/// How somebody shows in the list.
struct Look<'a> {
    name: &'a str,
    below: &'a str,
    icon: &'static str,
    tone: Tone,
}

/// One entry. True when it was chosen.
fn entry(ui: &mut Ui, id: &str, look: &Look<'_>, chosen: bool) -> bool {
    let t = tokens(ui);
    let (_, rect) = ui.allocate_space(vec2(ui.available_width() - 8.0, ENTRY));
    let response = ui.interact(rect, ui.make_persistent_id(("person", id)), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListItem, true, chosen, format!("{}, {}", look.name, look.below))
    });
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    entry::ground(ui, &response, rect, chosen);
    entry::icon(ui, rect, look.icon, look.tone);
    let (left, width) = (rect.left() + 56.0, rect.width() - 68.0);
    line(ui, look.name, fonts::medium(13.0), t.text_strong, pos2(left, rect.top() + 9.0), width);
    line(ui, look.below, fonts::regular(12.0), t.text_muted, pos2(left, rect.top() + 29.0), width);
    entry::edge(ui, &response, rect);
    response.clicked()
}
