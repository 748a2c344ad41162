//! The messages, the newest at the top. Only the rows in view are laid out.
//!
//! While the person reads further down, or has paused, the store holds the rows where they are and counts what waits.

use eframe::egui::{
    self, Align, EventFilter, Id, Key, Label, Layout, Modifiers, Rect, RichText, Role, Sense, Ui, UiBuilder,
    WidgetInfo, pos2,
};
use egui_extras::TableBuilder;

use crate::{
    client::SenderKey,
    desktop::{
        fonts, icons,
        messages::{Filter, NodeId, View},
        model::Model,
        panels::{ends::ends, grouped, sender::sender},
        theme::{CARD_PADDING, CONTROL_HEIGHT, FOCUS_WIDTH, ROW_HEIGHT, Tone, tokens},
        widgets::{
            Button, EmptyState, TextField, caps, card_frame, icon_toggle, pill, title, toggle, waiting,
        },
    },
};

use super::{
    budget,
    columns::Columns,
    row::{draw, row_name},
    verdict::Known,
};

/// What the table needs to know from the page.
pub(super) struct Given {
    /// The chosen level of the tree.
    pub(super) under: NodeId,
    /// Its path.
    pub(super) under_path: String,
    /// The number of the selected row.
    pub(super) selected: Option<u64>,
    /// Whether the topics are on the screen.
    pub(super) topics_shown: bool,
    /// Whether anything can come.
    pub(super) online: bool,
}

/// What a person did with the table.
#[derive(Debug, Default)]
pub(super) struct TableAnswer {
    /// Look at this row.
    pub(super) select: Option<u64>,
    /// Look at none.
    pub(super) deselect: bool,
    /// Show all topics again.
    pub(super) all_topics: bool,
    /// Show or hide the tree.
    pub(super) show_topics: bool,
}

/// The table's state.
#[derive(Debug, Default)]
pub(super) struct Table {
    text: String,
    only_problems: bool,
    paused: bool,
    reading: bool,
    to_top: bool,
    scroll_to: Option<usize>,
    view: View,
    laid_out: usize,
    page: usize,
}

impl Table {
    /// Goes back to the newest row.
    pub(super) fn show_newest(&mut self) {
        self.to_top = true;
        self.reading = false;
    }

    pub(super) const fn frame_cost(&self) -> (usize, usize) {
        (self.laid_out, self.view.visited())
    }

    pub(super) fn ui(&mut self, ui: &mut Ui, model: &mut Model, given: &Given) -> TableAnswer {
        let mut answer = TableAnswer::default();
        model.messages.hold(self.paused || self.reading);
        let filter = Filter {
            under: given.under,
            text: self.text.clone(),
            only_problems: self.only_problems,
            senders: senders(model, &self.text),
            doubtful: if self.only_problems { doubtful(model) } else { Vec::new() },
        };
        if filter != *self.view.filter() {
            self.view.set_filter(filter);
            self.show_newest();
        }
        let searching = self.view.update(&model.messages);
        if searching {
            ui.ctx().request_repaint();
        }
        card_frame(ui).inner_margin(0).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.set_height(ui.available_height());
            ui.spacing_mut().item_spacing.y = 0.0;
            self.head(ui, model, given, &mut answer);
            let all = ui.available_rect_before_wrap();
            let (above, below) = all.split_top_bottom_at_y(all.bottom() - budget::HEIGHT);
            ui.scope_builder(UiBuilder::new().max_rect(above), |ui| {
                if self.view.is_empty() {
                    self.none(ui, searching, &mut answer);
                } else {
                    self.rows(ui, model, given, &mut answer);
                }
            });
            budget::line(ui, below, model);
        });
        answer
    }

    fn head(&mut self, ui: &mut Ui, model: &Model, given: &Given, answer: &mut TableAnswer) {
        let t = tokens(ui);
        let store = &model.messages;
        let width = ui.available_width();
        egui::Frame::new().inner_margin(egui::Margin::symmetric(CARD_PADDING as i8, 9)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            let Self { text, only_problems, paused, reading, view, .. } = self;
            let (held, narrow) = ((*paused, *reading), width < 640.0);
            let left = |ui: &mut Ui| {
                if !given.topics_shown || narrow {
                    let name = if given.topics_shown { "Hide the topics" } else { "Show the topics" };
                    answer.show_topics =
                        icon_toggle(ui, icons::SIDEBAR_SIMPLE, name, given.topics_shown).clicked();
                }
                title(ui, "Messages", 13.5);
                match held {
                    (false, false) if !given.online => pill(ui, "Not connected", Tone::Neutral)
                        .on_hover_text("What is sent meanwhile comes when the connection is back, where the station keeps it"),
                    (true, _) => pill(ui, "Paused", Tone::Amber).on_hover_text("What comes waits"),
                    (false, true) => pill(ui, "Held", Tone::Accent)
                        .on_hover_text("While you read further down, what comes waits"),
                    (false, false) => {
                        pill(ui, "Live", Tone::Green).on_hover_text("What comes appears at the top")
                    }
                };
                if store.waiting() > 0 {
                    let text = format!("{} new", grouped(store.waiting()));
                    let newest = Button::ghost(&text).icon(icons::ARROW_UP);
                    if newest.tooltip("Goes on, with the newest at the top").show(ui).clicked() {
                        return true;
                    }
                }
                let all = grouped(store.len() as u64);
                let open = view.filter().is_open();
                let count = if open {
                    format!("{all} rows")
                } else {
                    format!("{} of {all}", grouped(view.len() as u64))
                };
                let count = RichText::new(count).font(fonts::regular(12.0)).color(t.text_muted);
                ui.add(Label::new(count).truncate());
                false
            };
            let right = |ui: &mut Ui| {
                TextField::new("Filter messages", text)
                    .hide_label()
                    .compact()
                    .icon(icons::MAGNIFYING_GLASS)
                    .hint(if narrow { "Filter" } else { "Topic, payload, sender" })
                    .width(if narrow { 130.0 } else { 180.0 })
                    .limit(256)
                    .show(ui);
                // Who is in doubt changes with what is known of people: their messages are not counted beforehand.
                let name = if doubtful(model).is_empty() {
                    format!("Only problems ({})", grouped(store.problems() as u64))
                } else {
                    "Only problems".to_owned()
                };
                if width >= 720.0 {
                    toggle(ui, only_problems, &name);
                } else if icon_toggle(ui, icons::WARNING, &name, *only_problems).clicked() {
                    *only_problems = !*only_problems;
                }
                let (icon, name) = if *paused { (icons::PLAY, "Go on") } else { (icons::PAUSE, "Pause") };
                icon_toggle(ui, icon, name, *paused).clicked()
            };
            let (newest, pause) = ends(ui, "messages head", CONTROL_HEIGHT, left, right);
            if newest {
                self.paused = false;
                self.show_newest();
            } else if pause {
                self.paused = !self.paused;
                if !self.paused {
                    self.show_newest();
                }
            }
        });
        if !given.under_path.is_empty() {
            egui::Frame::new().inner_margin(egui::Margin { left: 12, right: 12, top: 0, bottom: 6 }).show(
                ui,
                |ui| {
                    ui.horizontal(|ui| {
                        let text = format!("Only {}", given.under_path);
                        if Button::ghost(&text)
                            .icon(icons::FUNNEL)
                            .trailing_icon(icons::X)
                            .tooltip("Shows all topics again")
                            .show(ui)
                            .clicked()
                        {
                            answer.all_topics = true;
                        }
                    });
                },
            );
        }
    }

    fn none(&mut self, ui: &mut Ui, searching: bool, answer: &mut TableAnswer) {
        if searching {
            ui.add_space(16.0);
            ui.vertical_centered(|ui| waiting(ui, "Searching…"));
            return;
        }
        let pressed = EmptyState {
            icon: icons::FUNNEL,
            title: "No message passes the filter",
            text: "What comes and fits will appear here.",
            actions: &["Show all messages"],
        }
        .show(ui);
        if pressed.is_some() {
            self.text.clear();
            self.only_problems = false;
            answer.all_topics = true;
        }
    }

    fn rows(&mut self, ui: &mut Ui, model: &Model, given: &Given, answer: &mut TableAnswer) {
        let t = tokens(ui);
        let (store, known) = (&model.messages, Known::of(model));
        let id = ui.make_persistent_id("messages table");
        self.keys(ui, id, given, answer);
        let area = ui.available_rect_before_wrap();
        ui.interact(area, id, Sense::focusable_noninteractive())
            .widget_info(|| WidgetInfo::labeled(Role::Table, true, "Messages, newest first"));
        let focused = ui.memory(|memory| memory.has_focus(id));
        let header = Rect::from_min_max(area.min, pos2(area.right(), area.top() + ROW_HEIGHT));
        ui.painter().rect_filled(header.shrink2(egui::vec2(1.0, 0.0)), 0, t.table_header);
        ui.painter().hline(header.x_range(), header.top(), egui::Stroke::new(1.0, t.line));
        let below =
            if focused { egui::Stroke::new(FOCUS_WIDTH, t.accent) } else { egui::Stroke::new(1.0, t.line) };
        ui.painter().hline(header.x_range(), header.bottom(), below);
        let columns = Columns::for_width(area.width());
        ui.visuals_mut().selection.bg_fill = t.row_selected;
        ui.visuals_mut().widgets.hovered.bg_fill = t.row_hover;
        // No line between the columns until the pointer is there to move it.
        ui.visuals_mut().widgets.noninteractive.bg_stroke = egui::Stroke::NONE;
        ui.spacing_mut().item_spacing.x = 0.0;
        let mut table = TableBuilder::new(ui)
            .id_salt(columns.name())
            .sense(Sense::CLICK | Sense::HOVER)
            .cell_layout(Layout::left_to_right(Align::Center))
            .auto_shrink(false)
            .min_scrolled_height(0.0)
            .animate_scrolling(false);
        for column in columns.list() {
            table = table.column(column);
        }
        if std::mem::take(&mut self.to_top) {
            table = table.vertical_scroll_offset(0.0);
        } else if let Some(place) = self.scroll_to.take() {
            table = table.scroll_to_row(place, None);
        }
        let view = &self.view;
        let mut clicked = None;
        let mut laid_out = 0;
        let output = table
            .header(ROW_HEIGHT, |mut row| {
                for (at, name) in columns.names().into_iter().enumerate() {
                    row.col(|ui| {
                        ui.add_space(if at == 0 { CARD_PADDING } else { 4.0 });
                        caps(ui, name);
                    });
                }
            })
            .body(|body| {
                body.rows(ROW_HEIGHT, view.len(), |mut row| {
                    laid_out += 1;
                    let Some(number) = view.newest_first(row.index()) else { return };
                    let Some(entry) = store.row(number) else { return };
                    let selected = given.selected == Some(number);
                    row.set_selected(selected);
                    draw(&mut row, entry, known, columns, selected);
                    let response = row.response();
                    response.widget_info(|| {
                        WidgetInfo::selected(Role::Row, true, selected, row_name(entry, known))
                    });
                    if response.clicked() {
                        clicked = Some(number);
                    }
                });
            });
        self.laid_out = laid_out;
        self.page = (output.inner_rect.height() / ROW_HEIGHT) as usize;
        self.reading = output.state.clamped_offset().y > 1.0;
        if let Some(number) = clicked {
            answer.select = Some(number);
            ui.memory_mut(|memory| memory.request_focus(id));
        }
    }

    /// Up and down go through the rows, Esc lets go.
    fn keys(&mut self, ui: &Ui, id: Id, given: &Given, answer: &mut TableAnswer) {
        if !ui.memory(|memory| memory.has_focus(id)) {
            return;
        }
        let filter = EventFilter { vertical_arrows: true, escape: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::Escape) {
            answer.deselect = true;
            ui.memory_mut(|memory| memory.surrender_focus(id));
            return;
        }
        let place = given.selected.and_then(|number| self.view.place_of(number));
        let last = self.view.len().saturating_sub(1);
        let page = self.page.max(2) - 1;
        let at = place.unwrap_or(0);
        let moves = [
            (Key::ArrowDown, if place.is_some() { at + 1 } else { 0 }),
            (Key::ArrowUp, at.saturating_sub(1)),
            (Key::PageDown, at + page),
            (Key::PageUp, at.saturating_sub(page)),
            (Key::Home, 0),
            (Key::End, last),
        ];
        for (key, to) in moves {
            if pressed(key) {
                let to = to.min(last);
                answer.select = self.view.newest_first(to);
                self.scroll_to = Some(to);
            }
        }
    }
}

/// The keys of everybody whose name the text is part of.
fn senders(model: &Model, text: &str) -> Vec<SenderKey> {
    let needle = text.trim().to_lowercase();
    if needle.is_empty() {
        return Vec::new();
    }
    let people = model.people.people.iter().map(|person| &person.key);
    let named = people.filter(|key| sender(&model.people, Some(key)).word().to_lowercase().contains(&needle));
    let mut senders: Vec<SenderKey> = named.copied().collect();
    let me = model.account.as_ref().is_some_and(|account| account.username.contains(&needle));
    if me || needle == "you" {
        senders.extend(model.people.own);
    }
    senders
}

/// The keys of everybody whose signature needs a look.
fn doubtful(model: &Model) -> Vec<SenderKey> {
    let keys = model.people.people.iter().map(|person| &person.key);
    keys.filter(|key| sender(&model.people, Some(key)).is_doubtful()).copied().collect()
}
