//! Generate, compile, bundle and pack: from the plan to the files of a release.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use hub_manifest::diagnostic::Level;
use hub_manifest::plan::HostPlan;
use hub_manifest::routes::Route;

use super::{Front, Profile, Progress, Repo, layout};
use crate::base::digest::{FileCache, sha256_hex};
use crate::base::failure::{Failure, Finding, Machine};
use crate::base::write::{Mode, Source, sync_tree, write_if_changed};
use crate::bundle::npm;
use crate::bundle::{self, Bundled};
use crate::compile::graph::Graph;
use crate::compile::stage::Staged;
use crate::compile::{self, Compiled};
use crate::compile::{routes, stage};
use crate::generate::webgen::{Chunk, overrides_d_ts, overrides_manifest, overrides_ts};
use crate::generate::{HostPlace, host, release_files};
use crate::pack::inventory::{Inventory, lock};
use crate::pack::supply;
use crate::pack::{self, Files, Origin, Packed, ReleasePlugin, Toolchain};

/// How a release is built.
#[derive(Debug, Clone, Copy)]
pub struct BuildOptions<'a> {
    /// How the host is compiled and the web shell bundled.
    pub profile: Profile,
    /// Fail where a lock file would have to change.
    pub locked: bool,
    /// Use nothing but what is on this machine.
    pub offline: bool,
    /// Packages that plugins need at these versions, beside those of the repository's `Cargo.lock`.
    pub packages: &'a [stage::Locked],
}

/// A release that is built but not packed.
#[derive(Debug)]
pub struct Built {
    /// Version of the release.
    pub version: String,
    /// All its files but `RELEASE.json`.
    pub files: Files,
    /// Its plugins, those left out among them.
    pub plugins: Vec<ReleasePlugin>,
    /// The compiled host.
    pub host: PathBuf,
    /// Its routes; places name files as the staged workspace does: `plugins/<slug>/backend/src/x.rs`.
    pub routes: Vec<Route>,
    /// The plan, as the host knows it.
    pub plan: HostPlan,
    /// Its crates.
    pub graph: Graph,
    /// Warnings of the compile and bundle stages.
    pub findings: Vec<Finding>,
}

/// Builds everything that the plan calls for. The host is compiled while the web shell is bundled.
pub fn build(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    cache: &mut FileCache,
    progress: &dyn Progress,
) -> Result<Built, Failure> {
    // Told before minutes of compiling, not after them.
    npm::preflight(&repo.root)?;
    let (compiled, bundled) = thread::scope(|scope| {
        let compiled = scope.spawn(|| host_with_routes(repo, front, options, progress));
        let bundled = bundle(repo, front, options, cache, progress);
        let compiled = compiled.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (compiled, bundled)
    });
    let (host, bundled) = both(compiled, bundled)?;
    let files = release(repo, front, options, &host, &bundled)?;
    let mut findings = host.compiled.findings;
    findings.extend(bundled.findings);
    Ok(Built {
        version: front.resolved.plan.host.version.clone(),
        files,
        plugins: release_plugins(front),
        host: host.compiled.binary,
        routes: host.routes,
        plan: front.resolved.plan.host.clone(),
        graph: host.graph,
        findings,
    })
}

/// Both values, or what keeps either from being there: what the machine lacks goes before what plugins have wrong.
fn both<A, B>(a: Result<A, Failure>, b: Result<B, Failure>) -> Result<(A, B), Failure> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(Failure::Plugin(mut a)), Err(Failure::Plugin(b))) => {
            a.extend(b);
            Err(Failure::Plugin(a))
        }
        (Err(Failure::Machine(machine)), _) | (_, Err(Failure::Machine(machine))) => Err(machine.into()),
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// A compiled host and what is known of it.
struct Host {
    compiled: Compiled,
    staged: Staged,
    graph: Graph,
    routes: Vec<Route>,
}

/// Compiles the host and asks it for its routes; what is wrong with a route is known before anything is packed.
fn host_with_routes(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    progress: &dyn Progress,
) -> Result<Host, Failure> {
    let mut host = compile(repo, front, options, progress)?;
    let (routes, found) = routes_of(repo, front, options.profile, &host.staged, &host.compiled)?;
    host.compiled.findings.extend(found);
    Ok(Host { routes, ..host })
}

fn staged(repo: &Repo, front: &Front, options: BuildOptions<'_>) -> Result<Staged, Failure> {
    let plan = &front.resolved.plan;
    let place = HostPlace { folder: "host", to_root: "../", workspace: None };
    stage::stage(&stage::Input {
        repo: &repo.root,
        plugins: &front.resolved.roots,
        plan,
        generated: &host(plan, place),
        out: &repo.output(options.profile).join("src"),
        packages: options.packages,
    })
}

/// The workspace that the host is compiled from, brought up to date without compiling it: its folder.
pub fn workspace(repo: &Repo, front: &Front, packages: &[stage::Locked]) -> Result<PathBuf, Failure> {
    let options = BuildOptions { profile: Profile::Release, locked: false, offline: false, packages };
    let _lock = repo.lock(options.profile, || {})?;
    let staged = staged(repo, front, options)?;
    let stamp = repo.output(options.profile).join("compile.json");
    // Asked for what it writes: the lock, cut down to what is used.
    compile::graph(&job(repo, front, options, &staged, &stamp))?;
    Ok(staged.root)
}

fn compile(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    progress: &dyn Progress,
) -> Result<Host, Failure> {
    const STAGE: &str = "compile";
    progress.begin(STAGE);
    let result = staged(repo, front, options).and_then(|staged| {
        let stamp = repo.output(options.profile).join("compile.json");
        let job = job(repo, front, options, &staged, &stamp);
        let graph = compile::graph(&job)?;
        let mut compiled = compile::compile(&job, &graph, &mut |at| progress.detail(STAGE, &told(&at)))?;
        compiled.findings.splice(0..0, staged.findings.clone());
        Ok(Host { compiled, staged, graph, routes: Vec::new() })
    });
    progress.end(STAGE, note(result.as_ref().map(|host| host.compiled.fresh)));
    result
}

fn job<'a>(
    repo: &'a Repo,
    front: &'a Front,
    options: BuildOptions<'a>,
    staged: &'a Staged,
    stamp: &'a Path,
) -> compile::Job<'a> {
    compile::Job {
        repo: &repo.root,
        staged,
        plan: &front.resolved.plan,
        profile: options.profile,
        target_dir: &repo.target,
        stamp,
        packages: options.packages,
        locked: options.locked,
        offline: options.offline,
    }
}

/// The routes of a compiled host, with the warnings about them; errors where they cannot all be mounted.
fn routes_of(
    repo: &Repo,
    front: &Front,
    profile: Profile,
    staged: &Staged,
    compiled: &Compiled,
) -> Result<(Vec<Route>, Vec<Finding>), Failure> {
    let plan = &front.resolved.plan;
    let stamp = repo.output(profile).join("routes.json");
    let table = routes::of_host(&compiled.binary, plan, &stamp)?;
    let found: Vec<Finding> =
        routes::findings(&table, plan, &front.loaded, &staged.paths).into_iter().map(Finding::from).collect();
    if table.is_sound() { Ok((table.routes, found)) } else { Err(Failure::Plugin(found)) }
}

/// The routes of the host that these plugins make, for whoever asks about one: those of a host that is compiled already,
/// else of one compiled for it in the quick profile.
pub fn routes(
    repo: &Repo,
    front: &Front,
    packages: &[stage::Locked],
    progress: &dyn Progress,
) -> Result<Vec<Route>, Failure> {
    for profile in [Profile::Release, Profile::Dev] {
        let output = repo.output(profile);
        let stamp = output.join("compile.json");
        if !stamp.is_file() {
            continue;
        }
        let _lock = repo.lock(profile, || progress.detail("compile", "waiting for another build to end"))?;
        let options = BuildOptions { profile, locked: false, offline: false, packages };
        let staged = staged(repo, front, options)?;
        if let Some(compiled) = compile::fresh(&job(repo, front, options, &staged, &stamp)) {
            return routes_of(repo, front, profile, &staged, &compiled).map(|(routes, _)| routes);
        }
    }
    let options = BuildOptions { profile: Profile::Dev, locked: false, offline: false, packages };
    let _lock =
        repo.lock(options.profile, || progress.detail("compile", "waiting for another build to end"))?;
    host_with_routes(repo, front, options, progress).map(|host| host.routes)
}

fn bundle(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    cache: &mut FileCache,
    progress: &dyn Progress,
) -> Result<Bundled, Failure> {
    const STAGE: &str = "bundle";
    progress.begin(STAGE);
    let result =
        npm::ensure(&repo.root, options.offline, &mut || progress.detail(STAGE, "installing npm packages"))
            .and_then(|packages| bundle_with(repo, front, options, &packages.digest, cache, progress));
    progress.end(STAGE, note(result.as_ref().map(|bundled| bundled.fresh)));
    result
}

fn bundle_with(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    packages: &str,
    cache: &mut FileCache,
    progress: &dyn Progress,
) -> Result<Bundled, Failure> {
    let out = repo.output(options.profile).join("web");
    let generated = out.join("generated");
    let web = &front.resolved.plan.web;
    for (name, text) in [("overrides.ts", overrides_ts(web)), ("overrides.d.ts", overrides_d_ts(web))] {
        let path = generated.join(name);
        write_if_changed(&path, text.as_bytes()).map_err(|error| Machine::io("write", &path, &error))?;
    }
    let with_frontend: BTreeMap<String, PathBuf> = front
        .resolved
        .roots
        .iter()
        .filter(|(slug, _)| {
            front.loaded.iter().any(|plugin| plugin.slug() == *slug && !plugin.web.is_empty())
        })
        .map(|(slug, root)| (slug.clone(), root.clone()))
        .collect();
    let release = options.profile == Profile::Release;
    let job = bundle::Job {
        repo: &repo.root,
        generated: &generated,
        plugins: &with_frontend,
        out: &out.join("dist"),
        mode: if release { bundle::Mode::Production } else { bundle::Mode::Development },
        compress: release,
        packages,
        target_dir: &repo.target,
        stamp: &out.join("bundle.json"),
        offline: options.offline,
    };
    bundle::bundle(&job, cache, &mut |at| progress.detail("bundle", &told(&at)))
}

/// The list of all files of the release.
fn release(
    repo: &Repo,
    front: &Front,
    options: BuildOptions<'_>,
    host: &Host,
    bundled: &Bundled,
) -> Result<Files, Failure> {
    let plan = &front.resolved.plan;
    let modules: BTreeMap<String, Chunk> = bundled
        .modules
        .iter()
        .map(|(path, placed)| (path.clone(), Chunk { chunk: placed.chunk.clone(), css: placed.css.clone() }))
        .collect();
    let manifest = overrides_manifest(&plan.web, &modules).map_err(|what| Machine::new(what, ""))?;
    let unreadable = |error: io::Error| Machine::new(format!("cannot read the release's files: {error}"), "");
    let templates = layout::templates(&repo.root).map_err(unreadable)?;
    let mut generated =
        release_files(plan, &templates).map_err(|error| Machine::new(error.to_string(), ""))?;
    generated.insert("overrides.manifest.json".to_string(), format!("{manifest:#}\n"));
    let web = repo.output(options.profile).join("web/dist");
    let parts = supply::Parts {
        repo: &repo.root,
        platform: &repo.version,
        version: &plan.host.version,
        staged: &host.staged.root,
        graph: &host.graph,
        web: &web,
        bundled,
    };
    generated.extend(supply::files(&parts).map_err(unreadable)?);
    let pieces = layout::Pieces {
        repo: &repo.root,
        plan,
        loaded: &front.loaded,
        host: &host.compiled.binary,
        launcher: &host.compiled.launcher,
        web: &web,
        generated: &generated,
    };
    layout::release(&pieces).map_err(unreadable).map_err(Failure::from)
}

/// The plugins in plugin order, then those that were left out, with their errors.
fn release_plugins(front: &Front) -> Vec<ReleasePlugin> {
    let built = front.resolved.plan.host.plugins.iter().map(|plugin| ReleasePlugin {
        name: plugin.name.clone(),
        version: Some(plugin.version.clone()),
        errors: Vec::new(),
    });
    let left_out = front.left_out.iter().map(|slug| {
        let errors = front
            .resolved
            .diagnostics
            .iter()
            .filter(|found| found.level == Level::Error && found.plugin.as_deref() == Some(slug));
        ReleasePlugin {
            name: slug.clone(),
            version: None,
            errors: errors.map(|found| format!("{}: {}", found.code, found.message)).collect(),
        }
    });
    built.chain(left_out).collect()
}

/// Packs a built release into one tarball in `out`, signed by `sign` where that is given.
#[expect(clippy::too_many_arguments, reason = "a call of one place, with names")]
pub fn pack(
    repo: &Repo,
    built: &Built,
    inventory: &Inventory,
    profile: Profile,
    out: &Path,
    sign: Option<&dyn pack::Sign>,
    cache: &mut FileCache,
    progress: &dyn Progress,
) -> Result<Packed, Machine> {
    let origin = Origin {
        plan: built.plan.clone(),
        hub_lock_sha256: sha256_hex(lock::text(inventory).as_bytes()),
        toolchain: Toolchain::of(&repo.output(profile).join("src"))?,
    };
    progress.begin("pack");
    let job = pack::Job {
        version: &built.version,
        plugins: &built.plugins,
        inventory,
        origin: &origin,
        files: &built.files,
        sign,
        out,
        stamp: &repo.output(profile).join("pack.json"),
    };
    let result = pack::pack(&job, cache);
    progress.end("pack", note(result.as_ref().map(|packed| packed.fresh)));
    result
}

/// Makes `folder` hold a built release, without packing it: what `cargo xtask dev` serves from. Gives the paths that
/// changed. Entries named in `keep` stay.
pub fn install(built: &Built, folder: &Path, keep: &[&str]) -> io::Result<Vec<PathBuf>> {
    let tree: BTreeMap<PathBuf, Source> =
        built.files.iter().map(|(path, file)| (PathBuf::from(path), file.source.clone())).collect();
    let differences = sync_tree(folder, &tree, keep, Mode::Write)?;
    Ok(differences.into_iter().map(|difference| difference.path).collect())
}

fn note<E>(fresh: Result<bool, E>) -> &'static str {
    match fresh {
        Ok(true) => "unchanged",
        Ok(false) => "",
        Err(_) => "failed",
    }
}

fn told(at: &crate::base::cargo::Progress) -> String {
    if at.total == 0 { at.what.clone() } else { format!("{}/{} {}", at.done, at.total, at.what) }
}
