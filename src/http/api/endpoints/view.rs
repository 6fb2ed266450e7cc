//! An endpoint as the API shows it.

use std::fmt;

use domain::Timestamp;
use domain::endpoint::Endpoint;
use domain::ids::EndpointId;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub struct EndpointView<'a> {
    #[schema(value_type = String)]
    id: EndpointId,
    url: String,
    /// What deliveries are signed with; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    business_id: Option<String>,
    events: Vec<&'static str>,
    format: &'static str,
    enabled: bool,
    /// Events about one contact go one after the other.
    ordered: bool,
    /// `active`; `failing`: asked from time to time, with one event each; `parked`: it failed for a day and is asked
    /// once an hour; `gone`: it answered 410 and is asked no more until it is resumed. Events wait meanwhile.
    #[schema(example = "active")]
    state: &'static str,
    /// Since when it is not active.
    #[schema(value_type = Option<String>, format = DateTime)]
    state_since: Option<Timestamp>,
    /// Until when deliveries in format `standard` are also signed with the secret before the last rotation.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl fmt::Debug for EndpointView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointView({})", self.id)
    }
}

impl<'a> EndpointView<'a> {
    pub fn new(endpoint: &Endpoint, secret: Option<&'a str>, now: Timestamp) -> Self {
        let previous = endpoint.previous_secret.as_ref();
        Self {
            id: endpoint.id,
            url: endpoint.url.to_string(),
            secret,
            business_id: endpoint.business.as_ref().map(|(_, reference)| reference.to_string()),
            events: endpoint.events.iter().map(|event| event.as_str()).collect(),
            format: endpoint.format.as_str(),
            enabled: endpoint.enabled,
            ordered: endpoint.ordered,
            state: endpoint.health.as_str(),
            state_since: endpoint.health.since(),
            previous_secret_until: previous.map(|previous| previous.until).filter(|until| *until > now),
            created_at: endpoint.created_at,
        }
    }
}
