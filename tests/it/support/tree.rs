//! The actors alone, on a real database, with a provider that does as the test says.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::business::NewBusiness;
use domain::clock::Clock;
use domain::contracts::deliver::{Deliver, DeliveryOutcome, DeliveryRequest};
use domain::contracts::media::{Incoming, Media, MediaError, Outgoing};
use domain::contracts::provider::{Content, Provider, SendError, StatusUpdate, Subject, Update};
use domain::contracts::store::{Credential, Store};
use domain::delivery_status::DeliveryStatus;
use domain::ids::{AccountKey, ConnectionId, MediaId, MessageId};
use domain::message::{Echo, MessageStatus, Order};
use domain::news::NumberNews;
use domain::{Business, Connection, ConnectionStatus, Priority, ProviderName, Timestamp};
use gateway_actors::{
    AcceptError, Acceptance, Config, Gateway, MediaConfig, Observation, Parts, Submission, SystemClock,
    Target, column,
};
use serde_json::json;
use tempfile::TempDir;
use vault::{KeyRing, Vault};

use super::eventually;
pub(crate) use super::scripted::Step;
use super::scripted::{Post, Posts, Script, provider};

struct NoEndpoint;

#[async_trait]
impl Deliver for NoEndpoint {
    async fn deliver(&self, _: DeliveryRequest) -> DeliveryOutcome {
        DeliveryOutcome::NoAnswer { error: "connect" }
    }
}

/// Nothing is kept, and there is nothing to read.
struct NoMedia;

#[async_trait]
impl Media for NoMedia {
    async fn put(&self, _: MediaId, _: Incoming, _: u64) -> Result<u64, MediaError> {
        Err(MediaError::Unavailable("there is no such place".into()))
    }

    async fn read(&self, _: MediaId) -> Result<Outgoing, MediaError> {
        Err(MediaError::NotThere)
    }

    async fn delete(&self, _: MediaId) -> Result<(), MediaError> {
        Ok(())
    }
}

/// A number of `business`, with ids of its own. All are of one app.
pub(crate) struct Tree {
    pub(crate) gateway: Gateway,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) business: Business,
    pub(crate) connection: Connection,
    vault: Arc<Vault>,
    posts: Posts,
    folder: Arc<TempDir>,
    clock: Arc<dyn Clock>,
}

pub(crate) fn config() -> Config {
    Config {
        ambiguous_settle_s: 1,
        ambiguous_limit_s: 2,
        message_lifetime_s: 3_600,
        posts_in_flight: NonZeroU32::new(32).expect("not zero"),
        posts_in_flight_total: NonZeroU32::new(512).expect("not zero"),
        backlog_per_connection: 1_000_000,
        delivered_order_timeout_s: 2,
        app_trouble_grace_s: 0,
        idle_after_s: 300,
        sweep_s: 1,
        service_window: true,
        deliveries_in_flight: NonZeroU32::new(8).expect("not zero"),
        deliveries: serde_json::from_str(
            r#"{"retry_s":[1],"give_up_after_s":60,"retry_after_cap_s":60,"failing_after":16,"probe_s":[1],
                "park_after_s":60,"parked_probe_s":60}"#,
        )
        .expect("waits"),
        limiter: serde_json::from_str(r#"{"messages_per_second":1000,"pair_every_s":6,"pair_burst":0}"#)
            .expect("a limiter"),
    }
}

/// As [`config`], with so many messages a second of one number.
pub(crate) fn paced(messages_per_second: u32) -> Config {
    let mut config = config();
    config.limiter.messages_per_second = NonZeroU32::new(messages_per_second).expect("not zero");
    config
}

impl Tree {
    pub(crate) async fn start(config: Config, script: Script) -> Self {
        Self::start_subscribed(config, script, true).await
    }

    /// `subscribed`: whether the platform says that it sends us reports.
    pub(crate) async fn start_subscribed(config: Config, script: Script, subscribed: bool) -> Self {
        Self::start_by(Arc::new(SystemClock), config, script, subscribed).await
    }

    /// By a clock that the test holds.
    pub(crate) async fn start_by(
        clock: Arc<dyn Clock>,
        config: Config,
        script: Script,
        subscribed: bool,
    ) -> Self {
        // What the actors have to say helps whoever reads a failure; a second test finds the subscriber in place.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let folder = Arc::new(TempDir::with_prefix("gateway-tree-").expect("a temporary folder"));
        let url = format!("sqlite://{}/gateway.db", folder.path().display());
        let store_config: store::Config = serde_json::from_value(json!({ "url": url })).expect("a store");
        let store = store::open(&store_config).await.expect("the store opens");
        store.migrate().await.expect("the schema is made");
        let now = clock.now();
        let account = store.ensure_account("main", now).await.expect("an account");
        let business = business(&*store, account, "duka", now).await;
        let vault = Arc::new(Vault::new(KeyRing::generate().expect("randomness")));
        let posts = Posts::default();
        let gateway = run(&store, &vault, &clock, config, provider(script, &posts, subscribed)).await;
        let connection = connect(&gateway, &*store, &business, now).await;
        Self { gateway, store, business, connection, vault, posts, folder, clock }
    }

    /// After an orderly stop, another process on what this one left.
    pub(crate) async fn restarted(&self, config: Config, script: Script) -> Self {
        self.gateway.stop(Duration::from_secs(10)).await;
        let provider = provider(script, &self.posts, true);
        let gateway = run(&self.store, &self.vault, &self.clock, config, provider).await;
        Self {
            gateway,
            store: Arc::clone(&self.store),
            business: self.business.clone(),
            connection: self.connection.clone(),
            vault: Arc::clone(&self.vault),
            posts: Arc::clone(&self.posts),
            folder: Arc::clone(&self.folder),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Another business with a number of its own, of the same app.
    pub(crate) async fn another(&self, reference: &str) -> Connection {
        let now = self.clock.now();
        let business = business(&*self.store, self.account(), reference, now).await;
        connect(&self.gateway, &*self.store, &business, now).await
    }

    pub(crate) fn account(&self) -> AccountKey {
        self.business.account
    }

    /// What was posted so far, by the texts, in order.
    pub(crate) fn posts(&self) -> Vec<String> {
        self.posted().into_iter().map(|post| post.text).collect()
    }

    pub(crate) fn posted(&self) -> Vec<Post> {
        self.posts.lock().expect("not poisoned").clone()
    }

    /// Where in the order of posts this text came first.
    pub(crate) fn place(&self, text: &str) -> Option<usize> {
        self.posts().iter().position(|posted| posted == text)
    }

    pub(crate) async fn accept(&self, to: &str, text: &str) -> MessageId {
        self.accept_with(to, text, |_| {}).await
    }

    pub(crate) async fn accept_with(
        &self,
        to: &str,
        text: &str,
        change: impl Fn(&mut Submission),
    ) -> MessageId {
        loop {
            match self.accept_on(self.connection.id, to, text, &change).await {
                Ok(id) => return id,
                // As a caller does.
                Err(AcceptError::Overloaded { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("not accepted: {error}"),
            }
        }
    }

    pub(crate) async fn accept_on(
        &self,
        connection: ConnectionId,
        to: &str,
        text: &str,
        change: impl FnOnce(&mut Submission),
    ) -> Result<MessageId, AcceptError> {
        let target = Target::Connection(connection);
        let route = self.gateway.route(self.account(), target, false).await.expect("a route");
        let mut submission = Submission {
            recipient: to.parse().expect("a recipient"),
            kind: "text".to_owned(),
            json: json!({ "to": to, "type": "text", "text": { "body": text } }).to_string(),
            opaque: None,
            client_ref: None,
            priority: Priority::Normal,
            order: Order::Strict,
            on_ambiguous: None,
            send_at: None,
            expires_at: None,
            immediate: false,
            marketing: false,
            replay_of: None,
            idempotency: None,
        };
        change(&mut submission);
        match self.gateway.accept(&route, submission).await? {
            Acceptance::New(accepted) => Ok(accepted.id),
            Acceptance::Replayed(record) => panic!("a replay: {record:?}"),
        }
    }

    pub(crate) async fn status(&self, id: MessageId) -> MessageStatus {
        let stored = self.store.message(self.account(), id).await.expect("readable").expect("there");
        MessageStatus::of(stored.state.code(), None)
    }

    pub(crate) async fn reaches(&self, id: MessageId, status: MessageStatus) {
        eventually(&format!("{id} is {status}"), Duration::from_secs(20), || async {
            let now = self.status(id).await;
            if now == status { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
    }

    /// The row of a connection.
    pub(crate) async fn row(&self, id: ConnectionId) -> Connection {
        self.store.connection(id).await.expect("readable").expect("there")
    }

    pub(crate) async fn turns(&self, id: ConnectionId, status: ConnectionStatus, reason: Option<&str>) {
        eventually(&format!("{id} is {status}"), Duration::from_secs(10), || async {
            let row = self.row(id).await;
            let there = row.status == status && row.reason.as_deref() == reason;
            if there { Ok(()) } else { Err(format!("{} {:?}", row.status, row.reason)) }
        })
        .await;
    }

    /// What its actor is doing.
    pub(crate) async fn observe(&self, id: ConnectionId) -> Observation {
        let seen = self.gateway.overview().await.connections;
        seen.into_iter().find(|(seen, _)| *seen == id).expect("it runs").1
    }

    /// As if the owner had gone through onboarding once more.
    pub(crate) async fn connect_again(&self) {
        let stored = self.row(self.connection.id).await;
        let connected = Connection { status: ConnectionStatus::Connected, reason: None, ..stored };
        self.store.save_connection(&connected, None).await.expect("saved");
        self.gateway.connection_saved(&connected).await;
    }

    /// The platform reports a status of this message.
    pub(crate) async fn report(&self, id: MessageId, status: DeliveryStatus, judged: Option<SendError>) {
        let content = Content::Status(Box::new(StatusUpdate {
            provider_id: format!("wamid.of.{id}"),
            word: status.to_string(),
            status: Some(status),
            echo: Some(Echo { message: id, attempt: 1 }),
            participant: String::new(),
            contact: None,
            judged,
            object: json!({ "status": status }),
            metadata: json!({}),
        }));
        self.hear(&self.connection, content).await;
    }

    /// The platform says something about a number.
    pub(crate) async fn news(&self, connection: &Connection, news: NumberNews) {
        let field = "account_update".to_owned();
        let key = uuid::Uuid::new_v4().to_string();
        let means = Some(Box::new(news));
        self.hear(connection, Content::Other { field, key, value: json!({}), means, template: None }).await;
    }

    /// The platform tells this of a number.
    pub(crate) async fn hear(&self, connection: &Connection, content: Content) {
        let subject = Subject::Number(connection.graph_id.clone().expect("a number"));
        let update = Update { subject, at: self.clock.now(), content };
        self.gateway.ingest(ProviderName::Meta, vec![update]).await.expect("kept");
    }
}

async fn run(
    store: &Arc<dyn Store>,
    vault: &Arc<Vault>,
    clock: &Arc<dyn Clock>,
    config: Config,
    provider: Provider,
) -> Gateway {
    let started = gateway_actors::start(Parts {
        store: Arc::clone(store),
        membership: Arc::new(coordination::InProcess::new(Arc::clone(clock))),
        vault: Arc::clone(vault),
        providers: HashMap::from([(ProviderName::Meta, provider)]),
        deliver: Arc::new(NoEndpoint),
        media: Arc::new(NoMedia),
        media_config: MediaConfig { keep_days: 30 },
        clock: Arc::clone(clock),
        node_name: "test".to_owned(),
        node_address: String::new(),
        threads: 2,
        config,
    });
    started.await.expect("the tree starts")
}

async fn business(store: &dyn Store, account: AccountKey, reference: &str, now: Timestamp) -> Business {
    let new = NewBusiness::unnamed(reference.parse().expect("a reference"), "sw");
    store.ensure_business(account, &new, now).await.expect("a business").0
}

async fn connect(gateway: &Gateway, store: &dyn Store, business: &Business, now: Timestamp) -> Connection {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let id = ConnectionId::from_uuid(uuid::Uuid::from_u128(77 + u128::from(number)));
    let waba_id = (102_290_129_340_398 + number).to_string();
    let connection = Connection {
        id,
        business: business.key,
        business_reference: business.reference.clone(),
        account: business.account,
        partition: business.partition,
        provider: ProviderName::Meta,
        status: ConnectionStatus::Connected,
        reason: None,
        graph_id: Some((106_540_352_242_922 + number).to_string()),
        waba_id: Some(waba_id.clone()),
        phone_number: Some(format!("+255754{number:06}")),
        verified_name: None,
        quality_rating: None,
        sending: domain::connection::Sending::default(),
        created_at: now,
        updated_at: now,
    };
    let token = gateway.keychain().seal(business.key, id.uuid(), column::ACCESS_TOKEN, b"EAAscripted").await;
    let credential = Credential {
        connection: id,
        waba_id,
        phone_number_id: connection.graph_id.clone(),
        app_id: "1".to_owned(),
        provider: ProviderName::Meta,
        access_token: token.expect("sealed"),
        pin: None,
        token_expires_at: None,
        scopes: Vec::new(),
    };
    store.save_connection(&connection, Some(&credential)).await.expect("saved");
    gateway.connection_saved(&connection).await;
    connection
}
