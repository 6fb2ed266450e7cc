//! Faults by seed, against real processes of the gateway, and a checker that holds what happened against what was
//! promised.
//!
//! ```text
//!   clients ──▶ line ──▶ gateway serve ──▶ line ──▶ sandbox        a seed decides what goes wrong, and when (plan)
//!                  ▲          │    ▲                   │
//!                  │          │    └── database        │           three logs: what clients were answered, what the
//!                  └──────────│───── webhooks ◀────────┘           sandbox saw, what stands in the tables (history)
//!                             └────▶ line ──▶ endpoints
//! ```
//!
//! A seed replays its faults to the millisecond, not the scheduling of a dozen threads: a failure that a replay does
//! not show at once is shown by the logs that the failing run left behind.

mod checker;
mod clients;
mod clock;
mod collect;
mod customers;
mod dice;
mod director;
mod history;
mod line;
mod mutants;
mod options;
mod plan;
mod program;
mod results;
mod run;
mod series;
mod support;
mod world;

use plan::Database;

#[test]
fn sqlite_keeps_every_promise_through_seeded_faults() {
    series::run(Database::Sqlite);
}

#[test]
fn postgres_keeps_every_promise_through_seeded_faults() {
    series::run(Database::Postgres);
}
