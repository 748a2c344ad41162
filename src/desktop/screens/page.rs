//! What every screen before login shares: a dotted grid and a soft glow, a card that scrolls when it must, a footer.

use std::f32::consts::TAU;

use eframe::egui::{
    self, Align, Align2, Color32, CornerRadius, Key, Label, Layout, Mesh, Modifiers, Popup, Pos2, Rect,
    Response, RichText, ScrollArea, Shadow, Shape, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2,
};

use crate::desktop::theme::{LOGIN_CARD_PADDING, LOGIN_CARD_WIDTH, RADIUS_LOGIN, Tokens, tokens};
use crate::desktop::widgets::{Button, field_label, link, mark, muted};
use crate::desktop::{fonts, icons};

/// What the footer says: where this window is about to log in, and how the way there is protected.
#[derive(Debug, Clone, Copy)]
pub struct ScreenContext<'a> {
    /// The program's version: "0.1.0".
    pub version: &'a str,
    /// How the connection to the station is protected: "TLS 1.3", or "not connected".
    pub protection: &'a str,
    /// The station's name or address; "this computer" for its own.
    pub station: &'a str,
}

/// Points between the dots of the grid.
const GRID: f32 = 28.0;
/// Least room above and below the card.
const MARGIN: f32 = 16.0;
/// Room for the footer.
const FOOTER: f32 = 44.0;

/// A page while its contents are drawn.
pub(super) struct Page {
    /// The page has just appeared: the first field takes the focus.
    pub(super) fresh: bool,
    /// The field that Enter was pressed in; it gets the focus back, for a second try.
    entered: Option<Response>,
}

impl Page {
    /// Remembers a field, so that Enter in it submits and does not lose the place.
    pub(super) fn field(&mut self, ui: &Ui, response: Response) -> Response {
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            self.entered = Some(response.clone());
        }
        response
    }

    /// Whether Enter was pressed in a field, or where nothing has the focus (a focused button takes its own Enter).
    pub(super) fn enter(&mut self, ui: &Ui) -> bool {
        let pressed = ui.input(|input| input.key_pressed(Key::Enter));
        let nothing_focused = ui.memory(|memory| memory.focused().is_none());
        if let Some(field) = self.entered.take() {
            field.request_focus();
            return true;
        }
        pressed && nothing_focused
    }
}

/// Draws a page. `id` names it: when another page was on the screen before, this one is fresh.
pub(super) fn page<R>(
    ui: &mut Ui,
    context: &ScreenContext<'_>,
    id: &'static str,
    contents: impl FnOnce(&mut Ui, &mut Page) -> R,
) -> R {
    let rect = ui.max_rect();
    background(ui, rect);
    footer(ui, rect, context);
    let fresh = is_fresh(ui, id);

    // The card is as high as its contents were; a first look at them is not shown.
    let height_id = egui::Id::unique(("page height", id));
    let known: Option<f32> = ui.data(|data| data.get_temp(height_id));
    let room = Rect::from_min_max(rect.min + vec2(0.0, MARGIN), rect.max - vec2(0.0, FOOTER));
    let wanted = known.unwrap_or(420.0) + 2.0 * LOGIN_CARD_PADDING;
    let width = LOGIN_CARD_WIDTH.min(rect.width() - 32.0);
    let height = wanted.min(room.height());
    // Centred in the window where there is room, so that it does not jump when a page is higher.
    let top = (rect.center().y - height / 2.0).min(room.bottom() - height).max(room.top());
    let card =
        Rect::from_min_size(pos2((rect.center().x - width / 2.0).round(), top.round()), vec2(width, height));
    paint_card(ui, card);

    let inner = card.shrink(1.0);
    let mut child = ui.new_child(
        UiBuilder::new().id_salt(("page", id)).max_rect(inner).layout(Layout::top_down(Align::Min)),
    );
    child.set_clip_rect(inner.intersect(ui.clip_rect()));
    // The bar keeps clear of the card's round corners.
    let bar = inner.shrink2(vec2(3.0, f32::from(RADIUS_LOGIN)));
    let area = ScrollArea::vertical().id_salt("page").auto_shrink(false).scroll_bar_rect(bar);
    let scrolled = area.show(&mut child, |ui| {
        let spacing = std::mem::take(&mut ui.spacing_mut().item_spacing);
        let pad = LOGIN_CARD_PADDING - 1.0;
        let width = ui.available_width() - 2.0 * pad;
        let place = Rect::from_min_size(ui.cursor().min + vec2(pad, pad), vec2(width, 10.0));
        let mut page = Page { fresh, entered: None };
        let shown =
            ui.scope_builder(UiBuilder::new().max_rect(place).layout(Layout::top_down(Align::Min)), |ui| {
                ui.spacing_mut().item_spacing = spacing;
                ui.set_width(width);
                contents(ui, &mut page)
            });
        ui.add_space(pad);
        (shown.inner, shown.response.rect.height())
    });
    let (answer, height) = scrolled.inner;
    if known.is_none_or(|known| (known - height).abs() > 0.5) {
        ui.data_mut(|data| data.insert_temp(height_id, height));
        ui.ctx().request_discard("the card takes the height of its contents");
    }
    answer
}

/// True in the first pass that shows this page after another one, and in that frame's repeated passes.
fn is_fresh(ui: &Ui, id: &'static str) -> bool {
    let key = egui::Id::unique("page on the screen");
    let frame = ui.ctx().cumulative_frame_nr();
    let (shown, since): (&str, u64) = ui.data(|data| data.get_temp(key)).unwrap_or(("", frame));
    if shown == id {
        return since == frame;
    }
    ui.data_mut(|data| data.insert_temp(key, (id, frame)));
    true
}

/// The mark and, where there is a way back, the button for it; then title and subtitle. True when going back.
pub(super) fn head(ui: &mut Ui, title: &str, subtitle: &str, back: bool) -> bool {
    let t = tokens(ui);
    let mut going = false;
    ui.horizontal(|ui| {
        mark(ui, 44.0);
        if back {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                going = Button::ghost("Back").icon(icons::ARROW_LEFT).show(ui).clicked();
            });
        }
    });
    ui.add_space(12.0);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.add(Label::new(RichText::new(title).font(fonts::semibold(22.0)).color(t.text_strong)).wrap());
        if !subtitle.is_empty() {
            ui.add(Label::new(RichText::new(subtitle).font(fonts::regular(13.5)).color(t.text_muted)).wrap());
        }
    });
    ui.add_space(10.0);
    let escape = back
        && !Popup::is_any_open(ui.ctx())
        && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    going || escape
}

/// Space between the fields of a form.
pub(super) fn gap(ui: &mut Ui) {
    ui.add_space(5.0);
}

/// A line, with words in the middle that lead somewhere else. True when they were clicked.
pub(super) fn aside(ui: &mut Ui, question: &str, link_text: &str) -> bool {
    let t = tokens(ui);
    ui.add_space(4.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 1.0), egui::Sense::hover());
    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(1.0, t.line));
    let font = fonts::regular(13.0);
    let question_width =
        ui.painter().layout_no_wrap(question.to_owned(), font.clone(), t.text_muted).size().x;
    let link_width = ui.painter().layout_no_wrap(link_text.to_owned(), fonts::medium(13.0), t.text).size().x;
    let space = if question.is_empty() { 0.0 } else { 6.0 };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(((ui.available_width() - question_width - link_width - space) / 2.0).max(0.0));
        if !question.is_empty() {
            ui.label(RichText::new(question).font(font).color(t.text_muted));
            ui.add_space(space);
        }
        link(ui, link_text).clicked()
    })
    .inner
}

/// A label over something that is not a field.
pub(super) fn group_label(ui: &mut Ui, text: &str) {
    field_label(ui, text);
    ui.add_space(-3.0);
}

/// A paragraph under the head.
pub(super) fn paragraph(ui: &mut Ui, text: &str) {
    muted(ui, text);
}

fn paint_card(ui: &Ui, rect: Rect) {
    let t = tokens(ui);
    let radius = CornerRadius::same(RADIUS_LOGIN);
    let shadow = Shadow { offset: [0, 16], blur: 48, spread: 0, color: t.shadow };
    ui.painter().add(shadow.as_shape(rect, radius));
    let fill = if t.dark { t.panel } else { t.card };
    ui.painter().rect(rect, radius, fill, Stroke::new(1.0, t.line_strong), StrokeKind::Inside);
}

fn background(ui: &Ui, rect: Rect) {
    let t = tokens(ui);
    ui.painter().rect_filled(rect, 0, t.window);
    ui.painter().add(Shape::mesh(glow(rect, t)));
    let mut dots = Mesh::default();
    let columns = (rect.width() / GRID).ceil() as usize;
    let rows = (rect.height() / GRID).ceil() as usize;
    for row in 0..rows {
        for column in 0..columns {
            let at = rect.min + vec2(column as f32 + 0.5, row as f32 + 0.5) * GRID;
            dots.add_colored_rect(Rect::from_center_size(at.round(), vec2(2.0, 2.0)), t.dot);
        }
    }
    ui.painter().add(Shape::mesh(dots));
}

/// An ellipse of light behind the card that fades out softly.
fn glow(rect: Rect, t: &Tokens) -> Mesh {
    const RINGS: usize = 14;
    const SPOKES: usize = 64;
    let radius = vec2((rect.width() * 0.36).min(560.0), (rect.height() * 0.48).min(460.0));
    let mut mesh = Mesh::default();
    mesh.colored_vertex(rect.center(), t.glow);
    for ring in 1..=RINGS {
        let share = ring as f32 / RINGS as f32;
        // A cosine falls off without an edge at either end.
        let strength = 0.5 + 0.5 * (share * TAU / 2.0).cos();
        let colour: Color32 = t.window.lerp_to_gamma(t.glow, strength);
        for spoke in 0..SPOKES {
            let angle = spoke as f32 / SPOKES as f32 * TAU;
            let at: Pos2 = rect.center() + vec2(angle.cos() * radius.x, angle.sin() * radius.y) * share;
            mesh.colored_vertex(at, colour);
        }
    }
    let vertex = |ring: usize, spoke: usize| (1 + (ring - 1) * SPOKES + spoke % SPOKES) as u32;
    for spoke in 0..SPOKES {
        mesh.add_triangle(0, vertex(1, spoke), vertex(1, spoke + 1));
        for ring in 1..RINGS {
            mesh.add_triangle(vertex(ring, spoke), vertex(ring + 1, spoke), vertex(ring + 1, spoke + 1));
            mesh.add_triangle(vertex(ring, spoke), vertex(ring + 1, spoke + 1), vertex(ring, spoke + 1));
        }
    }
    mesh
}

fn footer(ui: &mut Ui, rect: Rect, context: &ScreenContext<'_>) {
    let t = tokens(ui);
    let text = format!("Sealwire {}  ·  {}  ·  {}", context.version, context.protection, context.station);
    let place = Align2::CENTER_CENTER.align_size_within_rect(
        vec2(rect.width() - 32.0, 20.0),
        Rect::from_min_max(pos2(rect.left(), rect.bottom() - FOOTER), rect.max),
    );
    let text = RichText::new(text).font(fonts::regular(12.0)).color(t.text_faint);
    let layout = Layout::centered_and_justified(egui::Direction::LeftToRight);
    let mut child = ui.new_child(UiBuilder::new().id_salt("footer").max_rect(place).layout(layout));
    child.add(Label::new(text).truncate().selectable(false));
}
