//! Which webhooks go where: the app's callback, and a WABA's subscription with its optional override.

use super::access::{Caller, business, caller, waba as find};
use super::call::Call;
use super::error::GraphError;
use super::{Answer, Answered};
use crate::accounts::{Callback, Waba};
use crate::config::is_http_url;
use crate::journal::Record;
use crate::webhooks;
use crate::world::{World, locked};
use actix_web::http::Method;
use serde_json::json;
use std::borrow::Cow;

const LONGEST_OVERRIDE: usize = 200;

/// `/{waba}/subscribed_apps`.
pub(super) async fn of_waba(world: &World, call: &Call, id: &str) -> Answered {
    {
        let accounts = locked(&world.accounts);
        let token = business(world, &accounts, call)?;
        let waba = find(&accounts, token, call, id)?;
        if call.method == Method::GET {
            return Ok(Answer::of(json!({"data": subscribed(world, waba)})).using(id));
        }
    }
    let text = |name| call.param(name).unwrap_or_default().into_owned();
    match call.method {
        // Without an override in it, the call also takes away an earlier one.
        Method::POST => {
            let url = checked(world, &text("override_callback_uri"), &text("verify_token")).await?;
            change(world, id, |waba| {
                waba.subscribed = true;
                waba.override_callback = url;
            })
        }
        Method::DELETE => change(world, id, |waba| {
            waba.subscribed = false;
            waba.override_callback = None;
        }),
        _ => Err(GraphError::unknown_object(call.method.as_str(), id)),
    }
}

fn subscribed(world: &World, waba: &Waba) -> Vec<serde_json::Value> {
    let app = json!({"id": world.config.app.id, "link": world.public_url, "name": "Sandbox"});
    let mut entry = json!({"whatsapp_business_api_data": app});
    if let Some(url) = &waba.override_callback {
        entry["override_callback_uri"] = json!(url);
    }
    if waba.subscribed { vec![entry] } else { Vec::new() }
}

fn change(world: &World, id: &str, change: impl FnOnce(&mut Waba)) -> Answered {
    let mut accounts = locked(&world.accounts);
    let waba = accounts.wabas.get_mut(id).ok_or_else(|| GraphError::unknown_object("post", id))?;
    change(waba);
    let synced = world.journal.append(&Record::Waba(Cow::Borrowed(waba)));
    Ok(Answer::success(synced).using(id))
}

/// `/{app}/subscriptions`, with the app's token.
pub(super) async fn of_app(world: &World, call: &Call, id: &str) -> Answered {
    {
        let accounts = locked(&world.accounts);
        let Caller::App = caller(world, &accounts, call)? else {
            return Err(GraphError::permission(15, "an app access token"));
        };
        if id != world.config.app.id {
            return Err(GraphError::unknown_object(call.method.as_str(), id));
        }
        if call.method == Method::GET {
            let entry = |callback: &Callback| json!({"object": "whatsapp_business_account", "callback_url": callback.url, "active": callback.verified});
            let data: Vec<_> = accounts.app.callback.iter().map(entry).collect();
            return Ok(Answer::of(json!({"data": data})));
        }
    }
    if call.method != Method::POST {
        return Err(GraphError::unknown_object(call.method.as_str(), id));
    }
    let text = |name| call.param(name).unwrap_or_default().into_owned();
    if text("object") != "whatsapp_business_account" {
        return Err(GraphError::parameter("Param object must be one of {whatsapp_business_account}"));
    }
    let (url, verify_token) = (text("callback_url"), text("verify_token"));
    let Some(url) = checked(world, &url, &verify_token).await? else {
        return Err(GraphError::parameter("The parameter callback_url is required."));
    };
    locked(&world.accounts).app.verify_token = verify_token.into();
    Ok(Answer::success(webhooks::set_callback(world, &url, true)))
}

/// An override counts only after its address has answered the handshake. Empty means none.
pub(super) async fn checked(
    world: &World,
    url: &str,
    verify_token: &str,
) -> Result<Option<String>, GraphError> {
    if url.is_empty() {
        return Ok(None);
    }
    if url.len() > LONGEST_OVERRIDE || !is_http_url(url) {
        return Err(GraphError::parameter("The callback address must be a URL of at most 200 characters."));
    }
    let outcome = webhooks::verify(&world.client, url, verify_token).await;
    outcome.map_err(|reason| {
        GraphError::parameter_with_text(
            "The callback address could not be verified.",
            format!("It {reason}."),
        )
    })?;
    Ok(Some(url.to_owned()))
}
