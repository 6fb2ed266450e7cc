//! The hot path: everything the writer gathered, in one transaction of a few multi-row statements.
//!
//! The order of the steps is also the order of locks: partitions, idempotency keys, endpoints, messages, and
//! the stream of events last, because on Postgres only one transaction at a time may append to it.

mod contacts;
mod deliveries;
mod events;
mod fence;
mod keys;
mod messages;
mod reported;
mod timeline;
mod transitions;
mod values;

use std::collections::HashSet;

use async_trait::async_trait;
use domain::contracts::store::{Batch, Committed, MessageFilter, Outbox, Page, Result, StoredMessage};
use domain::ids::{AccountKey, ConnectionId, MessageId};
use domain::message::TimelineEntry;
use domain::partition::{Epoch, Partition};
use domain::secret::Sealed;
use tokio::time::Instant;

use super::{Conn, Database, Db, LOCK_STREAM, Tx, at_once, push_list};
use crate::error::is_contention;
use crate::written::is_ordinary;

/// How often a commit is run that the database ended in favour of another.
const TRIES: u32 = 4;

impl Database {
    /// In one go where that can be, and what is left of it in steps. Rows of the two need nothing of each other, so
    /// it does no harm when the first is durable and the second is not yet.
    async fn commit_once(&self, epochs: &[(Partition, Epoch)], batch: &Batch) -> Result<Committed> {
        if self.in_steps || !is_ordinary(batch) {
            return self.commit_in_steps(epochs, batch).await;
        }
        let Some(written) = at_once::commit(&self.write, epochs, batch).await? else {
            return self.commit_in_steps(epochs, batch).await;
        };
        match written.rest(batch) {
            None => Ok(written.complete()),
            Some(rest) => {
                let answer = self.commit_in_steps(epochs, &rest.batch).await?;
                Ok(written.completed_by(&rest, answer))
            }
        }
    }

    async fn commit_in_steps(&self, epochs: &[(Partition, Epoch)], batch: &Batch) -> Result<Committed> {
        let mut tx = Tx::begin(&self.write).await?;
        let conn = tx.connection();
        let held = fence::held(conn, epochs, batch).await?;
        let messages = messages::insert(conn, &held, &batch.messages).await?;
        deliveries::write(conn, batch).await?;
        let transitions = transitions::apply(conn, &held, batch).await?;
        let moved: HashSet<MessageId> = batch
            .transitions
            .iter()
            .zip(&transitions)
            .filter_map(|(transition, applied)| applied.then_some(transition.message))
            .collect();
        let events = events::append(conn, &batch.events, &moved).await?;
        if !batch.contacts.is_empty() {
            contacts::write(conn, &batch.contacts).await?;
        }
        tx.commit().await?;
        Ok(Committed { messages, transitions, events })
    }
}

#[async_trait]
impl Outbox for Database {
    async fn commit(&self, epochs: &[(Partition, Epoch)], batch: &Batch) -> Result<Committed> {
        let begun = Instant::now();
        let mut tries = 1;
        loop {
            match self.commit_once(epochs, batch).await {
                Err(error) if is_contention(&error) && tries < TRIES => tries += 1,
                result => {
                    crate::metrics::committed(begun.elapsed());
                    return result;
                }
            }
        }
    }

    async fn message(&self, account: AccountKey, id: MessageId) -> Result<Option<StoredMessage>> {
        self.read_message(account, id).await
    }

    async fn messages(
        &self,
        account: AccountKey,
        filter: &MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Vec<StoredMessage>> {
        self.list_messages(account, filter, page).await
    }

    async fn message_body(&self, id: MessageId) -> Result<Option<Sealed>> {
        self.read_body(id).await
    }

    async fn timeline(&self, id: MessageId) -> Result<Vec<TimelineEntry>> {
        self.read_timeline(id).await
    }

    async fn messages_by_provider_id(
        &self,
        connection: ConnectionId,
        provider_ids: &[String],
    ) -> Result<Vec<(String, MessageId)>> {
        self.find_by_provider_id(connection, provider_ids).await
    }
}
