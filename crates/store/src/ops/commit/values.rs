//! Rows as a statement takes them.

use sqlx::QueryBuilder;

use super::Db;
use crate::rows::{Column, Value, names};

/// `INSERT INTO table (columns) VALUES (…), …`
pub(super) fn insert<'a, R>(
    table: &str,
    columns: &[Column],
    rows: impl IntoIterator<Item = R>,
) -> QueryBuilder<Db>
where
    R: IntoIterator<Item = Value<'a>>,
{
    let mut query = QueryBuilder::new(format!("INSERT INTO {table} ({}) ", names(columns)));
    push_rows(&mut query, rows);
    query
}

/// `VALUES (…), …`
pub(super) fn push_rows<'a, R>(query: &mut QueryBuilder<Db>, rows: impl IntoIterator<Item = R>)
where
    R: IntoIterator<Item = Value<'a>>,
{
    query.push_values(rows, |mut row, values| {
        for value in values {
            match value {
                Value::Id(id) => row.push_bind(id),
                Value::Number(number) => row.push_bind(number),
                Value::Words(words) => row.push_bind(words),
                Value::Bytes(bytes) => row.push_bind(bytes),
            };
        }
    });
}
