//! The steps on our side, run in the request that brought the code, each written down as it ends.
//!
//! Nothing here is tried again by itself: a code counts once, and what failed is the owner's to repeat. Whoever
//! changes the session meanwhile (a second try, a cancellation) wins; these steps then stop at the next one.

mod rows;

use std::sync::Arc;

use actix_web::web;
use domain::business::Business;
use domain::contracts::provider::{
    Grant, OfferedNumber, Onboard, OnboardError, OnboardProblem, Provider, ProviderError,
};
use domain::contracts::store::StoreError;
use domain::onboarding::{OnboardingSession, SessionStatus, Step, StepName, StepOutcome};
use domain::secret::AuthorizationCode;
use domain::{AccessToken, ConnectionStatus, ProviderName};

use super::flow::{self, Hints, Registration};
use super::problem::Problem;
use super::refusal::{Notice, Refusal};
use super::session;
use crate::http::error::Chain;
use crate::http::state::AppState;

pub struct Signup {
    state: web::Data<AppState>,
    provider: ProviderName,
    onboard: Arc<dyn Onboard>,
    business: Business,
    session: OnboardingSession,
}

/// Why the steps ended before the last one.
enum Stop {
    Failed {
        step: StepName,
        problem: Problem,
        error: Option<ProviderError>,
    },
    /// The session was changed by somebody else.
    Overtaken,
}

impl Stop {
    fn at(step: StepName, problem: impl Into<Problem>) -> Self {
        Self::Failed { step, problem: problem.into(), error: None }
    }

    fn provider(step: StepName, error: OnboardError) -> Self {
        Self::Failed { step, problem: error.problem.into(), error: Some(error.error) }
    }

    /// Ours to repair, not the owner's: logged here, and shown as such.
    fn ours(step: StepName, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "a step of onboarding failed on our side");
        Self::at(step, Problem::Unavailable)
    }

    fn store(step: StepName, error: &StoreError) -> Self {
        match error {
            StoreError::Taken { .. } => Self::at(step, Problem::NumberInUse),
            _ => Self::ours(step, error),
        }
    }
}

/// The provider that a session is for.
pub fn provider<'a>(
    state: &'a AppState,
    session: &OnboardingSession,
) -> Option<(&'a Provider, Arc<dyn Onboard>)> {
    let provider = state.provider(session.provider.unwrap_or(ProviderName::Meta))?;
    Some((provider, Arc::clone(provider.onboard.as_ref()?)))
}

impl Signup {
    pub async fn new(state: &web::Data<AppState>, session: OnboardingSession) -> Result<Self, Refusal> {
        let (provider, onboard) = provider(state, &session).ok_or(Notice::Unavailable)?;
        let business = session::business(state, &session).await?.ok_or(Notice::Unavailable)?;
        Ok(Self { state: state.clone(), provider: provider.name, onboard, business, session })
    }

    /// All of it. `redirect_uri` where the owner came back by redirect.
    pub async fn with_code(
        mut self,
        code: AuthorizationCode,
        redirect_uri: Option<String>,
        hints: Hints,
    ) -> OnboardingSession {
        let outcome = self.exchange_and_connect(&code, redirect_uri.as_deref(), &hints).await;
        self.end(outcome).await
    }

    /// The rest of it, after the owner said which number.
    pub async fn with_number(mut self, phone_number_id: String) -> OnboardingSession {
        let outcome = self.connect_chosen(phone_number_id).await;
        self.end(outcome).await
    }

    /// What the owner may choose from.
    pub async fn offered(&self) -> Result<Vec<OfferedNumber>, Problem> {
        let looked = async {
            let (_, token) = self.pending_token().await?;
            let grant = self.onboard.inspect_token(&token).await;
            let grant = grant.map_err(|error| Stop::provider(StepName::InspectToken, error))?;
            self.numbers(&token, &grant, &Hints::default()).await
        };
        looked.await.map_err(|stop| match stop {
            Stop::Failed { problem, .. } => problem,
            Stop::Overtaken => Problem::Unavailable,
        })
    }

    async fn exchange_and_connect(
        &mut self,
        code: &AuthorizationCode,
        redirect_uri: Option<&str>,
        hints: &Hints,
    ) -> Result<(), Stop> {
        let token = self.onboard.exchange_code(code, redirect_uri).await;
        let token = self.done(StepName::ExchangeCode, token).await?;
        let grant = self.onboard.inspect_token(&token).await;
        let grant = self.done(StepName::InspectToken, grant).await?;
        let numbers = self.numbers(&token, &grant, hints).await?;
        let phone_hint = self.session.phone_hint.as_deref();
        match flow::pick(&numbers, hints, phone_hint) {
            Ok(Some(number)) => self.connect(&token, &grant, number).await,
            Ok(None) => self.wait_for_choice(&token, &grant, &numbers[0].waba_id).await,
            Err(problem) => Err(Stop::at(StepName::ChooseNumber, problem)),
        }
    }

    async fn connect_chosen(&mut self, phone_number_id: String) -> Result<(), Stop> {
        let (_, token) = self.pending_token().await?;
        let grant = self.onboard.inspect_token(&token).await;
        let grant = self.done(StepName::InspectToken, grant).await?;
        let numbers = self.numbers(&token, &grant, &Hints::default()).await?;
        let chosen = numbers.iter().find(|number| number.phone_number_id == phone_number_id);
        let chosen = chosen.ok_or_else(|| Stop::at(StepName::ChooseNumber, OnboardProblem::NoNumber))?;
        self.connect(&token, &grant, chosen).await
    }

    async fn numbers(
        &self,
        token: &AccessToken,
        grant: &Grant,
        hints: &Hints,
    ) -> Result<Vec<OfferedNumber>, Stop> {
        let wabas = flow::wabas(grant, hints).map_err(|problem| Stop::at(StepName::InspectToken, problem))?;
        let mut numbers = Vec::new();
        for waba in wabas {
            let offered = self.onboard.numbers(token, &waba).await;
            numbers.extend(offered.map_err(|error| Stop::provider(StepName::ChooseNumber, error))?);
        }
        Ok(numbers)
    }

    async fn connect(
        &mut self,
        token: &AccessToken,
        grant: &Grant,
        number: &OfferedNumber,
    ) -> Result<(), Stop> {
        let place = self.place(number).await?;
        let registration =
            flow::registration(number).map_err(|problem| Stop::at(StepName::Register, problem))?;
        self.done(StepName::ChooseNumber, Ok(())).await?;

        let subscribed = self.onboard.subscribe(token, &number.waba_id).await;
        self.done(StepName::Subscribe, subscribed).await?;

        match registration {
            Registration::Skipped => self.record(StepName::Register, StepOutcome::Skipped).await?,
            Registration::Needed => {
                // Kept before it is used: a PIN that is lost with its answer locks its owner out.
                let pin = self.pin(&place).await?;
                let verifying = match place.existing.as_ref().map(|existing| existing.status) {
                    Some(status) if status.sends() => status,
                    _ => ConnectionStatus::Verifying,
                };
                self.save(&place, number, grant, token, Some(&pin), verifying).await?;
                self.session.connection = Some(place.id);
                let registered = self.onboard.register(token, &number.phone_number_id, &pin).await;
                self.done(StepName::Register, registered).await?;
            }
        }

        let connection = self.save(&place, number, grant, token, None, ConnectionStatus::Connected).await?;
        self.abandon_others(&place).await;
        self.state.gateway.connection_saved(&connection).await;
        self.session.connection = Some(connection.id);
        self.session.status = SessionStatus::Connected;
        self.session.problem = None;
        self.record(StepName::Connect, StepOutcome::Done).await?;
        session::announce(&self.state, &self.session).await;
        Ok(())
    }

    async fn wait_for_choice(
        &mut self,
        token: &AccessToken,
        grant: &Grant,
        waba_id: &str,
    ) -> Result<(), Stop> {
        let id = self.save_pending(token, grant, waba_id).await?;
        self.session.connection = Some(id);
        self.session.problem = Some(Problem::ChooseNumber.as_str().to_owned());
        self.write(StepName::ChooseNumber).await?;
        session::announce(&self.state, &self.session).await;
        Ok(())
    }

    // ---- Writing down ----

    /// Records a step that was done, or stops.
    async fn done<T>(&mut self, step: StepName, outcome: Result<T, OnboardError>) -> Result<T, Stop> {
        let value = outcome.map_err(|error| Stop::provider(step, error))?;
        self.record(step, StepOutcome::Done).await?;
        Ok(value)
    }

    async fn record(&mut self, name: StepName, outcome: StepOutcome) -> Result<(), Stop> {
        self.note(Step { name, outcome, at: self.state.clock.now(), problem: None, provider_error: None });
        self.write(name).await
    }

    fn note(&mut self, step: Step) {
        self.session.steps.retain(|before| before.name != step.name);
        self.session.steps.push(step);
    }

    async fn write(&mut self, step: StepName) -> Result<(), Stop> {
        match session::save(&self.state, &mut self.session).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Overtaken),
            Err(error) => Err(Stop::store(step, &error)),
        }
    }

    async fn end(mut self, outcome: Result<(), Stop>) -> OnboardingSession {
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
        self.session.status = SessionStatus::Failed;
        self.session.problem = Some(problem.as_str().to_owned());
        self.explain_unfinished(problem).await;
        if let Err(error) = session::change(&self.state, &mut self.session).await {
            tracing::error!(session.id = %self.session.id, error = %Chain(&error), "a failed step could not be written down");
        }
        self.session
    }
}
