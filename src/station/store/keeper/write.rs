//! One batch of the broker's changes, as one transaction of few statements: numbers travel as JSON, many to a
//! statement, because each statement is a way to the writing thread and back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use crate::{
    broker::{Change, KeptMessage, KeptParcel},
    station::{
        key::{Place, StationKey},
        store::StoreError,
    },
    topic::TopicName,
};

use super::{BODY, number};

/// Message bodies in one statement, by count and by bytes.
const PER_INSERT: (usize, usize) = (50, 1 << 20);

/// What of a batch is written together at its end. The changes of sessions and subscriptions are written before, one
/// by one in their order; the order among these does not matter, because no number comes twice.
#[derive(Default)]
struct Together<'a> {
    queued: Vec<(u64, &'a KeptParcel)>,
    delivered: Vec<Value>,
    retained: BTreeMap<&'a TopicName, Option<&'a Arc<KeptMessage>>>,
    /// Messages that lost a reference.
    released: BTreeSet<i64>,
}

/// Commits all of it or nothing.
pub(super) async fn commit(
    pool: &SqlitePool,
    key: &StationKey,
    changes: &[Change],
) -> Result<(), StoreError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut together = Together::default();
    for change in changes {
        match change {
            Change::Queued { session, parcel } => together.queued.push((*session, parcel)),
            Change::Delivered { session, numbers } => {
                let places = numbers.iter().map(|number| json!([session, number]));
                together.delivered.extend(places);
            }
            Change::Retained { message } => {
                together.retained.insert(&message.topic, Some(message));
            }
            Change::Cleared { topic } => {
                together.retained.insert(topic, None);
            }
            session => together.released.extend(one_by_one(&mut tx, session).await?),
        }
    }
    together.write(&mut tx, key).await?;
    tx.commit().await?;
    Ok(())
}

/// A change of a session or its subscriptions. Returns the messages that lost a reference.
async fn one_by_one(conn: &mut SqliteConnection, change: &Change) -> Result<Vec<i64>, StoreError> {
    let query = match change {
        Change::Opened { session, account, client_id, expiry_secs } => sqlx::query(
            "INSERT OR REPLACE INTO session (id, account, client_id, expiry_s) VALUES (?, ?, ?, ?)",
        )
        .bind(number(*session)?)
        .bind(&**account)
        .bind(&**client_id)
        .bind(i64::from(*expiry_secs)),
        Change::Resumed { session, expiry_secs } => {
            sqlx::query("UPDATE session SET expiry_s = ?, left_ms = NULL WHERE id = ?")
                .bind(i64::from(*expiry_secs))
                .bind(number(*session)?)
        }
        Change::Left { session, expiry_secs, at_ms } => {
            sqlx::query("UPDATE session SET expiry_s = ?, left_ms = ? WHERE id = ?")
                .bind(i64::from(*expiry_secs))
                .bind(number(*at_ms)?)
                .bind(number(*session)?)
        }
        Change::Subscribed { session, filter, options } => sqlx::query(
            "INSERT OR REPLACE INTO subscription
                 (session, filter, qos, no_local, retain_as_published, identifier)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM session WHERE id = ?1)",
        )
        .bind(number(*session)?)
        .bind(filter.as_str())
        .bind(i64::from(options.qos))
        .bind(options.no_local)
        .bind(options.retain_as_published)
        .bind(options.id.map(i64::from)),
        Change::Unsubscribed { session, filter } => {
            sqlx::query("DELETE FROM subscription WHERE session = ? AND filter = ?")
                .bind(number(*session)?)
                .bind(filter.as_str())
        }
        Change::Ended { session } => {
            let session = number(*session)?;
            for sql in ["DELETE FROM session WHERE id = ?", "DELETE FROM subscription WHERE session = ?"] {
                sqlx::query(sql).bind(session).execute(&mut *conn).await?;
            }
            let released = sqlx::query_scalar("DELETE FROM queued WHERE session = ? RETURNING message");
            return Ok(released.bind(session).fetch_all(conn).await?);
        }
        Change::Queued { .. }
        | Change::Delivered { .. }
        | Change::Retained { .. }
        | Change::Cleared { .. }
        // Not told yet by any broker.
        | Change::Released { .. }
        | Change::Accepted { .. }
        | Change::Completed { .. }
        | Change::WillLeft { .. }
        | Change::WillGone { .. } => {
            return Ok(Vec::new());
        }
    };
    query.execute(conn).await?;
    Ok(Vec::new())
}

impl Together<'_> {
    async fn write(mut self, conn: &mut SqliteConnection, key: &StationKey) -> Result<(), StoreError> {
        let queued = self.queued.iter().map(|(_, parcel)| &parcel.message);
        let retained = self.retained.values().copied().flatten();
        let messages: BTreeMap<u64, &Arc<KeptMessage>> =
            queued.chain(retained).map(|message| (message.number, message)).collect();
        let bodies: Vec<_> = messages.values().copied().collect();
        insert_bodies(conn, key, &bodies).await?;

        if !self.queued.is_empty() {
            let rows = self.queued.iter().map(|(session, parcel)| {
                let ids = &parcel.subscription_ids;
                let ids = (!ids.is_empty()).then(|| json!(ids).to_string());
                let (message, retain, replay) = (parcel.message.number, parcel.retain, parcel.replay);
                json!([session, parcel.number, message, retain, replay, ids])
            });
            let rows: Vec<Value> = rows.collect();
            let count = rows.len() as u64;
            let inserted = sqlx::query(
                "INSERT OR REPLACE INTO queued (session, number, message, retain, replay, identifiers)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                 FROM json_each(?) WHERE EXISTS (SELECT 1 FROM session WHERE id = value ->> 0)",
            )
            .bind(Value::Array(rows).to_string())
            .execute(&mut *conn)
            .await?;
            if inserted.rows_affected() < count {
                // Some session is not there: what was meant for it alone is not needed.
                let ids: Result<Vec<_>, _> = messages.keys().map(|id| number(*id)).collect();
                self.released.extend(ids?);
            }
        }

        if !self.delivered.is_empty() {
            let released: Vec<i64> = sqlx::query_scalar(
                "DELETE FROM queued WHERE (session, number) IN
                 (SELECT value ->> 0, value ->> 1 FROM json_each(?)) RETURNING message",
            )
            .bind(Value::Array(self.delivered).to_string())
            .fetch_all(&mut *conn)
            .await?;
            self.released.extend(released);
        }

        if !self.retained.is_empty() {
            let topics: Vec<&str> = self.retained.keys().map(|topic| topic.as_str()).collect();
            let replaced: Vec<i64> = sqlx::query_scalar(
                "DELETE FROM retained WHERE topic IN (SELECT value FROM json_each(?)) RETURNING message",
            )
            .bind(json!(topics).to_string())
            .fetch_all(&mut *conn)
            .await?;
            self.released.extend(replaced);
            let set = self.retained.values().flatten();
            let set: Vec<_> = set.map(|message| json!([message.topic.as_str(), message.number])).collect();
            sqlx::query(
                "INSERT INTO retained (topic, message)
                 SELECT value ->> 0, value ->> 1 FROM json_each(?)",
            )
            .bind(Value::Array(set).to_string())
            .execute(&mut *conn)
            .await?;
        }

        if !self.released.is_empty() {
            sqlx::query(
                "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))
                 AND NOT EXISTS (SELECT 1 FROM queued WHERE queued.message = message.id)
                 AND NOT EXISTS (SELECT 1 FROM retained WHERE retained.message = message.id)",
            )
            .bind(json!(self.released).to_string())
            .execute(conn)
            .await?;
        }
        Ok(())
    }
}

/// Stores the bodies that are not there yet.
async fn insert_bodies(
    conn: &mut SqliteConnection,
    key: &StationKey,
    mut messages: &[&Arc<KeptMessage>],
) -> Result<(), StoreError> {
    while !messages.is_empty() {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < PER_INSERT.0
            && bytes < PER_INSERT.1
            && let Some((message, rest)) = messages.split_first()
        {
            messages = rest;
            let id = number(message.number)?;
            bytes += message.weight();
            rows.push((message, id, seal(key, id, message)?));
        }
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT OR IGNORE INTO message (id, topic, qos, retain, expires_ms, body) ",
        );
        insert.push_values(rows, |mut row, (message, id, body)| {
            let expires = message.expires_ms.map(|at| i64::try_from(at).unwrap_or(i64::MAX));
            row.push_bind(id)
                .push_bind(message.topic.as_str())
                .push_bind(i64::from(message.qos))
                .push_bind(message.retain)
                .push_bind(expires)
                .push_bind(body);
        });
        insert.build().execute(&mut *conn).await?;
    }
    Ok(())
}

fn seal(key: &StationKey, id: i64, message: &KeptMessage) -> Result<Vec<u8>, StoreError> {
    let properties = u32::try_from(message.properties.len()).map_err(|_| StoreError::Shape(BODY))?;
    let body = [&properties.to_be_bytes()[..], &message.properties, &message.payload].concat();
    Ok(key.seal(Place { column: BODY, row: id }, &body)?)
}
