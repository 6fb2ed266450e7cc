//! Rows turned into columns: one array for each.

use std::borrow::Cow;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use uuid::Uuid;

use crate::rows::{Column, Kind, Value};

enum Array<'a> {
    Ids(Vec<Option<Uuid>>),
    Numbers(Vec<Option<i64>>),
    Words(Vec<Option<Cow<'a, str>>>),
    Bytes(Vec<&'a [u8]>),
}

pub(super) struct Arrays<'a>(Vec<Array<'a>>);

impl<'a> Arrays<'a> {
    pub(super) fn of<R>(columns: &[Column], rows: impl Iterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = Value<'a>>,
    {
        let length = rows.size_hint().0;
        let empty = |column: &Column| match column.kind {
            Kind::Id => Array::Ids(Vec::with_capacity(length)),
            Kind::Number => Array::Numbers(Vec::with_capacity(length)),
            Kind::Words => Array::Words(Vec::with_capacity(length)),
            Kind::Bytes => Array::Bytes(Vec::with_capacity(length)),
        };
        let mut arrays: Vec<Array<'a>> = columns.iter().map(empty).collect();
        for row in rows {
            for (array, value) in arrays.iter_mut().zip(row) {
                array.push(value);
            }
        }
        Self(arrays)
    }

    pub(super) fn bind<O>(
        self,
        mut query: QueryAs<'a, Postgres, O, PgArguments>,
    ) -> QueryAs<'a, Postgres, O, PgArguments> {
        for array in self.0 {
            query = match array {
                Array::Ids(ids) => query.bind(ids),
                Array::Numbers(numbers) => query.bind(numbers),
                Array::Words(words) => query.bind(words),
                Array::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }
}

impl<'a> Array<'a> {
    fn push(&mut self, value: Value<'a>) {
        match (self, value) {
            (Self::Ids(ids), Value::Id(id)) => ids.push(id),
            (Self::Numbers(numbers), Value::Number(number)) => numbers.push(number),
            (Self::Words(words), Value::Words(text)) => words.push(text),
            (Self::Bytes(all), Value::Bytes(bytes)) => all.push(bytes),
            _ => unreachable!("a column and its values are of the kind that its one line in `rows` names"),
        }
    }
}
