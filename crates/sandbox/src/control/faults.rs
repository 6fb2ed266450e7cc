//! `/control/faults`: what shall go wrong, and how often.

use super::read::{Fields, Problem, parse};
use super::{Answered, kept};
use crate::faults::{Act, Cut, FaultSet, Match, Rule, WebhookFaults};
use crate::webhooks::Status;
use crate::world::World;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::{Map, Value, json};

/// Replaces everything that was set before.
pub(super) async fn put(world: Data<World>, body: Bytes) -> Answered {
    let set = read(&parse(&body)?)?;
    let answer = json!(set);
    kept(vec![world.replace_faults(set)], answer).await
}

pub(super) async fn get(world: Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(world.faults.current())
}

fn read(body: &Value) -> Result<FaultSet, Problem> {
    let fields = Fields::of(body, &["rules", "webhooks"])?;
    let rules = fields.list("rules")?.iter().enumerate();
    let rules =
        rules.map(|(index, value)| rule(value, &format!("rules[{index}]"))).collect::<Result<_, _>>()?;
    let webhooks = fields.value("webhooks").map_or_else(|| Ok(WebhookFaults::default()), webhooks)?;
    Ok(FaultSet { rules, webhooks })
}

fn rule(value: &Value, path: &str) -> Result<Rule, Problem> {
    let fields = Fields::within(value, path.to_owned(), &["match", "times", "chance", "do"])?;
    let matches = match fields.value("match") {
        None => Match::default(),
        Some(value) => {
            let fields = Fields::within(value, fields.path_of("match"), &["path", "phone_number_id", "to"])?;
            Match {
                path: fields.text("path")?,
                phone_number_id: fields.text("phone_number_id")?,
                to: fields.text("to")?,
            }
        }
    };
    let act = fields.value("do").ok_or_else(|| fields.problem("do", "is required"))?;
    Ok(Rule {
        matches,
        times: fields.count("times")?,
        chance: fields.probability("chance")?,
        act: act_of(act, fields.path_of("do"))?,
    })
}

fn act_of(value: &Value, path: String) -> Result<Act, Problem> {
    let known = ["delay_ms", "status", "error", "cut", "carry_out", "async_error", "statuses"];
    let fields = Fields::within(value, path, &known)?;
    let status = match fields.count("status")? {
        None => None,
        Some(status @ 200..=599) => u16::try_from(status).ok(),
        Some(_) => return Err(fields.problem("status", "must be an HTTP status from 200 to 599")),
    };
    let cut = match fields.text("cut")?.as_deref() {
        None => None,
        Some("before") => Some(Cut::Before),
        Some("after") => Some(Cut::After),
        Some(_) => return Err(fields.problem("cut", "must be \"before\" or \"after\"")),
    };
    let names = fields.list("statuses")?.iter().map(|name| match name.as_str() {
        Some(name) if Status::named(name).is_some() => Ok(name.to_owned()),
        _ => Err(fields.problem("statuses", "may hold sent, delivered, read and failed")),
    });
    let names = names.collect::<Result<_, _>>()?;
    let statuses = fields.value("statuses").is_some().then_some(names);
    Ok(Act {
        delay_ms: fields.count("delay_ms")?.unwrap_or(0),
        status,
        error: error(&fields, "error")?,
        cut,
        carry_out: fields.flag("carry_out")?.unwrap_or(false),
        async_error: error(&fields, "async_error")?,
        statuses,
    })
}

fn error(fields: &Fields<'_>, key: &str) -> Result<Option<Map<String, Value>>, Problem> {
    match fields.value(key) {
        None => Ok(None),
        Some(Value::Object(members)) if members.get("code").is_some_and(Value::is_u64) => {
            Ok(Some(members.clone()))
        }
        Some(_) => Err(fields.problem(key, "must be an object with a number \"code\"")),
    }
}

fn webhooks(value: &Value) -> Result<WebhookFaults, Problem> {
    let known = ["delay_ms", "duplicate", "reorder", "drop", "batch", "echo", "echo_omitted"];
    let fields = Fields::within(value, "webhooks".to_owned(), &known)?;
    let usual = WebhookFaults::default();
    let delay_ms = match fields.list("delay_ms")? {
        [] => usual.delay_ms,
        [low, high] => match (low.as_u64(), high.as_u64()) {
            (Some(low), Some(high)) if low <= high => (low, high),
            _ => return Err(fields.problem("delay_ms", "must be [least, most] in milliseconds")),
        },
        _ => return Err(fields.problem("delay_ms", "must be [least, most] in milliseconds")),
    };
    let batch = match fields.count("batch")? {
        None => usual.batch,
        Some(batch @ 1..=1000) => usize::try_from(batch).unwrap_or(usual.batch),
        Some(_) => return Err(fields.problem("batch", "must be from 1 to 1000")),
    };
    Ok(WebhookFaults {
        delay_ms,
        duplicate: fields.probability("duplicate")?.unwrap_or(usual.duplicate),
        reorder: fields.probability("reorder")?.unwrap_or(usual.reorder),
        drop: fields.probability("drop")?.unwrap_or(usual.drop),
        batch,
        echo: fields.flag("echo")?.unwrap_or(usual.echo),
        echo_omitted: fields.probability("echo_omitted")?.unwrap_or(usual.echo_omitted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_form_is_understood() {
        let set = read(&json!({
            "rules": [{"match": {"path": "messages", "to": "255712345678"}, "times": 3,
                       "do": {"delay_ms": 5, "error": {"code": 131_056}, "cut": "after"}}],
            "webhooks": {"delay_ms": [0, 50], "duplicate": 0.1, "reorder": 0.1, "drop": 0.0, "batch": 1, "echo": true},
        }))
        .unwrap();
        assert_eq!(set.rules[0].times, Some(3));
        assert_eq!(set.rules[0].act.cut, Some(Cut::After));
        assert_eq!(set.webhooks.delay_ms, (0, 50));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (body, field) in [
            (json!({"rule": []}), "rule"),
            (json!({"rules": [{"match": {}}]}), "rules[0].do"),
            (json!({"rules": [{"do": {"cut": "during"}}]}), "rules[0].do.cut"),
            (json!({"rules": [{"do": {}, "times": -1}]}), "rules[0].times"),
            (json!({"rules": [{"do": {"error": {"message": "x"}}}]}), "rules[0].do.error"),
            (json!({"rules": [{"do": {}, "chance": 2}]}), "rules[0].chance"),
            (json!({"webhooks": {"duplicate": 2}}), "webhooks.duplicate"),
            (json!({"webhooks": {"delay_ms": [9, 1]}}), "webhooks.delay_ms"),
            (json!({"webhooks": {"batch": 0}}), "webhooks.batch"),
        ] {
            let problem = read(&body).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("{field} ")), "{problem}");
        }
    }
}
