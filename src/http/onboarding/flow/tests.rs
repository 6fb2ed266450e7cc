use super::*;
use domain::ids::{AccountKey, OnboardingSessionId};
use domain::onboarding::TransportChoice;
use domain::{ConnectionStatus, ProviderName};
use uuid::Uuid;

fn session(id: u128, status: SessionStatus) -> OnboardingSession {
    OnboardingSession {
        id: OnboardingSessionId::from_uuid(Uuid::from_u128(id)),
        account: AccountKey(1),
        business: "duka-42".parse().unwrap(),
        transport: TransportChoice::Official,
        provider: None,
        return_url: None,
        app_return_uri: None,
        locale: "sw".to_owned(),
        phone_hint: None,
        replace_connection: None,
        status,
        problem: None,
        steps: Vec::new(),
        connection: None,
        link_hash: [0; 32],
        browser_hash: None,
        state_hash: None,
        created_at: Timestamp::from_seconds(0),
        expires_at: Timestamp::from_seconds(3_600),
        version: 1,
    }
}

fn number(id: &str) -> OfferedNumber {
    OfferedNumber {
        waba_id: "102".to_owned(),
        phone_number_id: id.to_owned(),
        phone_number: Some(format!("+25571200000{id}")),
        verified_name: None,
        quality_rating: None,
        verified: true,
        registered: false,
        coexistence: false,
        messages_per_second: None,
    }
}

fn connection(id: u128, business: i64) -> Connection {
    Connection {
        id: ConnectionId::from_uuid(Uuid::from_u128(id)),
        business: BusinessKey(business),
        business_reference: "duka-42".parse().unwrap(),
        account: AccountKey(1),
        partition: domain::Partition::of(AccountKey(1), &"duka-42".parse().unwrap()),
        provider: ProviderName::Meta,
        status: ConnectionStatus::Connected,
        reason: None,
        graph_id: None,
        waba_id: None,
        phone_number: None,
        verified_name: None,
        quality_rating: None,
        sending: domain::connection::Sending::default(),
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
    }
}

fn hints(waba: Option<&str>, number: Option<&str>) -> Hints {
    Hints { waba_id: waba.map(str::to_owned), phone_number_id: number.map(str::to_owned) }
}

#[test]
fn whatever_became_of_it_there_is_a_page_for_it() {
    let of = |status| view(&session(1, status));
    assert_eq!(of(SessionStatus::Failed), View::Begin);
    assert_eq!(of(SessionStatus::Verifying), View::Progress);
    assert_eq!(of(SessionStatus::Cancelled), View::Over(Problem::Cancelled));
    let superseded =
        OnboardingSession { problem: Some("superseded".to_owned()), ..session(1, SessionStatus::Cancelled) };
    assert_eq!(view(&superseded), View::Over(Problem::Superseded));
    let choosing = OnboardingSession {
        problem: Some("choose_number".to_owned()),
        ..session(1, SessionStatus::Verifying)
    };
    assert_eq!(view(&choosing), View::ChooseNumber);
}

#[test]
fn an_answer_is_taken_once_and_only_from_where_it_was_asked_for() {
    let (mine, other) = (session(1, SessionStatus::Authorizing), session(2, SessionStatus::Authorizing));
    assert_eq!(admit(Some(&mine), Some(&mine)), Ok(()));
    assert_eq!(admit(Some(&mine), Some(&other)), Err(Untaken::Forged));
    assert_eq!(admit(Some(&mine), None), Err(Untaken::Forged));
    assert_eq!(admit(None, Some(&mine)), Err(Untaken::Forged));
    for used in [SessionStatus::Verifying, SessionStatus::Failed, SessionStatus::Connected] {
        let used = session(1, used);
        assert_eq!(admit(Some(&used), Some(&used)), Err(Untaken::Spent));
    }
}

#[test]
fn one_can_begin_again_from_anywhere_but_the_end() {
    for status in SessionStatus::ALL {
        let again = begun(&session(1, status), [7; 32]);
        let open = !status.is_over() && status != SessionStatus::Pending;
        assert_eq!(again.is_some(), open, "{status:?}");
        if let Some(again) = again {
            assert_eq!((again.status, again.state_hash), (SessionStatus::Authorizing, Some([7; 32])));
        }
    }
}

#[test]
fn a_session_expires_unless_it_is_over() {
    let at = Timestamp::from_seconds(3_600);
    assert!(has_expired(&session(1, SessionStatus::Opened), at));
    assert!(!has_expired(&session(1, SessionStatus::Connected), at));
    assert!(!has_expired(&session(1, SessionStatus::Opened), Timestamp::from_seconds(3_599)));
}

#[test]
fn a_window_that_closes_with_an_error_is_not_an_owner_who_changed_their_mind() {
    assert_eq!(without_code(None, false), Problem::UserCancelled);
    assert_eq!(without_code(Some("CANCEL"), false), Problem::UserCancelled);
    assert_eq!(without_code(Some("CANCEL"), true), Problem::WindowFailed);
    assert_eq!(without_code(Some("ERROR"), true), Problem::WindowFailed);
    assert_eq!(without_code(Some("FINISH_ONLY_WABA"), false), Problem::CodeMissing);
}

#[test]
fn an_account_that_the_token_does_not_name_is_never_looked_at() {
    let granted = |ids: &[&str]| Grant {
        expires_at: None,
        scopes: Vec::new(),
        waba_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    assert_eq!(wabas(&granted(&["1", "2"]), &hints(Some("2"), None)), Ok(vec!["2".to_owned()]));
    assert_eq!(wabas(&granted(&["1"]), &hints(Some("9"), None)), Err(OnboardProblem::WabaNotGranted));
    assert_eq!(wabas(&granted(&["1"]), &hints(None, None)), Ok(vec!["1".to_owned()]));
    // Granted for everything: the list of its numbers will confirm it.
    assert_eq!(wabas(&granted(&[]), &hints(Some("9"), None)), Ok(vec!["9".to_owned()]));
    assert_eq!(wabas(&granted(&[]), &hints(None, None)), Err(OnboardProblem::WabaNotGranted));
}

#[test]
fn the_hinted_number_is_taken_where_it_belongs_to_the_account() {
    let numbers = [number("1"), number("2")];
    let picked = |hint: Option<&str>, phone| {
        pick(&numbers, &hints(None, hint), phone).map(|picked| picked.map(|n| n.phone_number_id.as_str()))
    };
    assert_eq!(picked(Some("2"), None), Ok(Some("2")));
    assert_eq!(picked(None, Some("+255712000001")), Ok(Some("1")));
    assert_eq!(picked(Some("9"), None), Ok(None));
    assert_eq!(picked(None, None), Ok(None));
    assert_eq!(pick(&numbers[..1], &hints(None, Some("9")), None), Ok(Some(&numbers[0])));
    assert_eq!(pick(&[], &hints(None, Some("9")), None), Err(OnboardProblem::NoNumber));
}

#[test]
fn a_registration_is_spent_only_where_it_is_needed_and_can_succeed() {
    assert_eq!(registration(&number("1")), Ok(Registration::Needed));
    let registered = OfferedNumber { registered: true, verified: false, ..number("1") };
    assert_eq!(registration(&registered), Ok(Registration::Skipped));
    assert_eq!(registration(&OfferedNumber { coexistence: true, ..number("1") }), Ok(Registration::Skipped));
    let unverified = OfferedNumber { verified: false, ..number("1") };
    assert_eq!(registration(&unverified), Err(OnboardProblem::NumberUnverified));
}

#[test]
fn a_number_of_another_business_is_refused_and_ones_own_keeps_its_connection() {
    let me = BusinessKey(1);
    let (mine, older, pending, theirs) =
        (connection(1, 1), connection(2, 1), connection(3, 1), connection(4, 2));
    assert_eq!(place(me, "106", Some(&theirs), Some(&mine), None), Err(Problem::NumberInUse));
    assert_eq!(place(me, "106", Some(&mine), Some(&older), Some(&pending)), Ok(Some(mine.id)));
    assert_eq!(place(me, "106", None, Some(&older), Some(&pending)), Ok(Some(older.id)));
    assert_eq!(place(me, "106", None, Some(&theirs), Some(&pending)), Ok(Some(pending.id)));
    assert_eq!(place(me, "106", None, None, None), Ok(None));
}

#[test]
fn a_connection_never_gets_another_number() {
    let me = BusinessKey(1);
    let of = |id, graph_id: &str| Connection { graph_id: Some(graph_id.to_owned()), ..connection(id, 1) };
    let (same, other, pending) = (of(1, "106"), of(2, "107"), connection(3, 1));
    assert_eq!(place(me, "106", None, Some(&same), None), Ok(Some(same.id)));
    assert_eq!(place(me, "106", None, Some(&other), Some(&pending)), Ok(Some(pending.id)));
    assert_eq!(place(me, "106", None, Some(&other), None), Ok(None));
    assert_eq!(place(me, "106", None, None, Some(&other)), Ok(None), "an earlier try with another number");
}

#[test]
fn the_checklist_shows_where_it_is_and_where_it_broke() {
    let step = |name, outcome| Step {
        name,
        outcome,
        at: Timestamp::from_seconds(1),
        problem: None,
        provider_error: None,
    };
    let done = [step(StepName::ExchangeCode, StepOutcome::Done)];
    let marks = checklist(&done, true).map(|(_, mark)| mark);
    assert_eq!(marks[..3], [Mark::Done, Mark::Running, Mark::Waiting]);
    let failed = [done[0].clone(), step(StepName::InspectToken, StepOutcome::Failed)];
    let marks = checklist(&failed, false).map(|(_, mark)| mark);
    assert_eq!(marks[..3], [Mark::Done, Mark::Failed, Mark::Waiting]);
}
