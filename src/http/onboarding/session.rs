//! The session behind a browser's cookie, and changes to it.

use std::time::Duration;

use actix_web::HttpRequest;
use domain::business::Business;
use domain::contracts::store::StoreError;
use domain::event::EventType;
use domain::onboarding::{OnboardingSession, SessionStatus};
use serde_json::json;

use super::answer;
use super::flow;
use super::limit::{self, Cost};
use super::refusal::{Notice, Refusal};
use super::texts::Lang;
use super::visitor::Browser;
use crate::http::error::Chain;
use crate::http::state::AppState;

/// A request of the browser that a session is bound to.
pub struct Visit {
    pub session: OnboardingSession,
    pub browser: Browser,
    pub lang: Lang,
}

impl Visit {
    /// The session of the cookie; one whose time has run out is written down as expired.
    pub async fn of(state: &AppState, request: &HttpRequest, cost: Cost) -> Result<Self, Refusal> {
        let browser = Browser::of(request, state.is_https()).ok_or(Notice::NoSession)?;
        let session = state.store.session_by_browser(&browser.digest()).await?;
        let session = session.ok_or(Notice::NoSession)?;
        limit::charge(state, session.id, cost).await?;
        let session = expire(state, session).await?;
        let lang = answer::lang(request, Some(&session.locale));
        Ok(Self { session, browser, lang })
    }

    /// For a POST of one of our forms.
    pub async fn of_form(state: &AppState, request: &HttpRequest, token: &str) -> Result<Self, Refusal> {
        let visit = Self::of(state, request, Cost::Attempt).await?;
        if visit.browser.wrote(token) && answer::is_ours(request, &state.public_url) {
            return Ok(visit);
        }
        tracing::warn!(session.id = %visit.session.id, "a form that none of our pages wrote was refused");
        Err(Notice::Forged.into())
    }
}

pub async fn expire(state: &AppState, session: OnboardingSession) -> Result<OnboardingSession, Refusal> {
    if !flow::has_expired(&session, state.clock.now()) {
        return Ok(session);
    }
    let mut expired = OnboardingSession { status: SessionStatus::Expired, problem: None, ..session };
    // Somebody else writing at the same moment does not make it younger.
    save(state, &mut expired).await?;
    announce(state, &expired).await;
    Ok(expired)
}

/// Writes the session if nobody else did since it was read; false otherwise.
pub async fn save(state: &AppState, session: &mut OnboardingSession) -> Result<bool, StoreError> {
    let written = state.store.update_session(session).await?;
    if written {
        session.version += 1;
    }
    Ok(written)
}

/// Writes, and tells endpoints. A conflict is somebody else's newer news.
pub async fn change(state: &AppState, session: &mut OnboardingSession) -> Result<bool, StoreError> {
    let written = save(state, session).await?;
    if written {
        announce(state, session).await;
    }
    Ok(written)
}

/// `onboarding.updated`. The session's row is the truth; an event that cannot be written is only logged.
pub async fn announce(state: &AppState, session: &OnboardingSession) {
    tracing::info!(session.id = %session.id, status = session.status.as_str(), problem = session.problem.as_deref(), "onboarding session");
    let business = match business(state, session).await {
        Ok(Some(business)) => business,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(session.id = %session.id, error = %Chain(&error), "an onboarding event is lost");
            return;
        }
    };
    let data = json!({
        "session_id": session.id,
        "status": session.status,
        "problem": session.problem,
    });
    let key = format!("{}:{}", session.id, session.version);
    let emitted = state
        .gateway
        .emit(session.account, business.key, session.connection, EventType::OnboardingUpdated, &key, &data)
        .await;
    if let Err(error) = emitted {
        tracing::error!(session.id = %session.id, error = %Chain(&error), "an onboarding event is lost");
    }
}

pub async fn business(state: &AppState, session: &OnboardingSession) -> Result<Option<Business>, StoreError> {
    state.store.business(session.account, &session.business).await
}

/// How long its cookie is good for: a little longer than the session, so that the owner reads that it has expired.
pub fn cookie_lifetime(state: &AppState, session: &OnboardingSession) -> Duration {
    session.expires_at.since(state.clock.now()) + Duration::from_hours(1)
}
