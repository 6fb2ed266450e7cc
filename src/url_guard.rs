//! The one guard for addresses that somebody else gave us: endpoints today, links to media later.
//!
//! A name is resolved once, by [`Resolver`], which hands on only addresses that may be reached; the client connects to
//! exactly those, so that a second answer of the name server cannot lead elsewhere. A literal address never
//! reaches a resolver and is therefore checked in the URL itself, at each use. Redirects are off in [`client`]: they
//! would be a second address that nobody checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

const USER_AGENT: &str = concat!("safarichat-gateway/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEPT_IDLE: Duration = Duration::from_secs(30);

/// Why an address is not used. The text says nothing that the caller did not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the address must begin with https://")]
    NotHttps,
    #[error("the address must name a host")]
    NoHost,
    #[error("the address must not contain a user or a password")]
    Credentials,
    #[error("the address leads to {0}, which is not allowed here")]
    NotPublic(&'static str),
}

/// Which addresses may be used.
#[derive(Debug, Clone, Copy)]
pub struct UrlGuard {
    allow_private: bool,
}

impl UrlGuard {
    /// `allow_private`: plain http and addresses of this machine and its networks, as in the demo.
    pub const fn new(allow_private: bool) -> Self {
        Self { allow_private }
    }

    /// What can be said without looking the name up.
    pub fn check(self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private => {}
            _ => return Err(Refused::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        match url.host() {
            None => Err(Refused::NoHost),
            Some(Host::Ipv4(ip)) => self.check_ip(ip.into()),
            Some(Host::Ipv6(ip)) => self.check_ip(ip.into()),
            Some(Host::Domain(name)) if is_local_name(name) && !self.allow_private => {
                Err(Refused::NotPublic("this machine"))
            }
            Some(Host::Domain(_)) => Ok(()),
        }
    }

    pub fn check_ip(self, ip: IpAddr) -> Result<(), Refused> {
        match kind_of(ip) {
            Kind::Public => Ok(()),
            Kind::Inside(_) if self.allow_private => Ok(()),
            Kind::Inside(what) | Kind::Never(what) => Err(Refused::NotPublic(what)),
        }
    }

    /// A client for guarded addresses. Call [`Self::check`] before each request all the same.
    pub fn client(self, timeout: Duration) -> reqwest::Result<reqwest::Client> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .dns_resolver(Resolver(self))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(timeout)
                .pool_idle_timeout(KEPT_IDLE)
                .tcp_nodelay(true)
        };
        match builder().build() {
            // A machine without certificates can still run the demo: its endpoints are plain http.
            Err(_) if self.allow_private => builder().tls_certs_only([]).build(),
            built => built,
        }
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Looks names up and keeps the addresses that may be used.
struct Resolver(UrlGuard);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refused = None;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| match guard.check_ip(address.ip()) {
                    Ok(()) => true,
                    Err(error) => {
                        refused = Some(error);
                        false
                    }
                })
                .collect();
            match (allowed.is_empty(), refused) {
                (true, Some(error)) => Err(error.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an error of a guarded client is a refusal of ours.
pub fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(this) = error {
        if this.is::<Refused>() {
            return true;
        }
        error = this.source();
    }
    false
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    /// Of this machine or its networks: reachable when the configuration allows it.
    Inside(&'static str),
    /// Nobody's in particular, or everybody's.
    Never(&'static str),
}

/// Sources: the special-purpose address registries of IANA for IPv4 and IPv6.
fn kind_of(ip: IpAddr) -> Kind {
    match ip {
        IpAddr::V4(ip) => kind_of_v4(ip),
        IpAddr::V6(ip) => kind_of_v6(ip),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> Kind {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (127, ..) => Kind::Inside("this machine"),
        (10, ..) | (192, 168, _) => Kind::Inside("a private network"),
        (172, 16..=31, _) => Kind::Inside("a private network"),
        (169, 254, _) => Kind::Inside("a link-local network"),
        (100, 64..=127, _) => Kind::Inside("a carrier's private network"),
        (0, ..) => Kind::Never("no host"),
        (192, 0, 0) => Kind::Never("a protocol assignment"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Kind::Never("an address for documentation"),
        (192, 88, 99) => Kind::Never("a relay"),
        (198, 18..=19, _) => Kind::Never("a network for benchmarks"),
        (224..=239, ..) => Kind::Never("a multicast group"),
        (240..=255, ..) => Kind::Never("a reserved or broadcast address"),
        _ => Kind::Public,
    }
}

fn kind_of_v6(ip: Ipv6Addr) -> Kind {
    if ip == Ipv6Addr::LOCALHOST {
        return Kind::Inside("this machine");
    }
    if let Some(inner) = embedded_v4(ip) {
        return kind_of_v4(inner);
    }
    let [first, second, third, ..] = ip.segments();
    match (first, second) {
        (0xfc00..=0xfdff, _) => Kind::Inside("a private network"),
        (0xfe80..=0xfebf, _) => Kind::Inside("a link-local network"),
        (0xfec0..=0xfeff, _) => Kind::Inside("a private network"),
        (0xff00..=0xffff, _) => Kind::Never("a multicast group"),
        (0x0064, 0xff9b) if third == 1 => Kind::Inside("a network behind a translator"),
        (0x2001, 0x0db8) => Kind::Never("an address for documentation"),
        (0x3fff, 0x0000..=0x0fff) => Kind::Never("an address for documentation"),
        (0x2001, 0x0000..=0x01ff) => Kind::Never("a protocol assignment"),
        (0x0100, 0) => Kind::Never("a network that discards"),
        // Only 2000::/3 is assigned to the public.
        (0x2000..=0x3fff, _) => Kind::Public,
        _ => Kind::Never("an unassigned address"),
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped, compatible, through a translator (NAT64), or 6to4.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |segments: [u16; 8]| {
        let [a, b] = segments[6].to_be_bytes();
        let [c, d] = segments[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        segments @ [0, 0, 0, 0, 0, 0xffff, ..] => Some(last(segments)),
        segments @ [0, 0, 0, 0, 0, 0, ..] => Some(last(segments)),
        segments @ [0x0064, 0xff9b, 0, 0, 0, 0, ..] => Some(last(segments)),
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: UrlGuard = UrlGuard::new(false);
    const OPEN: UrlGuard = UrlGuard::new(true);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_public_addresses_are_reached() {
        for public in [
            "8.8.8.8",
            "196.41.60.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "169.253.0.1",
            "2a00:1450:4001::8a",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(STRICT.check_ip(ip(public)), Ok(()), "{public}");
        }
    }

    #[test]
    fn addresses_inside_are_reached_only_when_that_is_configured() {
        for inside in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
        ] {
            assert!(STRICT.check_ip(ip(inside)).is_err(), "{inside}");
            assert_eq!(OPEN.check_ip(ip(inside)), Ok(()), "{inside}");
        }
    }

    #[test]
    fn addresses_of_nobody_are_never_reached() {
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "100::1",
            "4000::1",
            "::ffff:224.0.0.1",
            "64:ff9b::203.0.113.1",
        ] {
            assert!(STRICT.check_ip(ip(never)).is_err(), "{never}");
            assert!(OPEN.check_ip(ip(never)).is_err(), "{never}");
        }
    }

    #[test]
    fn a_literal_address_is_seen_however_it_is_written() {
        for literal in [
            "https://127.0.0.1/x",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]:8443/",
            "https://[::ffff:7f00:1]/",
            "https://localhost/",
            "https://api.localhost./",
            "https://169.254.169.254/latest/meta-data",
        ] {
            let url = Url::parse(literal).unwrap();
            assert!(matches!(STRICT.check(&url), Err(Refused::NotPublic(_))), "{literal}");
            assert_eq!(OPEN.check(&url), Ok(()), "{literal}");
        }
    }

    #[test]
    fn an_address_is_https_without_a_user() {
        let check = |text: &str| STRICT.check(&Url::parse(text).unwrap());
        assert_eq!(check("http://example.com/"), Err(Refused::NotHttps));
        assert_eq!(check("file:///etc/passwd"), Err(Refused::NotHttps));
        assert_eq!(check("https://user:secret@example.com/"), Err(Refused::Credentials));
        assert_eq!(check("https://example.com/hook"), Ok(()));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_where_it_is_looked_up() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = STRICT.client(Duration::from_secs(5)).unwrap();
        let error = client.get("https://localhost:1/").send().await.unwrap_err();
        assert!(is_refusal(&error), "{error:?}");
        let client = OPEN.client(Duration::from_secs(5)).unwrap();
        let error = client.get("http://localhost:1/").send().await.unwrap_err();
        assert!(!is_refusal(&error) && error.is_connect(), "{error:?}");
    }
}
