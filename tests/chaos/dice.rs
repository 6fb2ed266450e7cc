//! Chance that a seed repeats.

use std::time::Duration;

/// SplitMix64. Everything that a run decides by chance comes from one of these, so that a seed replays.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of its own for one part of a run, so that the parts do not disturb each other.
    pub(crate) fn of(seed: u64, part: &str) -> Self {
        // FNV-1a.
        let name = part.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        let mut dice = Self(seed ^ name);
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.next() % (high - low + 1) }
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.between(0, 99) < chance
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = u64::try_from(from.len()).unwrap_or(u64::MAX).saturating_sub(1);
        &from[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_its_parts_differ() {
        let draw = |mut dice: Dice| (0..8).map(|_| dice.next()).collect::<Vec<_>>();
        assert_eq!(draw(Dice::of(7, "clients")), draw(Dice::of(7, "clients")));
        assert_ne!(draw(Dice::of(7, "clients")), draw(Dice::of(7, "plan")));
        assert_ne!(draw(Dice::of(7, "clients")), draw(Dice::of(8, "clients")));
    }

    #[test]
    fn bounds_are_kept() {
        let mut dice = Dice::new(1);
        assert!((0..1_000).all(|_| (3..=9).contains(&dice.between(3, 9))));
        assert!((0..1_000).all(|_| !dice.percent(0)) && (0..1_000).all(|_| dice.percent(100)));
        assert_eq!(*dice.pick(&[5]), 5);
    }
}
