//! Deleting what is old, a few rows at a time so that nobody waits for it.
//!
//! On Postgres days go in one piece; this is for what is not in a partition of its own day.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::retention::{Kept, Retention};
use domain::contracts::store::Result;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Database, Db, FIRST_KEPT_EVENT, days, push_list};
use crate::error::failed;
use crate::retention::{body_is_needed, first_id};

/// Rows of a kind that one call looks at.
const STEP: u16 = 256;

/// How far the present pass has come in tables where rows may stay.
#[derive(Debug, Default)]
pub(super) struct Passed {
    bodies: Uuid,
    messages: Uuid,
    lines: Uuid,
}

#[async_trait]
impl Retention for Database {
    async fn prepare_days(&self, now: Timestamp) -> Result<()> {
        days::prepare(&self.write, now).await
    }

    async fn drop_days(&self, kept: &Kept) -> Result<()> {
        days::drop_old(&self.write, kept).await
    }

    async fn delete_old(&self, kept: &Kept) -> Result<bool> {
        let mut passed = self.passed.lock().await;
        let events = self.delete_old_events(kept.events).await?;
        let deliveries = self.delete_deliveries().await?;
        let quarantined = self.delete_old_quarantined(kept.events).await?;
        let bodies = self.delete_old_bodies(kept.bodies, &mut passed.bodies).await?;
        let messages = self.delete_old_messages(kept.messages, &mut passed.messages).await?;
        let lines = self.delete_old_lines(kept.messages, &mut passed.lines).await?;
        let media = self.delete_gone_media(kept.messages).await?;
        let has_more = events || deliveries || quarantined || bodies || messages || lines || media;
        if !has_more {
            self.finish_erasures().await?;
        }
        Ok(has_more)
    }
}

impl Database {
    /// In the order in which they were heard, up to the first that was heard since `kept`: all behind it were too.
    async fn delete_old_events(&self, kept: Timestamp) -> Result<bool> {
        let before = first_id(kept);
        let first_kept = match FIRST_KEPT_EVENT {
            None => None,
            Some(statement) => {
                let (first,): (Option<i64>,) =
                    sqlx::query_as(statement).bind(before).fetch_one(&self.read).await.map_err(failed)?;
                first
            }
        };
        let rows: Vec<(i64, Uuid, i64)> = sqlx::query_as(concat!(
            "SELECT seq, id, occurred_at FROM ",
            rest!("events"),
            " ORDER BY seq LIMIT $1"
        ))
        .bind(i64::from(STEP))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let is_old = |(seq, id, occurred_at): &&(i64, Uuid, i64)| {
            *id < before && *occurred_at < kept.as_micros() && first_kept.is_none_or(|first| *seq < first)
        };
        let old: Vec<Uuid> = rows.iter().take_while(is_old).map(|(_, id, _)| *id).collect();
        self.delete(concat!("DELETE FROM ", rest!("events"), " WHERE id IN "), &old, "").await?;
        Ok(old.len() == usize::from(STEP))
    }

    async fn delete_old_bodies(&self, kept: Timestamp, passed: &mut Uuid) -> Result<bool> {
        let statement = concat!(
            "SELECT id FROM ",
            rest!("outbox_body"),
            " WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3"
        );
        let old = self.next(statement, first_id(kept), passed).await?;
        let needed = format!(
            " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = {}.id AND ({}))",
            rest!("outbox_body"),
            body_is_needed(kept)
        );
        self.delete(concat!("DELETE FROM ", rest!("outbox_body"), " WHERE id IN "), &old, &needed).await?;
        Ok(old.len() == usize::from(STEP))
    }

    async fn delete_old_messages(&self, kept: Timestamp, passed: &mut Uuid) -> Result<bool> {
        let statement =
            concat!("SELECT id FROM ", rest!("outbox"), " WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3");
        let old = self.next(statement, first_id(kept), passed).await?;
        self.delete(concat!("DELETE FROM ", rest!("outbox"), " WHERE id IN "), &old, " AND state >= 4")
            .await?;
        Ok(old.len() == usize::from(STEP))
    }

    /// Of messages that are gone.
    async fn delete_old_lines(&self, kept: Timestamp, passed: &mut Uuid) -> Result<bool> {
        let statement = "SELECT DISTINCT message FROM timeline WHERE message > $1 AND message < $2
             ORDER BY message LIMIT $3";
        let old = self.next(statement, first_id(kept), passed).await?;
        let gone = " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = timeline.message)";
        self.delete("DELETE FROM timeline WHERE message IN ", &old, gone).await?;
        Ok(old.len() == usize::from(STEP))
    }

    /// Of events that are gone: they can be tried no more.
    async fn delete_deliveries(&self) -> Result<bool> {
        let old: Vec<(Uuid,)> = sqlx::query_as(
            "SELECT id FROM failed_deliveries WHERE event_seq < (SELECT MIN(seq) FROM events)
             ORDER BY event_seq LIMIT $1",
        )
        .bind(i64::from(STEP))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let old: Vec<Uuid> = old.into_iter().map(|(id,)| id).collect();
        self.delete("DELETE FROM failed_deliveries WHERE id IN ", &old, "").await?;
        Ok(old.len() == usize::from(STEP))
    }

    /// Whose content was deleted before; what is not gone yet stays until it is.
    async fn delete_gone_media(&self, kept: Timestamp) -> Result<bool> {
        let old: Vec<(Uuid,)> =
            sqlx::query_as("SELECT id FROM media WHERE state = 'gone' AND id < $1 ORDER BY id LIMIT $2")
                .bind(first_id(kept))
                .bind(i64::from(STEP))
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        let old: Vec<Uuid> = old.into_iter().map(|(id,)| id).collect();
        self.delete("DELETE FROM media WHERE id IN ", &old, "").await?;
        Ok(old.len() == usize::from(STEP))
    }

    /// In the order in which they came, up to the first that came since `kept`.
    async fn delete_old_quarantined(&self, kept: Timestamp) -> Result<bool> {
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as("SELECT id, received_at FROM quarantine ORDER BY seq LIMIT $1")
                .bind(i64::from(STEP))
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        let is_old = |(_, received_at): &&(Uuid, i64)| *received_at < kept.as_micros();
        let old: Vec<Uuid> = rows.iter().take_while(is_old).map(|(id, _)| *id).collect();
        self.delete("DELETE FROM quarantine WHERE id IN ", &old, "").await?;
        Ok(old.len() == usize::from(STEP))
    }

    /// The next ids behind `passed` and before `before`. At the end the next pass begins.
    async fn next(&self, statement: &'static str, before: Uuid, passed: &mut Uuid) -> Result<Vec<Uuid>> {
        let found: Vec<(Uuid,)> = sqlx::query_as(statement)
            .bind(*passed)
            .bind(before)
            .bind(i64::from(STEP))
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        let ids: Vec<Uuid> = found.into_iter().map(|(id,)| id).collect();
        *passed = ids.last().copied().filter(|_| ids.len() == usize::from(STEP)).unwrap_or_default();
        Ok(ids)
    }

    async fn delete(&self, statement: &str, ids: &[Uuid], condition: &str) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<Db>::new(statement);
        push_list(&mut query, ids.iter().copied());
        query.push(condition);
        query.build().persistent(false).execute(&self.write).await.map_err(failed)?;
        Ok(())
    }
}
