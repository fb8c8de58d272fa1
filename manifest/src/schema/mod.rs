//! JSON Schemas of `plugin.yaml` and `overrides.json`, for editors: draft 7, which is what yaml-language-server reads.
//!
//! A schema never refuses what the parser takes. It takes some of what the parser refuses: what concerns other fields,
//! files or plugins is the check's business.

#![allow(dead_code, reason = "the types are there for their schema alone")]

mod overrides;
pub mod patterns;
mod plugin;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::grammar::MAX_SLUG;

/// A file of the checkout that holds a schema, and its text.
pub type File = (&'static str, String);

/// All schemas, by their place in the checkout.
pub fn files() -> [File; 2] {
    [("schemas/plugin.schema.json", text(&plugin())), ("schemas/overrides.schema.json", text(&overrides()))]
}

/// The schema of `plugin.yaml`.
pub fn plugin() -> Value {
    of::<plugin::PluginYaml>()
}

/// The schema of `frontend/overrides.json`.
pub fn overrides() -> Value {
    of::<overrides::OverridesJson>()
}

fn of<T: JsonSchema>() -> Value {
    settled(SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value())
}

/// Keys in the order of the alphabet, whatever features other crates give serde_json, and descriptions in one line: doc
/// comments are wrapped where the source is.
fn settled(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let one_line = |(key, value): (String, Value)| match value {
                Value::String(text) if key == "description" => (key, text.replace('\n', " ").into()),
                value => (key, settled(value)),
            };
            Value::Object(entries.into_iter().map(one_line).collect())
        }
        Value::Array(items) => items.into_iter().map(settled).collect(),
        other => other,
    }
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Unknown fields are only warned of, so they cannot be refused; editors show a `deprecationMessage` as a warning.
fn open(schema: &mut Schema) {
    let unknown = json!({ "deprecationMessage": "unknown field: it is ignored (HUB016)" });
    schema.insert("additionalProperties".to_string(), unknown);
}

/// The keys of a mapping keep to a pattern.
fn names(pattern: &str) -> Value {
    json!({ "pattern": pattern })
}

/// A slug.
#[derive(JsonSchema)]
struct Slug(#[schemars(regex(pattern = patterns::SLUG), length(max = MAX_SLUG))] String);

/// Text that is not blank.
#[derive(JsonSchema)]
struct Text(#[schemars(regex(pattern = patterns::TEXT))] String);

/// A requirement on a version, such as `^1.2`.
#[derive(JsonSchema)]
struct Requirement(#[schemars(regex(pattern = patterns::REQUIREMENT))] String);

/// A file or folder, relative to the plugin's, with `/` between names.
#[derive(JsonSchema)]
struct InnerPath(#[schemars(regex(pattern = patterns::INNER_PATH))] String);
