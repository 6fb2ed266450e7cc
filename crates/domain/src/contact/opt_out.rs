//! Who does not want to be written to, and of what.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What somebody does not want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Advertising.
    Marketing = 0,
    /// Anything that they did not ask for.
    #[default]
    All = 1,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::All => "all",
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Marketing, Self::All].into_iter().find(|scope| *scope as i64 == number)
    }
}

/// Through what we heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The business said so.
    Api = 0,
    /// The person wrote the word.
    Keyword = 1,
    /// The person chose it in WhatsApp.
    UserPreference = 2,
    /// The platform refused a message for it.
    Provider = 3,
}

impl Source {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Keyword => "keyword",
            Self::UserPreference => "user_preference",
            Self::Provider => "provider",
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Api, Self::Keyword, Self::UserPreference, Self::Provider]
            .into_iter()
            .find(|source| *source as i64 == number)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptOut {
    pub scope: Scope,
    pub source: Source,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Stop(Scope),
    /// Lifts a stop of this scope or a narrower one.
    Resume(Scope),
}

/// A wish, when it was uttered, and how we heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    pub said: Said,
    pub source: Source,
    pub at: Timestamp,
}

impl Preference {
    /// What holds after it. Who wanted nothing at all does not want more by refusing, or by allowing, advertising;
    /// but what the business says, it says of everything.
    pub const fn applied_to(self, before: Option<OptOut>) -> Option<OptOut> {
        let Self { said, source, at } = self;
        match (said, source, before) {
            (Said::Stop(scope), Source::Api, _) => Some(OptOut { scope, source, at }),
            (Said::Stop(Scope::Marketing), _, Some(OptOut { scope: Scope::All, .. })) => before,
            (Said::Resume(Scope::Marketing), _, Some(OptOut { scope: Scope::All, .. })) => before,
            (Said::Stop(scope), _, _) => Some(OptOut { scope, source, at }),
            (Said::Resume(_), _, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(all: &[Said]) -> Option<Scope> {
        let at = Timestamp::from_seconds(1);
        let apply = |before, &said| Preference { said, source: Source::Keyword, at }.applied_to(before);
        all.iter().fold(None, apply).map(|opt_out: OptOut| opt_out.scope)
    }

    #[test]
    fn the_last_wish_counts_and_advertising_does_not_touch_a_stop_of_everything() {
        use Said::{Resume, Stop};
        use Scope::{All, Marketing};
        assert_eq!(after(&[Stop(Marketing)]), Some(Marketing));
        assert_eq!(after(&[Stop(Marketing), Stop(All)]), Some(All));
        assert_eq!(after(&[Stop(All), Stop(Marketing)]), Some(All));
        assert_eq!(after(&[Stop(All), Resume(Marketing)]), Some(All));
        assert_eq!(after(&[Stop(Marketing), Resume(Marketing)]), None);
        assert_eq!(after(&[Stop(All), Resume(All)]), None);
        assert_eq!(after(&[Stop(Marketing), Resume(All)]), None);
    }

    #[test]
    fn what_the_business_says_replaces_what_held() {
        let at = Timestamp::from_seconds(1);
        let everything = Some(OptOut { scope: Scope::All, source: Source::Keyword, at });
        let said = Said::Stop(Scope::Marketing);
        let after = Preference { said, source: Source::Api, at }.applied_to(everything);
        assert_eq!(after, Some(OptOut { scope: Scope::Marketing, source: Source::Api, at }));
    }

    #[test]
    fn numbers_of_columns_read_back() {
        for scope in [Scope::Marketing, Scope::All] {
            assert_eq!(Scope::from_number(scope as i64), Some(scope));
        }
        for source in [Source::Api, Source::Keyword, Source::UserPreference, Source::Provider] {
            assert_eq!(Source::from_number(source as i64), Some(source));
        }
    }
}
