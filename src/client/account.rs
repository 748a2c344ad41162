//! The ways in: sign-up, one-time codes, login, resets, and a new password.
//!
//! A password never leaves this computer: the station sees what Argon2id and HKDF make of it, and the vault secret
//! travels wrapped. What goes over the wire is in [`crate::api`].

use hyper::Method;

use crate::{
    api::{
        self, Blob, Confidential, Problem, PutVault, RecoverFinish, RecoverOpen, RecoverOpened,
        RecoveryEntry, SecondFactor, Username,
    },
    keys::{PasswordKeys, RecoveryCode, SealedVault, Vault, VaultSecret, WrappedSecret, strength},
};

use super::{
    Asked, EnrolmentView, Event, Failure, Password, SecondStep,
    desk::{Desk, NO_BODY},
    failure::not_logged_in,
    http::CallError,
    login,
};

/// One-time codes that wait for their first code.
pub(super) struct Enrolling {
    token: Confidential,
    /// Where sign-up ends only with the code: what opens the vault then.
    login: Option<PasswordKeys>,
}

/// A new vault with all that unlocks it.
struct Fresh {
    vault: PutVault,
    recovery: Vec<RecoveryEntry>,
    codes: Vec<Password>,
}

impl Desk {
    pub(super) async fn sign_up(
        &mut self,
        username: &str,
        password: Password,
        role: Option<String>,
        setup_code: Option<Password>,
    ) {
        if let Err(failure) = self.try_sign_up(username, password, role, setup_code).await {
            self.teller.fail(Asked::SignUp, failure);
        }
    }

    async fn try_sign_up(
        &mut self,
        username: &str,
        password: Password,
        role: Option<String>,
        setup_code: Option<Password>,
    ) -> Result<(), Failure> {
        let what = "The account was not made.";
        let username = parse_name(what, username)?;
        accept(what, &password, &username)?;
        let keys = self.derive(&username, password).await?;
        let fresh = fresh(what, &username, &keys)?;
        let request = api::SignUp {
            username: username.clone(),
            auth_key: auth(&keys),
            role,
            setup_code: setup_code.map(|code| Confidential::new(code.reveal().trim().to_owned())),
            vault: fresh.vault,
            recovery: fresh.recovery,
        };
        let made: api::SignedUp =
            self.call(Method::POST, "account", Some(&request)).await.map_err(|error| error.failure(what))?;
        self.teller.tell(Event::SignedUp {
            recovery_codes: fresh.codes,
            enrolment: view(&made.enrolment),
            otp_required: made.session.is_none(),
        });
        let token = made.enrolment.token.clone();
        match made.session {
            Some(grant) => {
                self.enrolling = Some(Enrolling { token, login: None });
                self.begin_session(*grant, keys).await?;
            }
            None => self.enrolling = Some(Enrolling { token, login: Some(keys) }),
        }
        Ok(())
    }

    pub(super) async fn begin_otp(&mut self) {
        let what = "One-time codes were not begun.";
        if self.session.is_none() {
            self.teller.fail(Asked::Otp, not_logged_in(what));
            return;
        }
        match self.call_in_session::<api::Enrolment>(Method::POST, "otp/begin", NO_BODY).await {
            Ok(enrolment) => {
                self.teller.tell(Event::Enrolment(view(&enrolment)));
                self.enrolling = Some(Enrolling { token: enrolment.token, login: None });
            }
            Err(error) => self.teller.fail(Asked::Otp, error.failure(what)),
        }
    }

    pub(super) async fn confirm_otp(&mut self, code: &Password) {
        let what = "One-time codes are not on yet.";
        let Some(enrolling) = &self.enrolling else {
            let failure =
                Failure::new(what, "They were not begun.", "Begin again, then type the first code.");
            self.teller.fail(Asked::Otp, failure);
            return;
        };
        let request = api::ConfirmOtp { token: enrolling.token.clone(), code: digits(code) };
        match self.call::<api::OtpConfirmed>(Method::POST, "otp/confirm", Some(&request)).await {
            Ok(confirmed) => {
                self.teller.tell(Event::OtpOn);
                let login = self.enrolling.take().and_then(|enrolling| enrolling.login);
                if let Some(session) = &mut self.session {
                    session.account.otp = true;
                    self.teller.tell(Event::Account(session.view()));
                } else if let (Some(grant), Some(keys)) = (confirmed.session, login)
                    && let Err(failure) = self.begin_session(*grant, keys).await
                {
                    self.teller.fail(Asked::LogIn, failure);
                }
            }
            Err(error) => self.teller.fail(Asked::Otp, error.failure(what)),
        }
    }

    pub(super) async fn log_in(
        &mut self,
        username: &str,
        password: Password,
        second: Option<SecondStep>,
        remember: bool,
    ) {
        if let Err(failure) = self.try_log_in(username, password, second, remember).await {
            self.teller.fail(Asked::LogIn, failure);
        }
    }

    async fn try_log_in(
        &mut self,
        username: &str,
        password: Password,
        second: Option<SecondStep>,
        remember: bool,
    ) -> Result<(), Failure> {
        let what = "You are not logged in.";
        let username = parse_name(what, username)?;
        let second = match second {
            Some(SecondStep::Code(code)) => Some(SecondFactor::Code(digits(&code))),
            Some(SecondStep::Recovery(code)) => {
                Some(SecondFactor::Recovery(recovery_auth(&parse_recovery(what, &code)?)))
            }
            None => self.remembered(&username).map(SecondFactor::Remembered),
        };
        let keys = self
            .derive(&username, password)
            .await
            .map_err(|failure| Failure { what: what.into(), ..failure })?;
        let request = api::LogIn { username, auth_key: auth(&keys), second, remember };
        match self.call::<api::SessionGrant>(Method::POST, "session", Some(&request)).await {
            Ok(grant) => self.begin_session(grant, keys).await,
            // Sign-up was left before the first code, where codes are required: it goes on here.
            Err(CallError::Problem(Problem { enrolment: Some(enrolment), .. })) => {
                self.teller.tell(Event::Enrolment(view(&enrolment)));
                self.enrolling = Some(Enrolling { token: enrolment.token.clone(), login: Some(keys) });
                Ok(())
            }
            Err(error) => Err(error.failure(what)),
        }
    }

    /// The token that stands in for the code on this computer.
    fn remembered(&self, username: &Username) -> Option<Confidential> {
        let station = self.station.as_ref()?;
        let folder = self.clients.join(login::folder_name(&station.identity.fingerprint, username));
        login::read_remembered(&folder)
    }

    pub(super) async fn reset_by_recovery(
        &mut self,
        username: &str,
        recovery: &Password,
        code: Option<&Password>,
        new_password: Password,
    ) {
        match self.try_reset_by_recovery(username, recovery, code, new_password).await {
            Ok(()) => self.teller.tell(Event::PasswordReset { recovery_codes: Vec::new() }),
            Err(failure) => self.teller.fail(Asked::Reset, failure),
        }
    }

    async fn try_reset_by_recovery(
        &mut self,
        username: &str,
        recovery: &Password,
        code: Option<&Password>,
        new_password: Password,
    ) -> Result<(), Failure> {
        let what = "The password was not reset.";
        let username = parse_name(what, username)?;
        let recovery = parse_recovery(what, recovery)?;
        accept(what, &new_password, &username)?;
        let request = RecoverOpen {
            username: username.clone(),
            recovery_auth: recovery_auth(&recovery),
            code: code.map(digits),
        };
        let opened: RecoverOpened = self
            .call(Method::POST, "reset/recovery", Some(&request))
            .await
            .map_err(|error| error.failure(what))?;
        let wrapped = WrappedSecret::from_bytes(opened.recovery_wrap.0);
        let secret = VaultSecret::unwrap_with_recovery(username.as_str(), &wrapped, &recovery)
            .map_err(|error| Failure::new(what, error.to_string(), "Try another of your recovery codes."))?;
        let keys = self.derive(&username, new_password).await?;
        let wrap = secret
            .wrap_for_password(username.as_str(), &keys)
            .map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let request = RecoverFinish {
            reset_token: opened.reset_token,
            auth_key: auth(&keys),
            password_wrap: Blob(wrap.into_bytes()),
        };
        self.call(Method::POST, "reset/recovery/finish", Some(&request))
            .await
            .map_err(|error| error.failure(what))
    }

    pub(super) async fn reset_by_code(&mut self, username: &str, code: &Password, new_password: Password) {
        match self.try_reset_by_code(username, code, new_password).await {
            Ok(recovery_codes) => self.teller.tell(Event::PasswordReset { recovery_codes }),
            Err(failure) => self.teller.fail(Asked::Reset, failure),
        }
    }

    async fn try_reset_by_code(
        &mut self,
        username: &str,
        code: &Password,
        new_password: Password,
    ) -> Result<Vec<Password>, Failure> {
        let what = "The password was not reset.";
        let username = parse_name(what, username)?;
        accept(what, &new_password, &username)?;
        let keys = self.derive(&username, new_password).await?;
        let fresh = fresh(what, &username, &keys)?;
        let request = api::ResetByCode {
            username,
            code: digits(code),
            auth_key: auth(&keys),
            vault: fresh.vault,
            recovery: fresh.recovery,
        };
        self.call::<()>(Method::POST, "reset/code", Some(&request))
            .await
            .map_err(|error| error.failure(what))?;
        Ok(fresh.codes)
    }

    pub(super) async fn change_password(&mut self, old: Password, new: Password) {
        match self.try_change_password(old, new).await {
            Ok(()) => self.teller.tell(Event::PasswordChanged),
            Err(failure) => self.teller.fail(Asked::ChangePassword, failure),
        }
    }

    async fn try_change_password(&mut self, old: Password, new: Password) -> Result<(), Failure> {
        let what = "The password was not changed.";
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        let username = session.account.username.clone();
        accept(what, &new, &username)?;
        let old_keys = self.derive(&username, old).await?;
        let new_keys = self.derive(&username, new).await?;
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        let wrap = session.vault.wrap_for_password(&new_keys).map_err(|why| Failure::new(what, why, ""))?;
        let request = api::ChangePassword {
            old_auth_key: auth(&old_keys),
            new_auth_key: auth(&new_keys),
            password_wrap: Blob(wrap),
        };
        let changed = self.call_in_session::<()>(Method::PUT, "password", Some(&request)).await;
        self.note_account("password", &changed);
        changed.map_err(|error| error.failure(what))
    }

    pub(super) async fn new_recovery_codes(&mut self, password: Password) {
        match self.try_new_recovery_codes(password).await {
            Ok(codes) => self.teller.tell(Event::RecoveryCodes(codes)),
            Err(failure) => self.teller.fail(Asked::RecoveryCodes, failure),
        }
    }

    async fn try_new_recovery_codes(&mut self, password: Password) -> Result<Vec<Password>, Failure> {
        let what = "The recovery codes are the old ones.";
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        let keys = self.derive(&session.account.username.clone(), password).await?;
        let session = self.session.as_ref().ok_or_else(|| not_logged_in(what))?;
        let codes =
            RecoveryCode::generate_set().map_err(|error| Failure::new(what, error.to_string(), ""))?;
        let entries = session.vault.recovery_entries(&codes).map_err(|why| Failure::new(what, why, ""))?;
        let left = u8::try_from(entries.len()).unwrap_or(u8::MAX);
        let request = api::PutRecoveryCodes { auth_key: auth(&keys), entries };
        let put = self.call_in_session::<()>(Method::PUT, "recovery-codes", Some(&request)).await;
        self.note_account("recovery codes", &put);
        put.map_err(|error| error.failure(what))?;
        if let Some(session) = &mut self.session {
            session.account.recovery_codes_left = left;
            self.teller.tell(Event::Account(session.view()));
        }
        Ok(codes.iter().map(|code| Password::new(code.to_string())).collect())
    }

    /// A line about the account itself.
    pub(super) fn note_account(&self, action: &str, outcome: &Result<(), CallError>) {
        let Some(session) = &self.session else { return };
        let why = outcome.as_ref().err().map(ToString::to_string);
        session.auditor.note(session.main_log(), action, None, why.as_deref().map_or(Ok(()), Err));
    }
}

fn parse_name(what: &str, username: &str) -> Result<Username, Failure> {
    Username::new(username).map_err(|error| Failure::new(what, format!("{error}."), ""))
}

/// Refuses a password that is guessed too easily: it opens the vault.
fn accept(what: &str, password: &Password, username: &Username) -> Result<(), Failure> {
    let strength = strength(password.reveal(), &[username.as_str()]);
    if strength.acceptable() {
        return Ok(());
    }
    Err(Failure::new(what, format!("The password is {}.", strength.label), strength.hint))
}

fn parse_recovery(what: &str, code: &Password) -> Result<RecoveryCode, Failure> {
    RecoveryCode::parse(code.reveal()).map_err(|error| Failure::new(what, error.to_string(), ""))
}

fn recovery_auth(code: &RecoveryCode) -> Confidential {
    Confidential::new(code.auth_key().to_string())
}

fn auth(keys: &PasswordKeys) -> Confidential {
    Confidential::new(keys.auth_key().to_string())
}

/// Six digits, with the spaces that apps show between them taken out.
fn digits(code: &Password) -> Confidential {
    Confidential::new(code.reveal().chars().filter(|c| !c.is_whitespace()).collect())
}

fn view(enrolment: &api::Enrolment) -> EnrolmentView {
    EnrolmentView {
        secret: Password::new(enrolment.secret.reveal()),
        uri: Password::new(enrolment.uri.reveal()),
    }
}

/// A new, empty vault, its secret wrapped for the password and for eight new recovery codes.
fn fresh(what: &str, username: &Username, keys: &PasswordKeys) -> Result<Fresh, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(what, error.to_string(), "");
    let vault = Vault::create(username.as_str()).map_err(|error| failed(&error))?;
    let SealedVault { version, ciphertext } = vault.seal(1).map_err(|error| failed(&error))?;
    let wrap = vault.wrap_for_password(keys).map_err(|error| failed(&error))?;
    let codes = RecoveryCode::generate_set().map_err(|error| failed(&error))?;
    Ok(Fresh {
        vault: PutVault { version, sealed: Blob(ciphertext), password_wrap: Some(Blob(wrap.into_bytes())) },
        recovery: recovery_entries(&vault, &codes).map_err(|error| failed(&error))?,
        codes: codes.iter().map(|code| Password::new(code.to_string())).collect(),
    })
}

/// What the station keeps of recovery codes.
pub(super) fn recovery_entries(vault: &Vault, codes: &[RecoveryCode]) -> Result<Vec<RecoveryEntry>, String> {
    let entry = |code: &RecoveryCode| {
        let wrap = vault.wrap_for_recovery(code).map_err(|error| error.to_string())?;
        Ok(RecoveryEntry { auth_key: recovery_auth(code), wrap: Blob(wrap.into_bytes()) })
    };
    codes.iter().map(entry).collect()
}
