//! What every store promises, asked of each database that implements it.

mod accounts;
mod businesses;
mod connections;
mod deliveries;
mod erasure;
mod events;
mod idempotency;
mod leases;
mod messages;
mod onboarding;
mod replay;
mod schema;
mod support;
mod transitions;
