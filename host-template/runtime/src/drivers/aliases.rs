//! `drivers.yaml` of the release: which pip package an alias stands for.

use std::io;
use std::path::Path;

use hub_manifest::diagnostic::Level;
use hub_manifest::node::Value;
use hub_manifest::source::Source;
use hub_manifest::yaml;
use hub_release::beneath;

use crate::settings::reason;

/// Largest such file, in bytes.
const MOST: u64 = 1024 * 1024;

/// A name that operators type, and the pip package behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) name: String,
    /// As pip takes it: a name, and a version where one is asked for.
    pub(crate) package: String,
}

/// The aliases in the order written; none where the release has no such file.
pub(crate) fn read(install: &Path) -> Result<Vec<Alias>, String> {
    let file = install.join("drivers.yaml");
    match beneath::read(&file, MOST) {
        Ok(bytes) => parse(&file, &bytes).map_err(|what| format!("{}: {what}", file.display())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("cannot read {}: {}", file.display(), reason(&e))),
    }
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<Alias>, String> {
    let source = Source::decode(file, bytes).map_err(|finding| finding.message)?;
    let mut findings = Vec::new();
    let root = yaml::parse(&source, &mut findings);
    if let Some(finding) = findings.into_iter().find(|finding| finding.level == Level::Error) {
        return Err(format!("line {}: {}", finding.span.line, finding.message));
    }
    let Some(Value::Map(entries)) = root.map(|root| root.value) else {
        return Err("must be a mapping of aliases to pip packages, like `oracle: oracledb`".to_owned());
    };
    entries
        .into_iter()
        .map(|entry| match entry.value.value {
            Value::String(package) if is_package(&package) => Ok(Alias { name: entry.key, package }),
            _ => Err(format!("`{}` must name a pip package, like `oracledb` or `oracledb<4`", entry.key)),
        })
        .collect()
}

/// A requirement that is no option, address or file.
fn is_package(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]<>=!~,".contains(c))
}

/// The package's name as it is compared: without extras and versions, in the one spelling that stands for all.
pub(crate) fn plain(package: &str) -> String {
    let name = package.split(['[', '<', '>', '=', '!', '~']).next().unwrap_or_default();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Vec<(String, String)>, String> {
        let aliases = parse(Path::new("drivers.yaml"), text.as_bytes())?;
        Ok(aliases.into_iter().map(|alias| (alias.name, alias.package)).collect())
    }

    #[test]
    fn aliases_and_packages() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            check("# Drivers\noracle: oracledb<4\nmongo: pymongo[srv]\n"),
            Ok(vec![pair("oracle", "oracledb<4"), pair("mongo", "pymongo[srv]")])
        );
        for wrong in ["oracle: --upgrade", "oracle: [a]", "oracle: https://example.com/x", "oracle:"] {
            assert_eq!(
                check(wrong).unwrap_err(),
                "`oracle` must name a pip package, like `oracledb` or `oracledb<4`"
            );
        }
        assert!(check("- a").unwrap_err().starts_with("must be a mapping"));
        assert!(check("a: b\na: c").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn spellings_of_a_name() {
        assert_eq!(plain("Google.Cloud_BigQuery[all]>=3,<4"), "google-cloud-bigquery");
    }
}
