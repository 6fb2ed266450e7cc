//! What goes wrong in a run, and when. A seed decides it: the same seed, database and length give the same plan.

pub(crate) mod chosen;
mod draw;
mod fault;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub(crate) use fault::{
    DatabaseTrouble, EndpointTrouble, Fault, LineTrouble, ProcessTrouble, ProviderTrouble, Track,
    WebhookTrouble,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the gateway is told about unknown outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Timers {
    /// No decision before, in seconds.
    pub(crate) settle_s: u64,
    /// Without proof it fails then.
    pub(crate) limit_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// From the begin of the run.
    #[serde(serialize_with = "as_millis")]
    pub(crate) at: Duration,
    #[serde(serialize_with = "as_millis")]
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

fn as_millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(duration.as_millis())
}

impl Step {
    pub(crate) fn end(&self) -> Duration {
        self.at + self.lasts
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:7.2} s  {lasts:5.2} s  {:?}", self.fault)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) database: Database,
    pub(crate) seconds: u64,
    pub(crate) timers: Timers,
    /// Every outage and delay is much shorter than the wait before a resend, and every status carries the echo:
    /// then nothing may arrive twice. Otherwise a second copy is allowed, where the timeline says so.
    pub(crate) strict: bool,
    /// An endpoint that never takes anything stands beside the others.
    pub(crate) dead_endpoint: bool,
    /// In order of time.
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(crate) fn of_track(&self, track: Track) -> Vec<Step> {
        self.steps.iter().filter(|step| step.fault.track() == track).cloned().collect()
    }

    /// What repeats this run.
    pub(crate) fn command(&self) -> String {
        let Self { seed, database, seconds, .. } = self;
        format!("scripts/test --seeds {seed}..{seed} --database {database} --seconds {seconds} --again")
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, database, seconds, timers, strict, dead_endpoint, steps } = self;
        writeln!(
            f,
            "seed {seed} on {database}, {seconds} s, {timers:?}, strict {strict}, dead endpoint {dead_endpoint}"
        )?;
        steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}
