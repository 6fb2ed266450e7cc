use std::time::Duration;

use domain::contracts::queue::{Glance, HeldMessage, QueuedMessage};
use domain::outbox::{Claim, OnAmbiguous};
use domain::partition::Epoch;
use uuid::Uuid;

use super::entry::UNCOMMITTED;
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000);
const NOTHING: Glance = Glance { claimed: false, waiting: false, scheduled: false, held: false };

fn id(number: u128) -> MessageId {
    MessageId::from_uuid(Uuid::from_u128(number))
}

fn entry(number: u128, lane: i64) -> Entry {
    Entry {
        id: id(number),
        seq: UNCOMMITTED,
        lane: LaneKey(lane),
        recipient: LaneKey(lane),
        priority: Priority::Normal,
        order: Order::Strict,
        on_ambiguous: OnAmbiguous::Resend,
        state: OutboxState::NEW,
        expires_at: Timestamp::from_seconds(9_000),
        busy: false,
        arrived: false,
    }
}

fn of(priority: Priority, number: u128, lane: i64) -> Entry {
    Entry { priority, ..entry(number, lane) }
}

fn row(entry: &Entry, seq: i64) -> QueuedMessage {
    QueuedMessage {
        seq,
        id: entry.id,
        lane: entry.recipient,
        state: entry.state,
        priority: entry.priority,
        order: entry.order,
        on_ambiguous: entry.on_ambiguous,
        send_at: None,
        expires_at: entry.expires_at,
    }
}

fn sending() -> OutboxState {
    OutboxState::Sending(Claim { epoch: Epoch(1), attempt: 1, at: NOW })
}

const SENT: OutboxState = OutboxState::Sent { attempts: 1 };

/// Accepts and commits it, wherever it stands.
fn accept(lanes: &mut Lanes, entry: Entry, seq: i64) -> Admission {
    accept_if(lanes, entry, seq, true)
}

fn accept_if(lanes: &mut Lanes, entry: Entry, seq: i64, may_claim: bool) -> Admission {
    let admission = lanes.admission(&entry, None, NOW, may_claim);
    let admitted = if admission == Admission::Claim { Entry { state: sending(), ..entry } } else { entry };
    lanes.admit(admitted, None, NOW, admission);
    lanes.committed(&admitted, None, seq);
    admission
}

fn next(lanes: &Lanes, priority: Priority) -> Option<MessageId> {
    lanes.next(priority).map(|entry| entry.id)
}

fn post(lanes: &mut Lanes, entry: &Entry) {
    lanes.moved(entry.lane, entry.id, sending());
    lanes.moved(entry.lane, entry.id, SENT);
}

#[test]
fn a_message_never_slips_past_one_that_is_still_being_committed() {
    let mut lanes = Lanes::default();
    let first = Entry { state: sending(), ..entry(1, 7) };
    assert_eq!(lanes.admission(&first, None, NOW, true), Admission::Claim);
    lanes.admit(first, None, NOW, Admission::Claim);
    let second = entry(2, 7);
    assert_eq!(lanes.admission(&second, None, NOW, true), Admission::Queue);
    lanes.admit(second, None, NOW, Admission::Queue);
    lanes.committed(&first, None, 1);
    lanes.moved(first.lane, first.id, SENT);
    assert_eq!(lanes.admission(&entry(3, 7), None, NOW, true), Admission::Queue, "the second is before it");
    assert_eq!(next(&lanes, Priority::Normal), None, "and is not committed yet");
    lanes.committed(&second, None, 2);
    assert_eq!(next(&lanes, Priority::Normal), Some(second.id));
}

#[test]
fn a_message_for_next_week_takes_no_memory_and_holds_up_nobody() {
    let mut lanes = Lanes::default();
    let next_week = NOW.plus(Duration::from_hours(168));
    let later = entry(1, 7);
    assert_eq!(lanes.admission(&later, Some(next_week), NOW, true), Admission::Store);
    lanes.admit(later, Some(next_week), NOW, Admission::Store);
    lanes.committed(&later, Some(next_week), 1);
    assert_eq!((lanes.len(), lanes.is_idle(NOW.plus(Duration::from_mins(1)))), (0, true));
    assert_eq!(lanes.admission(&entry(2, 7), None, NOW, true), Admission::Claim);
    assert_eq!((lanes.wakes_at(), lanes.wishes(NOW, 8)), (Some(next_week), vec![]));

    let wishes = lanes.wishes(next_week, 8);
    let [Reading::Scheduled { priority, limit, .. }] = wishes[..] else { panic!("{wishes:?}") };
    let due = QueuedMessage { send_at: Some(next_week), ..row(&later, 1) };
    lanes.read_scheduled(priority, &[due], limit, None);
    let wishes = lanes.wishes(next_week, 8);
    let [Reading::Lane { lane, limit, changes, .. }] = wishes[..] else { panic!("{wishes:?}") };
    lanes.read_lane(lane, &[due], limit, changes);
    assert_eq!(next(&lanes, Priority::Normal), Some(later.id));
    post(&mut lanes, &later);
    assert!(lanes.is_idle(next_week));
}

#[test]
fn an_ambiguous_head_blocks_its_own_lane_and_no_other() {
    let mut lanes = Lanes::default();
    for (seq, (number, lane)) in [(1, 7), (2, 7), (3, 8)].into_iter().enumerate() {
        let new = entry(number, lane);
        lanes.admit(new, None, NOW, Admission::Queue);
        lanes.committed(&new, None, i64::try_from(seq).unwrap() + 1);
    }
    lanes.moved(LaneKey(7), id(1), sending());
    lanes.moved(LaneKey(7), id(1), OutboxState::Ambiguous(sending().claim().unwrap()));
    assert_eq!(next(&lanes, Priority::Normal), Some(id(3)));
    lanes.moved(LaneKey(8), id(3), sending());
    assert_eq!((next(&lanes, Priority::Normal), lanes.ambiguous().len()), (None, 1));
    assert_eq!(lanes.len(), 2, "who waits behind an unknown outcome waits in the store");
}

#[test]
fn a_retry_waits_until_it_is_due_and_keeps_its_place() {
    let mut lanes = Lanes::default();
    assert_eq!(accept(&mut lanes, entry(1, 7), 1), Admission::Claim);
    assert_eq!(accept(&mut lanes, entry(2, 7), 2), Admission::Queue);
    let due = Timestamp::from_seconds(1_004);
    lanes.moved(LaneKey(7), id(1), OutboxState::RetryWait { attempts: 1, due });
    assert_eq!((next(&lanes, Priority::Normal), lanes.wakes_at()), (None, Some(due)));
    assert_eq!(accept(&mut lanes, entry(3, 7), 3), Admission::Store, "behind the one that waits");
    lanes.wake(due);
    assert_eq!(next(&lanes, Priority::Normal), Some(id(1)));
    post(&mut lanes, &entry(1, 7));
    let wishes = lanes.wishes(due, 8);
    let lane_is_read = wishes.iter().any(|wish| matches!(wish, Reading::Lane { lane: LaneKey(7), .. }));
    assert!(lane_is_read, "{wishes:?}");
}

#[test]
fn an_urgent_message_behind_a_slow_one_pulls_it_forward() {
    let mut lanes = Lanes::default();
    for (number, lane) in [(1, 7), (2, 8)] {
        let bulk = of(Priority::Bulk, number, lane);
        lanes.admit(bulk, None, NOW, Admission::Queue);
        lanes.committed(&bulk, None, i64::try_from(number).unwrap());
    }
    assert_eq!(next(&lanes, Priority::Bulk), Some(id(1)));
    assert_eq!(accept(&mut lanes, of(Priority::Otp, 3, 8), 3), Admission::Queue);
    assert_eq!(next(&lanes, Priority::Otp), Some(id(2)), "the slow one before it goes first, and now");
    post(&mut lanes, &entry(2, 8));
    assert_eq!(next(&lanes, Priority::Otp), Some(id(3)));
    post(&mut lanes, &entry(3, 8));
    assert_eq!((next(&lanes, Priority::Otp), next(&lanes, Priority::Bulk)), (None, Some(id(1))));
}

#[test]
fn a_hundred_thousand_bulk_messages_do_not_hide_a_later_code() {
    let mut lanes = Lanes::default();
    for number in 0..100_000_i64 {
        accept_if(&mut lanes, of(Priority::Bulk, u128::try_from(number).unwrap(), number), number + 1, false);
    }
    assert_eq!(lanes.len(), SHARE);
    // Its recipient may have earlier messages in the store: it rests until they were looked for.
    let code = of(Priority::Otp, 200_000, 99_999);
    assert_eq!(accept(&mut lanes, code, 100_001), Admission::Queue);
    assert_eq!(next(&lanes, Priority::Otp), None);
    let wishes = lanes.wishes(NOW, 8);
    let [Reading::Lane { lane: LaneKey(99_999), after: 0, limit, changes }] = wishes[..] else {
        panic!("{wishes:?}")
    };
    let earlier = of(Priority::Bulk, 99_999, 99_999);
    lanes.read_lane(LaneKey(99_999), &[row(&earlier, 100_000), row(&code, 100_001)], limit, changes);
    assert_eq!(next(&lanes, Priority::Otp), Some(earlier.id), "first what was accepted first");
    post(&mut lanes, &earlier);
    assert_eq!(next(&lanes, Priority::Otp), Some(code.id));
}

#[test]
fn one_recipient_cannot_fill_the_window() {
    let mut lanes = Lanes::default();
    for number in 0..1_000 {
        accept(&mut lanes, entry(number, 7), i64::try_from(number).unwrap() + 1);
    }
    assert!(lanes.len() <= 4, "{}", lanes.len());
    assert_ne!(accept(&mut lanes, entry(5_000, 8), 1_001), Admission::Store);
}

#[test]
fn a_message_that_keeps_no_order_waits_for_nobody() {
    let mut lanes = Lanes::default();
    accept(&mut lanes, entry(1, 7), 1);
    let number = u128::from(u64::MAX) << 40;
    let relaxed = Entry {
        lane: lane(Order::Relaxed, LaneKey(7), id(number)),
        order: Order::Relaxed,
        ..entry(number, 7)
    };
    assert_ne!(relaxed.lane, relaxed.recipient);
    assert_eq!(accept(&mut lanes, relaxed, 2), Admission::Claim);
}

#[test]
fn a_lane_waits_for_the_arrival_of_what_was_sent_or_for_its_time() {
    for arrives in [true, false] {
        let mut lanes = Lanes::default();
        let first = Entry { order: Order::Delivered, ..entry(1, 7) };
        accept(&mut lanes, first, 1);
        assert_eq!(lanes.listening(), 1);
        let until = NOW.plus(Duration::from_secs(30));
        lanes.moved(LaneKey(7), first.id, SENT);
        lanes.hold(LaneKey(7), first.id, until);
        assert_eq!(accept(&mut lanes, entry(2, 7), 2), Admission::Store);
        assert_eq!(lanes.wakes_at(), Some(until));
        if arrives {
            lanes.arrived(first.id);
        } else {
            lanes.wake(until);
        }
        assert_eq!(lanes.listening(), 0);
        let wishes = lanes.wishes(NOW, 8);
        let reading = wishes.iter().find(|wish| matches!(wish, Reading::Lane { .. }));
        let Some(&Reading::Lane { lane, limit, changes, .. }) = reading else { panic!("{wishes:?}") };
        lanes.read_lane(lane, &[row(&entry(2, 7), 2)], limit, changes);
        assert_eq!(next(&lanes, Priority::Normal), Some(id(2)));
    }
}

#[test]
fn an_arrival_that_is_heard_before_the_answer_holds_up_nobody() {
    let mut lanes = Lanes::default();
    let first = Entry { order: Order::Delivered, ..entry(1, 7) };
    accept(&mut lanes, first, 1);
    lanes.arrived(first.id);
    assert!(lanes.get(LaneKey(7), first.id).unwrap().arrived);
}

#[test]
fn after_a_restart_what_was_claimed_and_what_is_held_blocks_its_lane() {
    let mut lanes = Lanes::default();
    let claimed = Entry { state: sending(), ..entry(1, 7) };
    let held = HeldMessage { id: id(2), lane: LaneKey(8), sent_at: NOW };
    lanes.begin(&[row(&claimed, 1)], &[held], Duration::from_secs(30), Glance { waiting: true, ..NOTHING });
    for lane in [7, 8] {
        assert_eq!(lanes.admission(&entry(3, lane), None, NOW, true), Admission::Store);
    }
    assert_eq!((lanes.in_flight(), lanes.is_idle(NOW)), (1, false));
    assert!(lanes.wishes(NOW, 8).iter().any(|wish| matches!(wish, Reading::Waiting { after: 0, .. })));
}

#[test]
fn a_number_that_does_not_send_keeps_nothing_that_waits_in_memory() {
    let mut lanes = Lanes::default();
    for number in 0..50 {
        let new = entry(number, i64::try_from(number).unwrap());
        lanes.admit(new, None, NOW, Admission::Queue);
        lanes.committed(&new, None, i64::try_from(number).unwrap() + 1);
    }
    lanes.close();
    assert_eq!((lanes.len(), lanes.wishes(NOW, 8)), (0, vec![]));
    assert_eq!(accept(&mut lanes, entry(60, 60), 60), Admission::Store);
    lanes.open();
    for wish in lanes.wishes(NOW, 8) {
        let Reading::Scheduled { priority, limit, .. } = wish else { panic!("{wish:?}") };
        lanes.read_scheduled(priority, &[], limit, None);
    }
    assert!(lanes.wishes(NOW, 8).contains(&Reading::Waiting {
        priority: Priority::Normal,
        after: 0,
        limit: SHARE
    }));
}

#[test]
fn a_reading_that_began_before_a_commit_proves_nothing_about_it() {
    let mut lanes = Lanes::with_share(4);
    let mut seq = 0;
    for number in 0..4 {
        seq += 1;
        let new = entry(number, i64::try_from(number).unwrap());
        lanes.admit(new, None, NOW, Admission::Queue);
        lanes.committed(&new, None, seq);
    }
    let late = entry(9, 9);
    assert_eq!(lanes.admission(&late, None, NOW, true), Admission::Store);
    lanes.admit(late, None, NOW, Admission::Store);
    for number in 0..4 {
        post(&mut lanes, &entry(number, i64::try_from(number).unwrap()));
    }
    assert_eq!(lanes.wishes(NOW, 8), [], "it is not committed yet");
    lanes.committed(&late, None, 5);
    let wishes = lanes.wishes(NOW, 8);
    let [Reading::Waiting { priority, after: 4, limit }] = wishes[..] else { panic!("{wishes:?}") };
    let later = entry(10, 10);
    let admission = lanes.admission(&later, None, NOW, true);
    lanes.admit(later, None, NOW, admission);
    lanes.read_waiting(priority, &[row(&late, 5)], limit);
    assert_eq!(next(&lanes, Priority::Normal), Some(late.id));
}
