//! Vaults: sealed by the client, and once more here.

use sqlx::Row;
use zeroize::Zeroizing;

use crate::{
    api::PutVault,
    station::{
        key::{Place, StationKey},
        token,
    },
};

use super::{Conn, Store, StoreError};

/// A vault as the client sealed it.
pub(crate) struct VaultRow {
    /// Its version.
    pub version: u64,
    /// The sealed keyring.
    pub sealed: Zeroizing<Vec<u8>>,
    /// Its secret under the password.
    pub password_wrap: Zeroizing<Vec<u8>>,
}

impl Store {
    /// The current vault.
    pub(crate) async fn vault(&self, account: i64) -> Result<VaultRow, StoreError> {
        let row = sqlx::query(
            "SELECT id, version, sealed, password_wrap FROM vault WHERE account = ? AND kept_until_ms IS NULL",
        )
        .bind(account)
        .fetch_one(&self.pool)
        .await?;
        let id = row.try_get("id")?;
        let sealed: Vec<u8> = row.try_get("sealed")?;
        let wrap: Vec<u8> = row.try_get("password_wrap")?;
        let version: i64 = row.try_get("version")?;
        Ok(VaultRow {
            version: u64::try_from(version).map_err(|_| StoreError::Shape("vault.version"))?,
            sealed: self.key.open_column(Place { column: "vault.sealed", row: id }, &sealed)?,
            password_wrap: self.key.open_column(Place { column: "vault.password_wrap", row: id }, &wrap)?,
        })
    }

    /// Stores a vault where the version there is the one before it; `false` where it is another.
    pub(crate) async fn put_vault(&self, account: i64, put: &PutVault) -> Result<bool, StoreError> {
        let Ok(version) = i64::try_from(put.version) else { return Ok(false) };
        let mut tx = self.write().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM vault WHERE account = ? AND kept_until_ms IS NULL AND version = ?",
        )
        .bind(account)
        .bind(version - 1)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = id else { return Ok(false) };
        let sealed = self.key.seal(Place { column: "vault.sealed", row: id }, &put.sealed.0)?;
        sqlx::query("UPDATE vault SET version = ?, sealed = ? WHERE id = ?")
            .bind(version)
            .bind(sealed)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if let Some(wrap) = &put.password_wrap {
            set_password_wrap(&mut tx, &self.key, account, &wrap.0).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Adds a current vault.
pub(super) async fn insert(
    conn: &mut Conn,
    key: &StationKey,
    account: i64,
    vault: &PutVault,
) -> Result<i64, StoreError> {
    let id = token::random_id()?;
    let wrap = vault.password_wrap.as_ref().map_or(&[][..], |wrap| &wrap.0);
    let sealed = key.seal(Place { column: "vault.sealed", row: id }, &vault.sealed.0)?;
    let wrap = key.seal(Place { column: "vault.password_wrap", row: id }, wrap)?;
    let version = i64::try_from(vault.version).map_err(|_| StoreError::Shape("vault.version"))?;
    sqlx::query("INSERT INTO vault (id, account, version, sealed, password_wrap) VALUES (?, ?, ?, ?, ?)")
        .bind(id)
        .bind(account)
        .bind(version)
        .bind(sealed)
        .bind(wrap)
        .execute(conn)
        .await?;
    Ok(id)
}

/// Replaces the current vault's wrap under the password.
pub(super) async fn set_password_wrap(
    conn: &mut Conn,
    key: &StationKey,
    account: i64,
    wrap: &[u8],
) -> Result<(), StoreError> {
    let id = current(conn, account).await?;
    let sealed = key.seal(Place { column: "vault.password_wrap", row: id }, wrap)?;
    sqlx::query("UPDATE vault SET password_wrap = ? WHERE id = ?")
        .bind(sealed)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// The current vault's row.
pub(super) async fn current(conn: &mut Conn, account: i64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT id FROM vault WHERE account = ? AND kept_until_ms IS NULL")
        .bind(account)
        .fetch_one(conn)
        .await?)
}
