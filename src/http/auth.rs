//! Who calls the API: from the bearer key to an account, its scopes and the businesses it may act for.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use domain::contracts::api_keys::ApiKey;
use domain::contracts::store::{Store, StoreError};
use domain::ids::{AccountKey, BusinessRef};
use domain::onboarding::Digest32;
use moka::future::Cache;
use std::future::{Ready, ready};

use super::error::{Code, Problem};
use super::limits::refused;
use super::state::AppState;
use crate::random_token::digest;

/// What API keys begin with, so that a leaked one is recognised.
pub const KEY_PREFIX: &str = "gw_";
/// A revoked key is refused after this long at the latest.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
const MOST_REMEMBERED: u64 = 10_000;

macro_rules! scopes {
    ($($name:ident = $word:literal;)*) => {
        /// Rights that a key can have; `*` is all of them.
        pub mod scope {
            $(
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl super::Scope for $name {
                    const WORD: &'static str = $word;
                }
            )*
        }

        pub const SCOPES: &[&str] = &[$($word),*];
    };
}

scopes! {
    MessagesRead = "messages:read";
    MessagesWrite = "messages:write";
    ConnectionsRead = "connections:read";
    ConnectionsWrite = "connections:write";
    BusinessesRead = "businesses:read";
    BusinessesWrite = "businesses:write";
    EndpointsRead = "endpoints:read";
    EndpointsWrite = "endpoints:write";
    EventsRead = "events:read";
    OnboardingWrite = "onboarding:write";
}

pub const ALL_SCOPES: &str = "*";

pub trait Scope {
    const WORD: &'static str;
}

/// API keys by their digests, remembered for a moment; unknown ones too, so that guessing costs no query each.
#[derive(Clone)]
pub struct ApiKeys {
    store: Arc<dyn Store>,
    remembered: Cache<Digest32, Option<Arc<ApiKey>>>,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys")
    }
}

impl ApiKeys {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let remembered = Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { store, remembered }
    }

    /// The key, if it exists and is not revoked.
    async fn find(&self, text: &str) -> Result<Option<Arc<ApiKey>>, Arc<StoreError>> {
        let hash = digest(text);
        if let Some(known) = self.remembered.get(&hash).await {
            return Ok(known);
        }
        self.remembered
            .try_get_with(hash, async {
                let found = self.store.api_key_by_hash(&hash).await?;
                Ok(found.filter(|key| key.revoked_at.is_none()).map(Arc::new))
            })
            .await
    }
}

/// Whoever holds the key of this request.
#[derive(Debug, Clone)]
pub struct Caller(Arc<ApiKey>);

impl Caller {
    pub fn account(&self) -> AccountKey {
        self.0.account
    }

    /// Businesses that the key may not act for do not exist for it.
    pub fn sees(&self, business: &BusinessRef) -> bool {
        self.0.businesses.is_empty() || self.0.businesses.contains(business)
    }

    pub fn is_restricted(&self) -> bool {
        !self.0.businesses.is_empty()
    }

    /// Whether sends at the Graph door are answered when the provider has answered.
    pub fn waits(&self) -> bool {
        self.0.waits
    }

    fn may(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|had| had == scope || had == ALL_SCOPES)
    }
}

/// A caller that may do what `S` names. The first argument of a handler, so that it refuses before a body is read.
pub struct May<S> {
    caller: Caller,
    scope: PhantomData<S>,
}

impl<S> fmt::Debug for May<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.caller, f)
    }
}

impl<S> Deref for May<S> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<S: Scope> FromRequest for May<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(match caller {
            Some(caller) if caller.may(S::WORD) => Ok(Self { caller, scope: PhantomData }),
            Some(_) => Err(Problem::new(Code::InsufficientScope)
                .with_detail(format!("the API key lacks the scope {}", S::WORD))),
            None => Err(Problem::new(Code::Unauthorized)),
        })
    }
}

/// Around the API: 401 before anything of the request is read.
pub async fn with_api_key<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match authenticate(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(problem) => Ok(refused(request, &problem)),
    }
}

async fn authenticate(request: &ServiceRequest) -> Result<Caller, Problem> {
    let state = request.app_data::<web::Data<AppState>>().ok_or(Problem::new(Code::Internal))?;
    let key = bearer(request.headers()).ok_or_else(|| {
        Problem::new(Code::Unauthorized).with_detail("send the header Authorization: Bearer and an API key")
    })?;
    match state.api_keys.find(key).await {
        Ok(Some(key)) => Ok(Caller(key)),
        Ok(None) => Err(Problem::new(Code::Unauthorized)),
        Err(error) => {
            tracing::warn!(error = %super::error::Chain(&*error), "API keys cannot be read");
            Err(Problem::new(Code::Unavailable).with_retry_after(Duration::from_secs(1)))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use domain::{ApiKeyId, Timestamp};
    use uuid::Uuid;

    fn caller(scopes: &[&str], businesses: &[&str]) -> Caller {
        Caller(Arc::new(ApiKey {
            id: ApiKeyId::from_uuid(Uuid::from_u128(1)),
            account: AccountKey(1),
            label: "test".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            businesses: businesses.iter().map(|business| business.parse().unwrap()).collect(),
            waits: false,
            created_at: Timestamp::from_seconds(0),
            revoked_at: None,
        }))
    }

    #[test]
    fn a_key_may_what_its_scopes_say_and_a_star_is_all() {
        let key = caller(&["messages:read"], &[]);
        assert!(key.may("messages:read") && !key.may("messages:write"));
        assert!(SCOPES.iter().all(|scope| caller(&["*"], &[]).may(scope)));
        assert!(!caller(&[], &[]).may("messages:read"));
    }

    #[test]
    fn a_key_with_a_list_sees_no_other_business() {
        let (own, other) = ("duka-1".parse().unwrap(), "duka-2".parse().unwrap());
        assert!(caller(&[], &["duka-1"]).sees(&own));
        assert!(!caller(&[], &["duka-1"]).sees(&other));
        assert!(caller(&[], &[]).sees(&other));
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let bearer_of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(bearer_of("Bearer gw_a").as_deref(), Some("gw_a"));
        assert_eq!(bearer_of("bearer gw_a").as_deref(), Some("gw_a"));
        for wrong in ["gw_a", "Basic gw_a", "Bearer ", "Bearer"] {
            assert_eq!(bearer_of(wrong), None, "{wrong}");
        }
    }
}
