//! What an error of Meta means while a business connects its number. Source: Embedded Signup and registration errors, 2026.

use domain::contracts::provider::{OnboardError, OnboardProblem, ProviderError};

use super::quota::Unanswered;
use crate::cloud_api::{Class, class_of};
use crate::http::Answer;
use crate::redact::Secrets;

/// The step that failed: the same code means different things in different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    ExchangeCode,
    InspectToken,
    /// Numbers and subscription: about a WABA that a browser named.
    Waba,
    Register,
}

pub(super) fn of_answer(step: Step, answer: &Answer, secrets: &Secrets) -> OnboardError {
    let error = crate::cloud_api::error_of(answer, secrets);
    OnboardError { problem: problem(step, &error), error }
}

/// The code of an exchange may be spent by now, which only the next try can tell.
pub(super) fn of_failure(failure: Unanswered) -> OnboardError {
    OnboardError { problem: OnboardProblem::ProviderUnavailable, error: failure.error() }
}

/// An answer of success that does not hold what it should.
pub(super) fn unexpected(what: &str) -> OnboardError {
    refused(OnboardProblem::ProviderRefused, what)
}

pub(super) fn refused(problem: OnboardProblem, message: impl Into<String>) -> OnboardError {
    OnboardError { problem, error: ProviderError { message: message.into(), ..ProviderError::default() } }
}

fn problem(step: Step, error: &ProviderError) -> OnboardProblem {
    let status = error.http_status.unwrap_or(0);
    let Some(code) = error.code else {
        return if status >= 500 || status == 429 {
            OnboardProblem::ProviderUnavailable
        } else {
            OnboardProblem::ProviderRefused
        };
    };
    match (step, code, error.subcode) {
        (Step::ExchangeCode, 100, subcode) => return code_problem(subcode, &error.message),
        (_, 100, Some(33)) | (_, 33, _) if step == Step::Waba => return OnboardProblem::WabaNotGranted,
        (_, 133_005, _) => return OnboardProblem::PinWrong,
        (_, 133_008 | 133_009, _) => return OnboardProblem::PinLocked,
        (_, 133_016, _) => return OnboardProblem::RegistrationLocked,
        (_, 133_006 | 136_024 | 136_025, _) => return OnboardProblem::NumberUnverified,
        (_, 133_000 | 133_010, _) => return OnboardProblem::ProviderRefused,
        _ => {}
    }
    match class_of(code, error.subcode) {
        Some(Class::Auth) => OnboardProblem::TokenInvalid,
        Some(Class::Permission | Class::Policy) => OnboardProblem::NotAllowed,
        Some(
            Class::Transient
            | Class::Tries(_)
            | Class::RateApp
            | Class::RateWaba
            | Class::RateNumber
            | Class::RatePair
            | Class::Later(_)
            | Class::Number(_),
        ) => OnboardProblem::ProviderUnavailable,
        _ if code == 3 => OnboardProblem::NotAllowed,
        _ if status >= 500 || status == 429 => OnboardProblem::ProviderUnavailable,
        _ => OnboardProblem::ProviderRefused,
    }
}

/// Meta gives subcodes; where it leaves them out, its words still tell the three apart.
fn code_problem(subcode: Option<i64>, message: &str) -> OnboardProblem {
    let says = |words: &str| message.to_ascii_lowercase().contains(words);
    match subcode {
        Some(36_007) => OnboardProblem::CodeExpired,
        Some(36_008) => OnboardProblem::RedirectMismatch,
        Some(36_009) => OnboardProblem::CodeUsed,
        _ if says("expired") => OnboardProblem::CodeExpired,
        _ if says("been used") => OnboardProblem::CodeUsed,
        _ if says("redirect_uri") => OnboardProblem::RedirectMismatch,
        _ => OnboardProblem::ProviderRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OnboardProblem as P;

    fn of(step: Step, status: u16, code: i64, subcode: Option<i64>) -> P {
        let error = ProviderError {
            code: Some(code),
            subcode,
            http_status: Some(status),
            ..ProviderError::default()
        };
        problem(step, &error)
    }

    #[test]
    fn a_code_that_is_not_taken_says_why() {
        assert_eq!(of(Step::ExchangeCode, 400, 100, Some(36_007)), P::CodeExpired);
        assert_eq!(of(Step::ExchangeCode, 400, 100, Some(36_008)), P::RedirectMismatch);
        assert_eq!(of(Step::ExchangeCode, 400, 100, Some(36_009)), P::CodeUsed);
        assert_eq!(code_problem(None, "This authorization code has expired."), P::CodeExpired);
        assert_eq!(code_problem(None, "This authorization code has been used."), P::CodeUsed);
        assert_eq!(
            code_problem(
                None,
                "Error validating verification code. Please make sure your redirect_uri is identical"
            ),
            P::RedirectMismatch
        );
        assert_eq!(code_problem(None, "Invalid parameter"), P::ProviderRefused);
    }

    #[test]
    fn every_code_of_registration_has_a_problem_that_the_owner_can_act_on() {
        let rows = [
            (133_000, 500, P::ProviderRefused),
            (133_004, 503, P::ProviderUnavailable),
            (133_005, 400, P::PinWrong),
            (133_006, 400, P::NumberUnverified),
            (133_008, 400, P::PinLocked),
            (133_009, 400, P::PinLocked),
            (133_010, 400, P::ProviderRefused),
            (133_015, 400, P::ProviderUnavailable),
            (133_016, 400, P::RegistrationLocked),
            (2_388_012, 400, P::ProviderRefused),
            (2_388_091, 400, P::ProviderRefused),
            (2_388_093, 400, P::ProviderRefused),
            (2_388_103, 400, P::ProviderRefused),
            (2_494_100, 400, P::ProviderUnavailable),
            (131_031, 403, P::NotAllowed),
        ];
        for (code, status, expected) in rows {
            assert_eq!(of(Step::Register, status, code, None), expected, "code {code}");
        }
    }

    #[test]
    fn what_any_step_can_meet_is_the_same_in_each() {
        for step in [Step::ExchangeCode, Step::InspectToken, Step::Waba, Step::Register] {
            assert_eq!(of(step, 401, 190, Some(463)), P::TokenInvalid);
            assert_eq!(of(step, 403, 10, None), P::NotAllowed);
            assert_eq!(of(step, 403, 200, None), P::NotAllowed);
            assert_eq!(of(step, 400, 4, None), P::ProviderUnavailable);
            assert_eq!(of(step, 500, 1, None), P::ProviderUnavailable);
            assert_eq!(of(step, 500, 999, None), P::ProviderUnavailable);
            assert_eq!(of(step, 400, 999, None), P::ProviderRefused);
        }
    }

    #[test]
    fn an_account_that_the_token_cannot_see_was_not_granted() {
        assert_eq!(of(Step::Waba, 400, 100, Some(33)), P::WabaNotGranted);
        assert_eq!(of(Step::Register, 400, 100, Some(33)), P::NotAllowed);
    }
}
