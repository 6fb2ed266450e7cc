//! A phone number's way from added to registered, and its PIN.

use super::access::{business, number as find, waba as find_waba};
use super::call::Call;
use super::error::GraphError;
use super::{Answer, Answered, digits_of, subscriptions};
use crate::Secret;
use crate::accounts::{Accounts, MANAGEMENT, Number};
use crate::chance::{object_id, random};
use crate::journal::Record;
use crate::world::{World, locked};
use serde_json::json;
use std::borrow::Cow;

const CALLS_ALLOWED: usize = 10;
const CALLS_COUNT_FOR_MS: i64 = 72 * 3_600_000;
const PIN_GUESSES: u32 = 5;

pub(super) fn edge(world: &World, call: &Call, id: &str, edge: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let waba_id = find(&accounts, token, call, id, MANAGEMENT)?.waba_id.clone();
    let now_ms = world.clock.now_ms();
    let Some(number) = accounts.numbers.get_mut(id) else {
        return Err(GraphError::unknown_object("post", id));
    };
    let outcome = match edge {
        "register" => register(number, call, now_ms),
        "deregister" => deregister(number, now_ms),
        "request_code" => request_code(number, call),
        _ => verify_code(number, call),
    };
    // A refusal may have used up an attempt.
    let synced = world.journal.append(&Record::Number(Cow::Borrowed(number)));
    outcome.map(|()| Answer::success(synced).using(&waba_id))
}

/// The PIN becomes the number's PIN if it has none, and has to match otherwise.
fn register(number: &mut Number, call: &Call, now_ms: i64) -> Result<(), GraphError> {
    product(call)?;
    let pin = pin(call)?;
    if number.on_biz_app {
        return Err(coexistence());
    }
    count_call(&mut number.register_calls, now_ms)?;
    if !number.verified {
        return Err(GraphError::known(133_006, "Request a code and verify the number, then register it."));
    }
    match &number.pin {
        Some(_) if number.wrong_pins >= PIN_GUESSES => {
            return Err(GraphError::known(133_008, "Too many wrong PINs. Try again in 12 hours."));
        }
        Some(own) if *own != pin => {
            number.wrong_pins += 1;
            return Err(GraphError::known(133_005, "The PIN does not match the one set for this number."));
        }
        _ => {}
    }
    number.pin = Some(pin);
    number.wrong_pins = 0;
    number.registered = true;
    number.last_onboarded_ms = Some(now_ms);
    Ok(())
}

fn deregister(number: &mut Number, now_ms: i64) -> Result<(), GraphError> {
    if number.on_biz_app {
        return Err(coexistence());
    }
    count_call(&mut number.deregister_calls, now_ms)?;
    number.registered = false;
    Ok(())
}

fn coexistence() -> GraphError {
    GraphError::known(100, "This number is in use in the WhatsApp Business app and is managed there.")
}

fn count_call(calls: &mut Vec<i64>, now_ms: i64) -> Result<(), GraphError> {
    calls.retain(|at| *at > now_ms - CALLS_COUNT_FOR_MS);
    if calls.len() >= CALLS_ALLOWED {
        return Err(GraphError::known(
            133_016,
            "Ten calls within 72 hours are allowed. Wait before the next one.",
        ));
    }
    calls.push(now_ms);
    Ok(())
}

fn request_code(number: &mut Number, call: &Call) -> Result<(), GraphError> {
    if !matches!(call.param("code_method").as_deref(), Some("SMS" | "VOICE")) {
        return Err(GraphError::parameter("Param code_method must be one of {SMS, VOICE}"));
    }
    if call.param("language").is_none() {
        return Err(GraphError::parameter("The parameter language is required."));
    }
    if number.verified {
        return Err(GraphError::known(136_024, "The number is verified already."));
    }
    number.code = Some(format!("{:06}", u32::from_le_bytes(random()) % 1_000_000));
    Ok(())
}

/// Carriers write the code with a dash or without.
fn verify_code(number: &mut Number, call: &Call) -> Result<(), GraphError> {
    let given = call.param("code").ok_or_else(|| GraphError::parameter("The parameter code is required."))?;
    if number.code.is_none() || number.code != Some(digits_of(&given)) {
        return Err(GraphError::known(136_025, "The code does not match. Request another one."));
    }
    number.code = None;
    number.verified = true;
    Ok(())
}

/// `POST /{phone}`: the two-step PIN, or the number's own webhook address.
pub(super) async fn change(world: &World, call: &Call, id: &str) -> Answered {
    let webhook = {
        let mut accounts = locked(&world.accounts);
        let token = business(world, &accounts, call)?;
        find(&accounts, token, call, id, MANAGEMENT)?;
        match call.json.get("webhook_configuration") {
            Some(webhook) => webhook.clone(),
            None if call.param("new_display_name").is_some() => {
                return rename(world, &mut accounts, call, id);
            }
            None => return change_pin(world, &mut accounts, call, id),
        }
    };
    let text = |key: &str| webhook.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let url = subscriptions::checked(world, text("override_callback_uri"), text("verify_token")).await?;
    keep(world, &mut locked(&world.accounts), id, |number| number.override_callback = url)
}

fn change_pin(world: &World, accounts: &mut Accounts, call: &Call, id: &str) -> Answered {
    let pin = pin(call)?;
    keep(world, accounts, id, |number| number.pin = Some(pin))
}

/// Taken at once: nobody reviews names here.
fn rename(world: &World, accounts: &mut Accounts, call: &Call, id: &str) -> Answered {
    let name = call.param("new_display_name").unwrap_or_default().into_owned();
    keep(world, accounts, id, |number| number.verified_name = name)
}

pub(super) fn keep(
    world: &World,
    accounts: &mut Accounts,
    id: &str,
    change: impl FnOnce(&mut Number),
) -> Answered {
    let number = accounts.numbers.get_mut(id).ok_or_else(|| GraphError::unknown_object("post", id))?;
    change(number);
    let synced = world.journal.append(&Record::Number(Cow::Borrowed(number)));
    Ok(Answer::success(synced).using(&number.waba_id))
}

/// `POST /{waba}/phone_numbers`.
pub(super) fn add(world: &World, call: &Call, waba_id: &str) -> Answered {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    find_waba(&accounts, token, call, waba_id)?;
    let required = |name: &str| {
        call.param(name).ok_or_else(|| GraphError::parameter(format!("The parameter {name} is required.")))
    };
    let country_code = call.param("cc").map_or_else(|| required("country_code"), Ok)?;
    let (phone, name) = (required("phone_number")?, required("verified_name")?);
    let country_code = digits_of(&country_code);
    let digits = format!("{country_code}{}", digits_of(&phone));
    if accounts.numbers.values().any(|number| number.digits == digits) {
        return Err(GraphError::known(2_388_012, "This number is in an account already."));
    }
    let number = Number::new(object_id(), waba_id, &country_code, &digits, &name);
    let body = json!({"id": number.id});
    let synced = world.journal.append(&Record::Number(Cow::Borrowed(&number)));
    accounts.numbers.insert(number.id.clone(), number);
    Ok(Answer { synced: vec![synced], ..Answer::of(body).using(waba_id) })
}

pub(super) fn product(call: &Call) -> Result<(), GraphError> {
    match call.param("messaging_product").as_deref() {
        Some("whatsapp") => Ok(()),
        Some(other) => {
            Err(GraphError::parameter_with_text("Param messaging_product must be one of {WHATSAPP}", other))
        }
        None => Err(GraphError::parameter("The parameter messaging_product is required.")),
    }
}

fn pin(call: &Call) -> Result<Secret, GraphError> {
    let pin = call.param("pin").ok_or_else(|| GraphError::parameter("The parameter pin is required."))?;
    if pin.len() == 6 && pin.bytes().all(|digit| digit.is_ascii_digit()) {
        Ok(Secret::new(pin))
    } else {
        Err(GraphError::parameter("Param pin must be 6 characters long."))
    }
}
