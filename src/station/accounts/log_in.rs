//! Login: both factors, and only then the vault and the tokens.

use crate::{
    api::{ChangePassword, Confidential, LogIn, OtpPolicy, Problem, ProblemCode, SecondFactor, SessionGrant},
    station::{store::AccountRow, token::proof_of},
};

use super::{
    Accounts, Caller, LoggedIn, internal, password::check_auth_key, sign_up::check_wrap, wrong_credentials,
};

impl Accounts {
    /// Logs in. The second factor is looked at, and spent, only once the password holds.
    pub(crate) async fn log_in(&self, request: LogIn, caller: Caller) -> Result<SessionGrant, Problem> {
        check_auth_key(&request.auth_key)?;
        let limits = self.login_limits(&request.username, caller);
        self.admit(&limits).await?;
        let account = self.store.account(request.username.as_str()).await?;
        let holds = self.passwords.holds(&request.auth_key, account.as_ref().map(|a| &a.password)).await?;
        let Some(account) = account else {
            self.trail.note("", "", "login", "no such account", caller.peer());
            return Err(wrong_credentials());
        };
        let refused = |why| self.trail.note(&account.username, &account.role, "login", why, caller.peer());
        if !holds {
            refused("wrong password");
            return Err(wrong_credentials());
        }
        if account.otp.is_some() && !self.second_holds(&account, request.second.as_ref()).await? {
            refused("wrong or missing code");
            return Err(wrong_credentials());
        }
        self.store.forgive(&limits).await?;
        if account.otp.is_none() && self.otp == OtpPolicy::Required {
            let enrolment = self.enrol(account.id, &account.username, true).await?;
            let message =
                "this station needs one-time codes: add it to your authenticator app and type the code";
            return Err(Problem {
                enrolment: Some(Box::new(enrolment)),
                ..Problem::new(ProblemCode::EnrolOtp, message)
            });
        }
        self.begin_session(&account, request.remember, caller).await
    }

    async fn second_holds(
        &self,
        account: &AccountRow,
        second: Option<&SecondFactor>,
    ) -> Result<bool, Problem> {
        Ok(match second {
            None => false,
            Some(SecondFactor::Code(code)) => self.spend_code(account, code).await?,
            Some(SecondFactor::Recovery(auth)) => {
                self.store.spend_recovery(account.id, &proof_of(auth.reveal())).await?
            }
            Some(SecondFactor::Remembered(token)) => {
                self.store.is_remembered(account.id, &proof_of(token.reveal()), self.clock.now()).await?
            }
        })
    }

    /// Proves the password of who is logged in once more.
    pub(super) async fn prove_password(
        &self,
        who: &LoggedIn,
        auth_key: &Confidential,
        caller: Caller,
    ) -> Result<(), Problem> {
        check_auth_key(auth_key)?;
        let username = who.username.parse().map_err(|e| internal(&e))?;
        let limits = self.login_limits(&username, caller);
        self.admit(&limits).await?;
        let account = self.store.account_by_id(who.account).await?;
        if !self.passwords.holds(auth_key, account.as_ref().map(|a| &a.password)).await? {
            self.trail.note(&who.username, &who.role, "password asked again", "wrong", caller.peer());
            return Err(Problem::new(ProblemCode::WrongCredentials, "the password is wrong"));
        }
        Ok(self.store.forgive(&limits).await?)
    }

    /// Changes the password. All other sessions end, and computers that were remembered are forgotten.
    pub(crate) async fn change_password(
        &self,
        who: &LoggedIn,
        request: ChangePassword,
        caller: Caller,
    ) -> Result<(), Problem> {
        check_auth_key(&request.new_auth_key)?;
        check_wrap(&request.password_wrap.0)?;
        self.prove_password(who, &request.old_auth_key, caller).await?;
        let hash = self.passwords.hash(&request.new_auth_key).await?;
        let wrap = &request.password_wrap.0;
        let ended = self.store.change_password(who.account, &hash, wrap, Some(who.session)).await?;
        self.mqtt.end_credentials(&ended, "the password was changed: log in again");
        self.trail.note(&who.username, &who.role, "password changed", "ok", caller.peer());
        Ok(())
    }
}
