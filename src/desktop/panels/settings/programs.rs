//! Programs that speak plain MQTT: credentials of their own, so that no program needs a person's password.

use eframe::egui::{Label, RichText, Ui};

use crate::{
    client::{Asked, DeviceView},
    desktop::{
        fonts, icons,
        model::Model,
        theme::tokens,
        when,
        widgets::{Button, EmptyState, card, icon_button, muted, section_header, waiting},
    },
};

use super::{super::count_text, dialogs::Dialog};

pub(super) fn show(ui: &mut Ui, model: &Model, dialog: &mut Option<Dialog>) {
    muted(
        ui,
        "Any MQTT program can take part: a sensor, Node-RED, mosquitto_sub. Each gets a credential of its own, with your \
         role's rights. What you seal stays sealed to it, unless it has the key.",
    );
    ui.add_space(4.0);
    let devices: &[DeviceView] = model.devices.as_deref().unwrap_or_default();
    if devices.is_empty() {
        if model.devices.is_none() && model.is_pending(Asked::Devices) {
            waiting(ui, "Asking the station…");
            return;
        }
        let empty = EmptyState {
            icon: icons::CPU,
            title: "No program has a credential yet",
            text: "Make one for each program, so that you can take it back from that one alone.",
            actions: &["Connect a program…"],
        };
        if empty.show(ui).is_some() {
            *dialog = Some(Dialog::new_device());
        }
        return;
    }
    card(ui, |ui| {
        let count = count_text(devices.len() as u64, "credential");
        section_header(ui, "Connected programs", Some(&count), |ui| {
            if Button::secondary("Connect a program…").icon(icons::PLUS).show(ui).clicked() {
                *dialog = Some(Dialog::new_device());
            }
        });
        for device in devices {
            row(ui, device, dialog);
        }
    });
}

fn row(ui: &mut Ui, device: &DeviceView, dialog: &mut Option<Dialog>) {
    let t = tokens(ui);
    ui.push_id(device.id, |ui| {
        ui.horizontal(|ui| {
            ui.label(icons::icon(icons::CPU, icons::INLINE).color(t.text_muted));
            let width = (ui.available_width() - 170.0).max(80.0);
            ui.allocate_ui(eframe::egui::vec2(width, 30.0), |ui| {
                ui.set_min_width(width);
                let label = RichText::new(&device.label).font(fonts::medium(13.0)).color(t.text_strong);
                ui.add(Label::new(label).truncate());
            });
            let since = format!("since {}", when::date(device.created_ms));
            ui.label(RichText::new(since).font(fonts::regular(12.0)).color(t.text_muted));
            if icon_button(ui, icons::TRASH, &format!("Revoke {}…", device.label)).clicked() {
                *dialog = Some(Dialog::revoke(device));
            }
        });
    });
}
