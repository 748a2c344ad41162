//! Text fields: the label above, an icon inside, an eye for passwords, the error below.

use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::{
    self, Align2, Color32, CornerRadius, Frame, Id, Margin, Rect, Response, RichText, Stroke, TextEdit, Ui,
    pos2, vec2,
};

use super::button::icon_button_small;
use super::paint;
use crate::desktop::theme::{FOCUS_WIDTH, INPUT_HEIGHT, RADIUS, tokens};
use crate::desktop::{fonts, icons};

/// A text field. Its identity is its label within the surrounding [`Ui`], so that the focus stays when something
/// appears above it; give [`Self::id_salt`] where two fields share a label.
#[must_use = "a field appears only when it is shown"]
pub struct TextField<'a> {
    label: &'a str,
    text: &'a mut String,
    salt: Option<&'a str>,
    label_hidden: bool,
    icon: Option<&'a str>,
    hint: &'a str,
    help: Option<&'a str>,
    error: Option<&'a str>,
    secret: bool,
    mono: bool,
    focus: bool,
    again: bool,
    rows: usize,
    width: Option<f32>,
    height: f32,
    limit: usize,
    enabled: bool,
}

/// What a person can type where nothing else is said: enough for any name, short enough to lay out.
const DEFAULT_LIMIT: usize = 4_096;

impl<'a> TextField<'a> {
    /// A field with a label above it.
    pub fn new(label: &'a str, text: &'a mut String) -> Self {
        Self {
            label,
            text,
            salt: None,
            label_hidden: false,
            icon: None,
            hint: "",
            help: None,
            error: None,
            secret: false,
            mono: false,
            focus: false,
            again: false,
            rows: 1,
            width: None,
            height: INPUT_HEIGHT,
            limit: DEFAULT_LIMIT,
            enabled: true,
        }
    }

    /// Tells this field from another with the same label.
    pub fn id_salt(mut self, salt: &'a str) -> Self {
        self.salt = Some(salt);
        self
    }

    /// Keeps the label for screen readers alone: for a filter above a list, where the icon and hint say it.
    pub fn hide_label(mut self) -> Self {
        self.label_hidden = true;
        self
    }

    /// An icon inside, on the left.
    pub fn icon(mut self, icon: &'a str) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Shown while the field is empty.
    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    /// A line below the field, while there is no error.
    pub fn help(mut self, help: &'a str) -> Self {
        self.help = Some(help);
        self
    }

    /// What is wrong with the content, below the field.
    pub fn error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }

    /// Dots instead of letters, with an eye to show them. No undo history is kept of what was typed.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Monospace, for keys, codes and addresses.
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// Takes the keyboard focus in this frame, all of a secret selected: what is typed now takes its place.
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// Takes the keyboard focus in this frame.
    pub fn focus(mut self, focus: bool) -> Self {
        self.focus = focus;
        self
    }

    /// Several lines.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Width in points; all there is where not said.
    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// 30 pixels high, for tool bars and filters.
    pub fn compact(mut self) -> Self {
        self.height = crate::desktop::theme::CONTROL_HEIGHT;
        self
    }

    /// The most characters it takes.
    pub fn limit(mut self, characters: usize) -> Self {
        self.limit = characters;
        self
    }

    /// Greyed out when false.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Draws it. `changed()`, `lost_focus()` and `has_focus()` are the text's own.
    pub fn show(self, ui: &mut Ui) -> Response {
        let enabled = self.enabled;
        ui.add_enabled_ui(enabled, |ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 5.0;
                self.contents(ui)
            })
            .inner
        })
        .inner
    }

    fn contents(self, ui: &mut Ui) -> Response {
        let t = tokens(ui);
        let label = if self.label_hidden { None } else { Some(field_label(ui, self.label)) };
        let id = ui.make_persistent_id(("text field", self.label, self.salt));
        let shown_id = id.with("shown");
        let mut shown = self.secret && ui.data(|data| data.get_temp(shown_id).unwrap_or(false));
        let width = self.width.unwrap_or_else(|| ui.available_width()).min(ui.available_width());
        let focused = ui.memory(|memory| memory.has_focus(id));

        let (border, border_width) = match (self.error.is_some(), focused) {
            (true, _) => (t.red.mark, if focused { FOCUS_WIDTH } else { 1.0 }),
            (false, true) => (t.accent, FOCUS_WIDTH),
            (false, false) => (t.line_strong, 1.0),
        };
        let left = if self.icon.is_some() { 36 } else { 12 };
        let right = if self.secret { 38 } else { 12 };
        let vertical = if self.rows > 1 { 9 } else { 0 };
        let frame = Frame::new()
            .fill(t.input)
            .corner_radius(CornerRadius::same(RADIUS))
            .inner_margin(Margin { left, right, top: vertical, bottom: vertical });

        let font = if self.mono { fonts::mono(12.5) } else { fonts::regular(13.5) };
        let edit =
            if self.rows > 1 { TextEdit::multiline(self.text) } else { TextEdit::singleline(self.text) };
        let alignment = if self.rows > 1 { Align2::LEFT_TOP } else { Align2::LEFT_CENTER };
        let output = edit
            .id(id)
            .password(self.secret && !shown)
            .hint_text(RichText::new(self.hint).font(fonts::regular(13.5)))
            .font(font)
            .text_color(t.text_strong)
            .desired_width(width)
            .desired_rows(self.rows)
            .char_limit(self.limit)
            .align(alignment)
            .frame(frame)
            .min_size(vec2(width, self.height))
            .show(ui);
        let mut response = output.response.response;
        let rect = response.rect;
        if self.secret {
            let all = self.again.then(|| output.galley.text().chars().count());
            forget_typing(ui, id, output.state, all);
        }
        response = match &label {
            Some(label) => response.labelled_by(label.id),
            None => {
                ui.ctx().accesskit_node_builder(id, |node| node.set_label(self.label));
                response
            }
        };
        if self.focus || self.again {
            response.request_focus();
        } else {
            paint::reveal(&response);
        }
        let stroke = Stroke::new(border_width, border);
        ui.painter().rect_stroke(rect, CornerRadius::same(RADIUS), stroke, egui::StrokeKind::Inside);
        if let Some(icon) = self.icon {
            let ink = if focused { t.accent_text } else { t.text_muted };
            let at = pos2(rect.left() + 20.0, rect.top() + self.height / 2.0);
            paint::icon_at(ui, at, icon, icons::icon_font(16.0), ink);
        }
        if self.secret {
            shown = eye(ui, rect, self.label, shown);
            ui.data_mut(|data| data.insert_temp(shown_id, shown));
        }
        match (self.error, self.help) {
            (Some(error), _) => below(ui, Some(icons::WARNING_CIRCLE), error, t.red.text),
            (None, Some(help)) => below(ui, None, help, t.text_muted),
            (None, None) => {}
        }
        response
    }
}

/// The label above a field; give its id to [`Response::labelled_by`].
pub fn field_label(ui: &mut Ui, text: &str) -> Response {
    let ink = tokens(ui).text_muted;
    ui.add(egui::Label::new(RichText::new(text).font(fonts::medium(12.0)).color(ink)).selectable(false))
}

/// egui keeps an undo history of every text field; for a secret that would be copies of it that nothing wipes.
/// `select` characters are selected.
fn forget_typing(ui: &Ui, id: Id, mut state: egui::text_edit::TextEditState, select: Option<usize>) {
    state.clear_undoer();
    if let Some(count) = select {
        let range = CCursorRange::two(CCursor::new(0), CCursor::new(count));
        state.cursor.set_char_range(Some(range));
    }
    state.store(ui.ctx(), id);
}

fn eye(ui: &mut Ui, field: Rect, label: &str, shown: bool) -> bool {
    let rect = Rect::from_center_size(pos2(field.right() - 20.0, field.center().y), vec2(24.0, 24.0));
    let lower = label.to_lowercase();
    let (icon, name) = if shown {
        (icons::EYE_SLASH, format!("Hide the {lower}"))
    } else {
        (icons::EYE, format!("Show the {lower}"))
    };
    let mut child = ui.new_child(egui::UiBuilder::new().id_salt(("eye", label)).max_rect(rect));
    shown ^ icon_button_small(&mut child, icon, &name).clicked()
}

fn below(ui: &mut Ui, icon: Option<&str>, text: &str, ink: Color32) {
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        if let Some(icon) = icon {
            ui.label(icons::icon(icon, 14.0).color(ink));
        }
        ui.add(egui::Label::new(RichText::new(text).font(fonts::regular(12.0)).color(ink)).wrap());
    });
}
