//! Buttons: primary, secondary, ghost and danger, icon buttons, links.

use std::sync::Arc;

use eframe::egui::{
    self, Color32, CornerRadius, CursorIcon, Galley, Response, Role, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, Vec2, Widget, WidgetInfo, pos2, vec2,
};

use super::paint;
use super::wait;
use crate::desktop::icons;
use crate::desktop::theme::{CONTROL_HEIGHT, LARGE_HEIGHT, RADIUS, Tokens, tokens};
use crate::desktop::{fonts, theme};

/// How much weight a button has on its page. At most one primary button per page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonKind {
    /// The one thing that this page is for.
    Primary,
    /// Anything else that one may do here.
    Secondary,
    /// Quiet: no frame until the pointer is over it.
    Ghost,
    /// Cannot be undone.
    Danger,
}

/// A button with a text and, where wanted, an icon before it. A text that needs more input ends in "…".
#[must_use = "a button appears only when it is shown"]
#[derive(Debug, Clone)]
pub struct Button<'a> {
    kind: ButtonKind,
    text: &'a str,
    icon: Option<&'a str>,
    trailing: Option<&'a str>,
    large: bool,
    wide: bool,
    busy: bool,
    enabled: bool,
    tooltip: Option<&'a str>,
}

impl<'a> Button<'a> {
    /// A button of a kind.
    pub const fn new(kind: ButtonKind, text: &'a str) -> Self {
        Self {
            kind,
            text,
            icon: None,
            trailing: None,
            large: false,
            wide: false,
            busy: false,
            enabled: true,
            tooltip: None,
        }
    }

    /// The one thing that this page is for.
    pub const fn primary(text: &'a str) -> Self {
        Self::new(ButtonKind::Primary, text)
    }

    /// Anything else that one may do here.
    pub const fn secondary(text: &'a str) -> Self {
        Self::new(ButtonKind::Secondary, text)
    }

    /// Quiet: no frame until the pointer is over it.
    pub const fn ghost(text: &'a str) -> Self {
        Self::new(ButtonKind::Ghost, text)
    }

    /// Cannot be undone.
    pub const fn danger(text: &'a str) -> Self {
        Self::new(ButtonKind::Danger, text)
    }

    /// An icon before the text.
    pub const fn icon(mut self, icon: &'a str) -> Self {
        self.icon = Some(icon);
        self
    }

    /// An icon after the text.
    pub const fn trailing_icon(mut self, icon: &'a str) -> Self {
        self.trailing = Some(icon);
        self
    }

    /// 40 pixels high, for forms.
    pub const fn large(mut self) -> Self {
        self.large = true;
        self
    }

    /// As wide as there is room.
    pub const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Shows a spinner and takes no clicks while work goes on.
    pub const fn busy(mut self, busy: bool) -> Self {
        self.busy = busy;
        self
    }

    /// Greyed out when false. Say why with [`Self::tooltip`].
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Shown under the pointer, also when the button is greyed out.
    pub const fn tooltip(mut self, tooltip: &'a str) -> Self {
        self.tooltip = Some(tooltip);
        self
    }

    /// Draws it. `clicked()` is also true for Enter and Space on a focused button.
    pub fn show(self, ui: &mut Ui) -> Response {
        let measured = Measured::of(&self, ui);
        let width = if self.wide { ui.available_width().max(measured.size.x) } else { measured.size.x };
        // The room is taken from the caller's layout, so that rows wrap; a child alone is greyed out.
        let (id, rect) = ui.allocate_space(vec2(width, measured.size.y));
        let mut child = ui.new_child(UiBuilder::new().id_salt(id).max_rect(rect));
        if !self.enabled || self.busy {
            child.disable();
        }
        let response = child.interact(rect, id, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, child.is_enabled(), self.text));
        paint::reveal(&response);
        if child.is_rect_visible(rect) {
            self.paint(&child, &response, measured);
        }
        match self.tooltip {
            Some(text) => response.on_hover_text(text).on_disabled_hover_text(text),
            None => response,
        }
    }

    fn paint(&self, ui: &Ui, response: &Response, measured: Measured) {
        let rect = response.rect;
        let (rest, hover, pressed, ink, border) = colours(self.kind, tokens(ui));
        let fill = paint::fill(ui, response, rest, hover, pressed);
        let radius = CornerRadius::same(RADIUS);
        ui.painter().rect(rect, radius, fill, Stroke::new(1.0, border), StrokeKind::Inside);
        let Measured { text, icon: icon_size, content, lead, .. } = measured;
        let mut x = rect.center().x - content / 2.0;
        let middle = rect.center().y;
        if self.busy {
            wait::paint_spinner(ui, pos2(x + icon_size / 2.0, middle), icon_size, ink);
        } else if let Some(icon) = self.icon {
            paint::icon_at(ui, pos2(x + icon_size / 2.0, middle), icon, icons::icon_font(icon_size), ink);
        }
        x += lead;
        let (text_width, text_height) = (text.size().x, text.size().y);
        ui.painter().galley(pos2(x, middle - text_height / 2.0), text, ink);
        x += text_width + ICON_GAP;
        if let Some(icon) = self.trailing {
            paint::icon_at(ui, pos2(x + icon_size / 2.0, middle), icon, icons::icon_font(icon_size), ink);
        }
        paint::focus_ring(ui, response, rect, RADIUS);
    }
}

/// Between an icon and the text.
const ICON_GAP: f32 = 6.0;

/// A button's parts, laid out.
struct Measured {
    text: Arc<Galley>,
    icon: f32,
    lead: f32,
    content: f32,
    size: Vec2,
}

impl Measured {
    fn of(button: &Button<'_>, ui: &Ui) -> Self {
        let (_, _, _, ink, _) = colours(button.kind, tokens(ui));
        let font = if button.large { fonts::semibold(14.0) } else { fonts::medium(13.0) };
        let text = paint::line(ui, button.text, font, ink);
        let icon = if button.large { 17.0 } else { icons::INLINE };
        let lead = if button.icon.is_some() || button.busy { icon + ICON_GAP } else { 0.0 };
        let trail = if button.trailing.is_some() { icon + ICON_GAP } else { 0.0 };
        let content = lead + text.size().x + trail;
        let height = if button.large { LARGE_HEIGHT } else { CONTROL_HEIGHT };
        let padding = if button.kind == ButtonKind::Ghost { 10.0 } else { 12.0 };
        Self { text, icon, lead, content, size: vec2(content + 2.0 * padding, height) }
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        self.show(ui)
    }
}

/// At rest, under the pointer, held down, text, border.
fn colours(kind: ButtonKind, t: &Tokens) -> (Color32, Color32, Color32, Color32, Color32) {
    let none = Color32::TRANSPARENT;
    match kind {
        ButtonKind::Primary => (t.primary, t.primary_hover, t.primary_pressed, t.on_primary, none),
        ButtonKind::Secondary => {
            (t.control, t.control_hover, t.control_pressed, t.text_strong, t.line_strong)
        }
        ButtonKind::Ghost => (none, t.control_hover, t.control_pressed, t.text, none),
        ButtonKind::Danger => (t.danger, t.danger_hover, t.danger_pressed, t.on_danger, none),
    }
}

/// A square button with an icon alone. `name` is what a screen reader and the tooltip say.
pub fn icon_button(ui: &mut Ui, icon: &str, name: &str) -> Response {
    square(ui, icon, name, None, CONTROL_HEIGHT, false)
}

/// [`icon_button`] with a frame, for the top bar.
pub fn icon_button_framed(ui: &mut Ui, icon: &str, name: &str) -> Response {
    square(ui, icon, name, None, CONTROL_HEIGHT, true)
}

/// [`icon_button`] that stays pressed: filled icon and accent when `selected`.
pub fn icon_toggle(ui: &mut Ui, icon: &str, name: &str, selected: bool) -> Response {
    square(ui, icon, name, Some(selected), CONTROL_HEIGHT, false)
}

/// [`icon_button`] at 24 pixels, inside rows and fields.
pub fn icon_button_small(ui: &mut Ui, icon: &str, name: &str) -> Response {
    square(ui, icon, name, None, 24.0, false)
}

fn square(ui: &mut Ui, icon: &str, name: &str, selected: Option<bool>, side: f32, framed: bool) -> Response {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| match selected {
        Some(on) => WidgetInfo::selected(Role::Button, enabled, on, name),
        None => WidgetInfo::labeled(Role::Button, enabled, name),
    });
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let on = selected == Some(true);
        let rest = match (on, framed) {
            (true, _) => t.row_selected,
            (false, true) => t.control,
            (false, false) => Color32::TRANSPARENT,
        };
        let fill = paint::fill(ui, &response, rest, t.control_hover, t.control_pressed);
        let border = if framed { Stroke::new(1.0, t.line_strong) } else { Stroke::NONE };
        ui.painter().rect(rect, CornerRadius::same(RADIUS), fill, border, StrokeKind::Inside);
        let size = if side < CONTROL_HEIGHT { 14.0 } else { 16.0 };
        let (font, ink) = if on {
            (icons::icon_fill_font(size), t.accent_text)
        } else if response.hovered() || framed {
            (icons::icon_font(size), t.text_strong)
        } else {
            (icons::icon_font(size), t.text_muted)
        };
        paint::icon_at(ui, rect.center(), icon, font, ink);
        paint::focus_ring(ui, &response, rect, RADIUS);
    }
    response.on_hover_text(name)
}

/// A link within the program: words in the accent, underlined under the pointer.
pub fn link(ui: &mut Ui, text: &str) -> Response {
    let t = tokens(ui);
    let galley = paint::line(ui, text, fonts::medium(13.0), t.accent_text);
    // As high as a line of text, but 24 pixels to hit (WCAG 2.2, 2.5.8).
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Link, ui.is_enabled(), text));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let at = pos2(rect.left(), rect.center().y - galley.size().y / 2.0);
        let bottom = at.y + galley.size().y;
        ui.painter().galley(at, galley, t.accent_text);
        if response.hovered() {
            ui.painter().hline(rect.x_range(), bottom, Stroke::new(1.0, t.accent_text));
        }
        paint::focus_ring(ui, &response, rect, theme::RADIUS_SMALL);
    }
    response.on_hover_cursor(CursorIcon::PointingHand)
}

/// A button that carries a keyboard shortcut, such as the search in the top bar: icon, hint, key at the right end.
pub fn search_button(ui: &mut Ui, hint: &str, shortcut: &str, width: f32) -> Response {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, CONTROL_HEIGHT), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), hint));
    paint::reveal(&response);
    if ui.is_rect_visible(rect) {
        let fill = paint::fill(ui, &response, t.panel, t.card, t.control);
        let radius = CornerRadius::same(RADIUS);
        ui.painter().rect(rect, radius, fill, Stroke::new(1.0, t.line_strong), StrokeKind::Inside);
        let y = rect.center().y;
        let glass = icons::icon_font(icons::INLINE);
        paint::icon_at(ui, pos2(rect.left() + 18.0, y), icons::MAGNIFYING_GLASS, glass, t.text_muted);
        ui.painter().text(
            pos2(rect.left() + 33.0, y),
            egui::Align2::LEFT_CENTER,
            hint,
            fonts::regular(13.0),
            t.text_muted,
        );
        let key = paint::line(ui, shortcut, fonts::medium(11.0), t.text_muted);
        let cap = egui::Rect::from_center_size(
            pos2(rect.right() - 10.0 - key.size().x / 2.0 - 3.0, y),
            key.size() + vec2(12.0, 6.0),
        );
        ui.painter().rect_filled(cap, CornerRadius::same(5), t.control);
        ui.painter().galley(cap.center() - key.size() / 2.0, key, t.text_muted);
        paint::focus_ring(ui, &response, rect, RADIUS);
    }
    response
}
