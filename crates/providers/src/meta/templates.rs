//! `GET /{waba}/message_templates`, all pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::contracts::provider::{ProviderError, Templates, TemplatesError};
use domain::template::Template;
use domain::{AccessToken, ExposeSecret as _};
use serde_json::Value;

use super::config::is_decimal;
use super::graph::Graph;
use super::numbers::next_cursor;
use super::quota::{Stage, Unanswered};
use crate::cloud_api::template::{FIELDS, listed};
use crate::cloud_api::{Class, class_of, error_of};
use crate::http::Answer;
use crate::redact::Secrets;

const PAGE: &str = "100";
/// Meta keeps 6000 templates of an account at most.
const MOST_PAGES: usize = 200;

#[derive(Debug)]
pub struct MetaTemplates {
    graph: Arc<Graph>,
}

impl MetaTemplates {
    pub(crate) fn new(graph: Arc<Graph>) -> Self {
        Self { graph }
    }
}

#[async_trait]
impl Templates for MetaTemplates {
    async fn list(&self, token: &AccessToken, waba_id: &str) -> Result<Vec<Template>, TemplatesError> {
        if !is_decimal(waba_id) {
            return Err(refused("this is not the id of a WhatsApp business account"));
        }
        let secrets = self.graph.secrets([token.expose_secret()]);
        let path = format!("{waba_id}/message_templates");
        // A template may move from one page to the next while they are read.
        let mut templates = BTreeMap::new();
        let mut cursors = Vec::new();
        loop {
            let mut query = vec![("fields", FIELDS), ("limit", PAGE)];
            query.extend(cursors.last().map(|after: &String| ("after", after.as_str())));
            let request = self.graph.get(&path, token, &query);
            let answer = self.graph.manage("templates", waba_id, Stage::Connected, request, &secrets).await;
            let page = read(&answer.map_err(unanswered)?, &secrets)?;
            let entries = page.get("data").and_then(Value::as_array);
            let entries = entries.ok_or_else(|| refused("the provider gave no list of templates"))?;
            templates.extend(entries.iter().filter_map(listed).map(|template| {
                let key = (template.name.clone(), template.language.clone());
                (key, template)
            }));
            match next_cursor(&page) {
                None => return Ok(templates.into_values().collect()),
                // A list that was cut short would make templates seem deleted.
                Some(after) if cursors.len() >= MOST_PAGES || cursors.contains(&after) => {
                    return Err(refused("the provider's list of templates does not end"));
                }
                Some(after) => cursors.push(after),
            }
        }
    }
}

fn refused(message: &str) -> TemplatesError {
    TemplatesError::Refused {
        error: ProviderError { message: message.to_owned(), ..ProviderError::default() },
    }
}

fn unanswered(why: Unanswered) -> TemplatesError {
    let retry_after = why.held_back();
    let error = why.error();
    if retry_after.is_some() {
        TemplatesError::Throttled { error, retry_after }
    } else {
        TemplatesError::Unavailable { error }
    }
}

#[expect(clippy::result_large_err, reason = "the contract's error, made once for each failed call")]
fn read(answer: &Answer, secrets: &Secrets) -> Result<Value, TemplatesError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok();
    match body {
        Some(body) if (200..300).contains(&answer.status) && body.get("error").is_none() => Ok(body),
        _ => Err(of_answer(answer, secrets)),
    }
}

fn of_answer(answer: &Answer, secrets: &Secrets) -> TemplatesError {
    let error = error_of(answer, secrets);
    let class = error.code.and_then(|code| class_of(code, error.subcode));
    match (class, answer.status) {
        (Some(Class::RateApp | Class::RateWaba | Class::RateNumber | Class::RatePair), _) | (_, 429) => {
            TemplatesError::Throttled { error, retry_after: answer.retry_after }
        }
        (Some(Class::Transient | Class::Tries(_)), _) | (_, 500..) => TemplatesError::Unavailable { error },
        (None, _) if error.code.is_none() => TemplatesError::Unavailable { error },
        _ => TemplatesError::Refused { error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: u16, body: &Value) -> TemplatesError {
        let answer = Answer { status, retry_after: None, api_version: None, body: body.to_string().into() };
        read(&answer, &Secrets::default()).unwrap_err()
    }

    #[test]
    fn a_list_that_is_not_given_says_whether_to_wait_to_ask_again_or_to_look() {
        let code = |code: i64| json!({"error": {"message": "m", "code": code}});
        for (status, body) in [(400, code(80_007)), (400, code(4)), (429, code(999)), (429, json!({}))] {
            assert!(matches!(of(status, &body), TemplatesError::Throttled { .. }), "{status} {body}");
        }
        for (status, body) in [(500, code(999)), (400, code(2)), (502, json!("x")), (400, json!({}))] {
            assert!(matches!(of(status, &body), TemplatesError::Unavailable { .. }), "{status} {body}");
        }
        for (status, body) in [(401, code(190)), (403, code(10)), (400, code(100)), (200, code(100))] {
            assert!(matches!(of(status, &body), TemplatesError::Refused { .. }), "{status} {body}");
        }
    }
}
