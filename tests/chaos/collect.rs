//! Reads what a run left behind, once it is over: the sandbox's logs and the gateway's tables, by HTTP.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::clock;
use crate::history::{Arrival, Event, EventKind, Mark, News, Row, Webhook};
use crate::support::api::Api;

/// The longest page of the gateway's lists.
const PAGE: usize = 200;
const AT_ONCE: usize = 8;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A connection that was opened in vain is answered with 408 after ten seconds, also when a question comes just then.
async fn read(api: &Api, path: &str) -> Value {
    loop {
        let answer = api.get(path).await;
        if answer.status != 408 {
            return answer.expect(200);
        }
    }
}

/// Every entry of a list that is read page by page. `path` may end with a query.
async fn all(api: &Api, path: &str, limit: usize) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = read(api, &format!("{path}{joint}limit={limit}{after}")).await;
        entries.extend(list(&page["data"]).cloned());
        after = match &page["next"] {
            Value::Null => return entries,
            Value::String(next) => format!("&after={next}"),
            next => format!("&after={next}"),
        };
    }
}

pub(crate) async fn arrivals(control: &Api) -> Vec<Arrival> {
    let entries = all(control, "/control/sent", 10_000).await;
    entries.iter().filter_map(arrival).collect()
}

/// Nothing for what is no message of a client, such as a mark that something was read.
fn arrival(entry: &Value) -> Option<Arrival> {
    let body = &entry["body"];
    let opaque = body["biz_opaque_callback_data"].as_str()?;
    let (message, attempt) = opaque.strip_prefix("v1.")?.rsplit_once('.')?;
    Some(Arrival {
        seq: entry["seq"].as_u64()?,
        at: clock::parse(entry["at"].as_str()?),
        host: text(&entry["host"]),
        tag: text(&body["text"]["body"]),
        message: message.to_owned(),
        attempt: attempt.parse().ok()?,
        taken_as: entry["id"].as_str().map(str::to_owned),
        refused: entry["outcome"] == "rejected",
    })
}

pub(crate) async fn webhooks(control: &Api) -> Vec<Webhook> {
    let posts = all(control, "/control/webhooks", 10_000).await;
    let webhook = |post: &Value| Webhook {
        ended_at: clock::parse(post["ended_at"].as_str().unwrap_or_default()),
        status: post["status"].as_u64().and_then(|status| u16::try_from(status).ok()),
        news: news(&post["body"]),
    };
    posts.iter().map(webhook).collect()
}

fn news(body: &Value) -> Vec<News> {
    let changes = list(&body["entry"]).flat_map(|entry| list(&entry["changes"]));
    let values = changes.filter(|change| change["field"] == "messages").map(|change| &change["value"]);
    values
        .flat_map(|value| {
            let messages = list(&value["messages"]).map(|message| News::Message { id: text(&message["id"]) });
            let statuses = list(&value["statuses"]).map(|status| News::Status {
                provider_id: text(&status["id"]),
                word: text(&status["status"]),
                message: status["biz_opaque_callback_data"].as_str().and_then(echoed),
            });
            messages.chain(statuses)
        })
        .collect()
}

fn echoed(opaque: &str) -> Option<String> {
    opaque.strip_prefix("v1.")?.rsplit_once('.').map(|(message, _)| message.to_owned())
}

/// Messages that are in none of the ways of ending.
pub(crate) async fn unsettled(api: &Api) -> Option<Vec<String>> {
    let mut unsettled = Vec::new();
    for status in ["accepted", "sending", "ambiguous", "retrying"] {
        let page = api.get(&format!("/v1/messages?status={status}&limit=5")).await;
        if page.status != 200 {
            return None;
        }
        unsettled.extend(list(&page.json()["data"]).map(|row| format!("{} {status}", text(&row["id"]))));
    }
    Some(unsettled)
}

/// Every message that the gateway knows, whether or not a client was told so.
pub(crate) async fn rows(api: &Api) -> HashMap<String, Row> {
    let ids = all(api, "/v1/messages", PAGE).await.into_iter().map(|row| text(&row["id"]));
    let reading = ids.map(|id| async move {
        let message = read(api, &format!("/v1/messages/{id}")).await;
        (id, row(&message))
    });
    stream::iter(reading).buffer_unordered(AT_ONCE).collect().await
}

fn row(message: &Value) -> Row {
    let mark = |line: &Value| Mark {
        at: clock::parse(line["at"].as_str().unwrap_or_default()),
        status: text(&line["status"]),
        attempt: line["attempt"].as_u64(),
        reason: line["reason"].as_str().map(str::to_owned),
    };
    Row { status: text(&message["status"]), timeline: list(&message["timeline"]).map(mark).collect() }
}

/// Oldest first: in the order of the stream.
pub(crate) async fn events(api: &Api) -> Vec<Event> {
    all(api, "/v1/events", PAGE).await.iter().map(event).collect()
}

/// Deliveries that the endpoint has not taken yet.
pub(crate) async fn undelivered(api: &Api, endpoint: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for state in ["retrying", "parked"] {
        let path = format!("/v1/deliveries?endpoint_id={endpoint}&state={state}");
        ids.extend(all(api, &path, PAGE).await.iter().map(|delivery| text(&delivery["id"])));
    }
    ids
}

fn event(entry: &Value) -> Event {
    let data = &entry["data"];
    let status = &data["status"];
    let kind = match entry["type"].as_str() {
        Some("message.received") => EventKind::Received { id: text(&data["message"]["id"]) },
        Some("message.status") => match data["message_id"].as_str() {
            Some(message) => EventKind::Status {
                message: message.to_owned(),
                word: text(&status["status"]),
                own: data["provider_message_id"].is_null(),
            },
            None => EventKind::Foreign { provider_id: text(&status["id"]), word: text(&status["status"]) },
        },
        _ => EventKind::Other,
    };
    Event { id: text(&entry["id"]), kind, business: text(&data["business_id"]), contact: contact(data) }
}

/// The connection, and the person on its other side: who wrote, or to whom the message went.
fn contact(data: &Value) -> Option<String> {
    let person = data["message"]["from"].as_str().or_else(|| data["status"]["recipient_id"].as_str())?;
    Some(format!("{} to {}", data["connection_id"].as_str()?, person.trim_start_matches('+')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_arrival_names_message_and_attempt() {
        let entry = json!({ "seq": 7, "at": "2026-09-21T14:13:20.5Z", "host": "127.0.0.1:1", "id": null,
            "outcome": "rejected",
            "body": { "biz_opaque_callback_data": "v1.msg_1.2", "text": { "body": "lane 1 number 2" } } });
        let arrival = arrival(&entry).unwrap();
        assert_eq!((arrival.message.as_str(), arrival.attempt), ("msg_1", 2));
        assert_eq!((arrival.taken_as, arrival.refused), (None, true));
        assert_eq!(arrival.at % 1_000_000, 500_000);
        assert!(super::arrival(&json!({ "seq": 1, "body": { "status": "read" } })).is_none());
    }

    #[test]
    fn a_webhook_tells_messages_and_statuses() {
        let body = json!({ "entry": [{ "changes": [{ "field": "messages", "value": {
            "messages": [{ "id": "wamid.in" }],
            "statuses": [{ "id": "wamid.1", "status": "read", "biz_opaque_callback_data": "v1.msg_1.1" }],
        } }] }] });
        let status = News::Status {
            provider_id: "wamid.1".to_owned(),
            word: "read".to_owned(),
            message: Some("msg_1".to_owned()),
        };
        assert_eq!(news(&body), [News::Message { id: "wamid.in".to_owned() }, status]);
    }

    #[test]
    fn an_event_says_who_decided() {
        let read =
            |data: Value| event(&json!({ "id": "evt_1", "type": "message.status", "data": data })).kind;
        let own = json!({ "message_id": "msg_1", "status": { "id": "wamid.o", "status": "expired" } });
        assert!(matches!(read(own), EventKind::Status { own: true, .. }));
        let foreign = json!({ "status": { "id": "wamid.x", "status": "sent" } });
        assert!(matches!(read(foreign), EventKind::Foreign { .. }));
    }

    #[test]
    fn what_a_person_writes_and_what_happens_to_what_they_are_sent_is_about_the_same_contact() {
        let wrote = json!({ "connection_id": "con_1", "message": { "from": "255712300001" } });
        let read = json!({ "connection_id": "con_1", "status": { "recipient_id": "255712300001" } });
        assert_eq!(contact(&wrote), Some("con_1 to 255712300001".to_owned()));
        assert_eq!(contact(&read), contact(&wrote));
        assert_eq!(contact(&json!({ "connection_id": "con_1", "status": "connected" })), None);
    }
}
