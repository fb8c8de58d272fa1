//! The plugins' settings as values of the chart: their schema, their variables, and a table of them.

use std::fmt::Write;

use hub_manifest::plan::{ConfigField, ConfigKind, HostPlan, HostPlugin};
use serde_json::{Map, Value, json};

use crate::base::text::cell;

/// The settings of a plugin that can be set: what no variable leads to has its default for ever.
fn settable(plugin: &HostPlugin) -> impl Iterator<Item = (&String, &ConfigField, &str)> {
    plugin.config.iter().filter_map(|(key, field)| {
        field.env.as_deref().filter(|env| !env.is_empty()).map(|env| (key, field, env))
    })
}

fn plugins(plan: &HostPlan) -> impl Iterator<Item = &HostPlugin> {
    plan.plugins.iter().filter(|plugin| settable(plugin).next().is_some())
}

/// The schema of the value `plugins`. A plugin that is not named is left unset: the host says which settings it lacks. One
/// that is named needs all that it requires.
pub(super) fn schema(plan: &HostPlan) -> Value {
    let properties: Map<String, Value> = plugins(plan)
        .map(|plugin| {
            let fields: Map<String, Value> =
                settable(plugin).map(|(key, field, _)| (key.clone(), field_schema(field))).collect();
            let required: Vec<&String> =
                settable(plugin).filter(|(_, field, _)| needed(field)).map(|(key, _, _)| key).collect();
            let schema = json!({
                "title": plugin.display_name,
                "type": "object",
                "additionalProperties": false,
                "required": required,
                "properties": fields,
            });
            (plugin.name.clone(), schema)
        })
        .collect();
    json!({
        "description": "Settings of the plugins",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Whether the plugin does not work before somebody sets it.
fn needed(field: &ConfigField) -> bool {
    field.required && field.default.is_none()
}

fn field_schema(field: &ConfigField) -> Value {
    let secret = json!([{ "$ref": "#/definitions/secret" }]);
    let mut schema = match field.kind {
        // `minLength` concerns texts alone, and an empty text is taken for none.
        ConfigKind::Password if needed(field) => {
            json!({ "allOf": secret, "type": ["string", "object"], "minLength": 1 })
        }
        ConfigKind::Password => json!({ "allOf": secret }),
        ConfigKind::Enum => json!({ "enum": field.values }),
        ConfigKind::Boolean => json!({ "type": "boolean" }),
        ConfigKind::Number => json!({ "type": "number" }),
        // Helm keeps numbers as floating-point ones: beyond this a whole number would come out as another.
        ConfigKind::Integer => {
            json!({ "type": "integer", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64 })
        }
        ConfigKind::String if needed(field) => json!({ "type": "string", "minLength": 1 }),
        ConfigKind::String => json!({ "type": "string" }),
    };
    if let Some(label) = &field.label {
        schema["title"] = json!(label);
    }
    if let Some(default) = field.default.as_ref().filter(|_| field.kind != ConfigKind::Password) {
        schema["default"] = default.clone();
    }
    schema
}

/// For each plugin and setting the variable that sets it, and its type.
pub(super) fn variables(plan: &HostPlan) -> Value {
    plugins(plan)
        .map(|plugin| {
            let fields: Map<String, Value> = settable(plugin)
                .map(|(key, field, env)| (key.clone(), json!({ "env": env, "type": field.kind })))
                .collect();
            (plugin.name.clone(), Value::Object(fields))
        })
        .collect::<Map<String, Value>>()
        .into()
}

/// The settings for people.
pub(super) fn table(plan: &HostPlan) -> String {
    let mut out = String::new();
    for plugin in plugins(plan) {
        for (key, field, env) in settable(plugin) {
            let kind = match field.kind {
                ConfigKind::Enum => {
                    field.values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
                }
                ConfigKind::Password => "password, or {secret, key}".to_owned(),
                kind => json!(kind).as_str().unwrap_or_default().to_owned(),
            };
            let default = match &field.default {
                Some(default) if field.kind != ConfigKind::Password => format!("`{default}`"),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "| `plugins.{}.{key}` | {} | {} | {} | `{env}` | {} |",
                plugin.name,
                cell(&kind),
                if needed(field) { "yes" } else { "" },
                cell(&default),
                cell(field.label.as_deref().unwrap_or_default()),
            );
        }
    }
    if out.is_empty() {
        return "None of this release's plugins has any.".to_owned();
    }
    format!(
        "| value | type | required | default | variable | what it is |\n|---|---|---|---|---|---|\n{}",
        out.trim_end()
    )
}
