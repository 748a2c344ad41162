//! Watch before the first message: what belongs here, and the buttons that put the first one there.

use eframe::egui::Ui;

use crate::{
    client::{Asked, Command, SampleState},
    desktop::{
        icons,
        model::{Model, Outbound},
        panels::sealing::may_run_sample,
        widgets::{Banner, EmptyState, Problem, waiting},
    },
};

/// Draws it. True when the person wants to watch a topic.
pub(super) fn empty(ui: &mut Ui, model: &mut Model, out: &mut Outbound) -> bool {
    if let Some(failure) = model.failure(Asked::Sample) {
        let problem = Problem::new(&failure.what, &failure.why, &failure.next);
        if Banner::error(&problem).dismissible().show(ui).dismissed {
            model.dismiss(Asked::Sample);
        }
    }
    if model.sample == SampleState::Running || model.is_pending(Asked::Sample) {
        ui.vertical_centered(|ui| {
            ui.add_space(ui.available_height() * 0.3);
            ui.set_max_width(360.0);
            waiting(ui, "The sample sensor starts. The first reading comes within two seconds.");
        });
        return false;
    }
    let watching = model.subscriptions.iter().any(|one| !matches!(one.granted, Some(Err(_))));
    let mut actions: Vec<(&str, Action)> = Vec::new();
    if may_run_sample(model) {
        actions.push(("Start the sample sensor", Action::Sample));
    }
    actions.push(("Watch a topic…", Action::Watch));
    if model.keys.is_empty() {
        actions.push(("Import a key…", Action::Import));
    }
    let texts: Vec<&str> = actions.iter().map(|(text, _)| *text).collect();
    let (title, text) = if watching {
        (
            "Waiting for the first message",
            "What is published to the topics you watch appears here, opened with your keys, beside the sealed bytes that the broker sees.",
        )
    } else {
        (
            "You watch no topic yet",
            "Name a topic, such as plant/#, and its messages appear here: opened with your keys, beside the sealed bytes that the broker sees.",
        )
    };
    let pressed = EmptyState { icon: icons::BROADCAST, title, text, actions: &texts }.show(ui);
    match pressed.and_then(|index| actions.get(index)).map(|(_, action)| *action) {
        Some(Action::Sample) => out.send(Command::StartSample),
        Some(Action::Watch) => return true,
        Some(Action::Import) => out.import_key(),
        None => {}
    }
    false
}

#[derive(Clone, Copy)]
enum Action {
    Sample,
    Watch,
    Import,
}
