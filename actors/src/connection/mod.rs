//! One actor a number: it holds the opened token, keeps order, limits the rate, posts and settles.
//!
//! What it decides stands in plain modules: `lanes` (what goes next), `turns` (whose turn it is), `limiter` (how fast),
//! `retry` (what an answer means), `halt` and `caution` (when nothing goes).

pub(crate) mod actor;
mod caution;
pub(crate) mod credentials;
mod dispatch;
mod door;
mod expiry;
mod halt;
mod halting;
mod history;
mod lanes;
pub mod limiter;
pub mod messages;
mod post;
mod reading;
mod retry;
mod review;
mod settle;
mod submit;
mod tally;
pub mod turns;

pub use door::Sight;
#[cfg(test)]
pub(crate) use history::own_status;
