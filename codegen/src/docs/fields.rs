//! The table of every field of `plugin.yaml`, made of its JSON Schema, and those fields that the shell shows as they are.

use std::collections::BTreeMap;
use std::fmt::Write;

use hub_manifest::metadata::Metadata;
use hub_manifest::plugin::FIELDS;
use hub_manifest::schema::patterns;
use serde_json::{Value, json};

use crate::base::text::cell;

/// The file of the shell that names the fields of [`Metadata`]; a type in `plugins.ts` is made of its keys.
pub(super) const SHELL: &str = "host-template/shell/src/plugin-metadata.json";

/// Each field of [`Metadata`] with what it is, as JSON.
pub(super) fn of_metadata() -> String {
    let fields: BTreeMap<&str, &str> =
        Metadata::FIELDS.iter().map(|field| (field.name, field.about)).collect();
    format!("{:#}\n", json!(fields))
}

/// The table, the fields in the order of [`FIELDS`], those inside a field behind it.
pub(super) fn table(schema: &Value) -> String {
    let mut out = String::from("| field | form | required | default | what it is |\n|---|---|---|---|---|\n");
    rows(&mut out, schema, schema, "");
    out
}

fn rows(out: &mut String, root: &Value, object: &Value, prefix: &str) {
    let Some(properties) = object["properties"].as_object() else { return };
    let required = object["required"].as_array().cloned().unwrap_or_default();
    let needed = |name: &String| required.iter().any(|field| field == name);
    // In the order in which the manifest's fields are told everywhere; inside a field the required ones first.
    let mut fields: Vec<(&String, &Value)> = properties.iter().collect();
    let place = |name: &str| FIELDS.iter().position(|field| *field == name).filter(|_| prefix.is_empty());
    fields.sort_by_key(|(name, _)| (place(name), !needed(name), (*name).clone()));
    for (name, field) in fields {
        let resolved = resolve(root, field);
        let about = field["description"].as_str().or(resolved["description"].as_str()).unwrap_or_default();
        let default = field.get("default").map(|value| match value {
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        });
        let _ = writeln!(
            out,
            "| `{prefix}{name}` | {} | {} | {} | {} |",
            cell(&form(root, field)),
            if needed(name) { "yes" } else { "" },
            default.unwrap_or_default(),
            cell(about)
        );
        if let Some((inner, step)) = inside(root, field) {
            rows(out, root, inner, &format!("{prefix}{name}{step}"));
        }
    }
}

/// The schema that stands behind references and beside `null`.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = reference(schema) {
        return resolve(root, &root["definitions"][name]);
    }
    let choices = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut other = choices.iter().filter(|choice| choice["type"] != "null");
    match (other.next(), other.next()) {
        (Some(only), None) => resolve(root, only),
        _ => schema,
    }
}

fn reference(schema: &Value) -> Option<&str> {
    let direct = schema["$ref"].as_str();
    let among = || schema["allOf"].as_array()?.iter().find_map(|part| part["$ref"].as_str());
    direct.or_else(among)?.rsplit('/').next()
}

/// The mapping inside a field, and how its fields are written behind the field's name.
fn inside<'a>(root: &'a Value, field: &'a Value) -> Option<(&'a Value, &'static str)> {
    let schema = resolve(root, field);
    let of = |schema: &'a Value| Some(resolve(root, schema)).filter(|inner| inner["properties"].is_object());
    of(schema)
        .map(|inner| (inner, "."))
        .or_else(|| of(schema.get("items")?).map(|inner| (inner, "[].")))
        .or_else(|| of(schema.get("additionalProperties")?).map(|inner| (inner, ".<name>.")))
}

/// The form of a value in a few words.
fn form(root: &Value, schema: &Value) -> String {
    let known = match reference(schema) {
        Some("Text") => "text",
        Some("Slug" | "InnerSlug") => "slug",
        Some("Requirement") => "version requirement",
        Some("InnerPath") => "path in the plugin",
        Some("Router") => "router",
        Some("Permission") => "`noun.verb`",
        Some("PublicRoute") => "path pattern",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_string();
    }
    if schema["pattern"] == patterns::WEB_ADDRESS {
        return "web address".to_string();
    }
    let resolved = resolve(root, schema);
    if !std::ptr::eq(resolved, schema) {
        // Beside `null` stands a reference that may have a name of its own.
        let only = schema["anyOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"));
        return form(root, only.unwrap_or(resolved));
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let forms: Vec<String> =
            choices.iter().filter(|one| one["type"] != "null").map(|one| form(root, one)).collect();
        return forms.join(", or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(|word| Some(format!("`{}`", word.as_str()?))).collect();
        return words.join(", ");
    }
    let has = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&kind.into()))
    };
    if has("array") {
        return format!("list of {}", form(root, &schema["items"]));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
        return format!("`{{{}}}`", names.join(", "));
    }
    if has("object") {
        return match schema["additionalProperties"].as_object() {
            Some(_) => format!("mapping of names to {}", form(root, &schema["additionalProperties"])),
            None => "mapping".to_string(),
        };
    }
    let plain = [("string", "text"), ("boolean", "`true` or `false`"), ("integer", "whole number")];
    plain.iter().find(|(kind, _)| has(kind)).map_or("any value", |(_, form)| *form).to_string()
}
