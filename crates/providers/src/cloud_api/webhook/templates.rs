//! What the fields about templates change. Source: Meta's webhook reference, 2026.

use domain::news::Quality;
use domain::template::{Category, TemplateChange, TemplateNews, TemplateStatus, language};
use serde_json::Value;

use super::id_text;

/// `None` for news that is not about one template, or changes nothing yet.
pub(super) fn of(field: &str, value: &Value) -> Option<Box<TemplateNews>> {
    let is_about_templates = field.starts_with("message_template") || field == "template_category_update";
    if !is_about_templates {
        return None;
    }
    let word = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let change = if let Some(score) = word("new_quality_score") {
        // Meta's own page shows this under the field of the status.
        TemplateChange::Quality(Quality::from_word(score))
    } else {
        match field {
            "message_template_status_update" => TemplateChange::Status(status(word("event")?, value)),
            // With a category to come beside it, the new one is the present one.
            "template_category_update" if word("correct_category").is_none() => {
                TemplateChange::Category(Category::from_word(word("new_category")?)?)
            }
            "message_template_components_update" => TemplateChange::Components,
            _ => return None,
        }
    };
    Some(Box::new(TemplateNews {
        id: value.get("message_template_id").and_then(id_text),
        name: word("message_template_name")?.to_owned(),
        language: language(word("message_template_language")?),
        change,
    }))
}

/// What happened, as the status that a list would show afterwards.
fn status(event: &str, value: &Value) -> TemplateStatus {
    let title = value.pointer("/other_info/title").and_then(Value::as_str).unwrap_or_default();
    let word = match event {
        "REINSTATED" | "FLAGGED" | "UNARCHIVED" | "UNLOCKED" => TemplateStatus::APPROVED,
        _ if title == "UNPAUSE" => TemplateStatus::APPROVED,
        event => event,
    };
    TemplateStatus::new(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(field: &str, mut value: Value) -> Option<TemplateChange> {
        value["message_template_name"] = "order".into();
        value["message_template_language"] = "en-US".into();
        value["message_template_id"] = 5.into();
        let news = of(field, &value)?;
        assert_eq!((news.name.as_str(), news.language.as_str()), ("order", "en_US"));
        assert_eq!(news.id.as_deref(), Some("5"), "a number here, a text in lists");
        Some(news.change)
    }

    #[test]
    fn a_change_of_status_becomes_the_status_that_a_list_would_show() {
        let status = |value: Value| change("message_template_status_update", value);
        let word = |word: &str| Some(TemplateChange::Status(TemplateStatus::new(word)));
        for (event, expected) in [
            ("APPROVED", "APPROVED"),
            ("PAUSED", "PAUSED"),
            ("REINSTATED", "APPROVED"),
            ("FLAGGED", "APPROVED"),
            ("DELETED", "DELETED"),
            ("SOMETHING_NEW", "SOMETHING_NEW"),
        ] {
            assert_eq!(status(json!({"event": event, "reason": null})), word(expected), "{event}");
        }
        let unpaused = json!({"event": "PAUSED", "other_info": {"title": "UNPAUSE"}});
        assert_eq!(status(unpaused), word("APPROVED"));
        assert_eq!(status(json!({"reason": "NONE"})), None);
    }

    #[test]
    fn a_quality_is_one_whatever_field_it_comes_under() {
        for field in ["message_template_quality_update", "message_template_status_update"] {
            let value = json!({"previous_quality_score": "GREEN", "new_quality_score": "RED"});
            assert_eq!(change(field, value), Some(TemplateChange::Quality(Quality::Red)), "{field}");
        }
    }

    #[test]
    fn a_category_changes_when_it_has_changed_and_not_when_it_will() {
        let category = |value: Value| change("template_category_update", value);
        let done = json!({"previous_category": "UTILITY", "new_category": "MARKETING"});
        assert_eq!(category(done), Some(TemplateChange::Category(Category::Marketing)));
        let notice = json!({"new_category": "UTILITY", "correct_category": "MARKETING", "category_update_timestamp": 1});
        assert_eq!(category(notice), None);
        assert_eq!(category(json!({"new_category": "SOMETHING_NEW"})), None);
    }

    #[test]
    fn changed_components_ask_for_the_list_and_other_fields_say_nothing() {
        let components =
            change("message_template_components_update", json!({"message_template_element": "x"}));
        assert!(components.unwrap().asks_for_the_list());
        assert_eq!(change("account_update", json!({"event": "APPROVED"})), None);
        assert_eq!(
            of("message_template_status_update", &json!({"event": "REJECTED", "message_template_id": 5})),
            None
        );
        assert_eq!(of("message_template_status_update", &json!(null)), None);
    }
}
