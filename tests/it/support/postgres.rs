//! A database of a test's own on the server that `scripts/test` started.

use std::process::Stdio;

use tokio::process::Command;

/// Address of a new, empty database; `None` where no server was given and none is required. It goes with the server,
/// which lives as long as the test run.
pub(crate) async fn fresh_database() -> Option<String> {
    let server = match std::env::var("GATEWAY_TEST_POSTGRES_URL") {
        Ok(server) => server,
        Err(std::env::VarError::NotPresent)
            if std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_some() =>
        {
            panic!("GATEWAY_TEST_POSTGRES_URL is not set: run scripts/test")
        }
        Err(std::env::VarError::NotUnicode(_)) => panic!("GATEWAY_TEST_POSTGRES_URL is not text"),
        Err(std::env::VarError::NotPresent) => {
            #[expect(
                clippy::print_stderr,
                reason = "who runs a part of the tests should know what was left out"
            )]
            {
                eprintln!("no GATEWAY_TEST_POSTGRES_URL: the PostgreSQL half of this test did not run");
            }
            return None;
        }
    };
    let name = format!("gateway_it_{}", uuid::Uuid::new_v4().simple());
    psql(&server, &format!("CREATE DATABASE {name}")).await;
    let mut url = url::Url::parse(&server).expect("the server's address is a URL");
    url.set_path(&name);
    Some(url.into())
}

/// Everything in the database, as text.
pub(crate) async fn dump(url: &str) -> String {
    let dumped = Command::new("pg_dump").arg(url).stdin(Stdio::null()).output().await.expect("pg_dump runs");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    String::from_utf8_lossy(&dumped.stdout).into_owned()
}

async fn psql(server: &str, statement: &str) {
    let ran = Command::new("psql")
        .args([server, "--no-psqlrc", "--quiet", "--command", statement])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("psql runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
