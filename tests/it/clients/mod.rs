//! Published Cloud API clients as their registries have them, against the Graph door and Meta's format of events, and a
//! published reader of OpenAPI against `/v1`. `scripts/test` installs them.

mod openapi;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::support::demo::Demo;

/// Where the libraries are; nothing where they were not asked for.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
fn installed() -> Option<PathBuf> {
    let folder = std::env::var_os("GATEWAY_TEST_CLIENTS").map(PathBuf::from);
    let required = std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_some();
    assert!(folder.is_some() || !required, "GATEWAY_TEST_CLIENTS does not say where the clients are");
    if folder.is_none() {
        eprintln!("no published clients: they were not run");
    }
    folder
}

/// Runs a script against a gateway of its own, and expects that it is content.
async fn content(program: &Path, script: &Path) {
    let demo = Demo::start().await;
    let connection =
        demo.api().get(&format!("/v1/connections/{}", demo.ready.connection_id)).await.expect(200);
    let output = Command::new(program)
        .arg(script)
        .env("GATEWAY", &demo.ready.gateway)
        .env("SANDBOX", &demo.ready.sandbox)
        .env("API_KEY", &demo.ready.api_key)
        .env("PHONE_NUMBER_ID", &demo.ready.phone_number_id)
        .env("WABA_ID", connection["waba_id"].as_str().expect("an account"))
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_mins(2), output).await;
    let output = output.expect("the script ends").expect("the script runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}\n{}", demo.log());
    assert!(out.lines().filter(|line| line.starts_with("ok ")).count() >= 10, "{out}");
}

fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(path)
}

#[actix_rt::test]
async fn a_published_client_of_python_sends_and_hears_with_another_base_address() {
    let Some(folder) = installed() else { return };
    content(&folder.join("python/bin/python3"), &script("python/check.py")).await;
}

#[actix_rt::test]
async fn published_clients_of_node_send_and_hear_with_another_base_address() {
    let Some(folder) = installed() else { return };
    // Node looks for libraries beside the script.
    let beside = folder.join("node/check.mjs");
    std::fs::copy(script("node/check.mjs"), &beside).expect("the folder takes the script");
    content(&folder.join("python/bin/node"), &beside).await;
}
