//! Does the checker see anything? Gateways that break one promise each, and what it has to say of them.
//!
//! The gateway's code stays as it is: what is broken is what it stands on. Its database is told to forget, to confirm
//! before anything is durable or to give everybody the same epoch; or the gateway is told other timers than the
//! checker. So there is no switch in the product that could be left on, and what is tried is the binary that is shipped.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::checker::Promise;
use crate::plan::{
    Database, DatabaseTrouble, Fault, LineTrouble, Plan, ProcessTrouble, ProviderTrouble, Step, Timers,
    WebhookTrouble,
};
use crate::series::{carry_out, runtime, say};
use crate::world::database::postgres_is_there;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// An unknown outcome is not waited for.
    ResendsAtOnce,
    /// Whoever takes the partitions over takes them under the epoch of the one before, who does not hear of it.
    ClaimsUnfenced,
    /// A commit is confirmed seconds before it is durable.
    AnswersBeforeCommit,
    /// Every message is alone in its lane, as far as the database remembers.
    LaneNotBlocked,
    /// An idempotency key is forgotten as soon as it is written.
    KeysForgotten,
    /// Some of what was acknowledged is not kept.
    NewsForgotten,
}

impl Mutant {
    const ALL: [Self; 6] = [
        Self::ResendsAtOnce,
        Self::ClaimsUnfenced,
        Self::AnswersBeforeCommit,
        Self::LaneNotBlocked,
        Self::KeysForgotten,
        Self::NewsForgotten,
    ];

    /// What the checker has to find, whatever else it finds.
    const fn breaks(self) -> Promise {
        match self {
            Self::ResendsAtOnce => Promise::NothingDoubled,
            Self::ClaimsUnfenced => Promise::OldProcessStops,
            Self::AnswersBeforeCommit => Promise::NothingLost,
            Self::LaneNotBlocked => Promise::InOrder,
            Self::KeysForgotten => Promise::OneAnswerPerKey,
            Self::NewsForgotten => Promise::NewsKeptOnce,
        }
    }

    /// Run on the new schema, before the gateway starts.
    pub(crate) const fn sql(self) -> Option<&'static str> {
        Some(match self {
            Self::ResendsAtOnce | Self::AnswersBeforeCommit => return None,
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
            Self::ResendsAtOnce => Timers { settle_s: 0, ..planned },
            _ => planned,
        }
    }

    fn plan(self) -> Plan {
        let step = |at_ms, lasts_ms, fault| Step {
            at: Duration::from_millis(at_ms),
            lasts: Duration::from_millis(lasts_ms),
            fault,
        };
        let provider = |at, lasts, trouble, percent| step(at, lasts, Fault::Provider { trouble, percent });
        let steps = match self {
            Self::ResendsAtOnce => vec![
                step(0, 11_500, Fault::Webhooks(WebhookTrouble::Delayed { most_ms: 1_200 })),
                provider(1_000, 9_000, ProviderTrouble::CutAfter, 40),
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
            Self::NewsForgotten => Vec::new(),
        };
        let timers = Timers { settle_s: 6, limit_s: 14 };
        Plan {
            seed: 1,
            database: Database::Postgres,
            seconds: 12,
            timers,
            strict: true,
            dead_endpoint: false,
            steps,
        }
    }
}

/// Long, so only where long tests are asked for.
#[test]
fn every_mutant_is_caught() {
    if std::env::var_os("GATEWAY_TEST_FULL").is_none() || !postgres_is_there() {
        return;
    }
    let runs = Mutant::ALL.map(|mutant| async move {
        let (took_s, checked) = carry_out(mutant.plan(), Some(mutant)).await;
        let checked = checked.unwrap_or_else(|panic| panic!("{mutant:?} could not be run: {panic}"));
        let caught = checked.violations.iter().find(|violation| violation.promise == mutant.breaks());
        let others = checked.violations.len();
        let verdict = match caught {
            Some(violation) => format!("caught in {took_s} s, {others} violations: {violation}"),
            None => format!("NOT caught in {took_s} s: {:?}", checked.violations),
        };
        say(&format!("{mutant:?} {verdict}"));
        (mutant, caught.is_some())
    });
    let verdicts: Vec<(Mutant, bool)> = runtime().block_on(stream::iter(runs).buffer_unordered(2).collect());
    let missed: Vec<Mutant> =
        verdicts.into_iter().filter(|(_, caught)| !caught).map(|(mutant, _)| mutant).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
