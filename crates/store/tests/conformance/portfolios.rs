//! How many people a portfolio may write to, whom it wrote to, and what is said of a message that waits for room.

use domain::Connection;
use domain::contact::{Alias, ContactChange, ContactNews, Counted, Hour, Person};
use domain::contracts::portfolios::Portfolio;
use domain::contracts::store::{Batch, NewMessage};
use domain::message::{MessageStatus, TimelineEntry};
use domain::news::MessagingLimit::{PerDay, Unlimited};

use crate::connections::connection;
use crate::support::{Fixture, Shared, at, business, claims, messages};

claims! {
    the_limit_that_was_said_last_holds
    whom_a_portfolio_wrote_to_is_kept_until_it_counts_no_more
    a_message_that_waits_says_why_once
    an_account_that_only_an_erased_business_had_is_forgotten_with_it
}

async fn the_limit_that_was_said_last_holds(store: Shared) {
    let known = async || store.portfolio("2001", Hour(0)).await.unwrap().map(|known| known.limit);
    assert_eq!(known().await, None);
    assert!(store.set_messaging_limit("2001", PerDay(250), at(10)).await.unwrap());
    assert!(!store.set_messaging_limit("2001", PerDay(250), at(20)).await.unwrap());
    assert!(store.set_messaging_limit("2001", Unlimited, at(30)).await.unwrap());
    assert!(!store.set_messaging_limit("2001", PerDay(2_000), at(25)).await.unwrap(), "it came late");
    assert_eq!(known().await, Some(Unlimited));
    assert!(store.set_messaging_limit("2001", PerDay(2_000), at(40)).await.unwrap());
    assert_eq!(known().await, Some(PerDay(2_000)));
    assert_eq!(store.portfolio("2002", Hour(0)).await.unwrap(), None);
}

async fn whom_a_portfolio_wrote_to_is_kept_until_it_counts_no_more(store: Shared) {
    let fixture = Fixture::new(store).await;
    let alias = |text: &str| text.parse::<Alias>().unwrap();
    let reached = |name: &str, from: i64| ContactChange {
        business: fixture.business.key,
        alias: alias(name),
        news: ContactNews::Reached {
            portfolio: "2001".to_owned(),
            counted: Counted { from: Hour(from), until: Hour(from + 25) },
        },
    };
    let batch = Batch {
        contacts: vec![reached("+255712345678", 100), reached("+255712345678", 110), reached("TZ.1", 100)],
        ..Batch::default()
    };
    fixture.commit(&batch).await;
    fixture.commit(&batch).await;
    let store = &fixture.store;
    store.set_messaging_limit("2001", PerDay(250), at(0)).await.unwrap();
    let people = async |from| {
        let Portfolio { reached, .. } = store.portfolio("2001", Hour(from)).await.unwrap().unwrap();
        let mut people: Vec<_> =
            reached.into_iter().map(|(person, counted)| (person, counted.from.0, counted.until.0)).collect();
        people.sort_unstable();
        people
    };
    let (asha, juma) = (Person::known_as(&alias("+255712345678")), Person::known_as(&alias("TZ.1")));
    let mut all = vec![(asha, 100, 125), (asha, 110, 135), (juma, 100, 125)];
    all.sort_unstable();
    assert_eq!(people(120).await, all);
    assert_eq!(people(125).await, [(asha, 110, 135)]);
    assert_eq!(store.forget_reached(Hour(125), 1).await.unwrap(), 1);
    assert_eq!(store.forget_reached(Hour(125), 10).await.unwrap(), 1);
    assert_eq!(people(0).await, [(asha, 110, 135)]);
}

async fn an_account_that_only_an_erased_business_had_is_forgotten_with_it(store: Shared) {
    let mut fixture = Fixture::new(store).await;
    for (waba, own) in [("own", true), ("shared", true), ("shared", false)] {
        let leaving = fixture.business.clone();
        if !own {
            fixture.business = business(&fixture.store, fixture.account, "neighbour").await;
        }
        let connection = Connection { waba_id: Some(waba.to_owned()), ..connection(&fixture) };
        fixture.store.save_connection(&connection, None).await.unwrap();
        fixture.business = leaving;
        fixture.store.set_messaging_limit(waba, PerDay(250), at(0)).await.unwrap();
        let reached = ContactChange {
            business: fixture.business.key,
            alias: "TZ.1".parse().unwrap(),
            news: ContactNews::Reached {
                portfolio: waba.to_owned(),
                counted: Counted { from: Hour(100), until: Hour(125) },
            },
        };
        fixture.commit(&Batch { contacts: vec![reached], ..Batch::default() }).await;
    }
    fixture.store.erase_business(fixture.business.key).await.unwrap();
    assert_eq!(fixture.store.portfolio("own", Hour(0)).await.unwrap(), None);
    assert_eq!(fixture.store.portfolio("shared", Hour(0)).await.unwrap().unwrap().reached.len(), 1);
    assert_eq!(fixture.store.forget_reached(Hour(1_000), 10).await.unwrap(), 1);
}

async fn a_message_that_waits_says_why_once(store: Shared) {
    let fixture = Fixture::new(store).await;
    let line = TimelineEntry {
        at: at(1),
        status: MessageStatus::Accepted,
        attempt: None,
        reason: Some("daily_cap_reached".to_owned()),
        error: None,
    };
    let waiting = NewMessage { timeline: vec![line.clone()], send_at: Some(at(90)), ..fixture.message() };
    let batch = messages(&[waiting.clone(), fixture.message()]);
    fixture.commit(&batch).await;
    fixture.commit(&batch).await;
    assert_eq!(fixture.store.timeline(waiting.id).await.unwrap(), [line]);
    assert_eq!(fixture.store.timeline(batch.messages[1].id).await.unwrap(), []);
}
