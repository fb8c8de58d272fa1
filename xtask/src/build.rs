//! `cargo xtask build-platform`: the whole line, from plugin folders to one tarball.

use std::path::{Path, PathBuf};

use hub_codegen::base::digest::FileCache;
use hub_codegen::base::failure::{Failure, Machine};
use hub_codegen::compile::Profile;
use hub_codegen::pack::inventory::lock::{HubLock, NAME};
use hub_codegen::pack::inventory::{self, planned};
use hub_codegen::pack::sign::Signer;
use hub_codegen::pack::{Packed, Sign, chart, image};
use hub_codegen::pipeline::{BuildOptions, Front, Progress, Repo, build, pack};
use hub_manifest::environment;

use crate::Outcome;
use crate::check::plan;
use crate::cli::{self, BuildArgs, MessageFormat};
use crate::progress::Display;
use crate::report::Report;

/// Runs `build-platform`.
pub fn run(args: &BuildArgs) -> Outcome {
    let report = Report::new(&args.check);
    // Opened before anything is built, as its password may be wrong.
    match args.sign.as_deref().map(Signer::open).transpose() {
        Ok(signer) => run_signed(args, signer.as_ref().map(|signer| signer as &dyn Sign), report),
        Err(machine) => report.machine(&machine),
    }
}

/// The same with a signature of any origin.
pub fn run_signed(args: &BuildArgs, sign: Option<&dyn Sign>, mut report: Report) -> Outcome {
    let repo = Repo::find();
    let display = Display::new(args.check.message_format != MessageFormat::Human);
    display.begin("check");
    let version = args.version.as_deref().unwrap_or(&repo.version);
    let front = plan(&repo, &args.check, version, args.keep_going, &mut report);
    let front = match front {
        Ok(front) => front,
        Err(outcome) => return outcome,
    };
    display.end("check", &format!("{} vertical plugins", front.resolved.plugins));
    if report.stops(args.keep_going) {
        return report.finish("");
    }
    let profile = profile(args.profile);
    let _lock = match repo.lock(profile, || eprintln!("waiting for another build to end")) {
        Ok(lock) => lock,
        Err(machine) => return report.machine(&machine),
    };
    let mut cache = FileCache::open(&repo.output(profile).join("files.json"));
    let lock = match HubLock::open(hub_lock(&repo, args), args.locked) {
        Ok(lock) => lock,
        Err(failure) => return stopped(report, failure),
    };
    let planned = planned(&repo.root, &repo.version, &front.resolved, &front.loaded, &mut cache);
    let planned = planned.map_err(Failure::from);
    let planned = match planned.and_then(|planned| lock.allows(planned)) {
        Ok(planned) => planned,
        Err(failure) => return stopped(report, failure),
    };
    let options =
        BuildOptions { profile, locked: args.locked, offline: args.offline, packages: lock.packages() };
    let built = match build(&repo, &front, options, &mut cache, &display) {
        Ok(built) => built,
        Err(failure) => return stopped(report, failure),
    };
    report.add(built.findings.clone());
    if report.stops(args.keep_going) {
        return report.finish("");
    }
    let staged = repo.output(profile).join("src");
    let crates = &front.resolved.plan.crates;
    let whole = inventory::built(&repo.root, &staged, crates, &built.graph, &built.routes, planned);
    let whole = whole.map_err(Failure::from);
    let whole = match whole.and_then(|whole| lock.permits(whole)) {
        Ok(whole) => whole,
        Err(failure) => return stopped(report, failure),
    };
    let out = args.out.clone().unwrap_or_else(|| repo.root.join("dist"));
    let packed = match pack(&repo, &built, &whole, profile, &out, sign, &mut cache, &display) {
        Ok(packed) => packed,
        Err(machine) => return report.machine(&machine),
    };
    let also = match also(&repo, &front, &packed, args, &out, &display) {
        Ok(also) => also,
        Err(machine) => return report.machine(&machine),
    };
    // The cache only saves time: where it cannot be written, files are hashed again.
    let _ = cache.save();
    // Last of all: a build that fails leaves the lock as it was.
    let changes = match lock.update(&whole) {
        Ok(changes) => changes,
        Err(machine) => return report.machine(&machine),
    };
    report.changes(&changes);
    report.artifact(&packed.path, &packed.sha256);
    let mut told = summary(&packed);
    for (kind, made) in &also {
        report.also(kind, made);
        told.push_str(&format!("\n{}", summary(made)));
    }
    report.finish(&told)
}

/// What the command line asks for beside the tarball.
fn also(
    repo: &Repo,
    front: &Front,
    packed: &Packed,
    args: &BuildArgs,
    out: &Path,
    progress: &dyn Progress,
) -> Result<Vec<(&'static str, Packed)>, Machine> {
    let plan = &front.resolved.plan.host;
    let mut made = Vec::new();
    if args.image {
        progress.begin("image");
        // Said by whoever builds: a tarball of the sources has no commit, and is to give the same image.
        let revision = std::env::var(environment::HUB_REVISION).ok().filter(|text| !text.is_empty());
        let job =
            image::Job { tarball: &packed.path, version: &plan.version, revision: revision.as_deref(), out };
        let image = image::write(&job);
        progress.end("image", if image.is_ok() { "" } else { "failed" });
        made.push(("image", image?));
    }
    if args.chart {
        made.push(("chart", chart::write(&chart::Job { repo: &repo.root, plan, out })?));
    }
    Ok(made)
}

/// Ends the command with what stopped a stage.
pub fn stopped(mut report: Report, failure: Failure) -> Outcome {
    match failure {
        Failure::Plugin(findings) => {
            report.add(findings);
            report.finish("")
        }
        Failure::Machine(machine) => report.machine(&machine),
    }
}

/// The lock that the build is held against. That of the repository speaks of the repository's plugins alone.
fn hub_lock(repo: &Repo, args: &BuildArgs) -> Option<PathBuf> {
    let own = args.check.plugins.is_empty().then(|| repo.root.join(NAME));
    args.lock.clone().or(own)
}

/// The profile that is meant by the one typed.
pub fn profile(typed: cli::Profile) -> Profile {
    match typed {
        cli::Profile::Release => Profile::Release,
        cli::Profile::Dev => Profile::Dev,
    }
}

/// The tarball's path and size.
fn summary(packed: &Packed) -> String {
    let mib = packed.size as f64 / (1024.0 * 1024.0);
    let path = crate::report::shown(&packed.path);
    let fresh = if packed.fresh { ", unchanged" } else { "" };
    format!("{} ({mib:.1} MiB{fresh})\nsha256 {}", path.display(), packed.sha256)
}
