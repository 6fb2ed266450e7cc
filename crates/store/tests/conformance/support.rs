//! A fresh database for each claim, and the rows that claims are made of.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::business::{Business, NewBusiness};
use domain::clock::Timestamp;
use domain::contracts::leases::Node;
use domain::contracts::store::{
    Accepted, Batch, Committed, IdempotencyRecord, LaneKey, NewMessage, Store, Transition,
};
use domain::event::{EventType, NewEvent};
use domain::ids::{AccountKey, ConnectionId, EventId, MessageId};
use domain::message::{Order, Priority};
use domain::outbox::{Claim, OnAmbiguous, OutboxState};
use domain::partition::{Epoch, Incarnation, Partition};
use domain::secret::Sealed;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use uuid::Uuid;

/// Makes two tests of each claim: `on_sqlite::…` and `on_postgres::…`.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                crate::support::on_sqlite(super::$claim).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                crate::support::on_postgres(super::$claim).await;
            })*
        }
    };
}
pub(crate) use claims;

/// The same of claims about what a commit does, with two more of each: `in_steps_on_sqlite::…` and
/// `in_steps_on_postgres::…`, where every batch is committed in the way of the unordinary ones.
macro_rules! commit_claims {
    ($($claim:ident)*) => {
        crate::support::claims! { $($claim)* }
        mod in_steps_on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                crate::support::in_steps_on_sqlite(super::$claim).await;
            })*
        }
        mod in_steps_on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                crate::support::in_steps_on_postgres(super::$claim).await;
            })*
        }
    };
}
pub(crate) use commit_claims;

pub(crate) type Shared = Arc<dyn Store>;

pub(crate) async fn on_sqlite<C, F>(claim: C)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    hold_on_sqlite(claim, false).await;
}

pub(crate) async fn on_postgres<C, F>(claim: C)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    hold_on_postgres(claim, false).await;
}

pub(crate) async fn in_steps_on_sqlite<C, F>(claim: C)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    hold_on_sqlite(claim, true).await;
}

pub(crate) async fn in_steps_on_postgres<C, F>(claim: C)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    hold_on_postgres(claim, true).await;
}

async fn hold_on_sqlite<C, F>(claim: C, in_steps: bool)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("data/gateway.db").display());
    claim(opened(&url, in_steps).await).await;
}

async fn hold_on_postgres<C, F>(claim: C, in_steps: bool)
where
    C: FnOnce(Shared) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let Some(database) = PostgresDatabase::make().await else { return };
    let outcome = tokio::spawn(claim(opened(&database.url, in_steps).await)).await;
    database.drop().await;
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

pub(crate) async fn opened(url: &str, in_steps: bool) -> Shared {
    let config = store::Config { commit_in_steps: in_steps, ..store::Config::with_url(url) };
    let store = store::open(&config).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// A database of its own on the server that `GATEWAY_TEST_POSTGRES_URL` names.
pub(crate) struct PostgresDatabase {
    server: PgConnectOptions,
    name: String,
    pub(crate) url: String,
}

impl PostgresDatabase {
    /// `None` where there is no server and none is required.
    #[expect(clippy::print_stderr, reason = "a claim that was not tested says so")]
    pub(crate) async fn make() -> Option<Self> {
        let Ok(server_url) = std::env::var("GATEWAY_TEST_POSTGRES_URL") else {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "GATEWAY_TEST_POSTGRES_URL is not set, and the services are required");
            eprintln!("not tested on Postgres: GATEWAY_TEST_POSTGRES_URL is not set");
            return None;
        };
        let server = PgConnectOptions::from_str(&server_url).unwrap().disable_statement_logging();
        let name = format!("gateway_test_{}", Uuid::new_v4().simple());
        run(&server, format!("CREATE DATABASE {name}")).await;
        let (address, query) = server_url.split_once('?').unwrap_or((&server_url, ""));
        let (address, _) = address.rsplit_once('/').expect("the URL names a database");
        Some(Self { server, url: format!("{address}/{name}?{query}"), name })
    }

    pub(crate) async fn drop(self) {
        run(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn run(server: &PgConnectOptions, statement: String) {
    let mut connection = server.connect().await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

/// A number that no other row of the process has; later ones are greater.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn unique_uuid() -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | u128::from(unique()))
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_000_000 + seconds)
}

/// One living business, and a node that holds every partition.
pub(crate) struct Fixture {
    pub(crate) store: Shared,
    pub(crate) account: AccountKey,
    pub(crate) business: Business,
    pub(crate) connection: ConnectionId,
    pub(crate) epochs: Vec<(Partition, Epoch)>,
}

impl Fixture {
    pub(crate) async fn new(store: Shared) -> Self {
        let account = store.ensure_account("acme", at(0)).await.unwrap();
        let business = business(&store, account, &format!("duka-{}", unique())).await;
        let epochs = take_all(&store).await;
        Self { store, account, business, connection: ConnectionId::from_uuid(unique_uuid()), epochs }
    }

    pub(crate) async fn commit(&self, batch: &Batch) -> Committed {
        self.store.commit(&self.epochs, batch).await.unwrap()
    }

    /// A message of this business that is not committed yet.
    pub(crate) fn message(&self) -> NewMessage {
        NewMessage {
            id: MessageId::from_uuid(unique_uuid()),
            partition: self.business.partition,
            account: self.account,
            business: self.business.key,
            connection: self.connection,
            recipient: "+255712345678".to_owned(),
            lane: LaneKey(-42),
            order: Order::Strict,
            kind: "text".to_owned(),
            state: OutboxState::NEW,
            priority: Priority::Normal,
            on_ambiguous: OnAmbiguous::Resend,
            client_ref: None,
            opaque: None,
            accepted_at: at(0),
            send_at: None,
            expires_at: at(86_400),
            body: Sealed::from_bytes(b"sealed".to_vec()),
            idempotency: None,
            replay_of: None,
            timeline: Vec::new(),
        }
    }

    pub(crate) async fn accept(&self, message: &NewMessage) -> Accepted {
        let batch = Batch { messages: vec![message.clone()], ..Batch::default() };
        self.commit(&batch).await.messages.remove(0)
    }

    pub(crate) async fn apply(&self, transition: &Transition) -> bool {
        let batch = Batch { transitions: vec![transition.clone()], ..Batch::default() };
        self.commit(&batch).await.transitions[0]
    }

    pub(crate) fn transition(&self, message: &NewMessage, from: OutboxState, to: OutboxState) -> Transition {
        Transition {
            message: message.id,
            connection: message.connection,
            partition: self.business.partition,
            from,
            to,
            provider_id: None,
            error: None,
            at: at(5),
            unless_reported: false,
            timeline: Vec::new(),
        }
    }

    /// The claim of this node, taken at second `seconds`.
    pub(crate) fn claim(&self, attempt: u16, seconds: i64) -> Claim {
        Claim { epoch: self.epoch(), attempt, at: at(seconds) }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epochs.iter().find(|(partition, _)| *partition == self.business.partition).unwrap().1
    }

    pub(crate) async fn state(&self, message: &NewMessage) -> OutboxState {
        self.store.message(self.account, message.id).await.unwrap().unwrap().state
    }

    /// An event of this business that is not committed yet.
    pub(crate) fn event(&self) -> NewEvent {
        NewEvent {
            with_transition: false,
            id: EventId::from_uuid(unique_uuid()),
            event_type: EventType::MessageReceived,
            account: self.account,
            business: self.business.key,
            connection: Some(self.connection),
            message: None,
            status: None,
            occurred_at: at(1),
            body: Sealed::from_bytes(b"sealed event".to_vec()),
        }
    }

    pub(crate) async fn hear(&self, event: &NewEvent) -> bool {
        let batch = Batch { events: vec![event.clone()], ..Batch::default() };
        self.commit(&batch).await.events[0].is_some()
    }
}

pub(crate) fn messages(messages: &[NewMessage]) -> Batch {
    Batch { messages: messages.to_vec(), ..Batch::default() }
}

pub(crate) fn events(events: &[NewEvent]) -> Batch {
    Batch { events: events.to_vec(), ..Batch::default() }
}

pub(crate) async fn business(store: &Shared, account: AccountKey, reference: &str) -> Business {
    let new = NewBusiness::unnamed(reference.parse().unwrap(), "sw");
    store.ensure_business(account, &new, at(0)).await.unwrap().0
}

pub(crate) fn node(number: i64) -> Node {
    Node { incarnation: Incarnation(number), name: "a".to_owned(), address: "127.0.0.1:1".to_owned() }
}

/// As a node that has just started.
pub(crate) async fn take_all(store: &Shared) -> Vec<(Partition, Epoch)> {
    let me = node(unique().try_into().unwrap());
    store.join(&me, at(0)).await.unwrap();
    store.take_all(me.incarnation).await.unwrap()
}

pub(crate) fn record(account: AccountKey, key: u8, answer: &str) -> IdempotencyRecord {
    IdempotencyRecord {
        account,
        key_hash: [key; 32],
        route: "POST /v1/messages".to_owned(),
        body_hash: [7; 32],
        answer_status: 202,
        answer: answer.to_owned(),
        created_at: at(0),
    }
}
