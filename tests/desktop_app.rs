//! The app around the panels, through what a person sees and does, with a test at the session's far end.

#![cfg(feature = "desktop")]
#![allow(clippy::panic, clippy::expect_used, reason = "what these functions say fails the test")]

#[path = "desktop_app/broker.rs"]
mod broker;
#[path = "desktop_app/pictures.rs"]
mod pictures;
#[path = "desktop_app/world.rs"]
mod world;

use std::sync::atomic::Ordering;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use sealwire::{
    client::{
        Asked, AuditLog, Command, Draft, Event, Failure, LinkState, OutboxState, Password, SecondStep, Trust,
        Will, WillState, WillView,
    },
    desktop::widgets::Problem,
    topic::TopicName,
};
use world::*;

const SIZE: [f32; 2] = [1280.0, 820.0];
const PASSWORD: &str = "maple-lantern-42-otter";

fn failure(what: &str) -> Failure {
    Failure { what: what.into(), why: "The reason.".into(), next: "The next step.".into(), retry_after: None }
}

fn signed_up(otp_required: bool) -> Event {
    Event::SignedUp { recovery_codes: recovery_codes(), enrolment: enrolment(), otp_required }
}

#[test]
fn a_first_run_leads_from_the_start_of_the_station_into_the_window() {
    let mut world = World::new(SIZE);
    assert!(world.sees("Starting your station"), "the window paints at once");
    assert_eq!(world.starts.load(Ordering::SeqCst), 0, "which station is not known before the preferences");

    world.tell([Event::Preferences(Vec::new())]);
    let opened = world.await_command(|command| matches!(command, Command::OpenStation { .. }));
    let Command::OpenStation { address, trust } = opened else { unreachable!() };
    assert_eq!((address.as_str(), trust), ("127.0.0.1:48443", Trust::Pinned(own_fingerprint())));

    world.tell([Event::Station(station(true))]);
    assert!(world.sees("Create your account") && world.sees("first account"));
    world.fill("Username", "ada");
    world.fill("Password", "short");
    world.fill("Password again", "short");
    world.press(Key::Enter);
    assert!(world.asked().is_empty(), "a weak password is not sent");
    world.fill("Password", PASSWORD);
    world.fill("Password again", PASSWORD);
    world.press(Key::Enter);
    let [Command::SignUp { username, password, setup_code, .. }] = &world.asked()[..] else {
        panic!("one sign-up")
    };
    assert_eq!((username.as_str(), password.reveal()), ("ada", PASSWORD));
    assert_eq!(setup_code.as_ref().map(Password::reveal), Some("SETUP-CODE"), "read by the app, not typed");

    world.tell([signed_up(false), Event::LoggedIn(account("admin")), Event::Link(online())]);
    assert!(world.sees("One-time codes"), "the codes come before the window, also when logged in");
    world.click("Later");
    for code in recovery_codes() {
        assert!(world.sees(code.reveal()), "each code is shown");
    }
    world.click("Continue");
    assert!(world.sees("Keep your recovery codes"), "not before they are kept");
    world.click("I have kept them in a safe place");
    world.click("Continue");
    assert!(world.sees("Next steps") && world.sees("TLS 1.3"));
    let remembered = |command: &Command| matches!(command, Command::SetPreference { name, .. } if name == "step.recovery-codes.ada");
    assert!(world.asked().iter().any(remembered));
}

#[test]
fn where_one_time_codes_are_required_there_is_no_later() {
    let mut world = World::new(SIZE);
    world.connected(station(true));
    world.tell([signed_up(true)]);
    assert!(!world.sees("Later"));
    world.harness.get_by_label("The code that the app shows now").type_text("123456");
    world.draw();
    world.press(Key::Enter);
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::ConfirmOtp { code }] if code.reveal() == "123456"), "{asked:?}");
    world.tell([Event::Failed(Asked::Otp, failure("Wrong code."))]);
    assert!(world.sees("Wrong code."));
    world.tell([Event::OtpOn, Event::LoggedIn(account("subscriber"))]);
    assert!(world.sees("Keep your recovery codes"));
}

#[test]
fn a_station_that_does_not_start_says_why_and_can_be_tried_again() {
    let mut world = World::with_station(SIZE, || {
        Err(Problem::new("Your station did not start.", "The disk is full.", "Free some space."))
    });
    world.tell([Event::Preferences(Vec::new())]);
    for starts in 1..=2 {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !world.sees("The disk is full.") {
            assert!(std::time::Instant::now() < until);
            world.draw();
        }
        assert_eq!(world.starts.load(Ordering::SeqCst), starts);
        if starts == 1 {
            world.click("Try again");
        }
    }
}

#[test]
fn the_next_login_has_the_known_name_and_asks_for_password_and_code() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    assert!(world.sees("Welcome back"));
    assert_eq!(world.harness.get_by_label("Username").value().as_deref(), Some("ada"));
    world.fill("Password", PASSWORD);
    world.fill("One-time code", "123 456");
    world.press(Key::Enter);
    let asked = world.asked();
    let [Command::LogIn { username, password, second: Some(SecondStep::Code(code)), remember: false }] =
        &asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!((username.as_str(), password.reveal(), code.reveal()), ("ada", PASSWORD, "123456"));
    world.tell([Event::Failed(Asked::LogIn, failure("Wrong username, password or code."))]);
    assert!(world.sees("Wrong username, password or code.") && world.sees("The next step."));

    world.tell([Event::LoggedIn(account("subscriber"))]);
    world.tell([Event::LoggedOut { reason: String::new() }]);
    assert!(world.sees("Welcome back"));
    assert_eq!(world.harness.get_by_label("Password").value().as_deref(), Some(""), "the password is gone");
}

#[test]
fn a_forgotten_password_is_reset_by_recovery_code_and_leads_back_to_the_login() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    world.click("Forgot password?");
    world.click("A recovery code");
    world.fill("Recovery code", recovery_codes()[0].reveal());
    world.fill("Password", PASSWORD);
    world.fill("Password again", PASSWORD);
    world.press(Key::Enter);
    let asked = world.asked();
    let [Command::ResetByRecovery { username, recovery, code: None, new_password }] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(username, "ada");
    assert_eq!((recovery, new_password.reveal()), (&recovery_codes()[0], PASSWORD));
    world.tell([Event::PasswordReset { recovery_codes: Vec::new() }]);
    assert!(world.sees("Your password is changed."));
}

#[test]
fn a_reset_by_one_time_code_says_what_is_lost_and_shows_new_recovery_codes() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    world.click("Forgot password?");
    world.click("Only my authenticator app");
    assert!(world.sees("Your vault will be new and empty."));
    world.fill("One-time code", "654321");
    world.fill("Password", PASSWORD);
    world.fill("Password again", PASSWORD);
    world.click("I understand that my vault will be empty");
    world.click("Set the new password");
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::ResetByCode { code, .. }] if code.reveal() == "654321"),
        "{asked:?}"
    );
    world.tell([Event::PasswordReset { recovery_codes: recovery_codes() }]);
    assert!(world.sees(recovery_codes()[7].reveal()));
    world.click("I have kept them in a safe place");
    world.click("Continue");
    assert!(world.sees("Your password is changed."));
}

#[test]
fn another_station_is_trusted_only_after_its_fingerprint_was_agreed_to() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    world.click("Another station…");
    world.fill("Address or invite link", "far.example:8443");
    world.press(Key::Enter);
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::OpenStation { address, trust: Trust::AsKnown }] if address == "far.example:8443")
    );
    let fingerprint = "ab12".repeat(16);
    world.tell([Event::StationUnknown {
        address: "far.example:8443".into(),
        fingerprint: fingerprint.clone(),
    }]);
    assert!(world.sees("ab12 ab12 ab12 ab12"));
    assert!(world.asked().is_empty(), "nothing is trusted by itself");
    world.click("It is the same: trust it");
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::TrustStation { fingerprint: told }] if *told == fingerprint),
        "{asked:?}"
    );

    let mut far = station(false);
    far.address = "far.example:8443".into();
    far.fingerprint = fingerprint;
    world.tell([Event::Station(far)]);
    assert!(world.sees("Welcome back"));
    let remembered = world.asked().into_iter().any(|command| {
        matches!(command, Command::SetPreference { name, value } if name == "station" && value == "far.example:8443")
    });
    assert!(remembered, "the next start goes there");
}

#[test]
fn an_invite_link_is_shown_before_anything_is_sent_to_it() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    world.click("Another station…");
    let link = format!("sealwire://far.example:8443/#{}", "ab12".repeat(16));
    world.fill("Address or invite link", &link);
    world.press(Key::Enter);
    assert!(world.sees("These digits stand in the invite link"));
    assert!(world.asked().is_empty());
    world.click("It is the same: trust it");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::OpenStation { address, .. }] if *address == link), "{asked:?}");
}

#[test]
fn a_changed_key_is_a_hard_stop_at_the_next_start() {
    let mut world = World::new(SIZE);
    world.tell([Event::Preferences(vec![("station".into(), "far.example:8443".into())])]);
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::OpenStation { address, .. }] if address == "far.example:8443"),
        "{asked:?}"
    );
    assert_eq!(world.starts.load(Ordering::SeqCst), 0, "this computer's own station is not needed");
    world.tell([Event::StationChanged {
        address: "far.example:8443".into(),
        pinned: "ab12".repeat(16),
        seen: "cd34".repeat(16),
    }]);
    assert!(world.sees("not the one you trusted") && world.sees("cd34 cd34"));
    assert!(!world.sees("trust it"), "there is no way on from here");
    world.click("Do not connect");
    world.click("Use this computer's own station");
    world.await_command(|command| matches!(command, Command::OpenStation { trust: Trust::Pinned(_), .. }));
}

#[test]
fn a_role_is_offered_what_it_may_do_and_lands_there() {
    for (role, lands, missing) in [("publisher", "Publish", "Watch"), ("subscriber", "Watch", "Publish")] {
        let mut world = World::new(SIZE);
        world.logged_in(role);
        assert!(world.harness.query_all_by_label(lands).next().is_some(), "{role} sees {lands}");
        assert!(world.harness.query_all_by_label(missing).next().is_none(), "{role} has no {missing}");
    }
}

#[test]
fn an_idle_window_paints_no_frame() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Audit");
    world.tell([audit_lines(30)]);
    world.harness.remove_cursor();
    world.harness.run_steps(40);
    let delay = world.harness.output().viewport_output[&eframe::egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, std::time::Duration::MAX);
}

#[test]
fn a_lost_station_of_ones_own_can_be_started_again() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    let waiting =
        LinkState::Waiting { attempt: 2, retry_at_ms: u64::MAX / 4, reason: "Nothing answers.".into() };
    world.tell([Event::Link(waiting)]);
    assert!(world.sees("Not connected to the station.") && world.sees("Nothing answers."));
    world.click("Retry now");
    assert!(matches!(&world.asked()[..], [Command::RetryNow]));
    world.click("Start it again");
    world.await_command(|command| matches!(command, Command::RetryNow));
    assert_eq!(world.starts.load(Ordering::SeqCst), 2);
    world.tell([Event::Link(online())]);
    assert!(!world.sees("Not connected to the station."));
}

#[test]
fn a_session_that_ended_is_begun_again_without_leaving_the_page() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Keys");
    world.tell([Event::Link(LinkState::LogInAgain { reason: "12 hours passed.".into() })]);
    world.harness.get_all_by_label("Log in again…").next().expect("a way back").click();
    world.draw();
    world.fill("Password", PASSWORD);
    world.press(Key::Enter);
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::LogIn { username, second: None, .. }] if username == "ada"),
        "{asked:?}"
    );
    world.tell([Event::Failed(Asked::LogIn, failure("Wrong password."))]);
    assert!(world.sees("Wrong password."));
    world.tell([Event::LoggedIn(account("admin")), Event::Link(online())]);
    assert!(!world.sees("Log in again"));
    let selected = world
        .harness
        .get_all_by_label("Keys")
        .any(|node| node.accesskit_node().toggled() == Some(eframe::egui::accesskit::Toggled::True));
    assert!(selected, "the page is the same");
}

#[test]
fn logging_out_asks_only_while_messages_wait() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Queued)])]);
    world.click("Log out");
    assert!(world.asked().is_empty());
    assert!(world.sees("One message has not reached the broker yet."));
    world.click("Cancel");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Acknowledged { no_subscribers: false })])]);
    world.click("Log out");
    assert!(matches!(&world.asked()[..], [Command::LogOut]));
}

#[test]
fn ctrl_k_jumps_to_pages_topics_and_actions_by_keyboard_alone() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Sent)])]);
    let type_and_enter = |world: &mut World, text: &str| {
        world.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
        world.draw();
        world.harness.get_by_label("Search or jump to").type_text(text);
        world.draw();
        world.press(Key::Enter);
    };
    type_and_enter(&mut world, "audit");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]), "{asked:?}");
    type_and_enter(&mut world, "light theme");
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::SetPreference { name, value }] if name == "theme" && value == "light")
    );
    type_and_enter(&mut world, "line-1/press");
    assert_eq!(
        world.harness.get_by_label("Topic").value().as_deref(),
        Some("plant/line-1/press"),
        "a publisher who jumps to a topic wants to send there"
    );
    world.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    world.draw();
    world.press(Key::Escape);
    assert!(world.harness.query_by_label("Search or jump to").is_none());
}

#[test]
fn the_audit_page_filters_selects_and_verifies() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.click("Audit");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]), "{asked:?}");
    world.tell([audit_lines(40)]);
    assert!(world.sees("40 lines"));
    world.click("Refused");
    assert!(world.sees("of 40 lines"));
    world.press(Key::ArrowDown);
    assert!(world.sees("refused: no key") && world.sees("Copy the hash"));
    world.click("All");
    world.click("Verify the chain");
    assert!(matches!(&world.asked()[..], [Command::VerifyAudit { log: AuditLog::Publisher }]));
    world.tell([verdict(None)]);
    assert!(world.sees("The chain holds: 1,204 lines.") && world.sees("up to line 1,000"));
    world.tell([verdict(Some("line 611: its hash does not follow from line 610"))]);
    assert!(world.sees("The chain is broken.") && world.sees("line 611"));
}

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

#[test]
fn the_next_steps_lead_on_and_stay_closed() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Add a second person");
    assert!(world.sees("On this computer: open Sealwire once more."));
    world.click("Done");
    world.click("Close the next steps");
    let closed = world.asked().into_iter().find_map(|command| match command {
        Command::SetPreference { name, value } if name == "next-steps.ada" => Some((name, value)),
        _ => None,
    });
    world.tell([Event::Preferences(vec![closed.expect("it is remembered")])]);
    assert!(!world.sees("Next steps"));
}

#[test]
fn the_remembered_theme_is_in_force_from_the_start() {
    for (value, dark) in [("dark", true), ("light", false)] {
        let mut world = World::new(SIZE);
        world.tell([Event::Preferences(vec![("theme".into(), value.into())])]);
        assert_eq!(world.harness.ctx.global_style().visuals.dark_mode, dark);
    }
}

#[test]
fn a_failure_that_no_page_shows_is_told_in_a_toast() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.tell([Event::Failed(Asked::ExportKey, failure("The key was not exported."))]);
    assert!(world.sees("The key was not exported."));
}

#[test]
fn a_failed_login_looks_whether_the_own_station_still_runs_and_finds_it_at_its_new_address() {
    let ports = std::sync::atomic::AtomicU16::new(40_000);
    let mut world = World::with_station(SIZE, move || {
        let port = ports.fetch_add(1, Ordering::SeqCst);
        Ok(sealwire::desktop::OwnStation {
            address: format!("127.0.0.1:{port}"),
            fingerprint: own_fingerprint(),
            setup_code: None,
        })
    });
    world.connected(station(false));
    world.fill("Password", PASSWORD);
    world.press(Key::Enter);
    world.asked();
    world.tell([Event::Failed(Asked::LogIn, failure("The station was not reached."))]);
    let opened = world.await_command(|command| matches!(command, Command::OpenStation { .. }));
    assert!(matches!(opened, Command::OpenStation { address, .. } if address == "127.0.0.1:40001"));
    world.tell([Event::Station(station(false))]);
    assert!(world.sees("The station was not reached."), "the form stays as it is");
    assert_ne!(world.harness.get_by_label("Password").value().as_deref(), Some(""), "and can be sent again");
}

#[test]
fn after_a_wrong_password_what_is_typed_next_takes_its_place() {
    let mut world = World::new(SIZE);
    world.connected(station(false));
    world.fill("Username", "ada");
    world.fill("Password", "wrong");
    world.press(Key::Enter);
    world.asked();
    world.tell([Event::Failed(Asked::LogIn, failure("You are not logged in."))]);
    world.draw();
    world.harness.event(eframe::egui::Event::Text(PASSWORD.to_owned()));
    world.draw();
    world.press(Key::Enter);
    let asked = world.asked();
    let is_new =
        |asked: &Command| matches!(asked, Command::LogIn { password, .. } if password.reveal() == PASSWORD);
    assert!(asked.iter().any(is_new), "{asked:?}");
}

#[test]
fn in_a_low_window_the_next_steps_are_one_line_and_lead_on_as_well() {
    let height = |world: &World| {
        let rect = |name: &str| world.harness.get_by_label(name).rect();
        rect("Another computer").bottom() - rect("Next steps").top()
    };
    let mut world = World::new([1024.0, 700.0]);
    world.logged_in("admin");
    assert!(height(&world) < 40.0, "{}", height(&world));
    world.click("Add a second person");
    assert!(world.sees("On this computer: open Sealwire"));
    world = World::new(SIZE);
    world.logged_in("admin");
    assert!(height(&world) > 60.0, "a card, where there is room");
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
fn what_arrived_earlier_is_opened_again_for_those_who_may_watch() {
    for (role, loads) in [("subscriber", true), ("publisher", false)] {
        let mut world = World::new(SIZE);
        world.connected(station(false));
        world.tell([Event::LoggedIn(account(role))]);
        let asked = world.asked();
        let loaded = asked.iter().any(|command| matches!(command, Command::LoadHistory { .. }));
        assert_eq!(loaded, loads, "{role}: {asked:?}");
    }
}

#[test]
fn the_audit_log_is_read_again_when_its_page_comes_back() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.click("Audit");
    world.tell([audit_lines(3)]);
    world.asked();
    world.draw();
    assert!(world.asked().is_empty(), "not with every frame");
    world.click("Keys");
    world.click("Audit");
    assert!(matches!(&world.asked()[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]));
}

fn will_view(state: WillState) -> Event {
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

#[test]
fn only_an_admin_is_offered_station_which_rests_when_another_page_is_on() {
    for role in ["publisher", "subscriber"] {
        let mut world = World::new(SIZE);
        world.logged_in(role);
        assert!(world.harness.query_by_label("Station").is_none(), "{role}");
    }
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.asked();
    world.click("Station");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::WatchBroker(true), Command::ListSessions { .. }]), "{asked:?}");
    world.click("Audit");
    let asked = world.asked();
    assert!(asked.iter().any(|command| matches!(command, Command::WatchBroker(false))), "{asked:?}");
    // Whose role is taken away has the page no longer.
    world.click("Station");
    world.tell([Event::Account(account("publisher"))]);
    assert!(world.harness.query_by_label("Station").is_none());
}
