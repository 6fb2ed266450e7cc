//! What the batch teaches about people. Written under the stream's lock, with the events that taught it: nobody
//! changes a contact meanwhile, and an erased business gets none.

use domain::contact::{Alias, Contact, ContactChange, ContactKey, ContactNews, Counted, Inbound, Person};
use domain::contracts::store::Result;
use domain::ids::{BusinessKey, ConnectionId};
use sqlx::QueryBuilder;

use super::super::contacts::read_contacts;
use super::{Conn, Db, events, fence};
use crate::columns::micros;
use crate::error::{failed, vanished};
use crate::shapes;

type Wrote<'a> = (BusinessKey, &'a Alias, ConnectionId, Inbound);

/// Names that turn out to be one person's first, since what follows belongs to whoever they are.
pub(super) async fn write(conn: &mut Conn, changes: &[ContactChange]) -> Result<()> {
    events::lock_stream(conn).await?;
    let living = fence::living(conn, changes.iter().map(|change| change.business)).await?;
    let changes: Vec<&ContactChange> =
        changes.iter().filter(|change| living.contains_key(&change.business)).collect();
    for change in &changes {
        if let ContactNews::SameAs(other) = &change.news {
            unite(conn, change.business, &change.alias, other).await?;
        }
    }
    let wrote: Vec<Wrote<'_>> = changes
        .iter()
        .filter_map(|change| match change.news {
            ContactNews::Wrote { connection, inbound } => {
                Some((change.business, &change.alias, connection, inbound))
            }
            _ => None,
        })
        .collect();
    open_windows(conn, &wrote).await?;
    count(conn, &changes).await?;
    for change in &changes {
        if let ContactNews::Preference(_) | ContactNews::MarketingHeld { .. } = change.news {
            let contact = find(conn, change.business, &change.alias).await?.after(&change.news);
            save(conn, change.business, &contact, &change.alias).await?;
        }
    }
    Ok(())
}

/// Whom portfolios write to. Who counts in the same hours already is not counted twice.
async fn count(conn: &mut Conn, changes: &[&ContactChange]) -> Result<()> {
    let reached: Vec<(&str, Person, Counted)> = changes
        .iter()
        .filter_map(|change| match &change.news {
            ContactNews::Reached { portfolio, counted } => {
                Some((portfolio.as_str(), Person::known_as(&change.alias), *counted))
            }
            _ => None,
        })
        .collect();
    for run in shapes::runs(&reached) {
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO portfolio_reach (portfolio, person, from_hour, until_hour) ",
        );
        query.push_values(run, |mut row, (portfolio, person, counted)| {
            row.push_bind(*portfolio)
                .push_bind(person.0)
                .push_bind(counted.from.0)
                .push_bind(counted.until.0);
        });
        query.push(" ON CONFLICT (portfolio, person, from_hour) DO NOTHING");
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}

/// The later of what is known and what is new. One person may be in the batch under several names.
async fn open_windows(conn: &mut Conn, wrote: &[Wrote<'_>]) -> Result<()> {
    for run in shapes::runs(wrote) {
        let mut query = QueryBuilder::<Db>::new("WITH v (business, alias, connection, at, free_until) AS (");
        query.push_values(run, |mut row, (business, alias, connection, inbound)| {
            row.push_bind(business.0)
                .push_bind(alias.key(*business).0)
                .push_bind(connection.uuid())
                .push_bind(inbound.at.as_micros())
                .push_bind(micros(inbound.free_entry_until));
        });
        query.push(
            ") INSERT INTO contact_windows (business, contact, connection, last_inbound_at, free_entry_until)
             SELECT v.business, COALESCE(a.contact, v.alias), v.connection, MAX(v.at), MAX(v.free_until)
             FROM v LEFT JOIN contact_aliases a ON a.business = v.business AND a.alias = v.alias
             GROUP BY v.business, COALESCE(a.contact, v.alias), v.connection
             ON CONFLICT (business, contact, connection) DO UPDATE SET
                 last_inbound_at = CASE WHEN contact_windows.last_inbound_at < excluded.last_inbound_at
                     THEN excluded.last_inbound_at ELSE contact_windows.last_inbound_at END,
                 free_entry_until = CASE WHEN contact_windows.free_entry_until >= excluded.free_entry_until
                     OR excluded.free_entry_until IS NULL
                     THEN contact_windows.free_entry_until ELSE excluded.free_entry_until END",
        );
        query.build().execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}

async fn find(conn: &mut Conn, business: BusinessKey, alias: &Alias) -> Result<Contact> {
    let key = alias.key(business);
    let found = read_contacts(&mut *conn, &[(business, key)]).await?.remove(&(business, key));
    Ok(found.unwrap_or_else(|| Contact::stranger(key)))
}

/// Writes what stands in the contact's own row; `known_as` is its canonical name where it has no row yet.
async fn save(conn: &mut Conn, business: BusinessKey, contact: &Contact, known_as: &Alias) -> Result<()> {
    let canonical = contact.canonical.as_ref().unwrap_or(known_as);
    sqlx::query(
        "INSERT INTO contacts (business, key, canonical, opt_out_scope, opt_out_source, opt_out_at, preference_at,
             marketing_hold_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (business, key) DO UPDATE SET
             opt_out_scope = excluded.opt_out_scope, opt_out_source = excluded.opt_out_source,
             opt_out_at = excluded.opt_out_at, preference_at = excluded.preference_at,
             marketing_hold_until = excluded.marketing_hold_until",
    )
    .bind(business.0)
    .bind(contact.key.0)
    .bind(canonical.to_string())
    .bind(contact.opt_out.map(|opt_out| opt_out.scope as i64))
    .bind(contact.opt_out.map(|opt_out| opt_out.source as i64))
    .bind(contact.opt_out.map(|opt_out| opt_out.at.as_micros()))
    .bind(micros(contact.preference_at))
    .bind(micros(contact.marketing_hold_until))
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Makes two names lead to one contact: that of the name of the better rank, or of the first of two of a rank. What
/// was known of the other goes over to it, and of two wishes the stricter holds.
async fn unite(conn: &mut Conn, business: BusinessKey, one: &Alias, other: &Alias) -> Result<()> {
    let (first, second) = (find(conn, business, one).await?, find(conn, business, other).await?);
    if first.key == second.key {
        return Ok(());
    }
    let name = |contact: &Contact, alias: &Alias| contact.canonical.clone().unwrap_or_else(|| alias.clone());
    let (one, other) = (name(&first, one), name(&second, other));
    let ((stays, stays_as), (goes, goes_as)) = if one.rank() <= other.rank() {
        ((first, one), (second, other))
    } else {
        ((second, other), (first, one))
    };
    let united = Contact {
        opt_out: stays.opt_out.into_iter().chain(goes.opt_out).max_by_key(|opt_out| opt_out.scope),
        preference_at: stays.preference_at.max(goes.preference_at),
        marketing_hold_until: stays.marketing_hold_until.max(goes.marketing_hold_until),
        ..stays
    };
    save(conn, business, &united, &stays_as).await?;
    lead(conn, business, &goes_as, goes.key, united.key).await?;
    let wrote: Vec<Wrote<'_>> = goes
        .inbound
        .iter()
        .map(|(connection, inbound)| (business, &stays_as, *connection, *inbound))
        .collect();
    open_windows(conn, &wrote).await?;
    for statement in [
        "DELETE FROM contact_windows WHERE business = $1 AND contact = $2",
        "DELETE FROM contacts WHERE business = $1 AND key = $2",
    ] {
        let statement = sqlx::query(statement).bind(business.0).bind(goes.key.0);
        statement.execute(&mut *conn).await.map_err(failed)?;
    }
    Ok(())
}

/// From now on `name`, and every name that led to its contact, lead to `to`.
async fn lead(
    conn: &mut Conn,
    business: BusinessKey,
    name: &Alias,
    from: ContactKey,
    to: ContactKey,
) -> Result<()> {
    if name.key(business) != from {
        return Err(vanished("the canonical name of a contact"));
    }
    sqlx::query("UPDATE contact_aliases SET contact = $3 WHERE business = $1 AND contact = $2")
        .bind(business.0)
        .bind(from.0)
        .bind(to.0)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    sqlx::query(
        "INSERT INTO contact_aliases (business, alias, name, contact) VALUES ($1, $2, $3, $4)
         ON CONFLICT (business, alias) DO UPDATE SET contact = excluded.contact",
    )
    .bind(business.0)
    .bind(from.0)
    .bind(name.to_string())
    .bind(to.0)
    .execute(conn)
    .await
    .map_err(failed)?;
    Ok(())
}
