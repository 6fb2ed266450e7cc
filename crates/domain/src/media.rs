//! Images, voice notes and documents as they are known: where each came from, and how far its content has come.

use crate::clock::Timestamp;
use crate::ids::{AccountKey, BusinessKey, ConnectionId, MediaId};
use crate::onboarding::Digest32;
use crate::secret::Sealed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaDirection {
    /// A customer sent it.
    In,
    /// The business gave it to us to be sent.
    Out,
}

impl MediaDirection {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::In, Self::Out].into_iter().find(|direction| direction.as_str() == word)
    }
}

/// What the content is, before it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaContent {
    pub size: u64,
    pub sha256: Digest32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaState {
    /// Its content is on its way, or the process that brought it has ended.
    Pending,
    /// Its content can be read.
    Stored(MediaContent),
    /// Its content could not be had, and may be tried again.
    Failed,
    /// Its content is kept no longer.
    Gone,
}

/// A [`MediaState`] without what is true in it, as rows are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaStage {
    Pending,
    Stored,
    Failed,
    Gone,
}

impl MediaStage {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Stored, Self::Failed, Self::Gone];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// What is gone stays gone, and what can be read changes no more until it goes.
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Pending => matches!(to, Self::Stored | Self::Failed | Self::Gone),
            Self::Stored => matches!(to, Self::Gone),
            Self::Failed => matches!(to, Self::Pending | Self::Gone),
            Self::Gone => false,
        }
    }
}

impl MediaState {
    pub const fn stage(&self) -> MediaStage {
        match self {
            Self::Pending => MediaStage::Pending,
            Self::Stored(_) => MediaStage::Stored,
            Self::Failed => MediaStage::Failed,
            Self::Gone => MediaStage::Gone,
        }
    }

    pub const fn content(&self) -> Option<MediaContent> {
        match self {
            Self::Stored(content) => Some(*content),
            _ => None,
        }
    }
}

/// What is still to be fetched from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Tries that failed.
    pub attempts: u16,
    /// Not before.
    pub due: Timestamp,
    /// What the provider said that its content is.
    pub sha256: Option<Digest32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRow {
    pub id: MediaId,
    pub account: AccountKey,
    pub business: BusinessKey,
    pub connection: ConnectionId,
    pub direction: MediaDirection,
    /// Under which the provider knows it on this connection.
    pub provider_id: Option<String>,
    /// Of what we gave to the provider: when it forgets the id.
    pub provider_until: Option<Timestamp>,
    /// Of what a customer sent: how far fetching it has come.
    pub fetch: Option<Fetch>,
    pub mime_type: String,
    /// Sealed under the business and the media's id: people name their documents after people.
    pub file_name: Option<Sealed>,
    pub state: MediaState,
    pub created_at: Timestamp,
    /// When its content is to go.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_reads_back_its_word() {
        for stage in MediaStage::ALL {
            assert_eq!(MediaStage::from_word(stage.as_str()), Some(stage));
        }
    }

    #[test]
    fn nothing_follows_gone_and_nothing_returns_from_stored() {
        use MediaStage::{Failed, Gone, Pending, Stored};
        for to in MediaStage::ALL {
            assert!(!Gone.may_become(to), "{to:?}");
            assert_eq!(Stored.may_become(to), to == Gone, "{to:?}");
            assert!(!to.may_become(to), "{to:?}");
        }
        assert!(Failed.may_become(Pending) && !Failed.may_become(Stored));
    }
}
