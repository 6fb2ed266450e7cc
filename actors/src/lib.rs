//! How the gateway behaves.
//!
//! ```text
//!                    Gateway (handle.rs): the only door
//!       ┌──────────────┬─────────────┬──────────────┬───────────────┐
//!    Router        Supervisor     Endpoints      Ownership       Writer
//!  picks the      runs one actor  one actor an   the lease and   commits in
//!  connection     a connection    endpoint       its epochs      batches
//!                      │               │
//!                 Connection      EndpointActor
//!                 claims, posts,  delivers events
//!                 settles
//! ```
//!
//! A message: `Gateway::accept` → `Router` → `Connection` (its lane decides: claim now, or wait) → `Writer` → 202;
//! then the connection posts, and the outcome goes through the writer. News from a provider: `inbox` → `Writer` →
//! 200; then a hint to the connection and to the endpoints. Whatever a lost hint misses, the next look finds.
//!
//! Only this crate names actix. Decisions are plain functions on plain data: `connection/lanes`,
//! `connection/retry`, `router/policy`, `supervisor/restart`, `tail`, `endpoints/schedule`, `endpoints/health`,
//! `endpoints/order`, `templates/schedule`.

mod acceptance;
mod apart;
mod breaker;
mod clock;
mod connection;
mod connections;
mod contacts;
mod directory;
mod endpoints;
mod handle;
mod hearing;
mod hints;
mod holdings;
mod inbox;
mod keychain;
mod media;
pub mod metrics;
mod outcomes;
mod own_events;
mod ownership;
mod passing;
mod permits;
mod quotes;
mod references;
mod router;
mod services;
mod start;
mod stream;
mod supervisor;
mod tail;
mod tell;
mod templates;
mod unechoed;
mod writer;

pub use acceptance::{AcceptError, Acceptance, AcceptedMessage, AnswerText, IdempotencyKey, Submission};
pub use breaker::BrokenApp;
pub use clock::SystemClock;
pub use connection::Sight;
pub use connection::messages::{Cancellation, Observation};
pub use endpoints::{Config as DeliveriesConfig, Replay, ReplayError, Replayed, payload};
pub use handle::{Gateway, MoveError, Overview};
pub use inbox::{IngestError, Ingested};
pub use keychain::{Keychain, SealError, column};
pub use media::{
    Config as MediaConfig, KeepError, LARGEST as LARGEST_MEDIA, NewMedia, Opened as OpenedMedia, ReadError,
};
pub use passing::NotPassed;
pub use quotes::UnknownQuote;
pub use router::policy::{Choice, Refusal};
pub use router::{Route, RouteError, Target};
pub use services::Config;
pub use start::{Parts, start};
pub use writer::WriteError;
