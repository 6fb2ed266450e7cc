//! The gateway as its users meet it: real processes, real databases, HTTP.

mod actors;
mod bad_input;
mod bad_people;
mod browser;
mod cloud_events;
mod deliveries;
mod endpoints;
mod erasure;
mod faults;
mod isolation;
mod journey;
mod keys;
mod kill;
mod leak;
mod numbers;
mod onboarding;
mod people;
mod portfolio;
mod replays;
mod settings;
mod stats;
mod statuses;
mod support;
mod templates;
mod windows;
