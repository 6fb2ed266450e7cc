//! The steps on our side, run in the request that brought the code, each written down as it ends.
//!
//! Nothing here is tried again by itself: a code counts once, and what failed is the owner's to repeat. Whoever
//! changes the session meanwhile (a second try, a cancellation) wins; these steps then stop at the next one.

mod record;
mod rows;

use std::sync::Arc;

use actix_web::web;
use domain::business::Business;
use domain::contracts::provider::{Grant, OfferedNumber, Onboard, OnboardProblem, Provider};
use domain::onboarding::{OnboardingSession, SessionStatus, StepName, StepOutcome};
use domain::secret::AuthorizationCode;
use domain::{AccessToken, ConnectionStatus, ProviderName};

use record::Stop;

use super::flow::{self, Hints, Registration};
use super::problem::Problem;
use super::refusal::{Notice, Refusal};
use super::session;
use crate::http::state::AppState;

pub struct Signup {
    state: web::Data<AppState>,
    provider: ProviderName,
    onboard: Arc<dyn Onboard>,
    business: Business,
    session: OnboardingSession,
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

        // News may come as soon as they are subscribed to, and must find their owner. One that sends has an owner,
        // and keeps the token that it sends with until the new one has proved itself.
        let meanwhile = place.meanwhile();
        if !meanwhile.sends() {
            self.save(&place, number, grant, token, None, meanwhile).await?;
            self.state.gateway.business_changed(self.business.account, &self.business.reference).await;
        }
        self.abandon_others(&place).await;
        self.session.connection = Some(place.id);

        let subscribed = self.onboard.subscribe(token, &number.waba_id).await;
        self.done(StepName::Subscribe, subscribed).await?;

        match registration {
            Registration::Skipped => self.record(StepName::Register, StepOutcome::Skipped).await?,
            Registration::Needed => {
                // Kept before it is used: a PIN that is lost with its answer locks its owner out.
                let pin = self.pin(&place).await?;
                self.save(&place, number, grant, token, Some(&pin), meanwhile).await?;
                let registered = self.onboard.register(token, &number.phone_number_id, &pin).await;
                self.done(StepName::Register, registered).await?;
            }
        }

        let connection = self.save(&place, number, grant, token, None, ConnectionStatus::Connected).await?;
        self.state.gateway.connection_saved(&connection).await;
        self.session.status =
            self.session.status.to(SessionStatus::Connected).map_err(|_| Stop::Overtaken)?;
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
}
