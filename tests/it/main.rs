//! The gateway as its users meet it: real processes, real databases, HTTP.

mod actors;
mod faults;
mod journey;
mod kill;
mod support;
