//! Fills an empty database with connected businesses, for load tests: onboarding a hundred thousand of them one by one
//! would take hours. It writes what onboarding writes, through the store's own calls, and takes the numbers and tokens
//! from a sandbox that serves. A program of the tree and not of the image.
//!
//! `SEED_STORE_URL=… cargo run --example seed -- --master-keys FILE --sandbox http://127.0.0.1:8090 --count 100000`
//!
//! Prints one line of JSON for each connection.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::Parser;
use domain::business::NewBusiness;
use domain::clock::Clock;
use domain::contracts::store::{Credential, Store};
use domain::ids::{AccountKey, ConnectionId, Ids};
use domain::{Connection, ConnectionStatus, ProviderName, connection::Sending};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gateway_actors::{SystemClock, column};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use vault::{Context as Place, KeyRing, Vault};

/// Numbers asked of the sandbox at once.
const PAGE: u32 = 5_000;
/// Businesses being written at once. SQLite writes them one by one, Postgres commits many together.
const AT_ONCE: usize = 32;

#[derive(Debug, Parser)]
struct Options {
    /// Database, migrated and without businesses of the sandbox
    #[arg(long, env = "SEED_STORE_URL", hide_env_values = true)]
    store_url: String,
    /// The master keys that the gateway will have
    #[arg(long)]
    master_keys: PathBuf,
    /// Where the sandbox serves
    #[arg(long)]
    sandbox: Url,
    /// Businesses, each with one number
    #[arg(long)]
    count: u32,
    /// The account whose API keys may act for them
    #[arg(long, default_value = "default")]
    account: String,
}

#[derive(Debug, Deserialize)]
struct Numbers {
    data: Vec<Number>,
}

/// A number that the sandbox knows as connected.
#[derive(Debug, Deserialize)]
struct Number {
    waba_id: String,
    phone_number_id: String,
    #[serde(rename = "display_phone_number")]
    shown: String,
    verified_name: String,
    access_token: String,
}

struct Seeder {
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    ids: Ids,
    account: AccountKey,
    app_id: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let app: Value = client.get(options.sandbox.join("control/app")?).send().await?.json().await?;
    let config = store::Config {
        write_connections: u32::try_from(AT_ONCE)?,
        acquire_timeout_ms: 60_000,
        ..store::Config::with_url(unsynced(&options.store_url)?)
    };
    let store = store::open(&config).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let seeder = Seeder {
        account: store.ensure_account(&options.account, clock.now()).await?,
        store,
        vault: Vault::new(KeyRing::from_file(&options.master_keys)?),
        ids: Ids::new(Arc::clone(&clock)),
        clock,
        app_id: app["id"].as_str().context("the sandbox does not say which app it is")?.to_owned(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for first in (0..options.count).step_by(PAGE as usize) {
        let asked = json!({"first": first, "count": PAGE.min(options.count - first)});
        let request = client.post(options.sandbox.join("control/numbers")?).json(&asked);
        let Numbers { data } = request.send().await?.error_for_status()?.json().await?;
        let written = stream::iter(data.iter().map(|number| seeder.write(number))).buffered(AT_ONCE);
        for line in written.try_collect::<Vec<_>>().await? {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The same server, where no commit waits for its disk: what a crash loses is seeded again.
fn unsynced(store_url: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(store_url).map_err(|_| anyhow!("--store-url is not a URL"))?;
    if url.scheme() != "sqlite" {
        url.query_pairs_mut().append_pair("options", "-c synchronous_commit=off");
    }
    Ok(url.into())
}

impl Seeder {
    async fn write(&self, number: &Number) -> anyhow::Result<Value> {
        let now = self.clock.now();
        let Number { waba_id, phone_number_id, verified_name, .. } = number;
        let reference = format!("seed-{phone_number_id}").parse()?;
        let new = NewBusiness { name: Some(verified_name.clone()), ..NewBusiness::unnamed(reference, "sw") };
        let (business, is_new) = self.store.ensure_business(self.account, &new, now).await?;
        if !is_new {
            bail!("{} is there already: seed an empty database", business.reference);
        }
        let (key, wrapped) = self.vault.new_data_key(business.key, 1)?;
        self.store.insert_data_key(business.key, &wrapped).await?;
        let id = ConnectionId::from_uuid(self.ids.next());
        let place = Place { owner: business.key, row: id.uuid(), column: column::ACCESS_TOKEN };
        let connection = Connection {
            id,
            business: business.key,
            business_reference: business.reference,
            account: self.account,
            partition: business.partition,
            provider: ProviderName::Meta,
            status: ConnectionStatus::Connected,
            reason: None,
            graph_id: Some(phone_number_id.clone()),
            waba_id: Some(waba_id.clone()),
            phone_number: Some(number.shown.replace(' ', "")),
            verified_name: Some(verified_name.clone()),
            quality_rating: None,
            sending: Sending::default(),
            created_at: now,
            updated_at: now,
        };
        let credential = Credential {
            connection: id,
            waba_id: waba_id.clone(),
            phone_number_id: Some(phone_number_id.clone()),
            app_id: self.app_id.clone(),
            provider: ProviderName::Meta,
            access_token: vault::seal(&key, &place, number.access_token.as_bytes())?,
            pin: None,
            token_expires_at: None,
            scopes: ["whatsapp_business_management", "whatsapp_business_messaging"]
                .map(str::to_owned)
                .to_vec(),
        };
        self.store.save_connection(&connection, Some(&credential)).await?;
        Ok(json!({"connection_id": id, "phone_number_id": phone_number_id, "waba_id": waba_id}))
    }
}
