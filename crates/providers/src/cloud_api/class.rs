//! What an error of the Cloud API asks for, whichever HTTP status it came with. The codes stand in [`codes`].
//!
//! [`codes`]: super::codes

use super::codes::CODES;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Passing trouble at the platform.
    Transient,
    /// May pass; after so many tries in all it will not.
    Tries(u16),
    /// The number writes too often to this recipient.
    RatePair,
    /// The number sends too fast.
    RateNumber,
    /// Too many calls that manage the account.
    RateWaba,
    /// The whole app calls too often.
    RateApp,
    /// The same may succeed after this many seconds, not before.
    Later(u32),
    /// The token is gone.
    Auth,
    /// The token lacks a permission, or the asset was taken away.
    Permission,
    /// The account cannot pay.
    Billing,
    /// The account or number is restricted by policy.
    Policy,
    /// The number is not ready; after this many seconds it may be, where that is known.
    Number(Option<u32>),
    /// This message is wrong.
    Message,
    /// This recipient cannot get it.
    Recipient,
    /// This recipient is not to get it for now.
    RecipientForNow,
    /// The template cannot be used.
    Template,
    /// Our request or set-up is wrong.
    Configuration,
    /// An answer to calls that manage something, and not to sending.
    Management,
}

/// Codes from here on are unique among all of Meta's, and come as the subcode of a general code too.
const FIRST_UNIQUE: i64 = 1_000_000;

/// The class of a code; `None` for one that is not in the table.
pub fn class_of(code: i64, subcode: Option<i64>) -> Option<Class> {
    let row = |code, subcode| CODES.iter().find(|row| row.is_about(code, subcode)).map(|row| row.class);
    if subcode.is_some()
        && let Some(class) = row(code, subcode)
    {
        return Some(class);
    }
    let general = row(code, None);
    let told_by_subcode =
        subcode.filter(|subcode| *subcode >= FIRST_UNIQUE).and_then(|subcode| row(subcode, None));
    match (code, told_by_subcode) {
        (100, Some(class)) => Some(class),
        _ => general.or(told_by_subcode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_the_token_cannot_see_is_a_permission_and_an_unknown_code_is_unknown() {
        assert_eq!(class_of(100, Some(33)), Some(Class::Permission));
        assert_eq!(class_of(100, Some(34)), Some(Class::Configuration));
        assert_eq!(class_of(999_999, None), None);
    }

    #[test]
    fn a_subcode_tells_what_a_general_code_does_not() {
        assert_eq!(class_of(100, Some(2_494_100)), Some(Class::Number(Some(60))));
        assert_eq!(class_of(999_999, Some(2_446_079)), Some(Class::RateApp));
        assert_eq!(class_of(80_007, Some(2_388_019)), Some(Class::RateWaba));
        assert_eq!(class_of(190, Some(463)), Some(Class::Auth));
        assert_eq!(class_of(999_999, Some(33)), None, "33 beside a code says nothing about a number");
    }
}
