//! Account and security.

use eframe::egui::Ui;

use crate::{
    client::{Asked, Command},
    desktop::{
        icons,
        model::{Model, Outbound},
        theme::Tone,
        widgets::{Button, card, key_values, muted, pill_icon, section_header, setting_row},
    },
};

use super::dialogs::Dialog;

pub(super) fn show(ui: &mut Ui, model: &Model, out: &mut Outbound, dialog: &mut Option<Dialog>) {
    let Some(account) = &model.account else { return };
    card(ui, |ui| {
        section_header(ui, &account.username, None, |ui| {
            let tone = if account.role.admin { Tone::Violet } else { Tone::Accent };
            pill_icon(ui, icons::IDENTIFICATION_BADGE, &account.role.name, tone);
        });
        let rules: Vec<String> = account.role.rules.iter().map(ToString::to_string).collect();
        let rules = rules.join("\n");
        let about =
            if account.role.description.is_empty() { "–" } else { account.role.description.as_str() };
        key_values(ui, &[("Role", about), ("Rules", &rules), ("Client id", &account.client_id)]);
    });
    card(ui, |ui| {
        section_header(ui, "Ways in, and back in", None, |_| {});
        setting_row(
            ui,
            "Password",
            "It opens your vault on this computer. The station never sees it, so nobody there can reset it.",
            |ui| {
                if Button::secondary("Change password…").show(ui).clicked() {
                    *dialog = Some(Dialog::password());
                }
            },
        );
        ui.separator();
        if account.otp {
            setting_row(ui, "One-time codes", "A stolen password alone opens nothing.", |ui| {
                pill_icon(ui, icons::SHIELD_CHECK, "On", Tone::Green);
            });
        } else {
            setting_row(
                ui,
                "One-time codes",
                "Six digits from an app on your phone, with each login. Then a stolen password alone opens nothing.",
                |ui| {
                    let busy = model.is_pending(Asked::Otp);
                    if Button::secondary("Turn on…").busy(busy).show(ui).clicked() {
                        *dialog = Some(Dialog::one_time());
                        out.send(Command::BeginOtp);
                    }
                },
            );
        }
        ui.separator();
        let left = account.recovery_codes_left;
        let text = match left {
            0 => "None is left. If you forget your password, your keys are lost. Make new ones.".to_owned(),
            1 => "One is left. Each opens your vault once, if you forget your password.".to_owned(),
            _ => format!("{left} are left. Each opens your vault once, if you forget your password."),
        };
        setting_row(ui, "Recovery codes", &text, |ui| {
            if Button::secondary("Make new ones…").show(ui).clicked() {
                *dialog = Some(Dialog::new_codes());
            }
            if left < 3 {
                pill_icon(ui, icons::WARNING, "Few left", Tone::Amber);
            }
        });
    });
    muted(
        ui,
        "A session ends after 12 hours without use, after 30 days, at logout and when the password changes.",
    );
}
