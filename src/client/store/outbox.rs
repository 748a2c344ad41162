//! Envelopes that are not yet acknowledged.

use bytes::Bytes;
use sqlx::{Sqlite, SqliteConnection};

use crate::{
    client::{OutboxEntry, OutboxState, SealedWith},
    topic::TopicName,
};

use super::{ROWS_PER_STATEMENT, Store, StoreError};

/// One message on its way out, as it rests: sealed already.
#[derive(Debug, Clone)]
pub(in crate::client) struct OutboxRow {
    pub id: i64,
    pub queued_ms: u64,
    pub topic: TopicName,
    pub qos: u8,
    pub retain: bool,
    /// The bytes that go out, the same at every try.
    pub wire: Bytes,
    pub plain_len: usize,
    /// `None`: in the clear.
    pub sealed_with: Option<SealedWith>,
    /// MQTT 5's content type: of the envelope, or of what goes in the clear.
    pub content_type: Option<String>,
}

impl OutboxRow {
    /// What people see of it.
    pub(in crate::client) fn entry(&self, state: OutboxState) -> OutboxEntry {
        OutboxEntry {
            id: self.id,
            queued_ms: self.queued_ms,
            topic: self.topic.clone(),
            qos: self.qos,
            retain: self.retain,
            sealed_with: self.sealed_with.clone(),
            plain_len: self.plain_len,
            wire_len: self.wire.len(),
            state,
        }
    }
}

type Columns = (
    i64,
    i64,
    String,
    i64,
    bool,
    Vec<u8>,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    bool,
);

impl Store {
    /// All that waits, oldest first. The profiles are for the keyring to tell.
    pub(in crate::client) async fn outbox(&mut self) -> Result<Vec<OutboxRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, queued_ms, topic, qos, retain, wire, plain_len, label, kid, suite, content_type,
                    signed
             FROM outbox ORDER BY id",
        )
        .fetch_all(&mut self.db)
        .await?;
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

/// A row that was written by this program; one that was tampered with is left out.
fn read(row: Columns) -> Option<OutboxRow> {
    let (id, queued_ms, topic, qos, retain, wire, plain_len, label, kid, suite, content_type, signed) = row;
    let sealed_with = match (label, kid, suite) {
        (Some(label), Some(kid), Some(suite)) => {
            Some(SealedWith { label, kid, suite: suite.parse().ok()?, profile: None, signed })
        }
        _ => None,
    };
    Some(OutboxRow {
        id,
        queued_ms: u64::try_from(queued_ms).ok()?,
        topic: TopicName::new(topic).ok()?,
        qos: u8::try_from(qos).ok().filter(|qos| *qos <= 2)?,
        retain,
        wire: wire.into(),
        plain_len: usize::try_from(plain_len).ok()?,
        sealed_with,
        content_type,
    })
}

pub(super) async fn insert(db: &mut SqliteConnection, rows: &[OutboxRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
            "INSERT INTO outbox (id, queued_ms, topic, qos, retain, wire, plain_len, label, kid, suite, content_type, signed) ",
        );
        insert.push_values(rows, |mut row, new| {
            let with = new.sealed_with.as_ref();
            row.push_bind(new.id)
                .push_bind(i64::try_from(new.queued_ms).unwrap_or(i64::MAX))
                .push_bind(new.topic.as_str())
                .push_bind(i64::from(new.qos))
                .push_bind(new.retain)
                .push_bind(&new.wire[..])
                .push_bind(i64::try_from(new.plain_len).unwrap_or(i64::MAX))
                .push_bind(with.map(|with| with.label.as_str()))
                .push_bind(with.map(|with| with.kid.as_str()))
                .push_bind(with.map(|with| with.suite.name()))
                .push_bind(new.content_type.as_deref())
                .push_bind(with.is_some_and(|with| with.signed));
        });
        insert.build().persistent(false).execute(&mut *db).await?;
    }
    Ok(())
}

/// Gives rows the seal that they have now. Those that are gone stay gone.
pub(super) async fn reseal(db: &mut SqliteConnection, rows: &[OutboxRow]) -> Result<(), StoreError> {
    for row in rows {
        let with = row.sealed_with.as_ref();
        sqlx::query(
            "UPDATE outbox SET wire = ?, label = ?, kid = ?, suite = ?, content_type = ?, signed = ? WHERE id = ?",
        )
        .bind(&row.wire[..])
        .bind(with.map(|with| with.label.as_str()))
        .bind(with.map(|with| with.kid.as_str()))
        .bind(with.map(|with| with.suite.name()))
        .bind(row.content_type.as_deref())
        .bind(with.is_some_and(|with| with.signed))
        .bind(row.id)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

pub(super) async fn delete(db: &mut SqliteConnection, ids: &[i64]) -> Result<(), StoreError> {
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut delete = sqlx::QueryBuilder::<Sqlite>::new("DELETE FROM outbox WHERE id IN (");
        let mut list = delete.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        delete.push(")");
        delete.build().persistent(false).execute(&mut *db).await?;
    }
    Ok(())
}
