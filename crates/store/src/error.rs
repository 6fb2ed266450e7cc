//! From the driver's errors to ours, without a value that was bound to a statement.

use domain::contracts::store::StoreError;
use sqlx::sqlite::SqliteError;

/// Why the database cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("store.url must start with `sqlite:` or `postgres:`")]
    Scheme,
    #[error("store.url cannot be understood")]
    Address(#[source] Failure),
    #[error("store.url must name a file")]
    NotAFile,
    #[error("the file of store.url cannot be made")]
    File(#[source] std::io::Error),
    #[error("the database of store.url cannot be opened")]
    Unreachable(#[source] Failure),
    #[error("store.{key} must be at least 1")]
    Zero { key: &'static str },
}

/// What a driver said. Only its one-line message and code are kept: the rest of a database's error may hold rows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    code: Option<String>,
}

impl Failure {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(Into::into);
        Self { message: error.to_string(), code }
    }

    fn saying(message: String) -> Self {
        Self { message, code: None }
    }
}

/// Names of unique columns, as both databases' errors contain them, and what they mean.
const TAKEN: [(&str, &str); 6] = [
    ("graph_id", "the number"),
    ("api_keys", "the API key"),
    ("link_hash", "the link"),
    ("state_hash", "the state value"),
    ("onboarding_sessions", "the onboarding session"),
    ("media", "the provider's media id"),
];

pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    if let Some(database) = error.as_database_error().filter(|error| error.is_unique_violation()) {
        let place = database.constraint().unwrap_or_else(|| database.message());
        let what =
            TAKEN.into_iter().find(|(column, _)| place.contains(column)).map_or("the row", |(_, what)| what);
        return StoreError::Taken { what };
    }
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Unreadable { what: "column" }
        }
        error if is_refusal(&error) => StoreError::Refused(Box::new(Failure::of(&error))),
        other => StoreError::Unavailable(Box::new(Failure::of(&other))),
    }
}

/// Whether the database answered, and will answer the same again: the fault is in what it was asked.
pub(crate) fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_)
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.try_downcast_ref::<SqliteError>() {
                // Extended codes have the plain one in their low byte.
                Some(_) => code.parse().is_ok_and(|code: i32| REFUSALS_OF_SQLITE.contains(&(code & 0xff))),
                None => code.get(..2).is_some_and(|class| REFUSALS_OF_POSTGRES.contains(&class)),
            }
        }
        _ => false,
    }
}

/// An unspecified error, too big, a constraint, a type that does not match, misuse, an index out of range.
const REFUSALS_OF_SQLITE: [i32; 6] = [1, 18, 19, 20, 21, 25];
/// Not supported, cardinality, data, constraints, syntax and names, limits of the program.
const REFUSALS_OF_POSTGRES: [&str; 6] = ["0A", "21", "22", "23", "42", "54"];

pub(crate) fn not_migrated(error: &sqlx::migrate::MigrateError) -> StoreError {
    StoreError::Unavailable(Box::new(Failure::saying(error.to_string())))
}

/// For what can only be met when rows vanish between two statements; the next try finds them settled.
pub(crate) fn vanished(what: &str) -> StoreError {
    StoreError::Unavailable(Box::new(Failure::saying(format!("{what} vanished while it was read"))))
}

/// Two transactions stood in each other's way and the database ended this one: it can simply run again.
pub(crate) fn is_contention(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let code = source.downcast_ref::<Failure>().and_then(|failure| failure.code.as_deref());
    matches!(code, Some("40P01" | "40001"))
}
