//! A commit whose outcome is not known is run again as it is. So any batch, run twice, must be as if run once.

use std::collections::HashSet;

use domain::connection::ProviderName;
use domain::contracts::deliveries::DeliveryFilter;
use domain::contracts::store::{
    Accepted, Batch, Committed, DeliveryProgress, EventFilter, MessageFilter, NewMessage, Page, Quarantined,
    StoredMessage, Transition,
};
use domain::endpoint::{Endpoint, FailedDelivery};
use domain::event::{NewEvent, StoredEvent};
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;
use domain::secret::Sealed;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;

use crate::deliveries::failed;
use crate::endpoints::endpoint;
use crate::support::{Fixture, Shared, at, commit_claims, record, unique_uuid};

commit_claims! {
    running_any_batch_again_writes_nothing_twice
}

/// Choices from small pools, so that batches meet what batches before them wrote.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    messages: Vec<(usize, Option<u8>)>,
    transitions: Vec<(usize, usize, usize)>,
    events: Vec<usize>,
    told: Vec<usize>,
    progress: Vec<i64>,
    failures: Vec<(usize, u32)>,
    quarantine: Vec<usize>,
}

impl Choice {
    /// Only what is written every day, and each row once.
    fn ordinary(mut self) -> Self {
        let mut seen = HashSet::new();
        self.messages.retain(|(message, _)| seen.insert(*message));
        self.transitions.retain(|(message, _, _)| seen.insert(*message));
        Self { failures: Vec::new(), quarantine: Vec::new(), ..self }
    }
}

pub(crate) const POOL: usize = 8;

prop_compose! {
    pub(crate) fn choice()(
        messages in proptest::collection::vec((0..POOL, proptest::option::of(0_u8..3)), 0..5),
        transitions in proptest::collection::vec((0..POOL, 0_usize..5, 1_usize..6), 0..6),
        events in proptest::collection::vec(0..POOL, 0..5),
        told in proptest::collection::vec(0..POOL, 0..3),
        progress in proptest::collection::vec(0_i64..50, 0..3),
        failures in proptest::collection::vec((0..POOL, 1_u32..9), 0..3),
        quarantine in proptest::collection::vec(0..POOL, 0..3),
        ordinary in proptest::bool::weighted(0.7),
    ) -> Choice {
        // Nobody expects a state that a later transition of the same batch will bring about.
        let mut transitions: Vec<_> = transitions.into_iter().filter(|(_, from, to)| from < to).collect();
        transitions.sort_by_key(|(_, from, _)| *from);
        let choice = Choice { messages, transitions, events, told, progress, failures, quarantine };
        if ordinary { choice.ordinary() } else { choice }
    }
}

pub(crate) struct Pools {
    pub(crate) messages: Vec<NewMessage>,
    states: [OutboxState; 6],
    pub(crate) events: Vec<NewEvent>,
    /// Of the transitions of each message.
    told: Vec<NewEvent>,
    pub(crate) endpoint: Endpoint,
    failures: Vec<FailedDelivery>,
    quarantine: Vec<Quarantined>,
}

impl Pools {
    pub(crate) async fn new(fixture: &Fixture) -> Self {
        let endpoint = endpoint(fixture);
        fixture.store.insert_endpoint(&endpoint).await.unwrap();
        let quarantined = |_| Quarantined {
            id: unique_uuid(),
            provider: ProviderName::Twilio,
            subject: "106".to_owned(),
            received_at: at(0),
            body: Sealed::from_bytes(vec![1]),
        };
        let messages: Vec<_> = (0..POOL).map(|_| fixture.message()).collect();
        let told = |message: &NewMessage| NewEvent {
            with_transition: true,
            message: Some(message.id),
            ..fixture.event()
        };
        Self {
            told: messages.iter().map(told).collect(),
            messages,
            // In an order that no history goes back in: an exact state never returns.
            states: [
                OutboxState::NEW,
                OutboxState::Sending(fixture.claim(1, 1)),
                OutboxState::Ambiguous(fixture.claim(1, 1)),
                OutboxState::RetryWait { attempts: 1, due: at(9) },
                OutboxState::Accepted { attempts: 1 },
                OutboxState::Sent { attempts: 1 },
            ],
            events: (0..POOL).map(|_| fixture.event()).collect(),
            failures: (1..).take(POOL).map(|seq| failed(&endpoint, seq)).collect(),
            endpoint,
            quarantine: (0..POOL).map(quarantined).collect(),
        }
    }

    pub(crate) fn batch(&self, fixture: &Fixture, choice: &Choice) -> Batch {
        let message = |&(index, key): &(usize, Option<u8>)| NewMessage {
            idempotency: key.map(|key| record(fixture.account, key, &index.to_string())),
            ..self.messages[index].clone()
        };
        let transition = |&(index, from, to): &(usize, usize, usize)| Transition {
            timeline: vec![TimelineEntry {
                at: at(3),
                status: MessageStatus::Retrying,
                attempt: None,
                reason: Some(format!("{from}-{to}")),
                error: None,
            }],
            ..fixture.transition(&self.messages[index], self.states[from], self.states[to])
        };
        let progress = |&cursor: &i64| DeliveryProgress { endpoint: self.endpoint.id, cursor };
        let failure = |&(index, attempts): &(usize, u32)| {
            FailedDelivery { attempts, ..self.failures[index].clone() }.into()
        };
        Batch {
            messages: choice.messages.iter().map(message).collect(),
            transitions: choice.transitions.iter().map(transition).collect(),
            events: (choice.events.iter().map(|&index| &self.events[index]))
                .chain(choice.told.iter().map(|&index| &self.told[index]))
                .cloned()
                .collect(),
            quarantine: choice.quarantine.iter().map(|&index| self.quarantine[index].clone()).collect(),
            progress: choice.progress.iter().map(progress).collect(),
            failed_deliveries: choice.failures.iter().map(failure).collect(),
            contacts: Vec::new(),
        }
    }
}

/// All that can be read back.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) messages: Vec<StoredMessage>,
    bodies: Vec<Option<Sealed>>,
    timelines: Vec<Vec<TimelineEntry>>,
    pub(crate) events: Vec<StoredEvent>,
    deliveries: Vec<FailedDelivery>,
    endpoint: Option<Endpoint>,
    quarantined: u64,
}

pub(crate) async fn see(fixture: &Fixture, pools: &Pools) -> Seen {
    let (store, account) = (&fixture.store, fixture.account);
    let mut bodies = Vec::new();
    let mut timelines = Vec::new();
    for message in &pools.messages {
        bodies.push(store.message_body(message.id).await.unwrap());
        timelines.push(store.timeline(message.id).await.unwrap());
    }
    let page = Page { after: None, limit: 1_000 };
    Seen {
        messages: store.messages(account, &MessageFilter::default(), page).await.unwrap(),
        bodies,
        timelines,
        events: store.events_after(account, &EventFilter::default(), 0, 1_000).await.unwrap(),
        deliveries: store
            .deliveries(account, &DeliveryFilter::default(), Page { after: None, limit: 1_000 })
            .await
            .unwrap(),
        endpoint: store.endpoint(account, pools.endpoint.id).await.unwrap(),
        quarantined: store.quarantined().await.unwrap(),
    }
}

fn check_answers(first: &Committed, second: &Committed) -> Result<(), TestCaseError> {
    prop_assert_eq!(&first.messages, &second.messages);
    prop_assert!(first.messages.iter().all(|accepted| *accepted != Accepted::Fenced));
    for (first, second) in first.transitions.iter().zip(&second.transitions) {
        prop_assert!(*second || !*first, "what was applied is still said to be applied");
    }
    prop_assert!(second.events.iter().all(Option::is_none));
    Ok(())
}

/// In an account of its own, since listings and idempotency keys belong to accounts.
pub(crate) async fn fixture_of(store: Shared, name: &str) -> Fixture {
    let mut fixture = Fixture::new(store).await;
    fixture.account = fixture.store.ensure_account(name, at(0)).await.unwrap();
    fixture.business = crate::support::business(&fixture.store, fixture.account, name).await;
    fixture
}

async fn run(store: Shared, choices: &[Choice]) -> Result<(), TestCaseError> {
    let name = format!("duka-{}", crate::support::unique());
    let fixture = fixture_of(store, &name).await;
    let pools = Pools::new(&fixture).await;
    for choice in choices {
        let batch = pools.batch(&fixture, choice);
        let first = fixture.commit(&batch).await;
        let after_first = see(&fixture, &pools).await;
        let second = fixture.commit(&batch).await;
        prop_assert_eq!(see(&fixture, &pools).await, after_first);
        check_answers(&first, &second)?;
    }
    Ok(())
}

async fn running_any_batch_again_writes_nothing_twice(store: Shared) {
    for_any_history(async |choices| run(store.clone(), &choices).await);
}

pub(crate) fn for_any_history<F>(claim: F)
where
    F: AsyncFn(Vec<Choice>) -> Result<(), TestCaseError>,
{
    let cases = if std::env::var_os("GATEWAY_TEST_FULL").is_some() { 256 } else { 24 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(choice(), 1..6), |choices| {
        tokio::task::block_in_place(|| Handle::current().block_on(claim(choices)))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
