//! A gateway that is not configured right does not start, and says which key is wrong.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

/// Runs `gateway` with settings from the environment alone; answers its exit code and what it said.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = TempDir::with_prefix("gateway-settings-").expect("a temporary folder");
    let process = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .current_dir(folder.path())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(30), process)
        .await
        .expect("it ends by itself")
        .expect("it runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

const MASTER_KEY: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const APP: [(&str, &str); 4] = [
    ("GATEWAY__META__APPS__DEFAULT__ID", "1"),
    ("GATEWAY__META__APPS__DEFAULT__SECRET", "planted-app-secret"),
    ("GATEWAY__META__APPS__DEFAULT__CONFIG_ID", "2"),
    ("GATEWAY__META__APPS__DEFAULT__VERIFY_TOKEN", "planted-verify-token"),
];

fn complete() -> Vec<(&'static str, &'static str)> {
    let mut environment = vec![
        ("GATEWAY__SERVER__PUBLIC_URL", "https://gateway.example"),
        ("GATEWAY__VAULT__MASTER_KEYS", MASTER_KEY),
        ("GATEWAY__STORE__URL", "sqlite://gateway.db"),
    ];
    environment.extend(APP);
    environment
}

#[actix_rt::test]
async fn a_complete_configuration_passes_the_check() {
    let (code, said) = run(&["check-config"], &complete()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("planted"), "{said}");
    assert!(!said.contains("AAECAwQF"), "{said}");
}

#[actix_rt::test]
async fn each_wrong_value_stops_the_start_and_its_key_is_named() {
    let cases = [
        ("GATEWAY__SERVER__PUBLIC_URL", "http://gateway.example", "server.public_url"),
        ("GATEWAY__SERVER__PUBLIC_URL", "no address", "server.public_url"),
        ("GATEWAY__SERVER__LISTEN", "everywhere", "server.listen"),
        ("GATEWAY__STORE__URL", "mysql://localhost/x", "store.url"),
        ("GATEWAY__ACTORS__POSTS_IN_FLIGHT", "0", "actors.posts_in_flight"),
        ("GATEWAY__ACTORS__AMBIGUOUS_SETTLE_S", "soon", "actors.ambiguous_settle_s"),
        ("GATEWAY__META__GRAPH_URL", "https://graph.example", "meta.graph_url"),
        ("GATEWAY__META__GRAPH_VERSION", "latest", "meta.graph_version"),
        ("GATEWAY__VAULT__MASTER_KEYS", "k1:short", "vault.master_keys"),
        ("GATEWAY__SERVER__NO_SUCH_KEY", "1", "no_such_key"),
    ];
    for (variable, value, key) in cases {
        let mut environment = complete();
        environment.retain(|(name, _)| *name != variable);
        environment.push((variable, value));
        let (code, said) = run(&["serve"], &environment).await;
        assert_ne!(code, Some(0), "{variable}={value} started: {said}");
        assert!(said.contains(key), "{variable}={value} does not name {key}: {said}");
        assert!(!said.contains("planted"), "{said}");
    }
}

#[actix_rt::test]
async fn serve_does_not_start_without_what_has_no_default() {
    for (variable, key) in [
        ("GATEWAY__VAULT__MASTER_KEYS", "vault.master_keys"),
        ("GATEWAY__SERVER__PUBLIC_URL", "server.public_url"),
        ("GATEWAY__META__APPS__DEFAULT__SECRET", "meta.apps"),
    ] {
        let mut environment = complete();
        environment.retain(|(name, _)| *name != variable);
        let (code, said) = run(&["serve"], &environment).await;
        assert_ne!(code, Some(0), "started without {variable}: {said}");
        assert!(said.contains(key), "{variable} is missing and {key} is not named: {said}");
    }
}

#[actix_rt::test]
async fn the_demo_listens_on_loopback_only() {
    let (code, said) = run(&["demo", "--sandbox-listen", "0.0.0.0:0", "--listen", "127.0.0.1:0"], &[]).await;
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("loopback"), "{said}");
}
