//! What did not arrive: the provider's reports of it, and what took its place.

use async_trait::async_trait;
use domain::contracts::dead_letters::DeadLetters;
use domain::contracts::store::Result;
use domain::delivery_status::DeliveryStatus;
use domain::event::report_id;
use domain::ids::{ConnectionId, EventId, MessageId};
use domain::secret::Sealed;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Database, Db, push_list};
use crate::error::failed;
use crate::shapes;

#[async_trait]
impl DeadLetters for Database {
    async fn failed_report(
        &self,
        connection: ConnectionId,
        message: MessageId,
    ) -> Result<Option<(EventId, Sealed)>> {
        let id = report_id(connection, message, DeliveryStatus::Failed.as_str(), "");
        let row: Option<(Vec<u8>,)> = sqlx::query_as("SELECT body FROM events WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(&self.read)
            .await
            .map_err(failed)?;
        Ok(row.map(|(body,)| (id, Sealed::from_bytes(body))))
    }

    async fn replays(&self, messages: &[MessageId]) -> Result<Vec<(MessageId, MessageId)>> {
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let mut replays = Vec::new();
        for list in shapes::lists(&ids) {
            let mut query = QueryBuilder::<Db>::new(
                "SELECT replay_of, id FROM outbox WHERE replay_of IS NOT NULL AND replay_of IN ",
            );
            push_list(&mut query, list);
            query.push(" ORDER BY id");
            let rows: Vec<(Uuid, Uuid)> =
                query.build_query_as().fetch_all(&self.read).await.map_err(failed)?;
            replays.extend(
                rows.into_iter().map(|(old, new)| (MessageId::from_uuid(old), MessageId::from_uuid(new))),
            );
        }
        Ok(replays)
    }
}
