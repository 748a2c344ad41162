//! A row with things at both ends, each drawn from the left, so that Tab goes as the eye does.

use eframe::egui::{Align, Layout, Rect, TextWrapMode, Ui, UiBuilder, pos2, vec2};

/// Draws `left` at the left end and `right` at the right end of one row. What is wide on the right is known from the
/// frame before; when it changes the frame is drawn once more. Gives back what each returned.
pub(in crate::desktop) fn ends<L, R>(
    ui: &mut Ui,
    name: &str,
    height: f32,
    left: impl FnOnce(&mut Ui) -> L,
    right: impl FnOnce(&mut Ui) -> R,
) -> (L, R) {
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), height));
    let id = ui.scope_id().with(("ends", name));
    let right_width: f32 = ui.data(|data| data.get_temp(id).unwrap_or(0.0));
    let split = (rect.right() - right_width - 8.0).max(rect.left());
    let mut part = |salt: &str, rect: Rect| {
        let layout = Layout::left_to_right(Align::Center);
        ui.new_child(UiBuilder::new().id_salt((name, salt)).max_rect(rect).layout(layout))
    };
    let left_rect = Rect::from_min_max(rect.min, pos2(split, rect.bottom()));
    let mut child = part("left", left_rect);
    child.set_clip_rect(left_rect.expand(3.0).intersect(child.clip_rect()));
    let from_left = left(&mut child);
    let right_rect = Rect::from_min_max(pos2(rect.right() - right_width, rect.top()), rect.max);
    let mut child = part("right", right_rect);
    child.style_mut().wrap_mode = Some(TextWrapMode::Extend);
    let from_right = right(&mut child);
    let width = child.min_rect().width();
    if (width - right_width).abs() > 0.5 {
        ui.data_mut(|data| data.insert_temp(id, width));
        ui.ctx().request_discard("the right end of a row changed its width");
    }
    (from_left, from_right)
}
