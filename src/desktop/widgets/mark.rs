//! The mark of the program: a wax seal with a keyhole that sends waves. The same drawing as `assets/icon/sealwire.svg`.

use std::f32::consts::PI;

use eframe::egui::{
    CornerRadius, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use crate::desktop::theme::tokens;

/// Draws the mark in a square of a side.
pub fn mark(ui: &mut Ui, side: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Sealwire"));
    paint_mark(ui, rect);
    response
}

/// Paints the mark into a square. The drawing is on a grid of 48.
pub(super) fn paint_mark(ui: &Ui, rect: Rect) {
    let t = tokens(ui);
    let unit = rect.width() / 48.0;
    let at = |x: f32, y: f32| pos2(rect.left() + x * unit, rect.top() + y * unit);
    let ink = t.on_primary;
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same((11.0 * unit).round() as u8), t.primary);
    // The lock: a shackle and a body.
    painter.add(Shape::line(shackle(at(24.0, 17.0), 5.2 * unit, 4.0 * unit), Stroke::new(2.6 * unit, ink)));
    let body = Rect::from_min_max(at(15.5, 20.0), at(32.5, 32.5));
    painter.rect_filled(body, CornerRadius::same((3.4 * unit).round() as u8), ink);
    painter.circle_filled(at(24.0, 25.2), 1.9 * unit, t.primary);
    let slot = Rect::from_min_max(at(23.2, 25.2), at(24.8, 29.0));
    painter.rect_filled(slot, CornerRadius::same(1), t.primary);
    // The waves it travels on.
    for (y, alpha) in [(36.6, 1.0), (40.8, 0.55)] {
        let points: Vec<Pos2> = (0..=32)
            .map(|step| {
                let share = step as f32 / 32.0;
                at(11.0 + 26.0 * share, y + 1.3 * (share * 4.0 * PI).sin())
            })
            .collect();
        painter.add(Shape::line(points, Stroke::new(2.0 * unit, ink.gamma_multiply(alpha))));
    }
}

/// Half a circle on two legs.
fn shackle(centre: Pos2, radius: f32, leg: f32) -> Vec<Pos2> {
    let arc = (0..=20).map(|step| {
        let angle = PI + PI * step as f32 / 20.0;
        pos2(centre.x + radius * angle.cos(), centre.y + radius * angle.sin())
    });
    std::iter::once(pos2(centre.x - radius, centre.y + leg))
        .chain(arc)
        .chain(std::iter::once(pos2(centre.x + radius, centre.y + leg)))
        .collect()
}
