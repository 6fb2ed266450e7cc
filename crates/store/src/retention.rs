//! What is old, and what of it is still needed.

use domain::clock::Timestamp;
use uuid::Uuid;

/// Ids begin with the milliseconds of what they name: none of this time or later is below this one.
pub(crate) fn first_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_micros().div_euclid(1_000)).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// Of a message `o`: whether it may be sent yet, or was over only since `kept` and may be sent again by hand.
pub(crate) fn body_is_needed(kept: Timestamp) -> String {
    let kept = kept.as_micros();
    format!("o.state < 4 OR (o.state > 4 AND o.expires_at > {kept}) OR o.sent_at > {kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_time_are_at_or_above_its_first() {
        let at = Timestamp::from_micros(1_790_000_000_123_456);
        let id = domain::event::update_id(at, "about", "key").uuid();
        assert!(first_id(at) <= id);
        assert!(id < first_id(Timestamp::from_micros(1_790_000_000_124_000)));
        assert_eq!(first_id(Timestamp::from_micros(-5)), Uuid::nil());
    }
}
