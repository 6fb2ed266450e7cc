//! What the provider reports about a message it accepted. It only moves forward, whatever order webhooks arrive in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Source: status webhooks of the Cloud API, `statuses[].status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    Sent,
    Failed,
    Delivered,
    Read,
    Played,
}

impl DeliveryStatus {
    pub const ALL: [Self; 5] = [Self::Sent, Self::Failed, Self::Delivered, Self::Read, Self::Played];

    /// `failed` may follow `sent`; `delivered`, `read` and `played` beat it, since the message did arrive.
    const fn rank(self) -> u8 {
        match self {
            Self::Sent => 0,
            Self::Failed => 1,
            Self::Delivered => 2,
            Self::Read => 3,
            Self::Played => 4,
        }
    }

    /// The status after hearing `next`: the later of the two in the life of a message.
    #[must_use]
    pub fn advanced_by(self, next: Self) -> Self {
        if next.rank() > self.rank() { next } else { self }
    }

    /// The status that a set of reports, in any order, amounts to.
    pub fn of_reports(reports: impl IntoIterator<Item = Self>) -> Option<Self> {
        reports.into_iter().reduce(Self::advanced_by)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of the known statuses; kept raw by whoever met it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a delivery status that is known here")]
pub struct UnknownStatus;

impl FromStr for DeliveryStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_status() -> impl Strategy<Value = DeliveryStatus> {
        proptest::sample::select(DeliveryStatus::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(reports in proptest::collection::vec(any_status(), 1..8), seed in 0_usize..100) {
            let mut shuffled = reports.clone();
            let length = shuffled.len();
            shuffled.rotate_left(seed % length);
            shuffled.reverse();
            prop_assert_eq!(DeliveryStatus::of_reports(reports), DeliveryStatus::of_reports(shuffled));
        }

        #[test]
        fn a_report_never_moves_a_status_backwards(old in any_status(), next in any_status()) {
            let now = old.advanced_by(next);
            prop_assert!(now.rank() >= old.rank());
            prop_assert_eq!(now.advanced_by(next), now);
        }
    }

    #[test]
    fn failed_follows_sent_but_never_replaces_an_arrival() {
        use DeliveryStatus::{Delivered, Failed, Read, Sent};
        assert_eq!(Sent.advanced_by(Failed), Failed);
        assert_eq!(Failed.advanced_by(Delivered), Delivered);
        assert_eq!(Read.advanced_by(Failed), Read);
    }
}
