//! Envelopes as they arrived, bounded: the oldest go.

use bytes::Bytes;
use sqlx::{Sqlite, SqliteConnection};

use crate::{
    seal::{Kid, replay::Replay},
    topic::TopicName,
};

use super::{ROWS_PER_STATEMENT, Store, StoreError};

/// Messages that are kept at most: as many as the window shows unless told otherwise.
pub const MAX_HISTORY_ROWS: u64 = 100_000;
/// Their bytes at most, topics and envelopes.
pub const MAX_HISTORY_BYTES: u64 = 256 << 20;

/// Within its first so many bytes a native envelope names its key.
const HEADER_BYTES: i64 = 160;

/// One message as it arrived.
#[derive(Debug, Clone)]
pub(in crate::client) struct HistoryRow {
    pub id: i64,
    pub arrived_ms: u64,
    pub topic: TopicName,
    pub qos: u8,
    pub retained: bool,
    pub wire: Bytes,
    /// What was judged when it arrived; `None` where it could not be opened then.
    pub verdict: Option<Replay>,
}

impl HistoryRow {
    fn size(&self) -> u64 {
        (self.topic.as_str().len() + self.wire.len()) as u64
    }
}

/// How full the history is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    rows: u64,
    bytes: u64,
}

impl Fill {
    pub(super) async fn of(db: &mut SqliteConnection) -> Result<Self, StoreError> {
        let (rows, bytes): (i64, i64) =
            sqlx::query_as("SELECT count(*), coalesce(sum(length(topic) + length(wire)), 0) FROM history")
                .fetch_one(db)
                .await?;
        Ok(Self { rows: u64::try_from(rows).unwrap_or(0), bytes: u64::try_from(bytes).unwrap_or(0) })
    }
}

type Columns = (i64, i64, String, i64, bool, Vec<u8>, Option<String>);

impl Store {
    /// The newest `limit` messages, oldest first.
    pub(in crate::client) async fn history(&mut self, limit: u32) -> Result<Vec<HistoryRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, arrived_ms, topic, qos, retained, wire, verdict FROM history ORDER BY id DESC LIMIT ?",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut self.db)
        .await?;
        Ok(rows.into_iter().rev().filter_map(read).collect())
    }

    /// How many messages were sealed under one of these key ids, which stand in a native envelope's header.
    pub(in crate::client) async fn history_under(&mut self, kids: &[Kid]) -> Result<u64, StoreError> {
        let mut count = 0;
        for kid in kids {
            let under: i64 =
                sqlx::query_scalar("SELECT count(*) FROM history WHERE instr(substr(wire, 1, ?), ?) > 0")
                    .bind(HEADER_BYTES)
                    .bind(&kid.as_bytes()[..])
                    .fetch_one(&mut self.db)
                    .await?;
            count += u64::try_from(under).unwrap_or(0);
        }
        Ok(count)
    }

    /// How many messages `picked` picks, by topic and envelope. Read in pages, so that not all are in memory at once.
    pub(in crate::client) async fn history_where(
        &mut self,
        picked: impl Fn(&TopicName, &Bytes) -> bool,
    ) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, 0_i64);
        loop {
            let page: Vec<(i64, String, Vec<u8>)> =
                sqlx::query_as("SELECT id, topic, wire FROM history WHERE id > ? ORDER BY id LIMIT 256")
                    .bind(after)
                    .fetch_all(&mut self.db)
                    .await?;
            let Some((last, ..)) = page.last() else { return Ok(count) };
            after = *last;
            for (_, topic, wire) in page {
                let topic = TopicName::new(topic);
                count += u64::from(topic.is_ok_and(|topic| picked(&topic, &wire.into())));
            }
        }
    }

    /// Forgets all of it, also what SQLite leaves in pages that are free: messages in the clear rest here as they came.
    pub(in crate::client) async fn clear_history(&mut self) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM history").execute(&mut self.db).await?;
        self.history = Fill { rows: 0, bytes: 0 };
        sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.db).await?;
        Ok(())
    }
}

fn read((id, arrived_ms, topic, qos, retained, wire, verdict): Columns) -> Option<HistoryRow> {
    Some(HistoryRow {
        id,
        arrived_ms: u64::try_from(arrived_ms).ok()?,
        topic: TopicName::new(topic).ok()?,
        qos: u8::try_from(qos).ok()?,
        retained,
        wire: wire.into(),
        verdict: verdict.and_then(|name| serde_json::from_value(name.into()).ok()),
    })
}

/// The name that [`read`] takes back: serde's, without asking it for every message.
const fn name(verdict: Replay) -> &'static str {
    match verdict {
        Replay::Fresh => "fresh",
        Replay::Repeated => "repeated",
        Replay::TooOldToJudge => "too-old-to-judge",
        Replay::ReplayedAsRetained => "replayed-as-retained",
        Replay::RolledBack => "rolled-back",
    }
}

pub(super) async fn insert(
    db: &mut SqliteConnection,
    rows: &[HistoryRow],
    fill: &mut Fill,
) -> Result<(), StoreError> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut insert = sqlx::QueryBuilder::<Sqlite>::new(
            "INSERT INTO history (id, arrived_ms, topic, qos, retained, wire, verdict) ",
        );
        insert.push_values(rows, |mut row, new| {
            row.push_bind(new.id)
                .push_bind(i64::try_from(new.arrived_ms).unwrap_or(i64::MAX))
                .push_bind(new.topic.as_str())
                .push_bind(i64::from(new.qos))
                .push_bind(new.retained)
                .push_bind(&new.wire[..])
                .push_bind(new.verdict.map(name));
        });
        // A statement of full length comes again in every burst; those of other lengths would only fill the cache.
        let again = rows.len() == ROWS_PER_STATEMENT;
        insert.build().persistent(again).execute(&mut *db).await?;
        fill.rows += rows.len() as u64;
        fill.bytes += rows.iter().map(HistoryRow::size).sum::<u64>();
    }
    trim(db, fill, MAX_HISTORY_ROWS, MAX_HISTORY_BYTES).await
}

/// Lets the oldest go until both bounds hold, and a little more, so that it is not done for every message.
pub(super) async fn trim(
    db: &mut SqliteConnection,
    fill: &mut Fill,
    max_rows: u64,
    max_bytes: u64,
) -> Result<(), StoreError> {
    if fill.rows <= max_rows && fill.bytes <= max_bytes {
        return Ok(());
    }
    let (want_rows, want_bytes) = (max_rows - max_rows / 50, max_bytes - max_bytes / 50);
    while fill.rows > want_rows || fill.bytes > want_bytes {
        let oldest: Vec<(i64, i64)> =
            sqlx::query_as("SELECT id, length(topic) + length(wire) FROM history ORDER BY id LIMIT 1000")
                .fetch_all(&mut *db)
                .await?;
        let mut last = None;
        for (id, size) in oldest {
            if fill.rows <= want_rows && fill.bytes <= want_bytes {
                break;
            }
            fill.rows = fill.rows.saturating_sub(1);
            fill.bytes = fill.bytes.saturating_sub(u64::try_from(size).unwrap_or(0));
            last = Some(id);
        }
        let Some(last) = last else { break };
        sqlx::query("DELETE FROM history WHERE id <= ?").bind(last).execute(&mut *db).await?;
    }
    Ok(())
}
