//! Since when nothing that providers tell was missed here.
//!
//! Silence about a message proves something only while everything that is told is heard. A process hears nothing
//! before its start, nor while it is stopped or its machine sleeps; and what it could not keep, it turned away, so that
//! the provider repeats it later and in no order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::clock::{Clock, Timestamp};
use tokio::task::JoinHandle;

/// A process that lives looks this often …
const EVERY: Duration = Duration::from_secs(1);
/// … and one that did not look for so long was not there: its peers' patience is over by then, too.
const ABSENT: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub(crate) struct Hearing {
    clock: Arc<dyn Clock>,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Since when this process is there to hear anything.
    pub(crate) running_since: Timestamp,
    /// Since when it kept everything that it was told.
    pub(crate) unbroken_since: Timestamp,
    looked_at: Duration,
}

impl Heard {
    const fn from(now: Timestamp, boottime: Duration) -> Self {
        Self { running_since: now, unbroken_since: now, looked_at: boottime }
    }

    fn look(&mut self, now: Timestamp, boottime: Duration) {
        if boottime.saturating_sub(self.looked_at) >= ABSENT {
            *self = Self::from(now, boottime);
        }
        self.looked_at = boottime;
    }

    /// Something that was told was turned away.
    fn missed(&mut self, now: Timestamp) {
        self.unbroken_since = self.unbroken_since.max(now);
    }
}

impl std::fmt::Debug for Hearing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hearing")
    }
}

impl Hearing {
    /// From now on.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let heard = Heard::from(clock.now(), clock.boottime());
        Self { clock, heard: Arc::new(Mutex::new(heard)) }
    }

    /// As of now: whoever asks first after an absence finds it out.
    pub(crate) fn heard(&self) -> Heard {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.look(self.clock.now(), self.clock.boottime());
        *heard
    }

    pub(crate) fn missed(&self) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).missed(self.clock.now());
    }
}

/// Looks again and again, so that an absence is found out. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Pulse(JoinHandle<()>);

impl Pulse {
    pub(crate) fn start(hearing: Hearing) -> Self {
        Self(tokio::spawn(async move {
            loop {
                hearing.clock.sleep(EVERY).await;
                let _ = hearing.heard();
            }
        }))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> (Timestamp, Duration) {
        #[expect(clippy::cast_possible_wrap, reason = "small numbers")]
        let now = Timestamp::from_seconds(1_000 + seconds as i64);
        (now, Duration::from_secs(seconds))
    }

    fn heard() -> Heard {
        let (now, boottime) = at(10);
        Heard::from(now, boottime)
    }

    fn look(heard: &mut Heard, seconds: u64) {
        let (now, boottime) = at(seconds);
        heard.look(now, boottime);
    }

    #[test]
    fn what_is_missed_breaks_the_silence_and_the_start_stays_what_it_was() {
        let mut heard = heard();
        heard.missed(at(30).0);
        heard.missed(at(20).0);
        assert_eq!((heard.running_since, heard.unbroken_since), (at(10).0, at(30).0));
    }

    #[test]
    fn a_process_that_looks_on_is_there_and_one_that_stood_still_begins_anew() {
        let mut heard = heard();
        for seconds in [11, 14, 17] {
            look(&mut heard, seconds);
        }
        assert_eq!((heard.running_since, heard.unbroken_since), (at(10).0, at(10).0));
        look(&mut heard, 21);
        assert_eq!((heard.running_since, heard.unbroken_since), (at(21).0, at(21).0));
        look(&mut heard, 22);
        assert_eq!(heard.running_since, at(21).0);
    }
}
