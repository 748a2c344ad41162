//! What this account has published retained from this computer, as it stands at the broker: the last envelope of each
//! topic. It has to be sealed anew when its key is rotated, and nobody else can be asked for it.

use bytes::Bytes;
use sqlx::SqliteConnection;

use crate::topic::TopicName;

use super::{OutboxRow, Store, StoreError};

/// Topics that are remembered at most.
const MAX_TOPICS: i64 = 10_000;

/// One retained message of this account.
#[derive(Debug, Clone)]
pub(in crate::client) struct RetainedRow {
    pub topic: TopicName,
    pub qos: u8,
    /// About when it was sealed.
    pub queued_ms: u64,
    /// The key id that sealed it, hex.
    pub kid: String,
    pub wire: Bytes,
}

impl RetainedRow {
    /// What an outbox row leaves at the broker; `None` where it is not retained or has no seal.
    pub(in crate::client) fn of(row: &OutboxRow) -> Option<Self> {
        let kid = row.sealed_with.as_ref().filter(|_| row.retain)?.kid.clone();
        let (topic, wire) = (row.topic.clone(), row.wire.clone());
        Some(Self { topic, qos: row.qos, queued_ms: row.queued_ms, kid, wire })
    }
}

impl Store {
    /// All of them.
    pub(in crate::client) async fn retained(&mut self) -> Result<Vec<RetainedRow>, StoreError> {
        let rows: Vec<(String, i64, i64, String, Vec<u8>)> =
            sqlx::query_as("SELECT topic, qos, queued_ms, kid, wire FROM retained")
                .fetch_all(&mut self.db)
                .await?;
        let row = |(topic, qos, queued_ms, kid, wire): (String, i64, i64, String, Vec<u8>)| {
            Some(RetainedRow {
                topic: TopicName::new(topic).ok()?,
                qos: u8::try_from(qos).ok().filter(|qos| *qos <= 2)?,
                queued_ms: u64::try_from(queued_ms).ok()?,
                kid,
                wire: wire.into(),
            })
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }
}

/// Remembers the last of a topic, or forgets it. A topic that finds no room is not remembered.
pub(super) async fn note(
    db: &mut SqliteConnection,
    changes: &[(TopicName, Option<RetainedRow>)],
) -> Result<(), StoreError> {
    for (topic, row) in changes {
        match row {
            Some(row) => {
                sqlx::query(
                    "INSERT OR REPLACE INTO retained (topic, qos, queued_ms, kid, wire)
                     SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM retained WHERE topic = ?1)
                     OR (SELECT count(*) FROM retained) < ?6",
                )
                .bind(row.topic.as_str())
                .bind(i64::from(row.qos))
                .bind(i64::try_from(row.queued_ms).unwrap_or(i64::MAX))
                .bind(row.kid.as_str())
                .bind(&row.wire[..])
                .bind(MAX_TOPICS)
                .execute(&mut *db)
                .await?
            }
            None => {
                sqlx::query("DELETE FROM retained WHERE topic = ?")
                    .bind(topic.as_str())
                    .execute(&mut *db)
                    .await?
            }
        };
    }
    Ok(())
}
