//! Ids and recipients: whatever is taken for one is written again as it was, or in the one form that it has.

use std::fmt::Display;
use std::str::FromStr;

use domain::message::Echo;
use domain::recipient::{Country, Recipient, normalise};
use domain::{ConnectionId, EndpointId, EventId, MessageId};
use proptest::prelude::*;

use super::Claim;

pub(super) fn claim(bytes: &[u8]) -> Claim {
    let text = &*String::from_utf8_lossy(bytes);
    let mut read = in_either_case::<MessageId>(text)?
        | in_either_case::<ConnectionId>(text)?
        | in_either_case::<EventId>(text)?
        | in_either_case::<EndpointId>(text)?;
    if let Some(id) = MessageId::from_wamid(text) {
        prop_assert_eq!(id.to_wamid(), text);
        read = true;
    }
    if let Ok(echo) = text.parse::<Echo>() {
        prop_assert_eq!(echo.to_string().parse(), Ok(echo));
        read = true;
    }
    if let Ok(recipient) = text.parse::<Recipient>() {
        prop_assert_eq!(recipient.to_string().parse(), Ok(recipient));
        read = true;
    }
    if let Ok(found) = normalise(text, Country::TANZANIA) {
        let number = found.number.to_string();
        prop_assert_eq!(normalise(&number, Country::TANZANIA).map(|again| again.number), Ok(found.number));
        read = true;
    }
    Ok(read)
}

fn in_either_case<Id: FromStr + Display>(text: &str) -> Claim {
    let Ok(id) = text.parse::<Id>() else { return Ok(false) };
    prop_assert!(id.to_string().eq_ignore_ascii_case(text), "{id} was written {text}");
    Ok(true)
}
