//! What a connector is told, checked against the fields of its kind.

use std::collections::BTreeMap;

use hub_manifest::grammar::nearest;
use hub_manifest::visible::hidden_character;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::{Field, Kind, Value};
use crate::problem::{FieldError, Problem, Result};

/// Longest line.
const MAX_TEXT: usize = 1000;
/// Longest secret: a service account's key as JSON has some 2400 characters.
const MAX_SECRET: usize = 16 * 1024;

/// The values by field name; which ones there are depends on the connector: `GET /api/connectors/catalog` says it.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = BTreeMap<String, Json>)]
pub(crate) struct Parameters(BTreeMap<String, Json>);

impl Parameters {
    /// Names every field that is missing, wrong or unknown. Empty ones count as not given.
    pub(crate) fn check(mut self, kind: &Kind) -> Result<Parameters> {
        self.0.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
        let mut wrong: Vec<FieldError> = Vec::new();
        let mut say = |field: &str, message: String| {
            wrong.push(FieldError { field: field.to_owned(), message });
        };
        for field in kind.fields {
            match self.0.get(field.name) {
                None if field.required => say(field.name, "is required".to_owned()),
                None => {}
                Some(value) => {
                    if let Err(message) = field.check(value) {
                        say(field.name, message);
                    }
                }
            }
        }
        let names = || kind.fields.iter().map(|field| field.name);
        for name in self.0.keys().filter(|name| !names().any(|known| known == *name)) {
            let near = match nearest(name, names()).first() {
                Some(near) => format!("; did you mean `{near}`?"),
                None => String::new(),
            };
            say(name, format!("is no field of {}{near}", kind.display_name));
        }
        if kind.name == "chroma" && self.text("folder").is_some() == self.text("host").is_some() {
            say("host", "give either a host or a folder".to_owned());
        }
        if wrong.is_empty() { Ok(self) } else { Err(Problem::invalid(wrong)) }
    }

    /// The value of a field.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str)
    }

    /// Whether a flag is set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Json::as_bool).unwrap_or_default()
    }

    /// The port, or the usual one.
    pub(crate) fn port(&self, kind: &Kind) -> u16 {
        let given = self.0.get("port").and_then(Json::as_u64).and_then(|port| u16::try_from(port).ok());
        let usual = kind.fields.iter().find_map(|field| match field.value {
            Value::Port(usual) => Some(usual),
            _ => None,
        });
        given.or(usual).unwrap_or_default()
    }

    /// Replaces a field's value.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// A message without the secrets that a driver may have put into it.
    pub(super) fn without_secrets(&self, kind: &Kind, message: &str) -> String {
        let secrets = kind.fields.iter().filter(|field| field.value == Value::Secret);
        secrets.filter_map(|field| self.text(field.name)).filter(|secret| secret.chars().count() > 2).fold(
            message.to_owned(),
            |message, secret| {
                let message = message.replace(secret, "…");
                // A driver may show a text with its quotes and line breaks escaped.
                let escaped = Json::from(secret).to_string();
                let inner = escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                message.replace(inner.unwrap_or(&escaped), "…")
            },
        )
    }
}

impl Field {
    fn check(&self, value: &Json) -> Result<(), String> {
        match self.value {
            Value::Port(_) => match value.as_u64() {
                Some(1..=65535) => Ok(()),
                _ => Err("must be a port, a number from 1 to 65535".to_owned()),
            },
            Value::Flag if value.is_boolean() => Ok(()),
            Value::Flag => Err("must be true or false".to_owned()),
            _ => match value.as_str() {
                Some(text) => self.check_text(text),
                None => Err("must be text".to_owned()),
            },
        }
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        let most = if self.value == Value::Secret { MAX_SECRET } else { MAX_TEXT };
        if text.chars().count() > most {
            return Err(format!("must have at most {most} characters"));
        }
        match self.value {
            Value::Secret => Ok(()),
            _ if hidden_character(text).is_some() => Err("must be one line of visible characters".to_owned()),
            // No addresses with a scheme, no sockets of this machine, no login in front.
            Value::Host if !is_host(text) => {
                Err("must be the name or address of a machine, like db.example.com".to_owned())
            }
            Value::Word(words) if !words.contains(&text) => {
                Err(format!("must be one of {}", words.join(", ")))
            }
            Value::Path if text.starts_with('/') || text.split('/').any(|part| part == "..") => {
                Err("must be a path below the data folder, like connectors/<organisation>/notes".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text.starts_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c))
        // A port belongs into its own field: only addresses of IPv6 have colons.
        && (!text.contains(':') || text.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(kind: &str, values: Json) -> Vec<String> {
        let parameters: Parameters = serde_json::from_value(values).unwrap();
        match parameters.check(Kind::find(kind).unwrap()) {
            Ok(_) => Vec::new(),
            Err(problem) => {
                let errors = &problem.body().errors;
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect()
            }
        }
    }

    #[test]
    fn every_field_is_named() {
        let nothing: [&str; 0] = [];
        let good =
            json!({"host": "::1", "database": "sales", "user": "ann", "password": "x\ny", "port": null});
        assert_eq!(check("postgresql", good), nothing);
        let bad = json!({"host": "/var/run", "port": 70000, "usr": "ann", "tls": "on", "password": 5});
        assert_eq!(
            check("postgresql", bad),
            [
                "host: must be the name or address of a machine, like db.example.com",
                "port: must be a port, a number from 1 to 65535",
                "database: is required",
                "user: is required",
                "password: must be text",
                "tls: must be one of disable, prefer, require, verify",
                "usr: is no field of PostgreSQL; did you mean `user`?",
            ]
        );
        assert_eq!(check("chroma", json!({})), ["host: give either a host or a folder"]);
        assert_eq!(check("chroma", json!({"folder": "a/b"})), nothing);
        let above = ["file: must be a path below the data folder, like connectors/<organisation>/notes"];
        assert_eq!(check("faiss", json!({"file": "../x"})), above);
        assert_eq!(check("faiss", json!({"file": "/etc/passwd"})), above);
        let host = ["host: must be the name or address of a machine, like db.example.com"];
        for wrong in ["db:5432", "mongodb://db", "ann@db", "a b", "-x"] {
            assert_eq!(check("mongodb", json!({"host": wrong})), host, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_taken_out() {
        let kind = Kind::find("bigquery").unwrap();
        let values = json!({"project": "p", "credentials": "{\"key\": \"s3cret\"}"});
        let parameters: Parameters = serde_json::from_value(values).unwrap();
        assert_eq!(parameters.without_secrets(kind, "no {\"key\": \"s3cret\"} here"), "no … here");
        assert_eq!(parameters.without_secrets(kind, r#"no "{\"key\": \"s3cret\"}" here"#), "no \"…\" here");
    }
}
