//! Processor time and resident memory of a process on this machine, as the kernel counts them.

mod threads;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval};

use crate::report::ratio;
use threads::{Snapshot, Threads};

/// The kernel tells programs times in hundredths of a second, whatever its own clock.
const TICK_MS: u64 = 10;

/// How often memory is looked at. A peak between two looks is missed.
const LOOK: Duration = Duration::from_millis(100);

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub user_ms: u64,
    pub system_ms: u64,
    pub resident_kb: u64,
}

impl Mark {
    pub const fn cpu_ms(&self) -> u64 {
        self.user_ms + self.system_ms
    }
}

#[derive(Debug, Clone)]
pub struct Watched {
    pub name: &'static str,
    pub pid: u32,
}

/// What a process used between two marks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// Per message or webhook.
    pub cpu_ms_each: f64,
    pub user_ms: u64,
    pub system_ms: u64,
    pub resident_mb_before: f64,
    pub resident_mb_peak: f64,
    pub resident_mb_after: f64,
    pub threads: Vec<Threads>,
}

impl Watched {
    pub fn mark(&self) -> Result<Mark> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.pid);
            fs::read_to_string(&path).with_context(|| format!("the {} is gone: {path}", self.name))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        let (user, system) = ticks(&stat).context("/proc/…/stat reads otherwise than expected")?;
        let resident_kb = resident_kb(&status).context("/proc/…/status has no VmRSS")?;
        Ok(Mark { user_ms: user * TICK_MS, system_ms: system * TICK_MS, resident_kb })
    }
}

/// Ticks in user and system mode. The program's name is in parentheses and may hold anything, also spaces and
/// parentheses, so that counting begins behind the last one.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn resident_kb(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// A process as it was at the start, and its highest resident memory since, in KB.
#[derive(Debug, Clone)]
struct Begun {
    process: Watched,
    mark: Mark,
    threads: Snapshot,
    peak: Arc<AtomicU64>,
}

/// Follows processes from its start to [`Watch::usage`].
#[derive(Debug)]
pub struct Watch {
    processes: Vec<Begun>,
    looking: JoinHandle<()>,
}

impl Watch {
    pub fn start(processes: &[Watched]) -> Result<Self> {
        let first = |process: &Watched| {
            let (mark, threads) = (process.mark()?, Snapshot::take(process.pid));
            let peak = Arc::new(AtomicU64::new(mark.resident_kb));
            Ok(Begun { process: process.clone(), mark, threads, peak })
        };
        let processes = processes.iter().map(first).collect::<Result<Vec<_>>>()?;
        let looked_at = processes.clone();
        let looking = tokio::spawn(async move {
            let mut moments = interval(LOOK);
            loop {
                moments.tick().await;
                for begun in &looked_at {
                    if let Ok(mark) = begun.process.mark() {
                        begun.peak.fetch_max(mark.resident_kb, Ordering::Relaxed);
                    }
                }
            }
        });
        Ok(Self { processes, looking })
    }

    /// What was used since the start, shared out over so many messages or webhooks.
    pub fn usage(self, count: u64) -> Result<BTreeMap<&'static str, Usage>> {
        let used = self.processes.iter().map(|begun| {
            let after = begun.process.mark()?;
            let peak = begun.peak.load(Ordering::Relaxed).max(after.resident_kb);
            let threads = Snapshot::take(begun.process.pid).since(&begun.threads);
            Ok((begun.process.name, Usage { threads, ..usage(&begun.mark, &after, peak, count) }))
        });
        used.collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn usage(before: &Mark, after: &Mark, peak_kb: u64, count: u64) -> Usage {
    let user_ms = after.user_ms.saturating_sub(before.user_ms);
    let system_ms = after.system_ms.saturating_sub(before.system_ms);
    Usage {
        cpu_ms_each: ratio(user_ms + system_ms, count),
        user_ms,
        system_ms,
        resident_mb_before: ratio(before.resident_kb, 1024),
        resident_mb_peak: ratio(peak_kb, 1024),
        resident_mb_after: ratio(after.resident_kb, 1024),
        threads: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "4242 (ga) te (way) S 1 4242 4242 0 -1 4194560 2100 0 3 0 517 83 0 0 20 0 9 0 123456 1 2";
        assert_eq!(ticks(stat), Some((517, 83)));
        assert_eq!(ticks("4242 (gateway) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn resident_memory_is_found_by_name() {
        let status = "Name:\tgateway\nVmHWM:\t   51200 kB\nVmRSS:\t   40960 kB\nThreads:\t9\n";
        assert_eq!(resident_kb(status), Some(40_960));
        assert_eq!(resident_kb("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn use_is_shared_out_over_what_was_done() {
        let before = Mark { user_ms: 100, system_ms: 50, resident_kb: 20 << 10 };
        let after = Mark { user_ms: 300, system_ms: 150, resident_kb: 30 << 10 };
        let used = usage(&before, &after, 40 << 10, 1000);
        assert!((used.cpu_ms_each - 0.3).abs() < 1e-9);
        assert_eq!((used.user_ms, used.system_ms), (200, 100));
        assert!((used.resident_mb_peak - 40.0).abs() < 1e-9);
        assert!(usage(&before, &after, 0, 0).cpu_ms_each.abs() < 1e-9);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let own = Watched { name: "test", pid: std::process::id() };
        assert!(own.mark().unwrap().resident_kb > 0);
        assert!(Watched { name: "nobody", pid: u32::MAX }.mark().is_err());
    }
}
