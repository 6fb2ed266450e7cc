//! Who is calling, and what they may see.

use super::call::Call;
use super::error::GraphError;
use crate::accounts::{Accounts, Death, MANAGEMENT, Number, Token, Waba};
use crate::world::World;
use subtle::ConstantTimeEq;

pub(super) enum Caller<'a> {
    /// `<app id>|<app secret>`.
    App,
    Business(&'a Token),
}

pub(super) fn caller<'a>(
    world: &World,
    accounts: &'a Accounts,
    call: &Call,
) -> Result<Caller<'a>, GraphError> {
    let token = call.token().ok_or_else(GraphError::no_token)?;
    if is_app_token(world, accounts, &token) {
        return Ok(Caller::App);
    }
    let token = alive(world, accounts, &token)?;
    match call.param("appsecret_proof") {
        Some(proof) if same(&proof, token.proof.expose()) => Ok(Caller::Business(token)),
        Some(_) => Err(GraphError::proof("Invalid appsecret_proof provided in the API argument")),
        None if world.config.app.require_secret => {
            Err(GraphError::proof("API calls from the server require an appsecret_proof argument"))
        }
        None => Ok(Caller::Business(token)),
    }
}

pub(super) fn business<'a>(
    world: &World,
    accounts: &'a Accounts,
    call: &Call,
) -> Result<&'a Token, GraphError> {
    match caller(world, accounts, call)? {
        Caller::Business(token) => Ok(token),
        Caller::App => Err(GraphError::permission(200, MANAGEMENT)),
    }
}

/// The token if it still works, else why not.
pub(super) fn alive<'a>(world: &World, accounts: &'a Accounts, token: &str) -> Result<&'a Token, GraphError> {
    let Some(token) = accounts.tokens.get(token) else {
        return Err(GraphError::token(None, "Invalid OAuth access token - Cannot parse access token"));
    };
    match why_dead(token, world.clock.now_s()) {
        None => Ok(token),
        Some((subcode, reason)) => {
            Err(GraphError::token(subcode, format!("Error validating access token: {reason}")))
        }
    }
}

pub(super) fn why_dead(token: &Token, now_s: i64) -> Option<(Option<u32>, &'static str)> {
    match token.dead {
        Some(Death::Revoked) => {
            Some((None, "The session has been invalidated because the token was revoked."))
        }
        Some(Death::Uninstalled) => Some((Some(458), "The user has not authorized the application.")),
        Some(Death::Invalidated) => Some((Some(467), "The session has been invalidated.")),
        None if token.expired(now_s) => Some((Some(463), "The session has expired.")),
        None => None,
    }
}

pub(super) fn is_app_token(world: &World, accounts: &Accounts, token: &str) -> bool {
    token
        .split_once('|')
        .is_some_and(|(id, secret)| id == world.config.app.id && same(secret, accounts.app.secret.expose()))
}

pub(super) fn same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

/// The number, if it exists, the token sees its WABA and has the permission.
pub(super) fn number<'a>(
    accounts: &'a Accounts,
    token: &Token,
    call: &Call,
    id: &str,
    permission: &str,
) -> Result<&'a Number, GraphError> {
    let number = accounts.numbers.get(id).filter(|number| token.sees(&number.waba_id));
    let number = number.ok_or_else(|| GraphError::unknown_object(call.method.as_str(), id))?;
    if token.has_scope(permission) { Ok(number) } else { Err(GraphError::permission(10, permission)) }
}

pub(super) fn waba<'a>(
    accounts: &'a Accounts,
    token: &Token,
    call: &Call,
    id: &str,
) -> Result<&'a Waba, GraphError> {
    let waba = accounts.wabas.get(id).filter(|_| token.sees(id));
    let waba = waba.ok_or_else(|| GraphError::unknown_object(call.method.as_str(), id))?;
    if token.has_scope(MANAGEMENT) { Ok(waba) } else { Err(GraphError::permission(200, MANAGEMENT)) }
}
