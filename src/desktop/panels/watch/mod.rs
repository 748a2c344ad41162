//! Watch: what arrives. On the left the topics and what is watched, in the middle plot and messages, on the right the
//! selected message with the bytes that the broker sees.
//!
//! Holds view state only: what is selected, filtered, paused. Start at [`WatchPanel::ui`]. A frame costs what is on the
//! screen, never what is in memory.

mod budget;
mod columns;
mod detail;
mod empty;
mod explain;
mod facts;
mod filters;
mod meanings;
mod plot;
mod row;
mod table;
pub(super) mod tiles;
mod topics;
mod verdict;
mod wire;

use eframe::egui::{
    CentralPanel, CornerRadius, Frame, Margin, Panel, Rect, Stroke, Ui, UiBuilder, pos2, vec2,
};

use crate::{
    client::{Event, LinkState, Message},
    desktop::{
        messages::ROOT,
        model::{Model, Outbound},
        theme::{PANEL_MARGIN, RADIUS_CARD, tokens},
    },
    topic::TopicName,
};

use self::{detail::Detail, filters::Filters, plot::PlotCard, table::Table, topics::Topics};

/// From this width on, the selected message has a column of its own.
const WIDE: f32 = 1_180.0;
/// Below this width the topics are shown only when asked for.
const NARROW: f32 = 760.0;
const TOPICS_WIDTH: f32 = 232.0;
const DETAIL_WIDTH: f32 = 344.0;

/// The page of what arrives.
#[derive(Default)]
pub struct WatchPanel {
    topics: Topics,
    filters: Filters,
    plot: PlotCard,
    table: Table,
    detail: Detail,
    /// The message that is looked at: a copy, so that it stays when the ring lets it go.
    selected: Option<Selected>,
    /// Whether a message was ever chosen; before that the first one that comes is shown.
    ever_selected: bool,
    topics_shown: Option<bool>,
}

/// The message that is looked at.
#[derive(Debug, Clone)]
struct Selected {
    number: u64,
    message: Message,
}

impl WatchPanel {
    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        let width = ui.available_width();
        let full = ui.max_rect();
        let wide = width >= WIDE;
        let topics_shown = self.topics_shown.unwrap_or(width >= NARROW);
        if topics_shown {
            let frame = Frame::new().inner_margin(Margin { left: 12, right: 12, top: 14, bottom: 8 });
            Panel::left("watch topics")
                .exact_size(TOPICS_WIDTH)
                .resizable(false)
                .frame(frame)
                .show(ui, |ui| self.left(ui, model, out));
        }
        let nothing = model.messages.is_empty();
        if wide && !self.ever_selected {
            self.select_first(model);
        }
        if wide && !nothing {
            let frame = Frame::new().inner_margin(Margin { left: 14, right: 14, top: 14, bottom: 8 });
            Panel::right("watch detail")
                .exact_size(DETAIL_WIDTH)
                .resizable(false)
                .frame(frame)
                .show(ui, |ui| self.detail.ui(ui, self.selected.as_ref(), false, model, out));
        }
        let frame = Frame::new().inner_margin(Margin::same(PANEL_MARGIN as i8));
        CentralPanel::default_margins().frame(frame).show(ui, |ui| {
            if nothing {
                if empty::empty(ui, model, out) {
                    self.topics_shown = Some(true);
                    self.filters.open();
                }
            } else {
                self.middle(ui, model, topics_shown);
            }
        });
        if !wide && !nothing && self.selected.is_some() && self.overlay(ui, full, model, out) {
            self.selected = None;
        }
        self.detail.dialogs(ui.ctx(), self.selected.as_ref(), model);
    }

    /// The first message is looked at by itself, so that the sealed bytes stand beside it from the start.
    fn select_first(&mut self, model: &Model) {
        let newest = model.messages.numbers().end.checked_sub(1);
        if let Some((number, row)) = newest.and_then(|number| Some((number, model.messages.row(number)?))) {
            self.selected = Some(Selected { number, message: row.message.clone() });
            self.ever_selected = true;
        }
    }

    fn left(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        self.filters.ui(ui, model, out);
        ui.add_space(6.0);
        if self.topics.ui(ui, model) {
            self.table.show_newest();
        }
    }

    fn middle(&mut self, ui: &mut Ui, model: &mut Model, topics_shown: bool) {
        let room = ui.available_size();
        ui.spacing_mut().item_spacing.y = 12.0;
        if room.y >= 700.0 && room.x >= 560.0 {
            tiles::tiles(ui, model);
        }
        if room.y >= 420.0 {
            let picked = self.picked(model);
            let height = if room.y >= 640.0 { 176.0 } else { 118.0 };
            self.plot.ui(ui, &mut model.messages, picked, height);
        }
        let given = table::Given {
            under: self.topics.selected(),
            under_path: self.topics.selected_path(&model.messages),
            selected: self.selected.as_ref().map(|selected| selected.number),
            topics_shown,
            online: matches!(model.link, LinkState::Online { .. }),
        };
        let answer = self.table.ui(ui, model, &given);
        if answer.show_topics {
            self.topics_shown = Some(!topics_shown);
        }
        if answer.all_topics {
            self.topics.select(ROOT);
        }
        if answer.deselect {
            (self.selected, self.ever_selected) = (None, true);
        }
        if let Some(number) = answer.select
            && let Some(row) = model.messages.row(number)
        {
            self.selected = Some(Selected { number, message: row.message.clone() });
            self.ever_selected = true;
        }
    }

    /// The level whose numbers are drawn: the one chosen in the tree, or that of the selected message.
    fn picked(&self, model: &Model) -> Option<u32> {
        match self.topics.selected() {
            ROOT => self
                .selected
                .as_ref()
                .and_then(|selected| model.messages.tree().find(&selected.message.topic)),
            node => Some(node),
        }
    }

    /// The selected message over the right of the page. True when it was closed.
    fn overlay(&mut self, ui: &mut Ui, full: Rect, model: &Model, out: &mut Outbound) -> bool {
        let t = tokens(ui);
        let width = DETAIL_WIDTH.min(full.width() - 24.0);
        let rect =
            Rect::from_min_max(pos2(full.right() - width - 8.0, full.top() + 6.0), full.max - vec2(8.0, 6.0));
        let shadow = ui.visuals().popup_shadow;
        ui.painter().add(shadow.as_shape(rect, CornerRadius::same(RADIUS_CARD)));
        ui.painter().rect(
            rect,
            CornerRadius::same(RADIUS_CARD),
            t.panel,
            Stroke::new(1.0, t.line_strong),
            eframe::egui::StrokeKind::Inside,
        );
        // What lies below must not be clicked through the card.
        ui.interact(
            rect,
            ui.scope_id().with("overlay"),
            eframe::egui::Sense::CLICK | eframe::egui::Sense::DRAG,
        );
        let inner = rect.shrink2(vec2(14.0, 12.0));
        let mut child = ui.new_child(UiBuilder::new().id_salt("watch overlay").max_rect(inner));
        child.set_clip_rect(rect.intersect(ui.clip_rect()));
        self.detail.ui(&mut child, self.selected.as_ref(), true, model, out)
    }

    /// Chooses a topic in the tree and shows only its messages.
    pub fn show_topic(&mut self, topic: &TopicName, model: &Model) {
        if let Some(node) = model.messages.tree().find(topic) {
            self.topics.reveal(node, &model.messages);
            self.table.show_newest();
        }
    }

    /// Takes notice of an event before the model does.
    pub fn on_event(&mut self, event: &Event, _model: &Model) {
        if matches!(event, Event::LoggedOut { .. }) {
            *self = Self::default();
        }
    }

    /// Table rows that the last frame laid out, and rows that its filter looked at: what a frame costs.
    #[must_use]
    pub fn frame_cost(&self) -> (usize, usize) {
        self.table.frame_cost()
    }
}
