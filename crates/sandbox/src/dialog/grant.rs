//! What happens on the platform when a customer says yes: perhaps a new business or number, a code, and the message
//! for the page that opened the dialog.

use crate::Secret;
use crate::accounts::{Accounts, Code, MANAGEMENT, MESSAGING, Number, Portfolio, Waba};
use crate::chance::{object_id, random, random_hex};
use crate::journal::{Record, Synced};
use crate::samples;
use crate::world::{World, locked};
use serde_json::{Value, json};
use std::borrow::Cow;

pub(crate) struct Choice {
    /// `None` makes a new business.
    pub(crate) waba_id: Option<String>,
    pub(crate) business_name: Option<String>,
    pub(crate) number: NumberChoice,
    pub(crate) scenario: Scenario,
    pub(crate) redirect_uri: Option<String>,
    /// The number stays in the WhatsApp Business app.
    pub(crate) coexistence: bool,
}

pub(crate) enum NumberChoice {
    Existing(String),
    New { verified: bool },
    None,
}

/// How a signup goes, including the ways in which it goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scenario {
    #[default]
    IdsFirst,
    CodeFirst,
    NoIds,
    NoCode,
    WrongIds,
    ExpiredCode,
    NeverExpires,
    NoTargets,
    MissingPermission,
    ReportedError,
    FlowError,
}

impl Scenario {
    pub(crate) const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::IdsFirst, "ids_first", "As usual: the ids, then the code"),
        (Self::CodeFirst, "code_first", "The code before the ids"),
        (Self::NoIds, "no_ids", "A code, but no ids"),
        (Self::NoCode, "no_code", "The ids, but no code"),
        (Self::WrongIds, "wrong_ids", "The ids of somebody else's business"),
        (Self::ExpiredCode, "expired_code", "A code that is too old"),
        (Self::NeverExpires, "never_expires", "A token that never expires"),
        (Self::NoTargets, "no_targets", "A permission without target ids"),
        (Self::MissingPermission, "missing_permission", "Permission to send is not given"),
        (Self::ReportedError, "reported_error", "The customer reports an error"),
        (Self::FlowError, "flow_error", "The dialog fails"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(scenario, ..)| *scenario)
    }
}

pub(crate) struct Granted {
    pub(crate) code: Option<Secret>,
    /// The `WA_EMBEDDED_SIGNUP` message.
    pub(crate) session: Option<Value>,
    pub(crate) synced: Vec<Synced>,
}

pub(crate) fn grant(world: &World, choice: &Choice) -> Result<Granted, String> {
    if matches!(choice.scenario, Scenario::ReportedError | Scenario::FlowError) {
        return Ok(failed(world, choice.scenario));
    }
    let mut synced = Vec::new();
    let mut accounts = locked(&world.accounts);
    let waba = match &choice.waba_id {
        Some(id) => accounts.wabas.get(id).cloned().ok_or("There is no such business.")?,
        None => add_business(world, &mut accounts, choice.business_name.as_deref(), &mut synced),
    };
    let number_id = match &choice.number {
        NumberChoice::None => None,
        NumberChoice::New { verified } => {
            Some(add_number(world, &mut accounts, &waba, *verified, &mut synced))
        }
        NumberChoice::Existing(id) => {
            let own = accounts.numbers.get(id).filter(|number| number.waba_id == waba.id);
            Some(own.ok_or("This number does not belong to the chosen business.")?.id.clone())
        }
    };
    if choice.coexistence
        && let Some(number) = number_id.as_ref().and_then(|id| accounts.numbers.get_mut(id))
    {
        number.on_biz_app = true;
        number.registered = true;
        synced.push(world.journal.append(&Record::Number(Cow::Borrowed(number))));
    }
    let code = issue(world, &mut accounts, &waba, choice, &mut synced);
    let session = session(&accounts, &waba, number_id.as_deref(), choice);
    drop(accounts);
    synced.push(world.notify(samples::partner_event(world, "PARTNER_ADDED", &waba), 50));
    Ok(Granted {
        code: (choice.scenario != Scenario::NoCode).then_some(code),
        session: (choice.scenario != Scenario::NoIds).then_some(session),
        synced,
    })
}

fn add_business(
    world: &World,
    accounts: &mut Accounts,
    name: Option<&str>,
    synced: &mut Vec<Synced>,
) -> Waba {
    let name = name.map_or_else(|| format!("Biashara Mpya {}", accounts.portfolios.len()), str::to_owned);
    let portfolio = Portfolio { id: object_id(), name: name.clone() };
    let waba = Waba::new(object_id(), &portfolio.id, &name, "TZ");
    synced.push(world.journal.append(&Record::Portfolio(Cow::Borrowed(&portfolio))));
    synced.push(world.journal.append(&Record::Waba(Cow::Borrowed(&waba))));
    accounts.portfolios.insert(portfolio.id.clone(), portfolio);
    accounts.wabas.insert(waba.id.clone(), waba.clone());
    waba
}

fn add_number(
    world: &World,
    accounts: &mut Accounts,
    waba: &Waba,
    verified: bool,
    synced: &mut Vec<Synced>,
) -> String {
    let digits = format!("25527{:07}", u32::from_le_bytes(random()) % 10_000_000);
    let mut number = Number::new(object_id(), &waba.id, "255", &digits, &waba.name);
    number.verified = verified;
    let id = number.id.clone();
    synced.push(world.journal.append(&Record::Number(Cow::Borrowed(&number))));
    accounts.numbers.insert(id.clone(), number);
    id
}

fn issue(
    world: &World,
    accounts: &mut Accounts,
    waba: &Waba,
    choice: &Choice,
    synced: &mut Vec<Synced>,
) -> Secret {
    let mut scopes = vec![MANAGEMENT.to_owned()];
    if choice.scenario != Scenario::MissingPermission {
        scopes.push(MESSAGING.to_owned());
    }
    let age_ms = if choice.scenario == Scenario::ExpiredCode { 60_000 } else { 0 };
    let code = Code {
        text: Secret::new(format!("AQ{}", random_hex(48))),
        waba_id: waba.id.clone(),
        issued_ms: world.clock.now_ms() - age_ms,
        used: false,
        redirect_uri: choice.redirect_uri.clone(),
        token_days: if choice.scenario == Scenario::NeverExpires {
            None
        } else {
            world.config.app.token_days
        },
        targets_absent: choice.scenario == Scenario::NoTargets,
        scopes,
    };
    let text = code.text.clone();
    synced.push(world.journal.append(&Record::Code(Cow::Borrowed(&code))));
    accounts.codes.insert(text.clone(), code);
    text
}

fn session(accounts: &Accounts, waba: &Waba, number_id: Option<&str>, choice: &Choice) -> Value {
    let stranger = accounts.wabas.values().find(|other| other.portfolio_id != waba.portfolio_id);
    let shown = match stranger.filter(|_| choice.scenario == Scenario::WrongIds) {
        Some(stranger) => stranger,
        None => waba,
    };
    let (event, data) = if choice.coexistence {
        ("FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING", json!({"waba_id": shown.id}))
    } else if let Some(number_id) = number_id {
        let data =
            json!({"phone_number_id": number_id, "waba_id": shown.id, "business_id": shown.portfolio_id});
        ("FINISH", data)
    } else {
        ("FINISH_ONLY_WABA", json!({"waba_id": shown.id, "business_id": shown.portfolio_id}))
    };
    json!({"type": "WA_EMBEDDED_SIGNUP", "event": event, "data": data, "version": 3})
}

/// A customer's complaint comes as a cancellation too, in another shape.
fn failed(world: &World, scenario: Scenario) -> Granted {
    let event = if scenario == Scenario::FlowError { "ERROR" } else { "CANCEL" };
    let data = json!({
        "error_message": "The phone number could not be verified.",
        "error_code": "2655011",
        "session_id": random_hex(16),
        "timestamp": world.clock.now_s().to_string(),
    });
    let session = json!({"type": "WA_EMBEDDED_SIGNUP", "event": event, "data": data, "version": 3});
    Granted { code: None, session: Some(session), synced: Vec::new() }
}
