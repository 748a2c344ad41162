//! What the broker has kept: SQLite in `users/sessions.db`, apart from the accounts, so that neither's size nor waits
//! for the disk weigh on the other. Message bodies are sealed under the station's key.
//!
//! | file | what |
//! |---|---|
//! | `read` | everything, at the start |
//! | `write` | one batch of changes, as one transaction |
//!
//! A message that many sessions wait for is stored once. A file that is damaged is put aside at the start and a fresh
//! one begun: a station that lost its queues is better than none. Start at [`SessionKeeper::open`].

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    broker::{BoxFuture, Change, KeepError, Keeper, Kept},
    station::{StationError, key::StationKey},
};

use super::{StoreError, pool_options, prepare_file, unusable};

/// The layouts, oldest first; the file's `user_version` says how many it has. Append only.
const LAYOUTS: &[&str] = &[include_str!("0001_sessions.sql")];

/// The column that is sealed.
const BODY: &str = "message.body";

/// The write-ahead log is cut back to this after a burst.
const WAL_BYTES: &str = "67108864";

/// See the module.
pub(crate) struct SessionKeeper {
    /// One connection: its thread is the one that writes.
    pool: SqlitePool,
    key: Arc<StationKey>,
    /// What was there at the start, until the broker asks for it.
    kept: parking_lot::Mutex<Kept>,
}

impl SessionKeeper {
    /// Opens the file and reads it; makes one where there is none, and puts a damaged one aside.
    pub(crate) async fn open(path: &Path, key: Arc<StationKey>) -> Result<Self, StationError> {
        match Self::try_open(path, Arc::clone(&key)).await {
            Err(StationError::DamagedDatabase { reason, .. }) => {
                let aside = put_aside(path).map_err(|error| StationError::Database {
                    path: path.to_owned(),
                    reason: format!("it is damaged ({reason}) and cannot be put aside: {error}"),
                })?;
                tracing::warn!(
                    reason,
                    aside = %aside.display(),
                    "the sessions and retained messages were damaged: they were put aside, and new ones begun"
                );
                Self::try_open(path, key).await
            }
            opened => opened,
        }
    }

    async fn try_open(path: &Path, key: Arc<StationKey>) -> Result<Self, StationError> {
        prepare_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            // What the broker acknowledges survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_size_limit", WAL_BYTES);
        let pool = pool_options(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| unusable(path, &error))?;
        let mut keeper = Self { pool, key, kept: parking_lot::Mutex::default() };
        match keeper.begin_using(path).await {
            Ok(kept) => {
                *keeper.kept.get_mut() = kept;
                Ok(keeper)
            }
            Err(error) => {
                keeper.pool.close().await;
                Err(error)
            }
        }
    }

    /// Checks the file, brings its layout up to date, and reads it.
    async fn begin_using(&self, path: &Path) -> Result<Kept, StationError> {
        let failed = |error: sqlx::Error| unusable(path, &error);
        let verdict: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.pool).await.map_err(failed)?;
        if verdict != "ok" {
            return Err(StationError::DamagedDatabase { path: path.to_owned(), reason: verdict });
        }
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&self.pool).await.map_err(failed)?;
        let known = i64::try_from(LAYOUTS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StationError::NewerDatabase { path: path.to_owned(), found, known });
        }
        for (number, layout) in (1_i64..).zip(LAYOUTS).filter(|(number, _)| *number > found) {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            sqlx::raw_sql(*layout).execute(&mut *tx).await.map_err(failed)?;
            // A pragma takes no bound values; `number` is our own count.
            let mark = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {number}"));
            sqlx::raw_sql(mark).execute(&mut *tx).await.map_err(failed)?;
            tx.commit().await.map_err(failed)?;
        }
        // What a burst took is given back to the disk.
        sqlx::raw_sql("PRAGMA incremental_vacuum").execute(&self.pool).await.map_err(failed)?;
        read::all(&self.pool, &self.key).await.map_err(|error| match error {
            StoreError::Database(error) => failed(error),
            other => StationError::DamagedDatabase { path: path.to_owned(), reason: other.to_string() },
        })
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Keeper for SessionKeeper {
    fn restore(&self) -> BoxFuture<'_, Kept> {
        let kept = std::mem::take(&mut *self.kept.lock());
        Box::pin(std::future::ready(kept))
    }

    fn commit<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let written = write::commit(&self.pool, &self.key, changes).await;
            written.map_err(|error| KeepError(error.to_string()))
        })
    }
}

/// Renames the file and its companions; they keep what may still be read from them by hand.
fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let named = |path: &Path, suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (0..)
        .map(|number: u32| match number {
            0 => named(path, &format!(".damaged-{seconds}")),
            _ => named(path, &format!(".damaged-{seconds}-{number}")),
        })
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| named(path, ".damaged"));
    for companion in ["-wal", "-shm"] {
        let from = named(path, companion);
        if from.exists() {
            fs::rename(from, named(&aside, companion))?;
        }
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// As the database counts.
fn number(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Shape("id"))
}
