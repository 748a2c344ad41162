//! The app: events in, frames out, commands sent after the frame.

use std::time::Instant;

use eframe::egui::{Context, Ui};

use crate::{
    acl::Right,
    client::{Asked, Command, Event, Session},
};

use super::{
    cards::{self, Step},
    dialogs::{SavePurpose, TextSaver},
    entry::{Entry, Hands},
    inside::Inside,
    intake::{Intake, TAKING_IN},
    model::{Happened, Model, Outbound, asked_by},
    start::{Starter, StationSource},
    theme::{self, ThemeChoice},
    widgets::{Severity, Toasts},
};

/// How many messages are opened again from the disk at login; the table holds more.
const HISTORY: u32 = 5_000;
/// The name under which the theme is remembered.
pub(super) const THEME_PREFERENCE: &str = "theme";

/// What an app is made from.
pub struct AppConfig {
    /// The person's side.
    pub session: Session,
    /// This computer's own station.
    pub station: StationSource,
}

/// The window's whole state.
pub struct App {
    session: Session,
    intake: Intake,
    starter: Starter,
    saver: TextSaver,
    model: Model,
    toasts: Toasts,
    entry: Entry,
    inside: Option<Inside>,
    /// The first preferences came, and with them the choice of the station.
    begun: bool,
    /// The station was lost and is being started again, while somebody is logged in.
    restarting: bool,
}

impl App {
    /// An app in a context; `cc.egui_ctx` where there is a creation context.
    #[must_use]
    pub fn new(ctx: &Context, config: AppConfig) -> Self {
        theme::apply(ctx, ThemeChoice::System);
        Self {
            session: config.session,
            intake: Intake::default(),
            starter: Starter::new(config.station),
            saver: TextSaver::default(),
            model: Model::new(),
            toasts: Toasts::default(),
            entry: Entry::new(),
            inside: None,
            begun: false,
            restarting: false,
        }
    }

    /// What the window knows, for tests.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    fn take_in(&mut self, event: Event, ctx: &Context, out: &mut Outbound) {
        let preferences = matches!(event, Event::Preferences(_));
        if let Some(inside) = &mut self.inside {
            inside.on_event(&event, &self.model);
        }
        let mut hands = Hands { ctx, out, starter: &mut self.starter, saver: &mut self.saver };
        self.entry.told(&event, &self.model, &mut hands);
        let happened = self.model.apply(event);
        if preferences {
            ctx.set_theme(theme_choice(self.model.preference(THEME_PREFERENCE)));
            if !self.begun {
                self.begun = true;
                self.entry.begin(&self.model, &mut hands);
            }
        }
        match happened {
            Some(Happened::LoggedIn) if self.inside.is_none() => {
                self.inside = Some(Inside::new(&self.model));
                if self.model.may(Right::Subscribe) {
                    out.send(Command::LoadHistory { limit: HISTORY });
                }
            }
            Some(Happened::LoggedOut(_)) => self.inside = None,
            Some(Happened::Told(severity, text)) => self.toasts.push(severity, text),
            Some(Happened::Failed(asked)) => {
                // A failure that no page in sight shows is told in a toast.
                if let (Some(inside), Some(failure)) = (&self.inside, self.model.failure(asked))
                    && !self.entry.holds_the_window()
                    && !inside.shows_failure(asked)
                {
                    self.toasts.push(Severity::Error, format!("{} {}", failure.what, failure.why));
                }
            }
            Some(Happened::LoggedIn | Happened::LogInAgain) | None => {}
        }
    }

    fn station_attempt(&mut self, ctx: &Context, out: &mut Outbound) {
        let Some(outcome) = self.starter.poll() else { return };
        if self.restarting {
            self.restarting = false;
            if let Err(problem) = &outcome {
                self.toasts.push(Severity::Error, format!("{} {}", problem.what, problem.why));
                return;
            }
        }
        let mut hands = Hands { ctx, out, starter: &mut self.starter, saver: &mut self.saver };
        self.entry.started(outcome, self.inside.is_some(), &mut hands);
        if self.inside.is_some() {
            out.send(Command::RetryNow);
        }
    }

    fn file_saved(&mut self) {
        let Some(saved) = self.saver.poll() else { return };
        let on_screen = self.entry.holds_the_window() || self.inside.is_none();
        match saved.outcome {
            outcome if on_screen && saved.purpose == SavePurpose::RecoveryCodes => {
                self.entry.saved(outcome.map(|path| super::dialogs::file_name(&path)));
            }
            Ok(path) => self.toasts.push(Severity::Success, format!("Saved as {}.", path.display())),
            Err(problem) => self.toasts.push(Severity::Error, format!("{} {}", problem.what, problem.why)),
        }
    }

    /// Sends what a frame asked for.
    fn carry_out(&mut self, out: Outbound, ctx: &Context) {
        for command in out.commands {
            match &command {
                Command::SetPreference { name, value } if name == THEME_PREFERENCE => {
                    ctx.set_theme(theme_choice(Some(value)));
                }
                Command::ClearHistory => self.model.messages.clear(),
                _ => {}
            }
            if let Some(asked) = asked_by(&command) {
                self.model.ask(asked);
            }
            self.session.send(command);
        }
        for (severity, text) in out.toasts {
            self.toasts.push(severity, text);
        }
        if let Some(inside) = &mut self.inside {
            if let Some(place) = out.go {
                inside.go(place);
            }
            if let Some(topic) = out.publish_to {
                inside.publish_to(&topic);
            }
            if let Some(filter) = out.new_key_for {
                inside.new_key_for(&filter);
            }
            if out.edit_will {
                inside.edit_will();
            }
            if out.import_key {
                inside.import_key();
            }
            if out.show_people {
                inside.show_people(out.person);
            }
        }
    }
}

/// The theme that is remembered; the system's where none is.
pub(super) fn theme_choice(remembered: Option<&str>) -> ThemeChoice {
    match remembered {
        Some("dark") => ThemeChoice::Dark,
        Some("light") => ThemeChoice::Light,
        _ => ThemeChoice::System,
    }
}

impl eframe::App for App {
    /// Takes in what was told; also runs while the window is hidden, so that nothing piles up.
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        let mut out = Outbound::new();
        let until = Instant::now() + TAKING_IN;
        while let Some(event) = self.intake.next(&self.session, until) {
            self.take_in(event, ctx, &mut out);
        }
        self.station_attempt(ctx, &mut out);
        self.file_saved();
        self.carry_out(out, ctx);
        if self.intake.has_more(&self.session) {
            ctx.request_repaint();
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let mut out = Outbound::new();
        match &mut self.inside {
            Some(inside) if !self.entry.holds_the_window() => {
                let mut around = super::inside::Around {
                    own_station: self.entry.uses_own(),
                    starting: self.starter.is_running(),
                    data_folder: self.starter.folder().map(std::path::PathBuf::as_path),
                    saver: &mut self.saver,
                };
                let wanted = inside.show(ui, &mut self.model, &mut around, &mut out);
                if wanted.start_station {
                    self.restarting = true;
                    self.starter.begin(&ctx);
                }
                if wanted.another_station {
                    self.entry.go_to_station();
                    out.send(Command::LogOut);
                }
            }
            _ => {
                let kept = self.entry.codes_kept();
                let mut hands =
                    Hands { ctx: &ctx, out: &mut out, starter: &mut self.starter, saver: &mut self.saver };
                self.entry.show(ui, &self.model, &mut hands);
                if let (false, true, Some(account)) = (kept, self.entry.codes_kept(), &self.model.account) {
                    out.send(cards::remember(Step::RecoveryCodes, &account.username));
                    // A code that was wrong before “Later” is no news any more.
                    self.model.dismiss(Asked::Otp);
                }
            }
        }
        self.toasts.show(&ctx);
        self.carry_out(out, &ctx);
    }

    fn clear_color(&self, visuals: &eframe::egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
