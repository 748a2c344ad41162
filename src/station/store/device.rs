//! Credentials of programs that speak plain MQTT.

use crate::{api::Device, station::token::Proof};

use super::{Store, StoreError};

impl Store {
    /// An account's devices, oldest first.
    pub(crate) async fn devices(&self, account: i64) -> Result<Vec<Device>, StoreError> {
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT id, label, created_ms FROM device WHERE account = ? ORDER BY created_ms, id",
        )
        .bind(account)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, label, created)| Device { id, label, created_ms: u64::try_from(created).unwrap_or(0) })
            .collect())
    }

    /// Adds a device, where the account has fewer than `most`.
    pub(crate) async fn add_device(
        &self,
        account: i64,
        id: i64,
        label: &str,
        proof: &Proof,
        now: i64,
        most: i64,
    ) -> Result<bool, StoreError> {
        let added = sqlx::query(
            "INSERT INTO device (id, account, label, proof, created_ms) SELECT ?1, ?2, ?3, ?4, ?5
             WHERE (SELECT count(*) FROM device WHERE account = ?2) < ?6",
        )
        .bind(id)
        .bind(account)
        .bind(label)
        .bind(proof.as_slice())
        .bind(now)
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    /// Removes a device of this account.
    pub(crate) async fn remove_device(&self, account: i64, id: i64) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM device WHERE id = ? AND account = ?")
            .bind(id)
            .bind(account)
            .execute(&self.pool)
            .await?;
        Ok(removed.rows_affected() == 1)
    }

    /// The device of a token: its row, its account's name and role.
    pub(crate) async fn device_by_proof(
        &self,
        proof: &Proof,
    ) -> Result<Option<(i64, String, String)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT device.id, username, role FROM device JOIN account ON account.id = device.account
             WHERE proof = ?",
        )
        .bind(proof.as_slice())
        .fetch_optional(&self.pool)
        .await?)
    }
}
