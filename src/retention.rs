//! Lets go of what is kept no longer, in pauses of the work.

use std::time::Duration;

use actix_web::web::Data;
use domain::clock::Timestamp;
use domain::contracts::retention::{EVENTS_KEPT_AT_LEAST, Kept};
use domain::contracts::store::StoreError;
use serde::Deserialize;

use crate::app::RECORDS_KEPT_FOR;
use crate::http::state::AppState;

const EVERY: Duration = Duration::from_mins(10);
/// Between two steps of deleting, so that writing never waits for more than one.
const PAUSE: Duration = Duration::from_millis(25);
const DAY: Duration = Duration::from_hours(24);

/// Section `retention` of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub events_days: u32,
    pub messages_days: u32,
    pub bodies_days: u32,
}

impl Config {
    pub fn validate(&self) -> Result<(), Vec<(&'static str, &'static str)>> {
        let mut wrong = Vec::new();
        if DAY * self.events_days < EVENTS_KEPT_AT_LEAST {
            wrong.push(("events_days", "must be at least 9: for so long news may be repeated"));
        }
        if self.bodies_days == 0 {
            wrong.push(("bodies_days", "must be at least 1"));
        }
        if self.messages_days < self.bodies_days {
            wrong.push(("messages_days", "must not be less than retention.bodies_days"));
        } else if DAY * self.messages_days < RECORDS_KEPT_FOR {
            let message = "must be at least 4: an idempotency key names its message for so long";
            wrong.push(("messages_days", message));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn kept(&self, now: Timestamp) -> Kept {
        Kept {
            events: now.minus(DAY * self.events_days),
            messages: now.minus(DAY * self.messages_days),
            bodies: now.minus(DAY * self.bodies_days),
        }
    }
}

pub async fn keep_days(state: Data<AppState>, config: Config) {
    loop {
        if let Err(error) = let_go(&state, &config).await {
            tracing::warn!(%error, "what is old cannot be deleted now");
        }
        state.clock.sleep(EVERY).await;
    }
}

async fn let_go(state: &AppState, config: &Config) -> Result<(), StoreError> {
    state.store.prepare_days(state.clock.now()).await?;
    let kept = config.kept(state.clock.now());
    state.store.drop_days(&kept).await?;
    while state.store.delete_old(&kept).await? {
        state.clock.sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_outlive_the_time_in_which_news_is_repeated() {
        let defaults = Config { events_days: 9, messages_days: 30, bodies_days: 3 };
        assert_eq!(defaults.validate(), Ok(()));
        let short = Config { events_days: 8, messages_days: 2, bodies_days: 3 };
        let keys: Vec<_> = short.validate().unwrap_err().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["events_days", "messages_days"]);
    }
}
