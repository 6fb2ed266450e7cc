//! What was taken at the first try is not written down, but some of it is kept, to be looked at.

use std::collections::VecDeque;

use domain::ids::BusinessKey;

use super::posting::Tried;

/// Kept of what is taken between two writings.
const MOST: usize = 20;

pub(super) struct Sample {
    pub(super) event_seq: i64,
    pub(super) business: BusinessKey,
    pub(super) tried: Tried,
}

/// The newest since the last writing.
#[derive(Default)]
pub(super) struct Samples(VecDeque<Sample>);

impl Samples {
    /// True when it is the first one since.
    pub(super) fn add(&mut self, sample: Sample) -> bool {
        let first = self.0.is_empty();
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(sample);
        first
    }

    pub(super) fn take(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.0).into()
    }
}
