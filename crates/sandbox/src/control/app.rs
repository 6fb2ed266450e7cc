//! The app's settings, the limits, the clock, and the way back to a clean log.

use super::read::{Fields, Problem, parse};
use super::{Answered, kept};
use crate::config::is_http_url;
use crate::journal::Record;
use crate::limits::{Limits, PairLimit};
use crate::webhooks::set_callback;
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::json;

pub(super) async fn reset(world: Data<World>) -> Answered {
    let synced = world.reset();
    synced.wait().await.map_err(|error| Problem::new(500, None, error))?;
    Ok(HttpResponse::NoContent().finish())
}

/// What `/control/state` says of the app, without all the accounts.
pub(super) async fn get(world: Data<World>) -> HttpResponse {
    let config = &world.config.app;
    let callback = locked(&world.accounts).app.callback.clone();
    HttpResponse::Ok().json(json!({"id": config.id, "config_id": config.config_id, "callback": callback}))
}

/// `PUT /control/app {"callback_url"?, "app_secret"?, "verify_token"?}`.
pub(super) async fn put(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["callback_url", "app_secret", "verify_token"])?;
    let callback = fields.text("callback_url")?;
    if callback.as_ref().is_some_and(|url| !is_http_url(url)) {
        return Err(fields.problem("callback_url", "must be an http or https URL"));
    }
    let (secret, verify_token) = (fields.text("app_secret")?, fields.text("verify_token")?);
    let url = {
        let mut accounts = locked(&world.accounts);
        let mut app = accounts.app.clone();
        if let Some(secret) = secret {
            app.secret = secret.into();
        }
        if let Some(token) = verify_token {
            app.verify_token = token.into();
            // Changing the token makes Meta ask again.
            if let Some(callback) = &mut app.callback {
                callback.verified = false;
            }
        }
        accounts.set_app(app);
        callback.or_else(|| accounts.app.callback.as_ref().map(|callback| callback.url.clone()))
    };
    let synced = match &url {
        Some(url) => set_callback(&world, url, false),
        None => world.journal.append(&Record::App(std::borrow::Cow::Borrowed(&locked(&world.accounts).app))),
    };
    kept(vec![synced], json!({"callback_url": url})).await
}

pub(super) async fn get_limits(world: Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(world.limiter.settings())
}

/// Members that are left out keep their value; null switches a limit off.
pub(super) async fn put_limits(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["throughput_per_s", "pair", "service_window"])?;
    let mut limits: Limits = world.limiter.settings();
    let given = |key: &str| body.get(key).is_some();
    let positive = |fields: &Fields<'_>, key: &str| match fields.count(key)?.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(number @ 1..)) => Ok(Some(number)),
        Some(_) => Err(fields.problem(key, "must be at least 1")),
    };
    if given("throughput_per_s") {
        limits.throughput_per_s = positive(&fields, "throughput_per_s")?;
    }
    if given("pair") {
        limits.pair = match fields.value("pair") {
            None => None,
            Some(pair) => {
                let fields = Fields::within(pair, "pair".to_owned(), &["seconds", "burst"])?;
                let required =
                    |key: &str| positive(&fields, key)?.ok_or_else(|| fields.problem(key, "is required"));
                Some(PairLimit { seconds: required("seconds")?, burst: required("burst")? })
            }
        };
    }
    if let Some(service_window) = fields.flag("service_window")? {
        limits.service_window = service_window;
    }
    world.limiter.set(limits);
    kept(vec![world.journal.append(&Record::Limits(limits))], json!(limits)).await
}

/// `POST /control/clock {"advance_s": 3600}`. Codes and tokens age; webhooks are not hurried.
pub(super) async fn advance(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["advance_s"])?;
    let seconds = fields.count("advance_s")?.ok_or_else(|| fields.problem("advance_s", "is required"))?;
    let seconds =
        u32::try_from(seconds).map_err(|_| fields.problem("advance_s", "is more than a hundred years"))?;
    world.clock.advance(seconds);
    let now = crate::clock::rfc3339(world.clock.now_ms());
    kept(vec![world.journal.append(&Record::Clock(world.clock.offset_ms()))], json!({"now": now})).await
}
