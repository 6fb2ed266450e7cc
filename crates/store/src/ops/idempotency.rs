//! What was answered to a caller's key. Those of messages are written by `commit`, with the message.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::store::{Idempotency, IdempotencyRecord, Result};
use domain::ids::AccountKey;
use domain::onboarding::Digest32;
use sqlx::FromRow;
use uuid::Uuid;

use super::Database;
use crate::columns::{digest, number_of};
use crate::error::{failed, vanished};

macro_rules! idempotency_columns {
    () => {
        "account, key_hash, route, body_hash, answer_status, answer, message, created_at"
    };
}
pub(super) use idempotency_columns;

#[derive(FromRow)]
pub(super) struct IdempotencyRow {
    account: i64,
    key_hash: Vec<u8>,
    route: String,
    body_hash: Vec<u8>,
    answer_status: i64,
    answer: String,
    pub(super) message: Option<Uuid>,
    created_at: i64,
}

impl IdempotencyRow {
    pub(super) fn read(self) -> Result<IdempotencyRecord> {
        Ok(IdempotencyRecord {
            account: AccountKey(self.account),
            key_hash: digest(&self.key_hash)?,
            route: self.route,
            body_hash: digest(&self.body_hash)?,
            answer_status: number_of(self.answer_status, "answer of an idempotency key")?,
            answer: self.answer,
            created_at: Timestamp::from_micros(self.created_at),
        })
    }
}

const RECORD: &str =
    concat!("SELECT ", idempotency_columns!(), " FROM idempotency WHERE account = $1 AND key_hash = $2");

#[async_trait]
impl Idempotency for Database {
    async fn remembered(
        &self,
        account: AccountKey,
        key_hash: &Digest32,
    ) -> Result<Option<IdempotencyRecord>> {
        let row: Option<IdempotencyRow> = sqlx::query_as(RECORD)
            .bind(account.0)
            .bind(&key_hash[..])
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(IdempotencyRow::read).transpose()
    }

    async fn remember(&self, record: &IdempotencyRecord) -> Result<IdempotencyRecord> {
        sqlx::query(concat!(
            "INSERT INTO idempotency (",
            idempotency_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, NULL, $7) ON CONFLICT (account, key_hash) DO NOTHING"
        ))
        .bind(record.account.0)
        .bind(&record.key_hash[..])
        .bind(&record.route)
        .bind(&record.body_hash[..])
        .bind(i64::from(record.answer_status))
        .bind(&record.answer)
        .bind(record.created_at.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        let row: IdempotencyRow = sqlx::query_as(RECORD)
            .bind(record.account.0)
            .bind(&record.key_hash[..])
            .fetch_optional(&self.write)
            .await
            .map_err(failed)?
            .ok_or_else(|| vanished("an idempotency key"))?;
        row.read()
    }

    async fn forget_before(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let forgotten = sqlx::query(concat!(
            "DELETE FROM idempotency WHERE ",
            row_address!(),
            " IN (SELECT ",
            row_address!(),
            " FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)"
        ))
        .bind(before.as_micros())
        .bind(i64::from(limit))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(forgotten.rows_affected())
    }
}
