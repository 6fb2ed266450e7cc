//! Counts what was kept since the last time. It runs behind, and nothing waits for it.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::web::Data;
use domain::contracts::stats::Source;
use domain::contracts::store::StoreError;

use crate::http::state::AppState;

const EVERY: Duration = Duration::from_secs(5);
const ROWS_AT_ONCE: u32 = 5_000;
/// Where positions may become visible out of order, what was the newest so long ago has everything before it.
const SETTLED: Duration = Duration::from_secs(30);

/// The newest position that was seen of a source, and when: boot time.
type Seen = HashMap<usize, Vec<(Duration, i64)>>;

pub async fn keep_counting(state: Data<AppState>) {
    let mut seen = Seen::new();
    loop {
        state.clock.sleep(EVERY).await;
        for source in Source::ALL {
            if let Err(error) = count(&state, source, &mut seen).await {
                tracing::warn!(%error, "messages cannot be counted now");
            }
        }
    }
}

async fn count(state: &AppState, source: Source, seen: &mut Seen) -> Result<(), StoreError> {
    let newest = state.store.newest(source).await?;
    let until = match source {
        // Its position is when it was accepted: a moment later it may still be on its way to the database.
        Source::Messages => newest.min(state.clock.now().minus(SETTLED).as_micros() / 1_000),
        Source::Events | Source::Timeline if state.store.is_in_order(source) => newest,
        Source::Events | Source::Timeline => {
            settled(seen.entry(source as usize).or_default(), newest, state.clock.boottime())
        }
    };
    let mut done = -1;
    loop {
        let reached = state.store.count(source, until, ROWS_AT_ONCE).await?;
        if reached >= until || reached == done {
            return Ok(());
        }
        done = reached;
    }
}

/// The newest position that was seen long enough ago; forgets those before it.
fn settled(sightings: &mut Vec<(Duration, i64)>, newest: i64, now: Duration) -> i64 {
    sightings.push((now, newest));
    let old = sightings.iter().take_while(|(at, _)| now.saturating_sub(*at) >= SETTLED).count();
    let Some(last) = old.checked_sub(1) else { return 0 };
    let position = sightings[last].1;
    sightings.drain(..last);
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_counted_when_it_was_seen_half_a_minute_ago() {
        let mut sightings = Vec::new();
        let mut at = |seconds, newest| settled(&mut sightings, newest, Duration::from_secs(seconds));
        assert_eq!(at(0, 10), 0);
        assert_eq!(at(15, 20), 0);
        assert_eq!(at(29, 30), 0);
        assert_eq!(at(30, 40), 10);
        assert_eq!(at(47, 50), 20);
        assert_eq!(at(300, 60), 50);
        assert!(sightings.len() <= 3);
    }
}
