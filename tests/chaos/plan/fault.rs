//! The kinds of trouble. Those of one track never overlap; tracks run side by side.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    Process(ProcessTrouble),
    Database(DatabaseTrouble),
    Provider { trouble: ProviderTrouble, percent: u64 },
    Webhooks(WebhookTrouble),
    Endpoint(EndpointTrouble),
    Line(LineTrouble),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Track {
    Process,
    Database,
    Provider,
    Webhooks,
    Endpoint,
    Line,
}

/// What happens to the gateway's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProcessTrouble {
    /// `kill -9`, and a start.
    Kill,
    /// SIGTERM, and a start once it has ended.
    Stop,
    /// SIGSTOP, and SIGCONT later.
    Pause,
    /// SIGSTOP, a second process that takes over, and SIGCONT for the first.
    PauseAndReplace,
    /// A second process takes over while the first still works.
    Overlap,
    /// Started anew with hardly any room left in the database; later with room again. SQLite only.
    DiskFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DatabaseTrouble {
    /// The server drops everything and is started again. PostgreSQL only.
    RestartedAtOnce,
}

/// How the platform treats posts of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderTrouble {
    /// Taken, and the connection cut before the answer.
    CutAfter,
    /// Lost, and the connection cut.
    CutBefore,
    /// Taken, and answered with 5xx.
    ServerErrorAfter,
    /// Not taken, and answered with 5xx.
    ServerErrorBefore,
    /// HTTP 429 without a word of Graph's.
    TooManyRequests,
    /// 130429: the number is too fast.
    NumberTooFast,
    /// 131056: too many to this person.
    PairTooFast,
    /// 131051: never.
    Refused,
    /// Taken, and reported as failed later.
    FailsLater,
    /// Answered late, but before the gateway gives up.
    Slow,
    /// Carried out after the gateway has given up.
    TooSlow,
}

/// How the platform delivers webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookTrouble {
    Duplicated,
    Delayed {
        most_ms: u64,
    },
    Reordered,
    Batched,
    /// Late, twice, in no order and several at once.
    Everything,
    /// Half of the statuses do not carry what was put into the message.
    WithoutEcho,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndpointTrouble {
    Refuses,
    Answers500,
    Hangs,
}

/// What happens between the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineTrouble {
    /// What the gateway answers to clients and to the platform gets lost.
    GatewayAnswersLost,
    /// Connections to the platform are reset.
    ProviderResets,
    /// Connections to the platform stand, and nothing comes back.
    ProviderHangs,
}

impl Fault {
    pub(crate) const fn track(self) -> Track {
        match self {
            Self::Process(_) => Track::Process,
            Self::Database(_) => Track::Database,
            Self::Provider { .. } => Track::Provider,
            Self::Webhooks(_) => Track::Webhooks,
            Self::Endpoint(_) => Track::Endpoint,
            Self::Line(_) => Track::Line,
        }
    }
}
