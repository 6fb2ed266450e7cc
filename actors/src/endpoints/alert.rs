//! The event that tells an owner that an endpoint is parked, gone, or back. The others of his endpoints hear it, and it
//! stands in the stream.

use domain::endpoint::EndpointHealth;
use domain::event::{EventType, NewEvent, update_id};
use domain::ids::EndpointId;
use serde_json::json;

use domain::contracts::store::Batch;

use crate::keychain::column;
use crate::services::Services;
use crate::stream::OpenedEvent;

/// What happened, in one word for the `field` of the alert.
const fn field(health: EndpointHealth) -> &'static str {
    match health {
        EndpointHealth::Taking | EndpointHealth::Failing { .. } => "endpoint_resumed",
        EndpointHealth::Parked { .. } => "endpoint_parked",
        EndpointHealth::Gone { .. } => "endpoint_gone",
    }
}

/// It is told to the business whose event showed it: an endpoint may be for all businesses of an account.
pub(super) async fn tell(
    services: &Services,
    endpoint: EndpointId,
    health: EndpointHealth,
    shown_by: &OpenedEvent,
) {
    let now = services.clock.now();
    let field = field(health);
    let data = json!({
        "field": field,
        "value": { "endpoint_id": endpoint, "state": health.as_str(), "since": health.since().unwrap_or(now) },
    });
    let key = format!("{field}:{endpoint}:{}", now.as_micros());
    let id = update_id(now, &shown_by.business.0.to_string(), &key);
    let text = data.to_string();
    let sealed =
        services.keychain.seal(shown_by.business, id.uuid(), column::EVENT_BODY, text.as_bytes()).await;
    let Ok(body) = sealed else {
        tracing::warn!(endpoint.id = %endpoint, "an alert about an endpoint could not be sealed");
        return;
    };
    let event = NewEvent {
        with_transition: false,
        id,
        event_type: EventType::AccountAlert,
        account: shown_by.account,
        business: shown_by.business,
        connection: None,
        message: None,
        status: None,
        occurred_at: now,
        body,
    };
    match services.writer.write(Batch { events: vec![event], ..Batch::default() }).await {
        Ok(_) => {
            services.news.send_replace(());
        }
        Err(error) => {
            tracing::warn!(endpoint.id = %endpoint, %error, "an alert about an endpoint could not be written");
        }
    }
}
