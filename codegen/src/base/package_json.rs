//! A `package.json` that npm could not read either, told alike by whoever reads one.

use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

/// A `package.json` that is no JSON.
pub(crate) fn broken(file: &Path, bytes: &[u8], error: &serde_json::Error) -> Diagnostic {
    let text = String::from_utf8_lossy(bytes);
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let span = Span::at(&text, before + error.column().saturating_sub(1), 0);
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Diagnostic::error(codes::PACKAGE_JSON, format!("package.json is not valid JSON: {message}"))
        .at(file, span)
        .help("mend the syntax; npm reads plain JSON, without comments or trailing commas")
}
