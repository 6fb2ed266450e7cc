//! Businesses that exist from the start: some for the login dialog to offer, some already connected.

use crate::Secret;
use crate::accounts::{Accounts, MANAGEMENT, MESSAGING, Number, Portfolio, Throughput, Token, Waba};
use crate::chance::{access_token, object_id};
use crate::journal::{Record, Synced};
use crate::webhooks::Change;
use crate::world::{World, locked};
use serde_json::{Map, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

const DUKA_PORTFOLIO: &str = "506914307656601";
const DUKA_WABA: &str = "104996122399101";

const CONNECTED_PORTFOLIO: u64 = 620_000_000_000_000;
const CONNECTED_WABA: u64 = 630_000_000_000_000;
const CONNECTED_NUMBER: u64 = 640_000_000_000_000;
/// Landlines on purpose: whoever makes up customers' numbers takes mobile ones, and nobody can write to themselves.
const CONNECTED_DIGITS: u64 = 255_222_000_000;

/// A business that is onboarded without anybody having clicked through the dialog.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The business portfolio.
    pub business_id: String,
    pub waba_id: String,
    pub phone_number_id: String,
    /// As people write it, with a plus.
    pub display_phone_number: String,
    pub verified_name: String,
    /// Random, and the same again after a restart on the same data folder.
    pub access_token: Secret,
    /// The number's two-step PIN.
    pub pin: Secret,
}

impl Number {
    /// Just added: verified, and neither registered nor used by anybody.
    pub(crate) fn new(id: String, waba_id: &str, country_code: &str, digits: &str, name: &str) -> Self {
        Self {
            id,
            waba_id: waba_id.to_owned(),
            display: display(country_code, digits),
            digits: digits.to_owned(),
            country_code: country_code.to_owned(),
            verified_name: name.to_owned(),
            verified: true,
            registered: false,
            on_biz_app: false,
            pin: None,
            wrong_pins: 0,
            register_calls: Vec::new(),
            deregister_calls: Vec::new(),
            quality: "GREEN".to_owned(),
            throughput: Throughput::Standard,
            last_onboarded_ms: None,
            code: None,
            override_callback: None,
            profile: Map::new(),
            blocked: Vec::new(),
            qr_codes: BTreeMap::new(),
        }
    }
}

impl Waba {
    pub(crate) fn new(id: String, portfolio_id: &str, name: &str, country: &str) -> Self {
        Self {
            id,
            portfolio_id: portfolio_id.to_owned(),
            name: name.to_owned(),
            country: country.to_owned(),
            currency: "USD".to_owned(),
            subscribed: false,
            override_callback: None,
            templates: Vec::new(),
        }
    }
}

/// `+255 712 000 001`: the country code, then threes.
fn display(country_code: &str, digits: &str) -> String {
    let rest = digits.strip_prefix(country_code).unwrap_or(digits);
    let mut text = format!("+{country_code}");
    for (index, digit) in rest.chars().enumerate() {
        if index % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What a replayed journal has already is left as it is.
pub(crate) fn duka_la_asha(accounts: &mut Accounts) {
    if accounts.portfolios.contains_key(DUKA_PORTFOLIO) {
        return;
    }
    let portfolio = Portfolio { id: DUKA_PORTFOLIO.to_owned(), name: "Duka la Asha".to_owned() };
    accounts.portfolios.insert(portfolio.id.clone(), portfolio);
    let waba = Waba::new(DUKA_WABA.to_owned(), DUKA_PORTFOLIO, "Duka la Asha", "TZ");
    accounts.wabas.insert(waba.id.clone(), waba);
    for (index, verified) in [true, true, false].into_iter().enumerate() {
        let id = format!("11542231885570{}", index + 1);
        let digits = format!("25522290000{}", index + 1);
        let mut number = Number::new(id, DUKA_WABA, "255", &digits, "Duka la Asha");
        number.verified = verified;
        accounts.numbers.insert(number.id.clone(), number);
    }
}

/// The connected businesses with these indexes, each made at the first call.
pub(crate) async fn connected(world: &World, indexes: Range<u32>) -> io::Result<Vec<Connected>> {
    let mut synced = Vec::new();
    let connected = {
        let mut accounts = locked(&world.accounts);
        indexes.map(|index| connect(world, &mut accounts, index, &mut synced)).collect()
    };
    for synced in synced {
        synced.wait().await?;
    }
    Ok(connected)
}

fn connect(world: &World, accounts: &mut Accounts, index: u32, synced: &mut Vec<Synced>) -> Connected {
    let numbered = |base: u64| (base + u64::from(index)).to_string();
    let (portfolio_id, waba_id, id) =
        (numbered(CONNECTED_PORTFOLIO), numbered(CONNECTED_WABA), numbered(CONNECTED_NUMBER));
    let pin = Secret::new(format!("{:06}", index % 1_000_000));
    let is_new = !accounts.numbers.contains_key(&id);
    if is_new {
        let name = if index == 0 { "Mama Neema".to_owned() } else { format!("Biashara {index}") };
        let portfolio = Portfolio { id: portfolio_id.clone(), name: name.clone() };
        synced.push(world.journal.append(&Record::Portfolio(Cow::Borrowed(&portfolio))));
        accounts.portfolios.insert(portfolio.id.clone(), portfolio);
        let mut waba = Waba::new(waba_id.clone(), &portfolio_id, &name, "TZ");
        waba.subscribed = true;
        synced.push(world.journal.append(&Record::Waba(Cow::Borrowed(&waba))));
        accounts.wabas.insert(waba.id.clone(), waba);
        let mut number = Number::new(id.clone(), &waba_id, "255", &numbered(CONNECTED_DIGITS), &name);
        number.registered = true;
        number.pin = Some(pin.clone());
        number.last_onboarded_ms = Some(world.clock.now_ms());
        synced.push(world.journal.append(&Record::Number(Cow::Borrowed(&number))));
        accounts.numbers.insert(number.id.clone(), number);
    }
    let is_lasting = |token: &&Token| {
        token.portfolio_id == portfolio_id && token.expires_at.is_none() && token.dead.is_none()
    };
    // A number that is new has no token yet: looking through those of all others would take long.
    let lasting = if is_new { None } else { accounts.tokens.values().find(is_lasting) };
    let access_token = if let Some(token) = lasting {
        token.text.clone()
    } else {
        let token = Token {
            text: Secret::new(access_token()),
            system_user_id: object_id(),
            portfolio_id: portfolio_id.clone(),
            waba_ids: vec![waba_id.clone()],
            scopes: vec![MANAGEMENT.to_owned(), MESSAGING.to_owned()],
            targets_absent: false,
            issued_at: world.clock.now_s(),
            expires_at: None,
            dead: None,
            proof: Secret::default(),
        };
        let text = token.text.clone();
        synced.push(world.journal.append(&Record::Token(Cow::Borrowed(&token))));
        accounts.add_token(token);
        text
    };
    let number = &accounts.numbers[&id];
    Connected {
        business_id: portfolio_id,
        waba_id,
        display_phone_number: number.display.clone(),
        verified_name: number.verified_name.clone(),
        phone_number_id: id,
        access_token,
        pin: number.pin.clone().unwrap_or(pin),
    }
}

/// Partner events go to the app's callback, and their entry carries the partner's own portfolio.
pub(crate) fn partner_event(world: &World, event: &str, waba: &Waba) -> Change {
    let mut info = json!({"waba_id": waba.id, "owner_business_id": waba.portfolio_id});
    if event.starts_with("PARTNER_APP") {
        info["partner_app_id"] = json!(world.config.app.id);
    }
    Change {
        entry_id: "777000777000777".to_owned(),
        waba_id: None,
        phone_number_id: None,
        field: "account_update".to_owned(),
        value: json!({"event": event, "waba_info": info}).to_string(),
        timed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_write_them() {
        assert_eq!(display("255", "255712000001"), "+255 712 000 001");
    }
}
