//! Nothing of an erased business is in the files of the database, whether it was written in clear or sealed.
//!
//! Every value that is planted bears the name of its business, so that one search finds whatever is left of it. In
//! place of what is sealed stand readable bytes: the store does not know the difference.

use std::path::Path;
use std::str::FromStr;

use domain::business::Business;
use domain::clock::Timestamp;
use domain::connection::{Connection, ProviderName};
use domain::contact::{ContactChange, ContactNews, Preference, Said, Scope, Source};
use domain::contracts::retention::Kept;
use domain::contracts::store::{
    Batch, Credential, IdempotencyRecord, MessageFilter, NewMessage, Page, Quarantined, Transition,
};
use domain::endpoint::Endpoint;
use domain::event::NewEvent;
use domain::media::MediaRow;
use domain::message::{MessageStatus, TimelineEntry};
use domain::outbox::OutboxState;
use domain::secret::{Sealed, WrappedDataKey};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::connections::connection;
use crate::endpoints::endpoint;
use crate::media::media;
use crate::support::{Fixture, PostgresDatabase, at, opened, record, unique_uuid};

const LEAVES: &str = "leaving";
const STAYS: &str = "staying";
/// What is planted of each business, behind its name.
const KINDS: [&str; 22] = [
    "Reference",
    "Name",
    "DataKey",
    "Token",
    "Pin",
    "PhoneNumber",
    "VerifiedName",
    "Quarantined",
    "Url",
    "Secret",
    "Recipient",
    "ClientRef",
    "Opaque",
    "Body",
    "WamId",
    "Error",
    "Reason",
    "Event",
    "Asha",
    "Answer",
    "MediaName",
    "MediaId",
];

fn sealed(word: &str) -> Sealed {
    Sealed::from_bytes(word.as_bytes().to_vec())
}

/// A business with one of everything, and a number that gets messages.
struct Planted {
    name: &'static str,
    business: Business,
    connection: Connection,
}

impl Planted {
    async fn plant(fixture: &Fixture, name: &'static str, key: u8) -> Self {
        let store = &fixture.store;
        let word = |kind: &str| format!("{name}{kind}");
        let mut business = crate::support::business(store, fixture.account, &word("Reference")).await;
        business.name = Some(word("Name"));
        store.update_business(&business).await.unwrap();
        let wrapped = word("DataKey").into_bytes();
        let data_key = WrappedDataKey { generation: 1, master_key_id: "m1".to_owned(), wrapped };
        store.insert_data_key(business.key, &data_key).await.unwrap();
        let connection = Connection {
            business: business.key,
            business_reference: business.reference.clone(),
            partition: business.partition,
            graph_id: Some(format!("106{key}")),
            waba_id: Some(format!("2001{key}")),
            phone_number: Some(word("PhoneNumber")),
            verified_name: Some(word("VerifiedName")),
            ..connection(fixture)
        };
        let credential = Credential {
            connection: connection.id,
            waba_id: format!("2001{key}"),
            phone_number_id: None,
            app_id: "app".to_owned(),
            provider: ProviderName::Meta,
            access_token: sealed(&word("Token")),
            pin: Some(sealed(&word("Pin"))),
            token_expires_at: None,
            scopes: Vec::new(),
        };
        store.save_connection(&connection, Some(&credential)).await.unwrap();
        let listener = Endpoint {
            business: Some((business.key, business.reference.clone())),
            url: format!("https://shop.example/{}", word("Url")).parse().unwrap(),
            secret: sealed(&word("Secret")),
            ..endpoint(fixture)
        };
        store.insert_endpoint(&listener).await.unwrap();
        let document = MediaRow {
            business: business.key,
            connection: connection.id,
            provider_id: Some(word("MediaId")),
            file_name: Some(sealed(&word("MediaName"))),
            ..media(fixture)
        };
        store.insert_media(&document).await.unwrap();
        let ending = IdempotencyRecord::ending(business.key);
        let answer = format!(r#"{{"sealed":"{}"{ending}"#, word("Answer"));
        store.remember(&record(fixture.account, key, &answer)).await.unwrap();
        let wish = Preference { said: Said::Stop(Scope::All), source: Source::Api, at: at(1) };
        let asha = ContactChange {
            business: business.key,
            alias: format!("TZ.{}", word("Asha")).parse().unwrap(),
            news: ContactNews::Preference(wish),
        };
        let quarantined = Quarantined {
            id: unique_uuid(),
            provider: ProviderName::Meta,
            subject: format!("106{key}"),
            received_at: at(0),
            body: sealed(&word("Quarantined")),
        };
        let batch = Batch { contacts: vec![asha], quarantine: vec![quarantined], ..Batch::default() };
        fixture.commit(&batch).await;
        Self { name, business, connection }
    }

    fn word(&self, kind: &str) -> String {
        format!("{}{kind}", self.name)
    }

    fn message(&self, fixture: &Fixture, number: u64) -> NewMessage {
        // In no order and of any length, so that their index grows in its middle and rows move within it.
        let anywhere = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let padding = "x".repeat(usize::from(anywhere.to_be_bytes()[2] % 128));
        NewMessage {
            partition: self.business.partition,
            business: self.business.key,
            connection: self.connection.id,
            recipient: self.word("Recipient"),
            client_ref: Some(format!("{anywhere:016x}{}{padding}", self.word("ClientRef"))),
            opaque: Some(self.word("Opaque")),
            body: sealed(&self.word("Body")),
            ..fixture.message()
        }
    }

    /// Its row grows after others were written behind it.
    fn sent(&self, fixture: &Fixture, message: &NewMessage) -> Transition {
        let line = TimelineEntry {
            at: at(5),
            status: MessageStatus::Sent,
            attempt: Some(1),
            reason: Some(self.word("Reason")),
            error: None,
        };
        Transition {
            partition: self.business.partition,
            provider_id: Some(format!("{}{}", self.word("WamId"), message.id)),
            error: Some(format!(r#"{{"message":"{}"}}"#, self.word("Error"))),
            timeline: vec![line],
            ..fixture.transition(message, OutboxState::NEW, OutboxState::Sent { attempts: 1 })
        }
    }

    fn event(&self, fixture: &Fixture) -> NewEvent {
        NewEvent {
            business: self.business.key,
            connection: Some(self.connection.id),
            body: sealed(&self.word("Event")),
            ..fixture.event()
        }
    }
}

/// Two businesses whose rows lie between each other's; answers the one that will leave.
async fn plant_both(fixture: &Fixture, messages_of_each: u64) -> Planted {
    let planted = [Planted::plant(fixture, STAYS, 1).await, Planted::plant(fixture, LEAVES, 2).await];
    let mut sent = Vec::new();
    let numbers: Vec<_> = (0..messages_of_each).collect();
    for numbers in numbers.chunks(32) {
        let mut batch = Batch::default();
        for (number, planted) in
            numbers.iter().flat_map(|number| planted.each_ref().map(|one| (*number, one)))
        {
            let message = planted.message(fixture, number);
            sent.push(planted.sent(fixture, &message));
            batch.messages.push(message);
            batch.events.push(planted.event(fixture));
        }
        fixture.commit(&batch).await;
    }
    for sent in sent.chunks(64) {
        let moved = fixture.commit(&Batch { transitions: sent.to_vec(), ..Batch::default() }).await;
        assert!(moved.transitions.iter().all(|moved| *moved), "{moved:?}");
    }
    let [_, leaving] = planted;
    leaving
}

#[track_caller]
fn everything_is_found_of(name: &str, files: &str) {
    for kind in KINDS {
        assert!(
            files.contains(&format!("{name}{kind}")),
            "{name}{kind} is not there: its absence would show nothing"
        );
    }
}

#[track_caller]
fn nothing_is_found_of(name: &str, files: &str) {
    let left: Vec<_> = KINDS.iter().filter(|kind| files.contains(&format!("{name}{kind}"))).collect();
    assert!(!files.contains(name), "left of {name}: {left:?}");
}

/// As text: whatever is none is not what is looked for.
fn files_of_sqlite(data: &Path) -> String {
    let files = ["gateway.db", "gateway.db-wal", "gateway.db-shm"];
    files.map(|name| text(&std::fs::read(data.join(name)).unwrap())).concat()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn on_sqlite(data: &Path) -> Fixture {
    Fixture::new(opened(&url_of(data), false).await).await
}

fn url_of(data: &Path) -> String {
    format!("sqlite://{}", data.join("gateway.db").display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_business_is_left_in_the_files_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = on_sqlite(folder.path()).await;
    let leaving = plant_both(&fixture, 3_000).await;
    let before = files_of_sqlite(folder.path());
    everything_is_found_of(LEAVES, &before);
    everything_is_found_of(STAYS, &before);
    fixture.store.erase_business(leaving.business.key).await.unwrap();
    let after = files_of_sqlite(folder.path());
    nothing_is_found_of(LEAVES, &after);
    everything_is_found_of(STAYS, &after);
}

/// One that is too large to be written anew, with whole pages of what leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_in_a_large_file_of_sqlite_where_what_is_deleted_is_overwritten_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = on_sqlite(folder.path()).await;
    let others = Sealed::from_bytes(vec![0x5e; 1 << 20]);
    for _ in 0..40 {
        fixture.accept(&NewMessage { body: others.clone(), ..fixture.message() }).await;
    }
    let leaving = plant_both(&fixture, 4).await;
    for number in 4..8 {
        let body = sealed(&format!("{LEAVES}Body").repeat(10_000));
        fixture.accept(&NewMessage { body, ..leaving.message(&fixture, number) }).await;
    }
    everything_is_found_of(LEAVES, &files_of_sqlite(folder.path()));
    fixture.store.erase_business(leaving.business.key).await.unwrap();
    let after = files_of_sqlite(folder.path());
    assert!(after.len() > 40 << 20);
    nothing_is_found_of(LEAVES, &after);
    everything_is_found_of(STAYS, &after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_cut_short_is_finished_by_retention() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = on_sqlite(folder.path()).await;
    let leaving = plant_both(&fixture, 30).await;
    // As after its first commit, except that keys, numbers and endpoints would be gone too.
    let mut connection =
        SqliteConnectOptions::from_str(&url_of(folder.path())).unwrap().connect().await.unwrap();
    sqlx::query("UPDATE businesses SET erased = 1, reference = NULL, name = NULL WHERE id = $1")
        .bind(leaving.business.key.0)
        .execute(&mut connection)
        .await
        .unwrap();
    for table in ["DELETE FROM endpoints WHERE business = $1", "DELETE FROM connections WHERE business = $1"]
    {
        sqlx::query(table).bind(leaving.business.key.0).execute(&mut connection).await.unwrap();
    }
    drop(connection);
    let long_ago = Timestamp::from_seconds(0);
    let kept = Kept { events: long_ago, messages: long_ago, bodies: long_ago };
    while fixture.store.delete_old(&kept).await.unwrap() {}
    let page = Page { after: None, limit: 1_000 };
    let messages = fixture.store.messages(fixture.account, &MessageFilter::default(), page).await.unwrap();
    assert_eq!(messages.len(), 30, "those of the one that stays");
    let after = files_of_sqlite(folder.path());
    for kind in ["Recipient", "ClientRef", "Opaque", "Body", "Event", "Asha", "Answer", "Name"] {
        assert!(!after.contains(&format!("{LEAVES}{kind}")), "{kind} is left");
    }
}

/// PostgreSQL overwrites what is deleted when it uses the space again, and not before a vacuum: this shows that no
/// living row is left, and that a database that was vacuumed in full holds nothing. What its own log (`pg_wal`) holds
/// until it is used again is not looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_business_is_left_in_the_tables_of_postgres_after_a_full_vacuum() {
    let Some(database) = PostgresDatabase::make().await else { return };
    let fixture = Fixture::new(opened(&database.url, false).await).await;
    let leaving = plant_both(&fixture, 100).await;
    let mut connection = PgConnectOptions::from_str(&database.url).unwrap().connect().await.unwrap();
    let before = files_of_postgres(&mut connection).await;
    everything_is_found_of(LEAVES, &before);
    everything_is_found_of(STAYS, &before);
    fixture.store.erase_business(leaving.business.key).await.unwrap();
    // What was gathered about the values of columns is written anew by ANALYZE, and is a table too.
    for vacuum in ["VACUUM (FULL, ANALYZE)", "VACUUM FULL pg_statistic"] {
        sqlx::raw_sql(vacuum).execute(&mut connection).await.unwrap();
    }
    let after = files_of_postgres(&mut connection).await;
    nothing_is_found_of(LEAVES, &after);
    everything_is_found_of(STAYS, &after);
    drop(connection);
    database.drop().await;
}

/// Every table, index and overflow of the database as it lies on the disk, which only a superuser may read.
async fn files_of_postgres(connection: &mut PgConnection) -> String {
    sqlx::raw_sql("CHECKPOINT").execute(&mut *connection).await.unwrap();
    let files: Vec<(Vec<u8>,)> = sqlx::query_as(
        "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class
         WHERE relkind IN ('r', 'i', 't', 'm') AND NOT relisshared AND pg_relation_size(oid) > 0",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    files.iter().map(|(file,)| text(file)).collect()
}
