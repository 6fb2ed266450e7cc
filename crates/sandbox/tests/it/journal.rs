//! What is on disk when a message has been answered is what `kill -9` leaves, so these tests copy the folder of a
//! sandbox that is still running and open the copy.

use crate::support::*;
use reqwest::Method;
use sandbox::{Config, Sandbox};
use serde_json::json;
use std::path::Path;

fn config(folder: &Path) -> Config {
    Config { data_dir: Some(folder.to_owned()), ..Config::for_tests() }
}

fn copy_as_if_killed(from: &Path, to: &Path) {
    std::fs::copy(from.join("sandbox.journal"), to.join("sandbox.journal")).unwrap();
}

#[tokio::test]
async fn everything_that_was_answered_survives_a_kill() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stage = Stage::with(config(first.path())).await;
    let (code, ids) = stage.sign_up(json!({})).await;
    let (_, bought) = stage.exchange(&code).await;
    let id = stage.send_text(CUSTOMER).await;
    stage
        .set_faults(
            json!({"rules": [{"match": {"path": "messages", "to": "1"}, "times": 2, "do": {"delay_ms": 1}}]}),
        )
        .await;
    let (unspent, _) = stage.sign_up(json!({})).await;
    copy_as_if_killed(first.path(), second.path());

    let sandbox = Sandbox::start(config(second.path())).await.unwrap();
    let business = sandbox.seed_connected(0).await.unwrap();
    assert_eq!(business.access_token, stage.business.access_token);
    assert_eq!(sandbox.app().secret, stage.sandbox.app().secret);
    let again = Stage { sandbox, business, client: client() };
    let sent = again.sent("").await;
    assert_eq!((&sent["data"][0]["id"], &sent["data"][0]["seq"]), (&json!(id), &json!(1)));
    assert_eq!(error_code(&again.exchange(&code).await.1), 100, "a spent code stays spent");
    assert_eq!(again.exchange(&unspent).await.0, 200);
    let waba = ids["waba_id"].as_str().unwrap();
    let token = bought["access_token"].as_str().unwrap();
    assert_eq!(read(again.graph_call_as(Method::GET, waba, token)).await.0, 200);
    let (_, faults) = again.control(Method::GET, "faults", json!({})).await;
    assert_eq!(faults["rules"][0]["times"], 2);
    again.send_text(CUSTOMER).await;
    assert_eq!(again.sent("?after=1").await["data"][0]["seq"], 2);
}

#[tokio::test]
async fn statuses_that_were_not_delivered_are_delivered_after_a_kill() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (stage, gateway) = Stage::with_gateway(config(first.path())).await;
    let delivered = stage.send_text(CUSTOMER).await;
    until("three statuses", || gateway.statuses_of(&delivered).len() == 3).await;
    until("nothing to wait", || stage.sandbox.webhooks_waiting() == 0).await;
    // The last acknowledgements are written without being waited for.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    gateway.stop().await;
    let missed = stage.send_text(CUSTOMER).await;
    copy_as_if_killed(first.path(), second.path());
    drop(stage);

    let sandbox = Sandbox::start(config(second.path())).await.unwrap();
    assert!(sandbox.callback_is_verified(), "an address that has answered once is not asked again");
    let again = Gateway::start(&sandbox, gateway.port);
    until("three statuses", || again.statuses_of(&missed).len() == 3).await;
    assert!(again.statuses_of(&delivered).is_empty());
}

#[tokio::test]
async fn a_torn_last_line_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with(config(folder.path())).await;
    stage.send_text(CUSTOMER).await;
    drop(stage);
    let path = folder.path().join("sandbox.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"sent\":{\"entry\":{\"seq\":2,\"at_");
    std::fs::write(&path, bytes).unwrap();
    let stage = Stage::with(config(folder.path())).await;
    assert_eq!(stage.sent("").await["data"].as_array().unwrap().len(), 1);
    stage.send_text(CUSTOMER).await;
    stage.sandbox.stop().await;
    let stage = Stage::with(config(folder.path())).await;
    assert_eq!(stage.sent("").await["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_reset_makes_the_journal_small_and_keeps_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with(config(folder.path())).await;
    stage.sandbox.set_callback_url("http://127.0.0.1:9/hook").await.unwrap();
    for _ in 0..50 {
        stage.send_text(CUSTOMER).await;
    }
    let path = folder.path().join("sandbox.journal");
    let before = std::fs::metadata(&path).unwrap().len();
    stage.client.post(format!("{}/reset", stage.sandbox.control_url())).send().await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < before);
    drop(stage);
    let stage = Stage::with(config(folder.path())).await;
    assert_eq!(stage.sent("").await["data"], json!([]));
    assert_eq!(stage.sandbox.webhooks_waiting(), 150);
}
