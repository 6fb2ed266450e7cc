//! The time that all logs are told in. Every process of a run is on this machine and reads the same clock.

use std::time::UNIX_EPOCH;

/// Microseconds since 1970.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;

pub(crate) fn now() -> Micros {
    #[expect(clippy::disallowed_methods, reason = "what processes did is told by the clock that they read")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Of RFC 3339, as the gateway and the sandbox write it.
pub(crate) fn parse(text: &str) -> Micros {
    text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond)
}

pub(crate) fn rfc3339(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
