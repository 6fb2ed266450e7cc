use domain::connection::ProviderName;
use domain::contracts::store::StoreError;
use domain::ids::{ConnectionId, OnboardingSessionId};
use domain::onboarding::{OnboardingSession, SessionStatus, Step, StepName, StepOutcome, TransportChoice};

use crate::support::{Fixture, Shared, at, claims, unique_uuid};

claims! {
    a_session_reads_back_by_each_of_its_secrets
    of_two_writers_of_a_session_the_one_that_saw_the_older_version_loses
    a_link_is_taken_once
}

fn session(fixture: &Fixture, link: u8) -> OnboardingSession {
    OnboardingSession {
        id: OnboardingSessionId::from_uuid(unique_uuid()),
        account: fixture.account,
        business: fixture.business.reference.clone(),
        transport: TransportChoice::Choose,
        provider: None,
        return_url: Some("https://app.example/back?x=1".parse().unwrap()),
        app_return_uri: None,
        locale: "sw".to_owned(),
        phone_hint: Some("+255712000001".to_owned()),
        replace_connection: None,
        status: SessionStatus::Pending,
        problem: None,
        steps: Vec::new(),
        connection: None,
        link_hash: [link; 32],
        browser_hash: None,
        state_hash: None,
        created_at: at(0),
        expires_at: at(3_600),
        version: 1,
    }
}

async fn a_session_reads_back_by_each_of_its_secrets(store: Shared) {
    let fixture = Fixture::new(store).await;
    let store = &fixture.store;
    let mut session = session(&fixture, 1);
    store.insert_session(&session).await.unwrap();
    assert_eq!(store.session(session.id).await.unwrap().as_ref(), Some(&session));
    assert_eq!(store.session_by_browser(&[2; 32]).await.unwrap(), None);

    session.provider = Some(ProviderName::Dialog360);
    session.status = SessionStatus::Verifying;
    session.browser_hash = Some([2; 32]);
    session.state_hash = Some([3; 32]);
    session.replace_connection = Some(ConnectionId::from_uuid(unique_uuid()));
    session.connection = Some(fixture.connection);
    session.steps = vec![Step {
        name: StepName::ExchangeCode,
        outcome: StepOutcome::Failed,
        at: at(5),
        problem: Some("code_expired".to_owned()),
        provider_error: Some(serde_json::json!({ "code": 100 })),
    }];
    assert!(store.update_session(&session).await.unwrap());
    session.version += 1;
    assert_eq!(store.session_by_link(&[1; 32]).await.unwrap().as_ref(), Some(&session));
    assert_eq!(store.session_by_browser(&[2; 32]).await.unwrap().as_ref(), Some(&session));
    assert_eq!(store.session_by_state(&[3; 32]).await.unwrap().as_ref(), Some(&session));
    assert_eq!(store.session_by_state(&[1; 32]).await.unwrap(), None);
}

async fn of_two_writers_of_a_session_the_one_that_saw_the_older_version_loses(store: Shared) {
    let fixture = Fixture::new(store).await;
    let seen = session(&fixture, 1);
    fixture.store.insert_session(&seen).await.unwrap();
    let opened = OnboardingSession { status: SessionStatus::Opened, ..seen.clone() };
    let cancelled = OnboardingSession { status: SessionStatus::Cancelled, ..seen };
    assert!(fixture.store.update_session(&opened).await.unwrap());
    assert!(!fixture.store.update_session(&cancelled).await.unwrap());
    let stored = fixture.store.session(opened.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.version), (SessionStatus::Opened, 2));
}

async fn a_link_is_taken_once(store: Shared) {
    let fixture = Fixture::new(store).await;
    fixture.store.insert_session(&session(&fixture, 1)).await.unwrap();
    let refused = fixture.store.insert_session(&session(&fixture, 1)).await;
    assert!(matches!(refused, Err(StoreError::Taken { what: "the link" })), "{refused:?}");
}
