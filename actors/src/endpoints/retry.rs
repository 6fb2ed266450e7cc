//! When an event that was not taken is tried again. Plain decisions.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::endpoint::DeliveryState;

const WAITS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
];
/// Three days of trying, the waits above and then every hour.
const MOST_ATTEMPTS: u32 = 77;

/// What follows the `attempts`-th failed try. `jitter` is from 0 to 1 and lengthens the wait by up to a fifth.
pub fn after_failure(attempts: u32, now: Timestamp, jitter: f64) -> (DeliveryState, Timestamp) {
    if attempts >= MOST_ATTEMPTS {
        return (DeliveryState::Parked, now);
    }
    let index = (attempts.saturating_sub(1) as usize).min(WAITS.len() - 1);
    (DeliveryState::Retrying, now.plus(WAITS[index].mul_f64(1.0 + 0.2 * jitter.clamp(0.0, 1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_lasts_three_days_and_then_the_event_is_parked() {
        let mut now = Timestamp::from_seconds(0);
        let mut attempts = 1;
        loop {
            let (state, next) = after_failure(attempts, now, 0.0);
            if state == DeliveryState::Parked {
                break;
            }
            assert!(next > now);
            now = next;
            attempts += 1;
        }
        let days = now.since(Timestamp::from_seconds(0)).as_secs_f64() / 86_400.0;
        assert!((2.9..3.1).contains(&days), "{days} days");
    }
}
