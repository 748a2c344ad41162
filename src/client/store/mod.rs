//! What rests on this computer for one account at one station: outbox, history, replay memory, subscriptions,
//! settings, in one SQLite file under one lock.
//!
//! Envelopes only: opened payloads, keys, passwords and tokens never come here. Everything that one turn of the link
//! changes goes into one transaction ([`Store::commit`]), so that the cost of the disk is shared by all of it.
//! Start at [`Store::open`].

mod history;
mod outbox;
mod retained;
mod settings;

use std::path::{Path, PathBuf};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    files::{FileLock, FilesError, create_private_dir},
    topic::TopicName,
};

pub(super) use history::HistoryRow;
pub use history::{MAX_HISTORY_BYTES, MAX_HISTORY_ROWS};
pub(super) use outbox::OutboxRow;
pub(super) use retained::RetainedRow;

/// Rows per statement of a bulk insert: twelve values each stay far under SQLite's 32,766.
const ROWS_PER_STATEMENT: usize = 500;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queued_ms INTEGER NOT NULL, topic TEXT NOT NULL, qos INTEGER NOT NULL,
    retain INTEGER NOT NULL, wire BLOB NOT NULL, plain_len INTEGER NOT NULL, label TEXT, kid TEXT, suite TEXT,
    content_type TEXT);
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, arrived_ms INTEGER NOT NULL, topic TEXT NOT NULL, qos INTEGER NOT NULL,
    retained INTEGER NOT NULL, wire BLOB NOT NULL, verdict TEXT);
CREATE TABLE IF NOT EXISTS replay (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    filter TEXT PRIMARY KEY, gone INTEGER NOT NULL, qos INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unreleased (packet_id INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clear_topics (filter TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retained (
    topic TEXT PRIMARY KEY, qos INTEGER NOT NULL, queued_ms INTEGER NOT NULL, kid TEXT NOT NULL, wire BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// The layout that this version writes, in `PRAGMA user_version`.
const LAYOUT: i64 = 4;

/// From layout 1, which knew subscriptions at QoS 1 only.
const FROM_1: &str = "ALTER TABLE subscriptions ADD COLUMN qos INTEGER NOT NULL DEFAULT 1";

/// From the layouts before 4, which knew no signatures; new files come this way as well.
const FROM_3: &str = "ALTER TABLE outbox ADD COLUMN signed INTEGER NOT NULL DEFAULT 0";

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// The folder or its lock.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Another window has it.
    #[error("this account is open in another window on this computer")]
    InUse,
    /// A newer program wrote it.
    #[error("{0} was written by a newer version of Sealwire: update this one")]
    Newer(String),
    /// The database said no.
    #[error("{}", explain(.0))]
    Database(#[from] sqlx::Error),
}

/// SQLite's reason with the next step where there is one.
fn explain(error: &sqlx::Error) -> String {
    match primary_code(error) {
        Some(13) => "the disk is full: free some space and try again".to_owned(),
        Some(8) => "the state file cannot be written: give yourself the right to its folder".to_owned(),
        Some(11 | 26) => "the state file is damaged: log out and in again, and a new one begins".to_owned(),
        _ => format!("the state file on this computer failed: {error}"),
    }
}

/// SQLite's primary result code (the low byte of the extended one).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

impl StoreError {
    /// Whether the file itself is what is wrong.
    fn is_damage(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(primary_code(error), Some(11 | 26)))
    }
}

/// The state of one account, locked while it is open.
pub(super) struct Store {
    db: SqliteConnection,
    history: history::Fill,
    next_outbox: i64,
    next_history: i64,
    _lock: FileLock,
}

/// What one turn of the link changes, in one transaction.
#[derive(Default)]
pub(super) struct Changes {
    /// New messages on their way out.
    pub queued: Vec<OutboxRow>,
    /// Those that are done.
    pub done: Vec<i64>,
    /// Messages on their way out whose seal is another now.
    pub resealed: Vec<OutboxRow>,
    /// What the broker keeps of this account: the last of a topic, or nothing any more.
    pub retained: Vec<(TopicName, Option<RetainedRow>)>,
    /// What arrived.
    pub arrived: Vec<HistoryRow>,
    /// The replay memory: a value stored, or its row removed.
    pub replay: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Packet ids of messages that arrived at QoS 2: the broker may send the same again until it has released them.
    pub unreleased: Vec<u16>,
    /// Those that it has released.
    pub released: Vec<u16>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty()
            && self.done.is_empty()
            && self.resealed.is_empty()
            && self.retained.is_empty()
            && self.arrived.is_empty()
            && self.replay.is_empty()
            && self.unreleased.is_empty()
            && self.released.is_empty()
    }
}

impl Store {
    /// Opens the state in `folder`, or begins one. A damaged file is moved aside; where it is now is the second part
    /// of the answer.
    pub(super) async fn open(folder: &Path, now_ms: u64) -> Result<(Self, Option<PathBuf>), StoreError> {
        create_private_dir(folder)?;
        let lock = FileLock::try_take(&folder.join("lock"))?.ok_or(StoreError::InUse)?;
        let path = folder.join("state.db");
        match connect(&path).await {
            Ok(db) => Ok((Self::with(db, lock).await?, None)),
            Err(error) if error.is_damage() => {
                let aside = folder.join(format!("state.db.damaged-{now_ms}"));
                let io = |source| FilesError::Io {
                    action: "move aside",
                    path: path.display().to_string(),
                    source,
                    hint: "",
                };
                std::fs::rename(&path, &aside).map_err(io)?;
                for end in ["-wal", "-shm"] {
                    let of = |base: &Path| {
                        let mut name = base.as_os_str().to_owned();
                        name.push(end);
                        PathBuf::from(name)
                    };
                    if of(&path).exists() {
                        std::fs::rename(of(&path), of(&aside)).map_err(io)?;
                    }
                }
                Ok((Self::with(connect(&path).await?, lock).await?, Some(aside)))
            }
            Err(error) => Err(error),
        }
    }

    async fn with(mut db: SqliteConnection, lock: FileLock) -> Result<Self, StoreError> {
        let history = history::Fill::of(&mut db).await?;
        let next_outbox = next_id(&mut db, "outbox").await?;
        let next_history = next_id(&mut db, "history").await?;
        Ok(Self { db, history, next_outbox, next_history, _lock: lock })
    }

    /// The id of the next outbox row.
    pub(super) fn take_outbox_id(&mut self) -> i64 {
        self.next_outbox += 1;
        self.next_outbox - 1
    }

    /// The id of the next history row.
    pub(super) fn take_history_id(&mut self) -> i64 {
        self.next_history += 1;
        self.next_history - 1
    }

    /// Puts all of `changes` on disk, or nothing.
    pub(super) async fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut fill = self.history;
        let mut tx = self.db.begin().await?;
        outbox::insert(&mut tx, &changes.queued).await?;
        outbox::reseal(&mut tx, &changes.resealed).await?;
        retained::note(&mut tx, &changes.retained).await?;
        outbox::delete(&mut tx, &changes.done).await?;
        history::insert(&mut tx, &changes.arrived, &mut fill).await?;
        for rows in changes.replay.chunks(ROWS_PER_STATEMENT) {
            replay(&mut tx, rows).await?;
        }
        for packet_id in &changes.unreleased {
            sqlx::query("INSERT OR IGNORE INTO unreleased (packet_id) VALUES (?)")
                .bind(i64::from(*packet_id))
                .execute(&mut *tx)
                .await?;
        }
        for packet_id in &changes.released {
            sqlx::query("DELETE FROM unreleased WHERE packet_id = ?")
                .bind(i64::from(*packet_id))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        self.history = fill;
        Ok(())
    }

    /// The replay memory as it was stored.
    pub(super) async fn replay_rows(&mut self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        Ok(sqlx::query_as("SELECT key, value FROM replay").fetch_all(&mut self.db).await?)
    }

    /// Packet ids of messages that arrived at QoS 2 and that the broker has not released.
    pub(super) async fn unreleased(&mut self) -> Result<Vec<u16>, StoreError> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT packet_id FROM unreleased").fetch_all(&mut self.db).await?;
        Ok(ids.into_iter().filter_map(|id| u16::try_from(id).ok()).collect())
    }

    /// Forgets the replay memory: it cannot be read.
    pub(super) async fn forget_replay(&mut self) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM replay").execute(&mut self.db).await?;
        Ok(())
    }

    /// Closes the file in good order.
    pub(super) async fn close(self) {
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the state file did not close cleanly");
        }
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut db = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A message counts as queued or kept only when a power cut cannot take it back.
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    let checked: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut db).await?;
    if checked != "ok" {
        return Err(sqlx::Error::Database(Box::new(Damaged(checked))).into());
    }
    let layout: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut db).await?;
    if layout > LAYOUT {
        return Err(StoreError::Newer(path.display().to_string()));
    }
    let mut tx = db.begin().await?;
    if layout == 1 {
        sqlx::raw_sql(FROM_1).execute(&mut *tx).await?;
    }
    sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
    if layout < LAYOUT {
        sqlx::raw_sql(FROM_3).execute(&mut *tx).await?;
    }
    sqlx::raw_sql("PRAGMA user_version = 4").execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(db)
}

/// What `quick_check` found, as the database error that SQLite itself would give.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

impl sqlx::error::DatabaseError for Damaged {
    fn message(&self) -> &str {
        &self.0
    }
    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("11".into())
    }
    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }
}

async fn next_id(db: &mut SqliteConnection, table: &str) -> Result<i64, StoreError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = ?")
        .bind(table)
        .fetch_optional(db)
        .await?;
    Ok(last.unwrap_or(0) + 1)
}

async fn replay(db: &mut SqliteConnection, rows: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), StoreError> {
    let kept: Vec<_> = rows.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))).collect();
    if !kept.is_empty() {
        let mut insert = sqlx::QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO replay (key, value) ");
        insert.push_values(kept, |mut row, (key, value)| {
            row.push_bind(key.as_slice()).push_bind(value.as_slice());
        });
        insert.build().persistent(false).execute(&mut *db).await?;
    }
    for (key, _) in rows.iter().filter(|(_, value)| value.is_none()) {
        sqlx::query("DELETE FROM replay WHERE key = ?").bind(key.as_slice()).execute(&mut *db).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
