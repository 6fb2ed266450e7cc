//! What the fields about accounts and numbers mean for sending. Source: Meta's webhook reference, 2026.
//!
//! Only what certainly stops or frees a number is taken for that. Whatever is doubtful is left to the next message:
//! one that is refused for good reason waits and is not lost.

use domain::contracts::provider::Block;
use domain::news::{MessagingLimit, NumberNews, Quality};
use serde_json::Value;

use super::time;
use crate::cloud_api::shown_number::e164;

/// Messages a second of a number that Meta has raised to its higher throughput.
const HIGH_THROUGHPUT: u32 = 1_000;
/// The older of these stands in payloads of versions before v24.
const LIMITS: [&str; 2] = ["max_daily_conversations_per_business", "max_daily_conversation_per_phone"];

/// `None` for news that changes nothing about sending.
pub(super) fn of(field: &str, value: &Value) -> Option<Box<NumberNews>> {
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let news = match field {
        "account_update" => account(word("event"), value),
        "account_review_update" => match word("decision") {
            "APPROVED" => lifts(Block::Policy),
            "REJECTED" => blocks(Block::Policy),
            _ => NumberNews::default(),
        },
        // Sending of a number without an approved name is refused.
        "phone_number_name_update" if word("decision") == "APPROVED" => lifts(Block::NumberNotReady),
        "phone_number_quality_update" => quality(word("event"), value),
        "business_capability_update" => limited(value),
        _ => NumberNews::default(),
    };
    let is_news = news != NumberNews::default();
    let phone_number = value.get("display_phone_number").and_then(Value::as_str).and_then(e164);
    is_news.then(|| Box::new(NumberNews { phone_number, ..news }))
}

fn blocks(block: Block) -> NumberNews {
    NumberNews { block: Some(block), ..NumberNews::default() }
}

fn lifts(block: Block) -> NumberNews {
    NumberNews { lift: vec![block], ..NumberNews::default() }
}

fn account(event: &str, value: &Value) -> NumberNews {
    match event {
        "DISABLED_UPDATE" => match value.pointer("/ban_info/waba_ban_state").and_then(Value::as_str) {
            Some("DISABLE") => blocks(Block::Policy),
            Some("REINSTATE") => lifts(Block::Policy),
            _ => NumberNews::default(),
        },
        "ACCOUNT_RESTRICTION" => restricted(value),
        "ACCOUNT_DELETED" | "PARTNER_REMOVED" => blocks(Block::Permission),
        "PARTNER_ADDED" | "PARTNER_APP_INSTALLED" => lifts(Block::Permission),
        // The phone app of a number that is used in both was gone for long, or is back.
        "ACCOUNT_OFFBOARDED" => blocks(Block::NumberNotReady),
        "ACCOUNT_RECONNECTED" => lifts(Block::NumberNotReady),
        // A violation comes with a restriction if it has consequences, and PARTNER_APP_UNINSTALLED may name
        // another's app.
        _ => NumberNews::default(),
    }
}

/// A number that may still answer whoever writes to it is not blocked: what else it sends is refused one by one.
fn restricted(value: &Value) -> NumberNews {
    let list = value.get("restriction_info").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let may_not_answer = list.iter().find(|restriction| {
        let kind = restriction.get("restriction_type").and_then(Value::as_str);
        kind == Some("RESTRICTED_CUSTOMER_INITIATED_MESSAGING")
    });
    may_not_answer.map_or_else(NumberNews::default, |restriction| NumberNews {
        until: restriction.get("expiration").and_then(time::of),
        ..blocks(Block::Policy)
    })
}

fn quality(event: &str, value: &Value) -> NumberNews {
    let news = limited(value);
    match event {
        "THROUGHPUT_UPGRADE" => NumberNews {
            throughput_per_second: Some(HIGH_THROUGHPUT),
            // It was in maintenance until now.
            lift: vec![Block::NumberNotReady],
            ..news
        },
        "FLAGGED" => NumberNews { quality: Some(Quality::Red), ..news },
        // Better than before, and nothing says how good.
        "UNFLAGGED" => NumberNews { quality: Some(Quality::Unknown), ..news },
        _ => news,
    }
}

fn limited(value: &Value) -> NumberNews {
    let told = LIMITS.iter().find_map(|name| value.get(*name)).or_else(|| value.get("current_limit"));
    NumberNews { messaging_limit: told.and_then(limit), ..NumberNews::default() }
}

/// `2000`, `"2000"`, `"TIER_2K"` and `"TIER_UNLIMITED"`; -1 is unlimited.
fn limit(told: &Value) -> Option<MessagingLimit> {
    let text = match told {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_uppercase(),
        _ => return None,
    };
    let tier = text.strip_prefix("TIER_").unwrap_or(&text);
    if matches!(tier, "UNLIMITED" | "-1") {
        return Some(MessagingLimit::Unlimited);
    }
    let (digits, times) = match tier.strip_suffix('K') {
        Some(thousands) => (thousands, 1_000),
        None => (tier, 1),
    };
    let limit = digits.parse::<u64>().ok()?.checked_mul(times)?;
    (limit > 0).then_some(MessagingLimit::PerDay(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use serde_json::json;

    fn news(field: &str, value: &Value) -> NumberNews {
        of(field, value).map_or_else(NumberNews::default, |news| *news)
    }

    #[test]
    fn a_ban_blocks_an_account_and_its_end_lifts_it() {
        let ban = |state: &str| {
            news(
                "account_update",
                &json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}),
            )
        };
        assert_eq!(ban("DISABLE"), blocks(Block::Policy));
        assert_eq!(ban("REINSTATE"), lifts(Block::Policy));
        assert_eq!(ban("SCHEDULE_FOR_DISABLE"), NumberNews::default(), "it sends until then");
    }

    #[test]
    fn a_restriction_blocks_until_it_expires_only_where_answers_are_restricted_too() {
        let restriction = |kinds: &[&str]| {
            let info: Vec<_> = kinds
                .iter()
                .map(|kind| json!({"restriction_type": kind, "expiration": 1_790_000_000}))
                .collect();
            news("account_update", &json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": info}))
        };
        let both =
            restriction(&["RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"]);
        assert_eq!(
            (both.block, both.until),
            (Some(Block::Policy), Some(Timestamp::from_seconds(1_790_000_000)))
        );
        assert_eq!(restriction(&["RESTRICTED_BIZ_INITIATED_MESSAGING"]), NumberNews::default());
        assert_eq!(restriction(&["RESTRICTED_ADD_PHONE_NUMBER_ACTION"]), NumberNews::default());
        assert_eq!(restriction(&[]), NumberNews::default());
    }

    #[test]
    fn leaving_and_coming_back_block_and_lift() {
        let event = |event: &str| news("account_update", &json!({ "event": event }));
        assert_eq!(event("PARTNER_REMOVED"), blocks(Block::Permission));
        assert_eq!(event("ACCOUNT_DELETED"), blocks(Block::Permission));
        assert_eq!(event("PARTNER_APP_INSTALLED"), lifts(Block::Permission));
        assert_eq!(event("ACCOUNT_OFFBOARDED"), blocks(Block::NumberNotReady));
        assert_eq!(event("ACCOUNT_RECONNECTED"), lifts(Block::NumberNotReady));
        assert_eq!(event("ACCOUNT_VIOLATION"), NumberNews::default());
        assert_eq!(event("PARTNER_APP_UNINSTALLED"), NumberNews::default());
        let review = |decision: &str| news("account_review_update", &json!({ "decision": decision }));
        assert_eq!(review("APPROVED"), lifts(Block::Policy));
        assert_eq!(review("REJECTED"), blocks(Block::Policy));
        assert_eq!(review("PENDING"), NumberNews::default());
    }

    #[test]
    fn news_about_one_number_of_an_account_names_it() {
        let upgrade = news(
            "phone_number_quality_update",
            &json!({"display_phone_number": "15550783881", "event": "THROUGHPUT_UPGRADE", "max_daily_conversations_per_business": "TIER_UNLIMITED"}),
        );
        assert_eq!(upgrade.phone_number.as_deref(), Some("+15550783881"));
        assert_eq!(upgrade.throughput_per_second, Some(1_000));
        assert_eq!(upgrade.messaging_limit, Some(MessagingLimit::Unlimited));
        let name = news(
            "phone_number_name_update",
            &json!({"display_phone_number": "15550783881", "decision": "APPROVED"}),
        );
        assert_eq!((name.phone_number.is_some(), name.lift), (true, vec![Block::NumberNotReady]));
        let flagged = |event: &str| news("phone_number_quality_update", &json!({ "event": event })).quality;
        assert_eq!(flagged("FLAGGED"), Some(Quality::Red));
        assert_eq!(flagged("UNFLAGGED"), Some(Quality::Unknown));
        assert_eq!(flagged("ONBOARDING"), None);
    }

    #[test]
    fn a_limit_is_told_as_a_number_or_as_a_tier() {
        use MessagingLimit::{PerDay, Unlimited};
        for (told, expected) in [
            (json!(2_000), Some(PerDay(2_000))),
            (json!("2000"), Some(PerDay(2_000))),
            (json!("TIER_250"), Some(PerDay(250))),
            (json!("TIER_2K"), Some(PerDay(2_000))),
            (json!("TIER_100K"), Some(PerDay(100_000))),
            (json!("TIER_UNLIMITED"), Some(Unlimited)),
            (json!(-1), Some(Unlimited)),
            (json!("TIER_NOT_SET"), None),
            (json!(0), None),
            (json!(null), None),
            (json!("TIER_99999999999999999999K"), None),
        ] {
            let value = json!({ "max_daily_conversations_per_business": told });
            assert_eq!(news("business_capability_update", &value).messaging_limit, expected, "{told}");
        }
        let old = json!({"max_daily_conversation_per_phone": 1_000});
        assert_eq!(news("business_capability_update", &old).messaging_limit, Some(PerDay(1_000)));
    }

    #[test]
    fn news_that_change_nothing_about_sending_mean_nothing() {
        for field in ["security", "account_alerts", "flows", "message_template_status_update", "unknown"] {
            assert_eq!(
                of(field, &json!({"event": "DISABLED_UPDATE", "decision": "APPROVED"})),
                None,
                "{field}"
            );
        }
        for value in [json!(null), json!([]), json!({"event": 5}), json!("text")] {
            assert_eq!(of("account_update", &value), None);
        }
    }
}
