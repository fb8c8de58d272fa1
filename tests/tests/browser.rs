//! A real browser over the running release: what an admin sees. The steps are in `tests/browser/e2e.mjs`; the test
//! command names the browser in `HUB_BROWSER` and installs the packages.

use std::path::PathBuf;
use std::process::Command;

use hub_tests::host::{ADMIN, Host, PASSWORD};
use hub_tests::release::Built;
use hub_tests::xtask::{prepared, repo, run, target};

#[test]
fn the_page_shows_what_the_plugins_contribute() {
    let Some(browser) = prepared("HUB_BROWSER") else { return };
    let installed = Built::shared().unpack();
    // Every plugin is off: switching them on is a step of the test.
    let host = Host::start_with(&installed.release(), |_| {});

    // The same platform with one plugin more, whose overrides throw.
    let fixtures = repo().join("tests/browser/fixtures/plugins");
    let plugins = repo().join("plugins");
    let with_throwing =
        Built::new(&["--plugins", &plugins.to_string_lossy(), "--plugins", &fixtures.to_string_lossy()]);
    let throwing_installed = with_throwing.unpack();
    let throwing = Host::start(&throwing_installed.release());

    let screenshots = screenshots();
    let mut command = Command::new("node");
    command.arg("e2e.mjs").arg(&host.url).arg(&screenshots).arg(&throwing.url);
    command.current_dir(repo().join("tests/browser")).env("CHROMIUM", browser);
    command.env("HUB_ADMIN_EMAIL", ADMIN).env("HUB_ADMIN_PASSWORD", PASSWORD);
    let ran = run(command);
    println!("{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.lines().filter(|line| line.starts_with("ok ")).count() >= 10, "{}", ran.stdout);
    assert!(screenshots.join("dashboard.png").is_file());
}

/// Where the pictures go: beside the other output of builds, so that people can look at them.
fn screenshots() -> PathBuf {
    let folder = target().join("test/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    folder
}
