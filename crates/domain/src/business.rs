//! A business: the tenant whose numbers, messages and secrets are kept apart from everyone else's.

use crate::clock::Timestamp;
use crate::ids::{AccountKey, BusinessKey, BusinessRef};
use crate::partition::Partition;
use crate::recipient::Country;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    pub key: BusinessKey,
    pub account: AccountKey,
    /// The caller's own id for it; unique within the account.
    pub reference: BusinessRef,
    pub name: Option<String>,
    /// Whose dialling rules apply to numbers given without a country code.
    pub country: Country,
    /// BCP 47 language of its pages: `sw` or `en`.
    pub locale: String,
    pub routing: Routing,
    /// Whether a customer who writes STOP or START, in one of the words for it, is taken at their word.
    pub opt_out_keywords: bool,
    pub partition: Partition,
    pub created_at: Timestamp,
}

/// Which transport a business wants for its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    #[default]
    Official,
    Unofficial,
    OfficialFirst,
}

impl Routing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::Unofficial => "unofficial",
            Self::OfficialFirst => "official_first",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Official, Self::Unofficial, Self::OfficialFirst].into_iter().find(|r| r.as_str() == word)
    }
}

/// What a new business starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBusiness {
    pub reference: BusinessRef,
    pub name: Option<String>,
    pub country: Country,
    pub locale: String,
    pub routing: Routing,
    pub opt_out_keywords: bool,
}

impl NewBusiness {
    /// For a business first heard of in an onboarding session.
    pub fn unnamed(reference: BusinessRef, locale: &str) -> Self {
        Self {
            reference,
            name: None,
            country: Country::TANZANIA,
            locale: locale.to_owned(),
            routing: Routing::default(),
            opt_out_keywords: false,
        }
    }
}
