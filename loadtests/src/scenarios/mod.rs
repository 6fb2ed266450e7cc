//! What is measured. Each scenario drives one kind of load and follows it to its end.

pub mod steady_send;
pub mod webhook_burst;

mod endpoint;
mod run;
