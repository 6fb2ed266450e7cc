//! The settings that a process of the gateway is started with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sandbox::{AppCredentials, Running};

use crate::line::Line;
use crate::plan::Timers;

/// What every process of a run is told.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) folder: PathBuf,
    public: SocketAddr,
    pages: String,
    app: AppCredentials,
    store_url: String,
    timers: Timers,
}

/// What differs from process to process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) listen: u16,
    pub(super) operations: u16,
    /// The way to the platform.
    pub(super) uplink: SocketAddr,
    /// How large the database may grow, in MB; SQLite only.
    pub(super) room_mb: Option<u64>,
}

impl Common {
    pub(super) fn of(
        timers: Timers,
        front: &Line,
        sandbox: &Running,
        store_url: &str,
        folder: &Path,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            public: front.address,
            pages: sandbox.base_url().to_owned(),
            app: sandbox.app(),
            store_url: store_url.to_owned(),
            timers,
        }
    }

    pub(super) fn master_keys(&self) -> PathBuf {
        self.folder.join("master.keys")
    }

    pub(super) fn toml(&self, own: Own) -> String {
        let Self { public, pages, app, store_url, timers, .. } = self;
        let Own { listen, operations, uplink, room_mb } = own;
        let Timers { settle_s, limit_s } = timers;
        let (id, config_id) = (&app.id, &app.config_id);
        let (secret, verify_token) = (app.secret.expose(), app.verify_token.expose());
        let keys = self.master_keys();
        let room = room_mb.map(|mb| format!("max_size_mb = {mb}\n")).unwrap_or_default();
        format!(
            r#"[server]
listen = "127.0.0.1:{listen}"
public_url = "http://{public}"
shutdown_s = 4
migrate_at_start = false

[operations]
listen = "127.0.0.1:{operations}"

[store]
url = "{store_url}"
acquire_timeout_ms = 2000
{room}
[vault]
master_keys_file = "{keys}"

[media]
folder = "{media}"

[endpoints]
allow_private_addresses = true
timeout_s = 2

[actors]
ambiguous_settle_s = {settle_s}
ambiguous_limit_s = {limit_s}
sweep_s = 1

[actors.deliveries]
retry_s = [1, 2, 4, 8]
probe_s = [1, 2, 4, 300]

[meta]
graph_url = "http://{uplink}/graph"
sdk_url = "{pages}/sdk.js"
dialog_url = "{pages}"
message_origins = ["{pages}"]
allowed_bases = ["http://{uplink}", "{pages}"]
timeout_seconds = {timeout}
connect_timeout_seconds = 1

[meta.apps.default]
id = "{id}"
secret = "{secret}"
config_id = "{config_id}"
verify_token = "{verify_token}"
"#,
            keys = keys.display(),
            media = self.folder.join("media").display(),
            timeout = PROVIDER_TIMEOUT_S,
        )
    }
}

/// After so long a post is given up.
pub(crate) const PROVIDER_TIMEOUT_S: u64 = 2;
