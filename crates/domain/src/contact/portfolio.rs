//! How many people a portfolio may write to first.
//!
//! The platform counts the different people whom all numbers of a portfolio write to outside service windows, within
//! any 24 hours, and refuses what is beyond the portfolio's limit. Source: Meta's messaging limits, 2026. Here a
//! message that would be beyond gets the next hour in which there is room.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::Alias;
use crate::clock::Timestamp;

const HOUR_MICROS: i64 = 3_600_000_000;
/// A person counts in the hour of the message and in the 24 that follow: 24 hours from any moment of that hour.
const COUNTED_HOURS: i64 = 25;
/// One part in so many is kept for one-time codes.
const RESERVE: u64 = 10;

/// A person, whichever business writes to them: a hash of the name they are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person(pub i64);

impl Person {
    pub fn known_as(alias: &Alias) -> Self {
        let digest: [u8; 32] = Sha256::digest(alias.to_string()).into();
        Self(i64::from_be_bytes(std::array::from_fn(|i| digest[i])))
    }
}

/// An hour since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(pub i64);

impl Hour {
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_micros().div_euclid(HOUR_MICROS))
    }

    pub const fn begin(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(HOUR_MICROS))
    }
}

/// Room for one more person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In which they may be written to.
    pub hour: Hour,
    /// The hours in which they count, as far as they did not before. To be remembered.
    pub counts: Option<Counted>,
}

/// Hours in which a person counts: from this one, until before that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counted {
    pub from: Hour,
    pub until: Hour,
}

/// Who was, or will be, written to by one portfolio.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Until before which hour each counts.
    people: HashMap<Person, Hour>,
    /// How many count in each hour from now on.
    counted: BTreeMap<i64, u64>,
}

impl Reach {
    pub fn remembered(all: impl IntoIterator<Item = (Person, Counted)>) -> Self {
        let mut reach = Self::default();
        for (person, counted) in all {
            reach.count(person, counted.from.0..counted.until.0);
        }
        reach
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// The first hour from `wanted` to `latest` in which writing to the person does not bring more than `limit` people
    /// together. One-time codes may have all of it, others leave the reserve.
    pub fn room(
        &self,
        person: Person,
        wanted: Hour,
        latest: Hour,
        limit: u64,
        is_code: bool,
    ) -> Option<Hour> {
        let most = if is_code { limit } else { limit - limit / RESERVE };
        let mut hour = wanted.0;
        while hour <= latest.0 {
            let mut new = self.new_hours(person, hour);
            if new.is_empty() {
                return Some(Hour(hour));
            }
            if most == 0 {
                return None;
            }
            let is_full = |hour: &i64| self.counted.get(hour).is_some_and(|count| *count >= most);
            // Every hour up to a full one is no better.
            match new.rfind(is_full) {
                None => return Some(Hour(hour)),
                Some(full) => hour = full + 1,
            }
        }
        None
    }

    /// Counts the person from this hour on.
    pub fn take(&mut self, person: Person, hour: Hour) -> Place {
        let new = self.new_hours(person, hour.0);
        let counted = Counted { from: Hour(new.start), until: Hour(new.end) };
        let is_new = !new.is_empty();
        self.count(person, new);
        Place { hour, counts: is_new.then_some(counted) }
    }

    /// Hours in which the person would count and does not yet.
    fn new_hours(&self, person: Person, hour: i64) -> std::ops::Range<i64> {
        let end = hour + COUNTED_HOURS;
        match self.people.get(&person) {
            Some(until) if (hour..=end).contains(&until.0) => until.0..end,
            _ => hour..end,
        }
    }

    fn count(&mut self, person: Person, hours: std::ops::Range<i64>) {
        if !hours.is_empty() {
            let until = self.people.entry(person).or_insert(Hour(hours.end));
            *until = Hour(hours.end).max(*until);
        }
        for hour in hours {
            *self.counted.entry(hour).or_default() += 1;
        }
    }

    /// Forgets what is over.
    pub fn forget_before(&mut self, now: Hour) {
        if self.counted.first_key_value().is_some_and(|(hour, _)| *hour < now.0) {
            self.counted = self.counted.split_off(&now.0);
            self.people.retain(|_, until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const LAST: Hour = Hour(10_000);

    fn take(reach: &mut Reach, person: i64, wanted: i64, limit: u64) -> Option<i64> {
        let hour = reach.room(Person(person), Hour(wanted), LAST, limit, true)?;
        Some(reach.take(Person(person), hour).hour.0)
    }

    #[test]
    fn beyond_the_limit_comes_the_next_day() {
        let mut reach = Reach::default();
        assert_eq!(take(&mut reach, 1, 100, 2), Some(100));
        assert_eq!(take(&mut reach, 2, 103, 2), Some(103));
        assert_eq!(take(&mut reach, 3, 104, 2), Some(125), "when the first does not count any more");
        assert_eq!(take(&mut reach, 4, 104, 2), Some(128));
        assert_eq!(reach.room(Person(5), Hour(104), Hour(120), 2, true), None, "too late for it");
    }

    #[test]
    fn who_counts_already_takes_no_room() {
        let mut reach = Reach::default();
        assert_eq!(take(&mut reach, 1, 100, 1), Some(100));
        assert_eq!(take(&mut reach, 1, 100, 1), Some(100));
        assert_eq!(reach.room(Person(1), Hour(110), LAST, 1, true), Some(Hour(110)));
        let again = reach.take(Person(1), Hour(110));
        assert_eq!(again.counts, Some(Counted { from: Hour(125), until: Hour(135) }));
        assert_eq!(reach.take(Person(1), Hour(110)).counts, None);
        assert_eq!(take(&mut reach, 2, 111, 1), Some(135));
    }

    #[test]
    fn a_tenth_is_kept_for_codes() {
        let mut reach = Reach::default();
        let mut place = |person, is_code| {
            let room = reach.room(Person(person), Hour(100), Hour(100), 10, is_code);
            room.map(|hour| reach.take(Person(person), hour)).is_some()
        };
        assert!((0..9).all(|person| place(person, false)));
        assert!(!place(9, false));
        assert!(place(10, true));
        assert!(!place(11, true));
    }

    #[test]
    fn what_is_over_is_forgotten_and_a_limit_of_nothing_lets_nobody_through() {
        let mut reach = Reach::default();
        take(&mut reach, 1, 100, 5);
        take(&mut reach, 2, 110, 5);
        reach.forget_before(Hour(125));
        assert_eq!(reach.people(), 1);
        assert_eq!(reach.room(Person(9), Hour(125), Hour(200), 0, true), None);
    }

    proptest! {
        #[test]
        fn no_24_hours_ever_hold_more_people_than_allowed(
            asked in proptest::collection::vec((0_i64..12, 0_i64..60), 1..60),
            limit in 1_u64..5,
            restart in 0_usize..60,
        ) {
            let mut reach = Reach::default();
            let mut sent: Vec<(i64, i64)> = Vec::new();
            let mut rows: Vec<(Person, Counted)> = Vec::new();
            for (index, (person, wanted)) in asked.into_iter().enumerate() {
                if index == restart {
                    reach = Reach::remembered(rows.clone());
                }
                let room = reach.room(Person(person), Hour(wanted), LAST, limit, true);
                let Some(hour) = room else { continue };
                prop_assert!(hour.0 >= wanted);
                let place = reach.take(Person(person), hour);
                rows.extend(place.counts.map(|counted| (Person(person), counted)));
                sent.push((person, hour.0));
            }
            for from in 0..400 {
                let within = sent.iter().filter(|(_, hour)| (from..=from + 24).contains(hour));
                let people: HashSet<_> = within.map(|(person, _)| person).collect();
                prop_assert!(people.len() as u64 <= limit, "{people:?} from hour {from}");
            }
        }
    }
}
