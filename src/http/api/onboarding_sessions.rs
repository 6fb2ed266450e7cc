//! Onboarding sessions as the caller's server sees them. What the owner's browser sees is in `http/onboarding`.

use std::fmt;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use domain::business::NewBusiness;
use domain::ids::{BusinessRef, ConnectionId, OnboardingSessionId};
use domain::onboarding::{OnboardingSession, SessionStatus, Step, TransportChoice};
use domain::{ProviderName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::businesses::{USUAL_LOCALE, language_of};
use super::onboarding_checks as checks;
use crate::http::auth::{Caller, May, scope};
use crate::http::error::{Code, Problem};
use crate::http::idempotency::{Key, Made, Request, once};
use crate::http::json::{Ignored, Json, named};
use crate::http::onboarding::session;
use crate::http::state::AppState;
use crate::random_token::RandomToken;

/// Where the link leads; the pages know the session by the digest of what stands in it.
const PAGE: &str = "/onboarding/whatsapp";
/// How often another writer may come first.
const TRIES: usize = 3;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// An unknown one is created.
    #[schema(value_type = String, max_length = 64)]
    business_id: BusinessRef,
    /// `choose`, `official` or `unofficial`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "choose")]
    transport: TransportChoice,
    /// Which provider; the configured one when absent.
    #[schema(value_type = Option<String>, example = "meta")]
    provider: Option<ProviderName>,
    /// Where the browser goes when it is over: https.
    return_url: Option<String>,
    /// The same for an app, by a scheme of its own.
    #[schema(example = "safarichat://whatsapp/return")]
    app_return_uri: Option<String>,
    /// `sw` or `en`; the business's when absent.
    locale: Option<String>,
    /// The number that the owner is expected to connect.
    phone_hint: Option<String>,
    /// Connects this connection again instead of making a new one.
    #[schema(value_type = Option<String>)]
    replace_connection_id: Option<ConnectionId>,
    /// Seconds that the link is good for; at least 60.
    expires_in: Option<u64>,
}

impl NewSession {
    pub fn for_connection(
        business_id: BusinessRef,
        transport: TransportChoice,
        provider: ProviderName,
        connection: ConnectionId,
    ) -> Self {
        Self {
            business_id,
            transport,
            provider: Some(provider),
            return_url: None,
            app_return_uri: None,
            locale: None,
            phone_hint: None,
            replace_connection_id: Some(connection),
            expires_in: None,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = OnboardingSession)]
pub struct SessionView {
    #[schema(value_type = String)]
    id: OnboardingSessionId,
    /// The link for the owner; only in the answer that made the session. Its first opening binds it to that browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// `pending`, `opened`, `authorizing`, `verifying`, `connected`, `failed`, `cancelled` or `expired`.
    #[schema(value_type = String, example = "pending")]
    status: SessionStatus,
    #[schema(value_type = String)]
    business_id: BusinessRef,
    #[schema(value_type = String, example = "choose")]
    transport: TransportChoice,
    #[schema(value_type = Option<String>)]
    provider: Option<ProviderName>,
    locale: String,
    /// A stable code of why it failed.
    problem: Option<String>,
    /// The steps on our side, as far as they were made.
    #[schema(value_type = Vec<Object>)]
    steps: Vec<Step>,
    #[schema(value_type = Option<String>)]
    connection_id: Option<ConnectionId>,
    #[schema(value_type = Option<String>)]
    replace_connection_id: Option<ConnectionId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl fmt::Debug for SessionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionView({})", self.id)
    }
}

impl SessionView {
    fn new(session: OnboardingSession, url: Option<String>, now: Timestamp) -> Self {
        let expired = now >= session.expires_at && !session.status.is_over();
        Self {
            id: session.id,
            url,
            status: if expired { SessionStatus::Expired } else { session.status },
            business_id: session.business,
            transport: session.transport,
            provider: session.provider,
            locale: session.locale,
            problem: session.problem,
            steps: session.steps,
            connection_id: session.connection,
            replace_connection_id: session.replace_connection,
            created_at: session.created_at,
            expires_at: session.expires_at,
        }
    }
}

/// Open an onboarding session
///
/// Send its `url` to the owner of the business, who connects a number there.
#[utoipa::path(
    post,
    path = "/v1/onboarding-sessions",
    tag = "onboarding",
    request_body = NewSession,
    responses((status = 201, body = SessionView), (status = 422, body = crate::http::error::ProblemBody)),
)]
pub async fn create(
    caller: May<scope::OnboardingWrite>,
    state: Data<AppState>,
    key: Key,
    body: Json<NewSession>,
) -> Result<HttpResponse, Problem> {
    let Json { value, bytes } = body;
    if !caller.sees(&value.business_id) {
        return Err(Problem::not_found());
    }
    let route = "POST /v1/onboarding-sessions".to_owned();
    let request = Request { account: caller.account(), key, route, body: &bytes };
    once(&state, request, open(&state, &caller, value)).await
}

/// Makes the session, and its business when that is unknown. The answer holds the link, which is kept nowhere else.
pub async fn open(state: &AppState, caller: &Caller, new: NewSession) -> Result<Made, Problem> {
    let now = state.clock.now();
    let return_url = new.return_url.as_deref().map(checks::return_url).transpose()?;
    let app_return_uri = new.app_return_uri.map(checks::app_uri).transpose()?;
    let locale = new.locale.as_deref().map(|tag| {
        language_of(tag).ok_or_else(|| Problem::field("locale", "invalid", "locale must be sw or en"))
    });
    let locale = locale.transpose()?.map(str::to_owned);
    let lifetime = checks::lifetime(new.expires_in, state.onboarding.session_lifetime_s)?;
    if new.provider.is_some_and(|provider| state.provider(provider).is_none()) {
        return Err(Problem::field("provider", "unsupported", "provider is not configured here"));
    }
    if let Some(id) = new.replace_connection_id {
        let replaced = super::connection(state, caller, id).await?;
        if replaced.business_reference != new.business_id {
            return Err(Problem::not_found());
        }
    }
    let first = NewBusiness::unnamed(new.business_id, locale.as_deref().unwrap_or(USUAL_LOCALE));
    let (business, _) = state.store.ensure_business(caller.account(), &first, now).await?;
    let phone_hint = new.phone_hint.map(|text| checks::number(&text, &business)).transpose()?;
    let secret = RandomToken::new().map_err(|error| Problem::internal("making a link", &error))?;
    let session = OnboardingSession {
        id: OnboardingSessionId::from_uuid(state.ids.next()),
        account: caller.account(),
        business: business.reference,
        transport: new.transport,
        provider: new.provider,
        return_url,
        app_return_uri,
        locale: locale.unwrap_or(business.locale),
        phone_hint,
        replace_connection: new.replace_connection_id,
        status: SessionStatus::Pending,
        problem: None,
        steps: Vec::new(),
        connection: None,
        link_hash: secret.digest(),
        browser_hash: None,
        state_hash: None,
        created_at: now,
        expires_at: now.plus(lifetime),
        version: 0,
    };
    state.store.insert_session(&session).await?;
    tracing::info!(session.id = %session.id, business.id = %session.business, "an onboarding session was opened");
    let url = state.link(&format!("{PAGE}?session={}", secret.expose()));
    let made = Made::new(StatusCode::CREATED, &SessionView::new(session, Some(url), now))?;
    Ok(made.holding_secret_of(business.key))
}

async fn session(state: &AppState, caller: &Caller, id: &str) -> Result<OnboardingSession, Problem> {
    let found = state.store.session(named(id)?).await?;
    found
        .filter(|found| found.account == caller.account() && caller.sees(&found.business))
        .ok_or(Problem::not_found())
}

/// Read an onboarding session
#[utoipa::path(
    get,
    path = "/v1/onboarding-sessions/{id}",
    tag = "onboarding",
    params(("id" = String, Path)),
    responses((status = 200, body = SessionView), (status = 404, body = crate::http::error::ProblemBody)),
)]
pub async fn read(
    caller: May<scope::OnboardingWrite>,
    state: Data<AppState>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = session(&state, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(SessionView::new(found, None, state.clock.now())))
}

/// Cancel an onboarding session: its link is dead from then on
#[utoipa::path(
    post,
    path = "/v1/onboarding-sessions/{id}/cancel",
    tag = "onboarding",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = SessionView),
        (status = 409, description = "It is over", body = crate::http::error::ProblemBody),
    ),
)]
pub async fn cancel(
    caller: May<scope::OnboardingWrite>,
    state: Data<AppState>,
    id: Path<String>,
    key: Key,
    body: Ignored,
) -> Result<HttpResponse, Problem> {
    let found = session(&state, &caller, &id).await?;
    let route = format!("POST /v1/onboarding-sessions/{}/cancel", found.id);
    let request = Request { account: caller.account(), key, route, body: &body.0 };
    once(&state, request, async {
        let mut found = found;
        for _ in 0..TRIES {
            if found.status == SessionStatus::Cancelled {
                return Made::new(StatusCode::OK, &SessionView::new(found, None, state.clock.now()));
            }
            found.status = found.status.to(SessionStatus::Cancelled).map_err(|_| {
                Problem::new(Code::StateConflict)
                    .with_detail(format!("the session is {} already", found.status.as_str()))
            })?;
            if state.store.update_session(&found).await? {
                found.version += 1;
                session::announce(&state, &found).await;
            } else {
                // The owner's browser was faster.
                found = session(&state, &caller, &id).await?;
            }
        }
        Err(Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1)))
    })
    .await
}
