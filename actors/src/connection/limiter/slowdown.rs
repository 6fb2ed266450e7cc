//! How much slower a number goes after the platform complained, and how it recovers. Plain decisions on what is
//! stored, so that a restart changes nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::Slowed;

/// After each of these a twentieth of the full rate comes back.
const STEP: Duration = Duration::from_secs(10);

/// The rate at `now` of a number that may send `full` messages a second.
pub fn rate(full: NonZeroU32, slowed: Option<Slowed>, now: Timestamp) -> NonZeroU32 {
    let Some(slowed) = slowed else { return full };
    let steps = now.since(slowed.at).as_secs() / STEP.as_secs();
    let grown = u64::from((full.get() / 20).max(1)).saturating_mul(steps);
    let rate = u64::from(slowed.messages_per_second).saturating_add(grown).min(u64::from(full.get()));
    u32::try_from(rate).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

/// The platform refused a message that was claimed then because of the number's rate: half of what it was. Nothing
/// changes when the number slowed down since that claim; many posts of one moment complain about one rate.
pub fn complained(
    full: NonZeroU32,
    slowed: Option<Slowed>,
    claimed_at: Timestamp,
    now: Timestamp,
) -> Option<Slowed> {
    if slowed.is_some_and(|slowed| slowed.at >= claimed_at) {
        return None;
    }
    let messages_per_second = (rate(full, slowed, now).get() / 2).max(1);
    Some(Slowed { messages_per_second, at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: NonZeroU32 = NonZeroU32::new(80).unwrap();
    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn a_complaint_halves_once_for_all_posts_of_its_moment() {
        let slowed = complained(FULL, None, NOW, NOW).unwrap();
        assert_eq!(slowed.messages_per_second, 40);
        assert_eq!(complained(FULL, Some(slowed), NOW, NOW.plus(STEP)), None);
        let later = NOW.plus(Duration::from_secs(1));
        assert_eq!(complained(FULL, Some(slowed), later, later).unwrap().messages_per_second, 20);
    }

    #[test]
    fn it_never_stops_altogether_and_comes_back_step_by_step() {
        let slowest = Slowed { messages_per_second: 1, at: NOW };
        let again = complained(FULL, Some(slowest), NOW.plus(STEP / 10), NOW.plus(STEP / 5)).unwrap();
        assert_eq!(again.messages_per_second, 1);
        let rates =
            [0, 1, 2, 19, 20, 10_000].map(|steps| rate(FULL, Some(slowest), NOW.plus(STEP * steps)).get());
        assert_eq!(rates, [1, 5, 9, 77, 80, 80]);
    }
}
