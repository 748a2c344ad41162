//! The station page, for an admin: the broker's own figures, the sessions that there are, and the accounts.
//!
//! Figures come by the live connection while the page is on; sessions and accounts are asked for again every few
//! seconds while they are looked at, and not at all from another page. Start at [`StationPanel::ui`].

mod accounts;
mod dialogs;
mod figures;
mod sessions;

use std::time::Duration;

use eframe::egui::{Frame, Key, Margin, Modifiers, Panel, Ui};

use crate::{
    client::{Asked, Command, Event, LinkState},
    desktop::{
        icons,
        model::{Model, Outbound, problem_of},
        theme::{PANEL_MARGIN, tokens},
        widgets::{Banner, Problem, TextField, icon_button, segmented},
    },
};

use super::{count_text, grouped};
use dialogs::Dialog;

/// How often what is looked at is asked for again.
const REFRESH: Duration = Duration::from_secs(3);
/// From this height of the page on there is room for the plot.
const ROOMY: f32 = 520.0;

/// Which table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Sessions,
    Accounts,
}

impl Tab {
    const fn asked(self) -> Asked {
        match self {
            Self::Sessions => Asked::Sessions,
            Self::Accounts => Asked::Accounts,
        }
    }
}

/// The station page's view state.
#[derive(Debug, Default)]
pub struct StationPanel {
    tab: Tab,
    find: String,
    session: Option<u64>,
    account: Option<String>,
    dialog: Option<Dialog>,
    /// The open question was answered with yes: what fails now is its failure.
    sent: bool,
    /// The figures are asked for.
    watching: bool,
    /// What was last asked for, and when, in seconds of the window's clock.
    asked: Option<(Tab, String, f64)>,
    /// Why the last answer did not come; kept while it is asked for again, so that it does not flicker.
    stale: Option<Problem>,
}

impl StationPanel {
    /// Takes note of an event.
    pub fn on_event(&mut self, event: &Event, _: &Model) {
        match event {
            Event::Failed(asked, failure) if *asked == self.tab.asked() => {
                self.stale = Some(problem_of(failure));
            }
            Event::Sessions { .. } if self.tab == Tab::Sessions => self.stale = None,
            Event::Accounts { .. } if self.tab == Tab::Accounts => self.stale = None,
            Event::SessionEnded { .. } | Event::AccountChanged { .. } => {
                self.dialog = None;
                // At once, and not at the next turn.
                self.asked = None;
            }
            Event::LoggedIn(_) | Event::LoggedOut { .. } => *self = Self::default(),
            _ => {}
        }
    }

    /// Another page is on: nothing is asked for any more.
    pub fn rest(&mut self, out: &mut Outbound) {
        if std::mem::take(&mut self.watching) {
            out.send(Command::WatchBroker(false));
        }
        self.asked = None;
    }

    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        if !std::mem::replace(&mut self.watching, true) {
            out.send(Command::WatchBroker(true));
        }
        self.refresh(ui, model, out);
        if self.dialog.is_none() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            (self.session, self.account) = (None, None);
        }
        self.detail(ui, model, out);
        Frame::new().inner_margin(Margin::same(PANEL_MARGIN as i8)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 12.0;
            figures::show(ui, model, ui.available_height() >= ROOMY);
            self.bar(ui, model);
            if let Some(stale) = &self.stale
                && Banner::error(stale).action("Try again").low().show(ui).acted
            {
                self.asked = None;
            }
            match self.tab {
                Tab::Sessions => {
                    if sessions::show(ui, model, &self.find, &mut self.session) {
                        self.find.clear();
                    }
                }
                Tab::Accounts => {
                    if accounts::show(ui, model, &self.find, &mut self.account) {
                        self.find.clear();
                    }
                }
            }
        });
        dialogs::show(ui.ctx(), &mut self.dialog, &mut self.sent, model, out);
    }

    /// Asks for what is looked at, now and then.
    fn refresh(&mut self, ui: &Ui, model: &Model, out: &mut Outbound) {
        ui.ctx().request_repaint_after(REFRESH);
        if !matches!(model.link, LinkState::Online { .. }) && self.asked.is_some() && self.stale.is_some() {
            // The bar says that the station does not answer; the next try is made once it does, or by the button.
            return;
        }
        let now = ui.input(|input| input.time);
        let find = match self.tab {
            Tab::Sessions => self.find.trim().to_owned(),
            Tab::Accounts => String::new(),
        };
        let another = match &self.asked {
            None => true,
            Some((tab, asked, _)) => *tab != self.tab || *asked != find,
        };
        let due = self.asked.as_ref().is_none_or(|(.., at)| now - at >= REFRESH.as_secs_f64());
        // What was typed is asked at once; what is the same waits for its answer.
        if !another && (!due || model.is_pending(self.tab.asked())) {
            return;
        }
        out.send(match self.tab {
            Tab::Sessions => Command::ListSessions { find: find.clone() },
            Tab::Accounts => Command::ListAccounts,
        });
        self.asked = Some((self.tab, find, now));
    }

    fn bar(&mut self, ui: &mut Ui, model: &Model) {
        ui.horizontal(|ui| {
            let tabs = [(Tab::Sessions, "Sessions"), (Tab::Accounts, "Accounts")];
            if segmented(ui, "What is shown", &mut self.tab, &tabs) {
                (self.stale, self.find) = (None, String::new());
            }
            let hint = match self.tab {
                Tab::Sessions => "Find by client, account or address",
                Tab::Accounts => "Find by name or role",
            };
            TextField::new("Find", &mut self.find)
                .hide_label()
                .compact()
                .icon(icons::MAGNIFYING_GLASS)
                .hint(hint)
                .width((ui.available_width() - 220.0).clamp(150.0, 320.0))
                .limit(200)
                .show(ui);
            if icon_button(ui, icons::ARROW_CLOCKWISE, "Look again").clicked() {
                self.asked = None;
            }
            let count = match self.tab {
                Tab::Sessions => model.sessions.as_ref().map(|state| {
                    let shown = state.sessions.len();
                    match shown < state.total {
                        true => format!("the first {shown} of {}", grouped(state.total as u64)),
                        false => count_text(state.total as u64, "session"),
                    }
                }),
                Tab::Accounts => {
                    model.accounts.as_ref().map(|(all, _)| count_text(all.len() as u64, "account"))
                }
            };
            if let Some(count) = count {
                crate::desktop::widgets::muted(ui, &count);
            }
        });
    }

    /// What is selected, whole, beside the table.
    fn detail(&mut self, ui: &mut Ui, model: &Model, out: &mut Outbound) {
        let session = match (self.tab, self.session, &model.sessions) {
            (Tab::Sessions, Some(id), Some(state)) => state.sessions.iter().find(|session| session.id == id),
            _ => None,
        };
        let account = match (self.tab, &self.account, &model.accounts) {
            (Tab::Accounts, Some(name), Some((all, _))) => all.iter().find(|line| line.username == *name),
            _ => None,
        };
        if session.is_none() && account.is_none() {
            return;
        }
        let t = tokens(ui);
        let width = if ui.available_width() > 1100.0 { 340.0 } else { 280.0 };
        let mut close = false;
        Panel::right("station detail")
            .exact_size(width)
            .resizable(false)
            .frame(Frame::new().fill(t.panel).inner_margin(Margin::same(PANEL_MARGIN as i8)))
            .show(ui, |ui| {
                let (closed, wanted) = match (session, account) {
                    (Some(session), _) => sessions::detail(ui, session, model, out),
                    (None, Some(account)) => accounts::detail(ui, account, model),
                    (None, None) => (false, None),
                };
                close = closed;
                if let Some(wanted) = wanted {
                    (self.dialog, self.sent) = (Some(wanted), false);
                }
            });
        if close {
            (self.session, self.account) = (None, None);
        }
    }
}
