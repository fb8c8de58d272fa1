//! What a release is made of, for those who have to answer for it: the bill of materials ([`sbom`]) and the terms of
//! everything that is shipped ([`notices`]). The list of crates that the host itself carries is written when it is
//! compiled ([`embedded`](crate::compile::embedded)).
//!
//! All of it is read from the same three sources: cargo's resolved graph of the staged workspace
//! ([`graph`](mod@crate::compile::graph)), the packages that the bundler really took, and the pinned lists of Python packages.

pub mod notices;
mod purl;
pub mod sbom;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use hub_manifest::node::Value;
use hub_manifest::source::Source;
use hub_manifest::yaml;
use spdx::Expression;

use crate::base::write::at;
use crate::bundle::Bundled;
use crate::compile::graph::Graph;
use crate::compile::stage;
use crate::generate::Files;
use crate::pack::inventory::npm;

/// Name of the bill of materials in a release.
pub const SBOM: &str = "sbom.cdx.json";
/// Name of the file of licence texts in a release.
pub const NOTICES: &str = "THIRD-PARTY-LICENSES";

/// dbt's Python packages, below the repository.
const DBT_REQUIREMENTS: &str = "host-template/runtime/src/drivers/dbt-requirements.txt";
/// The Python packages that connect to databases, below the repository.
const DRIVERS: &str = "host-template/drivers.yaml";

/// What a build has found out about its parts.
pub struct Parts<'a> {
    /// The repository.
    pub repo: &'a Path,
    /// Version of the platform's own crates.
    pub platform: &'a str,
    /// Version of the release.
    pub version: &'a str,
    /// The staged workspace.
    pub staged: &'a Path,
    /// Its crates.
    pub graph: &'a Graph,
    /// The folder of the web assets.
    pub web: &'a Path,
    /// What the bundler says of them.
    pub bundled: &'a Bundled,
}

/// The files of the release that tell what it is made of, by path.
pub fn files(parts: &Parts<'_>) -> io::Result<Files> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| at(path, error));
    let bill = sbom::text(&sbom::Input {
        version: parts.version,
        platform: parts.platform,
        graph: parts.graph,
        locked: &stage::packages(&read(&parts.staged.join("Cargo.lock"))?),
        web: &parts.bundled.packages,
        npm: &npm::Lock::read(parts.repo)?,
        drivers: &drivers(&parts.repo.join(DRIVERS), read(&parts.repo.join(DRIVERS))?),
        dbt: &read(&parts.repo.join(DBT_REQUIREMENTS))?,
    })?;
    let web = read(&parts.web.join("licenses.txt"))?;
    let notices = notices::text(parts.graph, &parts.bundled.packages, &web)?;
    Ok(Files::from([(SBOM.to_string(), bill), (NOTICES.to_string(), notices)]))
}

/// The packages that the aliases of `drivers.yaml` stand for. What is wrong with the file its own reader tells.
fn drivers(file: &Path, text: String) -> BTreeSet<String> {
    let root = yaml::parse(&Source { file: file.to_path_buf(), text }, &mut Vec::new());
    let Some(Value::Map(entries)) = root.map(|root| root.value) else { return BTreeSet::new() };
    let names = entries.into_iter().filter_map(|entry| match entry.value.value {
        Value::String(package) => Some(package),
        _ => None,
    });
    names.filter_map(|name| name.split(['[', '<', '>', '=', '!', '~']).next().map(str::to_string)).collect()
}

/// Terms as an SPDX expression: cargo still takes `MIT/Apache-2.0`. None for words that are no expression.
pub fn expression(terms: &str) -> Option<String> {
    let terms = terms.trim();
    if terms.is_empty() {
        return None;
    }
    let text = Expression::canonicalize(terms).ok()?.unwrap_or_else(|| terms.to_string());
    Expression::parse(&text).ok().map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_written_as_one_expression() {
        let of = |terms: &str| expression(terms).unwrap_or_else(|| "none".to_string());
        let shown =
            ["MIT/Apache-2.0", "(MIT OR CC0-1.0)", "BSD-3-Clause", "SEE LICENSE IN x.txt", ""].map(of);
        assert_eq!(shown, ["MIT OR Apache-2.0", "(MIT OR CC0-1.0)", "BSD-3-Clause", "none", "none"]);
    }
}
