//! Idempotency keys of messages: the first message under a key takes it, in the message's own commit.

use std::collections::HashMap;

use domain::contracts::store::{IdempotencyRecord, NewMessage, Result};
use domain::ids::AccountKey;
use domain::onboarding::Digest32;
use sqlx::QueryBuilder;

use super::super::idempotency::{IdempotencyRow, idempotency_columns};
use super::{Conn, Db, values};
use crate::columns::digest;
use crate::error::{failed, vanished};
use crate::rows::{self, KEY};
use crate::shapes;

type Key = (AccountKey, Digest32);

const fn key(record: &IdempotencyRecord) -> Key {
    (record.account, record.key_hash)
}

/// For those of the numbered messages whose key another message has: the record they are to be answered with.
pub(super) async fn taken(
    conn: &mut Conn,
    messages: &[(usize, &NewMessage)],
) -> Result<HashMap<usize, IdempotencyRecord>> {
    let keyed = messages
        .iter()
        .filter_map(|(number, message)| Some((*number, *message, message.idempotency.as_ref()?)));
    let mut first: HashMap<Key, (&NewMessage, &IdempotencyRecord)> = HashMap::new();
    for (_, message, record) in keyed.clone() {
        first.entry(key(record)).or_insert((message, record));
    }
    let used_before = reserve(conn, first.values().copied().collect()).await?;

    let mut taken = HashMap::new();
    for (number, message, record) in keyed {
        let (first, first_record) = first[&key(record)];
        if let Some(earlier) = used_before.get(&key(record)) {
            taken.insert(number, earlier.clone());
        } else if first.id != message.id {
            taken.insert(number, first_record.clone());
        }
    }
    Ok(taken)
}

/// Writes the records whose keys are free, and answers those of the others. A key that the same message wrote
/// in an earlier run of this batch counts as free.
async fn reserve(
    conn: &mut Conn,
    mut rows: Vec<(&NewMessage, &IdempotencyRecord)>,
) -> Result<HashMap<Key, IdempotencyRecord>> {
    // In one order everywhere, so that two commits with the same keys wait for each other and never in a ring.
    rows.sort_unstable_by_key(|(_, record)| key(record));
    let mut free = Vec::with_capacity(rows.len());
    for run in shapes::runs(&rows) {
        let mut query = values::insert(
            "idempotency",
            KEY,
            run.iter().map(|(message, record)| rows::key(message, record)),
        );
        query.push(" ON CONFLICT (account, key_hash) DO NOTHING RETURNING account, key_hash");
        let written: Vec<(i64, Vec<u8>)> =
            query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for (account, hash) in written {
            free.push((AccountKey(account), digest(&hash)?));
        }
    }
    free.sort_unstable();
    rows.retain(|(_, record)| free.binary_search(&key(record)).is_err());
    used(conn, &rows).await
}

async fn used(
    conn: &mut Conn,
    rows: &[(&NewMessage, &IdempotencyRecord)],
) -> Result<HashMap<Key, IdempotencyRecord>> {
    let mut used = HashMap::with_capacity(rows.len());
    for list in shapes::lists(rows) {
        let mut query = QueryBuilder::<Db>::new("WITH v (of_account, hash) AS (");
        query.push_values(&list, |mut row, (_, record)| {
            row.push_bind(record.account.0).push_bind(&record.key_hash[..]);
        });
        query.push(concat!(
            ") SELECT ",
            idempotency_columns!(),
            " FROM v JOIN idempotency ON account = of_account AND key_hash = hash"
        ));
        let found: Vec<IdempotencyRow> =
            query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for row in found {
            let owner = row.message;
            let record = row.read()?;
            used.insert(key(&record), (owner, record));
        }
    }
    let mut earlier = HashMap::new();
    for (message, record) in rows {
        let (owner, found) = used.remove(&key(record)).ok_or_else(|| vanished("an idempotency key"))?;
        if owner != Some(message.id.uuid()) {
            earlier.insert(key(record), found);
        }
    }
    Ok(earlier)
}
