//! Every POST of a webhook and how it was answered, in the order of the answers: what `/control/webhooks` shows.

use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) seq: u64,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: i64,
    /// Nothing if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) body: Bytes,
}

/// In memory only: after a restart of the sandbox nobody can say any more how an earlier POST was answered.
#[derive(Debug)]
pub(crate) struct PostedLog {
    entries: VecDeque<Posted>,
    next_seq: u64,
    limit: usize,
}

impl PostedLog {
    /// A limit of 0 keeps nothing.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), next_seq: 1, limit }
    }

    pub(crate) fn push(&mut self, started_ms: i64, ended_ms: i64, status: Option<u16>, body: Bytes) {
        if self.limit == 0 {
            return;
        }
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(Posted { seq: self.next_seq, started_ms, ended_ms, status, body });
        self.next_seq += 1;
    }

    /// Numbers are not used again, so a reader's cursor stays good.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Up to `limit` entries after the given number, and the cursor of the next page if there is one.
    pub(crate) fn page(&self, after: u64, limit: usize) -> (Vec<Posted>, Option<u64>) {
        let start = self.entries.partition_point(|entry| entry.seq <= after);
        let page: Vec<_> = self.entries.range(start..).take(limit).cloned().collect();
        let next =
            (start + page.len() < self.entries.len()).then(|| page.last().map_or(after, |last| last.seq));
        (page, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(count: u64, limit: usize) -> PostedLog {
        let mut log = PostedLog::new(limit);
        for at in 0..count {
            log.push(i64::try_from(at).unwrap(), 0, Some(200), Bytes::new());
        }
        log
    }

    fn seqs((page, next): (Vec<Posted>, Option<u64>)) -> (Vec<u64>, Option<u64>) {
        (page.iter().map(|entry| entry.seq).collect(), next)
    }

    #[test]
    fn pages_follow_each_other_and_the_oldest_make_room() {
        let log = log_of(7, 5);
        assert_eq!(seqs(log.page(0, 3)), (vec![3, 4, 5], Some(5)));
        assert_eq!(seqs(log.page(5, 3)), (vec![6, 7], None));
        assert_eq!(seqs(log.page(7, 3)), (vec![], None));
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        assert_eq!(seqs(log_of(3, 0).page(0, 10)), (vec![], None));
    }
}
