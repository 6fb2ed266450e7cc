//! Messages: accepted, looked at, cancelled, replayed.

pub mod accept;
pub mod lookup;
mod refusal;
pub mod replay;
pub mod replay_many;
mod timeline;
mod why;

pub use refusal::{not_accepted, not_routed};
pub use why::{Again, Why};
