//! `cargo xtask test`: everything the project checks, one step after the other, the end-to-end tests last.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use hub_codegen::pipeline::{Profile, Repo};
use hub_codegen::{compile, npm, scaffold};
use toml_edit::DocumentMut;

use crate::Outcome;
use crate::audit;
use crate::cli::{AuditArgs, TestArgs};
use crate::progress::seconds;

/// Where browsers are looked for, after what `CHROMIUM` names.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Says to the end-to-end tests that those which take long are wanted.
const LONG: &str = "HUB_LONG";

/// What this machine has beyond Rust.
struct Machine {
    rustfmt: bool,
    npm: bool,
    python: bool,
    postgres: bool,
    mariadb: bool,
    pgbouncer: bool,
    smtp: bool,
    wrk: bool,
    /// Programs that read what the build wrote.
    containers: bool,
    systemd: bool,
    strace: Option<PathBuf>,
    minisign: Option<PathBuf>,
    browser: Option<PathBuf>,
}

impl Machine {
    fn look() -> Machine {
        Machine {
            rustfmt: answers("cargo", &["fmt", "--version"]),
            npm: answers("npm", &["--version"]),
            python: answers("python3", &["-c", "import venv, ensurepip"]),
            postgres: postgres(),
            mariadb: ["/usr/sbin/mariadbd", "/usr/bin/mariadbd"].iter().any(|path| Path::new(path).is_file()),
            pgbouncer: in_path(&["pgbouncer"]).is_some() || Path::new("/usr/sbin/pgbouncer").is_file(),
            smtp: answers("/usr/bin/python3", &["-c", "import aiosmtpd"]),
            wrk: answers("sh", &["-c", "command -v wrk"]),
            containers: ["skopeo", "umoci"].iter().all(|program| answers(program, &["--version"])),
            systemd: answers("systemd-analyze", &["--version"]),
            strace: in_path(&["strace"]),
            minisign: in_path(&["minisign"]),
            browser: browser(),
        }
    }

    /// What is missing: what it is needed for, and how to get it.
    fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let mut missing = Vec::new();
        let mut need = |there: bool, what, how| {
            if !there {
                missing.push((what, how));
            }
        };
        need(self.rustfmt, "the check of the formatting", "`rustup component add rustfmt`");
        need(
            self.npm,
            "the web shell, and with it every end-to-end test",
            "install Node.js 20 or newer with npm",
        );
        need(
            self.python,
            "the tests of the dbt projects, of the API's description, of the Helm chart and of the bill of materials",
            "install Python 3 with venv (Debian: python3-venv)",
        );
        need(
            self.postgres,
            "the host on PostgreSQL, its database for more than one machine",
            "install PostgreSQL's server (Debian: postgresql)",
        );
        need(
            self.mariadb,
            "the connectors to MySQL and MariaDB against a real server",
            "install MariaDB's server (Debian: mariadb-server)",
        );
        need(self.pgbouncer, "a host behind a pooler", "install PgBouncer (Debian: pgbouncer)");
        need(
            self.smtp,
            "invitations by mail, with a real mail server",
            "install aiosmtpd (Debian: python3-aiosmtpd)",
        );
        need(self.wrk, "a hand-over under the load of wrk", "install wrk (Debian: wrk)");
        need(
            self.containers,
            "the container image, as other programs read it",
            "install skopeo and umoci (Debian: skopeo, umoci)",
        );
        need(
            self.systemd,
            "the systemd unit, as systemd reads it",
            "install systemd-analyze (Debian: systemd)",
        );
        need(
            self.strace.is_some(),
            "upgrades that are cut off at a system call",
            "install strace (Debian: strace)",
        );
        need(
            self.minisign.is_some(),
            "signatures, as minisign itself reads them",
            "install minisign (Debian: minisign)",
        );
        need(
            self.browser.is_some(),
            "the browser tests",
            "install Chromium (Debian: chromium), or name a browser in CHROMIUM",
        );
        missing
    }
}

/// Runs all steps and says first which are skipped; stops at the first that fails.
pub fn run(args: &TestArgs) -> Outcome {
    let repo = Repo::find();
    let machine = Machine::look();
    let missing = machine.missing();
    for (what, how) in &missing {
        eprintln!("skipped: {what}; to run it: {how}");
    }
    if args.require_all && !missing.is_empty() {
        eprintln!("error: with --require-all nothing may be skipped");
        return Outcome::Machine;
    }
    let begun = Instant::now();
    let wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|word| name.contains(word.as_str()));
    for (name, step) in steps(&repo, &machine, args).into_iter().filter(|(name, _)| wanted(name)) {
        // Said before a step, not after it: the last lines are the test runner's own.
        eprintln!("\n== {name} (after {})", seconds(begun.elapsed()));
        if let Err(problem) = step() {
            eprintln!("== {name}: {problem}");
            return Outcome::Failed;
        }
    }
    Outcome::Done
}

type Step<'a> = (&'static str, Box<dyn Fn() -> Result<(), String> + 'a>);

fn steps<'a>(repo: &'a Repo, machine: &'a Machine, args: &TestArgs) -> Vec<Step<'a>> {
    let (long, require_all) = (args.long, args.require_all);
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut add = |wanted: bool, name, step: Box<dyn Fn() -> Result<(), String> + 'a>| {
        if wanted {
            steps.push((name, step));
        }
    };
    add(machine.rustfmt, "formatting", Box::new(|| cargo(repo, &["fmt", "--all", "--check"])));
    add(machine.npm, "npm packages", Box::new(|| npm_packages(repo)));
    add(
        machine.npm,
        "types of the web shell",
        Box::new(|| run_in(&repo.root, "npm", &["run", "--silent", "typecheck"])),
    );
    add(machine.npm, "types of the plugins", Box::new(|| types_of_plugins(repo)));
    add(
        machine.npm,
        "tests of the web shell",
        Box::new(|| run_in(&repo.root, "npm", &["run", "--silent", "test"])),
    );
    add(machine.python, "Python environment with Helm", Box::new(|| python_environment(repo, &HELM)));
    add(true, "terms and sources of the crates", Box::new(move || terms(repo, require_all)));
    add(true, "build stages", Box::new(|| build_stages(repo, machine)));
    add(true, "bundle stage", Box::new(|| cargo(repo, &["test", "-p", "hub-bundle"])));
    add(true, "host", Box::new(|| host(repo, machine)));
    let plugins = ["--manifest-path", "plugins/Cargo.toml", "--workspace"];
    add(true, "plugins and the golden host", Box::new(move || like_the_host(repo, &plugins, &[])));
    add(true, "a new plugin's own tests", Box::new(|| new_plugin(repo)));
    add(machine.python, "dbt projects", Box::new(|| dbt_projects(repo)));
    add(machine.python, "Python environment with dbt", Box::new(|| python_environment(repo, &DBT)));
    add(
        machine.python,
        "Python environment with Schemathesis",
        Box::new(|| python_environment(repo, &SCHEMATHESIS)),
    );
    add(
        machine.python,
        "Python environment with CycloneDX's schemas",
        Box::new(|| python_environment(repo, &CYCLONEDX)),
    );
    add(
        machine.browser.is_some() && machine.npm,
        "npm packages of the browser tests",
        Box::new(|| {
            run_in(
                &repo.root.join("tests/browser"),
                "npm",
                &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            )
        }),
    );
    add(machine.npm, "end to end", Box::new(move || end_to_end(repo, machine, long)));
    steps
}

/// Tests of the build tool itself.
fn build_stages(repo: &Repo, machine: &Machine) -> Result<(), String> {
    let mut command = Command::new(cargo_program());
    command.args(["test", "-p", "hub-manifest", "-p", "hub-codegen", "-p", "hub-fuzz", "-p", "xtask"]);
    command.current_dir(&repo.root).env_remove("HUB_HELM");
    if machine.python {
        command.env("HUB_HELM", HELM.program(repo));
    }
    pass(command)
}

fn cargo(repo: &Repo, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(cargo_program());
    command.args(arguments).current_dir(&repo.root);
    pass(command)
}

/// Tests of what is linked into the host run in the host's own profile, target and flags: its dependencies are the same
/// builds as the product's, compiled once.
fn like_the_host(repo: &Repo, arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let mut command = Command::new(cargo_program());
    command.args(["test", "--release", "--target", compile::TARGET, "--target-dir"]).arg(&repo.target);
    command.args(arguments).current_dir(&repo.root);
    let staged = repo.output(Profile::Release).join("src");
    command.env("CARGO_ENCODED_RUSTFLAGS", compile::rustflags(&staged, &repo.target));
    command.env_remove("RUSTFLAGS").envs(environment.iter().copied());
    pass(command)
}

/// A plugin as `new-plugin` makes it passes the tests that it comes with, as a crate by itself. It is given the versions
/// and the profile of the plugins' workspace, so that all it depends on is built already.
fn new_plugin(repo: &Repo) -> Result<(), String> {
    let root = repo.target.join("test/new-plugin");
    let told = |error: std::io::Error| format!("cannot make {}: {error}", root.display());
    if root.exists() {
        fs::remove_dir_all(&root).map_err(told)?;
    }
    let made = scaffold::new_plugin(&repo.root, &root, "patient-flow");
    made.map_err(|error| format!("no plugin was made: {error:?}"))?;
    let (plugins, backend) = (repo.root.join("plugins"), root.join("patient-flow/backend"));
    fs::copy(plugins.join("Cargo.lock"), backend.join("Cargo.lock")).map_err(told)?;
    let text = fs::read_to_string(plugins.join("Cargo.toml")).map_err(told)?;
    let mut settings: DocumentMut = text.parse().map_err(|error| format!("plugins/Cargo.toml: {error}"))?;
    settings.as_table_mut().retain(|key, _| key == "profile");
    let profile = root.join("profile.toml");
    fs::write(&profile, settings.to_string()).map_err(told)?;
    let (profile, manifest) = (profile.to_string_lossy(), backend.join("Cargo.toml"));
    let arguments = ["--offline", "--config", &profile, "--manifest-path", &manifest.to_string_lossy()];
    like_the_host(repo, &arguments, &[])
}

/// Tests of the runtime and its macros. Cargo names a build after the crate's place in its workspace, and the staged
/// workspace has the repository's layout: without a setting of their own, these builds and the staged ones would take each
/// other for their own. Assertions are what tests are for, so they are that setting.
fn host(repo: &Repo, machine: &Machine) -> Result<(), String> {
    let checked = ["hub-host", "hub-macros", "hub-manifest"]
        .map(|name| format!("profile.release.package.{name}.debug-assertions=true"));
    let settings = checked.iter().flat_map(|setting| ["--config", setting.as_str()]);
    let packages = ["-p", "hub-host", "-p", "hub-macros"];
    let required = [
        (machine.postgres, "HUB_REQUIRE_POSTGRES"),
        (machine.mariadb, "HUB_REQUIRE_MARIADB"),
        (machine.pgbouncer, "HUB_REQUIRE_PGBOUNCER"),
        (machine.python, "HUB_REQUIRE_PYPI"),
        (machine.smtp, "HUB_REQUIRE_SMTP"),
    ];
    let required: Vec<(&str, &str)> =
        required.into_iter().filter(|(there, _)| *there).map(|(_, name)| (name, "1")).collect();
    like_the_host(repo, &settings.chain(packages).collect::<Vec<_>>(), &required)
}

/// TypeScript's checker over the plugins.
fn types_of_plugins(repo: &Repo) -> Result<(), String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["check", "--types", "--deny-warnings"]).current_dir(&repo.root);
    pass(command)
}

/// What `deny.toml` says of terms, bans and sources. Without cargo-deny it is left out, unless nothing may be.
fn terms(repo: &Repo, require_all: bool) -> Result<(), String> {
    if let Err(lack) = audit::cargo_deny(repo) {
        if require_all {
            return Err(lack.to_string());
        }
        eprintln!("skipped: the terms and sources of the crates; {lack}");
        return Ok(());
    }
    match audit::run(&AuditArgs { no_advisories: true, ..AuditArgs::default() }) {
        Outcome::Done => Ok(()),
        _ => Err("deny.toml forbids something that is used".to_string()),
    }
}

fn npm_packages(repo: &Repo) -> Result<(), String> {
    npm::ensure(&repo.root, false, &mut || {}).map(|_| ()).map_err(|failure| format!("{failure:?}"))
}

/// dbt's parser over the projects of all plugins, and of the sample that new ones are made of.
fn dbt_projects(repo: &Repo) -> Result<(), String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["check", "--dbt", "--deny-warnings"]);
    command.args(["--plugins", "plugins", "--plugins", "host-template/scaffold"]).current_dir(&repo.root);
    pass(command)
}

/// A Python environment that tests run a program of.
struct Python {
    /// Below the target folder.
    folder: &'static str,
    /// Below the repository's root.
    requirements: &'static str,
    program: &'static str,
}

const DBT: Python =
    Python { folder: "test/python", requirements: "tests/dbt/requirements.txt", program: "bin/dbt" };
const SCHEMATHESIS: Python = Python {
    folder: "test/schemathesis",
    requirements: "tests/api/requirements.txt",
    program: "bin/schemathesis",
};
/// The validator of bills of materials.
const CYCLONEDX: Python =
    Python { folder: "test/cyclonedx", requirements: "tests/sbom/requirements.txt", program: "bin/python" };

const HELM: Python =
    Python { folder: "test/helm", requirements: "tests/helm/requirements.txt", program: "bin/helm" };

impl Python {
    fn program(&self, repo: &Repo) -> OsString {
        repo.target.join(self.folder).join(self.program).into()
    }
}

fn python_environment(repo: &Repo, python: &Python) -> Result<(), String> {
    let folder = repo.target.join(python.folder);
    let requirements = repo.root.join(python.requirements);
    let text = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let stamp = folder.join("requirements.stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    let path = folder.to_string_lossy().into_owned();
    run_in(&repo.root, "python3", &["-m", "venv", "--clear", &path])?;
    let pip = folder.join("bin/python");
    let mut install = Command::new(pip);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements);
    pass(install)?;
    std::fs::write(&stamp, text).map_err(|error| error.to_string())
}

fn end_to_end(repo: &Repo, machine: &Machine, long: bool) -> Result<(), String> {
    let mut command = Command::new(cargo_program());
    command.args(["test", "-p", "hub-tests"]).current_dir(&repo.root);
    command.env("HUB_XTASK", std::env::current_exe().map_err(|error| error.to_string())?);
    let set: [(&str, Option<OsString>); 8] = [
        ("HUB_BROWSER", machine.browser.as_ref().map(|path| path.into())),
        (LONG, long.then(|| "1".into())),
        ("HUB_STRACE", machine.strace.as_ref().map(|path| path.into())),
        ("HUB_MINISIGN", machine.minisign.as_ref().map(|path| path.into())),
        ("HUB_HELM", machine.python.then(|| HELM.program(repo))),
        ("HUB_CYCLONEDX", machine.python.then(|| CYCLONEDX.program(repo))),
        ("HUB_DBT", machine.python.then(|| DBT.program(repo))),
        ("HUB_SCHEMATHESIS", machine.python.then(|| SCHEMATHESIS.program(repo))),
    ];
    for (name, value) in set {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    pass(command)
}

fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    pass(command)
}

fn pass(mut command: Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?} failed ({status})", command.get_program())),
        Err(error) => Err(format!("cannot start {:?}: {error}", command.get_program())),
    }
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Debian keeps the server's programs in folders of their own.
fn postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let folders = versions.map(|version| version.path().join("bin")).chain(std::env::split_paths(&in_path));
    folders.into_iter().any(|folder| folder.join("initdb").is_file() && folder.join("psql").is_file())
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named));
    }
    in_path(BROWSERS)
}

/// The first program of these names in `PATH`.
fn in_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|path| path.is_file())
}
