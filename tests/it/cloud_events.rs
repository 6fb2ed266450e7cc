//! An endpoint that wants events as Meta sends them: a receiver of Meta's webhooks works unchanged.

use std::time::Duration;

use domain::Clock as _;
use domain::ids::MessageId;
use gateway_actors::SystemClock;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::api::{Answer, text_message};
use crate::support::demo::Demo;
use crate::support::eventually;
use crate::support::receiver::{Post, Receiver, Reply};

const PATIENCE: Duration = Duration::from_secs(30);
/// Failed deliveries are soon tried again.
const SOON: [(&str, &str); 1] = [("GATEWAY__ACTORS__DELIVERIES__RETRY_S", "1")];

fn as_meta(receiver: &Receiver) -> Value {
    json!({ "url": receiver.url, "format": "cloud_api", "verify_token": Receiver::TOKEN })
}

async fn register(demo: &Demo, endpoint: &Value) -> Answer {
    demo.api().post("/v1/endpoints", endpoint).await
}

async fn change(demo: &Demo, id: &Value, change: &Value) -> Answer {
    let path = format!("/v1/endpoints/{}", id.as_str().expect("an id"));
    demo.api().call(Method::PATCH, &path, Some(change)).await
}

async fn endpoints(demo: &Demo) -> Vec<Value> {
    let listed = demo.api().get("/v1/endpoints").await.expect(200);
    listed["data"].as_array().expect("a list").clone()
}

/// A field of the platform tells this.
async fn field(demo: &Demo, field: &str, value: Value) {
    let change = json!({ "waba_id": demo.waba_id().await, "field": field, "value": value,
        "phone_number_id": demo.ready.phone_number_id });
    demo.sandbox().post("/control/change", &change).await.expect(200);
}

async fn writes(demo: &Demo, text: &str) -> Value {
    let written = json!({
        "phone_number_id": demo.ready.phone_number_id,
        "from": "255754000111",
        "profile_name": "Asha",
        "message": { "type": "text", "text": { "body": text } },
    });
    demo.sandbox().post("/control/inbound", &written).await.expect(200)["id"].clone()
}

/// What is told in the envelope, when it is of this field.
fn told<'a>(post: &'a Post, field: &str) -> Option<&'a Value> {
    let change = &post.body["entry"][0]["changes"][0];
    (change["field"] == field).then_some(&change["value"])
}

fn of_field(receiver: &Receiver, field: &str) -> Vec<Value> {
    receiver.posts().iter().filter_map(|post| told(post, field).cloned()).collect()
}

async fn hears(receiver: &Receiver, what: &str, tells: impl Fn(&Post) -> bool) -> Post {
    eventually(what, PATIENCE, || async {
        let posts = receiver.posts();
        posts.iter().find(|post| tells(post)).cloned().ok_or_else(|| format!("{posts:?}"))
    })
    .await
}

fn text_of(post: &Post) -> &str {
    told(post, "messages").and_then(|value| value["messages"][0]["text"]["body"].as_str()).unwrap_or_default()
}

/// Byte for byte, as a library that knows Meta's webhooks would check it.
fn is_signed_with(post: &Post, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(&post.raw);
    post.hub_signature == format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[actix_rt::test]
async fn what_comes_in_arrives_as_meta_sends_it_and_signed_as_meta_signs() {
    let demo = Demo::start().await;
    let receiver = Receiver::start(|_| 200.into());
    let mut wanted = as_meta(&receiver);
    wanted["url"] = json!(format!("{}?tenant=7", receiver.url));
    let made = register(&demo, &wanted).await.expect(201);
    assert_eq!((&made["format"], made.get("verify_token")), (&json!("cloud_api"), None), "{made}");
    let asked = receiver.was_asked().pop().expect("it was asked before");
    assert_eq!((&*asked["tenant"], &*asked["hub.mode"]), ("7", "subscribe"), "{asked:?}");

    let id = writes(&demo, "Habari").await;
    let post = hears(&receiver, "the message", |post| text_of(post) == "Habari").await;
    assert!(is_signed_with(&post, made["secret"].as_str().unwrap()), "{}", post.hub_signature);
    assert!(post.id.starts_with("evt_") && post.signatures.is_empty(), "{post:?}");
    assert_eq!(post.body["object"], "whatsapp_business_account");
    assert_eq!(post.body["entry"][0]["id"], demo.waba_id().await);
    assert!(post.body["entry"][0].get("time").is_none(), "{}", post.body);
    let value = told(&post, "messages").unwrap();
    assert_eq!(value["messaging_product"], "whatsapp");
    assert_eq!(value["metadata"]["phone_number_id"], demo.ready.phone_number_id.as_str());
    assert_eq!(value["contacts"][0]["profile"]["name"], "Asha");
    assert_eq!((&value["contacts"][0]["wa_id"], &value["messages"][0]["id"]), (&json!("255754000111"), &id));
    assert!(value.get("statuses").is_none(), "{value}");

    let rotate = format!("/v1/endpoints/{}/rotate-secret", made["id"].as_str().unwrap());
    let rotated = demo.api().post(&rotate, &json!({})).await.expect(200);
    writes(&demo, "Habari tena").await;
    let post = hears(&receiver, "the next message", |post| text_of(post) == "Habari tena").await;
    assert!(is_signed_with(&post, rotated["secret"].as_str().unwrap()), "the present secret, at once");
}

#[actix_rt::test]
async fn what_becomes_of_a_message_is_told_under_our_id_and_with_its_callers_own_data() {
    let demo = Demo::start().await;
    let receiver = Receiver::start(|_| 200.into());
    register(&demo, &as_meta(&receiver)).await.expect(201);
    let mut message = text_message(&demo.ready.business_id, "+255712345678", "Habari");
    message["message"]["biz_opaque_callback_data"] = json!("order \"7\"");
    let sent = demo.api().post("/v1/messages", &message).await.expect(202);
    let wamid = sent["id"].as_str().unwrap().parse::<MessageId>().unwrap().to_wamid();
    let is_about = |post: &Post, word: &str| {
        told(post, "messages").is_some_and(|value| value["statuses"][0]["status"] == word)
    };
    for word in ["sent", "delivered", "read"] {
        let post = hears(&receiver, word, |post| is_about(post, word)).await;
        let value = told(&post, "messages").unwrap();
        let status = &value["statuses"][0];
        assert_eq!(
            (&status["id"], &status["recipient_id"]),
            (&json!(wamid), &json!("255712345678")),
            "{value}"
        );
        assert_eq!(status["biz_opaque_callback_data"], "order \"7\"", "{value}");
        assert_eq!(value["metadata"]["phone_number_id"], demo.ready.phone_number_id.as_str());
    }

    // One that is never sent is told of too, in the only word of Meta's for it.
    let mut later = text_message(&demo.ready.business_id, "+255712345679", "Baadaye");
    later["send_at"] = json!(SystemClock.now().plus(Duration::from_hours(1)));
    let later = demo.api().post("/v1/messages", &later).await.expect(202);
    let cancel = format!("/v1/messages/{}/cancel", later["id"].as_str().unwrap());
    demo.api().post(&cancel, &json!({})).await.expect(200);
    let post = hears(&receiver, "that it is cancelled", |post| is_about(post, "failed")).await;
    let value = told(&post, "messages").unwrap();
    let (status, error) = (&value["statuses"][0], &value["statuses"][0]["errors"][0]);
    assert_eq!(status["id"], later["id"].as_str().unwrap().parse::<MessageId>().unwrap().to_wamid());
    assert_eq!(
        (&error["code"], &error["error_data"]["details"]),
        (&json!(131_000), &json!("cancelled")),
        "{value}"
    );
    assert_eq!(value["metadata"]["phone_number_id"], demo.ready.phone_number_id.as_str());
    assert!(value["metadata"]["display_phone_number"].as_str().unwrap().bytes().all(|b| b.is_ascii_digit()));
}

#[actix_rt::test]
async fn fields_of_the_platform_come_as_they_are_and_what_it_has_no_words_for_is_passed_over() {
    let demo = Demo::start().await;
    let (receiver, other) = (Receiver::start(|_| 200.into()), Receiver::start(|_| 200.into()));
    let made = register(&demo, &as_meta(&receiver)).await.expect(201);
    register(&demo, &json!({ "url": other.url })).await.expect(201);
    let phone = &demo.ready.phone_number_id;
    let echo = json!({ "from": "255700000001", "to": "255754000111", "id": "wamid.echo", "timestamp": SystemClock.now().as_seconds().to_string(),
        "type": "text", "text": { "body": "from the phone" } });
    let metadata = json!({ "display_phone_number": "255700000001", "phone_number_id": phone });
    let echoes = json!({ "messaging_product": "whatsapp", "metadata": metadata, "message_echoes": [echo] });
    field(&demo, "smb_message_echoes", echoes.clone()).await;
    let paused = json!({ "event": "PAUSED", "message_template_id": 12, "message_template_name": "order_ready",
        "message_template_language": "sw", "reason": null });
    field(&demo, "message_template_status_update", paused.clone()).await;
    let reviewed = json!({ "decision": "APPROVED" });
    field(&demo, "account_review_update", reviewed.clone()).await;
    let disconnect = format!("/v1/connections/{}/disconnect", demo.ready.connection_id);
    demo.api().post(&disconnect, &json!({})).await.expect(200);
    hears(&other, "what is only here", |post| post.body["type"] == "connection.status").await;

    for (field, value) in [
        ("smb_message_echoes", echoes),
        ("message_template_status_update", paused),
        ("account_review_update", reviewed),
    ] {
        let post = hears(&receiver, field, |post| told(post, field).is_some()).await;
        assert_eq!(told(&post, field), Some(&value));
        assert_eq!(post.body["entry"][0]["id"], demo.waba_id().await);
        assert_eq!(post.body["entry"][0]["time"].is_i64(), field != "smb_message_echoes", "{}", post.body);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard: Vec<_> = other.posts().iter().map(|post| post.body["type"].clone()).collect();
    assert!(heard.len() > receiver.posts().len(), "{heard:?}");
    assert!(receiver.posts().iter().all(|post| post.body["object"] == "whatsapp_business_account"));
    for state in ["retrying", "parked"] {
        let path = format!("/v1/deliveries?endpoint_id={}&state={state}", made["id"].as_str().unwrap());
        assert_eq!(demo.api().get(&path).await.expect(200)["data"], json!([]), "{state}");
    }
}

#[actix_rt::test]
async fn an_address_that_does_not_answer_as_for_meta_is_refused_and_nothing_is_stored() {
    let demo = Demo::start().await;
    let receiver = Receiver::start(|_| 200.into());
    let elsewhere = receiver.url.clone();
    let greetings: [(u16, &str, Option<String>); 5] = [
        (403, "403", None),
        (204, "204", None),
        (302, "302", Some(elsewhere)),
        (200, "something else than the challenge", None),
        (500, "500", None),
    ];
    for (status, said, location) in greetings {
        let reply = Reply { status, body: "12".into(), location, ..Reply::default() };
        receiver.greets(move |_| reply.clone());
        let refused = register(&demo, &as_meta(&receiver)).await.expect(422);
        let message = refused["errors"]["url"][0].as_str().unwrap_or_default();
        assert!(message.contains(said) && message.contains("hub.challenge"), "{refused}");
        assert!(!refused.to_string().contains(Receiver::TOKEN), "{refused}");
    }
    assert_eq!(receiver.was_asked().len(), 5, "no redirect is followed");
    let nobody = json!({ "url": "http://127.0.0.1:9/events", "format": "cloud_api", "verify_token": "x" });
    let refused = register(&demo, &nobody).await.expect(422);
    assert!(refused["errors"]["url"][0].as_str().unwrap().contains("connect"), "{refused}");

    let mut without = as_meta(&receiver);
    without.as_object_mut().unwrap().remove("verify_token");
    let refused = register(&demo, &without).await.expect(422);
    assert!(refused["errors"]["verify_token"].is_array(), "{refused}");
    let standard = json!({ "url": receiver.url, "verify_token": Receiver::TOKEN });
    let refused = register(&demo, &standard).await.expect(422);
    assert!(refused["errors"]["verify_token"].is_array(), "{refused}");
    assert_eq!(endpoints(&demo).await, [] as [Value; 0]);
    assert!(!demo.log().contains(Receiver::TOKEN));
}

#[actix_rt::test]
async fn a_change_of_address_or_format_asks_again() {
    let demo = Demo::start_with(&SOON).await;
    let (old, new) = (Receiver::start(|_| 500.into()), Receiver::start(|_| 200.into()));
    let made = register(&demo, &json!({ "url": old.url })).await.expect(201);
    let disconnect = format!("/v1/connections/{}/disconnect", demo.ready.connection_id);
    demo.api().post(&disconnect, &json!({})).await.expect(200);
    old.was_posted(1).await;

    let refused = change(&demo, &made["id"], &json!({ "format": "cloud_api" })).await.expect(422);
    assert!(refused["errors"]["verify_token"].is_array(), "{refused}");
    let switch = json!({ "format": "cloud_api", "url": new.url, "verify_token": "wrong" });
    let refused = change(&demo, &made["id"], &switch).await.expect(422);
    assert!(refused["errors"]["url"][0].as_str().unwrap().contains("403"), "{refused}");
    assert_eq!(endpoints(&demo).await[0]["format"], "standard", "nothing changed");

    let switch = json!({ "format": "cloud_api", "url": new.url, "verify_token": Receiver::TOKEN });
    assert_eq!(change(&demo, &made["id"], &switch).await.expect(200)["format"], "cloud_api");
    // What waited, and is only here, is over.
    let parked = format!("/v1/deliveries?endpoint_id={}&state=parked", made["id"].as_str().unwrap());
    eventually("what has no words is given up", PATIENCE, || async {
        let listed = demo.api().get(&parked).await.expect(200);
        if listed["data"][0]["last_error"] == "not_in_format" { Ok(()) } else { Err(listed.to_string()) }
    })
    .await;

    let same = json!({ "url": new.url, "ordered": true });
    change(&demo, &made["id"], &same).await.expect(200);
    assert_eq!(new.was_asked().len(), 2, "where it was asked already nothing is asked");
    let refused = change(&demo, &made["id"], &json!({ "url": old.url })).await.expect(422);
    assert!(refused["errors"]["verify_token"].is_array(), "{refused}");
    let back = json!({ "format": "standard", "url": old.url });
    assert_eq!(change(&demo, &made["id"], &back).await.expect(200)["format"], "standard");
}

#[actix_rt::test]
async fn what_was_not_taken_goes_again_in_the_order_of_its_person() {
    let demo = Demo::start_with(&SOON).await;
    let receiver = Receiver::start(|_| 503.into());
    let mut wanted = as_meta(&receiver);
    wanted["ordered"] = json!(true);
    wanted["events"] = json!(["message.received"]);
    register(&demo, &wanted).await.expect(201);
    for text in ["one", "two", "three"] {
        writes(&demo, text).await;
    }
    let first = receiver.was_posted(1).await.remove(0);
    receiver.answers(|_| 200.into());
    hears(&receiver, "the last of them", |post| text_of(post) == "three" && post.status == 200).await;
    let taken: Vec<_> = receiver.posts().into_iter().filter(|post| post.status == 200).collect();
    assert_eq!(taken.iter().map(text_of).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!((&taken[0].id, &taken[0].raw), (&first.id, &first.raw), "the same bytes under the same id");
    assert_eq!(of_field(&receiver, "messages").len(), receiver.posts().len());
}
