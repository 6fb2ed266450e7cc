//! What every store promises, asked of each database that implements it.

mod accounts;
mod businesses;
mod connections;
mod contacts;
mod dead_letters;
mod deliveries;
mod endpoints;
mod erasure;
mod events;
mod idempotency;
mod leases;
mod media;
mod messages;
mod onboarding;
mod portfolios;
mod queue;
mod replay;
mod retention;
mod schema;
mod stats;
mod support;
mod templates;
mod traces;
mod transitions;
mod two_ways;
mod upgrade;
