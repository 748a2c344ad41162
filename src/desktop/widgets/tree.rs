//! A row of a tree: indent guides, a caret where there is more inside, a label, a number at the right end.

use eframe::egui::{
    Color32, CornerRadius, EventFilter, Id, Key, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2,
    vec2,
};

use super::paint;
use crate::desktop::theme::{RADIUS_SMALL, ROW_HEIGHT, TREE_INDENT, tokens};
use crate::desktop::{fonts, icons};

/// One row of a tree. Call in the order of the tree; the caller keeps what is open.
#[must_use = "a row appears only when it is shown"]
#[derive(Debug, Clone, Copy)]
pub struct TreeRow<'a> {
    label: &'a str,
    depth: usize,
    open: Option<bool>,
    selected: bool,
    trailing: &'a str,
    icon: Option<&'a str>,
    id: Option<Id>,
}

/// What happened to a row.
#[derive(Debug)]
pub struct TreeRowAnswer {
    /// `clicked()` selects it.
    pub response: Response,
    /// The caret was clicked, or Left or Right pressed: flip what is open.
    pub toggled: bool,
}

impl<'a> TreeRow<'a> {
    /// A leaf at the root.
    pub const fn new(label: &'a str) -> Self {
        Self { label, depth: 0, open: None, selected: false, trailing: "", icon: None, id: None }
    }

    /// How many levels in.
    pub const fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// That there is more inside, and whether it is shown.
    pub const fn open(mut self, open: bool) -> Self {
        self.open = Some(open);
        self
    }

    /// Whether it is the selected one.
    pub const fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// A number or word at the right end.
    pub const fn trailing(mut self, trailing: &'a str) -> Self {
        self.trailing = trailing;
        self
    }

    /// An icon instead of a leaf's dot.
    pub const fn icon(mut self, icon: &'a str) -> Self {
        self.icon = Some(icon);
        self
    }

    /// An identity of its own, so that the focus stays on it while rows come and go above.
    pub const fn id(mut self, id: Id) -> Self {
        self.id = Some(id);
        self
    }

    /// Draws it across the width there is.
    pub fn show(self, ui: &mut Ui) -> TreeRowAnswer {
        let t = tokens(ui);
        let (auto_id, rect) = ui.allocate_space(vec2(ui.available_width(), ROW_HEIGHT));
        let response = ui.interact(rect, self.id.unwrap_or(auto_id), Sense::click());
        response
            .widget_info(|| WidgetInfo::selected(Role::TreeItem, ui.is_enabled(), self.selected, self.label));
        if let Some(open) = self.open {
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_expanded(open));
        }
        let indent = rect.left() + 8.0 + self.depth as f32 * TREE_INDENT;
        let mark = Rect::from_center_size(pos2(indent + 5.0, rect.center().y), vec2(18.0, ROW_HEIGHT));
        let toggled = self.toggled(ui, &response, mark);
        paint::reveal(&response);
        if ui.is_rect_visible(rect) {
            let rest = if self.selected { t.row_selected } else { Color32::TRANSPARENT };
            let hover = if self.selected { t.row_selected } else { t.row_hover };
            let fill = paint::fill(ui, &response, rest, hover, hover);
            ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), fill);
            for level in 0..self.depth {
                let x = rect.left() + 13.0 + level as f32 * TREE_INDENT;
                ui.painter().vline(x, rect.y_range(), Stroke::new(1.0, t.line));
            }
            self.paint_mark(ui, mark);
            self.paint_words(ui, rect, indent + 16.0);
            paint::focus_ring(ui, &response, rect.shrink(2.0), RADIUS_SMALL);
        }
        TreeRowAnswer { response, toggled }
    }

    fn toggled(&self, ui: &Ui, response: &Response, mark: Rect) -> bool {
        let Some(open) = self.open else { return false };
        let by_caret =
            response.clicked() && response.interact_pointer_pos().is_some_and(|at| mark.contains(at));
        let by_key = response.has_focus() && {
            // Otherwise the arrows would move the focus to a neighbour.
            let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
            ui.input(|input| input.key_pressed(if open { Key::ArrowLeft } else { Key::ArrowRight }))
        };
        by_caret || by_key || response.double_clicked()
    }

    fn paint_mark(&self, ui: &Ui, mark: Rect) {
        let t = tokens(ui);
        let ink = if self.selected { t.accent_text } else { t.text_muted };
        match (self.open, self.icon) {
            (Some(open), _) => {
                let caret = if open { icons::CARET_DOWN } else { icons::CARET_RIGHT };
                paint::icon_at(ui, mark.center(), caret, icons::icon_font(12.0), ink);
            }
            (None, Some(icon)) => paint::icon_at(ui, mark.center(), icon, icons::icon_font(14.0), ink),
            (None, None) => {
                let colour = if self.selected { t.accent_text } else { t.text_faint };
                ui.painter().circle_filled(mark.center(), 2.5, colour);
            }
        }
    }

    fn paint_words(&self, ui: &Ui, rect: Rect, left: f32) {
        let t = tokens(ui);
        let number_ink = if self.selected { t.accent_text } else { t.text_muted };
        let number = paint::line(ui, self.trailing, fonts::regular(11.5), number_ink);
        let right = rect.right() - 8.0 - number.size().x;
        let y = rect.center().y;
        ui.painter().galley(pos2(right, y - number.size().y / 2.0), number, number_ink);
        let (font, ink) = if self.selected || self.open.is_some() {
            (fonts::medium(13.0), t.text_strong)
        } else {
            (fonts::regular(13.0), t.text)
        };
        let label = paint::line_within(ui, self.label, font, ink, right - 8.0 - left);
        ui.painter().galley(pos2(left, y - label.size().y / 2.0), label, ink);
    }
}
