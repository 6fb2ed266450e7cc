//! Looking at the accounts, adding to them, and making trouble for them.

use super::read::{Fields, Problem, parse};
use super::{Answered, kept};
use crate::accounts::{Death, MESSAGING, Number, Portfolio, Throughput, Token, Waba};
use crate::chance::object_id;
use crate::clock::rfc3339;
use crate::dialog::{Choice, NumberChoice, Scenario, grant};
use crate::graph::digits_of;
use crate::journal::{Record, Synced};
use crate::samples;
use crate::world::{World, locked};
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Path};
use serde_json::{Value, json};
use std::borrow::Cow;

/// `GET /control/state`. Secrets and tokens are left out.
pub(super) async fn state(world: Data<World>) -> HttpResponse {
    let accounts = locked(&world.accounts);
    let now_s = world.clock.now_s();
    let number = |number: &Number| {
        json!({
            "id": number.id, "display_phone_number": number.display, "verified_name": number.verified_name,
            "verified": number.verified, "registered": number.registered, "is_on_biz_app": number.on_biz_app,
            "has_pin": number.pin.is_some(), "register_calls": number.register_calls.len(),
            "code": number.code, "quality_rating": number.quality, "throughput": number.throughput,
        })
    };
    let waba = |waba: &Waba| {
        let tokens = accounts.tokens.values().filter(|token| token.sees(&waba.id)).map(|token| {
            json!({
                "scopes": token.scopes, "issued_at": rfc3339(token.issued_at * 1000),
                "expires_at": token.expires_at.map(|at| rfc3339(at * 1000)),
                "alive": token.dead.is_none() && !token.expired(now_s), "dead": token.dead,
            })
        });
        json!({
            "id": waba.id, "name": waba.name, "subscribed": waba.subscribed,
            "override_callback_uri": waba.override_callback,
            "numbers": accounts.numbers_of(&waba.id).map(number).collect::<Vec<_>>(),
            "tokens": tokens.collect::<Vec<_>>(),
        })
    };
    let portfolios = accounts.portfolios.values().map(|portfolio| {
        let wabas: Vec<_> = accounts.wabas_of(&portfolio.id).map(waba).collect();
        json!({"id": portfolio.id, "name": portfolio.name, "wabas": wabas})
    });
    HttpResponse::Ok().json(json!({
        "now": rfc3339(world.clock.now_ms()),
        "app": {
            "id": world.config.app.id, "config_id": world.config.app.config_id,
            "callback": accounts.app.callback,
        },
        "businesses": portfolios.collect::<Vec<_>>(),
        "webhooks_waiting": world.webhooks_pending(),
        "limits": world.limiter.settings(),
    }))
}

/// `POST /control/businesses {"name","country"?,"numbers":[{"display_phone_number","verified_name"?,"verified"?}]}`:
/// a portfolio with one WABA.
pub(super) async fn add_business(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let fields = Fields::of(&body, &["name", "country", "country_code", "numbers"])?;
    let name = fields.required_text("name")?;
    let country = fields.text("country")?.unwrap_or_else(|| "TZ".to_owned());
    let country_code = fields.text("country_code")?.unwrap_or_else(|| "255".to_owned());
    let portfolio = Portfolio { id: object_id(), name: name.clone() };
    let waba = Waba::new(object_id(), &portfolio.id, &name, &country);
    let mut numbers = Vec::new();
    for (index, value) in fields.list("numbers")?.iter().enumerate() {
        let known = ["display_phone_number", "verified_name", "verified", "registered"];
        let fields = Fields::within(value, format!("numbers[{index}]"), &known)?;
        let digits = digits_of(&fields.required_text("display_phone_number")?);
        let verified_name = fields.text("verified_name")?.unwrap_or_else(|| name.clone());
        let mut number = Number::new(object_id(), &waba.id, &country_code, &digits, &verified_name);
        number.verified = fields.flag("verified")?.unwrap_or(true);
        number.registered = fields.flag("registered")?.unwrap_or(false);
        numbers.push(number);
    }
    let answer = json!({
        "business_id": portfolio.id,
        "waba_id": waba.id,
        "phone_number_ids": numbers.iter().map(|number| &number.id).collect::<Vec<_>>(),
    });
    let synced = insert(&world, portfolio, waba, numbers);
    kept(synced, answer).await
}

fn insert(world: &World, portfolio: Portfolio, waba: Waba, numbers: Vec<Number>) -> Vec<Synced> {
    let mut accounts = locked(&world.accounts);
    let mut synced = vec![
        world.journal.append(&Record::Portfolio(Cow::Borrowed(&portfolio))),
        world.journal.append(&Record::Waba(Cow::Borrowed(&waba))),
    ];
    accounts.portfolios.insert(portfolio.id.clone(), portfolio);
    accounts.wabas.insert(waba.id.clone(), waba);
    for number in numbers {
        synced.push(world.journal.append(&Record::Number(Cow::Borrowed(&number))));
        accounts.numbers.insert(number.id.clone(), number);
    }
    synced
}

/// `PATCH /control/numbers/{id}` with what shall be different about a number.
pub(super) async fn change_number(world: Data<World>, id: Path<String>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let synced = changed_number(&world, &id, &body)?;
    kept(vec![synced], json!({"id": id.as_str()})).await
}

fn changed_number(world: &World, id: &str, body: &Value) -> Result<Synced, Problem> {
    let known = ["verified", "registered", "is_on_biz_app", "throughput", "quality_rating", "pin"];
    let fields = Fields::of(body, &known)?;
    let mut accounts = locked(&world.accounts);
    let number = accounts.numbers.get_mut(id).ok_or_else(|| Problem::unknown("id", "number"))?;
    let mut changed = number.clone();
    let set = |target: &mut bool, key| fields.flag(key).map(|flag| *target = flag.unwrap_or(*target));
    set(&mut changed.verified, "verified")?;
    set(&mut changed.registered, "registered")?;
    set(&mut changed.on_biz_app, "is_on_biz_app")?;
    match fields.text("throughput")?.as_deref() {
        None => {}
        Some("STANDARD") => changed.throughput = Throughput::Standard,
        Some("HIGH") => changed.throughput = Throughput::High,
        Some(_) => return Err(fields.problem("throughput", "must be STANDARD or HIGH")),
    }
    if let Some(quality) = fields.text("quality_rating")? {
        changed.quality = quality;
    }
    if body.get("pin").is_some() {
        changed.pin = fields.text("pin")?.map(Into::into);
    }
    *number = changed;
    Ok(world.journal.append(&Record::Number(Cow::Borrowed(number))))
}

/// `POST /control/tokens/{waba_id}/{action}`: what happens to every token of a WABA. Only `uninstall` and `unshare` are
/// followed by a webhook; Meta tells nobody that a token has died.
pub(super) async fn change_tokens(world: Data<World>, path: Path<(String, String)>) -> Answered {
    let (waba_id, action) = path.into_inner();
    let (waba, mut synced) = changed_tokens(&world, &waba_id, &action)?;
    let touched = synced.len();
    let event = match action.as_str() {
        "uninstall" => Some("PARTNER_APP_UNINSTALLED"),
        "unshare" => Some("PARTNER_REMOVED"),
        _ => None,
    };
    if let Some(event) = event {
        synced.push(world.notify(samples::partner_event(&world, event, &waba), 0));
    }
    kept(synced, json!({"tokens": touched})).await
}

fn changed_tokens(world: &World, waba_id: &str, action: &str) -> Result<(Waba, Vec<Synced>), Problem> {
    let mut accounts = locked(&world.accounts);
    let waba = accounts.wabas.get(waba_id).cloned().ok_or_else(|| Problem::unknown("waba_id", "WABA"))?;
    let now_s = world.clock.now_s();
    let change: &dyn Fn(&mut Token) = match action {
        "revoke" => &|token| token.dead = Some(Death::Revoked),
        "uninstall" => &|token| token.dead = Some(Death::Uninstalled),
        "invalidate" => &|token| token.dead = Some(Death::Invalidated),
        "expire" => &|token| token.expires_at = Some(now_s - 1),
        "forbid" => &|token| token.scopes.retain(|scope| scope != MESSAGING),
        "unshare" => &|token| token.waba_ids.retain(|id| id != waba_id),
        "revive" => &|token| {
            token.dead = None;
            token.expires_at = None;
        },
        _ => {
            let known = "revoke, uninstall, invalidate, expire, forbid, unshare or revive";
            return Err(Problem::at("action", &format!("must be {known}")));
        }
    };
    let tokens = accounts.tokens.values_mut().filter(|token| token.sees(waba_id));
    let synced = tokens.map(|token| {
        change(token);
        world.journal.append(&Record::Token(Cow::Borrowed(token)))
    });
    Ok((waba, synced.collect()))
}

/// `POST /control/signup {"waba_id"?,"phone_number_id"?,"scenario"?,"redirect_uri"?}`: what clicking through the dialog
/// yields, the code and the message event, without a browser.
pub(super) async fn sign_up(world: Data<World>, body: Bytes) -> Answered {
    let body = if body.is_empty() { json!({}) } else { parse(&body)? };
    let known = ["waba_id", "phone_number_id", "scenario", "redirect_uri", "business_name"];
    let fields = Fields::of(&body, &known)?;
    let scenario = match fields.text("scenario")? {
        None => Scenario::default(),
        Some(name) => {
            Scenario::named(&name).ok_or_else(|| fields.problem("scenario", "is not a known scenario"))?
        }
    };
    let number = match fields.text("phone_number_id")?.as_deref() {
        None | Some("new") => NumberChoice::New { verified: true },
        Some("new_unverified") => NumberChoice::New { verified: false },
        Some("none") => NumberChoice::None,
        Some(id) => NumberChoice::Existing(id.to_owned()),
    };
    let choice = Choice {
        waba_id: fields.text("waba_id")?,
        business_name: fields.text("business_name")?,
        number,
        scenario,
        redirect_uri: fields.text("redirect_uri")?,
        coexistence: false,
    };
    let granted = grant(&world, &choice).map_err(|problem| Problem::new(422, None, problem))?;
    let answer = json!({
        "code": granted.code.as_ref().map_or(Value::Null, |code| json!(code)),
        "message": granted.session,
    });
    kept(granted.synced, answer).await
}
