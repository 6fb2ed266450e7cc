//! The numbers of a WABA, as the list of them shows each. Source: WhatsApp business account, phone numbers.

use domain::connection::Sending;
use domain::contracts::provider::OfferedNumber;
use serde_json::Value;
use url::form_urlencoded;

use crate::cloud_api::shown_number::e164;

pub(super) const FIELDS: &str = "id,display_phone_number,verified_name,code_verification_status,quality_rating,platform_type,throughput,status,is_on_biz_app";
pub(super) const PAGE: &str = "100";
/// A portfolio may hold 20 numbers, or some thousands with Meta's leave.
pub(super) const MOST_PAGES: usize = 100;

/// One entry of the list; `None` for what has no id.
pub(super) fn offered(waba_id: &str, entry: &Value) -> Option<OfferedNumber> {
    let word = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let level = entry.pointer("/throughput/level").and_then(Value::as_str);
    Some(OfferedNumber {
        waba_id: waba_id.to_owned(),
        phone_number_id: word("id")?.to_owned(),
        phone_number: word("display_phone_number").and_then(e164),
        verified_name: word("verified_name").map(str::to_owned),
        quality_rating: word("quality_rating").map(str::to_owned),
        verified: word("code_verification_status") == Some("VERIFIED"),
        registered: word("platform_type") == Some("CLOUD_API") && level != Some("NOT_APPLICABLE"),
        coexistence: entry.get("is_on_biz_app").and_then(Value::as_bool).unwrap_or(false),
        messages_per_second: (level == Some("HIGH")).then_some(Sending::MOST),
    })
}

/// Where the next page begins. A cursor stands on the last page too, so `next` decides; its address is not
/// followed as it is, since it may name another host and carry a token.
pub(super) fn next_cursor(page: &Value) -> Option<String> {
    let next = page.pointer("/paging/next")?.as_str()?;
    let cursor = page.pointer("/paging/cursors/after").and_then(Value::as_str).map(str::to_owned);
    let in_address = || {
        let (_, query) = next.split_once('?')?;
        let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after")?;
        Some(after.1.into_owned())
    };
    cursor.or_else(in_address).filter(|cursor| !cursor.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_says_whether_to_register_and_whether_one_may() {
        let number = offered(
            "102",
            &json!({
                "id": "106", "display_phone_number": "+255 712-345 678", "verified_name": "Duka la Asha",
                "code_verification_status": "VERIFIED", "quality_rating": "GREEN", "platform_type": "CLOUD_API",
                "throughput": {"level": "STANDARD"}, "is_on_biz_app": true,
            }),
        )
        .unwrap();
        assert_eq!(number.phone_number.as_deref(), Some("+255712345678"));
        assert!(number.verified && number.registered && number.coexistence);
        assert_eq!(number.messages_per_second, None);
        let bare = offered("102", &json!({"id": "107", "platform_type": "NOT_APPLICABLE"})).unwrap();
        assert_eq!(bare.phone_number, None);
        assert!(!bare.verified && !bare.registered && !bare.coexistence);
        let idle =
            json!({"id": "1", "platform_type": "CLOUD_API", "throughput": {"level": "NOT_APPLICABLE"}});
        assert!(!offered("102", &idle).unwrap().registered);
        let raised = json!({"id": "1", "throughput": {"level": "HIGH"}});
        assert_eq!(offered("102", &raised).unwrap().messages_per_second, Some(1_000));
        assert_eq!(offered("102", &json!({"display_phone_number": "+1"})), None);
    }

    #[test]
    fn the_last_page_has_a_cursor_but_nothing_after_it() {
        assert_eq!(next_cursor(&json!({"paging": {"cursors": {"after": "QVFI"}}})), None);
        assert_eq!(next_cursor(&json!({"data": []})), None);
        let page = json!({"paging": {"cursors": {"after": "QVFI"}, "next": "https://graph.facebook.com/…"}});
        assert_eq!(next_cursor(&page).as_deref(), Some("QVFI"));
        let page = json!({"paging": {"next": "https://elsewhere.example/x?access_token=EAA&after=QV%3D"}});
        assert_eq!(next_cursor(&page).as_deref(), Some("QV="));
    }
}
