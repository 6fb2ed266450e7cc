//! How many messages of a number wait, and when the time of one is over next. Counted once from the store, then along
//! with what happens.

use domain::clock::Timestamp;
use domain::outbox::{OutboxState, StateCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    waiting: u64,
    next_expiry: Option<Timestamp>,
}

const fn waits(code: StateCode) -> bool {
    matches!(code, StateCode::Accepted | StateCode::RetryWait)
}

impl Tally {
    pub const fn new(waiting: u64, next_expiry: Option<Timestamp>) -> Self {
        Self { waiting, next_expiry }
    }

    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Not later than the end of any message that waits.
    pub const fn next_expiry(&self) -> Option<Timestamp> {
        self.next_expiry
    }

    pub fn accepted(&mut self, state: OutboxState, expires_at: Timestamp) {
        if waits(state.code()) {
            self.waiting += 1;
            self.expires(expires_at);
        }
    }

    pub fn moved(&mut self, from: OutboxState, to: OutboxState, expires_at: Timestamp) {
        match (waits(from.code()), waits(to.code())) {
            (true, false) => self.waiting = self.waiting.saturating_sub(1),
            (false, true) => {
                self.waiting += 1;
                self.expires(expires_at);
            }
            _ => {}
        }
    }

    fn expires(&mut self, at: Timestamp) {
        self.next_expiry = Some(self.next_expiry.map_or(at, |known| known.min(at)));
    }

    /// What was over is being ended; the next end is asked for afterwards.
    pub const fn expiring(&mut self) {
        self.next_expiry = None;
    }

    /// As the store says; what was accepted while it was asked counts as well.
    pub fn expires_next(&mut self, stored: Option<Timestamp>) {
        if let Some(at) = stored {
            self.expires(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::outbox::Claim;
    use domain::partition::Epoch;

    #[test]
    fn what_is_claimed_does_not_wait_and_what_is_retried_does() {
        let at = Timestamp::from_seconds;
        let sending = OutboxState::Sending(Claim { epoch: Epoch(1), attempt: 1, at: at(1) });
        let mut tally = Tally::default();
        tally.accepted(sending, at(50));
        assert_eq!((tally.waiting(), tally.next_expiry()), (0, None));
        tally.accepted(OutboxState::NEW, at(90));
        tally.moved(sending, OutboxState::RetryWait { attempts: 1, due: at(2) }, at(50));
        assert_eq!((tally.waiting(), tally.next_expiry()), (2, Some(at(50))));
        tally.moved(OutboxState::NEW, sending, at(90));
        tally.moved(sending, OutboxState::Sent { attempts: 1 }, at(90));
        assert_eq!(tally.waiting(), 1);
    }
}
