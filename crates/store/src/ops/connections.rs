//! Connections and the credentials of official ones. Status and reason stand in both and move together.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::connection::{
    Connection, ConnectionStatus, Pace, Probe, ProviderName, Sending, SendingChange, Slowed,
};
use domain::contracts::store::{Connections, Credential, Page, Result, StoreError};
use domain::ids::{AccountKey, BusinessKey, ConnectionId};
use domain::secret::Sealed;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::businesses::reference;
use super::{Conn, Database, Db, Tx};
use crate::columns::{from_json, json, known, micros, number_of, partition, time};
use crate::error::failed;

macro_rules! select_connections {
    () => {
        "SELECT c.id, c.account, c.business, b.reference, b.partition, c.provider, c.status, c.reason, c.graph_id,
                c.waba_id, c.phone_number, c.verified_name, c.quality_rating, c.messages_per_second, c.pace_per_minute,
                c.pace_jitter, c.slowed_to, c.slowed_at, c.probe_at, c.probes, c.created_at, c.updated_at
         FROM connections c JOIN businesses b ON b.id = c.business WHERE NOT b.erased"
    };
}

#[derive(FromRow)]
struct ConnectionRow {
    id: Uuid,
    account: i64,
    business: i64,
    reference: String,
    partition: i64,
    provider: String,
    status: String,
    reason: Option<String>,
    graph_id: Option<String>,
    waba_id: Option<String>,
    phone_number: Option<String>,
    verified_name: Option<String>,
    quality_rating: Option<String>,
    messages_per_second: Option<i64>,
    pace_per_minute: Option<i64>,
    pace_jitter: Option<i64>,
    slowed_to: Option<i64>,
    slowed_at: Option<i64>,
    probe_at: Option<i64>,
    probes: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl ConnectionRow {
    fn sending(&self) -> Result<Sending> {
        const WHAT: &str = "rate of a connection";
        let pace = self.pace_per_minute.zip(self.pace_jitter).map(|(per_minute, jitter)| {
            Ok(Pace { per_minute: number_of(per_minute, WHAT)?, jitter_percent: number_of(jitter, WHAT)? })
        });
        let slowed = self.slowed_to.zip(self.slowed_at).map(|(rate, at)| {
            Ok(Slowed { messages_per_second: number_of(rate, WHAT)?, at: Timestamp::from_micros(at) })
        });
        let probe = self.probe_at.map(|at| {
            let tried = number_of(self.probes.unwrap_or(0), WHAT)?;
            Ok(Probe { at: Timestamp::from_micros(at), tried })
        });
        Ok(Sending {
            messages_per_second: self.messages_per_second.map(|rate| number_of(rate, WHAT)).transpose()?,
            pace: pace.transpose()?,
            slowed: slowed.transpose()?,
            probe: probe.transpose()?,
        })
    }

    fn read(self) -> Result<Connection> {
        let sending = self.sending()?;
        Ok(Connection {
            id: ConnectionId::from_uuid(self.id),
            business: BusinessKey(self.business),
            business_reference: reference(&self.reference)?,
            account: AccountKey(self.account),
            partition: partition(self.partition)?,
            provider: provider(&self.provider)?,
            status: known(ConnectionStatus::from_word(&self.status), "status of a connection")?,
            reason: self.reason,
            graph_id: self.graph_id,
            waba_id: self.waba_id,
            phone_number: self.phone_number,
            verified_name: self.verified_name,
            quality_rating: self.quality_rating,
            sending,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn provider(word: &str) -> Result<ProviderName> {
    known(ProviderName::from_word(word), "provider of a connection")
}

#[derive(FromRow)]
struct CredentialRow {
    connection_id: Uuid,
    waba_id: String,
    phone_number_id: Option<String>,
    app_id: String,
    api_provider: String,
    access_token: Vec<u8>,
    pin: Option<Vec<u8>>,
    scopes: String,
    token_expiration: Option<i64>,
}

impl CredentialRow {
    fn read(self) -> Result<Credential> {
        Ok(Credential {
            connection: ConnectionId::from_uuid(self.connection_id),
            waba_id: self.waba_id,
            phone_number_id: self.phone_number_id,
            app_id: self.app_id,
            provider: provider(&self.api_provider)?,
            access_token: Sealed::from_bytes(self.access_token),
            pin: self.pin.map(Sealed::from_bytes),
            token_expires_at: time(self.token_expiration),
            scopes: from_json(&self.scopes, "scopes of a credential")?,
        })
    }
}

#[async_trait]
impl Connections for Database {
    async fn save_connection(&self, connection: &Connection, credential: Option<&Credential>) -> Result<()> {
        let mut tx = Tx::begin(&self.write).await?;
        write_connection(tx.connection(), connection).await?;
        match credential {
            Some(credential) => write_credential(tx.connection(), credential).await?,
            None => repeat_status(tx.connection(), connection.id).await?,
        }
        tx.commit().await
    }

    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>> {
        let row: Option<ConnectionRow> = sqlx::query_as(concat!(select_connections!(), " AND c.id = $1"))
            .bind(id.uuid())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        row.map(ConnectionRow::read).transpose()
    }

    async fn connection_by_graph_id(&self, graph_id: &str) -> Result<Option<Connection>> {
        let row: Option<ConnectionRow> =
            sqlx::query_as(concat!(select_connections!(), " AND c.graph_id = $1"))
                .bind(graph_id)
                .fetch_optional(&self.read)
                .await
                .map_err(failed)?;
        row.map(ConnectionRow::read).transpose()
    }

    async fn connections_of_waba(&self, waba_id: &str) -> Result<Vec<Connection>> {
        let rows: Vec<ConnectionRow> =
            sqlx::query_as(concat!(select_connections!(), " AND c.waba_id = $1 ORDER BY c.created_at, c.id"))
                .bind(waba_id)
                .fetch_all(&self.read)
                .await
                .map_err(failed)?;
        rows.into_iter().map(ConnectionRow::read).collect()
    }

    async fn connections(
        &self,
        account: AccountKey,
        business: Option<BusinessKey>,
        page: Page<ConnectionId>,
    ) -> Result<Vec<Connection>> {
        let mut query = QueryBuilder::<Db>::new(concat!(select_connections!(), " AND c.account = "));
        query.push_bind(account.0);
        if let Some(business) = business {
            query.push(" AND c.business = ").push_bind(business.0);
        }
        if let Some(after) = page.after {
            query.push(" AND c.id > ").push_bind(after.uuid());
        }
        query.push(" ORDER BY c.id LIMIT ").push_bind(i64::from(page.limit));
        let rows: Vec<ConnectionRow> = query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
        rows.into_iter().map(ConnectionRow::read).collect()
    }

    async fn move_connection(
        &self,
        id: ConnectionId,
        from: ConnectionStatus,
        to: ConnectionStatus,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut tx = Tx::begin(&self.write).await?;
        let moved = sqlx::query(
            "UPDATE connections SET status = $3, reason = $4, updated_at = $5 WHERE id = $1 AND status = $2",
        )
        .bind(id.uuid())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(reason)
        .bind(now.as_micros())
        .execute(tx.connection())
        .await
        .map_err(failed)?;
        repeat_status(tx.connection(), id).await?;
        tx.commit().await?;
        Ok(moved.rows_affected() > 0)
    }

    async fn change_sending(&self, id: ConnectionId, change: SendingChange, now: Timestamp) -> Result<()> {
        let mut query = QueryBuilder::<Db>::new("UPDATE connections SET ");
        match change {
            SendingChange::MessagesPerSecond(rate) => {
                query.push("messages_per_second = ").push_bind(i64::from(rate));
            }
            SendingChange::Pace(pace) => {
                query.push("pace_per_minute = ").push_bind(pace.map(|pace| i64::from(pace.per_minute)));
                query.push(", pace_jitter = ").push_bind(pace.map(|pace| i64::from(pace.jitter_percent)));
            }
            SendingChange::Slowed(slowed) => {
                query.push("slowed_to = ").push_bind(i64::from(slowed.messages_per_second));
                query.push(", slowed_at = ").push_bind(slowed.at.as_micros());
            }
            SendingChange::Probe(probe) => {
                query.push("probe_at = ").push_bind(probe.map(|probe| probe.at.as_micros()));
                query.push(", probes = ").push_bind(probe.map(|probe| i64::from(probe.tried)));
            }
        }
        query.push(", updated_at = ").push_bind(now.as_micros());
        query.push(" WHERE id = ").push_bind(id.uuid());
        query.build().execute(&self.write).await.map_err(failed)?;
        Ok(())
    }

    async fn credential(&self, id: ConnectionId) -> Result<Option<Credential>> {
        let row: Option<CredentialRow> = sqlx::query_as(
            "SELECT connection_id, waba_id, phone_number_id, app_id, api_provider, access_token, pin, scopes,
                    token_expiration
             FROM official_whatsapp_credentials WHERE connection_id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        row.map(CredentialRow::read).transpose()
    }

    async fn save_credential(&self, credential: &Credential) -> Result<()> {
        let mut tx = Tx::begin(&self.write).await?;
        write_credential(tx.connection(), credential).await?;
        tx.commit().await
    }
}

async fn write_connection(conn: &mut Conn, connection: &Connection) -> Result<()> {
    let written = sqlx::query(concat!(
        "INSERT INTO connections (id, account, business, provider, status, reason, graph_id, waba_id, phone_number,
                                  verified_name, quality_rating, messages_per_second, created_at, updated_at)
         SELECT $1, account, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
         FROM businesses WHERE id = $2 AND NOT erased",
        for_share!(),
        " ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, status = excluded.status,
            reason = excluded.reason, graph_id = excluded.graph_id, waba_id = excluded.waba_id,
            phone_number = excluded.phone_number, verified_name = excluded.verified_name,
            quality_rating = excluded.quality_rating,
            messages_per_second = COALESCE(excluded.messages_per_second, connections.messages_per_second),
            probe_at = NULL, probes = NULL, updated_at = excluded.updated_at"
    ))
    .bind(connection.id.uuid())
    .bind(connection.business.0)
    .bind(connection.provider.as_str())
    .bind(connection.status.as_str())
    .bind(&connection.reason)
    .bind(&connection.graph_id)
    .bind(&connection.waba_id)
    .bind(&connection.phone_number)
    .bind(&connection.verified_name)
    .bind(&connection.quality_rating)
    .bind(connection.sending.messages_per_second.map(i64::from))
    .bind(connection.created_at.as_micros())
    .bind(connection.updated_at.as_micros())
    .execute(conn)
    .await
    .map_err(failed)?;
    if written.rows_affected() == 0 { Err(StoreError::Gone { what: "the business" }) } else { Ok(()) }
}

/// The row takes business, status and reason from its connection, locked so that they cannot part.
async fn write_credential(conn: &mut Conn, credential: &Credential) -> Result<()> {
    let written = sqlx::query(concat!(
        "INSERT INTO official_whatsapp_credentials (connection_id, business_id, waba_id, phone_number_id, app_id,
                                                    api_provider, access_token, pin, scopes, token_expiration,
                                                    status, reason)
         SELECT id, business, $2, $3, $4, $5, $6, $7, $8, $9, status, reason FROM connections WHERE id = $1",
        for_share!(),
        " ON CONFLICT (connection_id) DO UPDATE SET waba_id = excluded.waba_id,
            phone_number_id = excluded.phone_number_id, app_id = excluded.app_id,
            api_provider = excluded.api_provider, access_token = excluded.access_token, pin = excluded.pin,
            scopes = excluded.scopes, token_expiration = excluded.token_expiration, status = excluded.status,
            reason = excluded.reason"
    ))
    .bind(credential.connection.uuid())
    .bind(&credential.waba_id)
    .bind(&credential.phone_number_id)
    .bind(&credential.app_id)
    .bind(credential.provider.as_str())
    .bind(credential.access_token.as_bytes())
    .bind(credential.pin.as_ref().map(Sealed::as_bytes))
    .bind(json(&credential.scopes))
    .bind(micros(credential.token_expires_at))
    .execute(conn)
    .await
    .map_err(failed)?;
    if written.rows_affected() == 0 { Err(StoreError::Gone { what: "the connection" }) } else { Ok(()) }
}

async fn repeat_status(conn: &mut Conn, id: ConnectionId) -> Result<()> {
    sqlx::query(
        "UPDATE official_whatsapp_credentials SET status = c.status, reason = c.reason
         FROM connections c WHERE c.id = $1 AND connection_id = c.id",
    )
    .bind(id.uuid())
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}
