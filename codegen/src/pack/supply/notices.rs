//! The terms of everything that is shipped: each package with its version and its SPDX expression, then the texts, each
//! one once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::expression;
use crate::base::write::at;
use crate::bundle::WebPackage;
use crate::compile::graph::{Graph, Known};

/// What a file of terms is called, in whatever case and with whatever ending.
const NAMES: [&str; 6] = ["license", "licence", "copying", "notice", "unlicense", "copyright"];

/// The file. `web` is what the bundler wrote down of the npm packages' terms.
pub fn text(graph: &Graph, packages: &[WebPackage], web: &str) -> io::Result<String> {
    let known = graph.packages();
    let mut crates: Vec<&Known> = graph.shipped().iter().filter_map(|id| known.get(id)).copied().collect();
    crates.retain(|package| package.source.is_some());
    crates.sort_by_key(|package| (&package.name, &package.version, &package.source));
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut out = String::from(
        "This release holds work of others. First come the packages with their terms, then the texts of the terms.\n",
    );
    out.push_str("\n==== Crates that are part of the programs in bin/\n\n");
    for package in crates {
        let name = format!("{} {}", package.name, package.version);
        let terms = package.license.as_deref().unwrap_or_default();
        let terms = expression(terms).unwrap_or_else(|| terms.to_string());
        let files = files(package.folder())?;
        let mark = if files.is_empty() { " (the package brings no text of its own)" } else { "" };
        let _ = writeln!(out, "{name}: {}{mark}", if terms.is_empty() { "see below" } else { &terms });
        for file in files {
            let text = fs::read(&file).map_err(|error| at(&file, error))?;
            let named = texts.entry(normal(&String::from_utf8_lossy(&text))).or_default();
            if named.last() != Some(&name) {
                named.push(name.clone());
            }
        }
    }
    out.push_str("\n==== npm packages that are part of web/\n\n");
    for package in packages {
        let terms = expression(&package.license).unwrap_or_else(|| package.license.clone());
        let terms = if terms.is_empty() { "see below" } else { &terms };
        let _ = writeln!(out, "{} {}: {terms}", package.name, package.version);
    }
    out.push_str("\n==== Terms of the crates\n");
    let mut sorted: Vec<(&Vec<String>, &String)> = texts.iter().map(|(text, names)| (names, text)).collect();
    sorted.sort();
    for (names, text) in sorted {
        let _ = write!(out, "\n---- {}\n\n{text}\n", names.join(", "));
    }
    let _ = write!(out, "\n==== Terms of the npm packages\n\n{}", normal(web));
    out.push('\n');
    Ok(out)
}

/// The files of a package's folder that hold its terms, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| at(folder, error))? {
        let path = entry.map_err(|error| at(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let source = name.ends_with(".rs") || name.ends_with(".toml");
        if NAMES.iter().any(|start| name.starts_with(start)) && !source && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A text without what differs between copies of the same terms: ends of lines and empty space around it all.
fn normal(text: &str) -> String {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::graph::tests::graph;

    #[test]
    fn packages_that_share_a_text_share_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/LICENSE-MIT", "Permission is granted  \r\nto all.\r\n");
        write("a/license.rs", "mod license;");
        write("b/license.txt", "\nPermission is granted\nto all.");
        write("b/NOTICE", "By b.");
        write("c/README.md", "");
        let graph = graph(
            "hub-platform -> a b c m!
             a 1.0.0 ->
             b 2.0.0 ->
             c 3.0.0 ->
             m 1.0.0 ->",
        )
        .at(dir.path());
        let npm = WebPackage {
            name: "@x/y".to_string(),
            version: "1.0.0".to_string(),
            license: "SEE LICENSE".to_string(),
            folder: String::new(),
        };
        insta::assert_snapshot!(text(&graph, &[npm], "---- @x/y 1.0.0\r\n\r\nMine.\r\n").unwrap());
    }
}
