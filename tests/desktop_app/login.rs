//! The way in: the first run, the next login, forgotten passwords, and stations other than one's own.

use std::sync::atomic::Ordering;

use eframe::egui::Key;
use egui_kittest::kittest::Queryable;
use sealwire::{
    client::{Asked, Command, Event, Password, SecondStep, Trust},
    desktop::widgets::Problem,
};

use crate::{PASSWORD, SIZE, failure, world::*};

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
