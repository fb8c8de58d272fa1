//! As much of Jinja as profiles need: texts with `{{ env_var('NAME', 'default') }}`, a few filters, and texts put together.
//! What is beyond it is not guessed at: the caller hears that the value is not known before dbt reads it.

use std::collections::BTreeSet;

/// What a text comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rendered {
    Text(String),
    /// A variable without a default is not there.
    Missing(String),
    /// Only dbt can tell.
    Unknown,
}

/// Renders a text with these variables.
pub(super) fn render(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Rendered {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let inner = &rest[at..];
        if let Some(comment) = inner.strip_prefix("{#") {
            let Some(end) = comment.find("#}") else { return Rendered::Unknown };
            rest = &comment[end + 2..];
        } else if let Some(expression) = inner.strip_prefix("{{") {
            let Some(end) = expression_end(expression) else { return Rendered::Unknown };
            match evaluate(expression[..end].trim_matches('-'), variable) {
                Rendered::Text(value) => out.push_str(&value),
                other => return other,
            }
            rest = &expression[end + 2..];
        } else if inner.starts_with("{%") {
            return Rendered::Unknown;
        } else {
            out.push('{');
            rest = &inner[1..];
        }
    }
    out.push_str(rest);
    Rendered::Text(out)
}

/// The names that a text asks `env_var` for, wherever they stand in its expressions.
pub(super) fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let inner = &rest[at..];
        let (open, close) = match inner.get(..2) {
            Some("{#") => ("{#", "#}"),
            Some("{{") => ("{{", "}}"),
            Some("{%") => ("{%", "%}"),
            _ => {
                rest = &inner[1..];
                continue;
            }
        };
        let end = inner.find(close).unwrap_or(inner.len());
        if open != "{#" {
            calls(&inner[..end], &mut found);
        }
        rest = inner.get(end + 2..).unwrap_or_default();
    }
    found
}

/// The names that `env_var` is called with anywhere in a file of a project, in whatever quotes of YAML it stands.
pub(super) fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if text.contains("env_var") {
        for text in [text, &text.replace("\\\"", "\""), &text.replace("''", "'")] {
            calls(text, &mut found);
        }
    }
    // Of quotes that stand twice, read as they stand.
    found.remove("");
    found
}

fn calls(expression: &str, found: &mut BTreeSet<String>) {
    for (at, word) in expression.match_indices("env_var") {
        let part_of_name =
            expression[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"'));
        let after = expression[at + word.len()..].trim_start();
        if let Some(after) = after.strip_prefix('(').filter(|_| !part_of_name)
            && let Some((name, _)) = literal(unnamed(after.trim_start()))
        {
            found.insert(name);
        }
    }
}

/// The argument itself, where it is given by its name.
fn unnamed(argument: &str) -> &str {
    let after = argument.strip_prefix("var").and_then(|after| after.trim_start().strip_prefix('='));
    after.map_or(argument, str::trim_start)
}

/// Where an expression ends: at the first `}}` outside of its texts.
fn expression_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// `term (~ term)* (| filter)*`
fn evaluate(expression: &str, variable: &dyn Fn(&str) -> Option<String>) -> Rendered {
    let mut rest = expression.trim();
    let mut out = String::new();
    loop {
        let (value, after) = match term(rest, variable) {
            Ok(found) => found,
            Err(other) => return other,
        };
        rest = after.trim_start();
        // A filter binds closer than what puts texts together.
        let mut value = value;
        while let Some(after) = rest.strip_prefix('|') {
            let after = after.trim_start();
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
            value = match &after[..end] {
                // Of what is no number it makes 0.
                "int" if value.trim().parse::<i64>().is_err() => return Rendered::Unknown,
                "as_number" | "as_native" | "as_text" | "as_bool" | "int" | "string" => value,
                "trim" => value.trim().to_owned(),
                "lower" => value.to_lowercase(),
                "upper" => value.to_uppercase(),
                _ => return Rendered::Unknown,
            };
            rest = after[end..].trim_start();
            rest = rest.strip_prefix("()").unwrap_or(rest).trim_start();
        }
        out.push_str(&value);
        match rest.strip_prefix('~').or_else(|| rest.strip_prefix('+')) {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Rendered::Text(out),
            None => return Rendered::Unknown,
        }
    }
}

/// A text, or a call of `env_var`; and what follows it.
fn term<'t>(text: &'t str, variable: &dyn Fn(&str) -> Option<String>) -> Result<(String, &'t str), Rendered> {
    if let Some(found) = literal(text) {
        return Ok(found);
    }
    let unknown = || Rendered::Unknown;
    let after = text.strip_prefix("env_var").ok_or_else(unknown)?.trim_start();
    let after = after.strip_prefix('(').ok_or_else(unknown)?.trim_start();
    let (name, after) = literal(after).ok_or_else(unknown)?;
    let mut after = after.trim_start();
    let mut default = None;
    if let Some(second) = after.strip_prefix(',') {
        let second = second.trim_start();
        let second = second
            .strip_prefix("default")
            .map_or(second, |named| named.trim_start().strip_prefix('=').map_or(second, str::trim_start));
        let (value, rest) = literal(second).ok_or_else(unknown)?;
        default = Some(value);
        after = rest.trim_start();
    }
    let after = after.strip_prefix(')').ok_or_else(unknown)?;
    match variable(&name).or(default) {
        Some(value) => Ok((value, after)),
        None => Err(Rendered::Missing(name)),
    }
}

/// A text in quotes, without escapes; and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, rest) = text[1..].split_once(quote)?;
    (!value.contains('\\')).then(|| (value.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d6_what_profiles_hold_is_rendered_and_the_rest_is_not_guessed_at() {
        let variable = |name: &str| (name == "HUB_SCHEMA").then(|| "hub_1".to_owned());
        let text = |text: &str| Rendered::Text(text.to_owned());
        for (from, to) in [
            ("plain { text }", text("plain { text }")),
            ("{{ env_var('HUB_SCHEMA') }}", text("hub_1")),
            ("a_{{env_var(\"HUB_SCHEMA\")}}_b", text("a_hub_1_b")),
            ("{{- env_var('HUB_SCHEMA') | upper -}}", text("HUB_1")),
            ("{{ env_var('PORT', '5432') | as_number }}", text("5432")),
            ("{{ env_var('PORT', default='5432') | int() }}", text("5432")),
            ("{{ env_var('HUB_SCHEMA') | int }}", Rendered::Unknown),
            ("{{ env_var('HUB_SCHEMA')[:8] }}", Rendered::Unknown),
            ("{{ 'a_' ~ env_var('HUB_SCHEMA') | upper ~ '}}' }}", text("a_HUB_1}}")),
            ("{# env_var('NO') #}x", text("x")),
            ("{{ env_var('NO') }}", Rendered::Missing("NO".to_owned())),
            ("{{ env_var('HUB_SCHEMA') if x else 'y' }}", Rendered::Unknown),
            ("{% if true %}x{% endif %}", Rendered::Unknown),
            ("{{ target.schema }}", Rendered::Unknown),
            ("{{ env_var('HUB_SCHEMA'", Rendered::Unknown),
            ("{{", Rendered::Unknown),
            ("{", text("{")),
        ] {
            assert_eq!(render(from, &variable), to, "{from}");
        }
    }

    #[test]
    fn d6_the_variables_that_a_text_asks_for() {
        let of = |text: &str| variables(text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("{{ env_var('A') }} {% if env_var( \"B\", 'x') %}{# env_var('C') #}"), ["A", "B"]);
        assert!(of("env_var('A') {{ my_env_var('B') }} {{ 'env_var' }} {{ env_var(name) }} {").is_empty());
    }
}
