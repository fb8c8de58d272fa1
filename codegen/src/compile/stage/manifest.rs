//! One crate's `Cargo.toml`: what is wrong with it for a build of all plugins together, and its staged form.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hub_manifest::codes::{self, Code};
use hub_manifest::diagnostic::{Diagnostic, Span};
use toml_edit::{Document, DocumentMut, Item, Table, TableLike, Value, value};

use super::paths::{inside, relative};
use super::{PLATFORM_CRATES, platform_dir};

/// Tables that cargo reads in the workspace's root only, and what becomes of them.
const ROOT_ONLY: [&str; 3] = ["patch", "replace", "profile"];

/// Tables that speak of files which are not staged.
const NOT_STAGED: [&str; 4] = ["dev-dependencies", "test", "bench", "example"];

/// Which manifest is read.
pub struct Place<'a> {
    /// The plugin; none for the platform's own crates.
    pub plugin: Option<&'a str>,
    /// The author's file.
    pub file: &'a Path,
    /// The crate's folder, relative to the plugin's root (or the repository).
    pub dir: &'a Path,
    /// The crate's folder in the staged workspace.
    pub staged: &'a Path,
}

impl Place<'_> {
    /// An error in this manifest.
    pub fn error(&self, code: Code, message: String, span: Span, help: &str) -> Diagnostic {
        self.own(Diagnostic::error(code, message), span, help)
    }

    fn own(&self, diagnostic: Diagnostic, span: Span, help: &str) -> Diagnostic {
        let diagnostic = diagnostic.at(self.file, span).help(help);
        match self.plugin {
            Some(slug) => diagnostic.plugin(slug),
            None => diagnostic,
        }
    }
}

/// A crate as it is staged.
#[derive(Debug)]
pub struct Crate {
    /// Package name.
    pub package: String,
    /// Where the package name stands.
    pub name_span: Span,
    /// The staged `Cargo.toml`.
    pub text: String,
    /// Folders of the crates that it depends on by path, relative to the plugin's root, and where each is named.
    pub path_dependencies: Vec<(PathBuf, Span)>,
    /// Whether `package.build` names a build script.
    pub build_script: bool,
}

/// Reads a manifest. A crate comes back when it could be read at all, whatever else is wrong with it.
pub fn read(place: &Place, text: &str) -> (Option<Crate>, Vec<Diagnostic>) {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("Cargo.toml is not valid TOML: {}", error.message());
            let help = "mend the syntax; `cargo metadata` in this folder shows the same error";
            return (None, vec![place.error(codes::CARGO_TOML, what, span(text, error.span()), help)]);
        }
    };
    let mut reader = Reader { place, text, diagnostics: Vec::new(), paths: Vec::new() };
    let found = reader.package(document.as_table());
    reader.workspace(document.as_table());
    for (section, table) in dependency_tables(document.as_table()) {
        reader.dependencies(section, table);
    }
    let Reader { diagnostics, paths, .. } = reader;
    let Some((package, name_span, build_script)) = found else { return (None, diagnostics) };
    let text = staged_text(document.into_mut(), place);
    (Some(Crate { package, name_span, text, path_dependencies: paths, build_script }), diagnostics)
}

/// The span of a byte range; the start of the file where the parser gave none.
fn span(text: &str, range: Option<Range<usize>>) -> Span {
    range.map_or(Span::START, |r| Span::at(text, r.start, r.len()))
}

/// All tables of dependencies, each with its section's name.
fn dependency_tables(root: &Table) -> Vec<(&'static str, &dyn TableLike)> {
    const SECTIONS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
    let targets = root.get("target").and_then(Item::as_table_like).into_iter().flat_map(|t| t.iter());
    let holders =
        std::iter::once(root as &dyn TableLike).chain(targets.filter_map(|(_, item)| item.as_table_like()));
    holders
        .flat_map(|holder| {
            SECTIONS.iter().filter_map(move |name| Some((*name, holder.get(name)?.as_table_like()?)))
        })
        .collect()
}

/// Name under which the registry knows a dependency, which `package = "…"` may set apart from its key.
fn package_of<'a>(key: &'a str, item: &'a Item) -> &'a str {
    item.as_table_like().and_then(|t| t.get("package")).and_then(Item::as_str).unwrap_or(key)
}

/// Whether an entry takes its value from a workspace's root.
fn inherits(item: &Item) -> bool {
    item.as_table_like().and_then(|t| t.get("workspace")).and_then(Item::as_bool) == Some(true)
}

struct Reader<'a> {
    place: &'a Place<'a>,
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
    paths: Vec<(PathBuf, Span)>,
}

impl Reader<'_> {
    /// The place of an entry: its key, or its value where the parser kept no key.
    fn entry(&self, table: &dyn TableLike, key: &str) -> Span {
        let range = table.get_key_value(key).and_then(|(key, item)| key.span().or_else(|| item.span()));
        span(self.text, range)
    }

    fn error(&mut self, code: Code, message: String, span: Span, help: &str) {
        self.diagnostics.push(self.place.error(code, message, span, help));
    }

    /// The package's name, its place, and whether it names a build script.
    fn package(&mut self, root: &Table) -> Option<(String, Span, bool)> {
        let package = root.get("package").and_then(Item::as_table_like);
        let name = package.and_then(|p| p.get("name")).and_then(|item| Some((item.as_str()?, item.span())));
        let (Some(package), Some((name, range))) = (package, name) else {
            let help = "begin the file with [package], name = \"hub-plugin-…\", version and edition";
            self.error(codes::CARGO_TOML, "Cargo.toml has no package name".to_string(), Span::START, help);
            return None;
        };
        for (key, _) in package.iter().filter(|(_, item)| inherits(item)) {
            let what = format!("`{key}.workspace = true`: a plugin's crate has no workspace to inherit from");
            let at = self.entry(package, key);
            self.error(
                codes::INHERITS_FROM_WORKSPACE,
                what,
                at,
                &format!("write the value of `{key}` itself"),
            );
        }
        let build = package.get("build").is_some_and(|item| item.as_bool() != Some(false));
        Some((name.to_string(), span(self.text, range), build))
    }

    /// Everything that only the root of a workspace may say.
    fn workspace(&mut self, root: &Table) {
        if let Some(workspace) = root.get("workspace").and_then(Item::as_table_like)
            && workspace.iter().any(|(key, _)| key != "resolver")
        {
            let at = self.entry(root, "workspace");
            let what = "a plugin's crate may not be the root of a workspace".to_string();
            let help = "remove the table (an empty [workspace] may stay) and name other crates of the plugin as path \
                        dependencies; write versions in the crate itself";
            self.error(codes::INHERITS_FROM_WORKSPACE, what, at, help);
        }
        if self.place.plugin.is_some() && root.get("lints").is_some_and(inherits) {
            let at = self.entry(root, "lints");
            let what =
                "`lints.workspace = true`: a plugin's crate has no workspace to inherit from".to_string();
            self.error(codes::INHERITS_FROM_WORKSPACE, what, at, "write the lints in the crate itself");
        }
        for name in ROOT_ONLY.into_iter().filter(|name| root.contains_key(name)) {
            let at = self.entry(root, name);
            let what =
                format!("[{name}] has no effect in a plugin: cargo reads it in the root of a workspace only");
            let help =
                "remove it; the platform sets one profile and one version of each package for all plugins";
            self.diagnostics.push(self.place.own(
                Diagnostic::warning(codes::INEFFECTIVE_TABLE, what),
                at,
                help,
            ));
        }
    }

    /// The dependencies of one section.
    fn dependencies(&mut self, section: &str, table: &dyn TableLike) {
        for (key, item) in table.iter() {
            if inherits(item) {
                let at = self.entry(table, key);
                let what = format!(
                    "dependency `{key}` takes its version from a workspace, and a plugin's crate has none"
                );
                self.error(
                    codes::INHERITS_FROM_WORKSPACE,
                    what,
                    at,
                    &format!("write the version here, as in `{key} = \"1\"`"),
                );
                continue;
            }
            // The tests of a plugin are not part of the platform: their dependencies are not staged.
            if section == "dev-dependencies" || platform_dir(package_of(key, item)).is_some() {
                continue;
            }
            let path = item.as_table_like().and_then(|t| t.get("path"));
            let Some((path, range)) = path.and_then(|p| Some((p.as_str()?, p.span()))) else { continue };
            let at = span(self.text, range);
            match inside(self.place.dir, Path::new(path)) {
                Some(dir) => self.paths.push((dir, at)),
                None => {
                    let names = PLATFORM_CRATES.map(|(name, _)| name).join(", ");
                    let what = format!("dependency `{key}` leads out of the plugin: {path}");
                    let help = format!(
                        "move that crate into the plugin's folder or depend on a published version; from outside a \
                         plugin gets {names} only"
                    );
                    self.error(codes::PATH_LEADS_OUT, what, at, &help);
                }
            }
        }
    }
}

/// The manifest as it is staged: the platform's crates at their staged places, nothing that is not staged.
fn staged_text(mut document: DocumentMut, place: &Place) -> String {
    let root = document.as_table_mut();
    for name in ROOT_ONLY.iter().chain(&NOT_STAGED).chain(&["workspace"]) {
        root.remove(name);
    }
    // Those of the platform's crates are the repository's, and were held there.
    if place.plugin.is_none() {
        root.remove("lints");
    }
    let mut kept = Vec::new();
    redirect(root, place, &mut kept);
    if let Some(targets) = root.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                target.remove("dev-dependencies");
                redirect(target, place, &mut kept);
            }
        }
    }
    if let Some(features) = root.get_mut("features").and_then(Item::as_table_like_mut) {
        for (_, feature) in features.iter_mut() {
            if let Some(list) = feature.as_array_mut() {
                // `name/feature` may speak of a dependency of the tests, which is gone.
                list.retain(|entry| {
                    let dependency =
                        entry.as_str().and_then(|e| e.split_once('/')).map(|(d, _)| d.trim_end_matches('?'));
                    dependency.is_none_or(|d| kept.iter().any(|k| k == d))
                });
            }
        }
    }
    document.to_string()
}

/// Points the platform's crates to their staged folders and collects the names of all dependencies.
fn redirect(holder: &mut dyn TableLike, place: &Place, kept: &mut Vec<String>) {
    for section in ["dependencies", "build-dependencies"] {
        let Some(table) = holder.get_mut(section).and_then(Item::as_table_like_mut) else { continue };
        for (key, item) in table.iter_mut() {
            kept.push(key.get().to_string());
            let Some(dir) = platform_dir(package_of(key.get(), item)) else { continue };
            if let Some(version) = item.as_str() {
                let mut table = toml_edit::InlineTable::new();
                table.insert("version", version.into());
                *item = Item::Value(Value::InlineTable(table));
            }
            if let Some(dependency) = item.as_table_like_mut() {
                for other in ["git", "branch", "tag", "rev", "registry"] {
                    dependency.remove(other);
                }
                dependency.insert("path", value(relative(place.staged, dir)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Option<Crate>, Vec<String>) {
        let place = Place {
            plugin: Some("crm"),
            file: Path::new("plugins/crm/backend/Cargo.toml"),
            dir: Path::new("backend"),
            staged: Path::new("plugins/crm/backend"),
        };
        let (found, diagnostics) = read(&place, text);
        let shown = diagnostics.iter().map(|d| {
            assert!(!d.help.is_empty(), "{} has no way out", d.code);
            format!("{} {}:{} {}", d.code, d.span.line, d.span.column, d.message)
        });
        (found, shown.collect())
    }

    #[test]
    fn the_platforms_crates_move_and_the_tests_go() {
        let (found, diagnostics) = read_text(
            r#"[package]
name = "hub-plugin-crm" # kept
version = "0.1.0"
edition = "2024"

[workspace]

[dependencies]
hub = { package = "hub-host", path = "../../../host-template/runtime" }
hub-manifest = "0.1"
core = { path = "../core" }
serde = { version = "1", features = ["derive"] }

[dependencies.hub-macros]
git = "https://example.org/hub"
rev = "1"

[target.'cfg(unix)'.dev-dependencies]
libc = "0.2"

[dev-dependencies]
insta = "1"
shared = { path = "../../../shared" }

[features]
extra = ["serde/rc", "insta/yaml", "core?/x"]

[[test]]
name = "api"
"#,
        );
        assert_eq!(diagnostics, [""; 0]);
        let found = found.unwrap();
        assert_eq!(found.package, "hub-plugin-crm");
        assert_eq!(
            found.path_dependencies.iter().map(|(p, _)| p.as_path()).collect::<Vec<_>>(),
            [Path::new("core")]
        );
        insta::assert_snapshot!(found.text, @r#"
        [package]
        name = "hub-plugin-crm" # kept
        version = "0.1.0"
        edition = "2024"

        [dependencies]
        hub = { package = "hub-host", path = "../../../host-template/runtime" }
        hub-manifest = { version = "0.1", path = "../../../manifest" }
        core = { path = "../core" }
        serde = { version = "1", features = ["derive"] }

        [dependencies.hub-macros]
        path = "../../../macros"

        [features]
        extra = ["serde/rc", "core?/x"]
        "#);
    }

    #[test]
    fn a_crate_of_the_platform_leaves_the_repositorys_lints_behind() {
        let place = Place {
            plugin: None,
            file: Path::new("manifest/Cargo.toml"),
            dir: Path::new("manifest"),
            staged: Path::new("manifest"),
        };
        let text = "[package]\nname = \"hub-manifest\"\n\n[lints]\nworkspace = true\n";
        let (found, diagnostics) = read(&place, text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(found.unwrap().text, "[package]\nname = \"hub-manifest\"\n");
    }

    #[test]
    fn each_mistake_is_found_where_it_stands() {
        let (_, diagnostics) = read_text(
            r#"[package]
name = "hub-plugin-crm"
version.workspace = true

[dependencies]
hub = { package = "hub-host", path = "/anywhere" }
serde = { workspace = true }
shared = { version = "1", path = "../../../shared" }

[build-dependencies]
gen = { path = "/abs/gen" }

[lints]
workspace = true

[profile.release]
lto = true

[workspace]
members = ["core"]
"#,
        );
        insta::assert_snapshot!(diagnostics.join("\n"), @"
        HUB051 3:1 `version.workspace = true`: a plugin's crate has no workspace to inherit from
        HUB051 19:2 a plugin's crate may not be the root of a workspace
        HUB051 13:2 `lints.workspace = true`: a plugin's crate has no workspace to inherit from
        HUB056 16:2 [profile] has no effect in a plugin: cargo reads it in the root of a workspace only
        HUB051 7:1 dependency `serde` takes its version from a workspace, and a plugin's crate has none
        HUB050 8:34 dependency `shared` leads out of the plugin: ../../../shared
        HUB050 11:16 dependency `gen` leads out of the plugin: /abs/gen
        ");
    }

    #[test]
    fn broken_toml_is_placed() {
        insta::assert_snapshot!(read_text("[package]\nname = \"crm\nversion = 1").1.join("\n"), @r#"HUB052 2:12 Cargo.toml is not valid TOML: invalid basic string, expected `"`"#);
        insta::assert_snapshot!(read_text("").1.join("\n"), @"HUB052 1:1 Cargo.toml has no package name");
        insta::assert_snapshot!(read_text("package = 3").1.join("\n"), @"HUB052 1:1 Cargo.toml has no package name");
        insta::assert_snapshot!(read_text("[package]\nname = \"a\"\nname = \"b\"").1.join("\n"), @"HUB052 3:1 Cargo.toml is not valid TOML: duplicate key");
    }
}
