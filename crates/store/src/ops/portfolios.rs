//! How many people each portfolio may write to, and whom it wrote to. The latter is written by `commit` alone.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contact::{Counted, Hour, Person};
use domain::contracts::portfolios::{Portfolio, Portfolios};
use domain::contracts::store::Result;
use domain::news::MessagingLimit;

use super::Database;
use crate::error::failed;

#[async_trait]
impl Portfolios for Database {
    async fn portfolio(&self, id: &str, from: Hour) -> Result<Option<Portfolio>> {
        let row: Option<(Option<i64>,)> = sqlx::query_as("SELECT per_day FROM portfolios WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        let Some((per_day,)) = row else { return Ok(None) };
        let limit = per_day.map_or(MessagingLimit::Unlimited, |per_day| {
            MessagingLimit::PerDay(u64::try_from(per_day).unwrap_or(0))
        });
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT person, from_hour, until_hour FROM portfolio_reach WHERE portfolio = $1 AND until_hour > $2",
        )
        .bind(id)
        .bind(from.0)
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let reached = rows
            .into_iter()
            .map(|(person, from, until)| (Person(person), Counted { from: Hour(from), until: Hour(until) }));
        Ok(Some(Portfolio { limit, reached: reached.collect() }))
    }

    async fn set_messaging_limit(&self, id: &str, limit: MessagingLimit, at: Timestamp) -> Result<bool> {
        let per_day = match limit {
            MessagingLimit::PerDay(people) => Some(i64::try_from(people).unwrap_or(i64::MAX)),
            MessagingLimit::Unlimited => None,
        };
        let done = sqlx::query(
            "INSERT INTO portfolios (id, per_day, said_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET per_day = excluded.per_day, said_at = excluded.said_at
             WHERE portfolios.said_at <= excluded.said_at AND portfolios.per_day IS DISTINCT FROM excluded.per_day",
        )
        .bind(id)
        .bind(per_day)
        .bind(at.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn forget_reached(&self, before: Hour, limit: u32) -> Result<u64> {
        let done = sqlx::query(concat!(
            "DELETE FROM portfolio_reach WHERE ",
            row_address!(),
            " IN (SELECT ",
            row_address!(),
            " FROM portfolio_reach WHERE until_hour <= $1 LIMIT $2)"
        ))
        .bind(before.0)
        .bind(i64::from(limit))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected())
    }
}
