//! `/{waba}/message_templates`, and whether a message may use one. They are set through `/control/templates` too.

use super::access::{business, waba as find};
use super::call::Call;
use super::error::GraphError;
use super::paging::page;
use super::{Answer, Answered, fields};
use crate::accounts::Waba;
use crate::journal::Record;
use crate::templates::Template;
use crate::world::{World, locked};
use actix_web::http::Method;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Of a portfolio that was not verified.
const MOST_TEMPLATES: usize = 250;
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
    let mut body = page(world, call, &path, &templates, |template| template.id.clone(), show)?;
    if call.param("summary").is_some() {
        body["summary"] = json!({
            "total_count": templates.len(),
            "message_template_count": waba.templates.len(),
            "message_template_limit": MOST_TEMPLATES,
            "are_translations_complete": false,
        });
    }
    Ok(Answer::of(body).using(waba_id))
}

/// A name that Meta would take.
fn checked_name(call: &Call) -> Result<String, GraphError> {
    let name = call.param("name").ok_or_else(|| GraphError::parameter("The parameter name is required."))?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=512).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name.into_owned())
    } else {
        Err(GraphError::parameter("Param name takes small letters, digits and underscores."))
    }
}

/// Reviewed at once: it is answered as pending, and a webhook tells that it is approved.
pub(super) fn create(world: &World, call: &Call, waba_id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    find(&accounts, token, call, waba_id)?;
    let name = checked_name(call)?;
    let required = |name: &str| {
        let given = call.param(name).map(Cow::into_owned);
        given.ok_or_else(|| GraphError::parameter(format!("The parameter {name} is required.")))
    };
    let mut template = Template::new(name, required("language")?);
    template.category = required("category")?.to_ascii_uppercase();
    match call.json.get("components") {
        Some(components) if components.is_array() => template.components = components.clone(),
        _ => return Err(GraphError::parameter("The parameter components is required.")),
    }
    let waba = accounts.wabas.get_mut(waba_id).ok_or_else(|| GraphError::unknown_object("post", waba_id))?;
    let same = |other: &Template| other.name == template.name && other.language == template.language;
    if waba.templates.iter().any(same) {
        return Err(GraphError::parameter("A template of this name exists in this language already."));
    }
    let body = json!({ "id": template.id, "status": "PENDING", "category": template.category });
    let changes = template.changes_from(None, waba_id);
    waba.templates.push(template);
    let mut synced = vec![world.journal.append(&Record::Waba(Cow::Borrowed(waba)))];
    drop(accounts);
    synced.extend(changes.into_iter().map(|change| world.notify(change, 0)));
    Ok(Answer { synced, ..Answer::of(body).using(waba_id) })
}

pub(super) fn has(world: &World, id: &str) -> bool {
    locked(&world.accounts).wabas.values().any(|waba| waba.templates.iter().any(|template| template.id == id))
}

/// `GET` and `POST /{template}`: an edit is reviewed at once.
pub(super) fn one(world: &World, call: &Call, id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let unknown = || GraphError::unknown_object(call.method.as_str(), id);
    let holds = |waba: &&Waba| waba.templates.iter().any(|template| template.id == id);
    let waba_id = accounts.wabas.values().find(holds).map(|waba| waba.id.clone()).ok_or_else(unknown)?;
    find(&accounts, token, call, &waba_id)?;
    let waba = accounts.wabas.get_mut(&waba_id).ok_or_else(unknown)?;
    let template = waba.templates.iter_mut().find(|template| template.id == id).ok_or_else(unknown)?;
    if call.method == Method::GET {
        let shown = fields::select(call, &template.described(), &FIELDS, "WhatsAppMessageTemplate")?;
        return Ok(Answer::of(shown).using(&waba_id));
    }
    let before = template.clone();
    if let Some(components) = call.json.get("components").filter(|components| components.is_array()) {
        template.components = components.clone();
    }
    if let Some(category) = call.param("category") {
        template.category = category.to_ascii_uppercase();
    }
    let changes = template.changes_from(Some(&before), &waba_id);
    let mut synced = vec![world.journal.append(&Record::Waba(Cow::Borrowed(waba)))];
    drop(accounts);
    synced.extend(changes.into_iter().map(|change| world.notify(change, 0)));
    Ok(Answer { synced, ..Answer::of(json!({ "success": true })).using(&waba_id) })
}

/// All languages of a name, or with `hsm_id` the one of that id.
pub(super) fn delete(world: &World, call: &Call, waba_id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    find(&accounts, token, call, waba_id)?;
    let (name, id) = (checked_name(call)?, call.param("hsm_id"));
    let waba =
        accounts.wabas.get_mut(waba_id).ok_or_else(|| GraphError::unknown_object("delete", waba_id))?;
    let asked = |template: &Template| {
        template.name == name && id.as_ref().is_none_or(|id| template.id == id.as_ref())
    };
    let (gone, stay): (Vec<_>, Vec<_>) =
        std::mem::take(&mut waba.templates).into_iter().partition(|template| asked(template));
    waba.templates = stay;
    if gone.is_empty() {
        return Err(GraphError::parameter("There is no template of this name."));
    }
    let mut synced = vec![world.journal.append(&Record::Waba(Cow::Borrowed(waba)))];
    drop(accounts);
    for template in gone {
        let deleted = Template { status: "DELETED".to_owned(), ..template.clone() };
        let changes = deleted.changes_from(Some(&template), waba_id);
        synced.extend(changes.into_iter().map(|change| world.notify(change, 0)));
    }
    Ok(Answer { synced, ..Answer::of(json!({ "success": true })).using(waba_id) })
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
