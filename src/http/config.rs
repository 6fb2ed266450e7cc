//! Sections `server`, `operations` and `onboarding` of the settings.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use url::{Host, Url};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    #[serde(default)]
    pub public_url: Option<Url>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// 0: one for each processor.
    pub workers: usize,
    /// 0: one for each processor.
    pub actor_threads: usize,
    pub max_connections: usize,
    /// Requests under way at once, webhooks not counted.
    pub max_requests: usize,
    /// Webhooks under way at once.
    pub max_webhooks: usize,
    /// From the first byte of a body to its last.
    pub body_timeout_s: u64,
    pub keep_alive_s: u64,
    /// From SIGTERM until the process ends at the latest.
    pub shutdown_s: u64,
    /// Bring the schema up to date before serving.
    pub migrate_at_start: bool,
    #[serde(default)]
    pub tls: TlsConfig,
}

/// A certificate of our own; without it plain HTTP is served, to a proxy or to loopback.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM, the server's own certificate first. Read again when it changes.
    pub certificate: Option<PathBuf>,
    /// PEM.
    pub key: Option<PathBuf>,
}

impl TlsConfig {
    /// Certificate and key, where there are both.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationsConfig {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingConfig {
    /// How long the link of a session is good for.
    pub session_lifetime_s: u64,
}

impl ServerConfig {
    /// The address where browsers and providers reach us, if it may be used as such.
    pub fn checked_public_url(&self) -> Result<&Url, &'static str> {
        let url = self
            .public_url
            .as_ref()
            .ok_or("is required: the https address where browsers and providers reach this gateway")?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.path() == "/";
        if !plain {
            return Err("must be a scheme, a host and at most a port, such as https://gateway.example.com");
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(url) => Ok(url),
            "http" => Err("must be https: plain http is for loopback only"),
            _ => Err("must be an https address"),
        }
    }

    /// Everything else that would only be found out later: a key of this section and what is wrong with it.
    pub fn validate(&self) -> Result<(), Vec<(&'static str, &'static str)>> {
        let mut wrong = Vec::new();
        let positive = [
            ("max_connections", self.max_connections as u64),
            ("max_requests", self.max_requests as u64),
            ("max_webhooks", self.max_webhooks as u64),
            ("body_timeout_s", self.body_timeout_s),
            ("shutdown_s", self.shutdown_s),
        ];
        wrong.extend(
            positive.iter().filter(|(_, value)| *value == 0).map(|(key, _)| (*key, "must be at least 1")),
        );
        for (key, threads) in [("workers", self.workers), ("actor_threads", self.actor_threads)] {
            if threads > 256 {
                wrong.push((key, "must be at most 256; 0 is one for each processor"));
            }
        }
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => wrong.push(("tls.key", "is missing beside tls.certificate")),
            (None, Some(_)) => wrong.push(("tls.certificate", "is missing beside tls.key")),
            _ => {}
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    pub const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }

    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn server(public_url: &str) -> ServerConfig {
        ServerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: Some(Url::parse(public_url).unwrap()),
            trusted_proxies: vec!["10.1.0.0/16".parse().unwrap()],
            workers: 1,
            actor_threads: 1,
            max_connections: 1,
            max_requests: 1,
            max_webhooks: 1,
            body_timeout_s: 1,
            keep_alive_s: 1,
            shutdown_s: 1,
            migrate_at_start: true,
            tls: TlsConfig::default(),
        }
    }

    #[test]
    fn a_public_address_is_https_or_loopback_and_nothing_more_than_an_origin() {
        let good = [
            "https://gw.example.com",
            "https://gw.example.com:8443",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
        ];
        for url in good {
            assert!(server(url).checked_public_url().is_ok(), "{url}");
        }
        let bad = [
            "http://gw.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "https://gw.example.com/prefix",
            "https://user@gw.example.com",
            "https://gw.example.com/?a",
            "ftp://gw.example.com",
        ];
        for url in bad {
            assert!(server(url).checked_public_url().is_err(), "{url}");
        }
        let none = ServerConfig { public_url: None, ..server("https://a.example") };
        assert!(none.checked_public_url().unwrap_err().contains("required"));
    }

    #[test]
    fn a_number_that_stops_everything_is_named() {
        let config = ServerConfig { max_requests: 0, ..server("https://a.example") };
        assert_eq!(config.validate(), Err(vec![("max_requests", "must be at least 1")]));
    }
}
