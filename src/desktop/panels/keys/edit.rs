//! The dialog that changes a key's name, its topics and what it asks of signatures.

use eframe::egui::{Context, Key, Modifiers};

use crate::{
    client::{Asked, Command, KeyView, Signatures},
    desktop::{
        icons,
        model::{Model, Outbound},
        widgets::{Button, ButtonKind, DialogButton, TextField, body, dialog, dialog_buttons, muted},
    },
    topic::TopicFilter,
};

use super::{
    covered::covered_rows,
    failed,
    signing::{signatures_field, within},
    typed::{filters, label_problem},
};

/// What is typed.
#[derive(Debug)]
pub(super) struct Edit {
    key: KeyView,
    label: String,
    filters: String,
    signatures: Signatures,
    opened: bool,
    asked: bool,
    /// Topics that other keys seal: nothing changed yet.
    covered: Vec<(TopicFilter, String)>,
}

impl Edit {
    /// For a key, as it is now.
    pub(super) fn new(key: &KeyView) -> Self {
        let lines: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
        Self {
            key: key.clone(),
            label: key.label.clone(),
            filters: lines.join("\n"),
            signatures: key.signatures,
            opened: false,
            asked: false,
            covered: Vec::new(),
        }
    }

    /// The session answered. True when it is done.
    pub(super) fn edited(&mut self, key: &KeyView, covered: &[(TopicFilter, String)]) -> bool {
        if !self.asked || key.id != self.key.id {
            return false;
        }
        self.covered = covered.to_vec();
        covered.is_empty()
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn ui(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        let close =
            if self.covered.is_empty() { self.form(ctx, model, out) } else { self.ask(ctx, model, out) };
        if close {
            model.dismiss(Asked::EditKey);
        }
        close
    }

    fn form(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::EditKey);
        let taken = |label: &str| model.keys.iter().any(|key| key.label == label && key.id != self.key.id);
        let label_wrong = label_problem(&self.label, taken);
        let parsed = filters(&self.filters);
        let filter_wrong = parsed.as_ref().err().cloned();
        let changed = self.label.trim() != self.key.label
            || self.signatures != self.key.signatures
            || parsed.as_ref().is_ok_and(|list| *list != self.key.filters);
        let ready = changed
            && label_wrong.is_none()
            && !self.label.trim().is_empty()
            && parsed.as_ref().is_ok_and(|list| !list.is_empty());
        let focus = !std::mem::replace(&mut self.opened, true);
        let title = format!("Edit “{}”", self.key.label);
        let answer = dialog(ctx, "edit key", &title, 480.0, |ui| {
            muted(
                ui,
                "Only here: others who have the key keep their own name, topics and choice of signatures.",
            );
            TextField::new("Name", &mut self.label)
                .icon(icons::TAG)
                .error(label_wrong.as_deref())
                .limit(80)
                .focus(focus)
                .show(ui);
            TextField::new("Topic filters", &mut self.filters)
                .mono()
                .rows(3)
                .limit(8_192)
                .error(filter_wrong.as_deref())
                .help("One per line. What came on a topic that you take away opens no more until you put it back.")
                .show(ui);
            signatures_field(ui, self.key.suite, &mut self.signatures);
            failed(ui, model, Asked::EditKey);
            dialog_buttons(ui, ButtonKind::Primary, "Save", ready, busy)
        });
        let by_key =
            ready && !busy && ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        if by_key || answer.inner == Some(DialogButton::Confirm) {
            self.send(false, out);
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    fn send(&mut self, take_over: bool, out: &mut Outbound) {
        let Ok(filters) = filters(&self.filters) else { return };
        self.asked = true;
        out.send(Command::EditKey {
            id: self.key.id.clone(),
            label: self.label.trim().to_owned(),
            filters,
            signatures: within(self.key.suite, self.signatures),
            take_over,
        });
    }

    /// Other keys seal these topics. Shall this one?
    fn ask(&mut self, ctx: &Context, model: &Model, out: &mut Outbound) -> bool {
        let busy = model.is_pending(Asked::EditKey);
        let (mut back, mut take) = (false, false);
        let answer = dialog(ctx, "edit covered key", "Which key shall seal?", 480.0, |ui| {
            body(ui, "Nothing is changed yet. These topics are sealed by another key of yours:");
            covered_rows(ui, &self.covered);
            muted(
                ui,
                "Whoever has this key could then read what you send there, and whoever has only the other no more.",
            );
            failed(ui, model, Asked::EditKey);
            ui.add_space(8.0);
            ui.horizontal_wrapped(|ui| {
                back = Button::primary("Change the topics…").show(ui).clicked();
                let words = format!("Let “{}” seal", self.label.trim());
                take = Button::secondary(&words).busy(busy).show(ui).clicked();
            });
        });
        if take {
            self.send(true, out);
        }
        if back {
            self.covered.clear();
        }
        answer.close
    }
}
