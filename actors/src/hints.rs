//! What a webhook tells that the connections themselves should know at once: reports that settle something, what the
//! number received, what the platform says about it. Told when it is durable, and only what is new.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Timestamp;
use domain::connection::{Connection, ConnectionStatus, Reason, SendingChange};
use domain::contracts::provider::{Content, SendError, Update};
use domain::contracts::store::StoreError;
use domain::delivery_status::DeliveryStatus;
use domain::ids::{ConnectionId, MessageId};
use domain::news::NumberNews;

use crate::connection::messages::{Reported, Told};
use crate::services::Services;
use crate::supervisor::registry::Registry;

/// What a report says about a number is old after so long: it may have been put right since.
const FRESH: Duration = Duration::from_mins(10);

enum Hint {
    Received,
    Status { message: Option<(MessageId, DeliveryStatus)>, error: Option<SendError> },
    News(Box<NumberNews>),
}

/// Hints, each with the place of the event whose being new makes it one.
#[derive(Default)]
pub(crate) struct Hints(Vec<(Arc<Connection>, usize, Hint)>);

impl Hints {
    /// `event`: the place that the event of this update, for this listener, has in the batch.
    pub(crate) fn gather(
        &mut self,
        listener: &Arc<Connection>,
        update: &Update,
        message: Option<MessageId>,
        event: usize,
        now: Timestamp,
    ) {
        let hint = match &update.content {
            Content::Message { .. } => Hint::Received,
            Content::Status(status) => {
                let fresh = now.since(update.at) < FRESH;
                let error = status.judged.clone().filter(|error| fresh && concerns_number(error));
                let known = status.status.filter(|_| status.participant.is_empty());
                Hint::Status { message: message.zip(known), error }
            }
            _ => return,
        };
        self.0.push((Arc::clone(listener), event, hint));
    }

    /// News of an account is for all its numbers, also for those through which no endpoint hears of it.
    pub(crate) fn gather_news(&mut self, owners: &[Arc<Connection>], update: &Update, event: usize) {
        let Content::Other { means: Some(news), .. } = &update.content else { return };
        let about = owners
            .iter()
            .filter(|owner| news.phone_number.is_none() || news.phone_number == owner.phone_number);
        self.0.extend(about.map(|owner| (Arc::clone(owner), event, Hint::News(news.clone()))));
    }

    /// `new`: whether the event at this place of the batch was heard for the first time.
    pub(crate) async fn tell(self, services: &Services, registry: &Registry, new: impl Fn(usize) -> bool) {
        let mut reported: HashMap<ConnectionId, Reported> = HashMap::new();
        for (connection, event, hint) in self.0 {
            let running = registry.get(connection.id);
            match (hint, running) {
                (Hint::News(news), Some(running)) if new(event) => {
                    // Should it end just now, it reads its row again; what was only said is found by trying.
                    drop(running.address.try_send(Told(*news)));
                }
                (Hint::News(news), None) if new(event) => {
                    if let Err(error) = apply(services, &connection, &news).await {
                        tracing::warn!(connection.id = %connection.id, %error, "news of a number could not be written down");
                    }
                }
                (Hint::Received, Some(running)) if new(event) => running.received(1),
                (Hint::Status { message, error }, Some(running)) => {
                    let waited_for = running.has_ambiguous() || running.listens();
                    let error = error.filter(|_| new(event));
                    if waited_for || error.is_some() {
                        let report = reported.entry(connection.id).or_default();
                        report.statuses.extend(message);
                        report.errors.extend(error);
                    }
                }
                _ => {}
            }
        }
        for (id, report) in reported {
            // A hint: a connection that is not told looks by itself a second later, and waits for an arrival only so
            // long.
            if let Some(running) = registry.get(id) {
                drop(running.address.try_send(report));
            }
        }
    }
}

const fn concerns_number(error: &SendError) -> bool {
    matches!(error, SendError::Blocked { .. } | SendError::Throttled { .. })
}

/// For a connection that does not run: what its actor would do.
async fn apply(services: &Services, connection: &Connection, news: &NumberNews) -> Result<(), StoreError> {
    let now = services.clock.now();
    if let Some(rate) = news.throughput_per_second {
        services.store.change_sending(connection.id, SendingChange::MessagesPerSecond(rate), now).await?;
    }
    let from = connection.status;
    let turn = async |status, reason: Option<&str>| {
        let turned = Connection { status, reason: reason.map(str::to_owned), ..connection.clone() };
        crate::connections::announce(services, &turned, from).await.map(drop)
    };
    if let Some(block) = news.block.filter(|_| from.sends()) {
        turn(ConnectionStatus::Suspended, Some(Reason::of(block))).await?;
    }
    let held = connection.reason.as_deref().and_then(Reason::block);
    if from == ConnectionStatus::Suspended && held.is_some_and(|block| news.lift.contains(&block)) {
        turn(ConnectionStatus::Connected, None).await?;
    }
    Ok(())
}
