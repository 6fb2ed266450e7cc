//! Meta's sending limits: messages per second of a number, and of one number to one person.

use crate::accounts::Throughput;
use crate::world::locked;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Mutex;

/// Members set to `None` are not enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Messages per second, in and out, of a number with standard throughput (code 130429).
    pub throughput_per_s: Option<u32>,
    /// Messages from one number to one person (code 131056).
    pub pair: Option<PairLimit>,
    /// Refuse free-form messages, by a later `failed` status, to people who have not written within 24 hours (code 131047).
    pub service_window: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairLimit {
    /// One message per this many seconds in the long run …
    pub seconds: u32,
    /// … but so many at once, borrowed from the future.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            throughput_per_s: Some(80),
            pair: Some(PairLimit { seconds: 6, burst: 45 }),
            service_window: false,
        }
    }
}

impl Limits {
    pub fn none() -> Self {
        Self { throughput_per_s: None, pair: None, service_window: false }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Throughput,
    Pair,
}

/// Pairs that owe nothing are forgotten once there are this many.
const PAIRS_KEPT: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Limiter(Mutex<State>);

#[derive(Debug)]
struct State {
    limits: Limits,
    numbers: HashMap<String, i64>,
    pairs: HashMap<(String, String), i64>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Mutex::new(State { limits, numbers: HashMap::new(), pairs: HashMap::new() }))
    }

    pub(crate) fn settings(&self) -> Limits {
        locked(&self.0).limits
    }

    /// Debts under the old limits are forgiven.
    pub(crate) fn set(&self, limits: Limits) {
        *locked(&self.0) = State { limits, numbers: HashMap::new(), pairs: HashMap::new() };
    }

    /// A refused message costs nothing.
    pub(crate) fn send(
        &self,
        now_us: i64,
        number: &str,
        throughput: Throughput,
        person: &str,
    ) -> Result<(), Exceeded> {
        let mut state = locked(&self.0);
        let limits = state.limits;
        if let Some(pair) = limits.pair {
            if state.pairs.len() >= PAIRS_KEPT {
                state.pairs.retain(|_, paid_at| *paid_at > now_us);
            }
            let key = (number.to_owned(), person.to_owned());
            let interval = i64::from(pair.seconds) * 1_000_000;
            let paid_at = state.pairs.get(&key).copied().unwrap_or(0);
            let paid_at = borrow(paid_at, now_us, interval, pair.burst).ok_or(Exceeded::Pair)?;
            state.count(now_us, number, throughput)?;
            state.pairs.insert(key, paid_at);
        } else {
            state.count(now_us, number, throughput)?;
        }
        Ok(())
    }

    /// An incoming message uses the number's throughput too, but Meta delivers it whatever the limit says.
    pub(crate) fn receive(&self, now_us: i64, number: &str, throughput: Throughput) {
        let _ = locked(&self.0).count(now_us, number, throughput);
    }
}

impl State {
    fn count(&mut self, now_us: i64, number: &str, throughput: Throughput) -> Result<(), Exceeded> {
        let Some(standard) = self.limits.throughput_per_s else { return Ok(()) };
        let per_s = if throughput == Throughput::High { 1000 } else { standard.max(1) };
        let interval = 1_000_000 / i64::from(per_s);
        if let Some(paid_at) = self.numbers.get_mut(number) {
            *paid_at = borrow(*paid_at, now_us, interval, per_s).ok_or(Exceeded::Throughput)?;
        } else {
            self.numbers.insert(number.to_owned(), now_us + interval);
        }
        Ok(())
    }
}

/// The moment at which the debt is paid after one more message, or nothing if `burst` is used up.
fn borrow(paid_at: i64, now: i64, interval: i64, burst: u32) -> Option<i64> {
    let paid_at = paid_at.max(now) + interval;
    (paid_at - now <= interval * i64::from(burst.max(1))).then_some(paid_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn forty_five_quick_messages_pass_and_then_one_every_six_seconds() {
        let limiter = Limiter::new(Limits { throughput_per_s: None, ..Limits::default() });
        let send = |at| limiter.send(at, "1", Throughput::Standard, "255712345678");
        for _ in 0..45 {
            assert_eq!(send(0), Ok(()));
        }
        assert_eq!(send(0), Err(Exceeded::Pair));
        assert_eq!(send(5 * SECOND), Err(Exceeded::Pair));
        assert_eq!(send(6 * SECOND), Ok(()));
        assert_eq!(send(6 * SECOND), Err(Exceeded::Pair));
        assert_eq!(limiter.send(6 * SECOND, "1", Throughput::Standard, "255799999999"), Ok(()));
    }

    #[test]
    fn a_number_sends_eighty_a_second_to_different_people() {
        let limiter = Limiter::new(Limits::default());
        let accepted =
            (0..100).filter(|i| limiter.send(0, "1", Throughput::Standard, &format!("p{i}")).is_ok()).count();
        assert_eq!(accepted, 80);
        assert_eq!(limiter.send(0, "1", Throughput::Standard, "last"), Err(Exceeded::Throughput));
        assert_eq!(limiter.send(SECOND, "1", Throughput::Standard, "last"), Ok(()));
        let high =
            (0..1100).filter(|i| limiter.send(0, "2", Throughput::High, &format!("p{i}")).is_ok()).count();
        assert_eq!(high, 1000);
    }

    #[test]
    fn without_limits_everything_passes() {
        let limiter = Limiter::new(Limits::none());
        assert!((0..10_000).all(|_| limiter.send(0, "1", Throughput::Standard, "255712345678").is_ok()));
    }
}
