//! Erasing a business.
//!
//! First, in one commit, everything that lets anyone act or read goes: its data keys, credentials, connections
//! and endpoints, and its name. From then on nothing can be added for it. What its keys had sealed is then
//! deleted in small steps, because it may be much, and others write meanwhile. The row itself goes last, so
//! that an erasure that was cut short is finished by the next one, or by retention.

use domain::contracts::store::{IdempotencyRecord, Result};
use domain::ids::BusinessKey;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Database, Db, LOCK_STREAM, Tx, push_list, traces};
use crate::error::failed;

/// Rows deleted in one step.
const STEP: i64 = 256;
/// Idempotency keys looked through in one step.
const WINDOW: i64 = 4_096;

/// Each takes the business as `$1`. A commit that names it shares its partition's row; whoever adds a key, a
/// connection or an endpoint shares its own; and a commit of deliveries updates an endpoint before its failures.
const LOCKS: [&str; 3] = [
    concat!(
        "SELECT id FROM partitions WHERE id = (SELECT partition FROM businesses WHERE id = $1)",
        for_update!()
    ),
    concat!("SELECT id FROM businesses WHERE id = $1", for_update!()),
    concat!("SELECT id FROM endpoints WHERE business = $1 ORDER BY id", for_update!()),
];

/// While its numbers are known, and by itself: a commit deletes of these rows what are too many, and goes on to rows that
/// are locked below. What is of a shared account goes too: nothing but an operator reads it.
const QUARANTINED: &str = "DELETE FROM quarantine WHERE subject IN (
    SELECT graph_id FROM connections WHERE business = $1 UNION SELECT waba_id FROM connections WHERE business = $1
)";

/// Each takes the business as `$1`; children before what they refer to.
const AT_ONCE: [&str; 11] = [
    "DELETE FROM data_keys WHERE owner = $1",
    "DELETE FROM official_whatsapp_credentials WHERE business_id = $1",
    "DELETE FROM listening WHERE connection IN (SELECT id FROM connections WHERE business = $1)",
    // Of accounts that no other business is connected through.
    "DELETE FROM templates WHERE waba_id IN (SELECT waba_id FROM connections WHERE business = $1)
     AND waba_id NOT IN (SELECT waba_id FROM connections WHERE business <> $1 AND waba_id IS NOT NULL)",
    "DELETE FROM template_syncs WHERE waba_id IN (SELECT waba_id FROM connections WHERE business = $1)
     AND waba_id NOT IN (SELECT waba_id FROM connections WHERE business <> $1 AND waba_id IS NOT NULL)",
    "DELETE FROM portfolio_reach WHERE portfolio IN (SELECT waba_id FROM connections WHERE business = $1)
     AND portfolio NOT IN (SELECT waba_id FROM connections WHERE business <> $1 AND waba_id IS NOT NULL)",
    "DELETE FROM portfolios WHERE id IN (SELECT waba_id FROM connections WHERE business = $1)
     AND id NOT IN (SELECT waba_id FROM connections WHERE business <> $1 AND waba_id IS NOT NULL)",
    "DELETE FROM connections WHERE business = $1",
    "DELETE FROM failed_deliveries WHERE endpoint IN (SELECT id FROM endpoints WHERE business = $1)",
    "DELETE FROM endpoints WHERE business = $1",
    "DELETE FROM onboarding_sessions
     WHERE (account, business) IN (SELECT account, reference FROM businesses WHERE id = $1)",
];

/// Each takes the business as `$1` and the length of a step as `$2`.
const IN_STEPS: [&str; 4] = [
    "DELETE FROM contact_windows WHERE business = $1
     AND contact IN (SELECT contact FROM contact_windows WHERE business = $1 LIMIT $2)",
    "DELETE FROM contact_aliases WHERE business = $1
     AND alias IN (SELECT alias FROM contact_aliases WHERE business = $1 LIMIT $2)",
    "DELETE FROM contacts WHERE business = $1
     AND key IN (SELECT key FROM contacts WHERE business = $1 LIMIT $2)",
    "DELETE FROM stats_hours WHERE business = $1
     AND hour IN (SELECT hour FROM stats_hours WHERE business = $1 LIMIT $2)",
];

impl Database {
    pub(super) async fn erase(&self, key: BusinessKey) -> Result<()> {
        sqlx::query(QUARANTINED).bind(key.0).execute(&self.write).await.map_err(failed)?;
        self.lock_out(key).await?;
        self.finish_erasures().await
    }

    pub(super) async fn finish_erasures(&self) -> Result<()> {
        let _alone = self.finishing.lock().await;
        let begun: Vec<(i64,)> = sqlx::query_as("SELECT id FROM businesses WHERE erased ORDER BY id")
            .fetch_all(&self.write)
            .await
            .map_err(failed)?;
        for &(business,) in &begun {
            self.forget_idempotency(business).await?;
            self.delete_messages(business).await?;
            self.delete_events(business).await?;
            self.delete_media(business).await?;
            for statement in IN_STEPS {
                self.delete_in_steps(statement, business).await?;
            }
        }
        if !begun.is_empty() {
            traces::remove(&self.write).await?;
        }
        for (business,) in begun {
            sqlx::query("DELETE FROM businesses WHERE id = $1 AND erased")
                .bind(business)
                .execute(&self.write)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn lock_out(&self, key: BusinessKey) -> Result<()> {
        let mut tx = Tx::begin(&self.write).await?;
        for statement in LOCKS.into_iter().chain(AT_ONCE) {
            sqlx::query(statement).bind(key.0).execute(tx.connection()).await.map_err(failed)?;
        }
        // Commits of events look for living businesses under the stream's lock, which is the last they take.
        if let Some(lock) = LOCK_STREAM {
            sqlx::query(lock).execute(tx.connection()).await.map_err(failed)?;
        }
        sqlx::query("UPDATE businesses SET erased = TRUE, reference = NULL, name = NULL WHERE id = $1")
            .bind(key.0)
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        tx.commit().await
    }

    /// Goes through the keys in order of their age, since they have no index by message, nor by whose they are.
    async fn forget_idempotency(&self, business: i64) -> Result<()> {
        let sealed = format!("%{}", IdempotencyRecord::ending(BusinessKey(business)));
        let mut from = i64::MIN;
        loop {
            let end: Option<(i64,)> = sqlx::query_as(
                "SELECT created_at FROM idempotency WHERE created_at > $1 ORDER BY created_at LIMIT 1 OFFSET $2",
            )
            .bind(from)
            .bind(WINDOW)
            .fetch_optional(&self.write)
            .await
            .map_err(failed)?;
            let until = end.map_or(i64::MAX, |(at,)| at);
            sqlx::query(
                "DELETE FROM idempotency WHERE created_at > $1 AND created_at <= $2 AND (answer LIKE $4 OR EXISTS (
                     SELECT 1 FROM outbox o WHERE o.id = idempotency.message AND o.business = $3
                 ))",
            )
            .bind(from)
            .bind(until)
            .bind(business)
            .bind(&sealed)
            .execute(&self.write)
            .await
            .map_err(failed)?;
            if end.is_none() {
                return Ok(());
            }
            from = until;
        }
    }

    async fn delete_in_steps(&self, statement: &'static str, business: i64) -> Result<()> {
        loop {
            let deleted = sqlx::query(statement).bind(business).bind(STEP).execute(&self.write).await;
            if deleted.map_err(failed)?.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    async fn delete_messages(&self, business: i64) -> Result<()> {
        loop {
            let mut tx = Tx::begin(&self.write).await?;
            let ids: Vec<(Uuid,)> =
                sqlx::query_as("SELECT id FROM outbox WHERE business = $1 ORDER BY id LIMIT $2")
                    .bind(business)
                    .bind(STEP)
                    .fetch_all(tx.connection())
                    .await
                    .map_err(failed)?;
            if ids.is_empty() {
                return tx.commit().await;
            }
            let ids: Vec<Uuid> = ids.into_iter().map(|(id,)| id).collect();
            delete_where(tx.connection(), "DELETE FROM outbox_body WHERE id IN ", &ids).await?;
            delete_where(tx.connection(), "DELETE FROM timeline WHERE message IN ", &ids).await?;
            delete_where(tx.connection(), "DELETE FROM outbox WHERE id IN ", &ids).await?;
            tx.commit().await?;
        }
    }

    async fn delete_events(&self, business: i64) -> Result<()> {
        loop {
            let mut tx = Tx::begin(&self.write).await?;
            let events: Vec<(i64, Uuid)> =
                sqlx::query_as("SELECT seq, id FROM events WHERE business = $1 ORDER BY seq LIMIT $2")
                    .bind(business)
                    .bind(STEP)
                    .fetch_all(tx.connection())
                    .await
                    .map_err(failed)?;
            if events.is_empty() {
                return tx.commit().await;
            }
            let (positions, ids): (Vec<i64>, Vec<Uuid>) = events.into_iter().unzip();
            delete_where(tx.connection(), "DELETE FROM failed_deliveries WHERE event_seq IN ", &positions)
                .await?;
            delete_where(tx.connection(), "DELETE FROM events WHERE id IN ", &ids).await?;
            tx.commit().await?;
        }
    }

    /// The ids stay, of nobody, until what is kept under them is deleted: this cannot reach it.
    async fn delete_media(&self, business: i64) -> Result<()> {
        loop {
            let mut tx = Tx::begin(&self.write).await?;
            let ids: Vec<(Uuid,)> = sqlx::query_as("SELECT id FROM media WHERE business = $1 LIMIT $2")
                .bind(business)
                .bind(STEP)
                .fetch_all(tx.connection())
                .await
                .map_err(failed)?;
            if ids.is_empty() {
                return tx.commit().await;
            }
            let ids: Vec<Uuid> = ids.into_iter().map(|(id,)| id).collect();
            let kept = "INSERT INTO erased_media (id) SELECT id FROM media WHERE state <> 'gone' AND id IN ";
            delete_where(tx.connection(), kept, &ids).await?;
            delete_where(tx.connection(), "DELETE FROM media WHERE id IN ", &ids).await?;
            tx.commit().await?;
        }
    }
}

async fn delete_where<'q, T>(conn: &mut Conn, statement: &str, values: &[T]) -> Result<()>
where
    T: Copy + sqlx::Encode<'q, Db> + sqlx::Type<Db>,
{
    let mut query = QueryBuilder::<Db>::new(statement);
    push_list(&mut query, values.iter().copied());
    query.build().persistent(false).execute(conn).await.map_err(failed)?;
    Ok(())
}
