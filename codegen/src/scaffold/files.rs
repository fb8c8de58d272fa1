//! What in a new plugin's files depends on where its folder lies.

use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, Table};

/// Where the new plugin will lie, as its files speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From the backend's folder to `hub-host`.
    runtime: String,
    /// From the plugin's folder to the JSON schemas.
    schemas: String,
    /// From the frontend's folder to the JSON schemas.
    frontend_schemas: String,
    /// Whether cargo has to be told that the crate is in no workspace: a folder above has a `Cargo.toml` that is not the
    /// plugins' own.
    alone: bool,
    /// Priority of the claim on the platform's surface.
    priority: i64,
}

impl Place {
    /// The place `root/slug`, seen from the checkout `repo`; both are absolute and free of links.
    ///
    /// Paths are relative even where the plugin lies outside of the checkout: they hold for everybody who has the two
    /// checkouts side by side, and name nobody's home folder.
    pub fn of(repo: &Path, root: &Path, slug: &str, priority: i64) -> Place {
        let plugin = root.join(slug);
        let schemas = repo.join("schemas");
        Place {
            runtime: relative(&plugin.join("backend"), &repo.join("host-template/runtime")),
            schemas: relative(&plugin, &schemas),
            frontend_schemas: relative(&plugin.join("frontend"), &schemas),
            alone: root != repo.join("plugins")
                && root.ancestors().any(|folder| folder.join("Cargo.toml").is_file()),
            priority,
        }
    }
}

/// The path that leads from the folder `from` to `to`, with `/`.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to[common..].iter().copied()).collect();
    path.to_string_lossy().replace('\\', "/")
}

/// A file of the sample, already renamed, as it has to be at its place.
pub fn placed(inner: &str, text: &str, place: &Place) -> io::Result<String> {
    match inner {
        "plugin.yaml" => Ok(manifest(text, place)),
        "backend/Cargo.toml" => cargo_toml(text, place),
        "frontend/overrides.json" => claims(text, place),
        _ => Ok(text.to_string()),
    }
}

/// The first line names the schema to editors; to YAML it is a comment.
fn manifest(text: &str, place: &Place) -> String {
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    format!("# yaml-language-server: $schema={}/plugin.schema.json\n{rest}", place.schemas)
}

fn cargo_toml(text: &str, place: &Place) -> io::Result<String> {
    let mut document: DocumentMut = text.parse().map_err(io::Error::other)?;
    if let Some(package) = document["package"].as_table_mut() {
        package.remove("workspace");
    }
    document["dependencies"]["hub"]["path"] = toml_edit::value(place.runtime.as_str());
    if place.alone {
        document["workspace"] = Item::Table(Table::new());
    }
    Ok(document.to_string())
}

fn claims(text: &str, place: &Place) -> io::Result<String> {
    let mut value: Value = serde_json::from_str(text)?;
    value["$schema"] = json!(format!("{}/overrides.schema.json", place.frontend_schemas));
    value["overrides"][super::SURFACE]["priority"] = json!(place.priority);
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_out_of_a_folder_and_into_another() {
        let relative = |from: &str, to: &str| super::relative(Path::new(from), Path::new(to));
        assert_eq!(relative("/a/repo/plugins/x/backend", "/a/repo/host"), "../../../host");
        assert_eq!(relative("/b/x", "/a/repo/schemas"), "../../a/repo/schemas");
    }

    #[test]
    fn a_crate_below_somebody_elses_workspace_says_that_it_is_alone() {
        let place = Place {
            runtime: "../up/runtime".to_string(),
            schemas: String::new(),
            frontend_schemas: String::new(),
            alone: true,
            priority: 0,
        };
        let sample = "[package]\nname = \"x\"\nworkspace = \"../w\"\n\n[dependencies]\nhub = { package = \"hub-host\", path = \"y\" }\n";
        let wanted = "[package]\nname = \"x\"\n\n[dependencies]\nhub = { package = \"hub-host\", path = \"../up/runtime\" }\n\n[workspace]\n";
        assert_eq!(cargo_toml(sample, &place).unwrap(), wanted);
    }
}
