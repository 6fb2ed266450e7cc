//! What a business shows and whom it keeps away: profile, block list and QR codes of a number.

use super::access::{business, number as find};
use super::call::Call;
use super::error::GraphError;
use super::numbers::{keep, product};
use super::{Answer, Answered, digits_of};
use crate::accounts::{MANAGEMENT, MESSAGING, Number};
use crate::chance::object_id;
use crate::world::{World, locked};
use actix_web::http::Method;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Members of a profile and how long each may be.
const PROFILE: [(&str, usize); 6] = [
    ("about", 139),
    ("address", 256),
    ("description", 512),
    ("email", 128),
    ("vertical", 32),
    ("profile_picture_handle", 4_096),
];
const MOST_WEBSITES: usize = 2;
/// Of a business that never named its own.
const NO_VERTICAL: &str = "OTHER";

/// `/{phone}/whatsapp_business_profile`.
pub(super) fn profile(world: &World, call: &Call, id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let number = find(&accounts, token, call, id, MESSAGING)?;
    if call.method == Method::GET {
        return Ok(Answer::of(json!({ "data": [shown(number, call)] })).using(&number.waba_id));
    }
    product(call)?;
    let told = told(call)?;
    keep(world, &mut accounts, id, |number| number.profile.extend(told))
}

fn shown(number: &Number, call: &Call) -> Value {
    let fields = call.param("fields").unwrap_or_default();
    let wanted = |name: &str| fields.is_empty() || fields.split(',').any(|field| field.trim() == name);
    let members = number.profile.iter().filter(|(name, _)| wanted(name));
    let mut shown: Map<_, _> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    if wanted("vertical") && !shown.contains_key("vertical") {
        shown.insert("vertical".to_owned(), NO_VERTICAL.into());
    }
    shown.insert("messaging_product".to_owned(), "whatsapp".into());
    Value::Object(shown)
}

fn told(call: &Call) -> Result<Map<String, Value>, GraphError> {
    let mut told = Map::new();
    for (name, most) in PROFILE {
        let Some(text) = call.param(name) else { continue };
        if text.chars().count() > most {
            return Err(GraphError::parameter(format!(
                "Param {name} must be at most {most} characters long."
            )));
        }
        told.insert(name.to_owned(), text.into_owned().into());
    }
    if let Some(websites) = call.json.get("websites") {
        let few = websites.as_array().is_some_and(|list| list.len() <= MOST_WEBSITES);
        if !few {
            return Err(GraphError::parameter(format!("Param websites takes {MOST_WEBSITES} addresses.")));
        }
        told.insert("websites".to_owned(), websites.clone());
    }
    Ok(told)
}

/// `/{phone}/block_users`.
pub(super) fn block_users(world: &World, call: &Call, id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let number = find(&accounts, token, call, id, MESSAGING)?;
    if call.method == Method::GET {
        let entry = |wa_id: &String| json!({ "messaging_product": "whatsapp", "wa_id": wa_id });
        let blocked: Vec<_> = number.blocked.iter().map(entry).collect();
        return Ok(Answer::of(json!({ "data": blocked })).using(&number.waba_id));
    }
    product(call)?;
    let users = call.json.get("block_users").and_then(Value::as_array);
    let users = users.ok_or_else(|| GraphError::parameter("The parameter block_users is required."))?;
    let inputs: Vec<&str> = users.iter().filter_map(|user| user.get("user")?.as_str()).collect();
    let done: Vec<_> =
        inputs.iter().map(|input| json!({ "input": input, "wa_id": digits_of(input) })).collect();
    let (adds, ids) = (call.method == Method::POST, inputs.iter().map(|input| digits_of(input)));
    let ids: Vec<String> = ids.collect();
    let kept = keep(world, &mut accounts, id, |number| {
        number.blocked.retain(|blocked| !ids.contains(blocked));
        if adds {
            number.blocked.extend(ids);
        }
    })?;
    let list = if adds { "added_users" } else { "removed_users" };
    let body = json!({ "messaging_product": "whatsapp", "block_users": { list: done } });
    Ok(Answer { body, ..kept })
}

/// `/{phone}/message_qrdls`, and one code below it.
pub(super) fn qr_codes(world: &World, call: &Call, id: &str, code: Option<&str>) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let number = find(&accounts, token, call, id, MANAGEMENT)?;
    let unknown = || GraphError::unknown_object(call.method.as_str(), code.unwrap_or_default());
    if call.method == Method::GET {
        let wanted = |(known, _): &(&String, &String)| code.is_none_or(|code| code == *known);
        let data: Vec<_> =
            number.qr_codes.iter().filter(wanted).map(|(code, text)| described(code, text)).collect();
        if code.is_some() && data.is_empty() {
            return Err(unknown());
        }
        return Ok(Answer::of(json!({ "data": data })).using(&number.waba_id));
    }
    if let Some(code) = code {
        if !number.qr_codes.contains_key(code) {
            return Err(unknown());
        }
        return keep(world, &mut accounts, id, |number| {
            number.qr_codes.remove(code);
        });
    }
    let text = call.param("prefilled_message");
    let text = text.ok_or_else(|| GraphError::parameter("The parameter prefilled_message is required."))?;
    let code = call.param("code").map_or_else(object_id, Cow::into_owned);
    let body = described(&code, &text);
    let text = text.into_owned();
    let kept = keep(world, &mut accounts, id, |number| {
        number.qr_codes.insert(code, text);
    })?;
    Ok(Answer { body, ..kept })
}

fn described(code: &str, text: &str) -> Value {
    json!({ "code": code, "prefilled_message": text, "deep_link_url": format!("https://wa.me/message/{code}") })
}
