//! The gateway's binary, as a process of its own.

use std::env;
use std::ffi::OsString;
use std::process::Stdio;

use tokio::process::Command;

/// Built beside the tests, or the one that is named: an optimised one lets more runs go at once.
fn program() -> OsString {
    env::var_os("GATEWAY_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_gateway").into())
}

/// The kernel ends it when this process dies, however that happens. Nothing of our own environment reaches it, apart
/// from what programs need to run.
pub(crate) fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program()).args(arguments);
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    for name in ["PATH", "RUST_BACKTRACE", "SSL_CERT_FILE", "LD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

pub(crate) async fn answer(mut command: Command) -> String {
    let output = command.output().await.expect("setpriv (util-linux) and the program start");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{complaint}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
