//! Where the provider's window reports to: by redirect, or through our page.
//!
//! A state is good for one answer, from the browser that asked for it. Whatever else comes is refused before anything
//! is read from it, and leaves nothing behind but a line in the log.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::onboarding::{OnboardingSession, SessionStatus, Step, StepName, StepOutcome};
use domain::secret::{AuthorizationCode, ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::answer;
use super::flow::{self, Hints, View};
use super::limit::Cost;
use super::link::see;
use super::path;
use super::problem::Problem;
use super::refusal::{Notice, Read, Refusal, read};
use super::session::{self, Visit};
use super::signup::Signup;
use crate::http::error::Chain;
use crate::http::state::AppState;
use crate::random_token::digest;

/// What the provider adds to the address of the callback.
#[derive(Deserialize)]
pub struct Redirect {
    state: Option<SecretString>,
    code: Option<SecretString>,
    error: Option<String>,
    error_reason: Option<String>,
    error_description: Option<String>,
}

/// What our page heard from the window. The ids are hints, the words are the owner's browser's.
#[derive(Deserialize)]
pub struct Report {
    state: SecretString,
    code: Option<SecretString>,
    event: Option<String>,
    waba_id: Option<String>,
    phone_number_id: Option<String>,
    error_message: Option<String>,
    error_code: Option<serde_json::Value>,
    session_id: Option<String>,
    current_step: Option<String>,
}

/// `GET …/callback?code&state`: does the steps, and leads to an address that holds neither.
pub async fn redirected(
    request: HttpRequest,
    state: web::Data<AppState>,
    answer: Read<web::Query<Redirect>>,
) -> HttpResponse {
    let taken = async {
        let answer = read(answer)?.into_inner();
        let value = answer.state.as_ref().ok_or(Notice::Forged)?;
        let session = take(&state, &request, value).await?;
        let Some(code) = answer.code else {
            let denied = answer.error.as_deref() == Some("access_denied")
                || answer.error_reason.as_deref() == Some("user_denied");
            let problem = if denied { Problem::UserCancelled } else { Problem::WindowFailed };
            let said = json!({ "message": answer.error_description.as_deref().or(answer.error.as_deref()).map(plain) });
            give_up(&state, session, problem, said).await?;
            return Ok(see(path::OFFICIAL));
        };
        let redirect_uri = Some(state.link(path::CALLBACK));
        connect(&state, session, code, redirect_uri, Hints::default()).await?;
        Ok(see(path::OFFICIAL))
    };
    taken.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

/// `POST …/callback`: the same for the window that our page opened.
pub async fn reported(
    request: HttpRequest,
    state: web::Data<AppState>,
    report: Read<web::Json<Report>>,
) -> HttpResponse {
    let taken = async {
        let report = read(report)?.into_inner();
        if !answer::is_ours(&request, &state.public_url) {
            tracing::warn!("an onboarding answer from a page of another site was refused");
            return Err(Notice::Forged.into());
        }
        let session = take(&state, &request, &report.state).await?;
        let session = if let Some(code) = report.code {
            let hints = Hints { waba_id: report.waba_id, phone_number_id: report.phone_number_id };
            connect(&state, session, code, None, hints).await?
        } else {
            let has_error = report.error_message.is_some() || report.error_code.is_some();
            let problem = flow::without_code(report.event.as_deref(), has_error);
            let said = json!({
                "message": report.error_message.as_deref().map(plain),
                "code": report.error_code.as_ref().and_then(number),
                "session": report.session_id.as_deref().map(plain),
                "window_step": report.current_step.as_deref().map(plain),
            });
            give_up(&state, session, problem, said).await?
        };
        Ok(HttpResponse::Ok().json(json!({
            "status": session.status, "problem": session.problem, "location": path::OFFICIAL,
        })))
    };
    taken.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

/// The session whose window this state belongs to, if it is this browser's and still waits for an answer.
async fn take(
    state: &AppState,
    request: &HttpRequest,
    value: &SecretString,
) -> Result<OnboardingSession, Refusal> {
    let by_state = state.store.session_by_state(&digest(value.expose_secret())).await?;
    let visit = match Visit::of(state, request, Cost::Attempt).await {
        Ok(visit) => Some(visit),
        Err(Refusal::Notice(Notice::NoSession)) => None,
        Err(refusal) => return Err(refusal),
    };
    let here = visit.as_ref().map(|visit| &visit.session);
    let same = by_state.as_ref().map(|named| named.id) == here.map(|here| here.id);
    if let Some(here) = here.filter(|_| same)
        && let View::Over(problem) = flow::view(here)
    {
        return Err(Refusal::Over(problem));
    }
    if let Err(untaken) = flow::admit(by_state.as_ref(), here) {
        let session = here.map(|here| here.id.to_string());
        tracing::warn!(session.id = session, ?untaken, "an onboarding answer was refused");
        return Err(untaken.into());
    }
    visit.map(|visit| visit.session).ok_or_else(|| Notice::Forged.into())
}

async fn connect(
    state: &web::Data<AppState>,
    session: OnboardingSession,
    code: SecretString,
    redirect_uri: Option<String>,
    hints: Hints,
) -> Result<OnboardingSession, Refusal> {
    let status = session.status.to(SessionStatus::Verifying).map_err(|_| Notice::Spent)?;
    let mut session = OnboardingSession { status, problem: None, steps: Vec::new(), ..session };
    // Of two answers with the same state, one loses here.
    if !session::change(state, &mut session).await? {
        return Err(Notice::Spent.into());
    }
    let code = AuthorizationCode::new(code.expose_secret());
    let signup = Signup::new(state, session).await?;
    away_from_the_request(signup.with_code(code, redirect_uri, hints)).await
}

/// A browser that hangs up does not leave the steps half done.
pub async fn away_from_the_request(
    steps: impl Future<Output = OnboardingSession> + Send + 'static,
) -> Result<OnboardingSession, Refusal> {
    tokio::spawn(steps).await.map_err(|error| {
        tracing::error!(error = %Chain(&error), "the steps of an onboarding session broke off");
        Notice::Unavailable.into()
    })
}

/// The window closed without a code. The owner may try again.
async fn give_up(
    state: &AppState,
    session: OnboardingSession,
    problem: Problem,
    said: serde_json::Value,
) -> Result<OnboardingSession, Refusal> {
    let status = session.status.to(SessionStatus::Failed).map_err(|_| Notice::Spent)?;
    let code = Some(problem.as_str().to_owned());
    let mut session = OnboardingSession { status, problem: code.clone(), steps: Vec::new(), ..session };
    if problem == Problem::WindowFailed {
        session.steps.push(Step {
            name: StepName::ExchangeCode,
            outcome: StepOutcome::Failed,
            at: state.clock.now(),
            problem: code,
            provider_error: Some(said),
        });
    }
    if session::change(state, &mut session).await? { Ok(session) } else { Err(Notice::Spent.into()) }
}

/// Words of a browser, fit to be stored and shown.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// Meta gives the same numbers as numbers and as texts.
fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
