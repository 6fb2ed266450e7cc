//! The API tried by its own description: what a published reader of OpenAPI makes up from it is answered as it says.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::installed;
use crate::support::api::text_message;
use crate::support::demo::Demo;
use crate::support::eventually;

/// What may not happen, whatever is asked. What is refused and what is taken is claimed by our own tests.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// How many calls are made up for each of the API's, besides those at the edges of every value; `GATEWAY_TEST_EXAMPLES`
/// asks for more.
fn examples() -> String {
    std::env::var("GATEWAY_TEST_EXAMPLES").unwrap_or_else(|_| "10".to_owned())
}

/// Tries everything that is described, and expects that nothing is complained about.
async fn try_everything(program: &Path, demo: &Demo, settings: &str, arguments: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, settings).expect("the folder takes a file");
    let output = Command::new(program)
        .arg("--config-file")
        .arg(file)
        .args(["run", &format!("{}/openapi.json", demo.ready.gateway), "--no-color", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {}", demo.ready.api_key), "--checks", CHECKS])
        .args(["--seed", "1", "--max-examples", &examples(), "--generation-database", "none"])
        .args(arguments)
        // It may leave files where it stands.
        .current_dir(folder.path())
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(30), output).await;
    let output = output.expect("it ends").expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("passed"), "{out}");
    assert!(!demo.log().contains("panicked"), "{}", demo.log());
}

#[actix_rt::test]
async fn whatever_is_made_up_from_the_description_is_answered_as_it_says() {
    let Some(folder) = installed() else { return };
    let demo = Demo::start().await;
    let phases = ["--phases", "examples,coverage,fuzzing,stateful"];
    try_everything(&folder.join("openapi/bin/schemathesis"), &demo, "", &phases).await;
}

/// Nothing that could be made up names what is there, so here it is told. What would end it is left out.
#[actix_rt::test]
async fn what_is_made_up_about_things_that_are_there_is_answered_as_described() {
    let Some(folder) = installed() else { return };
    let demo = Demo::start().await;
    let settings = what_is_there(&demo).await;
    let rest = ["--phases", "examples,coverage,fuzzing", "--exclude-method", "DELETE"];
    let rest = [&rest[..], &["--exclude-path", "/v1/connections/{id}/disconnect"]].concat();
    try_everything(&folder.join("openapi/bin/schemathesis"), &demo, &settings, &rest).await;
}

/// One of each kind, as settings that name it for every call below its path.
async fn what_is_there(demo: &Demo) -> String {
    let (api, business) = (demo.api(), &demo.ready.business_id);
    let id = |answer: Value| answer["id"].as_str().expect("an id").to_owned();
    // Nobody listens there, so that deliveries wait.
    let endpoint = id(api.post("/v1/endpoints", &json!({"url": "http://127.0.0.1:9/"})).await.expect(201));
    let sent = api.post("/v1/messages", &text_message(business, "+255712345678", "Habari")).await;
    let message = id(sent.expect(202));
    let session = api.post("/v1/onboarding-sessions", &json!({"business_id": business})).await;
    let session = id(session.expect(201));
    demo.has_template("order", "UTILITY", "APPROVED").await;
    let delivery = eventually("a delivery waits", Duration::from_secs(20), || async {
        let deliveries = api.get("/v1/deliveries").await.expect(200);
        deliveries["data"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| deliveries.to_string())
    })
    .await;
    let things = [
        ("businesses", business),
        ("connections", &demo.ready.connection_id),
        ("endpoints", &endpoint),
        ("messages", &message),
        ("onboarding-sessions", &session),
        ("deliveries", &delivery),
    ];
    let settings = things.map(|(kind, id)| {
        format!(
            "[[operations]]\ninclude-path-regex = \"^/v1/{kind}/\"\n\
             parameters = {{ id = \"{id}\", phone = \"+255712345678\", name = \"order\" }}\n"
        )
    });
    settings.concat()
}
