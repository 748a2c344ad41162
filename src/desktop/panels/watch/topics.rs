//! The tree of topics with their rates. Choosing a level shows only what is at and below it.

use std::collections::HashSet;

use eframe::egui::{Id, Label, RichText, ScrollArea, Ui};

use crate::desktop::{
    fonts, icons,
    messages::{MessageStore, NodeId, ROOT, TreeLine},
    model::Model,
    panels::grouped,
    theme::{ROW_HEIGHT, tokens},
    when,
    widgets::{TextField, TreeRow, section_header},
};

use super::tiles::rate_number;

/// Levels that are open at first, so that a small tree shows what it has.
const OPEN_AT_FIRST: usize = 40;

/// The tree's state.
#[derive(Debug)]
pub(super) struct Topics {
    search: String,
    open: HashSet<NodeId>,
    selected: NodeId,
    lines: Vec<TreeLine>,
    /// What the lines were made of: generation and version of the tree, and how often this state changed.
    made_of: Option<(u64, u64, u64)>,
    changes: u64,
    opened_by_itself: usize,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            search: String::new(),
            open: HashSet::new(),
            selected: ROOT,
            lines: Vec::new(),
            made_of: None,
            changes: 0,
            opened_by_itself: 1,
        }
    }
}

impl Topics {
    /// The chosen level; the root where none is.
    pub(super) const fn selected(&self) -> NodeId {
        self.selected
    }

    /// Its path, for words; empty where none is chosen.
    pub(super) fn selected_path(&self, store: &MessageStore) -> String {
        if self.selected == ROOT { String::new() } else { store.tree().path(self.selected) }
    }

    /// Chooses a level.
    pub(super) fn select(&mut self, node: NodeId) {
        self.selected = node;
    }

    /// Chooses a level and opens the way to it.
    pub(super) fn reveal(&mut self, node: NodeId, store: &MessageStore) {
        self.selected = node;
        let mut at = store.tree().parent(node);
        while at != ROOT {
            self.open.insert(at);
            at = store.tree().parent(at);
        }
        self.search.clear();
        self.changes += 1;
    }

    /// Draws the tree. True when another level was chosen.
    pub(super) fn ui(&mut self, ui: &mut Ui, model: &Model) -> bool {
        let store = &model.messages;
        let count = grouped(store.tree().topics() as u64);
        section_header(ui, "Topics", None, |ui| {
            ui.label(RichText::new(&count).font(fonts::regular(12.0)).color(tokens(ui).text_muted));
        });
        let field = TextField::new("Filter topics", &mut self.search)
            .hide_label()
            .compact()
            .icon(icons::FUNNEL_SIMPLE)
            .hint("Filter topics")
            .show(ui);
        if field.changed() {
            self.changes += 1;
        }
        self.remake(store);
        if self.lines.is_empty() {
            let text = if self.search.trim().is_empty() {
                "Topics appear with their first message."
            } else {
                "No topic has this in its name."
            };
            ui.add(
                Label::new(RichText::new(text).font(fonts::regular(12.0)).color(tokens(ui).text_muted))
                    .wrap(),
            );
            return false;
        }
        self.rows(ui, store)
    }

    fn rows(&mut self, ui: &mut Ui, store: &MessageStore) -> bool {
        let now = when::now_ms();
        let (mut toggled, mut chosen, mut moving) = (None, None, false);
        ui.spacing_mut().item_spacing.y = 0.0;
        let lines = &self.lines;
        let area = ScrollArea::vertical().id_salt("topics").auto_shrink([false, false]);
        area.show_rows(ui, ROW_HEIGHT, lines.len(), |ui, shown| {
            // Room for the scroll bar.
            ui.set_max_width(ui.available_width() - 8.0);
            for line in &lines[shown] {
                let rate = store.tree().rate(line.node, now);
                moving |= rate > 0.0;
                let trailing = format!("{}/s", rate_number(rate));
                let mut row = TreeRow::new(store.tree().label(line.node))
                    .depth(line.depth)
                    .selected(line.node == self.selected)
                    .trailing(if rate > 0.0 { &trailing } else { "" })
                    .id(Id::unique(("watch topic", line.node)));
                if let Some(open) = line.open {
                    row = row.open(open);
                }
                let answer = row.show(ui);
                let all = store.tree().messages(line.node);
                let response = answer.response.on_hover_ui(|ui| {
                    ui.label(format!("{}\n{} messages", store.tree().path(line.node), grouped(all)));
                });
                if answer.toggled {
                    toggled = Some(line.node);
                } else if response.clicked() {
                    chosen = Some(line.node);
                }
            }
        });
        if moving {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
        }
        if let Some(node) = toggled {
            if !self.open.remove(&node) {
                self.open.insert(node);
            }
            self.changes += 1;
        }
        if let Some(node) = chosen {
            // Once more lets go.
            self.selected = if self.selected == node { ROOT } else { node };
        }
        chosen.is_some()
    }

    /// Works the lines out again, when the tree grew or something was opened.
    fn remake(&mut self, store: &MessageStore) {
        let tree = store.tree();
        let made_of = (store.generation(), tree.version(), self.changes);
        if self.made_of == Some(made_of) {
            return;
        }
        if self.made_of.is_some_and(|before| before.0 != made_of.0) {
            (self.open, self.selected, self.opened_by_itself) = (HashSet::new(), ROOT, 1);
        }
        // Levels come in order of their numbers: each is looked at once.
        let levels = usize::try_from(tree.version()).unwrap_or(0);
        while self.opened_by_itself <= levels && self.opened_by_itself <= OPEN_AT_FIRST {
            self.open.insert(self.opened_by_itself as NodeId);
            self.opened_by_itself += 1;
        }
        self.lines = tree.lines(&self.open, &self.search.trim().to_lowercase());
        self.made_of = Some(made_of);
    }
}
