//! What the pretend platform is told at start. Most of it has a default that suits the demo.

use crate::{Limits, Secret};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes any free port; [`crate::Running::address`] tells which.
    pub listen: SocketAddr,
    /// Refuse to start on an address that other machines can reach: the control endpoints have no password.
    pub loopback_only: bool,
    /// How browsers and clients reach the sandbox. Default: `http://localhost:<port>`, on purpose another
    /// site than a gateway on 127.0.0.1, as facebook.com is another site than ours.
    pub public_url: Option<String>,
    /// Threads that answer HTTP.
    pub workers: usize,
    /// Where the journal lives. `None` keeps everything in memory.
    pub data_dir: Option<PathBuf>,
    /// Sync the journal to disk before answering. Off, a power cut may lose the last moments; a killed process does not.
    pub journal_sync: bool,
    /// How many requests `/control/sent` remembers before it forgets the oldest.
    pub sent_limit: usize,
    /// How many POSTs of webhooks `/control/webhooks` remembers. 0: none.
    pub posted_limit: usize,
    /// Create the portfolio "Duka la Asha", whose numbers the login dialog offers.
    pub sample_businesses: bool,
    /// Makes duplicates, drops and reorderings repeatable.
    pub seed: Option<u64>,
    /// When `sent`, `delivered` and `read` follow an accepted message, in milliseconds.
    pub status_delays_ms: [u64; 3],
    pub app: App,
    pub limits: Limits,
    pub delivery: Delivery,
}

/// The Meta app that the gateway is registered as.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    pub id: String,
    /// `None` makes a random one, kept in the journal; read it with [`crate::Running::app`].
    pub secret: Option<Secret>,
    /// The login configuration that the dialog accepts.
    pub config_id: String,
    /// Sent in the webhook handshake. `None` makes a random one, kept in the journal.
    pub verify_token: Option<Secret>,
    /// Where webhooks go. May be set later, and is then remembered in the journal.
    pub callback_url: Option<String>,
    /// Meta's setting "Require app secret": every call needs `appsecret_proof`.
    pub require_secret: bool,
    /// Hosts that may open the dialog, like Meta's list of allowed domains. Empty means any loopback host.
    pub allowed_domains: Vec<String>,
    /// How long tokens from the dialog live, in days; `None` means for ever.
    pub token_days: Option<u32>,
}

/// How webhooks are delivered. Meta tries for days; these defaults are quick, so that a test need not be.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Deliveries under way at once.
    pub concurrency: usize,
    pub timeout_ms: u64,
    /// First pause after an answer other than 200; doubles up to `retry_max_ms`.
    pub retry_first_ms: u64,
    pub retry_max_ms: u64,
    /// Attempts before a webhook that is answered, but never with 200, is given up. An unreachable callback is waited for without limit.
    pub attempts: u32,
    /// Updates that may wait. Beyond it the newest are dropped, so that an absent callback cannot fill the memory.
    pub backlog: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090),
            loopback_only: true,
            public_url: None,
            workers: 2,
            data_dir: None,
            journal_sync: true,
            sent_limit: 1_000_000,
            posted_limit: 10_000,
            sample_businesses: true,
            seed: None,
            status_delays_ms: [30, 60, 120],
            app: App::default(),
            limits: Limits::default(),
            delivery: Delivery::default(),
        }
    }
}

impl Default for App {
    fn default() -> Self {
        Self {
            id: "670843887433847".to_owned(),
            secret: None,
            config_id: "1057862931420388".to_owned(),
            verify_token: None,
            callback_url: None,
            require_secret: true,
            allowed_domains: Vec::new(),
            token_days: Some(60),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            concurrency: 32,
            timeout_ms: 10_000,
            retry_first_ms: 200,
            retry_max_ms: 5_000,
            attempts: 1_000,
            backlog: 500_000,
        }
    }
}

impl Config {
    /// In memory, on a free port, without limits: what most tests want.
    pub fn for_tests() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            workers: 1,
            seed: Some(1),
            limits: Limits::none(),
            ..Self::default()
        }
    }

    /// Everything that can be known to be wrong before a port is opened.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.loopback_only && !self.listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback(self.listen));
        }
        if self.workers == 0 {
            return Err(ConfigError::Zero("workers"));
        }
        if self.delivery.concurrency == 0 {
            return Err(ConfigError::Zero("delivery.concurrency"));
        }
        for (key, address) in [("app.callback_url", &self.app.callback_url), ("public_url", &self.public_url)]
        {
            if let Some(address) = address
                && !is_http_url(address)
            {
                return Err(ConfigError::NotAUrl(key));
            }
        }
        Ok(())
    }
}

pub(crate) fn is_http_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error(
        "listen = {0}: the sandbox has no passwords and listens on loopback only; set loopback_only = false to allow it"
    )]
    NotLoopback(SocketAddr),
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    #[error("{0} must be an http or https URL")]
    NotAUrl(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_loopback_is_refused_unless_allowed() {
        let mut config = Config { listen: "0.0.0.0:8090".parse().unwrap(), ..Config::default() };
        assert_eq!(config.check(), Err(ConfigError::NotLoopback(config.listen)));
        config.loopback_only = false;
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_callback_that_is_no_url_is_refused_by_name() {
        let mut config = Config::default();
        config.app.callback_url = Some("gateway".to_owned());
        assert_eq!(config.check(), Err(ConfigError::NotAUrl("app.callback_url")));
    }
}
