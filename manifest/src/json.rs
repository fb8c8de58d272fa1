//! Strict JSON text to a [`Node`] tree with places.

use std::collections::HashMap;

use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::codes;
use crate::diagnostic::{Diagnostic, MAX_FINDINGS};
use crate::node::{Entry, MAX_DEPTH, Node, Value};
use crate::reader::key_problem;
use crate::source::{Source, name_of};
use crate::yaml::repeated_key;

/// RFC 8259 and nothing more: no comments, no trailing commas.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses one document. Repeated keys are reported and left out; anything worse gives no tree.
pub fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    if let Some(offset) = too_deep(&source.text) {
        diagnostics.push(
            Diagnostic::error(
                codes::TOO_LARGE,
                format!("lists and objects are nested more than {MAX_DEPTH} deep"),
            )
            .at(&source.file, source.span(&(offset..offset + 1)))
            .help("make the document flatter: no field needs that much"),
        );
        return None;
    }
    match parse_to_ast(&source.text, &CollectOptions::default(), &STRICT) {
        Ok(result) => Some(convert(source, &result.value?, diagnostics)),
        Err(error) => {
            let range = error.range();
            let cause = lower_first(&error.kind().to_string());
            let help = if cause.starts_with("unterminated") {
                "close each bracket and each quote"
            } else {
                "JSON has no comments, no trailing commas, and only double quotes"
            };
            let message = format!("{} is not JSON: {cause}", name_of(&source.file));
            diagnostics.push(
                Diagnostic::error(codes::SYNTAX, message)
                    .at(&source.file, source.span(&(range.start..range.end)))
                    .help(help),
            );
            None
        }
    }
}

fn convert(source: &Source, ast: &Ast<'_>, diagnostics: &mut Vec<Diagnostic>) -> Node {
    let range = ast.start()..ast.end();
    let value = match ast {
        Ast::NullKeyword(_) => Value::Null,
        Ast::BooleanLit(literal) => Value::Bool(literal.value),
        Ast::StringLit(literal) => Value::String(literal.value.to_string()),
        Ast::NumberLit(literal) => match literal.value.parse::<i64>() {
            Ok(value) => Value::Integer(value),
            Err(_) => Value::Number(literal.value.parse().unwrap_or(f64::MAX)),
        },
        Ast::Array(array) => {
            Value::List(array.elements.iter().map(|item| convert(source, item, diagnostics)).collect())
        }
        Ast::Object(object) => {
            let mut seen = HashMap::new();
            let mut entries = Vec::new();
            for property in &object.properties {
                let key = property.name.as_str().to_string();
                let key_range = property.name.start()..property.name.end();
                if let Some(problem) = key_problem(source, &key, &key_range) {
                    if diagnostics.len() <= MAX_FINDINGS {
                        diagnostics.push(problem);
                    }
                    continue;
                }
                if let Some(first) = seen.get(&key) {
                    if diagnostics.len() <= MAX_FINDINGS {
                        diagnostics.push(repeated_key(source, &key, first, &key_range));
                    }
                    continue;
                }
                seen.insert(key.clone(), key_range.clone());
                entries.push(Entry { key, key_range, value: convert(source, &property.value, diagnostics) });
            }
            Value::Map(entries)
        }
    };
    Node { range, value }
}

/// The first bracket that opens a level past [`MAX_DEPTH`]: found before the recursive parser sees the text.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(offset);
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
