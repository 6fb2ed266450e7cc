//! Opening the provider's window with a fresh state, and giving up.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::onboarding::{OnboardingSession, SessionStatus};
use serde::Deserialize;
use serde_json::json;

use super::answer;
use super::flow::{self, View};
use super::link::see;
use super::path;
use super::problem::Problem;
use super::refusal::{Notice, Read, Refusal, read};
use super::session::{self, Visit};
use super::signup;
use super::texts::Lang;
use crate::http::state::AppState;
use crate::random_token::RandomToken;

#[derive(Deserialize)]
pub struct Form {
    form: String,
}

/// `POST …/start`: to the script the state, to a form the provider's page in this tab.
pub async fn start(
    request: HttpRequest,
    state: web::Data<AppState>,
    form: Read<web::Form<Form>>,
) -> HttpResponse {
    let started = async {
        let visit = Visit::of_form(&state, &request, &read(form)?.form).await?;
        match flow::view(&visit.session) {
            View::Over(problem) => return Err(Refusal::Over(problem)),
            View::Connected if answer::wants_json(&request) => return Err(Notice::Spent.into()),
            View::Connected => return Ok(see(path::OFFICIAL)),
            View::Begin | View::Progress | View::ChooseNumber => {}
        }
        let value = RandomToken::new().map_err(|_| Notice::Unavailable)?;
        let session = begin(&state, visit.session, &value).await?;
        if answer::wants_json(&request) {
            return Ok(HttpResponse::Ok().json(json!({ "state": value.expose() })));
        }
        dialog(&state, &session, visit.lang, &value)
    };
    started.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

/// The first write may meet a step that was just written down; the second finds the session as it is then.
async fn begin(
    state: &AppState,
    session: OnboardingSession,
    value: &RandomToken,
) -> Result<OnboardingSession, Refusal> {
    let id = session.id;
    let mut session = session;
    for _ in 0..3 {
        let mut begun = flow::begun(&session, value.digest()).ok_or(Notice::Spent)?;
        if session::change(state, &mut begun).await? {
            return Ok(begun);
        }
        session = state.store.session(id).await?.ok_or(Notice::NoSession)?;
    }
    Err(Notice::Unavailable.into())
}

fn dialog(
    state: &AppState,
    session: &OnboardingSession,
    lang: Lang,
    value: &RandomToken,
) -> Result<HttpResponse, Refusal> {
    let (_, onboard) = signup::provider(state, session).ok_or(Notice::Unavailable)?;
    let mut address = onboard.login_window().dialog_url;
    address
        .query_pairs_mut()
        .append_pair("redirect_uri", &state.link(path::CALLBACK))
        .append_pair("state", value.expose())
        .append_pair("locale", lang.meta_locale());
    Ok(see(address.as_str()))
}

/// `POST …/cancel`: the owner does not want to now.
pub async fn cancel(
    request: HttpRequest,
    state: web::Data<AppState>,
    form: Read<web::Form<Form>>,
) -> HttpResponse {
    let cancelled = async {
        let visit = Visit::of_form(&state, &request, &read(form)?.form).await?;
        if let Ok(status) = visit.session.status.to(SessionStatus::Cancelled) {
            let problem = Some(Problem::UserCancelled.as_str().to_owned());
            let mut session = OnboardingSession { status, problem, ..visit.session };
            session::change(&state, &mut session).await?;
        }
        Ok(see(path::OFFICIAL))
    };
    cancelled.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}
