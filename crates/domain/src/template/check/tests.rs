use super::super::{Shape, TemplateStatus};
use super::*;
use crate::news::Quality;
use proptest::prelude::*;
use serde_json::json;

fn template(shape: Shape) -> Template {
    Template {
        id: None,
        name: "order".to_owned(),
        language: "sw".to_owned(),
        status: TemplateStatus::new(TemplateStatus::APPROVED),
        category: Some(Category::Utility),
        quality: Quality::Green,
        shape,
    }
}

fn with_body(body: Places) -> Template {
    template(Shape { main: Part { body, ..text_only() }, ..Shape::default() })
}

/// Nothing to fill anywhere.
fn text_only() -> Part {
    Part { header: Header::Text(Places::Numbered(0)), body: Places::Numbered(0), buttons: Vec::new() }
}

fn message(components: Value) -> Value {
    let mut message = json!({"name": "order", "language": {"code": "sw"}});
    if !components.is_null() {
        message["components"] = components;
    }
    message
}

fn of(found: &Template, components: Value) -> Result<Option<Category>, TemplateProblem> {
    decide(&message(components), Known::Template(found), false)
}

#[track_caller]
fn refuses(found: &Template, components: Value, named: &str) {
    match of(found, components) {
        Err(TemplateProblem::ParamMismatch { component, .. }) => assert_eq!(component, named),
        other => panic!("{other:?}"),
    }
}

fn texts(count: usize) -> Value {
    vec![json!({"type": "text", "text": "x"}); count].into()
}

#[test]
fn a_template_that_is_known_from_news_alone_may_be_filled_with_anything() {
    let button = json!([{ "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "7" }] }]);
    assert!(of(&template(Shape::default()), button).is_ok());
}

#[test]
fn what_is_not_known_is_let_go_and_what_is_missing_is_not() {
    assert_eq!(decide(&message(Value::Null), Known::Nothing, true), Ok(None));
    let missing = |others| decide(&message(Value::Null), Known::Missing { others }, false).unwrap_err();
    assert_eq!(missing(&[]).to_string(), "the account has no template order");
    let other = Template { language: "en_US".to_owned(), ..template(Shape::default()) };
    assert_eq!(missing(&[other]).to_string(), "the account has no template order in sw, but in en_US");
}

#[test]
fn only_a_template_that_may_be_sent_now_is_sent() {
    let with = |status| Template { status: TemplateStatus::new(status), ..with_body(Places::Numbered(0)) };
    assert_eq!(of(&with("APPROVED"), Value::Null), Ok(Some(Category::Utility)));
    for status in ["PAUSED", "DISABLED", "REJECTED", "PENDING"] {
        let error = of(&with(status), Value::Null).unwrap_err();
        assert!(matches!(&error, TemplateProblem::NotApproved(text) if text.contains(status)), "{error:?}");
    }
}

#[test]
fn a_one_time_code_goes_to_a_phone_number() {
    let code = Template { category: Some(Category::Authentication), ..with_body(Places::Numbered(0)) };
    let to = |to_a_user_id| decide(&message(Value::Null), Known::Template(&code), to_a_user_id);
    assert_eq!(to(true), Err(TemplateProblem::NeedsPhoneNumber));
    assert_eq!(to(false), Ok(Some(Category::Authentication)));
    let order = with_body(Places::Numbered(0));
    assert!(decide(&message(Value::Null), Known::Template(&order), true).is_ok());
}

#[test]
fn a_body_is_filled_with_as_many_texts_as_it_has_places() {
    let two = with_body(Places::Numbered(2));
    assert!(of(&two, json!([{"type": "BODY", "parameters": texts(2)}])).is_ok());
    refuses(&two, json!([{"type": "body", "parameters": texts(1)}]), "body");
    refuses(&two, json!([{"type": "body", "parameters": texts(3)}]), "body");
    refuses(&two, Value::Null, "body");
    refuses(&with_body(Places::Numbered(0)), json!([{"type": "body", "parameters": texts(1)}]), "body");
    assert!(of(&with_body(Places::Untold), json!([{"type": "body", "parameters": texts(9)}])).is_ok());
}

#[test]
fn named_places_are_filled_by_name_in_any_order() {
    let named = with_body(Places::Named(["a", "b"].map(str::to_owned).into()));
    let body = |names: &[&str]| {
        let parameters: Vec<_> =
            names.iter().map(|name| json!({"type": "text", "parameter_name": name, "text": "x"})).collect();
        json!([{"type": "body", "parameters": parameters}])
    };
    assert!(of(&named, body(&["b", "a"])).is_ok());
    refuses(&named, body(&["a"]), "body");
    refuses(&named, body(&["a", "c"]), "body");
    refuses(&named, body(&["a", "b", "a"]), "body");
    refuses(&named, json!([{"type": "body", "parameters": texts(2)}]), "body");
}

#[test]
fn a_header_takes_the_kind_of_media_it_was_made_with() {
    let image = template(Shape {
        main: Part { header: Header::Of("image".to_owned()), ..text_only() },
        ..Shape::default()
    });
    let header = |kind: &str| json!([{"type": "header", "parameters": [{"type": kind}]}]);
    assert!(of(&image, header("image")).is_ok());
    refuses(&image, header("video"), "header");
    refuses(&image, header("text"), "header");
    refuses(&image, Value::Null, "header");
    refuses(&with_body(Places::Numbered(0)), header("image"), "header");
}

#[test]
fn a_button_is_filled_where_its_address_has_a_place() {
    let button = |kind: &str, filled| Button { kind: kind.to_owned(), filled };
    let with = |buttons| template(Shape { main: Part { buttons, ..text_only() }, ..Shape::default() });
    let found =
        with(vec![button("url", Some(true)), button("url", Some(false)), button("quick_reply", None)]);
    let fill = |index: Value, kind: &str, count| json!({"type": "button", "sub_type": kind, "index": index, "parameters": texts(count)});
    assert!(of(&found, json!([fill(json!("0"), "URL", 1)])).is_ok());
    assert!(of(&found, json!([fill(json!(0), "url", 1), fill(json!(2), "quick_reply", 1)])).is_ok());
    refuses(&found, Value::Null, "buttons[0]");
    refuses(&found, json!([fill(json!(0), "url", 0)]), "buttons[0]");
    refuses(&found, json!([fill(json!(0), "quick_reply", 1)]), "buttons[0]");
    refuses(&found, json!([fill(json!(0), "url", 1), fill(json!(1), "url", 1)]), "buttons[1]");
    refuses(&found, json!([fill(json!(0), "url", 1), fill(json!(3), "url", 1)]), "buttons[3]");
}

#[test]
fn every_card_of_a_carousel_is_filled() {
    let card = Part { header: Header::Of("image".to_owned()), body: Places::Numbered(1), ..Part::default() };
    let found = template(Shape { main: text_only(), cards: vec![card.clone(), card] });
    let filled = |index: usize| {
        json!({"card_index": index, "components": [
            {"type": "header", "parameters": [{"type": "image"}]}, {"type": "body", "parameters": texts(1)}]})
    };
    let carousel = |cards: Value| json!([{"type": "carousel", "cards": cards}]);
    assert!(of(&found, carousel(json!([filled(1), filled(0)]))).is_ok());
    refuses(&found, carousel(json!([filled(0)])), "carousel");
    refuses(&found, Value::Null, "carousel");
    let bare =
        json!({"card_index": 1, "components": [{"type": "header", "parameters": [{"type": "image"}]}]});
    refuses(&found, carousel(json!([filled(0), bare])), "cards[1].body");
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(text in "[\\[\\]{}\":,a-z0-9 ]{0,80}", count in 0usize..3) {
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let found = with_body(Places::Numbered(count));
        let _ = decide(&body, Known::Template(&found), false);
        let _ = of(&found, body);
    }
}
