//! Statuses that come without our echo: whose message each is about, as far as that can be known.

use std::collections::HashMap;
use std::sync::Arc;

use domain::connection::Connection;
use domain::contact::Alias;
use domain::contracts::provider::{Content, StatusUpdate, Subject, Update};
use domain::contracts::store::{LaneKey, StoreError};
use domain::ids::{ConnectionId, MessageId};
use domain::outbox::{Claim, OutboxState};
use domain::unechoed::sole_claim;

use crate::services::Services;

/// Messages by the connection that hears of them and the provider's id.
#[derive(Debug, Default)]
pub(crate) struct Matched(HashMap<ConnectionId, HashMap<String, MessageId>>);

impl Matched {
    /// Looks for every message that is named by the provider's id alone.
    pub(crate) async fn look_up(services: &Services, updates: &[Update]) -> Result<Self, Arc<StoreError>> {
        let mut unechoed: HashMap<&Subject, Vec<(&StatusUpdate, &Update)>> = HashMap::new();
        for update in updates {
            if let Content::Status(status) = &update.content
                && status.echo.is_none()
            {
                unechoed.entry(&update.subject).or_default().push((status, update));
            }
        }
        let mut matched = Self::default();
        for (subject, statuses) in unechoed {
            let ids: Vec<String> = statuses.iter().map(|(status, _)| status.provider_id.clone()).collect();
            for owner in services.directory.subject(subject).await? {
                let found = services.store.messages_by_provider_id(owner.id, &ids).await?;
                let known = matched.0.entry(owner.id).or_default();
                known.extend(found);
                for (status, update) in &statuses {
                    if known.contains_key(&status.provider_id) {
                        continue;
                    }
                    if let Some(message) = hanging(services, &owner, status, update).await? {
                        known.insert(status.provider_id.clone(), message);
                    }
                }
            }
        }
        Ok(matched)
    }

    pub(crate) fn get(&self, connection: ConnectionId, provider_id: &str) -> Option<MessageId> {
        self.0.get(&connection)?.get(provider_id).copied()
    }
}

/// The message to the recipient of a failed status that hangs in the air, if there is exactly one.
async fn hanging(
    services: &Services,
    owner: &Connection,
    status: &StatusUpdate,
    update: &Update,
) -> Result<Option<MessageId>, Arc<StoreError>> {
    if status.word != "failed" || !status.participant.is_empty() {
        return Ok(None);
    }
    let lanes = lanes(services, owner, status).await?;
    if lanes.is_empty() {
        return Ok(None);
    }
    let claimed = services.store.claimed(owner.id).await.map_err(Arc::new)?;
    let open: Vec<(MessageId, Claim)> = claimed
        .into_iter()
        .filter(|message| lanes.contains(&message.lane))
        .filter_map(|message| match message.state {
            OutboxState::Sending(claim) | OutboxState::Ambiguous(claim) => Some((message.id, claim)),
            _ => None,
        })
        .collect();
    Ok(sole_claim(&open, update.at))
}

/// Where messages to the recipient of a status wait for each other: under the name that it has in the status, and under
/// the one by which its contact is known.
async fn lanes(
    services: &Services,
    owner: &Connection,
    status: &StatusUpdate,
) -> Result<Vec<LaneKey>, Arc<StoreError>> {
    let mut lanes = Vec::new();
    for member in ["recipient_id", "recipient_user_id"] {
        let name = status.object.get(member).and_then(serde_json::Value::as_str);
        let Some(alias) = name.and_then(Alias::from_provider) else { continue };
        let known = services.contacts.find(owner.business, &alias).await.map_err(|error| error.0)?;
        let canonical = known.as_ref().and_then(|contact| contact.canonical.as_ref()?.lane(owner.id));
        lanes.extend(alias.lane(owner.id).into_iter().chain(canonical));
    }
    Ok(lanes)
}
