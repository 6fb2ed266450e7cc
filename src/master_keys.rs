//! `gateway keys`: makes, lists and rotates master keys.
//!
//! Rotation has two steps, since a running gateway holds the ring it was started with. `keys rotate` adds a key and
//! makes it the active one; after a restart of every gateway, `keys rotate --rewrap` moves all data keys under it. Then
//! the old key may be taken out of the file. No sealed value changes.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use vault::{KeyRing, Vault};

use crate::app::open_store;
use crate::cli::{Files, print};
use crate::settings::Settings;

/// Data keys rewrapped at a time.
const AT_ONCE: u32 = 200;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a ring with one new key and print it, or write it to a new file that only its owner can read
    New {
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// List the ids of the keys, the active one first
    List(Files),
    /// Add a key and make it the active one; then, after a restart, move every data key under it
    Rotate {
        /// The second step: move every data key under the active master key
        #[arg(long)]
        rewrap: bool,
        #[command(flatten)]
        files: Files,
    },
}

impl Command {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New { file: Some(path) } => Ok(KeyRing::generate()?.write_new_file(&path)?),
            Self::New { file: None } => print(&KeyRing::generate()?.to_text()),
            Self::List(files) => list(&files),
            Self::Rotate { rewrap: false, files } => add(&files.load()?.settings),
            Self::Rotate { rewrap: true, files } => rewrap(&files.load()?.settings).await,
        }
    }
}

fn ring(settings: &Settings) -> anyhow::Result<KeyRing> {
    settings.vault.key_ring().map_err(|wrong| anyhow::Error::msg(wrong.to_string()))
}

fn list(files: &Files) -> anyhow::Result<()> {
    let ring = ring(&files.load()?.settings)?;
    let lines: Vec<_> = ring
        .ids()
        .map(|id| if id == ring.active() { format!("{id} active\n") } else { format!("{id}\n") })
        .collect();
    print(&lines.concat())
}

fn add(settings: &Settings) -> anyhow::Result<()> {
    let path = settings.vault.master_keys_file.as_ref().context(
        "the master keys are not in a file: put a new one from `gateway keys new` in front of them by hand",
    )?;
    let mut ring = ring(settings)?;
    let id = ring.rotate()?.to_owned();
    ring.replace_file(path)?;
    print(&format!("{id} is active: restart every gateway, then run `gateway keys rotate --rewrap`\n"))
}

async fn rewrap(settings: &Settings) -> anyhow::Result<()> {
    let vault = Vault::new(ring(settings)?);
    let store = open_store(settings, false).await?;
    let mut moved = 0;
    loop {
        let keys = store.data_keys_not_under(vault.active_master_key(), AT_ONCE).await?;
        if keys.is_empty() {
            break;
        }
        for (owner, wrapped) in keys {
            if let Some(rewrapped) = vault.rewrap(owner, &wrapped)? {
                store.rewrap_data_key(owner, &rewrapped).await?;
                moved += 1;
            }
        }
    }
    print(&format!("{moved} data keys moved under {}\n", vault.active_master_key()))
}
