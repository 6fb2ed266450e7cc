//! Wall time that a test can push forward, so that thirty seconds and sixty days need not be waited for.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn now_us(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the sandbox's only source of time")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        micros.saturating_add(self.offset_ms().saturating_mul(1000))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_us() / 1000
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now_us() / 1_000_000
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_offset_ms(&self, offset: i64) {
        self.offset_ms.store(offset, Ordering::Relaxed);
    }

    /// Forward only: Meta's clock does not run backwards, and a negative step would revive spent codes.
    pub(crate) fn advance(&self, seconds: u32) {
        self.offset_ms.fetch_add(i64::from(seconds) * 1000, Ordering::Relaxed);
    }
}

/// RFC 3339 in UTC, as the control answers show times: always with milliseconds, so that texts sort as times do.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_every_reading() {
        let clock = Clock::default();
        let before = clock.now_s();
        clock.advance(3600);
        assert!(clock.now_s() >= before + 3600);
    }

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(1_790_000_000_000), "2026-09-21T14:13:20.000Z");
    }
}
