//! `gateway api-key`: makes, lists and revokes keys of the API. A key is shown once; its digest is what is kept.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use domain::clock::Clock;
use domain::contracts::api_keys::ApiKey;
use domain::ids::{ApiKeyId, BusinessRef, Ids};
use gateway_actors::SystemClock;

use crate::app::open_store;
use crate::cli::{Files, print};
use crate::http::auth::{ALL_SCOPES, KEY_PREFIX, SCOPES};
use crate::random_token::RandomToken;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and print it, once
    New(New),
    /// List keys, without the keys themselves
    List(Files),
    /// Refuse a key from now on
    Revoke {
        id: ApiKeyId,
        #[command(flatten)]
        files: Files,
    },
}

#[derive(Debug, Args)]
pub struct New {
    /// Whose key it is; made when it does not exist
    #[arg(long, default_value = "default")]
    account: String,
    /// To recognise it by
    #[arg(long, default_value = "")]
    label: String,
    /// What it may do, such as messages:write; everything when absent. May be given again
    #[arg(long = "scope", value_parser = scope)]
    scopes: Vec<String>,
    /// For which businesses it may act; all when absent. May be given again
    #[arg(long = "business")]
    businesses: Vec<BusinessRef>,
    /// When sends at the Graph door are answered, unless a call says otherwise: when they are durable, or when the
    /// provider has answered
    #[arg(long, value_enum, default_value_t = Wait::Accepted)]
    wait: Wait,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    Accepted,
    Sent,
}

fn scope(word: &str) -> Result<String, String> {
    if word == ALL_SCOPES || SCOPES.contains(&word) {
        Ok(word.to_owned())
    } else {
        Err(format!("there are {}, and {ALL_SCOPES} for all", SCOPES.join(", ")))
    }
}

impl Command {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(new) => new.run().await,
            Self::List(files) => list(&files).await,
            Self::Revoke { id, files } => {
                let store = open_store(&files.load()?.settings, false).await?;
                anyhow::ensure!(
                    store.revoke_api_key(id, SystemClock.now()).await?,
                    "there is no API key {id}, or it is revoked already"
                );
                print(&format!("{id} is revoked\n"))
            }
        }
    }
}

impl New {
    async fn run(self) -> anyhow::Result<()> {
        let store = open_store(&self.files.load()?.settings, false).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = clock.now();
        let secret = RandomToken::with_prefix(KEY_PREFIX)?;
        let scopes = if self.scopes.is_empty() { vec![ALL_SCOPES.to_owned()] } else { self.scopes };
        let key = ApiKey {
            id: ApiKeyId::from_uuid(Ids::new(clock).next()),
            account: store.ensure_account(&self.account, now).await?,
            label: self.label,
            scopes,
            businesses: self.businesses,
            waits: self.wait == Wait::Sent,
            created_at: now,
            revoked_at: None,
        };
        store.insert_api_key(&key, &secret.digest()).await?;
        print(&format!("{}\n", secret.expose()))
    }
}

async fn list(files: &Files) -> anyhow::Result<()> {
    let store = open_store(&files.load()?.settings, false).await?;
    let mut text = String::new();
    for key in store.api_keys().await? {
        let businesses: Vec<_> = key.businesses.iter().map(BusinessRef::as_str).collect();
        let businesses = if businesses.is_empty() { "all".to_owned() } else { businesses.join(",") };
        let waits = if key.waits { " wait=sent" } else { "" };
        let revoked = key.revoked_at.map(|at| format!(" revoked={at}")).unwrap_or_default();
        writeln!(
            text,
            "{} label={:?} scopes={} businesses={businesses}{waits} created={}{revoked}",
            key.id,
            key.label,
            key.scopes.join(","),
            key.created_at,
        )?;
    }
    print(&text)
}
