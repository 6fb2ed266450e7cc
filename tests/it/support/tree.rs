//! The actors alone, on a real database, with a provider that does as the test says.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::business::NewBusiness;
use domain::clock::Clock;
use domain::contracts::deliver::{Deliver, DeliveryOutcome, DeliveryRequest};
use domain::contracts::provider::{
    Provider, Send, SendError, SendReceipt, SendRequest, Update, Webhook, WebhookError,
};
use domain::contracts::store::{Credential, Store};
use domain::ids::{AccountKey, ConnectionId, MessageId};
use domain::message::MessageStatus;
use domain::{Business, Connection, ConnectionStatus, Priority, ProviderName, Timestamp};
use gateway_actors::{Acceptance, Config, Gateway, Parts, Submission, SystemClock, Target, column};
use tempfile::TempDir;
use vault::{KeyRing, Vault};

use super::eventually;

/// What the provider is asked, and what it answers.
pub(crate) type Script = Arc<dyn Fn(usize, &str) -> Step + std::marker::Send + Sync>;

#[derive(Clone)]
pub(crate) enum Step {
    Accept,
    Fail(SendError),
    Panic,
    /// Answer after so long.
    AcceptAfter(Duration),
}

struct Scripted {
    script: Script,
    posts: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Send for Scripted {
    async fn send(&self, request: SendRequest<'_>) -> Result<SendReceipt, SendError> {
        let body: serde_json::Value = serde_json::from_str(request.message).expect("the message is JSON");
        let text = body["text"]["body"].as_str().expect("a text").to_owned();
        let number = {
            let mut posts = self.posts.lock().expect("not poisoned");
            posts.push(text.clone());
            posts.len()
        };
        match (self.script)(number, &text) {
            Step::Accept => {}
            Step::AcceptAfter(wait) => tokio::time::sleep(wait).await,
            Step::Fail(error) => return Err(error),
            Step::Panic => panic!("as the test asked"),
        }
        Ok(SendReceipt { provider_id: format!("wamid.{number}"), wa_id: None, user_id: None })
    }
}

/// No webhook arrives in these tests through HTTP.
struct Deaf;

impl Webhook for Deaf {
    fn handshake(&self, _: Option<&str>, _: &str, _: &str, _: &str) -> Result<String, WebhookError> {
        Err(WebhookError::UnknownApp)
    }

    fn signature_shape(&self, _: Option<&[u8]>) -> Result<(), WebhookError> {
        Err(WebhookError::SignatureMissing)
    }

    fn verify(&self, _: Option<&str>, _: Option<&[u8]>, _: &[u8]) -> Result<(), WebhookError> {
        Err(WebhookError::SignatureMissing)
    }

    fn parse(&self, _: &[u8], _: Timestamp) -> Result<Vec<Update>, WebhookError> {
        Err(WebhookError::Malformed)
    }
}

struct NoEndpoint;

#[async_trait]
impl Deliver for NoEndpoint {
    async fn deliver(&self, _: DeliveryRequest) -> DeliveryOutcome {
        DeliveryOutcome::NoAnswer { error: "connect" }
    }
}

pub(crate) struct Tree {
    pub(crate) gateway: Gateway,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) business: Business,
    pub(crate) connection: Connection,
    posts: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

pub(crate) fn config() -> Config {
    Config {
        ambiguous_settle_s: 1,
        ambiguous_limit_s: 2,
        message_lifetime_s: 3_600,
        posts_in_flight: NonZeroU32::new(32).expect("not zero"),
        idle_after_s: 300,
        sweep_s: 1,
        service_window: true,
        deliveries_in_flight: NonZeroU32::new(8).expect("not zero"),
        deliveries: serde_json::from_str(
            r#"{"retry_s":[1],"give_up_after_s":60,"retry_after_cap_s":60,"failing_after":16,"probe_s":[1],
                "park_after_s":60,"parked_probe_s":60}"#,
        )
        .expect("waits"),
        posts_in_flight_total: NonZeroU32::new(256).expect("not zero"),
        backlog_per_connection: 100_000,
        delivered_order_timeout_s: 60,
        app_trouble_grace_s: 60,
        limiter: serde_json::from_str(r#"{"messages_per_second":1000}"#).expect("a limiter"),
    }
}

impl Tree {
    pub(crate) async fn start(config: Config, script: Script) -> Self {
        // What the actors have to say helps whoever reads a failure; a second test finds the subscriber in place.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let folder = TempDir::with_prefix("gateway-tree-").expect("a temporary folder");
        let url = format!("sqlite://{}/gateway.db", folder.path().display());
        let store_config: store::Config =
            serde_json::from_value(serde_json::json!({ "url": url })).expect("a store");
        let store = store::open(&store_config).await.expect("the store opens");
        store.migrate().await.expect("the schema is made");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = clock.now();
        let account = store.ensure_account("main", now).await.expect("an account");
        let new = NewBusiness::unnamed("duka".parse().expect("a reference"), "sw");
        let (business, _) = store.ensure_business(account, &new, now).await.expect("a business");

        let posts: Arc<Mutex<Vec<String>>> = Arc::default();
        let provider = Provider {
            name: ProviderName::Meta,
            send: Arc::new(Scripted { script, posts: Arc::clone(&posts) }),
            webhook: Arc::new(Deaf),
            onboard: None,
            templates: None,
        };
        let ring = KeyRing::generate().expect("randomness");
        let gateway = gateway_actors::start(Parts {
            store: Arc::clone(&store),
            membership: Arc::new(coordination::InProcess::new(Arc::clone(&clock))),
            vault: Arc::new(Vault::new(ring)),
            providers: HashMap::from([(ProviderName::Meta, provider)]),
            deliver: Arc::new(NoEndpoint),
            clock,
            node_name: "test".to_owned(),
            node_address: String::new(),
            threads: 2,
            config,
        })
        .await
        .expect("the tree starts");
        let connection = connect(&gateway, &*store, &business, now).await;
        Self { gateway, store, business, connection, posts, _folder: folder }
    }

    pub(crate) fn account(&self) -> AccountKey {
        self.business.account
    }

    /// What was posted so far, by the texts, in order.
    pub(crate) fn posts(&self) -> Vec<String> {
        self.posts.lock().expect("not poisoned").clone()
    }

    pub(crate) async fn accept(&self, to: &str, text: &str) -> MessageId {
        self.accept_with(to, text, |_| {}).await
    }

    pub(crate) async fn accept_with(
        &self,
        to: &str,
        text: &str,
        change: impl FnOnce(&mut Submission),
    ) -> MessageId {
        let target = Target::Connection(self.connection.id);
        let route = self.gateway.route(self.account(), target, false).await.expect("a route");
        let mut submission = Submission {
            recipient: to.parse().expect("a recipient"),
            kind: "text".to_owned(),
            json: serde_json::json!({ "to": to, "type": "text", "text": { "body": text } }).to_string(),
            opaque: None,
            client_ref: None,
            priority: Priority::Normal,
            order: domain::message::Order::Strict,
            on_ambiguous: None,
            send_at: None,
            expires_at: None,
            immediate: false,
            marketing: false,
            replay_of: None,
            idempotency: None,
        };
        change(&mut submission);
        match self.gateway.accept(&route, submission).await.expect("accepted") {
            Acceptance::New(accepted) => accepted.id,
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

    /// As if the owner had gone through onboarding once more.
    pub(crate) async fn connect_again(&self) {
        let stored = self.store.connection(self.connection.id).await.expect("readable").expect("there");
        let connected = Connection { status: ConnectionStatus::Connected, reason: None, ..stored };
        self.store.save_connection(&connected, None).await.expect("saved");
        self.gateway.connection_saved(&connected).await;
    }
}

async fn connect(gateway: &Gateway, store: &dyn Store, business: &Business, now: Timestamp) -> Connection {
    let id = ConnectionId::from_uuid(uuid::Uuid::from_u128(77));
    let connection = Connection {
        id,
        business: business.key,
        business_reference: business.reference.clone(),
        account: business.account,
        partition: business.partition,
        provider: ProviderName::Meta,
        status: ConnectionStatus::Connected,
        reason: None,
        graph_id: Some("106540352242922".to_owned()),
        waba_id: Some("102290129340398".to_owned()),
        phone_number: Some("+255754000111".to_owned()),
        verified_name: None,
        quality_rating: None,
        sending: domain::connection::Sending::default(),
        created_at: now,
        updated_at: now,
    };
    let token = gateway.keychain().seal(business.key, id.uuid(), column::ACCESS_TOKEN, b"EAAscripted").await;
    let credential = Credential {
        connection: id,
        waba_id: "102290129340398".to_owned(),
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
