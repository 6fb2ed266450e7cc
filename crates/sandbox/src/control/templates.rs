//! `/control/templates/{waba_id}`: what templates a WABA has, and how they stand.

use super::read::{Fields, Problem, parse};
use super::{Answered, kept};
use crate::journal::Record;
use crate::templates::Template;
use crate::webhooks::Change;
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Path};
use serde_json::{Value, json};
use std::borrow::Cow;

/// `PUT {"templates":[{"name","language","status"?,"category"?,"quality"?,"components"?}],"webhooks"?}`: takes the place
/// of those that were. What is different is told by webhook, unless `webhooks` is false. A template that is known keeps
/// what is not named; one that is left out is deleted.
pub(super) async fn put(world: Data<World>, waba_id: Path<String>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["templates", "webhooks"])?;
    let tell = fields.flag("webhooks")?.unwrap_or(true);
    let mut synced = Vec::new();
    let (count, changes) = {
        let mut accounts = locked(&world.accounts);
        let waba =
            accounts.wabas.get_mut(waba_id.as_str()).ok_or_else(|| Problem::unknown("waba_id", "WABA"))?;
        let (templates, changes) = replaced(&fields, &waba.templates, &waba_id)?;
        waba.templates = templates;
        synced.push(world.journal.append(&Record::Waba(Cow::Borrowed(waba))));
        (waba.templates.len(), changes)
    };
    for change in changes.into_iter().filter(|_| tell) {
        synced.push(world.notify(change, 0));
    }
    kept(synced, json!({"templates": count})).await
}

pub(super) async fn get(world: Data<World>, waba_id: Path<String>) -> Answered {
    let accounts = locked(&world.accounts);
    let waba = accounts.wabas.get(waba_id.as_str()).ok_or_else(|| Problem::unknown("waba_id", "WABA"))?;
    let templates: Vec<_> = waba.templates.iter().map(Template::described).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": templates })))
}

/// The new list, and what the platform tells of it.
fn replaced(
    fields: &Fields<'_>,
    before: &[Template],
    waba_id: &str,
) -> Result<(Vec<Template>, Vec<Change>), Problem> {
    let mut templates: Vec<Template> = Vec::new();
    let mut changes = Vec::new();
    for (index, value) in fields.list("templates")?.iter().enumerate() {
        let template = one(value, &format!("templates[{index}]"), before)?;
        if templates.iter().any(|other| is_same(other, &template)) {
            return Err(fields.problem("templates", "may hold each name once in a language"));
        }
        let known = before.iter().find(|known| is_same(known, &template));
        changes.extend(template.changes_from(known, waba_id));
        templates.push(template);
    }
    for gone in before.iter().filter(|gone| !templates.iter().any(|other| is_same(other, gone))) {
        let deleted = Template { status: "DELETED".to_owned(), ..(*gone).clone() };
        changes.extend(deleted.changes_from(Some(gone), waba_id));
    }
    Ok((templates, changes))
}

fn is_same(a: &Template, b: &Template) -> bool {
    a.name == b.name && a.language == b.language
}

fn one(value: &Value, path: &str, before: &[Template]) -> Result<Template, Problem> {
    let known = ["name", "language", "status", "category", "quality", "components"];
    let fields = Fields::within(value, path.to_owned(), &known)?;
    let new = Template::new(fields.required_text("name")?, fields.required_text("language")?);
    let mut template = before.iter().find(|known| is_same(known, &new)).cloned().unwrap_or(new);
    for (member, key) in [
        (&mut template.status, "status"),
        (&mut template.category, "category"),
        (&mut template.quality, "quality"),
    ] {
        if let Some(word) = fields.text(key)? {
            *member = word.to_ascii_uppercase();
        }
    }
    match fields.value("components") {
        None => {}
        Some(list) if list.is_array() => template.components = list.clone(),
        Some(_) => return Err(fields.problem("components", "must be a list")),
    }
    Ok(template)
}
