//! Which of the host's `DBT_…` variables a dbt run gets: those that its profile or its project names in `env_var`, and those by
//! which dbt itself is set. The others belong to other projects of the same host, or to nobody that runs.
//!
//! The profile is the operator's, the project may be anybody's: by naming what another profile reads it does not get that.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_release::beneath;

use super::jinja;
use crate::settings::{self, reason};

/// What all of them begin with.
const PREFIX: &str = "DBT_";
/// What dbt calls secret: it gives these to profiles only, and so does the host.
const SECRET: &str = "DBT_ENV_SECRET";
/// What stands behind that in dbt's newer names for all of its own.
const ENGINE: &str = "ENGINE_";

/// By which dbt is set, without [`PREFIX`]: the variables of its options.
const OPTIONS: &[&str] = &[
    "ARTIFACT_STATE_PATH",
    "CACHE_SELECTED_ONLY",
    "DEBUG",
    "DEFER",
    "DEFER_STATE",
    "DEFER_TO_STATE",
    "EMPTY",
    "EVENT_TIME_END",
    "EVENT_TIME_START",
    "EXCLUDE_RESOURCE_TYPES",
    "FAIL_FAST",
    "FAVOR_STATE",
    "FAVOR_STATE_MODE",
    "FULL_REFRESH",
    "INDIRECT_SELECTION",
    "INTROSPECT",
    "INVOCATION_ENV",
    "LOG_CACHE_EVENTS",
    "LOG_FILE_MAX_BYTES",
    "LOG_FORMAT",
    "LOG_FORMAT_FILE",
    "LOG_LEVEL",
    "LOG_LEVEL_FILE",
    "MACRO_DEBUGGING",
    "NO_PRINT",
    "PARTIAL_PARSE",
    "PARTIAL_PARSE_FILE_DIFF",
    "PARTIAL_PARSE_FILE_PATH",
    "POPULATE_CACHE",
    "PRINT",
    "PRINTER_WIDTH",
    "QUIET",
    "RESOURCE_TYPES",
    "SAMPLE",
    "SHOW_ALL_DEPRECATIONS",
    "SINGLE_THREADED",
    "STATE",
    "STATIC_PARSER",
    "STORE_FAILURES",
    "THREADS",
    "USE_COLORS_FILE",
    "USE_EXPERIMENTAL_PARSER",
    "USE_FAST_TEST_EDGES",
    "VERSION_CHECK",
    "WARN_ERROR",
    "WARN_ERROR_OPTIONS",
    "WRITE_JSON",
];

/// Files that dbt renders, or reads for macros.
const RENDERED: &[&str] = &["jinja", "jinja2", "md", "py", "sql", "yaml", "yml"];
/// Most entries of a project that are looked at.
const MOST: usize = 50_000;
/// Most bytes of one file, and of all together.
const MOST_OF_FILE: u64 = 4 << 20;
const MOST_OF_ALL: u64 = 256 << 20;

/// A variable of the host that a profile may read.
pub(super) fn of_host(name: &str) -> Option<String> {
    name.starts_with(PREFIX).then(|| settings::process_env(name)).flatten()
}

/// Who asks for which variables.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// The customer's profile in use.
    pub(super) profile: BTreeSet<String>,
    /// The customer's other profiles.
    pub(super) others: BTreeSet<String>,
    /// The project.
    pub(super) project: BTreeSet<String>,
}

impl Readers {
    /// What a run gets of the host's variables.
    pub(super) fn given(&self) -> BTreeMap<String, String> {
        let names = settings::process_env_names().filter(|name| self.gets(name));
        names.filter_map(|name| of_host(&name).map(|value| (name, value))).collect()
    }

    /// What the log says of those that the project does not get although it asks for them.
    pub(super) fn withheld(&self) -> Option<String> {
        let names: Vec<String> = settings::process_env_names().filter(|name| self.withholds(name)).collect();
        (!names.is_empty()).then(|| {
            format!(
                "the project does not get {}: another profile of profiles.yml reads it, and the one in use does not; set a variable \
                 of another name for the project, or let its profile read this one",
                names.join(", ")
            )
        })
    }

    /// Whether a run gets a variable.
    fn gets(&self, name: &str) -> bool {
        if self.profile.contains(name) {
            return name.starts_with(PREFIX);
        }
        if name.starts_with(SECRET) {
            return false;
        }
        let Some(own) = name.strip_prefix(PREFIX) else { return false };
        // Not all that begins so: another project may have called its own variable that.
        let of_dbt = OPTIONS.contains(&own.strip_prefix(ENGINE).unwrap_or(own));
        of_dbt || self.project.contains(name) && !self.others.contains(name)
    }

    fn withholds(&self, name: &str) -> bool {
        let asked_for = name.starts_with(PREFIX) && self.project.contains(name);
        asked_for && self.others.contains(name) && !self.gets(name) && !name.starts_with(SECRET)
    }
}

/// The names that a project asks `env_var` for in its folders, all of them below `root`. The second value says where not all of it
/// could be looked at.
pub(super) fn asked(root: &Path, folders: &[PathBuf]) -> (BTreeSet<String>, Option<String>) {
    let mut look =
        Look { root: root.canonicalize().unwrap_or_else(|_| root.to_path_buf()), ..Look::default() };
    for folder in folders {
        look.at(folder);
    }
    let why = look.trouble.map(|(path, error)| {
        format!(
            "not all of the project was looked at for the variables that it asks for ({}: {}): those that its profile does not name \
             may be missing",
            path.display(),
            reason(&error)
        )
    });
    (look.found, why)
}

/// Whether an entry is another tool's: hidden, or one of the folders that lie beside a project and are full of files.
fn is_aside(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || ["__pycache__", "node_modules", "venv"].iter().any(|aside| name == *aside)
}

#[derive(Default)]
struct Look {
    root: PathBuf,
    found: BTreeSet<String>,
    seen: BTreeSet<PathBuf>,
    entries: usize,
    bytes: u64,
    /// The first thing that could not be looked at. What stands beside it is looked at all the same.
    trouble: Option<(PathBuf, io::Error)>,
    /// Whether there is too much of it for the rest to be looked at.
    full: bool,
}

impl Look {
    /// A file, or a folder with all below it. A link is followed as dbt follows it, but not out of the plugin.
    fn at(&mut self, path: &Path) {
        if let Err(error) = self.look(path) {
            self.trouble.get_or_insert((path.to_path_buf(), error));
        }
    }

    fn look(&mut self, path: &Path) -> io::Result<()> {
        let whole = match path.canonicalize() {
            Ok(whole) => whole,
            // A link to nothing, or what is gone meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if self.full || !whole.starts_with(&self.root) || !self.seen.insert(whole.clone()) {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > MOST {
            self.full = true;
            return Err(io::Error::other(format!("more than {MOST} files")));
        }
        let about = fs::symlink_metadata(&whole)?;
        if about.is_dir() {
            let mut entries = fs::read_dir(&whole)?.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries.iter().filter(|entry| !is_aside(&entry.file_name())) {
                self.at(&entry.path());
            }
            return Ok(());
        }
        let rendered = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        if !about.is_file() || !rendered.is_some_and(|kind| RENDERED.contains(&kind.as_str())) {
            return Ok(());
        }
        // One that is too large is not read, so it takes nothing from the others.
        let bytes = beneath::read(&whole, MOST_OF_FILE)?;
        self.bytes += about.len();
        if self.bytes > MOST_OF_ALL {
            self.full = true;
            return Err(io::Error::other(format!("more than {MOST_OF_ALL} bytes")));
        }
        self.found.extend(jinja::named(&String::from_utf8_lossy(&bytes)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn s5_a_run_gets_the_variables_that_it_asks_for_and_those_of_dbt_itself() {
        let readers = Readers {
            profile: set(&["DBT_USER", "DBT_ENV_SECRET_PASS", "DBT_SHARED", "DATABASE_URL"]),
            others: set(&["DBT_SHARED", "DBT_THEIR_PASSWORD", "DBT_THREADS", "DBT_ENV_SECRET_B"]),
            project: set(&[
                "DBT_REGION",
                "DBT_ENV_SECRET_B",
                "DBT_SHARED",
                "DBT_THEIR_PASSWORD",
                "DBT_THREADS",
            ]),
        };
        for (name, want) in [
            ("DBT_USER", true),
            ("DBT_SHARED", true),
            // The operator has let another profile read it, and not this one.
            ("DBT_THEIR_PASSWORD", false),
            ("DBT_REGION", true),
            ("DBT_ENV_SECRET_PASS", true),
            // dbt does not give a secret to a project either.
            ("DBT_ENV_SECRET_B", false),
            ("DBT_ENV_SECRET_C", false),
            ("DBT_OTHERS_PASSWORD", false),
            ("DBT_THREADS", true),
            ("DBT_WARN_ERROR", true),
            ("DBT_ENGINE_WARN_ERROR", true),
            // What only another plugin's project names, and where dbt reads, by the newer name.
            ("DBT_ENGINE_THEIR_TOKEN", false),
            ("DBT_ENGINE_PROFILES_DIR", false),
            ("DBT_ENGINE_ENGINE_WARN_ERROR", false),
            // The host's own business: where dbt reads and writes.
            ("DBT_PROFILES_DIR", false),
            ("DBT_PROJECT_DIR", false),
            ("DATABASE_URL", false),
        ] {
            assert_eq!(readers.gets(name), want, "{name}");
            assert_eq!(readers.withholds(name), name == "DBT_THEIR_PASSWORD", "{name}");
        }
    }

    #[test]
    fn what_a_project_asks_for_is_found_wherever_it_stands() {
        let folder = Scratch::new("asked");
        let root = folder.join("plugin");
        for (path, text) in [
            (
                "plugin/dbt/dbt_project.yml",
                "vars: {a: \"{{ env_var(\\\"DBT_A\\\") }}\", b: '{{ env_var(''DBT_B'') }}'}",
            ),
            (
                "plugin/dbt/models/deep/m.sql",
                "select {{ env_var(\n 'DBT_C' , 'x') }}, {{ '}}' ~ env_var(var=\"DBT_D\") }}",
            ),
            ("plugin/dbt/dbt_packages/p/macros/m.SQL", "{% set x = env_var('DBT_E') %}"),
            ("plugin/dbt/venv/lib/x.py", "env_var('DBT_OF_A_TOOL')"),
            ("plugin/dbt/notes.txt", "env_var('DBT_NO')"),
            ("plugin/common/macros/m.sql", "{{ env_var('DBT_F') }}"),
            ("plugin/other/macros/m.sql", "{{ env_var('DBT_NOT_NAMED') }}"),
            ("plugin/shared/m.sql", "{{ env_var('DBT_G') }}"),
            ("elsewhere/m.sql", "{{ env_var('DBT_OUTSIDE') }}"),
        ] {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), text).unwrap();
        }
        symlink("../shared", root.join("dbt/linked")).unwrap();
        symlink("../../elsewhere", root.join("dbt/out")).unwrap();
        symlink(".", root.join("dbt/round")).unwrap();
        symlink("nowhere", root.join("dbt/nothing.sql")).unwrap();
        let (found, why) = asked(&root, &[root.join("dbt"), root.join("common")]);
        assert_eq!(
            (found, why),
            (set(&["DBT_A", "DBT_B", "DBT_C", "DBT_D", "DBT_E", "DBT_F", "DBT_G"]), None)
        );
        let large = fs::File::create(root.join("dbt/dbt_packages/a.sql")).unwrap();
        large.set_len(MOST_OF_FILE + 1).unwrap();
        let (found, why) = asked(&root, &[root.join("dbt"), root.join("common")]);
        // What stands behind it is found all the same.
        assert_eq!(found, set(&["DBT_A", "DBT_B", "DBT_C", "DBT_D", "DBT_E", "DBT_F", "DBT_G"]));
        assert!(why.unwrap().contains("a.sql"));
    }
}
