//! `cargo xtask build-platform`: the whole line, from plugin folders to one tarball.

use hub_codegen::compile::Profile;
use hub_codegen::digest::FileCache;
use hub_codegen::failure::Failure;
use hub_codegen::pack::Packed;
use hub_codegen::pipeline::{BuildOptions, Progress, Repo, build, pack};

use crate::Outcome;
use crate::check::plan;
use crate::cli::{self, BuildArgs, MessageFormat};
use crate::progress::Display;
use crate::report::Report;

/// Runs `build-platform`.
pub fn run(args: &BuildArgs) -> Outcome {
    let repo = Repo::find();
    let mut report = Report::new(&args.check);
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
    let options = BuildOptions { profile, locked: args.locked };
    let built = match build(&repo, &front, options, &mut cache, &display) {
        Ok(built) => built,
        Err(Failure::Plugin(findings)) => {
            report.add(findings);
            return report.finish("");
        }
        Err(Failure::Machine(machine)) => return report.machine(&machine),
    };
    report.add(built.findings.clone());
    if report.stops(args.keep_going) {
        return report.finish("");
    }
    let out = args.out.clone().unwrap_or_else(|| repo.root.join("dist"));
    match pack(&repo, &built, profile, &out, &mut cache, &display) {
        Err(machine) => report.machine(&machine),
        Ok(packed) => {
            // The cache only saves time: where it cannot be written, files are hashed again.
            let _ = cache.save();
            report.artifact(&packed.path, &packed.sha256);
            report.finish(&summary(&packed))
        }
    }
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
