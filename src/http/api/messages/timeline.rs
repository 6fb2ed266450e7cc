//! The history of one message, put together from its row, the lines that were written, and the provider's reports.

use domain::clock::Timestamp;
use domain::contracts::store::{Report, StoredMessage};
use domain::message::{MessageStatus, TimelineEntry};

/// Everything that happened, oldest first.
///
/// The happy path writes no line: that the message was accepted, claimed and sent is read off the row. A report tells
/// whole seconds of the provider's clock, and so may seem to come before what it follows; it stands at that moment
/// then.
pub fn merge(message: &StoredMessage, written: Vec<TimelineEntry>, reports: &[Report]) -> Vec<TimelineEntry> {
    let mut lines = vec![line(message.accepted_at, MessageStatus::Accepted, None)];
    lines.extend(written);
    if let Some(at) = message.claimed_at
        && !lines.iter().any(|line| line.status == MessageStatus::Sending && line.at == at)
    {
        lines.push(line(at, MessageStatus::Sending, Some(message.state.attempts())));
    }
    if let Some(at) = message.sent_at
        && !has(&lines, MessageStatus::Sent)
    {
        lines.push(line(at, MessageStatus::Sent, None));
    }
    lines.sort_by_key(|line| line.at);

    let mut reports: Vec<_> = reports.iter().map(|report| (report.at, report.status)).collect();
    reports.sort_by_key(|(at, status)| (*at, *status as u8));
    for (at, status) in reports {
        let status = MessageStatus::of(message.state.code(), Some(status));
        if has(&lines, status) && status != MessageStatus::Failed {
            continue;
        }
        let at = at.max(not_before(&lines, message));
        lines.push(line(at, status, None));
    }
    // Stable: what happened in one instant stays in the order above.
    lines.sort_by_key(|line| line.at);
    lines
}

/// Nothing is reported before it was sent, as far as we know when that was, nor before it was claimed.
fn not_before(lines: &[TimelineEntry], message: &StoredMessage) -> Timestamp {
    let first = |status| lines.iter().filter(|line| line.status == status).map(|line| line.at).min();
    first(MessageStatus::Sent).or_else(|| first(MessageStatus::Sending)).unwrap_or(message.accepted_at)
}

fn has(lines: &[TimelineEntry], status: MessageStatus) -> bool {
    lines.iter().any(|line| line.status == status)
}

const fn line(at: Timestamp, status: MessageStatus, attempt: Option<u16>) -> TimelineEntry {
    TimelineEntry { at, status, attempt, reason: None, error: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::delivery_status::DeliveryStatus;
    use domain::ids::{AccountKey, BusinessKey, ConnectionId, MessageId};
    use domain::message::Order;
    use domain::outbox::{Claim, OnAmbiguous, OutboxState};
    use domain::partition::Epoch;
    use domain::{Priority, contracts::store::LaneKey};
    use uuid::Uuid;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn message(state: OutboxState, claimed: Option<i64>, sent: Option<i64>) -> StoredMessage {
        StoredMessage {
            seq: 1,
            id: MessageId::from_uuid(Uuid::from_u128(1)),
            account: AccountKey(1),
            business: BusinessKey(1),
            business_reference: "duka".parse().unwrap(),
            connection: ConnectionId::from_uuid(Uuid::from_u128(2)),
            recipient: "+255712345678".to_owned(),
            lane: LaneKey(1),
            order: Order::Strict,
            kind: "text".to_owned(),
            state,
            priority: Priority::Normal,
            on_ambiguous: OnAmbiguous::Resend,
            client_ref: None,
            opaque: None,
            replay_of: None,
            provider_id: None,
            error: None,
            accepted_at: at(10_200),
            claimed_at: claimed.map(at),
            sent_at: sent.map(at),
            send_at: None,
            expires_at: at(90_000_000),
        }
    }

    fn report(status: DeliveryStatus, millis: i64) -> Report {
        Report { message: MessageId::from_uuid(Uuid::from_u128(1)), status, at: at(millis) }
    }

    fn written(status: MessageStatus, millis: i64) -> TimelineEntry {
        TimelineEntry { reason: Some("why".to_owned()), ..line(at(millis), status, Some(1)) }
    }

    fn told(lines: &[TimelineEntry]) -> Vec<(&'static str, i64)> {
        assert!(lines.is_sorted_by_key(|line| line.at), "{lines:?}");
        lines.iter().map(|line| (line.status.as_str(), line.at.as_micros() / 1_000)).collect()
    }

    #[test]
    fn the_happy_path_is_read_off_the_row_and_the_reports() {
        let sent = message(OutboxState::Sent { attempts: 1 }, Some(10_200), Some(10_700));
        let reports =
            [DeliveryStatus::Played, DeliveryStatus::Read, DeliveryStatus::Sent, DeliveryStatus::Delivered]
                .map(|status| report(status, 10_000));
        assert_eq!(
            told(&merge(&sent, Vec::new(), &reports)),
            [
                ("accepted", 10_200),
                ("sending", 10_200),
                ("sent", 10_700),
                ("delivered", 10_700),
                ("read", 10_700)
            ]
        );
    }

    #[test]
    fn a_message_that_waits_has_one_line() {
        let waiting = message(OutboxState::NEW, None, None);
        assert_eq!(told(&merge(&waiting, Vec::new(), &[])), [("accepted", 10_200)]);
    }

    #[test]
    fn a_claim_that_is_over_is_listed_once() {
        let retrying = message(OutboxState::RetryWait { attempts: 1, due: at(20_000) }, Some(10_300), None);
        let lines =
            vec![line(at(10_300), MessageStatus::Sending, Some(1)), written(MessageStatus::Retrying, 10_900)];
        assert_eq!(
            told(&merge(&retrying, lines, &[])),
            [("accepted", 10_200), ("sending", 10_300), ("retrying", 10_900)]
        );
    }

    #[test]
    fn a_resend_shows_every_attempt_in_order() {
        let state = OutboxState::Sent { attempts: 2 };
        let resent = message(state, Some(75_000), Some(75_500));
        let lines = vec![
            written(MessageStatus::Ambiguous, 20_000),
            line(at(10_300), MessageStatus::Sending, Some(1)),
            written(MessageStatus::Accepted, 75_000),
        ];
        assert_eq!(
            told(&merge(&resent, lines, &[report(DeliveryStatus::Delivered, 76_000)])),
            [
                ("accepted", 10_200),
                ("sending", 10_300),
                ("ambiguous", 20_000),
                ("accepted", 75_000),
                ("sending", 75_000),
                ("sent", 75_500),
                ("delivered", 76_000),
            ]
        );
    }

    #[test]
    fn a_report_that_settled_an_ambiguous_message_is_no_second_sent() {
        let claim = Claim { epoch: Epoch(1), attempt: 1, at: at(10_300) };
        let lines = vec![written(MessageStatus::Ambiguous, 12_000), written(MessageStatus::Sent, 13_000)];
        let settled = message(OutboxState::Sent { attempts: claim.attempt }, Some(10_300), Some(13_000));
        let reports = [report(DeliveryStatus::Sent, 11_000), report(DeliveryStatus::Delivered, 11_000)];
        assert_eq!(
            told(&merge(&settled, lines, &reports)),
            [
                ("accepted", 10_200),
                ("sending", 10_300),
                ("ambiguous", 12_000),
                ("sent", 13_000),
                ("delivered", 13_000)
            ]
        );
    }

    #[test]
    fn a_failure_that_was_reported_follows_sent() {
        let sent = message(OutboxState::Sent { attempts: 1 }, Some(10_300), Some(10_500));
        let lines = merge(&sent, Vec::new(), &[report(DeliveryStatus::Failed, 11_000)]);
        assert_eq!(
            told(&lines),
            [("accepted", 10_200), ("sending", 10_300), ("sent", 10_500), ("failed", 11_000)]
        );
    }
}
