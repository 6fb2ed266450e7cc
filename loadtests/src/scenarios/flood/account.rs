//! What became of messages that are still on their way: each is either at the platform or still queued.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::api::{Api, ON_ITS_WAY};

const PAGE: u32 = 200;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    pub at_the_platform: u64,
    pub still_queued: u64,
    /// Neither: this has to be nought.
    pub lost: u64,
    /// Has to be nought.
    pub sent_twice: u64,
    /// Failed, expired or cancelled without having been asked to. Has to be nought.
    pub given_up: u64,
}

impl Account {
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.sent_twice == 0 && self.given_up == 0
    }

    /// `statuses` were read before `times`: a message that was queued then may have been sent since.
    pub fn of<'a>(
        ids: impl IntoIterator<Item = &'a String>,
        statuses: &HashMap<String, String>,
        times: &HashMap<&str, u32>,
    ) -> Self {
        let mut account = Self::default();
        for id in ids {
            let status = statuses.get(id).map(String::as_str);
            match times.get(id.as_str()).copied().unwrap_or_default() {
                0 if status.is_some_and(|status| ON_ITS_WAY.contains(&status)) => account.still_queued += 1,
                0 if status.is_some_and(|status| ["failed", "expired", "cancelled"].contains(&status)) => {
                    account.given_up += 1;
                }
                0 => account.lost += 1,
                1 => account.at_the_platform += 1,
                _ => account.sent_twice += 1,
            }
        }
        account
    }
}

/// The status of every message of a connection.
pub async fn statuses(gateway: &Api, connection: &str) -> Result<HashMap<String, String>> {
    let (mut statuses, mut after) = (HashMap::new(), String::new());
    loop {
        let page = format!("v1/messages?connection_id={connection}&limit={PAGE}{after}");
        let page = gateway.get(&page).await?;
        for message in page["data"].as_array().context("a list of messages without data")? {
            let text = |name: &str| {
                message[name].as_str().map(str::to_owned).context("a message without id or status")
            };
            statuses.insert(text("id")?, text("status")?);
        }
        let Some(next) = page["next"].as_str() else { return Ok(statuses) };
        after = format!("&after={next}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_at_the_platform_or_queued_or_it_counts_as_a_fault() {
        let ids =
            ["sent", "queued", "failed", "unknown", "twice", "read-but-never-arrived"].map(str::to_owned);
        let statuses = [
            ("sent", "accepted"),
            ("queued", "accepted"),
            ("failed", "failed"),
            ("twice", "read"),
            ("read-but-never-arrived", "read"),
        ];
        let statuses = statuses.map(|(id, status)| (id.to_owned(), status.to_owned())).into();
        let account = Account::of(&ids, &statuses, &HashMap::from([("sent", 1), ("twice", 2)]));
        let expected = Account { at_the_platform: 1, still_queued: 1, lost: 2, sent_twice: 1, given_up: 1 };
        assert_eq!(account, expected);
        assert!(!account.is_clean());
    }
}
