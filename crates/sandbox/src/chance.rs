//! Randomness of two kinds: decisions that a seed can repeat, and identifiers that must never repeat.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::{AtomicU64, Ordering};

/// Repeatable when seeded: which webhook is doubled, dropped or late.
#[derive(Debug)]
pub(crate) struct Chance {
    state: AtomicU64,
}

impl Chance {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { state: AtomicU64::new(seed.unwrap_or_else(|| u64::from_le_bytes(random()))) }
    }

    /// SplitMix64: one addition and a few shifts, good enough for coin tosses.
    pub(crate) fn next(&self) -> u64 {
        let step = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn happens(&self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        let top = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(top) / f64::from(u32::MAX) < probability || probability >= 1.0
    }

    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.next() % (high - low + 1) }
    }
}

/// Operating system randomness. Without it no token could be trusted to be unguessable, so there is no fallback.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the operating system provides randomness");
    hex::encode(buffer)
}

/// `wamid.` and base64 that happens to hold the recipient, as Meta's does; clients must treat it as opaque.
pub(crate) fn wamid(recipient: &str) -> String {
    let mut bytes = Vec::with_capacity(recipient.len().min(24) + 18);
    bytes.extend_from_slice(&[0x1c, 0x18, 0x0c]);
    bytes.extend(recipient.bytes().take(24));
    bytes.extend_from_slice(&[0x15, 0x02, 0x00]);
    bytes.extend_from_slice(&random::<12>());
    let mut id = String::with_capacity(72);
    id.push_str("wamid.");
    STANDARD.encode_string(bytes, &mut id);
    id
}

/// `EAA`, then letters and digits: the shape of a Graph token.
pub(crate) fn access_token() -> String {
    format!("EAAS{}", random_hex(60))
}

/// Fifteen decimal digits, the shape of Meta's object ids, never starting with a zero.
pub(crate) fn object_id() -> String {
    let number = 100_000_000_000_000 + u64::from_le_bytes(random()) % 900_000_000_000_000;
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_decisions() {
        let (a, b) = (Chance::new(Some(7)), Chance::new(Some(7)));
        let tosses = |c: &Chance| (0..64).map(|_| c.happens(0.5)).collect::<Vec<_>>();
        assert_eq!(tosses(&a), tosses(&b));
    }

    #[test]
    fn certain_and_impossible_are_exact() {
        let chance = Chance::new(Some(1));
        assert!((0..1000).all(|_| chance.happens(1.0)));
        assert!((0..1000).all(|_| !chance.happens(0.0)));
    }

    #[test]
    fn message_ids_differ_and_fit_the_documented_length() {
        let (a, b) = (wamid("255712345678"), wamid("255712345678"));
        assert_ne!(a, b);
        assert!(a.starts_with("wamid.") && a.len() <= 128);
    }
}
