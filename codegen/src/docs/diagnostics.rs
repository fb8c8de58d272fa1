//! `docs/diagnostics.md`: every code of the registry, with an example from the fixtures.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use hub_manifest::codes::{AREAS, BuildOnly, Code, Entry};
use hub_manifest::diagnostic::Level;

use crate::base::text::cell;

/// Longest example, in lines: beyond, a reader learns nothing more.
const LINES: usize = 80;

const HEAD: &str = "<!-- Written by `cargo xtask docs` from manifest/src/codes and the fixtures in codegen/tests; do not edit. -->

# Diagnostics

Everything that a check or a build can find wrong, by its code. A code keeps its meaning for good. An error stops the build
(with `--keep-going` it leaves the plugin out); a warning does not, unless `--deny-warnings` makes it an error.
`cargo xtask explain HUB045` prints one entry.
";

/// The whole page.
pub(super) fn page(root: &Path) -> io::Result<String> {
    let fixtures = names(&root.join("codegen/tests/fixtures"))?;
    let mut page = HEAD.to_string();
    for (area, codes) in AREAS {
        let _ = write!(page, "\n## {area}\n\n| code | level | what is wrong |\n|---|---|---|\n");
        for code in *codes {
            let Entry { level, title, .. } = code.entry();
            // Writing into a text cannot fail.
            let _ = writeln!(page, "| {} | {} | {} |", link(*code), word(*level), cell(title));
        }
    }
    for (_, codes) in AREAS {
        for code in *codes {
            entry(&mut page, code.entry());
            if let Some(name) = fixtures.iter().find(|name| name.split(['-', '.']).next() == Some(code.id()))
            {
                example(&mut page, root, name)?;
            }
        }
    }
    build_only(&mut page);
    Ok(page)
}

/// What customers' plugins are not held to.
fn build_only(page: &mut String) {
    page.push_str(
        "\n## Customers' plugins\n\nThe running host holds the plugins of the data folder to every rule above but for these, \
         which only a build can hold:\n\n| codes | why |\n|---|---|\n",
    );
    for reason in BuildOnly::ALL {
        let linked: Vec<String> = reason.codes().map(link).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(page, "| {} | {} |", linked.join(" "), cell(reason.reason()));
    }
}

/// A link to the entry.
fn link(code: Code) -> String {
    format!("[{code}](#{})", code.id().to_lowercase())
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn entry(page: &mut String, entry: &Entry) {
    let Entry { id, title, cause, cure, why, .. } = entry;
    let _ =
        write!(page, "\n## {id}\n\n**{title}**\n\n*Cause.* {cause}\n\n*Cure.* {cure}\n\n*Level.* {why}\n");
}

/// The fixtures' names, without their ending, the plainest of each code first.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = PathBuf::from(entry?.file_name());
        if path.extension().is_some_and(|extension| extension == "txt") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort_by_key(|name| (name.len(), name.clone()));
    Ok(names)
}

/// What a fixture holds, and what is said of it.
fn example(page: &mut String, root: &Path, name: &str) -> io::Result<()> {
    let tests = root.join("codegen/tests");
    let source = fs::read_to_string(tests.join(format!("fixtures/{name}.txt")))?;
    let Ok(said) = fs::read_to_string(tests.join(format!("snapshots/{name}.snap"))) else { return Ok(()) };
    let said = said.splitn(3, "---\n").nth(2).unwrap_or_default();
    let said = said.split("\n{\"type\":\"diagnostic\"").next().unwrap_or_default().trim_end();
    if source.lines().count() + said.lines().count() > LINES {
        return Ok(());
    }
    let _ =
        write!(page, "\nOf\n\n````text\n{}\n````\n\nis said\n\n````text\n{said}\n````\n", source.trim_end());
    Ok(())
}
