//! Which threads of a process its time went into.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use super::{TICK_MS, ticks};

/// Threads of one name, together. The kernel keeps fifteen characters of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Threads {
    pub name: String,
    pub user_ms: u64,
    pub system_ms: u64,
}

/// Every thread by its id: its name, and its ticks in user and system mode.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(BTreeMap<u32, (String, (u64, u64))>);

impl Snapshot {
    /// Threads that end meanwhile are left out.
    pub fn take(pid: u32) -> Self {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Self::default() };
        let threads = tasks.flatten().filter_map(|task| {
            let id = task.file_name().to_str()?.parse().ok()?;
            let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
            Some((id, (kind(&read("comm")?), ticks(&read("stat")?)?)))
        });
        Self(threads.collect())
    }

    /// What was used since then, by name. What a thread that has ended used is not among it.
    pub fn since(&self, before: &Self) -> Vec<Threads> {
        let mut by_name: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (id, (name, (user, system))) in &self.0 {
            let (user_before, system_before) = before.0.get(id).map_or((0, 0), |(_, ticks)| *ticks);
            let used = by_name.entry(name).or_default();
            used.0 += user.saturating_sub(user_before);
            used.1 += system.saturating_sub(system_before);
        }
        let threads = by_name.into_iter().map(|(name, (user, system))| Threads {
            name: name.to_owned(),
            user_ms: user * TICK_MS,
            system_ms: system * TICK_MS,
        });
        threads.collect()
    }
}

/// Threads that differ by a number at the end do the same work.
fn kind(comm: &str) -> String {
    let name = comm.trim_end();
    let kind =
        name.trim_end_matches(|last: char| last.is_ascii_digit() || [':', '-', '_', ' '].contains(&last));
    if kind.is_empty() { name.to_owned() } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(threads: &[(u32, &str, u64, u64)]) -> Snapshot {
        Snapshot(
            threads.iter().map(|(id, name, user, system)| (*id, (kind(name), (*user, *system)))).collect(),
        )
    }

    #[test]
    fn threads_of_one_kind_are_added_and_what_they_used_before_is_not() {
        let before = snapshot(&[(1, "gateway", 5, 5), (2, "worker-0", 10, 0)]);
        let after = snapshot(&[(1, "gateway", 5, 6), (2, "worker-0", 30, 1), (3, "worker-1\n", 2, 0)]);
        let threads = |name: &str, user_ms, system_ms| Threads { name: name.to_owned(), user_ms, system_ms };
        assert_eq!(after.since(&before), [threads("gateway", 0, 10), threads("worker", 220, 10)]);
    }

    #[test]
    fn a_name_that_is_a_number_stays() {
        assert_eq!(kind("7\n"), "7");
    }

    #[test]
    fn this_process_has_threads_and_one_that_is_gone_has_none() {
        assert!(!Snapshot::take(std::process::id()).0.is_empty());
        assert!(Snapshot::take(u32::MAX).0.is_empty());
    }
}
