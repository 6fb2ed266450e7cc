//! Starting, addressing and stopping a sandbox. It lives on threads of its own, so that it can be started from any
//! runtime, and from a test without one of actix's.

use crate::dialog::Sdk;
use crate::samples::{self, Connected};
use crate::webhooks::{self, Queue};
use crate::world::{World, locked};
use crate::{Config, Secret, cut, http};
use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// As long as load balancers keep a silent connection: clients that close theirs earlier never meet one that is just
/// being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Serves when this returns.
    pub async fn start(config: Config) -> io::Result<Running> {
        config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (started, when_started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || System::new().block_on(run(config, started, stopped)))?;
        match when_started.await {
            Ok(Ok((world, address))) => {
                Ok(Running { world, address, stop: Some(stop), thread: Some(thread) })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the sandbox thread has died while starting")),
        }
    }
}

type Started = io::Result<(Arc<World>, SocketAddr)>;

#[derive(Debug)]
enum Stop {
    Gracefully(oneshot::Sender<()>),
}

async fn run(config: Config, started: oneshot::Sender<Started>, stopped: oneshot::Receiver<Stop>) {
    let (world, server, address) = match open(config) {
        Ok(opened) => opened,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let handle: ServerHandle = server.server.handle();
    let delivery = tokio::spawn(webhooks::run(world.clone(), server.webhooks));
    let handshake = tokio::spawn(webhooks::shake_hands(world.clone()));
    let serving = tokio::spawn(server.server);
    tracing::info!(%address, "the sandbox is listening");
    let _ = started.send(Ok((world.clone(), address)));

    // A sender that is dropped without a word stops the sandbox too, at once.
    let reason = stopped.await;
    handle.stop(reason.is_ok()).await;
    let _ = serving.await;
    delivery.abort();
    handshake.abort();
    world.journal.close();
    if let Ok(Stop::Gracefully(done)) = reason {
        let _ = done.send(());
    }
}

struct Opened {
    server: actix_web::dev::Server,
    webhooks: tokio::sync::mpsc::UnboundedReceiver<webhooks::Command>,
}

fn open(config: Config) -> io::Result<(Arc<World>, Opened, SocketAddr)> {
    // Another part of the program may have chosen the provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_millis(config.delivery.timeout_ms))
        .pool_max_idle_per_host(config.delivery.concurrency)
        .tcp_nodelay(true)
        .build()
        .map_err(io::Error::other)?;
    let listener = TcpListener::bind(config.listen)?;
    let address = listener.local_addr()?;
    let public_url = match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if config.listen.ip().is_loopback() => format!("http://localhost:{}", address.port()),
        None => format!("http://{address}"),
    };
    let workers = config.workers;
    let (queue, webhooks) = Queue::new();
    let world = Arc::new(World::open(config, public_url, client, queue)?);
    let (shared, sdk) = (Data::from(world.clone()), Data::new(Sdk::new()));
    let server = HttpServer::new(move || App::new().configure(http::routes(shared.clone(), sdk.clone())))
        .workers(workers)
        .keep_alive(KEEP_ALIVE)
        // Clients open connections in advance: an answer to a question that was not asked yet would look like Meta's.
        .client_request_timeout(Duration::ZERO)
        .on_connect(cut::remember)
        .disable_signals()
        .shutdown_timeout(5)
        .listen(listener)?
        .run();
    Ok((world, Opened { server, webhooks }, address))
}

/// A sandbox at work. Dropping it stops it at once; [`Running::stop`] lets requests finish.
#[derive(Debug)]
pub struct Running {
    world: Arc<World>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<Stop>>,
    thread: Option<JoinHandle<()>>,
}

/// What the gateway has to know to be this app.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    pub id: String,
    pub secret: Secret,
    pub config_id: String,
    pub verify_token: Secret,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For browsers and people: on the `localhost` site, unless configured otherwise.
    pub fn base_url(&self) -> &str {
        &self.world.public_url
    }

    /// For clients: Graph without a version, by address, so that no name has to be looked up.
    pub fn graph_url(&self) -> String {
        format!("http://{}/graph", self.address)
    }

    pub fn control_url(&self) -> String {
        format!("http://{}/control", self.address)
    }

    pub fn sdk_url(&self) -> String {
        format!("{}/sdk.js", self.world.public_url)
    }

    pub fn dialog_url(&self) -> String {
        format!("{}/dialog/oauth", self.world.public_url)
    }

    pub fn app(&self) -> AppCredentials {
        let app = locked(&self.world.accounts).app.clone();
        AppCredentials {
            id: self.world.config.app.id.clone(),
            config_id: self.world.config.app.config_id.clone(),
            secret: app.secret,
            verify_token: app.verify_token,
        }
    }

    /// Where webhooks go from now on, once the address has answered the handshake; it is asked until it does.
    /// An address that has answered before is not asked again, also after a restart.
    pub async fn set_callback_url(&self, url: &str) -> io::Result<()> {
        if !crate::config::is_http_url(url) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the callback must be an http or https URL",
            ));
        }
        webhooks::set_callback(&self.world, url, false).wait().await
    }

    /// Whether the callback has answered the handshake.
    pub fn callback_is_verified(&self) -> bool {
        locked(&self.world.accounts).app.callback.as_ref().is_some_and(|callback| callback.verified)
    }

    /// A business that is onboarded already: WABA subscribed, number registered, with a token that never expires.
    /// The same `index` gives the same business and, on the same data folder, the same token.
    pub async fn seed_connected(&self, index: u32) -> io::Result<Connected> {
        let connected = samples::connected(&self.world, index..index + 1).await?.pop();
        connected.ok_or_else(|| io::Error::other("one business was asked for and none was made"))
    }

    /// Updates that no callback has taken yet.
    pub fn webhooks_waiting(&self) -> usize {
        self.world.webhooks_pending()
    }

    /// Lets requests under way finish. Webhooks that were not delivered wait in the journal, if there is one.
    pub async fn stop(mut self) {
        let (done, when_done) = oneshot::channel();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(Stop::Gracefully(done));
            let _ = when_done.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The threads need nothing from this one, so the wait is short, and the port and the folder are free after it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
