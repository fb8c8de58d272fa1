//! The web's packages: `npm ci`, run only when a lock or a `package.json` changed. The one use of Node in a build.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use serde_json::Value;

use crate::base::digest::Digest;
use crate::base::failure::{Failure, Machine};
use crate::base::package_json::broken;
use crate::base::write::write_if_changed;

/// File that says what the installed packages were installed from.
const STAMP: &str = "node_modules/.hub-npm-stamp";
/// Oldest Node that the web's packages run on.
const NODE: u32 = 20;

/// What [`ensure`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Fingerprint of the lock and of each `package.json`.
    pub digest: String,
    /// Whether npm had to run.
    pub ran: bool,
}

/// Sees to it that `node_modules` holds what `package-lock.json` says. Scripts of packages are not run: the bundler
/// needs files only, and a build should not execute what a dependency of a dependency brings along.
pub fn ensure(repo: &Path, offline: bool, starting: &mut dyn FnMut()) -> Result<Installed, Failure> {
    let digest = wanted(repo)?;
    if is_installed(repo, &digest) {
        return Ok(Installed { digest, ran: false });
    }
    starting();
    check_node()?;
    install(repo, offline)?;
    let stamp = repo.join(STAMP);
    write_if_changed(&stamp, digest.as_bytes()).map_err(|e| Machine::io("write", &stamp, &e))?;
    Ok(Installed { digest, ran: true })
}

/// Finds out what would keep [`ensure`] from working before anything slow begins: a broken `package.json`, no Node,
/// no npm.
pub fn preflight(repo: &Path) -> Result<(), Failure> {
    let digest = wanted(repo)?;
    if !is_installed(repo, &digest) {
        check_node()?;
        run(Command::new("npm").arg("--version"))?;
    }
    Ok(())
}

/// Fingerprint of what has to be installed.
fn wanted(repo: &Path) -> Result<String, Failure> {
    let lock = repo.join("package-lock.json");
    let mut digest = Digest::new("npm 1");
    digest.add("package-lock.json", &read_own(&lock)?);
    let root = repo.join("package.json");
    let root_text = read_own(&root)?;
    digest.add("package.json", &root_text);
    let workspaces = workspaces(repo, &root, &root_text)?;
    let mut diagnostics = Vec::new();
    for manifest in &workspaces {
        let bytes = fs::read(manifest).map_err(|e| Machine::io("read", manifest, &e))?;
        diagnostics.extend(check_manifest(repo, manifest, &bytes));
        let name = manifest.strip_prefix(repo).unwrap_or(manifest).to_string_lossy().into_owned();
        digest.add(&name, &bytes);
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics.into());
    }
    Ok(digest.finish())
}

fn is_installed(repo: &Path, digest: &str) -> bool {
    fs::read_to_string(repo.join(STAMP)).is_ok_and(|old| old == digest)
}

/// Reads a file that the repository itself must have.
fn read_own(path: &Path) -> Result<Vec<u8>, Machine> {
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Machine::new(
            format!("{} is missing", path.display()),
            "restore it from the repository: `git checkout -- package.json package-lock.json`",
        ),
        _ => Machine::io("read", path, &error),
    })
}

/// The `package.json` of each workspace, sorted; `*` in a workspace's name stands for any one folder.
fn workspaces(repo: &Path, root: &Path, text: &[u8]) -> Result<Vec<PathBuf>, Failure> {
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Err(vec![broken(root, text, &error)].into()),
    };
    let list = match &value["workspaces"] {
        Value::Object(object) => object.get("packages").cloned().unwrap_or_default(),
        other => other.clone(),
    };
    let mut found = Vec::new();
    for pattern in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut folders = vec![repo.to_path_buf()];
        for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
            folders = folders.iter().flat_map(|folder| matching(folder, part)).collect();
        }
        found.extend(
            folders.into_iter().map(|folder| folder.join("package.json")).filter(|file| file.is_file()),
        );
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The folders in `folder` that one part of a pattern stands for.
fn matching(folder: &Path, part: &str) -> Vec<PathBuf> {
    let Some((before, after)) = part.split_once('*') else { return vec![folder.join(part)] };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let fits = |name: &String| {
        name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
            && !name.starts_with('.')
            && name != "node_modules"
    };
    names.filter(fits).map(|name| folder.join(name)).collect()
}

/// What is wrong with a workspace's `package.json`, as far as npm would stumble over it without naming it.
fn check_manifest(repo: &Path, file: &Path, bytes: &[u8]) -> Option<Diagnostic> {
    let diagnostic = match serde_json::from_slice::<Value>(bytes) {
        Err(error) => broken(file, bytes, &error),
        Ok(Value::Object(object)) if object.get("name").is_some_and(Value::is_string) => return None,
        Ok(Value::Object(_)) => Diagnostic::error(codes::PACKAGE_JSON, "package.json has no `name`")
            .at(file, Span::START)
            .help("add \"name\": \"…\", as npm needs it to link the package"),
        Ok(_) => Diagnostic::error(codes::PACKAGE_JSON, "package.json is not a JSON object")
            .at(file, Span::START)
            .help("write { \"name\": \"…\", \"private\": true, \"dependencies\": {} }"),
    };
    let plugin = file.strip_prefix(repo.join("plugins")).ok().and_then(|path| path.iter().next()?.to_str());
    Some(match plugin {
        Some(slug) => diagnostic.plugin(slug),
        None => diagnostic,
    })
}

/// Makes sure that Node is there and young enough.
fn check_node() -> Result<(), Machine> {
    let output = run(Command::new("node").arg("--version"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    match major {
        Some(major) if major < NODE => {
            Err(Machine::new(format!("Node {version} is too old: the web needs Node {NODE} or newer"), HOW))
        }
        _ => Ok(()),
    }
}

/// How to get what is missing.
const HOW: &str = "install Node 20 or newer together with npm: from https://nodejs.org, or with the system's package manager \
                   (`apt install nodejs npm`, `dnf install nodejs npm`)";

/// Runs a program of Node's to its end.
fn run(command: &mut Command) -> Result<Output, Machine> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Machine::new(format!("{program} is not installed (or not on the PATH)"), HOW)
        }
        _ => Machine::new(format!("cannot run {program}: {error}"), HOW),
    })
}

fn install(repo: &Path, offline: bool) -> Result<(), Failure> {
    let mut npm = Command::new("npm");
    npm.current_dir(repo);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--no-progress"]);
    npm.arg(if offline { "--offline" } else { "--prefer-offline" });
    // `omit=dev` from the environment would leave out packages that the lock names.
    npm.env_remove("NODE_ENV").env_remove("npm_config_omit").env_remove("npm_config_production");
    let output = run(&mut npm)?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    Err(explain(repo, &said))
}

/// Why `npm ci` failed.
fn explain(repo: &Path, said: &str) -> Failure {
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if has(&["EUSAGE", "can only install packages when your package.json and package-lock.json"]) {
        let missing: Vec<&str> = said
            .lines()
            .filter_map(|l| l.trim_start_matches("npm error ").trim().strip_prefix("Missing: "))
            .collect();
        let what = match missing.first() {
            Some(first) => {
                format!(
                    "package-lock.json does not match the package.json files: it lacks {}",
                    first.trim_end_matches(" from lock file")
                )
            }
            None => "package-lock.json does not match the package.json files".to_string(),
        };
        return vec![
            Diagnostic::error(codes::PACKAGE_LOCK, what)
                .at(repo.join("package-lock.json"), Span::START)
                .help("run `npm install` in the repository and commit package-lock.json"),
        ]
        .into();
    }
    let machine = if has(&["ENOTCACHED"]) {
        Machine::new(
            "an npm package is neither on this machine nor may it be downloaded (offline)",
            "run `cargo xtask fetch` where there is a network, then build again",
        )
    } else if has(&["ENOSPC"]) {
        Machine::new("the disk is full", "free some space for node_modules")
    } else if has(&["EACCES", "EPERM", "EROFS"]) {
        Machine::new(
            "npm may not write node_modules",
            "give the user who builds write access to the repository's folder",
        )
    } else if has(&[
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ERR_SOCKET_TIMEOUT",
        "network",
    ]) {
        Machine::new(
            "npm cannot download packages",
            "check the network, the proxy (HTTPS_PROXY) and npm's registry setting; then build again",
        )
    } else {
        Machine::new("`npm ci` failed", "run `npm ci` in the repository to see more")
    };
    let said: Vec<&str> = said.lines().filter(|line| !line.contains("A complete log of this run")).collect();
    machine.details(said.join("\n").trim()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn errors(failure: Failure) -> String {
        match failure {
            Failure::Machine(machine) => machine.to_string(),
            Failure::Plugin(findings) => findings
                .iter()
                .map(|f| {
                    let d = &f.diagnostic;
                    format!(
                        "{} [{}] {}:{} {}",
                        d.code,
                        d.plugin.as_deref().unwrap_or("-"),
                        d.span.line,
                        d.span.column,
                        d.message
                    )
                })
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    const ROOT: (&str, &str) =
        ("package.json", r#"{"name":"root","private":true,"workspaces":["shell","plugins/*/frontend"]}"#);

    #[test]
    fn broken_manifests_are_told_before_npm_runs() {
        let dir = repo(&[
            ROOT,
            ("package-lock.json", "{}"),
            ("shell/package.json", r#"{"name":"shell"}"#),
            ("plugins/crm/frontend/package.json", "{\n  \"name\": \"crm\",\n}"),
            ("plugins/finance/frontend/package.json", "[]"),
            ("plugins/health/frontend/package.json", "{}"),
            ("plugins/none/frontend/src/x.ts", ""),
        ]);
        let failure = ensure(dir.path(), true, &mut || panic!("npm must not run")).unwrap_err();
        insta::assert_snapshot!(errors(failure), @"
        HUB067 [crm] 3:1 package.json is not valid JSON: trailing comma
        HUB067 [finance] 1:1 package.json is not a JSON object
        HUB067 [health] 1:1 package.json has no `name`
        ");
    }

    #[test]
    fn npm_runs_only_when_something_changed() {
        let lock = r#"{"name":"root","lockfileVersion":3,"requires":true,"packages":{
            "":{"name":"root","workspaces":["shell","plugins/*/frontend"]},
            "node_modules/shell":{"resolved":"shell","link":true},"shell":{"name":"shell"}}}"#;
        let dir = repo(&[ROOT, ("package-lock.json", lock), ("shell/package.json", r#"{"name":"shell"}"#)]);
        let first = ensure(dir.path(), true, &mut || {}).unwrap();
        assert!(first.ran);
        assert!(dir.path().join("node_modules/shell").exists());
        let second = ensure(dir.path(), true, &mut || panic!("npm must not run")).unwrap();
        assert_eq!((second.ran, &second.digest), (false, &first.digest));

        // A workspace that the lock does not know.
        fs::create_dir_all(dir.path().join("plugins/crm/frontend")).unwrap();
        fs::write(
            dir.path().join("plugins/crm/frontend/package.json"),
            r#"{"name":"crm","version":"1.0.0"}"#,
        )
        .unwrap();
        let failure = ensure(dir.path(), true, &mut || {}).unwrap_err();
        insta::assert_snapshot!(errors(failure), @"HUB068 [-] 1:1 package-lock.json does not match the package.json files: it lacks crm@1.0.0");
    }

    #[test]
    fn the_cause_of_a_failed_install_is_named() {
        let of = |said: &str| errors(explain(Path::new("/repo"), said)).lines().next().unwrap().to_string();
        assert_eq!(
            of("npm error code ENOTFOUND\nnpm error network request failed"),
            "npm cannot download packages"
        );
        assert_eq!(of("npm error code ENOSPC"), "the disk is full");
        assert_eq!(of("npm error code EWHATEVER"), "`npm ci` failed");
    }
}
