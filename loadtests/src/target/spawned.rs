//! Processes and a folder that exist for one measurement.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::{Duration, timeout};

use super::Ready;
use super::gateway::Program;
use super::serve::Again;
use crate::options;
use crate::process::Watched;
use crate::report::tell;

pub const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Spawned {
    pub gateway: String,
    pub sandbox: String,
    pub api_key: String,
    pub app_secret: String,
    /// Killed when this is dropped, before the folder goes.
    pub children: Vec<(&'static str, Child)>,
    /// Of a gateway that can be started again.
    pub again: Option<Again>,
    pub folder: Folder,
}

#[derive(Debug)]
pub enum Folder {
    Temporary(TempDir),
    Kept(std::path::PathBuf),
}

impl Folder {
    pub fn new(keep: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gateway-load.").tempdir()?;
        if !keep {
            return Ok(Self::Temporary(folder));
        }
        let path = folder.keep();
        tell(&format!("database and logs are in {}", path.display()));
        Ok(Self::Kept(path))
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    /// The end of a log, for an error.
    pub fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path().join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Spawned {
    pub async fn demo(options: &options::Target) -> Result<(Self, Ready, u32)> {
        let options = &options.gateway;
        let folder = Folder::new(options.keep)?;
        let program = Program::new(&options.program, &options.setting)?;
        let data = folder.path().join("data");
        let data = data.to_str().context("the temporary folder's name is not text")?;
        let any = "127.0.0.1:0";
        let mut demo = program
            .command(&["demo", "--listen", any, "--sandbox-listen", any, "--operations-listen", any], &[]);
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
            again: None,
            folder,
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
pub fn random(kind: &str) -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(format!("{kind}-{}", hex::encode(bytes)))
}

pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

pub fn log(folder: &Folder, name: &str) -> Result<Stdio> {
    // Appended to, so that what was said before a restart stays.
    let file = OpenOptions::new().append(true).create(true).open(folder.path().join(name))?;
    Ok(file.into())
}

pub async fn first_line(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(output).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.context("nothing was printed in time")??;
    line.context("it ended without a word")
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
