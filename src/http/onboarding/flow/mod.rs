//! What to do next with an onboarding session: plain functions on plain data, nothing is fetched or written here.

use domain::Timestamp;
use domain::connection::Connection;
use domain::contracts::provider::{Grant, OfferedNumber, OnboardProblem};
use domain::ids::{BusinessKey, ConnectionId};
use domain::onboarding::{OnboardingSession, SessionStatus, Step, StepName, StepOutcome};

use super::problem::Problem;

/// What the owner gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The button, and above it what went wrong the last time.
    Begin,
    /// Several numbers were granted.
    ChooseNumber,
    /// The steps on our side run.
    Progress,
    Connected,
    /// Nothing can be done with this link any more.
    Over(Problem),
}

pub fn view(session: &OnboardingSession) -> View {
    match session.status {
        SessionStatus::Pending
        | SessionStatus::Opened
        | SessionStatus::Authorizing
        | SessionStatus::Failed => View::Begin,
        SessionStatus::Verifying if waits_for_choice(session) => View::ChooseNumber,
        SessionStatus::Verifying => View::Progress,
        SessionStatus::Connected => View::Connected,
        SessionStatus::Expired => View::Over(Problem::Expired),
        SessionStatus::Cancelled => match problem_of(session) {
            Some(Problem::Superseded) => View::Over(Problem::Superseded),
            _ => View::Over(Problem::Cancelled),
        },
    }
}

pub fn problem_of(session: &OnboardingSession) -> Option<Problem> {
    session.problem.as_deref().map(|word| Problem::from_word(word).unwrap_or(Problem::Unavailable))
}

pub fn waits_for_choice(session: &OnboardingSession) -> bool {
    session.status == SessionStatus::Verifying && problem_of(session) == Some(Problem::ChooseNumber)
}

/// Whether its time has run out without anybody having written that down yet.
pub fn has_expired(session: &OnboardingSession, now: Timestamp) -> bool {
    !session.status.is_over() && now >= session.expires_at
}

/// The session with a new window about to open. From the middle of the steps this is the owner's second try: whatever
/// the first still does finds a newer version of the session and stops.
pub fn begun(session: &OnboardingSession, state_hash: [u8; 32]) -> Option<OnboardingSession> {
    let status = match session.status {
        SessionStatus::Verifying => session.status.to(SessionStatus::Failed).ok()?,
        status => status,
    };
    Some(OnboardingSession {
        status: status.to(SessionStatus::Authorizing).ok()?,
        problem: None,
        steps: Vec::new(),
        state_hash: Some(state_hash),
        ..session.clone()
    })
}

/// Why an answer of the provider's window is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untaken {
    /// The state is nobody's, or of a session that another browser has.
    Forged,
    /// It was good once.
    Spent,
}

/// Whether the answer that carries the state of `by_state` may be taken from the browser of `by_browser`.
pub fn admit(
    by_state: Option<&OnboardingSession>,
    by_browser: Option<&OnboardingSession>,
) -> Result<(), Untaken> {
    let (Some(named), Some(here)) = (by_state, by_browser) else { return Err(Untaken::Forged) };
    if named.id != here.id {
        return Err(Untaken::Forged);
    }
    if named.status == SessionStatus::Authorizing { Ok(()) } else { Err(Untaken::Spent) }
}

/// What the page says of the window, when it brings no code.
pub fn without_code(event: Option<&str>, has_error: bool) -> Problem {
    match event {
        Some("ERROR") => Problem::WindowFailed,
        Some("CANCEL") if has_error => Problem::WindowFailed,
        Some(event) if event.starts_with("FINISH") => Problem::CodeMissing,
        _ => Problem::UserCancelled,
    }
}

/// What the browser says was chosen. It may say anything: only what the provider confirms counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    pub waba_id: Option<String>,
    pub phone_number_id: Option<String>,
}

/// The accounts whose numbers are to be read. One that the token does not name is refused, not looked at.
pub fn wabas(grant: &Grant, hints: &Hints) -> Result<Vec<String>, OnboardProblem> {
    match (&hints.waba_id, grant.waba_ids.as_slice()) {
        (Some(hint), []) => Ok(vec![hint.clone()]),
        (Some(hint), granted) if granted.contains(hint) => Ok(vec![hint.clone()]),
        (Some(_), _) => Err(OnboardProblem::WabaNotGranted),
        (None, []) => Err(OnboardProblem::WabaNotGranted),
        (None, granted) => Ok(granted.to_vec()),
    }
}

/// The number to connect, or `None` when the owner has to say which.
pub fn pick<'a>(
    numbers: &'a [OfferedNumber],
    hints: &Hints,
    phone_hint: Option<&str>,
) -> Result<Option<&'a OfferedNumber>, OnboardProblem> {
    let named = hints.phone_number_id.as_deref();
    let by_id = numbers.iter().find(|number| Some(number.phone_number_id.as_str()) == named);
    let by_phone = || {
        let hint = phone_hint?;
        numbers.iter().find(|number| number.phone_number.as_deref() == Some(hint))
    };
    match (by_id.or_else(by_phone), numbers) {
        (Some(number), _) => Ok(Some(number)),
        (None, []) => Err(OnboardProblem::NoNumber),
        (None, [only]) => Ok(Some(only)),
        (None, _) => Ok(None),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    Needed,
    /// Registered already, or managed in the WhatsApp Business app: registering would only cost one of ten tries.
    Skipped,
}

pub fn registration(number: &OfferedNumber) -> Result<Registration, OnboardProblem> {
    if number.registered || number.coexistence {
        Ok(Registration::Skipped)
    } else if number.verified {
        Ok(Registration::Needed)
    } else {
        Err(OnboardProblem::NumberUnverified)
    }
}

/// The connection that a number becomes, if it is one already. A connection keeps its number for life: what waits in
/// it would go out from the other number, and that number's news would prove what was never sent.
pub fn place(
    business: BusinessKey,
    graph_id: &str,
    holder: Option<&Connection>,
    replaced: Option<&Connection>,
    begun: Option<&Connection>,
) -> Result<Option<ConnectionId>, Problem> {
    if holder.is_some_and(|holder| holder.business != business) {
        return Err(Problem::NumberInUse);
    }
    let fits = |connection: &&Connection| {
        connection.business == business && connection.graph_id.as_deref().is_none_or(|id| id == graph_id)
    };
    Ok([holder, replaced, begun].into_iter().flatten().find(fits).map(|connection| connection.id))
}

/// The checklist: every step in its order, with what became of it.
pub const STEPS: [StepName; 6] = [
    StepName::ExchangeCode,
    StepName::InspectToken,
    StepName::ChooseNumber,
    StepName::Subscribe,
    StepName::Register,
    StepName::Connect,
];

/// As it stands in JSON.
pub const fn word(step: StepName) -> &'static str {
    match step {
        StepName::ExchangeCode => "exchange_code",
        StepName::InspectToken => "inspect_token",
        StepName::ChooseNumber => "choose_number",
        StepName::Subscribe => "subscribe",
        StepName::Register => "register",
        StepName::Connect => "connect",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Waiting = 0,
    Running = 1,
    Done = 2,
    Skipped = 3,
    Failed = 4,
}

impl Mark {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

pub fn checklist(steps: &[Step], running: bool) -> [(StepName, Mark); 6] {
    let mut next_runs = running;
    STEPS.map(|name| {
        let last = steps.iter().rev().find(|step| step.name == name);
        let mark = match last.map(|step| step.outcome) {
            Some(StepOutcome::Done) => Mark::Done,
            Some(StepOutcome::Skipped) => Mark::Skipped,
            Some(StepOutcome::Failed) => Mark::Failed,
            None if std::mem::take(&mut next_runs) => Mark::Running,
            None => Mark::Waiting,
        };
        (name, mark)
    })
}

#[cfg(test)]
mod tests;
