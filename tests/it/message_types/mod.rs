//! Every type of message of Meta's reference, right and wrong in every way we know, through both doors: what is right
//! reaches the platform as the caller wrote it, what is wrong is refused by the same rule of the same field.

#![expect(clippy::needless_pass_by_value, reason = "pieces of messages are put together, as values")]

mod commerce;
mod interactive;
mod plain;
mod table;
mod templates;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::MessageId;
use domain::message::Echo;
use serde_json::{Map, Value, json};

use crate::support::api::{Answer, Api};
use crate::support::demo::Demo;
use crate::support::eventually;
use table::{Refused, Type};

/// Few enough that one person never has more than a quick burst, and that the day's limit on new people is far.
const PEOPLE: usize = 60;

fn every_type() -> Vec<Type> {
    let mut types = plain::types();
    types.extend(interactive::types());
    types.extend(commerce::types());
    types.extend(templates::types());
    types
}

#[derive(Debug, Clone, Copy)]
enum Door {
    Ours,
    Graph,
}

const DOORS: [Door; 2] = [Door::Ours, Door::Graph];

impl Door {
    async fn post(self, demo: &Demo, api: &Api, mut message: Value, to: &str) -> Answer {
        let members = message.as_object_mut().expect("an object");
        members.entry("to").or_insert_with(|| to.into());
        match self {
            Self::Ours => {
                let body = json!({"connection_id": demo.ready.connection_id, "message": message});
                api.post("/v1/messages", &body).await
            }
            Self::Graph => {
                members.insert("messaging_product".to_owned(), "whatsapp".into());
                api.post(&format!("/v25.0/{}/messages?priority=high", demo.ready.phone_number_id), &message)
                    .await
            }
        }
    }

    /// The id that an accepted message got.
    fn id_in(self, answer: &Answer) -> Option<MessageId> {
        match (self, answer.status.as_u16()) {
            (Self::Ours, 202) => answer.json()["id"].as_str()?.parse().ok(),
            (Self::Graph, 200) => MessageId::from_wamid(answer.json()["messages"][0]["id"].as_str()?),
            _ => None,
        }
    }

    /// The rules that were broken, by the field as it is called in the message.
    fn rules_in(self, answer: &Answer) -> Option<BTreeMap<String, Value>> {
        let told = answer.json();
        let (rules, prefix) = match (self, answer.status.as_u16()) {
            (Self::Ours, 422) => (told["rules"].clone(), "message."),
            (Self::Graph, 400) if told["error"]["code"] == 100 => {
                (told["error"]["error_data"]["rules"].clone(), "")
            }
            _ => return None,
        };
        let rules = rules.as_object()?.iter();
        rules.map(|(field, rules)| Some((field.strip_prefix(prefix)?.to_owned(), rules.clone()))).collect()
    }
}

fn person(number: usize) -> String {
    format!("+2557120{:05}", number % PEOPLE)
}

/// What the caller wrote, without what is written for each door anew.
fn content(mut message: Map<String, Value>) -> Map<String, Value> {
    for name in ["messaging_product", "biz_opaque_callback_data", "to", "recipient"] {
        message.remove(name);
    }
    message
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

#[track_caller]
fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaint(s)\n{}", complaints.len(), complaints.join("\n"));
}

/// The account has these templates, and the gateway knows them.
async fn has_templates(demo: &Demo, templates: &[Value]) {
    let path = format!("/control/templates/{}", demo.waba_id().await);
    demo.sandbox().put(&path, &json!({"templates": templates})).await.expect(200);
    let path = format!("/v1/connections/{}/templates?limit=200", demo.ready.connection_id);
    eventually("the templates are known", Duration::from_secs(40), || async {
        let known = demo.api().get(&path).await.expect(200)["data"].as_array().map_or(0, Vec::len);
        if known == templates.len() { Ok(()) } else { Err(format!("{known} of {}", templates.len())) }
    })
    .await;
}

#[actix_rt::test]
async fn what_is_right_reaches_the_platform_as_it_was_written_whichever_door_it_came_through() {
    let demo = Demo::start().await;
    has_templates(&demo, &templates::of_the_account()).await;
    let api = demo.api();
    let (mut written, mut complaints) = (HashMap::new(), Vec::new());
    for message in every_type().iter().flat_map(Type::accepted) {
        for door in DOORS {
            let answer = door.post(&demo, &api, message.clone(), &person(written.len())).await;
            match door.id_in(&answer) {
                Some(id) => drop(written.insert(id, message.clone())),
                None => complaints.push(format!("{door:?} {}: {}", answer.text, shortened(&message))),
            }
        }
    }
    expect_none(&complaints);
    let sent = eventually("everything is sent", Duration::from_mins(1), || async {
        let sent = demo.sandbox().everything_sent().await;
        if sent.len() >= written.len() {
            Ok(sent)
        } else {
            Err(format!("{} of {}", sent.len(), written.len()))
        }
    })
    .await;
    for sent in sent {
        let echo =
            sent["body"]["biz_opaque_callback_data"].as_str().and_then(|text| text.parse::<Echo>().ok());
        let asked = echo.and_then(|echo| written.remove(&echo.message)).expect("something that we sent once");
        let arrived = content(sent["body"].as_object().expect("an object").clone());
        if sent["outcome"] != "accepted" || arrived != content(asked.as_object().expect("an object").clone())
        {
            complaints.push(format!("{} {}", shortened(&sent), shortened(&asked)));
        }
    }
    expect_none(&complaints);
    assert!(written.is_empty());
}

#[actix_rt::test]
async fn what_is_wrong_breaks_the_same_rule_of_the_same_field_at_both_doors_and_reaches_nobody() {
    let demo = Demo::start().await;
    let api = demo.api();
    let mut complaints = Vec::new();
    for Refused { message, field, rule } in every_type().iter().flat_map(Type::refused) {
        let expected = Some(BTreeMap::from([(field.clone(), json!([rule]))]));
        for door in DOORS {
            let answer = door.post(&demo, &api, message.clone(), &person(0)).await;
            if door.rules_in(&answer) != expected {
                let (told, asked) = (shortened(&answer.json()), shortened(&message));
                complaints.push(format!("{door:?} {field} {rule}: {} {told} to {asked}", answer.status));
            }
        }
    }
    expect_none(&complaints);
    assert_eq!(demo.sandbox().everything_sent().await, Vec::<Value>::new());
}
