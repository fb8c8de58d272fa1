//! `cargo xtask new-plugin`: a plugin that runs, made of the sample plugin in `host-template/scaffold/`.
//!
//! The sample is an ordinary plugin: it is checked, compiled, tested and parsed by dbt as it stands. A new plugin is the
//! sample under another name. What depends on the place of the folder (paths, the priority of the claim) is set in the
//! syntax tree of the file concerned.

mod files;
mod name;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::grammar::ident_of;
use hub_manifest::overrides;
use hub_manifest::source::Source;
use walkdir::WalkDir;

use crate::base::failure::Machine;
use crate::base::write::{Mode, Source as Bytes, Tree, sync_tree};
use crate::scan::scan;
use files::Place;
pub use name::{Refused, check_name};

/// Folder of the sample plugin in the checkout; the folder's name is the sample's slug.
const SAMPLE: &str = "host-template/scaffold/sample-plugin";
/// The surface that the sample claims.
const SURFACE: &str = "records.card";
/// What tools leave behind in the sample's folder.
const LEFT_OVER: &[&str] = &["target", "logs", "node_modules", "Cargo.lock"];

/// Why there is no new plugin.
#[derive(Debug)]
pub enum ScaffoldError {
    /// What was asked for cannot be.
    Refused(Refused),
    /// The disk does not let it be.
    Machine(Machine),
}

impl From<Refused> for ScaffoldError {
    fn from(refused: Refused) -> ScaffoldError {
        ScaffoldError::Refused(refused)
    }
}

/// Makes the plugin `slug` in the folder `dir` of the checkout `repo`, or anywhere else; returns its folder. The folder
/// appears whole or not at all.
pub fn new_plugin(repo: &Path, dir: &Path, slug: &str) -> Result<PathBuf, ScaffoldError> {
    check_name(slug)?;
    let failed = |doing: &'static str, path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| ScaffoldError::Machine(Machine::io(doing, &path, &error))
    };
    refuse_file(dir)?;
    fs::create_dir_all(dir).map_err(failed("create", dir))?;
    let root = dir.canonicalize().map_err(failed("find", dir))?;
    let repo = repo.canonicalize().map_err(failed("find", repo))?;
    refuse_taken(&root, dir, slug)?;

    let sample = repo.join(SAMPLE);
    let place = Place::of(&repo, &root, slug, priority(&repo, &root));
    let tree = tree(&sample, slug, &place).map_err(failed("read", &sample))?;
    // The hidden folder holds no plugin.yaml of its own, so nobody takes the half-written plugin for one.
    let hidden =
        tempfile::Builder::new().prefix(".hub-").tempdir_in(&root).map_err(failed("write to", dir))?;
    let whole = hidden.path().join(slug);
    sync_tree(&whole, &tree, &[], Mode::Write).map_err(failed("write to", dir))?;
    let out = root.join(slug);
    refuse_taken(&root, dir, slug)?;
    fs::rename(&whole, &out).map_err(failed("create", &out))?;
    Ok(dir.join(slug))
}

/// The folder of plugins cannot be a file.
fn refuse_file(dir: &Path) -> Result<(), Refused> {
    if dir.is_file() {
        return Err(Refused::new(format!("{} is a file", dir.display()), "name a folder that holds plugins"));
    }
    if dir.join("plugin.yaml").is_file() {
        return Err(Refused::new(
            format!("{} is a plugin itself", dir.display()),
            "name the folder that holds it",
        ));
    }
    Ok(())
}

/// A folder of that name stays as it is; so does one that Rust and SQL would call the same.
fn refuse_taken(root: &Path, dir: &Path, slug: &str) -> Result<(), Refused> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    match names.iter().find(|name| ident_of(name) == ident_of(slug)) {
        None => Ok(()),
        Some(name) if name == slug => Err(Refused::new(
            format!("{} is there already", dir.join(name).display()),
            "choose another slug, or remove that folder first",
        )),
        Some(name) => Err(Refused::new(
            format!("`{slug}` and the folder {} are the same name in Rust and SQL", dir.join(name).display()),
            format!("both are written `{}` there: choose another slug", ident_of(slug)),
        )),
    }
}

/// Above every other claim on the sample's surface, so that the author sees the own one and nothing ties with it.
fn priority(repo: &Path, root: &Path) -> i64 {
    let mut roots = vec![root.to_path_buf()];
    let own = repo.join("plugins");
    if own != root && own.is_dir() {
        roots.push(own);
    }
    let highest = claims(&roots).into_iter().max().unwrap_or(0);
    highest.max(0).saturating_add(10)
}

/// Priorities of all claims on the sample's surface. What cannot be read claims nothing here: `check` reports it.
fn claims(roots: &[PathBuf]) -> Vec<i64> {
    let folders = scan(roots).map(|(folders, _)| folders).unwrap_or_default();
    let mut found = Vec::new();
    for folder in folders {
        let path = folder.root.join("frontend/overrides.json");
        let source = fs::read(&path).ok().and_then(|bytes| Source::decode(&path, &bytes).ok());
        let Some(source) = source else { continue };
        let (parsed, _) = overrides::parse(&source, &folder.name);
        let own = parsed.claims.iter().filter(|claim| claim.key.value == SURFACE);
        found.extend(own.map(|claim| claim.priority.or(parsed.priority).unwrap_or(0)));
    }
    found
}

/// The files of the new plugin.
fn tree(sample: &Path, slug: &str, place: &Place) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let walk = WalkDir::new(sample)
        .into_iter()
        .filter_entry(|entry| entry.file_name().to_str().is_none_or(|name| !LEFT_OVER.contains(&name)));
    for entry in walk {
        let entry = entry.map_err(io::Error::from)?;
        if !entry.file_type().is_file() {
            continue;
        }
        let inner = entry.path().strip_prefix(sample).unwrap_or(entry.path()).to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path())?;
        let text = files::placed(&inner, &name::renamed(&text, slug), place)?;
        tree.insert(PathBuf::from(name::renamed(&inner, slug)), Bytes::from(text));
    }
    Ok(tree)
}
