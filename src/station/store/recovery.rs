//! Recovery codes and what they can bring back.

use sqlx::Row;
use zeroize::Zeroizing;

use crate::{
    api::{PutVault, RecoveryEntry},
    station::{
        key::{Place, StationKey},
        token::{self, Proof, proof_of},
    },
};

use super::{
    Conn, Store, StoreError,
    account::{end_sessions, set_password},
    vault,
};

/// How many old vaults an account keeps. When they are that many, it is the oldest that stay: whoever resets again
/// and again cannot push the owner's out.
const OLD_VAULTS: i64 = 5;

impl Store {
    /// How many codes of the current vault are left.
    pub(crate) async fn recovery_left(&self, account: i64) -> Result<u8, StoreError> {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM recovery JOIN vault ON vault.id = recovery.vault
             WHERE vault.account = ? AND vault.kept_until_ms IS NULL",
        )
        .bind(account)
        .fetch_one(&self.pool)
        .await?;
        Ok(u8::try_from(left).unwrap_or(u8::MAX))
    }

    /// Spends a code of the current vault, as a stand-in for a one-time code.
    pub(crate) async fn spend_recovery(&self, account: i64, proof: &Proof) -> Result<bool, StoreError> {
        let spent = sqlx::query(
            "DELETE FROM recovery WHERE proof = ?2
             AND vault = (SELECT id FROM vault WHERE account = ?1 AND kept_until_ms IS NULL)",
        )
        .bind(account)
        .bind(proof.as_slice())
        .execute(&self.pool)
        .await?;
        Ok(spent.rows_affected() == 1)
    }

    /// The code's row and the vault secret that it unlocks: of the current vault, or of one that is still kept.
    pub(crate) async fn recovery(
        &self,
        account: i64,
        proof: &Proof,
        now: i64,
    ) -> Result<Option<(i64, Zeroizing<Vec<u8>>)>, StoreError> {
        let row = sqlx::query(
            "SELECT recovery.id AS id, wrap FROM recovery JOIN vault ON vault.id = recovery.vault
             WHERE vault.account = ? AND proof = ? AND (kept_until_ms IS NULL OR kept_until_ms > ?)
             ORDER BY kept_until_ms IS NOT NULL, kept_until_ms LIMIT 1",
        )
        .bind(account)
        .bind(proof.as_slice())
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id = row.try_get("id")?;
        let wrap: Vec<u8> = row.try_get("wrap")?;
        Ok(Some((id, self.key.open_column(Place { column: "recovery.wrap", row: id }, &wrap)?)))
    }

    /// Replaces the current vault's codes.
    pub(crate) async fn put_recovery(
        &self,
        account: i64,
        entries: &[RecoveryEntry],
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let vault = vault::current(&mut tx, account).await?;
        sqlx::query("DELETE FROM recovery WHERE vault = ?").bind(vault).execute(&mut *tx).await?;
        insert(&mut tx, &self.key, vault, entries).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes that a right code began a reset. The one before it is over.
    pub(crate) async fn begin_reset(
        &self,
        account: i64,
        recovery: i64,
        proof: &Proof,
        until: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM reset WHERE account = ?").bind(account).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO reset (proof, account, recovery, until_ms) VALUES (?, ?, ?, ?)")
            .bind(proof.as_slice())
            .bind(account)
            .bind(recovery)
            .bind(until)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether such a reset was begun and may be ended.
    pub(crate) async fn is_reset(&self, proof: &Proof, now: i64) -> Result<bool, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT account FROM reset WHERE proof = ? AND until_ms > ?")
                .bind(proof.as_slice())
                .bind(now)
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.is_some())
    }

    /// Ends a reset by recovery code: spends the code, sets the password, makes the code's vault the current one,
    /// ends all sessions. `None` where the token is not, or no longer, good.
    pub(crate) async fn finish_reset(
        &self,
        proof: &Proof,
        password: &str,
        password_wrap: &[u8],
        now: i64,
        keep_until: i64,
    ) -> Result<Option<i64>, StoreError> {
        let mut tx = self.write().await?;
        let row = sqlx::query(
            "SELECT reset.account AS account, recovery, vault FROM reset JOIN recovery ON recovery.id = recovery
             WHERE reset.proof = ? AND until_ms > ?",
        )
        .bind(proof.as_slice())
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (account, recovery, wanted): (i64, i64, i64) =
            (row.try_get("account")?, row.try_get("recovery")?, row.try_get("vault")?);
        let current = vault::current(&mut tx, account).await?;
        if current != wanted {
            // The code is of a vault that a reset by one-time code had put aside: the two change places.
            put_aside(&mut tx, current, keep_until).await?;
            sqlx::query("UPDATE vault SET kept_until_ms = NULL WHERE id = ?")
                .bind(wanted)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("DELETE FROM recovery WHERE id = ?").bind(recovery).execute(&mut *tx).await?;
        set_password(&mut tx, self, account, password).await?;
        vault::set_password_wrap(&mut tx, &self.key, account, password_wrap).await?;
        end_sessions(&mut tx, account, None).await?;
        tx.commit().await?;
        Ok(Some(account))
    }

    /// Ends a reset by one-time code: a new vault and new codes; the old vault is kept until `keep_until`.
    pub(crate) async fn reset_by_code(
        &self,
        account: i64,
        password: &str,
        new_vault: &PutVault,
        entries: &[RecoveryEntry],
        keep_until: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let current = vault::current(&mut tx, account).await?;
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM vault WHERE account = ? AND kept_until_ms IS NOT NULL")
                .bind(account)
                .fetch_one(&mut *tx)
                .await?;
        if kept < OLD_VAULTS {
            put_aside(&mut tx, current, keep_until).await?;
        } else {
            sqlx::query("DELETE FROM vault WHERE id = ?").bind(current).execute(&mut *tx).await?;
        }
        let id = vault::insert(&mut tx, &self.key, account, new_vault).await?;
        insert(&mut tx, &self.key, id, entries).await?;
        set_password(&mut tx, self, account, password).await?;
        end_sessions(&mut tx, account, None).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn put_aside(conn: &mut Conn, vault: i64, keep_until: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE vault SET kept_until_ms = ? WHERE id = ?")
        .bind(keep_until)
        .bind(vault)
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds recovery codes to a vault.
pub(super) async fn insert(
    conn: &mut Conn,
    key: &StationKey,
    vault: i64,
    entries: &[RecoveryEntry],
) -> Result<(), StoreError> {
    for entry in entries {
        let id = token::random_id()?;
        let wrap = key.seal(Place { column: "recovery.wrap", row: id }, &entry.wrap.0)?;
        sqlx::query("INSERT INTO recovery (id, vault, proof, wrap) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(vault)
            .bind(proof_of(entry.auth_key.reveal()).as_slice())
            .bind(wrap)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
