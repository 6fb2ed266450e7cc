//! How an endpoint fares, and how much of the stream it gets. Plain decisions.
//!
//! ```text
//! taking ──failed often in a row──▶ failing ──for a day──▶ parked
//!    ▲                                │  ▲                   │
//!    └────────── took one ────────────┴──┴───────────────────┘      410 from anywhere: gone, until resumed
//! ```
//!
//! One that fails gets one event at a time, after longer and longer waits, each time another one: should those events
//! be what it cannot take, the next of the others shows that it lives. All others wait in the stream, in order.
//!
//! What failed before may be what it can never take, and says little about the rest: in a quiet hour the retries of some
//! such events must not delay the next new one. So new events wait only because new ones were not taken. What failed
//! goes by its own schedule, and at a parked endpoint as seldom as anything.

use domain::clock::Timestamp;
use domain::endpoint::EndpointHealth;

use super::schedule::Config;

#[derive(Debug)]
pub(crate) struct Health {
    state: EndpointHealth,
    /// Tries since one was taken.
    streak: u32,
    /// When the first of them failed.
    first: Option<Timestamp>,
    /// New events that asked in vain since it is failing.
    probes: u32,
    /// No new event before this; nothing at all, where the endpoint asked for that.
    not_before: Option<Timestamp>,
    /// While it is parked: nothing again before this.
    not_again_before: Option<Timestamp>,
}

/// Which event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    New,
    Again,
}

/// What may be posted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    Everything,
    /// One event, and nothing beside it: a new one, or, if there is none, one that failed before, but that not before
    /// this.
    One {
        again_from: Option<Timestamp>,
    },
    Nothing {
        until: Option<Timestamp>,
    },
}

impl Health {
    /// As it was kept. What failed before the start is asked once at the start.
    pub(crate) const fn of(state: EndpointHealth) -> Self {
        Self { state, streak: 0, first: None, probes: 0, not_before: None, not_again_before: None }
    }

    pub(crate) const fn state(&self) -> EndpointHealth {
        self.state
    }

    /// Whether what failed before may have to wait for longer than it has time.
    pub(crate) const fn retries_seldom(&self) -> bool {
        matches!(self.state, EndpointHealth::Failing { .. } | EndpointHealth::Parked { .. })
    }

    pub(crate) fn permit(&self, now: Timestamp) -> Permit {
        match (self.state, self.not_before) {
            (EndpointHealth::Gone { .. }, _) => Permit::Nothing { until: None },
            (_, Some(until)) if until > now => Permit::Nothing { until: Some(until) },
            (EndpointHealth::Taking, _) => Permit::Everything,
            (EndpointHealth::Failing { .. } | EndpointHealth::Parked { .. }, _) => {
                Permit::One { again_from: self.not_again_before.filter(|from| *from > now) }
            }
        }
    }

    /// True when it was failing until now.
    pub(crate) fn taken(&mut self) -> bool {
        let recovered = self.retries_seldom();
        if !matches!(self.state, EndpointHealth::Gone { .. }) {
            *self = Self::of(EndpointHealth::Taking);
        }
        recovered
    }

    /// True when that changes its state. `alone`: the endpoint wants to be left alone until then.
    pub(crate) fn failed(
        &mut self,
        which: Which,
        now: Timestamp,
        alone: Option<Timestamp>,
        config: &Config,
        luck: f64,
    ) -> bool {
        let before = self.state;
        self.streak = self.streak.saturating_add(1);
        let first = *self.first.get_or_insert(now);
        match self.state {
            EndpointHealth::Taking if self.streak >= config.failing_after => {
                self.state = EndpointHealth::Failing { since: first };
            }
            EndpointHealth::Failing { since } if now.since(since) >= config.park_after() => {
                self.state = EndpointHealth::Parked { since: now };
            }
            _ => {}
        }
        match (self.state, which) {
            // Whatever was under way when it began to fail counts as one that asked.
            (EndpointHealth::Failing { .. }, Which::New)
                if self.not_before.is_none_or(|until| until <= now) =>
            {
                self.not_before = Some(now.plus(config.probe_wait(self.probes, luck)));
                self.probes = self.probes.saturating_add(1);
            }
            (EndpointHealth::Parked { .. }, which) => {
                let next = Some(now.plus(config.parked_probe_wait(luck)));
                self.not_again_before = next;
                if which == Which::New {
                    self.not_before = next;
                }
            }
            _ => {}
        }
        self.not_before = self.not_before.max(alone);
        before != self.state
    }

    /// It answered that it is gone for good. True when that is new: posts that were under way hear the same.
    pub(crate) const fn gone(&mut self, now: Timestamp) -> bool {
        if matches!(self.state, EndpointHealth::Gone { .. }) {
            return false;
        }
        *self = Self::of(EndpointHealth::Gone { since: now });
        true
    }

    /// Its owner says that it is back.
    pub(crate) const fn resumed(&mut self) {
        *self = Self::of(EndpointHealth::Taking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_seconds(0);
    const ONE: Permit = Permit::One { again_from: None };

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn failing(config: &Config) -> Health {
        let mut health = Health::of(EndpointHealth::Taking);
        for n in 1..=config.failing_after {
            assert_eq!(health.permit(START), Permit::Everything);
            assert_eq!(health.failed(Which::New, START, None, config, 0.5), n == config.failing_after);
        }
        health
    }

    #[test]
    fn some_failures_among_what_is_taken_change_nothing() {
        let config = Config::default();
        let mut health = Health::of(EndpointHealth::Taking);
        for _ in 0..10 {
            for _ in 1..config.failing_after {
                assert!(!health.failed(Which::New, START, None, &config, 0.5));
            }
            assert!(!health.taken());
            assert_eq!(health.permit(START), Permit::Everything);
        }
    }

    #[test]
    fn a_failing_endpoint_is_asked_seldom_then_parked_and_back_with_the_first_event_it_takes() {
        let config = Config::default();
        let mut health = failing(&config);
        let mut now = START;
        let mut waits = Vec::new();
        while let EndpointHealth::Failing { since } = health.state() {
            assert_eq!(since, START);
            let Permit::Nothing { until: Some(until) } = health.permit(now) else { panic!("{health:?}") };
            waits.push(until.since(now).as_secs());
            now = until;
            assert_eq!(health.permit(now), ONE);
            health.failed(Which::New, now, None, &config, 0.5);
        }
        assert_eq!(waits[..5], [5, 15, 60, 300, 300]);
        assert_eq!(health.state(), EndpointHealth::Parked { since: now });
        assert!((86_400..87_000).contains(&now.since(START).as_secs()));
        let until = now.plus(Duration::from_hours(1));
        assert_eq!(health.permit(now), Permit::Nothing { until: Some(until) });
        assert_eq!(health.permit(until), ONE);
        assert!(health.taken());
        assert_eq!(health.permit(until), Permit::Everything);
    }

    #[test]
    fn posts_that_fail_together_are_one_question_and_not_many() {
        let config = Config::default();
        let mut health = failing(&config);
        for _ in 0..32 {
            health.failed(Which::New, START, None, &config, 0.5);
        }
        assert_eq!(health.permit(START), Permit::Nothing { until: Some(at(5)) });
        health.failed(Which::New, at(5), None, &config, 0.5);
        assert_eq!(health.permit(at(5)), Permit::Nothing { until: Some(at(20)) });
    }

    #[test]
    fn what_was_failing_at_the_start_is_asked_at_once_and_with_one_event() {
        let mut health = Health::of(EndpointHealth::Failing { since: START });
        assert_eq!(health.permit(at(9)), ONE);
        let parked = health.failed(Which::Again, at(90_000), None, &Config::default(), 0.5);
        assert!(parked, "it failed for more than a day");
        assert_eq!(health.state(), EndpointHealth::Parked { since: at(90_000) });
    }

    #[test]
    fn retries_of_what_it_cannot_take_delay_no_new_event() {
        let config = Config::default();
        let mut health = Health::of(EndpointHealth::Taking);
        for _ in 0..1_000 {
            health.failed(Which::Again, START, None, &config, 0.5);
        }
        assert_eq!(health.state(), EndpointHealth::Failing { since: START });
        assert_eq!(health.permit(START), ONE, "each by its own schedule, and a new one at once");
        let now = at(90_000);
        assert!(health.failed(Which::Again, now, None, &config, 0.5), "nothing was taken for a day");
        let later = now.plus(Duration::from_hours(1));
        assert_eq!(health.permit(now), Permit::One { again_from: Some(later) }, "a new one still at once");
        health.failed(Which::New, now, None, &config, 0.5);
        assert_eq!(health.permit(now), Permit::Nothing { until: Some(later) }, "but not one after the other");
    }

    #[test]
    fn an_endpoint_that_wants_to_be_left_alone_is() {
        let mut health = Health::of(EndpointHealth::Taking);
        health.failed(Which::Again, START, Some(at(90)), &Config::default(), 0.5);
        assert_eq!(health.permit(at(89)), Permit::Nothing { until: Some(at(90)) });
        assert_eq!(health.permit(at(90)), Permit::Everything);
    }

    #[test]
    fn one_that_is_gone_is_asked_no_more_until_its_owner_resumes_it() {
        let mut health = Health::of(EndpointHealth::Taking);
        assert!(health.gone(START));
        assert!(!health.taken(), "what was under way changes nothing");
        assert!(!health.gone(at(1)), "nor does it make news of what is known");
        assert_eq!(health.state(), EndpointHealth::Gone { since: START });
        health.failed(Which::New, at(1), Some(at(2)), &Config::default(), 0.5);
        assert_eq!(health.permit(at(1_000_000)), Permit::Nothing { until: None });
        health.resumed();
        assert_eq!(health.permit(at(1)), Permit::Everything);
    }
}
