//! Which message a *failed* status is about that did not bring our echo back.
//!
//! The platform promises the echo for statuses of messages that it sent; for those that it failed to send nobody
//! promises it. The id in such a status is the provider's, and while the answer to our POST is missing nobody here knows
//! that id. What is known is the recipient, and whether exactly one message to them hangs in the air.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::outbox::Claim;

/// Clocks of two parties, one of them told in whole seconds.
const SKEW: Duration = Duration::from_secs(5);

/// The one message of a lane whose outcome is not known, if the status can be about it: it was claimed before the status
/// was made. `open` are all of the lane that are being sent or are ambiguous.
pub fn sole_claim(open: &[(MessageId, Claim)], told_at: Timestamp) -> Option<MessageId> {
    match open {
        [(message, claim)] if claim.at <= told_at.plus(SKEW) => Some(*message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Epoch;
    use uuid::Uuid;

    const CLAIMED: Timestamp = Timestamp::from_seconds(100);

    fn open(number: u128) -> (MessageId, Claim) {
        (MessageId::from_uuid(Uuid::from_u128(number)), Claim { epoch: Epoch(1), attempt: 1, at: CLAIMED })
    }

    #[test]
    fn one_open_claim_is_settled_and_a_choice_among_several_is_not_made() {
        let later = CLAIMED.plus(Duration::from_secs(40));
        assert_eq!(sole_claim(&[open(1)], later), Some(open(1).0));
        assert_eq!(sole_claim(&[open(1), open(2)], later), None);
        assert_eq!(sole_claim(&[], later), None);
    }

    #[test]
    fn a_status_from_before_the_claim_is_about_another_message() {
        let told = |seconds| sole_claim(&[open(1)], Timestamp::from_seconds(seconds));
        assert_eq!(told(94), None);
        assert_eq!(told(95), Some(open(1).0), "clocks differ");
        assert_eq!(told(100), Some(open(1).0));
    }
}
