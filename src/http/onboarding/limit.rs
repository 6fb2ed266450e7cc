//! How often one session may ask, so that an open link cannot be used to keep us or the provider busy.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use domain::ids::OnboardingSessionId;
use moka::future::Cache;

use super::refusal::{Notice, Refusal};
use crate::http::state::AppState;

/// What a request costs: a page or a poll little, whatever leads to calls at the provider more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    View = 1,
    Attempt = 10,
}

/// A page polls every two seconds; an attempt is a start and an answer.
const A_MINUTE: u32 = 200;
const MOST_SESSIONS: u64 = 20_000;

type Spent = Cache<(OnboardingSessionId, u64), Arc<AtomicU32>>;

static SPENT: LazyLock<Spent> = LazyLock::new(|| Cache::new(MOST_SESSIONS));

pub async fn charge(state: &AppState, session: OnboardingSessionId, cost: Cost) -> Result<(), Refusal> {
    charge_in(&SPENT, session, state.clock.boottime().as_secs() / 60, cost).await
}

async fn charge_in(
    spent: &Spent,
    session: OnboardingSessionId,
    minute: u64,
    cost: Cost,
) -> Result<(), Refusal> {
    let counter = spent.get_with((session, minute), async { Arc::default() }).await;
    let before = counter.fetch_add(cost as u32, Ordering::Relaxed);
    if before < A_MINUTE { Ok(()) } else { Err(Notice::TooMany.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn a_session_may_try_some_times_a_minute_and_again_in_the_next() {
        let spent = Cache::new(10);
        let session = OnboardingSessionId::from_uuid(uuid::Uuid::from_u128(1));
        for _ in 0..20 {
            assert!(charge_in(&spent, session, 1, Cost::Attempt).await.is_ok());
        }
        assert!(charge_in(&spent, session, 1, Cost::View).await.is_err());
        assert!(charge_in(&spent, session, 2, Cost::View).await.is_ok());
    }
}
