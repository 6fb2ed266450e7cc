//! Reads JSON that a strict reader would throw away whole for the sake of one broken character.
//!
//! Texts that people write are cut by their apps between the halves of an emoji, and Meta's writer passes the
//! lone half on as `\ud83d`. A batch may hold a thousand updates of many businesses: none of them may be
//! lost for that.

use serde_json::Value;

/// Nesting stays bounded by serde_json's own limit of 128.
pub(crate) fn parse(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(body)
        .or_else(|error| if error.is_eof() { Err(error) } else { serde_json::from_str(&mended(body)) })
}

/// The same document with U+FFFD for every lone surrogate and every byte that is no UTF-8.
fn mended(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut mended = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            // A backslash and what it escapes, which may be a backslash.
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 code unit of an escape such as `\u00e9` at the start of the text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn half_an_emoji_does_not_lose_its_neighbours() {
        let body = br#"["a\ud83d","\ude00b","\ud83d\ude00","\\ud83d","\u00e9"]"#;
        assert!(serde_json::from_slice::<Value>(body).is_err(), "a strict reader refuses it");
        assert_eq!(parse(body).unwrap(), json!(["a\u{fffd}", "\u{fffd}b", "😀", "\\ud83d", "é"]));
    }

    #[test]
    fn bytes_that_are_no_utf_8_do_not_lose_their_neighbours() {
        assert_eq!(parse(b"[\"a\xff\",1]").unwrap(), json!(["a\u{fffd}", 1]));
    }

    #[test]
    fn what_is_no_json_and_what_is_too_deep_stay_errors() {
        assert!(parse(b"{").is_err());
        assert!(parse(b"<html>").is_err());
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn mending_never_panics(body in "[\\\\ud8f0-9c\"a]{0,40}") {
            let _ = parse(body.as_bytes());
            let _ = mended(body.as_bytes());
        }
    }
}
