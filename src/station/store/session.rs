//! Sessions, and computers that were remembered.

use crate::station::token::Proof;

use super::{AccountRow, Store, StoreError};

/// A session ends after so long without use.
pub(crate) const IDLE_MS: i64 = 12 * 60 * 60 * 1000;
/// A session ends after so long in any case.
pub(crate) const LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// A use is written down at most so often.
const USED_EVERY_MS: i64 = 60 * 1000;

/// A session that is to begin.
pub(crate) struct NewSession<'a> {
    /// Its row, which also names its credential to the broker.
    pub id: i64,
    /// Whose, and the password hash that was proved: one that was changed meanwhile gives no session.
    pub account: &'a AccountRow,
    /// What is kept of the API's token.
    pub api: &'a Proof,
    /// What is kept of MQTT's token.
    pub mqtt: &'a Proof,
    /// What is kept of the token of a remembered computer, and until when it is good.
    pub remembered: Option<(&'a Proof, i64)>,
    /// Now.
    pub now: i64,
}

/// A session that is on.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SessionRow {
    /// Its row.
    pub id: i64,
    /// Whose, by row.
    pub account: i64,
    /// Whose, by name.
    pub username: String,
    /// That account's role.
    pub role: String,
    /// When it was last used.
    used_ms: i64,
}

impl Store {
    /// Begins a session. `false` where the password was changed or reset since it was proved.
    pub(crate) async fn begin_session(&self, new: NewSession<'_>) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let account = new.account.id;
        if *self.password_hash(&mut tx, account).await? != *new.account.password {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO session (id, account, api_proof, mqtt_proof, created_ms, used_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )
        .bind(new.id)
        .bind(account)
        .bind(new.api.as_slice())
        .bind(new.mqtt.as_slice())
        .bind(new.now)
        .execute(&mut *tx)
        .await?;
        if let Some((proof, until)) = new.remembered {
            sqlx::query("INSERT INTO remembered (proof, account, until_ms) VALUES (?, ?, ?)")
                .bind(proof.as_slice())
                .bind(account)
                .bind(until)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The session of an API token.
    pub(crate) async fn session_by_api(
        &self,
        proof: &Proof,
        now: i64,
    ) -> Result<Option<SessionRow>, StoreError> {
        const SQL: &str = "SELECT session.id AS id, account, username, role, used_ms
             FROM session JOIN account ON account.id = session.account
             WHERE api_proof = ? AND used_ms > ? AND session.created_ms > ?";
        self.live_session(SQL, proof, now).await
    }

    /// The session of an MQTT token.
    pub(crate) async fn session_by_mqtt(
        &self,
        proof: &Proof,
        now: i64,
    ) -> Result<Option<SessionRow>, StoreError> {
        const SQL: &str = "SELECT session.id AS id, account, username, role, used_ms
             FROM session JOIN account ON account.id = session.account
             WHERE mqtt_proof = ? AND used_ms > ? AND session.created_ms > ?";
        self.live_session(SQL, proof, now).await
    }

    /// The session that a proof stands for, if it is neither idle for too long nor too old. Using it is noted.
    async fn live_session(
        &self,
        sql: &'static str,
        proof: &Proof,
        now: i64,
    ) -> Result<Option<SessionRow>, StoreError> {
        let found = sqlx::query_as(sql).bind(proof.as_slice()).bind(now - IDLE_MS).bind(now - LIFE_MS);
        self.used(found.fetch_optional(&self.pool).await?, now).await
    }

    async fn used(&self, row: Option<SessionRow>, now: i64) -> Result<Option<SessionRow>, StoreError> {
        if let Some(row) = &row
            && now - row.used_ms > USED_EVERY_MS
        {
            self.touch_session(row.id, now).await?;
        }
        Ok(row)
    }

    /// Notes that a session is in use; a live MQTT connection counts as use.
    pub(crate) async fn touch_session(&self, session: i64, now: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE session SET used_ms = max(used_ms, ?) WHERE id = ?")
            .bind(now)
            .bind(session)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends one session.
    pub(crate) async fn end_session(&self, session: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM session WHERE id = ?").bind(session).execute(&self.pool).await?;
        Ok(())
    }

    /// Ends the sessions whose time is over, and says which.
    pub(crate) async fn end_old_sessions(&self, now: i64) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar("DELETE FROM session WHERE used_ms <= ? OR created_ms <= ? RETURNING id")
            .bind(now - IDLE_MS)
            .bind(now - LIFE_MS)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Whether a computer of this account is remembered by that token.
    pub(crate) async fn is_remembered(
        &self,
        account: i64,
        proof: &Proof,
        now: i64,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT account FROM remembered WHERE proof = ? AND account = ? AND until_ms > ?",
        )
        .bind(proof.as_slice())
        .bind(account)
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Blob, PutVault},
        station::store::{Joining, NewAccount},
    };

    #[tokio::test]
    async fn a_session_that_is_touched_lives_on_and_one_whose_password_changed_never_begins() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("db"), &dir.path().join("key")).await.unwrap();
        let wrap = Some(Blob(vec![1]));
        let vault = PutVault { version: 1, sealed: Blob(vec![1]), password_wrap: wrap };
        let username = "paul".parse().unwrap();
        let new = NewAccount { username: &username, password: "old", vault: &vault, recovery: &[], now: 0 };
        let made = store.create_account(new, |_| Ok::<_, ()>("admin".to_owned())).await.unwrap();
        assert!(matches!(made, Joining::Made(_)));
        let account = store.account("paul").await.unwrap().unwrap();
        let (idle, live) = ([1; 32], [2; 32]);
        let begin = async |id, proof| {
            let new = NewSession { id, account: &account, api: proof, mqtt: proof, remembered: None, now: 0 };
            store.begin_session(new).await.unwrap()
        };
        assert!(begin(1, &idle).await && begin(2, &live).await);
        store.touch_session(2, IDLE_MS).await.unwrap();
        assert_eq!(store.end_old_sessions(IDLE_MS).await.unwrap(), [1]);
        assert!(store.session_by_api(&live, IDLE_MS).await.unwrap().is_some());
        assert_eq!(store.change_password(account.id, "new", &[2], None).await.unwrap(), [2]);
        assert!(!begin(3, &idle).await, "the password that was proved is not the present one");
    }
}
