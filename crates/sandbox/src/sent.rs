//! Every request to send a message, in the order in which it arrived: what `/control/sent` shows.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::VecDeque;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) seq: u64,
    pub(crate) at_ms: i64,
    pub(crate) phone_number_id: String,
    /// By which name the caller reached the platform: callers that come by ways of their own are told apart by it.
    #[serde(default)]
    pub(crate) host: String,
    pub(crate) id: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) body: Box<RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Accepted,
    Rejected,
    /// The connection was cut before the answer; an id tells that the message was accepted nevertheless.
    Cut,
}

#[derive(Debug)]
pub(crate) struct SentLog {
    entries: VecDeque<Sent>,
    next_seq: u64,
    limit: usize,
}

impl SentLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), next_seq: 1, limit: limit.max(1) }
    }

    /// The number the next entry has to carry.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Also used by replay, where numbers go on from where they were.
    pub(crate) fn push(&mut self, entry: Sent) {
        self.next_seq = self.next_seq.max(entry.seq + 1);
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Numbers are not used again, so a reader's cursor stays good.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn continue_from(&mut self, next_seq: u64) {
        self.next_seq = self.next_seq.max(next_seq);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.entries.iter()
    }

    /// Up to `limit` entries after the given number, and the cursor of the next page if there is one.
    pub(crate) fn page(&self, after: u64, limit: usize, number: Option<&str>) -> (Vec<&Sent>, Option<u64>) {
        let start = self.entries.partition_point(|entry| entry.seq <= after);
        let mut wanted =
            self.entries.range(start..).filter(|entry| number.is_none_or(|id| id == entry.phone_number_id));
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = if wanted.next().is_some() { page.last().map(|entry| entry.seq) } else { None };
        (page, next)
    }
}

/// A request to send, as it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) host: &'a str,
    pub(crate) body: &'a [u8],
}

impl Received<'_> {
    /// The body as it is if it is JSON, else as a JSON string. Line breaks between tokens become spaces, because the
    /// journal is a file of lines.
    pub(crate) fn json(&self) -> Box<RawValue> {
        let text = String::from_utf8_lossy(self.body);
        let text =
            if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text.into_owned() };
        RawValue::from_string(text).unwrap_or_else(|_| {
            serde_json::value::to_raw_value(&String::from_utf8_lossy(self.body))
                .unwrap_or_else(|_| RawValue::NULL.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(body: &[u8]) -> Box<RawValue> {
        Received { host: "", body }.json()
    }

    fn log_of(count: u64, limit: usize) -> SentLog {
        let mut log = SentLog::new(limit);
        for _ in 0..count {
            let seq = log.next_seq();
            let phone_number_id = if seq.is_multiple_of(2) { "even" } else { "odd" }.to_owned();
            let (host, body) = (String::new(), received(b"{}"));
            log.push(Sent {
                seq,
                at_ms: 0,
                phone_number_id,
                host,
                id: None,
                outcome: Outcome::Accepted,
                body,
            });
        }
        log
    }

    fn seqs(page: &[&Sent]) -> Vec<u64> {
        page.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn pages_follow_each_other_until_the_cursor_is_gone() {
        let log = log_of(5, 100);
        let (page, next) = log.page(0, 3, None);
        assert_eq!((seqs(&page), next), (vec![1, 2, 3], Some(3)));
        let (page, next) = log.page(3, 3, None);
        assert_eq!((seqs(&page), next), (vec![4, 5], None));
    }

    #[test]
    fn one_number_can_be_looked_at_alone() {
        let (log, even) = (log_of(6, 100), Some("even"));
        let (page, next) = log.page(0, 2, even);
        assert_eq!((seqs(&page), next), (vec![2, 4], Some(4)));
        assert_eq!(seqs(&log.page(4, 2, even).0), vec![6]);
    }

    #[test]
    fn the_oldest_entries_make_room() {
        assert_eq!(seqs(&log_of(10, 4).page(0, 100, None).0), vec![7, 8, 9, 10]);
    }

    #[test]
    fn a_body_is_kept_on_one_line_and_otherwise_as_received() {
        assert_eq!(received(b"{\"b\":1,\n \"a\":\"x\\ny\"}").get(), "{\"b\":1,  \"a\":\"x\\ny\"}");
        assert_eq!(received(b"not json").get(), "\"not json\"");
    }
}
