//! An account's templates as the list of them shows each. Source: WhatsApp Business Management API, templates, 2026.

use domain::news::Quality;
use domain::template::{
    Button, Category, Header, Part, Places, Shape, Template, TemplateStatus, language as one_spelling,
};
use serde_json::Value;

pub(crate) const FIELDS: &str = "id,name,language,status,category,quality_score,components,parameter_format";

/// One entry of the list; `None` for what has no name, language or status.
pub(crate) fn listed(entry: &Value) -> Option<Template> {
    let word = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // An object with the score and its time, or the score alone.
    let quality = entry.pointer("/quality_score/score").or_else(|| entry.get("quality_score"));
    let category = word("category").and_then(Category::from_word);
    Some(Template {
        id: word("id").map(str::to_owned),
        name: word("name")?.to_owned(),
        language: one_spelling(word("language")?),
        status: TemplateStatus::new(word("status")?),
        category,
        quality: quality.and_then(Value::as_str).map(Quality::from_word).unwrap_or_default(),
        shape: shape(list(entry, "components")),
    })
}

fn shape(components: &[Value]) -> Shape {
    let carousel = components.iter().find(|component| kind(component) == "carousel");
    let cards = carousel.map_or(&[][..], |carousel| list(carousel, "cards"));
    Shape { main: part(components), cards: cards.iter().map(|card| part(list(card, "components"))).collect() }
}

fn part(components: &[Value]) -> Part {
    let find = |name: &str| components.iter().find(|component| kind(component) == name);
    Part {
        header: find("header").map_or(Header::Text(Places::Numbered(0)), header),
        body: find("body").map_or(Places::Numbered(0), text),
        buttons: find("buttons")
            .map_or_else(Vec::new, |buttons| list(buttons, "buttons").iter().map(button).collect()),
    }
}

fn header(header: &Value) -> Header {
    match header.get("format").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        None | Some("text") => Header::Text(text(header)),
        Some(format @ ("image" | "video" | "document" | "gif" | "location" | "product")) => {
            Header::Of(format.to_owned())
        }
        Some(_) => Header::Untold,
    }
}

/// The body of a one-time code may be listed without its text, which the platform writes.
fn text(component: &Value) -> Places {
    component.get("text").and_then(Value::as_str).map_or(Places::Untold, Places::of)
}

fn button(button: &Value) -> Button {
    let kind = kind(button);
    match kind.as_str() {
        "url" => {
            let address = button.get("url").and_then(Value::as_str);
            Button { kind, filled: address.map(|address| !Places::of(address).are_none()) }
        }
        // Made as one, listed and sent as an address.
        "otp" => Button { kind: "url".to_owned(), filled: Some(true) },
        _ => Button { kind, filled: None },
    }
}

fn kind(component: &Value) -> String {
    component.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(components: &Value) -> Shape {
        let entry = json!({"name": "n", "language": "sw", "status": "APPROVED", "components": components});
        listed(&entry).unwrap().shape
    }

    #[test]
    fn an_entry_says_what_the_template_is_and_how_it_stands() {
        let entry = json!({"id": "5", "name": "order", "language": "en-US", "status": "approved", "category": "UTILITY",
            "quality_score": {"score": "GREEN", "date": 1_790_000_000}, "components": []});
        let template = listed(&entry).unwrap();
        assert_eq!((template.name.as_str(), template.language.as_str()), ("order", "en_US"));
        assert_eq!((template.status.as_str(), template.category), ("APPROVED", Some(Category::Utility)));
        assert_eq!(template.quality, Quality::Green);
        let bare = json!({"name": "order", "language": "sw", "status": "PENDING", "quality_score": "RED"});
        let bare = listed(&bare).unwrap();
        assert_eq!((bare.category, bare.quality), (None, Quality::Red));
        for unreadable in [json!({"name": "x", "language": "sw"}), json!("x"), json!({"name": ""})] {
            assert_eq!(listed(&unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn what_a_message_has_to_fill_is_counted_in_every_component() {
        let shape = with(&json!([
            {"type": "HEADER", "format": "TEXT", "text": "Agizo {{1}}"},
            {"type": "BODY", "text": "Habari {{1}}, agizo {{2}} liko tayari."},
            {"type": "FOOTER", "text": "Duka la Asha"},
            {"type": "BUTTONS", "buttons": [
                {"type": "URL", "text": "Fungua", "url": "https://example.com/{{1}}"},
                {"type": "URL", "text": "Duka", "url": "https://example.com/"},
                {"type": "QUICK_REPLY", "text": "Sawa"}, {"type": "PHONE_NUMBER", "phone_number": "+255"},
            ]},
        ]));
        assert_eq!(shape.main.header, Header::Text(Places::Numbered(1)));
        assert_eq!(shape.main.body, Places::Numbered(2));
        let filled: Vec<_> = shape.main.buttons.iter().map(|button| button.filled).collect();
        assert_eq!(filled, [Some(true), Some(false), None, None]);
        assert_eq!(shape.main.buttons[2].kind, "quick_reply");
    }

    #[test]
    fn named_places_media_and_cards_are_told_apart() {
        let shape = with(&json!([
            {"type": "BODY", "text": "Habari {{first_name}}"},
            {"type": "CAROUSEL", "cards": [
                {"components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "{{1}}"}]},
                {"components": [{"type": "header", "format": "HOLOGRAM"}]},
            ]},
        ]));
        assert_eq!(shape.main.body, Places::Named(["first_name".to_owned()].into()));
        assert_eq!(shape.main.header, Header::Text(Places::Numbered(0)));
        assert_eq!(shape.cards[0].header, Header::Of("image".to_owned()));
        assert_eq!((&shape.cards[0].body, &shape.cards[1].header), (&Places::Numbered(1), &Header::Untold));
    }

    #[test]
    fn a_one_time_code_fills_its_body_and_its_button() {
        let shape = with(&json!([
            {"type": "BODY", "add_security_recommendation": true},
            {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]},
        ]));
        assert_eq!(shape.main.body, Places::Untold);
        assert_eq!(shape.main.buttons, [Button { kind: "url".to_owned(), filled: Some(true) }]);
    }
}
