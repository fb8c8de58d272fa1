//! After `fetch` a release is built without a network, in a namespace that has none. What is compiled already is not compiled
//! again; `reproducible.rs` does that, without a network too.

use std::process::Command;

use hub_tests::xtask::{run, skip, xtask};

#[test]
fn a_build_needs_no_network_after_fetch() {
    let mut tried = Command::new("unshare");
    tried.args(["--net", "--map-root-user", "true"]);
    if run(tried).code != Some(0) {
        return skip("this machine allows no network namespaces (unshare --net --map-root-user)");
    }
    run(xtask(["fetch"])).expect(0);
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut without = Command::new("unshare");
    without.args(["--net", "--map-root-user"]);
    let build = xtask(["build-platform", "--locked", "--offline", "--out"]);
    without.arg(build.get_program()).args(build.get_args()).arg(out.path());
    without.current_dir(hub_tests::xtask::repo()).env("NO_COLOR", "1").env("CARGO_NET_OFFLINE", "true");
    run(without).expect(0);
}
