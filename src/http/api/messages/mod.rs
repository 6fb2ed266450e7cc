//! Messages: accepted, looked at, cancelled, replayed.

pub mod accept;
pub mod lookup;
mod refusal;
pub mod replay;
pub mod replay_many;
mod timeline;
mod why;

pub use refusal::not_accepted;
pub use why::{Again, Why};
