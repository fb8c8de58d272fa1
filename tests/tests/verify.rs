//! `cargo xtask keygen`, `--sign` and `verify`: what a release engineer signs, minisign itself reads; what was built here is
//! built again to the same bytes, and what was not is told with its place.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub_tests::forge::forge;
use hub_tests::release::{Built, unpack_into};
use hub_tests::xtask::{Ran, prepared, run, xtask};

fn keygen(folder: &Path, name: &str) -> PathBuf {
    let key = folder.join(name);
    let mut command = xtask(["keygen", "--no-password"]);
    command.arg(&key);
    run(command).expect(0);
    key
}

fn verify(tarball: &Path, arguments: &[&str]) -> Ran {
    let mut command = xtask(["verify"]);
    command.arg(tarball).args(arguments);
    run(command)
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn a_signed_release_is_built_again_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let key = keygen(folder.path(), "vendor");
    let public = folder.path().join("vendor.pub");
    let built = Built::new(&["--locked", "--sign", shown(&key)]);
    let said = verify(&built.tarball, &["--key", shown(&public)]).expect(0).stdout;
    assert!(said.contains("each as RELEASE.json says") && said.contains("signed with vendor"), "{said}");
    // Whoever verifies needs no secret key.
    fs::remove_file(&key).unwrap();
    let said = verify(&built.tarball, &["--rebuild"]).expect(0).stdout;
    assert!(said.contains("the same bytes"), "{said}");

    keygen(folder.path(), "stranger");
    let stranger = folder.path().join("stranger.pub");
    let refused = verify(&built.tarball, &["--key", shown(&stranger)]).expect(1).stderr;
    assert!(
        refused.contains("it is signed with a key that is not trusted here (trusted: stranger)"),
        "{refused}"
    );
    let refused = verify(&Built::shared().tarball, &["--key", shown(&public)]).expect(1).stderr;
    assert!(refused.contains("it is not signed"), "{refused}");
}

#[test]
fn a_release_with_other_bytes_is_told_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let built = Built::shared();
    let other = forge(
        &built.tarball,
        "0.1.0",
        &[("plugins/crm/plugin.yaml", b"name: crm\nversion: 9.9.9\n")],
        folder.path(),
    );
    let told = verify(&other, &["--rebuild"]).expect(1).stderr;
    assert!(told.contains("1 difference"), "{told}");
    assert!(told.contains("plugins/crm/plugin.yaml has"), "{told}");
    assert!(told.contains("line 2 is `"), "{told}");
}

#[test]
fn minisign_itself_reads_the_signatures_and_makes_the_keys() {
    let Some(minisign) = prepared("HUB_MINISIGN") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (secret, public) = (folder.path().join("theirs"), folder.path().join("theirs.pub"));
    let mut make = Command::new(&minisign);
    make.args(["-G", "-s"]).arg(&secret).arg("-p").arg(&public).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut making = make.spawn().unwrap();
    // Asked for twice.
    making.stdin.take().unwrap().write_all(b"correct horse\ncorrect horse\n").unwrap();
    assert!(making.wait().unwrap().success());
    let mut command = xtask(["build-platform", "--locked", "--message-format", "json", "--sign"]);
    command.arg(&secret).arg("--out").arg(folder.path()).env("HUB_SIGN_PASSWORD", "correct horse");
    run(command).expect(0);
    let tarball = folder.path().join("hub-platform-v0.1.0.tar.gz");
    verify(&tarball, &["--key", shown(&public)]).expect(0);
    unpack_into(&tarball, folder.path());
    let mut check = Command::new(&minisign);
    check.arg("-Vm").arg(folder.path().join("releases/0.1.0/RELEASE.json")).arg("-p").arg(&public);
    let said = run(check).expect(0).stdout;
    assert!(said.contains("Trusted comment: hub-platform 0.1.0"), "{said}");
}

#[test]
fn a_secret_key_wants_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("vendor");
    let mut command = xtask(["keygen"]);
    command.arg(&key).env_remove("HUB_SIGN_PASSWORD").stdin(std::process::Stdio::null());
    let refused = run(command).expect(2).stderr;
    assert!(refused.contains("HUB_SIGN_PASSWORD") && refused.contains("--no-password"), "{refused}");
    assert!(!key.exists());
    let mut command = xtask(["keygen"]);
    command.arg(&key).env("HUB_SIGN_PASSWORD", "correct horse");
    run(command).expect(0);
    let mut command = xtask(["build-platform", "--locked", "--sign"]);
    command.arg(&key).env("HUB_SIGN_PASSWORD", "wrong").arg("--out").arg(folder.path());
    let refused = run(command).expect(3).stderr;
    assert!(refused.contains("cannot be opened"), "{refused}");
}
