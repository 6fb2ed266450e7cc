//! Reading WABAs, phone numbers, portfolios and the app.

use super::access::{Caller, caller};
use super::call::Call;
use super::error::GraphError;
use super::paging::page;
use super::{Answer, Answered, access, fields};
use crate::accounts::{Accounts, MANAGEMENT, Number, Waba};
use crate::clock::rfc3339;
use crate::world::{World, locked};
use serde_json::{Value, json};
use std::cmp::Reverse;

const WABA_FIELDS: [&str; 5] = ["id", "name", "currency", "timezone_id", "message_template_namespace"];
const NUMBER_FIELDS: [&str; 9] = [
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "last_onboarded_time",
    "webhook_configuration",
    "id",
];

pub(super) fn read(world: &World, call: &Call, id: &str) -> Answered {
    let accounts = locked(&world.accounts);
    let token = match caller(world, &accounts, call)? {
        Caller::App if id == world.config.app.id => {
            let app = json!({"id": id, "name": "Sandbox", "link": world.public_url});
            return fields::select(call, &app, &["id", "name", "link"], "Application").map(Answer::of);
        }
        Caller::App => return Err(GraphError::unknown_object("get", id)),
        Caller::Business(token) => token,
    };
    if accounts.numbers.contains_key(id) {
        let number = access::number(&accounts, token, call, id, MANAGEMENT)?;
        let all = describe_number(&accounts, number);
        let body = fields::select(call, &all, &NUMBER_FIELDS, "WhatsAppBusinessPhoneNumber")?;
        return Ok(Answer::of(body).using(&number.waba_id));
    }
    if accounts.wabas.contains_key(id) {
        let waba = access::waba(&accounts, token, call, id)?;
        let body =
            fields::select(call, &describe_waba(&accounts, waba), &WABA_FIELDS, "WhatsAppBusinessAccount")?;
        return Ok(Answer::of(body).using(id));
    }
    let portfolio = accounts.portfolios.get(id).filter(|portfolio| portfolio.id == token.portfolio_id);
    let portfolio = portfolio.ok_or_else(|| GraphError::unknown_object("get", id))?;
    let all = json!({"id": portfolio.id, "name": portfolio.name, "verification_status": "verified"});
    fields::select(call, &all, &["id", "name"], "Business").map(Answer::of)
}

/// Newest onboarding first, in pages.
pub(super) fn phone_numbers(world: &World, call: &Call, waba_id: &str) -> Answered {
    let accounts = locked(&world.accounts);
    let token = access::business(world, &accounts, call)?;
    access::waba(&accounts, token, call, waba_id)?;
    let mut numbers: Vec<_> = accounts.numbers_of(waba_id).collect();
    numbers.sort_by_key(|number| (Reverse(number.last_onboarded_ms), number.id.clone()));

    let show = |number: &&Number| {
        fields::select(
            call,
            &describe_number(&accounts, number),
            &NUMBER_FIELDS,
            "WhatsAppBusinessPhoneNumber",
        )
    };
    let path = format!("{waba_id}/phone_numbers");
    let body = page(world, call, &path, &numbers, |number| number.id.clone(), show)?;
    Ok(Answer::of(body).using(waba_id))
}

fn describe_number(accounts: &Accounts, number: &Number) -> Value {
    let waba = accounts.wabas.get(&number.waba_id);
    let level = if number.registered { json!(number.throughput) } else { json!("NOT_APPLICABLE") };
    let app_callback = accounts.app.callback.as_ref().map(|callback| callback.url.as_str());
    let mut webhooks = json!({});
    let own = number.override_callback.as_deref();
    let of_waba = waba.and_then(|waba| waba.override_callback.as_deref());
    for (key, url) in
        [("application", app_callback), ("whatsapp_business_account", of_waba), ("phone_number", own)]
    {
        if let Some(url) = url {
            webhooks[key] = json!(url);
        }
    }
    let can_send = if number.registered { "AVAILABLE" } else { "BLOCKED" };
    json!({
        "id": number.id,
        "display_phone_number": number.display,
        "verified_name": number.verified_name,
        "code_verification_status": if number.verified { "VERIFIED" } else { "NOT_VERIFIED" },
        "quality_rating": number.quality,
        "platform_type": if number.registered || number.on_biz_app { "CLOUD_API" } else { "NOT_APPLICABLE" },
        "throughput": {"level": level},
        "status": if number.registered { "CONNECTED" } else { "PENDING" },
        "name_status": "APPROVED",
        "new_name_status": "NONE",
        "account_mode": "LIVE",
        "is_on_biz_app": number.on_biz_app,
        "is_pin_enabled": number.pin.is_some(),
        "is_official_business_account": false,
        "is_preverified_number": false,
        "country_dial_code": number.country_code,
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "last_onboarded_time": number.last_onboarded_ms.map(rfc3339),
        "webhook_configuration": webhooks,
        "conversational_automation": {"id": number.id, "enable_welcome_message": false, "prompts": [], "commands": []},
        "quality_score": {"score": number.quality},
        "certificate": null,
        "new_certificate": null,
        "new_display_name": null,
        "country_code": null,
        "search_visibility": "NON_VISIBLE",
        "eligibility_for_api_business_global_search": "NON_ELIGIBLE_UNKNOWN",
        "health_status": {
            "can_send_message": can_send,
            "entities": [{"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": can_send}],
        },
    })
}

fn describe_waba(accounts: &Accounts, waba: &Waba) -> Value {
    let owner = accounts.portfolios.get(&waba.portfolio_id);
    json!({
        "id": waba.id,
        "name": waba.name,
        "currency": waba.currency,
        "country": waba.country,
        "timezone_id": "116",
        "message_template_namespace": format!("ns_{}", waba.id),
        "account_review_status": "APPROVED",
        "business_verification_status": "verified",
        "status": "ACTIVE",
        "ownership_type": "CLIENT_OWNED",
        "owner_business_info": {"id": waba.portfolio_id, "name": owner.map(|portfolio| portfolio.name.as_str())},
        "primary_business_location": waba.country,
        "marketing_messages_onboarding_status": "ELIGIBLE",
        "health_status": {
            "can_send_message": "AVAILABLE",
            "entities": [{"entity_type": "WABA", "id": waba.id, "can_send_message": "AVAILABLE"}],
        },
    })
}
