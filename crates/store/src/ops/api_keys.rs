//! Accounts and their keys.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::api_keys::{ApiKey, ApiKeys};
use domain::contracts::store::Result;
use domain::ids::{AccountKey, ApiKeyId};
use domain::onboarding::Digest32;
use sqlx::FromRow;
use uuid::Uuid;

use super::Database;
use crate::columns::{from_json, json, micros, time};
use crate::error::failed;

macro_rules! select_api_keys {
    () => {
        "SELECT id, account, label, scopes, businesses, waits, created_at, revoked_at FROM api_keys"
    };
}

#[derive(FromRow)]
struct ApiKeyRow {
    id: Uuid,
    account: i64,
    label: String,
    scopes: String,
    businesses: String,
    waits: i64,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    fn read(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            account: AccountKey(self.account),
            label: self.label,
            scopes: from_json(&self.scopes, "scopes of an API key")?,
            businesses: from_json(&self.businesses, "businesses of an API key")?,
            waits: self.waits != 0,
            created_at: Timestamp::from_micros(self.created_at),
            revoked_at: time(self.revoked_at),
        })
    }
}

#[async_trait]
impl ApiKeys for Database {
    async fn ensure_account(&self, name: &str, now: Timestamp) -> Result<AccountKey> {
        sqlx::query("INSERT INTO accounts (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(now.as_micros())
            .execute(&self.write)
            .await
            .map_err(failed)?;
        let (id,): (i64,) = sqlx::query_as("SELECT id FROM accounts WHERE name = $1")
            .bind(name)
            .fetch_one(&self.write)
            .await
            .map_err(failed)?;
        Ok(AccountKey(id))
    }

    async fn insert_api_key(&self, key: &ApiKey, hash: &Digest32) -> Result<()> {
        sqlx::query(
            "INSERT INTO api_keys (id, account, hash, label, scopes, businesses, waits, created_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key.id.uuid())
        .bind(key.account.0)
        .bind(&hash[..])
        .bind(&key.label)
        .bind(json(&key.scopes))
        .bind(json(&key.businesses))
        .bind(i64::from(key.waits))
        .bind(key.created_at.as_micros())
        .bind(micros(key.revoked_at))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn api_key_by_hash(&self, hash: &Digest32) -> Result<Option<ApiKey>> {
        let row: Option<ApiKeyRow> = sqlx::query_as(concat!(select_api_keys!(), " WHERE hash = $1"))
            .bind(&hash[..])
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(ApiKeyRow::read).transpose()
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        let rows: Vec<ApiKeyRow> = sqlx::query_as(concat!(select_api_keys!(), " ORDER BY id"))
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        rows.into_iter().map(ApiKeyRow::read).collect()
    }

    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool> {
        let done = sqlx::query("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1")
            .bind(id.uuid())
            .bind(now.as_micros())
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}
