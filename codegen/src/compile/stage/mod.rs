//! The stage before compiling: one cargo workspace that holds copies of the runtime, the plugin crates and the
//! generated host, laid out as the repository is.
//!
//! Cargo mixes the absolute path of a crate outside of its workspace into the crate's hash. Inside of one workspace it
//! does not, so two checkouts in different folders give the same binary. Nothing is written before everything has
//! been checked, and files that did not change keep their times.

mod copy;
mod includes;
mod lock;
mod manifest;
mod paths;
mod workspace;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{self, Diagnostic, Level, Span};
use hub_manifest::plan::Plan;

pub use lock::{Locked, additions, packages, with_packages};
pub use paths::{Origin, PathMap};
pub use workspace::{HOST_PACKAGE, LAUNCHER_PACKAGE};

use crate::base::digest::Digest;
use crate::base::failure::{Failure, Finding, Machine};
use crate::base::write::{Mode, Source, Tree, sync_tree};
use includes::Base;
use manifest::{Crate, Place};

/// The platform's own crates that are staged: package name and folder in the repository.
const PLATFORM_CRATES: [(&str, &str); 5] = [
    ("hub-host", "host-template/runtime"),
    (LAUNCHER_PACKAGE, "launcher"),
    ("hub-macros", "macros"),
    ("hub-manifest", "manifest"),
    ("hub-release", "release"),
];

/// The module of the host that holds the list of its crates. The compile stage writes it, once cargo has resolved them.
pub const DEPENDENCIES: &str = "host/src/dependencies.rs";

/// Folder of one of the platform's own crates, by package name.
fn platform_dir(package: &str) -> Option<&'static str> {
    PLATFORM_CRATES.into_iter().find_map(|(name, dir)| (name == package).then_some(dir))
}

/// Folders of the platform's own crates in the repository.
pub(crate) fn platform_folders() -> impl Iterator<Item = &'static str> {
    PLATFORM_CRATES.into_iter().map(|(_, dir)| dir)
}

/// What is staged, and where.
pub struct Input<'a> {
    /// The repository, absolute.
    pub repo: &'a Path,
    /// Root folder of each plugin, absolute, by slug.
    pub plugins: &'a BTreeMap<String, PathBuf>,
    /// The plan: which crates there are.
    pub plan: &'a Plan,
    /// Generated files by path relative to the staged workspace (`host/Cargo.toml`, `host/src/main.rs`, …).
    pub generated: &'a BTreeMap<String, String>,
    /// Folder of the staged workspace, absolute.
    pub out: &'a Path,
    /// Packages that plugins need at these versions, beside those of the repository's `Cargo.lock`.
    pub packages: &'a [Locked],
}

/// A staged workspace, ready for cargo.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Folder of the workspace.
    pub root: PathBuf,
    /// Staged paths back to those that people edit.
    pub paths: PathMap,
    /// Fingerprint of every staged file and of the lock that was staged.
    pub digest: String,
    /// Fingerprint of what cargo resolves the workspace from: every staged `Cargo.toml`, and the repository's lock.
    pub manifests: String,
    /// Whether only cargo can tell if something changed: a build script, or a source that reads the environment.
    pub opaque: bool,
    /// Warnings on the plugins' `Cargo.toml`.
    pub findings: Vec<Finding>,
}

/// Checks and copies everything that the host is compiled from. Without an error the folder `out` holds it; with one
/// it is as it was.
pub fn stage(input: &Input) -> Result<Staged, Failure> {
    let mut stage = Stage::default();
    for (_, dir) in PLATFORM_CRATES {
        stage.add_crates(&Home { plugin: None, root: input.repo, prefix: PathBuf::new() }, Path::new(dir));
    }
    for found in &input.plan.crates {
        // A crate of the plan always comes from a scanned plugin.
        let Some(root) = input.plugins.get(&found.plugin) else { continue };
        let home = Home { plugin: Some(&found.plugin), root, prefix: paths::plugin_prefix(&found.plugin) };
        stage.add_crates(&home, Path::new(&found.dir));
    }
    stage.check_names();
    diagnostic::sort(&mut stage.diagnostics);
    if stage.diagnostics.iter().any(|d| d.level == Level::Error) {
        return Err(stage.diagnostics.into());
    }

    let mut tree = stage.tree;
    tree.extend(input.generated.iter().map(|(path, text)| (PathBuf::from(path), Source::from(text.clone()))));
    let members = tree.keys().filter(|path| path.ends_with("Cargo.toml")).filter_map(|path| path.parent());
    let root =
        workspace::manifest(members.filter(|dir| stage.members.contains(*dir) || dir.starts_with("host")));
    tree.insert(PathBuf::from("Cargo.toml"), Source::from(root));
    let toolchain = input.repo.join("rust-toolchain.toml");
    if toolchain.is_file() {
        // The staged workspace may lie outside of the repository, where rustup would not find it.
        tree.insert(PathBuf::from("rust-toolchain.toml"), Source::Copy(toolchain));
    }
    let failed = |error: io::Error| Machine::io("stage the sources in", input.out, &error);
    sync_tree(input.out, &tree, &[lock::LOCK, lock::STAMP, DEPENDENCIES], Mode::Write).map_err(failed)?;
    let lock = lock::seed(&input.repo.join(lock::LOCK), input.packages, input.out, &tree).map_err(failed)?;
    Ok(Staged {
        root: input.out.to_path_buf(),
        paths: PathMap::new(input.repo, input.plugins, PLATFORM_CRATES.map(|(_, dir)| dir)),
        digest: digest_of(&tree, &lock).map_err(failed)?,
        manifests: lock,
        opaque: stage.opaque,
        findings: stage.diagnostics.into_iter().map(Finding::from).collect(),
    })
}

/// The fingerprint of all staged files and their lock.
fn digest_of(tree: &Tree, lock: &str) -> io::Result<String> {
    let mut digest = Digest::new("staged workspace 1");
    digest.add("lock", lock.as_bytes());
    for (path, source) in tree {
        digest.add(&path.to_string_lossy(), &source.read()?);
    }
    Ok(digest.finish())
}

/// A folder that crates are staged from: a plugin, or the repository.
struct Home<'a> {
    plugin: Option<&'a str>,
    root: &'a Path,
    prefix: PathBuf,
}

/// Where a package name was seen.
struct Named {
    plugin: Option<String>,
    package: String,
    file: PathBuf,
    span: Span,
}

#[derive(Default)]
struct Stage {
    tree: Tree,
    /// Staged folders of the crates that cargo shall see.
    members: BTreeSet<PathBuf>,
    names: Vec<Named>,
    diagnostics: Vec<Diagnostic>,
    opaque: bool,
}

impl Stage {
    /// Stages the crate in `dir` and those that it depends on by path.
    fn add_crates(&mut self, home: &Home, dir: &Path) {
        let mut seen = BTreeSet::new();
        let mut waiting = VecDeque::from([(dir.to_path_buf(), None)]);
        while let Some((dir, asked)) = waiting.pop_front() {
            if platform_is(home, &dir, seen.is_empty()) || !seen.insert(dir.clone()) {
                continue;
            }
            let staged = home.prefix.join(&dir);
            if !self.members.insert(staged.clone()) {
                continue;
            }
            let file = home.root.join(&dir).join("Cargo.toml");
            let place = Place { plugin: home.plugin, file: &file, dir: &dir, staged: &staged };
            let Some(text) = self.read(&place, asked) else { continue };
            let (found, diagnostics) = manifest::read(&place, &text);
            self.diagnostics.extend(diagnostics);
            let Some(found) = found else { continue };
            self.add_files(home, &dir, &found);
            waiting.extend(
                found.path_dependencies.iter().map(|(dir, span)| (dir.clone(), Some((file.clone(), *span)))),
            );
            self.tree.insert(staged.join("Cargo.toml"), Source::from(found.text));
            self.names.push(Named {
                plugin: home.plugin.map(str::to_string),
                package: found.package,
                file,
                span: found.name_span,
            });
        }
    }

    /// The text of a `Cargo.toml`; `asked` is the place that named its folder.
    fn read(&mut self, place: &Place, asked: Option<(PathBuf, Span)>) -> Option<String> {
        let bytes = match fs::read(place.file) {
            Ok(bytes) => bytes,
            Err(error) => {
                let missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                let what = match missing {
                    true => format!("there is no Cargo.toml in {}", place.dir.display()),
                    false => format!("cannot read Cargo.toml: {error}"),
                };
                let help = "add the crate's Cargo.toml there, or correct the path that names the folder";
                let diagnostic = place.error(codes::CARGO_TOML, what, Span::START, help);
                self.diagnostics.push(match asked {
                    Some((file, span)) => diagnostic.at(file, span),
                    None => diagnostic,
                });
                return None;
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
                let what = "Cargo.toml is not UTF-8 text".to_string();
                let span = Span::at(&good, at, 0);
                self.diagnostics.push(place.error(codes::CARGO_TOML, what, span, "save the file as UTF-8"));
                None
            }
        }
    }

    /// Puts a crate's files into the tree, with those that its sources pull in from beside it.
    fn add_files(&mut self, home: &Home, dir: &Path, found: &Crate) {
        let (files, diagnostics) = copy::files(home.root, dir);
        self.diagnostics.extend(diagnostics.into_iter().map(|d| match home.plugin {
            Some(slug) => d.plugin(slug),
            None => d,
        }));
        self.opaque |= found.build_script;
        for path in files {
            let source = home.root.join(&path);
            self.opaque |= path == dir.join("build.rs");
            if path.extension().is_some_and(|e| e == "rs")
                && let Ok(text) = fs::read_to_string(&source)
            {
                self.add_named(home, dir, &path, &text);
                self.opaque |= includes::reads_environment(&text);
            }
            self.tree.entry(home.prefix.join(&path)).or_insert(Source::Copy(source));
        }
    }

    /// Stages the files beside the crate that the source file `path` names. What lies outside of the plugin is left
    /// out: the compiler then says where it is named.
    fn add_named(&mut self, home: &Home, dir: &Path, path: &Path, text: &str) {
        let folder = path.parent().unwrap_or(dir);
        for (base, name) in includes::named(text) {
            let from = if base == Base::File { folder } else { dir };
            let Some(target) = paths::inside(from, Path::new(name)) else { continue };
            if target.starts_with(dir) || target.as_os_str().is_empty() {
                continue;
            }
            let (files, _) = copy::files(home.root, &target);
            for file in files {
                let source = Source::Copy(home.root.join(&file));
                self.tree.entry(home.prefix.join(file)).or_insert(source);
            }
        }
    }

    /// Reports package names that two crates share, or that only `-` and `_` tell apart: Rust sees one name there.
    fn check_names(&mut self) {
        let mut first: BTreeMap<String, &Named> = BTreeMap::new();
        for named in &self.names {
            let key = named.package.replace('-', "_");
            if named.plugin.is_some() && named.package == HOST_PACKAGE {
                let what = format!("the package name `{HOST_PACKAGE}` is the generated host's");
                self.diagnostics.push(clash(named, what));
            } else if let Some(other) = first.get(&key) {
                let whose =
                    other.plugin.as_ref().map_or("the platform".to_string(), |p| format!("plugin {p}"));
                let what =
                    format!("the package name `{}` is already that of a crate of {whose}", named.package);
                self.diagnostics.push(clash(named, what).related(&other.file, other.span, "the other crate"));
            } else {
                first.insert(key, named);
            }
        }
    }
}

/// A package name that cannot stay.
fn clash(named: &Named, what: String) -> Diagnostic {
    let slug = named.plugin.as_deref().unwrap_or("…");
    let help = format!("give the package a name of its own, such as `hub-plugin-{slug}`");
    let diagnostic = Diagnostic::error(codes::DUPLICATE_CRATE, what).at(&named.file, named.span).help(help);
    match &named.plugin {
        Some(slug) => diagnostic.plugin(slug),
        None => diagnostic,
    }
}

/// Whether `dir` is a crate of the platform that another of them depends on by path: it is staged by itself.
fn platform_is(home: &Home, dir: &Path, first: bool) -> bool {
    home.plugin.is_none() && !first && PLATFORM_CRATES.iter().any(|(_, known)| Path::new(known) == dir)
}

#[cfg(test)]
mod tests;
