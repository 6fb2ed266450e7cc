use super::*;
use domain::DeliveryStatus;
use domain::contracts::provider::{Fault, SendError};
use proptest::prelude::*;
use serde_json::json;

const ARRIVED: Timestamp = Timestamp::from_seconds(1_800_000_000);

macro_rules! fixture {
    ($name:literal) => {
        parse(include_bytes!(concat!("../../../fixtures/meta/", $name, ".json")), ARRIVED).unwrap()
    };
}

fn parsed(body: &Value) -> Vec<Update> {
    parse(body.to_string().as_bytes(), ARRIVED).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn number(id: &str) -> Subject {
    Subject::Number(id.to_owned())
}

fn waba(id: &str) -> Subject {
    Subject::Waba(id.to_owned())
}

fn other(update: &Update) -> (&str, &str, &Value) {
    match &update.content {
        Content::Other { field, key, value, .. } => (field, key, value),
        content => panic!("{content:?} is not kept raw"),
    }
}

/// One change of the field `messages` for the number 2.
fn change(value: Value) -> Value {
    let mut whole = json!({"metadata": {"display_phone_number": "15550783881", "phone_number_id": "2"}});
    if let Value::Object(members) = value {
        for (name, member) in members {
            whole[name] = member;
        }
    }
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": whole}]}]})
}

#[test]
fn every_type_of_message_arrives_in_order_with_who_wrote_it() {
    let updates = fixture!("every_type");
    assert_eq!(updates.len(), 16);
    for (index, update) in updates.iter().enumerate() {
        assert_eq!(update.subject, number("106540352242922"));
        assert_eq!(update.at, at(1_790_000_001 + i64::try_from(index).unwrap()));
        let Content::Message { key, message, contact, metadata } = &update.content else {
            panic!("{update:?}")
        };
        assert_eq!(*key, format!("wamid.{:02}", index + 1));
        assert_eq!(message["id"], key.as_str());
        let name = if index == 15 { "Asha" } else { "Sheena" };
        assert_eq!(contact.as_ref().unwrap()["profile"]["name"], name);
        assert_eq!(metadata["display_phone_number"], "15550783881");
    }
}

#[test]
fn someone_whose_number_is_hidden_is_known_by_their_user_id() {
    let updates = fixture!("hidden_number");
    let Content::Message { message, contact, .. } = &updates[0].content else { panic!("{updates:?}") };
    assert_eq!(message.get("from"), None);
    assert_eq!(contact.as_ref().unwrap()["user_id"], "US.13491208655302741918");
}

#[test]
fn statuses_of_several_changes_arrive_and_a_foreign_echo_is_not_ours() {
    let updates = fixture!("delivered_and_failed");
    let statuses: Vec<_> = updates
        .iter()
        .map(|update| match &update.content {
            Content::Status(status) => (status.provider_id.as_str(), status.status, status.echo, update.at),
            content => panic!("{content:?}"),
        })
        .collect();
    assert_eq!(
        statuses,
        [
            ("wamid.HBgB", Some(DeliveryStatus::Delivered), None, at(1_790_000_010)),
            ("wamid.HBgC", Some(DeliveryStatus::Failed), None, at(1_790_000_011)),
        ]
    );
    let Content::Status(failed) = &updates[1].content else { panic!("{updates:?}") };
    assert_eq!(failed.object["errors"][0]["code"], 131_026);
}

#[test]
fn a_status_of_a_group_names_the_member_and_carries_our_echo_back() {
    let updates = fixture!("group_statuses");
    let statuses: Vec<_> = updates
        .iter()
        .map(|update| match &update.content {
            Content::Status(status) => status,
            content => panic!("{content:?}"),
        })
        .collect();
    assert_eq!(statuses[0].participant, "16505551234");
    assert_eq!(statuses[1].participant, "US.13491208655302741918");
    assert_eq!(statuses[2].participant, "");
    let echo = statuses[0].echo.unwrap();
    assert_eq!(
        (echo.message.to_string().as_str(), echo.attempt),
        ("msg_00000000000000000000000000000007", 2)
    );
    assert_eq!((statuses[2].status, statuses[2].word.as_str(), statuses[2].echo), (None, "pondered", None));
}

#[test]
fn a_batch_with_broken_and_unknown_parts_arrives_whole() {
    let updates = fixture!("fragile_batch");
    assert_eq!(updates.len(), 5);
    let keys: Vec<_> = updates
        .iter()
        .filter_map(|update| match &update.content {
            Content::Message { key, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ["wamid.Y", "wamid.Z"]);
    let (field, _, value) = other(&updates[1]);
    assert_eq!((field, &value["errors"][0]["code"]), ("messages", &json!(131_000)));
    assert_eq!(updates[1].subject, number("2"));
    assert_eq!((&updates[3].subject, updates[3].at), (&waba("3"), at(1_790_000_002)));
    assert_eq!(other(&updates[4]).0, "some_future_field");
}

#[test]
fn every_field_is_about_the_number_or_account_it_names() {
    let updates = fixture!("account_fields");
    let subjects: Vec<_> = updates.iter().map(|update| update.subject.clone()).collect();
    assert_eq!(
        subjects,
        [
            waba("102"),
            waba("102"),
            number("106"),
            waba("102"),
            waba("103"),
            waba("102"),
            number("106"),
            waba("102"),
            waba("102"),
        ]
    );
    let times: Vec<_> = updates[..7].iter().map(|update| update.at.as_seconds() - 1_790_000_000).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(updates[8].at, ARRIVED, "nothing tells another time");
    assert!(other(&updates[7]).2["rejection_info"].is_object(), "wherever Meta puts it");
}

#[test]
fn what_the_phone_sent_and_each_event_of_a_call_is_news_of_its_own() {
    let updates = fixture!("echoes_and_calls");
    assert!(matches!(&updates[0].content, Content::Echo { key, .. } if key == "wamid.E"));
    let calls: Vec<_> = updates[1..4].iter().map(|update| other(update).1).collect();
    assert_eq!(calls, ["wacid.A:connect", "wacid.A:terminate", "wacid.B:RINGING"]);
    assert_eq!(other(&updates[1]).2["calls"].as_array().unwrap().len(), 1);
    let (field, _, value) = other(&updates[4]);
    assert_eq!(field, "history");
    assert_eq!(value["history"][0]["threads"][0]["messages"][0]["id"], "wamid.H");
    assert_eq!(updates[4].subject, number("106"));
}

#[test]
fn an_element_that_cannot_be_read_is_kept_in_its_place() {
    let updates = parsed(&change(json!({"messages": [
        {"id": "wamid.A", "timestamp": "1790000000"}, 5, {"timestamp": "1790000001", "type": "text"}, null, {"id": ""}, {"id": "wamid.B"},
    ]})));
    let kinds: Vec<_> =
        updates.iter().map(|update| matches!(update.content, Content::Message { .. })).collect();
    assert_eq!(kinds, [true, false, false, false, false, true]);
    assert_eq!(other(&updates[1]).2["messages"], json!([5]));
    assert_eq!(updates[2].at, at(1_790_000_001));
    let updates =
        parsed(&change(json!({"statuses": [{"id": "wamid.A"}, "x", {"id": "wamid.B", "status": "sent"}]})));
    assert!(matches!(updates[2].content, Content::Status(_)));
    assert_eq!(other(&updates[0]).2["statuses"], json!([{"id": "wamid.A"}]));
}

#[test]
fn a_list_that_is_none_and_a_value_without_a_number_are_kept_raw() {
    let updates =
        parsed(&change(json!({"messages": "none", "statuses": [{"id": "wamid.B", "status": "sent"}]})));
    assert_eq!(updates.len(), 2);
    assert_eq!(other(&updates[1]).2["messages"], "none");
    let homeless = json!({"entry": [{"id": "1", "changes": [{"field": "messages", "value": {"messages": [{"id": "wamid.A"}]}}]}]});
    let updates = parsed(&homeless);
    assert_eq!(updates[0].subject, waba("1"));
    assert_eq!(other(&updates[0]).2["messages"][0]["id"], "wamid.A");
}

#[test]
fn entries_and_changes_that_are_none_do_not_lose_their_neighbours() {
    let good = change(json!({"messages": [{"id": "wamid.A"}]}))["entry"][0].clone();
    for bad in [
        json!(1),
        json!({}),
        json!({"id": "1", "changes": 5}),
        json!({"id": "1", "changes": [7, {"field": 1}]}),
    ] {
        let updates = parsed(&json!({"entry": [bad, good]}));
        assert!(updates.len() >= 2, "{bad}");
        assert!(matches!(updates.last().unwrap().content, Content::Message { .. }), "{bad}");
    }
}

#[test]
fn half_an_emoji_in_one_message_does_not_lose_the_others() {
    let body = change(json!({"messages": [{"id": "wamid.A", "text": {"body": "HALF"}}, {"id": "wamid.B"}]}));
    let body = body.to_string().replace("HALF", r"\ud83d");
    assert_eq!(parse(body.as_bytes(), ARRIVED).unwrap().len(), 2);
}

#[test]
fn a_contact_is_given_only_to_the_message_it_belongs_to() {
    let updates = parsed(&change(json!({
        "contacts": [{"wa_id": "1", "user_id": "US.1"}, {"wa_id": "2"}],
        "messages": [{"id": "a", "from": "2"}, {"id": "b", "from": "US.9", "from_user_id": "US.1"}, {"id": "c", "from": "3"}],
    })));
    let contacts: Vec<_> = updates
        .iter()
        .map(|update| match &update.content {
            Content::Message { contact, .. } => contact.as_ref().map(|contact| contact["wa_id"].clone()),
            content => panic!("{content:?}"),
        })
        .collect();
    assert_eq!(contacts, [Some(json!("2")), Some(json!("1")), None]);
}

#[test]
fn the_same_news_has_the_same_key_and_time_however_late_it_comes_again() {
    let body = include_bytes!("../../../fixtures/meta/account_fields.json");
    let first = parse(body, ARRIVED).unwrap();
    let again = parse(body, at(1_900_000_000)).unwrap();
    for (first, again) in first[..7].iter().zip(&again) {
        assert_eq!(first, again);
    }
    assert_ne!(other(&first[0]).1, other(&first[7]).1);
}

#[test]
fn a_status_is_told_with_its_own_contact_and_with_nobody_elses() {
    let status = |id: &str, status: &str, recipient: Value| {
        let mut object = json!({"id": id, "status": status});
        for (name, value) in recipient.as_object().unwrap() {
            object[name] = value.clone();
        }
        object
    };
    let contacts = |value: Value| -> Vec<Option<Value>> {
        let read = |update: Update| match update.content {
            Content::Status(status) => status.contact,
            content => panic!("{content:?}"),
        };
        parsed(&change(value)).into_iter().map(read).collect()
    };
    let asha = json!({"wa_id": "2", "user_id": "TZ.1", "profile": {"username": "asha"}});
    let both = contacts(json!({
        "contacts": [asha],
        "statuses": [status("a", "failed", json!({"recipient_id": "3"})), status("b", "sent", json!({"recipient_user_id": "TZ.1"})),
            status("c", "sent", json!({"recipient_id": "2"}))],
    }));
    assert_eq!(both, [None, Some(asha.clone()), Some(asha.clone())]);
    let alone = contacts(json!({"contacts": [asha], "statuses": [status("a", "delivered", json!({}))]}));
    assert_eq!(alone, [Some(asha)]);
}

#[test]
fn only_a_failed_status_is_judged() {
    let updates = fixture!("delivered_and_failed");
    let judged: Vec<_> = updates
        .iter()
        .map(|update| match &update.content {
            Content::Status(status) => status.judged.clone(),
            content => panic!("{content:?}"),
        })
        .collect();
    assert_eq!(judged[0], None);
    assert!(
        matches!(&judged[1], Some(SendError::Rejected { fault: Fault::Recipient, error }) if error.code == Some(131_026)),
        "{judged:?}"
    );
}

#[test]
fn fields_about_accounts_and_templates_say_what_they_mean() {
    let updates = fixture!("account_fields");
    let meaning: Vec<_> = updates
        .iter()
        .map(|update| match &update.content {
            Content::Other { means, template, .. } => (means.is_some(), template.is_some()),
            content => panic!("{content:?}"),
        })
        .collect();
    let (number, template, neither) = ((true, false), (false, true), (false, false));
    assert_eq!(meaning, [template, number, neither, neither, number, number, neither, neither, neither]);
}

#[test]
fn a_body_that_is_not_metas_is_malformed() {
    for body in
        ["", "[]", "{}", "null", r#"{"entry":{}}"#, "<html>", &format!(r#"{{"entry":{}"#, "[".repeat(1_000))]
    {
        assert_eq!(parse(body.as_bytes(), ARRIVED), Err(WebhookError::Malformed), "{body}");
    }
    assert_eq!(parsed(&json!({"object": "whatsapp_business_account", "entry": []})), []);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        proptest::sample::select(vec!["messages", "wamid.A", "1790000000", "sent", "calls", ""])
            .prop_map(Value::from),
    ];
    let names = proptest::sample::select(vec![
        "id",
        "changes",
        "field",
        "value",
        "metadata",
        "phone_number_id",
        "messages",
        "statuses",
        "calls",
        "contacts",
        "timestamp",
        "status",
        "event",
        "message_echoes",
        "errors",
        "time",
        "entity_type",
    ]);
    leaf.prop_recursive(7, 96, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&body, ARRIVED);
    }

    #[test]
    fn nothing_in_a_list_of_entries_disappears(entries in proptest::collection::vec(any_json(), 0..5)) {
        let updates = parsed(&json!({"entry": entries}));
        let empty_changes =
            entries.iter().filter(|entry| entry.get("changes") == Some(&json!([]))).count();
        prop_assert!(updates.len() >= entries.len() - empty_changes);
    }
}
