//! The gateway as its users meet it: real processes, real databases, HTTP.

mod actors;
mod bad_input;
mod browser;
mod deliveries;
mod faults;
mod isolation;
mod journey;
mod kill;
mod leak;
mod onboarding;
mod settings;
mod support;
