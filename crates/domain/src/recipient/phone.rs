//! A phone number in E.164, the only form in which one is stored, compared or sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::country::calling_code;
use super::{Expected, InvalidRecipient};

/// `+` and 8 to 15 digits, beginning with an assigned calling code. `Debug` shows only the last three digits,
/// so that no log names a customer by accident.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes the digits of an international number without `+`, as a `wa_id` or the user part of a JID has them.
    /// Nothing is corrected, and no country is assumed.
    pub fn from_digits(digits: &str) -> Result<Self, InvalidRecipient> {
        if digits.is_empty() {
            return Err(InvalidRecipient::Empty);
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidRecipient::NotDigits);
        }
        let found = digits.len();
        if found < 4 {
            return Err(InvalidRecipient::TooShort { found, expected: Expected::ANYWHERE });
        }
        let (_, lengths) = calling_code(digits).ok_or(InvalidRecipient::UnknownCountryCode)?;
        let expected = Expected { country: None, shortest: *lengths.start(), longest: *lengths.end() };
        if found < expected.shortest {
            return Err(InvalidRecipient::TooShort { found, expected });
        }
        if found > expected.longest {
            return Err(InvalidRecipient::TooLong { found, expected });
        }
        Ok(Self(format!("+{digits}")))
    }

    /// With the leading `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the leading `+`, as providers want it.
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    /// For logs and for people who may not see the whole number: `+*********678`.
    pub fn masked(&self) -> String {
        let hidden = self.digits().len().saturating_sub(3);
        format!("+{}{}", "*".repeat(hidden), self.digits().get(hidden..).unwrap_or_default())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The form that `Display` prints and nothing else; what people type goes through [`super::normalise`].
impl FromStr for PhoneNumber {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        Self::from_digits(text.strip_prefix('+').ok_or(InvalidRecipient::CountryCodeNeeded)?)
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_prints_in_full_and_debugs_masked() {
        let number: PhoneNumber = "+255712345678".parse().unwrap();
        assert_eq!(number.to_string(), "+255712345678");
        assert_eq!(number.digits(), "255712345678");
        assert_eq!(number.masked(), "+*********678");
        assert_eq!(format!("{number:?}"), "+*********678");
    }

    #[test]
    fn a_number_is_one_string_in_json() {
        let number: PhoneNumber = "+254712345678".parse().unwrap();
        let json = serde_json::to_string(&number).unwrap();
        assert_eq!(json, "\"+254712345678\"");
        assert_eq!(serde_json::from_str::<PhoneNumber>(&json).unwrap(), number);
        assert!(serde_json::from_str::<PhoneNumber>("\"0712345678\"").is_err());
    }

    #[test]
    fn a_stored_number_is_read_strictly() {
        for other in
            ["255712345678", "+255 712 345 678", "+", "", "+25", "+0712345678", "+99912345678", "+1202555"]
        {
            assert!(other.parse::<PhoneNumber>().is_err(), "{other}");
        }
    }
}
