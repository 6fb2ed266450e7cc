//! How fast one number may send: its bucket, the pairs, a slower pace when its owner asked for one, and pauses.

mod bucket;
mod pairs;
mod slowdown;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use domain::connection::{Sending, Slowed};
use domain::contracts::store::LaneKey;
use domain::message::Priority;
use serde::Deserialize;

use bucket::Bucket;
use pairs::Pairs;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Messages a second, in and out, of one number of which nothing else is known. Meta allows 80 to start with.
    pub messages_per_second: NonZeroU32,
    /// One number writes to one person at most once in so many seconds …
    pub pair_every_s: u64,
    /// … with so many at once, borrowed from the future. 0: no limit.
    pub pair_burst: u32,
}

pub struct Limiter {
    clock: Arc<dyn Clock>,
    /// Of a number of which nothing else is known.
    standard: NonZeroU32,
    sending: Sending,
    bucket: Bucket,
    pairs: Option<Pairs>,
    /// By its owner's pace, the next message goes then.
    pace_next: Timestamp,
    paused_until: Option<Timestamp>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("paused_until", &self.paused_until).finish_non_exhaustive()
    }
}

impl Limiter {
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let standard = config.messages_per_second;
        Self {
            bucket: Bucket::new(standard, Arc::clone(&clock)),
            pairs: Pairs::new(
                Duration::from_secs(config.pair_every_s),
                config.pair_burst,
                Arc::clone(&clock),
            ),
            pace_next: clock.now(),
            paused_until: None,
            sending: Sending::default(),
            standard,
            clock,
        }
    }

    /// What is known about the number, or was changed.
    pub fn learn(&mut self, sending: Sending) {
        if sending.pace != self.sending.pace {
            // A message may have gone just before this process began, or just before it was asked to go slower.
            self.pace_next = self.clock.now().plus(interval(&sending));
        }
        self.sending = sending;
        self.follow(self.clock.now());
    }

    /// Messages a second now.
    pub fn rate(&self) -> u32 {
        self.rate_at(self.clock.now()).get()
    }

    /// The provider, or prudence, asked for a pause.
    pub fn pause(&mut self, duration: Duration) {
        let until = self.clock.now().plus(duration);
        self.paused_until = self.paused_until.max(Some(until));
    }

    pub const fn paused_until(&self) -> Option<Timestamp> {
        self.paused_until
    }

    /// Whatever was asked for, it goes on now.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    pub fn received(&mut self, count: u32) {
        self.bucket.received(count);
    }

    /// Whether the number may send a message of this priority now, or how long until it may.
    pub fn ready(&mut self, priority: Priority) -> Result<(), Duration> {
        let now = self.clock.now();
        self.paused_until = self.paused_until.filter(|&until| until > now);
        let until = self.paused_until.max(Some(self.pace_next)).filter(|&until| until > now);
        if let Some(until) = until {
            return Err(until.since(now));
        }
        if self.sending.slowed.is_some() {
            self.follow(now);
        }
        self.bucket.ready(priority)
    }

    /// Takes one message to this person, after [`Self::ready`] allowed it; or answers how long until this person may
    /// get one. `random` from 0 to 1 spreads the pace.
    pub fn take(&mut self, recipient: LaneKey, random: f64) -> Result<(), Duration> {
        if let Some(pairs) = &mut self.pairs {
            pairs.take(recipient)?;
        }
        self.bucket.take();
        if let Some(pace) = self.sending.pace {
            let spread = f64::from(pace.jitter_percent.min(100)) / 100.0 * (2.0 * random - 1.0);
            self.pace_next = self.clock.now().plus(interval(&self.sending).mul_f64(1.0 + spread));
        }
        Ok(())
    }

    /// The platform says that this person got too many.
    pub fn pair_complained(&mut self, recipient: LaneKey) {
        if let Some(pairs) = &mut self.pairs {
            pairs.spend(recipient);
        }
    }

    /// The platform says that the number sends too much, about a message that was claimed then. Answers what is to be
    /// written down, if the number goes slower from now on.
    pub fn complained(&mut self, claimed_at: Timestamp) -> Option<Slowed> {
        let now = self.clock.now();
        let slowed =
            slowdown::complained(full(self.standard, &self.sending), self.sending.slowed, claimed_at, now)?;
        self.sending.slowed = Some(slowed);
        self.follow(now);
        Some(slowed)
    }

    fn rate_at(&self, now: Timestamp) -> NonZeroU32 {
        rate(self.standard, &self.sending, now)
    }

    fn follow(&mut self, now: Timestamp) {
        let rate = self.rate_at(now);
        if rate != self.bucket.rate() {
            self.bucket.set_rate(rate);
        }
    }
}

fn full(standard: NonZeroU32, sending: &Sending) -> NonZeroU32 {
    sending.messages_per_second.and_then(NonZeroU32::new).unwrap_or(standard)
}

/// Messages a second, of a number of which this is known.
pub fn rate(standard: NonZeroU32, sending: &Sending, now: Timestamp) -> NonZeroU32 {
    slowdown::rate(full(standard, sending), sending.slowed, now)
}

fn interval(sending: &Sending) -> Duration {
    sending.pace.map_or(Duration::ZERO, |pace| Duration::from_mins(1) / pace.per_minute.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::ManualClock;
    use domain::connection::Pace;

    const ASHA: LaneKey = LaneKey(1);

    fn limiter(rate: u32) -> (Limiter, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at_seconds(1_000));
        let config =
            Config { messages_per_second: NonZeroU32::new(rate).unwrap(), pair_every_s: 6, pair_burst: 0 };
        (Limiter::new(&config, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    /// Sent within a minute.
    fn in_a_minute(limiter: &mut Limiter, clock: &ManualClock) -> u32 {
        let end = clock.now().plus(Duration::from_mins(1));
        let mut sent = 0;
        while clock.now() < end {
            match limiter.ready(Priority::Otp) {
                Ok(()) => {
                    limiter.take(ASHA, 0.5).unwrap();
                    sent += 1;
                }
                Err(wait) => clock.advance(wait),
            }
        }
        sent
    }

    #[test]
    fn a_pause_holds_everything_and_then_ends() {
        let (mut limiter, clock) = limiter(10);
        limiter.pause(Duration::from_secs(4));
        assert_eq!(limiter.ready(Priority::Otp), Err(Duration::from_secs(4)));
        clock.advance(Duration::from_secs(4));
        assert_eq!(limiter.ready(Priority::Otp), Ok(()));
    }

    #[test]
    fn a_pace_is_slower_than_the_rate_and_waits_after_a_start() {
        let (mut limiter, clock) = limiter(80);
        let pace = Some(Pace { per_minute: 20, jitter_percent: 30 });
        limiter.learn(Sending { pace, ..Sending::default() });
        assert_eq!(limiter.ready(Priority::Otp), Err(Duration::from_secs(3)));
        assert_eq!(in_a_minute(&mut limiter, &clock), 19);
        clock.advance(Duration::from_secs(3));
        limiter.take(ASHA, 1.0).unwrap();
        assert_eq!(limiter.ready(Priority::Otp), Err(Duration::from_millis(3_900)));
    }

    #[test]
    fn what_the_platform_says_of_a_number_takes_the_place_of_the_standard() {
        let (mut limiter, clock) = limiter(80);
        limiter.learn(Sending { messages_per_second: Some(20), ..Sending::default() });
        assert!((1_200..=1_210).contains(&in_a_minute(&mut limiter, &clock)));
        limiter.learn(Sending { messages_per_second: Some(1_000), ..Sending::default() });
        assert_eq!(limiter.rate(), 1_000);
    }

    #[test]
    fn a_complaint_halves_the_rate_and_it_recovers() {
        let (mut limiter, clock) = limiter(80);
        let slowed = limiter.complained(clock.now()).unwrap();
        assert_eq!((slowed.messages_per_second, limiter.rate()), (40, 40));
        let sent = in_a_minute(&mut limiter, &clock);
        assert!((2_900..=3_100).contains(&sent), "{sent}: 40 a second, and 4 more every ten seconds");
        clock.advance(Duration::from_mins(2));
        assert_eq!(limiter.rate(), 80);
    }
}
