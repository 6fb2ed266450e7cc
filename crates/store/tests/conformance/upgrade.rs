//! A database of the first release that holds rows is brought up to date with them.

use std::path::Path;
use std::str::FromStr;

use domain::contracts::store::NewMessage;
use domain::event::NewEvent;
use domain::ids::{AccountKey, ConnectionId, EventId, MessageId};
use domain::outbox::OutboxState;
use domain::secret::Sealed;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use uuid::Uuid;

use crate::support::{Fixture, PostgresDatabase, Shared, take_all};

/// The last migration of the first release.
const FIRST_RELEASE: i64 = 6;
/// Of 2025, of now, and of a provider whose clock runs ten years ahead.
const IDS: [u128; 3] =
    [0x0199_0000_0000_7000_8000_0000_0000_0001, 0x019b_0000_0000_7000_8000_0000_0000_0002, 0x01e0 << 112 | 3];

async fn migrations(database: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
    Migrator::new(folder).await.unwrap()
}

/// One message, its body and one event for each id. `bytes` writes hexadecimal digits in the database's own way.
fn rows(bytes: impl Fn(&str) -> String, id: impl Fn(Uuid) -> String, no: &str) -> Vec<String> {
    let mut statements = vec![
        "INSERT INTO accounts (id, name, created_at) VALUES (1, 'acme', 0)".to_owned(),
        format!(
            "INSERT INTO businesses (id, account, reference, country, locale, routing, partition, erased, created_at)
             VALUES (7, 1, 'duka', 'TZ', 'sw', 'official', 5, {no}, 0)"
        ),
    ];
    for (place, number) in (1..).zip(IDS) {
        let (id, body) = (id(Uuid::from_u128(number)), bytes("5ea1ed"));
        statements.push(format!(
            "INSERT INTO outbox (seq, id, partition, account, business, connection, recipient, lane, kind, state,
                 epoch, attempt, priority, on_ambiguous, accepted_at, expires_at)
             VALUES ({place}, {id}, 5, 1, 7, {id}, '+255712345678', 9, 'text', 0, 0, 0, 2, 0, 0, 0)"
        ));
        statements.push(format!("INSERT INTO outbox_body (id, body) VALUES ({id}, {body})"));
        statements.push(format!(
            "INSERT INTO events (seq, id, event_type, account, business, occurred_at, body)
             VALUES ({place}, {id}, 0, 1, 7, 0, {body})"
        ));
    }
    statements
}

async fn everything_is_still_there(store: Shared) {
    let account = AccountKey(1);
    for id in IDS.map(Uuid::from_u128) {
        let stored = store.message(account, MessageId::from_uuid(id)).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.connection), (OutboxState::NEW, ConnectionId::from_uuid(id)));
        let body = store.message_body(MessageId::from_uuid(id)).await.unwrap();
        assert_eq!(body, Some(Sealed::from_bytes(vec![0x5e, 0xa1, 0xed])));
    }
    let kept =
        store.events_after(account, &domain::contracts::store::EventFilter::default(), 0, 10).await.unwrap();
    assert_eq!(
        kept.iter().map(|event| (event.seq, event.id.uuid().as_u128())).collect::<Vec<_>>(),
        [(1, IDS[0]), (2, IDS[1]), (3, IDS[2])]
    );
    // And it goes on: what was known is known, what was accepted can be moved, and what is new comes behind.
    let business = store.business(account, &"duka".parse().unwrap()).await.unwrap().unwrap();
    let epochs = take_all(&store).await;
    let connection = ConnectionId::from_uuid(Uuid::from_u128(IDS[0]));
    let fixture = Fixture { store, account, business, connection, epochs };
    for number in IDS {
        let id = Uuid::from_u128(number);
        assert!(!fixture.hear(&NewEvent { id: EventId::from_uuid(id), ..fixture.event() }).await);
        let message = NewMessage { id: MessageId::from_uuid(id), ..fixture.message() };
        let claimed = OutboxState::Sending(fixture.claim(1, 1));
        assert!(fixture.apply(&fixture.transition(&message, OutboxState::NEW, claimed)).await);
    }
    assert!(fixture.commit(&crate::support::events(&[fixture.event()])).await.events[0] > Some(3));
}

#[tokio::test]
async fn rows_of_the_first_release_stay_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("gateway.db").display());
    let options = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    migrations("sqlite").await.run_to(FIRST_RELEASE, &mut connection).await.unwrap();
    for statement in rows(|hex| format!("x'{hex}'"), |id| format!("x'{}'", id.simple()), "0") {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    drop(connection);
    let store = store::open(&store::Config::with_url(url)).await.unwrap();
    store.migrate().await.unwrap();
    everything_is_still_there(store).await;
}

#[tokio::test]
async fn rows_of_the_first_release_stay_on_postgres_and_later_days_are_apart() {
    let Some(database) = PostgresDatabase::make().await else { return };
    let mut connection = PgConnectOptions::from_str(&database.url).unwrap().connect().await.unwrap();
    migrations("postgres").await.run_to(FIRST_RELEASE, &mut connection).await.unwrap();
    for statement in rows(|hex| format!("'\\x{hex}'"), |id| format!("'{id}'"), "FALSE") {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    for _ in 0..3 {
        // The sequences were not asked, since the rows bring their places.
        sqlx::query("SELECT nextval('outbox_seq'), nextval('events_seq')")
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let store = store::open(&store::Config::with_url(database.url.clone())).await.unwrap();
    store.migrate().await.unwrap();
    for table in ["outbox", "outbox_body", "events"] {
        assert_eq!(rows_in(&mut connection, &format!("{table}_before")).await, 2);
        assert_eq!(rows_in(&mut connection, &format!("{table}_rest")).await, 1, "the one that is ahead");
    }
    everything_is_still_there(store).await;
    drop(connection);
    database.drop().await;
}

async fn rows_in(connection: &mut PgConnection, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(count)).fetch_one(connection).await.unwrap();
    count
}

#[tokio::test]
async fn the_days_of_postgres_are_made_ahead_and_go_in_one_piece() {
    let Some(database) = PostgresDatabase::make().await else { return };
    let store = store::open(&store::Config::with_url(database.url.clone())).await.unwrap();
    store.migrate().await.unwrap();
    let mut connection = PgConnectOptions::from_str(&database.url).unwrap().connect().await.unwrap();
    let now = domain::clock::Timestamp::from_seconds(4_102_444_800);
    store.prepare_days(now).await.unwrap();
    let days = days_of_events(&mut connection).await;
    let made: Vec<_> = (1..=8).map(|day| format!("events_2100010{day}")).collect();
    assert_eq!(days, [&made[..], &["events_before".to_owned(), "events_rest".to_owned()]].concat());
    let kept = domain::contracts::retention::Kept {
        events: now.plus(std::time::Duration::from_hours(73)),
        messages: now,
        bodies: now,
    };
    store.drop_days(&kept).await.unwrap();
    let days = days_of_events(&mut connection).await;
    assert_eq!(days, [&made[3..], &["events_rest".to_owned()]].concat());
    drop(connection);
    database.drop().await;
}

async fn days_of_events(connection: &mut PgConnection) -> Vec<String> {
    let days: Vec<(String,)> = sqlx::query_as(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    days.into_iter().map(|(day,)| day).collect()
}
