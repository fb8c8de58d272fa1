//! The committed example of a generated host is what the repository's own plugins give today.

use hub_tests::xtask::{repo, run, target, xtask};

#[test]
fn the_golden_host_is_fresh() {
    let ran = run(xtask(["golden", "--check"]));
    assert_eq!(
        ran.code,
        Some(0),
        "run `cargo xtask golden` and commit the result\n{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn the_hosts_profile_is_one() {
    hub_tests::release::Built::shared();
    let profile = |path: &str| {
        let text = std::fs::read_to_string(repo().join(path)).expect(path);
        let document: toml_edit::DocumentMut = text.parse().expect(path);
        let profile = document["profile"]["release"].as_table().expect("[profile.release]").clone();
        let values = |table: &toml_edit::Table| {
            let plain = table
                .iter()
                .filter_map(|(key, item)| Some(format!("{key} = {}", item.as_value()?.to_string().trim())));
            plain.collect::<Vec<_>>()
        };
        let inner = |name: &str| values(profile[name].as_table().expect(name));
        (values(&profile), inner("package"), inner("build-override"))
    };
    let staged = target().join("platform/release/src/Cargo.toml");
    assert_eq!(profile("Cargo.toml"), profile(&staged.to_string_lossy()));
    assert_eq!(profile("plugins/Cargo.toml"), profile("Cargo.toml"));
}
