//! Banners: what happened, why, and the next step, where the eye already is.

use eframe::egui::{self, CornerRadius, Frame, Margin, Response, RichText, Role, Stroke, Ui, WidgetInfo};

use super::button::{Button, icon_button_small};
use crate::desktop::theme::{RADIUS, Tone, tokens};
use crate::desktop::{fonts, icons};

/// Something went wrong, told so that a person can act: what, why, and the next step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// What happened, in one short sentence.
    pub what: String,
    /// Why; may be empty.
    pub why: String,
    /// What to do now; may be empty.
    pub next: String,
}

impl Problem {
    /// A problem from its three parts.
    pub fn new(what: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), next: next.into() }
    }
}

/// How serious a banner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It failed, or would be dangerous.
    Error,
    /// It works, but look.
    Warning,
    /// Good to know.
    Info,
    /// Done.
    Success,
}

impl Severity {
    /// The tone that goes with it.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::Error => Tone::Red,
            Self::Warning => Tone::Amber,
            Self::Info => Tone::Accent,
            Self::Success => Tone::Green,
        }
    }

    /// The icon that says the same as the colour.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Error => icons::WARNING_OCTAGON,
            Self::Warning => icons::WARNING,
            Self::Info => icons::INFO,
            Self::Success => icons::CHECK_CIRCLE,
        }
    }
}

/// What a person did with a banner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BannerAnswer {
    /// The button was pressed.
    pub acted: bool,
    /// The cross was pressed.
    pub dismissed: bool,
}

/// A banner across the width there is.
#[must_use = "a banner appears only when it is shown"]
#[derive(Debug, Clone, Copy)]
pub struct Banner<'a> {
    severity: Severity,
    what: &'a str,
    why: &'a str,
    next: &'a str,
    action: Option<&'a str>,
    dismissible: bool,
    low: bool,
}

impl<'a> Banner<'a> {
    /// A banner that says what happened.
    pub const fn new(severity: Severity, what: &'a str) -> Self {
        Self { severity, what, why: "", next: "", action: None, dismissible: false, low: false }
    }

    /// A problem, as an error.
    pub fn error(problem: &'a Problem) -> Self {
        Self::new(Severity::Error, &problem.what).why(&problem.why).next(&problem.next)
    }

    /// Why it happened.
    pub const fn why(mut self, why: &'a str) -> Self {
        self.why = why;
        self
    }

    /// What to do now.
    pub const fn next(mut self, next: &'a str) -> Self {
        self.next = next;
        self
    }

    /// A button that does the next step.
    pub const fn action(mut self, text: &'a str) -> Self {
        self.action = Some(text);
        self
    }

    /// A cross to close it.
    pub const fn dismissible(mut self) -> Self {
        self.dismissible = true;
        self
    }

    /// Low: why and next step on one line, the button at the right end. For a banner that stays over a page.
    pub const fn low(mut self) -> Self {
        self.low = true;
        self
    }

    /// Draws it.
    pub fn show(self, ui: &mut Ui) -> BannerAnswer {
        let t = tokens(ui);
        let tone = self.severity.tone();
        let mut answer = BannerAnswer::default();
        let response = Frame::new()
            .fill(tone.tint(t))
            .stroke(Stroke::new(1.0, tone.border(t)))
            .corner_radius(CornerRadius::same(RADIUS))
            .inner_margin(Margin::symmetric(12, if self.low { 8 } else { 11 }))
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                if self.low {
                    answer = self.row(ui);
                    return;
                }
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = 10.0;
                    ui.label(icons::icon(self.severity.icon(), 16.0).color(tone.text(t)));
                    let right = if self.dismissible { 34.0 } else { 0.0 };
                    let width = ui.available_width() - right;
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        ui.spacing_mut().item_spacing.y = 3.0;
                        wrapped(ui, RichText::new(self.what).font(fonts::medium(13.0)).color(tone.text(t)));
                        for line in [self.why, self.next] {
                            if !line.is_empty() {
                                wrapped(ui, RichText::new(line).font(fonts::regular(12.5)).color(t.text));
                            }
                        }
                        if let Some(action) = self.action {
                            ui.add_space(4.0);
                            answer.acted = Button::secondary(action).show(ui).clicked();
                        }
                    });
                    if self.dismissible {
                        answer.dismissed = icon_button_small(ui, icons::X, "Dismiss").clicked();
                    }
                });
            })
            .response;
        announce(&response, self.what);
        answer
    }

    fn row(self, ui: &mut Ui) -> BannerAnswer {
        let t = tokens(ui);
        let tone = self.severity.tone();
        let mut answer = BannerAnswer::default();
        // As wide as the button was in the last frame; a first look is not shown.
        let id = ui.scope_id().with(("banner action", self.action));
        let known: Option<f32> = ui.data(|data| data.get_temp(id));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 10.0;
            ui.label(icons::icon(self.severity.icon(), 16.0).color(tone.text(t)));
            let width = (ui.available_width() - known.unwrap_or(160.0) - 10.0).max(80.0);
            ui.vertical(|ui| {
                ui.set_width(width);
                ui.spacing_mut().item_spacing.y = 2.0;
                wrapped(ui, RichText::new(self.what).font(fonts::medium(13.0)).color(tone.text(t)));
                let words = format!("{} {}", self.why, self.next);
                wrapped(ui, RichText::new(words.trim()).font(fonts::regular(12.5)).color(t.text));
            });
            let Some(action) = self.action else { return };
            let button = Button::secondary(action).show(ui);
            answer.acted = button.clicked();
            if known.is_none_or(|known| (known - button.rect.width()).abs() > 0.5) {
                ui.data_mut(|data| data.insert_temp(id, button.rect.width()));
                ui.ctx().request_discard("the button of a banner changed its width");
            }
        });
        answer
    }
}

fn wrapped(ui: &mut Ui, text: RichText) {
    ui.add(egui::Label::new(text).wrap());
}

/// Tells a screen reader at once.
fn announce(response: &Response, text: &str) {
    response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, text));
    response.ctx.accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
}

/// The error banner of a form, where there is a problem.
pub fn problem(ui: &mut Ui, problem: Option<&Problem>) {
    if let Some(problem) = problem {
        Banner::error(problem).show(ui);
        ui.add_space(6.0);
    }
}
