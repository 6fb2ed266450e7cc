//! People: who a recipient is, whether they may be written to, and what news tells about them.
//!
//! An accept asks here and pays no reading of its own: answers are remembered, also that nothing is known, and what
//! is not remembered is read together with what others ask at the same moment. What is learnt is written in the
//! commit of the news that taught it, and remembered when it is durable.

mod door;
mod learn;
mod listening;
mod memory;
mod news;
mod portfolio;
mod reserve;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use domain::connection::{Connection, Reason};
use domain::contact::{Alias, Contact, ContactChange, Listening, Outgoing, Refusal, Window, may_send};
use domain::contracts::store::{LaneKey, Store};
use domain::ids::{BusinessKey, ConnectionId};
use domain::message::Priority;
use domain::news::MessagingLimit;
use domain::recipient::Recipient;
use moka::future::Cache;

use crate::metrics;
pub(crate) use learn::{LearnError, Lessons, hear_answer};
use listening::Heartbeat;
pub(crate) use memory::Unreadable;
use memory::{Known, Memory, Read};
use portfolio::{Portfolios, portfolio_of};

/// Since when a connection is listened to changes seldom, and only ever makes windows less certain.
const LISTENING_KEPT_FOR: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Contacts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    memory: Arc<Memory>,
    listening: Cache<ConnectionId, Option<Listening>>,
    portfolios: Portfolios,
    windows_checked: bool,
    _heartbeat: Arc<Heartbeat>,
}

impl fmt::Debug for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contacts")
    }
}

/// A message that may be accepted.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// In which it keeps its order: that of the name by which the recipient is known, whichever it is written to.
    pub(crate) lane: LaneKey,
    /// The recipient's best name; a group has none.
    known_as: Option<Alias>,
    window: Window,
}

/// A message that asks whether it may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) recipient: &'a Recipient,
    /// Cloud API `type`.
    pub(crate) kind: &'a str,
    /// A template that is known to be advertising.
    pub(crate) marketing: bool,
    pub(crate) priority: Priority,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("{refusal}")]
    Refused { refusal: Refusal, retry_after: Option<Duration> },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Contacts {
    /// Call inside a runtime: from here on the installation says that it hears what providers tell.
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, windows_checked: bool) -> Self {
        Self {
            memory: Arc::new(Memory::new(reading(&store), Arc::clone(&clock))),
            listening: Cache::builder().max_capacity(100_000).time_to_live(LISTENING_KEPT_FOR).build(),
            portfolios: Portfolios::new(Arc::clone(&store), Arc::clone(&clock)),
            _heartbeat: Arc::new(Heartbeat::start(Arc::clone(&store), Arc::clone(&clock))),
            store,
            clock,
            windows_checked,
        }
    }

    /// Whether the message may be accepted.
    pub(crate) async fn admit(&self, asked: Asked<'_>) -> Result<Admitted, NotAdmitted> {
        let connection = asked.connection;
        let own_lane = asked.recipient.lane(connection.id);
        let Some(alias) = Alias::of(asked.recipient) else {
            return Ok(Admitted { lane: own_lane, known_as: None, window: Window::Unknown });
        };
        let key = alias.key(connection.business);
        let known = self.memory.find(connection.business, key).await?;
        let inbound = known.as_ref().and_then(|contact| contact.inbound_at(connection.id));
        let window = Window::of(inbound, Listening::ALWAYS, self.clock.now());
        let known_as = known.as_ref().and_then(|contact| contact.canonical.clone()).unwrap_or(alias);
        let admitted = Admitted {
            lane: known_as.lane(connection.id).unwrap_or(own_lane),
            known_as: Some(known_as),
            window,
        };
        if self.decide(&asked, known.as_deref(), Listening::ALWAYS).is_ok() {
            return Ok(admitted);
        }
        // Against somebody only on what is certain: nothing remembered, nothing unheard.
        let known = self.memory.find_anew(connection.business, key).await?;
        let listening = self.listening(connection).await?;
        match self.decide(&asked, known.as_deref(), listening) {
            Ok(()) => Ok(admitted),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    fn refused(&self, refusal: Refusal) -> NotAdmitted {
        metrics::refused(refusal.as_str());
        let retry_after = refusal.until().map(|until| until.since(self.clock.now()));
        NotAdmitted::Refused { refusal, retry_after }
    }

    /// Whether a message that was accepted some time ago may go now. What cannot be asked now is no reason against it.
    pub(crate) async fn may_still_go(&self, asked: Asked<'_>) -> Result<(), Refusal> {
        match self.admit(asked).await {
            Err(NotAdmitted::Refused { refusal, .. }) => Err(refusal),
            Ok(_) | Err(NotAdmitted::Unreadable(_)) => Ok(()),
        }
    }

    fn decide(
        &self,
        asked: &Asked<'_>,
        known: Option<&Contact>,
        listening: Listening,
    ) -> Result<(), Refusal> {
        let Some(contact) = known else { return Ok(()) };
        let outgoing = Outgoing {
            connection: asked.connection.id,
            transport: asked.connection.transport(),
            template: asked.kind == "template",
            marketing: asked.marketing,
            priority: asked.priority,
        };
        may_send(contact, outgoing, listening, self.windows_checked, self.clock.now())
    }

    async fn listening(&self, connection: &Connection) -> Result<Listening, Unreadable> {
        if connection.reason.as_deref() == Some(Reason::WEBHOOK_UNSUBSCRIBED) {
            return Ok(Listening { since: self.clock.now() });
        }
        let id = connection.id;
        let known = self.listening.try_get_with(id, self.store.listening(id)).await;
        // Of a connection that is not there nothing is certain.
        Ok(known.map_err(Unreadable)?.unwrap_or(Listening { since: self.clock.now() }))
    }

    /// The service window of a person at one number.
    pub(crate) async fn window(&self, connection: &Connection, alias: &Alias) -> Result<Window, Unreadable> {
        let known = self.find(connection.business, alias).await?;
        let inbound = known.and_then(|contact| contact.inbound_at(connection.id));
        Ok(Window::of(inbound, self.listening(connection).await?, self.clock.now()))
    }

    pub(crate) async fn find(&self, business: BusinessKey, alias: &Alias) -> Result<Known, Unreadable> {
        self.memory.find(business, alias.key(business)).await
    }

    /// The platform said how many people the portfolio of this number may write to.
    pub(crate) async fn limited(
        &self,
        connection: &Connection,
        limit: MessagingLimit,
        at: Timestamp,
    ) -> Result<(), Unreadable> {
        match portfolio_of(connection) {
            Some(portfolio) => self.portfolios.limit(portfolio, limit, at).await,
            None => Ok(()),
        }
    }

    /// Of what was committed.
    pub(crate) fn learnt(&self, changes: &[ContactChange]) {
        if !changes.is_empty() {
            self.memory.learnt(changes);
        }
    }

    /// The connection was made, or made again: what was written to it before is not known.
    pub(crate) async fn hears_anew(&self, connection: ConnectionId) {
        if let Err(error) = self.store.hears_anew(connection, self.clock.now()).await {
            tracing::warn!(connection.id = %connection, %error, "since when a connection is listened to cannot be written");
        }
        self.listening.invalidate(&connection).await;
    }
}

fn reading(store: &Arc<dyn Store>) -> Read {
    let store = Arc::clone(store);
    Box::new(move |places| {
        let store = Arc::clone(&store);
        Box::pin(async move { store.contacts(&places).await })
    })
}
