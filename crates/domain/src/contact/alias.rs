//! The names that one person may go by.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::ContactKey;
use crate::contracts::store::LaneKey;
use crate::ids::{BusinessKey, ConnectionId};
use crate::recipient::{PhoneNumber, Recipient, UserId};

/// One name of a person. Prints to, and reads from, one text column: `+255712345678`, `US.13491208655302741918`,
/// `lid:123456789012345`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Alias {
    Phone(PhoneNumber),
    User(UserId),
    Lid(Lid),
}

/// Who somebody is to a linked device that may not see their number: digits, written `…@lid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lid(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this names no person")]
pub struct InvalidAlias;

impl Alias {
    /// Who a message goes to; a group is nobody in particular.
    pub fn of(recipient: &Recipient) -> Option<Self> {
        match recipient {
            Recipient::Phone(number) => Some(Self::Phone(number.clone())),
            Recipient::User(id) => Some(Self::User(id.clone())),
            Recipient::Group(_) => None,
        }
    }

    /// What providers write where they name a person: digits of a number, a user id even in the place of a number,
    /// or a hidden identity. An empty text and anything else is no name.
    pub fn from_provider(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_suffix("@lid") {
            return Lid::from_digits(digits).ok().map(Self::Lid);
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        let phone = PhoneNumber::from_digits(digits).ok().map(Self::Phone);
        phone.or_else(|| text.parse().ok().map(Self::User))
    }

    /// The first 64 bits of a SHA-256, like the lanes of messages: rows hold it, so it is the same for good.
    pub fn key(&self, business: BusinessKey) -> ContactKey {
        let mut hash = Sha256::new();
        hash.update(business.0.to_be_bytes());
        hash.update(self.to_string().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        ContactKey(i64::from_be_bytes(std::array::from_fn(|i| digest[i])))
    }

    /// What a contact with several names is known by: a phone number before a user id, a user id before a hidden
    /// identity.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Phone(_) => 0,
            Self::User(_) => 1,
            Self::Lid(_) => 2,
        }
    }

    /// Who to write to under this name, where that is possible.
    pub fn recipient(&self) -> Option<Recipient> {
        match self {
            Self::Phone(number) => Some(Recipient::Phone(number.clone())),
            Self::User(id) => Some(Recipient::User(id.clone())),
            Self::Lid(_) => None,
        }
    }

    /// The lane of this person's messages, when this is the name their contact is known by.
    pub fn lane(&self, connection: ConnectionId) -> Option<LaneKey> {
        self.recipient().map(|recipient| recipient.lane(connection))
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => number.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Lid(Lid(digits)) => write!(f, "lid:{digits}"),
        }
    }
}

/// The form that `Display` prints and nothing else.
impl FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        if let Some(digits) = text.strip_prefix("lid:") {
            return Lid::from_digits(digits).map(Self::Lid);
        }
        if text.starts_with('+') {
            return text.parse().map(Self::Phone).map_err(|_| InvalidAlias);
        }
        text.parse().map(Self::User).map_err(|_| InvalidAlias)
    }
}

impl Lid {
    fn from_digits(digits: &str) -> Result<Self, InvalidAlias> {
        let well_formed = (1..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if well_formed { Ok(Self(digits.to_owned())) } else { Err(InvalidAlias) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_reads_back_what_it_printed() {
        for text in ["+255712345678", "US.13491208655302741918", "lid:123456789012345"] {
            assert_eq!(text.parse::<Alias>().unwrap().to_string(), text);
        }
        for text in ["", "255712345678", "lid:", "lid:x", "group:1@g.us"] {
            assert!(text.parse::<Alias>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_providers_write_is_read_wherever_they_write_it() {
        for (text, alias) in [
            ("255712345678", "+255712345678"),
            ("+255712345678", "+255712345678"),
            ("US.1349", "US.1349"),
            ("123456789012345@lid", "lid:123456789012345"),
        ] {
            assert_eq!(Alias::from_provider(text).unwrap().to_string(), alias);
        }
        for nobody in ["", "@lid", "status@broadcast", "120363041234567890@g.us"] {
            assert_eq!(Alias::from_provider(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_key_is_the_same_for_good_and_differs_by_business_and_name() {
        let asha: Alias = "+255712345678".parse().unwrap();
        assert_eq!(
            asha.key(BusinessKey(1)),
            ContactKey(-6_615_064_162_618_733_280),
            "changing it loses what is known of every contact"
        );
        assert_ne!(asha.key(BusinessKey(1)), asha.key(BusinessKey(2)));
        assert_ne!(asha.key(BusinessKey(1)), "US.1".parse::<Alias>().unwrap().key(BusinessKey(1)));
    }

    #[test]
    fn a_stranger_keeps_the_lane_that_the_recipient_always_had() {
        let connection = ConnectionId::from_uuid(uuid::Uuid::from_u128(1));
        let recipient: Recipient = "+255712345678".parse().unwrap();
        assert_eq!(Alias::of(&recipient).unwrap().lane(connection), Some(recipient.lane(connection)));
    }
}
