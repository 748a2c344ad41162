//! Ways back in: by a recovery code, which keeps the vault, or by a one-time code, which cannot.
//!
//! A recovery code stands in for the password here, and for the one-time code at login: never for both.

use crate::{
    api::{Blob, Problem, RecoverFinish, RecoverOpen, RecoverOpened, ResetByCode},
    station::token::{new_token, proof_of},
};

use super::{
    Accounts, Caller, days, minutes,
    password::check_auth_key,
    sign_up::{check_new_vault, check_recovery, check_wrap},
    wrong_code, wrong_credentials,
};

/// How long a reset that was begun waits for its end.
const FINISH_WITHIN: i64 = minutes(15);
/// How long a vault that was put aside can be had back.
const KEEP_OLD: i64 = days(30);

/// What the audit trail calls them.
const BY_RECOVERY: &str = "reset by recovery code";
const BY_CODE: &str = "reset by one-time code";

impl Accounts {
    /// Begins a reset by recovery code.
    pub(crate) async fn recover_open(
        &self,
        request: RecoverOpen,
        caller: Caller,
    ) -> Result<RecoverOpened, Problem> {
        let limits = self.login_limits(&request.username, caller);
        self.admit(&limits).await?;
        let now = self.clock.now();
        let account = self.store.account(request.username.as_str()).await?;
        let proof = proof_of(request.recovery_auth.reveal());
        let found = match &account {
            Some(account) => self.store.recovery(account.id, &proof, now).await?,
            None => None,
        };
        // Costs what a login costs, so that the time does not tell a name that somebody has.
        self.passwords.holds(&new_token()?, None).await?;
        let (Some(account), Some((recovery, mut wrap))) = (account, found) else {
            self.trail.note("", "", BY_RECOVERY, "wrong", caller.peer());
            return Err(wrong_credentials());
        };
        if account.otp.is_some() {
            let holds = match &request.code {
                Some(code) => self.spend_code(&account, code).await?,
                None => false,
            };
            if !holds {
                let why = "wrong or missing code";
                self.trail.note(&account.username, &account.role, BY_RECOVERY, why, caller.peer());
                return Err(wrong_credentials());
            }
        }
        self.store.forgive(&limits).await?;
        let reset_token = new_token()?;
        let proof = proof_of(reset_token.reveal());
        self.store.begin_reset(account.id, recovery, &proof, now + FINISH_WITHIN).await?;
        Ok(RecoverOpened { reset_token, recovery_wrap: Blob(std::mem::take(&mut wrap)) })
    }

    /// Ends a reset by recovery code: the code is spent, the password new, every session over.
    pub(crate) async fn recover_finish(&self, request: RecoverFinish, caller: Caller) -> Result<(), Problem> {
        check_auth_key(&request.auth_key)?;
        check_wrap(&request.password_wrap.0)?;
        let now = self.clock.now();
        let proof = proof_of(request.reset_token.reveal());
        // A hash is made only for who holds a token.
        if !self.store.is_reset(&proof, now).await? {
            return Err(wrong_code());
        }
        let hash = self.passwords.hash(&request.auth_key).await?;
        let wrap = &request.password_wrap.0;
        let account = self.store.finish_reset(&proof, &hash, wrap, now, now + KEEP_OLD).await?;
        self.was_reset(account.ok_or_else(wrong_code)?, BY_RECOVERY, caller).await
    }

    /// Resets by a one-time code alone. Unknown names, admins and accounts without codes are answered like a wrong
    /// code.
    pub(crate) async fn reset_by_code(&self, request: ResetByCode, caller: Caller) -> Result<(), Problem> {
        check_auth_key(&request.auth_key)?;
        check_new_vault(&request.vault)?;
        check_recovery(&request.recovery, true)?;
        let limits = self.login_limits(&request.username, caller);
        let all = [limits[0], limits[1], limits[2], self.code_reset_limit(&request.username)];
        self.admit(&all).await?;
        let account = self.store.account(request.username.as_str()).await?;
        let hash = self.passwords.hash(&request.auth_key).await?;
        let Some(account) = account else {
            self.trail.note("", "", BY_CODE, "no such account", caller.peer());
            return Err(wrong_code());
        };
        let refused = |why| self.trail.note(&account.username, &account.role, BY_CODE, why, caller.peer());
        if self.roles.role(&account.role).admin {
            refused("not for an admin");
            return Err(wrong_code());
        }
        if !self.spend_code(&account, &request.code).await? {
            refused("wrong code");
            return Err(wrong_code());
        }
        self.store.forgive(&limits).await?;
        let keep_until = self.clock.now() + KEEP_OLD;
        self.store.reset_by_code(account.id, &hash, &request.vault, &request.recovery, keep_until).await?;
        self.was_reset(account.id, BY_CODE, caller).await
    }

    /// What every reset ends with.
    async fn was_reset(&self, account: i64, action: &str, caller: Caller) -> Result<(), Problem> {
        let Some(account) = self.store.account_by_id(account).await? else { return Ok(()) };
        self.mqtt.end_account(&account.username, "the password was reset: log in again");
        self.trail.note(&account.username, &account.role, action, "ok", caller.peer());
        Ok(())
    }
}
