//! What became of each step, written down as it ends; and why the steps stop.

use domain::contracts::provider::{OnboardError, ProviderError};
use domain::contracts::store::StoreError;
use domain::onboarding::{OnboardingSession, SessionStatus, Step, StepName, StepOutcome};

use super::Signup;
use crate::http::error::Chain;
use crate::http::onboarding::problem::Problem;
use crate::http::onboarding::{flow, session};

/// Why the steps ended before the last one.
pub(super) enum Stop {
    Failed {
        step: StepName,
        problem: Problem,
        error: Option<ProviderError>,
    },
    /// The session was changed by somebody else.
    Overtaken,
}

impl Stop {
    pub(super) fn at(step: StepName, problem: impl Into<Problem>) -> Self {
        Self::Failed { step, problem: problem.into(), error: None }
    }

    pub(super) fn provider(step: StepName, error: OnboardError) -> Self {
        Self::Failed { step, problem: error.problem.into(), error: Some(error.error) }
    }

    /// Ours to repair, not the owner's: logged here, and shown as such.
    pub(super) fn ours(step: StepName, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "a step of onboarding failed on our side");
        Self::at(step, Problem::Unavailable)
    }

    pub(super) fn store(step: StepName, error: &StoreError) -> Self {
        match error {
            StoreError::Taken { .. } => Self::at(step, Problem::NumberInUse),
            _ => Self::ours(step, error),
        }
    }
}

impl Signup {
    /// Records a step that was done, or stops.
    pub(super) async fn done<T>(
        &mut self,
        step: StepName,
        outcome: Result<T, OnboardError>,
    ) -> Result<T, Stop> {
        let value = outcome.map_err(|error| Stop::provider(step, error))?;
        self.record(step, StepOutcome::Done).await?;
        Ok(value)
    }

    pub(super) async fn record(&mut self, name: StepName, outcome: StepOutcome) -> Result<(), Stop> {
        self.note(Step { name, outcome, at: self.state.clock.now(), problem: None, provider_error: None });
        self.write(name).await
    }

    fn note(&mut self, step: Step) {
        self.session.steps.retain(|before| before.name != step.name);
        self.session.steps.push(step);
    }

    pub(super) async fn write(&mut self, step: StepName) -> Result<(), Stop> {
        match session::save(&self.state, &mut self.session).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Overtaken),
            Err(error) => Err(Stop::store(step, &error)),
        }
    }

    pub(super) async fn end(mut self, outcome: Result<(), Stop>) -> OnboardingSession {
        let (step, problem, error) = match outcome {
            Ok(()) => return self.session,
            Err(Stop::Overtaken) => {
                tracing::info!(session.id = %self.session.id, "the session was changed meanwhile; its steps stop");
                return self.session;
            }
            Err(Stop::Failed { step, problem, error }) => (step, problem, error),
        };
        tracing::warn!(
            session.id = %self.session.id, step = flow::word(step), problem = problem.as_str(),
            provider_error = error.as_ref().map(tracing::field::display), "a step of onboarding failed"
        );
        self.note(Step {
            name: step,
            outcome: StepOutcome::Failed,
            at: self.state.clock.now(),
            problem: Some(problem.as_str().to_owned()),
            provider_error: error.and_then(|error| serde_json::to_value(error).ok()),
        });
        // The steps run in one status only, from which this is always allowed.
        self.session.status = self.session.status.to(SessionStatus::Failed).unwrap_or(SessionStatus::Failed);
        self.session.problem = Some(problem.as_str().to_owned());
        self.explain_unfinished(problem).await;
        if let Err(error) = session::change(&self.state, &mut self.session).await {
            tracing::error!(session.id = %self.session.id, error = %Chain(&error), "a failed step could not be written down");
        }
        self.session
    }
}
