//! Every id is its own type. Inside, an id is a UUIDv7; outside, it carries a prefix that says what it names.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::{ContextV7, Uuid};

use crate::clock::Clock;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{prefix}` followed by 32 hexadecimal digits")]
pub struct InvalidId {
    prefix: &'static str,
}

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { prefix: $prefix };
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == 32).ok_or(invalid.clone())?;
                Uuid::try_parse(digits).map(Self).map_err(|_| invalid)
            }
        }

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
    };
}

public_id!(
    /// A message that a business asked us to send.
    MessageId, "msg_"
);
public_id!(
    /// One number of one business on one transport.
    ConnectionId, "con_"
);
public_id!(
    /// Something that happened and is told to endpoints; receivers deduplicate by it.
    EventId, "evt_"
);
public_id!(
    /// One attempt of an owner to connect a number.
    OnboardingSessionId, "onb_"
);
public_id!(
    /// A receiver of events.
    EndpointId, "ep_"
);
public_id!(
    /// An image, voice note or document that is kept for a connection, or was.
    MediaId, "med_"
);
public_id!(
    /// An API key; the key itself is stored hashed.
    ApiKeyId, "key_"
);

/// Marks ids of ours on the Graph door, so that they are told apart from Meta's without a table.
const WAMID_TAG: [u8; 2] = [0x5a, 0x01];

impl MessageId {
    /// The id as a Cloud API client sees it: `wamid.` and base64url of a tag and the UUID.
    pub fn to_wamid(self) -> String {
        let mut bytes = [0; 18];
        bytes[..2].copy_from_slice(&WAMID_TAG);
        bytes[2..].copy_from_slice(self.0.as_bytes());
        format!("wamid.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The inverse of [`Self::to_wamid`]; `None` for an id that Meta made.
    pub fn from_wamid(wamid: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(wamid.strip_prefix("wamid.")?).ok()?;
        let uuid = bytes.strip_prefix(&WAMID_TAG)?;
        Uuid::from_slice(uuid).ok().map(Self)
    }
}

impl MediaId {
    /// The id as a Cloud API client sees it: digits only, as Graph's are. They are the UUID as one number, so that it
    /// can be told back without a table, and more than Meta's ids have.
    pub fn to_graph(self) -> String {
        self.0.as_u128().to_string()
    }

    /// The inverse of [`Self::to_graph`]; `None` for an id that Meta made.
    pub fn from_graph(text: &str) -> Option<Self> {
        let digits = (30..=39).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let uuid = Uuid::from_u128(text.parse().ok().filter(|_| digits)?);
        (uuid.get_version_num() == 7).then_some(Self(uuid))
    }
}

/// The surrogate key of a business: short, and meaningless outside the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusinessKey(pub i64);

impl BusinessKey {
    /// The owner of secrets that belong to the installation and to no business, such as the signing
    /// secret of an endpoint that hears of every business of its account.
    pub const INSTALLATION: Self = Self(0);
}

/// The surrogate key of an account: whoever holds API keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey(pub i64);

/// The caller's own name for a business: 1 to 64 characters, no control characters or white space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct BusinessRef(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters without spaces or control characters")]
pub struct InvalidBusinessRef;

impl BusinessRef {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BusinessRef {
    type Err = InvalidBusinessRef;

    fn from_str(text: &str) -> Result<Self, InvalidBusinessRef> {
        let fits = (1..=64).contains(&text.chars().count());
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(InvalidBusinessRef) }
    }
}

impl fmt::Display for BusinessRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BusinessRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes time-ordered ids from the clock it was given.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    /// Keeps ids of the same millisecond in the order they were made.
    context: Arc<Mutex<ContextV7>>,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    pub fn next(&self) -> Uuid {
        let micros = self.clock.now().as_micros();
        let seconds = u64::try_from(micros / 1_000_000).unwrap_or(0);
        let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn an_id_reads_back_what_it_printed_and_refuses_another_kind() {
        let ids = Ids::new(Arc::new(ManualClock::at_seconds(1_790_000_000)));
        let id = MessageId::from_uuid(ids.next());
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        assert!(id.to_string().parse::<ConnectionId>().is_err());
        assert!("msg_".parse::<MessageId>().is_err());
    }

    #[test]
    fn a_wamid_of_ours_is_reversible_and_one_of_metas_is_not_ours() {
        let ids = Ids::new(Arc::new(ManualClock::at_seconds(1_790_000_000)));
        let id = MessageId::from_uuid(ids.next());
        assert_eq!(MessageId::from_wamid(&id.to_wamid()), Some(id));
        assert_eq!(MessageId::from_wamid("wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI="), None);
    }

    #[test]
    fn ids_of_one_instant_are_ordered_as_they_were_made() {
        let ids = Ids::new(Arc::new(ManualClock::at_seconds(1_790_000_000)));
        let made: Vec<_> = (0..100).map(|_| ids.next()).collect();
        assert!(made.is_sorted());
    }

    #[test]
    fn a_business_reference_is_at_most_64_visible_characters() {
        assert!("duka-42".parse::<BusinessRef>().is_ok());
        assert!("".parse::<BusinessRef>().is_err());
        assert!("a b".parse::<BusinessRef>().is_err());
        assert!("x".repeat(65).parse::<BusinessRef>().is_err());
    }

    #[test]
    fn media_has_a_number_that_names_it_and_no_id_of_metas_is_taken_for_one() {
        let id = MediaId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        assert!(id.to_graph().bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(MediaId::from_graph(&id.to_graph()), Some(id));
        for theirs in ["1013859600285441", "", "+1013859600285441000000000000000", "9".repeat(39).as_str()] {
            assert_eq!(MediaId::from_graph(theirs), None, "{theirs}");
        }
    }
}
