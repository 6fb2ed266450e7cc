//! Meta direct: the Graph API, its webhooks and Embedded Signup.

pub mod config;
mod errors;
pub(crate) mod graph;
pub mod media;
mod numbers;
pub mod onboarding;
pub mod pass_through;
mod quota;
pub mod send;
pub mod templates;
pub mod versions;
pub mod webhook;

pub use config::{App, Config, DEFAULT_APP, ManagementCalls, PopupRedirect};
pub use versions::{ends_at, newest_version};
