//! The station: what it is, how it is known, and how others find it.

use eframe::egui::Ui;

use crate::desktop::{
    cards, icons,
    model::{Model, Outbound},
    theme::Tone,
    widgets::{
        Banner, Button, Severity, card, copy_line, key_values, muted, pill_icon, section_header, setting_row,
    },
};

use super::{SettingsContext, SettingsWish};

/// A clock that differs by more than this makes one-time codes fail and messages look late.
const CLOCK_MS: i64 = 15_000;

pub(super) fn show(
    ui: &mut Ui,
    model: &Model,
    out: &mut Outbound,
    context: &SettingsContext<'_>,
) -> Option<SettingsWish> {
    let Some(station) = &model.station else {
        muted(ui, "Not connected to a station.");
        return None;
    };
    let mut wish = None;
    if station.clock_ahead_ms.abs() > CLOCK_MS {
        let seconds = station.clock_ahead_ms.abs() / 1_000;
        let direction = if station.clock_ahead_ms > 0 { "ahead of" } else { "behind" };
        Banner::new(
            Severity::Warning,
            &format!("This computer's clock is {seconds} s {direction} the station's."),
        )
        .why("One-time codes may be refused, and what you send looks late or early to others.")
        .next("Let the system set its time by the network.")
        .show(ui);
    }
    card(ui, |ui| {
        section_header(ui, &station.name, None, |ui| {
            if context.own_station {
                pill_icon(ui, icons::DESKTOP, "On this computer", Tone::Neutral);
            }
            if model.is_admin() {
                pill_icon(ui, icons::SHIELD_STAR, "You are its admin", Tone::Violet);
            }
        });
        let sign_up = if station.sign_up_open { "Anybody who reaches it" } else { "Nobody" };
        let codes = if station.otp_required { "Needed for every account" } else { "Each account decides" };
        key_values(
            ui,
            &[
                ("Address", station.address.as_str()),
                ("Version", station.version.as_str()),
                ("May sign up", sign_up),
                ("One-time codes", codes),
            ],
        );
        ui.add_space(4.0);
        muted(ui, "Fingerprint of its key (SHA-256). Another one stops the connection hard.");
        if copy_line(ui, "fingerprint", &station.fingerprint) {
            out.toast(Severity::Success, "The fingerprint is copied.");
        }
    });
    card(ui, |ui| {
        section_header(ui, "Invite", None, |_| {});
        muted(
            ui,
            "Whoever opens this link in Sealwire finds this station and knows its key. It holds nothing secret.",
        );
        if copy_line(ui, "invite link", &cards::invite_link(station)) {
            out.toast(Severity::Success, "The invite link is copied.");
        }
    });
    card(ui, |ui| {
        setting_row(
            ui,
            "Another station",
            "Logs out here first. Each station has accounts of its own; what is on this disk stays.",
            |ui| {
                if Button::secondary("Another station…").show(ui).clicked() {
                    wish = Some(SettingsWish::AnotherStation);
                }
            },
        );
    });
    wish
}
