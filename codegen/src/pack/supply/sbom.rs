//! The bill of materials in CycloneDX's form: crates that are linked, npm packages that are bundled, Python packages that
//! an operator may install beside them, and who needs whom.
//!
//! The document says nothing of the clock or the machine. Its serial number comes from its own contents, so two
//! releases have the same one where they are made of the same things.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{expression, purl};
use crate::base::digest::hex;
use crate::bundle::WebPackage;
use crate::compile::graph::{Graph, Known};
use crate::compile::stage::Locked;
use crate::pack::inventory::npm;

/// What the bill is made from.
pub struct Input<'a> {
    /// Version of the release.
    pub version: &'a str,
    /// Version of the platform that builds it.
    pub platform: &'a str,
    /// The crates.
    pub graph: &'a Graph,
    /// The staged `Cargo.lock`, for checksums.
    pub locked: &'a BTreeSet<Locked>,
    /// The npm packages that are bundled.
    pub web: &'a [WebPackage],
    /// The repository's `package-lock.json`.
    pub npm: &'a npm::Lock,
    /// Names of the Python packages that connect to databases, from `drivers.yaml`.
    pub drivers: &'a BTreeSet<String>,
    /// dbt's Python packages, as lines of `name==version`.
    pub dbt: &'a str,
}

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata {
    lifecycles: [Lifecycle; 1],
    tools: Tools,
    component: Component,
}

#[derive(Serialize)]
struct Lifecycle {
    phase: &'static str,
}

#[derive(Serialize)]
struct Tools {
    components: [Component; 1],
}

/// A thing that something is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Component {
    #[serde(rename = "bom-ref", skip_serializing_if = "String::is_empty")]
    reference: String,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
}

impl Component {
    /// A package, of which more may be known.
    fn library(reference: String, name: &str, version: &str, scope: &'static str) -> Component {
        let (name, version) = (name.to_string(), version.to_string());
        Component { reference, kind: "library", name, version, scope: Some(scope), ..Component::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
enum License {
    Expression { expression: String },
    Named { license: Named },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Named {
    name: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<String>,
}

/// Components, and who needs whom, by their references.
#[derive(Default)]
struct Parts {
    components: BTreeMap<String, Component>,
    needs: BTreeMap<String, BTreeSet<String>>,
    /// What the release itself needs, and not by way of something else.
    direct: BTreeSet<String>,
}

impl Parts {
    fn add(&mut self, component: Component, needs: BTreeSet<String>) {
        self.needs.entry(component.reference.clone()).or_default().extend(needs);
        self.components.entry(component.reference.clone()).or_insert(component);
    }
}

/// The text of the document.
pub fn text(input: &Input<'_>) -> serde_json::Result<String> {
    let mut parts = Parts::default();
    crates(input, &mut parts);
    web(input, &mut parts);
    python(input, &mut parts);
    let product = Component {
        reference: format!("hub-platform@{}", input.version),
        kind: "application",
        name: "hub-platform".to_string(),
        version: input.version.to_string(),
        ..Component::default()
    };
    let tool = Component {
        kind: "application",
        name: "cargo xtask build-platform".to_string(),
        version: input.platform.to_string(),
        ..Component::default()
    };
    parts.needs.insert(product.reference.clone(), parts.direct);
    let mut bom = Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: String::new(),
        version: 1,
        metadata: Metadata {
            lifecycles: [Lifecycle { phase: "build" }],
            tools: Tools { components: [tool] },
            component: product,
        },
        components: parts.components.into_values().collect(),
        dependencies: parts
            .needs
            .into_iter()
            .map(|(reference, depends_on)| Dependency { reference, depends_on })
            .collect(),
    };
    bom.serial_number = serial(&serde_json::to_vec(&bom)?);
    let mut text = serde_json::to_string_pretty(&bom)?;
    text.push('\n');
    Ok(text)
}

/// A UUID of version 8, which leaves to its maker what it is made of: here, of SHA-256 of the document.
fn serial(document: &[u8]) -> String {
    let hash = Sha256::digest(document);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = 0x80 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let text = hex(&bytes);
    format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn licenses(terms: &str) -> Vec<License> {
    match expression(terms) {
        Some(expression) => vec![License::Expression { expression }],
        None if terms.trim().is_empty() => Vec::new(),
        None => vec![License::Named { license: Named { name: terms.trim().to_string() } }],
    }
}

/// The crates of the host. The host's own generated crate is the product itself.
fn crates(input: &Input<'_>, parts: &mut Parts) {
    let (shipped, packages) = (input.graph.shipped(), input.graph.packages());
    let reference = |package: &Known| {
        purl::of_crate(package).unwrap_or_else(|| format!("crate:{}@{}", package.name, package.version))
    };
    let host = input.graph.host().map(|host| host.id.as_str());
    parts.direct.extend(input.graph.launcher().map(&reference));
    for (id, below) in input.graph.within(&shipped) {
        let below =
            below.iter().filter_map(|id| packages.get(id)).map(|package| reference(package)).collect();
        let Some(package) = packages.get(id) else { continue };
        if host == Some(id) {
            parts.direct.extend::<BTreeSet<String>>(below);
            continue;
        }
        let locked = input.locked.iter().find(|locked| {
            locked.name == package.name
                && locked.version == package.version
                && Some(&locked.source) == package.source.as_ref()
        });
        let checksum = locked.and_then(|locked| locked.checksum.clone());
        let component = Component {
            hashes: checksum.into_iter().map(|content| Hash { alg: "SHA-256", content }).collect(),
            licenses: licenses(package.license.as_deref().unwrap_or_default()),
            purl: purl::of_crate(package),
            ..Component::library(reference(package), &package.name, &package.version, "required")
        };
        parts.add(component, below);
    }
}

/// The npm packages of the web assets. What no other bundled package asks for, the web shell or a plugin does.
fn web(input: &Input<'_>, parts: &mut Parts) {
    let reference = |package: &WebPackage| purl::of_npm(&package.name, &package.version);
    let bundled: BTreeMap<&str, &WebPackage> =
        input.web.iter().map(|package| (package.folder.as_str(), package)).collect();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for package in input.web {
        let needs: BTreeSet<String> = input
            .npm
            .needs(&package.folder)
            .into_iter()
            .filter_map(|place| bundled.get(place))
            .map(|package| reference(package))
            .collect();
        asked.extend(needs.iter().cloned());
        let integrity = input.npm.integrity(&package.folder).unwrap_or_default();
        let component = Component {
            hashes: integrity.split_whitespace().filter_map(hash).collect(),
            licenses: licenses(&package.license),
            purl: Some(reference(package)),
            ..Component::library(reference(package), &package.name, &package.version, "required")
        };
        parts.add(component, needs);
    }
    parts.direct.extend(input.web.iter().map(reference).filter(|name| !asked.contains(name)));
}

/// One of npm's checksums, `sha512-` and Base64, in hexadecimal.
fn hash(integrity: &str) -> Option<Hash> {
    let (name, content) = integrity.split_once('-')?;
    let alg = match name {
        "sha512" => "SHA-512",
        "sha384" => "SHA-384",
        "sha256" => "SHA-256",
        "sha1" => "SHA-1",
        _ => return None,
    };
    Some(Hash { alg, content: hex(&BASE64_STANDARD.decode(content).ok()?) })
}

/// The Python packages that the release can install, none of which it brings.
fn python(input: &Input<'_>, parts: &mut Parts) {
    let pinned: BTreeMap<String, &str> = input
        .dbt
        .lines()
        .filter_map(|line| line.split('#').next()?.trim().split_once("=="))
        .map(|(name, version)| (purl::python_name(name.trim()), version.trim()))
        .collect();
    let drivers = input.drivers.iter().map(|name| purl::python_name(name));
    let names: BTreeSet<String> = pinned.keys().cloned().chain(drivers).collect();
    for name in names {
        let version = pinned.get(&name).copied();
        let purl = purl::of_python(&name, version);
        let component = Component {
            purl: Some(purl.clone()),
            ..Component::library(purl.clone(), &name, version.unwrap_or_default(), "optional")
        };
        parts.add(component, BTreeSet::new());
        parts.direct.insert(purl);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::graph::tests::graph;

    const LOCK: &str = r#"{"packages": {
        "node_modules/@x/charts": {"version": "3.0.0", "integrity": "sha512-AAECAwQFBgc=", "dependencies": {"d3": "1"}},
        "node_modules/d3": {"version": "1.0.0"}}}"#;

    #[test]
    fn the_document_names_parts_terms_checksums_and_who_needs_whom() {
        let graph = graph(
            "hub-platform -> hub-host
             hub-host -> serde m!
             serde 1.0.2 ->
             m 1.0.0 ->",
        );
        let web = |name: &str, version: &str, license: &str| WebPackage {
            name: name.to_string(),
            version: version.to_string(),
            license: license.to_string(),
            folder: format!("node_modules/{name}"),
        };
        let locked = BTreeSet::from([Locked {
            name: "serde".to_string(),
            version: "1.0.2".to_string(),
            source: "registry+https://github.com/rust-lang/crates.io-index".to_string(),
            checksum: Some("abcd".to_string()),
        }]);
        let text = text(&Input {
            version: "0.2.0",
            platform: "0.1.0",
            graph: &graph,
            locked: &locked,
            web: &[web("@x/charts", "3.0.0", "MIT"), web("d3", "1.0.0", "see the file")],
            npm: &serde_json::from_str(LOCK).unwrap(),
            drivers: &BTreeSet::from(["oracledb".to_string(), "Dbt_Core".to_string()]),
            dbt: "# dbt\ndbt-core==1.11.16\n",
        });
        insta::assert_snapshot!(text.unwrap());
    }
}
