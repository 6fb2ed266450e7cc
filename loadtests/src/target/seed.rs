//! Has a database filled with connected businesses, by a program that writes what onboarding writes.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::Number;
use super::gateway::store_url;
use crate::options;

/// Where the database is while it is being filled.
#[derive(Debug)]
pub enum Site {
    /// A server's: where it stays.
    Server(String),
    /// A file in a folder of its own, to be moved to where the gateway will look for it.
    Staged(TempDir),
}

impl Site {
    pub fn choose(seed: &options::Seed, given: Option<&str>, folder: &Path) -> Result<Self> {
        if given.is_some() {
            return Ok(Self::Server(store_url(given, folder)?));
        }
        let staged = tempfile::Builder::new().prefix("gateway-load.").tempdir_in(&seed.staging);
        staged.map(Self::Staged).with_context(|| format!("--seed-folder {}", seed.staging.display()))
    }

    pub fn url(&self) -> Result<String> {
        match self {
            Self::Server(url) => Ok(url.clone()),
            Self::Staged(staged) => store_url(None, staged.path()),
        }
    }

    /// To the disk, once every program has closed it. What is not in the file yet stands in its log.
    pub fn settle(self, folder: &Path) -> Result<()> {
        let Self::Staged(staged) = self else { return Ok(()) };
        for entry in fs::read_dir(staged.path())? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// Fills it. Answers the numbers, in the order of the sandbox's.
pub async fn fill(
    program: &Path,
    count: u32,
    store_url: &str,
    master_keys: &Path,
    sandbox: &str,
) -> Result<Vec<Number>> {
    let program = program.canonicalize().with_context(|| {
        format!("{} is missing: cargo build --locked --package gateway --example seed", program.display())
    })?;
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(&program).args(["--sandbox", sandbox, "--count", &count.to_string()]);
    command.arg("--master-keys").arg(master_keys).env_clear().env("SEED_STORE_URL", store_url);
    let output = command.kill_on_drop(true).stdin(Stdio::null()).output().await?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed:\n{complaint}", program.display());
    let numbers = std::str::from_utf8(&output.stdout)?.lines().map(number_of).collect::<Result<Vec<_>>>()?;
    ensure!(numbers.len() == count as usize, "{} of {count} businesses were seeded", numbers.len());
    Ok(numbers)
}

fn number_of(line: &str) -> Result<Number> {
    let members: Value = serde_json::from_str(line)?;
    let text = |name: &str| {
        members[name].as_str().map(str::to_owned).with_context(|| format!("a seeded number without {name}"))
    };
    Ok(Number {
        connection_id: text("connection_id")?,
        phone_number_id: text("phone_number_id")?,
        waba_id: text("waba_id")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_filled_elsewhere_and_moved_with_its_log() {
        let (staging, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seed = options::Seed { seeder: "seed".into(), staging: staging.path().to_owned() };
        let site = Site::choose(&seed, None, folder.path()).unwrap();
        let url = site.url().unwrap();
        let file = url.strip_prefix("sqlite://").unwrap().to_owned();
        assert!(file.starts_with(staging.path().to_str().unwrap()), "{url}");
        for end in ["", "-wal", "-shm"] {
            fs::write(format!("{file}{end}"), "x").unwrap();
        }
        site.settle(folder.path()).unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there("gateway.db") && there("gateway.db-wal") && !there("gateway.db-shm"));
        assert!(!Path::new(&file).exists());
    }

    #[test]
    fn a_server_is_filled_where_it_is() {
        let seed = options::Seed { seeder: "seed".into(), staging: "/nowhere".into() };
        let url = "postgres://gateway@127.0.0.1:5432/load";
        let site = Site::choose(&seed, Some(url), Path::new("/tmp")).unwrap();
        assert_eq!(site.url().unwrap(), url);
        assert!(Site::choose(&seed, None, Path::new("/tmp")).is_err());
    }

    #[test]
    fn a_line_names_a_number() {
        let line = r#"{"connection_id":"con_1","phone_number_id":"64","waba_id":"63"}"#;
        let number = number_of(line).unwrap();
        assert_eq!((number.connection_id.as_str(), number.waba_id.as_str()), ("con_1", "63"));
        assert!(number_of("{}").is_err());
    }
}
