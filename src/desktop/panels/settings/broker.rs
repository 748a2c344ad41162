//! The broker that carries the messages: the station's, or another one that a person chose.

mod form;

use eframe::egui::Ui;

use crate::{
    client::{Asked, Command, Event, LinkState, OtherBrokerView},
    desktop::{
        icons,
        model::{Model, Outbound},
        theme::Tone,
        widgets::{
            Banner, Button, Severity, card, key_values, muted, pill_icon, section_header, setting_row,
        },
    },
};

use form::BrokerForm;

/// The section's view state.
#[derive(Debug, Default)]
pub(super) struct BrokerSection {
    form: Option<Box<BrokerForm>>,
}

impl BrokerSection {
    /// Whose failures the open dialog shows itself.
    pub(super) const fn shows(&self, asked: Asked) -> bool {
        self.form.is_some() && matches!(asked, Asked::Broker | Asked::TestBroker)
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        match (event, &mut self.form) {
            // Set, or nobody is logged in any more.
            (Event::Broker(_) | Event::LoggedOut { .. }, _) => self.form = None,
            (Event::BrokerTested { address, told }, Some(form)) => form.tested(address, told),
            _ => {}
        }
    }

    pub(super) fn show(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        muted(
            ui,
            "Your account and your keys stay at the station. Your messages can travel through any broker that speaks MQTT \
             5 or 3.1.1: it routes what you seal and can read none of it.",
        );
        ui.add_space(4.0);
        let no_broker = matches!(model.link, LinkState::ChooseBroker { .. });
        match &model.other_broker {
            Some(other) => other_card(ui, other, model),
            None if no_broker => no_broker_card(ui, model),
            None => station_card(ui, model),
        }
        let is_other = model.other_broker.is_some() || no_broker;
        card(ui, |ui| {
            let (title, button) = match model.other_broker.is_some() {
                true => ("Change it, or choose another", "Change…"),
                false => ("Another broker", "Another broker…"),
            };
            let text = "What waits in the outbox goes to the broker that is set when it leaves, and what you watch is asked for there.";
            setting_row(ui, title, text, |ui| {
                if Button::secondary(button).show(ui).clicked() {
                    self.form = Some(Box::new(BrokerForm::of(model.other_broker.as_deref())));
                }
            });
            if is_other {
                ui.separator();
                let text = "Forgets the other broker on this computer, with its password and its key.";
                let busy = model.is_pending(Asked::Broker) && self.form.is_none();
                setting_row(ui, "The station's broker", text, |ui| {
                    if Button::secondary("Use the station's broker again").busy(busy).show(ui).clicked() {
                        out.send(Command::SetBroker(None));
                    }
                });
            }
        });
        muted(
            ui,
            "The station's role governs the station's broker only; another broker decides by its own rules. It never gets \
             the login of the station. The station's figures, and who is connected, are about the station's broker alone.",
        );
        if let Some(form) = &mut self.form
            && form.show(ui.ctx(), model, out)
        {
            self.form = None;
            model.dismiss(Asked::Broker);
            model.dismiss(Asked::TestBroker);
        }
    }
}

fn no_broker_card(ui: &mut Ui, model: &Model) {
    card(ui, |ui| {
        section_header(ui, "No broker carries your messages", None, |ui| state_pill(ui, model, true));
        muted(
            ui,
            "Write another broker down again, or use the station's: what waits in the outbox goes to the one that you choose.",
        );
    });
}

fn station_card(ui: &mut Ui, model: &Model) {
    card(ui, |ui| {
        section_header(ui, "The station's broker carries your messages", None, |ui| {
            state_pill(ui, model, true);
        });
        if let LinkState::Online { broker, protocol, tls, .. } = &model.link {
            let way = format!("{tls}, with the station's pinned key");
            key_values(ui, &[("Address", broker.as_str()), ("Protocol", protocol), ("On the way", &way)]);
        }
    });
}

fn other_card(ui: &mut Ui, other: &OtherBrokerView, model: &Model) {
    let endpoint = &other.endpoint;
    card(ui, |ui| {
        section_header(ui, "Another broker carries your messages", None, |ui| {
            state_pill(ui, model, other.encrypted);
        });
        let user = match (&endpoint.username, other.has_password) {
            (None, _) => "nobody (anonymous)".to_owned(),
            (Some(user), true) => format!("{user}, with a password"),
            (Some(user), false) => format!("{user}, without a password"),
        };
        let way = match (other.encrypted, &endpoint.ca) {
            (false, _) => "not encrypted on the way (no TLS)",
            (true, Some(_)) => "TLS, by the CA file that you gave",
            (true, None) => "TLS, by the authorities that this computer trusts",
        };
        let certificate = if endpoint.identity.is_some() { "shown" } else { "none" };
        let session = if endpoint.keep_session {
            "The broker keeps what comes while you are away"
        } else {
            "What comes while you are away is lost"
        };
        key_values(
            ui,
            &[
                ("Address", endpoint.address().as_str()),
                ("Protocol", endpoint.version.name()),
                ("On the way", way),
                ("User", &user),
                ("Certificate", certificate),
                ("Client id", endpoint.client_id.as_deref().unwrap_or("random")),
                ("Session", session),
            ],
        );
    });
    for (what, why) in OtherBrokerView::remarks(endpoint.version, endpoint.transport) {
        Banner::new(Severity::Warning, what).why(why).show(ui);
    }
}

fn state_pill(ui: &mut Ui, model: &Model, encrypted: bool) {
    match &model.link {
        LinkState::Online { .. } if encrypted => pill_icon(ui, icons::CHECK_CIRCLE, "Connected", Tone::Green),
        LinkState::Online { .. } => pill_icon(ui, icons::LOCK_OPEN, "Connected, no TLS", Tone::Amber),
        LinkState::Connecting { .. } => pill_icon(ui, icons::HOURGLASS, "Connecting", Tone::Amber),
        _ => pill_icon(ui, icons::WARNING, "Not connected", Tone::Red),
    };
}
