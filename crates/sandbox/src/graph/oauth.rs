//! Tokens: buying one with a code, looking at it, prolonging it, giving it back.

use super::access::{alive, business, is_app_token, same, why_dead};
use super::call::Call;
use super::error::GraphError;
use super::{Answer, Answered, fields};
use crate::Secret;
use crate::accounts::{Accounts, Death, Token};
use crate::chance::{access_token as new_token, object_id};
use crate::journal::Record;
use crate::samples;
use crate::world::{World, locked};
use serde_json::{Value, json};
use std::borrow::Cow;

const CODE_LIVES_MS: i64 = 30_000;
const SIXTY_DAYS_S: i64 = 60 * 86_400;

pub(super) fn access_token(world: &World, call: &Call) -> Answered {
    let mut accounts = locked(&world.accounts);
    check_client(world, &accounts, call)?;
    match call.param("grant_type").as_deref() {
        None | Some("" | "authorization_code") => exchange_code(world, &mut accounts, call),
        Some("client_credentials") => {
            let token = format!("{}|{}", world.config.app.id, accounts.app.secret.expose());
            Ok(Answer::of(json!({"access_token": token, "token_type": "bearer"})))
        }
        Some("fb_exchange_token") => refresh(world, &mut accounts, call),
        Some(other) => Err(GraphError::parameter(format!("Invalid grant_type: {other}"))),
    }
}

fn check_client(world: &World, accounts: &Accounts, call: &Call) -> Result<(), GraphError> {
    let id = call.param("client_id").ok_or_else(|| GraphError::code_exchange_missing("client_id"))?;
    if id != world.config.app.id.as_str() {
        return Err(GraphError::client_id());
    }
    let secret =
        call.param("client_secret").ok_or_else(|| GraphError::code_exchange_missing("client_secret"))?;
    if same(&secret, accounts.app.secret.expose()) { Ok(()) } else { Err(GraphError::client_secret()) }
}

fn exchange_code(world: &World, accounts: &mut Accounts, call: &Call) -> Answered {
    let code = call.param("code").ok_or_else(|| GraphError::code_exchange_missing("code"))?;
    let now_ms = world.clock.now_ms();
    let Some(code) = accounts.codes.get_mut(code.as_ref()) else {
        return Err(GraphError::code_exchange(36_009, "Invalid verification code format."));
    };
    if code.used {
        return Err(GraphError::code_exchange(36_009, "This authorization code has been used."));
    }
    if now_ms - code.issued_ms > CODE_LIVES_MS {
        return Err(GraphError::code_exchange(36_007, "This authorization code has expired."));
    }
    // The popup has no redirect address; clients leave it out or send it empty.
    let given = call.param("redirect_uri").filter(|uri| !uri.is_empty());
    if given.as_deref() != code.redirect_uri.as_deref() {
        return Err(GraphError::code_exchange(
            36_008,
            "Error validating verification code: redirect_uri is not the one used in the login dialog.",
        ));
    }
    code.used = true;
    let used = world.journal.append(&Record::Code(Cow::Borrowed(code)));
    let code = code.clone();
    let Some(waba) = accounts.wabas.get(&code.waba_id).cloned() else {
        return Err(GraphError::unknown_object("get", &code.waba_id));
    };
    let issued_at = now_ms / 1000;
    let token = Token {
        text: Secret::new(new_token()),
        system_user_id: object_id(),
        portfolio_id: waba.portfolio_id.clone(),
        waba_ids: vec![waba.id.clone()],
        scopes: code.scopes,
        targets_absent: code.targets_absent,
        issued_at,
        expires_at: code.token_days.map(|days| issued_at + i64::from(days) * 86_400),
        dead: None,
        proof: Secret::default(),
    };
    let answer = issued(&token, issued_at);
    let kept = world.journal.append(&Record::Token(Cow::Borrowed(&token)));
    accounts.add_token(token);
    let installed = samples::partner_event(world, "PARTNER_APP_INSTALLED", &waba);
    let told = world.notify(installed, 300);
    Ok(Answer { synced: vec![used, kept, told], ..Answer::of(answer) })
}

/// Gives a token of another sixty days. The old one goes on until its own end.
fn refresh(world: &World, accounts: &mut Accounts, call: &Call) -> Answered {
    let old = call
        .param("fb_exchange_token")
        .ok_or_else(|| GraphError::code_exchange_missing("fb_exchange_token"))?;
    let now = world.clock.now_s();
    let old = alive(world, accounts, &old)?;
    let asked = call.param("set_token_expires_in_60_days").is_some_and(|value| value == "true");
    let token = Token {
        text: Secret::new(new_token()),
        issued_at: now,
        expires_at: if old.expires_at.is_some() || asked { Some(now + SIXTY_DAYS_S) } else { None },
        proof: Secret::default(),
        ..old.clone()
    };
    let answer = issued(&token, now);
    let kept = world.journal.append(&Record::Token(Cow::Borrowed(&token)));
    accounts.add_token(token);
    Ok(Answer { synced: vec![kept], ..Answer::of(answer) })
}

fn issued(token: &Token, now: i64) -> Value {
    let mut body = json!({"access_token": token.text, "token_type": "bearer"});
    if let Some(at) = token.expires_at {
        body["expires_in"] = json!(at - now);
    }
    body
}

pub(super) fn revoke(world: &World, call: &Call) -> Answered {
    let mut accounts = locked(&world.accounts);
    check_client(world, &accounts, call)?;
    let token = call.token().ok_or_else(GraphError::no_token)?;
    if !is_app_token(world, &accounts, &token) {
        alive(world, &accounts, &token)?;
    }
    let victim =
        call.param("revoke_token").ok_or_else(|| GraphError::code_exchange_missing("revoke_token"))?;
    let Some(victim) = accounts.tokens.get_mut(victim.as_ref()) else {
        return Err(GraphError::token(None, "Invalid OAuth access token - Cannot parse access token"));
    };
    victim.dead.get_or_insert(Death::Revoked);
    let kept = world.journal.append(&Record::Token(Cow::Borrowed(victim)));
    // The documented answer is a string.
    Ok(Answer { synced: vec![kept], ..Answer::of(json!({"success": "true"})) })
}

pub(super) fn debug_token(world: &World, call: &Call) -> Answered {
    let accounts = locked(&world.accounts);
    let by = call.token().ok_or_else(GraphError::no_token)?;
    if !is_app_token(world, &accounts, &by) {
        alive(world, &accounts, &by)?;
    }
    let input = call
        .param("input_token")
        .ok_or_else(|| GraphError::parameter("The parameter input_token is required."))?;
    let app_id = &world.config.app.id;
    if is_app_token(world, &accounts, &input) {
        let data = json!({"app_id": app_id, "type": "APP", "application": "Sandbox", "is_valid": true, "scopes": []});
        return Ok(Answer::of(json!({"data": data})));
    }
    let Some(token) = accounts.tokens.get(input.as_ref()) else {
        let error = json!({"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"});
        return Ok(Answer::of(json!({"data": {"error": error, "is_valid": false, "scopes": []}})));
    };
    let now = world.clock.now_s();
    let granular: Vec<_> = token
        .scopes
        .iter()
        .map(|scope| {
            if token.targets_absent {
                json!({"scope": scope})
            } else {
                json!({"scope": scope, "target_ids": token.waba_ids})
            }
        })
        .collect();
    let mut data = json!({
        "app_id": app_id,
        "type": "SYSTEM_USER",
        "application": "Sandbox",
        "data_access_expires_at": token.expires_at.unwrap_or(0),
        "expires_at": token.expires_at.unwrap_or(0),
        "is_valid": true,
        "issued_at": token.issued_at,
        "scopes": token.scopes,
        "granular_scopes": granular,
        "user_id": token.system_user_id,
    });
    if let Some((subcode, reason)) = why_dead(token, now) {
        data["is_valid"] = json!(false);
        data["error"] = json!({"code": 190, "message": format!("Error validating access token: {reason}")});
        if let Some(subcode) = subcode {
            data["error"]["subcode"] = json!(subcode);
        }
    }
    Ok(Answer::of(json!({"data": data})))
}

pub(super) fn me(world: &World, call: &Call) -> Answered {
    let accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let all = json!({
        "id": token.system_user_id,
        "name": "Sandbox system user",
        "client_business_id": token.portfolio_id,
    });
    fields::select(call, &all, &["id", "name"], "SystemUser").map(Answer::of)
}
