//! While the station starts behind the window, and when it does not.

use eframe::egui::Ui;

use super::ScreenAction;
use super::page::{self, ScreenContext};
use crate::desktop::icons;
use crate::desktop::widgets::{Banner, Button, Problem, waiting};

/// How the start goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starting {
    /// Under way; what is being done, in a few words: "Starting your station…".
    Running {
        /// The step.
        step: String,
        /// It takes longer than usual: say so, and offer the way out.
        slow: bool,
    },
    /// It did not work.
    Failed(Problem),
}

impl Default for Starting {
    fn default() -> Self {
        Self::Running { step: "Starting your station…".to_owned(), slow: false }
    }
}

/// Draws it.
pub fn starting_ui(ui: &mut Ui, state: &Starting, context: &ScreenContext<'_>) -> Option<ScreenAction> {
    page::page(ui, context, "starting", |ui, page| match state {
        Starting::Running { step, slow } => {
            page::head(
                ui,
                "One moment",
                "Your station keeps accounts and carries messages. It opens none of them.",
                false,
            );
            waiting(ui, step);
            let mut action = None;
            if *slow {
                page::gap(ui);
                page::paragraph(ui, "This takes longer than usual.");
                ui.horizontal(|ui| {
                    if Button::secondary("Try again").icon(icons::ARROW_CLOCKWISE).show(ui).clicked() {
                        action = Some(ScreenAction::Retry);
                    }
                    if Button::ghost("Another station…").show(ui).clicked() {
                        action = Some(ScreenAction::GoToStation);
                    }
                });
            }
            action
        }
        Starting::Failed(problem) => {
            page::head(ui, "That did not work", "", false);
            Banner::error(problem).show(ui);
            page::gap(ui);
            let mut action = None;
            let retry = Button::primary("Try again").icon(icons::ARROW_CLOCKWISE).large().wide().show(ui);
            if page.fresh {
                retry.request_focus();
            }
            if retry.clicked() {
                action = Some(ScreenAction::Retry);
            }
            ui.horizontal(|ui| {
                if Button::ghost("Another station…").icon(icons::GLOBE).show(ui).clicked() {
                    action = Some(ScreenAction::GoToStation);
                }
                if Button::ghost("Show the logs").icon(icons::FOLDER_OPEN).show(ui).clicked() {
                    action = Some(ScreenAction::ShowLogs);
                }
            });
            action
        }
    })
}
