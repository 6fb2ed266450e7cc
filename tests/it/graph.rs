//! The Graph door as a Cloud API client meets it: only the base address and the token are others.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Answer;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

fn messages(demo: &Demo) -> String {
    format!("/v25.0/{}/messages", demo.ready.phone_number_id)
}

fn text(to: &str, body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": to,
        "type": "text", "text": { "body": body },
    })
}

#[track_caller]
fn error(answer: Answer, status: u16) -> Value {
    answer.expect(status)["error"].clone()
}

/// Our own id of what a client knows as a `wamid.`.
fn id_of(wamid: &str) -> String {
    domain::MessageId::from_wamid(wamid).expect("an id of ours").to_string()
}

#[actix_rt::test]
async fn a_message_is_sent_as_it_would_be_at_meta_and_its_statuses_carry_the_id_of_the_answer() {
    let demo = Demo::start().await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    api.post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    let answer = api.post(&messages(&demo), &text("255712345678", "Habari")).await;
    assert_eq!(answer.headers["facebook-api-version"], "v25.0");
    let answer = answer.expect(200);
    assert_eq!(answer["messaging_product"], "whatsapp");
    assert_eq!(answer["contacts"], json!([{ "input": "255712345678", "wa_id": "255712345678" }]));
    let wamid = answer["messages"][0]["id"].as_str().expect("an id");
    assert!(wamid.starts_with("wamid."), "{wamid}");

    api.message_reaches(&id_of(wamid), "read").await;
    eventually("three statuses", Duration::from_secs(20), || async {
        let statuses = endpoint.of_type("message.status");
        let ours = statuses.iter().filter(|status| status.body["data"]["status"]["id"] == wamid).count();
        if ours == 3 { Ok(()) } else { Err(format!("{ours} of 3")) }
    })
    .await;
    let sent = demo.sandbox().everything_sent().await;
    assert_eq!((sent.len(), sent[0]["body"]["to"].as_str()), (1, Some("+255712345678")));
}

#[actix_rt::test]
async fn whoever_waits_is_answered_when_meta_was_and_hears_its_own_words() {
    let demo = Demo::start().await;
    let (api, waits) = (demo.api(), format!("{}?wait=sent", messages(&demo)));
    let answer = api.post(&waits, &text("255712345678", "Habari")).await.expect(200);
    let id = id_of(answer["messages"][0]["id"].as_str().expect("an id"));
    let message = api.get(&format!("/v1/messages/{id}")).await.expect(200);
    assert!(["sent", "delivered", "read"].contains(&message["status"].as_str().unwrap()), "{message}");

    // Or as the key has it.
    let printed = demo.command(&["api-key", "new", "--account", "demo", "--wait", "sent"]).await;
    let key = printed.split_whitespace().find(|word| word.starts_with("gw_")).expect("the key is printed");
    let waiting = api.with_key(key);
    let rule = json!({ "match": { "path": "messages" }, "times": 2, "do": { "error": { "code": 131_026 } } });
    demo.sandbox().put("/control/faults", &json!({ "rules": [rule] })).await;
    let refused = error(waiting.post(&messages(&demo), &text("255712345679", "Habari")).await, 400);
    assert_eq!(refused["code"], 131_026);
    let refused = error(api.post(&waits, &text("255712345679", "Habari")).await, 400);
    assert_eq!((refused["code"].as_i64(), refused["type"].as_str()), (Some(131_026), Some("OAuthException")));
    assert!(refused["error_data"]["details"].as_str().is_some_and(|text| !text.is_empty()), "{refused}");
}

#[actix_rt::test]
async fn an_idempotency_key_sends_once_and_has_the_same_answer() {
    let demo = Demo::start().await;
    let api = demo.api();
    let keyed = async |path: &str, body: &Value| {
        let request = api.request(Method::POST, path).header("idempotency-key", "order-7").json(body);
        api.send(request).await.expect("an answer")
    };
    let (path, body) = (messages(&demo), text("255712345678", "Habari"));
    let first = keyed(&path, &body).await.expect(200);
    assert_eq!(keyed(&path, &body).await.expect(200), first);
    assert_eq!(keyed(&format!("{path}?wait=sent"), &body).await.expect(200), first);
    let conflict = error(keyed(&path, &text("255712345678", "Kwaheri")).await, 400);
    assert!(conflict["error_data"]["details"].as_str().unwrap().contains("Idempotency-Key"), "{conflict}");
    api.message_reaches(&id_of(first["messages"][0]["id"].as_str().unwrap()), "read").await;
    assert_eq!(demo.sandbox().everything_sent().await.len(), 1);
}

#[actix_rt::test]
async fn what_is_wrong_is_told_in_graphs_words_and_reaches_nobody() {
    let demo = Demo::start().await;
    let api = demo.api();
    let path = messages(&demo);
    let long = error(api.post(&path, &text("255712345678", &"x".repeat(4_097))).await, 400);
    assert_eq!((long["code"].as_i64(), long["type"].as_str()), (Some(100), Some("OAuthException")));
    assert_eq!(long["error_data"]["rules"], json!({ "text.body": ["too_long"] }));
    assert!(long["fbtrace_id"].as_str().is_some_and(|id| !id.is_empty()), "{long}");

    let broken = api.request(Method::POST, &path).header("content-type", "application/json").body("{\"to\":");
    assert_eq!(error(api.send(broken).await.unwrap(), 400)["code"], 100);
    let no_key = api.with_key("gw_wrong").post(&path, &text("255712345678", "x")).await;
    assert_eq!(error(no_key, 401)["code"], 190);
    let elsewhere = api.post("/v25.0/106540352242922/messages", &text("255712345678", "x")).await;
    let elsewhere = error(elsewhere, 400);
    assert_eq!((elsewhere["code"].as_i64(), elsewhere["error_subcode"].as_i64()), (Some(100), Some(33)));
    for old in ["v18.0", "v99.0"] {
        let answer = api.post(&path.replace("v25.0", old), &text("255712345678", "x")).await;
        assert!(error(answer, 400)["error_data"]["details"].as_str().unwrap().contains("v19.0"), "{old}");
    }
    assert_eq!(error(api.get(&path).await, 400)["error_subcode"], 33);
    assert_eq!(error(api.get("/v25.0/nothing/here").await, 400)["code"], 100);
    assert!(demo.sandbox().everything_sent().await.is_empty());
}

#[actix_rt::test]
async fn a_customers_message_is_marked_as_read_and_one_of_ours_cannot_be() {
    let demo = Demo::start().await;
    let (api, path) = (demo.api(), messages(&demo));
    let written = json!({
        "phone_number_id": demo.ready.phone_number_id, "from": "255754000111",
        "message": { "type": "text", "text": { "body": "Habari" } },
    });
    let wamid = demo.sandbox().post("/control/inbound", &written).await.expect(200)["id"].clone();
    let mark = json!({
        "messaging_product": "whatsapp", "status": "read", "message_id": wamid,
        "typing_indicator": { "type": "text" },
    });
    assert_eq!(api.post(&path, &mark).await.expect(200), json!({ "success": true }));
    let sent = demo.sandbox().everything_sent().await;
    assert_eq!(sent[0]["body"], mark);

    let ours = api.post(&path, &text("255754000111", "Karibu")).await.expect(200);
    let ours = ours["messages"][0]["id"].clone();
    let refused = error(api.post(&path, &json!({ "status": "read", "message_id": ours })).await, 400);
    assert_eq!(refused["error_data"]["rules"], json!({ "message_id": ["invalid"] }));

    // The same at the other door.
    let native = format!("/v1/connections/{}/read-marks", demo.ready.connection_id);
    api.post(&native, &json!({ "message_id": wamid, "typing": true })).await.expect(204);
    let marks = demo.sandbox().everything_sent().await;
    assert_eq!(marks.iter().filter(|post| post["body"] == mark).count(), 2);
    let refused = api.post(&native, &json!({ "message_id": ours })).await.expect(422);
    assert_eq!(refused["rules"], json!({ "message_id": ["invalid"] }));
}

#[actix_rt::test]
async fn a_type_that_is_not_known_here_goes_to_meta_where_the_caller_wants_that() {
    let demo = Demo::start().await;
    let (api, path) = (demo.api(), messages(&demo));
    let new = json!({ "to": "255754000111", "type": "hologram", "hologram": { "size": 3 } });
    let refused = error(api.post(&path, &new).await, 400);
    assert!(refused["error_data"]["rules"]["type"][0].is_string(), "{refused}");
    api.post(&format!("{path}?allow_unknown=true"), &new).await.expect(200);
    let native = json!({ "connection_id": demo.ready.connection_id, "message": new });
    api.post("/v1/messages", &native).await.expect(422);
    let mut allowed = native.clone();
    allowed["allow_unknown"] = true.into();
    api.post("/v1/messages", &allowed).await.expect(202);
    eventually("both are posted", Duration::from_secs(20), || async {
        let sent = demo.sandbox().everything_sent().await;
        let whole = sent.iter().filter(|post| post["body"]["hologram"] == new["hologram"]).count();
        if whole == 2 { Ok(()) } else { Err(format!("{sent:?}")) }
    })
    .await;
}

#[actix_rt::test]
async fn a_reply_names_another_message_by_our_id_here_and_by_metas_there() {
    let demo = Demo::start().await;
    let (api, endpoint, path) = (demo.api(), Endpoint::start(), messages(&demo));
    api.post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    let first = api.post(&path, &text("255754000111", "Bei ni 5,000")).await.expect(200);
    let first = first["messages"][0]["id"].as_str().unwrap().to_owned();
    let mut reply = text("255754000111", "Na usafiri");
    reply["context"] = json!({ "message_id": first });
    let reply = api.post(&path, &reply).await.expect(200);
    api.message_reaches(&id_of(reply["messages"][0]["id"].as_str().unwrap()), "read").await;
    let sent = demo.sandbox().everything_sent().await;
    let (theirs, quoted) = (&sent[0]["id"], &sent[1]["body"]["context"]["message_id"]);
    assert_eq!(quoted, theirs, "{sent:?}");
    assert_ne!(quoted, first.as_str());

    // The customer answers it.
    let written = json!({
        "phone_number_id": demo.ready.phone_number_id, "from": "255754000111",
        "message": { "type": "text", "text": { "body": "Sawa" }, "context": { "id": theirs, "from": "1" } },
    });
    demo.sandbox().post("/control/inbound", &written).await.expect(200);
    let told = eventually("the answer arrives", Duration::from_secs(20), || async {
        endpoint.of_type("message.received").pop().ok_or_else(|| "nothing yet".to_owned())
    })
    .await;
    assert_eq!(told.body["data"]["message"]["context"]["id"], first.as_str());

    let mut unknown = text("255754000111", "x");
    unknown["context"] = json!({ "message_id": "msg_00000000000070008000000000000001" });
    let unknown = error(api.post(&path, &unknown).await, 400);
    assert_eq!(unknown["error_data"]["rules"], json!({ "context.message_id": ["unknown_message"] }));
}
