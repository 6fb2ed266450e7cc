//! What the platform tells about a number or its account, besides messages: may it send, how much, and how it is rated.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::contracts::provider::Block;

/// How well what a number or a template sends is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Quality {
    Green,
    Yellow,
    Red,
    #[default]
    Unknown,
}

impl Quality {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "GREEN",
            Self::Yellow => "YELLOW",
            Self::Red => "RED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Any word that is not known is no rating.
    pub fn from_word(word: &str) -> Self {
        [Self::Green, Self::Yellow, Self::Red]
            .into_iter()
            .find(|quality| quality.as_str().eq_ignore_ascii_case(word))
            .unwrap_or_default()
    }
}

/// How many people a portfolio may write to within 24 hours, outside service windows, over all its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagingLimit {
    PerDay(u64),
    Unlimited,
}

/// What one piece of news means for sending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberNews {
    /// The number it is about, in E.164, where the news names an account and one of its numbers. All numbers of the
    /// subject otherwise.
    pub phone_number: Option<String>,
    /// From now on nothing may be sent, for this reason.
    pub block: Option<Block>,
    /// When that ends by itself, where it was told.
    pub until: Option<Timestamp>,
    /// These reasons no longer hold.
    pub lift: Vec<Block>,
    pub quality: Option<Quality>,
    pub messaging_limit: Option<MessagingLimit>,
    /// Messages per second that the number may take and give.
    pub throughput_per_second: Option<u32>,
}
