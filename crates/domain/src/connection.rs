//! A connection: one number of one business on one transport.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::contracts::provider::Block;
use crate::ids::{AccountKey, BusinessKey, BusinessRef, ConnectionId};
use crate::partition::Partition;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Official,
    Unofficial,
}

impl Transport {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::Unofficial => "unofficial",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Official, Self::Unofficial].into_iter().find(|t| t.as_str() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderName {
    #[serde(rename = "meta")]
    Meta,
    #[serde(rename = "360dialog")]
    Dialog360,
    #[serde(rename = "twilio")]
    Twilio,
    #[serde(rename = "waapi")]
    WaApi,
    #[serde(rename = "wasender")]
    WaSender,
    #[serde(rename = "waha")]
    Waha,
}

impl ProviderName {
    pub const ALL: [Self; 6] =
        [Self::Meta, Self::Dialog360, Self::Twilio, Self::WaApi, Self::WaSender, Self::Waha];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Dialog360 => "360dialog",
            Self::Twilio => "twilio",
            Self::WaApi => "waapi",
            Self::WaSender => "wasender",
            Self::Waha => "waha",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }

    pub const fn transport(self) -> Transport {
        match self {
            Self::Meta | Self::Dialog360 | Self::Twilio => Transport::Official,
            Self::WaApi | Self::WaSender | Self::Waha => Transport::Unofficial,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a connection stands; `reason` beside it says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionStatus {
    /// Begun, nothing confirmed.
    Pending,
    /// The provider knows it, checks are under way.
    Verifying,
    /// Sends and receives.
    Connected,
    /// Sends, with something that wants attention.
    Degraded,
    /// Does not send until its owner connects again.
    Disconnected,
    /// Does not send until the provider, or an operator, lifts a block.
    Suspended,
}

/// The status does not lead there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a connection that is {from} cannot become {to}")]
pub struct InvalidTransition {
    pub from: ConnectionStatus,
    pub to: ConnectionStatus,
}

impl ConnectionStatus {
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Verifying,
        Self::Connected,
        Self::Degraded,
        Self::Disconnected,
        Self::Suspended,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verifying => "verifying",
            Self::Connected => "connected",
            Self::Degraded => "degraded",
            Self::Disconnected => "disconnected",
            Self::Suspended => "suspended",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether a message may be posted through it now.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Connected | Self::Degraded)
    }

    /// The move, or why it is none: a connection is not born again as `pending`, and one that was never
    /// verified has nothing that could degrade or be suspended.
    pub fn to(self, to: Self) -> Result<Self, InvalidTransition> {
        use ConnectionStatus::{Connected, Degraded, Disconnected, Pending, Suspended, Verifying};
        let allowed = match (self, to) {
            (from, to) if from == to => true,
            (_, Pending) => false,
            (Pending, Verifying | Connected | Disconnected) => true,
            (Verifying, Connected | Degraded | Disconnected | Suspended) => true,
            (Connected | Degraded | Suspended | Disconnected, Verifying) => true,
            (Connected, Degraded | Disconnected | Suspended) => true,
            (Degraded, Connected | Disconnected | Suspended) => true,
            (Suspended, Connected | Degraded | Disconnected) => true,
            (Disconnected, Connected) => true,
            _ => false,
        };
        if allowed { Ok(to) } else { Err(InvalidTransition { from: self, to }) }
    }
}

impl fmt::Display for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub business: BusinessKey,
    pub business_reference: BusinessRef,
    pub account: AccountKey,
    pub partition: Partition,
    pub provider: ProviderName,
    pub status: ConnectionStatus,
    /// Stable word for why the status is what it is, such as `token_invalid`; empty when all is well.
    pub reason: Option<String>,
    /// The numeric id under which Cloud API clients know the number: Meta's phone number id, or one of ours.
    pub graph_id: Option<String>,
    pub waba_id: Option<String>,
    /// E.164.
    pub phone_number: Option<String>,
    pub verified_name: Option<String>,
    pub quality_rating: Option<String>,
    pub sending: Sending,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The words that stand in [`Connection::reason`] when sending is what is wrong.
#[derive(Debug)]
pub struct Reason;

impl Reason {
    pub const TOKEN_INVALID: &'static str = "token_invalid";
    /// News of the number does not reach us, so nothing is proof that a message was not sent.
    pub const WEBHOOK_UNSUBSCRIBED: &'static str = "webhook_unsubscribed";

    pub const fn of(block: Block) -> &'static str {
        match block {
            Block::Billing => "billing",
            Block::Policy => "policy",
            Block::NumberNotReady => "number_not_ready",
            Block::Permission => "permission_missing",
        }
    }

    pub fn block(word: &str) -> Option<Block> {
        [Block::Billing, Block::Policy, Block::NumberNotReady, Block::Permission]
            .into_iter()
            .find(|&block| Self::of(block) == word)
    }

    /// What its owner can do about it.
    pub fn remedy(word: &str) -> Option<&'static str> {
        Some(match word {
            "billing" => {
                "Check the payment method of the WhatsApp account in Meta's billing settings. Sending goes on by itself once it works."
            }
            "policy" => {
                "Look for the restriction in Meta's Account Quality and ask there for a review. Sending goes on by itself once it is lifted."
            }
            "number_not_ready" => {
                "Check the number in WhatsApp Manager: it must be registered and its display name approved. Sending goes on by itself once it is."
            }
            "permission_missing" => {
                "Give the app access to the WhatsApp account again: connect the number once more."
            }
            Self::TOKEN_INVALID => {
                "Connect the number once more: the access that was given is no longer valid."
            }
            Self::WEBHOOK_UNSUBSCRIBED => {
                "Connect the number once more: Meta does not tell us what becomes of its messages."
            }
            _ => return None,
        })
    }
}

/// How fast a connection sends, as far as anything was said or learnt about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sending {
    /// Messages a second, in and out, that the platform allows; the installation's default where absent.
    pub messages_per_second: Option<u32>,
    /// A slower pace that its owner asked for.
    pub pace: Option<Pace>,
    /// The last time the platform complained.
    pub slowed: Option<Slowed>,
    /// While it is suspended and may try by itself whether the block is over.
    pub probe: Option<Probe>,
}

impl Sending {
    /// What the platform allows a number to begin with.
    pub const STANDARD: u32 = 80;
    /// What the platform allows a number that is also used in the business's phone app.
    pub const COEXISTENCE: u32 = 20;
    /// The most that it allows any number.
    pub const MOST: u32 = 1_000;
}

/// So many messages a minute, each wait up to so many per cent shorter or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    pub per_minute: u32,
    pub jitter_percent: u8,
}

/// The rate that was left after a complaint; it grows again from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    pub messages_per_second: u32,
    pub at: Timestamp,
}

/// When one message may try whether a block is over, and how many have tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub at: Timestamp,
    pub tried: u16,
}

/// A change of one member of [`Sending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendingChange {
    MessagesPerSecond(u32),
    Pace(Option<Pace>),
    Slowed(Slowed),
    Probe(Option<Probe>),
}

impl Sending {
    #[must_use]
    pub const fn with(self, change: SendingChange) -> Self {
        match change {
            SendingChange::MessagesPerSecond(rate) => Self { messages_per_second: Some(rate), ..self },
            SendingChange::Pace(pace) => Self { pace, ..self },
            SendingChange::Slowed(slowed) => Self { slowed: Some(slowed), ..self },
            SendingChange::Probe(probe) => Self { probe, ..self },
        }
    }
}

impl Connection {
    pub const fn transport(&self) -> Transport {
        self.provider.transport()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_word_reads_back() {
        for provider in ProviderName::ALL {
            assert_eq!(ProviderName::from_word(provider.as_str()), Some(provider));
        }
    }

    #[test]
    fn every_block_has_a_word_that_reads_back_and_a_remedy() {
        for block in [Block::Billing, Block::Policy, Block::NumberNotReady, Block::Permission] {
            assert_eq!(Reason::block(Reason::of(block)), Some(block));
            assert!(Reason::remedy(Reason::of(block)).is_some());
        }
        assert_eq!(Reason::block(Reason::TOKEN_INVALID), None);
    }

    #[test]
    fn nothing_becomes_pending_again_and_everything_living_can_be_disconnected() {
        for from in ConnectionStatus::ALL {
            assert_eq!(from.to(ConnectionStatus::Pending).is_ok(), from == ConnectionStatus::Pending);
            assert!(from.to(ConnectionStatus::Disconnected).is_ok());
            assert_eq!(from.to(from), Ok(from));
        }
        assert!(ConnectionStatus::Pending.to(ConnectionStatus::Degraded).is_err());
    }
}
