//! The API tried by its own description: what a published reader of OpenAPI makes up from it is answered as it says.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::installed;
use crate::support::demo::Demo;

/// What may not happen, whatever is asked. What is refused and what is taken is claimed by our own tests.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// How many calls of a kind are made up for each of the API's.
fn examples() -> &'static str {
    if std::env::var_os("GATEWAY_TEST_FULL").is_some() { "200" } else { "10" }
}

#[actix_rt::test]
async fn whatever_is_made_up_from_the_description_is_answered_as_it_says() {
    let Some(folder) = installed() else { return };
    let (demo, somewhere) = (Demo::start().await, TempDir::new().expect("a temporary folder"));
    let output = Command::new(folder.join("openapi/bin/schemathesis"))
        .args(["run", &format!("{}/openapi.json", demo.ready.gateway), "--no-color", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {}", demo.ready.api_key)])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--seed", "1", "--max-examples", examples(), "--generation-database", "none"])
        // It may leave files where it stands.
        .current_dir(somewhere.path())
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
