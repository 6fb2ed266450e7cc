//! The pretend login dialog and its JavaScript SDK: Embedded Signup as a customer's browser meets it.

mod grant;
mod pages;
mod request;
mod sdk;

pub(crate) use grant::{Choice, NumberChoice, Scenario, grant};
pub(crate) use request::is_loopback;
pub(crate) use sdk::{Sdk, serve as serve_sdk};

use crate::world::World;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Bytes, Data};
use request::{Form, Request};
use serde_json::{Value, json};

/// `GET /dialog/oauth`: the first page, or a refusal.
pub(crate) async fn open(request: actix_web::HttpRequest, world: Data<World>) -> HttpResponse {
    let form = Form::parse(request.query_string().as_bytes());
    match Request::read(&form, &world.config.app) {
        Ok(request) => page(pages::login(&request)),
        Err(refusal) => page(pages::refused(refusal)),
    }
}

/// `POST /dialog/oauth`: every further step. What was asked for travels along in hidden fields and is checked again.
pub(crate) async fn step(world: Data<World>, body: Bytes) -> HttpResponse {
    let form = Form::parse(&body);
    let request = match Request::read(&form, &world.config.app) {
        Ok(request) => request,
        Err(refusal) => return page(pages::refused(refusal)),
    };
    let cancelled = form.get("action") == Some("cancel");
    match form.get("step") {
        Some("login") if cancelled => leave(&request, "BUSINESS_ACCOUNT_SELECTION"),
        Some("login") => page(pages::choose(&request, &world)),
        Some("choose") if cancelled => leave(&request, "PHONE_NUMBER_SETUP"),
        Some("choose") => page(pages::allow(&request, &form)),
        Some("allow") if cancelled => leave(&request, "PERMISSIONS"),
        Some("allow") => allow(&request, &form, &world).await,
        _ => page(pages::login(&request)),
    }
}

fn page(html: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html)
}

fn leave(request: &Request, step: &str) -> HttpResponse {
    if let Some(uri) = &request.redirect_uri {
        let denied = [
            ("error", "access_denied"),
            ("error_code", "200"),
            ("error_description", "Permissions error"),
            ("error_reason", "user_denied"),
        ];
        return back(uri, &denied, request.state.as_deref());
    }
    let event = json!({"type": "WA_EMBEDDED_SIGNUP", "event": "CANCEL", "data": {"current_step": step}});
    page(pages::done(request, &[Post::session(&event), Post::outcome(request, None)]))
}

async fn allow(request: &Request, form: &Form, world: &World) -> HttpResponse {
    let choice = match request.choice(form) {
        Ok(choice) => choice,
        Err(refusal) => return page(pages::refused(refusal)),
    };
    let scenario = choice.scenario;
    let granted = match grant(world, &choice) {
        Ok(granted) => granted,
        Err(refusal) => return page(pages::refused(&refusal)),
    };
    for synced in granted.synced {
        if synced.wait().await.is_err() {
            return HttpResponse::InternalServerError().finish();
        }
    }
    let code = granted.code.as_ref().map(crate::Secret::expose);
    if let Some(uri) = &request.redirect_uri {
        return match code {
            Some(code) => back(uri, &[("code", code)], request.state.as_deref()),
            None => leave(request, "PERMISSIONS"),
        };
    }
    let mut posts: Vec<_> = granted.session.iter().map(Post::session).collect();
    let outcome = Post::outcome(request, code);
    let place = if scenario == Scenario::CodeFirst { 0 } else { posts.len() };
    posts.insert(place, outcome);
    // Other frames of the real dialog talk too, and not in JSON.
    posts.insert(0, Post { data: "_xd=1&arbiter=sandbox".to_owned(), after_ms: 0 });
    page(pages::done(request, &posts))
}

/// One `postMessage` to the window that opened the dialog.
#[derive(Debug, serde::Serialize)]
struct Post {
    data: String,
    after_ms: u32,
}

impl Post {
    fn session(event: &Value) -> Self {
        Self { data: event.to_string(), after_ms: 60 }
    }

    /// For the SDK, which hands the code to the callback of `FB.login`.
    fn outcome(request: &Request, code: Option<&str>) -> Self {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.append_pair("cb", request.channel.as_deref().unwrap_or_default());
        if let Some(code) = code {
            text.append_pair("code", code);
        }
        Self { data: text.finish(), after_ms: 60 }
    }
}

fn back(uri: &str, answer: &[(&str, &str)], state: Option<&str>) -> HttpResponse {
    let Ok(mut address) = url::Url::parse(uri) else {
        return page(pages::refused("The redirect address is not a URL."));
    };
    address.query_pairs_mut().extend_pairs(answer).extend_pairs(state.map(|state| ("state", state)));
    HttpResponse::Found()
        .insert_header((LOCATION, address.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
