//! Sign-up, login, one-time codes, sessions, lockout.

use sealwire::api::{ProblemCode::*, *};

use crate::harness::*;

#[tokio::test]
async fn the_first_account_needs_the_setup_code_and_becomes_admin() {
    let station = start().await;
    let info: StationInfo = station.ask("GET", "station", None, ()).await.unwrap();
    assert!(info.needs_first_account && info.roles.iter().all(|role| role.name != "admin"));
    let file = station.path("keys/setup-code");
    let code_there = std::fs::read_to_string(&file).unwrap();
    assert_eq!(code_there, station.running.setup_code.as_ref().unwrap().reveal());

    let mut request = station.sign_up_request("Anna", "publisher");
    for wrong in [None, Some("AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA".into()), Some("".into())] {
        request.setup_code = wrong;
        assert_eq!(code(station.post::<SignedUp>("account", &request).await), SetupCode);
    }
    request.setup_code = Some(code_there.to_lowercase().replace('-', " ").into());
    let session = station.post::<SignedUp>("account", &request).await.unwrap().session.unwrap();
    assert_eq!(session.account.username.as_str(), "anna");
    assert!(session.account.role.admin);
    assert!(!file.exists());
    let info: StationInfo = station.ask("GET", "station", None, ()).await.unwrap();
    assert!(!info.needs_first_account);
    let station = station.restart().await;
    assert!(station.running.setup_code.is_none());
}

#[tokio::test]
async fn later_accounts_choose_an_offered_role_and_a_free_name() {
    let station = start().await;
    assert_eq!(station.member("paul", "publisher").await.account.role.name, "publisher");
    assert_eq!(code(station.sign_up("sue", "admin").await), RoleNotOffered);
    assert_eq!(code(station.sign_up("sue", "").await), RoleNotOffered);
    assert_eq!(code(station.sign_up("Paul", "subscriber").await), NameTaken);
    assert_eq!(station.member("sue", "subscriber").await.account.role.name, "subscriber");
}

#[tokio::test]
async fn a_station_with_closed_sign_up_takes_the_first_account_only() {
    let station = start_with(|config| config.sign_up = SignUpPolicy::Closed).await;
    station.sign_up("root", "").await.unwrap();
    assert_eq!(code(station.sign_up("paul", "publisher").await), SignUpClosed);
}

#[tokio::test]
async fn of_two_first_accounts_at_once_one_is_second() {
    let station = start().await;
    let (one, two) = tokio::join!(station.sign_up("one", "publisher"), station.sign_up("two", "publisher"));
    let roles = [one, two].map(|signed_up| signed_up.unwrap().session.unwrap().account.role.name);
    assert_eq!(roles.iter().filter(|role| *role == "admin").count(), 1, "{roles:?}");
}

#[tokio::test]
async fn everything_that_is_wrong_about_a_login_is_answered_alike_and_a_code_works_once() {
    let station = start().await;
    let (_, codes) = station.member_with_codes("paul", "publisher").await;
    let spent = codes.second();
    assert!(station.log_in("paul", spent.clone()).await.is_ok());
    station.pass(30_000);
    let wrong = [
        station.log_in_as("nobody", auth_key("paul"), codes.second(), false).await,
        station.log_in_as("paul", auth_key("wrong"), codes.second(), false).await,
        station.log_in("paul", Some(SecondFactor::Code("000000".into()))).await,
        station.log_in("paul", spent).await,
        station.log_in("nobody", None).await,
    ];
    let wrong = wrong.map(Result::unwrap_err);
    assert_eq!(wrong[0].code, WrongCredentials);
    assert!(wrong.iter().all(|problem| *problem == wrong[0]), "{wrong:?}");
    // The code that came with a wrong password was not spent by it.
    assert!(station.log_in("paul", codes.second()).await.is_ok());
    assert_eq!(
        code(station.log_in("paul", None).await),
        WrongCredentials,
        "the password alone is not enough"
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_reopens_no_spent_code() {
    let station = start().await;
    let (_, codes) = station.member_with_codes("paul", "publisher").await;
    let earlier = codes.now();
    station.pass(30_000);
    assert!(station.log_in("paul", codes.second()).await.is_ok());
    station.clock.set(station.clock.now_ms() - 30_000);
    assert_eq!(codes.now(), earlier);
    assert_eq!(code(station.log_in("paul", codes.second()).await), WrongCredentials);
    // Of many at the same time one gets in.
    station.pass(60_000);
    let tries = (0..4).map(|_| station.log_in("paul", codes.second()));
    let mut inside = 0;
    for answer in futures(tries).await {
        inside += usize::from(answer.is_ok());
    }
    assert_eq!(inside, 1);
}

/// Awaits all of them together.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in &mut all {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        let done = all.iter().all(|(_, answer)| answer.is_some());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn a_remembered_computer_stands_in_for_the_code_but_not_for_the_password() {
    let station = start().await;
    let (_, codes) = station.member_with_codes("paul", "publisher").await;
    let session = station.log_in_as("paul", auth_key("paul"), codes.second(), true).await.unwrap();
    let remembered = Some(SecondFactor::Remembered(session.remembered.unwrap()));
    assert!(station.log_in("paul", remembered.clone()).await.is_ok());
    assert_eq!(
        code(station.log_in_as("paul", auth_key("wrong"), remembered.clone(), false).await),
        WrongCredentials
    );
    station.member("sue", "subscriber").await;
    station.pass(29 * DAY);
    let session = station.log_in("paul", remembered.clone()).await.unwrap();
    let request = ChangePassword {
        old_auth_key: auth_key("paul"),
        new_auth_key: auth_key("paul"),
        password_wrap: Blob(vec![1]),
    };
    let _: Done = station.ask("PUT", "password", Some(&session.api_token), request).await;
    assert_eq!(
        code(station.log_in("paul", remembered).await),
        WrongCredentials,
        "forgotten with the password"
    );
    let session = station.log_in_as("paul", auth_key("paul"), codes.second(), true).await.unwrap();
    station.pass(30 * DAY);
    let remembered = Some(SecondFactor::Remembered(session.remembered.unwrap()));
    assert_eq!(code(station.log_in("paul", remembered).await), WrongCredentials, "30 days are over");
}

#[tokio::test]
async fn where_codes_are_required_the_password_alone_leads_to_the_enrolment_and_no_further() {
    let station = start_with(|config| config.otp = OtpPolicy::Required).await;
    let signed_up = station.sign_up("root", "").await.unwrap();
    assert!(signed_up.session.is_none());
    // The window was closed before the first code: the next login goes on there.
    let problem = station.log_in("root", None).await.unwrap_err();
    assert_eq!(problem.code, EnrolOtp);
    let enrolment = problem.enrolment.unwrap();
    let confirm = |enrolment: &Enrolment, code| ConfirmOtp { token: enrolment.token.clone(), code };
    let old = Codes::new(&signed_up.enrolment, &station.clock);
    let request = confirm(&signed_up.enrolment, old.now());
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", request).await), WrongCode, "replaced");
    let codes = Codes::new(&enrolment, &station.clock);
    let request = confirm(&enrolment, "000000".into());
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", request).await), WrongCode);
    let request = confirm(&enrolment, codes.now());
    let session = station.post::<OtpConfirmed>("otp/confirm", &request).await.unwrap().session.unwrap();
    assert!(session.account.otp && station.is_on(&session).await);
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", &request).await), WrongCode, "once");
    assert_eq!(
        code(station.log_in("root", codes.second()).await),
        WrongCredentials,
        "spent by the enrolment"
    );
    station.pass(30_000);
    assert!(station.log_in("root", codes.second()).await.is_ok());
}

#[tokio::test]
async fn an_enrolment_ends_after_ten_wrong_codes_or_fifteen_minutes() {
    let station = start().await;
    let signed_up = station.sign_up("root", "").await.unwrap();
    let confirm = |enrolment: &Enrolment, code| ConfirmOtp { token: enrolment.token.clone(), code };
    for _ in 0..10 {
        let request = confirm(&signed_up.enrolment, "000000".into());
        assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", request).await), WrongCode);
    }
    let right = Codes::new(&signed_up.enrolment, &station.clock).now();
    let request = confirm(&signed_up.enrolment, right);
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", request).await), WrongCode);
    let token = signed_up.session.unwrap().api_token;
    let enrolment: Enrolment = station.ask("POST", "otp/begin", Some(&token), ()).await.unwrap();
    station.pass(15 * MINUTE);
    let request = confirm(&enrolment, Codes::new(&enrolment, &station.clock).now());
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", request).await), WrongCode);
}

#[tokio::test]
async fn five_failures_lock_an_account_for_five_minutes_then_ten_and_a_restart_does_not_unlock_it() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    station.member("sue", "subscriber").await;
    let wrong = |name| station.log_in_as(name, auth_key("wrong"), None, false);
    for _ in 0..5 {
        assert_eq!(code(wrong("paul").await), WrongCredentials);
        assert_eq!(code(wrong("nobody").await), WrongCredentials);
    }
    let locked = station.log_in("paul", None).await.unwrap_err();
    assert_eq!((locked.code, locked.retry_after_s), (TryLater, Some(300)));
    assert_eq!(wrong("nobody").await.unwrap_err(), locked, "a name without account locks alike");
    assert!(station.log_in("sue", None).await.is_ok());
    assert!(station.is_on(&session).await, "live sessions go on");

    let station = station.restart().await;
    assert_eq!(code(station.log_in("paul", None).await), TryLater);
    station.pass(5 * MINUTE);
    for _ in 0..5 {
        assert_eq!(code(station.log_in_as("paul", auth_key("wrong"), None, false).await), WrongCredentials);
    }
    station.pass(9 * MINUTE);
    assert_eq!(code(station.log_in("paul", None).await), TryLater);
    station.pass(MINUTE);
    assert!(station.log_in("paul", None).await.is_ok());
    for _ in 0..4 {
        assert_eq!(code(station.log_in_as("paul", auth_key("wrong"), None, false).await), WrongCredentials);
    }
    assert!(station.log_in("paul", None).await.is_ok(), "a login clears the count");
}

#[tokio::test]
async fn guesses_at_the_same_time_are_all_counted() {
    let station = start().await;
    station.member("paul", "publisher").await;
    let tries = (0..12).map(|_| station.log_in_as("paul", auth_key("wrong"), None, false));
    let codes: Vec<_> = futures(tries).await.into_iter().map(code).collect();
    assert_eq!(codes.iter().filter(|code| **code == WrongCredentials).count(), 5, "{codes:?}");
}

#[tokio::test]
async fn logging_out_revokes_and_sessions_end_when_idle_or_old() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    let _: Done = station.ask("DELETE", "session", Some(&session.api_token), ()).await;
    assert!(!station.is_on(&session).await);
    let session = station.log_in("paul", None).await.unwrap();
    assert_eq!(session.vault.sealed, new_vault("paul").sealed);
    for _ in 0..3 {
        station.pass(11 * HOUR);
        assert!(station.is_on(&session).await, "it was used within 12 hours");
    }
    station.pass(12 * HOUR);
    assert!(!station.is_on(&session).await, "idle");
    let session = station.log_in("paul", None).await.unwrap();
    for _ in 0..65 {
        station.pass(11 * HOUR);
        assert!(station.is_on(&session).await);
    }
    station.pass(5 * HOUR);
    assert!(!station.is_on(&session).await, "30 days are over");
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    let other = station.log_in("paul", None).await.unwrap();
    let change = |old: &str, new: &str| ChangePassword {
        old_auth_key: auth_key(old),
        new_auth_key: auth_key(new),
        password_wrap: Blob(b"new wrap".to_vec()),
    };
    let token = Some(&session.api_token);
    let refused: Done = station.ask("PUT", "password", token, change("wrong", "new")).await;
    assert_eq!(code(refused), WrongCredentials);
    station.ask::<()>("PUT", "password", token, change("paul", "new")).await.unwrap();
    assert!(station.is_on(&session).await && !station.is_on(&other).await);
    assert_eq!(code(station.log_in("paul", None).await), WrongCredentials);
    let session = station.log_in_as("paul", auth_key("new"), None, false).await.unwrap();
    assert_eq!(session.vault.password_wrap.0, b"new wrap");
}

#[tokio::test]
async fn a_salt_is_the_same_for_a_name_before_and_after_somebody_has_it() {
    let station = start().await;
    let salt = |name: &str| {
        let request = SaltRequest { username: name.parse().unwrap() };
        station.post::<Salt>("account/salt", request)
    };
    let before = salt("paul").await.unwrap();
    station.member("paul", "publisher").await;
    assert_eq!(salt("Paul").await.unwrap(), before);
    assert_eq!((before.salt.0.len(), before.kdf), (16, KdfParams::default()));
    assert_ne!(salt("sue").await.unwrap(), before);
}
