//! Reading what is kept about contacts. It is written by `commit` alone, except since when webhooks are heard.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contact::{Alias, Contact, ContactKey, Inbound, Listening, OptOut, Scope, Source};
use domain::contracts::contacts::Contacts;
use domain::contracts::store::{Page, Result};
use domain::ids::{BusinessKey, ConnectionId};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::{Conn, Database, Db, push_list};
use crate::columns::{known, time};
use crate::error::failed;
use crate::shapes;

/// Stands for the whole installation among the connections that are listened to.
const INSTALLATION: Uuid = Uuid::nil();

type Asked = (BusinessKey, ContactKey);

/// The contact's own row, where it has one.
#[derive(FromRow)]
struct ContactRow {
    canonical: Option<String>,
    opt_out_scope: Option<i64>,
    opt_out_source: Option<i64>,
    opt_out_at: Option<i64>,
    preference_at: Option<i64>,
    marketing_hold_until: Option<i64>,
}

impl ContactRow {
    fn read(self, key: ContactKey) -> Result<Contact> {
        let opt_out = match (self.opt_out_scope, self.opt_out_source, self.opt_out_at) {
            (Some(scope), Some(source), Some(at)) => Some(OptOut {
                scope: known(Scope::from_number(scope), "scope of an opt-out")?,
                source: known(Source::from_number(source), "source of an opt-out")?,
                at: Timestamp::from_micros(at),
            }),
            _ => None,
        };
        Ok(Contact {
            key,
            canonical: self.canonical.as_deref().map(alias).transpose()?,
            opt_out,
            preference_at: time(self.preference_at),
            marketing_hold_until: time(self.marketing_hold_until),
            inbound: Vec::new(),
        })
    }
}

fn alias(text: &str) -> Result<Alias> {
    known(text.parse().ok(), "name of a contact")
}

/// One row for each number that somebody wrote to, or one without.
#[derive(FromRow)]
struct FoundRow {
    business: i64,
    alias: i64,
    key: i64,
    #[sqlx(flatten)]
    contact: ContactRow,
    connection: Option<Uuid>,
    last_inbound_at: Option<i64>,
    free_entry_until: Option<i64>,
}

/// Those of the asked that are not strangers.
pub(super) async fn read_contacts(conn: &mut Conn, asked: &[Asked]) -> Result<HashMap<Asked, Contact>> {
    let mut found: HashMap<Asked, Contact> = HashMap::with_capacity(asked.len());
    for list in shapes::lists(asked) {
        let mut query = QueryBuilder::<Db>::new("WITH v (business, alias) AS (");
        query.push_values(&list, |mut row, (business, key)| {
            row.push_bind(business.0).push_bind(key.0);
        });
        query.push(
            "), asked AS (
                 SELECT DISTINCT v.business, v.alias, COALESCE(a.contact, v.alias) AS key
                 FROM v LEFT JOIN contact_aliases a ON a.business = v.business AND a.alias = v.alias
             )
             SELECT asked.business, asked.alias, asked.key, c.canonical, c.opt_out_scope, c.opt_out_source,
                    c.opt_out_at, c.preference_at, c.marketing_hold_until, w.connection, w.last_inbound_at,
                    w.free_entry_until
             FROM asked
                  LEFT JOIN contacts c ON c.business = asked.business AND c.key = asked.key
                  LEFT JOIN contact_windows w ON w.business = asked.business AND w.contact = asked.key",
        );
        let rows: Vec<FoundRow> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for row in rows {
            add(&mut found, row)?;
        }
    }
    Ok(found)
}

fn add(found: &mut HashMap<Asked, Contact>, row: FoundRow) -> Result<()> {
    if row.contact.canonical.is_none() && row.connection.is_none() {
        return Ok(());
    }
    let asked = (BusinessKey(row.business), ContactKey(row.alias));
    let contact = match found.entry(asked) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(row.contact.read(ContactKey(row.key))?),
    };
    if let (Some(connection), Some(at)) = (row.connection, row.last_inbound_at) {
        let inbound =
            Inbound { at: Timestamp::from_micros(at), free_entry_until: time(row.free_entry_until) };
        contact.inbound.push((ConnectionId::from_uuid(connection), inbound));
    }
    Ok(())
}

#[derive(FromRow)]
struct ListedRow {
    key: i64,
    #[sqlx(flatten)]
    contact: ContactRow,
}

#[async_trait]
impl Contacts for Database {
    async fn contacts(&self, keys: &[Asked]) -> Result<Vec<Option<Contact>>> {
        let mut conn = self.read.acquire().await.map_err(failed)?;
        let found = read_contacts(&mut conn, keys).await?;
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn opted_out(&self, business: BusinessKey, page: Page<ContactKey>) -> Result<Vec<Contact>> {
        let rows: Vec<ListedRow> = sqlx::query_as(
            "SELECT key, canonical, opt_out_scope, opt_out_source, opt_out_at, preference_at, marketing_hold_until
             FROM contacts WHERE business = $1 AND key > $2 AND opt_out_scope IS NOT NULL ORDER BY key LIMIT $3",
        )
        .bind(business.0)
        .bind(page.after.map_or(i64::MIN, |key| key.0))
        .bind(i64::from(page.limit))
        .fetch_all(&self.read)
        .await
        .map_err(failed)?;
        rows.into_iter().map(|row| row.contact.read(ContactKey(row.key))).collect()
    }

    async fn other_names(
        &self,
        business: BusinessKey,
        contacts: &[ContactKey],
    ) -> Result<Vec<(ContactKey, Alias)>> {
        let keys: Vec<i64> = contacts.iter().map(|key| key.0).collect();
        let mut names = Vec::new();
        for list in shapes::lists(&keys) {
            let mut query =
                QueryBuilder::<Db>::new("SELECT contact, name FROM contact_aliases WHERE business = ");
            query.push_bind(business.0).push(" AND contact IN ");
            push_list(&mut query, list);
            let rows: Vec<(i64, String)> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            for (contact, name) in rows {
                names.push((ContactKey(contact), alias(&name)?));
            }
        }
        Ok(names)
    }

    async fn heard(&self, now: Timestamp, tolerated: Duration) -> Result<()> {
        sqlx::query(
            "INSERT INTO listening (connection, since, heard_at) VALUES ($1, $2, $2)
             ON CONFLICT (connection) DO UPDATE SET
                 since = CASE WHEN listening.heard_at < $3 THEN excluded.since ELSE listening.since END,
                 heard_at = CASE WHEN listening.heard_at < excluded.heard_at
                     THEN excluded.heard_at ELSE listening.heard_at END",
        )
        .bind(INSTALLATION)
        .bind(now.as_micros())
        .bind(now.minus(tolerated).as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn hears_anew(&self, connection: ConnectionId, now: Timestamp) -> Result<()> {
        // Only of a connection that is there: one that was erased meanwhile leaves nothing behind.
        sqlx::query(
            "INSERT INTO listening (connection, since, heard_at) SELECT id, $2, $2 FROM connections WHERE id = $1
             ON CONFLICT (connection) DO UPDATE SET since = excluded.since, heard_at = excluded.heard_at",
        )
        .bind(connection.uuid())
        .bind(now.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn listening(&self, connection: ConnectionId) -> Result<Option<Listening>> {
        let row: Option<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(
            "SELECT c.created_at, own.since, everybody.since FROM connections c
                  LEFT JOIN listening own ON own.connection = c.id
                  LEFT JOIN listening everybody ON everybody.connection = $2
             WHERE c.id = $1",
        )
        .bind(connection.uuid())
        .bind(INSTALLATION)
        .fetch_optional(&self.read)
        .await
        .map_err(failed)?;
        Ok(row.map(|(created_at, own, everybody)| {
            // Nobody has said yet that anything is heard.
            let everybody = everybody.unwrap_or(i64::MAX);
            Listening { since: Timestamp::from_micros(own.unwrap_or(created_at).max(everybody)) }
        }))
    }
}
