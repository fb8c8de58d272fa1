//! A row as a serde data source: a struct is filled by column name, a plain value from the first column.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{Column, Database, Decode, Postgres, Row as _, Sqlite, TypeInfo, ValueRef};

use super::Error;

/// One row, of whatever engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The whole row as a `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(Columns { row: self, next: 0 }).map_err(|e| Error::Row(e.0))
    }

    /// The first column as a `T`.
    pub(crate) fn read_first<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(self.cell(0).map_err(|e| Error::Row(e.0))?)
            .map_err(|e| Error::Row(e.in_column(self.name(0)).0))
    }

    fn len(&self) -> usize {
        match self {
            Row::Sqlite(row) => row.len(),
            Row::Postgres(row) => row.len(),
        }
    }

    fn name(&self, index: usize) -> &str {
        match self {
            Row::Sqlite(row) => row.column(index).name(),
            Row::Postgres(row) => row.column(index).name(),
        }
    }

    fn cell(&self, index: usize) -> Result<Cell<'_>, RowError> {
        match self {
            Row::Sqlite(row) => row.try_get_raw(index).map(Cell::Sqlite),
            Row::Postgres(row) => row.try_get_raw(index).map(Cell::Postgres),
        }
        .map_err(|e| RowError(e.to_string()))
    }
}

/// What does not fit, in words.
#[derive(Debug)]
struct RowError(String);

impl RowError {
    fn in_column(self, name: &str) -> RowError {
        RowError(format!("column `{name}`: {}", self.0))
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RowError {}

impl de::Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> RowError {
        RowError(message.to_string())
    }
}

/// The columns of a row, one after the other.
struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Columns<'r> {
    /// The cell that the last key announced.
    fn current<T>(&self, seed: T) -> Result<T::Value, RowError>
    where
        T: DeserializeSeed<'r>,
    {
        let index = self.next - 1;
        self.row
            .cell(index)
            .and_then(|cell| seed.deserialize(cell))
            .map_err(|e| e.in_column(self.row.name(index)))
    }
}

impl<'de> Deserializer<'de> for Columns<'de> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_map(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_seq(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Columns<'de> {
    type Error = RowError;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, RowError>
    where
        K: DeserializeSeed<'de>,
    {
        if self.next == self.row.len() {
            return Ok(None);
        }
        self.next += 1;
        let name: StrDeserializer<'_, RowError> = self.row.name(self.next - 1).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, RowError>
    where
        V: DeserializeSeed<'de>,
    {
        self.current(seed)
    }
}

impl<'de> SeqAccess<'de> for Columns<'de> {
    type Error = RowError;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, RowError>
    where
        T: DeserializeSeed<'de>,
    {
        if self.next == self.row.len() {
            return Ok(None);
        }
        self.next += 1;
        self.current(seed).map(Some)
    }
}

/// One value of a row.
enum Cell<'r> {
    Sqlite(SqliteValueRef<'r>),
    Postgres(PgValueRef<'r>),
}

/// How a value is read.
enum Kind {
    Bool,
    Int16,
    Int32,
    Int,
    Float32,
    Float,
    Bytes,
    Text,
}

/// A value as the driver's type.
fn decode<'r, D: Database, T: Decode<'r, D>>(value: D::ValueRef<'r>) -> Result<T, RowError> {
    T::decode(value).map_err(|e| RowError(e.to_string()))
}

/// SQLite's types are the values'.
fn kind_in_sqlite(name: &str) -> Kind {
    match name {
        "INTEGER" => Kind::Int,
        "REAL" => Kind::Float,
        "BLOB" => Kind::Bytes,
        _ => Kind::Text,
    }
}

/// PostgreSQL's types are the columns'.
fn kind_in_postgres(name: &str) -> Result<Kind, RowError> {
    Ok(match name {
        "BOOL" => Kind::Bool,
        "INT2" => Kind::Int16,
        "INT4" => Kind::Int32,
        "INT8" => Kind::Int,
        "FLOAT4" => Kind::Float32,
        "FLOAT8" => Kind::Float,
        "BYTEA" => Kind::Bytes,
        "TEXT" | "VARCHAR" | "CHAR" | "BPCHAR" | "NAME" | "UNKNOWN" => Kind::Text,
        other => {
            return Err(RowError(format!(
                "its type is {other}, which SQLite has not: write CAST(… AS TEXT), BIGINT or DOUBLE PRECISION"
            )));
        }
    })
}

impl<'r> Cell<'r> {
    fn is_null(&self) -> bool {
        match self {
            Cell::Sqlite(value) => value.is_null(),
            Cell::Postgres(value) => value.is_null(),
        }
    }

    fn text(self) -> Result<&'r str, RowError> {
        match self {
            Cell::Sqlite(value) => decode::<Sqlite, _>(value),
            Cell::Postgres(value) => decode::<Postgres, _>(value),
        }
    }
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        if self.is_null() {
            return visitor.visit_unit();
        }
        match self {
            // The type is looked at first: decoding takes the value.
            Cell::Sqlite(value) => match kind_in_sqlite(value.type_info().name()) {
                Kind::Int => visitor.visit_i64(decode::<Sqlite, _>(value)?),
                Kind::Float => visitor.visit_f64(decode::<Sqlite, _>(value)?),
                Kind::Bytes => visitor.visit_bytes(decode::<Sqlite, &[u8]>(value)?),
                _ => visitor.visit_str(decode::<Sqlite, &str>(value)?),
            },
            Cell::Postgres(value) => match kind_in_postgres(value.type_info().name())? {
                Kind::Bool => visitor.visit_bool(decode::<Postgres, _>(value)?),
                Kind::Int16 => visitor.visit_i16(decode::<Postgres, _>(value)?),
                Kind::Int32 => visitor.visit_i32(decode::<Postgres, _>(value)?),
                Kind::Int => visitor.visit_i64(decode::<Postgres, _>(value)?),
                Kind::Float32 => visitor.visit_f32(decode::<Postgres, _>(value)?),
                Kind::Float => visitor.visit_f64(decode::<Postgres, _>(value)?),
                Kind::Bytes => visitor.visit_bytes(decode::<Postgres, &[u8]>(value)?),
                Kind::Text => visitor.visit_str(decode::<Postgres, &str>(value)?),
            },
        }
    }

    // SQLite keeps truth values as 0 and 1.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self {
            Cell::Sqlite(value) if !value.is_null() => visitor.visit_bool(decode::<Sqlite, i64>(value)? != 0),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    // A text column holds the name of a variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        let text: StrDeserializer<'_, RowError> = self.text()?.into_deserializer();
        visitor.visit_enum(text)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::args;
    use crate::db::Db;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Ward,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Bed {
        name: String,
        count: u32,
        weight: f64,
        free: bool,
        note: Option<String>,
        kind: Kind,
        #[serde(with = "crate::db::json")]
        tags: Vec<String>,
    }

    const SELECT: &str = "SELECT $1 AS name, $2 AS count, $3 AS weight, $4 AS free, $5 AS note, 'ward' AS kind, \
                          '[\"a\"]' AS tags";

    #[tokio::test]
    async fn a_struct_is_filled_by_column_name() {
        let db = Db::open_memory().await.unwrap();
        let bed: Option<Bed> = db.one(SELECT, args!["b1", 3, 2.5, true, None::<&str>]).await.unwrap();
        let want = Bed {
            name: "b1".into(),
            count: 3,
            weight: 2.5,
            free: true,
            note: None,
            kind: Kind::Ward,
            tags: vec!["a".into()],
        };
        assert_eq!(bed, Some(want));
        let total: i64 = db.value("SELECT 41 + $1", args![1]).await.unwrap();
        assert_eq!(total, 42);
        let none: Option<Bed> = db.one("SELECT 1 AS name WHERE 1 = 0", args![]).await.unwrap();
        assert_eq!(none, None);
        let pairs: Vec<(i64, String)> = db.all("SELECT 1, 'one'", args![]).await.unwrap();
        assert_eq!(pairs, [(1, "one".to_owned())]);
    }

    #[tokio::test]
    async fn a_value_that_does_not_fit_names_its_column() {
        let db = Db::open_memory().await.unwrap();
        let check = async |args, want: &str| {
            let error = db.one::<Bed>(SELECT, args).await.unwrap_err();
            assert_eq!(error.to_string(), want);
        };
        check(
            args!["b1", -3, 2.5, true, None::<&str>],
            "column `count`: invalid value: integer `-3`, expected u32",
        )
        .await;
        check(
            args![None::<&str>, 3, 2.5, true, None::<&str>],
            "column `name`: invalid type: unit value, expected a string",
        )
        .await;
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_leaves_nothing() {
        let db = Db::open_memory().await.unwrap();
        db.execute("CREATE TABLE t (id TEXT PRIMARY KEY)", args![]).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES ($1)", args!["a"]).await.unwrap();
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES ($1)", args!["b"]).await.unwrap();
        tx.commit().await.unwrap();
        let ids: Vec<(String,)> = db.all("SELECT id FROM t", args![]).await.unwrap();
        assert_eq!(ids, [("b".to_owned(),)]);
        let again = db.execute("INSERT INTO t VALUES ($1)", args!["b"]).await;
        assert!(again.unwrap_err().is_unique_violation());
    }
}
