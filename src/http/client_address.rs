//! Who is calling, as far as it can be believed.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;

use super::config::ServerConfig;

/// The caller's address. Each proxy appends whom it heard: reading from the end, the first address that is no proxy
/// of ours is the last one that somebody trusted has seen. Everything before it anyone could have written.
pub fn of(request: &HttpRequest, config: &ServerConfig) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let headers = request.headers().get_all(X_FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    Some(behind(peer, headers.collect::<Vec<_>>().iter().flat_map(|value| value.split(',')), config))
}

fn behind<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    config: &ServerConfig,
) -> IpAddr {
    let mut caller = peer;
    for hop in forwarded.rev() {
        if !config.trusts(caller) {
            break;
        }
        match hop.trim().parse() {
            Ok(address) => caller = address,
            Err(_) => break,
        }
    }
    caller
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::config::tests::server;

    fn caller(peer: &str, forwarded: &str) -> String {
        let hops = forwarded.split(',').filter(|hop| !hop.is_empty());
        behind(peer.parse().unwrap(), hops, &server("https://gw.example.com")).to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_from_a_trusted_proxy_only() {
        assert_eq!(caller("10.1.0.1", "196.41.60.1"), "196.41.60.1");
        assert_eq!(caller("196.41.60.9", "10.1.0.7"), "196.41.60.9");
        assert_eq!(caller("10.1.0.1", ""), "10.1.0.1");
    }

    #[test]
    fn what_a_caller_wrote_before_our_proxies_does_not_count() {
        assert_eq!(caller("10.1.0.1", "1.1.1.1, 196.41.60.1"), "196.41.60.1");
        assert_eq!(caller("10.1.0.1", "1.1.1.1, 196.41.60.1, 10.1.0.2"), "196.41.60.1");
        assert_eq!(caller("10.1.0.1", "196.41.60.1, nonsense"), "10.1.0.1");
    }
}
