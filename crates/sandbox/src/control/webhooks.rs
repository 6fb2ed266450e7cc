//! Webhooks on demand: any change of any field, and bodies that are wrong on purpose.

use super::read::{Fields, Problem, parse};
use super::{Answered, kept};
use crate::accounts::Destination;
use crate::webhooks::{Change, escape, signature};
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::{Value, json};

/// `POST /control/change {"waba_id","field","value","phone_number_id"?,"entry_id"?,"timed"?}`: queued and repeated
/// like every webhook. Without `waba_id` it goes to the app's callback, whoever is subscribed.
pub(super) async fn change(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["waba_id", "phone_number_id", "entry_id", "field", "value", "timed"])?;
    let waba_id = fields.text("waba_id")?;
    if let Some(waba_id) = &waba_id
        && !locked(&world.accounts).wabas.contains_key(waba_id)
    {
        return Err(Problem::unknown("waba_id", "WABA"));
    }
    let field = fields.required_text("field")?;
    let value = fields.value("value").ok_or_else(|| fields.problem("value", "is required"))?;
    let entry_id = fields.text("entry_id")?.or_else(|| waba_id.clone()).unwrap_or_else(|| "0".to_owned());
    let timed = fields.flag("timed")?.unwrap_or(field != "messages");
    let phone_number_id = fields.text("phone_number_id")?;
    let change = Change { entry_id, waba_id, phone_number_id, field, value: value.to_string(), timed };
    kept(vec![world.notify(change, 0)], json!({"queued": true})).await
}

/// `POST /control/raw {"body": object or text, "signature": "good"|"wrong"|"none"}`: sent once, at once, to the app's
/// callback. The answer tells what the callback answered.
pub(super) async fn raw(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["body", "signature"])?;
    let bytes = match fields.value("body") {
        None => return Err(fields.problem("body", "is required")),
        Some(Value::String(text)) => text.clone(),
        Some(value) => escape(&value.to_string()),
    };
    let (url, secret) = {
        let accounts = locked(&world.accounts);
        match accounts.app_destination() {
            Destination::App(url) | Destination::Override(url) => (url, accounts.app.secret.clone()),
            Destination::NotYet | Destination::Nowhere => {
                return Err(Problem::new(409, None, "there is no verified callback"));
            }
        }
    };
    let mut request = world.client.post(url).header("content-type", "application/json");
    match fields.text("signature")?.as_deref() {
        None | Some("good") => {
            request = request.header("x-hub-signature-256", signature(secret.expose(), bytes.as_bytes()));
        }
        Some("wrong") => {
            request = request.header("x-hub-signature-256", signature("another secret", bytes.as_bytes()));
        }
        Some("none") => {}
        Some(_) => return Err(fields.problem("signature", "must be good, wrong or none")),
    }
    match request.body(bytes).send().await {
        Ok(answer) => Ok(HttpResponse::Ok().json(json!({"status": answer.status().as_u16()}))),
        Err(error) => {
            Err(Problem::new(502, None, format!("the callback cannot be reached: {}", error.without_url())))
        }
    }
}
