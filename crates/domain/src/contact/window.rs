//! The customer service window: whether a person may be written to freely.
//!
//! The platform opens it for 24 hours with every message or call of the person, and for 72 hours when they came by
//! an advertisement; outside it only templates go. Source: Meta's messaging reference, 2026.

use std::time::Duration;

use crate::clock::Timestamp;

pub const WINDOW: Duration = Duration::from_hours(24);
/// After a click on an advertisement.
pub const FREE_ENTRY: Duration = Duration::from_hours(72);
/// The platform's clock and ours differ, and it counts from when the message reached it. Within this long after its
/// end a window is not surely closed.
const GRACE: Duration = Duration::from_secs(30);

/// When somebody last wrote to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound {
    pub at: Timestamp,
    /// They came by an advertisement.
    pub free_entry_until: Option<Timestamp>,
}

impl Inbound {
    /// Both are known: the later of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            at: self.at.max(other.at),
            free_entry_until: self.free_entry_until.max(other.free_entry_until),
        }
    }
}

/// Since when everything that people write to a number is heard.
///
/// A restart of minutes is no gap: providers repeat what was not taken. An outage of hours is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Open {
        until: Timestamp,
        /// Kept open by an advertisement.
        free_entry: bool,
    },
    /// Surely closed: we know when they wrote last, and have heard everything since.
    Closed { since: Timestamp },
    /// They may have written when we did not hear it, or before the number was connected here.
    Unknown,
}

impl Listening {
    /// Nothing was ever missed.
    pub const ALWAYS: Self = Self { since: Timestamp::from_micros(i64::MIN) };
}

impl Window {
    pub fn of(inbound: Option<Inbound>, listening: Listening, now: Timestamp) -> Self {
        let Some(Inbound { at, free_entry_until }) = inbound else { return Self::Unknown };
        let of_message = at.plus(WINDOW);
        let until = free_entry_until.map_or(of_message, |free| free.max(of_message));
        if now < until {
            return Self::Open { until, free_entry: until > of_message };
        }
        let heard_everything = listening.since <= now.minus(WINDOW);
        if heard_everything && now >= until.plus(GRACE) {
            Self::Closed { since: until }
        } else {
            Self::Unknown
        }
    }

    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether it will be, as far as is known now.
    pub fn is_open_at(self, time: Timestamp) -> bool {
        matches!(self, Self::Open { until, .. } if time < until)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Closed { .. } => "closed",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn ago(duration: Duration) -> Timestamp {
        NOW.minus(duration)
    }

    fn wrote(at: Timestamp) -> Inbound {
        Inbound { at, free_entry_until: None }
    }

    #[test]
    fn a_window_is_open_for_24_hours_and_surely_closed_a_moment_later() {
        let minute = Duration::from_mins(1);
        let last = ago(WINDOW.checked_sub(minute).unwrap());
        let open = Window::of(Some(wrote(last)), Listening::ALWAYS, NOW);
        assert!(open.is_open_at(NOW) && !open.is_open_at(NOW.plus(minute)));
        assert_eq!(
            Window::of(Some(wrote(last)), Listening::ALWAYS, NOW),
            Window::Open { until: NOW.plus(minute), free_entry: false }
        );
        assert_eq!(
            Window::of(Some(wrote(ago(WINDOW))), Listening::ALWAYS, NOW),
            Window::Unknown,
            "clocks differ"
        );
        assert_eq!(
            Window::of(Some(wrote(ago(WINDOW + minute))), Listening::ALWAYS, NOW),
            Window::Closed { since: ago(minute) }
        );
    }

    #[test]
    fn an_advertisement_keeps_it_open_for_72_hours() {
        let clicked = ago(Duration::from_hours(70));
        let inbound = Inbound { at: clicked, free_entry_until: Some(clicked.plus(FREE_ENTRY)) };
        assert_eq!(
            Window::of(Some(inbound), Listening::ALWAYS, NOW),
            Window::Open { until: NOW.plus(Duration::from_hours(2)), free_entry: true }
        );
        let later = NOW.plus(Duration::from_hours(3));
        assert!(matches!(Window::of(Some(inbound), Listening::ALWAYS, later), Window::Closed { .. }));
    }

    #[test]
    fn what_was_not_heard_is_unknown_and_never_closed() {
        let long_ago = Some(wrote(ago(Duration::from_hours(100))));
        let heard_since = |hours| Listening { since: ago(Duration::from_hours(hours)) };
        assert_eq!(Window::of(long_ago, heard_since(23), NOW), Window::Unknown);
        assert!(matches!(Window::of(long_ago, heard_since(24), NOW), Window::Closed { .. }));
        assert_eq!(Window::of(None, Listening::ALWAYS, NOW), Window::Unknown, "nobody knows when they wrote");
    }
}
