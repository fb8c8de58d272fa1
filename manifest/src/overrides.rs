//! `frontend/overrides.json`: a plugin's claims on the surfaces of the web shell.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar;
use crate::json;
use crate::node::{Entry, Node, Value};
use crate::reader::{Reader, get};
use crate::source::{Source, Spanned};

/// The claims of one file, as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Priority of every claim that names none.
    pub priority: Option<i64>,
    /// The claims, in the order written.
    pub claims: Vec<Claim>,
}

/// One claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Override key.
    pub key: Spanned<String>,
    /// Module, relative to the folder of `overrides.json`.
    pub component: Spanned<String>,
    /// Export; none means the default export.
    pub export: Option<Spanned<String>>,
    /// Priority of this claim alone.
    pub priority: Option<i64>,
}

/// Reads one `overrides.json` of the plugin `plugin`.
pub fn parse(source: &Source, plugin: &str) -> (Overrides, Vec<Diagnostic>) {
    let mut reader = Reader { source, plugin, diagnostics: Vec::new() };
    let mut out = Overrides::default();
    if let Some(root) = json::parse(source, &mut reader.diagnostics) {
        match &root.value {
            Value::Map(entries) => read(&mut reader, &root, entries, &mut out),
            _ => {
                let message = format!("overrides.json must be an object, but this is {}", root.value.kind());
                reader.error(
                    codes::NOT_A_MAPPING,
                    &root.range,
                    message,
                    "write `{ \"overrides\": { \"<key>\": \"<file>\" } }`",
                );
            }
        }
    }
    (out, reader.finished())
}

fn read(reader: &mut Reader<'_>, root: &Node, entries: &[Entry], out: &mut Overrides) {
    reader.unknown_keys(entries, &["priority", "overrides", "$schema"], "overrides.json");
    out.priority = get(entries, "priority").and_then(|node| priority(reader, node));
    let Some(node) = get(entries, "overrides") else {
        let start = root.range.start..root.range.start + 1;
        reader.missing(&start, "overrides", "overrides.json", "\"overrides\": { \"<key>\": \"<file>\" }");
        return;
    };
    let form = "`{ \"<key>\": \"<file>\" }`";
    for entry in reader.map(node, "`overrides`", form).unwrap_or_default() {
        if let Err(help) = grammar::override_key(&entry.key) {
            let message = format!("the override key `{}` is malformed", entry.key);
            reader.error(codes::MALFORMED_OVERRIDE_KEY, &entry.key_range, message, help);
            continue;
        }
        if let Some(claim) = claim(reader, entry) {
            out.claims.push(claim);
        }
    }
}

fn claim(reader: &mut Reader<'_>, entry: &Entry) -> Option<Claim> {
    let key = Spanned::new(entry.key.clone(), entry.key_range.clone());
    let component = |reader: &mut Reader<'_>, node: &Node| {
        reader.checked(node, codes::MALFORMED_PATH, "the path", grammar::inner_path)
    };
    let fields = match &entry.value.value {
        Value::String(_) => {
            let component = component(reader, &entry.value)?;
            return Some(Claim { key, component, export: None, priority: None });
        }
        Value::Map(fields) => fields,
        _ => {
            let wanted = "a file, or an object with `component`";
            let example = "`\"src/View.tsx\"` or `{ \"component\": \"src/View.tsx\", \"export\": \"View\" }`";
            reader.wrong_type(&entry.value, &format!("the claim on `{}`", entry.key), wanted, example);
            return None;
        }
    };
    let name = format!("the claim on `{}`", entry.key);
    reader.unknown_keys(fields, &["component", "export", "priority"], &name);
    let priority = get(fields, "priority").map(|node| priority(reader, node));
    let export = get(fields, "export").map(|node| {
        reader.checked(node, codes::MALFORMED_NAME, "the export", |text| {
            if grammar::rust_ident(text) || js_ident(text) {
                Ok(text.to_string())
            } else {
                Err("write the name of an export, or leave `export` out for the default export".to_string())
            }
        })
    });
    let component = match get(fields, "component") {
        Some(node) => component(reader, node),
        None => {
            reader.missing(&entry.key_range, "component", &name, "\"component\": \"src/View.tsx\"");
            None
        }
    };
    // A claim whose export or priority is malformed is left out: guessing either could let the wrong plugin win.
    let priority = match priority {
        None => None,
        Some(priority) => Some(priority?),
    };
    let export = match export {
        None => None,
        Some(export) => Some(export?),
    };
    Some(Claim { key, component: component?, export, priority })
}

fn priority(reader: &mut Reader<'_>, node: &Node) -> Option<i64> {
    match node.value {
        Value::Integer(value) if value.abs() <= 1_000_000 => Some(value),
        Value::Integer(_) => {
            reader.error(
                codes::MALFORMED_NAME,
                &node.range,
                "the priority is out of range",
                "use -1000000 to 1000000",
            );
            None
        }
        _ => {
            reader.wrong_type(node, "`priority`", "a whole number", "a whole number like `10`; higher wins");
            None
        }
    }
}

fn js_ident(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}
