//! Documents that are made of the code: the list of diagnostics, the JSON Schemas, the marked parts of the guides, the
//! fields that the shell's types are made of.

mod diagnostics;
mod fields;
mod limits;
mod surfaces;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use hub_manifest::schema;

/// What a marked part ends with; it begins with `<!-- generated: NAME -->`.
const END: &str = "<!-- end generated -->";

/// Every generated document as it should be, by its path in the checkout `root`.
pub fn all(root: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    all.insert(PathBuf::from("docs/diagnostics.md"), diagnostics::page(root)?);
    all.insert(PathBuf::from("docs/limits.md"), limits::page());
    all.insert(PathBuf::from(fields::SHELL), fields::of_metadata());
    all.extend(schema::files().map(|(path, text)| (PathBuf::from(path), text)));
    let marked = [
        ("docs/operations.md", "variables", variables::of_host()),
        ("docs/operations.md", "variables of the build", variables::of_build()),
        ("docs/operator.md", "variables of runs", variables::of_runs()),
        ("docs/plugin-author.md", "fields", fields::table(&schema::plugin())),
        ("docs/plugin-author.md", "surfaces", surfaces::table(&surfaces::of_shell(root))),
    ];
    for (path, name, by) in marked {
        let text = match all.get(Path::new(path)) {
            Some(text) => text.clone(),
            None => fs::read_to_string(root.join(path))?,
        };
        let lacks = || io::Error::other(format!("{path} lacks `<!-- generated: {name} -->` or `{END}`"));
        all.insert(PathBuf::from(path), part(&text, name, &by).ok_or_else(lacks)?);
    }
    Ok(all)
}

/// Those of them that hold other text on disk.
pub fn stale(root: &Path, all: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let fresh =
        |path: &PathBuf, text: &String| fs::read(root.join(path)).is_ok_and(|found| found == text.as_bytes());
    all.iter().filter(|(path, text)| !fresh(path, text)).map(|(path, _)| path.clone()).collect()
}

/// A text with the part between the markers of `name` replaced.
fn part(text: &str, name: &str, by: &str) -> Option<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}{}\n{END}{after}", by.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_documents_are_fresh() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let stale = stale(&root, &all(&root).expect("the documents can be made"));
        assert!(stale.is_empty(), "run `cargo xtask docs` and commit the result: {stale:?}");
    }

    #[test]
    fn a_marked_part_is_replaced_and_nothing_else() {
        let text = "a\n<!-- generated: fields -->\nold\n<!-- end generated -->\nb\n";
        let new = "a\n<!-- generated: fields -->\nnew\n<!-- end generated -->\nb\n";
        assert_eq!(part(text, "fields", "new\n").as_deref(), Some(new));
        assert_eq!(part(text, "surfaces", "new"), None);
    }
}
