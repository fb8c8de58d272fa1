//! The `profiles.yml` that a run gets: the profile in use with its one target, and nothing of the others.

use std::fmt::Write as _;

use hub_manifest::node::{Entry, Node, Value};
use hub_manifest::source::Source;

use super::values::{merged, scalar};

/// A `profiles.yml` with one profile and, where it is known, its one target: the logins of others stay with the host. Values are
/// written as the author wrote them, for dbt reads an older YAML than the host does (`yes` is a truth value there).
pub(super) fn alone(source: &Source, profiles: &[&Entry], name: &str, target: Option<&str>) -> String {
    // Here and below: writing to a text cannot fail.
    let mut out = String::new();
    let kept = |entry: &&&Entry| entry.key == name || entry.key == "config";
    for entry in profiles.iter().filter(kept) {
        match &entry.value.value {
            Value::Map(fields) if entry.key == name => {
                let _ = writeln!(out, "{}:", quoted(name));
                for field in merged(fields) {
                    match &field.value.value {
                        Value::Map(outputs) if field.key == "outputs" => {
                            let wanted = |output: &&Entry| target.is_none_or(|target| output.key == target);
                            let outputs: Vec<&Entry> = merged(outputs).into_iter().filter(wanted).collect();
                            out += "  \"outputs\":";
                            map(source, &outputs, 2, &mut out);
                        }
                        _ => pair(source, field, 1, &mut out),
                    }
                }
            }
            _ => pair(source, entry, 0, &mut out),
        }
    }
    out
}

fn pair(source: &Source, entry: &Entry, depth: usize, out: &mut String) {
    // Writing into a text does not fail, here and below.
    let _ = write!(out, "{}{}:", "  ".repeat(depth), quoted(&entry.key));
    written(source, &entry.value, depth + 1, out);
}

/// A value after its key or its dash.
fn written(source: &Source, node: &Node, depth: usize, out: &mut String) {
    match &node.value {
        Value::Map(entries) => map(source, &merged(entries), depth, out),
        Value::List(items) if items.is_empty() => *out += " []\n",
        Value::List(items) => {
            out.push('\n');
            for item in items {
                let _ = write!(out, "{}-", "  ".repeat(depth));
                written(source, item, depth + 1, out);
            }
        }
        Value::Null => *out += " null\n",
        Value::String(text) if !plain(source, node, text) => {
            let _ = writeln!(out, " {}", quoted(text));
        }
        _ => {
            let raw = &source.text[node.range.clone()];
            // Where an alias stands, the file has no value; the anchor may be another profile's.
            let raw = if raw.starts_with('*') { scalar(node) } else { raw.to_owned() };
            let _ = writeln!(out, " {raw}");
        }
    }
}

fn map(source: &Source, entries: &[&Entry], depth: usize, out: &mut String) {
    if entries.is_empty() {
        *out += " {}\n";
        return;
    }
    out.push('\n');
    for entry in entries {
        pair(source, entry, depth, out);
    }
}

/// Whether a text stands in the file without quotes, tag or block: what it is then, is for the reader to say.
fn plain(source: &Source, node: &Node, text: &str) -> bool {
    let before = source.text[..node.range.start].trim_end();
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let block = word.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
    source.text.get(node.range.clone()) == Some(text)
        && !text.is_empty()
        && !text.contains('\n')
        && !word.starts_with('!')
        && !block.ends_with(['|', '>'])
}

/// A text in double quotes, as every YAML reads it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::profile;
    use crate::scratch::Scratch;

    /// What dbt is to find.
    fn reduced(text: &str, target: Option<&str>) -> String {
        let data = Scratch::new("reduced");
        fs::create_dir_all(data.join("dbt")).unwrap();
        fs::write(data.join("dbt/profiles.yml"), text).unwrap();
        let variable = |name: &str| (name == "DBT_TARGET").then(|| "prod".to_owned());
        let asked = profile::Asked { name: "mine", target, variable: &variable, elsewhere: &variable };
        profile::own(&data, &asked).unwrap().unwrap().1
    }

    // S5
    #[test]
    fn s5_a_run_is_told_its_own_profile_and_target_and_no_other() {
        let text = "base: &base {type: postgres, user: theirs, pass: hers}\nconfig:\n  partial_parse: false\n\
            mine:\n  target: prod\n  outputs:\n    dev: {type: duckdb, pass: dev-secret}\n    prod:\n      <<: *base\n      \
            pass: \"{{ env_var('DBT_TARGET') }}\"\n      search: [a, 'b c', {d: 1}]\n      empty: {}\n      none: []\n\
            other: {outputs: {x: {type: x, pass: other-secret}}}\n";
        let want = "\"config\":\n  \"partial_parse\": false\n\"mine\":\n  \"target\": prod\n  \"outputs\":\n    \"prod\":\n      \
            \"pass\": \"{{ env_var('DBT_TARGET') }}\"\n      \"search\":\n        - a\n        - \"b c\"\n        -\n          \
            \"d\": 1\n      \"empty\": {}\n      \"none\": []\n      \"type\": postgres\n      \"user\": theirs\n";
        assert_eq!(reduced(text, None), want);
        let aliases = reduced(
            "a: &a 4\nb: &b {type: &t x}\nmine: {outputs: {default: {<<: *b, threads: *a, name: *t}}}",
            None,
        );
        assert!(aliases.ends_with("\"threads\": 4\n      \"name\": \"x\"\n      \"type\": x\n"), "{aliases}");
        let dev = reduced(text, Some("dev"));
        assert!(
            dev.contains("dev-secret") && !dev.contains("hers") && !dev.contains("other-secret"),
            "{dev}"
        );
    }

    // S5, D6
    #[test]
    fn s5_values_are_written_as_their_author_wrote_them() {
        let field = |written: &str| {
            let text = format!("mine:\n  target: t\n  outputs:\n    t:\n      type: x\n      f: {written}\n");
            let out = reduced(&text, None);
            out.split_once("\"f\":").unwrap().1.trim().to_owned()
        };
        for (written, want) in [
            ("yes", "yes"),
            ("0123", "0123"),
            ("12:30:00", "12:30:00"),
            ("1.10", "1.10"),
            ("1e3", "1e3"),
            ("~", "null"),
            ("", "null"),
            ("True", "True"),
            ("\"yes\"", "\"yes\""),
            ("'it''s'", "\"it's\""),
            ("'0123'", "\"0123\""),
            ("!!str 0123", "\"0123\""),
            ("&anchor yes", "yes"),
            ("a # note", "a"),
            ("C:\\x", "C:\\x"),
            ("\"a\\tb\\\\ \\u263a\"", "\"a\\u0009b\\\\ \u{263a}\""),
            ("|-\n        yes", "\"yes\""),
            (">-\n        a\n        b", "\"a b\""),
            ("|\n        -----BEGIN\n        x\n", "\"-----BEGIN\\u000ax\\u000a\""),
            ("a\n        b", "\"a b\""),
        ] {
            assert_eq!(field(written), want, "{written}");
        }
    }
}
