//! What is measured. Each scenario drives one kind of load and follows it to its end.

pub mod backlog;
pub mod connections;
pub mod flood;
pub mod many_businesses;
pub mod steady_send;
pub mod webhook_burst;

mod endpoint;
mod memory;
mod run;
mod texts;
