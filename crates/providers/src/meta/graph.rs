//! Calls of the Graph API: addresses, and who we are in them.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::{AccessToken, ExposeSecret as _};
use governor::clock::DefaultClock;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;

use super::config::{App, Config};
use super::quota::{Allowance, Stage, Unanswered};
use crate::cloud_api::signature;
use crate::http::{Answer, Call, ClientError, Failure, Http, Opened, Usage};
use crate::redact::Secrets;

/// One app's view of the Graph API.
#[derive(Debug)]
pub(crate) struct Graph {
    http: Http,
    /// Base address and version, without a slash at the end.
    base: String,
    version: String,
    app_id: String,
    app_secret: SecretString,
    allowance: Allowance,
    told_of_other_version: AtomicBool,
}

impl Graph {
    pub(crate) fn new(config: &Config, app: &App) -> Result<Self, ClientError> {
        let tls = config.graph_url.scheme() == "https";
        Ok(Self {
            http: Http::new("meta", config.timeouts(), tls)?,
            base: format!("{}/{}", config.graph_url.as_str().trim_end_matches('/'), config.graph_version),
            version: config.graph_version.clone(),
            app_id: app.id.clone(),
            app_secret: app.secret.clone(),
            allowance: Allowance::new(
                config.management_calls_per_hour.onboarding,
                config.management_calls_per_hour.connected,
                DefaultClock::default(),
            ),
            told_of_other_version: AtomicBool::new(false),
        })
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.app_id
    }

    pub(crate) fn app_secret(&self) -> &str {
        self.app_secret.expose_secret()
    }

    /// The token that stands for the app itself.
    pub(crate) fn app_token(&self) -> String {
        format!("{}|{}", self.app_id, self.app_secret())
    }

    /// What may not come back out of a call with these, besides the app's own secret.
    pub(crate) fn secrets<'a>(&'a self, own: impl IntoIterator<Item = &'a str>) -> Secrets {
        Secrets::of(own.into_iter().chain([self.app_secret()]))
    }

    /// A call without a token in its header, with parameters that may be secret.
    pub(crate) fn get_plain(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.http.get(&format!("{}/{path}", self.base)).query(query)
    }

    pub(crate) fn get(&self, path: &str, token: &AccessToken, query: &[(&str, &str)]) -> RequestBuilder {
        acting(self.http.get(&self.address(path, token)).query(query), token)
    }

    pub(crate) fn post(&self, path: &str, token: &AccessToken, json: Option<String>) -> RequestBuilder {
        with_body(acting(self.http.post(&self.address(path, token)), token), json)
    }

    /// With a body of its own kind.
    pub(crate) fn post_form(&self, path: &str, token: &AccessToken) -> RequestBuilder {
        acting(self.http.post(&self.address(path, token)), token)
    }

    /// Not below the base: an address that a look-up gave.
    pub(crate) fn get_address(&self, url: &str, token: &AccessToken) -> RequestBuilder {
        acting(self.http.get(url), token)
    }

    pub(crate) async fn open(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        secrets: &Secrets,
    ) -> Result<Result<Opened, Answer>, Failure> {
        self.http.open(request, Call { operation, usage: Usage::Management, secrets }).await
    }

    pub(crate) fn delete(&self, path: &str, token: &AccessToken, json: Option<String>) -> RequestBuilder {
        with_body(acting(self.http.delete(&self.address(path, token)), token), json)
    }

    /// The proof shows that whoever holds the token also holds the app's secret.
    fn address(&self, path: &str, token: &AccessToken) -> String {
        let proof = signature::proof(&self.app_secret, token.expose_secret());
        format!("{}/{path}?appsecret_proof={proof}", self.base)
    }

    /// Sends a message.
    pub(crate) async fn send(&self, request: RequestBuilder, secrets: &Secrets) -> Result<Answer, Failure> {
        self.call(request, Call { operation: "send", usage: Usage::Messages, secrets }).await
    }

    /// A call that is not about one account: about a code, a token or a number.
    pub(crate) async fn ask(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        secrets: &Secrets,
    ) -> Result<Answer, Failure> {
        self.call(request, Call { operation, usage: Usage::Management, secrets }).await
    }

    /// A call about one account, of which Meta allows so many an hour.
    pub(crate) async fn manage(
        &self,
        operation: &'static str,
        waba_id: &str,
        stage: Stage,
        request: RequestBuilder,
        secrets: &Secrets,
    ) -> Result<Answer, Unanswered> {
        self.allowance.take(waba_id, stage).map_err(Unanswered::HeldBack)?;
        let call = Call { operation, usage: Usage::Management, secrets };
        self.call(request, call).await.map_err(Unanswered::Failed)
    }

    async fn call(&self, request: RequestBuilder, call: Call<'_>) -> Result<Answer, Failure> {
        let answer = self.http.call(request, call).await;
        if let Ok(Answer { api_version: Some(answered), .. }) = &answer
            && *answered != self.version
            && !self.told_of_other_version.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                graph.asked = %self.version,
                graph.answered = %call.secrets.clean(answered),
                "the Graph API answers in another version than the one called: it may have ended"
            );
        }
        answer
    }
}

/// Without a body there is no content type, and a length of 0.
fn with_body(request: RequestBuilder, json: Option<String>) -> RequestBuilder {
    match json {
        Some(json) => request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(json),
        None => request.body(""),
    }
}

/// A token that cannot stand in a header is sent as a wrong one, and refused as such.
fn acting(request: RequestBuilder, token: &AccessToken) -> RequestBuilder {
    let value = format!("Bearer {}", token.expose_secret());
    let mut value =
        HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("Bearer invalid"));
    value.set_sensitive(true);
    request.header(AUTHORIZATION, value)
}
