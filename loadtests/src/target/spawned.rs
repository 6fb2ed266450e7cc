//! Processes and a folder that exist for one measurement.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::Ready;
use super::gateway::{Program, Settings, free_port, store_url};
use super::pretend::Serving;
use crate::api::{self, Api};
use crate::loopback;
use crate::options;
use crate::process::Watched;
use crate::report::tell;

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Spawned {
    pub gateway: String,
    pub sandbox: String,
    pub api_key: String,
    pub app_secret: String,
    /// Killed when this is dropped, before the folder goes.
    children: Vec<(&'static str, Child)>,
    _folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(std::path::PathBuf),
}

impl Folder {
    fn new(keep: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gateway-load.").tempdir()?;
        if !keep {
            return Ok(Self::Temporary(folder));
        }
        let path = folder.keep();
        tell(&format!("database and logs are in {}", path.display()));
        Ok(Self::Kept(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    /// The end of a log, for an error.
    fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path().join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Spawned {
    /// `gateway serve` with the sandbox in a process of its own.
    pub async fn serve(options: &options::Target) -> Result<Self> {
        let folder = Folder::new(options.keep)?;
        let program = Program::new(&options.gateway_bin, &options.setting)?;
        let (app_secret, verify_token) = (random("app")?, random("verify")?);
        let (pretend, sandbox) = start_sandbox(&app_secret, &verify_token, &folder).await?;

        let store_url = store_url(options.store_url.as_deref(), folder.path())?;
        let keys = folder.path().join("master.keys");
        write_private(&keys, &program.answer(&["keys", "new"]).await?)?;
        let settings = Settings {
            listen: free_port()?,
            operations: free_port()?,
            store_url: &store_url,
            master_keys_file: &keys,
            app_secret: &app_secret,
            verify_token: &verify_token,
            sandbox: &sandbox,
        };
        let file = folder.path().join("load.toml");
        write_private(&file, &settings.toml())?;
        let file = file.to_str().context("the temporary folder's name is not text")?;
        program.answer(&["migrate", "--config", file]).await?;
        let api_key = program.answer(&["api-key", "new", "--config", file]).await?;
        ensure!(!api_key.is_empty() && !api_key.contains('\n'), "gateway api-key new printed no key");

        let mut serve = program.command(&["serve", "--config", file]);
        serve.stdout(Stdio::null()).stderr(log(&folder, "gateway.log")?);
        let mut child = serve.spawn().context("gateway serve")?;
        let operations = loopback::base(&format!("http://127.0.0.1:{}", settings.operations))?;
        wait_until_ready(&Api::new(api::client()?, operations, None), &mut child, &folder).await?;
        let gateway = settings.public_url();
        let sandbox_api = Api::new(api::client()?, loopback::base(&sandbox.base)?, None);
        introduce(&sandbox_api, &gateway).await?;
        let children = vec![("gateway", child), ("sandbox", pretend)];
        let spawned = Self { gateway, sandbox: sandbox.base, api_key, app_secret, children, _folder: folder };
        for process in spawned.watched() {
            tell(&format!("{} is process {}", process.name, process.pid));
        }
        Ok(spawned)
    }

    pub async fn demo(options: &options::Target) -> Result<(Self, Ready, u32)> {
        let folder = Folder::new(options.keep)?;
        let program = Program::new(&options.gateway_bin, &options.setting)?;
        let data = folder.path().join("data");
        let data = data.to_str().context("the temporary folder's name is not text")?;
        let any = "127.0.0.1:0";
        let mut demo =
            program.command(&["demo", "--listen", any, "--sandbox-listen", any, "--operations-listen", any]);
        demo.args(["--data-dir", data]);
        demo.stdout(Stdio::piped()).stderr(log(&folder, "gateway.log")?);
        let mut child = demo.spawn().context("gateway demo")?;
        let line = first_line(&mut child).await.with_context(|| folder.log("gateway.log"))?;
        let ready = Ready::find(&line).context("gateway demo printed something other than its ready line")?;
        let pid = child.id().context("gateway demo has ended")?;
        tell(&format!("gateway and sandbox are process {pid}"));
        let spawned = Self {
            gateway: ready.gateway.clone(),
            sandbox: ready.sandbox.clone(),
            api_key: ready.api_key.clone(),
            app_secret: String::new(),
            children: vec![("gateway", child)],
            _folder: folder,
        };
        Ok((spawned, ready, pid))
    }

    /// By their ids, one after the other; the folder goes when the last is gone.
    pub async fn stop(mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill().await;
        }
    }

    pub fn watched(&self) -> Vec<Watched> {
        let running =
            self.children.iter().filter_map(|(name, child)| Some(Watched { name, pid: child.id()? }));
        running.collect()
    }
}

/// Guards a sandbox for some minutes; unique, so that nothing of another run is believed.
fn random(kind: &str) -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(format!("{kind}-{}", hex::encode(bytes)))
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn log(folder: &Folder, name: &str) -> Result<Stdio> {
    Ok(File::create(folder.path().join(name))?.into())
}

/// This same program, as the sandbox; it ends when its standard input does.
async fn start_sandbox(app_secret: &str, verify_token: &str, folder: &Folder) -> Result<(Child, Serving)> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("sandbox")
        .env("LOADTESTS_APP_SECRET", app_secret)
        .env("LOADTESTS_VERIFY_TOKEN", verify_token);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log(folder, "sandbox.log")?);
    let mut child = command.kill_on_drop(true).spawn().context("the sandbox")?;
    let line = first_line(&mut child).await.with_context(|| folder.log("sandbox.log"))?;
    Ok((child, serde_json::from_str(&line)?))
}

async fn first_line(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(output).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.context("nothing was printed in time")??;
    line.context("it ended without a word")
}

async fn wait_until_ready(operations: &Api, child: &mut Child, folder: &Folder) -> Result<()> {
    let start = Instant::now();
    while operations.get("readyz").await.is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("gateway serve ended with {status}:\n{}", folder.log("gateway.log"));
        }
        ensure!(start.elapsed() < PATIENCE, "gateway serve is not ready:\n{}", folder.log("gateway.log"));
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Tells the sandbox where webhooks go, and waits for the handshake.
async fn introduce(sandbox: &Api, gateway: &str) -> Result<()> {
    sandbox.put("control/app", &json!({"callback_url": format!("{gateway}/webhooks/meta")})).await?;
    let start = Instant::now();
    loop {
        let state = sandbox.get("control/state").await?;
        if state["app"]["callback"]["verified"] == Value::Bool(true) {
            return Ok(());
        }
        let why = &state["app"]["callback"]["last_error"];
        ensure!(start.elapsed() < PATIENCE, "the gateway does not answer the webhook handshake: {why}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (random("app").unwrap(), random("app").unwrap());
        assert!(one.len() >= 24 && one != other);
    }
}
