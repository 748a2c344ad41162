//! Where accounts' audit logs were last seen to end.

use crate::api::{Anchor, Anchors};

use super::{Store, StoreError};

impl Store {
    /// An account's anchors.
    pub(crate) async fn anchors(&self, account: i64) -> Result<Anchors, StoreError> {
        let rows: Vec<(String, i64, String)> =
            sqlx::query_as("SELECT log, count, head FROM anchor WHERE account = ?")
                .bind(account)
                .fetch_all(&self.pool)
                .await?;
        let logs = rows
            .into_iter()
            .map(|(log, count, head)| (log, Anchor { count: u64::try_from(count).unwrap_or(0), head }))
            .collect();
        Ok(Anchors { logs })
    }

    /// Keeps the newest of each log: an anchor never goes back. Answers with the first log that has another line
    /// where one was seen before, or `""` where there would be more than `most` logs; then nothing is stored.
    pub(crate) async fn put_anchors(
        &self,
        account: i64,
        anchors: &Anchors,
        most: i64,
    ) -> Result<Result<(), String>, StoreError> {
        let mut tx = self.write().await?;
        for (log, anchor) in &anchors.logs {
            let count = i64::try_from(anchor.count).map_err(|_| StoreError::Shape("anchor.count"))?;
            sqlx::query(
                "INSERT INTO anchor (account, log, count, head) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET count = excluded.count, head = excluded.head
                 WHERE excluded.count > count",
            )
            .bind(account)
            .bind(log)
            .bind(count)
            .bind(&anchor.head)
            .execute(&mut *tx)
            .await?;
            let (now_count, now_head): (i64, String) =
                sqlx::query_as("SELECT count, head FROM anchor WHERE account = ? AND log = ?")
                    .bind(account)
                    .bind(log)
                    .fetch_one(&mut *tx)
                    .await?;
            if now_count == count && now_head != anchor.head {
                return Ok(Err(log.clone()));
            }
        }
        let logs: i64 = sqlx::query_scalar("SELECT count(*) FROM anchor WHERE account = ?")
            .bind(account)
            .fetch_one(&mut *tx)
            .await?;
        if logs > most {
            return Ok(Err(String::new()));
        }
        tx.commit().await?;
        Ok(Ok(()))
    }
}
