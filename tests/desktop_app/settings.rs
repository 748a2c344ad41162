//! What a person changes in the settings: one-time codes, recovery codes, plain programs, the history, a will.

use eframe::egui::Key;
use egui_kittest::kittest::Queryable;
use sealwire::{
    client::{Asked, Command, Draft, Event, Password, Will, WillState, WillView},
    topic::TopicName,
};

use crate::{PASSWORD, SIZE, failure, world::*};

#[test]
fn one_time_codes_are_turned_on_in_the_settings() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    world.click("Settings");
    world.click("Turn on…");
    assert!(matches!(&world.asked()[..], [Command::BeginOtp]));
    world.tell([Event::Enrolment(enrolment())]);
    assert!(world.sees("QR code for your authenticator app"));
    world.harness.get_by_label("The code that the app shows now").type_text("112233");
    world.draw();
    world.press(Key::Enter);
    assert!(matches!(&world.asked()[..], [Command::ConfirmOtp { code }] if code.reveal() == "112233"));
    let mut after = account("subscriber");
    after.otp = true;
    world.tell([Event::OtpOn, Event::Account(after)]);
    assert!(!world.sees("QR code"));
}

#[test]
fn a_code_that_was_wrong_before_later_is_not_told_in_the_settings() {
    let mut world = World::new(SIZE);
    world.connected(station(true));
    world.tell([Event::SignedUp {
        recovery_codes: recovery_codes(),
        enrolment: enrolment(),
        otp_required: false,
    }]);
    world.tell([Event::LoggedIn(account("admin")), Event::Link(online())]);
    world.tell([Event::Failed(Asked::Otp, failure("One-time codes are not on yet."))]);
    assert!(world.sees("One-time codes are not on yet."));
    world.click("Later");
    world.click("I have kept them in a safe place");
    world.click("Continue");
    world.click("Settings");
    assert!(world.sees("Ways in, and back in") && !world.sees("One-time codes are not on yet."));
}

#[test]
fn new_recovery_codes_need_the_password_and_do_not_vanish_by_accident() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    world.click("Settings");
    world.click("Make new ones…");
    world.fill("Your password", PASSWORD);
    world.press(Key::Enter);
    assert!(
        matches!(&world.asked()[..], [Command::NewRecoveryCodes { password }] if password.reveal() == PASSWORD)
    );
    world.tell([Event::RecoveryCodes(recovery_codes())]);
    world.press(Key::Escape);
    assert!(world.sees(recovery_codes()[0].reveal()), "Esc must not lose what is shown once");
    world.click("I have kept them");
    assert!(!world.sees(recovery_codes()[0].reveal()));
}

#[test]
fn a_plain_program_gets_a_credential_that_can_be_revoked() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Settings");
    world.click("Plain MQTT programs");
    assert!(matches!(&world.asked()[..], [Command::ListDevices]));
    world.tell([Event::Devices(Vec::new())]);
    world.click("Connect a program…");
    world.fill("What is it for?", "Thermometer");
    world.press(Key::Enter);
    assert!(matches!(&world.asked()[..], [Command::NewDevice { label }] if label == "Thermometer"));
    world.tell([
        Event::DeviceMade {
            device: device(7, "Thermometer"),
            username: "ada.t".into(),
            password: Password::new("s3cret"),
            mqtt: "mqtts://127.0.0.1:8883".into(),
            ca_pem: Some("PEM".into()),
        },
        Event::Devices(vec![device(7, "Thermometer")]),
    ]);
    assert!(world.sees("mosquitto_sub") && world.sees("--cafile"));
    world.press(Key::Escape);
    assert!(world.sees("s3cret"), "one Esc is not enough to lose a password that is shown once");
    world.click("Close for good");
    world.click("Revoke Thermometer…");
    world.click("Revoke");
    assert!(matches!(&world.asked()[..], [Command::RevokeDevice { id: 7 }]));
}

#[test]
fn the_history_is_forgotten_only_after_a_yes() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    world.click("Settings");
    world.click("This computer");
    world.click("Forget the history…");
    assert!(world.asked().is_empty());
    world.click("Forget it");
    assert!(matches!(&world.asked()[..], [Command::ClearHistory]));
}

pub fn will_view(state: WillState) -> Event {
    let draft = Draft {
        topic: TopicName::new("plant/press").expect("a topic"),
        body: b"The press went silent".to_vec(),
        content_type: None,
        qos: 2,
        retain: true,
    };
    let will = Will { draft, delay: std::time::Duration::from_secs(10) };
    Event::Will(WillView { will: Some(will), state })
}

#[test]
fn a_will_is_written_in_the_settings_and_told_until_it_is_in_force() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.tell([Event::Keys(vec![key("Plant", "plant/#")])]);
    world.click("Settings");
    world.click("Will");
    assert!(
        world.sees("vanishes without saying goodbye") && world.sees("Nothing is published if you vanish.")
    );
    assert!(world.sees("Name a topic."), "a button that cannot be pressed says why");
    world.fill("Topic of the will", "depot/gate");
    assert!(world.sees("No key covers depot/gate."));
    world.fill("Topic of the will", "plant/press");
    assert!(world.sees("Sealed with “Plant”"));
    world.fill("Message of the will", "The press went silent");
    world.fill("Seconds before the will is published", "4000");
    assert!(world.sees("From 0 to 3,600 seconds"));
    world.fill("Seconds before the will is published", "10");
    world.click("QoS 2");
    world.click("Retain");
    world.click("Turn on");
    let asked = world.asked();
    let Some(Command::SetWill { will, on: true }) = asked.last() else { panic!("{asked:?}") };
    assert_eq!((will.draft.topic.as_str(), will.delay.as_secs()), ("plant/press", 10));
    assert_eq!((will.draft.qos, will.draft.retain), (2, true));
    assert!(world.sees("Connecting anew, so that the station learns of the will."));

    world.tell([will_view(WillState::Waiting)]);
    assert!(world.sees("Connecting anew"));
    world.tell([will_view(WillState::InForce { sealed_with: None })]);
    assert!(world.sees("In force, in the clear"));
    world.tell([will_view(WillState::Problem { why: "The station takes no will at QoS 2.".into() })]);
    assert!(world.sees("The station does not have your will") && world.sees("takes no will at QoS 2"));
    world.click("Turn off");
    assert!(matches!(world.asked().last(), Some(Command::SetWill { on: false, .. })));
    world.tell([will_view(WillState::Off)]);
    assert!(world.sees("It is written down and not handed over."));
    world.click("Forget it");
    assert!(matches!(world.asked().last(), Some(Command::ForgetWill)));
}

#[test]
fn who_may_not_publish_has_no_will() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    world.click("Settings");
    world.click("Will");
    assert!(world.sees("Your role publishes nothing") && !world.sees("Turn on"));
}

#[test]
fn the_line_under_the_form_leads_to_where_the_will_is_written() {
    let mut world = World::new([1440.0, 1000.0]);
    world.logged_in("publisher");
    world.click("Write a will");
    assert!(world.sees("vanishes without saying goodbye"));
}
