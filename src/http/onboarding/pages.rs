//! The pages that are only looked at.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::onboarding::TransportChoice;
use serde::Deserialize;
use serde_json::json;

use super::flow::{self, View};
use super::limit::Cost;
use super::link::{self, see};
use super::numbers;
use super::path;
use super::refusal::{Notice, Read, Refusal, read};
use super::session::{self, Visit};
use super::signup;
use super::texts::Lang;
use super::views::{self, ChoicePage, Failure, OfficialPage, Page, ProgressPage, UnofficialPage};
use crate::http::state::AppState;

#[derive(Deserialize)]
pub struct Link {
    session: Option<String>,
}

/// The link, and behind it the choice between the two ways.
pub async fn choice(
    request: HttpRequest,
    state: web::Data<AppState>,
    link: Read<web::Query<Link>>,
) -> HttpResponse {
    let page = async {
        if let Some(secret) = &read(link)?.session {
            return link::open(&state, &request, secret).await;
        }
        let visit = Visit::of(&state, &request, Cost::View).await?;
        match (visit.session.transport, flow::view(&visit.session)) {
            (TransportChoice::Unofficial, View::Begin) => Ok(see(path::UNOFFICIAL)),
            (TransportChoice::Choose, View::Begin) => {
                let page = page(&state, &visit).await?;
                Ok(views::html(StatusCode::OK, &ChoicePage { page, form: visit.browser.form_token() }))
            }
            _ => Ok(see(path::OFFICIAL)),
        }
    };
    page.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

/// Wherever the session stands on the official way.
pub async fn official(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let page = async {
        let visit = Visit::of(&state, &request, Cost::View).await?;
        let page = page(&state, &visit).await?;
        match flow::view(&visit.session) {
            View::Over(problem) => Ok(views::over(page, problem, &visit.session)),
            View::Begin if visit.session.transport == TransportChoice::Unofficial => {
                Ok(see(path::UNOFFICIAL))
            }
            View::Begin => begin(&state, page, &visit),
            View::Progress => progress(&state, page, &visit),
            View::ChooseNumber => numbers::page(&state, page, visit).await,
            View::Connected => {
                let connection = match visit.session.connection {
                    Some(id) => state.store.connection(id).await?,
                    None => None,
                };
                let page =
                    views::connected(page, connection.as_ref(), views::returns(&visit.session, visit.lang));
                Ok(views::html(StatusCode::OK, &page))
            }
        }
    };
    page.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

pub async fn unofficial(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let page = async {
        let visit = Visit::of(&state, &request, Cost::View).await?;
        let page = page(&state, &visit).await?;
        if let View::Over(problem) = flow::view(&visit.session) {
            return Ok(views::over(page, problem, &visit.session));
        }
        let choice = visit.session.transport == TransportChoice::Choose;
        let official = visit.session.transport != TransportChoice::Unofficial;
        let returns = views::returns(&visit.session, visit.lang);
        Ok(views::html(StatusCode::OK, &UnofficialPage { page, official, choice, returns }))
    };
    page.await.unwrap_or_else(|refusal: Refusal| refusal.answer(&request))
}

pub async fn nothing_here(request: HttpRequest) -> HttpResponse {
    Refusal::from(Notice::NotFound).answer(&request)
}

async fn page(state: &AppState, visit: &Visit) -> Result<Page, Refusal> {
    let business = session::business(state, &visit.session).await?;
    let shown = business.and_then(|business| business.name);
    Ok(Page::new(visit.lang, shown.or_else(|| Some(visit.session.business.to_string()))))
}

fn begin(state: &AppState, page: Page, visit: &Visit) -> Result<HttpResponse, Refusal> {
    let page = OfficialPage {
        failure: Failure::of(&visit.session, visit.lang),
        choice: visit.session.transport == TransportChoice::Choose,
        steps: views::step_lines(
            &domain::onboarding::OnboardingSession { steps: Vec::new(), ..visit.session.clone() },
            visit.lang,
        ),
        settings: settings(state, visit)?,
        form: visit.browser.form_token(),
        page,
    };
    Ok(views::html(StatusCode::OK, &page))
}

fn progress(state: &AppState, page: Page, visit: &Visit) -> Result<HttpResponse, Refusal> {
    let page = ProgressPage {
        steps: views::step_lines(&visit.session, visit.lang),
        settings: settings(state, visit)?,
        form: visit.browser.form_token(),
        page,
    };
    Ok(views::html(StatusCode::OK, &page))
}

/// What the script needs to open the provider's window. Nothing in it is secret but the form's token.
fn settings(state: &AppState, visit: &Visit) -> Result<String, Refusal> {
    let (_, onboard) = signup::provider(state, &visit.session).ok_or(Notice::Unavailable)?;
    let window = onboard.login_window();
    // Meta's file stands in a folder by the name of its language.
    let spoken = format!("/{}/", visit.lang.meta_locale());
    let sdk = window.sdk_url.as_str().replacen(&format!("/{}/", Lang::En.meta_locale()), &spoken, 1);
    let settings = json!({
        "sdk": sdk,
        "app": window.app_id,
        "config": window.config_id,
        "version": window.graph_version,
        "origins": window.message_origins,
        "form": visit.browser.form_token(),
        "page": path::OFFICIAL,
        "start": path::START,
        "callback": path::CALLBACK,
        "status": path::STATUS,
    });
    Ok(settings.to_string())
}
