//! What may stand in an endpoint.

use domain::FieldError;
use domain::endpoint::EndpointFormat;
use domain::event::EventType;
use url::Url;

use crate::http::error::Problem;
use crate::http::state::AppState;

const LONGEST_URL: usize = 2_048;

pub(super) fn checked_url(state: &AppState, text: &str) -> Result<Url, Problem> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URL);
    let url = url.ok_or_else(|| Problem::field("url", "invalid", "url must be an https address"))?;
    // Looked at again at each delivery: a name can lead elsewhere by then.
    state.guard.check(&url).map_err(|refused| Problem::field("url", "refused", format!("url: {refused}")))?;
    Ok(url)
}

pub(super) fn checked_events(words: &[String]) -> Result<Vec<EventType>, Problem> {
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    for (index, word) in words.iter().enumerate() {
        match EventType::from_word(word) {
            Some(event) if events.contains(&event) => {}
            Some(event) => events.push(event),
            None => {
                let known: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
                let message = format!("there is no such type of event; there are {}", known.join(", "));
                errors.push(FieldError::new(format!("events[{index}]"), "invalid", message));
            }
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(Problem::fields(errors)) }
}

/// Bodies of the Cloud API are not made yet, and a signature alone would promise them.
pub(super) fn checked_format(format: EndpointFormat) -> Result<EndpointFormat, Problem> {
    match format {
        EndpointFormat::Standard => Ok(format),
        EndpointFormat::CloudApi => {
            Err(Problem::field("format", "unsupported", "format cloud_api is not available yet"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_without_bodies_of_its_own_is_refused() {
        assert_eq!(checked_format(EndpointFormat::Standard), Ok(EndpointFormat::Standard));
        let problem = checked_format(EndpointFormat::CloudApi).unwrap_err();
        assert_eq!(problem, Problem::field("format", "unsupported", "format cloud_api is not available yet"));
    }

    #[test]
    fn an_unknown_type_of_event_is_named_by_its_place() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(checked_events(&words(&["message.status", "message.status"])).unwrap().len(), 1);
        let problem = checked_events(&words(&["message.status", "message.sent"])).unwrap_err();
        let known: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        let message = format!("there is no such type of event; there are {}", known.join(", "));
        assert_eq!(problem, Problem::field("events[1]", "invalid", message));
        assert!(known.contains(&"account.alert"));
    }
}
