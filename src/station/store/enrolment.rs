//! One-time code secrets that wait for their first code.

use sqlx::Row;
use zeroize::Zeroizing;

use crate::station::{
    key::Place,
    token::{self, Proof},
};

use super::{Store, StoreError};

/// A wrong first code may be typed so often.
const MAX_FAILURES: i64 = 10;

/// A secret that waits.
pub(crate) struct EnrolmentRow {
    /// Its row.
    pub id: i64,
    /// Whose.
    pub account: i64,
    /// The TOTP secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// Whether the first code also logs in.
    pub opens_session: bool,
}

impl Store {
    /// Begins an enrolment; the one before it is over.
    pub(crate) async fn begin_enrolment(
        &self,
        account: i64,
        proof: &Proof,
        secret: &[u8],
        opens_session: bool,
        until: i64,
    ) -> Result<(), StoreError> {
        let id = token::random_id()?;
        let sealed = self.key.seal(Place { column: "enrolment.secret", row: id }, secret)?;
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM enrolment WHERE account = ?").bind(account).execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO enrolment (id, account, proof, secret, opens_session, until_ms) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(account)
        .bind(proof.as_slice())
        .bind(sealed)
        .bind(opens_session)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The enrolment of a token. Each look counts as a failure until the code proves right, so that tries at the
    /// same time are counted too; after ten it is over.
    pub(crate) async fn try_enrolment(
        &self,
        proof: &Proof,
        now: i64,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        let row = sqlx::query(
            "UPDATE enrolment SET failures = failures + 1 WHERE proof = ? AND until_ms > ? AND failures < ?
             RETURNING id, account, secret, opens_session",
        )
        .bind(proof.as_slice())
        .bind(now)
        .bind(MAX_FAILURES)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id = row.try_get("id")?;
        let secret: Vec<u8> = row.try_get("secret")?;
        Ok(Some(EnrolmentRow {
            id,
            account: row.try_get("account")?,
            secret: self.key.open_column(Place { column: "enrolment.secret", row: id }, &secret)?,
            opens_session: row.try_get("opens_session")?,
        }))
    }
}
