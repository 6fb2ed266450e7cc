//! Businesses and the data keys that seal what is kept for them.

use async_trait::async_trait;
use domain::business::{Business, NewBusiness, Routing};
use domain::clock::Timestamp;
use domain::contracts::store::{Businesses, Page, Result};
use domain::ids::{AccountKey, BusinessKey, BusinessRef};
use domain::partition::Partition;
use domain::recipient::Country;
use domain::secret::WrappedDataKey;
use sqlx::FromRow;

use super::Database;
use crate::columns::{known, number_of, partition};
use crate::error::{failed, vanished};

macro_rules! select_businesses {
    () => {
        "SELECT id, account, reference, name, country, locale, routing, opt_out_keywords, partition, created_at
         FROM businesses WHERE NOT erased"
    };
}

#[derive(FromRow)]
struct BusinessRow {
    id: i64,
    account: i64,
    reference: String,
    name: Option<String>,
    country: String,
    locale: String,
    routing: String,
    opt_out_keywords: bool,
    partition: i64,
    created_at: i64,
}

impl BusinessRow {
    fn read(self) -> Result<Business> {
        Ok(Business {
            key: BusinessKey(self.id),
            account: AccountKey(self.account),
            reference: reference(&self.reference)?,
            name: self.name,
            country: known(Country::from_code(&self.country), "country of a business")?,
            locale: self.locale,
            routing: known(Routing::from_word(&self.routing), "routing of a business")?,
            opt_out_keywords: self.opt_out_keywords,
            partition: partition(self.partition)?,
            created_at: Timestamp::from_micros(self.created_at),
        })
    }
}

pub(super) fn reference(text: &str) -> Result<BusinessRef> {
    known(text.parse().ok(), "reference of a business")
}

#[derive(FromRow)]
struct DataKeyRow {
    owner: i64,
    generation: i64,
    master_key_id: String,
    wrapped: Vec<u8>,
}

impl DataKeyRow {
    fn read(self) -> Result<(BusinessKey, WrappedDataKey)> {
        let generation = number_of(self.generation, "generation of a data key")?;
        let key = WrappedDataKey { generation, master_key_id: self.master_key_id, wrapped: self.wrapped };
        Ok((BusinessKey(self.owner), key))
    }
}

#[async_trait]
impl Businesses for Database {
    async fn ensure_business(
        &self,
        account: AccountKey,
        new: &NewBusiness,
        now: Timestamp,
    ) -> Result<(Business, bool)> {
        let made = sqlx::query(
            "INSERT INTO businesses (account, reference, name, country, locale, routing, opt_out_keywords, partition,
                 created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account, reference) DO NOTHING",
        )
        .bind(account.0)
        .bind(new.reference.as_str())
        .bind(&new.name)
        .bind(new.country.as_str())
        .bind(&new.locale)
        .bind(new.routing.as_str())
        .bind(new.opt_out_keywords)
        .bind(i64::from(Partition::of(account, &new.reference).0))
        .bind(now.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        let row: BusinessRow =
            sqlx::query_as(concat!(select_businesses!(), " AND account = $1 AND reference = $2"))
                .bind(account.0)
                .bind(new.reference.as_str())
                .fetch_optional(&self.write)
                .await
                .map_err(failed)?
                .ok_or_else(|| vanished("a business"))?;
        Ok((row.read()?, made.rows_affected() > 0))
    }

    async fn update_business(&self, business: &Business) -> Result<()> {
        sqlx::query(
            "UPDATE businesses SET name = $2, country = $3, locale = $4, routing = $5, opt_out_keywords = $6
             WHERE id = $1 AND NOT erased",
        )
        .bind(business.key.0)
        .bind(&business.name)
        .bind(business.country.as_str())
        .bind(&business.locale)
        .bind(business.routing.as_str())
        .bind(business.opt_out_keywords)
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn business(&self, account: AccountKey, reference: &BusinessRef) -> Result<Option<Business>> {
        let row: Option<BusinessRow> =
            sqlx::query_as(concat!(select_businesses!(), " AND account = $1 AND reference = $2"))
                .bind(account.0)
                .bind(reference.as_str())
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        row.map(BusinessRow::read).transpose()
    }

    async fn business_by_key(&self, key: BusinessKey) -> Result<Option<Business>> {
        let row: Option<BusinessRow> = sqlx::query_as(concat!(select_businesses!(), " AND id = $1"))
            .bind(key.0)
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(BusinessRow::read).transpose()
    }

    async fn businesses(&self, account: AccountKey, page: Page<BusinessRef>) -> Result<Vec<Business>> {
        let rows: Vec<BusinessRow> = sqlx::query_as(concat!(
            select_businesses!(),
            " AND account = $1 AND reference > $2 ORDER BY reference LIMIT $3"
        ))
        .bind(account.0)
        .bind(page.after.as_ref().map_or("", BusinessRef::as_str))
        .bind(i64::from(page.limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(BusinessRow::read).collect()
    }

    async fn erase_business(&self, key: BusinessKey) -> Result<()> {
        self.erase(key).await
    }

    async fn data_keys(&self, owner: BusinessKey) -> Result<Vec<WrappedDataKey>> {
        let rows: Vec<DataKeyRow> = sqlx::query_as(
            "SELECT owner, generation, master_key_id, wrapped FROM data_keys WHERE owner = $1 ORDER BY generation",
        )
        .bind(owner.0)
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(|row| row.read().map(|(_, key)| key)).collect()
    }

    async fn insert_data_key(
        &self,
        owner: BusinessKey,
        key: &WrappedDataKey,
    ) -> Result<Option<WrappedDataKey>> {
        // The row of the business is locked, so that a key is never added behind an erasure.
        let statement = if owner == BusinessKey::INSTALLATION {
            "INSERT INTO data_keys (owner, generation, master_key_id, wrapped) VALUES ($1, $2, $3, $4)
             ON CONFLICT (owner, generation) DO NOTHING"
        } else {
            concat!(
                "INSERT INTO data_keys (owner, generation, master_key_id, wrapped)
                 SELECT id, $2, $3, $4 FROM businesses WHERE id = $1 AND NOT erased",
                for_share!(),
                " ON CONFLICT (owner, generation) DO NOTHING"
            )
        };
        sqlx::query(statement)
            .bind(owner.0)
            .bind(i64::from(key.generation))
            .bind(&key.master_key_id)
            .bind(&key.wrapped)
            .execute(&self.write)
            .await
            .map_err(failed)?;
        let row: Option<DataKeyRow> = sqlx::query_as(
            "SELECT owner, generation, master_key_id, wrapped FROM data_keys WHERE owner = $1 AND generation = $2",
        )
        .bind(owner.0)
        .bind(i64::from(key.generation))
        .fetch_optional(&self.write)
        .await
        .map_err(failed)?;
        Ok(row.map(DataKeyRow::read).transpose()?.map(|(_, key)| key))
    }

    async fn data_keys_not_under(
        &self,
        master_key_id: &str,
        limit: u32,
    ) -> Result<Vec<(BusinessKey, WrappedDataKey)>> {
        let rows: Vec<DataKeyRow> = sqlx::query_as(
            "SELECT owner, generation, master_key_id, wrapped FROM data_keys
             WHERE master_key_id <> $1 ORDER BY owner, generation LIMIT $2",
        )
        .bind(master_key_id)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(DataKeyRow::read).collect()
    }

    async fn rewrap_data_key(&self, owner: BusinessKey, key: &WrappedDataKey) -> Result<()> {
        sqlx::query(
            "UPDATE data_keys SET master_key_id = $3, wrapped = $4 WHERE owner = $1 AND generation = $2",
        )
        .bind(owner.0)
        .bind(i64::from(key.generation))
        .bind(&key.master_key_id)
        .bind(&key.wrapped)
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }
}
