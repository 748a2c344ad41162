//! Everything that was kept, read at the start. A row that cannot be read is left out and removed: it was altered by
//! other hands, and one message less is better than no station.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use sqlx::{SqliteConnection, SqlitePool};

use crate::{
    broker::{Kept, KeptMessage, KeptParcel, KeptSession, SubscriptionOptions},
    station::{
        key::{Place, StationKey},
        store::StoreError,
    },
    topic::{TopicFilter, TopicName},
};

use super::BODY;

/// Messages that are read at once.
const PAGE: i64 = 500;

/// id, topic, qos, retain, expires_ms, body.
type MessageRow = (i64, String, i64, bool, Option<i64>, Vec<u8>);
/// session, number, message, retain, replay, identifiers.
type QueuedRow = (i64, i64, i64, bool, bool, Option<String>);
/// session, filter, qos, no_local, retain_as_published, identifier.
type SubscriptionRow = (i64, String, i64, bool, bool, Option<i64>);

/// See the module.
pub(super) async fn all(pool: &SqlitePool, key: &StationKey) -> Result<Kept, StoreError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let messages = messages(&mut tx, key).await?;
    let mut sessions = sessions(&mut tx).await?;

    let queue: Vec<QueuedRow> = sqlx::query_as(
        "SELECT session, number, message, retain, replay, identifiers FROM queued ORDER BY session, number",
    )
    .fetch_all(&mut *tx)
    .await?;
    for (session, number, message, retain, replay, identifiers) in queue {
        let (Some(session), Some(message)) = (sessions.get_mut(&session), messages.get(&message)) else {
            continue;
        };
        let ids: Option<Vec<u32>> = identifiers.and_then(|ids| serde_json::from_str(&ids).ok());
        session.queue.push(KeptParcel {
            number: u64::try_from(number).unwrap_or(0),
            message: Arc::clone(message),
            qos: 1,
            retain,
            replay,
            subscription_ids: ids.unwrap_or_default().into(),
        });
    }

    let retained: Vec<i64> =
        sqlx::query_scalar("SELECT message FROM retained ORDER BY topic").fetch_all(&mut *tx).await?;
    let retained = retained.iter().filter_map(|message| messages.get(message).cloned()).collect();
    tx.commit().await?;
    Ok(Kept { sessions: sessions.into_values().collect(), retained, wills: Vec::new() })
}

/// The messages that something refers to; removes what nothing does, or what does not open.
async fn messages(
    conn: &mut SqliteConnection,
    key: &StationKey,
) -> Result<HashMap<i64, Arc<KeptMessage>>, StoreError> {
    let mut messages = HashMap::new();
    let (mut last, mut unreadable) = (i64::MIN, Vec::new());
    loop {
        let rows: Vec<MessageRow> = sqlx::query_as(
            "SELECT id, topic, qos, retain, expires_ms, body FROM message WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(last)
        .bind(PAGE)
        .fetch_all(&mut *conn)
        .await?;
        let Some(row) = rows.last() else { break };
        last = row.0;
        for row in rows {
            let id = row.0;
            match message(key, row) {
                Some(message) => {
                    messages.insert(id, Arc::new(message));
                }
                None => unreadable.push(id),
            }
        }
    }
    if !unreadable.is_empty() {
        tracing::warn!(messages = unreadable.len(), "kept messages cannot be opened any more and are gone");
        let ids = serde_json::json!(unreadable).to_string();
        sqlx::query("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))")
            .bind(ids)
            .execute(&mut *conn)
            .await?;
    }
    for sql in [
        "DELETE FROM queued WHERE message NOT IN (SELECT id FROM message)
         OR session NOT IN (SELECT id FROM session)",
        "DELETE FROM retained WHERE message NOT IN (SELECT id FROM message)",
        "DELETE FROM subscription WHERE session NOT IN (SELECT id FROM session)",
        "DELETE FROM message WHERE id NOT IN (SELECT message FROM queued)
         AND id NOT IN (SELECT message FROM retained)",
    ] {
        sqlx::query(sql).execute(&mut *conn).await?;
    }
    Ok(messages)
}

fn message(key: &StationKey, row: MessageRow) -> Option<KeptMessage> {
    let (id, topic, qos, retain, expires_ms, sealed) = row;
    let body = key.open_column(Place { column: BODY, row: id }, &sealed).ok()?;
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (properties, payload) = rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
    Some(KeptMessage {
        number: u64::try_from(id).ok().filter(|id| *id > 0)?,
        topic: TopicName::new(&topic).ok()?,
        payload: Bytes::copy_from_slice(payload),
        properties: properties.into(),
        qos: u8::try_from(qos).ok().filter(|qos| *qos <= 1)?,
        retain,
        expires_ms: expires_ms.map(|at| u64::try_from(at).unwrap_or(0)),
    })
}

/// The sessions with their subscriptions, by number.
async fn sessions(conn: &mut SqliteConnection) -> Result<BTreeMap<i64, KeptSession>, StoreError> {
    let rows: Vec<(i64, String, String, i64, Option<i64>)> =
        sqlx::query_as("SELECT id, account, client_id, expiry_s, left_ms FROM session ORDER BY id")
            .fetch_all(&mut *conn)
            .await?;
    let session = |(id, account, client_id, expiry, left): (i64, String, String, i64, Option<i64>)| {
        let kept = KeptSession {
            session: u64::try_from(id).ok()?,
            account: account.into(),
            client_id: client_id.into(),
            expiry_secs: u32::try_from(expiry).ok()?,
            left_ms: left.map(|left| u64::try_from(left).unwrap_or(0)),
            subscriptions: Vec::new(),
            queue: Vec::new(),
            released: Vec::new(),
            accepted: Vec::new(),
        };
        Some((id, kept))
    };
    let mut sessions: BTreeMap<_, _> = rows.into_iter().filter_map(session).collect();
    let subscriptions: Vec<SubscriptionRow> = sqlx::query_as(
        "SELECT session, filter, qos, no_local, retain_as_published, identifier FROM subscription",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (session, filter, qos, no_local, retain_as_published, id) in subscriptions {
        let options = SubscriptionOptions {
            qos: u8::from(qos > 0),
            no_local,
            retain_as_published,
            id: id.and_then(|id| u32::try_from(id).ok()),
        };
        if let (Some(session), Ok(filter)) = (sessions.get_mut(&session), TopicFilter::new(&filter)) {
            session.subscriptions.push((filter, options));
        }
    }
    Ok(sessions)
}
