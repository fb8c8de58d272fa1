//! Package URLs: the one name of a package that scanners of all ecosystems understand.

use std::fmt::Write;

use crate::compile::graph::{Known, Registry};

/// The URL of a crate; none for one of the checkout's own, which no registry knows.
pub fn of_crate(package: &Known) -> Option<String> {
    let base = format!("pkg:cargo/{}@{}", escaped(&package.name), escaped(&package.version));
    let source = package.source.as_deref().unwrap_or_default();
    match package.registry() {
        Registry::Local => None,
        Registry::CratesIo => Some(base),
        Registry::Git => Some(format!("{base}?vcs_url={}", escaped(source))),
        Registry::Other => Some(format!("{base}?repository_url={}", escaped(address(source)))),
    }
}

/// The URL of an npm package.
pub fn of_npm(name: &str, version: &str) -> String {
    let name = match name.split_once('/') {
        Some((scope, name)) => format!("{}/{}", escaped(scope), escaped(name)),
        None => escaped(name),
    };
    format!("pkg:npm/{name}@{}", escaped(version))
}

/// The URL of a Python package, whose name reads the same in all its spellings.
pub fn of_python(name: &str, version: Option<&str>) -> String {
    let mut out = format!("pkg:pypi/{}", escaped(&python_name(name)));
    if let Some(version) = version {
        let _ = write!(out, "@{}", escaped(version));
    }
    out
}

/// A Python package's name as the index writes it.
pub fn python_name(name: &str) -> String {
    name.to_lowercase().split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A registry's address without cargo's word for its kind.
fn address(source: &str) -> &str {
    source.split_once('+').map_or(source, |(_, address)| address)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ecosystem_has_its_form() {
        let package = |source: Option<&str>| Known {
            name: "libsqlite3-sys".to_string(),
            version: "0.30.1+3.46".to_string(),
            source: source.map(str::to_string),
            ..Known::default()
        };
        let of = |source: Option<&str>| of_crate(&package(source)).unwrap_or_default();
        insta::assert_snapshot!(
            [
                of(Some("registry+https://github.com/rust-lang/crates.io-index")),
                of(Some("sparse+https://crates.example/index/")),
                of(Some("git+https://git.example/x?rev=1#abc")),
                of(None),
                of_npm("@mantine/core", "9.7.4"),
                of_npm("react", "19.0.0-rc.1+x"),
                of_python("Google_Cloud.BigQuery", None),
                of_python("dbt-core", Some("1.11.16")),
            ]
            .join("\n"),
            @r"
        pkg:cargo/libsqlite3-sys@0.30.1%2B3.46
        pkg:cargo/libsqlite3-sys@0.30.1%2B3.46?repository_url=https%3A%2F%2Fcrates.example%2Findex%2F
        pkg:cargo/libsqlite3-sys@0.30.1%2B3.46?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fx%3Frev%3D1%23abc

        pkg:npm/%40mantine/core@9.7.4
        pkg:npm/react@19.0.0-rc.1%2Bx
        pkg:pypi/google-cloud-bigquery
        pkg:pypi/dbt-core@1.11.16
        "
        );
    }
}
