//! What may stand in an endpoint.

use domain::FieldError;
use domain::endpoint::EndpointFormat;
use domain::event::EventType;
use domain::ids::ConnectionId;
use domain::secret::{ExposeSecret as _, SecretString};
use url::Url;

use crate::http::error::Problem;
use crate::http::state::AppState;

const LONGEST_URL: usize = 2_048;
/// Characters.
const LONGEST_TOKEN: usize = 256;
const TOKEN: &str = "verify_token";

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

/// With these the endpoint would never hear of anything.
pub(super) fn checked_words(format: EndpointFormat, events: &[EventType]) -> Result<(), Problem> {
    // Those that are about a number, since one that may be is enough.
    let number = Some(ConnectionId::from_uuid(uuid::Uuid::nil()));
    if events.is_empty() || events.iter().any(|event| format.tells_of(*event, number)) {
        return Ok(());
    }
    let message = "format cloud_api has no words for these types: add others, or ask for format standard";
    Err(Problem::field("events", "unsupported", message))
}

/// What the address is to be asked with before it is used; nothing for one that needs not be asked. `moves`: events in
/// Meta's format go to an address that was not asked yet.
pub(super) fn checked_token(
    format: EndpointFormat,
    moves: bool,
    token: Option<&SecretString>,
) -> Result<Option<&SecretString>, Problem> {
    match (format, token) {
        (EndpointFormat::Standard, None) => Ok(None),
        (EndpointFormat::Standard, Some(_)) => {
            let message = "verify_token is for format cloud_api: leave it out, or ask for that format";
            Err(Problem::field(TOKEN, "unsupported", message))
        }
        (EndpointFormat::CloudApi, None) if moves => {
            let message =
                "verify_token is needed: the address is asked with it, as Meta asks, before events go there";
            Err(Problem::field(TOKEN, "required", message))
        }
        (EndpointFormat::CloudApi, None) => Ok(None),
        (EndpointFormat::CloudApi, Some(token)) if is_token(token.expose_secret()) => Ok(Some(token)),
        (EndpointFormat::CloudApi, Some(_)) => {
            let message =
                format!("verify_token must be 1 to {LONGEST_TOKEN} visible characters, without spaces");
            Err(Problem::field(TOKEN, "invalid", message))
        }
    }
}

fn is_token(text: &str) -> bool {
    let visible = |character: char| !character.is_whitespace() && !character.is_control();
    (1..=LONGEST_TOKEN).contains(&text.chars().count()) && text.chars().all(visible)
}

/// Asks the address whether it wants events in Meta's format.
pub(super) async fn confirmed(state: &AppState, url: &Url, token: &SecretString) -> Result<(), Problem> {
    state.handshake.ask(url, token).await.map_err(|unconfirmed| {
        tracing::info!(why = %unconfirmed, "an address did not confirm that it wants events");
        Problem::field("url", "unconfirmed", format!("url {unconfirmed}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD_API: EndpointFormat = EndpointFormat::CloudApi;

    fn rule(format: EndpointFormat, moves: bool, token: Option<&str>) -> Result<bool, Problem> {
        let token = token.map(SecretString::from);
        checked_token(format, moves, token.as_ref()).map(|token| token.is_some())
    }

    #[test]
    fn a_new_address_in_metas_format_is_asked_with_a_token_and_no_other() {
        let refused = |message: &str, rule| Err(Problem::field("verify_token", rule, message));
        assert_eq!(rule(EndpointFormat::Standard, true, None), Ok(false));
        let not_for = "verify_token is for format cloud_api: leave it out, or ask for that format";
        assert_eq!(rule(EndpointFormat::Standard, true, Some("karibu")), refused(not_for, "unsupported"));
        let needed =
            "verify_token is needed: the address is asked with it, as Meta asks, before events go there";
        assert_eq!(rule(CLOUD_API, true, None), refused(needed, "required"));
        assert_eq!(rule(CLOUD_API, true, Some("karibu")), Ok(true));
        assert_eq!(rule(CLOUD_API, false, None), Ok(false), "it was asked before");
        assert_eq!(rule(CLOUD_API, false, Some("karibu")), Ok(true), "its owner wants to know");
    }

    #[test]
    fn a_token_has_from_1_to_256_visible_characters() {
        let long = "n".repeat(256);
        for token in ["k", "karibu-é!", &long] {
            assert!(is_token(token), "{token}");
        }
        for token in ["", "two words", "tab\t", "\u{0}", &format!("{long}n")] {
            assert!(!is_token(token), "{token}");
        }
    }

    #[test]
    fn an_endpoint_that_would_never_hear_of_anything_is_refused() {
        let (silent, told) = (EventType::ConnectionStatus, EventType::MessageStatus);
        assert!(checked_words(CLOUD_API, &[silent]).is_err());
        assert_eq!(checked_words(CLOUD_API, &[silent, told]), Ok(()));
        assert_eq!(checked_words(CLOUD_API, &[]), Ok(()));
        assert_eq!(checked_words(EndpointFormat::Standard, &[silent]), Ok(()));
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
