//! This computer: how the window looks, and what rests on its disk.

use eframe::egui::Ui;

use crate::{
    client::Command,
    desktop::{
        app::{THEME_PREFERENCE, theme_choice},
        dialogs::show_folder,
        icons,
        messages::ROWS_PREFERENCE,
        model::{Model, Outbound},
        theme::ThemeChoice,
        widgets::{
            Button, Severity, card, combo_inline, copy_line, muted, section_header, segmented, setting_row,
            size_text,
        },
    },
};

use super::{SettingsContext, dialogs::Dialog};

pub(super) fn show(
    ui: &mut Ui,
    model: &Model,
    out: &mut Outbound,
    context: &SettingsContext<'_>,
    dialog: &mut Option<Dialog>,
) {
    card(ui, |ui| {
        section_header(ui, "Look", None, |_| {});
        setting_row(
            ui,
            "Theme",
            "The same everywhere in the window, for all accounts on this computer.",
            |ui| {
                let mut choice = theme_choice(model.preference(THEME_PREFERENCE));
                let themes = [
                    (ThemeChoice::System, "System"),
                    (ThemeChoice::Light, "Light"),
                    (ThemeChoice::Dark, "Dark"),
                ];
                // The row is laid out from the right; the choice reads from the left.
                let layout = eframe::egui::Layout::left_to_right(eframe::egui::Align::Center);
                ui.with_layout(layout, |ui| {
                    ui.add_space((ui.available_width() - 170.0).max(0.0));
                    if segmented(ui, "Theme", &mut choice, &themes) {
                        let value = match choice {
                            ThemeChoice::System => "system",
                            ThemeChoice::Light => "light",
                            ThemeChoice::Dark => "dark",
                        };
                        out.send(Command::SetPreference {
                            name: THEME_PREFERENCE.to_owned(),
                            value: value.to_owned(),
                        });
                    }
                });
            },
        );
    });
    card(ui, |ui| {
        section_header(ui, "Messages in memory", None, |_| {});
        let budget = model.messages.budget();
        let text = format!(
            "The newest are kept, in up to {} of memory; older ones make room. History on the disk is not touched.",
            size_text(budget.bytes)
        );
        setting_row(ui, "Rows", &text, |ui| {
            let mut rows = budget.rows;
            let choices =
                [(10_000, "10,000"), (100_000, "100,000"), (500_000, "500,000"), (1_000_000, "1,000,000")];
            if combo_inline(ui, "Rows kept in memory", 130.0, &mut rows, &choices) {
                out.send(Command::SetPreference {
                    name: ROWS_PREFERENCE.to_owned(),
                    value: rows.to_string(),
                });
            }
        });
    });
    card(ui, |ui| {
        section_header(ui, "What rests on this disk", None, |_| {});
        if let Some(account) = &model.account {
            muted(
                ui,
                "This account's outbox and history. Messages rest as they came, sealed; opened they never do.",
            );
            folder(ui, out, "account's folder", &account.folder);
        }
        if let Some(root) = context.data_folder {
            ui.add_space(4.0);
            muted(
                ui,
                "The data folder: the station's store and keys, the audit logs, the state of every account here.",
            );
            folder(ui, out, "data folder", &root.to_string_lossy());
        }
    });
    card(ui, |ui| {
        setting_row(
            ui,
            "History",
            "Forgets the messages that arrived on this computer. What the broker keeps is not touched.",
            |ui| {
                if Button::secondary("Forget the history…").icon(icons::ERASER).show(ui).clicked() {
                    *dialog = Some(Dialog::ClearHistory);
                }
            },
        );
    });
}

fn folder(ui: &mut Ui, out: &mut Outbound, name: &str, path: &str) {
    ui.push_id(name, |ui| {
        if copy_line(ui, &format!("path of the {name}"), path) {
            out.toast(Severity::Success, "The path is copied.");
        }
        if Button::ghost("Show in the file manager").icon(icons::FOLDER_OPEN).show(ui).clicked() {
            show_folder(ui.ctx(), std::path::Path::new(path));
        }
    });
}
