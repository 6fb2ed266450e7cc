//! The only door to the actors: cheap to clone, plain async methods, no address leaves it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use domain::business::Business;
use domain::clock::Timestamp;
use domain::connection::{Connection, ConnectionStatus, ProviderName};
use domain::contracts::provider::{Subject, Update};
use domain::contracts::store::{
    Accepted, Batch, IdempotencyRecord, NewMessage, Page, StoreError, StoredMessage,
};
use domain::endpoint::Endpoint;
use domain::event::EventType;
use domain::ids::{AccountKey, BusinessKey, BusinessRef, ConnectionId, EndpointId, MessageId};
use domain::message::MessageStatus;
use domain::outbox::OutboxState;
use domain::template::{Category, TemplateList};
use serde::Serialize;

use crate::acceptance::{A_MOMENT, AcceptError, Acceptance, AcceptedMessage, Submission};
use crate::breaker::BrokenApp;
use crate::connection::messages::{Cancel, Cancellation, Observation, Observe, Reload, Submit};
use crate::endpoints::{self, Endpoints, Refresh, Replay, ReplayError, Replayed, RestAll, RetryNow};
use crate::hearing::Pulse;
use crate::inbox::{self, IngestError, Ingested};
use crate::keychain::{Keychain, column};
use crate::media::{self, Fetching, Sweeping};
use crate::own_events::{self, OwnEvent};
use crate::ownership::{Leave, Ownership};
use crate::quotes;
use crate::router::{Locate, Route, RouteError, Router, Target};
use crate::services::Services;
use crate::supervisor::registry::{NoSlot, Registry, Running};
use crate::supervisor::{DrainAll, Forget, NotRunning, Run, Supervisor};
use crate::templates::{Listing, waba_of};
use crate::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Invalid(#[from] domain::connection::InvalidTransition),
    #[error("the connection changed at the same moment")]
    MovedMeanwhile,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Clone)]
pub struct Gateway {
    pub(crate) services: Services,
    pub(crate) registry: Registry,
    pub(crate) supervisor: Addr<Supervisor>,
    pub(crate) router: Addr<Router>,
    pub(crate) endpoints: Addr<Endpoints>,
    pub(crate) ownership: Addr<Ownership>,
    pub(crate) lost: tokio::sync::watch::Receiver<bool>,
    pub(crate) _listing: Arc<Listing>,
    pub(crate) _fetching: Arc<Fetching>,
    pub(crate) _sweeping: Arc<Sweeping>,
    pub(crate) _pulse: Arc<Pulse>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

/// What the node is doing.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub partitions: usize,
    pub leased: bool,
    /// Nothing is sent through these.
    pub broken_apps: Vec<BrokenApp>,
    pub connections: Vec<(ConnectionId, Observation)>,
}

impl Gateway {
    /// Where a message of this target would go, with its business for the checks that need it.
    pub async fn route(
        &self,
        account: AccountKey,
        target: Target,
        immediate: bool,
    ) -> Result<Route, RouteError> {
        self.router.send(Locate { account, target, immediate }).await.unwrap_or_else(|_| {
            Err(RouteError::Unavailable(Arc::new(StoreError::Unreadable { what: "route" })))
        })
    }

    /// Accepts: answers when the row is committed, whatever happens to the message afterwards.
    pub async fn accept(&self, route: &Route, mut submission: Submission) -> Result<Acceptance, AcceptError> {
        if !self.services.writer.has_room(submission.priority) {
            return Err(AcceptError::Overloaded { retry_after: A_MOMENT });
        }
        let Submission { kind, json, recipient, .. } = &submission;
        let category = self.services.templates.admit(&route.connection, kind, json, recipient).await?;
        submission.marketing |= category == Some(Category::Marketing);
        quotes::check(&self.services, &route.connection, &submission.json).await?;
        media::check(&self.services, &route.connection, &submission.json).await?;
        let contacts = &self.services.contacts;
        let asked = submission.asks(&route.connection);
        let admitted = contacts.admit(asked).await?;
        let held = contacts.reserve(asked, &admitted, submission.when()).await?;
        let send_at = held.not_before.or(submission.send_at);
        let now = self.services.clock.now();
        let id = MessageId::from_uuid(self.services.ids.next());
        let connection = &route.connection;
        let answer = AcceptedMessage {
            id,
            status: MessageStatus::Accepted,
            connection_id: connection.id,
            to: submission.recipient.to_string(),
            replay_of: submission.replay_of,
        };
        let body = self
            .services
            .keychain
            .seal(route.business.key, id.uuid(), column::MESSAGE_BODY, submission.json.as_bytes())
            .await?;
        let on_ambiguous = submission.policy(connection);
        let message = NewMessage {
            id,
            partition: connection.partition,
            account: route.business.account,
            business: route.business.key,
            connection: connection.id,
            lane: admitted.lane,
            order: submission.order,
            recipient: answer.to.clone(),
            kind: submission.kind,
            state: OutboxState::NEW,
            on_ambiguous,
            priority: submission.priority,
            client_ref: submission.client_ref,
            opaque: submission.opaque,
            accepted_at: now,
            send_at,
            expires_at: submission.expires_at.unwrap_or_else(|| self.lifetime_after(send_at.unwrap_or(now))),
            body,
            idempotency: submission.idempotency.map(|key| IdempotencyRecord {
                account: route.business.account,
                key_hash: key.key_hash,
                route: key.route,
                body_hash: key.body_hash,
                answer_status: key.answer_status,
                answer: (key.answer)(&answer),
                created_at: now,
            }),
            replay_of: submission.replay_of,
            timeline: held.line(now),
        };
        // Handed over before the message, so that it is written no later.
        drop(
            held.counted.map(|change| {
                self.services.writer.write(Batch { contacts: vec![change], ..Batch::default() })
            }),
        );
        self.services.references.remember(
            id,
            message.business,
            message.client_ref.as_deref(),
            message.opaque.as_deref(),
        );
        match self.submit(connection.id, message, submission.json).await? {
            Accepted::Committed { .. } => Ok(Acceptance::New(answer)),
            Accepted::Replayed(record) => Ok(Acceptance::Replayed(record)),
            Accepted::Erased => Err(AcceptError::Erased),
            Accepted::Fenced => Err(AcceptError::Unavailable { retry_after: A_MOMENT }),
        }
    }

    async fn submit(
        &self,
        id: ConnectionId,
        message: NewMessage,
        json: String,
    ) -> Result<Accepted, AcceptError> {
        let message = Box::new(message);
        loop {
            let running = self.running(id).await?;
            let slot = match running.slot() {
                Ok(slot) => slot,
                Err(NoSlot::Full) => return Err(AcceptError::Overloaded { retry_after: A_MOMENT }),
                Err(NoSlot::Leaving) => {
                    self.registry.remove_this(id, &running.address);
                    continue;
                }
            };
            let answered = running.address.send(Submit { message, json }).await;
            drop(slot);
            return match answered {
                Ok(Ok(accepted)) => Ok(accepted),
                Ok(Err(WriteError::Overloaded)) => Err(AcceptError::Overloaded { retry_after: A_MOMENT }),
                Ok(Err(WriteError::Unavailable)) | Err(_) => {
                    Err(AcceptError::Unavailable { retry_after: A_MOMENT })
                }
            };
        }
    }

    async fn running(&self, id: ConnectionId) -> Result<Running, AcceptError> {
        if let Some(running) = self.registry.get(id)
            && running.address.connected()
        {
            return Ok(running);
        }
        match self.supervisor.send(Run(id)).await {
            Ok(Ok(running)) => Ok(running),
            Ok(Err(NotRunning::Restarting { wait })) => Err(AcceptError::Unavailable { retry_after: wait }),
            Ok(Err(NotRunning::Stopping)) | Err(_) => Err(AcceptError::Unavailable { retry_after: A_MOMENT }),
        }
    }

    /// A message as soon as it is over or the provider has it, or as it stands after `patience`.
    pub async fn outcome(
        &self,
        account: AccountKey,
        id: MessageId,
        patience: Duration,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let Services { outcomes, store, clock, .. } = &self.services;
        outcomes.of(&**store, &**clock, account, id, patience).await
    }

    /// The connection that Cloud API clients know under this number, if it is the account's.
    pub async fn number(
        &self,
        account: AccountKey,
        graph_id: &str,
    ) -> Result<Option<Arc<Connection>>, Arc<StoreError>> {
        let found = self.services.directory.subject(&Subject::Number(graph_id.to_owned())).await?;
        Ok(found.into_iter().find(|connection| connection.account == account))
    }

    /// The account's connections of this WhatsApp business account, oldest first.
    pub async fn numbers_of(
        &self,
        account: AccountKey,
        waba_id: &str,
    ) -> Result<Vec<Arc<Connection>>, Arc<StoreError>> {
        let found = self.services.directory.subject(&Subject::Waba(waba_id.to_owned())).await?;
        Ok(found.into_iter().filter(|connection| connection.account == account).collect())
    }

    fn lifetime_after(&self, start: Timestamp) -> Timestamp {
        start.plus(Duration::from_secs(self.services.config.message_lifetime_s))
    }

    /// Cancels a message of this connection unless it is claimed already.
    pub async fn cancel(&self, connection: ConnectionId, id: MessageId) -> Result<Cancellation, AcceptError> {
        let running = self.running(connection).await?;
        match running.address.send(Cancel(id)).await {
            Ok(Ok(cancellation)) => Ok(cancellation),
            _ => Err(AcceptError::Unavailable { retry_after: A_MOMENT }),
        }
    }

    /// Keeps news from a provider; when it answers, everything is durable and may be acknowledged.
    pub async fn ingest(
        &self,
        provider: ProviderName,
        updates: Vec<Update>,
    ) -> Result<Ingested, IngestError> {
        let (services, registry) = (self.services.clone(), self.registry.clone());
        // Away from the request: a caller that hangs up does not leave half of it undone.
        let ingesting =
            tokio::spawn(async move { inbox::ingest(&services, &registry, provider, updates).await });
        let ingested = ingesting.await.unwrap_or(Err(IngestError::Write(WriteError::Unavailable)));
        if ingested.is_err() {
            self.missed_news();
        }
        ingested
    }

    /// Something that a provider told was turned away, and comes again later.
    pub fn missed_news(&self) {
        self.services.hearing.missed();
    }

    /// A connection was made, or its credential was replaced: its actor reads it again, endpoints hear of it.
    pub async fn connection_saved(&self, connection: &Connection) {
        self.services.directory.forget_business(connection.account, &connection.business_reference).await;
        self.services.contacts.hears_anew(connection.id).await;
        self.services.templates.hint(connection);
        if let Some(running) = self.registry.get(connection.id) {
            let _ = running.address.send(Reload).await;
        }
        crate::connections::emit(&self.services, connection).await;
    }

    /// Moves a connection's status.
    pub async fn move_connection(
        &self,
        connection: &Connection,
        to: ConnectionStatus,
        reason: Option<&str>,
    ) -> Result<(), MoveError> {
        let from = connection.status;
        let moved =
            Connection { status: from.to(to)?, reason: reason.map(str::to_owned), ..connection.clone() };
        if !crate::connections::announce(&self.services, &moved, from).await? {
            return Err(MoveError::MovedMeanwhile);
        }
        if let Some(running) = self.registry.get(connection.id) {
            let _ = running.address.send(Reload).await;
        }
        Ok(())
    }

    /// The templates of a connection's account; `None` when they were not listed yet.
    pub async fn templates(
        &self,
        connection: &Connection,
    ) -> Result<Option<Arc<TemplateList>>, Arc<StoreError>> {
        match waba_of(connection) {
            Some(waba) => self.services.templates.list(waba).await,
            None => Ok(None),
        }
    }

    /// Templates of the connection's account were made, changed or deleted through us.
    pub fn templates_may_differ(&self, connection: &Connection) {
        self.services.templates.hint(connection);
    }

    pub async fn business_changed(&self, account: AccountKey, reference: &BusinessRef) {
        self.services.directory.forget_business(account, reference).await;
    }

    /// Erases a business: its keys first, so that nothing sealed for it can be opened again, then everything that
    /// names it, and whatever of it stands in memory.
    pub async fn erase_business(&self, business: &Business) -> Result<(), StoreError> {
        let (gateway, business) = (self.clone(), business.clone());
        // Away from the request: a caller that hangs up does not leave half of it undone.
        let erasing = tokio::spawn(async move {
            let services = &gateway.services;
            let all = Page { after: None, limit: u32::MAX };
            let connections = services.store.connections(business.account, Some(business.key), all).await?;
            let erased = services.store.erase_business(business.key).await;
            services.keychain.forget(business.key).await;
            services.stream.forget(business.key);
            services.references.forget(business.key);
            services.directory.forget_business(business.account, &business.reference).await;
            let ids = connections.into_iter().map(|connection| connection.id).collect();
            let _ = gateway.supervisor.send(Forget(ids)).await;
            let _ = gateway.endpoints.send(Refresh).await;
            erased
        });
        erasing.await.unwrap_or(Err(StoreError::Unreadable { what: "erasure" }))
    }

    /// Endpoints were added, changed or removed.
    pub async fn endpoints_changed(&self) {
        let _ = self.endpoints.send(Refresh).await;
    }

    /// Failed deliveries of this endpoint were made due, or it was resumed.
    pub async fn retry_deliveries(&self, endpoint: EndpointId) {
        let _ = self.endpoints.send(RetryNow(endpoint)).await;
    }

    /// Delivers what an endpoint was sent in a stretch of time once more.
    pub async fn replay_deliveries(
        &self,
        endpoint: &Endpoint,
        replay: Replay,
    ) -> Result<Replayed, ReplayError> {
        let replayed = endpoints::replay(&self.services, endpoint, replay).await;
        self.retry_deliveries(endpoint.id).await;
        replayed
    }

    /// Tells endpoints something that no provider told: `data` is an object.
    pub async fn emit(
        &self,
        account: AccountKey,
        business: BusinessKey,
        connection: Option<ConnectionId>,
        event_type: EventType,
        key: &str,
        data: &serde_json::Value,
    ) -> Result<(), AcceptError> {
        let about = business.0.to_string();
        let event = OwnEvent { account, business, connection, event_type, about, key, data };
        own_events::emit(&self.services, event).await
    }

    pub const fn keychain(&self) -> &Keychain {
        &self.services.keychain
    }

    /// Whether this node holds its lease now.
    pub fn is_leased(&self) -> bool {
        self.services.holdings.is_leased(&*self.services.clock)
    }

    /// Ends when this process must not go on: another one took its partitions.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        let _ = lost.wait_for(|lost| *lost).await;
    }

    pub async fn overview(&self) -> Overview {
        let mut connections = Vec::new();
        for (id, running) in self.registry.all() {
            if let Ok(observation) = running.address.send(Observe).await {
                connections.push((id, observation));
            }
        }
        Overview {
            partitions: self.services.holdings.partitions().len(),
            leased: self.is_leased(),
            broken_apps: self.broken_apps(),
            connections,
        }
    }

    /// Finishes what is in flight, writes everything down, gives the lease back. At most `patience`.
    pub async fn stop(&self, patience: Duration) {
        let draining = async {
            let _ = self.supervisor.send(DrainAll).await;
            let _ = self.endpoints.send(RestAll).await;
            self.services.writer.drained().await;
        };
        if tokio::time::timeout(patience, draining).await.is_err() {
            tracing::warn!(
                "stopping without waiting longer; what was in flight is settled at the next start"
            );
        }
        let _ = tokio::time::timeout(A_MOMENT * 2, self.ownership.send(Leave)).await;
    }
}
