//! A business is erased: of what it said, to whom and under which name, nothing is left on the disk.

use std::path::Path;
use std::time::Duration;

use domain::Clock;
use gateway_actors::SystemClock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, text_message};
use crate::support::demo::Demo;
use crate::support::{eventually, postgres};

const NAME: &str = "Planted shop of Mama Salma";
const RECIPIENT: &str = "255712345901";
const STOPPED: &str = "255754000902";
const WRITER: &str = "255754000903";
const REFERENCE: &str = "planted-order-4711";
const OPAQUE: &str = "planted opaque data";
const BODY: &str = "planted body of a message";
const HEARD: &str = "planted words of a customer";
const OLD_NEWS: &str = "planted words of long ago";

/// Lie in clear in the rows of a business that lives. Everything else is sealed.
const IN_CLEAR: [&str; 5] = [NAME, RECIPIENT, STOPPED, REFERENCE, OPAQUE];
const SEALED: [&str; 4] = [WRITER, BODY, HEARD, OLD_NEWS];

#[actix_rt::test]
async fn nothing_of_an_erased_business_is_left_in_the_raw_files_of_sqlite() {
    let demo = Demo::start().await;
    let data = demo.data.clone();
    look_for_what_was_planted(demo, async move || files_of(&data)).await;
}

/// Of PostgreSQL the rows: its files are overwritten when it pleases, which is shown beside the store.
#[actix_rt::test]
async fn nothing_of_an_erased_business_is_left_in_the_rows_of_postgres() {
    let Some(url) = postgres::fresh_database().await else { return };
    let demo = Demo::start_with(&[("GATEWAY__STORE__URL", &url)]).await;
    look_for_what_was_planted(demo, async move || postgres::dump(&url).await.into_bytes()).await;
}

fn files_of(data: &Path) -> Vec<u8> {
    let files = ["gateway.db", "gateway.db-wal", "gateway.db-shm"].map(|name| std::fs::read(data.join(name)));
    files.into_iter().flat_map(|file| file.expect("a file of the database")).collect()
}

async fn look_for_what_was_planted(mut demo: Demo, stored: impl AsyncFn() -> Vec<u8>) {
    plant(&demo).await;
    let found = |bytes: &[u8], words: &[&'static str]| -> Vec<&'static str> {
        let occurs = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().copied().filter(|word| occurs(word)).collect()
    };
    let before = stored().await;
    assert_eq!(found(&before, &IN_CLEAR), IN_CLEAR, "what is not there before is not erased either");
    assert_eq!(found(&before, &SEALED), Vec::<&str>::new(), "sealed");

    let path = format!("/v1/businesses/{}", demo.ready.business_id);
    demo.api().call(Method::DELETE, &path, None).await.expect(204);
    demo.kill().await;
    let after = stored().await;
    assert_eq!(found(&after, &[IN_CLEAR.as_slice(), SEALED.as_slice()].concat()), Vec::<&str>::new());
}

/// Everything that a business does, with words that nobody else uses.
async fn plant(demo: &Demo) {
    let (api, business) = (demo.api(), &demo.ready.business_id);
    // Answers under keys are kept too: of the business, of its number, and of a message.
    let named = json!({ "id": business, "name": NAME });
    keyed(&api, "/v1/businesses", &named, "name").await.expect(200);
    let resume = format!("/v1/connections/{}/resume", demo.ready.connection_id);
    keyed(&api, &resume, &json!({}), "resume").await.expect(200);

    let mut message = text_message(business, RECIPIENT, BODY);
    message["client_ref"] = json!(REFERENCE);
    message["message"]["biz_opaque_callback_data"] = json!(OPAQUE);
    let sent = keyed(&api, "/v1/messages", &message, "message").await.expect(202);
    api.message_reaches(sent["id"].as_str().expect("an id"), "read").await;
    message["send_at"] = json!(SystemClock.now().plus(Duration::from_hours(1)));
    let later = api.post("/v1/messages", &message).await.expect(202);
    let cancel = format!("/v1/messages/{}/cancel", later["id"].as_str().expect("an id"));
    let cancelled = keyed(&api, &cancel, &json!({}), "cancel").await.expect(200);
    let replay = format!("/v1/messages/{}/replay", cancelled["id"].as_str().expect("an id"));
    keyed(&api, &replay, &json!({}), "replay").await.expect(202);
    api.put(&format!("/v1/businesses/{business}/opt-outs/{STOPPED}"), &json!({})).await.expect(200);

    let written = json!({ "phone_number_id": demo.ready.phone_number_id, "from": WRITER, "message": { "type": "text", "text": { "body": HEARD } } });
    demo.sandbox().post("/control/inbound", &written).await.expect(200);
    eventually("the customer's message is kept", Duration::from_secs(20), || async {
        let events = api.get("/v1/events?limit=200").await.expect(200).to_string();
        if events.contains(HEARD) { Ok(()) } else { Err(events) }
    })
    .await;
    set_aside(demo).await;
}

/// News of the number that is too old to be new.
async fn set_aside(demo: &Demo) {
    let message = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550783881", "phone_number_id": demo.ready.phone_number_id },
        "messages": [{ "from": WRITER, "id": "wamid.OLD", "timestamp": "1500000000", "type": "text", "text": { "body": OLD_NEWS } }],
    });
    let envelope = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": message }] }] });
    let raw = json!({ "body": envelope.to_string(), "signature": "good" });
    let answer = demo.sandbox().post("/control/raw", &raw).await.expect(200);
    assert_eq!(answer["status"], 200, "{answer}");
    let metrics = demo.operations().get("/metrics").await.text;
    let is_told = |line: &str| line.starts_with("gateway_updates_total{") && line.contains("quarantined");
    assert!(metrics.lines().any(|line| is_told(line) && line.ends_with(" 1")), "{metrics}");
}

async fn keyed(api: &Api, path: &str, body: &Value, key: &str) -> Answer {
    let request = api.request(Method::POST, path).header("Idempotency-Key", key).json(body);
    api.send(request).await.expect("an answer")
}

#[actix_rt::test]
async fn a_key_that_was_used_for_an_erased_business_is_free_again() {
    let demo = Demo::start().await;
    let api = demo.api();
    let business = json!({ "id": "duka-1", "name": NAME });
    let is_replayed = |answer: &Answer| answer.headers.contains_key("idempotent-replayed");
    let first = keyed(&api, "/v1/businesses", &business, "make").await;
    let again = keyed(&api, "/v1/businesses", &business, "make").await;
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(again.expect(201), first.expect(201), "opened from its sealed record");
    api.call(Method::DELETE, "/v1/businesses/duka-1", None).await.expect(204);
    let anew = keyed(&api, "/v1/businesses", &business, "make").await;
    assert!(!is_replayed(&anew), "the answer went with the business");
    anew.expect(201);
}
