//! Calls of Graph that are passed on for a caller. What comes back is Graph's own answer, without our token in it.

use std::sync::Arc;

use async_trait::async_trait;
use domain::contracts::pass_through::{PassThrough, PassThroughError, PassedAnswer, PassedCall, Verb};
use domain::contracts::provider::ProviderError;
use domain::{AccessToken, ExposeSecret as _};
use serde_json::Value;
use url::form_urlencoded;

use super::graph::Graph;
use super::quota::{Stage, Unanswered};
use crate::http::Answer;
use crate::redact::Secrets;

const OPERATION: &str = "pass_through";
/// Who is asked is for us to say: neither of these is passed on, or given back.
const OURS: [&str; 2] = ["access_token", "appsecret_proof"];

#[derive(Debug)]
pub struct MetaPassThrough {
    graph: Arc<Graph>,
}

impl MetaPassThrough {
    pub(crate) const fn new(graph: Arc<Graph>) -> Self {
        Self { graph }
    }
}

#[async_trait]
impl PassThrough for MetaPassThrough {
    async fn call(&self, token: &AccessToken, call: PassedCall) -> Result<PassedAnswer, PassThroughError> {
        let secrets = self.graph.secrets([token.expose_secret()]);
        let query: Vec<(&str, &str)> = call
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !OURS.contains(name))
            .collect();
        let request = match call.verb {
            Verb::Get => self.graph.get(&call.path, token, &query),
            Verb::Post => self.graph.post(&call.path, token, call.json).query(&query),
            Verb::Delete => self.graph.delete(&call.path, token, call.json).query(&query),
        };
        let answer = match &call.waba_id {
            Some(waba) => self.graph.manage(OPERATION, waba, Stage::Connected, request, &secrets).await,
            None => self.graph.send(request, &secrets).await.map_err(Unanswered::Failed),
        };
        given_back(&answer.map_err(unanswered)?, &call.path, &secrets)
    }
}

fn unanswered(why: Unanswered) -> PassThroughError {
    match why.held_back() {
        Some(retry_after) => PassThroughError::HeldBack { error: why.error(), retry_after },
        None => PassThroughError::Unanswered { error: why.error() },
    }
}

#[expect(clippy::result_large_err, reason = "the contract's error, made once for each failed call")]
fn given_back(answer: &Answer, path: &str, secrets: &Secrets) -> Result<PassedAnswer, PassThroughError> {
    let mut body = serde_json::from_slice::<Value>(&answer.body).map_err(|_| not_graphs(answer.status))?;
    for link in ["/paging/next", "/paging/previous"] {
        if let Some(link) = body.pointer_mut(link) {
            *link = link.as_str().map_or(Value::Null, |address| relative(address, path).into());
        }
    }
    clean(&mut body, secrets);
    Ok(PassedAnswer { status: answer.status, retry_after: answer.retry_after, json: body.to_string() })
}

fn not_graphs(status: u16) -> PassThroughError {
    let message = format!("the answer with status {status} is not one of the Graph API");
    let error = ProviderError { message, http_status: Some(status), ..ProviderError::default() };
    PassThroughError::Unanswered { error }
}

/// The page that a link leads to, without host and without token: it may name another host and does carry a token.
fn relative(address: &str, path: &str) -> String {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let members = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !OURS.contains(&&**name));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
    format!("{path}?{query}")
}

/// Graph repeats tokens in some of its errors.
fn clean(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) if secrets.show_in(text) => *text = secrets.clean(text),
        Value::Array(list) => list.iter_mut().for_each(|value| clean(value, secrets)),
        Value::Object(members) => members.values_mut().for_each(|value| clean(value, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TOKEN: &str = "EAAtoken0123456789";

    #[expect(clippy::result_large_err, reason = "the contract's error")]
    fn back(status: u16, body: &str) -> Result<PassedAnswer, PassThroughError> {
        let answer = Answer { status, retry_after: None, api_version: None, body: body.to_owned().into() };
        given_back(&answer, "102/message_templates", &Secrets::of([TOKEN]))
    }

    #[test]
    fn a_link_to_the_next_page_keeps_its_place_and_loses_host_and_token() {
        let next = format!(
            "https://graph.facebook.com/v25.0/102/message_templates?access_token={TOKEN}&limit=2&after=QV%3D"
        );
        let body = json!({"data": [], "paging": {"cursors": {"after": "QV="}, "next": next}}).to_string();
        let answer: Value = serde_json::from_str(&back(200, &body).unwrap().json).unwrap();
        assert_eq!(answer["paging"]["next"], "102/message_templates?limit=2&after=QV%3D");
        assert_eq!(answer["paging"]["cursors"]["after"], "QV=");
    }

    #[test]
    fn a_token_that_graph_repeats_is_taken_out() {
        let body = json!({"error": {"message": format!("Malformed access token {TOKEN}"), "code": 190}});
        let answer = back(400, &body.to_string()).unwrap();
        assert_eq!(answer.status, 400);
        assert!(!answer.json.contains(TOKEN) && answer.json.contains("190"), "{}", answer.json);
    }

    #[test]
    fn long_texts_of_an_answer_are_not_cut() {
        let body = json!({"text": "x".repeat(5_000)}).to_string();
        assert_eq!(back(200, &body).unwrap().json, body);
    }

    #[test]
    fn what_graph_did_not_write_is_no_answer() {
        assert!(matches!(back(502, "<html>"), Err(PassThroughError::Unanswered { .. })));
        assert!(matches!(back(200, ""), Err(PassThroughError::Unanswered { .. })));
    }
}
