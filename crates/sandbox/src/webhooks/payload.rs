//! Turns events into the body of one POST, neighbours with the same origin sharing an `entry` and a `value`.

use super::json::{escape, push_str};
use super::{Accepted, Category, Event, Status};
use std::fmt::Write;

/// `echo` tells whether statuses carry the sender's opaque data.
pub(super) fn body<'a>(events: impl IntoIterator<Item = &'a Event>, now_s: i64, echo: bool) -> String {
    let mut out = String::with_capacity(640);
    out.push_str(r#"{"object":"whatsapp_business_account","entry":["#);
    let empty = out.len();
    let mut open: Option<Statuses<'_>> = None;
    for event in events {
        match event {
            Event::Status { message, index } => {
                if !open.as_ref().is_some_and(|statuses| statuses.takes(message)) {
                    close(&mut out, empty, open.take());
                    open = Some(Statuses::of(message));
                }
                if let (Some(statuses), Some(status)) = (&mut open, message.statuses.get(*index)) {
                    statuses.add(message, *status, now_s, echo);
                }
            }
            Event::Change(change) => {
                close(&mut out, empty, open.take());
                begin_entry(&mut out, empty, &change.entry_id);
                if change.timed {
                    let _ = write!(out, r#""time":{now_s},"#);
                }
                out.push_str(r#""changes":[{"value":"#);
                out.push_str(&escape(&change.value));
                out.push_str(r#","field":"#);
                push_str(&mut out, &change.field);
                out.push_str("}]}");
            }
        }
    }
    close(&mut out, empty, open);
    out.push_str("]}");
    out
}

/// Statuses of one number that go into one `value`.
struct Statuses<'a> {
    of: &'a Accepted,
    contacts: String,
    list: String,
}

impl<'a> Statuses<'a> {
    fn of(message: &'a Accepted) -> Self {
        Self { of: message, contacts: String::new(), list: String::with_capacity(320) }
    }

    fn takes(&self, message: &Accepted) -> bool {
        self.of.phone_number_id == message.phone_number_id && self.of.waba_id == message.waba_id
    }

    fn add(&mut self, message: &Accepted, status: Status, now_s: i64, echo: bool) {
        let to = &message.recipient;
        if status != Status::Failed && to.group_id.is_none() {
            self.add_contact(message, status);
        }
        let out = &mut self.list;
        comma(out);
        out.push_str(r#"{"id":"#);
        push_str(out, &message.id);
        let name = match status {
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::Read => "read",
            Status::Failed => "failed",
        };
        let _ = write!(out, r#","status":"{name}","timestamp":"{now_s}""#);
        if let Some(group) = &to.group_id {
            member(out, "recipient_id", group);
            out.push_str(r#","recipient_type":"group""#);
        }
        if let Some(wa_id) = &to.wa_id {
            member(out, "recipient_id", wa_id);
        }
        // A failed message to a phone number does not tell whose number it is.
        if let Some(user_id) = &to.user_id
            && (status != Status::Failed || to.wa_id.is_none())
        {
            member(out, "recipient_user_id", user_id);
        }
        if let Some(opaque) = message.opaque.as_ref().filter(|_| echo) {
            member(out, "biz_opaque_callback_data", opaque);
        }
        match status {
            Status::Sent | Status::Delivered => out.push_str(pricing(message.category)),
            Status::Read if !message.statuses.contains(&Status::Delivered) => {
                out.push_str(pricing(message.category));
            }
            Status::Read => {}
            Status::Failed => {
                if let Some(error) = &message.error {
                    out.push_str(r#","errors":["#);
                    out.push_str(&escape(&serde_json::to_string(error).unwrap_or_default()));
                    out.push(']');
                }
            }
        }
        out.push('}');
    }

    fn add_contact(&mut self, message: &Accepted, status: Status) {
        let (out, to) = (&mut self.contacts, &message.recipient);
        comma(out);
        out.push('{');
        let mut first = true;
        // The name is only known once something has reached the person.
        if let (Some(name), Status::Delivered | Status::Read) = (&to.name, status) {
            out.push_str(r#""profile":{"name":"#);
            push_str(out, name);
            out.push('}');
            first = false;
        }
        for (key, value) in [("wa_id", &to.wa_id), ("user_id", &to.user_id)] {
            if let Some(value) = value {
                let _ = write!(out, r#"{}"{key}":"#, if first { "" } else { "," });
                push_str(out, value);
                first = false;
            }
        }
        out.push('}');
    }
}

fn close(out: &mut String, empty: usize, statuses: Option<Statuses<'_>>) {
    let Some(Statuses { of, contacts, list }) = statuses else { return };
    begin_entry(out, empty, &of.waba_id);
    out.push_str(
        r#""changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"#,
    );
    push_str(out, &of.display);
    member(out, "phone_number_id", &of.phone_number_id);
    out.push('}');
    if !contacts.is_empty() {
        out.push_str(r#","contacts":["#);
        out.push_str(&contacts);
        out.push(']');
    }
    out.push_str(r#","statuses":["#);
    out.push_str(&list);
    out.push_str(r#"]},"field":"messages"}]}"#);
}

fn begin_entry(out: &mut String, empty: usize, id: &str) {
    if out.len() > empty {
        out.push(',');
    }
    out.push_str(r#"{"id":"#);
    push_str(out, id);
    out.push(',');
}

fn member(out: &mut String, key: &str, value: &str) {
    let _ = write!(out, r#","{key}":"#);
    push_str(out, value);
}

fn comma(out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
}

fn pricing(category: Category) -> &'static str {
    match category {
        Category::Service => {
            r#","pricing":{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}"#
        }
        Category::Utility => {
            r#","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}"#
        }
        Category::MarketingLite => {
            r#","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing_lite"}"#
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::{Change, Recipient};
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn message(number: &str, statuses: Vec<Status>) -> Arc<Accepted> {
        Arc::new(Accepted {
            first_webhook: 1,
            id: "wamid.A/=".to_owned(),
            waba_id: "10".to_owned(),
            phone_number_id: number.to_owned(),
            display: "255712000001".to_owned(),
            recipient: Recipient { wa_id: Some("255712345678".to_owned()), ..Recipient::default() },
            opaque: Some("v1.ü".to_owned()),
            category: Category::Service,
            statuses,
            error: json!({"code": 131_026}).as_object().cloned(),
        })
    }

    fn parsed(events: &[Event]) -> Value {
        let body = body(events, 1_790_000_000, true);
        assert!(body.is_ascii());
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn a_status_has_the_members_meta_gives_it() {
        let message = message("20", vec![Status::Sent]);
        let value = &parsed(&[Event::Status { message, index: 0 }])["entry"][0]["changes"][0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], "20");
        assert_eq!(value["contacts"], json!([{"wa_id": "255712345678"}]));
        let status = &value["statuses"][0];
        assert_eq!(status["id"], "wamid.A/=");
        assert_eq!(status["timestamp"], "1790000000");
        assert_eq!(status["biz_opaque_callback_data"], "v1.ü");
        assert_eq!(status["pricing"]["pricing_model"], "PMP");
    }

    #[test]
    fn a_failed_status_carries_the_error_and_no_contacts() {
        let message = message("20", vec![Status::Failed]);
        let value = &parsed(&[Event::Status { message, index: 0 }])["entry"][0]["changes"][0]["value"];
        assert_eq!(value["statuses"][0]["errors"][0]["code"], 131_026);
        assert!(value.get("contacts").is_none());
    }

    #[test]
    fn statuses_of_one_number_share_a_value_and_others_do_not() {
        let (a, b) = (message("20", vec![Status::Sent, Status::Read]), message("21", vec![Status::Sent]));
        let change = Change {
            entry_id: "30".to_owned(),
            waba_id: None,
            phone_number_id: None,
            field: "account_update".to_owned(),
            value: r#"{"event":"PARTNER_ADDED"}"#.to_owned(),
            timed: true,
        };
        let body = parsed(&[
            Event::Status { message: a.clone(), index: 0 },
            Event::Status { message: a, index: 1 },
            Event::Status { message: b, index: 0 },
            Event::Change(Arc::new(change)),
        ]);
        let entries = body["entry"].as_array().unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0]["changes"][0]["value"]["statuses"].as_array().unwrap().len(), 2);
        assert_eq!(entries[2]["time"], 1_790_000_000);
        assert_eq!(entries[2]["changes"][0]["field"], "account_update");
    }
}
