//! The settings: the account, the station, programs that speak plain MQTT, this computer, and what is not protected.
//!
//! One section at a time beside their list. Everything that needs more input is a dialog, in `dialogs`. Start at
//! [`SettingsPanel::ui`].

mod account;
mod broker;
mod computer;
mod device;
mod dialogs;
mod programs;
mod protection;
mod station;
mod will;

use std::path::Path;

use eframe::egui::{Frame, Margin, Panel, ScrollArea, Ui};

use crate::{
    client::{Asked, Command, Event},
    desktop::{
        dialogs::TextSaver,
        icons,
        model::{Model, Outbound, problem_of},
        theme::PANEL_MARGIN,
        widgets::{Banner, TreeRow},
    },
};

use dialogs::Dialog;

/// A section of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// Name, role, password, codes.
    #[default]
    Account,
    /// Where the account is.
    Station,
    /// What carries the messages.
    Broker,
    /// What the station publishes if this computer vanishes.
    Will,
    /// Programs that speak plain MQTT.
    Programs,
    /// What rests here, and how the window looks.
    Computer,
    /// What is not protected.
    Protection,
    /// The program.
    About,
}

impl Section {
    /// Every section, in the order of the list.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Station,
        Self::Broker,
        Self::Will,
        Self::Programs,
        Self::Computer,
        Self::Protection,
        Self::About,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "Account and security",
            Self::Station => "Station",
            Self::Broker => "Broker",
            Self::Will => "Will",
            Self::Programs => "Plain MQTT programs",
            Self::Computer => "This computer",
            Self::Protection => "What is not protected",
            Self::About => "About",
        }
    }

    /// Its icon.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Account => icons::USER_CIRCLE,
            Self::Station => icons::HARD_DRIVES,
            Self::Broker => icons::PLUGS_CONNECTED,
            Self::Will => icons::HEARTBEAT,
            Self::Programs => icons::CPU,
            Self::Computer => icons::DESKTOP,
            Self::Protection => icons::SHIELD_WARNING,
            Self::About => icons::INFO,
        }
    }
}

/// What the settings need besides the model.
#[derive(Debug)]
pub struct SettingsContext<'a> {
    /// Whether this computer's own station is in use.
    pub(in crate::desktop) own_station: bool,
    /// The data folder.
    pub(in crate::desktop) data_folder: Option<&'a Path>,
    /// For files that a person asked to be saved.
    pub(in crate::desktop) saver: &'a mut TextSaver,
}

/// What only the app can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsWish {
    /// Log out and choose another station.
    AnotherStation,
}

/// The settings' view state.
#[derive(Debug, Default)]
pub struct SettingsPanel {
    section: Section,
    dialog: Option<Dialog>,
    will: will::WillForm,
    broker: broker::BrokerSection,
}

impl SettingsPanel {
    /// Shows a section.
    pub fn show_section(&mut self, section: Section) {
        self.section = section;
    }

    /// Opens the dialog for new recovery codes.
    pub fn new_recovery_codes(&mut self) {
        self.section = Section::Account;
        self.dialog = Some(Dialog::new_codes());
    }

    /// Begins to turn one-time codes on.
    pub fn turn_on_codes(&mut self, out: &mut Outbound) {
        self.section = Section::Account;
        self.dialog = Some(Dialog::one_time());
        out.send(Command::BeginOtp);
    }

    /// What is shown once arrives as an event.
    pub fn on_event(&mut self, event: &Event) {
        dialogs::told(&mut self.dialog, event);
        self.will.on_event(event);
        self.broker.on_event(event);
    }

    /// Draws the page.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        model: &mut Model,
        out: &mut Outbound,
        mut context: SettingsContext<'_>,
    ) -> Option<SettingsWish> {
        let list = Frame::new().inner_margin(Margin { left: 12, right: 8, top: 14, bottom: 12 });
        Panel::left("settings sections").exact_size(226.0).resizable(false).frame(list).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for section in Section::ALL {
                let row = TreeRow::new(section.name()).icon(section.icon()).selected(section == self.section);
                if row.show(ui).response.clicked() {
                    self.section = section;
                }
            }
        });
        if self.section == Section::Programs
            && model.devices.is_none()
            && !model.is_pending(Asked::Devices)
            && model.failure(Asked::Devices).is_none()
        {
            out.send(Command::ListDevices);
        }
        let mut wish = None;
        ScrollArea::vertical().id_salt(("settings", self.section.name())).auto_shrink(false).show(ui, |ui| {
            Frame::new().inner_margin(Margin::same(PANEL_MARGIN as i8)).show(ui, |ui| {
                ui.set_max_width(ui.available_width().min(720.0));
                self.failures(ui, model);
                match self.section {
                    Section::Account => account::show(ui, model, out, &mut self.dialog),
                    Section::Station => wish = station::show(ui, model, out, &context),
                    Section::Broker => self.broker.show(ui, model, out),
                    Section::Will => self.will.show(ui, model, out),
                    Section::Programs => programs::show(ui, model, &mut self.dialog),
                    Section::Computer => computer::show(ui, model, out, &context, &mut self.dialog),
                    Section::Protection => protection::show(ui),
                    Section::About => protection::about(ui, model),
                }
            });
        });
        dialogs::show(ui.ctx(), &mut self.dialog, model, out, &mut context);
        wish
    }

    /// Failures of what this page asks for, unless a dialog shows them.
    fn failures(&self, ui: &mut Ui, model: &mut Model) {
        for asked in [
            Asked::Otp,
            Asked::RecoveryCodes,
            Asked::ChangePassword,
            Asked::Devices,
            Asked::History,
            Asked::Will,
            Asked::Broker,
            Asked::TestBroker,
        ] {
            if self.dialog.as_ref().and_then(Dialog::asked) == Some(asked) || self.broker.shows(asked) {
                continue;
            }
            let Some(problem) = model.failure(asked).map(problem_of) else { continue };
            if Banner::error(&problem).dismissible().show(ui).dismissed {
                model.dismiss(asked);
            }
        }
    }
}
