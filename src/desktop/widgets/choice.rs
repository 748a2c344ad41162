//! Choosing: segmented control, toggle switch, checkbox, choice cards, combo box.

use eframe::egui::{
    self, Align, Color32, ComboBox, CornerRadius, FontId, Label, Layout, Popup, Rect, Response, RichText,
    Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::field::field_label;
use super::paint;
use crate::desktop::theme::{CONTROL_HEIGHT, INPUT_HEIGHT, RADIUS, RADIUS_CARD, RADIUS_SMALL, tokens};
use crate::desktop::{fonts, icons};

/// A row of segments of which one is chosen. `name` tells a screen reader what is chosen. True when it changed.
pub fn segmented<T: PartialEq + Clone>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    segments: &[(T, &str)],
) -> bool {
    let plain: Vec<_> = segments.iter().map(|(value, text)| (value.clone(), *text, "")).collect();
    segmented_explained(ui, name, chosen, &plain)
}

/// As [`segmented`], each segment with a line that explains it to who points at it.
pub fn segmented_explained<T: PartialEq + Clone>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    segments: &[(T, &str, &str)],
) -> bool {
    let t = tokens(ui);
    let mut changed = false;
    let (edge, between) = (3.0, 2.0);
    let widths: Vec<f32> = segments
        .iter()
        .map(|(_, text, _)| paint::line(ui, text, fonts::medium(12.5), t.text).size().x + 20.0)
        .collect();
    let total = widths.iter().sum::<f32>() + between * widths.len().saturating_sub(1) as f32 + 2.0 * edge;
    let (rect, group) = ui.allocate_exact_size(vec2(total, CONTROL_HEIGHT + 2.0), Sense::hover());
    group.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, true, name));
    let radius = CornerRadius::same(RADIUS);
    ui.painter().rect(rect, radius, t.input, Stroke::new(1.0, t.line), StrokeKind::Inside);
    let mut left = rect.left() + edge;
    // Placed by hand: in a right-to-left row the order would turn round.
    for ((value, text, about), width) in segments.iter().zip(widths) {
        let place =
            Rect::from_min_size(pos2(left, rect.top() + edge), vec2(width, rect.height() - 2.0 * edge));
        let selected = *value == *chosen;
        let mut response = segment(ui, (name, text), place, selected);
        if !about.is_empty() {
            response = response.on_hover_text(*about);
        }
        if response.clicked() && !selected {
            *chosen = value.clone();
            changed = true;
        }
        left += width + between;
    }
    changed
}

fn segment(ui: &mut Ui, (name, text): (&str, &str), rect: Rect, selected: bool) -> Response {
    let t = tokens(ui);
    let ink = if selected { t.text_strong } else { t.text_muted };
    let galley = paint::line(ui, text, fonts::medium(12.5), ink);
    let id = ui.make_persistent_id(("segment", name, text));
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), selected, text));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let rest = if selected { t.control_hover } else { Color32::TRANSPARENT };
        let fill = paint::fill(ui, &response, rest, t.control, t.control_pressed);
        let fill = if selected { rest } else { fill };
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), fill);
        ui.painter().galley(rect.center() - galley.size() / 2.0, galley, ink);
        paint::focus_ring(ui, &response, rect, RADIUS_SMALL);
    }
    response
}

/// A switch with its label on the right, for settings that act at once. `changed()` says that it was flipped.
pub fn toggle(ui: &mut Ui, on: &mut bool, label: &str) -> Response {
    draw_switch(ui, on, label, true)
}

/// A switch alone, at the end of a [`setting_row`]; `name` is for screen readers.
pub fn switch(ui: &mut Ui, on: &mut bool, name: &str) -> Response {
    draw_switch(ui, on, name, false)
}

fn draw_switch(ui: &mut Ui, on: &mut bool, label: &str, label_shown: bool) -> Response {
    let t = tokens(ui);
    let size = vec2(34.0, 20.0);
    let room = ui.available_width() - size.x - 10.0;
    let shown = if label_shown { label } else { "" };
    let text = paint::line_within(ui, shown, fonts::regular(13.0), t.text, room);
    let text_room = if label_shown { 10.0 + text.size().x } else { 0.0 };
    let wanted = vec2(size.x + text_room, CONTROL_HEIGHT);
    let (rect, mut response) = ui.allocate_exact_size(wanted, Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::selected(Role::Switch, ui.is_enabled(), *on, label));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let amount = ui.ctx().animate_bool_with_time(response.id, *on, ui.style().animation_time);
        let track = Rect::from_min_size(pos2(rect.left(), rect.center().y - size.y / 2.0), size);
        let off = if response.hovered() { t.control_hover } else { t.control };
        let fill = off.lerp_to_gamma(t.primary, amount);
        let border = t.line_strong.lerp_to_gamma(t.primary, amount);
        let radius = CornerRadius::same(10);
        ui.painter().rect(track, radius, fill, Stroke::new(1.0, border), StrokeKind::Inside);
        let x = egui::lerp((track.left() + 10.0)..=(track.right() - 10.0), amount);
        let knob = t.text_muted.lerp_to_gamma(t.on_primary, amount);
        ui.painter().circle_filled(pos2(x, track.center().y), 6.5, knob);
        let at = pos2(track.right() + 10.0, rect.center().y - text.size().y / 2.0);
        ui.painter().galley(at, text, t.text);
        paint::focus_ring(ui, &response, track, 10);
    }
    response
}

/// A checkbox with its label, for what takes effect with the form.
pub fn checkbox(ui: &mut Ui, on: &mut bool, label: &str) -> Response {
    let t = tokens(ui);
    let side = 16.0;
    let text = {
        let width = (ui.available_width() - side - 9.0).max(40.0);
        ui.painter().layout(label.to_owned(), fonts::regular(13.0), t.text, width)
    };
    let wanted = vec2(side + 9.0 + text.size().x, text.size().y.max(24.0));
    let (rect, mut response) = ui.allocate_exact_size(wanted, Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), *on, label));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let box_rect =
            Rect::from_center_size(pos2(rect.left() + side / 2.0, rect.top() + 12.0), vec2(side, side));
        let radius = CornerRadius::same(4);
        if *on {
            ui.painter().rect_filled(box_rect, radius, t.primary);
            let tick = icons::icon_font(12.0);
            paint::icon_at(ui, box_rect.center(), icons::CHECK, tick, t.on_primary);
        } else {
            let border = if response.hovered() { t.text_muted } else { t.line_strong };
            ui.painter().rect(box_rect, radius, t.input, Stroke::new(1.0, border), StrokeKind::Inside);
        }
        let top = rect.top() + (24.0 - text.size().y.min(24.0)) / 2.0;
        ui.painter().galley(pos2(box_rect.right() + 9.0, top), text, t.text);
        paint::focus_ring(ui, &response, box_rect, 4);
    }
    response
}

/// A card to choose: an icon, a title and what it means. Chosen cards have an accent border and a filled dot.
pub fn choice_card(ui: &mut Ui, selected: bool, icon: &str, title: &str, text: &str) -> Response {
    let t = tokens(ui);
    let id = ui.make_persistent_id(("choice card", title));
    let width = ui.available_width();
    let padding = 12.0;
    let text_left = padding + 28.0;
    let text_width = (width - text_left - padding - 22.0).max(60.0);
    let head = ui.painter().layout(title.to_owned(), fonts::medium(13.0), t.text_strong, text_width);
    let body = ui.painter().layout(text.to_owned(), fonts::regular(12.0), t.text_muted, text_width);
    let height = padding * 2.0 + head.size().y + 3.0 + body.size().y;
    let (_, rect) = ui.allocate_space(vec2(width, height));
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), selected, title));
    ui.ctx().accesskit_node_builder(id, |node| node.set_description(text));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let rest = if selected { t.row_selected } else { t.input };
        let hover = if selected { t.row_selected } else { t.row_hover };
        let fill = paint::fill(ui, &response, rest, hover, hover);
        let border = if selected { t.accent } else { t.line_strong };
        let radius = CornerRadius::same(RADIUS);
        ui.painter().rect(rect, radius, fill, Stroke::new(1.0, border), StrokeKind::Inside);
        let top = rect.top() + padding;
        let middle = top + head.size().y / 2.0;
        let (font, ink) = if selected {
            (icons::icon_fill_font(18.0), t.accent_text)
        } else {
            (icons::icon_font(18.0), t.text_muted)
        };
        paint::icon_at(ui, pos2(rect.left() + padding + 9.0, middle), icon, font, ink);
        let body_top = top + head.size().y + 3.0;
        ui.painter().galley(pos2(rect.left() + text_left, top), head, t.text_strong);
        ui.painter().galley(pos2(rect.left() + text_left, body_top), body, t.text_muted);
        radio_dot(ui, pos2(rect.right() - padding - 8.0, middle), selected);
        paint::focus_ring(ui, &response, rect, RADIUS);
    }
    response
}

/// A card that leads on to another page: icon, title, what happens there, a caret. Role: button.
pub fn next_card(ui: &mut Ui, icon: &str, title: &str, text: &str) -> Response {
    let t = tokens(ui);
    let width = ui.available_width();
    let padding = 14.0;
    let text_left = padding + 34.0;
    let text_width = (width - text_left - padding - 22.0).max(60.0);
    let head = ui.painter().layout(title.to_owned(), fonts::medium(13.0), t.text_strong, text_width);
    let body = ui.painter().layout(text.to_owned(), fonts::regular(12.0), t.text_muted, text_width);
    let height = padding * 2.0 + head.size().y + 3.0 + body.size().y;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), title));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(text));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let fill = paint::fill(ui, &response, t.input, t.row_hover, t.control);
        let radius = CornerRadius::same(RADIUS_CARD);
        ui.painter().rect(rect, radius, fill, Stroke::new(1.0, t.line_strong), StrokeKind::Inside);
        let middle = rect.center().y;
        paint::icon_at(
            ui,
            pos2(rect.left() + padding + 12.0, middle),
            icon,
            icons::icon_font(20.0),
            t.accent_text,
        );
        let body_top = rect.top() + padding + head.size().y + 3.0;
        ui.painter().galley(pos2(rect.left() + text_left, rect.top() + padding), head, t.text_strong);
        ui.painter().galley(pos2(rect.left() + text_left, body_top), body, t.text_muted);
        let caret = icons::icon_font(14.0);
        paint::icon_at(
            ui,
            pos2(rect.right() - padding - 4.0, middle),
            icons::CARET_RIGHT,
            caret,
            t.text_muted,
        );
        paint::focus_ring(ui, &response, rect, RADIUS_CARD);
    }
    response
}

fn radio_dot(ui: &Ui, centre: egui::Pos2, selected: bool) {
    let t = tokens(ui);
    if selected {
        ui.painter().circle_filled(centre, 7.0, t.primary);
        ui.painter().circle_filled(centre, 2.8, t.on_primary);
    } else {
        ui.painter().circle(centre, 6.5, t.input, Stroke::new(1.0, t.line_strong));
    }
}

/// A combo box with its label above. True when another value was chosen.
pub fn combo<T: PartialEq + Clone>(ui: &mut Ui, label: &str, chosen: &mut T, choices: &[(T, &str)]) -> bool {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 5.0;
        let label_response = field_label(ui, label);
        let width = ui.available_width();
        // As high and as dark as the text fields beside it.
        ui.spacing_mut().interact_size.y = INPUT_HEIGHT;
        let input = tokens(ui).input;
        ui.visuals_mut().widgets.inactive.weak_bg_fill = input;
        combo_box(ui, label, Some(label_response.id), width, chosen, choices)
    })
    .inner
}

/// A combo box of a width whose label is for screen readers alone. True when another value was chosen.
pub fn combo_inline<T: PartialEq + Clone>(
    ui: &mut Ui,
    name: &str,
    width: f32,
    chosen: &mut T,
    choices: &[(T, &str)],
) -> bool {
    combo_box(ui, name, None, width, chosen, choices)
}

fn combo_box<T: PartialEq + Clone>(
    ui: &mut Ui,
    name: &str,
    label: Option<egui::Id>,
    width: f32,
    chosen: &mut T,
    choices: &[(T, &str)],
) -> bool {
    let mut changed = false;
    let current = choices.iter().find(|(value, _)| value == chosen).map_or("", |(_, text)| *text);
    let font: FontId = fonts::regular(13.0);
    let response = ComboBox::from_id_salt(("combo", name))
        .width(width)
        .selected_text(RichText::new(current).font(font.clone()))
        .icon(|ui, rect, visuals, _open| {
            let caret = icons::icon_font(13.0);
            paint::icon_at(ui, rect.center(), icons::CARET_UP_DOWN, caret, visuals.fg_stroke.color);
        })
        .show_ui(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            ui.spacing_mut().interact_size.y = CONTROL_HEIGHT;
            for (value, text) in choices {
                let selected = value == chosen;
                if menu_row(ui, None, text, selected).clicked() && !selected {
                    *chosen = value.clone();
                    changed = true;
                }
            }
        })
        .response;
    match label {
        Some(id) => {
            response.labelled_by(id);
        }
        None => {
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
        }
    }
    changed
}

/// A row of a menu: an icon, a text, a tick where chosen.
pub fn menu_row(ui: &mut Ui, icon: Option<&str>, text: &str, selected: bool) -> Response {
    let t = tokens(ui);
    let lead = if icon.is_some() { 24.0 } else { 0.0 };
    let galley = paint::line(ui, text, fonts::regular(13.0), t.text_strong);
    let width = (galley.size().x + lead + 44.0).max(ui.available_width());
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::MenuItem, ui.is_enabled(), selected, text));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let fill = paint::fill(ui, &response, Color32::TRANSPARENT, t.control_hover, t.control_pressed);
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), fill);
        let y = rect.center().y;
        if let Some(icon) = icon {
            let font = icons::icon_font(icons::INLINE);
            paint::icon_at(ui, pos2(rect.left() + 17.0, y), icon, font, t.text_muted);
        }
        ui.painter().galley(
            pos2(rect.left() + 10.0 + lead, y - galley.size().y / 2.0),
            galley,
            t.text_strong,
        );
        if selected {
            let tick = icons::icon_font(14.0);
            paint::icon_at(ui, pos2(rect.right() - 14.0, y), icons::CHECK, tick, t.accent_text);
        }
        paint::focus_ring(ui, &response, rect, RADIUS_SMALL);
    }
    response
}

/// A menu under `anchor` that opens when it is clicked; fill it with [`menu_row`]s.
pub fn menu<R>(anchor: &Response, contents: impl FnOnce(&mut Ui) -> R) -> Option<R> {
    Popup::menu(anchor)
        .show(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            ui.set_min_width(180.0);
            contents(ui)
        })
        .map(|shown| shown.inner)
}

/// A row of a settings page: title and explanation on the left, the control on the right.
pub fn setting_row(ui: &mut Ui, title: &str, text: &str, control: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    let width = ui.available_width();
    ui.horizontal(|ui| {
        let text_width = (width * 0.62).max(160.0);
        let rect = Rect::from_min_size(ui.cursor().min, vec2(text_width, 10.0));
        ui.scope_builder(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)), |ui| {
            ui.set_width(text_width);
            ui.spacing_mut().item_spacing.y = 3.0;
            ui.add(Label::new(RichText::new(title).font(fonts::medium(13.0)).color(t.text_strong)).wrap());
            ui.add(Label::new(RichText::new(text).font(fonts::regular(12.0)).color(t.text_muted)).wrap());
        });
        ui.with_layout(Layout::right_to_left(Align::Center), control);
    });
}
