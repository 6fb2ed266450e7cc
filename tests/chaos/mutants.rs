//! Does the checker see anything? Gateways that break one promise each, and what it has to say of them.
//!
//! The gateway's code stays as it is: what is broken is what it stands on. Its database is told to forget, to confirm
//! before anything is durable or to give everybody the same epoch; or the gateway is told otherwise than the checker,
//! by its settings or by its clients. So there is no switch in the product that could be left on, and what is tried is the binary that is shipped.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::checker::Promise;
use crate::plan::{
    Database, DatabaseTrouble, EndpointTrouble, Fault, LineTrouble, Plan, ProcessTrouble, ProviderTrouble,
    Step, Timers, WebhookTrouble,
};
use crate::series::{carry_out, runtime, say};
use crate::world::database::postgres_is_there;
use crate::world::settings::PROVIDER_TIMEOUT_S;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// An unknown outcome is not waited for.
    ResendsAtOnce,
    /// Whoever takes the partitions over takes them under the epoch of the one before, who does not hear of it.
    ClaimsUnfenced,
    /// A commit is confirmed seconds before it is durable.
    AnswersBeforeCommit,
    /// Every message is alone in its lane, as far as the database remembers: shows in what is read after a restart.
    LaneNotBlocked,
    /// Every message is alone in its lane in memory too, since clients ask for no order and the checker takes it for
    /// one.
    OrderNotAskedFor,
    /// An idempotency key is forgotten as soon as it is written.
    KeysForgotten,
    /// Some of what was acknowledged is not kept.
    NewsForgotten,
    /// What an ordered endpoint did not take is tried again without its order.
    EventsOutOfTurn,
}

impl Mutant {
    const ALL: [Self; 8] = [
        Self::ResendsAtOnce,
        Self::ClaimsUnfenced,
        Self::AnswersBeforeCommit,
        Self::LaneNotBlocked,
        Self::OrderNotAskedFor,
        Self::KeysForgotten,
        Self::NewsForgotten,
        Self::EventsOutOfTurn,
    ];

    /// What the checker has to find, whatever else it finds.
    const fn breaks(self) -> Promise {
        match self {
            Self::ResendsAtOnce => Promise::NothingDoubled,
            Self::ClaimsUnfenced => Promise::OldProcessStops,
            Self::AnswersBeforeCommit => Promise::NothingLost,
            Self::LaneNotBlocked | Self::OrderNotAskedFor => Promise::InOrder,
            Self::KeysForgotten => Promise::OneAnswerPerKey,
            Self::NewsForgotten => Promise::NewsKeptOnce,
            Self::EventsOutOfTurn => Promise::EventsInOrder,
        }
    }

    /// Run on the new schema, before the gateway starts.
    pub(crate) const fn sql(self) -> Option<&'static str> {
        Some(match self {
            Self::ResendsAtOnce | Self::AnswersBeforeCommit | Self::OrderNotAskedFor => return None,
            Self::ClaimsUnfenced => {
                "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.epoch := OLD.epoch; RETURN NEW; END $$;
                 CREATE TRIGGER mutant BEFORE UPDATE ON partitions FOR EACH ROW EXECUTE FUNCTION mutant();
                 CREATE FUNCTION unheard() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.state := OLD.state; RETURN NEW; END $$;
                 CREATE TRIGGER unheard BEFORE UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION unheard()"
            }
            Self::LaneNotBlocked => {
                "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.lane := (random() * 1e15)::bigint; RETURN NEW; END $$;
                 CREATE TRIGGER mutant BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION mutant()"
            }
            Self::KeysForgotten => {
                "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN DELETE FROM idempotency WHERE key_hash = NEW.key_hash; RETURN NULL; END $$;
                 CREATE TRIGGER mutant AFTER INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION mutant()"
            }
            Self::NewsForgotten => {
                "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN IF random() < 0.02 THEN RETURN NULL; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER mutant BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION mutant()"
            }
            Self::EventsOutOfTurn => {
                "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.order_key := NULL; RETURN NEW; END $$;
                 CREATE TRIGGER mutant BEFORE INSERT ON failed_deliveries FOR EACH ROW EXECUTE FUNCTION mutant()"
            }
        })
    }

    /// For the database's server.
    pub(crate) const fn server_options(self) -> &'static [&'static str] {
        match self {
            Self::AnswersBeforeCommit => &[
                "-c",
                "synchronous_commit=off",
                "-c",
                "wal_writer_delay=10s",
                "-c",
                "wal_writer_flush_after=1GB",
                "-c",
                "wal_buffers=64MB",
            ],
            _ => &[],
        }
    }

    /// What the gateway is told, while the checker goes by the plan.
    pub(crate) const fn timers(self, planned: Timers) -> Timers {
        match self {
            // As soon as the gateway lets itself be told.
            Self::ResendsAtOnce => Timers { settle_s: PROVIDER_TIMEOUT_S + 1, ..planned },
            _ => planned,
        }
    }

    /// What clients ask for, while the checker goes by the usual order.
    pub(crate) const fn order(self) -> Option<&'static str> {
        match self {
            Self::OrderNotAskedFor => Some("relaxed"),
            _ => None,
        }
    }

    fn plan(self, seed: u64) -> Plan {
        let step = |at_ms, lasts_ms, fault| Step {
            at: Duration::from_millis(at_ms),
            lasts: Duration::from_millis(lasts_ms),
            fault,
        };
        let provider = |at, lasts, trouble, percent| step(at, lasts, Fault::Provider { trouble, percent });
        let steps = match self {
            Self::ResendsAtOnce => vec![
                // By as much as a strict run allows: the first of a message's three reports is what counts.
                step(0, 11_500, Fault::Webhooks(WebhookTrouble::Delayed { most_ms: 5_500 })),
                provider(1_000, 4_500, ProviderTrouble::CutAfter, 40),
                // What was not taken is sent again without a second copy, and too early all the same.
                provider(5_500, 4_500, ProviderTrouble::CutBefore, 40),
            ],
            Self::ClaimsUnfenced => {
                [3_000, 6_000, 9_000].map(|at| step(at, 0, Fault::Process(ProcessTrouble::Overlap))).to_vec()
            }
            Self::AnswersBeforeCommit => [3_000, 6_000, 9_000]
                .map(|at| step(at, 0, Fault::Database(DatabaseTrouble::RestartedAtOnce)))
                .to_vec(),
            Self::LaneNotBlocked => vec![
                provider(500, 4_000, ProviderTrouble::CutBefore, 60),
                step(5_000, 0, Fault::Process(ProcessTrouble::Kill)),
                provider(6_000, 4_000, ProviderTrouble::CutBefore, 60),
                step(10_500, 0, Fault::Process(ProcessTrouble::Kill)),
            ],
            Self::KeysForgotten => {
                vec![step(2_000, 1_500, Fault::Line(LineTrouble::GatewayAnswersLost))]
            }
            Self::OrderNotAskedFor => vec![provider(500, 8_000, ProviderTrouble::CutBefore, 60)],
            Self::EventsOutOfTurn => [1_000, 5_000]
                .map(|at| step(at, 2_500, Fault::Endpoint(EndpointTrouble::Answers500)))
                .to_vec(),
            Self::NewsForgotten => Vec::new(),
        };
        let timers = match self {
            Self::ResendsAtOnce => Timers { settle_s: 12, limit_s: 26 },
            _ => Timers { settle_s: 6, limit_s: 14 },
        };
        Plan {
            seed,
            database: Database::Postgres,
            seconds: 12,
            timers,
            strict: true,
            dead_endpoint: false,
            steps,
        }
    }
}

/// Whether a resend is a second copy is a race between reports, and a slow machine posts little that may take part in
/// it. It is the checker that is asked, not luck: so a mutant that does not show has one more try, with another seed.
const SEEDS: [u64; 2] = [1, 2];

async fn is_caught(mutant: Mutant) -> bool {
    for seed in SEEDS {
        let (took_s, checked) = carry_out(mutant.plan(seed), Some(mutant)).await;
        let checked = checked.unwrap_or_else(|panic| panic!("{mutant:?} could not be run: {panic}"));
        let caught = checked.violations.iter().find(|violation| violation.promise == mutant.breaks());
        let others = checked.violations.len();
        let verdict = match caught {
            Some(violation) => format!("caught in {took_s} s, {others} violations: {violation}"),
            None => format!("NOT caught in {took_s} s: {:?}", checked.violations),
        };
        say(&format!("{mutant:?} with seed {seed}: {verdict}"));
        if caught.is_some() {
            return true;
        }
    }
    false
}

/// Long, so only where long tests are asked for.
#[test]
fn every_mutant_is_caught() {
    if std::env::var_os("GATEWAY_TEST_FULL").is_none() || !postgres_is_there() {
        return;
    }
    let runs = Mutant::ALL.map(|mutant| async move { (mutant, is_caught(mutant).await) });
    let verdicts: Vec<(Mutant, bool)> = runtime().block_on(stream::iter(runs).buffer_unordered(2).collect());
    let missed: Vec<Mutant> =
        verdicts.into_iter().filter(|(_, caught)| !caught).map(|(mutant, _)| mutant).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
