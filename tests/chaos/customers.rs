//! People who write to the businesses. The platform takes what they write whatever state the gateway is in.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::dice::Dice;
use crate::history::Inbound;
use crate::support::api::Api;
use crate::world::Lane;

/// Everybody writes once before anything is sent to them, so that the platform's window for free text is open.
pub(crate) async fn open_windows(lanes: &[Lane], control: &Api) -> Vec<Inbound> {
    let mut written = Vec::new();
    for lane in lanes {
        written.push(write(lane, control, "Habari").await);
    }
    written
}

pub(crate) async fn run(lanes: &[Lane], control: &Api, seed: u64, until: Instant) -> Vec<Inbound> {
    let people = lanes.iter().map(|lane| async move {
        let mut dice = Dice::of(seed, &format!("customer {}", lane.index));
        let mut written = Vec::new();
        loop {
            sleep(dice.millis(500, 8_000)).await;
            if Instant::now() >= until {
                return written;
            }
            written.push(write(lane, control, "Bei gani?").await);
            if dice.percent(10) {
                sleep(Duration::from_millis(5)).await;
                written.push(write(lane, control, "Na hii?").await);
            }
        }
    });
    join_all(people).await.into_iter().flatten().collect()
}

async fn write(lane: &Lane, control: &Api, text: &str) -> Inbound {
    let body = json!({
        "phone_number_id": lane.number.phone_number_id,
        "from": lane.to.trim_start_matches('+'),
        "profile_name": "Asha",
        "message": { "type": "text", "text": { "body": text } },
    });
    let answer = control.post("/control/inbound", &body).await.expect(200);
    Inbound {
        id: answer["id"].as_str().unwrap_or_default().to_owned(),
        business: lane.number.business.clone(),
    }
}
