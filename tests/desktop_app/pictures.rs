//! Draws every page into a folder, to be looked at: `SEALWIRE_PICTURES=DIR cargo test --test desktop_app -- --ignored`.

use crate::world::*;
use eframe::egui::Theme;
use egui_kittest::kittest::Queryable;
use sealwire::client::{Asked, Event, Failure, LinkState, OutboxState, Password};

fn draw(world: &mut World, name: &str) {
    let folder = std::env::var_os("SEALWIRE_PICTURES").expect("SEALWIRE_PICTURES names a folder");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for theme in [Theme::Dark, Theme::Light] {
        world.harness.ctx.set_theme(theme);
        world.draw();
        let picture = world.harness.render().expect("a picture");
        let tone = if theme == Theme::Dark { "dark" } else { "light" };
        let path = std::path::Path::new(&folder).join(format!("{name}-{tone}.png"));
        picture.save(path).expect("the picture can be written");
    }
}

const LARGE: [f32; 2] = [1440.0, 900.0];
const SMALL: [f32; 2] = [1024.0, 700.0];

fn failure() -> Failure {
    Failure {
        what: "Wrong username, password or code.".into(),
        why: "The station does not say which.".into(),
        next: "Check them and try again.".into(),
        retry_after: Some(std::time::Duration::from_secs(300)),
    }
}

#[test]
#[ignore = "draws pictures"]
fn before_login() {
    for (size, tag) in [(LARGE, "large"), (SMALL, "small")] {
        let mut world = World::new(size);
        draw(&mut world, &format!("01-starting-{tag}"));
        world.connected(station(true));
        draw(&mut world, &format!("02-create-{tag}"));
        let signed_up =
            Event::SignedUp { recovery_codes: recovery_codes(), enrolment: enrolment(), otp_required: false };
        world.tell([signed_up, Event::LoggedIn(account("admin"))]);
        draw(&mut world, &format!("03-one-time-{tag}"));
        world.click("Later");
        draw(&mut world, &format!("04-recovery-{tag}"));
        let mut world = World::new(size);
        world.connected(station(false));
        world.tell([Event::Failed(Asked::LogIn, failure())]);
        draw(&mut world, &format!("05-login-{tag}"));
    }
}

#[test]
#[ignore = "draws pictures"]
fn after_login() {
    for (size, tag) in [(LARGE, "large"), (SMALL, "small")] {
        let mut world = World::new(size);
        world.logged_in("admin");
        world.tell([Event::Keys(vec![key("Plant", "plant/#"), key("Sample", "sample/#")])]);
        draw(&mut world, &format!("10-landing-{tag}"));
        world.click("Close the next steps");
        world.tell([Event::Preferences(vec![("next-steps.ada".into(), "closed".into())])]);
        world.click("Audit");
        draw(&mut world, &format!("11-audit-empty-{tag}"));
        world.tell([audit_lines(1_204), verdict(None)]);
        draw(&mut world, &format!("12-audit-{tag}"));
        world.press(eframe::egui::Key::ArrowDown);
        world.press(eframe::egui::Key::ArrowDown);
        world.tell([verdict(Some("line 611: its hash does not follow from line 610"))]);
        draw(&mut world, &format!("13-audit-detail-{tag}"));
        world.click("Settings");
        for section in sealwire::desktop::panels::Section::ALL {
            world.click(section.name());
            if section == sealwire::desktop::panels::Section::Programs {
                draw(&mut world, &format!("20-settings-programs-empty-{tag}"));
                world.tell([Event::Devices(vec![device(1, "Thermometer in hall 2"), device(2, "Node-RED")])]);
            }
            draw(&mut world, &format!("21-settings-{}-{tag}", section.name().replace(' ', "-")));
        }
        world.click("Account and security");
        world.click("Change password…");
        draw(&mut world, &format!("22-password-{tag}"));
        world.click("Cancel");
        world.click("Turn on…");
        world.tell([Event::Enrolment(enrolment())]);
        draw(&mut world, &format!("23-one-time-{tag}"));
        world.click("Cancel");
        world.tell([Event::RecoveryCodes(recovery_codes())]);
        draw(&mut world, &format!("24-codes-{tag}"));
        world.click("I have kept them");
        world.tell([Event::DeviceMade {
            device: device(3, "Thermometer"),
            username: "ada.thermometer".into(),
            password: Password::new("mQ9fT0w3cJ8rLk2vXy7ZpB4nHs6dGa1e"),
            mqtt: "mqtts://127.0.0.1:8883".into(),
            ca_pem: Some("-----BEGIN CERTIFICATE-----".into()),
        }]);
        draw(&mut world, &format!("25-device-{tag}"));
        world.click("Done");
        world.click("Close for good");
        world.tell([
            Event::Link(LinkState::Waiting {
                attempt: 3,
                retry_at_ms: u64::MAX / 4,
                reason: "Nothing answers at 127.0.0.1:8883.".into(),
            }),
            Event::Outbox(vec![outbox(1, OutboxState::Queued), outbox(2, OutboxState::Queued)]),
        ]);
        world.click("Watch");
        draw(&mut world, &format!("30-lost-{tag}"));
        world.click("Log out");
        draw(&mut world, &format!("31-log-out-{tag}"));
        world.click("Cancel");
        world.tell([Event::Link(LinkState::LogInAgain { reason: "12 hours passed without use.".into() })]);
        world.harness.get_all_by_label("Log in again…").next().expect("the link").click();
        world.draw();
        draw(&mut world, &format!("32-log-in-again-{tag}"));
        world.click("Cancel");
        world.tell([Event::Link(online())]);
        world.click("Sealed");
        draw(&mut world, &format!("33-lock-{tag}"));
        world.press(eframe::egui::Key::Escape);
        world.harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::K);
        world.draw();
        draw(&mut world, &format!("34-palette-{tag}"));
    }
}

#[test]
#[ignore = "draws pictures"]
fn exactly_once_and_a_will() {
    use sealwire::client::{Message, Opening, OutboxEntry, SealedWith, Suite, WillState};
    for (size, tag) in [(LARGE, "large"), (SMALL, "small")] {
        let mut world = World::new(size);
        world.logged_in("admin");
        let with = SealedWith {
            label: "Plant".into(),
            kid: "9f86d081884c7d65".into(),
            suite: Suite::default(),
            profile: None,
            signed: false,
        };
        let message = |serial: i64, will: bool, qos: u8| Message {
            serial,
            arrived_ms: 1_795_000_000_000 + serial as u64 * 900,
            topic: outbox(1, OutboxState::Sent).topic,
            qos,
            retained: false,
            wire: vec![0xd0; 160].into(),
            opening: Opening::Opened {
                with: with.clone(),
                body: if will { "The press went silent" } else { "{\"celsius\":62.4}" }.into(),
                content_type: Some("text/plain".into()),
                sealed_at_ms: 1_795_000_000_000,
                will,
                signer: None,
                notes: Vec::new(),
            },
        };
        world.tell([
            Event::Preferences(vec![("next-steps.ada".into(), "closed".into())]),
            Event::Keys(vec![key("Plant", "plant/#")]),
            Event::Subscriptions(vec![
                subscription("plant/#", 2, Ok(2)),
                subscription("fleet/+/gps", 2, Ok(1)),
                subscription("hall/#", 0, Ok(0)),
            ]),
            Event::Messages((1..=9).map(|serial| message(serial, serial == 8, (serial % 3) as u8)).collect()),
        ]);
        let row = world.harness.query_all_by_label_contains("Will, sealed").next().expect("the will's row");
        row.click();
        world.draw();
        world.click("Watch a topic filter…");
        draw(&mut world, &format!("40-watch-will-{tag}"));
        world.click("Publish");
        let entry = |id, qos, state| OutboxEntry { qos, ..outbox(id, state) };
        let done = |no_subscribers| OutboxState::Acknowledged { no_subscribers };
        let why = "the station's disk is full".to_owned();
        let held = "this topic has a key now, and the message has no seal".to_owned();
        world.tell([
            Event::Outbox(vec![
                entry(1, 0, OutboxState::Sent),
                entry(2, 1, done(false)),
                entry(3, 2, done(true)),
                entry(4, 2, OutboxState::Received),
                entry(5, 2, OutboxState::Sent),
                entry(6, 1, OutboxState::Postponed { why, again_ms: 0 }),
                OutboxEntry { sealed_with: None, ..entry(7, 1, OutboxState::Held { why: held }) },
                entry(8, 2, OutboxState::Refused { why: "The role sensor may not publish here.".into() }),
                entry(9, 2, OutboxState::Queued),
            ]),
            crate::settings::will_view(WillState::InForce { sealed_with: Some(with.clone()) }),
        ]);
        world.fill("Topic", "plant/line-1/press");
        world.fill("Payload", "21.5");
        world.click("QoS 2");
        draw(&mut world, &format!("41-publish-qos-2-{tag}"));
        world.click("Decide");
        draw(&mut world, &format!("42-publish-held-{tag}"));
        world.press(eframe::egui::Key::Escape);
        world.click("Settings");
        world.click("Will");
        draw(&mut world, &format!("43-will-in-force-{tag}"));
        let why = "No key covers plant/press. Make one in Keys, or let the topic go in the clear in Publish.";
        world.tell([
            crate::settings::will_view(WillState::Problem { why: why.into() }),
            Event::Keys(Vec::new()),
        ]);
        draw(&mut world, &format!("44-will-problem-{tag}"));
    }
}

#[test]
#[ignore = "draws pictures"]
fn another_broker() {
    use crate::broker::{carried, other};
    use sealwire::client::MqttVersion;
    for (size, tag) in [(LARGE, "large"), (SMALL, "small")] {
        let mut world = World::new(size);
        world.logged_in("admin");
        world.click("Settings");
        world.click("Broker");
        draw(&mut world, &format!("40-broker-station-{tag}"));
        world.click("Another broker…");
        draw(&mut world, &format!("41-broker-empty-{tag}"));
        world.fill("Address of the broker", "mqtts://press@broker.example");
        world.fill("Password there", "a-secret");
        let (address, told) =
            ("mqtts://broker.example:8883".into(), "It speaks MQTT 5 and takes QoS up to 2.".into());
        world.tell([Event::BrokerTested { address, told }]);
        draw(&mut world, &format!("42-broker-tested-{tag}"));
        world.fill("Address of the broker", "ws://press:x@broker.example");
        world.click("Test the connection");
        draw(&mut world, &format!("43-broker-wrong-{tag}"));
        world.fill("Address of the broker", "ws://press@broker.example");
        world.tell([Event::Failed(Asked::TestBroker, failure())]);
        draw(&mut world, &format!("44-broker-failed-{tag}"));
        world.click("Cancel");
        world.tell([
            other("mqtt://press@broker.example", MqttVersion::V311),
            carried("mqtt://broker.example:1883", "not encrypted on the way (no TLS)"),
        ]);
        draw(&mut world, &format!("45-broker-other-{tag}"));
        world.tell([Event::Link(LinkState::Waiting {
            attempt: 3,
            retry_at_ms: u64::MAX / 4,
            reason: "the broker does not take this username and password".into(),
        })]);
        draw(&mut world, &format!("46-broker-lost-{tag}"));
        let reason =
            "another broker was set here, and what was noted of it opens only with the vault of before"
                .into();
        world.tell([Event::Broker(None), Event::Link(LinkState::ChooseBroker { reason })]);
        draw(&mut world, &format!("47-broker-choose-{tag}"));
    }
}
