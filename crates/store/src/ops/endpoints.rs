//! Endpoints. How far they have come is written by `commit`.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::store::{Endpoints, Page, Result, StoreError};
use domain::endpoint::{Endpoint, EndpointFormat, EndpointHealth, PreviousSecret};
use domain::event::EventType;
use domain::ids::{AccountKey, BusinessKey, EndpointId};
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::businesses::reference;
use super::{Database, Db, Tx};
use crate::columns::{from_json, json, known, micros, time};
use crate::error::failed;

macro_rules! select_endpoints {
    () => {
        "SELECT p.id, p.account, p.business, b.reference, p.url, p.events, p.format, p.enabled, p.ordered, p.secret,
                p.previous_secret, p.previous_until, p.health, p.health_since, p.cursor, p.created_at
         FROM endpoints p LEFT JOIN businesses b ON b.id = p.business"
    };
}

#[derive(FromRow)]
struct EndpointRow {
    id: Uuid,
    account: i64,
    business: Option<i64>,
    reference: Option<String>,
    url: String,
    events: String,
    format: String,
    enabled: bool,
    ordered: bool,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
    previous_until: Option<i64>,
    health: i64,
    health_since: Option<i64>,
    cursor: i64,
    created_at: i64,
}

impl EndpointRow {
    fn read(self) -> Result<Endpoint> {
        const WHAT: &str = "events of an endpoint";
        let words: Vec<String> = from_json(&self.events, WHAT)?;
        let business = self.business.zip(self.reference);
        Ok(Endpoint {
            id: EndpointId::from_uuid(self.id),
            account: AccountKey(self.account),
            business: business
                .map(|(key, text)| Ok::<_, StoreError>((BusinessKey(key), reference(&text)?)))
                .transpose()?,
            url: known(self.url.parse().ok(), "address of an endpoint")?,
            events: words
                .iter()
                .map(|word| known(EventType::from_word(word), WHAT))
                .collect::<Result<_>>()?,
            format: known(EndpointFormat::from_word(&self.format), "format of an endpoint")?,
            enabled: self.enabled,
            ordered: self.ordered,
            secret: Sealed::from_bytes(self.secret),
            previous_secret: self.previous_secret.zip(self.previous_until).map(|(sealed, until)| {
                PreviousSecret { sealed: Sealed::from_bytes(sealed), until: Timestamp::from_micros(until) }
            }),
            health: known(
                EndpointHealth::from_number(self.health, time(self.health_since)),
                "health of an endpoint",
            )?,
            cursor: self.cursor,
            created_at: Timestamp::from_micros(self.created_at),
        })
    }
}

fn words(events: &[EventType]) -> String {
    json(&events.iter().map(|event| event.as_str()).collect::<Vec<_>>())
}

#[async_trait]
impl Endpoints for Database {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<()> {
        let inserted = sqlx::query(concat!(
            "INSERT INTO endpoints (id, account, business, url, events, format, enabled, ordered, secret, cursor,
                                    created_at)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
             WHERE $3 IS NULL OR EXISTS (SELECT 1 FROM businesses WHERE id = $3 AND NOT erased",
            for_share!(),
            ")"
        ))
        .bind(endpoint.id.uuid())
        .bind(endpoint.account.0)
        .bind(endpoint.business.as_ref().map(|(key, _)| key.0))
        .bind(endpoint.url.as_str())
        .bind(words(&endpoint.events))
        .bind(endpoint.format.as_str())
        .bind(endpoint.enabled)
        .bind(endpoint.ordered)
        .bind(endpoint.secret.as_bytes())
        .bind(endpoint.cursor)
        .bind(endpoint.created_at.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        if inserted.rows_affected() == 0 { Err(StoreError::Gone { what: "the business" }) } else { Ok(()) }
    }

    async fn update_endpoint(&self, endpoint: &Endpoint) -> Result<()> {
        sqlx::query(
            "UPDATE endpoints SET url = $3, events = $4, format = $5, enabled = $6, ordered = $7
             WHERE id = $1 AND account = $2",
        )
        .bind(endpoint.id.uuid())
        .bind(endpoint.account.0)
        .bind(endpoint.url.as_str())
        .bind(words(&endpoint.events))
        .bind(endpoint.format.as_str())
        .bind(endpoint.enabled)
        .bind(endpoint.ordered)
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// The one so far is taken from the row, not from what was read of it: of two rotations at once, the second
    /// keeps the secret that the first has answered.
    async fn rotate_secret(
        &self,
        account: AccountKey,
        id: EndpointId,
        secret: &Sealed,
        previous_until: Option<Timestamp>,
    ) -> Result<bool> {
        let rotated = sqlx::query(
            "UPDATE endpoints SET previous_secret = CASE WHEN $4 IS NULL THEN NULL ELSE secret END,
                    previous_until = $4, secret = $3
             WHERE id = $1 AND account = $2",
        )
        .bind(id.uuid())
        .bind(account.0)
        .bind(secret.as_bytes())
        .bind(micros(previous_until))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(rotated.rows_affected() > 0)
    }

    async fn delete_endpoint(&self, account: AccountKey, id: EndpointId) -> Result<bool> {
        let mut tx = Tx::begin(&self.write).await?;
        let deleted = sqlx::query("DELETE FROM endpoints WHERE id = $1 AND account = $2")
            .bind(id.uuid())
            .bind(account.0)
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        if deleted.rows_affected() > 0 {
            sqlx::query("DELETE FROM failed_deliveries WHERE endpoint = $1")
                .bind(id.uuid())
                .execute(tx.connection())
                .await
                .map_err(failed)?;
        }
        tx.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }

    async fn endpoint(&self, account: AccountKey, id: EndpointId) -> Result<Option<Endpoint>> {
        let row: Option<EndpointRow> =
            sqlx::query_as(concat!(select_endpoints!(), " WHERE p.id = $1 AND p.account = $2"))
                .bind(id.uuid())
                .bind(account.0)
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        row.map(EndpointRow::read).transpose()
    }

    async fn endpoints(&self, account: AccountKey, page: Page<EndpointId>) -> Result<Vec<Endpoint>> {
        let mut query = QueryBuilder::<Db>::new(concat!(select_endpoints!(), " WHERE p.account = "));
        query.push_bind(account.0);
        if let Some(after) = page.after {
            query.push(" AND p.id > ").push_bind(after.uuid());
        }
        query.push(" ORDER BY p.id LIMIT ").push_bind(i64::from(page.limit));
        let rows: Vec<EndpointRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        rows.into_iter().map(EndpointRow::read).collect()
    }

    async fn all_endpoints(&self) -> Result<Vec<Endpoint>> {
        let rows: Vec<EndpointRow> =
            sqlx::query_as(concat!(select_endpoints!(), " WHERE p.enabled ORDER BY p.id"))
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        rows.into_iter().map(EndpointRow::read).collect()
    }
}
