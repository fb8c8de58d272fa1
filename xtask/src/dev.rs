//! `cargo xtask dev`: builds, serves, and does both again on every change.
//!
//! The served folder is a release that was never packed. The host restarts only when it was compiled anew or its data
//! changed; a change of the web shell or of a component reloads the page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hub_codegen::base::digest::{FileCache, sha256_hex};
use hub_codegen::base::failure::Failure;
use hub_codegen::compile::Profile;
use hub_codegen::pipeline::{BuildOptions, Built, Inputs, Repo, build, install};
use hub_manifest::environment;

use crate::Outcome;
use crate::check::{plan, roots};
use crate::cli::{CheckArgs, DevArgs};
use crate::progress::{Display, seconds};
use crate::report::Report;
use crate::watch::{channel, next, watch};

/// How long the disk must be quiet before a build starts: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(60);
/// The list of override chains, in a release.
const OVERRIDES: &str = "overrides.manifest.json";

/// Runs `dev` until it is interrupted.
pub fn run(args: &DevArgs) -> Outcome {
    let repo = Repo::find();
    let check = CheckArgs { plugins: args.plugins.clone(), ..CheckArgs::default() };
    let folder = repo.output(Profile::Dev);
    let data = args.data_dir.clone().unwrap_or_else(|| folder.join("data"));
    let mut server = Server {
        install: folder.join("install"),
        data,
        listen: args.listen.to_string(),
        child: None,
        serving: String::new(),
    };
    let inputs = Inputs::new(&repo.root, &roots(&repo, &args.plugins));
    let (sender, receiver) = channel();
    let folders = inputs.watched();
    let _watch = match watch(&folders, sender, move |path| inputs.counts(path)) {
        Ok(watch) => watch,
        Err(error) => {
            eprintln!("error: cannot watch for changes: {error}");
            return Outcome::Machine;
        }
    };
    loop {
        let begun = Instant::now();
        if let Some(built) = attempt(&repo, &check) {
            match server.serve(&built) {
                Ok(what) => {
                    eprintln!("{what} in {}: http://{}", seconds(begun.elapsed()), args.listen);
                    if what == SERVED {
                        eprintln!(
                            "sign in as {DEV_EMAIL} with the password `{DEV_PASSWORD}`; every plugin is on"
                        );
                    }
                }
                Err(error) => {
                    eprintln!("error: cannot serve: {error}");
                    return Outcome::Machine;
                }
            }
        } else if server.child.is_some() {
            eprintln!("the last good build is still served: http://{}", args.listen);
        }
        // What came while building is part of the next build.
        match next(&receiver, QUIET, Duration::MAX) {
            Some((_, changes)) if !changes.stop => {}
            _ => return Outcome::Done,
        }
    }
}

/// One build; nothing where it failed, with the reason printed.
fn attempt(repo: &Repo, check: &CheckArgs) -> Option<Built> {
    let mut report = Report::new(check);
    let front = plan(repo, check, &repo.version, false, &mut report).ok()?;
    if report.stops(false) {
        report.finish("");
        return None;
    }
    let _lock = match repo.lock(Profile::Dev, || eprintln!("waiting for another build to end")) {
        Ok(lock) => lock,
        Err(machine) => {
            report.machine(&machine);
            return None;
        }
    };
    let display = Display::new(true);
    let mut cache = FileCache::open(&repo.output(Profile::Dev).join("files.json"));
    let options = BuildOptions { profile: Profile::Dev, locked: false, offline: false, packages: &[] };
    match build(repo, &front, options, &mut cache, &display) {
        Ok(built) => {
            let _ = cache.save();
            report.add(built.findings.clone());
            report.finish("");
            Some(built)
        }
        Err(Failure::Plugin(findings)) => {
            report.add(findings);
            report.finish("");
            None
        }
        Err(Failure::Machine(machine)) => {
            report.machine(&machine);
            None
        }
    }
}

/// What the host knows of the overrides: the chains, without the assets that a bundle made of them.
fn chains(manifest: &Path) -> std::io::Result<Vec<u8>> {
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest)?)?;
    let keys = manifest["keys"].as_object_mut().into_iter().flatten();
    for claim in
        keys.filter_map(|(_, chain)| chain.as_array_mut()).flatten().filter_map(|claim| claim.as_object_mut())
    {
        claim.remove("chunk");
        claim.remove("css");
    }
    Ok(manifest.to_string().into_bytes())
}

/// What was done where the host was started.
const SERVED: &str = "served";

/// Who signs in while plugins are worked on, in a database that holds nothing else.
const DEV_EMAIL: &str = "dev@localhost";
const DEV_PASSWORD: &str = "development";

/// The host that is being served.
struct Server {
    install: PathBuf,
    data: PathBuf,
    listen: String,
    child: Option<Child>,
    /// Fingerprint of what the running host was started with.
    serving: String,
}

impl Server {
    /// Puts a build in place; restarts the host or reloads the page, whichever the change calls for.
    fn serve(&mut self, built: &Built) -> std::io::Result<&'static str> {
        let changed = install(built, &self.install, &[".reload"])?;
        let unread = |path: &Path| {
            path.starts_with("web") || path == Path::new("bin/hub-platform") || path == Path::new(OVERRIDES)
        };
        let data_changed = changed.iter().any(|path| !unread(path));
        let serving = sha256_hex(&[fs::read(&built.host)?, chains(&self.install.join(OVERRIDES))?].concat());
        let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || data_changed || serving != self.serving {
            self.stop();
            fs::create_dir_all(&self.data)?;
            let mut command = Command::new(&built.host);
            command.args(["serve", "--dev", "--listen", &self.listen]);
            command.env(environment::INSTALL_DIR, &self.install).env(environment::DATA_DIR, &self.data);
            command
                .env(environment::HUB_ADMIN_EMAIL, DEV_EMAIL)
                .env(environment::HUB_ADMIN_PASSWORD, DEV_PASSWORD);
            self.child = Some(command.spawn()?);
            self.serving = serving;
            self.reload()?;
            return Ok(SERVED);
        }
        if changed.is_empty() {
            return Ok("nothing to do");
        }
        self.reload()?;
        Ok("page reloaded")
    }

    /// Tells open pages to load again: the host watches this file.
    fn reload(&self) -> std::io::Result<()> {
        let stamp = self.install.join("web/.reload");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        fs::write(stamp, now.as_nanos().to_string())
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A development database needs no farewell: SQLite keeps its word when a process is killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
