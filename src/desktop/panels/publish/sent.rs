//! What was sent: each message's life, from the queue to the broker, the newest first.

use eframe::egui::{
    Align, Align2, CornerRadius, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::{
    client::{Command, OutboxEntry, OutboxState, sentence},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{
            ends::ends,
            sealing::{profile_words, suite_words},
        },
        theme::{CONTROL_HEIGHT, RADIUS_SMALL, Tone, tokens},
        when,
        widgets::{
            Button, EmptyState, icon_button_small, menu, menu_row, pill_icon, segmented, size_text, title,
            toggle,
        },
    },
};

/// Height of one entry.
const ENTRY: f32 = 54.0;

/// Which entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Which {
    #[default]
    All,
    Waiting,
    Refused,
}

impl Which {
    const ALL: [(Self, &'static str); 3] =
        [(Self::All, "All"), (Self::Waiting, "Waiting"), (Self::Refused, "Refused")];

    fn takes(self, entry: &OutboxEntry) -> bool {
        match self {
            Self::All => true,
            Self::Waiting => {
                matches!(
                    entry.state,
                    OutboxState::Queued
                        | OutboxState::Received
                        | OutboxState::Postponed { .. }
                        | OutboxState::Held { .. }
                ) || (entry.qos > 0 && entry.state == OutboxState::Sent)
            }
            Self::Refused => matches!(entry.state, OutboxState::Refused { .. }),
        }
    }
}

/// Which entries are shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    which: Which,
    /// Also the readings of the sample sensor, two a second, between which one's own messages are lost.
    sample: bool,
}

/// Whether the sample sensor sent it.
fn is_sample(entry: &OutboxEntry) -> bool {
    entry.topic.as_str().starts_with("sample/")
        && entry.sealed_with.as_ref().is_some_and(|with| with.label == "Sample")
}

/// Draws the list. Gives back the entry that is to be used again.
pub(super) fn sent(ui: &mut Ui, show: &mut Shown, model: &Model, out: &mut Outbound) -> Option<OutboxEntry> {
    let t = tokens(ui);
    let samples = model.outbox.iter().filter(|entry| is_sample(entry)).count();
    let hidden = if show.sample { 0 } else { samples };
    let count = match model.waiting_to_send() {
        0 => format!("{} in this list", model.outbox.len() - hidden),
        waiting => format!("{waiting} waiting"),
    };
    let left = |ui: &mut Ui| {
        title(ui, "Sent messages", 13.5);
        ui.add(Label::new(RichText::new(count).font(fonts::regular(12.0)).color(t.text_muted)).truncate());
    };
    ends(ui, "sent head", CONTROL_HEIGHT + 2.0, left, |ui| {
        segmented(ui, "Which messages", &mut show.which, &Which::ALL)
    });
    let which = show.which;
    if samples > 0 && which == Which::All {
        let words = format!("With the readings of the sample sensor ({samples})");
        toggle(ui, &mut show.sample, &words);
    }
    ui.add_space(4.0);
    let shown: Vec<&OutboxEntry> = model
        .outbox
        .iter()
        .rev()
        .filter(|entry| which.takes(entry) && (show.sample || which != Which::All || !is_sample(entry)))
        .collect();
    if shown.is_empty() {
        let (title, text) = match which {
            Which::All => (
                "Nothing sent yet",
                "Each message you send appears here with its life: queued on this computer, sent, and acknowledged by the broker.",
            ),
            Which::Waiting => ("Nothing waits", "Every message has reached the broker or was decided."),
            Which::Refused => {
                ("Nothing was refused", "What the station refuses stands here, with the reason.")
            }
        };
        EmptyState { icon: icons::PAPER_PLANE_TILT, title, text, actions: &[] }.show(ui);
        return None;
    }
    let mut again = None;
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::vertical().id_salt("sent").auto_shrink([false, false]).show_rows(
        ui,
        ENTRY,
        shown.len(),
        |ui, rows| {
            for entry in &shown[rows] {
                if row(ui, entry, out) {
                    again = Some((*entry).clone());
                }
            }
        },
    );
    again
}

/// One entry. True when it is to be used again.
fn row(ui: &mut Ui, entry: &OutboxEntry, out: &mut Outbound) -> bool {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width() - 8.0, ENTRY), Sense::HOVER);
    let state = state_words(entry);
    let clear = if is_clear(entry) { " · in the clear" } else { "" };
    let name = format!("{}: {}{clear}", entry.topic, state.word);
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, CornerRadius::same(RADIUS_SMALL), t.row_hover);
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, t.line));
    let middle = rect.center().y;
    ui.painter().text(
        pos2(rect.left() + 18.0, middle),
        Align2::CENTER_CENTER,
        state.icon,
        icons::icon_font(18.0),
        state.tone.text(t),
    );
    let held = matches!(entry.state, OutboxState::Held { .. });
    let takes_back = held || matches!(entry.state, OutboxState::Queued | OutboxState::Postponed { .. });
    let buttons = 32.0 + if takes_back { 28.0 } else { 0.0 } + if held { 84.0 } else { 0.0 };
    let inner = Rect::from_min_max(
        pos2(rect.left() + 38.0, rect.top() + 8.0),
        pos2(rect.right() - buttons - 8.0, rect.bottom() - 6.0),
    );
    let mut child = ui.new_child(
        UiBuilder::new().id_salt(("entry", entry.id)).max_rect(inner).layout(Layout::top_down(Align::Min)),
    );
    child.spacing_mut().item_spacing.y = 3.0;
    child.spacing_mut().interact_size.y = 18.0;
    ends(
        &mut child,
        "entry head",
        18.0,
        |ui| {
            let topic = RichText::new(entry.topic.as_str()).font(fonts::medium(13.0)).color(t.text_strong);
            ui.add(Label::new(topic).truncate().selectable(false)).on_hover_text(entry.topic.as_str());
        },
        |ui| {
            if is_clear(entry) {
                pill_icon(ui, icons::LOCK_OPEN, "in the clear", Tone::Amber);
            }
            steps(ui, entry);
            ui.add(
                Label::new(RichText::new(&state.word).font(fonts::medium(12.0)).color(state.tone.text(t)))
                    .selectable(false),
            );
        },
    );
    let (line, ink) = match &entry.state {
        OutboxState::Refused { why } => (why.clone(), t.red.text),
        OutboxState::Held { why } => (sentence(why), t.amber.text),
        OutboxState::Postponed { why, again_ms } => {
            let seconds = again_ms.saturating_sub(when::now_ms()).div_ceil(1_000);
            if seconds > 0 {
                ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
            }
            let again = if seconds > 0 { format!("in {seconds} s") } else { "now".to_owned() };
            (format!("{} Sent again {again}.", sentence(why)), t.amber.text)
        }
        _ => (facts(entry), t.text_muted),
    };
    let line = RichText::new(line).font(fonts::regular(12.0)).color(ink);
    let label = child.add(Label::new(line).truncate().selectable(false));
    match &entry.state {
        OutboxState::Refused { why } | OutboxState::Held { why } | OutboxState::Postponed { why, .. } => {
            label.on_hover_text(format!("{}\n{}", sentence(why), facts(entry)));
        }
        _ => {
            label.on_hover_text(facts(entry));
        }
    }
    let at = Rect::from_min_max(pos2(rect.right() - buttons, rect.top()), rect.max);
    let mut child = ui.new_child(
        UiBuilder::new()
            .id_salt(("entry buttons", entry.id))
            .max_rect(at)
            .layout(Layout::left_to_right(Align::Center)),
    );
    child.spacing_mut().item_spacing.x = 4.0;
    if held {
        decide(&mut child, entry, out);
    }
    if takes_back
        && icon_button_small(&mut child, icons::TRASH, &format!("Take back the message to {}", entry.topic))
            .clicked()
    {
        out.send(Command::Discard { id: entry.id });
    }
    icon_button_small(
        &mut child,
        icons::ARROW_BEND_UP_LEFT,
        &format!("Use the message to {} again", entry.topic),
    )
    .clicked()
}

/// What to do with a message that is held.
fn decide(ui: &mut Ui, entry: &OutboxEntry, out: &mut Outbound) {
    let name = format!("Decide about the message to {}", entry.topic);
    let anchor = Button::secondary("Decide").tooltip(&name).show(ui);
    menu(&anchor, |ui| {
        ui.set_max_width(220.0);
        if menu_row(ui, Some(icons::LOCK_KEY), "Seal it and send it", false).clicked() {
            out.send(Command::ReleaseHeld { id: entry.id, seal: true });
        }
        if menu_row(ui, Some(icons::LOCK_OPEN), "Send it without a seal", false).clicked() {
            out.send(Command::ReleaseHeld { id: entry.id, seal: false });
        }
        if menu_row(ui, Some(icons::TRASH), "Take it back", false).clicked() {
            out.send(Command::Discard { id: entry.id });
        }
    });
}

/// What is known beside the state: when, by what sealed, how large.
fn facts(entry: &OutboxEntry) -> String {
    let seal = match &entry.sealed_with {
        Some(with) => {
            let signed = if with.signed { ", signed" } else { ", not signed" };
            let legacy =
                with.profile.map_or(String::new(), |profile| format!("{} · ", profile_words(profile).0));
            format!("sealed with {}, {}{signed} · {legacy}", with.label, suite_words(with.suite))
        }
        // A pill says so beside the topic.
        None => String::new(),
    };
    let sizes = if entry.sealed_with.is_some() {
        format!("{} → {}", size_text(entry.plain_len), size_text(entry.wire_len))
    } else {
        size_text(entry.plain_len)
    };
    let retain = if entry.retain { " · retained" } else { "" };
    format!("{} · {seal}{sizes} · QoS {}{retain}", when::clock(entry.queued_ms), entry.qos)
}

struct StateWords {
    icon: &'static str,
    word: String,
    tone: Tone,
    /// How many of the steps are done.
    done: usize,
}

/// The honest word for where a message is.
fn state_words(entry: &OutboxEntry) -> StateWords {
    let (icon, word, tone, done) = match &entry.state {
        OutboxState::Queued => (icons::HOURGLASS, "Queued on this computer", Tone::Neutral, 1),
        OutboxState::Sent if entry.qos == 0 => {
            (icons::PAPER_PLANE_TILT, "Sent, no answer asked for", Tone::Accent, 2)
        }
        OutboxState::Sent => (icons::PAPER_PLANE_TILT, "Sent, not acknowledged yet", Tone::Accent, 2),
        OutboxState::Received => (icons::CHECK, "Received, to be completed", Tone::Accent, 3),
        OutboxState::Acknowledged { no_subscribers: false } => {
            (icons::CHECK_CIRCLE, "The broker has it", Tone::Green, 4)
        }
        OutboxState::Acknowledged { no_subscribers: true } => {
            (icons::CHECK_CIRCLE, "The broker has it; nobody watches", Tone::Amber, 4)
        }
        OutboxState::Postponed { .. } => (icons::HOURGLASS, "Waiting: no room there", Tone::Amber, 1),
        OutboxState::Held { .. } => (icons::HAND_PALM, "Held: it has no seal", Tone::Amber, 1),
        OutboxState::Refused { .. } => (icons::PROHIBIT, "Refused", Tone::Red, 0),
        OutboxState::Discarded => (icons::TRASH, "Taken back", Tone::Neutral, 0),
    };
    StateWords { icon, word: word.to_owned(), tone, done }
}

/// Whether it left, or is to leave, without a seal.
fn is_clear(entry: &OutboxEntry) -> bool {
    // One that is held says so in its own words.
    let said = matches!(
        entry.state,
        OutboxState::Held { .. } | OutboxState::Refused { .. } | OutboxState::Discarded
    );
    entry.sealed_with.is_none() && !said
}

/// Three dots: queued, sent, acknowledged. QoS 0 has two; QoS 2 has four, with received before completed.
fn steps(ui: &mut Ui, entry: &OutboxEntry) {
    let t = tokens(ui);
    let state = state_words(entry);
    if state.done == 0 {
        return;
    }
    let count = usize::from(entry.qos) + 2;
    let (rect, dots) = ui.allocate_exact_size(vec2(count as f32 * 12.0, 12.0), Sense::hover());
    let y = rect.center().y;
    for step in 0..count {
        let x = rect.left() + 4.0 + step as f32 * 12.0;
        let done = step < state.done;
        if step > 0 {
            let ink = if done { state.tone.mark(t) } else { t.line_strong };
            ui.painter().hline((x - 9.0)..=(x - 3.0), y, Stroke::new(1.5, ink));
        }
        if done {
            ui.painter().circle_filled(pos2(x, y), 3.0, state.tone.mark(t));
        } else {
            ui.painter().circle_stroke(pos2(x, y), 2.5, Stroke::new(1.0, t.line_strong));
        }
    }
    dots.on_hover_text(match entry.qos {
        0 => "Queued, sent",
        1 => "Queued, sent, acknowledged",
        _ => "Queued, sent, received (PUBREC), completed (PUBCOMP)",
    });
}
