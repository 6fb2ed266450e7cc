//! One actor a number: it holds the opened token, keeps order, limits the rate, posts and settles.

pub(crate) mod actor;
pub(crate) mod credentials;
mod history;
mod lanes;
pub mod limiter;
pub mod messages;
mod outbox;
mod retry;
