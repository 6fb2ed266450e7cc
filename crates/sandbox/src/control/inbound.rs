//! `POST /control/inbound`: a customer writes to a business.

use super::Answered;
use super::kept;
use super::read::{Fields, Problem, parse};
use crate::accounts::Person;
use crate::chance::wamid;
use crate::graph::digits_of;
use crate::journal::{Record, Synced};
use crate::media::RECEIVED_MS;
use crate::webhooks::Change;
use crate::world::{World, locked};
use actix_web::web::{Bytes, Data};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Types of messages whose object may hold content: `{"content_base64","mime_type","filename"?,"caption"?}`.
const KINDS: [&str; 5] = ["image", "audio", "video", "document", "sticker"];

pub(super) async fn post(world: Data<World>, body: Bytes) -> Answered {
    let body = parse(&body)?;
    let mut incoming = Incoming::read(&body)?;
    let stored = incoming.store_media(&world)?;
    let (id, mut synced) = deliver(&world, &incoming)?;
    synced.extend(stored);
    kept(synced, json!({"id": id})).await
}

fn deliver(world: &World, incoming: &Incoming) -> Result<(String, Vec<Synced>), Problem> {
    let now_us = world.clock.now_us();
    let mut accounts = locked(&world.accounts);
    let Some(number) = accounts.numbers.get(&incoming.phone_number_id).cloned() else {
        return Err(Problem::unknown("phone_number_id", "number"));
    };
    world.limiter.receive(now_us, &number.id, number.throughput);

    let key = incoming.from.as_ref().or(incoming.user_id.as_ref()).cloned().unwrap_or_default();
    let person = accounts.people.entry(key.clone()).or_default();
    incoming.introduce(person, &number.id, now_us / 1000);
    let known = Record::Person { key: Cow::Borrowed(&key), person: Cow::Borrowed(person) };
    let mut synced = vec![world.journal.append(&known)];
    let contact = incoming.contact(person);
    drop(accounts);

    let id = incoming.given_id().unwrap_or_else(|| wamid(&key));
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.id},
        "messages": [incoming.message(&id, now_us / 1_000_000)],
    });
    // Meta tells of a system event without saying who the contact is.
    if incoming.message.get("type").and_then(Value::as_str) != Some("system") {
        value["contacts"] = json!([contact]);
    }
    let change = Change {
        entry_id: number.waba_id.clone(),
        waba_id: Some(number.waba_id),
        phone_number_id: Some(number.id),
        field: "messages".to_owned(),
        value: value.to_string(),
        timed: false,
    };
    synced.push(world.notify(change, 0));
    Ok((id, synced))
}

struct Incoming {
    phone_number_id: String,
    from: Option<String>,
    user_id: Option<String>,
    profile_name: Option<String>,
    username: Option<String>,
    message: Map<String, Value>,
}

impl Incoming {
    fn read(body: &Value) -> Result<Self, Problem> {
        let known = ["phone_number_id", "from", "user_id", "profile_name", "username", "message"];
        let fields = Fields::of(body, &known)?;
        let phone_number_id = fields.required_text("phone_number_id")?;
        let from = match fields.text("from")? {
            None => None,
            Some(from) => {
                let digits = digits_of(&from);
                let is_phone = from.chars().all(|c| c.is_ascii_digit() || "+-() ".contains(c));
                if !is_phone || !(7..=15).contains(&digits.len()) {
                    return Err(fields.problem("from", "must be a phone number of 7 to 15 digits, or null"));
                }
                Some(digits)
            }
        };
        let user_id = fields.text("user_id")?.filter(|id| !id.is_empty());
        if from.is_none() && user_id.is_none() {
            return Err(fields.problem("from", "or user_id is required: somebody has to have written"));
        }
        let message = match fields.value("message") {
            Some(Value::Object(message)) => message.clone(),
            Some(_) => return Err(fields.problem("message", "must be an object")),
            None => return Err(fields.problem("message", "is required")),
        };
        if message.get("type").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(fields.problem("message.type", "is required, such as \"text\""));
        }
        let (profile_name, username) = (fields.text("profile_name")?, fields.text("username")?);
        Ok(Self { phone_number_id, from, user_id, profile_name, username, message })
    }

    /// The platform remembers names and ids, for the statuses of later messages to this person.
    fn introduce(&self, person: &mut Person, number_id: &str, now_ms: i64) {
        if self.profile_name.is_some() {
            person.name.clone_from(&self.profile_name);
        }
        if self.user_id.is_some() {
            person.user_id.clone_from(&self.user_id);
        }
        person.wrote_ms.insert(number_id.to_owned(), now_ms);
    }

    /// Content that is given with the message is stored, and named as the platform names it.
    fn store_media(&mut self, world: &World) -> Result<Option<Synced>, Problem> {
        let kind = self.message.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(object) = self.message.get_mut(&kind).and_then(Value::as_object_mut) else {
            return Ok(None);
        };
        let Some(content) = object.remove("content_base64") else { return Ok(None) };
        let at = |member: &str| format!("message.{kind}.{member}");
        if !KINDS.contains(&kind.as_str()) {
            return Err(Problem::at(&at("content_base64"), "is only for media"));
        }
        let content = content.as_str().and_then(|text| STANDARD.decode(text).ok());
        let content = content.ok_or_else(|| Problem::at(&at("content_base64"), "must be base64"))?;
        let mime_type = object.get("mime_type").and_then(Value::as_str);
        let mime_type = mime_type.ok_or_else(|| Problem::at(&at("mime_type"), "is required"))?;
        if !locked(&world.accounts).numbers.contains_key(&self.phone_number_id) {
            return Err(Problem::unknown("phone_number_id", "number"));
        }
        let kept = world.keep_media(&self.phone_number_id, mime_type, &content.into(), RECEIVED_MS);
        let (medium, synced) = kept.map_err(|error| Problem::new(500, None, error))?;
        object.insert("id".to_owned(), json!(medium.id));
        // A test may lie about the hash.
        object.entry("sha256").or_insert_with(|| json!(medium.sha256_base64()));
        let link = || json!(format!("{}{}", world.public_url, world.media_link(&medium.id)));
        object.entry("url").or_insert_with(link);
        Ok(Some(synced))
    }

    fn contact(&self, person: &Person) -> Value {
        let mut contact = json!({});
        if let Some(name) = &person.name {
            contact["profile"] = json!({"name": name});
        }
        if let Some(username) = &self.username {
            contact["profile"]["username"] = json!(username);
        }
        if let Some(wa_id) = &self.from {
            contact["wa_id"] = json!(wa_id);
        }
        if let Some(user_id) = &person.user_id {
            contact["user_id"] = json!(user_id);
        }
        contact
    }

    /// A caller that wants the same message twice gives the id itself.
    fn given_id(&self) -> Option<String> {
        self.message.get("id").and_then(Value::as_str).map(str::to_owned)
    }

    fn message(&self, id: &str, now_s: i64) -> Value {
        let mut message = self.message.clone();
        if let Some(from) = &self.from {
            message.entry("from").or_insert_with(|| json!(from));
        }
        if let Some(user_id) = &self.user_id {
            message.entry("from_user_id").or_insert_with(|| json!(user_id));
        }
        message.insert("id".to_owned(), json!(id));
        message.entry("timestamp").or_insert_with(|| json!(now_s.to_string()));
        Value::Object(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let text = json!({"type": "text", "text": {"body": "Habari"}});
        for (body, field) in [
            (json!({"from": "255712345678", "message": text}), "phone_number_id"),
            (json!({"phone_number_id": "1", "from": null, "message": text}), "from"),
            (json!({"phone_number_id": "1", "from": "Asha", "message": text}), "from"),
            (json!({"phone_number_id": "1", "from": "255712345678"}), "message"),
            (json!({"phone_number_id": "1", "from": "255712345678", "message": {}}), "message.type"),
            (json!({"phone_number_id": "1", "form": "255712345678", "message": text}), "form"),
        ] {
            let Err(problem) = Incoming::read(&body) else { panic!("{body} was taken") };
            assert!(problem.to_string().starts_with(&format!("{field} ")), "{problem}");
        }
    }

    #[test]
    fn somebody_with_a_hidden_number_has_only_a_user_id() {
        let body = json!({"phone_number_id": "1", "from": null, "user_id": "TZ.1349",
            "message": {"type": "text", "text": {"body": "hi"}}});
        let incoming = Incoming::read(&body).unwrap_or_else(|problem| panic!("{problem}"));
        let message = incoming.message("wamid.A", 1_790_000_000);
        assert!(message.get("from").is_none());
        assert_eq!(message["from_user_id"], "TZ.1349");
        assert_eq!(message["timestamp"], "1790000000");
    }
}
