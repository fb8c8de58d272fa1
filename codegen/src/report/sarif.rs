//! One SARIF 2.1.0 document, for tools that show findings in a code review.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use hub_manifest::codes::{self, CODES, Code};
use hub_manifest::diagnostic::{Diagnostic, Level, Span};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::json::USAGE_HELP;
use super::shown;
use crate::base::failure::{Finding, Machine};

/// Name of the base that relative paths start from: the folder the command was started in.
const BASE: &str = "%SRCROOT%";

/// Why a command ended before its work was done.
#[derive(Debug, Clone, Copy)]
pub enum Trouble<'a> {
    /// The machine lacks something.
    Machine(&'a Machine),
    /// The command line makes no sense.
    Usage(&'a str),
}

/// The document. Paths are relative to `current` where they lie below it.
pub fn sarif(findings: &[Finding], trouble: Option<Trouble<'_>>, current: &Path) -> String {
    let mut seen = BTreeMap::new();
    let mut results: Vec<Value> =
        findings.iter().map(|finding| result(&finding.diagnostic, current, &mut seen)).collect();
    let placeless = trouble.map(|trouble| match trouble {
        Trouble::Machine(machine) => Diagnostic::error(codes::MACHINE, &machine.what).help(&machine.help),
        Trouble::Usage(message) => Diagnostic::error(codes::COMMAND_LINE, message).help(USAGE_HELP),
    });
    results.extend(placeless.iter().map(|diagnostic| result(diagnostic, current, &mut seen)));
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hub-platform",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            }},
            "invocations": [{ "executionSuccessful": trouble.is_none() }],
            "originalUriBaseIds": { BASE: { "description": { "text": "the folder the command was started in" } } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}")
}

/// Every code as a rule, in the order of the registry.
fn rules() -> Vec<Value> {
    let rule = |code: &Code| {
        let entry = code.entry();
        json!({
            "id": code,
            "shortDescription": { "text": entry.title },
            "fullDescription": { "text": entry.cause },
            "help": {
                "text": format!("{}\n\n{}", entry.cure, entry.why),
                "markdown": format!("**Cure.** {}\n\n**Level.** {}", entry.cure, entry.why),
            },
            "defaultConfiguration": { "level": level(entry.level) },
        })
    };
    CODES.iter().map(rule).collect()
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// One finding; `seen` counts those of one fingerprint.
fn result(found: &Diagnostic, current: &Path, seen: &mut BTreeMap<String, usize>) -> Value {
    let text = match found.help.is_empty() {
        true => found.message.clone(),
        false => format!("{}\nhelp: {}", found.message, found.help),
    };
    let mut result = json!({
        "ruleId": found.code,
        "level": level(found.level),
        "message": { "text": text },
        "partialFingerprints": { "hubFinding/v1": fingerprint(found, current, seen) },
    });
    if let Ok(index) = CODES.binary_search(&found.code) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(file) = &found.file {
        result["locations"] = json!([location(file, found.span, current)]);
    }
    let related = found.related.iter().enumerate().map(|(id, place)| {
        let mut location = location(&place.file, place.span, current);
        location["id"] = json!(id);
        location["message"] = json!({ "text": place.label });
        location
    });
    if !found.related.is_empty() {
        result["relatedLocations"] = related.collect();
    }
    if let Some(plugin) = &found.plugin {
        result["properties"] = json!({ "plugin": plugin });
    }
    result
}

fn location(file: &Path, span: Span, current: &Path) -> Value {
    let path = shown(file, current);
    let artifact = match path.is_absolute() {
        true => json!({ "uri": format!("file://{}", uri(path)) }),
        false => json!({ "uri": uri(path), "uriBaseId": BASE }),
    };
    let mut region = json!({ "startLine": span.line, "startColumn": span.column });
    // The file may have changed since, or be no text: then the start alone is certain.
    let end = fs::read_to_string(current.join(file)).ok().filter(|_| span.len > 0).map(|text| {
        let start = Span::at(&text, span.offset, span.len);
        (start, Span::at(&text, start.offset + start.len, 0))
    });
    if let Some((start, end)) = end
        && (start.line, start.column) == (span.line, span.column)
    {
        region["endLine"] = json!(end.line);
        region["endColumn"] = json!(end.column);
    }
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } })
}

/// A path as a URI writes it.
fn uri(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same for a finding after lines were added above it: made of what it says and not of where it stands. Equal ones
/// are counted.
fn fingerprint(found: &Diagnostic, current: &Path, seen: &mut BTreeMap<String, usize>) -> String {
    let file = found.file.as_deref().map(|file| uri(shown(file, current))).unwrap_or_default();
    let plugin = found.plugin.as_deref().unwrap_or_default();
    let digest = Sha256::digest([found.code.id(), plugin, &file, &found.message].join("\0"));
    let mut hex = String::new();
    for byte in digest.iter().take(16) {
        let _ = write!(hex, "{byte:02x}");
    }
    let count = seen.entry(hex.clone()).or_default();
    *count += 1;
    format!("{hex}:{count}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(text: &str, offset: usize) -> Value {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pläne/plugin.yaml");
        fs::create_dir(folder.path().join("pläne")).expect("a folder");
        fs::write(&file, text).expect("a file");
        let finding = Diagnostic::warning(codes::EQUAL_PRIORITY, "`a` and `b` claim `x`")
            .plugin("a")
            .at(&file, Span::at(text, offset, "größe".len()))
            .help("set a priority")
            .related(Path::new("/elsewhere/b.json"), Span::START, "this claim wins");
        let findings = [Finding::from(finding.clone()), Finding::from(finding)];
        let machine = Machine::new("npm is not installed", "install Node.js");
        serde_json::from_str(&sarif(&findings, Some(Trouble::Machine(&machine)), folder.path()))
            .expect("JSON")
    }

    #[test]
    fn a_document_has_what_sarif_requires() {
        let document = of("name: é größe\n", "name: é ".len());
        assert_eq!(
            (&document["version"], &document["runs"][0]["columnKind"]),
            (&json!("2.1.0"), &json!("unicodeCodePoints"))
        );
        let run = &document["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let results = run["results"].as_array().expect("results");
        assert_eq!((rules.len(), results.len()), (CODES.len(), 3));
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(result["message"]["text"].is_string());
        }
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(
            place["artifactLocation"],
            json!({ "uri": "pl%C3%A4ne/plugin.yaml", "uriBaseId": "%SRCROOT%" })
        );
        assert_eq!(
            place["region"],
            json!({ "startLine": 1, "startColumn": 9, "endLine": 1, "endColumn": 14 })
        );
        let related = &results[0]["relatedLocations"][0];
        assert_eq!(
            related["physicalLocation"]["artifactLocation"],
            json!({ "uri": "file:///elsewhere/b.json" })
        );
        assert_eq!((&results[2]["ruleId"], &results[2]["locations"]), (&json!("HUB090"), &Value::Null));
        assert_eq!(run["invocations"][0]["executionSuccessful"], json!(false));
    }

    #[test]
    fn a_fingerprint_stands_when_lines_move() {
        let marks = |document: &Value| -> Vec<String> {
            let results = document["runs"][0]["results"].as_array().expect("results").clone();
            results.iter().map(|result| result["partialFingerprints"]["hubFinding/v1"].to_string()).collect()
        };
        let (before, after) = (of("größe\n", 0), of("# one\n# two\ngröße\n", "# one\n# two\n".len()));
        assert_eq!(marks(&before), marks(&after));
        assert_ne!(marks(&before)[0], marks(&before)[1]);
    }
}
