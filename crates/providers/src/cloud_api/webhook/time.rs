//! Times as Meta writes them: seconds in a text, seconds in a number, and milliseconds have been seen.

use domain::Timestamp;
use serde_json::Value;

/// From here on a number cannot be seconds: it would be the year 5138.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

pub(super) fn of(value: &Value) -> Option<Timestamp> {
    let number = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    match number {
        ..=0 => None,
        seconds if seconds < FIRST_MILLISECONDS => Some(Timestamp::from_seconds(seconds)),
        milliseconds => milliseconds.checked_mul(1_000).map(Timestamp::from_micros),
    }
}

/// The time that a whole change tells: its own, or that of the first thing in one of its lists. A redelivery
/// then has the same time, which the time of arrival would not give it.
pub(super) fn of_value(value: &Value) -> Option<Timestamp> {
    let own = |value: &Value| value.get("timestamp").and_then(of);
    let value = value.as_object()?;
    let lists = || value.values().filter_map(|member| member.as_array()?.first());
    value
        .get("timestamp")
        .and_then(of)
        .or_else(|| lists().find_map(own))
        .or_else(|| lists().find_map(|first| own(first.get("metadata")?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn seconds_in_texts_and_numbers_and_milliseconds_are_one_time() {
        let expected = Some(Timestamp::from_seconds(1_790_000_000));
        for value in
            [json!("1790000000"), json!(1_790_000_000), json!("1790000000000"), json!(1_790_000_000_000_i64)]
        {
            assert_eq!(of(&value), expected, "{value}");
        }
        for value in [json!(""), json!("soon"), json!(0), json!(-5), json!(1.5), json!(null), json!([1])] {
            assert_eq!(of(&value), None, "{value}");
        }
    }

    #[test]
    fn the_time_of_a_change_is_found_in_it_or_in_its_lists() {
        let expected = Some(Timestamp::from_seconds(1_790_000_000));
        assert_eq!(of_value(&json!({"timestamp": 1_790_000_000})), expected);
        assert_eq!(of_value(&json!({"user_preferences": [{"timestamp": 1_790_000_000}]})), expected);
        assert_eq!(of_value(&json!({"state_sync": [{"metadata": {"timestamp": "1790000000"}}]})), expected);
        assert_eq!(of_value(&json!({"event": "PARTNER_ADDED"})), None);
    }
}
