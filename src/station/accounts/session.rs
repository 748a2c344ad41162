//! Sessions: two tokens that are kept as hashes, and who holds them.

use crate::{
    api::{Account, Blob, Problem, ProblemCode, SessionGrant, Vault},
    station::{
        store::{AccountRow, NewSession},
        token::{new_token, proof_of, random_id},
    },
};

use super::{Accounts, Caller, days, internal, wrong_credentials};

/// How long a computer is remembered for the code.
const REMEMBER: i64 = days(30);

/// Who holds a session. A handler that needs one takes this.
#[derive(Debug, Clone)]
pub(crate) struct LoggedIn {
    /// The session's row; names its credential to the broker too.
    pub(crate) session: i64,
    /// The account's row.
    pub(crate) account: i64,
    /// Its name.
    pub(crate) username: String,
    /// Its role's name.
    pub(crate) role: String,
}

impl Accounts {
    /// Gives a session to an account that has proved what it must.
    pub(super) async fn begin_session(
        &self,
        account: &AccountRow,
        remember: bool,
        caller: Caller,
    ) -> Result<SessionGrant, Problem> {
        let now = self.clock.now();
        let (api_token, mqtt_token) = (new_token()?, new_token()?);
        // Without one-time codes there is nothing to stand in for.
        let remembered = if remember && account.otp.is_some() { Some(new_token()?) } else { None };
        let remembered_proof = remembered.as_ref().map(|token| proof_of(token.reveal()));
        let new = NewSession {
            id: random_id()?,
            account,
            api: &proof_of(api_token.reveal()),
            mqtt: &proof_of(mqtt_token.reveal()),
            remembered: remembered_proof.as_ref().map(|proof| (proof, now + REMEMBER)),
            now,
        };
        if !self.store.begin_session(new).await? {
            return Err(wrong_credentials());
        }
        self.trail.note(&account.username, &account.role, "login", "ok", caller.peer());
        Ok(SessionGrant {
            account: self.describe(account).await?,
            api_token,
            mqtt_token,
            mqtt: self.endpoint,
            remembered,
            vault: self.vault_of(account.id).await?,
            anchors: self.store.anchors(account.id).await?,
        })
    }

    /// Whose token this is.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<LoggedIn, Problem> {
        let over = || Problem::new(ProblemCode::SessionOver, "you are not logged in any more: log in again");
        let found = self.store.session_by_api(&proof_of(token), self.clock.now()).await?;
        let row = found.ok_or_else(over)?;
        Ok(LoggedIn { session: row.id, account: row.account, username: row.username, role: row.role })
    }

    /// The account, as its owner sees it.
    pub(crate) async fn own_account(&self, who: &LoggedIn) -> Result<Account, Problem> {
        let gone = || Problem::new(ProblemCode::SessionOver, "this account is not there any more");
        let account = self.store.account_by_id(who.account).await?.ok_or_else(gone)?;
        self.describe(&account).await
    }

    async fn describe(&self, account: &AccountRow) -> Result<Account, Problem> {
        Ok(Account {
            username: account.username.parse().map_err(|e| internal(&e))?,
            role: (*self.roles.role(&account.role)).clone(),
            otp: account.otp.is_some(),
            recovery_codes_left: self.store.recovery_left(account.id).await?,
        })
    }

    /// The current vault.
    pub(super) async fn vault_of(&self, account: i64) -> Result<Vault, Problem> {
        let mut row = self.store.vault(account).await?;
        Ok(Vault {
            version: row.version,
            sealed: Blob(std::mem::take(&mut row.sealed)),
            password_wrap: Blob(std::mem::take(&mut row.password_wrap)),
        })
    }

    /// Ends a session and what is connected by it.
    pub(crate) async fn log_out(&self, who: &LoggedIn, caller: Caller) -> Result<(), Problem> {
        self.store.end_session(who.session).await?;
        self.mqtt.end_credentials(&[who.session], "logged out");
        self.trail.note(&who.username, &who.role, "logout", "ok", caller.peer());
        Ok(())
    }
}
