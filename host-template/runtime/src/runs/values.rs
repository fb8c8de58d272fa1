//! Values of a YAML file as dbt reads them: merge keys, scalars as text, texts at any depth.

use hub_manifest::node::{Entry, Node, Value};

/// The entries with those that merge keys bring: `<<: *base`. What stands in the mapping itself wins, then what is merged
/// first.
pub(super) fn merged(entries: &[Entry]) -> Vec<&Entry> {
    fn add<'n>(entries: &'n [Entry], out: &mut Vec<&'n Entry>) {
        let plain = entries.iter().filter(|entry| entry.key != "<<");
        for entry in plain {
            if !out.iter().any(|known| known.key == entry.key) {
                out.push(entry);
            }
        }
        for entry in entries.iter().filter(|entry| entry.key == "<<") {
            match &entry.value.value {
                Value::Map(inner) => add(inner, out),
                Value::List(items) => items.iter().for_each(|item| {
                    if let Value::Map(inner) = &item.value {
                        add(inner, out);
                    }
                }),
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    add(entries, &mut out);
    out
}

/// The value of a key; none where it is empty.
pub(super) fn get<'n>(entries: &[&'n Entry], key: &str) -> Option<&'n Node> {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.value)
        .filter(|node| node.value != Value::Null)
}

/// A scalar as dbt would see its text.
pub(super) fn scalar(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => String::new(),
    }
}

/// Calls for each text in a value.
pub(super) fn texts(node: &Node, f: &mut dyn FnMut(&str)) {
    match &node.value {
        Value::String(text) => f(text),
        Value::List(items) => items.iter().for_each(|item| texts(item, f)),
        Value::Map(entries) => entries.iter().for_each(|entry| texts(&entry.value, f)),
        _ => {}
    }
}
