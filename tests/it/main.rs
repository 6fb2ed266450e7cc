//! The gateway as its users meet it: real processes, real databases, HTTP.

mod actors;
mod bad_input;
mod faults;
mod isolation;
mod journey;
mod kill;
mod settings;
mod support;
