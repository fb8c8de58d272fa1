//! A plugin's settings, read once at start from the environment and the declared defaults.

use std::collections::BTreeMap;

use hub_manifest::plan::{ConfigField, ConfigKind};
use serde_json::Value;

use crate::settings;

/// A plugin's settings: what the environment says, else the declared default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config(pub(crate) BTreeMap<String, Value>);

impl Config {
    /// The value of a key, where it is set or has a default.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value of a key of type string, password or enum.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The value of a key of type integer.
    pub fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    /// The value of a key of type boolean.
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }
}

/// The settings, and what keeps the plugin from working: one sentence each.
pub(crate) fn resolve(
    fields: &BTreeMap<String, ConfigField>,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Config, Vec<String>) {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (key, field) in fields {
        let set = field
            .env
            .as_deref()
            .and_then(|name| env(name).map(|text| (name, text)))
            .filter(|(_, text)| !text.is_empty());
        let value = match set {
            Some((name, text)) => match parse(field, &text) {
                Ok(value) => Some(value),
                Err(want) => {
                    missing.push(format!("setting `{key}`: {name} has to be {want}"));
                    continue;
                }
            },
            None => field.default.clone(),
        };
        match (value, &field.env) {
            (Some(value), _) => {
                values.insert(key.clone(), value);
            }
            (None, Some(name)) if field.required => {
                missing.push(format!("setting `{key}` is required: set {name}"));
            }
            (None, None) if field.required => {
                missing.push(format!("setting `{key}` is required and has no value"));
            }
            (None, _) => {}
        }
    }
    (Config(values), missing)
}

/// The value in the text, or what the text has to be. The text itself is never repeated: it may be a password.
fn parse(field: &ConfigField, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    match field.kind {
        ConfigKind::String | ConfigKind::Password => Ok(Value::from(text)),
        ConfigKind::Integer => {
            trimmed.parse::<i64>().map(Value::from).map_err(|_| "a whole number".to_owned())
        }
        ConfigKind::Number => trimmed
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from)
            .ok_or_else(|| "a number".to_owned()),
        ConfigKind::Boolean => {
            settings::truth(trimmed).map(Value::Bool).ok_or_else(|| "true or false".to_owned())
        }
        ConfigKind::Enum if field.values.iter().any(|value| value == trimmed) => Ok(Value::from(trimmed)),
        ConfigKind::Enum => Err(format!("one of {}", field.values.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: Value) -> ConfigField {
        serde_json::from_value(json).unwrap()
    }

    fn check(json: Value, env: Option<&str>) -> Result<Option<Value>, String> {
        let fields = BTreeMap::from([("key".to_owned(), field(json))]);
        let (config, missing) =
            resolve(&fields, &|name| (name == "CRM_KEY").then(|| env.map(str::to_owned)).flatten());
        match missing.into_iter().next() {
            Some(text) => Err(text),
            None => Ok(config.get("key").cloned()),
        }
    }

    #[test]
    fn the_environment_goes_before_the_default() {
        let port = serde_json::json!({"type": "integer", "env": "CRM_KEY", "default": 25});
        assert_eq!(check(port.clone(), None), Ok(Some(25.into())));
        assert_eq!(check(port.clone(), Some("587")), Ok(Some(587.into())));
        assert_eq!(
            check(port, Some("many")),
            Err("setting `key`: CRM_KEY has to be a whole number".to_owned())
        );
    }

    #[test]
    fn a_required_setting_without_a_value_is_named() {
        let secret = serde_json::json!({"type": "password", "env": "CRM_KEY", "required": true});
        assert_eq!(check(secret.clone(), None), Err("setting `key` is required: set CRM_KEY".to_owned()));
        assert_eq!(check(secret, Some("s3")), Ok(Some("s3".into())));
        let region = serde_json::json!({"type": "enum", "env": "CRM_KEY", "values": ["eu", "us"]});
        assert_eq!(check(region.clone(), None), Ok(None));
        assert_eq!(
            check(region, Some("mars")),
            Err("setting `key`: CRM_KEY has to be one of eu, us".to_owned())
        );
    }
}
