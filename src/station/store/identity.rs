//! Who signs with which key.

use super::{Store, StoreError};

impl Store {
    /// Keeps an account's identity key, in the place of one before. False where another account has that key.
    pub(crate) async fn set_identity(
        &self,
        account: i64,
        key: &[u8; 32],
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let owner: Option<i64> = sqlx::query_scalar("SELECT id FROM account WHERE identity = ?")
            .bind(&key[..])
            .fetch_optional(&mut *tx)
            .await?;
        match owner {
            Some(owner) if owner == account => return Ok(true),
            Some(_) => return Ok(false),
            None => {}
        }
        sqlx::query("UPDATE account SET identity = ?, identity_ms = ? WHERE id = ?")
            .bind(&key[..])
            .bind(now)
            .bind(account)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The name of the account that signs with this key, and since when.
    pub(crate) async fn identity(&self, key: &[u8; 32]) -> Result<Option<(String, u64)>, StoreError> {
        let found: Option<(String, i64)> =
            sqlx::query_as("SELECT username, identity_ms FROM account WHERE identity = ?")
                .bind(&key[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.map(|(name, since)| (name, u64::try_from(since).unwrap_or(0))))
    }
}
