//! The same tree gives the same plan and the same findings, byte for byte, whatever the folder and the order in which its
//! files were made. What belongs to a process (locale, time zone, umask) is tried with the real program, in `tests/`.

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use hub_codegen::generate::webgen::{overrides_d_ts, overrides_ts};
use hub_codegen::pipeline::{Repo, front};
use walkdir::WalkDir;

/// A tree of files, so that it can be written again elsewhere.
type Tree = Vec<(PathBuf, Vec<u8>)>;

fn read(base: &Path, inner: &str) -> Tree {
    let skipped = ["node_modules", "target"];
    let walk = WalkDir::new(base.join(inner)).into_iter();
    let wanted = walk.filter_entry(|entry| !skipped.iter().any(|name| entry.file_name() == *name));
    let files = wanted.filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    let file = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(base).expect("below").to_path_buf();
        (path, fs::read(entry.path()).expect("a file"))
    };
    files.map(file).collect()
}

/// The plugins of the repository with its shell, and all fixtures that are nothing but text, each a tree.
fn trees() -> Vec<(String, Tree)> {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    let parts = ["plugins", "host-template/shell/src", "host-template/runtime/migrations"];
    let own = parts.iter().flat_map(|part| read(repo, part)).collect();
    let mut all = vec![("the repository".to_string(), own)];
    let mut files: Vec<PathBuf> = fs::read_dir(repo.join("codegen/tests/fixtures"))
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).expect("a fixture");
        // Rights, links and folders without files are beyond a tree of texts.
        if text.lines().any(|line| line.starts_with("//- ") && line.split_whitespace().count() > 2) {
            continue;
        }
        let fixture = fixture::Fixture::new(&text);
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        all.push((name, read(&fixture.folder(), ".")));
    }
    all
}

fn write(base: &Path, tree: &Tree, rng: &mut Rng) {
    let mut order: Vec<&(PathBuf, Vec<u8>)> = tree.iter().collect();
    rng.shuffle(&mut order);
    for (path, bytes) in order {
        let path = base.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
    }
}

/// The plan, what is generated from it, and the findings of a tree, with paths from its own folder.
fn said(folder: &Path) -> String {
    let root = folder.canonicalize().expect("the folder is there");
    let entries = fs::read_dir(&root).expect("the folder").map(|entry| entry.expect("an entry").path());
    let is_root = |path: &PathBuf| path.is_dir() && !path.ends_with("host-template");
    let mut roots: Vec<PathBuf> = entries.filter(is_root).collect();
    roots.sort_by_key(|root| (!root.ends_with("plugins"), root.clone()));
    let repo = Repo { target: root.join("target"), root: root.clone(), version: "0.1.0".to_string() };
    let resolved = front(&repo, &roots, "0.1.0", false).expect("the roots can be read").resolved;
    let plan = serde_json::to_string_pretty(&resolved.plan).expect("JSON");
    // It is compiled into the host.
    assert!(!plan.contains(&root.display().to_string()), "the plan names a folder of this machine: {plan}");
    let web = &resolved.plan.web;
    let (module, types) = (overrides_ts(web), overrides_d_ts(web));
    let text = format!("{plan}\n{module}\n{types}\n{:#?}", resolved.diagnostics);
    text.replace(&root.display().to_string(), "FOLDER")
}

#[test]
fn neither_the_folder_nor_the_order_of_its_files_shows() {
    for seed in 0..2 {
        let mut rng = Rng::with_seed(seed);
        for (name, tree) in trees() {
            let mut make = |prefix: &str| {
                let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder");
                write(folder.path(), &tree, &mut rng);
                said(folder.path())
            };
            assert_eq!(make("qq-one"), make("ä b-zz"), "{name}, seed {seed}");
        }
    }
}
