//! Bodies that no client would write: whatever the bytes are, both doors answer, and never that it was our fault.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api};
use crate::support::demo::Demo;

fn doors(demo: &Demo) -> [String; 2] {
    ["/v1/messages".to_owned(), format!("/v25.0/{}/messages", demo.ready.phone_number_id)]
}

/// The message as each door takes it.
fn at(door: &str, connection: &str, message: &str) -> Vec<u8> {
    if door.starts_with("/v1") {
        format!(r#"{{"connection_id":"{connection}","message":{message}}}"#).into_bytes()
    } else {
        message.as_bytes().to_vec()
    }
}

async fn post(api: &Api, path: &str, body: Vec<u8>) -> Answer {
    let request = api.request(Method::POST, path).header("content-type", "application/json").body(body);
    let answer = tokio::time::timeout(Duration::from_secs(10), api.send(request)).await;
    answer.expect("an answer in time").expect("an answer")
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

/// A text message with one more member.
fn with_member(member: &str) -> String {
    format!(r#"{{"to":"+255712345678","type":"text","text":{{"body":"x"}},{member}}}"#)
}

/// Messages that no type of ours describes; what is refused says so, what is not is passed on.
fn strange_messages() -> Vec<String> {
    vec![
        with_member(&format!(r#""deep":{}"#, nested("[", "]", 120))),
        with_member(&format!(r#""deep":{}"#, nested("[", "]", 100_000))),
        with_member(&format!(r#""deep":{}"#, nested(r#"{"a":"#, "}", 100_000))),
        with_member(&format!(r#""deep":{}"#, "[".repeat(500_000))),
        with_member(&format!(r#""many":[{}1]"#, "1,".repeat(400_000))),
        with_member(&format!(
            r#""many":{{{}"last":1}}"#,
            (0..50_000).map(|n| format!(r#""m{n}":1,"#)).collect::<Vec<_>>().concat()
        )),
        with_member(r#""type":"image""#),
        with_member(r#""to":"+255712345679","to":7"#),
        with_member(r#""text":{"body":"a","body":"b"}"#),
        with_member(r#""context":{"message_id":"wamid.A","message_id":"wamid.B"}"#),
        with_member(r#""number":1e400"#),
        with_member(r#""number":123456789012345678901234567890.5"#),
        with_member(r#""half":"\ud800""#),
        with_member(r#""":"""#),
        r#"{"to":"\u0000","type":"\u0000","text":"\u0000"}"#.to_owned(),
        format!(r#"{{"to":"+255712345678","type":"contacts","contacts":[{}1]}}"#, "{},".repeat(100_000)),
        format!(
            r#"{{"to":"+255712345678","type":"interactive","interactive":{{"type":"button","body":{{"text":"x"}},"action":{{"buttons":[{}1]}}}}}}"#,
            "1,".repeat(100_000)
        ),
        format!(r#"{{"to":"{}","type":"text","text":{{"body":"x"}}}}"#, "1".repeat(900_000)),
        format!(r#"{{"to":"+255712345678","type":"{}"}}"#, "x".repeat(900_000)),
        format!(
            r#"{{"to":"+255712345678","type":"reaction","reaction":{{"message_id":"wamid.{}","emoji":""}}}}"#,
            "A".repeat(200)
        ),
        "{}".to_owned(),
        r#"{"status":{}}"#.to_owned(),
        r#"{"status":"read","message_id":["wamid.A"]}"#.to_owned(),
        r#"{"to":[],"recipient":{},"type":[],"text":[]}"#.to_owned(),
    ]
}

fn strange_bytes() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"x\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{\"",
        "{}{}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{'a':1}",
        "NaN",
        "to=1&type=text",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.extend([
        b"{\"to\":\"\xff\xfe\"}".to_vec(),
        b"{\"type\":\"text\",\"to\":\"+255712345678\",\"text\":{\"body\":\"\xc3\x28\"}}".to_vec(),
        b"{\"message\":{\"to\":\"+255712345678\",\"type\":\"text\",\"text\":{\"body\":\"\xed\xa0\x80\"}}}"
            .to_vec(),
        vec![0; 1_000],
        vec![0xff; 1_000],
        vec![b'['; 1_000_000],
        "{\"a\":".repeat(150_000).into_bytes(),
        (0..=255).collect(),
    ]);
    bodies
}

#[actix_rt::test]
async fn whatever_the_bytes_are_both_doors_answer_and_stay_open() {
    let demo = Demo::start().await;
    let (api, connection) = (demo.api(), demo.ready.connection_id.clone());
    for door in doors(&demo) {
        let bodies = strange_messages().into_iter().map(|message| at(&door, &connection, &message));
        for body in bodies.chain(strange_bytes()) {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            let answer = post(&api, &door, body).await;
            assert!(answer.status.as_u16() < 500, "{door} {shown}: {} {}", answer.status, answer.text);
            assert!(answer.json().is_object(), "{door} {shown}: {}", answer.text);
        }
        for body in strange_bytes() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            let answer = post(&api, &door, body).await;
            assert!(answer.status.is_client_error(), "{door} {shown}: {} {}", answer.status, answer.text);
        }
        let plain = br#"{"to":"+255712000001","type":"text","text":{"body":"Habari"}}"#;
        let body = at(&door, &connection, std::str::from_utf8(plain).expect("a text"));
        assert!(post(&api, &door, body).await.status.is_success(), "{door}");
    }
    assert!(!demo.log().contains("panicked"), "{}", demo.log());
}

/// The last one counts, as at Graph, where it is inside the message; a member of ours that comes twice is refused.
#[actix_rt::test]
async fn a_member_that_comes_twice_is_read_in_one_way_at_both_doors() {
    let demo = Demo::start().await;
    let (api, connection) = (demo.api(), demo.ready.connection_id.clone());
    let twice = r#"{"to":"+255712000009","to":"+255712000002","type":"text","text":{"body":"a"},"text":{"body":"b"}}"#;
    for door in doors(&demo) {
        let answer = post(&api, &door, at(&door, &connection, twice)).await;
        assert!(answer.status.is_success(), "{door}: {}", answer.text);
        assert!(answer.text.contains("255712000002"), "{door}: {}", answer.text);
    }
    let ours = format!(r#"{{"connection_id":"{connection}","message":{twice},"message":{{}}}}"#);
    let refused = post(&api, "/v1/messages", ours.into_bytes()).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.json()["rules"], json!({"message": ["duplicate"]}), "{}", refused.text);
    let sent: Vec<Value> = crate::support::eventually("both are sent", Duration::from_secs(20), || async {
        let sent = demo.sandbox().everything_sent().await;
        if sent.len() == 2 { Ok(sent) } else { Err(format!("{} of 2", sent.len())) }
    })
    .await;
    for sent in sent {
        assert_eq!(
            (&sent["body"]["to"], &sent["body"]["text"]["body"]),
            (&json!("+255712000002"), &json!("b"))
        );
    }
}
