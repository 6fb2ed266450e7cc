//! Texts to people, through `POST /v1/messages`.

use std::fmt::Write;

use serde::Deserialize;

use crate::drive::Shots;
use crate::target::{Number, Target};
use crate::wire::Request;

/// Characters of a usual text.
pub const USUAL_LENGTH: u32 = 100;

/// The same text from some numbers to some people, both in turn.
#[derive(Debug)]
pub struct Texts {
    api_key: String,
    connections: Vec<String>,
    people: People,
    text: String,
    /// Members that every message has besides, each with a comma behind it.
    members: String,
    /// Of this run: keys must be new, also on a database that has seen other runs.
    run: String,
    idempotency_keys: bool,
}

/// Whose numbers follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct People {
    pub first: u32,
    pub count: u32,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

impl Texts {
    pub fn new<'a>(target: &Target, numbers: impl IntoIterator<Item = &'a Number>, people: People) -> Self {
        Self {
            api_key: target.api_key.clone(),
            connections: numbers.into_iter().map(|number| number.connection_id.clone()).collect(),
            people,
            text: text_of(USUAL_LENGTH),
            members: String::new(),
            run: crate::wall_clock().as_micros().to_string(),
            idempotency_keys: true,
        }
    }

    /// `otp`, `high`, `normal` or `bulk`.
    pub fn with_priority(mut self, priority: &str) -> Self {
        self.members = format!(r#""priority":"{priority}","#);
        self
    }

    pub fn with_length(self, length: u32) -> Self {
        Self { text: text_of(length), ..self }
    }

    pub fn with_idempotency_keys(self, idempotency_keys: bool) -> Self {
        Self { idempotency_keys, ..self }
    }
}

fn text_of(length: u32) -> String {
    "Habari yako, agizo lako liko tayari dukani. ".chars().cycle().take(length as usize).collect()
}

impl Shots for Texts {
    fn request(&self, index: u64) -> Request {
        let Self { api_key, run, text, members, people, .. } = self;
        let number = usize::try_from(index % self.connections.len() as u64).unwrap_or_default();
        let connection = &self.connections[number];
        let person = u64::from(people.first) + index % u64::from(people.count);
        let mut headers = format!("authorization: Bearer {api_key}\r\n");
        if self.idempotency_keys {
            let _ = write!(headers, "idempotency-key: load-{run}-{index}\r\n");
        }
        let body = format!(
            r#"{{"connection_id":"{connection}","client_ref":"load-{index}",{members}"message":{{"to":"+2557{person:08}","type":"text","text":{{"body":"{text}"}}}}}}"#
        );
        Request { path: "/v1/messages", headers, body }
    }

    fn taken(&self, _: u64, status: u16, body: &[u8]) -> Option<Vec<String>> {
        let Accepted { id } = serde_json::from_slice(body).ok().filter(|_| status == 202)?;
        Some(vec![id])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn texts() -> Texts {
        Texts {
            api_key: "key".to_owned(),
            connections: vec!["con_1".to_owned(), "con_2".to_owned()],
            people: People { first: 20, count: 3 },
            text: text_of(50),
            members: String::new(),
            run: "7".to_owned(),
            idempotency_keys: true,
        }
    }

    #[test]
    fn numbers_and_people_take_turns() {
        let request = texts().request(4);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            (&body["connection_id"], &body["message"]["to"]),
            (&json!("con_1"), &json!("+255700000021"))
        );
        assert_eq!(body["message"]["text"]["body"].as_str().unwrap().len(), 50);
        assert_eq!(request.headers, "authorization: Bearer key\r\nidempotency-key: load-7-4\r\n");
    }

    #[test]
    fn a_priority_stands_in_every_message() {
        let request = texts().with_priority("otp").request(0);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["priority"], "otp");
    }

    #[test]
    fn only_202_with_an_id_is_taken() {
        let texts = texts();
        assert_eq!(
            texts.taken(0, 202, br#"{"id":"msg_1","status":"accepted"}"#),
            Some(vec!["msg_1".to_owned()])
        );
        assert_eq!(texts.taken(0, 503, br#"{"id":"msg_1"}"#), None);
        assert_eq!(texts.taken(0, 202, b"{}"), None);
    }
}
