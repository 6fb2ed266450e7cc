//! A pretend WhatsApp platform: Meta's Graph API with its login dialog, its state, its webhooks and its faults.
//!
//! It is written from Meta's behaviour and depends on nothing of ours, so that a misreading of the platform
//! has to be made twice before a test agrees with it. Other providers are to stand beside [`graph`] as modules
//! of their own and share the accounts, the faults, the sent log and the webhook sender with it.
//!
//! ```text
//!   client ──▶ http ──▶ faults ──▶ graph ──▶ accounts, sent log ──▶ journal (synced before the answer)
//!                                    │
//!                                    └─────▶ webhooks ──▶ the gateway's callback
//! ```

mod accounts;
mod chance;
mod clock;
mod config;
mod control;
mod cut;
mod dialog;
mod faults;
mod graph;
mod http;
mod journal;
mod limits;
mod media;
mod posted;
mod running;
mod samples;
mod secret;
mod sent;
mod templates;
mod webhooks;
mod world;

pub use config::{App, Config, ConfigError, Delivery};
pub use limits::{Limits, PairLimit};
pub use running::{AppCredentials, Running, Sandbox};
pub use samples::Connected;
pub use secret::Secret;
