//! The committed JSON Schemas say of a manifest what the parser says: `tests/schemas/validate.py` compares them, with the
//! validator that comes with dbt's Python environment.

use std::process::Command;

use hub_tests::xtask::{prepared, repo, run};

#[test]
fn schemas_and_parser_agree() {
    let Some(dbt) = prepared("HUB_DBT") else { return };
    let mut command = Command::new(dbt.with_file_name("python"));
    command.arg(repo().join("tests/schemas/validate.py")).arg(repo());
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
}
