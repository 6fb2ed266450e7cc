//! JSON text as Meta's servers write it: ASCII only, `\uXXXX` in lower case, and `\/` for a slash.
//!
//! The signature covers these bytes, so a receiver that parses and writes them again computes another one.

/// Rewrites JSON text into Meta's form. Outside strings JSON has neither slashes nor non-ASCII characters,
/// so there is no need to know where a string begins.
pub(crate) fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 16);
    let mut after_backslash = false;
    for c in json.chars() {
        match c {
            '/' if !after_backslash => out.push_str("\\/"),
            c if c.is_ascii() => out.push(c),
            c => push_units(&mut out, c),
        }
        after_backslash = c == '\\' && !after_backslash;
    }
    out
}

/// Appends a JSON string literal.
pub(super) fn push_str(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
            c => push_units(out, c),
        }
    }
    out.push('"');
}

/// One escape per UTF-16 unit: a character beyond the basic plane becomes a surrogate pair.
fn push_units(out: &mut String, c: char) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str("\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(*unit >> shift) & 0xf]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_outside_ascii_and_every_slash_is_escaped() {
        assert_eq!(escape("{\"a\":\"é 😀 https://x.y\"}"), r#"{"a":"\u00e9 \ud83d\ude00 https:\/\/x.y"}"#);
    }

    #[test]
    fn a_slash_that_is_already_escaped_is_left_alone() {
        assert_eq!(escape(r#""a\/b""#), r#""a\/b""#);
        assert_eq!(escape(r#""a\\/b""#), r#""a\\\/b""#);
    }

    #[test]
    fn a_literal_reads_back_as_the_text_it_was_made_from() {
        for text in ["", "plain", "quote \" slash / back \\ line\n", "Habari 😀 \u{1}\u{7f}\u{2028}"] {
            let mut out = String::new();
            push_str(&mut out, text);
            assert!(out.is_ascii());
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
