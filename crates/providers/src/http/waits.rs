//! How long an answer asks us to wait: `Retry-After`, and Meta's usage headers.
//!
//! The usage headers come with successes too, and say how much of a limit is used, in per cent. Only a limit that is
//! used up asks for a wait; how long is told in minutes, in `estimated_time_to_regain_access`.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::Value;

const BUSINESS_USAGE: HeaderName = HeaderName::from_static("x-business-use-case-usage");
const APP_USAGE: HeaderName = HeaderName::from_static("x-app-usage");
const SHARES: [&str; 3] = ["call_count", "total_cputime", "total_time"];
const USED_UP: f64 = 100.0;
/// Nothing of the platform's takes longer to open again.
const LONGEST: Duration = Duration::from_hours(24);

/// Meta counts messages and the calls that manage an account apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Messages,
    Management,
}

impl Usage {
    fn counts(self, kind: &str) -> bool {
        (self == Self::Management) == kind.ends_with("_management")
    }
}

/// The longest wait that the headers ask for, if any.
pub(super) fn asked(headers: &HeaderMap, usage: Usage) -> Option<Duration> {
    let used_up = |name: HeaderName| {
        let header = serde_json::from_slice::<Value>(headers.get(name)?.as_bytes()).ok()?;
        minutes(&header, usage).map(|minutes| Duration::from_secs(minutes.saturating_mul(60)))
    };
    [retry_after(headers), used_up(BUSINESS_USAGE), used_up(APP_USAGE)]
        .into_iter()
        .flatten()
        .filter(|wait| !wait.is_zero())
        .max()
        .map(|wait| wait.min(LONGEST))
}

/// Seconds, or a date. A date is measured by the clock of whoever wrote it, which stands beside it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let told = text(RETRY_AFTER)?;
    if let Ok(seconds) = told.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = |date| rfc2822::parse(date).ok().map(|date| date.timestamp().as_second());
    let left = seconds(told)?.checked_sub(seconds(text(DATE)?)?)?;
    u64::try_from(left).ok().map(Duration::from_secs)
}

/// `{"<account>":[{"type","call_count",…}]}`, or one such entry alone about the app.
fn minutes(header: &Value, usage: Usage) -> Option<u64> {
    let used_up = |entry: &Value| {
        SHARES.into_iter().filter_map(|name| entry.get(name)?.as_f64()).any(|share| share >= USED_UP)
    };
    let left = |entry: &Value| entry.get("estimated_time_to_regain_access").and_then(Value::as_u64);
    let header = header.as_object()?;
    let of_accounts = header
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .filter(|entry| entry.get("type").and_then(Value::as_str).is_none_or(|kind| usage.counts(kind)));
    let whole = Value::Object(header.clone());
    of_accounts.chain([&whole]).filter(|entry| used_up(entry)).filter_map(left).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn wait_of(usage: Usage, pairs: &[(HeaderName, &str)]) -> Option<u64> {
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        asked(&headers, usage).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date() {
        let wait = |pairs: &[_]| wait_of(Usage::Messages, pairs);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[(RETRY_AFTER, "0")]), None);
        assert_eq!(wait(&[(RETRY_AFTER, "7")]), Some(7));
        assert_eq!(wait(&[(RETRY_AFTER, "99999999")]), Some(24 * 3_600), "nobody waits for years");
        let until = (RETRY_AFTER, "Wed, 21 Oct 2026 07:28:30 GMT");
        assert_eq!(wait(&[until.clone(), (DATE, "Wed, 21 Oct 2026 07:28:00 GMT")]), Some(30));
        assert_eq!(wait(&[until.clone(), (DATE, "Wed, 21 Oct 2026 07:29:00 GMT")]), None, "it is over");
        assert_eq!(wait(&[until]), None, "whose clock it is by is not known");
        assert_eq!(wait(&[(RETRY_AFTER, "soon"), (DATE, "today")]), None);
    }

    #[test]
    fn only_a_limit_that_is_used_up_asks_for_a_wait_and_in_minutes() {
        let usage = |share: &str| {
            let header = format!(
                r#"{{"102":[{{"type":"whatsapp","call_count":{share},"total_time":1,"estimated_time_to_regain_access":2}}]}}"#
            );
            wait_of(Usage::Messages, &[(BUSINESS_USAGE, &header), (RETRY_AFTER, "5")])
        };
        assert_eq!(usage("99.9"), Some(5));
        assert_eq!(usage("100"), Some(120));
        assert_eq!(usage("\"all\""), Some(5));
        let app =
            r#"{"call_count":1,"total_cputime":101,"total_time":3,"estimated_time_to_regain_access":4}"#;
        assert_eq!(wait_of(Usage::Messages, &[(APP_USAGE, app)]), Some(240));
        assert_eq!(wait_of(Usage::Messages, &[(APP_USAGE, r#"{"call_count":100}"#)]), None);
        assert_eq!(wait_of(Usage::Messages, &[(BUSINESS_USAGE, "not json")]), None);
    }

    #[test]
    fn messages_do_not_wait_for_the_limit_of_management_calls() {
        let header = r#"{"102":[{"type":"whatsapp","call_count":3,"estimated_time_to_regain_access":0},{"type":"whatsapp_business_management","call_count":120,"estimated_time_to_regain_access":9}]}"#;
        assert_eq!(wait_of(Usage::Messages, &[(BUSINESS_USAGE, header)]), None);
        assert_eq!(wait_of(Usage::Management, &[(BUSINESS_USAGE, header)]), Some(540));
    }
}
