//! A contact: one person as one business knows them, under any of their names.
//!
//! A person may be known by a phone number, by a business-scoped user id where the number is hidden, and by the
//! hidden identity of a linked device; any of them may be missing. What is kept for a person (their service window,
//! their wish not to be written to) and what keeps their messages in order belongs to the contact, not to the name.

mod alias;
mod keyword;
mod opt_out;
mod permission;
mod portfolio;
mod window;

pub use alias::{Alias, InvalidAlias, Lid};
pub use keyword::said_in;
pub use opt_out::{OptOut, Preference, Said, Scope, Source};
pub use permission::{Outgoing, Refusal, may_send};
pub use portfolio::{Counted, Hour, Person, Place, Reach};
pub use window::{FREE_ENTRY, Inbound, Listening, WINDOW, Window};

use crate::clock::Timestamp;
use crate::ids::{BusinessKey, ConnectionId};

/// What the store knows a contact by: a hash of the business and the contact's canonical alias. Every alias has a
/// key of its own; one that is not canonical leads to that of its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContactKey(pub i64);

/// Everything that is known of a person who is not a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub key: ContactKey,
    /// Whose hash the key is; a phone number where one was known when the names were found to be one person's.
    /// Absent where only the key is known, because the contact has no other name than the one it was asked by.
    pub canonical: Option<Alias>,
    pub opt_out: Option<OptOut>,
    /// When the last wish was uttered that counts, one that was lifted included: what comes late changes nothing.
    pub preference_at: Option<Timestamp>,
    /// The platform withholds marketing from this person until then.
    pub marketing_hold_until: Option<Timestamp>,
    /// When they last wrote, to each of the business's numbers they wrote to.
    pub inbound: Vec<(ConnectionId, Inbound)>,
}

impl Contact {
    pub const fn stranger(key: ContactKey) -> Self {
        Self {
            key,
            canonical: None,
            opt_out: None,
            preference_at: None,
            marketing_hold_until: None,
            inbound: Vec::new(),
        }
    }

    pub fn inbound_at(&self, connection: ConnectionId) -> Option<Inbound> {
        self.inbound.iter().find(|(known, _)| *known == connection).map(|(_, inbound)| *inbound)
    }

    /// The same contact after one more piece of news about it. Hearing it twice, or late, changes nothing.
    #[must_use]
    pub fn after(mut self, news: &ContactNews) -> Self {
        match news {
            ContactNews::Wrote { connection, inbound } => {
                match self.inbound.iter_mut().find(|(known, _)| known == connection) {
                    Some((_, known)) => *known = known.and(*inbound),
                    None => self.inbound.push((*connection, *inbound)),
                }
            }
            ContactNews::Preference(preference) => {
                if self.preference_at.is_none_or(|at| at < preference.at) {
                    self.opt_out = preference.applied_to(self.opt_out);
                    self.preference_at = Some(preference.at);
                }
            }
            ContactNews::MarketingHeld { until } => {
                self.marketing_hold_until = self.marketing_hold_until.max(Some(*until));
            }
            ContactNews::SameAs(_) | ContactNews::Reached { .. } => {}
        }
        self
    }
}

/// Something that was learnt about the contact whom a business knows as `alias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactChange {
    pub business: BusinessKey,
    pub alias: Alias,
    pub news: ContactNews,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactNews {
    /// They wrote or called.
    Wrote { connection: ConnectionId, inbound: Inbound },
    /// They have this name too: from now on both lead to one contact.
    SameAs(Alias),
    /// They do, or do not, want to be written to.
    Preference(Preference),
    /// The platform refused to show them more marketing.
    MarketingHeld { until: Timestamp },
    /// They are written to outside their window by this portfolio, and count in these hours.
    Reached { portfolio: String, counted: Counted },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn news() -> impl Strategy<Value = ContactNews> {
        let connection = |number: u128| ConnectionId::from_uuid(Uuid::from_u128(number));
        prop_oneof![
            (0_u128..2, 0_i64..50, proptest::option::of(0_i64..90)).prop_map(move |(number, at, free)| {
                ContactNews::Wrote {
                    connection: connection(number),
                    inbound: Inbound {
                        at: Timestamp::from_seconds(at),
                        free_entry_until: free.map(Timestamp::from_seconds),
                    },
                }
            }),
            (0_i64..50, any::<bool>(), any::<bool>()).prop_map(|(at, stop, all)| {
                let scope = if all { Scope::All } else { Scope::Marketing };
                let said = if stop { Said::Stop(scope) } else { Said::Resume(scope) };
                let at = Timestamp::from_seconds(at);
                ContactNews::Preference(Preference { said, source: Source::Keyword, at })
            }),
            (0_i64..50)
                .prop_map(|until| ContactNews::MarketingHeld { until: Timestamp::from_seconds(until) }),
        ]
    }

    proptest! {
        #[test]
        fn hearing_everything_twice_is_hearing_it_once(all in proptest::collection::vec(news(), 0..20)) {
            let hear = |contact: Contact, news: &[ContactNews]| news.iter().fold(contact, Contact::after);
            let once = hear(Contact::stranger(ContactKey(1)), &all);
            prop_assert_eq!(hear(once.clone(), &all), once);
        }

        #[test]
        fn when_somebody_wrote_does_not_depend_on_the_order_of_arrival(mut all in proptest::collection::vec(news(), 0..20)) {
            all.retain(|news| matches!(news, ContactNews::Wrote { .. }));
            let hear = |news: &[ContactNews]| {
                let mut heard = news.iter().fold(Contact::stranger(ContactKey(1)), Contact::after).inbound;
                heard.sort_by_key(|(connection, _)| *connection);
                heard
            };
            let forwards = hear(&all);
            all.reverse();
            prop_assert_eq!(hear(&all), forwards);
        }
    }
}
