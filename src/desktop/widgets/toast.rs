//! Toasts: only for what happened elsewhere. They are labels with a live region, so a screen reader says them.

use eframe::egui::{
    self, Align2, Area, Context, CornerRadius, Frame, Id, Label, Margin, Order, RichText, Role, Stroke,
    WidgetInfo, vec2,
};

use super::banner::Severity;
use super::button::icon_button_small;
use crate::desktop::theme::{RADIUS_CARD, STATUS_BAR_HEIGHT, tokens};
use crate::desktop::{fonts, icons};

/// Seconds that a toast stays; errors stay until they are dismissed.
const SECONDS: f64 = 6.0;
/// The most that are shown at once; older ones make room.
const MOST: usize = 4;

#[derive(Debug, Clone)]
struct Toast {
    severity: Severity,
    text: String,
    born: Option<f64>,
    serial: u64,
}

/// The stack of toasts in the lower right corner.
#[derive(Debug, Clone, Default)]
pub struct Toasts {
    toasts: Vec<Toast>,
    serial: u64,
}

impl Toasts {
    /// Adds one. The same words again renew the toast that is already there.
    pub fn push(&mut self, severity: Severity, text: impl Into<String>) {
        let text = text.into();
        self.toasts.retain(|toast| toast.text != text);
        self.serial += 1;
        self.toasts.push(Toast { severity, text, born: None, serial: self.serial });
        if self.toasts.len() > MOST {
            self.toasts.remove(0);
        }
    }

    /// How many are shown.
    #[must_use]
    pub fn len(&self) -> usize {
        self.toasts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.toasts.is_empty()
    }

    /// Draws them and lets the old ones go.
    pub fn show(&mut self, ctx: &Context) {
        let now = ctx.input(|input| input.time);
        for toast in &mut self.toasts {
            toast.born.get_or_insert(now);
        }
        self.toasts.retain(|toast| {
            toast.severity == Severity::Error || toast.born.is_none_or(|born| now - born < SECONDS)
        });
        let next = self
            .toasts
            .iter()
            .filter(|toast| toast.severity != Severity::Error)
            .filter_map(|toast| toast.born)
            .fold(f64::INFINITY, |next, born| next.min(born + SECONDS - now));
        if next.is_finite() {
            ctx.request_repaint_after(std::time::Duration::from_secs_f64(next.max(0.05)));
        }

        let mut dismissed = None;
        let mut bottom = -(STATUS_BAR_HEIGHT + 12.0);
        for toast in self.toasts.iter().rev() {
            let area = Area::new(Id::unique(("toast", toast.serial)))
                .order(Order::Foreground)
                .anchor(Align2::RIGHT_BOTTOM, vec2(-16.0, bottom));
            let shown = area.show(ctx, |ui| {
                if draw(ui, toast) {
                    dismissed = Some(toast.serial);
                }
            });
            bottom -= shown.response.rect.height() + 8.0;
        }
        self.toasts.retain(|toast| Some(toast.serial) != dismissed);
    }
}

/// True when it was dismissed.
fn draw(ui: &mut egui::Ui, toast: &Toast) -> bool {
    let t = tokens(ui);
    let mut dismissed = false;
    let response = Frame::new()
        .fill(t.card)
        .stroke(Stroke::new(1.0, t.line_strong))
        .corner_radius(CornerRadius::same(RADIUS_CARD))
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            ui.set_max_width(360.0);
            ui.horizontal(|ui| {
                let tone = toast.severity.tone();
                ui.label(icons::icon_fill(toast.severity.icon(), 16.0).color(tone.text(t)));
                let text = RichText::new(&toast.text).font(fonts::regular(13.0)).color(t.text_strong);
                ui.allocate_ui(vec2(280.0, 20.0), |ui| ui.add(Label::new(text).wrap()));
                dismissed = icon_button_small(ui, icons::X, "Dismiss").clicked();
            });
        })
        .response;
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &toast.text));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
    dismissed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ctx: &Context, toasts: &mut Toasts, time: f64) {
        let input = egui::RawInput { time: Some(time), ..egui::RawInput::default() };
        ctx.run_ui(input, |ui| toasts.show(ui.ctx())).drop_without_applying_deltas();
    }

    fn context() -> Context {
        let ctx = Context::default();
        crate::desktop::theme::apply(&ctx, crate::desktop::theme::ThemeChoice::Dark);
        ctx
    }

    #[test]
    fn a_toast_goes_by_itself_and_an_error_stays() {
        let (ctx, mut toasts) = (context(), Toasts::default());
        toasts.push(Severity::Success, "Saved");
        toasts.push(Severity::Error, "Not saved");
        frame(&ctx, &mut toasts, 1.0);
        assert_eq!(toasts.len(), 2);
        frame(&ctx, &mut toasts, 1.0 + SECONDS + 0.1);
        assert_eq!(toasts.len(), 1);
        assert_eq!(toasts.toasts[0].text, "Not saved");
    }

    #[test]
    fn the_same_words_do_not_pile_up_and_the_stack_is_bounded() {
        let mut toasts = Toasts::default();
        toasts.push(Severity::Info, "Connected");
        toasts.push(Severity::Info, "Connected");
        assert_eq!(toasts.len(), 1);
        for number in 0..10 {
            toasts.push(Severity::Info, format!("Number {number}"));
        }
        assert_eq!(toasts.len(), MOST);
    }
}
