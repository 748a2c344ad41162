//! Accounts.

use sqlx::{Row, sqlite::SqliteRow};
use zeroize::Zeroizing;

use crate::api::{AccountEntry, PutVault, RecoveryEntry, Username};

use super::{Conn, Place, Store, StoreError, recovery, seal_option, vault};
use crate::station::token;

/// An account, opened.
pub(crate) struct AccountRow {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub username: String,
    /// Its role's name.
    pub role: String,
    /// bcrypt of its authentication key.
    pub password: Zeroizing<String>,
    /// Its TOTP secret; `None`: one-time codes are off.
    pub otp: Option<Zeroizing<Vec<u8>>>,
}

/// What makes an account.
pub(crate) struct NewAccount<'a> {
    /// Its name.
    pub username: &'a Username,
    /// bcrypt of its authentication key.
    pub password: &'a str,
    /// Its vault, version 1, with its wrap.
    pub vault: &'a PutVault,
    /// Its recovery codes.
    pub recovery: &'a [RecoveryEntry],
    /// Now.
    pub now: i64,
}

/// How a sign-up ended.
pub(crate) enum Joining<E> {
    /// With an account.
    Made(i64),
    /// Somebody has the name.
    Taken,
    /// The rule said no.
    Refused(E),
}

const COLUMNS: &str = "SELECT id, username, role, password, otp FROM account WHERE username = ?";

impl Store {
    /// Makes an account. `role` is asked within the transaction, with whether it is the first, so that of two first
    /// ones one is second.
    pub(crate) async fn create_account<E>(
        &self,
        new: NewAccount<'_>,
        role: impl FnOnce(bool) -> Result<String, E>,
    ) -> Result<Joining<E>, StoreError> {
        let mut tx = self.write().await?;
        let role = match role(count(&mut tx).await? == 0) {
            Ok(role) => role,
            Err(refusal) => return Ok(Joining::Refused(refusal)),
        };
        let taken: Option<i64> = sqlx::query_scalar("SELECT id FROM account WHERE username = ?")
            .bind(new.username.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if taken.is_some() {
            return Ok(Joining::Taken);
        }
        let id = token::random_id()?;
        let password =
            self.key.seal(Place { column: "account.password", row: id }, new.password.as_bytes())?;
        sqlx::query("INSERT INTO account (id, username, role, password, created_ms) VALUES (?, ?, ?, ?, ?)")
            .bind(id)
            .bind(new.username.as_str())
            .bind(role)
            .bind(password)
            .bind(new.now)
            .execute(&mut *tx)
            .await?;
        let vault = vault::insert(&mut tx, &self.key, id, new.vault).await?;
        recovery::insert(&mut tx, &self.key, vault, new.recovery).await?;
        tx.commit().await?;
        Ok(Joining::Made(id))
    }

    /// Whether nobody has an account yet.
    pub(crate) async fn is_empty(&self) -> Result<bool, StoreError> {
        let mut conn = self.pool.acquire().await?;
        Ok(count(&mut conn).await? == 0)
    }

    /// Whether somebody has the name.
    pub(crate) async fn has_account(&self, username: &Username) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM account WHERE username = ?")
            .bind(username.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// The account of that name.
    pub(crate) async fn account(&self, username: &str) -> Result<Option<AccountRow>, StoreError> {
        let row = sqlx::query(COLUMNS).bind(username).fetch_optional(&self.pool).await?;
        row.map(|row| self.open_account(&row)).transpose()
    }

    /// The account of that row.
    pub(crate) async fn account_by_id(&self, id: i64) -> Result<Option<AccountRow>, StoreError> {
        let row = sqlx::query("SELECT id, username, role, password, otp FROM account WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| self.open_account(&row)).transpose()
    }

    fn open_account(&self, row: &SqliteRow) -> Result<AccountRow, StoreError> {
        let id = row.try_get("id")?;
        let password: Vec<u8> = row.try_get("password")?;
        let password = self.open_password(id, &password)?;
        let otp: Option<Vec<u8>> = row.try_get("otp")?;
        let place = Place { column: "account.otp", row: id };
        Ok(AccountRow {
            id,
            username: row.try_get("username")?,
            role: row.try_get("role")?,
            password,
            otp: otp.map(|otp| self.key.open_column(place, &otp)).transpose()?,
        })
    }

    fn open_password(&self, id: i64, sealed: &[u8]) -> Result<Zeroizing<String>, StoreError> {
        let hash = self.key.open_column(Place { column: "account.password", row: id }, sealed)?;
        let hash = std::str::from_utf8(&hash).map_err(|_| StoreError::Shape("account.password"))?;
        Ok(Zeroizing::new(hash.to_owned()))
    }

    /// The password hash as it is now.
    pub(super) async fn password_hash(
        &self,
        conn: &mut Conn,
        account: i64,
    ) -> Result<Zeroizing<String>, StoreError> {
        let sealed: Vec<u8> = sqlx::query_scalar("SELECT password FROM account WHERE id = ?")
            .bind(account)
            .fetch_one(conn)
            .await?;
        self.open_password(account, &sealed)
    }

    /// Every account, for an admin.
    pub(crate) async fn accounts(&self) -> Result<Vec<AccountEntry>, StoreError> {
        let rows: Vec<(String, String, bool, i64)> = sqlx::query_as(
            "SELECT username, role, otp IS NOT NULL, created_ms FROM account ORDER BY username",
        )
        .fetch_all(&self.pool)
        .await?;
        let entry = |(username, role, otp, created): (String, String, bool, i64)| AccountEntry {
            username,
            role,
            otp,
            created_ms: u64::try_from(created).unwrap_or(0),
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Gives an account another role; `None` where there is no such account, `false` where it would take the last
    /// of `admins` away.
    pub(crate) async fn set_role(
        &self,
        username: &str,
        role: &str,
        is_admin: impl Fn(&str) -> bool,
    ) -> Result<Option<bool>, StoreError> {
        let mut tx = self.write().await?;
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT username, role FROM account").fetch_all(&mut *tx).await?;
        if !all.iter().any(|(name, _)| name == username) {
            return Ok(None);
        }
        let stays = |(name, present): &(String, String)| name != username && is_admin(present);
        if !is_admin(role) && !all.iter().any(stays) {
            return Ok(Some(false));
        }
        sqlx::query("UPDATE account SET role = ? WHERE username = ?")
            .bind(role)
            .bind(username)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(true))
    }

    /// Removes an account and all that is its own; `None` where there is no such account, `false` where it is the last
    /// of `admins`.
    pub(crate) async fn remove_account(
        &self,
        username: &str,
        is_admin: impl Fn(&str) -> bool,
    ) -> Result<Option<bool>, StoreError> {
        let mut tx = self.write().await?;
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT username, role FROM account").fetch_all(&mut *tx).await?;
        if !all.iter().any(|(name, _)| name == username) {
            return Ok(None);
        }
        if !all.iter().any(|(name, role)| name != username && is_admin(role)) {
            return Ok(Some(false));
        }
        // Vaults, sessions, devices and the rest go with it (ON DELETE CASCADE).
        sqlx::query("DELETE FROM account WHERE username = ?").bind(username).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(true))
    }

    /// Every account's name and role, for the book that the broker asks.
    pub(crate) async fn roles(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(sqlx::query_as("SELECT username, role FROM account").fetch_all(&self.pool).await?)
    }

    /// Spends the code of `step`. False where that step or a later one was spent before, which also holds when the
    /// clock was set back.
    pub(crate) async fn spend_otp_step(&self, account: i64, step: i64) -> Result<bool, StoreError> {
        let spent = sqlx::query("UPDATE account SET otp_step = ?2 WHERE id = ?1 AND otp_step < ?2")
            .bind(account)
            .bind(step)
            .execute(&self.pool)
            .await?;
        Ok(spent.rows_affected() == 1)
    }

    /// Turns one-time codes on with a secret whose code of `step` was just shown. Computers that were remembered
    /// under the secret before are forgotten. The enrolment is over.
    pub(crate) async fn set_otp(
        &self,
        account: i64,
        enrolment: i64,
        secret: &[u8],
        step: i64,
    ) -> Result<bool, StoreError> {
        let sealed = seal_option(&self.key, Place { column: "account.otp", row: account }, Some(secret))?;
        let mut tx = self.write().await?;
        let ended =
            sqlx::query("DELETE FROM enrolment WHERE id = ?").bind(enrolment).execute(&mut *tx).await?;
        if ended.rows_affected() == 0 {
            return Ok(false); // Two first codes at once: one counts.
        }
        sqlx::query("UPDATE account SET otp = ?, otp_step = ? WHERE id = ?")
            .bind(sealed)
            .bind(step)
            .bind(account)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM remembered WHERE account = ?").bind(account).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes the password and the vault's wrap under it; ends all sessions but `keep`, and forgets remembered
    /// computers. Answers with the sessions that ended.
    pub(crate) async fn change_password(
        &self,
        account: i64,
        password: &str,
        password_wrap: &[u8],
        keep: Option<i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let mut tx = self.write().await?;
        set_password(&mut tx, self, account, password).await?;
        vault::set_password_wrap(&mut tx, &self.key, account, password_wrap).await?;
        let ended = end_sessions(&mut tx, account, keep).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

async fn count(conn: &mut Conn) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM account").fetch_one(conn).await?)
}

/// Stores a new password hash.
pub(super) async fn set_password(
    conn: &mut Conn,
    store: &Store,
    account: i64,
    password: &str,
) -> Result<(), StoreError> {
    let sealed = store.key.seal(Place { column: "account.password", row: account }, password.as_bytes())?;
    sqlx::query("UPDATE account SET password = ? WHERE id = ?")
        .bind(sealed)
        .bind(account)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends sessions but `keep`, pending resets, and what stands in for codes.
pub(super) async fn end_sessions(
    conn: &mut Conn,
    account: i64,
    keep: Option<i64>,
) -> Result<Vec<i64>, StoreError> {
    let ended = sqlx::query_scalar("DELETE FROM session WHERE account = ? AND id <> ? RETURNING id")
        .bind(account)
        .bind(keep.unwrap_or(0)) // No row has the id 0.
        .fetch_all(&mut *conn)
        .await?;
    for sql in [
        "DELETE FROM remembered WHERE account = ?",
        "DELETE FROM reset WHERE account = ?",
        // Begun under the old password, its first code would turn on somebody else's codes, or even log in.
        "DELETE FROM enrolment WHERE account = ?",
    ] {
        sqlx::query(sql).bind(account).execute(&mut *conn).await?;
    }
    Ok(ended)
}
