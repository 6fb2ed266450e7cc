//! `gateway demo` as a process of its own, so that it can be killed like one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::api::Api;
use super::owner::Place;

/// The one line on stdout.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    pub(crate) gateway: String,
    pub(crate) sandbox: String,
    pub(crate) api_key: String,
    pub(crate) business_id: String,
    pub(crate) connection_id: String,
    pub(crate) phone_number_id: String,
    pub(crate) operations: String,
}

pub(crate) struct Demo {
    pub(crate) ready: Ready,
    pub(crate) data: PathBuf,
    environment: Vec<(String, String)>,
    process: Child,
    /// Removed with the last of the demo, unless a test wants to look.
    _folder: Option<TempDir>,
}

impl Demo {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings as an operator would give them.
    pub(crate) async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_after(environment, async |_| {}).await
    }

    /// On what `prepare` leaves in its data folder.
    pub(crate) async fn start_after(environment: &[(&str, &str)], prepare: impl AsyncFnOnce(&Path)) -> Self {
        let folder = TempDir::with_prefix("gateway-demo-").expect("a temporary folder");
        let data = folder.path().join("data");
        prepare(&data).await;
        let environment: Vec<_> =
            environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (process, ready) = spawn(&data, &environment).await;
        Self { ready, data, environment, process, _folder: Some(folder) }
    }

    /// Ends the process as a power cut would, and starts it again on the same data.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.kill().await;
        let (process, ready) = spawn(&self.data, &self.environment).await;
        self.process = process;
        self.ready = ready;
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("the demo runs");
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.ready.gateway, &self.ready.api_key)
    }

    /// The listener for operators.
    pub(crate) fn operations(&self) -> Api {
        Api::new(&self.ready.operations, "")
    }

    /// Runs a command of the same binary on the same data, and answers what it printed.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(arguments)
            .env("GATEWAY__STORE__URL", format!("sqlite://{}/gateway.db", self.data.display()))
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the command runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The sandbox's control interface.
    pub(crate) fn sandbox(&self) -> Api {
        Api::new(&self.ready.sandbox, "")
    }

    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(log_of(&self.data)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Place for Demo {
    fn gateway(&self) -> Api {
        self.api()
    }

    fn sandbox(&self) -> Api {
        self.sandbox()
    }
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

async fn spawn(data: &Path, environment: &[(String, String)]) -> (Child, Ready) {
    let log = File::options().create(true).append(true).open(log_of(data)).expect("a log file");
    let mut process = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["demo", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"])
        .args(["--operations-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the gateway binary starts");
    let stdout = process.stdout.take().expect("stdout is piped");
    let mut lines = BufReader::new(stdout).lines();
    let first = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
    let Ok(Ok(Some(line))) = first else {
        let log = std::fs::read_to_string(log_of(data)).unwrap_or_default();
        panic!("the demo did not get ready: {first:?}\n{log}");
    };
    let json = line.strip_prefix("ready ").unwrap_or_else(|| panic!("not the ready line: {line}"));
    let ready = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {line}"));
    (process, ready)
}
