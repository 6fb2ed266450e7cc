//! Phone numbers as Meta shows them to people: `+1 555-078-3881`, or the digits alone.

/// In E.164.
pub(crate) fn e164(shown: &str) -> Option<String> {
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    (8..=15).contains(&digits.len()).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_a_number_is_shown_it_is_one_number() {
        for shown in ["+1 555-078-3881", "15550783881", "+1 (555) 078 3881"] {
            assert_eq!(e164(shown).as_deref(), Some("+15550783881"), "{shown}");
        }
        assert_eq!(e164("555"), None);
        assert_eq!(e164(""), None);
    }
}
