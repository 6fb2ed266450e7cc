//! Two listeners: the public one with the API, webhooks and pages, and the operators' one.

pub mod admin;
pub mod api;
pub mod auth;
pub mod client_address;
pub mod config;
pub mod error;
mod graph;
pub mod idempotency;
pub mod json;
pub mod limits;
mod media;
mod observe;
pub mod onboarding;
mod openapi;
pub mod passing;
mod read_mark;
pub mod state;
pub mod tls;
mod webhooks;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use rustls::ServerConfig as RustlsConfig;

use admin::Operations;
use config::ServerConfig;
use state::AppState;

/// For the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For requests under way when the server stops; what they have accepted is durable anyway.
const SHUTDOWN_TIMEOUT_S: u64 = 10;

/// Serves the public when it is polled.
pub fn public(
    listener: TcpListener,
    state: Data<AppState>,
    tls: Option<Arc<RustlsConfig>>,
) -> io::Result<Server> {
    let config = Arc::clone(&state.server);
    let workers = threads(config.workers);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(api::configure)
            .configure(webhooks::configure)
            .configure(onboarding::configure)
            .configure(openapi::configure)
            .configure(graph::configure)
            .configure(media::configure)
            .default_service(web::to(api::not_found))
            .wrap(from_fn(observe::around))
            .wrap(from_fn(graph::supplied))
    })
    .workers(workers)
    .max_connections((config.max_connections / workers).max(1))
    .keep_alive(Duration::from_secs(config.keep_alive_s))
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
    .tcp_nodelay(true)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, RustlsConfig::clone(&tls))?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

/// Serves operators when it is polled.
pub fn operations(listener: TcpListener, operations: Operations) -> io::Result<Server> {
    let operations = Data::new(operations);
    let server = HttpServer::new(move || App::new().app_data(operations.clone()).configure(admin::configure))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

/// 0: one for every two processors. HTTP and actors share the machine, and a thread more than there is work for
/// costs a context switch at every hand-over: on two processors, a third of a message's processor time.
pub fn threads(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2)),
        number => number,
    }
}

/// Bound before anything else starts, so that a taken port is told at once.
pub fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

impl ServerConfig {
    pub fn actor_threads(&self) -> usize {
        threads(self.actor_threads)
    }
}
