//! A new credential for a plain MQTT program: its password, shown once, and a command line that uses it.

use std::sync::Arc;

use eframe::egui::{Context, Ui};

use crate::{
    client::Password,
    desktop::{
        dialogs::SavePurpose,
        icons,
        model::Outbound,
        widgets::{Button, SecretText, Severity, caps, copy_line, dialog, muted},
    },
};

use super::SettingsContext;

/// What was made.
#[derive(Debug)]
pub(super) struct MadeDevice {
    pub(super) label: String,
    pub(super) username: String,
    pub(super) password: Password,
    /// `mqtts://host:port`.
    pub(super) mqtt: String,
    pub(super) ca_pem: Option<Arc<str>>,
    /// Close was pressed once: the password is not shown again.
    pub(super) confirm_close: bool,
}

impl MadeDevice {
    /// Host and port of the MQTT address.
    fn host_and_port(&self) -> (&str, &str) {
        let address =
            self.mqtt.split_once("://").map_or(self.mqtt.as_str(), |(_, rest)| rest).trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "8883"));
        (host.trim_matches(['[', ']']), port)
    }

    /// What to type in a terminal to see it work.
    fn command_line(&self) -> String {
        let (host, port) = self.host_and_port();
        let ca =
            if self.ca_pem.is_some() { format!(" --cafile {}", "sealwire-ca.pem") } else { String::new() };
        format!(
            "mosquitto_sub -V mqttv5 -h {host} -p {port}{ca} -u {} -P {} -t '#' -v",
            quoted(&self.username),
            quoted(self.password.reveal())
        )
    }
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Draws it. True when it is to be closed.
pub(super) fn made_device_dialog(
    ctx: &Context,
    made: &mut MadeDevice,
    out: &mut Outbound,
    context: &mut SettingsContext<'_>,
) -> bool {
    let title = format!("Connect “{}”", made.label);
    let answer = dialog(ctx, "made device", &title, 540.0, |ui| {
        muted(ui, "The password is shown this once. Keep it in the program's own settings.");
        let line = |ui: &mut Ui, head: &str, name: &str, value: &str, out: &mut Outbound| {
            caps(ui, head);
            if copy_line(ui, name, value) {
                out.toast(Severity::Info, format!("The {name} is copied."));
            }
        };
        line(ui, "Broker", "broker's address", &made.mqtt, out);
        line(ui, "Username", "username", &made.username, out);
        line(ui, "Password", "password", made.password.reveal(), out);
        if let Some(pem) = &made.ca_pem {
            caps(ui, "Certificate of the station's CA");
            ui.horizontal(|ui| {
                if Button::secondary("Save the certificate…").icon(icons::CERTIFICATE).show(ui).clicked() {
                    context.saver.begin(ui.ctx(), SavePurpose::Certificate, SecretText::from(&**pem));
                }
                if Button::ghost("Copy it").icon(icons::COPY).show(ui).clicked() {
                    ui.ctx().copy_text(pem.to_string());
                    out.toast(Severity::Success, "The certificate is copied.");
                }
            });
        }
        line(ui, "Try it in a terminal, beside the certificate", "command", &made.command_line(), out);
        muted(ui, "It shows topics and sealed bytes: opening them needs the key.");
        ui.add_space(8.0);
        if made.confirm_close {
            muted(ui, "Copied? The password cannot be shown again; a new credential can be made.");
        }
        let words = if made.confirm_close { "Close for good" } else { "Done" };
        Button::primary(words).show(ui).clicked()
    });
    if answer.inner && made.confirm_close {
        return true;
    }
    made.confirm_close |= answer.inner || answer.close;
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(mqtt: &str, ca: bool) -> MadeDevice {
        MadeDevice {
            label: "Press".into(),
            username: "ada.d1".into(),
            password: Password::new("it's secret"),
            mqtt: mqtt.into(),
            ca_pem: ca.then(|| "PEM".into()),
            confirm_close: false,
        }
    }

    #[test]
    fn the_command_line_can_be_pasted_into_a_shell() {
        assert_eq!(
            made("mqtts://127.0.0.1:8883", true).command_line(),
            "mosquitto_sub -V mqttv5 -h 127.0.0.1 -p 8883 --cafile sealwire-ca.pem -u ada.d1 -P 'it'\\''s secret' -t '#' -v"
        );
        assert_eq!(made("mqtts://[::1]:18883/", false).host_and_port(), ("::1", "18883"));
    }
}
