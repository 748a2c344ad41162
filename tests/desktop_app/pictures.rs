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
