//! `POST /{phone}/messages`: accepted now, and told about later by webhook.

use super::access::{business, number as find};
use super::call::Call;
use super::error::{GraphError, for_webhook};
use super::recipient::Addressed;
use super::validate::{self, Kind};
use super::{Answer, Answered, templates};
use crate::accounts::{Accounts, MESSAGING};
use crate::chance::wamid;
use crate::faults::{Act, Cut};
use crate::limits::Exceeded;
use crate::sent::Outcome;
use crate::webhooks::{Accepted, Category, Status};
use crate::world::{World, locked};
use serde_json::{Value, json};

const WINDOW_MS: i64 = 24 * 3_600_000;

pub(super) fn send(world: &World, call: &Call, number_id: &str, act: Option<&Act>) -> Answered {
    let cut = act.is_some_and(|act| act.cut == Some(Cut::After));
    let outcome = if cut { Outcome::Cut } else { Outcome::Accepted };
    match accept(world, call, number_id, act) {
        Ok(Taken::Read { waba_id }) => {
            let synced = world.record_sent(number_id, outcome, call.received(), None);
            Ok(Answer::success(synced).using(&waba_id))
        }
        Ok(Taken::Message { answer, message }) => {
            let waba_id = message.waba_id.clone();
            let synced = world.record_sent(number_id, outcome, call.received(), Some(*message));
            Ok(Answer { synced: vec![synced], ..Answer::of(answer).using(&waba_id) })
        }
        Err(error) => {
            let outcome = if cut { Outcome::Cut } else { Outcome::Rejected };
            let _not_waited_for = world.record_sent(number_id, outcome, call.received(), None);
            Err(error)
        }
    }
}

enum Taken {
    /// A read mark or a typing indicator.
    Read {
        waba_id: String,
    },
    Message {
        answer: Value,
        message: Box<Accepted>,
    },
}

fn accept(world: &World, call: &Call, number_id: &str, act: Option<&Act>) -> Result<Taken, GraphError> {
    let mut accounts = locked(&world.accounts);
    let token = business(world, &accounts, call)?;
    let number = find(&accounts, token, call, number_id, MESSAGING)?;
    let kind = validate::message(&call.json)?;
    let marketing = call.path.ends_with("/marketing_messages");
    if marketing && kind != (Kind::Message { reaction: false, template: true }) {
        return Err(GraphError::known(134_100, "Only marketing templates are accepted here."));
    }
    if !number.registered {
        return Err(GraphError::known(133_010, "Register the number before sending from it."));
    }
    let (waba_id, display, throughput) = (number.waba_id.clone(), number.digits.clone(), number.throughput);
    let (reaction, template) = match kind {
        Kind::ReadMark => return Ok(Taken::Read { waba_id }),
        Kind::Message { reaction, template } => (reaction, template),
    };
    if template {
        let known = accounts.wabas.get(&waba_id).map_or(&[][..], |waba| waba.templates.as_slice());
        templates::usable(known, &call.json)?;
    }
    let mut addressed = Addressed::read(&call.json, &number.country_code)?;
    if addressed.recipient.wa_id.as_ref() == Some(&display) {
        return Err(GraphError::known(131_021, "The recipient is the business number itself."));
    }
    let now_us = world.clock.now_us();
    world.limiter.send(now_us, number_id, throughput, addressed.key()).map_err(
        |exceeded| match exceeded {
            Exceeded::Throughput => {
                GraphError::known(130_429, "The number's messages per second are used up.")
            }
            Exceeded::Pair => GraphError::known(131_056, "Too many messages to this person in a short time."),
        },
    )?;
    let window_open = introduce(&mut accounts, &mut addressed, number_id, now_us / 1000);
    drop(accounts);

    let late_error = act.and_then(|act| act.async_error.as_ref()).map(for_webhook);
    let closed = world.limiter.settings().service_window && !template && !window_open;
    let late_error = late_error.or_else(|| closed.then(|| for_webhook(&code(131_047))));
    let statuses = match act.and_then(|act| act.statuses.as_ref()) {
        Some(names) => names.iter().filter_map(|name| Status::named(name)).collect(),
        None if late_error.is_some() => vec![Status::Failed],
        None if reaction => vec![Status::Sent],
        None => vec![Status::Sent, Status::Delivered, Status::Read],
    };
    let late_error =
        late_error.or_else(|| statuses.contains(&Status::Failed).then(|| for_webhook(&code(131_026))));
    let message = Accepted {
        first_webhook: world.webhooks.reserve(statuses.len()),
        id: wamid(addressed.key()),
        waba_id,
        phone_number_id: number_id.to_owned(),
        display,
        opaque: call.json.get("biz_opaque_callback_data").and_then(Value::as_str).map(str::to_owned),
        category: match (marketing, template) {
            (true, _) => Category::MarketingLite,
            (_, true) => Category::Utility,
            _ => Category::Service,
        },
        statuses,
        error: late_error,
        recipient: addressed.recipient.clone(),
    };
    let mut sent = json!({"id": message.id});
    if let Some(group) = &message.recipient.group_id {
        sent["group_id"] = json!(group);
    }
    let answer = json!({
        "messaging_product": "whatsapp",
        "contacts": [addressed.contact()],
        "messages": [sent],
    });
    Ok(Taken::Message { answer, message: Box::new(message) })
}

/// Adds what the platform knows about the recipient; tells whether they have written within a day.
fn introduce(accounts: &mut Accounts, to: &mut Addressed, number_id: &str, now_ms: i64) -> bool {
    if to.recipient.group_id.is_some() {
        return true;
    }
    let Some(person) = accounts.people.get(to.key()) else { return false };
    to.recipient.name.clone_from(&person.name);
    if to.recipient.user_id.is_none() {
        to.recipient.user_id.clone_from(&person.user_id);
    }
    person.wrote_ms.get(number_id).is_some_and(|at| now_ms - at < WINDOW_MS)
}

fn code(code: u32) -> serde_json::Map<String, Value> {
    serde_json::Map::from_iter([("code".to_owned(), json!(code))])
}
