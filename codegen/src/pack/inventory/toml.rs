//! Values as TOML and back, laid out so that two branches that change different things merge without a conflict.

use serde_json::{Map, Value};
use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Table, TableLike, TomlError};

/// The text of an object: one line for each element of a list, a table for each object.
pub fn text(object: &Map<String, Value>, header: &str) -> String {
    let mut document = DocumentMut::from(table(object));
    document.decor_mut().set_prefix(header);
    document.to_string()
}

fn table(object: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    // A table that only holds tables needs no line of its own.
    table.set_implicit(object.values().all(Value::is_object));
    for (key, value) in object {
        let item = match value {
            Value::Object(inner) => Item::Table(self::table(inner)),
            Value::Array(list) => Item::Value(lines(list).into()),
            other => Item::Value(inline(other)),
        };
        table.insert(key, item);
    }
    table
}

fn lines(list: &[Value]) -> Array {
    let mut array: Array = list.iter().map(inline).collect();
    for element in array.iter_mut() {
        element.decor_mut().set_prefix("\n    ");
    }
    if !array.is_empty() {
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

fn inline(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(list) => list.iter().map(inline).collect::<Array>().into(),
        Value::Object(object) => {
            let entries = object.iter().filter(|(_, value)| !value.is_null());
            entries.map(|(key, value)| (key.as_str(), inline(value))).collect::<InlineTable>().into()
        }
        // TOML has no word for nothing; objects leave it out.
        Value::Null => "".into(),
    }
}

/// The object that a text holds.
pub fn parse(text: &str) -> Result<Value, TomlError> {
    Ok(of_table(Document::parse(text)?.as_table()))
}

fn of_table(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_string(), of_item(item))).collect())
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
        Item::None => Value::Null,
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(integer) => (*integer.value()).into(),
        toml_edit::Value::Float(float) => (*float.value()).into(),
        toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
        toml_edit::Value::Datetime(time) => time.value().to_string().into(),
        toml_edit::Value::Array(array) => array.iter().map(of_value).collect(),
        toml_edit::Value::InlineTable(table) => of_table(table),
    }
}
