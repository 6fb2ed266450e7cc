//! The lines of a timeline that cannot be read off the row, and the events of outcomes that no provider reports.

use domain::clock::Timestamp;
use domain::connection::Connection;
use domain::contracts::provider::ProviderError;
use domain::event::report_id;
use domain::ids::{EventId, MessageId};
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::{OutboxState, StateCode};
use serde_json::json;

/// What stands in the timeline for a move. The accepted row, its present claim and the moment it was sent can be
/// read off the row; everything that the next claim overwrites is written here.
pub(crate) fn lines(
    from: OutboxState,
    to: OutboxState,
    at: Timestamp,
    reason: &str,
    error: Option<&ProviderError>,
) -> Vec<TimelineEntry> {
    let claim = from.claim();
    let mut lines = Vec::new();
    let claim_is_over = matches!(to.code(), StateCode::Accepted | StateCode::RetryWait);
    if let Some(claim) = claim.filter(|_| claim_is_over) {
        lines.push(TimelineEntry {
            at: claim.at,
            status: MessageStatus::Sending,
            attempt: Some(claim.attempt),
            reason: None,
            error: None,
        });
    }
    // A claim and a plain success are read off the row.
    let plain = matches!(to.code(), StateCode::Sending)
        || (to.code() == StateCode::Sent && from.code() == StateCode::Sending);
    if !plain {
        lines.push(TimelineEntry {
            at,
            status: MessageStatus::of(to.code(), None),
            attempt: claim.map(|claim| claim.attempt),
            reason: Some(reason.to_owned()),
            error: error.and_then(|error| serde_json::to_value(error).ok()),
        });
    }
    lines
}

/// The `data` members of a status that the gateway itself has to report, shaped as the Cloud API's.
pub(crate) fn own_status(
    id: MessageId,
    recipient: &str,
    status: MessageStatus,
    at: Timestamp,
    reason: &str,
    error: Option<&ProviderError>,
) -> serde_json::Value {
    let mut object = json!({
        "id": id.to_wamid(),
        "status": status,
        "timestamp": at.as_seconds().to_string(),
        "recipient_id": recipient.trim_start_matches('+'),
    });
    if status != MessageStatus::Cancelled {
        let title = error.map_or_else(|| reason.to_owned(), |error| error.message.clone());
        let code = error.and_then(|error| error.code).unwrap_or(0);
        object["errors"] = json!([{ "code": code, "title": title, "error_data": { "details": reason } }]);
    }
    json!({ "status": object })
}

/// One event for each message and outcome of ours.
pub(crate) fn own_status_id(connection: &Connection, id: MessageId, status: MessageStatus) -> EventId {
    report_id(connection.id, id, &format!("gateway_{status}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::outbox::Claim;
    use domain::partition::Epoch;

    const CLAIM: Claim = Claim { epoch: Epoch(1), attempt: 1, at: Timestamp::from_seconds(5) };
    const NOW: Timestamp = Timestamp::from_seconds(9);

    fn statuses(from: OutboxState, to: OutboxState) -> Vec<MessageStatus> {
        lines(from, to, NOW, "why", None).iter().map(|line| line.status).collect()
    }

    #[test]
    fn the_happy_path_writes_no_line() {
        assert!(statuses(OutboxState::NEW, OutboxState::Sending(CLAIM)).is_empty());
        assert!(statuses(OutboxState::Sending(CLAIM), OutboxState::Sent { attempts: 1 }).is_empty());
    }

    #[test]
    fn a_resend_leaves_the_first_claim_and_its_reason_in_the_timeline() {
        let ambiguous = OutboxState::Ambiguous(CLAIM);
        assert_eq!(statuses(OutboxState::Sending(CLAIM), ambiguous), [MessageStatus::Ambiguous]);
        assert_eq!(
            statuses(ambiguous, OutboxState::Accepted { attempts: 1 }),
            [MessageStatus::Sending, MessageStatus::Accepted]
        );
    }
}
