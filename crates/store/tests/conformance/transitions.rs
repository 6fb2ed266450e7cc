use domain::contracts::store::{Batch, NewMessage, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::{NewEvent, report_id};
use domain::ids::ConnectionId;
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;
use domain::partition::Epoch;

use crate::events::report;
use crate::support::{Fixture, Shared, at, commit_claims, events, messages, take_all, unique_uuid};

commit_claims! {
    a_message_moves_only_from_the_state_it_is_in
    two_claims_of_one_message_are_never_both_granted
    what_is_over_is_not_claimed
    of_a_claim_and_an_end_at_one_moment_one_is_granted
    a_claim_of_another_epoch_or_attempt_is_not_settled
    a_state_that_differs_only_in_its_times_is_another_state
    a_transition_under_an_older_epoch_is_refused
    a_message_can_move_twice_in_one_batch
    the_row_keeps_what_the_path_left_behind
    what_the_provider_reported_is_not_sent_again
    a_resend_that_was_granted_comes_before_every_report
    only_a_transition_that_applied_writes_its_lines
    a_message_is_found_by_the_providers_id_on_its_own_connection
}

async fn a_message_moves_only_from_the_state_it_is_in(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = fixture.message();
    fixture.accept(&message).await;
    let sending = OutboxState::Sending(fixture.claim(1, 1));
    let sent = OutboxState::Sent { attempts: 1 };
    assert!(!fixture.apply(&fixture.transition(&message, sending, sent)).await);
    assert_eq!(fixture.state(&message).await, OutboxState::NEW);
    assert!(fixture.apply(&fixture.transition(&message, OutboxState::NEW, sending)).await);
    assert!(fixture.apply(&fixture.transition(&message, sending, sent)).await);
    let back = fixture.transition(&message, sending, OutboxState::RetryWait { attempts: 1, due: at(9) });
    assert!(!fixture.apply(&back).await, "what was sent does not wait again");
    assert_eq!(fixture.state(&message).await, sent);
    assert!(!fixture.apply(&fixture.transition(&fixture.message(), OutboxState::NEW, sending)).await);
}

async fn two_claims_of_one_message_are_never_both_granted(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = fixture.message();
    fixture.accept(&message).await;
    let first = fixture.transition(&message, OutboxState::NEW, OutboxState::Sending(fixture.claim(1, 1)));
    let second = fixture.transition(&message, OutboxState::NEW, OutboxState::Sending(fixture.claim(1, 2)));
    let batch = Batch { transitions: vec![first.clone(), second.clone()], ..Batch::default() };
    assert_eq!(fixture.commit(&batch).await.transitions, [true, false]);
    assert_eq!(fixture.commit(&batch).await.transitions, [true, false], "also when it is repeated");
    assert_eq!(fixture.state(&message).await, first.to);
}

/// Each way in which a message can be over after so many attempts.
fn ends(attempts: u16) -> [OutboxState; 4] {
    [
        OutboxState::Sent { attempts },
        OutboxState::Failed { attempts },
        OutboxState::Expired { attempts },
        OutboxState::Cancelled { attempts },
    ]
}

async fn what_is_over_is_not_claimed(store: Shared) {
    let fixture = Fixture::new(store).await;
    let again = OutboxState::RetryWait { attempts: 1, due: at(4) };
    for waiting in [OutboxState::NEW, OutboxState::Accepted { attempts: 1 }, again] {
        let claim = OutboxState::Sending(fixture.claim(waiting.attempts() + 1, 5));
        for end in ends(waiting.attempts()) {
            let [over, beside] = [(); 2].map(|()| NewMessage { state: waiting, ..fixture.message() });
            fixture.commit(&messages(&[over.clone(), beside.clone()])).await;
            assert!(fixture.apply(&fixture.transition(&over, waiting, end)).await);
            let claims = [&over, &beside].map(|message| fixture.transition(message, waiting, claim));
            let batch = Batch { transitions: claims.into(), ..Batch::default() };
            assert_eq!(fixture.commit(&batch).await.transitions, [false, true], "{waiting:?} {end:?}");
            assert_eq!((fixture.state(&over).await, fixture.state(&beside).await), (end, claim));
        }
    }
}

async fn of_a_claim_and_an_end_at_one_moment_one_is_granted(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = OutboxState::Sending(fixture.claim(1, 5));
    for end in ends(0).into_iter().cycle().take(20) {
        let message = fixture.message();
        fixture.accept(&message).await;
        let [claimed, ended] = [claim, end].map(|to| fixture.transition(&message, OutboxState::NEW, to));
        let granted = tokio::join!(fixture.apply(&claimed), fixture.apply(&ended));
        match fixture.state(&message).await {
            state if state == claim => assert_eq!(granted, (true, false)),
            state => assert_eq!((state, granted), (end, (false, true))),
        }
    }
}

async fn a_claim_of_another_epoch_or_attempt_is_not_settled(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = fixture.claim(2, 1);
    let message = NewMessage { state: OutboxState::Sending(claim), ..fixture.message() };
    fixture.accept(&message).await;
    let older = OutboxState::Sending(domain::outbox::Claim { epoch: Epoch(claim.epoch.0 - 1), ..claim });
    let earlier = OutboxState::Sending(domain::outbox::Claim { attempt: 1, ..claim });
    for stale in [older, earlier] {
        let settle = fixture.transition(&message, stale, OutboxState::Ambiguous(claim));
        assert!(!fixture.apply(&settle).await);
    }
    assert!(fixture.apply(&fixture.transition(&message, message.state, OutboxState::Ambiguous(claim))).await);
}

async fn a_state_that_differs_only_in_its_times_is_another_state(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = fixture.message();
    fixture.accept(&message).await;
    let waiting = |seconds| OutboxState::RetryWait { attempts: 0, due: at(seconds) };
    let sending = |seconds| OutboxState::Sending(fixture.claim(1, seconds));
    let path = [OutboxState::NEW, sending(1), waiting(5), sending(5), waiting(9)];
    for step in path.windows(2) {
        assert!(fixture.apply(&fixture.transition(&message, step[0], step[1])).await);
    }
    assert!(!fixture.apply(&fixture.transition(&message, waiting(5), sending(6))).await);
    assert!(fixture.apply(&fixture.transition(&message, waiting(9), sending(9))).await);
    let late = fixture.transition(&message, sending(1), OutboxState::Sent { attempts: 1 });
    assert!(!fixture.apply(&late).await);
}

async fn a_transition_under_an_older_epoch_is_refused(store: Shared) {
    let mut fixture = Fixture::new(store.clone()).await;
    let message = NewMessage { state: OutboxState::Sending(fixture.claim(1, 1)), ..fixture.message() };
    fixture.accept(&message).await;
    let newer = take_all(&store).await;
    let sent = fixture.transition(&message, message.state, OutboxState::Sent { attempts: 1 });
    assert!(!fixture.apply(&sent).await);
    assert_eq!(fixture.state(&message).await, message.state);
    // The heir may move a claim of the epoch before.
    fixture.epochs = newer;
    assert!(fixture.apply(&sent).await);
}

async fn a_message_can_move_twice_in_one_batch(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = fixture.claim(1, 1);
    let message = NewMessage { state: OutboxState::Sending(claim), ..fixture.message() };
    let ambiguous = fixture.transition(&message, message.state, OutboxState::Ambiguous(claim));
    let sent = fixture.transition(&message, ambiguous.to, OutboxState::Sent { attempts: 1 });
    let batch =
        Batch { transitions: vec![ambiguous, sent.clone()], ..messages(std::slice::from_ref(&message)) };
    for _ in 0..2 {
        assert_eq!(fixture.commit(&batch).await.transitions, [true, true]);
        assert_eq!(fixture.state(&message).await, sent.to);
    }
}

async fn the_row_keeps_what_the_path_left_behind(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = fixture.claim(1, 1);
    let message = NewMessage { state: OutboxState::Sending(claim), ..fixture.message() };
    fixture.accept(&message).await;
    let waiting = OutboxState::RetryWait { attempts: 1, due: at(30) };
    let error = Some("{\"code\":130429}".to_owned());
    let retry = Transition { error: error.clone(), ..fixture.transition(&message, message.state, waiting) };
    assert!(fixture.apply(&retry).await);
    assert_eq!(fixture.state(&message).await, waiting);
    let again = OutboxState::Sending(fixture.claim(2, 31));
    assert!(fixture.apply(&fixture.transition(&message, waiting, again)).await);
    let sent = OutboxState::Sent { attempts: 2 };
    let provider_id = Some("wamid.A".to_owned());
    let done = Transition {
        provider_id: provider_id.clone(),
        at: at(32),
        ..fixture.transition(&message, again, sent)
    };
    assert!(fixture.apply(&done).await);
    let stored = fixture.store.message(fixture.account, message.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.provider_id, stored.error), (sent, provider_id, error));
    assert_eq!((stored.claimed_at, stored.sent_at), (Some(at(31)), Some(at(32))));
}

fn resend(fixture: &Fixture, message: &NewMessage) -> Transition {
    let again = OutboxState::Accepted { attempts: 1 };
    Transition { unless_reported: true, ..fixture.transition(message, message.state, again) }
}

async fn what_the_provider_reported_is_not_sent_again(store: Shared) {
    let fixture = Fixture::new(store).await;
    let ambiguous = || NewMessage { state: OutboxState::Ambiguous(fixture.claim(1, 1)), ..fixture.message() };
    for status in DeliveryStatus::ALL {
        let message = ambiguous();
        fixture.accept(&message).await;
        fixture.hear(&report(&fixture, message.id, status, "")).await;
        assert!(!fixture.apply(&resend(&fixture, &message)).await, "{status}");
        assert_eq!(fixture.state(&message).await, message.state);
        let known = fixture.transition(&message, message.state, OutboxState::Sent { attempts: 1 });
        assert!(fixture.apply(&known).await);
    }
    let message = ambiguous();
    fixture.accept(&message).await;
    let batch = Batch {
        transitions: vec![resend(&fixture, &message)],
        ..events(&[report(&fixture, message.id, DeliveryStatus::Sent, "")])
    };
    assert_eq!(fixture.commit(&batch).await.transitions, [false], "also when it is heard in the same batch");

    let message = ambiguous();
    fixture.accept(&message).await;
    fixture.hear(&report(&fixture, message.id, DeliveryStatus::Read, "255712")).await;
    let elsewhere = ConnectionId::from_uuid(unique_uuid());
    let claimed = NewEvent {
        id: report_id(elsewhere, message.id, "read", ""),
        ..report(&fixture, message.id, DeliveryStatus::Read, "")
    };
    fixture.hear(&claimed).await;
    let batch = Batch { transitions: vec![resend(&fixture, &message)], ..Batch::default() };
    for _ in 0..2 {
        let reason = "one member of a group, or another connection, proves nothing";
        assert_eq!(fixture.commit(&batch).await.transitions, [true], "{reason}");
    }
}

async fn a_resend_that_was_granted_comes_before_every_report(store: Shared) {
    let fixture = Fixture::new(store).await;
    for _ in 0..20 {
        let message = NewMessage { state: OutboxState::Ambiguous(fixture.claim(1, 1)), ..fixture.message() };
        fixture.accept(&message).await;
        let heard = events(&[report(&fixture, message.id, DeliveryStatus::Sent, "")]);
        let told = NewEvent { message: Some(message.id), with_transition: true, ..fixture.event() };
        let again = Batch { transitions: vec![resend(&fixture, &message)], ..events(&[told]) };
        let (heard, again) = tokio::join!(fixture.commit(&heard), fixture.commit(&again));
        let heard = heard.events[0].expect("a report is always kept");
        match again.events[0] {
            Some(resent) => assert!(again.transitions[0] && resent < heard),
            None => assert!(!again.transitions[0]),
        }
    }
}

async fn only_a_transition_that_applied_writes_its_lines(store: Shared) {
    let fixture = Fixture::new(store).await;
    let claim = fixture.claim(1, 1);
    let message = NewMessage { state: OutboxState::Sending(claim), ..fixture.message() };
    fixture.accept(&message).await;
    let line = |seconds, status, reason: &str| TimelineEntry {
        at: at(seconds),
        status,
        attempt: Some(1),
        reason: Some(reason.to_owned()),
        error: Some(serde_json::json!({ "code": 131_026 })),
    };
    let lines =
        vec![line(1, MessageStatus::Sending, "first"), line(4, MessageStatus::Ambiguous, "no_answer")];
    let to = OutboxState::Ambiguous(claim);
    let applies = Transition { timeline: lines.clone(), ..fixture.transition(&message, message.state, to) };
    let refused = Transition {
        timeline: vec![line(9, MessageStatus::Failed, "late")],
        ..fixture.transition(&message, OutboxState::NEW, OutboxState::Failed { attempts: 0 })
    };
    let batch = Batch { transitions: vec![refused, applies], ..Batch::default() };
    for _ in 0..2 {
        assert_eq!(fixture.commit(&batch).await.transitions, [false, true]);
        assert_eq!(fixture.store.timeline(message.id).await.unwrap(), lines);
    }
    assert_eq!(fixture.store.timeline(fixture.message().id).await.unwrap(), []);
}

async fn a_message_is_found_by_the_providers_id_on_its_own_connection(store: Shared) {
    let fixture = Fixture::new(store).await;
    let message = NewMessage { state: OutboxState::Sending(fixture.claim(1, 1)), ..fixture.message() };
    fixture.accept(&message).await;
    let sent = fixture.transition(&message, message.state, OutboxState::Sent { attempts: 1 });
    fixture.apply(&Transition { provider_id: Some("wamid.A".to_owned()), ..sent }).await;
    let asked = ["wamid.A", "wamid.B", "wamid.C"].map(str::to_owned);
    let found = fixture.store.messages_by_provider_id(fixture.connection, &asked).await.unwrap();
    assert_eq!(found, [("wamid.A".to_owned(), message.id)]);
    let elsewhere = domain::ids::ConnectionId::from_uuid(crate::support::unique_uuid());
    assert_eq!(fixture.store.messages_by_provider_id(elsewhere, &asked).await.unwrap(), []);
}
