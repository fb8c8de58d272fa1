//! The committed example of a generated host is what the repository's own plugins give today.

use hub_tests::xtask::{run, xtask};

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
