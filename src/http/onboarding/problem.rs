//! Everything that can keep an owner from being connected, by a stable code that both languages have words for.

use domain::contracts::provider::OnboardProblem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A step at the provider failed.
    Provider(OnboardProblem),
    /// The owner closed the provider's window, or said no in it.
    UserCancelled,
    /// The provider's window itself reported an error.
    WindowFailed,
    /// The window came to its end and gave no code.
    CodeMissing,
    /// Another business holds the number. Nothing about that business is said.
    NumberInUse,
    /// Not a failure: several numbers were granted, and the owner has to say which.
    ChooseNumber,
    /// The gateway stopped in the middle, and the code is spent.
    Interrupted,
    /// The gateway could not write or seal.
    Unavailable,
    /// The owner, or the application, gave this session up.
    Cancelled,
    /// A newer link of the same business replaced this one.
    Superseded,
    Expired,
}

const OF_PROVIDER: [OnboardProblem; 14] = [
    OnboardProblem::CodeExpired,
    OnboardProblem::CodeUsed,
    OnboardProblem::RedirectMismatch,
    OnboardProblem::TokenInvalid,
    OnboardProblem::ScopeMissing,
    OnboardProblem::WabaNotGranted,
    OnboardProblem::NoNumber,
    OnboardProblem::NumberUnverified,
    OnboardProblem::PinWrong,
    OnboardProblem::PinLocked,
    OnboardProblem::RegistrationLocked,
    OnboardProblem::NotAllowed,
    OnboardProblem::ProviderUnavailable,
    OnboardProblem::ProviderRefused,
];

const OURS: [Problem; 10] = [
    Problem::UserCancelled,
    Problem::WindowFailed,
    Problem::CodeMissing,
    Problem::NumberInUse,
    Problem::ChooseNumber,
    Problem::Interrupted,
    Problem::Unavailable,
    Problem::Cancelled,
    Problem::Superseded,
    Problem::Expired,
];

impl Problem {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider(problem) => problem.as_str(),
            Self::UserCancelled => "user_cancelled",
            Self::WindowFailed => "window_failed",
            Self::CodeMissing => "code_missing",
            Self::NumberInUse => "number_in_use",
            Self::ChooseNumber => "choose_number",
            Self::Interrupted => "interrupted",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().find(|problem| problem.as_str() == word)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        OF_PROVIDER.into_iter().map(Self::Provider).chain(OURS)
    }
}

impl From<OnboardProblem> for Problem {
    fn from(problem: OnboardProblem) -> Self {
        Self::Provider(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_reads_back() {
        let codes: std::collections::BTreeSet<_> = Problem::all().map(Problem::as_str).collect();
        assert_eq!(codes.len(), OF_PROVIDER.len() + OURS.len());
        for problem in Problem::all() {
            assert_eq!(Problem::from_word(problem.as_str()), Some(problem));
        }
        assert_eq!(Problem::from_word("something_new"), None);
    }
}
