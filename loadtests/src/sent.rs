//! The sandbox's log: what reached the platform, when, and how often.

use std::collections::HashMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

use crate::api::Api;

const PAGE: usize = 20_000;

/// One request to send, as the platform saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds since 1970, of the same clock as ours: both are this machine's.
    pub at_ms: i64,
    pub phone_number_id: String,
    /// Our id, where the request named one.
    pub message: Option<String>,
    /// The platform took it, whether or not its answer arrived.
    pub taken: bool,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    seq: u64,
    at: String,
    phone_number_id: String,
    id: Option<String>,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    biz_opaque_callback_data: Option<String>,
}

impl Entry {
    fn read(self) -> Result<Arrival> {
        let at: Timestamp = self.at.parse().with_context(|| format!("the sandbox says {}", self.at))?;
        let opaque = self.body.biz_opaque_callback_data;
        Ok(Arrival {
            at_ms: at.as_millisecond(),
            phone_number_id: self.phone_number_id,
            message: opaque.as_deref().and_then(message_of).map(str::to_owned),
            taken: self.id.is_some(),
        })
    }
}

/// Of `v1.<message id>.<attempt>`.
fn message_of(opaque: &str) -> Option<&str> {
    opaque.strip_prefix("v1.")?.rsplit_once('.').map(|(message, _)| message)
}

/// How far the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(u64);

impl Cursor {
    /// Everything behind it, which it then stands behind.
    pub async fn read(&mut self, sandbox: &Api) -> Result<Vec<Arrival>> {
        let mut arrivals = Vec::new();
        loop {
            let page = sandbox.get(&format!("control/sent?after={}&limit={PAGE}", self.0)).await?;
            let Page { data } = serde_json::from_value(page)?;
            let Some(last) = data.last() else { return Ok(arrivals) };
            self.0 = last.seq;
            for entry in data {
                arrivals.push(entry.read()?);
            }
        }
    }
}

/// How often the platform took each message.
pub fn times(arrivals: &[Arrival]) -> HashMap<&str, u32> {
    let mut times = HashMap::new();
    for message in
        arrivals.iter().filter(|arrival| arrival.taken).filter_map(|arrival| arrival.message.as_deref())
    {
        *times.entry(message).or_default() += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(opaque: &str, id: Option<&str>) -> Arrival {
        let entry = json!({"seq": 1, "at": "2026-09-21T14:13:20.25Z", "phone_number_id": "64", "id": id,
            "body": {"biz_opaque_callback_data": opaque, "to": "255"}});
        serde_json::from_value::<Entry>(entry).unwrap().read().unwrap()
    }

    #[test]
    fn opaque_data_names_the_message() {
        assert_eq!(message_of("v1.msg_0199.12"), Some("msg_0199"));
        assert_eq!(message_of("v2.msg_0199.12"), None);
        assert_eq!(message_of("order-7"), None);
    }

    #[test]
    fn the_time_of_an_entry_is_read_to_the_millisecond() {
        assert_eq!(entry("v1.msg_1.1", None).at_ms, 1_790_000_000_250);
    }

    #[test]
    fn only_what_was_taken_counts() {
        let arrivals = [
            entry("v1.msg_1.1", Some("w")),
            entry("v1.msg_1.2", None),
            entry("v1.msg_1.3", Some("w")),
            entry("order-7", Some("w")),
        ];
        assert_eq!(times(&arrivals), HashMap::from([("msg_1", 2)]));
    }
}
