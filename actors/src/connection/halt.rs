//! Why a number does not send although it has messages, and when it tries again. Plain decisions.
//!
//! One declined card must not burn a backlog: what forbids every message pauses the number, and its queue is kept.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::{Probe, Reason};
use domain::contracts::provider::Block;
use domain::ids::MessageId;

/// A block that ends by itself so soon is waited for, and nobody is told.
const BRIEF: Duration = Duration::from_mins(2);
const FIRST_PROBE: Duration = Duration::from_mins(5);
const LONGEST_PROBE: Duration = Duration::from_hours(6);
/// A probe that showed nothing is repeated after so long.
const UNCLEAR: Duration = Duration::from_secs(10);
/// A probe that was taken has succeeded when nothing else was reported for so long.
const BELIEVED_AFTER: Duration = Duration::from_secs(30);

/// What a provider's answer says about every message of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The token is gone.
    Token,
    Blocked(Block),
}

impl Cause {
    /// It may just as well be the app's: then many businesses have it at once, and none of them is told.
    pub const fn may_be_the_app(self) -> bool {
        matches!(self, Self::Token | Self::Blocked(Block::Permission))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Halt {
    #[default]
    None,
    /// Nobody is told: it ends by itself.
    Brief { until: Timestamp },
    /// The status changes then, unless it turns out that the app is what is broken.
    Grace { until: Timestamp, cause: Cause, told: Option<Duration> },
    /// The status says why. One message tries at times whether it is over.
    Blocked { block: Block, probe: Probe, attempt: Attempt },
}

/// How far a try has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attempt {
    #[default]
    None,
    /// Its post is under way.
    Posting,
    /// The platform took this message. The same block may still come in a failed report, so nothing else goes before one that
    /// says otherwise, or before so long.
    Taken { message: MessageId, until: Timestamp },
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// The number is off until its owner connects it again.
    Disconnect,
    /// The number is suspended, for this reason.
    Suspend(Block),
    /// The next try was set.
    Probe(Probe),
    /// The number sends again.
    Resume,
}

impl Halt {
    /// As it was written down: a number that was suspended for a reason that can end.
    pub fn stored(reason: Option<&str>, probe: Option<Probe>, now: Timestamp) -> Self {
        let Some(block) = reason.and_then(Reason::block) else { return Self::None };
        let probe = probe.unwrap_or(Probe { at: now.plus(FIRST_PROBE), tried: 0 });
        Self::Blocked { block, probe, attempt: Attempt::None }
    }

    /// What is in force, after the row was read again.
    #[must_use]
    pub const fn reloaded(self, stored: Self) -> Self {
        match (self, stored) {
            // What is not written down goes on, and a try under way is not forgotten. Errors that were being watched
            // may have been those of an older token.
            (Self::Brief { .. }, Self::None) => self,
            (Self::Blocked { .. }, Self::Blocked { .. }) => self,
            (_, stored) => stored,
        }
    }

    /// Something follows by itself, also when no message waits.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Brief { .. } | Self::Grace { .. }) || self.listens()
    }

    /// A report of the message that was tried ends the wait.
    pub const fn listens(&self) -> bool {
        matches!(self, Self::Blocked { attempt: Attempt::Taken { .. }, .. })
    }

    pub const fn probe(&self) -> Option<Probe> {
        match self {
            Self::Blocked { probe, .. } => Some(*probe),
            _ => None,
        }
    }

    pub const fn graced_until(&self) -> Option<Timestamp> {
        match self {
            Self::Grace { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// When the number may look again; nothing when it may go on.
    pub fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = match *self {
            Self::None => return None,
            Self::Brief { until } | Self::Grace { until, .. } => until,
            Self::Blocked { attempt: Attempt::Taken { until, .. }, .. } => until,
            Self::Blocked { probe, .. } => probe.at,
        };
        (until > now).then_some(until)
    }

    /// The next message is a try: one, and no other beside it.
    pub const fn tries(&self) -> bool {
        matches!(self, Self::Blocked { .. })
    }

    pub const fn is_trying(&self) -> bool {
        matches!(self, Self::Blocked { attempt: Attempt::Posting | Attempt::Taken { .. }, .. })
    }

    /// A message goes out, as a try if the number is blocked.
    pub const fn posts(&mut self) {
        if let Self::Blocked { attempt, .. } = self {
            *attempt = Attempt::Posting;
        }
    }

    /// It did not go out after all.
    pub const fn gives_up(&mut self) {
        if let Self::Blocked { attempt, .. } = self {
            *attempt = Attempt::None;
        }
    }

    /// An answer, or a report about an earlier message, forbids every message.
    pub fn forbidden(
        &mut self,
        cause: Cause,
        told: Option<Duration>,
        grace: Duration,
        now: Timestamp,
    ) -> Step {
        match (*self, cause) {
            (Self::Blocked { .. }, Cause::Blocked(block)) => self.probed(block, told, now),
            (Self::Grace { .. }, _) => Step::Nothing,
            (_, Cause::Blocked(_)) if told.is_some_and(|wait| wait <= BRIEF) => {
                *self = Self::Brief { until: now.plus(told.unwrap_or(BRIEF)) };
                Step::Nothing
            }
            (_, cause) if cause.may_be_the_app() && !grace.is_zero() => {
                *self = Self::Grace { until: now.plus(grace), cause, told };
                Step::Nothing
            }
            (_, Cause::Blocked(block)) => self.suspend(block, told, now),
            (_, Cause::Token) => {
                *self = Self::None;
                Step::Disconnect
            }
        }
    }

    /// Time has passed. `app_broken`: what looked like this number's trouble is everybody's.
    pub fn waited(&mut self, app_broken: bool, now: Timestamp) -> Step {
        if self.waits_until(now).is_some() {
            return Step::Nothing;
        }
        match *self {
            Self::Brief { .. } => *self = Self::None,
            Self::Grace { .. } if app_broken => *self = Self::None,
            Self::Grace { cause: Cause::Token, .. } => {
                *self = Self::None;
                return Step::Disconnect;
            }
            Self::Grace { cause: Cause::Blocked(block), told, .. } => return self.suspend(block, told, now),
            Self::Blocked { attempt: Attempt::Taken { message, .. }, .. } => return self.confirmed(message),
            Self::None | Self::Blocked { .. } => {}
        }
        Step::Nothing
    }

    /// The try was answered, and not with a block. `sent`: the provider has the message.
    pub fn tried(&mut self, sent: Option<MessageId>, now: Timestamp) -> Step {
        let Self::Blocked { block, probe, attempt: Attempt::Posting } = *self else { return Step::Nothing };
        let (probe, attempt) = match sent {
            Some(message) => (probe, Attempt::Taken { message, until: now.plus(BELIEVED_AFTER) }),
            None => (Probe { at: now.plus(UNCLEAR), ..probe }, Attempt::None),
        };
        *self = Self::Blocked { block, probe, attempt };
        Step::Nothing
    }

    /// A report shows that this message really went.
    pub fn confirmed(&mut self, message: MessageId) -> Step {
        match *self {
            Self::Blocked { attempt: Attempt::Taken { message: tried, .. }, .. } if tried == message => {
                *self = Self::None;
                Step::Resume
            }
            _ => Step::Nothing,
        }
    }

    /// The platform says that these reasons no longer hold, or an operator that none does.
    pub fn lifted(&mut self, reasons: Option<&[Block]>) -> Step {
        match *self {
            Self::Blocked { block, .. } if reasons.is_none_or(|lifted| lifted.contains(&block)) => {
                *self = Self::None;
                Step::Resume
            }
            Self::Brief { .. } | Self::Grace { .. } if reasons.is_none() => {
                *self = Self::None;
                Step::Nothing
            }
            _ => Step::Nothing,
        }
    }

    fn suspend(&mut self, block: Block, told: Option<Duration>, now: Timestamp) -> Step {
        let probe = Probe { at: now.plus(told.unwrap_or(FIRST_PROBE)), tried: 0 };
        *self = Self::Blocked { block, probe, attempt: Attempt::None };
        Step::Suspend(block)
    }

    fn probed(&mut self, block: Block, told: Option<Duration>, now: Timestamp) -> Step {
        let Self::Blocked { block: known, probe, attempt } = *self else { return Step::Nothing };
        // A report about a message that went before says nothing new.
        if attempt == Attempt::None {
            return Step::Nothing;
        }
        let tried = probe.tried.saturating_add(1);
        let wait = told.unwrap_or_else(|| (FIRST_PROBE * (1 << tried.min(8))).min(LONGEST_PROBE));
        let probe = Probe { at: now.plus(wait), tried };
        *self = Self::Blocked { block, probe, attempt: Attempt::None };
        if block == known { Step::Probe(probe) } else { Step::Suspend(block) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);
    const GRACE: Duration = Duration::from_secs(5);
    const TRIED: MessageId = MessageId::from_uuid(uuid::Uuid::from_u128(1));
    const OTHER: MessageId = MessageId::from_uuid(uuid::Uuid::from_u128(2));
    const BILLING: Cause = Cause::Blocked(Block::Billing);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_declined_card_suspends_and_is_tried_ever_less_often() {
        let mut halt = Halt::None;
        assert_eq!(halt.forbidden(BILLING, None, GRACE, NOW), Step::Suspend(Block::Billing));
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let at = halt.waits_until(now).unwrap();
            waits.push(at.since(now).as_secs() / 60);
            now = at;
            assert_eq!(halt.waits_until(now), None);
            halt.posts();
            assert!(matches!(halt.forbidden(BILLING, None, GRACE, now), Step::Probe(_)));
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
        now = halt.waits_until(now).unwrap();
        halt.posts();
        assert_eq!(
            halt.tried(Some(TRIED), now),
            Step::Nothing,
            "taken, and perhaps reported as failed in a moment"
        );
        assert!(halt.is_trying() && halt.waits_until(now).is_some());
        assert_eq!(halt.confirmed(OTHER), Step::Nothing, "a report of a message that went before");
        assert_eq!((halt.confirmed(TRIED), halt), (Step::Resume, Halt::None));
    }

    #[test]
    fn a_try_that_is_taken_and_then_reported_as_failed_counts_and_one_without_a_report_is_believed() {
        let mut halt = Halt::stored(Some("billing"), Some(Probe { at: NOW, tried: 3 }), NOW);
        halt.posts();
        halt.tried(Some(TRIED), NOW);
        let Step::Probe(probe) = halt.forbidden(BILLING, None, GRACE, after(2)) else { panic!("{halt:?}") };
        assert_eq!((probe.tried, halt.is_trying(), halt.confirmed(TRIED)), (4, false, Step::Nothing));
        halt.posts();
        halt.tried(Some(TRIED), probe.at);
        assert_eq!(halt.waited(false, probe.at), Step::Nothing);
        assert_eq!(halt.waited(false, probe.at.plus(BELIEVED_AFTER)), Step::Resume);
        assert_eq!(halt, Halt::None);
    }

    #[test]
    fn a_block_that_says_it_is_over_in_a_minute_tells_nobody() {
        let mut halt = Halt::None;
        let cause = Cause::Blocked(Block::NumberNotReady);
        assert_eq!(halt.forbidden(cause, Some(Duration::from_mins(1)), GRACE, NOW), Step::Nothing);
        assert_eq!(halt.waits_until(NOW), Some(after(60)));
        assert_eq!((halt.waited(false, after(60)), halt), (Step::Nothing, Halt::None));
    }

    #[test]
    fn what_may_be_the_app_waits_a_moment_before_anybody_is_told() {
        for (cause, step) in [
            (Cause::Token, Step::Disconnect),
            (Cause::Blocked(Block::Permission), Step::Suspend(Block::Permission)),
        ] {
            let mut halt = Halt::None;
            assert_eq!(halt.forbidden(cause, None, GRACE, NOW), Step::Nothing);
            assert_eq!(halt.waited(false, after(4)), Step::Nothing);
            let mut everybodys = halt;
            assert_eq!(halt.waited(false, after(5)), step);
            assert_eq!((everybodys.waited(true, after(5)), everybodys), (Step::Nothing, Halt::None));
        }
    }

    #[test]
    fn only_the_reason_that_is_lifted_ends() {
        let mut halt = Halt::stored(Some("billing"), None, NOW);
        assert_eq!(halt.lifted(Some(&[Block::Policy])), Step::Nothing);
        assert_eq!((halt.lifted(Some(&[Block::Billing])), halt), (Step::Resume, Halt::None));
        assert_eq!(Halt::stored(Some("by_operator"), None, NOW), Halt::None);
    }

    #[test]
    fn a_try_that_shows_nothing_is_repeated_soon_and_not_counted() {
        let mut halt = Halt::stored(Some("policy"), Some(Probe { at: NOW, tried: 3 }), NOW);
        halt.posts();
        assert_eq!(halt.tried(None, NOW), Step::Nothing);
        assert_eq!(halt.waits_until(NOW), Some(NOW.plus(UNCLEAR)));
        assert!(matches!(halt, Halt::Blocked { probe: Probe { tried: 3, .. }, attempt: Attempt::None, .. }));
    }

    proptest! {
        /// Whatever is told, in whatever order: a halt ends, or says when to look again.
        #[test]
        fn it_never_waits_for_nothing(steps in proptest::collection::vec((0_u8..6, any::<bool>()), 1..60)) {
            let (mut halt, mut now) = (Halt::None, NOW);
            for (step, flag) in steps {
                match step {
                    0 => { halt.forbidden(BILLING, flag.then_some(BRIEF), GRACE, now); }
                    1 => { halt.forbidden(Cause::Token, None, GRACE, now); }
                    2 => { halt.tried(flag.then_some(TRIED), now); }
                    3 => { halt.lifted(flag.then_some(&[Block::Policy])); }
                    4 => { halt.waited(flag, now); }
                    _ => if halt.waits_until(now).is_none() { halt.posts() },
                }
                now = now.plus(Duration::from_mins(1));
                if let Some(until) = halt.waits_until(now) {
                    prop_assert!(until.since(now) <= LONGEST_PROBE);
                } else {
                    halt.waited(flag, now);
                    let goes_on = matches!(halt, Halt::None | Halt::Blocked { .. });
                    prop_assert!(goes_on);
                }
            }
        }
    }
}
