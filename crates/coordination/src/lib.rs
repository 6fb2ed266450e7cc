//! Who is in the cluster and who holds which partition, as far as nodes have told each other.
//!
//! A hint and never a permission: the right to act is the lease in the store, and whatever is lost or outdated
//! here costs a detour and no message. Both implementations answer to the claims of `tests/conformance.rs`.

mod in_process;
mod redis;

use std::time::Duration;

pub use in_process::InProcess;
pub use redis::{Config, ConfigError, Redis};

/// How long after its last beat a node is taken for living: as long as a lease lasts, for without one it cannot
/// act, whether it lives or not.
pub const ALIVE_FOR: Duration = Duration::from_secs(5);
