//! Nothing secret is in clear in any answer, event, log line or row, least of all when calls fail.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::endpoint::Endpoint;
use crate::support::owner::Owner;
use crate::support::{eventually, postgres};

const BODY: &str = "planted body of a message";
const OWN_PAGE: &str = "a page of the owner";
const CUSTOMER: &str = "255754987654";

/// What was seen outside, by where.
#[derive(Default)]
struct Seen(Vec<(&'static str, Vec<u8>)>);

impl Seen {
    fn keep(&mut self, place: &'static str, text: impl Into<Vec<u8>>) {
        self.0.push((place, text.into()));
    }

    /// Every place that shows the value as it is, in hexadecimal or in base64.
    fn places_of(&self, value: &str) -> Vec<&'static str> {
        let mut hex = String::new();
        for byte in value.bytes() {
            let _ = write!(hex, "{byte:02x}");
        }
        let forms = [value.to_owned(), hex, STANDARD.encode(value), URL_SAFE_NO_PAD.encode(value)];
        let shows =
            |text: &[u8]| forms.iter().any(|form| contains(text, form.trim_end_matches('=').as_bytes()));
        self.0.iter().filter(|(_, text)| shows(text)).map(|(place, _)| *place).collect()
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

#[actix_rt::test]
async fn nothing_secret_is_seen_outside_on_sqlite() {
    let demo = Demo::start_with(&[("GATEWAY__TELEMETRY__LOG", "trace")]).await;
    let database = |data: &Path| {
        ["gateway.db", "gateway.db-wal"]
            .iter()
            .flat_map(|name| std::fs::read(data.join(name)).unwrap_or_default())
            .collect()
    };
    let dump = {
        let data = demo.data.clone();
        move || -> Vec<u8> { database(&data) }
    };
    search(demo, async move || dump()).await;
}

#[actix_rt::test]
async fn nothing_secret_is_seen_outside_on_postgres() {
    let Some(url) = postgres::fresh_database().await else { return };
    let demo = Demo::start_with(&[("GATEWAY__STORE__URL", &url), ("GATEWAY__TELEMETRY__LOG", "trace")]).await;
    search(demo, async move || postgres::dump(&url).await.into_bytes()).await;
}

async fn search(mut demo: Demo, dump: impl AsyncFn() -> Vec<u8>) {
    let mut seen = Seen::default();
    let mut planted: Vec<(&str, String)> = vec![("API key", demo.ready.api_key.clone())];
    use_everything(&demo, &mut seen, &mut planted).await;
    for path in ["/v1/messages", "/v1/connections", "/v1/events?limit=200", "/v1/endpoints", "/v1/deliveries"]
    {
        seen.keep("an answer", demo.api().get(path).await.text);
    }
    seen.keep("the metrics", demo.operations().get("/metrics").await.text);
    demo.kill().await;
    planted.extend(secrets_of_the_sandbox(&demo.data));
    for kind in ["access token", "app secret", "PIN", "code", "verify token"] {
        assert!(
            planted.iter().any(|(name, _)| *name == kind),
            "no {kind} was planted: the search would prove nothing"
        );
    }
    seen.keep("the log", demo.log());
    let dumped = dump().await;
    assert!(contains(&dumped, demo.ready.business_id.as_bytes()), "the dump shows the rows");
    seen.keep("the database", dumped);

    for (name, value) in &planted {
        // The owner's own browser is told its cookie and its state.
        let own = matches!(*name, "cookie" | "state");
        // Six digits occur in any timestamp: a PIN is looked for as a value of its own.
        let written = if *name == "PIN" { format!("\"{value}\"") } else { value.clone() };
        let places: Vec<_> =
            seen.places_of(&written).into_iter().filter(|place| !(own && *place == OWN_PAGE)).collect();
        assert_eq!(places, Vec::<&str>::new(), "{name} {value} is shown");
    }
    for (name, value) in
        [("a message's body", BODY), ("a phone number", CUSTOMER), ("a phone number", "255712345678")]
    {
        let log = seen.0.iter().find(|(place, _)| *place == "the log").expect("the log was kept");
        assert!(!contains(&log.1, value.as_bytes()), "{name} is in the log");
    }
    let mut told = seen.places_of(BODY);
    told.dedup();
    assert_eq!(
        told,
        ["an event", "an answer"],
        "a body is in clear only where events are delivered and listed"
    );
}

/// Sends, receives, connects, and lets every call to the provider fail once.
async fn use_everything(demo: &Demo, seen: &mut Seen, planted: &mut Vec<(&'static str, String)>) {
    let (api, sandbox, endpoint) = (demo.api(), demo.sandbox(), Endpoint::start());
    let registered = api.post("/v1/endpoints", &json!({ "url": endpoint.url })).await.expect(201);
    planted.push(("endpoint secret", registered["secret"].as_str().unwrap().to_owned()));
    let sent = api
        .post("/v1/messages", &text_message(&demo.ready.business_id, "0712345678", BODY))
        .await
        .expect(202);
    api.message_reaches(sent["id"].as_str().unwrap(), "read").await;
    let written = json!({ "phone_number_id": demo.ready.phone_number_id, "from": CUSTOMER, "message": { "type": "text", "text": { "body": BODY } } });
    sandbox.post("/control/inbound", &written).await.expect(200);
    eventually("the customer's message is told", Duration::from_secs(20), || async {
        if endpoint.of_type("message.received").is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) }
    })
    .await;

    let failures = [
        ("oauth/access_token", json!({ "error": { "code": 100 } })),
        ("oauth/access_token", json!({ "cut": "before" })),
        ("oauth/access_token", json!({ "status": 502 })),
        ("debug_token", json!({ "error": { "code": 190 } })),
        ("debug_token", json!({ "cut": "before" })),
        ("phone_numbers", json!({ "cut": "before" })),
        ("subscribed_apps", json!({ "status": 500 })),
        ("register", json!({ "error": { "code": 133_005 } })),
        ("register", json!({ "cut": "before" })),
    ];
    for (n, (call, act)) in failures.into_iter().enumerate() {
        let mut owner = Owner::invited(demo, &format!("duka-{n}")).await;
        planted.push(("session link", owner.link.rsplit('=').next().unwrap().to_owned()));
        planted.push(("cookie", owner.cookie.rsplit('=').next().unwrap().to_owned()));
        let state = owner.begins().await;
        let (code, _) = owner.allows(&json!({})).await;
        let rule = json!({ "rules": [{ "match": { "path": call }, "times": 1, "do": act }] });
        sandbox.put("/control/faults", &rule).await.expect(200);
        let answer = owner.returns(&json!({ "state": state, "code": code })).await;
        let failed = answer.expect(200)["status"] == "failed";
        sandbox.put("/control/faults", &json!({ "rules": [] })).await.expect(200);
        // Not every failure ends an attempt; one that did is followed by another.
        if failed {
            owner.connects().await;
        }
        planted.push(("state", state));
        for page in owner.read.drain(..) {
            seen.keep(OWN_PAGE, page);
        }
        let shown = api.get(&format!("/v1/onboarding-sessions/{}", owner.session_id)).await;
        seen.keep("an answer", shown.text);
    }
    // Last, since it ends the connection.
    let rule = json!({ "rules": [{ "match": { "path": "messages" }, "times": 1, "do": { "error": { "code": 190 } } }] });
    sandbox.put("/control/faults", &rule).await.expect(200);
    let refused = text_message(&demo.ready.business_id, "0712345678", BODY);
    let refused = api.post("/v1/messages", &refused).await.expect(202)["id"].as_str().unwrap().to_owned();
    seen.keep("an answer", api.message_reaches(&refused, "retrying").await.to_string());
    for delivery in endpoint.heard() {
        seen.keep("an event", delivery.raw);
    }
}

/// The sandbox remembers in clear what the gateway must not: tokens, codes, PINs, the app's secret.
fn secrets_of_the_sandbox(data: &Path) -> Vec<(&'static str, String)> {
    let journal = find(data, "sandbox.journal").expect("the sandbox keeps a journal");
    let mut found = Vec::new();
    for line in std::fs::read_to_string(journal).expect("readable").lines() {
        if let Ok(record) = serde_json::from_str::<Value>(line) {
            collect(&record, "", &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, record: &str, found: &mut Vec<(&'static str, String)>) {
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        let kind = match (record, name.as_str()) {
            (_, "pin") => Some("PIN"),
            ("app", "secret") => Some("app secret"),
            ("app", "verify_token") => Some("verify token"),
            ("token", "token" | "value" | "text" | "access_token") => Some("access token"),
            ("code", "code" | "value" | "text") => Some("code"),
            _ => None,
        };
        match (kind, member) {
            (Some(kind), Value::String(text)) if !text.is_empty() => found.push((kind, text.clone())),
            _ => collect(member, if record.is_empty() { name } else { record }, found),
        }
    }
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}
