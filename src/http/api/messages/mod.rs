//! Messages: accepted, looked at, cancelled.

pub mod accept;
pub mod lookup;
mod timeline;
