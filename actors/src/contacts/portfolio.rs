//! Keeps a portfolio within the number of people that it may write to in 24 hours.
//!
//! The place is taken when the message is accepted: a message that finds none now waits for the hour that has one.
//! What is counted is written together with the message; one that expires or fails afterwards stays counted, since
//! it is better to write to fewer people than to have the platform refuse them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use domain::connection::Connection;
use domain::contact::{Hour, Person, Place, Reach};
use domain::contracts::portfolios::Portfolio;
use domain::contracts::store::{Store, StoreError};
use domain::news::MessagingLimit;
use moka::future::Cache;

use super::memory::Unreadable;

/// People remembered of all portfolios together.
const MOST_PEOPLE: u64 = 2_000_000;
/// Another process may write for the same portfolio: what it counted is seen after so long.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// How far ahead room is looked for.
const HORIZON: i64 = 31 * 24;

/// Whose limit counts for a number: its account's, as long as nobody tells which portfolio owns the account.
pub(super) fn portfolio_of(connection: &Connection) -> Option<&str> {
    connection.waba_id.as_deref()
}

/// A portfolio with a limit.
struct Limited {
    per_day: u64,
    reach: Mutex<Reach>,
}

#[derive(Clone)]
pub(super) struct Portfolios {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Nothing of those without a limit, or whose limit nobody has said.
    known: Cache<String, Option<Arc<Limited>>>,
}

/// What a message to somebody outside their window asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) portfolio: &'a str,
    pub(super) person: Person,
    /// Not before …
    pub(super) from: Timestamp,
    /// … and not after.
    pub(super) until: Timestamp,
    pub(super) is_code: bool,
}

impl Portfolios {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let known = Cache::builder()
            .weigher(|_, limited: &Option<Arc<Limited>>| {
                let people = limited.as_ref().map_or(0, |limited| limited.reach().people());
                u32::try_from(people + 1).unwrap_or(u32::MAX)
            })
            .max_capacity(MOST_PEOPLE)
            .time_to_live(KEPT_FOR)
            .build();
        Self { store, clock, known }
    }

    /// The place of the message, nothing where nothing limits it, or when there will be room.
    pub(super) async fn take(&self, wish: Wish<'_>) -> Result<Result<Option<Place>, Timestamp>, Unreadable> {
        let now = Hour::of(self.clock.now());
        let loaded = self.known.try_get_with_by_ref(wish.portfolio, self.load(wish.portfolio, now)).await;
        let Some(limited) = loaded.map_err(Unreadable)? else { return Ok(Ok(None)) };
        let mut reach = limited.reach();
        reach.forget_before(now);
        let from = Hour::of(wish.from).max(now);
        let Some(hour) = reach.room(wish.person, from, Hour(from.0 + HORIZON), limited.per_day, wish.is_code)
        else {
            return Ok(Err(Hour(from.0 + HORIZON).begin()));
        };
        if hour > from && hour.begin() >= wish.until {
            return Ok(Err(hour.begin()));
        }
        Ok(Ok(Some(reach.take(wish.person, hour))))
    }

    async fn load(&self, id: &str, now: Hour) -> Result<Option<Arc<Limited>>, StoreError> {
        let portfolio = self.store.portfolio(id, now).await?;
        let Some(Portfolio { limit: MessagingLimit::PerDay(per_day), reached }) = portfolio else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Limited { per_day, reach: Mutex::new(Reach::remembered(reached)) })))
    }

    /// The platform said how many people it may be.
    pub(super) async fn limit(
        &self,
        id: &str,
        limit: MessagingLimit,
        at: Timestamp,
    ) -> Result<(), Unreadable> {
        let changed = self.store.set_messaging_limit(id, limit, at).await;
        if changed.map_err(|error| Unreadable(Arc::new(error)))? {
            self.known.invalidate(id).await;
        }
        Ok(())
    }
}

impl Limited {
    fn reach(&self) -> std::sync::MutexGuard<'_, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
