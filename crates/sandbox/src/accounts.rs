//! The things Meta keeps: business portfolios, WABAs, phone numbers, tokens and login codes.

use crate::Secret;
use crate::templates::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

pub(crate) const MANAGEMENT: &str = "whatsapp_business_management";
pub(crate) const MESSAGING: &str = "whatsapp_business_messaging";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Portfolio {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waba {
    pub(crate) id: String,
    pub(crate) portfolio_id: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) currency: String,
    /// Whether our app gets this WABA's webhooks (`subscribed_apps`).
    pub(crate) subscribed: bool,
    pub(crate) override_callback: Option<String>,
    #[serde(default)]
    pub(crate) templates: Vec<Template>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) id: String,
    pub(crate) waba_id: String,
    /// As people write it: `+255 712 000 001`.
    pub(crate) display: String,
    /// As webhooks write it: digits only.
    pub(crate) digits: String,
    pub(crate) country_code: String,
    pub(crate) verified_name: String,
    pub(crate) verified: bool,
    pub(crate) registered: bool,
    /// Used by the WhatsApp Business app at the same time: cannot be registered or deregistered here.
    pub(crate) on_biz_app: bool,
    pub(crate) pin: Option<Secret>,
    pub(crate) wrong_pins: u32,
    /// When `register` was called, milliseconds; entries older than 72 hours no longer count.
    pub(crate) register_calls: Vec<i64>,
    pub(crate) deregister_calls: Vec<i64>,
    pub(crate) quality: String,
    pub(crate) throughput: Throughput,
    pub(crate) last_onboarded_ms: Option<i64>,
    /// The ownership code that `request_code` sent.
    pub(crate) code: Option<String>,
    pub(crate) override_callback: Option<String>,
    /// What people see about the business.
    #[serde(default)]
    pub(crate) profile: Map<String, Value>,
    /// Digits of those who may not write.
    #[serde(default)]
    pub(crate) blocked: Vec<String>,
    /// Texts that a QR code puts into a chat, by code.
    #[serde(default)]
    pub(crate) qr_codes: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Throughput {
    Standard,
    /// A thousand messages per second.
    High,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) text: Secret,
    pub(crate) system_user_id: String,
    pub(crate) portfolio_id: String,
    pub(crate) waba_ids: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// `debug_token` leaves `target_ids` out, as Meta does for a permission granted on everything.
    pub(crate) targets_absent: bool,
    pub(crate) issued_at: i64,
    /// Seconds; `None` is for ever.
    pub(crate) expires_at: Option<i64>,
    /// Why it no longer works.
    pub(crate) dead: Option<Death>,
    /// `appsecret_proof` for this token, derived once because every call needs it.
    #[serde(skip)]
    pub(crate) proof: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Death {
    /// By `oauth/revoke`: code 190 without a subcode.
    Revoked,
    /// The customer removed the app: 190/458.
    Uninstalled,
    /// Invalidated by Meta: 190/467.
    Invalidated,
}

impl Token {
    pub(crate) fn expired(&self, now_s: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now_s)
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|s| s == scope)
    }

    pub(crate) fn sees(&self, waba_id: &str) -> bool {
        self.waba_ids.iter().any(|id| id == waba_id)
    }
}

/// What the login dialog hands out. It lives thirty seconds and buys one token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) text: Secret,
    pub(crate) waba_id: String,
    pub(crate) issued_ms: i64,
    pub(crate) used: bool,
    /// Set by the redirect variant of the dialog; the exchange must repeat it.
    pub(crate) redirect_uri: Option<String>,
    pub(crate) token_days: Option<u32>,
    pub(crate) targets_absent: bool,
    pub(crate) scopes: Vec<String>,
}

/// The part of the app that can change while the sandbox runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AppState {
    pub(crate) secret: Secret,
    pub(crate) verify_token: Secret,
    pub(crate) callback: Option<Callback>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Callback {
    pub(crate) url: String,
    /// It has answered the handshake; until then it gets nothing.
    pub(crate) verified: bool,
    #[serde(default)]
    pub(crate) last_error: Option<String>,
}

/// Someone who has written to a business, as far as Meta would tell the business about them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: Option<String>,
    pub(crate) user_id: Option<String>,
    /// By phone number id: when they last wrote, in milliseconds. Opens the service window.
    pub(crate) wrote_ms: BTreeMap<String, i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) app: AppState,
    pub(crate) portfolios: BTreeMap<String, Portfolio>,
    pub(crate) wabas: BTreeMap<String, Waba>,
    pub(crate) numbers: BTreeMap<String, Number>,
    pub(crate) tokens: HashMap<Secret, Token>,
    pub(crate) codes: HashMap<Secret, Code>,
    /// By `wa_id`, or by user id for someone without one.
    pub(crate) people: HashMap<String, Person>,
}

impl Accounts {
    pub(crate) fn add_token(&mut self, mut token: Token) {
        token.proof = proof(&self.app.secret, &token.text);
        self.tokens.insert(token.text.clone(), token);
    }

    /// A new secret makes every earlier proof wrong.
    pub(crate) fn set_app(&mut self, app: AppState) {
        let changed = self.app.secret != app.secret;
        self.app = app;
        if changed {
            for token in self.tokens.values_mut() {
                token.proof = proof(&self.app.secret, &token.text);
            }
        }
    }

    pub(crate) fn numbers_of<'a>(&'a self, waba_id: &'a str) -> impl Iterator<Item = &'a Number> {
        self.numbers.values().filter(move |number| number.waba_id == waba_id)
    }

    pub(crate) fn wabas_of<'a>(&'a self, portfolio_id: &'a str) -> impl Iterator<Item = &'a Waba> {
        self.wabas.values().filter(move |waba| waba.portfolio_id == portfolio_id)
    }

    /// Where a number's webhooks go: its own override, else its WABA's, else the app's callback once verified.
    pub(crate) fn destination(&self, waba_id: &str, phone_number_id: Option<&str>) -> Destination {
        if let Some(waba) = self.wabas.get(waba_id) {
            if !waba.subscribed {
                return Destination::Nowhere;
            }
            let number = phone_number_id.and_then(|id| self.numbers.get(id));
            let own = number.and_then(|n| n.override_callback.as_ref()).or(waba.override_callback.as_ref());
            if let Some(url) = own {
                return Destination::Override(url.clone());
            }
        }
        self.app_destination()
    }

    pub(crate) fn app_destination(&self) -> Destination {
        match &self.app.callback {
            None => Destination::Nowhere,
            Some(callback) if callback.verified => Destination::App(callback.url.clone()),
            Some(_) => Destination::NotYet,
        }
    }
}

fn proof(app_secret: &Secret, token: &Secret) -> Secret {
    Secret::new(crate::webhooks::hmac_hex(app_secret.expose(), token.expose().as_bytes()))
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Set for the WABA or the number.
    Override(String),
    /// The app's own callback.
    App(String),
    /// A callback is set and has not answered the handshake yet.
    NotYet,
    Nowhere,
}
