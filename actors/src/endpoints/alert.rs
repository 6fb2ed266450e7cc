//! The event that tells an owner that an endpoint is parked, gone, or back, or missed something. The others of his
//! endpoints hear it, and it stands in the stream.

use domain::contracts::store::{Batch, DeliveryProgress, Page};
use domain::endpoint::{Endpoint, EndpointHealth};
use domain::event::{EventType, NewEvent, update_id};
use domain::ids::{AccountKey, BusinessKey, EndpointId};
use serde_json::json;

use super::missed::Gap;
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
    let since = health.since().unwrap_or_else(|| services.clock.now());
    let value = json!({ "endpoint_id": endpoint, "state": health.as_str(), "since": since });
    let told = (shown_by.account, shown_by.business);
    let events = alert(services, endpoint, told, field(health), &value).await.into_iter().collect();
    write(services, endpoint, Batch { events, ..Batch::default() }).await;
}

/// `seen_by`: the business of the first event behind the gap. What was in the gap nobody knows any more, so all that can
/// be said is that it happened before `kept_from`, and since when the endpoint took nothing, where that was seen. False
/// when it could not be written.
pub(super) async fn tell_missed(
    services: &Services,
    endpoint: &Endpoint,
    gap: Gap,
    seen_by: Option<BusinessKey>,
) -> bool {
    let (oldest, kept_from) = gap.oldest;
    let value = json!({
        "endpoint_id": endpoint.id,
        "state": endpoint.health.as_str(),
        "since": gap.since,
        "kept_from": kept_from,
    });
    let told = if gap.worth_an_alert { to_tell(services, endpoint, seen_by).await } else { None };
    let event = match told {
        Some(business) => {
            let told = (endpoint.account, business);
            alert(services, endpoint.id, told, "endpoint_missed_events", &value).await
        }
        None => None,
    };
    let progress = vec![DeliveryProgress { endpoint: endpoint.id, cursor: oldest - 1 }];
    write(services, endpoint.id, Batch { events: event.into_iter().collect(), progress, ..Batch::default() })
        .await
}

/// Its own business, or one of those that it is for.
async fn to_tell(
    services: &Services,
    endpoint: &Endpoint,
    seen_by: Option<BusinessKey>,
) -> Option<BusinessKey> {
    let own = endpoint.business.as_ref().map(|(key, _)| *key);
    if let Some(known) = own.or(seen_by) {
        return Some(known);
    }
    let first = services.store.businesses(endpoint.account, Page { after: None, limit: 1 }).await;
    first.ok()?.first().map(|business| business.key)
}

async fn alert(
    services: &Services,
    endpoint: EndpointId,
    (account, business): (AccountKey, BusinessKey),
    field: &str,
    value: &serde_json::Value,
) -> Option<NewEvent> {
    let now = services.clock.now();
    let text = json!({ "field": field, "value": value }).to_string();
    let key = format!("{field}:{endpoint}:{}", now.as_micros());
    let id = update_id(now, &business.0.to_string(), &key);
    let sealed = services.keychain.seal(business, id.uuid(), column::EVENT_BODY, text.as_bytes()).await;
    let Ok(body) = sealed else {
        tracing::warn!(endpoint.id = %endpoint, "an alert about an endpoint could not be sealed");
        return None;
    };
    Some(NewEvent {
        with_transition: false,
        id,
        event_type: EventType::AccountAlert,
        account,
        business,
        connection: None,
        message: None,
        status: None,
        occurred_at: now,
        body,
    })
}

async fn write(services: &Services, endpoint: EndpointId, batch: Batch) -> bool {
    let tells = !batch.events.is_empty();
    match services.writer.write(batch).await {
        Ok(_) => {
            if tells {
                services.news.send_replace(());
            }
            true
        }
        Err(error) => {
            tracing::warn!(endpoint.id = %endpoint, %error, "an alert about an endpoint could not be written");
            false
        }
    }
}
