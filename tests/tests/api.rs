//! The API against its own description: Schemathesis sends what the description allows, and more; no answer may be an
//! error of the server's, or one that the description does not know. The test command names it in `HUB_SCHEMATHESIS`.

use std::process::Command;

use hub_tests::host::Host;
use hub_tests::release::Built;
use hub_tests::xtask::{prepared, run};

/// Requests that would end the session, and streams that never end.
const LEFT_OUT: &str = "^/api/auth/(logout|password)$|/events$";

#[test]
fn every_answer_is_one_that_the_description_knows() {
    let Some(schemathesis) = prepared("HUB_SCHEMATHESIS") else { return };
    let installed = Built::shared().unpack();
    let host = Host::start(&installed.release());
    let work = tempfile::tempdir().expect("a temporary folder");
    // A longer search is asked for with another number; each operation gets so many requests and those of the edge cases.
    let examples = std::env::var("HUB_EXAMPLES").unwrap_or_else(|_| "10".to_owned());
    let mut command = Command::new(schemathesis);
    command.arg("run").arg(format!("{}/api/openapi.json", host.url));
    command.args([
        "--header",
        &format!("Authorization: {}", host.bearer()),
        "--seed",
        "1",
        "--max-examples",
        &examples,
    ]);
    command.args(["--phases", "coverage,fuzzing", "--continue-on-failure", "--checks"]);
    command.arg(
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    );
    command.args(["--exclude-path-regex", LEFT_OUT]);
    command.current_dir(work.path());
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{}\n{}\n{}", ran.stdout, ran.stderr, host.log());
    assert!(ran.stdout.contains(" passed"), "{}", ran.stdout);
    assert_eq!(host.get("/api/health").status, 200);
}
