//! The gateway: HTTP and wiring. What it does with messages is decided in `gateway_actors` and `domain`.

pub mod api_keys;
pub mod app;
pub mod cli;
pub mod deliver;
pub mod demo;
pub mod handshake;
pub mod http;
pub mod master_keys;
pub mod metrics;
pub mod random_token;
pub mod retention;
pub mod settings;
pub mod shutdown;
pub mod stats;
pub mod telemetry;
pub mod url_guard;
