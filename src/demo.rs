//! `gateway demo`: gateway and sandbox in one process, on SQLite, with one business connected.
//!
//! Everything it needs it makes at its first start, in its data folder, which is its owner's alone: the master key,
//! the API key, the sandbox's secrets. Started again on the same folder it is the same gateway, whatever ended it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::business::NewBusiness;
use domain::connection::{Connection, ConnectionStatus, ProviderName};
use domain::contracts::api_keys::ApiKey;
use domain::contracts::store::Credential;
use domain::ids::{ApiKeyId, BusinessRef, ConnectionId};
use fs4::fs_std::FileExt as _;
use gateway_actors::column;
use sandbox::{Connected, Running, Sandbox};
use serde::Serialize;
use url::Url;
use vault::KeyRing;
use zeroize::Zeroizing;

use crate::app::App;
use crate::http::auth::{ALL_SCOPES, KEY_PREFIX};
use crate::http::bind;
use crate::http::state::AppState;
use crate::random_token::{RandomToken, digest};
use crate::settings::Settings;
use crate::telemetry;

/// Account and business of the demo.
const NAME: &str = "demo";

/// What the demo wants otherwise than the defaults; the environment can still change it.
const WISHES: &str = r#"
[actors]
ambiguous_settle_s = 5
ambiguous_limit_s = 20
app_trouble_grace_s = 1
service_window = false

[meta]
timeout_seconds = 4
connect_timeout_seconds = 2

[endpoints]
allow_private_addresses = true

[telemetry]
format = "pretty"
"#;

#[derive(Debug, Clone)]
pub struct Arguments {
    pub listen: SocketAddr,
    pub sandbox_listen: SocketAddr,
    pub operations_listen: SocketAddr,
    pub data_dir: PathBuf,
}

/// The one line on standard output.
#[derive(Serialize)]
struct Ready<'a> {
    gateway: String,
    sandbox: String,
    api_key: &'a str,
    business_id: &'a str,
    connection_id: ConnectionId,
    phone_number_id: &'a str,
    operations: String,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    for address in [arguments.listen, arguments.sandbox_listen, arguments.operations_listen] {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "{address} can be reached by others: the demo listens on loopback only"
        );
    }
    let data = &arguments.data_dir;
    // In its own folder, unless the environment names another database.
    let store = serde_json::to_string(&format!("sqlite://{}", data.join("gateway.db").display()))?;
    let media = serde_json::to_string(&data.join("media").display().to_string())?;
    let wishes = format!("{WISHES}\n[store]\nurl = {store}\n\n[media]\nfolder = {media}\n");
    let mut settings = Settings::load_with(&wishes, &[], std::env::vars())?.settings;
    telemetry::start_logging(&settings.telemetry);
    let _lock = claim(data)?;
    let (public, operations) = (bind(arguments.listen)?, bind(arguments.operations_listen)?);
    let public_url = format!("http://{}", public.local_addr()?);

    let sandbox = start_sandbox(arguments.sandbox_listen, data).await?;
    aim(&mut settings, &sandbox)?;
    settings.server.listen = public.local_addr()?;
    settings.server.migrate_at_start = true;
    let app = App::compose(&settings, master_keys(data)?, Url::parse(&public_url)?).await?;
    let api_key = api_key(&app.state, data).await?;
    let seeded = sandbox.seed_connected(0).await.context("the sandbox's business")?;
    let connection = connect(&app.state, &sandbox, &seeded).await?;

    let operations_url = format!("http://{}", operations.local_addr()?);
    let mut serving = app.serve(public, operations)?;
    sandbox
        .set_callback_url(&format!("{public_url}/webhooks/meta"))
        .await
        .context("the sandbox's callback")?;
    announce(&Ready {
        gateway: public_url,
        sandbox: format!("http://{}", sandbox.address()),
        api_key: &api_key,
        business_id: NAME,
        connection_id: connection,
        phone_number_id: &seeded.phone_number_id,
        operations: operations_url,
    })?;
    serving.until_the_end().await?;
    serving.stop().await;
    sandbox.stop().await;
    Ok(())
}

fn announce(ready: &Ready<'_>) -> anyhow::Result<()> {
    let line = format!("ready {}\n", serde_json::to_string(ready)?);
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

/// The folder is made when it is missing, and is ours until the lock is dropped.
fn claim(data: &Path) -> anyhow::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let mode = fs::metadata(data)?.mode() & 0o7777;
    anyhow::ensure!(
        !is_open_to_others(mode),
        "the data folder {} can be used by others than its owner (mode {mode:04o}): run chmod 700 on it",
        data.display()
    );
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(data.join("lock"))?;
    anyhow::ensure!(
        lock.try_lock_exclusive()?,
        "another demo runs on {}: stop it, or choose another folder with --data-dir",
        data.display()
    );
    Ok(lock)
}

const fn is_open_to_others(mode: u32) -> bool {
    mode & 0o077 != 0
}

async fn start_sandbox(listen: SocketAddr, data: &Path) -> anyhow::Result<Running> {
    let config =
        sandbox::Config { listen, data_dir: Some(data.join("sandbox")), ..sandbox::Config::default() };
    Sandbox::start(config).await.context("the sandbox does not start")
}

/// Points the provider at the sandbox, which is another site for browsers, as facebook.com is.
fn aim(settings: &mut Settings, sandbox: &Running) -> anyhow::Result<()> {
    let meta = &mut settings.meta;
    let pages = Url::parse(sandbox.base_url())?;
    meta.graph_url = Url::parse(&sandbox.graph_url())?;
    meta.sdk_url = Url::parse(&sandbox.sdk_url())?;
    meta.allowed_bases = vec![meta.graph_url.clone(), pages.clone()];
    meta.message_origins = vec![pages.origin().ascii_serialization()];
    meta.dialog_url = pages;
    let app = sandbox.app();
    let app = providers::meta::App {
        id: app.id,
        secret: app.secret.expose().into(),
        previous_secret: None,
        config_id: app.config_id,
        verify_token: app.verify_token.expose().into(),
    };
    meta.apps = [(providers::meta::DEFAULT_APP.to_owned(), app)].into();
    Ok(())
}

fn master_keys(data: &Path) -> anyhow::Result<KeyRing> {
    let path = data.join("master.keys");
    if !path.exists() {
        KeyRing::generate()?.write_new_file(&path)?;
    }
    Ok(KeyRing::from_file(&path)?)
}

/// The key of the folder, made at the first start; entered again should the database be a new one.
async fn api_key(state: &AppState, data: &Path) -> anyhow::Result<Zeroizing<String>> {
    let path = data.join("api.key");
    let text = if path.exists() {
        Zeroizing::new(fs::read_to_string(&path)?.trim().to_owned())
    } else {
        let key = RandomToken::with_prefix(KEY_PREFIX)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(key.expose().as_bytes())?;
        file.sync_all()?;
        Zeroizing::new(key.expose().to_owned())
    };
    let hash = digest(&text);
    if state.store.api_key_by_hash(&hash).await?.is_none() {
        let now = state.clock.now();
        let key = ApiKey {
            id: ApiKeyId::from_uuid(state.ids.next()),
            account: state.store.ensure_account(NAME, now).await?,
            label: NAME.to_owned(),
            scopes: vec![ALL_SCOPES.to_owned()],
            businesses: Vec::new(),
            waits: false,
            created_at: now,
            revoked_at: None,
        };
        state.store.insert_api_key(&key, &hash).await?;
    }
    Ok(text)
}

/// The business as it would stand after its owner went through the pages.
async fn connect(state: &AppState, sandbox: &Running, seeded: &Connected) -> anyhow::Result<ConnectionId> {
    let now = state.clock.now();
    let account = state.store.ensure_account(NAME, now).await?;
    let reference: BusinessRef = NAME.parse()?;
    let new = NewBusiness {
        name: Some(seeded.verified_name.clone()),
        ..NewBusiness::unnamed(reference, crate::http::api::businesses::USUAL_LOCALE)
    };
    let (business, _) = state.store.ensure_business(account, &new, now).await?;
    if let Some(known) = state.store.connection_by_graph_id(&seeded.phone_number_id).await? {
        return Ok(known.id);
    }
    let id = ConnectionId::from_uuid(state.ids.next());
    let seal = |column, text: String| async move {
        state.gateway.keychain().seal(business.key, id.uuid(), column, text.as_bytes()).await
    };
    let connection = Connection {
        id,
        business: business.key,
        business_reference: business.reference,
        account,
        partition: business.partition,
        provider: ProviderName::Meta,
        status: ConnectionStatus::Connected,
        reason: None,
        graph_id: Some(seeded.phone_number_id.clone()),
        waba_id: Some(seeded.waba_id.clone()),
        phone_number: Some(seeded.display_phone_number.replace(' ', "")),
        verified_name: Some(seeded.verified_name.clone()),
        quality_rating: None,
        sending: domain::connection::Sending::default(),
        created_at: now,
        updated_at: now,
    };
    let credential = Credential {
        connection: id,
        waba_id: seeded.waba_id.clone(),
        phone_number_id: Some(seeded.phone_number_id.clone()),
        app_id: sandbox.app().id,
        provider: ProviderName::Meta,
        access_token: seal(column::ACCESS_TOKEN, seeded.access_token.expose().to_owned()).await?,
        pin: Some(seal(column::PIN, seeded.pin.expose().to_owned()).await?),
        token_expires_at: None,
        scopes: ["whatsapp_business_management", "whatsapp_business_messaging"].map(str::to_owned).to_vec(),
    };
    state.store.save_connection(&connection, Some(&credential)).await?;
    state.gateway.connection_saved(&connection).await;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_has_one_demo_and_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("a/data");
        let lock = claim(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(claim(&data).unwrap_err().to_string().contains("another demo"));
        drop(lock);
        assert!(claim(&data).is_ok());
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(claim(&data).unwrap_err().to_string().contains("chmod 700"));
    }

    #[test]
    fn the_same_folder_has_the_same_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = master_keys(folder.path()).unwrap().active().to_owned();
        assert_eq!(master_keys(folder.path()).unwrap().active(), first);
    }
}
