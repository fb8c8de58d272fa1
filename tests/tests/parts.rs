//! What a release says that it is made of, held against the locks, against cargo itself, and against CycloneDX's schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use auditable_info::Limits;
use hub_tests::release::Built;
use hub_tests::xtask::{prepared, repo, run, target};
use serde_json::Value;
use toml_edit::DocumentMut;

/// The bill of materials of the repository's own release.
fn bill(release: &Path) -> Value {
    serde_json::from_slice(&fs::read(release.join("sbom.cdx.json")).expect("the bill")).expect("JSON")
}

/// Name and version → checksum, of the packages of a bill whose URL begins so.
fn components(bill: &Value, ecosystem: &str) -> BTreeMap<(String, String), String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = bill["components"].as_array().expect("components");
    all.iter()
        .filter(|component| text(&component["purl"]).starts_with(ecosystem))
        .map(|component| {
            let hash = text(&component["hashes"][0]["content"]);
            ((text(&component["name"]), text(&component["version"])), hash)
        })
        .collect()
}

/// Name and version → checksum, of the packages of a `Cargo.lock`.
fn locked(lock: &Path) -> BTreeMap<(String, String), String> {
    let text = fs::read_to_string(lock).expect("a lock");
    let document: DocumentMut = text.parse().expect("TOML");
    let packages = document["package"].as_array_of_tables().expect("packages");
    let field = |table: &toml_edit::Table, key: &str| {
        table.get(key).and_then(|item| item.as_str()).unwrap_or_default().to_owned()
    };
    packages
        .iter()
        .map(|table| ((field(table, "name"), field(table, "version")), field(table, "checksum")))
        .collect()
}

#[test]
fn the_bill_is_valid_by_cyclonedxs_schema() {
    let Some(python) = prepared("HUB_CYCLONEDX") else { return };
    let installed = Built::shared().unpack();
    let mut command = Command::new(python);
    command.arg(repo().join("tests/sbom/validate.py")).arg(installed.release().join("sbom.cdx.json"));
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn the_crates_of_the_bill_are_those_that_cargo_links() {
    let installed = Built::shared().unpack();
    let crates = components(&bill(&installed.release()), "pkg:cargo/");
    let locked = locked(&repo().join("Cargo.lock"));
    for (package, checksum) in &crates {
        assert_eq!(Some(checksum), locked.get(package), "{package:?}");
        assert_eq!(checksum.len(), 64, "{package:?}");
    }

    // Cargo's own account of the same graph, with the features that the host is built with.
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--package", "hub-platform", "--edges", "normal,no-proc-macro"]);
    tree.args(["--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p}"]);
    tree.current_dir(target().join("platform/release/src"));
    let told: BTreeSet<(String, String)> = run(tree)
        .expect(0)
        .stdout
        .lines()
        .filter(|line| !line.contains(" (/") && !line.is_empty())
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, version) = (words.next()?, words.next()?);
            Some((name.to_owned(), version.trim_start_matches('v').to_owned()))
        })
        .collect();
    assert!(told.len() > 100, "{told:?}");
    assert_eq!(crates.keys().cloned().collect::<BTreeSet<_>>(), told);
}

#[test]
fn the_npm_packages_of_the_bill_are_in_the_lock_and_in_the_notices() {
    let installed = Built::shared().unpack();
    let release = installed.release();
    let packages = components(&bill(&release), "pkg:npm/");
    let lock: Value = serde_json::from_slice(&fs::read(repo().join("package-lock.json")).unwrap()).unwrap();
    let known: BTreeSet<(String, String)> = lock["packages"]
        .as_object()
        .expect("packages")
        .iter()
        .filter_map(|(place, package)| {
            let name = place.rsplit_once("node_modules/")?.1.to_owned();
            Some((name, package["version"].as_str()?.to_owned()))
        })
        .collect();
    let notices = fs::read_to_string(release.join("web/licenses.txt")).unwrap();
    let told = notices.lines().filter(|line| line.starts_with("---- ")).count();
    assert!(packages.len() >= 20, "{packages:?}");
    assert!(told >= packages.len(), "{told} notices of {} packages", packages.len());
    for ((name, version), checksum) in &packages {
        assert!(known.contains(&(name.clone(), version.clone())), "{name} {version}");
        assert_eq!(checksum.len(), 128, "{name} {version}");
        assert!(notices.contains(&format!("---- {name} {version}\n")), "{name} {version}");
    }
}

#[test]
fn everything_shipped_has_terms_that_are_told() {
    let installed = Built::shared().unpack();
    let release = installed.release();
    let bill = bill(&release);
    let notices = fs::read_to_string(release.join("THIRD-PARTY-LICENSES")).unwrap();
    for ecosystem in ["pkg:cargo/", "pkg:npm/"] {
        for (name, version) in components(&bill, ecosystem).keys() {
            let line = notices.lines().find_map(|line| line.strip_prefix(&format!("{name} {version}: ")));
            let terms = line.unwrap_or_else(|| panic!("{name} {version} is not told"));
            assert!(!terms.is_empty() && terms != "see below", "{name} {version}: {terms}");
        }
    }
    let no_terms: Vec<&Value> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|component| component["scope"] == "required" && component["purl"].is_string())
        .filter(|component| component["licenses"][0]["expression"].as_str().is_none())
        .collect();
    assert!(no_terms.is_empty(), "{no_terms:?}");
}

#[test]
fn the_host_carries_the_list_of_its_crates() {
    let installed = Built::shared().unpack();
    let release = installed.release();
    let host = release.join("bin/hub-platform");
    let list = auditable_info::audit_info_from_file(&host, Limits::default()).expect("audit data");
    let of_kind = |kind| {
        let packages = list.packages.iter().filter(move |package| package.kind == kind);
        let from_elsewhere = packages.filter(|package| package.source != auditable_serde::Source::Local);
        from_elsewhere
            .map(|package| (package.name.clone(), package.version.to_string()))
            .collect::<BTreeSet<_>>()
    };
    let linked = of_kind(auditable_serde::DependencyKind::Runtime);
    let crates = components(&bill(&release), "pkg:cargo/");
    assert_eq!(linked, crates.into_keys().collect::<BTreeSet<_>>());

    let locked = locked(&repo().join("Cargo.lock"));
    let building = of_kind(auditable_serde::DependencyKind::Build);
    assert!(building.iter().any(|(name, _)| name == "syn"), "{building:?}");
    for package in linked.union(&building) {
        assert!(locked.contains_key(package), "{package:?}");
    }
    let root: Vec<&str> =
        list.packages.iter().filter(|package| package.root).map(|package| package.name.as_str()).collect();
    assert_eq!(root, ["hub-platform"]);
    let text = auditable_info::json_from_file(&host, Limits::default()).expect("audit data");
    assert!(!text.contains('/'), "a path in {text}");
}
