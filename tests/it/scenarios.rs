//! Acceptance scenarios of the application that uses the gateway, under their own names.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::clock::Clock as _;
use gateway_actors::SystemClock;
use serde_json::{Value, json};

use crate::support::api::{Api, text_message};
use crate::support::demo::Demo;
use crate::support::endpoint::{Delivery, Endpoint};
use crate::support::eventually;
use crate::support::owner::Owner;

const PATIENCE: Duration = Duration::from_secs(30);

/// A business of a country with a connected number: its number's id.
async fn connected(demo: &Demo, business: &str, country: &str) -> String {
    let api = demo.api();
    let new = json!({ "id": business, "name": business, "country": country });
    api.post("/v1/businesses", &new).await.expect(201);
    Owner::invited(demo, business).await.connects().await;
    eventually(&format!("{business} is connected"), PATIENCE, || async {
        let listed = api.get(&format!("/v1/connections?business_id={business}")).await.expect(200);
        let number = &listed["data"][0];
        match number["phone_number_id"].as_str().filter(|_| number["status"] == "connected") {
            Some(id) => Ok(id.to_owned()),
            None => Err(listed.to_string()),
        }
    })
    .await
}

/// What came of one way to write a number: the form it got, or the rule that it broke.
async fn written(api: &Api, business: &str, number: &str) -> (u16, Value) {
    let answer = api.post("/v1/messages", &text_message(business, number, "Habari")).await;
    (answer.status.as_u16(), answer.json())
}

#[actix_rt::test]
async fn a12_a_number_is_read_as_the_country_of_its_business_writes_it() {
    let demo = Demo::start().await;
    let api = demo.api();
    connected(&demo, "duka-tz", "TZ").await;
    connected(&demo, "duka-ke", "KE").await;
    let tanzanian = [
        "0712 345 678",
        "712345678",
        "+255712345678",
        "255712345678",
        "00255712345678",
        "+255 (0)712 345 678",
        "255712345678@c.us",
        "255712345678@s.whatsapp.net",
    ];
    for number in tanzanian {
        let (status, answer) = written(&api, "duka-tz", number).await;
        assert_eq!((status, &answer["to"]), (202, &json!("+255712345678")), "{number}: {answer}");
    }
    let (_, corrected) = written(&api, "duka-tz", "2550712345678").await;
    assert_eq!((&corrected["to"], &corrected["corrected"]), (&json!("+255712345678"), &json!(true)));
    for number in ["+254712345678", "254712345678", "+256712345678"] {
        let (_, answer) = written(&api, "duka-tz", number).await;
        let expected = format!("+{}", number.trim_start_matches('+'));
        assert_eq!((&answer["to"], answer.get("corrected")), (&json!(expected), None), "{number}");
    }
    let (_, landline) = written(&api, "duka-tz", "0222123456").await;
    assert_eq!((&landline["to"], &landline["not_mobile"]), (&json!("+255222123456"), &json!(true)));
    for number in ["255254712345678", "07123", "+2557123456789", "sabini"] {
        let (status, answer) = written(&api, "duka-tz", number).await;
        assert_eq!(status, 422, "{number}: {answer}");
        assert!(answer["rules"]["message.to"].is_array(), "{number}: {answer}");
    }
    let (_, kenyan) = written(&api, "duka-ke", "0712 345 678").await;
    assert_eq!(kenyan["to"], "+254712345678");
}

#[actix_rt::test]
async fn a15_a_menu_is_answered_by_a_tap_or_by_whatever_the_customer_writes() {
    let demo = Demo::start().await;
    let (api, endpoint) = (demo.api(), Endpoint::start());
    api.post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    let interactive = |content: Value| {
        let message = json!({ "to": "255754000111", "type": "interactive", "interactive": content });
        json!({ "business_id": demo.ready.business_id, "message": message })
    };
    let button = |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let buttons = |list: Vec<Value>| json!({ "type": "button", "body": { "text": "Chagua" }, "action": { "buttons": list } });
    let row = |n: usize| json!({ "id": format!("bidhaa-{n}"), "title": format!("Bidhaa {n}") });
    let list = |rows: usize| {
        let rows: Vec<_> = (1..=rows).map(row).collect();
        let action = json!({ "button": "Bidhaa", "sections": [{ "title": "Zote", "rows": rows }] });
        json!({ "type": "list", "body": { "text": "Tuna hizi" }, "action": action })
    };
    let three = vec![button("yes", "Ndiyo"), button("no", "Hapana"), button("later", "Baadaye")];
    api.post("/v1/messages", &interactive(buttons(three))).await.expect(202);
    api.post("/v1/messages", &interactive(list(10))).await.expect(202);
    for wrong in [list(11), buttons(vec![button("a", &"x".repeat(21))])] {
        let refused = api.post("/v1/messages", &interactive(wrong)).await.expect(422);
        assert!(!refused["rules"].as_object().unwrap().is_empty(), "{refused}");
    }
    let menus = eventually("both menus reach Meta", PATIENCE, || async {
        let sent = demo.sandbox().everything_sent().await;
        if sent.len() == 2 { Ok(sent) } else { Err(format!("{sent:?}")) }
    })
    .await;
    let answers = [
        json!({ "type": "interactive", "interactive": { "type": "button_reply", "button_reply": { "id": "yes", "title": "Ndiyo" } } }),
        json!({ "type": "interactive", "interactive": { "type": "list_reply", "list_reply": { "id": "bidhaa-2", "title": "Bidhaa 2" } } }),
        json!({ "type": "text", "text": { "body": "asdf" } }),
    ];
    for (answer, menu) in answers.iter().zip(menus.iter().map(Some).chain([None])) {
        let mut message = answer.clone();
        if let Some(menu) = menu {
            message["context"] = json!({ "from": "1", "id": menu["id"] });
        }
        let written = json!({ "phone_number_id": demo.ready.phone_number_id, "from": "255754000111", "message": message });
        demo.sandbox().post("/control/inbound", &written).await.expect(200);
    }
    let heard = eventually("three answers are heard", PATIENCE, || async {
        let heard = endpoint.of_type("message.received");
        if heard.len() == 3 { Ok(heard) } else { Err(heard.len().to_string()) }
    })
    .await;
    let message = |kind: &str| {
        let found = heard.iter().map(|delivery| &delivery.body["data"]["message"]);
        let kind = found
            .into_iter()
            .find(|message| message["type"] == kind || message["interactive"]["type"] == kind);
        kind.expect("it was heard").clone()
    };
    assert_eq!(message("button_reply")["interactive"]["button_reply"]["id"], "yes");
    assert_eq!(message("list_reply")["interactive"]["list_reply"]["id"], "bidhaa-2");
    assert_eq!(message("text")["text"]["body"], "asdf");
    // The menu that was answered is named by the id that the application knows.
    let sent = api.get("/v1/messages?limit=2").await.expect(200);
    let ids: Vec<_> =
        sent["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let answered = message("list_reply")["context"]["id"].as_str().unwrap().to_owned();
    let answered = domain::MessageId::from_wamid(&answered).expect("an id of ours").to_string();
    assert!(ids.contains(&answered.as_str()), "{answered} {ids:?}");
}

fn envelope(changes: &[(&str, Value)]) -> Value {
    let entries: Vec<_> = changes
        .iter()
        .map(|(waba, value)| json!({ "id": waba, "changes": [{ "field": "messages", "value": value }] }))
        .collect();
    json!({ "object": "whatsapp_business_account", "entry": entries })
}

/// What a webhook tells of one customer's message at a number.
fn message_at(number: &str, from: &str, id: &str) -> Value {
    let at = SystemClock.now().as_seconds().to_string();
    json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550783881", "phone_number_id": number },
        "contacts": [{ "profile": { "name": "Asha" }, "wa_id": from }],
        "messages": [{ "from": from, "id": id, "timestamp": at, "type": "text", "text": { "body": "Habari" } }],
    })
}

/// The webhook that the provider posts, and what it is answered.
async fn posted(demo: &Demo, body: &Value, signature: &str) -> u64 {
    let raw = json!({ "body": body, "signature": signature });
    demo.sandbox().post("/control/raw", &raw).await.expect(200)["status"].as_u64().unwrap()
}

/// News that found no place, as it is counted.
async fn quarantined(demo: &Demo) -> u64 {
    let metrics = demo.operations().get("/metrics").await.text;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("gateway_updates_total{") && line.contains("quarantined"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[actix_rt::test]
async fn a16_each_event_of_a_mixed_webhook_reaches_its_own_business_and_no_other() {
    let demo = Demo::start().await;
    let api = demo.api();
    let mut numbers = BTreeMap::new();
    let mut endpoints = BTreeMap::new();
    for business in ["duka-1", "duka-2", "duka-3", "duka-4", "duka-5"] {
        numbers.insert(business, connected(&demo, business, "TZ").await);
        let endpoint = Endpoint::start();
        let new = json!({ "url": endpoint.url, "business_id": business, "events": ["message.received"] });
        api.post("/v1/endpoints", &new).await.expect(201);
        endpoints.insert(business, endpoint);
    }
    let before = quarantined(&demo).await;
    let from = |business: &str| format!("25575400011{}", &business[5..]);
    let mut changes: Vec<_> = numbers
        .iter()
        .map(|(business, number)| ("1", message_at(number, &from(business), &format!("wamid.{business}"))))
        .collect();
    changes.insert(2, ("1", message_at("999000999000", "255754000119", "wamid.nobody")));
    changes.insert(1, ("1", json!({ "metadata": "broken" })));
    assert_eq!(posted(&demo, &envelope(&changes), "good").await, 200);
    let forged = envelope(&[("1", message_at(&numbers["duka-1"], "255754000118", "wamid.forged"))]);
    for signature in ["wrong", "none"] {
        assert_eq!(posted(&demo, &forged, signature).await, 401);
    }
    // As large as Meta sends them.
    let mut large = message_at(&numbers["duka-1"], &from("duka-1"), "wamid.large");
    large["messages"][0]["text"]["body"] = "x".repeat(3 << 20).into();
    assert_eq!(posted(&demo, &envelope(&[("1", large)]), "good").await, 200);

    for (business, endpoint) in &endpoints {
        let expected = if *business == "duka-1" { 2 } else { 1 };
        let heard = eventually(&format!("{business} hears its own"), PATIENCE, || async {
            let heard = endpoint.heard();
            if heard.len() == expected { Ok(heard) } else { Err(heard.len().to_string()) }
        })
        .await;
        for delivery in heard {
            assert_eq!(delivery.body["data"]["business_id"], *business);
            assert_eq!(delivery.body["data"]["message"]["from"], from(business).as_str());
        }
    }
    let events = api.get("/v1/events?limit=200").await.expect(200).to_string();
    assert!(!events.contains("wamid.forged") && !events.contains("wamid.nobody"), "set aside, not told");
    assert_eq!(quarantined(&demo).await - before, 2, "the one of nobody and the broken one are counted");
    let log = demo.log();
    assert!(!log.contains("255754000"), "nobody's number is in the log");
}

#[actix_rt::test]
async fn a17_whatever_arrives_twice_late_or_from_a_stranger_is_told_once_and_as_what_it_is() {
    let demo = Demo::start().await;
    let (api, endpoint, number) = (demo.api(), Endpoint::start(), demo.ready.phone_number_id.clone());
    let new = json!({ "url": endpoint.url, "ordered": true });
    api.post("/v1/endpoints", &new).await.expect(201);
    let waba = demo.waba_id().await;
    let message = message_at(&number, "255754000111", "wamid.thrice");
    for _ in 0..3 {
        assert_eq!(posted(&demo, &envelope(&[(&waba, message.clone())]), "good").await, 200);
    }
    // Only known by the id that Meta gives people of this business, and in a group.
    let mut stranger = message_at(&number, "255754000112", "wamid.stranger");
    stranger["contacts"] = json!([{ "profile": { "username": "juma.k" }, "user_id": "TZ.139001" }]);
    stranger["messages"][0]["from_user_id"] = "TZ.139001".into();
    stranger["messages"][0].as_object_mut().unwrap().remove("from");
    let mut group = message_at(&number, "255754000113", "wamid.group");
    group["messages"][0]["group_id"] = "Y2FwaV9ncm91cDoxZD".into();
    assert_eq!(posted(&demo, &envelope(&[(&waba, stranger), (&waba, group)]), "good").await, 200);
    // Typed on the phone of the business.
    let mut echo = message_at(&number, "255754000111", "wamid.echo");
    let typed = echo["messages"].take();
    echo.as_object_mut().unwrap().remove("messages");
    echo["message_echoes"] = typed;
    echo["message_echoes"][0]["to"] = "255754000111".into();
    let change = json!({ "field": "smb_message_echoes", "value": echo });
    let body =
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": waba, "changes": [change] }] });
    assert_eq!(posted(&demo, &body, "good").await, 200);

    // Read before it is delivered: the status does not go back.
    let sent =
        api.post("/v1/messages", &text_message(&demo.ready.business_id, "255754000111", "Karibu")).await;
    let id = sent.expect(202)["id"].as_str().unwrap().to_owned();
    api.message_reaches(&id, "read").await;
    let post = demo.sandbox().everything_sent().await.remove(0);
    let mut late = message_at(&number, "255754000111", "");
    late.as_object_mut().unwrap().remove("messages");
    let at = SystemClock.now().as_seconds().to_string();
    late["statuses"] = json!([{
        "id": post["id"], "status": "delivered", "timestamp": at, "recipient_id": "255754000111",
        "biz_opaque_callback_data": post["body"]["biz_opaque_callback_data"],
    }]);
    assert_eq!(posted(&demo, &envelope(&[(&waba, late)]), "good").await, 200);
    assert_eq!(api.get(&format!("/v1/messages/{id}")).await.expect(200)["status"], "read");

    let (heard, echoes) = eventually("all is told", PATIENCE, || async {
        let (heard, echoes) = (endpoint.of_type("message.received"), endpoint.of_type("message.echo"));
        if heard.len() == 3 && echoes.len() == 1 {
            Ok((heard, echoes))
        } else {
            Err(format!("{} {}", heard.len(), echoes.len()))
        }
    })
    .await;
    let data = |deliveries: &[Delivery], id: &str| {
        let found = deliveries.iter().find(|delivery| delivery.body["data"]["message"]["id"] == id);
        found.unwrap_or_else(|| panic!("{id} was not told")).body["data"].clone()
    };
    assert_eq!(data(&heard, "wamid.thrice")["message"]["text"]["body"], "Habari");
    let stranger = data(&heard, "wamid.stranger");
    assert_eq!(
        (&stranger["message"]["from_user_id"], stranger["message"].get("from")),
        (&json!("TZ.139001"), None)
    );
    assert_eq!(stranger["contact"]["profile"]["username"], "juma.k");
    assert_eq!(data(&heard, "wamid.group")["message"]["group_id"], "Y2FwaV9ncm91cDoxZD");
    assert_eq!(data(&echoes, "wamid.echo")["message"]["to"], "255754000111");

    // Who has no number is answered by the id that they have.
    let answer = json!({ "recipient": "TZ.139001", "type": "text", "text": { "body": "Karibu Juma" } });
    let answer = json!({ "connection_id": demo.ready.connection_id, "message": answer });
    let id = api.post("/v1/messages", &answer).await.expect(202)["id"].as_str().unwrap().to_owned();
    api.message_reaches(&id, "read").await;
}
