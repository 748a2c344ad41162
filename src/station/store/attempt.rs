//! Failures, counted before they happen, so that tries at the same time are all counted.

use super::{Conn, Store, StoreError};

/// A lock is never longer, in milliseconds; and failures are forgotten after as long without another.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows that are kept at most: whoever tries a name each gains nothing but our disk.
const MAX_ROWS: i64 = 200_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Scope {
    /// Failures of one account from one address.
    AccountAtAddress = 1,
    /// Failures of one account from everywhere.
    Account = 2,
    /// Failures from one address for all accounts.
    Address = 3,
    /// Resets by one-time code of one account.
    CodeReset = 4,
    /// Sign-ups from one address.
    SignUp = 5,
}

/// A limit on something counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// What.
    pub scope: Scope,
    /// Of whom: a keyed hash.
    pub who: [u8; 16],
    /// Locks after so many, and again after as many more.
    pub every: i64,
    /// How long the first lock is; each further one is twice as long.
    pub lock_ms: i64,
}

impl Store {
    /// Counts one try against all `limits`. `Err` with the milliseconds to wait where one of them is locked; then
    /// none is counted.
    pub(crate) async fn admit(&self, limits: &[Limit], now: i64) -> Result<Result<(), i64>, StoreError> {
        let mut tx = self.write().await?;
        let mut counted = Vec::with_capacity(limits.len());
        for limit in limits {
            let row: Option<(i64, i64, i64)> = sqlx::query_as(
                "SELECT failures, locked_ms, last_ms FROM attempt WHERE scope = ? AND who = ?",
            )
            .bind(limit.scope as i64)
            .bind(limit.who.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
            let (failures, locked_ms, last_ms) = row.unwrap_or((0, 0, now));
            // A clock that was set back must not lock for years.
            let wait = (locked_ms - now).min(DAY_MS);
            if wait > 0 {
                return Ok(Err(wait));
            }
            counted.push(if now - last_ms >= DAY_MS { 1 } else { failures + 1 });
        }
        for (limit, failures) in limits.iter().zip(counted) {
            let locked_ms = if failures % limit.every == 0 {
                let doublings = u32::try_from(failures / limit.every - 1).unwrap_or(u32::MAX).min(20);
                now + limit.lock_ms.saturating_mul(1 << doublings).min(DAY_MS)
            } else {
                0
            };
            sqlx::query(
                "INSERT INTO attempt (scope, who, failures, locked_ms, last_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET failures = ?3, locked_ms = ?4, last_ms = ?5",
            )
            .bind(limit.scope as i64)
            .bind(limit.who.as_slice())
            .bind(failures)
            .bind(locked_ms)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Takes a try back that turned out right: all failures of the account at this address, one of the others.
    pub(crate) async fn forgive(&self, limits: &[Limit]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for limit in limits {
            let sql = match limit.scope {
                Scope::AccountAtAddress => "DELETE FROM attempt WHERE scope = ?1 AND who = ?2 AND ?3 > 0",
                // The try was admitted, so a lock that stands now was set by counting it.
                _ => {
                    "UPDATE attempt SET failures = max(failures - 1, 0),
                     locked_ms = CASE WHEN failures % ?3 = 0 THEN 0 ELSE locked_ms END
                     WHERE scope = ?1 AND who = ?2"
                }
            };
            sqlx::query(sql)
                .bind(limit.scope as i64)
                .bind(limit.who.as_slice())
                .bind(limit.every)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Forgets failures that are long past, and the oldest where they are too many.
pub(super) async fn sweep(conn: &mut Conn, now: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attempt WHERE last_ms < ? AND locked_ms < ?")
        .bind(now - DAY_MS)
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "DELETE FROM attempt WHERE last_ms <= (SELECT last_ms FROM attempt ORDER BY last_ms DESC LIMIT 1 OFFSET ?)",
    )
    .bind(MAX_ROWS)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * 1000;

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("db"), &dir.path().join("key")).await.unwrap();
        (dir, store)
    }

    fn limit(scope: Scope, who: u8, every: i64) -> Limit {
        Limit { scope, who: [who; 16], every, lock_ms: 5 * MINUTE }
    }

    #[tokio::test]
    async fn an_account_locks_for_all_addresses_when_they_fail_often_enough_together() {
        let (_dir, store) = store().await;
        let account = limit(Scope::Account, 1, 50);
        for address in 0..50 {
            let here = limit(Scope::AccountAtAddress, address, 5);
            assert_eq!(store.admit(&[here, account], 1000).await.unwrap(), Ok(()), "{address}");
        }
        let elsewhere = limit(Scope::AccountAtAddress, 99, 5);
        assert_eq!(store.admit(&[elsewhere, account], 1000).await.unwrap(), Err(5 * MINUTE));
        // What was refused was not counted at the other limit either.
        for _ in 0..5 {
            assert_eq!(store.admit(&[elsewhere], 1000).await.unwrap(), Ok(()));
        }
        assert!(store.admit(&[elsewhere], 1000).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn locks_double_up_to_a_day_end_after_a_day_and_survive_no_clock_that_is_set_back() {
        let (_dir, store) = store().await;
        let one = limit(Scope::Account, 1, 1);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..11 {
            assert_eq!(store.admit(&[one], now).await.unwrap(), Ok(()));
            let wait = store.admit(&[one], now).await.unwrap().unwrap_err();
            waits.push(wait / MINUTE);
            now += wait;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 5], "then it is forgotten");
        let wait = store.admit(&[one], now - 365 * DAY_MS).await.unwrap().unwrap_err();
        assert!(wait <= DAY_MS);
    }

    #[tokio::test]
    async fn a_right_try_is_taken_back_and_clears_the_account_at_its_address_only() {
        let (_dir, store) = store().await;
        let both = [limit(Scope::AccountAtAddress, 1, 2), limit(Scope::Account, 2, 4)];
        for _ in 0..3 {
            assert_eq!(store.admit(&both, 0).await.unwrap(), Ok(()));
            store.forgive(&both).await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(store.admit(&both, 0).await.unwrap(), Ok(()));
        }
        assert!(store.admit(&both, 0).await.unwrap().is_err(), "two failures at one address");
        let elsewhere = [limit(Scope::AccountAtAddress, 3, 2), both[1]];
        assert_eq!(store.admit(&elsewhere, 0).await.unwrap(), Ok(()));
        assert_eq!(store.admit(&elsewhere, 0).await.unwrap(), Ok(()), "the fourth, which locks");
        store.forgive(&elsewhere).await.unwrap();
        assert_eq!(store.admit(&elsewhere, 0).await.unwrap(), Ok(()), "but it was right: no lock");
    }

    #[tokio::test]
    async fn old_failures_are_swept_away_and_locks_are_not() {
        let (_dir, store) = store().await;
        let (old, locked) = (limit(Scope::Account, 1, 9), limit(Scope::Account, 2, 1));
        store.admit(&[old], 0).await.unwrap().unwrap();
        store.admit(&[locked], 2 * DAY_MS).await.unwrap().unwrap();
        store.sweep(2 * DAY_MS).await.unwrap();
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM attempt").fetch_one(&store.pool).await.unwrap();
        assert_eq!(left, 1);
        assert!(store.admit(&[locked], 2 * DAY_MS).await.unwrap().is_err());
    }
}
