//! Vaults, recovery codes, resets, anchors, devices.

use sealwire::{
    api::{ProblemCode::*, *},
    seal::SigningKey,
};

use crate::harness::*;

fn open_request(name: &str, number: usize, code: Option<Confidential>) -> RecoverOpen {
    RecoverOpen { username: name.parse().unwrap(), recovery_auth: recovery_auth(name, number), code }
}

fn finish_request(opened: &RecoverOpened, new: &str) -> RecoverFinish {
    RecoverFinish {
        reset_token: opened.reset_token.clone(),
        auth_key: auth_key(new),
        password_wrap: Blob(format!("wrap for {new}").into_bytes()),
    }
}

fn code_reset(name: &str, code: Confidential) -> ResetByCode {
    ResetByCode {
        username: name.parse().unwrap(),
        code,
        auth_key: auth_key("after reset"),
        vault: new_vault("after reset"),
        recovery: recovery("after reset"),
    }
}

#[tokio::test]
async fn a_vault_is_stored_only_over_the_version_it_was_made_from() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    let put = |version, text: &str, wrap: Option<&[u8]>| {
        let body = PutVault {
            version,
            sealed: Blob(text.as_bytes().to_vec()),
            password_wrap: wrap.map(|wrap| Blob(wrap.to_vec())),
        };
        station.ask::<VaultVersion>("PUT", "vault", Some(&session.api_token), body)
    };
    assert_eq!(put(2, "second", None).await.unwrap().version, 2);
    for version in [0, 1, 2, 4, u64::MAX] {
        assert_eq!(code(put(version, "late", None).await), VersionConflict, "{version}");
    }
    let vault: Vault = station.ask("GET", "vault", Some(&session.api_token), ()).await.unwrap();
    assert_eq!((vault.version, vault.sealed.0.as_slice()), (2, b"second".as_slice()));
    assert_eq!(Some(vault.password_wrap), new_vault("paul").password_wrap, "left as it was");
    let (one, two) = tokio::join!(put(3, "one", None), put(3, "two", None));
    assert!(one.is_ok() != two.is_ok(), "of two at once one wins");
    assert_eq!(put(4, &"x".repeat(1_500_000), None).await.unwrap().version, 4, "as large as one may be");
    assert_eq!(code(put(5, &"x".repeat(1_500_001), None).await), Malformed);
    assert_eq!(
        code(put(5, "five", Some(b"another wrap")).await),
        Malformed,
        "only the password changes the wrap"
    );
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_password_keeps_the_vault_and_works_once() {
    let station = start().await;
    let (session, codes) = station.member_with_codes("paul", "publisher").await;
    let wrong =
        station.post::<RecoverOpened>("reset/recovery", open_request("paul", 9, Some(codes.now()))).await;
    assert_eq!(code(wrong), WrongCredentials);
    let alone = station.post::<RecoverOpened>("reset/recovery", open_request("paul", 3, None)).await;
    assert_eq!(code(alone), WrongCredentials, "never for password and code at once");
    let unknown = station.post::<RecoverOpened>("reset/recovery", open_request("nobody", 3, None)).await;
    assert_eq!(code(unknown), WrongCredentials);

    let request = open_request("paul", 3, Some(codes.now()));
    let opened: RecoverOpened = station.post("reset/recovery", request).await.unwrap();
    assert_eq!(opened.recovery_wrap.0, b"recovery wrap 3 of paul");
    assert!(station.is_on(&session).await, "nothing has ended yet");
    station.post::<()>("reset/recovery/finish", finish_request(&opened, "new")).await.unwrap();
    assert!(!station.is_on(&session).await);
    let again: Done = station.post("reset/recovery/finish", finish_request(&opened, "newer")).await;
    assert_eq!(code(again), WrongCode);

    station.pass(30_000);
    let session = station.log_in_as("paul", auth_key("new"), codes.second(), false).await.unwrap();
    assert_eq!(session.vault.sealed, new_vault("paul").sealed, "the vault is the same");
    assert_eq!(session.vault.password_wrap.0, b"wrap for new");
    assert_eq!(session.account.recovery_codes_left, 7);
    station.pass(30_000);
    let spent =
        station.post::<RecoverOpened>("reset/recovery", open_request("paul", 3, Some(codes.now()))).await;
    assert_eq!(code(spent), WrongCredentials);
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_one_time_code_at_login_once() {
    let station = start().await;
    station.member_with_codes("paul", "publisher").await;
    let recovery = || Some(SecondFactor::Recovery(recovery_auth("paul", 0)));
    assert_eq!(code(station.log_in_as("paul", auth_key("wrong"), recovery(), false).await), WrongCredentials);
    let session = station.log_in("paul", recovery()).await.unwrap();
    assert_eq!(session.account.recovery_codes_left, 7);
    assert_eq!(code(station.log_in("paul", recovery()).await), WrongCredentials);
    let token = Some(&session.api_token);
    let put = |key: &str, entries| PutRecoveryCodes { auth_key: auth_key(key), entries };
    let refused: Done = station.ask("PUT", "recovery-codes", token, put("wrong", recovery_entries())).await;
    assert_eq!(code(refused), WrongCredentials, "the password is asked for again");
    station.ask::<()>("PUT", "recovery-codes", token, put("paul", recovery_entries())).await.unwrap();
    assert_eq!(
        code(station.log_in("paul", Some(SecondFactor::Recovery(recovery_auth("paul", 1)))).await),
        WrongCredentials
    );
    let second = Some(SecondFactor::Recovery(recovery_auth("paul anew", 1)));
    assert_eq!(station.log_in("paul", second).await.unwrap().account.recovery_codes_left, 7);
}

fn recovery_entries() -> Vec<RecoveryEntry> {
    recovery("paul anew")
}

#[tokio::test]
async fn a_reset_by_one_time_code_gives_a_new_vault_and_a_recovery_code_brings_the_old_one_back() {
    let station = start().await;
    let (session, codes) = station.member_with_codes("paul", "publisher").await;
    station.post::<()>("reset/code", code_reset("paul", codes.now())).await.unwrap();
    assert!(!station.is_on(&session).await);
    station.pass(30_000);
    let new = |second| station.log_in_as("paul", auth_key("after reset"), second, false);
    let session = new(codes.second()).await.unwrap();
    assert_eq!(session.vault.sealed, new_vault("after reset").sealed);
    assert_eq!(session.account.recovery_codes_left, 8);
    station.pass(30_000);
    let old = Some(SecondFactor::Recovery(recovery_auth("paul", 1)));
    assert_eq!(code(new(old).await), WrongCredentials, "codes of the old vault do not log in");

    station.pass(29 * DAY);
    let request = open_request("paul", 1, Some(codes.now()));
    let opened: RecoverOpened = station.post("reset/recovery", request).await.unwrap();
    assert_eq!(opened.recovery_wrap.0, b"recovery wrap 1 of paul");
    station.post::<()>("reset/recovery/finish", finish_request(&opened, "back")).await.unwrap();
    station.pass(30_000);
    let session = station.log_in_as("paul", auth_key("back"), codes.second(), false).await.unwrap();
    assert_eq!(session.vault.sealed, new_vault("paul").sealed);
    assert_eq!(session.account.recovery_codes_left, 7);
    // What was current in between can be had back the same way, for 30 days.
    station.pass(30 * DAY);
    let late = RecoverOpen {
        recovery_auth: recovery_auth("after reset", 1),
        ..open_request("paul", 1, Some(codes.now()))
    };
    assert_eq!(code(station.post::<RecoverOpened>("reset/recovery", late).await), WrongCredentials);
}

#[tokio::test]
async fn a_reset_by_code_is_refused_alike_for_admins_unknown_names_and_wrong_codes_and_five_a_day() {
    let station = start().await;
    let signed_up = station.sign_up("root", "").await.unwrap();
    let admin = station.confirm(&signed_up.enrolment).await;
    let (_, codes) = station.member_with_codes("paul", "publisher").await;
    let reset = |name, code| station.post::<()>("reset/code", code_reset(name, code));
    let answers = [
        reset("root", admin.now()).await,
        reset("nobody", "123456".into()).await,
        reset("paul", "000000".into()).await,
    ];
    let answers = answers.map(Result::unwrap_err);
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.code == WrongCode), "{answers:?}");
    assert!(station.log_in("root", admin.second()).await.is_ok(), "the admin's code was not spent by it");
    for _ in 0..4 {
        assert_eq!(code(reset("paul", "000000".into()).await), WrongCode);
    }
    station.pass(HOUR);
    assert_eq!(code(reset("paul", codes.now()).await), TryLater, "five tries a day");
    station.pass(DAY);
    reset("paul", codes.now()).await.unwrap();
}

#[tokio::test]
async fn anchors_only_go_forward_and_a_rewritten_log_is_refused() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    let token = Some(&session.api_token);
    let anchors = |count, digit: &str| Anchors {
        logs: [("a1".to_owned(), Anchor { count, head: digit.repeat(64) })].into(),
    };
    let put = |body: Anchors| station.ask::<()>("PUT", "audit/anchors", token, body);
    put(anchors(5, "a")).await.unwrap();
    put(anchors(5, "a")).await.unwrap();
    put(anchors(3, "b")).await.unwrap();
    let kept: Anchors = station.ask("GET", "audit/anchors", token, ()).await.unwrap();
    assert_eq!(kept, anchors(5, "a"), "an older one changes nothing");
    assert_eq!(code(put(anchors(5, "b")).await), VersionConflict);
    put(anchors(6, "c")).await.unwrap();
    assert_eq!(station.log_in("paul", None).await.unwrap().anchors, anchors(6, "c"));
    let mut bad = anchors(7, "d");
    bad.logs.insert("x".repeat(65), Anchor { count: 1, head: "a".repeat(64) });
    assert_eq!(code(put(bad).await), Malformed);
}

#[tokio::test]
async fn device_credentials_are_listed_without_their_secret_and_only_their_owner_revokes_them() {
    let station = start().await;
    let paul = station.member("paul", "publisher").await;
    let sue = station.member("sue", "subscriber").await;
    let token = Some(&paul.api_token);
    let new = |label: &str| NewDevice { label: label.to_owned() };
    let made: DeviceCredential = station.ask("POST", "devices", token, new(" Press 3 ")).await.unwrap();
    assert_eq!((made.username.as_str(), made.device.label.as_str()), ("paul", "Press 3"));
    for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert_eq!(
            code(station.ask::<DeviceCredential>("POST", "devices", token, new(bad)).await),
            Malformed
        );
    }
    let listed: Vec<Device> = station.ask("GET", "devices", token, ()).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made.device));
    let path = format!("devices/{}", made.device.id);
    assert_eq!(code(station.ask::<()>("DELETE", &path, Some(&sue.api_token), ()).await), NotFound);
    station.ask::<()>("DELETE", &path, token, ()).await.unwrap();
    assert_eq!(code(station.ask::<()>("DELETE", &path, token, ()).await), NotFound);
}

#[tokio::test]
async fn one_time_codes_that_were_begun_before_a_new_password_cannot_be_turned_on_after_it() {
    let station = start().await;
    let session = station.member("paul", "publisher").await;
    let begun: Enrolment = station.ask("POST", "otp/begin", Some(&session.api_token), ()).await.unwrap();
    let change = ChangePassword {
        old_auth_key: auth_key("paul"),
        new_auth_key: auth_key("new"),
        password_wrap: Blob(b"wrap for new".to_vec()),
    };
    let _: Done = station.ask("PUT", "password", Some(&session.api_token), change).await;
    let confirm = |enrolment: &Enrolment| ConfirmOtp {
        token: enrolment.token.clone(),
        code: Codes::new(enrolment, &station.clock).now(),
    };
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", confirm(&begun)).await), WrongCode);

    let begun: Enrolment = station.ask("POST", "otp/begin", Some(&session.api_token), ()).await.unwrap();
    let opened: RecoverOpened = station.post("reset/recovery", open_request("paul", 1, None)).await.unwrap();
    let _: Done = station.post("reset/recovery/finish", finish_request(&opened, "newer")).await;
    assert_eq!(code(station.post::<OtpConfirmed>("otp/confirm", confirm(&begun)).await), WrongCode);
}

#[tokio::test]
async fn an_account_tells_the_key_it_signs_with_and_nobody_claims_that_of_another() {
    let station = start().await;
    let (paul, quinn) =
        (station.member("paul", "publisher").await, station.member("quinn", "publisher").await);
    let (of_paul, of_quinn) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let claim = |key: &SigningKey, signer: &SigningKey, name: &str| PutIdentity {
        key: Blob(key.sender().as_bytes().to_vec()),
        proof: Blob(signer.claim(name).to_vec()),
    };
    let put = async |token: &Confidential, body: PutIdentity| {
        station.ask::<()>("PUT", "identity", Some(token), body).await
    };
    let ask = async |key: &SigningKey| {
        let path = format!("identities/{}", key.sender());
        station.ask::<Identity>("GET", &path, Some(&quinn.api_token), ()).await
    };
    assert_eq!(code(ask(&of_paul).await), NotFound);
    put(&paul.api_token, claim(&of_paul, &of_paul, "paul")).await.unwrap();
    put(&paul.api_token, claim(&of_paul, &of_paul, "paul")).await.unwrap();
    assert_eq!(ask(&of_paul).await.unwrap().username, "paul");

    assert_eq!(code(put(&quinn.api_token, claim(&of_paul, &of_quinn, "quinn")).await), Malformed, "no proof");
    assert_eq!(
        code(put(&quinn.api_token, claim(&of_paul, &of_paul, "paul")).await),
        Malformed,
        "a proof overheard"
    );
    assert_eq!(
        code(put(&quinn.api_token, claim(&of_paul, &of_paul, "quinn")).await),
        Forbidden,
        "it is taken"
    );
    assert_eq!(
        code(put(&Confidential::new("wrong".to_owned()), claim(&of_quinn, &of_quinn, "quinn")).await),
        SessionOver
    );
    assert_eq!(
        code(station.ask::<Identity>("GET", "identities/xy", Some(&quinn.api_token), ()).await),
        Malformed
    );

    let later = SigningKey::from_bytes(&[3; 32]);
    put(&paul.api_token, claim(&later, &later, "paul")).await.unwrap();
    assert_eq!(ask(&later).await.unwrap().username, "paul");
    assert_eq!(code(ask(&of_paul).await), NotFound, "one key an account");
}
