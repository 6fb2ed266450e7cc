//! `GET /{waba}/message_templates`, and whether a message may use one. Templates are set through `/control/templates`.

use super::access::{business, waba as find};
use super::call::Call;
use super::error::GraphError;
use super::paging::page;
use super::{Answer, Answered, fields};
use crate::templates::Template;
use crate::world::{World, locked};
use serde_json::{Map, Value};

const FIELDS: [&str; 7] = ["name", "parameter_format", "components", "language", "status", "category", "id"];

pub(super) fn list(world: &World, call: &Call, waba_id: &str) -> Answered {
    let accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let waba = find(&accounts, token, call, waba_id)?;
    let (name, status) = (call.param("name"), call.param("status"));
    let asked = |template: &&Template| {
        name.as_ref().is_none_or(|name| template.name.contains(name.as_ref()))
            && status.as_ref().is_none_or(|status| template.status.eq_ignore_ascii_case(status))
    };
    let templates: Vec<_> = waba.templates.iter().filter(asked).collect();
    let path = format!("{waba_id}/message_templates");
    let show = |template: &&Template| {
        fields::select(call, &template.described(), &FIELDS, "WhatsAppMessageTemplate")
    };
    let body = page(world, call, &path, &templates, |template| template.id.clone(), show)?;
    Ok(Answer::of(body).using(waba_id))
}

/// A WABA whose templates were never set takes any.
pub(super) fn usable(templates: &[Template], message: &Map<String, Value>) -> Result<(), GraphError> {
    if templates.is_empty() {
        return Ok(());
    }
    let asked = message.get("template").unwrap_or(&Value::Null);
    let text = |pointer: &str| asked.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, language) = (text("/name"), text("/language/code"));
    let Some(template) =
        templates.iter().find(|template| template.name == name && template.language == language)
    else {
        return Err(GraphError::known(132_001, format!("The template {name} does not exist in {language}.")));
    };
    match template.status.as_str() {
        "APPROVED" => {}
        "PAUSED" => return Err(GraphError::known(132_015, "The template is paused.")),
        "DISABLED" => return Err(GraphError::known(132_016, "The template is disabled.")),
        _ => return Err(GraphError::known(132_001, "The template is not approved.")),
    }
    let components = asked.get("components").and_then(Value::as_array);
    let body = components.into_iter().flatten().find(|component| {
        component.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("body"))
    });
    let given = body.and_then(|body| body.get("parameters")?.as_array()).map_or(0, Vec::len);
    let expected = template.body_places();
    if given != expected {
        let details = format!("The body takes {expected} parameters, and {given} were given.");
        return Err(GraphError::known(132_000, details));
    }
    Ok(())
}
