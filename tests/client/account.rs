//! Sign-up, one-time codes, logins, resets, and whom a computer trusts.

use sealwire::{
    api::OtpPolicy,
    client::{Asked, Command, Event, LinkState, Password, SecondStep, Trust},
};

use crate::harness::{Computer, PASSWORD, Person, Station};

const OTHER_PASSWORD: &str = "violin harbor pepper sundial";

fn log_in_with(person: &Person, password: &str, second: Option<SecondStep>, remember: bool) {
    person.send(Command::LogIn {
        username: "anna".to_owned(),
        password: Password::new(password),
        second,
        remember,
    });
}

#[test]
fn a_sign_up_that_was_left_before_the_first_code_goes_on_at_the_next_login() {
    let station = Station::with(OtpPolicy::Required);
    let mut left = Person::new();
    left.sign_up(&station, "Anna", "");
    drop(left);

    let mut anna = Person::new();
    anna.open(&station);
    log_in_with(&anna, PASSWORD, None, false);
    let enrolment = anna.answer(Asked::LogIn, |event| match event {
        Event::Enrolment(enrolment) => Some(enrolment.clone()),
        _ => None,
    });
    anna.send(Command::ConfirmOtp { code: station.code(&enrolment) });
    assert!(anna.logged_in().otp);
}

#[test]
fn sign_up_with_required_codes_ends_logged_in_after_the_first_code_and_a_code_works_once() {
    let station = Station::with(OtpPolicy::Required);
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "Anna", "");
    assert!(signed_up.otp_required);
    assert_eq!(signed_up.recovery_codes.len(), 8);
    anna.send(Command::ConfirmOtp { code: Password::new("000000") });
    assert!(anna.failure(Asked::Otp).why.contains("code"));
    let code = station.code(&signed_up.enrolment);
    anna.send(Command::ConfirmOtp { code: code.clone() });
    anna.answer(Asked::Otp, |event| matches!(event, Event::OtpOn).then_some(()));
    let account = anna.logged_in();
    assert_eq!((account.username.as_str(), account.role.name.as_str(), account.otp), ("anna", "admin", true));
    assert!(account.first_time_here);
    anna.online();
    anna.log_out();

    log_in_with(&anna, PASSWORD, Some(SecondStep::Code(code)), false);
    let used = anna.failure(Asked::LogIn);
    station.pass(30);
    log_in_with(&anna, OTHER_PASSWORD, Some(SecondStep::Code(station.code(&signed_up.enrolment))), false);
    let wrong = anna.failure(Asked::LogIn);
    assert_eq!(used.why, wrong.why, "a used code and a wrong password look alike");
    log_in_with(&anna, PASSWORD, None, false);
    anna.failure(Asked::LogIn);
    log_in_with(&anna, PASSWORD, Some(SecondStep::Code(station.code(&signed_up.enrolment))), true);
    assert!(!anna.logged_in().first_time_here);
    anna.log_out();

    // This computer is remembered: the password is enough here, and only here.
    log_in_with(&anna, PASSWORD, None, false);
    anna.logged_in();
    let mut elsewhere = Person::new();
    elsewhere.open(&station);
    log_in_with(&elsewhere, PASSWORD, None, false);
    elsewhere.failure(Asked::LogIn);
}

#[test]
fn a_weak_password_and_an_impossible_name_are_refused_before_anything_is_sent() {
    let station = Station::start();
    let mut anna = Person::new();
    let view = anna.open(&station);
    assert!(view.needs_first_account && view.known_accounts.is_empty());
    assert!(view.clock_ahead_ms.abs() < 60_000);
    let sign_up = |name: &str, password: &str| Command::SignUp {
        username: name.to_owned(),
        password: Password::new(password),
        role: None,
        setup_code: None,
    };
    anna.send(sign_up("anna", "password1"));
    assert!(anna.failure(Asked::SignUp).why.contains("weak"));
    anna.send(sign_up("a/b", PASSWORD));
    assert!(anna.failure(Asked::SignUp).why.contains('/'));
    anna.send(sign_up("anna", PASSWORD));
    assert!(anna.failure(Asked::SignUp).why.contains("setup code"));
}

#[test]
fn a_recovery_code_resets_the_password_and_keeps_the_keys() {
    let station = Station::start();
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "anna", "");
    anna.logged_in();
    let line = anna.key("Plant", "plant/#", sealwire::client::Suite::default());
    anna.log_out();
    let reset = |recovery: &str| Command::ResetByRecovery {
        username: "anna".to_owned(),
        recovery: Password::new(recovery),
        code: None,
        new_password: Password::new(OTHER_PASSWORD),
    };
    anna.send(reset("7Z3KQ"));
    assert!(anna.failure(Asked::Reset).why.contains("25"));
    anna.send(reset(&signed_up.recovery_codes[2].reveal().to_lowercase()));
    anna.answer(Asked::Reset, |event| matches!(event, Event::PasswordReset { .. }).then_some(()));
    anna.send(reset(signed_up.recovery_codes[2].reveal()));
    anna.failure(Asked::Reset);

    anna.ask_log_in("anna", PASSWORD);
    anna.failure(Asked::LogIn);
    anna.ask_log_in("anna", OTHER_PASSWORD);
    assert_eq!(anna.logged_in().recovery_codes_left, 7);
    let id = anna.until("the keys", |event| match event {
        Event::Keys(keys) => keys.first().map(|key| key.id.clone()),
        _ => None,
    });
    assert_eq!(anna.export(&id), line);
}

#[test]
fn a_reset_by_code_gives_an_empty_vault_that_is_not_taken_for_a_rolled_back_one() {
    let station = Station::start();
    let _admin = Person::joined(&station, "root", "");
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "anna", "publisher");
    anna.logged_in();
    anna.confirm_codes(&station, &signed_up);
    anna.key("Plant", "plant/#", sealwire::client::Suite::default());
    assert_eq!(anna.reset_by_code(&station, &signed_up, "anna"), 8);
    anna.logged_in();
    let keys = anna.until("the keys", |event| match event {
        Event::Keys(keys) => Some(keys.len()),
        _ => None,
    });
    assert_eq!(keys, 0);
}

#[test]
fn a_new_password_and_new_recovery_codes_replace_the_old_ones() {
    let station = Station::start();
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "anna", "");
    anna.logged_in();
    anna.send(Command::ChangePassword { old: Password::new("wrong"), new: Password::new(OTHER_PASSWORD) });
    anna.failure(Asked::ChangePassword);
    anna.send(Command::ChangePassword { old: Password::new(PASSWORD), new: Password::new(OTHER_PASSWORD) });
    anna.answer(Asked::ChangePassword, |event| matches!(event, Event::PasswordChanged).then_some(()));
    anna.send(Command::NewRecoveryCodes { password: Password::new(OTHER_PASSWORD) });
    let codes = anna.answer(Asked::RecoveryCodes, |event| match event {
        Event::RecoveryCodes(codes) => Some(codes.clone()),
        _ => None,
    });
    anna.log_out();
    for (code, works) in [(&signed_up.recovery_codes[0], false), (&codes[0], true)] {
        anna.send(Command::ResetByRecovery {
            username: "anna".to_owned(),
            recovery: code.clone(),
            code: None,
            new_password: Password::new(PASSWORD),
        });
        let reset = anna.until("the answer", |event| match event {
            Event::PasswordReset { .. } => Some(true),
            Event::Failed(Asked::Reset, _) => Some(false),
            _ => None,
        });
        assert_eq!(reset, works);
    }
    anna.ask_log_in("anna", PASSWORD);
    anna.logged_in();
}

#[test]
fn a_second_window_on_the_same_account_is_told_so_and_the_first_goes_on() {
    let station = Station::start();
    let computer = Computer::new();
    let mut first = computer.window();
    first.sign_up(&station, "anna", "");
    first.logged_in();
    first.online();
    let mut second = computer.window();
    assert_eq!(second.open(&station).known_accounts, ["anna"]);
    second.ask_log_in("anna", PASSWORD);
    assert!(second.failure(Asked::LogIn).why.contains("another window"));
    first.key("Plant", "plant/#", sealwire::client::Suite::default());
    first.publish("plant/x", "still here");
    first.settled("plant/x");
    drop(first);
    second.ask_log_in("anna", PASSWORD);
    second.logged_in();
}

#[test]
fn an_unknown_station_is_shown_before_anything_is_sent_and_a_swapped_one_stops_hard() {
    let station = Station::start();
    let mut anna = Person::new();
    let address = station.running.api.to_string();
    let open = |anna: &Person| {
        anna.send(Command::OpenStation { address: address.clone(), trust: Trust::AsKnown });
    };
    open(&anna);
    let shown = anna.answer(Asked::OpenStation, |event| match event {
        Event::StationUnknown { fingerprint, .. } => Some(fingerprint.clone()),
        Event::Station(_) => panic!("trusted without a question"),
        _ => None,
    });
    assert_eq!(shown, station.running.fingerprint);
    anna.send(Command::TrustStation { fingerprint: "0".repeat(64) });
    anna.failure(Asked::OpenStation);
    open(&anna);
    anna.until("the fingerprint", |event| matches!(event, Event::StationUnknown { .. }).then_some(()));
    anna.send(Command::TrustStation { fingerprint: shown.clone() });
    anna.answer(Asked::OpenStation, |event| matches!(event, Event::Station(_)).then_some(()));
    open(&anna);
    anna.answer(Asked::OpenStation, |event| matches!(event, Event::Station(_)).then_some(()));
    anna.sign_up(&station, "anna", "");
    anna.logged_in();
    anna.online();

    let ended = station.end();
    let impostor = ended.impostor();
    // The link stops by itself: nothing was sent to the other one.
    let (pinned, seen) = anna.until("the alarm", |event| match event {
        Event::StationChanged { pinned, seen, .. } => Some((pinned.clone(), seen.clone())),
        Event::Link(LinkState::Online { .. }) => panic!("online with an impostor"),
        _ => None,
    });
    assert_eq!((&pinned, &seen), (&shown, &impostor.running.fingerprint));
    open(&anna);
    anna.until("the alarm again", |event| match event {
        Event::StationChanged { seen, .. } => (*seen == impostor.running.fingerprint).then_some(()),
        Event::Station(_) => panic!("the pin was given up"),
        _ => None,
    });
    // An invite link with the impostor's fingerprint does not unpin either.
    let link = format!("sealwire://{address}/#{}", impostor.running.fingerprint);
    anna.send(Command::OpenStation { address: link, trust: Trust::AsKnown });
    anna.until("the alarm for the link", |event| match event {
        Event::StationChanged { .. } => Some(()),
        Event::Station(_) => panic!("a link unpinned the station"),
        _ => None,
    });
}

#[test]
fn an_invite_link_is_enough_to_meet_a_station() {
    let station = Station::start();
    let mut anna = Person::new();
    let link = format!("sealwire://{}/#{}", station.running.api, station.running.fingerprint.to_uppercase());
    anna.send(Command::OpenStation { address: link, trust: Trust::AsKnown });
    anna.answer(Asked::OpenStation, |event| matches!(event, Event::Station(_)).then_some(()));
    let wrong = format!("sealwire://{}/#{}", station.running.mqtt_tls, "1".repeat(64));
    anna.send(Command::OpenStation { address: wrong, trust: Trust::AsKnown });
    anna.until("the alarm", |event| matches!(event, Event::StationChanged { .. }).then_some(()));
    anna.send(Command::OpenStation { address: "127.0.0.1:1".to_owned(), trust: Trust::AsKnown });
    assert!(anna.failure(Asked::OpenStation).why.contains("cannot be reached"));
}

#[test]
fn a_window_closes_at_once_though_a_station_never_answers() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closes = || {
        let mut anna = Person::new();
        anna.until("the start", |event| matches!(event, Event::Preferences(_)).then_some(()));
        let address = silent.local_addr().unwrap().to_string();
        anna.send(Command::OpenStation { address, trust: Trust::AsKnown });
        let (_connection, _) = silent.accept().unwrap();
        let asked = std::time::Instant::now();
        drop(anna);
        asked.elapsed()
    };
    // The machine may stand still for a moment, but not each time.
    let times: Vec<_> = (0..3).map(|_| closes()).collect();
    assert!(times.iter().any(|time| *time < std::time::Duration::from_secs(3)), "{times:?}");
}
