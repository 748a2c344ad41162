//! The station's database: SQLite in `users/station.db`, sensitive columns sealed under the station's key.
//!
//! Knows rows, not rules: who may do what is decided in `accounts`. Each method is one transaction or one statement.
//! What the broker keeps rests elsewhere: see `log`. Start at [`Store::open`]; the layouts with their comments are the `.sql` files.

mod account;
mod anchor;
mod attempt;
mod device;
mod enrolment;
mod identity;
mod recovery;
mod session;
mod vault;

use std::{
    fs::{self, OpenOptions},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    StationError,
    key::{Place, SealBroken, StationKey},
};

pub(crate) use account::{AccountRow, Joining, NewAccount};
pub(crate) use attempt::{Limit, Scope};
pub(crate) use session::NewSession;

/// The layouts, oldest first; the file's `user_version` says how many it has. Append only.
const LAYOUTS: &[&str] = &[include_str!("0001_accounts.sql"), include_str!("0002_identity.sql")];

/// What every SQLite file begins with (<https://sqlite.org/fileformat.html> §1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a station's key must open, to be the right one.
const KEY_CHECK: &[u8] = b"the right key";

/// Why a question to the database has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database said no.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A sealed column does not open.
    #[error(transparent)]
    Seal(#[from] SealBroken),
    /// A column holds what it cannot hold.
    #[error("the column {0} holds what it cannot hold: the database was altered by other hands")]
    Shape(&'static str),
    /// No randomness for a row's id.
    #[error("{0}")]
    Randomness(String),
}

impl From<StationError> for StoreError {
    fn from(error: StationError) -> Self {
        Self::Randomness(error.to_string())
    }
}

/// The open database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
    key: Arc<StationKey>,
}

impl Store {
    /// Opens the database, makes it where there is none, and brings its layout up to date.
    pub(crate) async fn open(path: &Path, key_path: &Path) -> Result<(Self, Arc<StationKey>), StationError> {
        let new = prepare_file(path)?;
        let key = Arc::new(StationKey::open(key_path, new)?);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // Each commit is on disk before it is answered: a spent code stays spent after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            // What is deleted is overwritten: revoked proofs and old vaults do not linger in free pages.
            .pragma("secure_delete", "on");
        let pool = pool_options(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|error| unusable(path, &error))?;
        let store = Self { pool, key: Arc::clone(&key) };
        match store.begin_using(path, key_path).await {
            Ok(()) => Ok((store, key)),
            Err(error) => {
                store.pool.close().await;
                Err(error)
            }
        }
    }

    /// Checks the file, its layout and its key.
    async fn begin_using(&self, path: &Path, key_path: &Path) -> Result<(), StationError> {
        let unusable = |error: sqlx::Error| unusable(path, &error);
        let verdict: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.pool).await.map_err(unusable)?;
        if verdict != "ok" {
            return Err(StationError::DamagedDatabase { path: path.to_owned(), reason: verdict });
        }
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&self.pool).await.map_err(unusable)?;
        let known = i64::try_from(LAYOUTS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StationError::NewerDatabase { path: path.to_owned(), found, known });
        }
        for (number, layout) in (1_i64..).zip(LAYOUTS).filter(|(number, _)| *number > found) {
            let mut tx = self.write().await.map_err(unusable)?;
            sqlx::raw_sql(*layout).execute(&mut *tx).await.map_err(unusable)?;
            // A pragma takes no bound values; `number` is our own count.
            let mark = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {number}"));
            sqlx::raw_sql(mark).execute(&mut *tx).await.map_err(unusable)?;
            tx.commit().await.map_err(unusable)?;
        }
        self.check_key(path, key_path).await
    }

    /// Whether the key is the one that sealed this database.
    async fn check_key(&self, path: &Path, key_path: &Path) -> Result<(), StationError> {
        let wrong = || StationError::WrongKey { key: key_path.to_owned(), database: path.to_owned() };
        let place = Place { column: "meta.value", row: 0 };
        let unusable = |error: sqlx::Error| unusable(path, &error);
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'key check'")
            .fetch_optional(&self.pool)
            .await
            .map_err(unusable)?;
        if let Some(sealed) = sealed {
            return match self.key.open_column(place, &sealed) {
                Ok(plain) if plain.as_slice() == KEY_CHECK => Ok(()),
                _ => Err(wrong()),
            };
        }
        let sealed = self.key.seal(place, KEY_CHECK).map_err(|e| StationError::Tls(e.to_string()))?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('key check', ?)")
            .bind(sealed)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(unusable)
    }

    /// A transaction that may write: it takes the write lock at once, so that what it read cannot change under it.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// Removes what is over: sessions, enrolments, resets, remembered computers, old vaults, old failures.
    pub(crate) async fn sweep(&self, now: i64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for sql in [
            "DELETE FROM remembered WHERE until_ms <= ?1",
            "DELETE FROM enrolment WHERE until_ms <= ?1",
            "DELETE FROM reset WHERE until_ms <= ?1",
            "DELETE FROM vault WHERE kept_until_ms <= ?1",
        ] {
            sqlx::query(sql).bind(now).execute(&mut *tx).await?;
        }
        attempt::sweep(&mut tx, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes everything to disk and closes.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the file, owner only, where there is none (answers true), and refuses one that is no database before
/// anything is written to it.
fn prepare_file(path: &Path) -> Result<bool, StationError> {
    let failed = |reason: std::io::Error| StationError::Database {
        path: path.to_owned(),
        reason: format!("{reason} — give yourself the right to it, or choose another folder with --data DIR"),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600); // SQLite gives its write-ahead log the same rights.
    }
    match options.open(path) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let mut head = [0; 16];
    let mut file = fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() == 0 {
        return Ok(true); // A first start that was cut off.
    }
    match file.read_exact(&mut head) {
        Ok(()) if &head == MAGIC => Ok(false),
        _ => Err(StationError::DamagedDatabase {
            path: path.to_owned(),
            reason: "it does not begin as an SQLite file".into(),
        }),
    }
}

/// A pool that does not keep a connection whose transaction SQLite ended by itself, as it does when the disk is full
/// (<https://sqlite.org/lang_transaction.html> §3): sqlx does not notice, and would begin none on it any more.
fn pool_options(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).after_release(|conn, _| {
        Box::pin(async move {
            conn.ping().await?; // What is under way is over then, a rollback too.
            Ok(!conn.is_in_transaction())
        })
    })
}

fn unusable(path: &Path, error: &sqlx::Error) -> StationError {
    let path: PathBuf = path.to_owned();
    // SQLITE_CORRUPT and SQLITE_NOTADB, by their primary codes (<https://sqlite.org/rescode.html>).
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let primary = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    match primary {
        Some(11 | 26) => StationError::DamagedDatabase { path, reason: error.to_string() },
        _ => StationError::Database { path, reason: error.to_string() },
    }
}

/// Seals a column that may be empty.
fn seal_option(key: &StationKey, place: Place, plain: Option<&[u8]>) -> Result<Option<Vec<u8>>, SealBroken> {
    plain.map(|plain| key.seal(place, plain)).transpose()
}

/// The connection inside a transaction, for helpers that several methods share.
type Conn = SqliteConnection;
