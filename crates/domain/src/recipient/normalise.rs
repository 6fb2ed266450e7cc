//! From what people type to E.164.
//!
//! A number sent to the wrong person is worse than a refusal, so nothing is guessed: a number without country
//! code is read by the plan of the business's own country, and where that leaves two readings it is refused with
//! a word on how to write it.

use super::country::{Country, Plan};
use super::{Expected, GroupId, InvalidRecipient, PhoneNumber};

/// A number in E.164, and what had to be done or said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised {
    pub number: PhoneNumber,
    /// The number was written wrongly, but with one meaning only: a 0 between country code and number.
    pub corrected: bool,
    /// Certainly no mobile line. False where we cannot tell, which is everywhere but in Tanzania.
    pub not_mobile: bool,
}

/// Reads a phone number as people and programs write it: with `+`, `00` or nothing in front of the country code,
/// in the national form of `country`, with separators, or as the JID of a person (`…@c.us`, `…@s.whatsapp.net`).
///
/// Fails with [`InvalidRecipient::Group`] for the JID of a group, so that the caller decides whether groups are
/// allowed here; with the rule that was broken otherwise. Never panics, whatever the text.
pub fn normalise(raw: &str, country: Country) -> Result<Normalised, InvalidRecipient> {
    let text = raw.trim();
    if let Some((user, server)) = text.split_once('@') {
        return from_jid(user, server);
    }
    // `+255 (0)712 …` is the written custom for "leave the 0 out when you dial the country code".
    let without_hint = if text.starts_with('+') || text.starts_with("00") {
        text.replacen("(0)", "", 1)
    } else {
        text.to_owned()
    };
    let (plus, digits) = digits_of(&without_hint)?;
    if digits.is_empty() {
        return Err(InvalidRecipient::Empty);
    }
    if plus {
        return international(&digits);
    }
    // `00` is the international prefix of most countries, `000` of East Africa. No calling code begins with 0.
    if let Some(rest) = digits.strip_prefix("000").or_else(|| digits.strip_prefix("00")) {
        return international(rest);
    }
    match Plan::of(country) {
        Some(plan) => by_plan(&digits, plan),
        None => Err(InvalidRecipient::CountryCodeNeeded),
    }
}

/// The user part of a JID is the international number, sometimes followed by `:` and a device.
fn from_jid(user: &str, server: &str) -> Result<Normalised, InvalidRecipient> {
    match server {
        "c.us" | "s.whatsapp.net" => {
            let number = user.split_once(':').map_or(user, |(number, _device)| number);
            international(number.strip_prefix('+').unwrap_or(number))
        }
        "g.us" => Err(InvalidRecipient::Group(format!("{user}@{server}").parse::<GroupId>()?)),
        "lid" => Err(InvalidRecipient::HiddenNumber),
        _ => Err(InvalidRecipient::NotDigits),
    }
}

/// Whether a `+` stands in front, and the digits without what people put between them.
fn digits_of(text: &str) -> Result<(bool, String), InvalidRecipient> {
    let mut plus = false;
    let mut digits = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '0'..='9' => digits.push(character),
            '+' if digits.is_empty() && !plus => plus = true,
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' => {}
            // Numbers copied from an address book come wrapped in invisible direction marks.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            _ if character.is_whitespace() => {}
            _ => return Err(InvalidRecipient::NotDigits),
        }
    }
    Ok((plus, digits))
}

/// Digits without `+`, in a country whose plan we know: its national form first, then the international one.
fn by_plan(digits: &str, plan: &'static Plan) -> Result<Normalised, InvalidRecipient> {
    if let Some(national) = digits.strip_prefix('0') {
        return in_plan(plan, national, false);
    }
    if let Some(rest) = digits.strip_prefix(plan.calling_code) {
        // As short as a national number it could be one, or one with its country code and digits missing.
        return if digits.len() > plan.longest || !plan.fits(digits) {
            international(digits)
        } else {
            Err(InvalidRecipient::TooShort { found: rest.len(), expected: Expected::of(plan) })
        };
    }
    if digits.len() <= plan.longest {
        return in_plan(plan, digits, false);
    }
    // One digit more than a mobile number of this country is rather a slip than another country.
    if digits.len() == plan.longest + 1 && plan.may_be_mobile(digits) {
        return Err(InvalidRecipient::TooLong { found: digits.len(), expected: Expected::of(plan) });
    }
    international(digits)
}

/// Digits that begin with a calling code.
fn international(digits: &str) -> Result<Normalised, InvalidRecipient> {
    if let Some((plan, rest)) = Plan::split(digits) {
        return match rest.strip_prefix('0') {
            Some(national) => in_plan(plan, national, true),
            None => in_plan(plan, rest, false),
        };
    }
    let number = PhoneNumber::from_digits(digits)?;
    Ok(Normalised { number, corrected: false, not_mobile: false })
}

fn in_plan(plan: &'static Plan, national: &str, corrected: bool) -> Result<Normalised, InvalidRecipient> {
    if national.starts_with('0') {
        return Err(InvalidRecipient::LeadingZeros);
    }
    let (found, expected) = (national.len(), Expected::of(plan));
    if found < plan.shortest {
        return Err(InvalidRecipient::TooShort { found, expected });
    }
    if found > plan.longest {
        return Err(match Plan::split(national) {
            Some((second, rest)) if second.fits(rest) => InvalidRecipient::DoubledPrefix,
            _ => InvalidRecipient::TooLong { found, expected },
        });
    }
    let number = PhoneNumber::from_digits(&format!("{}{national}", plan.calling_code))?;
    Ok(Normalised { number, corrected, not_mobile: plan.is_landline(national) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &str, country: &str) -> Result<(String, bool, bool), &'static str> {
        match normalise(raw, Country::from_code(country).unwrap()) {
            Ok(found) => Ok((found.number.to_string(), found.corrected, found.not_mobile)),
            Err(invalid) => Err(invalid.rule()),
        }
    }

    #[test]
    fn numbers_of_a_tanzanian_business_are_read_as_the_table_says() {
        let plain = |number: &str| Ok((number.to_owned(), false, false));
        let table = [
            ("0712 345 678", plain("+255712345678")),
            ("712345678", plain("+255712345678")),
            ("+255712345678", plain("+255712345678")),
            ("255712345678", plain("+255712345678")),
            ("00255712345678", plain("+255712345678")),
            ("+255 (0)712 345 678", plain("+255712345678")),
            ("2550712345678", Ok(("+255712345678".to_owned(), true, false))),
            ("+254712345678", plain("+254712345678")),
            ("254712345678", plain("+254712345678")),
            ("255254712345678", Err("doubled_prefix")),
            ("07123", Err("too_short")),
            ("+2557123456789", Err("too_long")),
            ("0712 ABC 678", Err("not_digits")),
            ("0222123456", Ok(("+255222123456".to_owned(), false, true))),
            ("255712345678@c.us", plain("+255712345678")),
            ("255712345678@s.whatsapp.net", plain("+255712345678")),
            ("120363041234567890@g.us", Err("group")),
        ];
        for (raw, expected) in table {
            assert_eq!(read(raw, "TZ"), expected, "{raw}");
        }
    }

    #[test]
    fn unusual_writings_have_one_reading_or_are_refused() {
        let plain = |number: &str| Ok((number.to_owned(), false, false));
        let table = [
            ("TZ", "", Err("empty")),
            ("TZ", " + ", Err("empty")),
            ("TZ", "\u{202a}+255\u{a0}712‑345‑678\u{202c}", plain("+255712345678")),
            ("TZ", "000254712345678", plain("+254712345678")),
            ("TZ", "+2540712345678", Ok(("+254712345678".to_owned(), true, false))),
            ("TZ", "+0712345678", Err("unknown_country_code")),
            ("TZ", "+999712345678", Err("unknown_country_code")),
            ("TZ", "07+12345678", Err("not_digits")),
            ("TZ", "++255712345678", Err("not_digits")),
            ("TZ", "٠٧١٢٣٤٥٦٧٨", Err("not_digits")),
            ("TZ", "255255712345678", Err("doubled_prefix")),
            ("TZ", "0255712345678", Err("doubled_prefix")),
            ("TZ", "255712345", Err("too_short")),
            ("TZ", "71234567", Err("too_short")),
            ("TZ", "7123456789", Err("too_long")),
            ("TZ", "255000712345", Err("leading_zeros")),
            ("TZ", "12025550123", plain("+12025550123")),
            ("TZ", "+1202555012", Err("too_short")),
            ("TZ", "+44 (0)20 7946 0958", plain("+442079460958")),
            ("TZ", "+39 06 1234 5678", plain("+390612345678")),
            ("TZ", "255712345678:12@s.whatsapp.net", plain("+255712345678")),
            ("TZ", "0712345678@c.us", Err("unknown_country_code")),
            ("TZ", "103948571234@lid", Err("hidden_number")),
            ("TZ", "asha@example.com", Err("not_digits")),
            ("TZ", "@g.us", Err("not_a_group")),
            ("KE", "0712345678", plain("+254712345678")),
            ("KE", "255712345678", plain("+255712345678")),
            ("BI", "79123456", plain("+25779123456")),
            ("MW", "0991234567", plain("+265991234567")),
            ("DE", "+4915112345678", plain("+4915112345678")),
            ("DE", "15112345678", Err("country_code_needed")),
        ];
        for (country, raw, expected) in table {
            assert_eq!(read(raw, country), expected, "{raw} in {country}");
        }
    }

    fn countries() -> impl Strategy<Value = Country> {
        prop::sample::select(vec!["TZ", "KE", "UG", "RW", "BI", "CD", "ZM", "MW", "MZ", "US"])
            .prop_map(|code| Country::from_code(code).unwrap())
    }

    fn holds(raw: &str, country: Country) {
        let Ok(first) = normalise(raw, country) else { return };
        let number = first.number.to_string();
        assert!(number.starts_with('+') && number[1..].bytes().all(|b| b.is_ascii_digit()), "{number}");
        assert!((8..=15).contains(&number[1..].len()), "{number}");
        let again = normalise(&number, country).expect("what came out goes in");
        assert_eq!(again, Normalised { corrected: false, ..first.clone() });
        assert_eq!(number.parse::<PhoneNumber>().unwrap(), first.number);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(raw in any::<String>(), country in countries()) {
            holds(&raw, country);
        }

        #[test]
        fn normalising_twice_changes_nothing(
            raw in "(\\+|00|000|0|255|2550|254|1)?[0-9 ().-]{4,18}(@c\\.us)?",
            country in countries(),
        ) {
            holds(&raw, country);
        }
    }
}
