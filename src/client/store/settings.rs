//! The small things: what is watched, what goes in the clear, and single values.

use crate::topic::TopicFilter;

use super::{Store, StoreError};

impl Store {
    /// The filters that are watched, each with its QoS, and those whose end the broker has not confirmed.
    pub(in crate::client) async fn subscriptions(
        &mut self,
    ) -> Result<(Vec<(TopicFilter, u8)>, Vec<TopicFilter>), StoreError> {
        let rows: Vec<(String, bool, i64)> =
            sqlx::query_as("SELECT filter, gone, qos FROM subscriptions ORDER BY filter")
                .fetch_all(&mut self.db)
                .await?;
        let (mut watched, mut ended) = (Vec::new(), Vec::new());
        for (filter, gone, qos) in rows {
            let Ok(filter) = TopicFilter::new(filter) else { continue };
            match gone {
                true => ended.push(filter),
                false => watched.push((filter, u8::try_from(qos).unwrap_or(1).min(2))),
            }
        }
        Ok((watched, ended))
    }

    /// Watches `filter` at a QoS, or stops (`None`).
    pub(in crate::client) async fn set_subscription(
        &mut self,
        filter: &TopicFilter,
        qos: Option<u8>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO subscriptions (filter, gone, qos) VALUES (?, ?, ?)")
            .bind(filter.as_str())
            .bind(qos.is_none())
            .bind(i64::from(qos.unwrap_or(0)))
            .execute(&mut self.db)
            .await?;
        Ok(())
    }

    /// The broker confirmed the end of `filter`.
    pub(in crate::client) async fn forget_subscription(
        &mut self,
        filter: &TopicFilter,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM subscriptions WHERE filter = ? AND gone")
            .bind(filter.as_str())
            .execute(&mut self.db)
            .await?;
        Ok(())
    }

    /// The filters that may go without a seal.
    pub(in crate::client) async fn clear_topics(&mut self) -> Result<Vec<TopicFilter>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT filter FROM clear_topics ORDER BY filter")
            .fetch_all(&mut self.db)
            .await?;
        Ok(rows.iter().filter_map(|filter| TopicFilter::new(filter).ok()).collect())
    }

    /// Lets `filter` go without a seal, or no longer.
    pub(in crate::client) async fn set_clear(
        &mut self,
        filter: &TopicFilter,
        clear: bool,
    ) -> Result<(), StoreError> {
        let change = if clear {
            sqlx::query("INSERT OR REPLACE INTO clear_topics (filter) VALUES (?)")
        } else {
            sqlx::query("DELETE FROM clear_topics WHERE filter = ?")
        };
        change.bind(filter.as_str()).execute(&mut self.db).await?;
        Ok(())
    }

    /// A single value.
    pub(in crate::client) async fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM settings WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.db)
            .await?)
    }

    /// Forgets a single value.
    pub(in crate::client) async fn forget_setting(&mut self, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM settings WHERE name = ?").bind(name).execute(&mut self.db).await?;
        Ok(())
    }

    /// Stores a single value.
    pub(in crate::client) async fn set_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)")
            .bind(name)
            .bind(value)
            .execute(&mut self.db)
            .await?;
        Ok(())
    }
}
