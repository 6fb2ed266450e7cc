//! A business belongs to one of 1024 partitions; a node owns partitions under an epoch.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::{AccountKey, BusinessRef};

/// How many partitions businesses are spread over. Stored on each business, so that one can be moved.
pub const PARTITIONS: u16 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub u16);

impl Partition {
    /// Where a new business goes; afterwards the stored value decides.
    pub fn of(account: AccountKey, business: &BusinessRef) -> Self {
        let mut hash = Sha256::new();
        hash.update(account.0.to_be_bytes());
        hash.update(business.as_str().as_bytes());
        let digest = hash.finalize();
        Self(u16::from_be_bytes([digest[0], digest[1]]) % PARTITIONS)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }
}

/// Rises each time a partition changes hands; a write under an older one is refused by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub i64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One process of one node, by a random number: a restarted node is another incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incarnation(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn businesses_spread_evenly_over_the_partitions() {
        let mut counts = vec![0_u32; usize::from(PARTITIONS)];
        for n in 0..20_480 {
            let reference: BusinessRef = format!("business-{n}").parse().unwrap();
            counts[usize::from(Partition::of(AccountKey(1), &reference).0)] += 1;
        }
        assert!(counts.iter().all(|&count| (2..60).contains(&count)), "20 expected in each: {counts:?}");
    }
}
