//! Embedded Signup, server side, call by call. Source: Meta's Embedded Signup implementation and phone number API, 2026.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::contracts::provider::{Grant, LoginWindow, OfferedNumber, Onboard, OnboardError, OnboardProblem};
use domain::secret::AuthorizationCode;
use domain::{AccessToken, ExposeSecret as _, Pin, Timestamp};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::config::{App, Config, PopupRedirect, is_decimal};
use super::errors::{Step, of_answer, of_failure, refused, unexpected};
use super::graph::Graph;
use super::numbers;
use super::quota::{Stage, Unanswered};
use crate::http::Answer;
use crate::redact::Secrets;

/// Without either of these a connection is of no use.
const NEEDED_SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

#[derive(Debug)]
pub struct MetaOnboard {
    graph: Arc<Graph>,
    window: LoginWindow,
    popup_redirect_uri: PopupRedirect,
}

impl MetaOnboard {
    pub(crate) fn new(graph: Arc<Graph>, config: &Config, app: &App) -> Self {
        Self { graph, window: window(config, app), popup_redirect_uri: config.popup_redirect_uri }
    }

    /// A call that is not about one account.
    async fn ask(
        &self,
        operation: &'static str,
        step: Step,
        request: RequestBuilder,
        secrets: &Secrets,
    ) -> Result<Value, OnboardError> {
        let answer = self.graph.ask(operation, request, secrets).await;
        read(step, &answer.map_err(Unanswered::Failed).map_err(of_failure)?, secrets)
    }

    /// A call about one account.
    async fn manage(
        &self,
        operation: &'static str,
        (waba_id, stage): (&str, Stage),
        request: RequestBuilder,
        secrets: &Secrets,
    ) -> Result<Value, OnboardError> {
        let answer = self.graph.manage(operation, waba_id, stage, request, secrets).await;
        read(Step::Waba, &answer.map_err(of_failure)?, secrets)
    }

    fn secrets_of<'a>(&'a self, token: &'a AccessToken) -> Secrets {
        self.graph.secrets([token.expose_secret()])
    }
}

/// The answer's JSON, or what the step's error means.
fn read(step: Step, answer: &Answer, secrets: &Secrets) -> Result<Value, OnboardError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok();
    match body {
        Some(body) if (200..300).contains(&answer.status) && body.get("error").is_none() => Ok(body),
        _ => Err(of_answer(step, answer, secrets)),
    }
}

fn window(config: &Config, app: &App) -> LoginWindow {
    let mut dialog_url = config.dialog_url.clone();
    let path = format!("{}/{}/dialog/oauth", dialog_url.path().trim_end_matches('/'), config.graph_version);
    dialog_url.set_path(&path);
    dialog_url
        .query_pairs_mut()
        .append_pair("client_id", &app.id)
        .append_pair("config_id", &app.config_id)
        .append_pair("response_type", "code")
        .append_pair("override_default_response_type", "true")
        .append_pair("extras", r#"{"setup":{}}"#);
    LoginWindow {
        app_id: app.id.clone(),
        config_id: app.config_id.clone(),
        graph_version: config.graph_version.clone(),
        sdk_url: config.sdk_url.clone(),
        message_origins: config.message_origins.clone(),
        dialog_url,
    }
}

#[async_trait]
impl Onboard for MetaOnboard {
    fn login_window(&self) -> LoginWindow {
        self.window.clone()
    }

    /// `GET /oauth/access_token`: the documented form, with the secrets in the query. They stay between us
    /// and Meta: see `http/mod.rs`.
    async fn exchange_code(
        &self,
        code: &AuthorizationCode,
        redirect_uri: Option<&str>,
    ) -> Result<AccessToken, OnboardError> {
        let code = code.expose_secret();
        let mut query = vec![
            ("client_id", self.graph.app_id()),
            ("client_secret", self.graph.app_secret()),
            ("code", code),
        ];
        match (redirect_uri, self.popup_redirect_uri) {
            (Some(uri), _) => query.push(("redirect_uri", uri)),
            (None, PopupRedirect::Empty) => query.push(("redirect_uri", "")),
            (None, PopupRedirect::Omit) => {}
        }
        let secrets = self.graph.secrets([code]);
        let request = self.graph.get_plain("oauth/access_token", &query);
        let answer = self.ask("exchange_code", Step::ExchangeCode, request, &secrets).await?;
        // One client library has seen the second name.
        let token =
            ["access_token", "business_token"].into_iter().find_map(|name| answer.get(name)?.as_str());
        match token {
            Some(token) if !token.is_empty() => Ok(AccessToken::new(token)),
            _ => Err(unexpected("the provider took the code but gave no token")),
        }
    }

    /// `GET /debug_token`, asked as the app: is it valid, is it ours, and what does it allow.
    async fn inspect_token(&self, token: &AccessToken) -> Result<Grant, OnboardError> {
        let app_token = self.graph.app_token();
        let query = [("input_token", token.expose_secret()), ("access_token", app_token.as_str())];
        let secrets = self.graph.secrets([token.expose_secret(), &app_token]);
        let request = self.graph.get_plain("debug_token", &query);
        let answer = self.ask("inspect_token", Step::InspectToken, request, &secrets).await?;
        grant(answer.get("data").unwrap_or(&Value::Null), self.graph.app_id(), &secrets)
    }

    async fn numbers(&self, token: &AccessToken, waba_id: &str) -> Result<Vec<OfferedNumber>, OnboardError> {
        let waba_id = waba(waba_id)?;
        let secrets = self.secrets_of(token);
        let path = format!("{waba_id}/phone_numbers");
        let mut offered = Vec::new();
        let mut cursors = Vec::new();
        loop {
            let mut query = vec![("fields", numbers::FIELDS), ("limit", numbers::PAGE)];
            query.extend(cursors.last().map(|after: &String| ("after", after.as_str())));
            let request = self.graph.get(&path, token, &query);
            let page = self.manage("numbers", (waba_id, Stage::Onboarding), request, &secrets).await?;
            let entries = page.get("data").and_then(Value::as_array);
            let entries = entries.ok_or_else(|| unexpected("the provider gave no list of numbers"))?;
            offered.extend(entries.iter().filter_map(|entry| numbers::offered(waba_id, entry)));
            match numbers::next_cursor(&page) {
                // A cursor that was there before would lead round in circles.
                Some(after) if cursors.len() < numbers::MOST_PAGES && !cursors.contains(&after) => {
                    cursors.push(after);
                }
                _ => return Ok(offered),
            }
        }
    }

    /// `POST /{waba}/subscribed_apps`: idempotent.
    async fn subscribe(&self, token: &AccessToken, waba_id: &str) -> Result<(), OnboardError> {
        let path = format!("{}/subscribed_apps", waba(waba_id)?);
        let request = self.graph.post(&path, token, None);
        let about = (waba_id, Stage::Onboarding);
        let answer = self.manage("subscribe", about, request, &self.secrets_of(token)).await?;
        succeeded(&answer)
    }

    /// `GET /{waba}/subscribed_apps`: ours among those listed, and without an override, which may send the webhooks
    /// elsewhere: whoever asks wants to rely on hearing them.
    async fn is_subscribed(&self, token: &AccessToken, waba_id: &str) -> Result<bool, OnboardError> {
        let path = format!("{}/subscribed_apps", waba(waba_id)?);
        let request = self.graph.get(&path, token, &[]);
        let about = (waba_id, Stage::Connected);
        let answer = self.manage("is_subscribed", about, request, &self.secrets_of(token)).await?;
        let apps = answer.get("data").and_then(Value::as_array);
        let apps = apps.ok_or_else(|| unexpected("the provider gave no list of subscribed apps"))?;
        let is_ours = |app: &Value| {
            let id = app.pointer("/whatsapp_business_api_data/id").or_else(|| app.get("id"));
            id.and_then(text_of).as_deref() == Some(self.graph.app_id())
        };
        let is_overridden = |app: &Value| {
            app.get("override_callback_uri").and_then(Value::as_str).is_some_and(|url| !url.is_empty())
        };
        Ok(apps.iter().any(|app| is_ours(app) && !is_overridden(app)))
    }

    /// `POST /{phone}/register`. Meta counts ten of these per number in 72 hours, whatever their outcome.
    async fn register(
        &self,
        token: &AccessToken,
        phone_number_id: &str,
        pin: &Pin,
    ) -> Result<(), OnboardError> {
        if !is_decimal(phone_number_id) {
            return Err(refused(OnboardProblem::NoNumber, "this is not a phone number id of Meta"));
        }
        let pin = pin.expose_secret();
        let body = json!({"messaging_product": "whatsapp", "pin": pin}).to_string();
        let secrets = self.graph.secrets([token.expose_secret(), pin]);
        let request = self.graph.post(&format!("{phone_number_id}/register"), token, Some(body));
        let answer = self.ask("register", Step::Register, request, &secrets).await?;
        succeeded(&answer)
    }
}

/// A WABA's id comes from a browser and goes into a path: only digits do.
fn waba(id: &str) -> Result<&str, OnboardError> {
    if is_decimal(id) {
        Ok(id)
    } else {
        Err(refused(OnboardProblem::WabaNotGranted, "this is not the id of a WhatsApp business account"))
    }
}

/// Meta says it as a truth value, and in one place as a text.
fn succeeded(answer: &Value) -> Result<(), OnboardError> {
    match answer.get("success") {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::String(word)) if word == "true" => Ok(()),
        _ => Err(unexpected("the provider did not say that it succeeded")),
    }
}

/// What `debug_token` says of a token, if it is valid, ours, and allows enough.
fn grant(data: &Value, app_id: &str, secrets: &Secrets) -> Result<Grant, OnboardError> {
    if data.get("is_valid").and_then(Value::as_bool) != Some(true) {
        let why = data.pointer("/error/message").and_then(Value::as_str).unwrap_or("the token is not valid");
        let mut error = refused(OnboardProblem::TokenInvalid, secrets.clean(why));
        error.error.code = data.pointer("/error/code").and_then(Value::as_i64);
        error.error.subcode = data.pointer("/error/subcode").and_then(Value::as_i64);
        return Err(error);
    }
    if data.get("app_id").and_then(text_of).as_deref() != Some(app_id) {
        return Err(refused(OnboardProblem::TokenInvalid, "the token belongs to another app"));
    }
    let granular = list(data, "granular_scopes");
    let named = list(data, "scopes").iter().filter_map(Value::as_str);
    let scopes: BTreeSet<_> =
        named.chain(granular.iter().filter_map(|scope| scope.get("scope")?.as_str())).collect();
    if let Some(missing) = NEEDED_SCOPES.into_iter().find(|needed| !scopes.contains(needed)) {
        return Err(refused(
            OnboardProblem::ScopeMissing,
            format!("the permission {missing} was not granted"),
        ));
    }
    // Absent where a permission is granted for everything.
    let waba_ids = NEEDED_SCOPES
        .into_iter()
        .find_map(|needed| {
            let scope =
                granular.iter().find(|scope| scope.get("scope").and_then(Value::as_str) == Some(needed))?;
            let ids: Vec<_> = list(scope, "target_ids").iter().filter_map(text_of).collect();
            (!ids.is_empty()).then_some(ids)
        })
        .unwrap_or_default();
    let expires = data.get("expires_at").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    Ok(Grant {
        expires_at: expires.map(Timestamp::from_seconds),
        scopes: scopes.into_iter().map(str::to_owned).collect(),
        waba_ids,
    })
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
