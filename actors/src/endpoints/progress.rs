//! How far an endpoint has come: events finish in any order, the cursor only passes what is finished.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Read and not passed yet; true when finished.
    open: BTreeMap<i64, bool>,
    /// Everything up to here is open, finished, or none of the endpoint's business.
    looked_to: i64,
    cursor: i64,
    saved: i64,
}

impl Progress {
    pub(crate) fn at(cursor: i64) -> Self {
        Self { open: BTreeMap::new(), looked_to: cursor, cursor, saved: cursor }
    }

    pub(crate) fn begun(&mut self, seq: i64) {
        self.open.insert(seq, false);
    }

    pub(crate) fn finished(&mut self, seq: i64) {
        if let Some(done) = self.open.get_mut(&seq) {
            *done = true;
        }
        self.advance();
    }

    /// All events up to here that concern the endpoint have begun.
    pub(crate) fn looked_to(&mut self, seq: i64) {
        self.looked_to = self.looked_to.max(seq);
        self.advance();
    }

    fn advance(&mut self) {
        while let Some(first) = self.open.first_entry() {
            if !*first.get() {
                break;
            }
            self.cursor = *first.key();
            first.remove();
        }
        if self.open.is_empty() {
            self.cursor = self.cursor.max(self.looked_to);
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.open.len()
    }

    /// A cursor worth writing down.
    pub(crate) fn unsaved(&mut self) -> Option<i64> {
        (self.cursor > self.saved).then(|| {
            self.saved = self.cursor;
            self.cursor
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_waits_for_the_slowest() {
        let mut progress = Progress::at(10);
        for seq in [11, 12, 14] {
            progress.begun(seq);
        }
        progress.looked_to(16);
        progress.finished(12);
        progress.finished(14);
        assert_eq!(progress.unsaved(), None);
        progress.finished(11);
        assert_eq!(progress.unsaved(), Some(16), "what lies behind the last one is none of its business");
        assert_eq!(progress.unsaved(), None);
        progress.looked_to(20);
        assert_eq!(progress.unsaved(), Some(20));
    }
}
