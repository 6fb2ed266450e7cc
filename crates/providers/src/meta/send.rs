//! `POST /{version}/{phone_number_id}/messages`. Source: Cloud API, messages.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ExposeSecret as _;
use domain::contracts::provider::{Send, SendError, SendReceipt, SendRequest};

use super::config::is_decimal;
use super::graph::Graph;
use crate::cloud_api::send::{body, outcome, unsendable};

#[derive(Debug)]
pub struct MetaSend {
    graph: Arc<Graph>,
}

impl MetaSend {
    pub(crate) fn new(graph: Arc<Graph>) -> Self {
        Self { graph }
    }
}

#[async_trait]
impl Send for MetaSend {
    async fn send(&self, request: SendRequest<'_>) -> Result<SendReceipt, SendError> {
        if !is_decimal(request.graph_id) {
            return Err(unsendable("the number has no phone number id of Meta"));
        }
        let Some(body) = body(request.message, request.echo) else {
            return Err(unsendable("the message is not a JSON object"));
        };
        let secrets = self.graph.secrets([request.token.expose_secret()]);
        let path = format!("{}/messages", request.graph_id);
        let call = self.graph.post(&path, request.token, Some(body));
        outcome(self.graph.send(call, &secrets).await, &secrets)
    }
}
