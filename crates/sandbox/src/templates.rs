//! Message templates of a WABA, and the webhooks that tell of their changes.

use crate::chance::object_id;
use crate::webhooks::Change;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// When ratings were made, in seconds: none changes by itself here.
const RATED_AT: i64 = 1_790_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) status: String,
    pub(crate) category: String,
    pub(crate) quality: String,
    /// As they are listed.
    pub(crate) components: Value,
}

impl Template {
    pub(crate) fn new(name: String, language: String) -> Self {
        Self {
            id: object_id(),
            components: json!([{"type": "BODY", "text": format!("This is {name}.")}]),
            name,
            language,
            status: "APPROVED".to_owned(),
            category: "UTILITY".to_owned(),
            quality: "UNKNOWN".to_owned(),
        }
    }

    /// Every member that a list may be asked for.
    pub(crate) fn described(&self) -> Value {
        let body = self.body();
        let named = places(body).iter().any(|place| !place.bytes().all(|byte| byte.is_ascii_digit()));
        json!({
            "id": self.id, "name": self.name, "language": self.language, "status": self.status,
            "category": self.category, "components": self.components,
            "quality_score": {"score": self.quality, "date": RATED_AT}, "rejected_reason": "NONE",
            "message_send_ttl_seconds": null, "correct_category": null, "cta_url_link_tracking_opted_out": null,
            "degrees_of_freedom_spec": null, "library_template_name": null, "previous_category": null,
            "sub_category": null,
            "parameter_format": if named { "NAMED" } else { "POSITIONAL" },
        })
    }

    /// How many parameters the body takes.
    pub(crate) fn body_places(&self) -> usize {
        places(self.body()).len()
    }

    fn body(&self) -> &str {
        let components = self.components.as_array().map_or(&[][..], Vec::as_slice);
        let body = components.iter().find(|component| component.get("type") == Some(&json!("BODY")));
        body.and_then(|body| body.get("text")?.as_str()).unwrap_or_default()
    }

    /// What the platform tells when this takes the place of `before`.
    pub(crate) fn changes_from(&self, before: Option<&Self>, waba_id: &str) -> Vec<Change> {
        let about = json!({
            "message_template_id": self.id.parse::<u64>().unwrap_or_default(),
            "message_template_name": self.name, "message_template_language": self.language,
        });
        let mut changes = Vec::new();
        let mut tell = |field: &str, members: Value| {
            let mut value = about.clone();
            if let (Some(value), Value::Object(members)) = (value.as_object_mut(), members) {
                value.extend(members);
            }
            changes.push(Change {
                entry_id: waba_id.to_owned(),
                waba_id: Some(waba_id.to_owned()),
                phone_number_id: None,
                field: field.to_owned(),
                value: value.to_string(),
                timed: true,
            });
        };
        if before.is_some_and(|before| before.components != self.components) {
            tell("message_template_components_update", json!({"message_template_element": self.body()}));
        }
        if before.is_none_or(|before| before.status != self.status) {
            let event =
                json!({"event": self.status, "reason": "NONE", "message_template_category": self.category});
            tell("message_template_status_update", event);
        }
        if let Some(before) = before {
            if before.quality != self.quality {
                let scores =
                    json!({"previous_quality_score": before.quality, "new_quality_score": self.quality});
                tell("message_template_quality_update", scores);
            }
            if before.category != self.category {
                let categories = json!({"previous_category": before.category, "new_category": self.category});
                tell("template_category_update", categories);
            }
        }
        changes
    }
}

fn places(text: &str) -> BTreeSet<&str> {
    text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim())).collect()
}
