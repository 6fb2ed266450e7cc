use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::{Fixture, PostgresDatabase};

fn names(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_eq!(names("sqlite"), names("postgres"));
    let numbers: Vec<_> = names("sqlite").into_iter().map(|name| name[..4].to_owned()).collect();
    let counted: Vec<_> = (1..=numbers.len()).map(|number| format!("{number:04}")).collect();
    assert_eq!(numbers, counted);
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let Some(postgres) = PostgresDatabase::make().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("gateway.db").display());
    for url in [&file, &postgres.url] {
        store::open(&store::Config::with_url(url)).await.unwrap().migrate().await.unwrap();
    }
    let both = (columns_of_sqlite(&file).await, columns_of_postgres(&postgres.url).await);
    postgres.drop().await;
    assert!(both.0.len() > 100);
    assert_eq!(both.0, both.1);
}

async fn columns_of_sqlite(url: &str) -> BTreeSet<(String, String)> {
    let mut connection = SqliteConnectOptions::from_str(url).unwrap().connect().await.unwrap();
    let tables: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut columns = BTreeSet::new();
    for (table,) in tables.into_iter().filter(|(table,)| !table.starts_with('_')) {
        let found: Vec<(String,)> =
            sqlx::query_as(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        columns.extend(found.into_iter().map(|(column,)| (table.clone(), column)));
    }
    columns
}

async fn columns_of_postgres(url: &str) -> BTreeSet<(String, String)> {
    let mut connection = PgConnectOptions::from_str(url).unwrap().connect().await.unwrap();
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_class c
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    found.into_iter().filter(|(table, _)| !table.starts_with('_')).collect()
}

#[tokio::test]
async fn a_database_without_migrations_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let store = store::open(&store::Config::with_url(url)).await.unwrap();
    assert!(!store.ready().await.unwrap());
}

#[tokio::test]
async fn the_files_of_sqlite_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let url = format!("sqlite://{}", data.join("gateway.db").display());
    let store = store::open(&store::Config::with_url(url)).await.unwrap();
    store.migrate().await.unwrap();
    let fixture = Fixture::new(store).await;
    fixture.accept(&fixture.message()).await;
    let mut files = Vec::new();
    for file in fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        files.push(file.file_name());
    }
    files.sort();
    assert_eq!(files, ["gateway.db", "gateway.db-shm", "gateway.db-wal"]);
}

#[tokio::test]
async fn an_address_that_cannot_be_used_names_the_key_and_never_the_password() {
    for url in [
        "mysql://gateway:planted@localhost/x",
        "postgres://gateway:planted@127.0.0.1:1/x",
        "postgres://gateway:planted@localhost:none/x",
        "sqlite::memory:",
    ] {
        let config = store::Config { acquire_timeout_ms: 200, ..store::Config::with_url(url) };
        let error = store::open(&config).await.err().expect("this cannot be opened");
        assert!(error.to_string().contains("store.url"), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
}
