//! Load goes to this machine and nowhere else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use url::{Host, Url};

/// An address of this machine, from an http or database URL that names one.
pub fn address(url: &Url) -> Result<SocketAddr> {
    let ip = match url.host() {
        Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        // A scheme that is not the web's keeps addresses as names.
        Some(Host::Domain(name)) => name.parse().ok().with_context(|| refusal(name))?,
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        None => bail!("an address without a host"),
    };
    ensure!(ip.is_loopback(), refusal(&ip.to_string()));
    let port = url.port_or_known_default().context("an address without a port")?;
    Ok(SocketAddr::new(ip, port))
}

fn refusal(host: &str) -> String {
    format!("{host} is not this machine: load goes to loopback addresses only")
}

/// A base address of this machine that other addresses are joined to.
pub fn base(text: &str) -> Result<Url> {
    let mut url = Url::parse(text).with_context(|| format!("not a URL: {text}"))?;
    ensure!(url.scheme() == "http", "{text}: plain http, on this machine");
    address(&url)?;
    url.set_path("/");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_taken() {
        for (text, expected) in [
            ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
            ("http://localhost", "127.0.0.1:80"),
            ("http://[::1]:8090", "[::1]:8090"),
            ("postgres://gateway@127.0.0.1:5432/load", "127.0.0.1:5432"),
        ] {
            assert_eq!(address(&Url::parse(text).unwrap()).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn every_other_is_refused() {
        for text in [
            "http://10.0.0.1:8080",
            "http://0.0.0.0:8080",
            "http://localhost.example:8080",
            "http://169.254.169.254",
            "postgres://gateway@db.example:5432/load",
            "mailto:a@b",
        ] {
            assert!(address(&Url::parse(text).unwrap()).is_err(), "{text}");
        }
        assert!(base("https://127.0.0.1").is_err());
    }
}
