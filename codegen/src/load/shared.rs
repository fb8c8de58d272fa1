//! The packages of which the page holds one copy, and what a plugin's `frontend/package.json` and node_modules say of them:
//! read for the resolve stage, judged there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::source::{MAX_BYTES, Source};
use semver::{Comparator, Op, Version, VersionReq};
use serde_json::Value;

use crate::base::files::reason;
use crate::base::package_json::broken;
use crate::scan::{FRONTEND, PluginFolder, SHARED};

/// A package that the plugin says it brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the package.
    pub name: &'static str,
    /// The versions wanted, as npm has it.
    pub range: String,
    /// Where in package.json it stands.
    pub span: Span,
}

/// What a plugin's frontend says of the shared packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    /// Those among the `dependencies`.
    pub dependencies: Vec<Dependency>,
    /// Those that lie in its node_modules although package.json names them nowhere.
    pub installed: Vec<&'static str>,
}

/// What a plugin says of the shared packages. What is wrong with package.json itself is for npm to say.
pub fn packages(folder: &PluginFolder) -> Packages {
    let inner = format!("{FRONTEND}/package.json");
    let package = folder.files.contains(&inner).then(|| package(&folder.root.join(&inner))).flatten();
    let listed = |list: &str, name: &str| package.as_ref().and_then(|(value, _)| value[list].get(name));
    let mut out = Packages::default();
    for name in SHARED {
        if let Some((range, (_, text))) = listed("dependencies", name).zip(package.as_ref()) {
            let range = range.as_str().unwrap_or_default().to_string();
            out.dependencies.push(Dependency { name, range, span: place(text, name) });
            continue;
        }
        // What npm installs for a peer or for tests is not what is bundled.
        let named = listed("peerDependencies", name).or_else(|| listed("devDependencies", name)).is_some();
        if !named && folder.installed.contains(&name) {
            out.installed.push(name);
        }
    }
    out
}

/// What the web shell says of the shared packages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfShell {
    /// The versions that the page has, by name.
    pub versions: BTreeMap<String, Version>,
    /// What is wrong with its package.json: then nobody can tell whether a plugin's React is the page's.
    pub troubles: Vec<Diagnostic>,
}

/// Reads the web shell's package.json. A checkout that has none has no page to compare with, and is not bundled either.
pub fn of_shell(shell: &Path) -> OfShell {
    let file = shell.join("package.json");
    let read = match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return OfShell::default(),
        Err(error) => Err(unreadable(&file, &reason(&error))),
        // Opening a pipe would wait for its other end.
        Ok(about) if !about.is_file() => Err(unreadable(&file, "it is not a regular file")),
        Ok(about) if about.len() > MAX_BYTES as u64 => Err(Source::too_large(&file, about.len())),
        Ok(_) => match fs::read(&file) {
            Ok(bytes) => Source::decode(&file, &bytes).map_err(|found| *found),
            Err(error) => Err(unreadable(&file, &reason(&error))),
        },
    };
    let parsed = read.and_then(|text| match serde_json::from_str::<Value>(&text.text) {
        Ok(value) => Ok((value, text)),
        Err(error) => Err(broken(&file, text.text.as_bytes(), &error)),
    });
    let (value, text) = match parsed {
        Ok(parsed) => parsed,
        Err(found) => return OfShell { troubles: vec![found], ..OfShell::default() },
    };
    let mut shell = OfShell::default();
    // A package that the page does not have is compared with nobody's.
    for (name, listed) in SHARED.iter().filter_map(|name| Some((*name, value["dependencies"].get(name)?))) {
        match listed.as_str().and_then(|version| Version::parse(version).ok()) {
            Some(version) => drop(shell.versions.insert(name.to_string(), version)),
            None => shell.troubles.push(
                Diagnostic::error(
                    codes::PACKAGE_JSON,
                    format!("the web shell names no exact version of `{name}`"),
                )
                .at(&file, place(&text, name))
                .help(format!(
                    "write the version that the page has under `dependencies`: \"{name}\": \"19.3.1\""
                )),
            ),
        }
    }
    shell
}

fn unreadable(file: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(codes::UNREADABLE, format!("the web shell's package.json cannot be read: {why}"))
        .at(file, Span::START)
        .help("it must be a regular file that the user who builds may read; restore it from the repository")
}

/// A plugin's package.json; none where npm has something to say about it.
fn package(file: &Path) -> Option<(Value, Source)> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES as u64 {
        return None;
    }
    let text = Source::decode(file, &fs::read(file).ok()?).ok()?;
    Some((serde_json::from_str(&text.text).ok()?, text))
}

/// Where a package stands among the `dependencies`.
fn place(text: &Source, name: &str) -> Span {
    let list = text.text.find("\"dependencies\"").unwrap_or(0);
    let quoted = format!("\"{name}\"");
    match text.text[list..].find(&quoted) {
        Some(at) => Span::at(&text.text, list + at, quoted.len()),
        None => Span::START,
    }
}

/// Whether npm takes a version for a range; none where only npm can tell (tags, paths, addresses).
pub fn fits(range: &str, version: &Version) -> Option<bool> {
    if matches!(range.trim(), "latest" | "x" | "") {
        return Some(true);
    }
    let mut known = true;
    for part in range.split("||") {
        match requirement(part.trim()) {
            Some(requirement) if requirement.matches(version) => return Some(true),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(false)
}

/// One alternative of a range: comparators with spaces between them, where cargo writes commas; a bare version means
/// that one alone.
fn requirement(part: &str) -> Option<VersionReq> {
    if let Some((low, high)) = part.split_once(" - ") {
        return VersionReq::parse(&format!(">={low}, <={high}")).ok();
    }
    let exact = Version::parse(part.trim_start_matches(['v', '='])).ok();
    if let Some(Version { major, minor, patch, pre, .. }) = exact {
        let comparator = Comparator { op: Op::Exact, major, minor: Some(minor), patch: Some(patch), pre };
        return Some(VersionReq { comparators: vec![comparator] });
    }
    let bare = part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let words: Vec<&str> = part.split_whitespace().collect();
    let text = if bare { format!("={part}") } else { words.join(", ") };
    VersionReq::parse(&text).ok()
}

/// Whether a path leads to a file of a shared package, rather than to a module about it: into an installed package, or to
/// a file as React's releases name theirs (`react.production.min.js`).
pub fn is_copy(specifier: &str) -> bool {
    if !specifier.starts_with(['.', '/']) {
        return false;
    }
    let parts: Vec<&str> = specifier.split('/').collect();
    let installed = parts.windows(2).any(|pair| pair[0] == "node_modules" && SHARED.contains(&pair[1]));
    let mut words = parts.last().copied().unwrap_or_default().split('.');
    let named = words.next().is_some_and(|name| SHARED.contains(&name));
    installed
        || (named && words.any(|word| matches!(word, "production" | "development" | "profiling" | "min")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_react_are_told_from_files_about_it() {
        for (specifier, expect) in [
            ("../vendor/react.production.min.js", true),
            ("./react-dom.development.js", true),
            ("/opt/app/node_modules/react/index.js", true),
            ("../node_modules/react-dom/client.js", true),
            ("react", false),
            ("react-dom/client", false),
            ("./react.ts", false),
            ("./react.js", false),
            ("../react/useThing.ts", false),
            ("../node_modules/react-router/index.js", false),
        ] {
            assert_eq!(is_copy(specifier), expect, "{specifier}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_shells_package_json_is_found_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("package.json");
        let of = || {
            let shell = of_shell(folder.path());
            let told = shell.troubles.iter().map(|found| {
                assert_eq!(found.file.as_deref(), Some(&*file));
                format!("{} {}:{} {}", found.code, found.span.line, found.span.column, found.message)
            });
            (shell.versions.len(), told.collect::<Vec<_>>())
        };
        let one = |begins: &str| {
            let (versions, told) = of();
            assert!(versions == 0 && told.len() == 1 && told[0].starts_with(begins), "{told:?}");
        };
        assert_eq!(of(), (0, Vec::new()));
        fs::create_dir(&file).unwrap();
        one("HUB001 1:1 the web shell's package.json cannot be read: it is not a regular file");
        fs::remove_dir(&file).unwrap();
        fs::write(&file, "{\n  \"dependencies\": {,}}").unwrap();
        one("HUB067 2:20 package.json is not valid JSON: ");
        fs::write(&file, b"\xff").unwrap();
        one("HUB001 1:1 package.json is not UTF-8");
        fs::write(&file, " ").unwrap();
        one("HUB002 ");
        fs::write(&file, "{\"dependencies\": {\"react\": \"19.3.1\",\n\"react-dom\": \"^19\"}}").unwrap();
        assert_eq!(
            of(),
            (1, vec!["HUB067 2:1 the web shell names no exact version of `react-dom`".to_string()])
        );
        fs::write(&file, "{\"dependencies\": {\"react\": \"19.3.1\", \"react-dom\": \"19.3.1\"}}").unwrap();
        assert_eq!(of(), (2, Vec::new()));
        assert_eq!(of_shell(&folder.path().join("none")), OfShell::default());
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-template/shell");
        assert_eq!(of_shell(&own).troubles, Vec::new());
    }

    #[test]
    fn ranges_are_read_as_npm_reads_them() {
        let version = Version::new(19, 3, 1);
        for (range, expect) in [
            ("^19.0.0", Some(true)),
            ("~19.3.0", Some(true)),
            ("19", Some(true)),
            ("19.x", Some(true)),
            ("*", Some(true)),
            ("latest", Some(true)),
            (">=18 <20", Some(true)),
            ("18.2.0 || ^19.1.0", Some(true)),
            ("18 - 20", Some(true)),
            ("19.3.1", Some(true)),
            ("19.3.0", Some(false)),
            ("v19.3.0", Some(false)),
            ("^18.2.0", Some(false)),
            (">=16 <19", Some(false)),
            ("^17 || ^18", Some(false)),
            ("file:../react", None),
            ("^18 || npm:preact", None),
            ("next", None),
        ] {
            assert_eq!(fits(range, &version), expect, "{range}");
        }
    }
}
