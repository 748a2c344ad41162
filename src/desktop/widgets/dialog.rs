//! Modal dialogs: a title, a cross, a body, and buttons at the lower right.

use eframe::egui::{
    self, Align, Context, CornerRadius, Frame, Id, Layout, Margin, Modal, ScrollArea, Stroke, Ui,
};

use super::button::{Button, ButtonKind, icon_button};
use super::card;
use crate::desktop::icons;
use crate::desktop::theme::{RADIUS_CARD, tokens, tokens_of};

/// What came of a dialog in this frame.
#[derive(Debug)]
pub struct DialogAnswer<R> {
    /// What the contents returned.
    pub inner: R,
    /// Close it: Esc, the cross, or a click beside it.
    pub close: bool,
}

/// Shows a dialog of a width over everything else. What does not fit scrolls.
pub fn dialog<R>(
    ctx: &Context,
    id: &str,
    title: &str,
    width: f32,
    contents: impl FnOnce(&mut Ui) -> R,
) -> DialogAnswer<R> {
    let t = tokens_of(ctx);
    let frame = Frame::new()
        .fill(t.card)
        .stroke(Stroke::new(1.0, t.line_strong))
        .corner_radius(CornerRadius::same(RADIUS_CARD))
        .shadow(ctx.global_style().visuals.window_shadow)
        .inner_margin(Margin { left: 20, right: 20, top: 14, bottom: 18 });
    let room = ctx.content_rect().size();
    let width = width.min(room.x - 80.0);
    let mut crossed = false;
    let area = Modal::default_area(Id::unique(("dialog", id)))
        .role(egui::accesskit::Role::Dialog)
        .accessible_name(title);
    let shown = Modal::new(Id::unique(("dialog", id)))
        .area(area)
        .frame(frame)
        .backdrop_color(t.backdrop)
        .show(ctx, |ui| {
            ui.set_width(width);
            // An area is as high as its contents were in the frame before: without this, contents that grow while the
            // dialog is open would scroll in the height of what they were.
            ui.set_max_height(room.y - 96.0);
            ui.horizontal(|ui| {
                card::title(ui, title, 16.0);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    crossed = icon_button(ui, icons::X, "Close").clicked();
                });
            });
            ui.add_space(2.0);
            ScrollArea::vertical()
                .max_height(room.y - 160.0)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.set_width(width);
                    contents(ui)
                })
                .inner
        });
    let close = crossed || shown.should_close();
    DialogAnswer { inner: shown.inner, close }
}

/// What was pressed in the last row of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogButton {
    /// Do it.
    Confirm,
    /// Leave everything as it was.
    Cancel,
}

/// The last row of a dialog: Cancel and the button that does it.
pub fn dialog_buttons(
    ui: &mut Ui,
    kind: ButtonKind,
    confirm: &str,
    enabled: bool,
    busy: bool,
) -> Option<DialogButton> {
    let mut pressed = None;
    ui.add_space(10.0);
    // Drawn from the left, so that Tab goes as the eye does.
    let row = ui.available_width();
    ui.horizontal(|ui| {
        let (font, ink) = (crate::desktop::fonts::medium(13.0), tokens(ui).text);
        let text_width =
            |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), ink).size().x;
        let spinner = if busy { 21.0 } else { 0.0 };
        let wanted =
            text_width("Cancel") + text_width(confirm) + 48.0 + spinner + ui.spacing().item_spacing.x;
        ui.add_space((row - wanted).max(0.0));
        if Button::secondary("Cancel").show(ui).clicked() {
            pressed = Some(DialogButton::Cancel);
        }
        if Button::new(kind, confirm).enabled(enabled).busy(busy).show(ui).clicked() {
            pressed = Some(DialogButton::Confirm);
        }
    });
    pressed
}
