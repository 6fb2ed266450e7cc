use super::*;
use domain::partition::Epoch;
use proptest::prelude::*;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn entry(id: u128, lane: i64) -> Entry {
    Entry {
        id: MessageId::from_uuid(Uuid::from_u128(id)),
        lane: LaneKey(lane),
        state: OutboxState::NEW,
        send_at: None,
        expires_at: Timestamp::from_seconds(9_000),
        committed: false,
    }
}

fn sending(attempt: u16) -> OutboxState {
    OutboxState::Sending(Claim { epoch: Epoch(1), attempt, at: NOW })
}

#[test]
fn a_message_never_slips_past_one_that_is_still_being_committed() {
    let mut lanes = Lanes::default();
    let first = Entry { state: sending(1), ..entry(1, 7) };
    assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Claim);
    lanes.admit(first, Admission::Claim);
    let second = entry(2, 7);
    assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Queue);
    lanes.admit(second, Admission::Queue);
    lanes.committed(first.id, Admission::Claim, 1);
    lanes.moved(first.id, OutboxState::Sent { attempts: 1 });
    assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Queue, "the second is before it");
    assert_eq!(lanes.next_due(NOW), None, "and is not committed yet");
    lanes.committed(second.id, Admission::Queue, 2);
    assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(second.id));
}

#[test]
fn a_message_for_next_week_holds_up_nobody_until_its_time_comes() {
    let mut lanes = Lanes::default();
    let next_week = NOW.plus(std::time::Duration::from_hours(168));
    let later = Entry { send_at: Some(next_week), ..entry(1, 7) };
    assert_eq!(lanes.admission(LaneKey(7), later.send_at, NOW, true), Admission::Schedule);
    lanes.admit(later, Admission::Schedule);
    lanes.committed(later.id, Admission::Schedule, 1);
    assert_eq!(lanes.admission(LaneKey(7), None, NOW, true), Admission::Claim);
    assert_eq!((lanes.next_due_at(), lanes.is_empty()), (Some(next_week), false));
    lanes.join_due(next_week);
    assert_eq!(lanes.next_due(next_week).map(|e| e.id), Some(later.id));
    lanes.moved(later.id, sending(1));
    lanes.moved(later.id, OutboxState::Sent { attempts: 1 });
    assert!(lanes.is_empty());
}

#[test]
fn an_ambiguous_head_blocks_its_own_lane_and_no_other() {
    let mut lanes = Lanes::default();
    for (id, lane) in [(1, 7), (2, 7), (3, 8)] {
        lanes.admit(entry(id, lane), Admission::Queue);
        lanes.committed(entry(id, lane).id, Admission::Queue, i64::try_from(id).unwrap());
    }
    lanes.moved(entry(1, 7).id, OutboxState::Ambiguous(sending(1).claim().unwrap()));
    assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(entry(3, 8).id));
    lanes.moved(entry(3, 8).id, sending(1));
    assert_eq!(lanes.next_due(NOW), None);
    assert_eq!(lanes.ambiguous().len(), 1);
}

#[test]
fn a_retry_waits_until_it_is_due_and_keeps_its_place() {
    let mut lanes = Lanes::default();
    for id in [1, 2] {
        lanes.admit(entry(id, 7), Admission::Queue);
        lanes.committed(entry(id, 7).id, Admission::Queue, i64::try_from(id).unwrap());
    }
    let due = Timestamp::from_seconds(1_004);
    lanes.moved(entry(1, 7).id, OutboxState::RetryWait { attempts: 1, due });
    assert_eq!((lanes.next_due(NOW), lanes.next_due_at()), (None, Some(due)));
    assert_eq!(lanes.next_due(due).map(|e| e.id), Some(entry(1, 7).id));
}

#[test]
fn beyond_the_window_messages_wait_in_the_store_and_come_back_in_order() {
    let mut lanes = Lanes::default();
    for id in 0..WINDOW as u128 {
        lanes.admit(entry(id, 7), Admission::Queue);
        lanes.committed(entry(id, 7).id, Admission::Queue, i64::try_from(id).unwrap());
    }
    assert_eq!(lanes.admission(LaneKey(9), None, NOW, true), Admission::Overflow);
    lanes.admit(entry(1_000, 7), Admission::Overflow);
    let early = lanes.snapshot();
    lanes.committed(entry(1_000, 7).id, Admission::Overflow, 1_000);
    assert_eq!(lanes.wants_rows_after(), None, "there is no room yet");
    for id in 0..WINDOW as u128 {
        lanes.moved(entry(id, 7).id, OutboxState::Sent { attempts: 1 });
    }
    assert_eq!(lanes.wants_rows_after(), Some(i64::try_from(WINDOW).unwrap() - 1));
    lanes.read([], true, early);
    assert!(lanes.wants_rows_after().is_some(), "a reading that began before the commit proves nothing");
    let begun = lanes.snapshot();
    lanes.read([(1_000, Entry { committed: true, ..entry(1_000, 7) })], true, begun);
    assert_eq!(lanes.next_due(NOW).map(|e| e.id), Some(entry(1_000, 7).id));
    assert_eq!(lanes.wants_rows_after(), None);
}

proptest! {
    /// Posts, commits and settles in any order: within a lane, messages are taken in the order of admission.
    #[test]
    fn order_within_a_lane_holds_whatever_happens(
        steps in proptest::collection::vec((0_u8..4, 0_i64..3, any::<prop::sample::Index>()), 1..200)
    ) {
        let mut lanes = Lanes::default();
        let mut next = 0_u128;
        let mut uncommitted: Vec<Entry> = Vec::new();
        let mut posting: Vec<Entry> = Vec::new();
        let mut taken: HashMap<LaneKey, Vec<MessageId>> = HashMap::new();
        for (step, lane, pick) in steps {
            match step {
                0 => {
                    next += 1;
                    let new = entry(next, lane);
                    lanes.admit(new, Admission::Queue);
                    uncommitted.push(new);
                }
                1 if !uncommitted.is_empty() => {
                    let done = uncommitted.remove(pick.index(uncommitted.len()));
                    lanes.committed(done.id, Admission::Queue, 1);
                }
                2 => if let Some(head) = lanes.next_due(NOW) {
                    lanes.moved(head.id, sending(1));
                    taken.entry(head.lane).or_default().push(head.id);
                    posting.push(head);
                },
                3 if !posting.is_empty() => {
                    let done = posting.remove(pick.index(posting.len()));
                    lanes.moved(done.id, OutboxState::Sent { attempts: 1 });
                }
                _ => {}
            }
            prop_assert_eq!(lanes.in_flight(), posting.len());
        }
        for order in taken.values() {
            prop_assert!(order.is_sorted());
        }
    }
}
