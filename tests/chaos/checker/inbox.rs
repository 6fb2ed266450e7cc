//! What the platform was told to be kept is kept, once.

use std::collections::HashMap;

use super::{Found, Promise, View};
use crate::history::{EventKind, News};

pub(super) fn check(view: &View<'_>, found: &mut Found) {
    let mut kept: HashMap<&EventKind, usize> = HashMap::new();
    for event in &view.history.events {
        *kept.entry(&event.kind).or_default() += 1;
    }
    for (kind, times) in &kept {
        if *times > 1 && **kind != EventKind::Other {
            found.add(Promise::NewsKeptOnce, format!("{kind:?} is kept {times} times"));
        }
    }
    let has = |kind: &EventKind| kept.contains_key(kind);
    for inbound in &view.history.inbound {
        if !has(&EventKind::Received { id: inbound.id.clone() }) {
            found.add(Promise::NewsKeptOnce, format!("what a customer wrote is not kept: {}", inbound.id));
        }
    }
    let messages = messages_by_provider_id(view);
    let acknowledged = view.history.webhooks.iter().filter(|webhook| webhook.status == Some(200));
    let mut missing: Vec<&News> = acknowledged
        .flat_map(|webhook| &webhook.news)
        .filter(|news| match news {
            News::Message { id } => !has(&EventKind::Received { id: id.clone() }),
            News::Status { message: Some(message), word, .. } => !has(&reported(message, word)),
            News::Status { message: None, provider_id, word } => {
                let unnamed = EventKind::Foreign { provider_id: provider_id.clone(), word: word.clone() };
                let named = messages.get(provider_id.as_str()).map(|message| reported(message, word));
                !has(&unnamed) && !named.is_some_and(|named| has(&named))
            }
        })
        .collect();
    missing.dedup();
    for news in missing {
        found.add(Promise::NewsKeptOnce, format!("acknowledged and not kept: {news:?}"));
    }
}

fn reported(message: &str, word: &str) -> EventKind {
    EventKind::Status { message: message.to_owned(), word: word.to_owned(), own: false }
}

fn messages_by_provider_id<'a>(view: &View<'a>) -> HashMap<&'a str, &'a str> {
    let taken = view.history.arrivals.iter();
    taken.filter_map(|arrival| Some((arrival.taken_as.as_deref()?, arrival.message.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::samples::{found_by, good};

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let mut history = good();
        history.events.retain(|event| !matches!(event.kind, EventKind::Status { .. }));
        assert_eq!(found_by(check, &history), [Promise::NewsKeptOnce; 3]);
        history.webhooks.iter_mut().for_each(|webhook| webhook.status = Some(503));
        assert_eq!(found_by(check, &history), []);
    }

    #[test]
    fn what_a_customer_wrote_must_be_there_even_if_nobody_was_told_so() {
        let mut history = good();
        history.events.retain(|event| !matches!(event.kind, EventKind::Received { .. }));
        history.webhooks.clear();
        assert_eq!(found_by(check, &history), [Promise::NewsKeptOnce]);
    }

    #[test]
    fn the_same_news_twice_is_caught() {
        let mut history = good();
        let again = crate::history::Event { id: "evt_again".to_owned(), ..history.events[0].clone() };
        history.events.push(again);
        assert_eq!(found_by(check, &history), [Promise::NewsKeptOnce]);
    }

    #[test]
    fn a_status_without_echo_is_kept_under_the_message_or_under_the_platforms_id() {
        let mut history = good();
        for webhook in &mut history.webhooks {
            for news in &mut webhook.news {
                if let News::Status { message, .. } = news {
                    *message = None;
                }
            }
        }
        assert_eq!(found_by(check, &history), [], "by the id that the platform gave it");
        for event in &mut history.events {
            if let EventKind::Status { word, .. } = &event.kind {
                event.kind = EventKind::Foreign { provider_id: "wamid.1".to_owned(), word: word.clone() };
            }
        }
        assert_eq!(found_by(check, &history), []);
    }
}
