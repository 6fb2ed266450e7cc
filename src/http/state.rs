//! What every handler works with. One for the whole process, shared by all workers as `web::Data<AppState>`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use domain::ProviderName;
use domain::clock::Clock;
use domain::contracts::provider::Provider;
use domain::contracts::store::Store;
use domain::ids::Ids;
use gateway_actors::Gateway;
use url::Url;

use super::auth::ApiKeys;
use super::config::{OnboardingConfig, ServerConfig};
use super::idempotency::Turns;
use super::limits::Limits;
use crate::handshake::Handshake;
use crate::url_guard::UrlGuard;

pub struct AppState {
    pub gateway: Gateway,
    pub store: Arc<dyn Store>,
    pub providers: Arc<HashMap<ProviderName, Provider>>,
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    /// Where browsers and providers reach us: the only source of absolute links, of cookies' attributes and of
    /// addresses that are signed. Never what a request says.
    pub public_url: Url,
    pub server: Arc<ServerConfig>,
    pub onboarding: Arc<OnboardingConfig>,
    pub guard: UrlGuard,
    pub handshake: Handshake,
    pub api_keys: ApiKeys,
    pub limits: Limits,
    pub turns: Turns,
}

impl AppState {
    pub fn provider(&self, name: ProviderName) -> Option<&Provider> {
        self.providers.get(&name)
    }

    /// An absolute link to one of our own pages; `path` begins with a slash.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Whether browsers reach us over https; cookies are `Secure` then.
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppState")
    }
}
