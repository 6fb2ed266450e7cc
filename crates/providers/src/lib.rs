//! Providers of WhatsApp behind the contracts of `domain::contracts::provider`.
//!
//! A provider is a folder with the same file names as its neighbours; [`cloud_api`] is the wire format that
//! Meta and 360dialog share. Everything that leaves goes through one client (`http.rs`), where secrets are
//! kept out of errors and logs; [`registry`] gives a provider by name.

pub mod cloud_api;
mod http;
pub mod meta;
pub mod metrics;
mod redact;
pub mod registry;
#[cfg(test)]
mod testing;

pub use http::ClientError;
pub use registry::Registry;
