//! The resolve stage: all manifests together become one [`Plan`], and every cross-plugin mistake becomes a finding.
//!
//! A pure function of what was loaded. Findings are made from every sound field, so one broken manifest does not hide
//! what is wrong in another.

mod clashes;
mod contributions;
mod identity;
mod migrations;
mod one_sided;
mod pages;
mod react;
mod routers;
mod surfaces;
mod web;
mod workspaces;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hub_manifest::diagnostic::{self, Diagnostic, Level};
use hub_manifest::plan::{HostPlan, Plan};
use hub_manifest::rules::order::Constraints;
use semver::Version;

use crate::load::migrations::OfPlatform;
use crate::load::shared::OfShell;
use crate::load::websource::Source;
use crate::load::{LoadedPlugin, in_manifest};
pub(crate) use migrations::{file as file_of_migration, out_of_bounds, untried};
pub use web::{ClaimPlace, claim_places};

/// What the plugins are resolved against.
#[derive(Debug)]
pub struct Platform {
    /// Version of the platform's own crates.
    pub version: Version,
    /// Version of the release that is built, its maker's to choose.
    pub release: Version,
    /// Sources of the web shell, which ask for override keys too.
    pub shell: Vec<Source>,
    /// What the web shell has of the packages that the whole page shares.
    pub shared: OfShell,
    /// Its own migrations.
    pub migrations: OfPlatform,
}

/// The plan, and what it was made of.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The plan: whole where there is no error, of the sound plugins otherwise.
    pub plan: Plan,
    /// Root folder of each plugin of the plan, absolute.
    pub roots: BTreeMap<String, PathBuf>,
    /// Everything found, sorted.
    pub diagnostics: Vec<Diagnostic>,
    /// Number of plugins that took part, sound or not.
    pub plugins: usize,
}

impl Resolved {
    /// Whether nothing keeps the plan from being built.
    pub fn is_sound(&self) -> bool {
        !self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
    }

    /// Slugs of the plugins that have errors.
    pub fn broken(&self) -> BTreeSet<String> {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
        errors.filter_map(|diagnostic| diagnostic.plugin.clone()).collect()
    }
}

/// Where findings are gathered while the plan is made.
pub(crate) struct Context<'a> {
    /// The plugins of the plan, in plugin order.
    pub plugins: Vec<&'a LoadedPlugin>,
    /// Who depends on whom.
    pub constraints: BTreeMap<String, Constraints>,
    /// Everything found.
    pub diagnostics: Vec<Diagnostic>,
}

impl Context<'_> {
    /// Records a finding about a place in a plugin's `plugin.yaml`.
    pub fn in_manifest(&mut self, plugin: &LoadedPlugin, range: &std::ops::Range<usize>, found: Diagnostic) {
        self.diagnostics.push(in_manifest(plugin, range, found));
    }
}

/// Makes the plan of all plugins.
pub fn resolve(loaded: &[LoadedPlugin], platform: &Platform, found: Vec<Diagnostic>) -> Resolved {
    let enabled: Vec<&LoadedPlugin> =
        loaded.iter().filter(|plugin| plugin.manifest.enabled != Some(false)).collect();
    let mut diagnostics = found;
    let (unique, shadowed) = identity::unique(&enabled, &mut diagnostics);
    let switched_off = loaded.iter().filter(|plugin| plugin.manifest.enabled == Some(false));
    let left_out: Vec<&LoadedPlugin> = switched_off.chain(shadowed.iter().copied()).collect();
    identity::forget(&mut diagnostics, &left_out);
    diagnostics.extend(identity::shadows(&unique, &shadowed));
    let constraints = identity::constraints(&unique, loaded, platform, &mut diagnostics);
    let plugins = identity::ordered(&unique, &constraints, &mut diagnostics);
    let mut context = Context { plugins, constraints, diagnostics };

    let crates = routers::crates(&mut context);
    let web = web::web_plan(&mut context, platform);
    let mut host = HostPlan {
        version: platform.release.to_string(),
        plugins: contributions::host_plugins(&mut context),
    };
    react::check(&mut context, platform);
    workspaces::settle(&mut context, &mut host.plugins);
    clashes::check(&mut context);
    migrations::check(&mut context, platform);

    let mut diagnostics = context.diagnostics;
    // Names of files and words of sources stand in these sentences, as their authors wrote them.
    diagnostics.iter_mut().for_each(Diagnostic::clean);
    diagnostic::sort(&mut diagnostics);
    diagnostics.dedup();
    let mut warnings: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for found in diagnostics.iter().filter(|found| found.level == Level::Warning) {
        let text = format!("{}: {}", found.code, found.message);
        warnings.entry(found.plugin.as_deref().unwrap_or_default()).or_default().push(text);
    }
    for plugin in &mut host.plugins {
        plugin.warnings = warnings.remove(plugin.name.as_str()).unwrap_or_default();
    }
    Resolved {
        roots: context.plugins.iter().map(|p| (p.slug().to_string(), p.folder.root.clone())).collect(),
        plan: Plan { host, crates, web },
        plugins: enabled.len() - shadowed.len(),
        diagnostics,
    }
}
