//! The frame of the window after login: rail, top bar, inset content, status bar.
//!
//! Knows nothing of what the panels are: entries are data, the caller draws the content.

use eframe::egui::{
    self, Align, CentralPanel, Color32, CornerRadius, Frame, Layout, Margin, Panel, Rect, Response, RichText,
    Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::{card, mark, paint};
use crate::desktop::theme::{
    RADIUS_CARD, RADIUS_RAIL, RAIL_WIDTH, STATUS_BAR_HEIGHT, TOP_BAR_HEIGHT, Tone, tokens,
};
use crate::desktop::{fonts, icons};

/// One button of the rail.
#[derive(Debug, Clone, Copy)]
pub struct RailEntry<'a> {
    /// Its icon.
    pub icon: &'a str,
    /// Its name, for tooltip and screen reader.
    pub name: &'a str,
    /// At the lower end, apart from the rest.
    pub at_bottom: bool,
    /// How many things wait there; 0 shows nothing.
    pub count: usize,
}

impl<'a> RailEntry<'a> {
    /// An entry at the upper end.
    #[must_use]
    pub const fn new(icon: &'a str, name: &'a str) -> Self {
        Self { icon, name, at_bottom: false, count: 0 }
    }

    /// An entry at the lower end.
    #[must_use]
    pub const fn bottom(icon: &'a str, name: &'a str) -> Self {
        Self { icon, name, at_bottom: true, count: 0 }
    }

    /// With a number on it.
    #[must_use]
    pub const fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }
}

/// The frame: what the rail holds and where the person is.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    /// The buttons of the rail.
    pub rail: &'a [RailEntry<'a>],
    /// Index of the active one.
    pub active: usize,
    /// Title of the page.
    pub title: &'a str,
}

impl Shell<'_> {
    /// Draws the frame, and in it: `header` right after the title (pills), `controls` from the right end of the top bar,
    /// `status_left` and `status_right` in the status bar, `content` in the inset panel (no margin: the content may
    /// have side panels of its own). Returns the index of the rail entry that was clicked.
    pub fn show(
        &self,
        ui: &mut Ui,
        header: impl FnOnce(&mut Ui),
        controls: impl FnOnce(&mut Ui),
        status_left: impl FnOnce(&mut Ui),
        status_right: impl FnOnce(&mut Ui),
        content: impl FnOnce(&mut Ui),
    ) -> Option<usize> {
        let t = tokens(ui);
        let chrome = Frame::new().fill(t.window);
        let clicked = Panel::left("shell rail")
            .exact_size(RAIL_WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .frame(chrome)
            .show(ui, |ui| self.rail_ui(ui))
            .inner;
        Panel::bottom("shell status")
            .exact_size(STATUS_BAR_HEIGHT)
            .resizable(false)
            .show_separator_line(false)
            .frame(chrome.inner_margin(Margin { left: 8, right: 16, top: 0, bottom: 0 }))
            .show(ui, |ui| {
                ui.spacing_mut().interact_size.y = 20.0;
                ends(ui, status_left, status_right);
            });
        Panel::top("shell top")
            .exact_size(TOP_BAR_HEIGHT)
            .resizable(false)
            .show_separator_line(false)
            .frame(chrome.inner_margin(Margin { left: 8, right: 16, top: 0, bottom: 0 }))
            .show(ui, |ui| {
                let title = |ui: &mut Ui| {
                    card::title(ui, self.title, 16.0);
                    header(ui);
                };
                ends(ui, title, controls);
            });
        let corner = CornerRadius { nw: RADIUS_CARD, ne: 0, sw: RADIUS_CARD, se: 0 };
        CentralPanel::no_frame().show(ui, |ui| {
            let rect = ui.max_rect();
            ui.painter().rect_filled(rect, 0, t.window);
            // The border's right side lies beyond the window's edge.
            let inset = Rect::from_min_max(rect.min, pos2(rect.right() + 2.0, rect.bottom()));
            ui.painter().rect(inset, corner, t.panel, Stroke::new(1.0, t.line), egui::StrokeKind::Inside);
            let inner = Rect::from_min_max(rect.min + vec2(1.0, 1.0), rect.max - vec2(0.0, 1.0));
            let mut child = ui.new_child(egui::UiBuilder::new().id_salt("shell content").max_rect(inner));
            child.set_clip_rect(inner.intersect(ui.clip_rect()));
            content(&mut child);
        });
        clicked
    }

    fn rail_ui(&self, ui: &mut Ui) -> Option<usize> {
        let rect = ui.max_rect();
        let mut clicked = None;
        let logo = Rect::from_center_size(
            pos2(rect.center().x, rect.top() + TOP_BAR_HEIGHT / 2.0 + 2.0),
            vec2(34.0, 34.0),
        );
        mark::paint_mark(ui, logo);
        let mut y = rect.top() + TOP_BAR_HEIGHT + 14.0;
        for (index, entry) in self.rail.iter().enumerate().filter(|(_, entry)| !entry.at_bottom) {
            if self.place(ui, rect, y, index, entry).clicked() {
                clicked = Some(index);
            }
            y += 50.0;
        }
        let bottoms = self.rail.iter().filter(|entry| entry.at_bottom).count() as f32;
        // In a low window the lower entries stay below the upper ones instead of covering them.
        y = (rect.bottom() - 12.0 - bottoms * 50.0 + 6.0).max(y);
        for (index, entry) in self.rail.iter().enumerate().filter(|(_, entry)| entry.at_bottom) {
            if self.place(ui, rect, y, index, entry).clicked() {
                clicked = Some(index);
            }
            y += 50.0;
        }
        clicked
    }

    fn place(&self, ui: &mut Ui, rail: Rect, y: f32, index: usize, entry: &RailEntry<'_>) -> Response {
        let rect = Rect::from_min_size(pos2(rail.center().x - 22.0, y), vec2(44.0, 44.0));
        rail_button(ui, rect, entry, index == self.active)
    }
}

/// A button of the rail: filled icon, tint and a 3-pixel bar at the window's edge when it is active.
fn rail_button(ui: &mut Ui, rect: Rect, entry: &RailEntry<'_>, active: bool) -> Response {
    let t = tokens(ui);
    let id = ui.make_persistent_id(("rail", entry.name));
    let response = ui.interact(rect, id, Sense::click());
    let name = match entry.count {
        0 => entry.name.to_owned(),
        count => format!("{}, {count} new", entry.name),
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, active, &name));
    let rest = if active { t.row_selected } else { Color32::TRANSPARENT };
    let hover = if active { t.row_selected } else { t.control };
    let fill = paint::fill(ui, &response, rest, hover, t.control_pressed);
    ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_RAIL), fill);
    let (font, ink) = match (active, response.hovered()) {
        (true, _) => (icons::icon_fill_font(icons::RAIL), t.accent_text),
        (false, true) => (icons::icon_font(icons::RAIL), t.text_strong),
        (false, false) => (icons::icon_font(icons::RAIL), t.text_muted),
    };
    paint::icon_at(ui, rect.center(), entry.icon, font, ink);
    if active {
        let bar = Rect::from_min_size(pos2(rect.left() - 8.0, rect.center().y - 10.0), vec2(3.0, 20.0));
        ui.painter().rect_filled(bar, CornerRadius { nw: 0, ne: 2, sw: 0, se: 2 }, t.accent);
    }
    if entry.count > 0 {
        let text = if entry.count > 99 { "99+".to_owned() } else { entry.count.to_string() };
        let galley = paint::line(ui, &text, fonts::semibold(9.5), t.on_danger);
        let size = vec2((galley.size().x + 8.0).max(15.0), 15.0);
        let badge = Rect::from_center_size(rect.right_top() + vec2(-9.0, 10.0), size);
        ui.painter().rect_filled(badge, CornerRadius::same(8), t.danger);
        ui.painter().galley(badge.center() - galley.size() / 2.0, galley, t.on_danger);
    }
    paint::focus_ring(ui, &response, rect, RADIUS_RAIL);
    response.on_hover_text(entry.name)
}

/// A row with things at both ends. The right end is laid out first to know its width, yet drawn from the left, so
/// that nothing overlaps and Tab goes as the eye does.
fn ends(ui: &mut Ui, left: impl FnOnce(&mut Ui), right: impl FnOnce(&mut Ui)) {
    let rect = ui.max_rect();
    let id = ui.scope_id().with("right end");
    let right_width: f32 = ui.data(|data| data.get_temp(id).unwrap_or(0.0));
    let split = (rect.right() - right_width - 8.0).max(rect.left());
    let left_rect = Rect::from_min_max(rect.min, pos2(split, rect.bottom()));
    let mut child = ui.new_child(
        egui::UiBuilder::new()
            .id_salt("left end")
            .max_rect(left_rect)
            .layout(Layout::left_to_right(Align::Center)),
    );
    child.set_clip_rect(left_rect.expand(3.0).intersect(ui.clip_rect()));
    child.style_mut().wrap_mode = Some(egui::TextWrapMode::Truncate);
    left(&mut child);
    // Unbounded to the right, or what cuts itself to the room there is would never ask for more than it once had.
    let right_rect = Rect::from_min_max(
        pos2(rect.right() - right_width, rect.top()),
        pos2(rect.right() + rect.width(), rect.bottom()),
    );
    let mut child = ui.new_child(
        egui::UiBuilder::new()
            .id_salt("right end")
            .max_rect(right_rect)
            .layout(Layout::left_to_right(Align::Center)),
    );
    child.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
    right(&mut child);
    let width = child.min_rect().width();
    if (width - right_width).abs() > 0.5 {
        ui.data_mut(|data| data.insert_temp(id, width));
        ui.ctx().request_discard("the right end changed its width");
    }
}

/// A word in the status bar.
pub fn status_text(ui: &mut Ui, text: &str) -> Response {
    let ink = tokens(ui).text_muted;
    ui.add(egui::Label::new(RichText::new(text).font(fonts::regular(12.0)).color(ink)))
}

/// A clickable state in the status bar: dot, word; `name` says to a screen reader what opens.
pub fn status_button(ui: &mut Ui, tone: Tone, text: &str, name: &str) -> Response {
    let t = tokens(ui);
    let galley = paint::line(ui, text, fonts::regular(12.0), t.text);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 26.0, 22.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), format!("{text}. {name}")));
    let fill = paint::fill(ui, &response, Color32::TRANSPARENT, t.control, t.control_pressed);
    ui.painter().rect_filled(rect, CornerRadius::same(5), fill);
    let centre = pos2(rect.left() + 10.0, rect.center().y);
    ui.painter().circle_filled(centre, 5.0, tone.tint(t));
    ui.painter().circle_filled(centre, 3.5, tone.mark(t));
    ui.painter().galley(pos2(rect.left() + 20.0, rect.center().y - galley.size().y / 2.0), galley, t.text);
    paint::focus_ring(ui, &response, rect, 5);
    response.on_hover_text(name)
}
