//! Meta's Graph API, as far as a messaging gateway uses it.

mod access;
mod call;
mod error;
mod fields;
mod form;
mod media;
mod messages;
mod nodes;
mod numbers;
mod oauth;
mod paging;
mod recipient;
mod shop;
mod subscriptions;
mod templates;
mod validate;

pub(crate) use media::content;
pub(crate) use recipient::digits_of;

use crate::cut::cut;
use crate::faults::{Act, Asked, Cut};
use crate::journal::{Record, Synced};
use crate::sent::Outcome;
use crate::world::World;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use call::Call;
use error::GraphError;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// A success: its JSON, and the WABA whose quota it used.
#[derive(Debug)]
struct Answer {
    body: Value,
    waba_id: Option<String>,
    /// Has to be on disk before this is answered.
    synced: Vec<Synced>,
}

impl Answer {
    fn of(body: Value) -> Self {
        Self { body, waba_id: None, synced: Vec::new() }
    }

    fn success(synced: Synced) -> Self {
        Self { synced: vec![synced], ..Self::of(json!({"success": true})) }
    }

    fn using(self, waba_id: &str) -> Self {
        Self { waba_id: Some(waba_id.to_owned()), ..self }
    }
}

type Answered = Result<Answer, GraphError>;

/// Every request under `/graph/`.
pub(crate) async fn handle(
    request: HttpRequest,
    path: web::Path<String>,
    body: Bytes,
    world: web::Data<World>,
) -> HttpResponse {
    let call = Call::read(&request, &path, body);
    let segments = call.segments();
    let to = call.param("to").or_else(|| call.param("recipient"));
    let asked = Asked { segments: &segments, to: to.as_deref() };
    let act = world.faults.pick(&asked, &world.chance, |set| {
        world.journal.append_lazily(&Record::Faults(Cow::Borrowed(set)));
    });
    let Some(act) = act else { return respond(&call, carry_out(&world, &call, None).await) };

    if act.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(act.delay_ms)).await;
    }
    if act.cut == Some(Cut::Before) {
        note_refusal(&world, &call, Outcome::Cut);
        cut(&request);
        return HttpResponse::ServiceUnavailable().finish();
    }
    let scripted = scripted(&call, &act);
    let response = match scripted {
        Some(response) if act.carry_out => {
            let _unheard = carry_out(&world, &call, Some(&act)).await;
            response
        }
        Some(response) => {
            note_refusal(&world, &call, Outcome::Rejected);
            response
        }
        None => respond(&call, carry_out(&world, &call, Some(&act)).await),
    };
    if act.cut == Some(Cut::After) {
        cut(&request);
    }
    response
}

async fn carry_out(world: &World, call: &Call, act: Option<&Act>) -> Answered {
    let mut answer = route(world, call, act).await?;
    for synced in answer.synced.drain(..) {
        synced.wait().await.map_err(|_| GraphError::unavailable())?;
    }
    Ok(answer)
}

async fn route(world: &World, call: &Call, act: Option<&Act>) -> Answered {
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::POST, [number, "messages" | "marketing_messages"]) => {
            messages::send(world, call, number, act)
        }
        (&Method::GET | &Method::POST, ["oauth", "access_token"]) => oauth::access_token(world, call),
        (&Method::GET | &Method::POST, ["oauth", "revoke"]) => oauth::revoke(world, call),
        (&Method::GET, ["debug_token"]) => oauth::debug_token(world, call),
        (&Method::GET, ["me"]) => oauth::me(world, call),
        (_, [id, "subscriptions"]) => subscriptions::of_app(world, call, id).await,
        (_, [id, "subscribed_apps"]) => subscriptions::of_waba(world, call, id).await,
        (&Method::POST, [number, edge @ ("register" | "deregister" | "request_code" | "verify_code")]) => {
            numbers::edge(world, call, number, edge)
        }
        (&Method::GET, [id, "phone_numbers"]) => nodes::phone_numbers(world, call, id),
        (&Method::GET, [id, "message_templates"]) => templates::list(world, call, id),
        (&Method::POST, [id, "message_templates"]) => templates::create(world, call, id),
        (&Method::DELETE, [id, "message_templates"]) => templates::delete(world, call, id),
        (&Method::GET | &Method::POST, [number, "whatsapp_business_profile"]) => {
            shop::profile(world, call, number)
        }
        (_, [number, "block_users"]) => shop::block_users(world, call, number),
        (&Method::GET | &Method::POST, [number, "message_qrdls"]) => {
            shop::qr_codes(world, call, number, None)
        }
        (&Method::GET | &Method::DELETE, [number, "message_qrdls", code]) => {
            shop::qr_codes(world, call, number, Some(code))
        }
        (&Method::POST, [number, "media"]) => media::upload(world, call, number),
        (&Method::GET | &Method::DELETE, [id]) if media::has(world, id) => media::one(world, call, id),
        (&Method::POST, [id, "phone_numbers"]) => numbers::add(world, call, id),
        (&Method::GET | &Method::POST, [id]) if templates::has(world, id) => templates::one(world, call, id),
        (&Method::GET, [id]) => nodes::read(world, call, id),
        (&Method::POST, [id]) => numbers::change(world, call, id).await,
        (method, [id]) => Err(GraphError::unknown_object(method.as_str(), id)),
        _ => Err(GraphError::unknown_path(&call.path)),
    }
}

/// The sent log shows requests that a fault kept from being looked at.
fn note_refusal(world: &World, call: &Call, outcome: Outcome) {
    if let [number, "messages" | "marketing_messages"] = call.segments().as_slice() {
        let _not_waited_for = world.record_sent(number, outcome, call.received(), None);
    }
}

/// What a rule answers instead of Graph, if it does.
fn scripted(call: &Call, act: &Act) -> Option<HttpResponse> {
    if let Some(members) = &act.error {
        let (status, body) = GraphError::scripted(members, act.status);
        return Some(headed(call, status).json(body));
    }
    match act.status {
        // What the outermost proxy says when what is behind it is in trouble.
        Some(status @ 500..) => Some(
            HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
                .content_type("text/html; charset=utf-8")
                .body("<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"),
        ),
        Some(status @ 400..500) => Some(headed(call, status).json(GraphError::for_status(status).json())),
        _ => None,
    }
}

fn respond(call: &Call, answered: Answered) -> HttpResponse {
    match answered {
        Ok(answer) => {
            let mut response = headed(call, 200);
            if let Some(waba) = &answer.waba_id {
                response.insert_header(("x-business-use-case-usage", usage(waba)));
            }
            response.json(answer.body)
        }
        Err(error) => headed(call, error.status).json(error.json()),
    }
}

fn headed(call: &Call, status: u16) -> actix_web::HttpResponseBuilder {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    let (major, minor) = call.version;
    response.insert_header(("facebook-api-version", format!("v{major}.{minor}")));
    response
}

/// Percentages of the quota, and minutes.
fn usage(waba: &str) -> String {
    let kind = |name| {
        format!(
            r#"{{"type":"{name}","call_count":1,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}}"#
        )
    };
    format!(r#"{{"{waba}":[{},{}]}}"#, kind("whatsapp"), kind("whatsapp_business_management"))
}
