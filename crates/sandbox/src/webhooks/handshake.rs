//! Proves that a callback address wants our webhooks before it gets any.

use crate::accounts::Callback;
use crate::chance::random;
use crate::journal::{Record, Synced};
use crate::world::{World, locked};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One handshake: the answer has to be 200 and the bare challenge.
pub(crate) async fn verify(client: &reqwest::Client, url: &str, verify_token: &str) -> Result<(), String> {
    let challenge = (1_000_000_000 + u32::from_le_bytes(random()) % 1_000_000_000).to_string();
    let mut address = url::Url::parse(url).map_err(|error| error.to_string())?;
    address
        .query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", verify_token);
    let unreachable = |error: reqwest::Error| format!("unreachable: {}", error.without_url());
    let answer = client.get(address).send().await.map_err(unreachable)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(unreachable)?;
    match (status.as_u16(), body == challenge.as_bytes()) {
        (200, true) => Ok(()),
        (200, false) => Err("answered 200 with something else than the challenge".to_owned()),
        (status, _) => Err(format!("answered {status}")),
    }
}

/// Makes `url` the app's callback. An address that is already verified stays so.
pub(crate) fn set_callback(world: &World, url: &str, verified: bool) -> Synced {
    let mut accounts = locked(&world.accounts);
    if accounts.app.callback.as_ref().is_none_or(|callback| callback.url != url || verified) {
        accounts.app.callback = Some(Callback { url: url.to_owned(), verified, last_error: None });
    }
    let synced = world.journal.append(&Record::App(Cow::Borrowed(&accounts.app)));
    drop(accounts);
    world.webhooks.callback_changed();
    synced
}

/// Runs beside the server and tries whatever callback is waiting: the gateway may start long after the sandbox.
pub(crate) async fn shake_hands(world: Arc<World>) {
    let mut pause = FIRST_PAUSE;
    let mut tried = String::new();
    loop {
        let waiting = {
            let accounts = locked(&world.accounts);
            let callback = accounts.app.callback.as_ref().filter(|callback| !callback.verified);
            callback.map(|callback| (callback.url.clone(), accounts.app.verify_token.clone()))
        };
        if let Some((url, verify_token)) = waiting {
            if tried != url {
                tried.clone_from(&url);
                pause = FIRST_PAUSE;
            }
            let outcome = verify(&world.client, &url, verify_token.expose()).await;
            if settle(&world, &url, &outcome) {
                tracing::info!("the webhook callback has answered the handshake");
                world.webhooks.callback_changed();
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        } else {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether the callback, if it is still the same, is now verified.
fn settle(world: &World, url: &str, outcome: &Result<(), String>) -> bool {
    let mut accounts = locked(&world.accounts);
    let Some(callback) = accounts.app.callback.as_mut().filter(|callback| callback.url == url) else {
        return false;
    };
    match outcome {
        Ok(()) => {
            callback.verified = true;
            callback.last_error = None;
            world.journal.append_lazily(&Record::App(Cow::Borrowed(&accounts.app)));
            true
        }
        Err(error) => {
            if callback.last_error.as_ref() != Some(error) {
                tracing::info!(%error, "the webhook callback has not answered the handshake yet");
            }
            callback.last_error = Some(error.clone());
            false
        }
    }
}
