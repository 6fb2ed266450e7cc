//! Whether a message may go to a contact, by their wishes and by the platform's window. Decided before acceptance,
//! and again when a message that waited is about to go.

use super::Contact;
use super::opt_out::Scope;
use super::window::{Listening, Window};
use crate::clock::Timestamp;
use crate::connection::Transport;
use crate::ids::ConnectionId;
use crate::message::Priority;

/// What of a message matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    pub connection: ConnectionId,
    pub transport: Transport,
    pub template: bool,
    /// A template that is known to be advertising.
    pub marketing: bool,
    pub priority: Priority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the service window is closed since {since}")]
    WindowClosed { since: Timestamp },
    #[error("the recipient does not want this ({})", scope.as_str())]
    OptedOut { scope: Scope },
    #[error("the portfolio has written to as many people as it may within 24 hours")]
    DailyCapReached { until: Timestamp },
    #[error("the platform withholds marketing from the recipient until {until}")]
    RecipientCapped { until: Timestamp },
}

impl Refusal {
    /// When it ends by itself.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::RecipientCapped { until } | Self::DailyCapReached { until } => Some(until),
            Self::WindowClosed { .. } | Self::OptedOut { .. } => None,
        }
    }

    /// The stable word for it, in answers, events and timelines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WindowClosed { .. } => "window_closed",
            Self::OptedOut { .. } => "opted_out",
            Self::RecipientCapped { .. } => "recipient_capped",
            Self::DailyCapReached { .. } => "daily_cap_reached",
        }
    }
}

/// The rule.
///
/// * Who wants no advertising gets no marketing template and nothing of priority `bulk`.
/// * Who wants nothing gets nothing, with two exceptions: a one-time code, which they ask for themselves, and an
///   answer, that is a message other than a template or bulk inside the window that they opened by writing.
/// * Free text needs a window that is not surely closed; a template does not. Only on official transports, and only
///   where the operator wants it checked.
/// * Marketing waits while the platform withholds it from this person.
pub fn may_send(
    contact: &Contact,
    outgoing: Outgoing,
    listening: Listening,
    windows_checked: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    let window = Window::of(contact.inbound_at(outgoing.connection), listening, now);
    let advertising = outgoing.marketing || outgoing.priority == Priority::Bulk;
    let answer = !outgoing.template && !advertising && window.is_open();
    match contact.opt_out.map(|opt_out| opt_out.scope) {
        Some(scope @ Scope::Marketing) if advertising => return Err(Refusal::OptedOut { scope }),
        Some(scope @ Scope::All) if outgoing.priority != Priority::Otp && !answer => {
            return Err(Refusal::OptedOut { scope });
        }
        _ => {}
    }
    if outgoing.marketing
        && let Some(until) = contact.marketing_hold_until.filter(|until| now < *until)
    {
        return Err(Refusal::RecipientCapped { until });
    }
    let needs_window = windows_checked && !outgoing.template && outgoing.transport == Transport::Official;
    match window {
        Window::Closed { since } if needs_window => Err(Refusal::WindowClosed { since }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ContactKey, Inbound, OptOut, Source};
    use super::*;
    use std::time::Duration;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const CONNECTION: ConnectionId = ConnectionId::from_uuid(Uuid::from_u128(1));
    const TEXT: Outgoing = Outgoing {
        connection: CONNECTION,
        transport: Transport::Official,
        template: false,
        marketing: false,
        priority: Priority::Normal,
    };
    const UTILITY: Outgoing = Outgoing { template: true, ..TEXT };
    const MARKETING: Outgoing = Outgoing { template: true, marketing: true, ..TEXT };

    fn contact(wrote_hours_ago: Option<u64>, opt_out: Option<Scope>) -> Contact {
        let wrote = wrote_hours_ago.map(|hours| {
            (CONNECTION, Inbound { at: NOW.minus(Duration::from_hours(hours)), free_entry_until: None })
        });
        Contact {
            inbound: wrote.into_iter().collect(),
            opt_out: opt_out.map(|scope| OptOut { scope, source: Source::Keyword, at: NOW }),
            ..Contact::stranger(ContactKey(1))
        }
    }

    fn asked(contact: &Contact, outgoing: Outgoing) -> Option<&'static str> {
        may_send(contact, outgoing, Listening::ALWAYS, true, NOW).err().map(Refusal::as_str)
    }

    #[test]
    fn free_text_needs_a_window_and_a_template_does_not() {
        assert_eq!(asked(&contact(Some(1), None), TEXT), None);
        assert_eq!(asked(&contact(Some(25), None), TEXT), Some("window_closed"));
        assert_eq!(asked(&contact(None, None), TEXT), None, "not surely closed");
        assert_eq!(asked(&contact(Some(25), None), UTILITY), None);
        let linked = Outgoing { transport: Transport::Unofficial, ..TEXT };
        assert_eq!(asked(&contact(Some(25), None), linked), None);
        assert_eq!(may_send(&contact(Some(25), None), TEXT, Listening::ALWAYS, false, NOW), Ok(()));
        let elsewhere = Outgoing { connection: ConnectionId::from_uuid(Uuid::from_u128(2)), ..TEXT };
        assert_eq!(asked(&contact(Some(25), None), elsewhere), None, "every number has its own windows");
    }

    #[test]
    fn who_wants_no_advertising_gets_everything_else() {
        let contact = contact(Some(1), Some(Scope::Marketing));
        assert_eq!(asked(&contact, MARKETING), Some("opted_out"));
        assert_eq!(asked(&contact, Outgoing { priority: Priority::Bulk, ..UTILITY }), Some("opted_out"));
        assert_eq!(asked(&contact, UTILITY), None);
        assert_eq!(asked(&contact, TEXT), None);
    }

    #[test]
    fn who_wants_nothing_gets_answers_and_codes_they_asked_for() {
        let silent = contact(Some(30), Some(Scope::All));
        let writing = contact(Some(1), Some(Scope::All));
        for outgoing in [TEXT, UTILITY, MARKETING, Outgoing { transport: Transport::Unofficial, ..TEXT }] {
            assert_eq!(asked(&silent, outgoing), Some("opted_out"));
        }
        assert_eq!(asked(&writing, TEXT), None, "an answer");
        assert_eq!(asked(&writing, Outgoing { priority: Priority::Bulk, ..TEXT }), Some("opted_out"));
        assert_eq!(asked(&writing, UTILITY), Some("opted_out"));
        assert_eq!(asked(&silent, Outgoing { priority: Priority::Otp, ..UTILITY }), None);
    }

    #[test]
    fn marketing_waits_while_the_platform_withholds_it() {
        let held = |until| Contact { marketing_hold_until: Some(until), ..contact(None, None) };
        assert_eq!(asked(&held(NOW.plus(Duration::from_secs(1))), MARKETING), Some("recipient_capped"));
        assert_eq!(asked(&held(NOW.plus(Duration::from_secs(1))), UTILITY), None);
        assert_eq!(asked(&held(NOW), MARKETING), None);
    }
}
