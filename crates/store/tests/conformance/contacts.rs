//! People under their names: what is learnt of one is known under all of them, and learning it twice changes nothing.

use std::time::Duration;

use domain::contact::{
    Alias, Contact, ContactChange, ContactNews, Inbound, Listening, Preference, Said, Scope, Source,
};
use domain::contracts::store::{Batch, Page};
use domain::ids::ConnectionId;

use crate::connections::connection;
use crate::support::{Fixture, Shared, at, business, claims, unique_uuid};

claims! {
    a_person_nobody_heard_of_is_a_stranger
    the_latest_time_that_somebody_wrote_is_kept_for_each_number
    names_of_one_person_lead_to_one_contact_and_bring_what_was_known_of_each
    a_third_name_follows_the_contact_that_it_led_to
    the_last_wish_counts_whatever_order_wishes_arrive_in
    who_does_not_want_to_be_written_to_is_listed_in_pages
    learning_everything_twice_changes_nothing
    an_erased_business_knows_nobody_and_learns_nothing
    a_short_silence_is_no_gap_and_a_long_one_is
}

fn alias(text: &str) -> Alias {
    text.parse().unwrap()
}

fn change(fixture: &Fixture, name: &str, news: ContactNews) -> ContactChange {
    ContactChange { business: fixture.business.key, alias: alias(name), news }
}

fn wrote(fixture: &Fixture, name: &str, connection: ConnectionId, seconds: i64) -> ContactChange {
    let inbound = Inbound { at: at(seconds), free_entry_until: None };
    change(fixture, name, ContactNews::Wrote { connection, inbound })
}

fn same(fixture: &Fixture, name: &str, other: &str) -> ContactChange {
    change(fixture, name, ContactNews::SameAs(alias(other)))
}

fn wish(fixture: &Fixture, name: &str, said: Said, seconds: i64) -> ContactChange {
    let preference = Preference { said, source: Source::Keyword, at: at(seconds) };
    change(fixture, name, ContactNews::Preference(preference))
}

async fn learn(fixture: &Fixture, changes: &[ContactChange]) {
    fixture.commit(&Batch { contacts: changes.to_vec(), ..Batch::default() }).await;
}

async fn known(fixture: &Fixture, name: &str) -> Option<Contact> {
    let key = alias(name).key(fixture.business.key);
    fixture.store.contacts(&[(fixture.business.key, key)]).await.unwrap().remove(0)
}

const PHONE: &str = "+255712345678";
const USER: &str = "TZ.1349";
const LID: &str = "lid:777";

async fn a_person_nobody_heard_of_is_a_stranger(store: Shared) {
    let fixture = Fixture::new(store).await;
    learn(&fixture, &[wrote(&fixture, USER, fixture.connection, 1)]).await;
    let keys = [PHONE, USER, PHONE].map(|name| (fixture.business.key, alias(name).key(fixture.business.key)));
    let found = fixture.store.contacts(&keys).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    let elsewhere = business(&fixture.store, fixture.account, "neighbour").await;
    let key = (elsewhere.key, alias(USER).key(elsewhere.key));
    assert_eq!(fixture.store.contacts(&[key]).await.unwrap(), [None]);
}

async fn the_latest_time_that_somebody_wrote_is_kept_for_each_number(store: Shared) {
    let fixture = Fixture::new(store).await;
    let (here, there) = (fixture.connection, ConnectionId::from_uuid(unique_uuid()));
    let click = ContactNews::Wrote {
        connection: here,
        inbound: Inbound { at: at(5), free_entry_until: Some(at(500)) },
    };
    learn(&fixture, &[wrote(&fixture, PHONE, here, 10), wrote(&fixture, PHONE, here, 7)]).await;
    learn(&fixture, &[wrote(&fixture, PHONE, there, 3), change(&fixture, PHONE, click)]).await;
    learn(&fixture, &[wrote(&fixture, PHONE, here, 9)]).await;
    let contact = known(&fixture, PHONE).await.unwrap();
    assert_eq!(contact.inbound.len(), 2);
    assert_eq!(contact.inbound_at(here), Some(Inbound { at: at(10), free_entry_until: Some(at(500)) }));
    assert_eq!(contact.inbound_at(there).unwrap().at, at(3));
}

async fn names_of_one_person_lead_to_one_contact_and_bring_what_was_known_of_each(store: Shared) {
    let fixture = Fixture::new(store).await;
    learn(
        &fixture,
        &[
            wrote(&fixture, PHONE, fixture.connection, 5),
            wrote(&fixture, USER, fixture.connection, 9),
            wish(&fixture, USER, Said::Stop(Scope::Marketing), 9),
            change(&fixture, USER, ContactNews::MarketingHeld { until: at(99) }),
        ],
    )
    .await;
    assert_ne!(known(&fixture, PHONE).await.unwrap().key, known(&fixture, USER).await.unwrap().key);
    learn(&fixture, &[same(&fixture, USER, PHONE), wrote(&fixture, USER, fixture.connection, 12)]).await;
    let contact = known(&fixture, PHONE).await.unwrap();
    assert_eq!(known(&fixture, USER).await.as_ref(), Some(&contact));
    assert_eq!(contact.canonical, Some(alias(PHONE)), "the number is what the contact is known by");
    assert_eq!(contact.key, alias(PHONE).key(fixture.business.key));
    assert_eq!(contact.inbound_at(fixture.connection).unwrap().at, at(12));
    assert_eq!(contact.opt_out.unwrap().scope, Scope::Marketing);
    assert_eq!(contact.marketing_hold_until, Some(at(99)));
    let names = fixture.store.other_names(fixture.business.key, &[contact.key]).await.unwrap();
    assert_eq!(names, [(contact.key, alias(USER))]);
}

async fn a_third_name_follows_the_contact_that_it_led_to(store: Shared) {
    let fixture = Fixture::new(store).await;
    learn(&fixture, &[same(&fixture, LID, USER), wrote(&fixture, LID, fixture.connection, 4)]).await;
    learn(&fixture, &[same(&fixture, PHONE, USER)]).await;
    let contact = known(&fixture, LID).await.unwrap();
    assert_eq!(contact.canonical, Some(alias(PHONE)));
    assert_eq!(contact.inbound_at(fixture.connection).unwrap().at, at(4));
    // A new number of the same person.
    learn(&fixture, &[same(&fixture, PHONE, "+255754000111")]).await;
    for name in [PHONE, USER, LID, "+255754000111"] {
        assert_eq!(known(&fixture, name).await.unwrap().key, contact.key, "{name}");
    }
}

async fn the_last_wish_counts_whatever_order_wishes_arrive_in(store: Shared) {
    let fixture = Fixture::new(store).await;
    learn(&fixture, &[wish(&fixture, PHONE, Said::Resume(Scope::All), 20)]).await;
    learn(&fixture, &[wish(&fixture, PHONE, Said::Stop(Scope::All), 10)]).await;
    assert_eq!(known(&fixture, PHONE).await.unwrap().opt_out, None, "it was lifted after that");
    learn(&fixture, &[wish(&fixture, PHONE, Said::Stop(Scope::All), 30)]).await;
    let opt_out = known(&fixture, PHONE).await.unwrap().opt_out.unwrap();
    assert_eq!((opt_out.scope, opt_out.source, opt_out.at), (Scope::All, Source::Keyword, at(30)));
}

async fn who_does_not_want_to_be_written_to_is_listed_in_pages(store: Shared) {
    let fixture = Fixture::new(store).await;
    let numbers: Vec<_> = (0..7).map(|n| format!("+25571234567{n}")).collect();
    for number in &numbers {
        learn(&fixture, &[wish(&fixture, number, Said::Stop(Scope::All), 1)]).await;
    }
    learn(&fixture, &[wish(&fixture, &numbers[3], Said::Resume(Scope::All), 2)]).await;
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = fixture.store.opted_out(fixture.business.key, Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        listed.extend(page.into_iter().map(|contact| contact.canonical.unwrap().to_string()));
    }
    listed.sort();
    let expected: Vec<_> = numbers.iter().filter(|number| **number != numbers[3]).cloned().collect();
    assert_eq!(listed, expected);
}

async fn learning_everything_twice_changes_nothing(store: Shared) {
    let fixture = Fixture::new(store).await;
    let names = [PHONE, USER, LID, "+255754000111"];
    let all = [
        wrote(&fixture, USER, fixture.connection, 3),
        wish(&fixture, LID, Said::Stop(Scope::All), 4),
        same(&fixture, USER, LID),
        wrote(&fixture, PHONE, fixture.connection, 2),
        same(&fixture, PHONE, LID),
        same(&fixture, "+255754000111", USER),
        wish(&fixture, USER, Said::Resume(Scope::Marketing), 6),
        change(&fixture, PHONE, ContactNews::MarketingHeld { until: at(50) }),
    ];
    for part in all.chunks(2) {
        learn(&fixture, part).await;
    }
    let see = async || {
        let mut seen = Vec::new();
        for name in names {
            seen.push(known(&fixture, name).await);
        }
        seen
    };
    let once = see().await;
    assert!(once.iter().all(|contact| contact.as_ref().map(|c| c.key) == once[0].as_ref().map(|c| c.key)));
    for part in all.chunks(2) {
        learn(&fixture, part).await;
        assert_eq!(see().await, once);
    }
    learn(&fixture, &all).await;
    assert_eq!(see().await, once);
}

async fn an_erased_business_knows_nobody_and_learns_nothing(store: Shared) {
    let mut fixture = Fixture::new(store).await;
    let everything = |fixture: &Fixture| {
        [
            same(fixture, PHONE, USER),
            wrote(fixture, USER, fixture.connection, 1),
            wish(fixture, PHONE, Said::Stop(Scope::All), 1),
        ]
    };
    learn(&fixture, &everything(&fixture)).await;
    let leaving = fixture.business.clone();
    fixture.business = business(&fixture.store, fixture.account, "neighbour").await;
    learn(&fixture, &everything(&fixture)).await;
    fixture.store.erase_business(leaving.key).await.unwrap();
    assert!(known(&fixture, USER).await.unwrap().opt_out.is_some(), "the neighbour's");
    fixture.business = leaving;
    let gone = async || {
        let page = Page { after: None, limit: 9 };
        assert_eq!(known(&fixture, PHONE).await, None);
        assert_eq!(known(&fixture, USER).await, None);
        assert_eq!(fixture.store.opted_out(fixture.business.key, page).await.unwrap(), []);
        let key = alias(PHONE).key(fixture.business.key);
        assert_eq!(fixture.store.other_names(fixture.business.key, &[key]).await.unwrap(), []);
    };
    gone().await;
    learn(&fixture, &everything(&fixture)).await;
    gone().await;
}

async fn a_short_silence_is_no_gap_and_a_long_one_is(store: Shared) {
    let fixture = Fixture::new(store).await;
    let connection = connection(&fixture);
    fixture.store.save_connection(&connection, None).await.unwrap();
    let listening = async || fixture.store.listening(connection.id).await.unwrap();
    assert_eq!(fixture.store.listening(fixture.connection).await.unwrap(), None);
    assert!(listening().await.unwrap().since > at(1_000_000), "nobody listens yet");

    let tolerated = Duration::from_mins(15);
    for minutes in [1, 2, 10, 24] {
        fixture.store.heard(at(minutes * 60), tolerated).await.unwrap();
    }
    assert_eq!(listening().await, Some(Listening { since: at(60) }));
    fixture.store.heard(at(40 * 60), tolerated).await.unwrap();
    assert_eq!(listening().await, Some(Listening { since: at(40 * 60) }));
    fixture.store.heard(at(39 * 60), tolerated).await.unwrap();
    assert_eq!(listening().await, Some(Listening { since: at(40 * 60) }), "two nodes, two clocks");

    fixture.store.hears_anew(connection.id, at(50 * 60)).await.unwrap();
    assert_eq!(listening().await, Some(Listening { since: at(50 * 60) }));
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    fixture.store.hears_anew(connection.id, at(60 * 60)).await.unwrap();
    assert_eq!(listening().await, None);
}
