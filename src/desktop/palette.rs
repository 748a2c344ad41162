//! Ctrl+K: type a few letters, jump anywhere. Places, settings, topics, keys and actions in one list.
//!
//! Knows nothing of what the entries lead to: the caller gives them and gets the chosen one back.

use eframe::egui::{
    Align, Context, CornerRadius, Frame, Id, Key, Label, Layout, Margin, Modal, Modifiers, RichText, Role,
    ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::{
    fonts, icons,
    theme::{RADIUS_CARD, RADIUS_SMALL, tokens, tokens_of},
    widgets::TextField,
};

/// How many hits are listed. Nobody reads more; typing one more letter is quicker.
const LISTED: usize = 60;
/// Height of an entry.
const ENTRY: f32 = 34.0;

/// One thing to jump to.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    /// An icon.
    pub(super) icon: &'static str,
    /// What it is called.
    pub(super) text: String,
    /// What kind of thing it is: "Page", "Topic", "Key", "Action".
    pub(super) kind: &'static str,
    /// What is returned when it is chosen.
    pub(super) to: T,
}

/// The palette's own state: what was typed and which hit is marked.
#[derive(Debug, Default)]
pub(super) struct Palette {
    open: bool,
    text: String,
    marked: usize,
    fresh: bool,
}

impl Palette {
    /// Opens it, empty.
    pub(super) fn open(&mut self) {
        *self = Self { open: true, fresh: true, ..Self::default() };
    }

    /// Whether it is open; only then are entries needed.
    #[must_use]
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it over everything. Returns what was chosen, and closes.
    pub(super) fn show<T: Clone>(&mut self, ctx: &Context, entries: &[Entry<T>]) -> Option<T> {
        if !self.open {
            return None;
        }
        let t = tokens_of(ctx);
        let (down, up, enter) = ctx.input_mut(|input| {
            (
                input.consume_key(Modifiers::NONE, Key::ArrowDown),
                input.consume_key(Modifiers::NONE, Key::ArrowUp),
                input.consume_key(Modifiers::NONE, Key::Enter),
            )
        });
        let frame = Frame::new()
            .fill(t.card)
            .stroke(Stroke::new(1.0, t.line_strong))
            .corner_radius(CornerRadius::same(RADIUS_CARD))
            .shadow(ctx.global_style().visuals.window_shadow)
            .inner_margin(Margin::same(12));
        let room = ctx.content_rect();
        let width = 560.0_f32.min(room.width() - 48.0);
        let area = Modal::default_area(Id::unique("palette"))
            .role(eframe::egui::accesskit::Role::Dialog)
            .accessible_name("Jump to")
            .anchor(eframe::egui::Align2::CENTER_TOP, vec2(0.0, (room.height() * 0.12).round()));
        let mut chosen = None;
        let shown = Modal::new(Id::unique("palette"))
            .area(area)
            .frame(frame)
            .backdrop_color(t.backdrop)
            .show(ctx, |ui| {
                ui.set_width(width);
                let field = TextField::new("Search or jump to", &mut self.text)
                    .hide_label()
                    .icon(icons::MAGNIFYING_GLASS)
                    .hint("A page, topic, key or action")
                    .limit(200)
                    .focus(self.fresh);
                if field.show(ui).changed() {
                    self.marked = 0;
                }
                let hits = ranked(entries, &self.text);
                self.marked = match (down, up) {
                    (true, _) => (self.marked + 1).min(hits.len().saturating_sub(1)),
                    (_, true) => self.marked.saturating_sub(1),
                    _ => self.marked.min(hits.len().saturating_sub(1)),
                };
                ui.add_space(2.0);
                if hits.is_empty() {
                    let text = format!("Nothing here is called “{}”.", self.text.trim());
                    ui.add(Label::new(RichText::new(text).color(t.text_muted)).wrap());
                }
                ScrollArea::vertical().max_height((room.height() * 0.56).min(12.0 * ENTRY)).show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    for (index, entry) in hits.iter().enumerate() {
                        let marked = index == self.marked;
                        let response = entry_row(ui, entry, marked);
                        if marked && (down || up) {
                            response.scroll_to_me(None);
                        }
                        if response.clicked() || marked && enter {
                            chosen = Some(entry.to.clone());
                        }
                    }
                });
            });
        self.fresh = false;
        if chosen.is_some() || shown.should_close() {
            self.open = false;
        }
        chosen
    }
}

fn entry_row<T>(ui: &mut Ui, entry: &Entry<T>, marked: bool) -> eframe::egui::Response {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ENTRY), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::MenuItem, true, marked, &entry.text));
    if ui.is_rect_visible(rect) {
        let fill = match (marked, response.hovered()) {
            (true, _) => t.row_selected,
            (false, true) => t.row_hover,
            (false, false) => t.card,
        };
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), fill);
        let ink = if marked { t.accent_text } else { t.text_muted };
        let centre = pos2(rect.left() + 20.0, rect.center().y);
        ui.painter().text(
            centre,
            eframe::egui::Align2::CENTER_CENTER,
            entry.icon,
            icons::icon_font(16.0),
            ink,
        );
        let inner = eframe::egui::Rect::from_min_max(
            pos2(rect.left() + 38.0, rect.top()),
            rect.max - vec2(10.0, 0.0),
        );
        let mut row = ui.new_child(
            eframe::egui::UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center)),
        );
        let kind = RichText::new(entry.kind).font(fonts::regular(12.0)).color(t.text_faint);
        row.add(Label::new(kind).selectable(false));
        row.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let text = RichText::new(&entry.text).font(fonts::regular(13.0)).color(t.text_strong);
            ui.add(Label::new(text).truncate().selectable(false));
        });
    }
    response
}

/// The entries that match, best first: a start of the name, then a start of a word in it, then anywhere, then the
/// letters in that order with others between.
fn ranked<'a, T>(entries: &'a [Entry<T>], typed: &str) -> Vec<&'a Entry<T>> {
    let typed = typed.trim().to_lowercase();
    let mut hits: Vec<(u8, usize, &Entry<T>)> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((rank(&entry.text.to_lowercase(), &typed)?, index, entry)))
        .collect();
    hits.sort_by_key(|(rank, index, _)| (*rank, *index));
    hits.truncate(LISTED);
    hits.into_iter().map(|(_, _, entry)| entry).collect()
}

fn rank(name: &str, typed: &str) -> Option<u8> {
    if name.starts_with(typed) {
        return Some(0);
    }
    if let Some(at) = name.find(typed) {
        let word = name[..at].chars().next_back().is_some_and(|before| !before.is_alphanumeric());
        return Some(if word { 1 } else { 2 });
    }
    let mut letters = name.chars();
    typed.chars().all(|wanted| letters.any(|letter| letter == wanted)).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_name_comes_before_the_start_of_a_word_and_that_before_the_rest() {
        let entries: Vec<Entry<usize>> = ["plant/hall/press", "compress", "Press hall", "p r e s s"]
            .into_iter()
            .enumerate()
            .map(|(to, text)| Entry { icon: icons::HASH, text: text.to_owned(), kind: "Topic", to })
            .collect();
        let order = |typed| ranked(&entries, typed).iter().map(|entry| entry.to).collect::<Vec<_>>();
        assert_eq!(order("press"), [2, 0, 1, 3]);
        assert_eq!(order(""), [0, 1, 2, 3]);
        assert!(order("zebra").is_empty());
    }
}
