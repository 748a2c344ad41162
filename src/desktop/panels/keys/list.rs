//! The list of keys, and below it the topics that go in the clear.

use eframe::egui::{Label, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::{
    client::{Command, KeyView, legacy::Profile},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{
            count_text,
            ends::ends,
            sealing::{profile_words, suite_words},
        },
        theme::{Tone, tokens},
        widgets::{Button, caps, icon_button, menu, menu_row},
    },
    topic::TopicFilter,
};

use super::{Wish, entry};

/// Height of one key.
const ENTRY: f32 = 58.0;

/// What a person did with the list.
#[derive(Debug, Default)]
pub(super) struct ListAnswer {
    pub(super) chosen: Option<String>,
    pub(super) wish: Option<Wish>,
}

/// Draws the list.
pub(super) fn list(ui: &mut Ui, model: &Model, chosen: Option<&str>, out: &mut Outbound) -> ListAnswer {
    let t = tokens(ui);
    let mut answer = ListAnswer::default();
    let count = count_text(model.keys.len() as u64, "key");
    let left = |ui: &mut Ui| {
        ui.add(Label::new(RichText::new(count).font(fonts::regular(12.0)).color(t.text_muted)).truncate());
    };
    ends(ui, "keys head", 32.0, left, |ui| {
        let more = icon_button(ui, icons::DOTS_THREE_VERTICAL, "More: files, legacy programs");
        menu(&more, |ui| {
            ui.set_max_width(220.0);
            for (icon, words, wish) in [
                (icons::FILE_ARROW_UP, "Import an age file…", Wish::ImportFile),
                (icons::DOWNLOAD_SIMPLE, "Export all keys…", Wish::ExportAll),
                (icons::CLOCK_COUNTER_CLOCKWISE, "Legacy program…", Wish::Legacy),
            ] {
                if menu_row(ui, Some(icon), words, false).clicked() {
                    answer.wish = Some(wish);
                }
            }
        });
        if Button::secondary("Import a key…")
            .tooltip("Takes in a key that somebody gave you")
            .show(ui)
            .clicked()
        {
            answer.wish = Some(Wish::Import);
        }
        if Button::primary("Make a key…").tooltip("Makes a new key").show(ui).clicked() {
            answer.wish = Some(Wish::Create);
        }
    });
    ui.add_space(6.0);
    let clear_height = if model.clear_topics.is_empty() {
        0.0
    } else {
        46.0 + 34.0 * model.clear_topics.len().min(4) as f32
    };
    let height = (ui.available_height() - clear_height).max(ENTRY * 2.0);
    ScrollArea::vertical()
        .id_salt("keys")
        .max_height(height)
        .auto_shrink([false, clear_height > 0.0])
        .show_rows(ui, ENTRY, model.keys.len(), |ui, rows| {
            for key in &model.keys[rows] {
                if row(ui, key, chosen == Some(key.id.as_str())) {
                    answer.chosen = Some(key.id.clone());
                }
            }
        });
    if !model.clear_topics.is_empty() {
        in_the_clear(ui, model, out);
    }
    answer
}

fn row(ui: &mut Ui, key: &KeyView, chosen: bool) -> bool {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width() - 8.0, ENTRY), Sense::click());
    let state = state_words(key);
    response.widget_info(|| {
        let legacy =
            key.profile.map_or_else(String::new, |profile| format!(", {}", profile_words(profile).0));
        WidgetInfo::selected(Role::ListItem, true, chosen, format!("{}, {state}{legacy}", key.label))
    });
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    entry::ground(ui, &response, rect, chosen);
    let is_secret = key.profile.is_none_or(Profile::is_secret) && key.weak.is_none();
    let (icon, tone) = match (key.retired, key.seals) {
        (true, _) => (icons::LOCK_OPEN, Tone::Neutral),
        (false, true) if is_secret => (icons::KEY, Tone::Green),
        (false, true) => (icons::KEY, Tone::Amber),
        (false, false) => (icons::LOCK_OPEN, Tone::Amber),
    };
    entry::icon(ui, rect, icon, tone);
    let (words, ink) = match key.profile {
        Some(profile) => (profile_words(profile).0, profile_words(profile).1.text(t)),
        None if key.weak.is_some() => ("no secrecy", t.amber.text),
        None => (suite_words(key.suite), t.text_muted),
    };
    let suite = ui.painter().layout_no_wrap(words.to_owned(), fonts::regular(11.5), ink);
    let right = rect.right() - 12.0 - suite.size().x;
    ui.painter().galley(pos2(right, rect.top() + 12.0), suite, ink);
    let left = rect.left() + 56.0;
    line(
        ui,
        &key.label,
        fonts::medium(13.0),
        t.text_strong,
        pos2(left, rect.top() + 10.0),
        right - 10.0 - left,
    );
    let filters: Vec<&str> = key.filters.iter().map(TopicFilter::as_str).collect();
    let words = if key.seals && !key.retired {
        filters.join(", ")
    } else {
        format!("{} · {}", state_words(key), filters.join(", "))
    };
    line(
        ui,
        &words,
        fonts::mono(12.0),
        t.text_muted,
        pos2(left, rect.top() + 31.0),
        rect.right() - 12.0 - left,
    );
    entry::edge(ui, &response, rect);
    response.clicked()
}

/// What the key does for this account.
pub(super) const fn state_words(key: &KeyView) -> &'static str {
    match (key.retired, key.seals) {
        (true, _) => "retired, opens only",
        (false, true) => "seals and opens",
        (false, false) => "opens only",
    }
}

/// One line of text, cut where there is no more room.
pub(super) fn line(
    ui: &Ui,
    text: &str,
    font: eframe::egui::FontId,
    ink: eframe::egui::Color32,
    at: eframe::egui::Pos2,
    width: f32,
) {
    let mut job = eframe::egui::text::LayoutJob::simple_singleline(text.to_owned(), font, ink);
    job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().galley(at, ui.painter().layout_job(job), ink);
}

/// Topics without a seal, each with the way back.
fn in_the_clear(ui: &mut Ui, model: &Model, out: &mut Outbound) {
    let t = tokens(ui);
    ui.add_space(8.0);
    caps(ui, "In the clear, by your choice");
    ScrollArea::vertical().id_salt("clear topics").auto_shrink([false, true]).show(ui, |ui| {
        for filter in &model.clear_topics {
            let left = |ui: &mut Ui| {
                ui.label(icons::icon(icons::LOCK_OPEN, 14.0).color(t.amber.text));
                ui.add(
                    Label::new(RichText::new(filter.as_str()).font(fonts::mono(12.0)).color(t.text_strong))
                        .truncate(),
                );
            };
            ends(ui, filter.as_str(), 30.0, left, |ui| {
                let tip = format!("{filter} needs a key again");
                if Button::ghost("Seal again").tooltip(&tip).show(ui).clicked() {
                    out.send(Command::SetClear { filter: filter.clone(), clear: false });
                }
            });
        }
    });
}
