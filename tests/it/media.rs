//! Images and documents from end to end: uploaded, shown to a customer, received from one, and read.

use std::convert::Infallible;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::api::{Answer, Api, client};
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::eventually;

const CUSTOMER: &str = "255712345678";
const MB: usize = 1 << 20;

/// A picture as far as anybody looks: larger than one chunk, and no two bytes of it alike for long.
fn picture(size: usize) -> Vec<u8> {
    let mut picture = b"\xff\xd8\xff\xe0".to_vec();
    picture.extend((0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(size - 4));
    picture
}

fn before(mime_type: &str) -> String {
    format!(
        "--b0und\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--b0und\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"kitenge.jpg\"\r\nContent-Type: {mime_type}\r\n\r\n"
    )
}

const AFTER: &str = "\r\n--b0und--\r\n";

fn upload_of(api: &Api, number: &str, body: impl Into<Body>) -> reqwest::RequestBuilder {
    api.request(Method::POST, &format!("/v25.0/{number}/media"))
        .header("content-type", "multipart/form-data; boundary=b0und")
        // A build without optimisation on a busy machine seals half a megabyte a second.
        .timeout(Duration::from_mins(3))
        .body(body)
}

async fn upload(api: &Api, number: &str, mime_type: &str, content: &[u8]) -> Answer {
    let body = [before(mime_type).as_bytes(), content, AFTER.as_bytes()].concat();
    api.send(upload_of(api, number, body)).await.expect("an answer")
}

async fn download(url: &str) -> (u16, Vec<u8>) {
    let answer = client().get(url).send().await.expect("an answer");
    (answer.status().as_u16(), answer.bytes().await.expect("a whole body").to_vec())
}

async fn held(demo: &Demo) -> Vec<Value> {
    demo.sandbox().get("/control/media").await.expect(200)["data"].as_array().expect("a list").clone()
}

async fn receive(demo: &Demo, content: &[u8]) -> Value {
    let object = json!({ "content_base64": STANDARD.encode(content), "mime_type": "image/jpeg", "caption": "Kitenge" });
    let message = json!({ "phone_number_id": demo.ready.phone_number_id, "from": CUSTOMER,
        "message": { "type": "image", "image": object } });
    demo.sandbox().post("/control/inbound", &message).await.expect(200)
}

/// A key that may act for another business of the same account only.
async fn stranger(demo: &Demo) -> Api {
    let other = json!({ "id": "neighbour", "name": "Jirani", "country": "TZ" });
    demo.api().post("/v1/businesses", &other).await.expect(201);
    let arguments = ["api-key", "new", "--account", "demo", "--label", "narrow", "--business", "neighbour"];
    let printed = demo.command(&arguments).await;
    let key = printed.split_whitespace().find(|word| word.starts_with("gw_")).expect("a key");
    demo.api().with_key(key)
}

#[actix_rt::test]
async fn what_is_uploaded_is_given_to_the_platform_once_and_shown_by_its_id() {
    let demo = Demo::start().await;
    let (api, number) = (demo.api(), demo.ready.phone_number_id.as_str());
    let content = picture(300_000);
    let uploaded = upload(&api, number, "image/jpeg", &content).await.expect(200);
    let id = uploaded["id"].as_str().expect("an id");
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(held(&demo).await, [] as [Value; 0], "the platform gets what is sent, when it is sent");

    let found = api.get(&format!("/v25.0/{id}?phone_number_id={number}")).await.expect(200);
    assert_eq!(
        (found["mime_type"].as_str(), found["file_size"].as_u64()),
        (Some("image/jpeg"), Some(300_000))
    );
    assert_eq!(found["sha256"], hex::encode(Sha256::digest(&content)));
    let url = found["url"].as_str().expect("a link");
    assert_eq!(download(url).await, (200, content.clone()));
    let other = if url.ends_with('A') { 'Q' } else { 'A' };
    let changed = format!("{}{other}", &url[..url.len() - 1]);
    assert_eq!(download(&changed).await.0, 404, "a link is whole or none");
    assert_eq!(download(url.split('?').next().unwrap()).await.0, 404);

    let header = json!({ "type": "image", "image": { "id": id } });
    let buttons = json!({ "buttons": [{ "type": "reply", "reply": { "id": "1", "title": "Ndiyo" } }] });
    let interactive =
        json!({ "type": "button", "header": header, "body": { "text": "Unaitaka?" }, "action": buttons });
    let messages = format!("/v25.0/{number}/messages?wait=sent");
    for message in [
        json!({ "messaging_product": "whatsapp", "to": CUSTOMER, "type": "image", "image": { "id": id, "caption": "Kitenge" } }),
        json!({ "messaging_product": "whatsapp", "to": CUSTOMER, "type": "interactive", "interactive": interactive }),
    ] {
        let answer = api.post(&messages, &message).await.expect(200);
        api.message_reaches(&message_id(&api, &answer).await, "read").await;
    }
    let held = held(&demo).await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0]["sha256"], hex::encode(Sha256::digest(&content)));
    let sent = demo.sandbox().everything_sent().await;
    assert_eq!(sent[0]["body"]["image"], json!({ "id": held[0]["id"], "caption": "Kitenge" }));
    assert_eq!(sent[1]["body"]["interactive"]["header"]["image"]["id"], held[0]["id"]);

    api.call(Method::DELETE, &format!("/v25.0/{id}"), None).await.expect(200);
    api.get(&format!("/v25.0/{id}")).await.expect(400);
    assert_eq!(download(url).await.0, 404);
    let gone =
        json!({ "messaging_product": "whatsapp", "to": CUSTOMER, "type": "image", "image": { "id": id } });
    let error = api.post(&messages, &gone).await.expect(400)["error"].clone();
    assert_eq!(error["error_data"]["rules"], json!({ "image.id": ["unknown_media"] }));
    // One that only the platform knows is its business.
    let theirs = json!({ "messaging_product": "whatsapp", "to": CUSTOMER, "type": "image", "image": { "id": "1013859600285441" } });
    api.post(&messages, &theirs).await.expect(200);
    let last = demo.sandbox().everything_sent().await.pop().expect("it was sent");
    assert_eq!(last["body"]["image"]["id"], "1013859600285441");
}

/// Our own id of a message that the Graph door answered.
async fn message_id(api: &Api, answer: &Value) -> String {
    let wamid = answer["messages"][0]["id"].as_str().expect("an id").to_owned();
    let list = api.get("/v1/messages?limit=200").await.expect(200);
    let known = list["data"].as_array().expect("a list");
    let ours = known.iter().find(|message| message["wamid"] == wamid.as_str());
    ours.unwrap_or(&known[0])["id"].as_str().expect("an id").to_owned()
}

#[actix_rt::test]
async fn what_is_not_what_it_is_said_to_be_is_refused_and_not_kept() {
    let demo = Demo::start_with(&[("GATEWAY__SERVER__BODY_TIMEOUT_S", "2")]).await;
    let (api, number) = (demo.api(), demo.ready.phone_number_id.as_str());
    for (mime_type, content, rule) in [
        ("image/png", picture(10_000), "type_mismatch"),
        ("image/gif", b"GIF89a and more than that".to_vec(), "unsupported_type"),
        ("image/jpeg", Vec::new(), "empty"),
    ] {
        let error = upload(&api, number, mime_type, &content).await.expect(400)["error"].clone();
        assert_eq!(error["error_data"]["rules"], json!({ "file": [rule] }), "{error}");
    }
    upload(&api, number, "image/jpeg", &picture(5 * MB + 1)).await.expect(413);
    upload(&api, "106", "image/jpeg", &picture(1_000)).await.expect(400);
    api.send(api.request(Method::POST, &format!("/v25.0/{number}/media")).json(&json!({ "file": "x" })))
        .await
        .expect("an answer")
        .expect(400);

    let start =
        stream::once(async { Ok::<_, Infallible>(Bytes::from(before("application/pdf") + "%PDF-1.7 ")) });
    let stalled = start.chain(stream::pending());
    let answer = api.send(upload_of(&api, number, Body::wrap_stream(stalled))).await.expect("an answer");
    answer.expect(408);

    let files = std::fs::read_dir(demo.data.join("media"))
        .expect("the folder")
        .flatten()
        .filter(|entry| std::fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_some()));
    assert_eq!(files.count(), 0, "nothing of what was refused is left");
}

#[actix_rt::test]
async fn a_document_of_101_megabytes_is_refused_unread_and_a_film_that_hides_its_size_when_it_crosses_the_limit()
 {
    let demo = Demo::start().await;
    let (api, number) = (demo.api(), demo.ready.phone_number_id.as_str());
    let pieces = |mime_type, beginning, megabytes| {
        let start = stream::once(async move { Bytes::from(before(mime_type) + beginning) });
        let piece = Bytes::from(vec![b' '; MB]);
        Body::wrap_stream(start.chain(stream::iter(vec![piece; megabytes])).map(Ok::<_, Infallible>))
    };
    let document = upload_of(&api, number, pieces("application/pdf", "%PDF-1.7 ", 101));
    let film = upload_of(&api, number, pieces("video/mp4", "\0\0\0\x18ftypmp42", 17));
    for request in [document.header("content-length", 102 * MB), film] {
        match api.send(request.timeout(Duration::from_mins(2))).await {
            Ok(answer) => drop(answer.expect(413)),
            // Who does not listen while it sends finds the connection closed.
            Err(error) => assert!(!error.is_timeout(), "{error:?}"),
        }
    }
    // Over a connection of its own: those before may still be full.
    upload(&demo.api(), number, "application/pdf", b"%PDF-1.7 and so on, and so on").await.expect(200);
    assert_eq!(std::fs::read_dir(demo.data.join("media/incoming")).expect("a folder").count(), 0);
}

#[actix_rt::test]
async fn what_a_customer_sends_is_fetched_at_once_and_read_byte_for_byte() {
    let demo = Demo::start().await;
    let endpoint = Endpoint::start();
    demo.api().post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    let content = picture(200_000);
    receive(&demo, &content).await;
    let id = media_id(&endpoint).await;
    let found = demo.api().get(&format!("/v25.0/{id}")).await.expect(200);
    assert_eq!(found["id"], id.as_str(), "an event and a look-up name it as the platform does");
    let url = found["url"].as_str().expect("a link").to_owned();
    assert!(url.starts_with(&demo.ready.gateway), "{url}");
    assert_eq!(download(&url).await, (200, content.clone()));

    let other = stranger(&demo).await;
    other.get(&format!("/v25.0/{id}")).await.expect(400);
    other.call(Method::DELETE, &format!("/v25.0/{id}"), None).await.expect(400);
    let own = upload(&demo.api(), &demo.ready.phone_number_id, "image/jpeg", &content).await.expect(200);
    let own = own["id"].as_str().expect("an id");
    other.get(&format!("/v25.0/{own}")).await.expect(400);
    upload(&other, &demo.ready.phone_number_id, "image/jpeg", &content).await.expect(400);

    // Nothing of it can be read where it lies.
    let mut folders = vec![demo.data.join("media")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let bytes = std::fs::read(entry.path()).expect("a file");
                assert!(!bytes.windows(64).any(|window| window == &content[1_000..1_064]));
            }
        }
    }
}

async fn media_id(endpoint: &Endpoint) -> String {
    eventually("the message is told", Duration::from_secs(30), || async {
        let told = endpoint.of_type("message.received").into_iter().next();
        told.map(|told| told.body["data"]["message"]["image"]["id"].as_str().expect("an id").to_owned())
            .ok_or_else(|| "not yet".to_owned())
    })
    .await
}

#[actix_rt::test]
async fn a_kill_before_the_content_was_fetched_loses_nothing() {
    let mut demo = Demo::start().await;
    let endpoint = Endpoint::start();
    demo.api().post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    // The platform tells of the message and does not give its content.
    demo.sandbox()
        .put("/control/faults", &json!({ "rules": [{ "match": {}, "do": { "status": 500 } }] }))
        .await
        .expect(200);
    let content = picture(100_000);
    receive(&demo, &content).await;
    let id = media_id(&endpoint).await;
    demo.kill_and_restart().await;
    demo.sandbox().put("/control/faults", &json!({ "rules": [] })).await.expect(200);
    let found = eventually("the content is fetched", Duration::from_mins(1), || async {
        let answer = demo.api().get(&format!("/v25.0/{id}")).await;
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.text) }
    })
    .await;
    assert_eq!(download(found["url"].as_str().expect("a link")).await, (200, content));
}
