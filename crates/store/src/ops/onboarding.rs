//! Onboarding sessions. A writer that saw an older version loses.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::connection::ProviderName;
use domain::contracts::store::{OnboardingSessions, Result};
use domain::ids::{AccountKey, ConnectionId, OnboardingSessionId};
use domain::onboarding::{Digest32, OnboardingSession, SessionStatus, TransportChoice};
use sqlx::FromRow;
use uuid::Uuid;

use super::businesses::reference;
use super::{Database, Db};
use crate::columns::{digest, from_json, json, known};
use crate::error::failed;

macro_rules! select_sessions {
    () => {
        "SELECT id, account, business, transport, provider, return_url, app_return_uri, locale, phone_hint,
                replace_connection, status, problem, steps, connection, link_hash, browser_hash, state_hash,
                created_at, expires_at, version
         FROM onboarding_sessions"
    };
}

#[derive(FromRow)]
struct SessionRow {
    id: Uuid,
    account: i64,
    business: String,
    transport: String,
    provider: Option<String>,
    return_url: Option<String>,
    app_return_uri: Option<String>,
    locale: String,
    phone_hint: Option<String>,
    replace_connection: Option<Uuid>,
    status: String,
    problem: Option<String>,
    steps: String,
    connection: Option<Uuid>,
    link_hash: Vec<u8>,
    browser_hash: Option<Vec<u8>>,
    state_hash: Option<Vec<u8>>,
    created_at: i64,
    expires_at: i64,
    version: i64,
}

impl SessionRow {
    fn read(self) -> Result<OnboardingSession> {
        let provider = self.provider.as_deref();
        let return_url = self.return_url.as_deref();
        Ok(OnboardingSession {
            id: OnboardingSessionId::from_uuid(self.id),
            account: AccountKey(self.account),
            business: reference(&self.business)?,
            transport: known(TransportChoice::from_word(&self.transport), "transport of a session")?,
            provider: provider
                .map(|word| known(ProviderName::from_word(word), "provider of a session"))
                .transpose()?,
            return_url: return_url
                .map(|text| known(text.parse().ok(), "return address of a session"))
                .transpose()?,
            app_return_uri: self.app_return_uri,
            locale: self.locale,
            phone_hint: self.phone_hint,
            replace_connection: self.replace_connection.map(ConnectionId::from_uuid),
            status: known(SessionStatus::from_word(&self.status), "status of a session")?,
            problem: self.problem,
            steps: from_json(&self.steps, "steps of a session")?,
            connection: self.connection.map(ConnectionId::from_uuid),
            link_hash: digest(&self.link_hash)?,
            browser_hash: self.browser_hash.as_deref().map(digest).transpose()?,
            state_hash: self.state_hash.as_deref().map(digest).transpose()?,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
            version: self.version,
        })
    }
}

type Statement<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// Binds every member but the version, in the order of the columns.
fn bind<'q>(statement: &'static str, session: &'q OnboardingSession) -> Statement<'q> {
    sqlx::query(statement)
        .bind(session.id.uuid())
        .bind(session.account.0)
        .bind(session.business.as_str())
        .bind(session.transport.as_str())
        .bind(session.provider.map(ProviderName::as_str))
        .bind(session.return_url.as_ref().map(|url| url.as_str().to_owned()))
        .bind(&session.app_return_uri)
        .bind(&session.locale)
        .bind(&session.phone_hint)
        .bind(session.replace_connection.map(ConnectionId::uuid))
        .bind(session.status.as_str())
        .bind(&session.problem)
        .bind(json(&session.steps))
        .bind(session.connection.map(ConnectionId::uuid))
        .bind(&session.link_hash[..])
        .bind(session.browser_hash.as_ref().map(|hash| &hash[..]))
        .bind(session.state_hash.as_ref().map(|hash| &hash[..]))
        .bind(session.created_at.as_micros())
        .bind(session.expires_at.as_micros())
}

impl Database {
    async fn session_by(
        &self,
        statement: &'static str,
        hash: &Digest32,
    ) -> Result<Option<OnboardingSession>> {
        let row: Option<SessionRow> =
            sqlx::query_as(statement).bind(&hash[..]).fetch_optional(&self.read).await.map_err(failed)?;
        row.map(SessionRow::read).transpose()
    }
}

#[async_trait]
impl OnboardingSessions for Database {
    async fn insert_session(&self, session: &OnboardingSession) -> Result<()> {
        bind(
            "INSERT INTO onboarding_sessions (id, account, business, transport, provider, return_url, app_return_uri,
                 locale, phone_hint, replace_connection, status, problem, steps, connection, link_hash,
                 browser_hash, state_hash, created_at, expires_at, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
            session,
        )
        .bind(session.version)
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn session(&self, id: OnboardingSessionId) -> Result<Option<OnboardingSession>> {
        let row: Option<SessionRow> = sqlx::query_as(concat!(select_sessions!(), " WHERE id = $1"))
            .bind(id.uuid())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(SessionRow::read).transpose()
    }

    async fn session_by_link(&self, hash: &Digest32) -> Result<Option<OnboardingSession>> {
        self.session_by(concat!(select_sessions!(), " WHERE link_hash = $1"), hash).await
    }

    async fn session_by_browser(&self, hash: &Digest32) -> Result<Option<OnboardingSession>> {
        self.session_by(
            concat!(select_sessions!(), " WHERE browser_hash = $1 ORDER BY created_at DESC, id DESC LIMIT 1"),
            hash,
        )
        .await
    }

    async fn session_by_state(&self, hash: &Digest32) -> Result<Option<OnboardingSession>> {
        self.session_by(concat!(select_sessions!(), " WHERE state_hash = $1"), hash).await
    }

    async fn update_session(&self, session: &OnboardingSession) -> Result<bool> {
        let written = bind(
            "UPDATE onboarding_sessions SET account = $2, business = $3, transport = $4, provider = $5,
                 return_url = $6, app_return_uri = $7, locale = $8, phone_hint = $9, replace_connection = $10,
                 status = $11, problem = $12, steps = $13, connection = $14, link_hash = $15, browser_hash = $16,
                 state_hash = $17, created_at = $18, expires_at = $19, version = version + 1
             WHERE id = $1 AND version = $20",
            session,
        )
        .bind(session.version)
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(written.rows_affected() > 0)
    }
}
