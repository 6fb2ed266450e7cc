//! Who a message goes to: a phone number, a business-scoped user id where the number is hidden, or a group.

mod country;
mod normalise;
mod phone;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use country::Country;
pub use normalise::{Normalised, normalise};
pub use phone::PhoneNumber;

use crate::contracts::store::LaneKey;
use crate::field_error::FieldError;
use crate::ids::ConnectionId;

/// One recipient. Prints to, and reads from, one text column: `+255712345678`, `US.13491208655302741918`,
/// `group:120363041234567890@g.us`. The three forms cannot be taken for one another.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    Phone(PhoneNumber),
    User(UserId),
    Group(GroupId),
}

impl Recipient {
    pub fn phone(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Phone(number) => Some(number),
            Self::User(_) | Self::Group(_) => None,
        }
    }

    /// The lane in which messages of this connection to this recipient keep their order.
    ///
    /// Rows hold it, and every node and every later version has to find the lane that an earlier one wrote,
    /// hence the first 64 bits of a SHA-256 and not the standard library's hash, which is seeded anew in each
    /// process. Two recipients that meet in one lane wait for each other and nothing worse.
    pub fn lane(&self, connection: ConnectionId) -> LaneKey {
        let mut hash = Sha256::new();
        hash.update(connection.uuid().as_bytes());
        hash.update(self.to_string().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        LaneKey(i64::from_be_bytes(std::array::from_fn(|i| digest[i])))
    }
}

impl From<PhoneNumber> for Recipient {
    fn from(number: PhoneNumber) -> Self {
        Self::Phone(number)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => number.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => fmt::Debug::fmt(number, f),
            Self::User(_) | Self::Group(_) => fmt::Display::fmt(self, f),
        }
    }
}

/// The form that `Display` prints and nothing else; what people type goes through [`normalise`].
impl FromStr for Recipient {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        if let Some(id) = text.strip_prefix("group:") {
            return id.parse().map(Self::Group);
        }
        if text.starts_with('+') { text.parse().map(Self::Phone) } else { text.parse().map(Self::User) }
    }
}

/// A person as one business portfolio may know them, without their number: two letters of a country, a dot, and
/// 1 to 128 letters and digits. With `ENT.` in between it spans the linked portfolios of one enterprise.
/// Source: business-scoped user ids, WhatsApp Business Platform, 2026.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(String);

impl UserId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether linked portfolios share it.
    pub fn is_parent(&self) -> bool {
        self.0.get(2..).is_some_and(|rest| rest.starts_with(".ENT."))
    }
}

impl FromStr for UserId {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        let well_formed = text.split_once('.').is_some_and(|(country, rest)| {
            let id = rest.strip_prefix("ENT.").unwrap_or(rest);
            country.len() == 2
                && country.bytes().all(|b| b.is_ascii_uppercase())
                && (1..=128).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidRecipient::NotAUserId) }
    }
}

/// A group, by the id its transport gave it: opaque to us, such as `120363041234567890@g.us` on a linked device.
/// 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(String);

impl GroupId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupId {
    type Err = InvalidRecipient;

    fn from_str(text: &str) -> Result<Self, InvalidRecipient> {
        let well_formed = (1..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic())
            && !text.starts_with('@');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidRecipient::NotAGroup) }
    }
}

macro_rules! one_string {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

macro_rules! prints_itself {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

one_string!(Recipient, UserId, GroupId);
prints_itself!(UserId, GroupId);

/// How many digits a number should have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Name and calling code where the country is known: then digits are counted behind the code.
    pub country: Option<(&'static str, &'static str)>,
    pub shortest: usize,
    pub longest: usize,
}

impl Expected {
    const ANYWHERE: Self = Self { country: None, shortest: 8, longest: 15 };

    fn of(plan: &'static country::Plan) -> Self {
        Self { country: Some((plan.name, plan.calling_code)), shortest: plan.shortest, longest: plan.longest }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shortest, self.longest) {
            (shortest, longest) if shortest == longest => write!(f, "{shortest} digits")?,
            (shortest, longest) => write!(f, "{shortest} to {longest} digits")?,
        }
        match self.country {
            Some((name, code)) => write!(f, " in {name}, behind {code} or a leading 0"),
            None => f.write_str(" with the country code"),
        }
    }
}

/// Why a recipient cannot be written to, and what would be right. Never contains what was given, which may be
/// somebody's number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    #[error("a recipient is needed: write a phone number such as +255712345678")]
    Empty,
    #[error("a phone number has digits only: write it such as +255712345678")]
    NotDigits,
    #[error("the number has {found} digits but needs {expected}: check that none is missing")]
    TooShort { found: usize, expected: Expected },
    #[error(
        "the number has {found} digits but may have {expected}: check for a digit too many, \
         and write + and the country code if it belongs to another country"
    )]
    TooLong { found: usize, expected: Expected },
    #[error("another prefix stands in front of the country code: remove it, and write such as +255712345678")]
    DoubledPrefix,
    #[error("the number has zeros behind its country code: remove them")]
    LeadingZeros,
    #[error("no country has this country code: write + and the country code, such as +255712345678")]
    UnknownCountryCode,
    #[error("the country cannot be told: write + and the country code in front, such as +255712345678")]
    CountryCodeNeeded,
    #[error("this is a hidden identity and not a phone number: write the number or the user id")]
    HiddenNumber,
    #[error(
        "a user id is two letters of a country, a dot, and up to 128 letters and digits, such as US.1349"
    )]
    NotAUserId,
    #[error("a group id has 1 to 255 visible characters")]
    NotAGroup,
    /// Well-formed, but a group where a person is expected; the caller may allow it.
    #[error("this is a group: groups can be written to on linked devices only, and with permission")]
    Group(GroupId),
}

impl InvalidRecipient {
    /// Stable name of the rule that was broken, for programs.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotDigits => "not_digits",
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::DoubledPrefix => "doubled_prefix",
            Self::LeadingZeros => "leading_zeros",
            Self::UnknownCountryCode => "unknown_country_code",
            Self::CountryCodeNeeded => "country_code_needed",
            Self::HiddenNumber => "hidden_number",
            Self::NotAUserId => "not_a_user_id",
            Self::NotAGroup => "not_a_group",
            Self::Group(_) => "group",
        }
    }

    /// As an entry of the answer's `errors`; `field` is a path such as `message.to`.
    pub fn in_field(&self, field: &str) -> FieldError {
        FieldError::new(field, self.rule(), self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn connection(number: u128) -> ConnectionId {
        ConnectionId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn every_kind_of_recipient_reads_back_what_it_printed() {
        for text in [
            "+255712345678",
            "US.13491208655302741918",
            "TZ.ENT.9aZ",
            "group:120363041234567890@g.us",
            "group:Y2FwaV9ncm91cDo=",
        ] {
            let recipient: Recipient = text.parse().unwrap();
            assert_eq!(recipient.to_string(), text);
            let json = serde_json::to_string(&recipient).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Recipient>(&json).unwrap(), recipient);
        }
        for text in
            ["", "255712345678", "group:", "group:a b", "US.", "us.12", "US.1.2", "USA.1", "US.ENT.", "a"]
        {
            assert!(text.parse::<Recipient>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_id_has_at_most_128_letters_and_digits() {
        assert!(format!("US.{}", "a".repeat(128)).parse::<UserId>().is_ok());
        assert!(format!("US.{}", "a".repeat(129)).parse::<UserId>().is_err());
        assert!(format!("US.ENT.{}", "a".repeat(128)).parse::<UserId>().is_ok());
        assert!("US.ENT.1".parse::<UserId>().unwrap().is_parent());
        assert!(!"US.ENT1".parse::<UserId>().unwrap().is_parent());
    }

    #[test]
    fn debug_shows_three_digits_of_a_number_at_most() {
        let recipient: Recipient = "+255712345678".parse().unwrap();
        assert_eq!(format!("{recipient:?}"), "+*********678");
    }

    #[test]
    fn a_lane_is_the_same_for_good_and_differs_by_connection_and_recipient() {
        let asha: Recipient = "+255712345678".parse().unwrap();
        let juma: Recipient = "+255712345679".parse().unwrap();
        assert_eq!(
            asha.lane(connection(1)),
            LaneKey(-5_658_570_143_024_797_251),
            "changing it breaks the order of stored lanes"
        );
        assert_ne!(asha.lane(connection(1)), asha.lane(connection(2)));
        assert_ne!(asha.lane(connection(1)), juma.lane(connection(1)));
    }

    #[test]
    fn a_refusal_names_the_rule_and_the_remedy_but_never_the_number() {
        let refused = normalise("0712345", Country::TANZANIA).unwrap_err().in_field("message.to");
        assert_eq!(refused.field, "message.to");
        assert_eq!(refused.rule, "too_short");
        assert!(refused.message.contains("9 digits in Tanzania"), "{}", refused.message);
        assert!(!refused.message.contains("712345 "), "{}", refused.message);
    }
}
