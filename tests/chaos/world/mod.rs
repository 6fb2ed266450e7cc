//! Everything that a run consists of: the sandbox, a database, processes of the gateway, endpoints, and the lines
//! between them.

pub(crate) mod database;
mod gateways;
mod numbers;
pub(crate) mod receiver;
pub(crate) mod settings;

use std::path::Path;
use std::sync::Arc;

use sandbox::{Delivery, Limits, Running, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::EndpointLog;
use crate::line::Line;
use crate::mutants::Mutant;
use crate::plan::{Database, Plan};
use crate::support::api::Api;
use crate::support::eventually;
use crate::support::owner::Place;

pub(crate) use gateways::Gateways;
pub(crate) use numbers::Lane;
use receiver::Receiver;

/// What a run stands on, apart from the gateway's processes.
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// Clients and the platform reach the gateway here, whichever process it is.
    pub(crate) front: Arc<Line>,
    /// Endpoints are reached here.
    pub(crate) endpoint_line: Line,
    pub(crate) sandbox: Running,
    pub(crate) database: database::Server,
    pub(crate) receiver: Receiver,
    pub(crate) lanes: Vec<Lane>,
    endpoints: Vec<Endpoint>,
    api_key: String,
    folder: TempDir,
}

struct Endpoint {
    id: String,
    name: &'static str,
    business: Option<String>,
    /// Wants the events about one person one after the other.
    ordered: bool,
    dead: bool,
}

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

impl World {
    /// With the first process of the gateway at work, numbers connected and endpoints registered.
    pub(crate) async fn build(plan: Plan, mutant: Option<Mutant>) -> (Self, Gateways) {
        let folder = TempDir::with_prefix("gateway-chaos-").expect("a temporary folder");
        let sandbox = Sandbox::start(sandbox_config(plan.seed)).await.expect("the sandbox starts");
        let database = match plan.database {
            Database::Sqlite => database::Server::sqlite(folder.path()),
            Database::Postgres => {
                let options = mutant.map_or(&[][..], Mutant::server_options);
                database::Server::postgres(folder.path(), options).await
            }
        };
        let receiver = Receiver::start();
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let front = Arc::new(Line::to(nowhere).await.expect("a port"));
        let endpoint_line = Line::to(receiver.address).await.expect("a port");

        let timers = mutant.map_or(plan.timers, |mutant| mutant.timers(plan.timers));
        let common = settings::Common::of(timers, &front, &sandbox, &database.url(), folder.path());
        let mut gateways = Gateways::new(common, sandbox.address(), Arc::clone(&front));
        let api_key = gateways.prepare().await;
        if let Some(sql) = mutant.and_then(Mutant::sql) {
            database.run(sql).await;
        }
        gateways.start(None).await;
        let callback = format!("http://{}/webhooks/meta", front.address);
        sandbox.set_callback_url(&callback).await.expect("the callback is set");
        eventually("the webhook's handshake", PATIENCE, || async {
            if sandbox.callback_is_verified() { Ok(()) } else { Err("not verified".to_owned()) }
        })
        .await;
        let mut world = Self {
            plan,
            front,
            endpoint_line,
            sandbox,
            database,
            receiver,
            lanes: Vec::new(),
            endpoints: Vec::new(),
            api_key,
            folder,
        };
        // An endpoint hears what happens after it was registered, so they come first.
        numbers::make_businesses(&world.api()).await;
        world.register_endpoints().await;
        let order = mutant.and_then(Mutant::order);
        world.lanes = numbers::lanes(&numbers::connect_all(&world).await, order);
        (world, gateways)
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&format!("http://{}", self.front.address), &self.api_key)
    }

    pub(crate) fn control(&self) -> Api {
        Api::new(&format!("http://{}", self.sandbox.address()), "")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The ids of those that may be told again by hand. Not what wants order: what is told again by hand comes when it
    /// comes, and an ordered endpoint has to get there without a hand.
    pub(crate) fn replayed_endpoints(&self) -> impl Iterator<Item = &str> {
        let replayed = self.endpoints.iter().filter(|endpoint| !endpoint.dead && !endpoint.ordered);
        replayed.map(|endpoint| endpoint.id.as_str())
    }

    /// What each endpoint took.
    pub(crate) fn endpoint_logs(&self) -> Vec<EndpointLog> {
        let log = |endpoint: &Endpoint| EndpointLog {
            name: endpoint.name.to_owned(),
            business: endpoint.business.clone(),
            ordered: endpoint.ordered,
            dead: endpoint.dead,
            taken: self.receiver.taken(endpoint.name),
            first_taken: self.receiver.first_taken(endpoint.name),
        };
        self.endpoints.iter().map(log).collect()
    }

    async fn register_endpoints(&mut self) {
        let one = numbers::BUSINESSES[0].0.to_owned();
        let all = |name| Endpoint { id: String::new(), name, business: None, ordered: false, dead: false };
        let mut wanted = vec![
            all("all"),
            Endpoint { business: Some(one), ..all("one") },
            Endpoint { ordered: true, ..all("ordered") },
        ];
        if self.plan.dead_endpoint {
            wanted.push(Endpoint { dead: true, ..all("dead") });
        }
        for endpoint in &mut wanted {
            // Nobody listens on port 1.
            let place =
                if endpoint.dead { "127.0.0.1:1".to_owned() } else { self.endpoint_line.address.to_string() };
            let url = format!("http://{place}/{}", endpoint.name);
            let mut body: Value = json!({ "url": url, "ordered": endpoint.ordered });
            if let Some(business) = &endpoint.business {
                body["business_id"] = json!(business);
            }
            let made = self.api().post("/v1/endpoints", &body).await.expect(201);
            made["id"].as_str().unwrap_or_default().clone_into(&mut endpoint.id);
        }
        self.endpoints = wanted;
    }
}

impl Place for World {
    fn gateway(&self) -> Api {
        self.api()
    }

    fn sandbox(&self) -> Api {
        self.control()
    }
}

/// Repeats quickly what was not acknowledged, so that no status is held up for long after a trouble is over.
fn sandbox_config(seed: u64) -> sandbox::Config {
    sandbox::Config {
        listen: ([127, 0, 0, 1], 0).into(),
        seed: Some(seed),
        limits: Limits::none(),
        posted_limit: 1_000_000,
        delivery: Delivery {
            timeout_ms: 1_500,
            retry_first_ms: 50,
            retry_max_ms: 500,
            ..Delivery::default()
        },
        ..sandbox::Config::default()
    }
}
