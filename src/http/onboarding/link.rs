//! The one-time link: bound to the browser that opens it first.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse};
use domain::onboarding::{OnboardingSession, SessionStatus, TransportChoice};

use super::answer;
use super::flow::{self, View};
use super::path;
use super::refusal::{Notice, Refusal};
use super::session::{self, cookie_lifetime, expire};
use super::visitor::{self, Browser};
use crate::http::state::AppState;
use crate::random_token::{RandomToken, digest};

/// `GET /onboarding/whatsapp?session=…`: binds, and leads to an address that holds no secret.
pub async fn open(state: &AppState, request: &HttpRequest, secret: &str) -> Result<HttpResponse, Refusal> {
    if answer::is_preview(request) {
        return Err(Notice::Preview.into());
    }
    let found = state.store.session_by_link(&digest(secret)).await?.ok_or(Notice::LinkUnknown)?;
    let session = expire(state, found).await?;
    if let View::Over(problem) = flow::view(&session) {
        return Err(Refusal::Over(problem));
    }
    if session.browser_hash.is_some() {
        let known = Browser::of(request, state.is_https());
        if known.is_some_and(|browser| session.browser_hash == Some(browser.digest())) {
            return Ok(onward(&session, request));
        }
        tracing::warn!(session.id = %session.id, "an onboarding link was opened in a second browser");
        return Err(Notice::OtherBrowser.into());
    }
    bind(state, request, session).await
}

async fn bind(
    state: &AppState,
    request: &HttpRequest,
    session: OnboardingSession,
) -> Result<HttpResponse, Refusal> {
    let token = RandomToken::new().map_err(|_| Notice::Unavailable)?;
    let status = session.status.to(SessionStatus::Opened).unwrap_or(session.status);
    let mut bound = OnboardingSession { status, browser_hash: Some(token.digest()), ..session };
    // Of two browsers that open it in the same moment, one loses here.
    if !session::change(state, &mut bound).await? {
        return Err(Notice::OtherBrowser.into());
    }
    let mut response = onward(&bound, request);
    let cookie = visitor::cookie(token.expose(), state.is_https(), cookie_lifetime(state, &bound));
    response.add_cookie(&cookie).map_err(|_| Notice::Unavailable)?;
    Ok(response)
}

fn onward(session: &OnboardingSession, request: &HttpRequest) -> HttpResponse {
    let page = match session.transport {
        TransportChoice::Choose => path::CHOICE,
        TransportChoice::Official => path::OFFICIAL,
        TransportChoice::Unofficial => path::UNOFFICIAL,
    };
    let lang = answer::asked_lang(request).map(|lang| format!("?lang={}", lang.code()));
    see(&format!("{page}{}", lang.unwrap_or_default()))
}

/// 303: whatever the method was, the next one is GET, and this address does not stay in the history.
pub fn see(address: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((LOCATION, address)).finish()
}
