//! After login: rail, bars and the page that is on; dialogs that belong to no page.
//!
//! `bars` draws what is always on the screen, `overlays` what lies over it, `jumps` lists what Ctrl+K can reach.
//! Start at [`Inside::show`].

mod bars;
mod jumps;
mod overlays;

use std::path::Path;

use eframe::egui::{Frame, Key, Margin, Modifiers, Ui, UiBuilder};

use crate::{
    acl::Right,
    client::{Asked, Command, Event, SenderKey},
};

use super::{
    cards::{self, Step},
    dialogs::TextSaver,
    icons,
    model::{Model, Outbound, Place},
    palette::Palette,
    panels::{
        AuditPanel, KeysPanel, PublishPanel, Section, SettingsContext, SettingsPanel, StationPanel,
        WatchPanel,
    },
    widgets::{RailEntry, Shell},
};

use overlays::LogInAgain;

/// From this height of the window on, the next steps have a card of their own.
const ROOMY: f32 = 800.0;

/// What the app gives to a frame.
pub(super) struct Around<'a> {
    /// Whether this computer's own station is in use.
    pub(super) own_station: bool,
    /// Whether that station is being started.
    pub(super) starting: bool,
    /// The data folder.
    pub(super) data_folder: Option<&'a Path>,
    /// For files that a person asked to be saved.
    pub(super) saver: &'a mut TextSaver,
}

/// What only the app can do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Start this computer's own station again.
    pub(super) start_station: bool,
    /// Log out and choose another station.
    pub(super) another_station: bool,
}

/// What lies over the page.
#[derive(Debug, Default)]
enum Overlay {
    #[default]
    None,
    /// What the lock in the top bar means.
    Lock,
    /// What the connection in the status bar means.
    Link,
    /// Messages wait: log out all the same? And where to after it.
    LogOut { another_station: bool },
    /// The session at the station ended.
    LogInAgain(LogInAgain),
    /// How somebody else gets in.
    Invite(Step),
}

/// The window after login.
pub(super) struct Inside {
    place: Place,
    watch: WatchPanel,
    publish: PublishPanel,
    keys: KeysPanel,
    audit: AuditPanel,
    station: StationPanel,
    settings: SettingsPanel,
    palette: Palette,
    overlay: Overlay,
}

/// The pages that a role has a use for: no sending for who may not send.
fn places(model: &Model) -> Vec<Place> {
    let offered = |place: &Place| match place {
        Place::Watch => model.may(Right::Subscribe),
        Place::Publish => model.may(Right::Publish),
        Place::Station => model.is_admin(),
        Place::Keys | Place::Audit | Place::Settings => true,
    };
    Place::ALL.into_iter().filter(offered).collect()
}

const fn icon_of(place: Place) -> &'static str {
    match place {
        Place::Watch => icons::EYE,
        Place::Publish => icons::PAPER_PLANE_TILT,
        Place::Keys => icons::KEY,
        Place::Audit => icons::SCROLL,
        Place::Station => icons::COMPUTER_TOWER,
        Place::Settings => icons::GEAR_SIX,
    }
}

impl Inside {
    /// Lands on Watch, and who only sends on Publish.
    pub(super) fn new(model: &Model) -> Self {
        let place = places(model).first().copied().unwrap_or(Place::Settings);
        Self {
            place,
            watch: WatchPanel::default(),
            publish: PublishPanel::default(),
            keys: KeysPanel::default(),
            audit: AuditPanel::default(),
            station: StationPanel::default(),
            settings: SettingsPanel::default(),
            palette: Palette::default(),
            overlay: Overlay::None,
        }
    }

    pub(super) fn go(&mut self, place: Place) {
        self.place = place;
    }

    pub(super) fn publish_to(&mut self, topic: &str) {
        self.publish.set_topic(topic);
        self.place = Place::Publish;
    }

    pub(super) fn new_key_for(&mut self, filter: &str) {
        self.keys.new_key_for(filter);
        self.place = Place::Keys;
    }

    /// Shows where the will is written.
    pub(super) fn edit_will(&mut self) {
        self.show_section(Section::Will);
    }

    pub(super) fn import_key(&mut self) {
        self.keys.import_key();
        self.place = Place::Keys;
    }

    /// Shows whose signatures are known.
    pub(super) fn show_people(&mut self, person: Option<SenderKey>) {
        self.keys.show_people(person);
        self.place = Place::Keys;
    }

    /// Tells every panel, before the model takes the event in.
    pub(super) fn on_event(&mut self, event: &Event, model: &Model) {
        self.watch.on_event(event, model);
        self.publish.on_event(event, model);
        self.keys.on_event(event, model);
        self.station.on_event(event, model);
        self.settings.on_event(event);
        match event {
            Event::LoggedIn(_) if matches!(self.overlay, Overlay::LogInAgain(_)) => {
                self.overlay = Overlay::None;
            }
            Event::Failed(Asked::LogIn, _) => {
                if let Overlay::LogInAgain(form) = &mut self.overlay {
                    form.failed();
                }
            }
            _ => {}
        }
    }

    /// Whether the page or dialog in sight shows failures of this kind by itself.
    pub(super) fn shows_failure(&self, asked: Asked) -> bool {
        match asked {
            Asked::LogIn => matches!(self.overlay, Overlay::LogInAgain(_)),
            Asked::Publish => self.place == Place::Publish,
            Asked::Clear => matches!(self.place, Place::Publish | Place::Watch),
            Asked::Subscribe | Asked::Sample => self.place == Place::Watch,
            Asked::History => matches!(self.place, Place::Watch | Place::Settings),
            Asked::CreateKey
            | Asked::ImportKey
            | Asked::ExportKey
            | Asked::DeleteKey
            | Asked::RotateKey
            | Asked::RetireKey
            | Asked::EditKey
            | Asked::KeyConsequences
            | Asked::ExportKeys
            | Asked::ImportKeys
            | Asked::Passphrase
            | Asked::People => self.place == Place::Keys && self.keys.shows_failure(asked),
            Asked::Audit => self.place == Place::Audit,
            Asked::Figures | Asked::Sessions | Asked::EndSession | Asked::Accounts | Asked::ChangeAccount => {
                self.place == Place::Station
            }
            Asked::Otp
            | Asked::ChangePassword
            | Asked::RecoveryCodes
            | Asked::Devices
            | Asked::Will
            | Asked::Broker
            | Asked::TestBroker => self.place == Place::Settings,
            Asked::OpenStation | Asked::SignUp | Asked::Reset | Asked::LogOut => false,
        }
    }

    /// Draws the window.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        model: &mut Model,
        around: &mut Around<'_>,
        out: &mut Outbound,
    ) -> Wanted {
        let mut wanted = Wanted::default();
        let places = places(model);
        if !places.contains(&self.place) {
            self.place = places.first().copied().unwrap_or(Place::Settings);
        }
        let mut rail: Vec<RailEntry<'_>> = places
            .iter()
            .map(|place| match place {
                Place::Settings => RailEntry::bottom(icon_of(*place), place.name()),
                _ => RailEntry::new(icon_of(*place), place.name()),
            })
            .collect();
        rail.push(RailEntry::bottom(icons::SIGN_OUT, "Log out"));
        let active = places.iter().position(|place| *place == self.place).unwrap_or_default();
        let shell = Shell { rail: &rail, active, title: self.place.name() };

        // Each part of the frame notes what was pressed in it; they are drawn one after another.
        let (mut controls, mut left, mut banner) =
            (bars::Pressed::None, bars::Pressed::None, bars::Pressed::None);
        let Self { place, watch, publish, keys, audit, station, settings, .. } = self;
        let place = *place;
        let mut step = None;
        let mut settings_wish = None;
        let clicked = {
            let shared = &*model;
            let snapshot = bars::Snapshot::of(shared);
            shell.show(
                ui,
                |ui| snapshot.role_pill(ui),
                |ui| controls = snapshot.controls(ui),
                |ui| left = snapshot.status_left(ui),
                |ui| snapshot.status_right(ui),
                |ui| {
                    let steps = cards::is_wanted(model) && landing(model) == Some(place);
                    if snapshot.needs_banner() || steps {
                        Frame::new().inner_margin(Margin { left: 16, right: 16, top: 14, bottom: 0 }).show(
                            ui,
                            |ui| {
                                banner = snapshot.banner(ui, around.own_station, around.starting);
                                if steps {
                                    // With little height, or a warning above it, the page needs the room more.
                                    let low =
                                        snapshot.needs_banner() || ui.ctx().content_rect().height() < ROOMY;
                                    step = cards::next_steps(ui, model, low, out);
                                }
                            },
                        );
                    }
                    // What is left of the page is the panel's own.
                    let rect = ui.available_rect_before_wrap();
                    let ui = &mut ui.new_child(UiBuilder::new().id_salt(place.name()).max_rect(rect));
                    ui.set_clip_rect(rect.intersect(ui.clip_rect()));
                    match place {
                        Place::Watch => watch.ui(ui, model, out),
                        Place::Publish => publish.ui(ui, model, out),
                        Place::Keys => keys.ui(ui, model, out),
                        Place::Audit => audit.ui(ui, model, out),
                        Place::Station => station.ui(ui, model, out),
                        Place::Settings => {
                            let context = SettingsContext {
                                own_station: around.own_station,
                                data_folder: around.data_folder,
                                saver: &mut *around.saver,
                            };
                            settings_wish = settings.ui(ui, model, out, context);
                        }
                    }
                },
            )
        };
        if place != Place::Station {
            station.rest(out);
        }
        match clicked {
            Some(index) if index == places.len() => {
                self.ask_log_out(false, model, out);
            }
            Some(index) => self.place = places[index],
            None => {}
        }
        for pressed in [controls, left, banner] {
            self.pressed(pressed, &mut wanted, out);
        }
        if let Some(step) = step {
            self.take_step(step, model, out);
        }
        if settings_wish == Some(super::panels::SettingsWish::AnotherStation) {
            wanted.another_station = self.ask_log_out(true, model, out);
        }
        self.shortcuts(ui);
        self.jump(ui, model, out);
        self.overlay(ui.ctx(), model, &mut wanted, out);
        wanted
    }

    fn pressed(&mut self, pressed: bars::Pressed, wanted: &mut Wanted, out: &mut Outbound) {
        match pressed {
            bars::Pressed::None => {}
            bars::Pressed::Search => self.palette.open(),
            bars::Pressed::Lock => self.overlay = Overlay::Lock,
            bars::Pressed::Link => self.overlay = Overlay::Link,
            bars::Pressed::RetryNow => out.send(Command::RetryNow),
            bars::Pressed::StartStation => wanted.start_station = true,
            bars::Pressed::ChooseBroker => self.show_section(Section::Broker),
            bars::Pressed::LogInAgain => self.overlay = Overlay::LogInAgain(LogInAgain::default()),
        }
    }

    fn take_step(&mut self, step: Step, model: &Model, out: &mut Outbound) {
        match step {
            Step::RecoveryCodes => {
                self.place = Place::Settings;
                self.settings.new_recovery_codes();
            }
            Step::OneTimeCodes => {
                self.place = Place::Settings;
                self.settings.turn_on_codes(out);
            }
            Step::SecondPerson | Step::OtherComputer => {
                if let Some(account) = &model.account {
                    out.send(cards::remember(step, &account.username));
                }
                self.overlay = Overlay::Invite(step);
            }
        }
    }

    /// Logs out at once where nothing waits, else asks first. True when it is under way to another station.
    fn ask_log_out(&mut self, another_station: bool, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.waiting_to_send() > 0 || !model.repeating.is_empty();
        if busy {
            self.overlay = Overlay::LogOut { another_station };
            return false;
        }
        if !another_station {
            out.send(Command::LogOut);
        }
        another_station
    }

    fn shortcuts(&mut self, ui: &Ui) {
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::K)) {
            self.palette.open();
        }
    }

    fn show_section(&mut self, section: Section) {
        self.place = Place::Settings;
        self.settings.show_section(section);
    }
}

/// The page that the card of next steps stands on: the first one.
fn landing(model: &Model) -> Option<Place> {
    places(model).first().copied()
}
