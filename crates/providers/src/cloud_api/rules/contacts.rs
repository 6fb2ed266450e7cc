//! Contact cards.

use super::{At, Checker, Object, Path, rule};

/// Meta's guide says 257, its OpenAPI file 5; the larger one does not refuse what the platform may take.
const MOST_CARDS: usize = 257;
const MOST_ENTRIES: usize = 100;
const VALUE: usize = 1_000;
const NAME_PARTS: [&str; 5] = ["first_name", "last_name", "middle_name", "prefix", "suffix"];
/// The lists of a card, and the member that each entry is about.
const LISTS: [(&str, &str); 4] =
    [("phones", "phone"), ("emails", "email"), ("urls", "url"), ("addresses", "street")];

pub(super) fn contacts(checker: &mut Checker, message: At<'_, '_>) {
    let list_path = message.path.key("contacts");
    for (index, card) in checker.list(message, "contacts", 1, MOST_CARDS).iter().enumerate() {
        let path = list_path.index(index);
        if let Some(object) = checker.element(card, &path) {
            contact(checker, At { object, path: &path });
        }
    }
}

fn contact(checker: &mut Checker, card: At<'_, '_>) {
    if let Some(object) = checker.object(card, "name") {
        name(checker, At { object, path: &card.path.key("name") });
    }
    for (list, member) in LISTS {
        let list_path = card.path.key(list);
        for (index, entry) in checker.optional_list(card, list, 0, MOST_ENTRIES).iter().enumerate() {
            let path = list_path.index(index);
            if let Some(object) = checker.element(entry, &path) {
                checker.optional_text(At { object, path: &path }, member, VALUE);
            }
        }
    }
    if let Some(object) = checker.optional_object(card, "org") {
        let at = At { object, path: &card.path.key("org") };
        for member in ["company", "department", "title"] {
            checker.optional_text(at, member, VALUE);
        }
    }
    birthday(checker, card);
}

fn name(checker: &mut Checker, at: At<'_, '_>) {
    checker.text(at, "formatted_name", VALUE);
    for part in NAME_PARTS {
        checker.optional_text(at, part, VALUE);
    }
    if !NAME_PARTS.iter().any(|part| is_filled(at.object, part)) {
        let path = at.path;
        checker.wrong(
            path,
            rule::REQUIRED,
            format!("{path} needs one of {} besides formatted_name", NAME_PARTS.join(", ")),
        );
    }
}

fn is_filled(object: &Object, name: &str) -> bool {
    object.get(name).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty())
}

fn birthday(checker: &mut Checker, card: At<'_, '_>) {
    let Some(text) = checker.optional_text(card, "birthday", VALUE) else { return };
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped && !text.is_empty() {
        let path: Path<'_> = card.path.key("birthday");
        checker.wrong(&path, rule::OUT_OF_RANGE, format!("{path} must be written as YYYY-MM-DD"));
    }
}
