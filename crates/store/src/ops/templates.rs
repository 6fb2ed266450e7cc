//! Templates. A list comes whole and replaces what was known, while news about single ones arrives beside it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::connection::ProviderName;
use domain::contracts::store::{Page, Result, StoreError};
use domain::contracts::templates::{TemplateRegistry, Waba};
use domain::ids::ConnectionId;
use domain::news::Quality;
use domain::template::{
    Category, Shape, Template, TemplateChange, TemplateList, TemplateNews, TemplateStatus,
};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Conn, Database, Db, Tx};
use crate::columns::{from_json, json, text};
use crate::error::failed;
use crate::shapes;

/// Rows written in one commit, so that others are not kept waiting by an account with thousands of templates.
const STEP: usize = 256;

/// What news changed after the listing began is newer than the list.
const KEEP_NEWER: &str = "
ON CONFLICT (provider, waba_id, name, language) DO UPDATE SET
    status = CASE WHEN templates.changed_at > excluded.synced_at THEN templates.status ELSE excluded.status END,
    category = CASE WHEN templates.changed_at > excluded.synced_at THEN templates.category ELSE excluded.category END,
    quality = CASE WHEN templates.changed_at > excluded.synced_at THEN templates.quality ELSE excluded.quality END,
    shape = excluded.shape,
    template_id = excluded.template_id,
    synced_at = excluded.synced_at";

#[derive(FromRow)]
struct TemplateRow {
    template_id: Option<String>,
    name: String,
    language: String,
    status: String,
    category: Option<String>,
    quality: String,
    shape: String,
}

impl TemplateRow {
    fn read(self) -> Result<Template> {
        Ok(Template {
            status: TemplateStatus::new(&self.status),
            category: self.category.as_deref().and_then(Category::from_word),
            quality: Quality::from_word(&self.quality),
            shape: from_json(&self.shape, "shape of a template")?,
            id: self.template_id,
            name: self.name,
            language: self.language,
        })
    }
}

#[async_trait]
impl TemplateRegistry for Database {
    async fn templates(&self, waba: &Waba) -> Result<Option<TemplateList>> {
        let synced: Option<(i64,)> =
            sqlx::query_as("SELECT synced_at FROM template_syncs WHERE provider = $1 AND waba_id = $2")
                .bind(waba.provider.as_str())
                .bind(&waba.id)
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        let Some((synced_at,)) = synced else { return Ok(None) };
        let rows: Vec<TemplateRow> = sqlx::query_as(
            "SELECT template_id, name, language, status, category, quality, shape FROM templates
             WHERE provider = $1 AND waba_id = $2",
        )
        .bind(waba.provider.as_str())
        .bind(&waba.id)
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        let templates = rows.into_iter().map(TemplateRow::read).collect::<Result<_>>()?;
        Ok(Some(TemplateList::new(Timestamp::from_micros(synced_at), templates)))
    }

    async fn accounts_with_template(&self, id: &str) -> Result<Vec<Waba>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT DISTINCT provider, waba_id FROM templates WHERE template_id = $1")
                .bind(text(id))
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        let read = |(provider, id): (String, String)| {
            let provider = ProviderName::from_word(&provider);
            Ok(Waba { provider: provider.ok_or(StoreError::Unreadable { what: "provider" })?, id })
        };
        rows.into_iter().map(read).collect()
    }

    async fn save_templates(&self, waba: &Waba, templates: &[Template], asked_at: Timestamp) -> Result<()> {
        // A statement may not write a row twice.
        let unique: BTreeMap<_, _> =
            templates.iter().map(|template| ((&template.name, &template.language), template)).collect();
        let unique: Vec<_> = unique.into_values().collect();
        for step in unique.chunks(STEP) {
            let mut tx = Tx::begin(&self.write).await?;
            insert(tx.connection(), waba, step, asked_at).await?;
            tx.commit().await?;
        }
        let mut tx = Tx::begin(&self.write).await?;
        sqlx::query(
            "DELETE FROM templates WHERE provider = $1 AND waba_id = $2 AND synced_at < $3
             AND (changed_at IS NULL OR changed_at <= $3)",
        )
        .bind(waba.provider.as_str())
        .bind(&waba.id)
        .bind(asked_at.as_micros())
        .execute(tx.connection())
        .await
        .map_err(failed)?;
        sqlx::query(
            "INSERT INTO template_syncs (provider, waba_id, synced_at) VALUES ($1, $2, $3)
             ON CONFLICT (provider, waba_id) DO UPDATE SET synced_at = excluded.synced_at",
        )
        .bind(waba.provider.as_str())
        .bind(&waba.id)
        .bind(asked_at.as_micros())
        .execute(tx.connection())
        .await
        .map_err(failed)?;
        tx.commit().await
    }

    async fn change_template(&self, waba: &Waba, news: &TemplateNews, at: Timestamp) -> Result<bool> {
        let (column, value) = match &news.change {
            TemplateChange::Status(status) => return self.move_template(waba, news, status, at).await,
            TemplateChange::Quality(quality) => ("quality = ", quality.as_str()),
            TemplateChange::Category(category) => ("category = ", category.as_str()),
            TemplateChange::Components => return Ok(false),
        };
        let mut query = QueryBuilder::<Db>::new("UPDATE templates SET ");
        query.push(column).push_bind(value);
        query.push(", changed_at = ").push_bind(at.as_micros());
        query.push(" WHERE provider = ").push_bind(waba.provider.as_str());
        query.push(" AND waba_id = ").push_bind(waba.id.as_str());
        query.push(" AND name = ").push_bind(news.name.as_str());
        query.push(" AND language = ").push_bind(news.language.as_str());
        query.push(" AND (changed_at IS NULL OR changed_at <= ").push_bind(at.as_micros()).push(")");
        let changed = query.build().execute(&self.write).await.map_err(failed)?;
        Ok(changed.rows_affected() > 0)
    }

    async fn accounts_to_list(
        &self,
        before: Timestamp,
        page: Page<ConnectionId>,
    ) -> Result<Vec<ConnectionId>> {
        let rows: Vec<(Uuid,)> = sqlx::query_as(
            "SELECT c.id FROM connections c
             LEFT JOIN template_syncs s ON s.provider = c.provider AND s.waba_id = c.waba_id
             WHERE c.id > $1 AND c.waba_id IS NOT NULL AND c.status IN ('connected', 'degraded')
             AND (s.synced_at IS NULL OR s.synced_at < $2)
             AND NOT EXISTS (
                 SELECT 1 FROM connections o WHERE o.waba_id = c.waba_id AND o.provider = c.provider
                 AND o.status IN ('connected', 'degraded') AND o.id < c.id
             )
             ORDER BY c.id LIMIT $3",
        )
        .bind(page.after.map_or_else(Uuid::nil, ConnectionId::uuid))
        .bind(before.as_micros())
        .bind(i64::from(page.limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        Ok(rows.into_iter().map(|(id,)| ConnectionId::from_uuid(id)).collect())
    }
}

impl Database {
    /// A template that is new comes without what it is made of, so that anything may fill it until it is listed.
    async fn move_template(
        &self,
        waba: &Waba,
        news: &TemplateNews,
        status: &TemplateStatus,
        at: Timestamp,
    ) -> Result<bool> {
        let moved = sqlx::query(
            "INSERT INTO templates
             (provider, waba_id, name, language, status, quality, shape, synced_at, changed_at, template_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
             ON CONFLICT (provider, waba_id, name, language)
             DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at,
                 template_id = COALESCE(excluded.template_id, templates.template_id)
             WHERE templates.changed_at IS NULL OR templates.changed_at <= excluded.changed_at",
        )
        .bind(waba.provider.as_str())
        .bind(&waba.id)
        .bind(text(&news.name))
        .bind(text(&news.language))
        .bind(text(status.as_str()))
        .bind(Quality::default().as_str())
        .bind(json(&Shape::default()))
        .bind(at.as_micros())
        .bind(news.id.as_deref().map(text))
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(moved.rows_affected() > 0)
    }
}

async fn insert(conn: &mut Conn, waba: &Waba, templates: &[&Template], asked_at: Timestamp) -> Result<()> {
    for run in shapes::runs(templates) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO templates (provider, waba_id, template_id, name, language, status, category, quality, shape, synced_at) ",
        );
        query.push_values(run, |mut row, template| {
            row.push_bind(waba.provider.as_str())
                .push_bind(waba.id.as_str())
                .push_bind(template.id.as_deref().map(|id| text(id).into_owned()))
                .push_bind(text(&template.name).into_owned())
                .push_bind(text(&template.language).into_owned())
                .push_bind(text(template.status.as_str()).into_owned())
                .push_bind(template.category.map(Category::as_str))
                .push_bind(template.quality.as_str())
                .push_bind(json(&template.shape))
                .push_bind(asked_at.as_micros());
        });
        query.push(KEEP_NEWER);
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}
