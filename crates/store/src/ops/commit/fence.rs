//! Which rows of a batch may be written: those of partitions that are still ours and of businesses that live.

use std::collections::{HashMap, HashSet};

use domain::contracts::store::{Batch, Result};
use domain::ids::BusinessKey;
use domain::partition::{Epoch, Partition};
use sqlx::QueryBuilder;

use super::{Conn, Db, push_list};
use crate::columns::partition;
use crate::error::failed;
use crate::shapes;

/// The partitions that messages and transitions name and that stand under the epoch they are written with.
/// Their rows stay locked until the commit, so that no other node takes them meanwhile.
pub(super) async fn held(
    conn: &mut Conn,
    epochs: &[(Partition, Epoch)],
    batch: &Batch,
) -> Result<HashSet<Partition>> {
    let of_messages = batch.messages.iter().map(|message| message.partition);
    let of_transitions = batch.transitions.iter().map(|transition| transition.partition);
    let mut named: Vec<_> =
        of_messages.chain(of_transitions).map(|partition| i64::from(partition.0)).collect();
    named.sort_unstable();
    named.dedup();

    let mut held = HashSet::with_capacity(named.len());
    for list in shapes::lists(&named) {
        let mut query = QueryBuilder::<Db>::new("SELECT id, epoch FROM partitions WHERE id IN ");
        push_list(&mut query, list);
        query.push(concat!(" ORDER BY id", for_share!()));
        let rows: Vec<(i64, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for (id, epoch) in rows {
            let partition = partition(id)?;
            if epochs.contains(&(partition, Epoch(epoch))) {
                held.insert(partition);
            }
        }
    }
    Ok(held)
}

/// Those of the businesses that were not erased, and where each belongs.
///
/// Nothing is locked here. An erasure takes the lock that the caller shares already: the partition's row for
/// messages, the stream's lock for events.
pub(super) async fn living(
    conn: &mut Conn,
    businesses: impl Iterator<Item = BusinessKey>,
) -> Result<HashMap<BusinessKey, Partition>> {
    let mut named: Vec<_> = businesses.map(|business| business.0).collect();
    named.sort_unstable();
    named.dedup();

    let mut living = HashMap::with_capacity(named.len());
    for list in shapes::lists(&named) {
        let mut query =
            QueryBuilder::<Db>::new("SELECT id, partition FROM businesses WHERE NOT erased AND id IN ");
        push_list(&mut query, list);
        let rows: Vec<(i64, i64)> = query.build_query_as().fetch_all(&mut *conn).await.map_err(failed)?;
        for (id, number) in rows {
            living.insert(BusinessKey(id), partition(number)?);
        }
    }
    Ok(living)
}
