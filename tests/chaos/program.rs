//! The gateway's binary, as a process of its own.

use std::process::Stdio;

use tokio::process::Command;

/// The kernel ends it when this process dies, however that happens. Nothing of our own environment reaches it, apart
/// from what programs need to run.
pub(crate) fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(env!("CARGO_BIN_EXE_gateway")).args(arguments);
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    for name in ["PATH", "RUST_BACKTRACE", "SSL_CERT_FILE", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
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
