//! News that names a message by the provider's id alone: whose message it is about, as far as that can be known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::Connection;
use domain::contact::Alias;
use domain::contracts::provider::{Content, StatusUpdate, Subject, Update};
use domain::contracts::queue::QueuedMessage;
use domain::contracts::store::{LaneKey, StoreError};
use domain::ids::{ConnectionId, MessageId};
use domain::outbox::{Claim, OutboxState, StateCode};
use domain::unechoed::sole_claim;

use crate::quotes;
use crate::services::Services;

/// So long a status waits for the answer to a POST to its recipient …
const ANSWER_COMES: Duration = Duration::from_secs(1);
/// … which is looked for this often.
const LOOK: Duration = Duration::from_millis(50);

/// Messages by the connection that hears of them and the provider's id.
#[derive(Debug, Default)]
pub(crate) struct Matched(HashMap<ConnectionId, HashMap<String, MessageId>>);

impl Matched {
    /// Looks for every message that is named by the provider's id alone: by a status, or by what a customer answers.
    pub(crate) async fn look_up(services: &Services, updates: &[Update]) -> Result<Self, Arc<StoreError>> {
        let mut unechoed: HashMap<&Subject, Vec<Unechoed<'_>>> = HashMap::new();
        for update in updates {
            if let Content::Status(status) = &update.content
                && status.echo.is_none()
            {
                unechoed.entry(&update.subject).or_default().push(Unechoed { status, told_at: update.at });
            }
        }
        let mut matched = Self::default();
        for (subject, ids) in quoted(updates) {
            for owner in services.directory.subject(subject).await? {
                let known = services.store.messages_by_provider_id(owner.id, &ids).await.map_err(Arc::new)?;
                matched.0.entry(owner.id).or_default().extend(known);
            }
        }
        for (subject, statuses) in unechoed {
            for owner in services.directory.subject(subject).await? {
                let known = named(services, &owner, &statuses).await?;
                matched.0.entry(owner.id).or_default().extend(known);
            }
        }
        Ok(matched)
    }

    pub(crate) fn get(&self, connection: ConnectionId, provider_id: &str) -> Option<MessageId> {
        self.0.get(&connection)?.get(provider_id).copied()
    }
}

fn quoted(updates: &[Update]) -> HashMap<&Subject, Vec<String>> {
    let mut quoted: HashMap<&Subject, Vec<String>> = HashMap::new();
    for update in updates {
        if let Content::Message { message, .. } = &update.content {
            for id in quotes::quoted(message) {
                quoted.entry(&update.subject).or_default().push(id.to_owned());
            }
        }
    }
    quoted
}

struct Unechoed<'a> {
    status: &'a StatusUpdate,
    told_at: Timestamp,
}

/// By the provider's ids, waiting a moment for the answer to a POST that one of them may be about: only the answer tells
/// the id.
async fn named(
    services: &Services,
    owner: &Connection,
    statuses: &[Unechoed<'_>],
) -> Result<HashMap<String, MessageId>, Arc<StoreError>> {
    let ids: Vec<String> = statuses.iter().map(|unechoed| unechoed.status.provider_id.clone()).collect();
    let by_id = || async { services.store.messages_by_provider_id(owner.id, &ids).await.map_err(Arc::new) };
    let until = services.clock.boottime() + ANSWER_COMES;
    let mut known: HashMap<_, _> = by_id().await?.into_iter().collect();
    let mut unknown = Vec::new();
    for unechoed in statuses.iter().filter(|unechoed| !known.contains_key(&unechoed.status.provider_id)) {
        unknown.push((unechoed, lanes(services, owner, unechoed.status).await?));
    }
    while !unknown.is_empty() {
        let claimed = services.store.claimed(owner.id).await.map_err(Arc::new)?;
        let mut unanswered = false;
        for (Unechoed { status, told_at }, lanes) in &unknown {
            let mut open = claimed.iter().filter(|message| lanes.contains(&message.lane));
            if status.word != "failed" {
                unanswered |= open.any(|message| message.state.code() == StateCode::Sending);
            } else if let Some(message) = sole_claim(&claims(open), *told_at) {
                known.insert(status.provider_id.clone(), message);
            }
        }
        // After the claims: what is answered meanwhile is found by one look or the other.
        known.extend(by_id().await?);
        if !unanswered || services.clock.boottime() >= until {
            break;
        }
        unknown.retain(|(unechoed, _)| !known.contains_key(&unechoed.status.provider_id));
        services.clock.sleep(LOOK).await;
    }
    Ok(known)
}

/// Of messages whose outcome is not known yet.
fn claims<'a>(open: impl Iterator<Item = &'a QueuedMessage>) -> Vec<(MessageId, Claim)> {
    let claim = |message: &QueuedMessage| match message.state {
        OutboxState::Sending(claim) | OutboxState::Ambiguous(claim) => Some((message.id, claim)),
        _ => None,
    };
    open.filter_map(claim).collect()
}

/// Where messages to the recipient of a status wait for each other: under the name that it has in the status, and under
/// the one by which its contact is known.
async fn lanes(
    services: &Services,
    owner: &Connection,
    status: &StatusUpdate,
) -> Result<Vec<LaneKey>, Arc<StoreError>> {
    let mut lanes = Vec::new();
    // Of a group one participant's status says nothing about the message to all.
    if !status.participant.is_empty() {
        return Ok(lanes);
    }
    for member in ["recipient_id", "recipient_user_id"] {
        let name = status.object.get(member).and_then(serde_json::Value::as_str);
        let Some(alias) = name.and_then(Alias::from_provider) else { continue };
        let known = services.contacts.find(owner.business, &alias).await.map_err(|error| error.0)?;
        let canonical = known.as_ref().and_then(|contact| contact.canonical.as_ref()?.lane(owner.id));
        lanes.extend(alias.lane(owner.id).into_iter().chain(canonical));
    }
    Ok(lanes)
}
