//! Which process may act. Each change of hands raises the epoch of a partition, and every commit compares it.

use std::time::Duration;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::contracts::leases::{Leases, Node};
use domain::contracts::store::Result;
use domain::partition::{Epoch, Incarnation, Partition};

use super::{Database, Tx};
use crate::columns::partition;
use crate::error::failed;

/// Dead incarnations are kept this long for whoever looks into what happened.
const DEAD_KEPT: Duration = Duration::from_hours(24);

#[async_trait]
impl Leases for Database {
    async fn join(&self, node: &Node, now: Timestamp) -> Result<()> {
        sqlx::query("DELETE FROM nodes WHERE state = 'dead' AND seen < $1")
            .bind(now.minus(DEAD_KEPT).as_micros())
            .execute(&self.write)
            .await
            .map_err(failed)?;
        // An incarnation that was declared dead stays dead: it has to come back as another.
        sqlx::query(
            "INSERT INTO nodes (incarnation, name, address, state, since, seen) VALUES ($1, $2, $3, 'active', $4, $4)
             ON CONFLICT (incarnation) DO UPDATE SET name = excluded.name, address = excluded.address",
        )
        .bind(node.incarnation.0)
        .bind(&node.name)
        .bind(&node.address)
        .bind(now.as_micros())
        .execute(&self.write)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn take_all(&self, me: Incarnation) -> Result<Vec<(Partition, Epoch)>> {
        let mut tx = Tx::begin(&self.write).await?;
        // Locked in order of their number, as commits do, so that the two wait for each other and never in a ring.
        sqlx::query(concat!("SELECT id FROM partitions ORDER BY id", for_update!()))
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        let dead: Option<(i64,)> =
            sqlx::query_as("SELECT incarnation FROM nodes WHERE incarnation = $1 AND state = 'dead'")
                .bind(me.0)
                .fetch_optional(tx.connection())
                .await
                .map_err(failed)?;
        if dead.is_some() {
            tx.commit().await?;
            return Ok(Vec::new());
        }
        sqlx::query(
            "UPDATE nodes SET state = 'dead'
             WHERE incarnation <> $1 AND incarnation IN (SELECT owner FROM partitions WHERE owner IS NOT NULL)",
        )
        .bind(me.0)
        .execute(tx.connection())
        .await
        .map_err(failed)?;
        sqlx::query("UPDATE partitions SET owner = $1, epoch = epoch + 1 WHERE owner IS NULL OR owner <> $1")
            .bind(me.0)
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        let held: Vec<(i64, i64)> =
            sqlx::query_as("SELECT id, epoch FROM partitions WHERE owner = $1 ORDER BY id")
                .bind(me.0)
                .fetch_all(tx.connection())
                .await
                .map_err(failed)?;
        tx.commit().await?;
        held.into_iter().map(|(id, epoch)| Ok((partition(id)?, Epoch(epoch)))).collect()
    }

    async fn renew(&self, me: Incarnation, now: Timestamp) -> Result<bool> {
        let renewed = sqlx::query("UPDATE nodes SET seen = $2 WHERE incarnation = $1 AND state <> 'dead'")
            .bind(me.0)
            .bind(now.as_micros())
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(renewed.rows_affected() > 0)
    }

    async fn leave(&self, me: Incarnation) -> Result<()> {
        let mut tx = Tx::begin(&self.write).await?;
        sqlx::query("UPDATE partitions SET owner = NULL WHERE owner = $1")
            .bind(me.0)
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        sqlx::query("DELETE FROM nodes WHERE incarnation = $1")
            .bind(me.0)
            .execute(tx.connection())
            .await
            .map_err(failed)?;
        tx.commit().await
    }
}
