//! Room for a message among the people that its portfolio may write to.

use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::Transport;
use domain::contact::{ContactChange, ContactNews, Person, Refusal};
use domain::message::{MessageStatus, Priority, TimelineEntry};

use super::portfolio::{Wish, portfolio_of};
use super::{Admitted, Asked, Contacts, NotAdmitted};
use crate::acceptance::When;

/// How long a message waits for room whose caller says nothing about it.
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);
/// The word for it in timelines.
const REASON: &str = "daily_cap_reached";

/// What the limit of the portfolio means for a message that is accepted.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// When there is room, if there is none now.
    pub(crate) not_before: Option<Timestamp>,
    /// To be written with the message.
    pub(crate) counted: Option<ContactChange>,
}

impl Held {
    /// What its timeline says about it.
    pub(crate) fn line(&self, now: Timestamp) -> Vec<TimelineEntry> {
        let line = self.not_before.map(|_| TimelineEntry {
            at: now,
            status: MessageStatus::Accepted,
            attempt: None,
            reason: Some(REASON.to_owned()),
            error: None,
        });
        line.into_iter().collect()
    }
}

impl Contacts {
    /// Takes a place for a template to somebody whose window is not open; everything else needs none.
    pub(crate) async fn reserve(
        &self,
        asked: Asked<'_>,
        admitted: &Admitted,
        when: When,
    ) -> Result<Held, NotAdmitted> {
        let Asked { connection, kind, priority, .. } = asked;
        let now = self.clock.now();
        let from = when.send_at.unwrap_or(now).max(now);
        let needs_place = kind == "template"
            && connection.transport() == Transport::Official
            && !admitted.window.is_open_at(from);
        let (true, Some(known_as), Some(portfolio)) =
            (needs_place, &admitted.known_as, portfolio_of(connection))
        else {
            return Ok(Held::default());
        };
        let until =
            if when.immediate { from } else { when.expires_at.unwrap_or_else(|| from.plus(LONGEST_WAIT)) };
        let wish = Wish {
            portfolio,
            person: Person::known_as(known_as),
            from,
            until,
            is_code: priority == Priority::Otp,
        };
        match self.portfolios.take(wish).await? {
            Ok(None) => Ok(Held::default()),
            Ok(Some(place)) => Ok(Held {
                not_before: Some(place.hour.begin()).filter(|begin| *begin > from),
                counted: place.counts.map(|counted| ContactChange {
                    business: connection.business,
                    alias: known_as.clone(),
                    news: ContactNews::Reached { portfolio: portfolio.to_owned(), counted },
                }),
            }),
            Err(until) => Err(self.refused(Refusal::DailyCapReached { until })),
        }
    }
}
