//! The gateway's program: its settings for load, its subcommands, its start. The one place that knows their names.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use url::Url;

use super::pretend::Serving;
use super::serve::Chosen;
use crate::loopback;

#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    /// `NAME=VALUE`, from the command line.
    pub settings: Vec<(String, String)>,
}

/// What the file of settings says. Every secret in it was made for this one run.
#[derive(Debug)]
pub struct Settings<'a> {
    pub listen: u16,
    pub operations: u16,
    pub store_url: &'a str,
    pub master_keys_file: &'a Path,
    pub app_secret: &'a str,
    pub verify_token: &'a str,
    pub sandbox: &'a Serving,
}

/// Messages a second that one number sends at most. As shipped it is [`NUMBER_PER_SECOND`].
pub const LIMIT: &str = "GATEWAY__ACTORS__LIMITER__MESSAGES_PER_SECOND";
pub const NUMBER_PER_SECOND: u32 = 80;
/// Seconds without work after which a connection leaves memory.
pub const IDLE_AFTER: &str = "GATEWAY__ACTORS__IDLE_AFTER_S";

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

impl Settings<'_> {
    pub fn toml(&self) -> String {
        let Self { listen, operations, store_url, master_keys_file, app_secret, verify_token, sandbox } =
            self;
        let Serving { base, public, graph, sdk, app_id, config_id } = sandbox;
        let media = master_keys_file.with_file_name("media");
        let (master_keys_file, media) = (master_keys_file.display(), media.display());
        format!(
            r#"[server]
listen = "127.0.0.1:{listen}"
public_url = "http://127.0.0.1:{listen}"

[operations]
listen = "127.0.0.1:{operations}"

[store]
url = "{store_url}"

[vault]
master_keys_file = "{master_keys_file}"

[media]
folder = "{media}"

[endpoints]
allow_private_addresses = true

[meta]
graph_url = "{graph}"
sdk_url = "{sdk}"
dialog_url = "{public}"
message_origins = ["{public}"]
allowed_bases = ["{base}", "{public}"]

[meta.apps.default]
id = "{app_id}"
secret = "{app_secret}"
config_id = "{config_id}"
verify_token = "{verify_token}"
"#
        )
    }
}

impl Program {
    pub fn new(path: &Path, settings: &[String]) -> Result<Self> {
        let path = path.canonicalize().with_context(|| {
            format!("{} is missing: cargo build --release --locked --package gateway", path.display())
        })?;
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').with_context(|| format!("{text} is not NAME=VALUE"))?;
            ensure!(name.starts_with("GATEWAY__"), "{name} is not a setting: they begin with GATEWAY__");
            // Where it listens and what it calls decide that load stays on this machine.
            let fixed = ["SERVER__LISTEN", "SERVER__PUBLIC_URL", "STORE__URL", "META__", "OPERATIONS__"];
            let is_fixed = fixed.iter().any(|fixed| name["GATEWAY__".len()..].starts_with(fixed));
            ensure!(!is_fixed, "{name} is chosen by the load test");
            Ok((name.to_owned(), value.to_owned()))
        };
        Ok(Self { path, settings: settings.iter().map(pair).collect::<Result<_>>()? })
    }

    /// Nothing of our own environment reaches it, apart from what programs need to run.
    pub fn command(&self, arguments: &[&str], chosen: Chosen<'_>) -> Command {
        let mut command = Command::new("setpriv");
        // The kernel ends it when this process dies, however that happens.
        command.arg("--pdeathsig=KILL").arg(&self.path).args(arguments);
        command.env_clear().kill_on_drop(true).stdin(Stdio::null());
        for name in ["PATH", "RUST_LOG", "RUST_BACKTRACE", "SSL_CERT_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(chosen.iter().map(|(name, value)| (name, value)));
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a subcommand to its end and answers what it printed.
    pub async fn answer(&self, arguments: &[&str]) -> Result<String> {
        let output =
            self.command(arguments, &[]).output().await.context("setpriv (util-linux) does not start")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "gateway {} failed:\n{complaint}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// The database to use: given, on this machine, or a file in the folder.
pub fn store_url(given: Option<&str>, folder: &Path) -> Result<String> {
    let Some(given) = given else { return Ok(format!("sqlite://{}", folder.join("gateway.db").display())) };
    let url = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    // The address may hold a password and is not repeated.
    let url = url.context("--store-url is not a postgres:// address")?;
    loopback::address(&url).context("--store-url")?;
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_could_send_load_elsewhere_are_refused() {
        let program = std::env::current_exe().unwrap();
        let with = |setting: &str| Program::new(&program, &[setting.to_owned()]);
        assert!(with("GATEWAY__ACTORS__POSTS_IN_FLIGHT=64").is_ok());
        for wrong in ["PATH=/tmp", "GATEWAY__META__GRAPH_URL=https://graph.facebook.com", "GATEWAY__X"] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_database_elsewhere_is_refused_without_repeating_its_password() {
        let folder = Path::new("/tmp/load");
        assert_eq!(store_url(None, folder).unwrap(), "sqlite:///tmp/load/gateway.db");
        assert!(store_url(Some("postgres://gateway@127.0.0.1:5432/load"), folder).is_ok());
        for wrong in ["postgres://u:planted@db.example/load", "mysql://u:planted@127.0.0.1/load"] {
            let error = format!("{:#}", store_url(Some(wrong), folder).unwrap_err());
            assert!(!error.contains("planted"), "{error}");
        }
    }
}
