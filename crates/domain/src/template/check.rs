//! Whether a message's `template` can be sent, by what is known of the account's templates. Refuses only what the
//! platform would certainly refuse.

use serde_json::Value;

use super::{Button, Category, Header, Part, Places, Template};

/// What is known of the template that a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// The account's templates were never read, or not lately.
    Nothing,
    /// The account has no such template in this language, but perhaps in others.
    Missing {
        others: &'a [Template],
    },
    Template(&'a Template),
}

/// Why a template message is not accepted. The texts are for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// The template is not there, or may not be sent now.
    #[error("{0}")]
    NotApproved(String),
    /// `component`, such as `body` or `cards[1].header`, is filled with something else than it takes.
    #[error("{component} {message}")]
    ParamMismatch { component: String, message: String },
    /// The platform sends one-time codes to phone numbers only.
    #[error("a template with a one-time code goes to a phone number, and the recipient is a user id")]
    NeedsPhoneNumber,
}

/// Decides. `template` is the member of that name of a message; the answer is the template's category, where it is known.
pub fn decide(
    template: &Value,
    known: Known<'_>,
    to_a_user_id: bool,
) -> Result<Option<Category>, TemplateProblem> {
    let found = match known {
        Known::Nothing => return Ok(None),
        Known::Missing { others } => return Err(missing(template, others)),
        Known::Template(found) => found,
    };
    if !found.status.sends() {
        return Err(TemplateProblem::NotApproved(format!(
            "the template {} in {} is {}",
            found.name, found.language, found.status
        )));
    }
    if to_a_user_id && found.category == Some(Category::Authentication) {
        return Err(TemplateProblem::NeedsPhoneNumber);
    }
    let components = list(template, "components");
    part(&found.shape.main, components, "")?;
    cards(&found.shape.cards, components)?;
    Ok(found.category)
}

fn missing(template: &Value, others: &[Template]) -> TemplateProblem {
    let name = template.get("name").and_then(Value::as_str).unwrap_or_default();
    let code = template.pointer("/language/code").and_then(Value::as_str).unwrap_or_default();
    TemplateProblem::NotApproved(if others.is_empty() {
        format!("the account has no template {name}")
    } else {
        let languages: Vec<_> = others.iter().map(|other| other.language.as_str()).collect();
        format!("the account has no template {name} in {code}, but in {}", languages.join(", "))
    })
}

fn part(part: &Part, components: &[Value], at: &str) -> Result<(), TemplateProblem> {
    // Known from its first news alone: what it is made of is told by the next list.
    if *part == Part::default() {
        return Ok(());
    }
    header(&part.header, parameters(component(components, "header")), at)?;
    places(&part.body, parameters(component(components, "body")), &format!("{at}body"))?;
    for given in components.iter().filter(|given| is(given, "type", "button")) {
        one_button(&part.buttons, given, at)?;
    }
    for (index, button) in part.buttons.iter().enumerate() {
        let filled = || {
            components
                .iter()
                .filter(|given| is(given, "type", "button") && index_of(given) == Some(index))
                .any(|given| !parameters(Some(given)).is_empty())
        };
        if button.filled == Some(true) && !filled() {
            let message = "has a place in its address and is not filled".to_owned();
            return Err(mismatch(format!("{at}buttons[{index}]"), message));
        }
    }
    Ok(())
}

fn cards(cards: &[Part], components: &[Value]) -> Result<(), TemplateProblem> {
    if cards.is_empty() {
        return Ok(());
    }
    let given = component(components, "carousel").map_or(&[][..], |carousel| list(carousel, "cards"));
    if given.len() != cards.len() {
        let message = format!("takes {} cards, and {} are given", cards.len(), given.len());
        return Err(mismatch("carousel".to_owned(), message));
    }
    for (place, card) in given.iter().enumerate() {
        let index = number(card, "card_index").unwrap_or(place);
        if let Some(shape) = cards.get(index) {
            part(shape, list(card, "components"), &format!("cards[{index}]."))?;
        }
    }
    Ok(())
}

fn header(header: &Header, given: &[Value], at: &str) -> Result<(), TemplateProblem> {
    let component = format!("{at}header");
    match header {
        Header::Untold => Ok(()),
        Header::Text(text) => places(text, given, &component),
        Header::Of(kind) => match given {
            [only] if is(only, "type", kind) => Ok(()),
            [] => Err(mismatch(component, format!("takes a parameter of type {kind}, and none is given"))),
            [only] => {
                let other = only.get("type").and_then(Value::as_str).unwrap_or("none");
                Err(mismatch(component, format!("takes a parameter of type {kind}, and {other} is given")))
            }
            more => {
                let message = format!("takes one parameter of type {kind}, and {} are given", more.len());
                Err(mismatch(component, message))
            }
        },
    }
}

fn places(places: &Places, given: &[Value], component: &str) -> Result<(), TemplateProblem> {
    let wrong = |message| Err(mismatch(component.to_owned(), message));
    match places {
        Places::Untold => Ok(()),
        Places::Numbered(count) if *count == given.len() => Ok(()),
        Places::Numbered(count) => wrong(format!("takes {count} parameters, and {} are given", given.len())),
        Places::Named(names) => {
            let own_name = |parameter: &Value| Some(parameter.get("parameter_name")?.as_str()?.to_owned());
            let all = || names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let Some(given) = given.iter().map(own_name).collect::<Option<Vec<_>>>() else {
                return wrong(format!(
                    "takes parameters by name: write parameter_name beside each of {}",
                    all()
                ));
            };
            if let Some(strange) = given.iter().find(|name| !names.contains(*name)) {
                return wrong(format!("has no parameter {strange}: it takes {}", all()));
            }
            match names.iter().find(|name| !given.contains(name)) {
                Some(missing) => wrong(format!("lacks the parameter {missing}: it takes {}", all())),
                None if given.len() > names.len() => wrong("is given a parameter twice".to_owned()),
                None => Ok(()),
            }
        }
    }
}

fn one_button(buttons: &[Button], given: &Value, at: &str) -> Result<(), TemplateProblem> {
    let Some(index) = index_of(given) else { return Ok(()) };
    let wrong = |message| Err(mismatch(format!("{at}buttons[{index}]"), message));
    let Some(button) = buttons.get(index) else {
        return wrong(format!("is not there: the template has {} buttons", buttons.len()));
    };
    match button.filled {
        Some(_) if !is(given, "sub_type", &button.kind) => {
            wrong(format!("is a button of sub_type {}", button.kind))
        }
        Some(false) if !parameters(Some(given)).is_empty() => {
            wrong("takes no parameter: its address has no place to fill".to_owned())
        }
        _ => Ok(()),
    }
}

fn mismatch(component: String, message: String) -> TemplateProblem {
    TemplateProblem::ParamMismatch { component, message }
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn component<'a>(components: &'a [Value], kind: &str) -> Option<&'a Value> {
    components.iter().find(|component| is(component, "type", kind))
}

fn parameters(component: Option<&Value>) -> &[Value] {
    component.map_or(&[], |component| list(component, "parameters"))
}

/// Official examples write types in either case.
fn is(object: &Value, name: &str, word: &str) -> bool {
    object.get(name).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn index_of(button: &Value) -> Option<usize> {
    number(button, "index")
}

/// A number, which official examples write as a text too.
fn number(object: &Value, name: &str) -> Option<usize> {
    match object.get(name)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    }
}

#[cfg(test)]
mod tests;
