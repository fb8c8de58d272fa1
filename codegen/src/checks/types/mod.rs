//! TypeScript's own checker over the plugins: every claim against the props of its surface, and every other error in a
//! plugin's sources.
//!
//! The checker runs in a folder of its own below the target folder, where links stand for the plugins, the shell and the
//! installed packages: a plugin that lies elsewhere finds its packages as one of the repository does, and no file is
//! written beside the sources. What has to hold of a claim is one line of a generated module.

mod messages;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub_manifest::diagnostic::Diagnostic;
use hub_manifest::plan::WebPlan;
use serde_json::{Value, json};

use crate::base::failure::Machine;
use crate::base::write::write_if_changed;
use crate::generate::webgen;
use crate::load::LoadedPlugin;
use crate::pipeline::{Front, Repo};
use crate::resolve::{ClaimPlace, claim_places};

/// The generated module that has one line a claim.
const CLAIMS: &str = "claims.ts";
/// The generated keys.
const KEYS: &str = "overrides.d.ts";
/// The checker, below `node_modules`.
const CHECKER: &str = "typescript/bin/tsc";
/// Declarations of the platform that every check includes.
const PLATFORM: [&str; 3] = ["index.ts", "assets.d.ts", "overrides-module.d.ts"];

/// What one line of the generated module asks.
struct Assertion<'a> {
    /// The claimed key, or none for `frontend_entry`.
    key: Option<String>,
    /// The module, below the plugin's root.
    file: String,
    export: String,
    plugin: &'a LoadedPlugin,
    /// Where the claim is made.
    place: Option<ClaimPlace>,
}

/// Everything that TypeScript finds in the plugins of a plan.
pub fn check(repo: &Repo, front: &Front) -> Result<Vec<Diagnostic>, Machine> {
    let packages = repo.root.join("node_modules");
    if !packages.join(CHECKER).is_file() {
        return Err(Machine::new(
            "the npm packages are not installed, and TypeScript is one of them",
            "run `npm ci --ignore-scripts` in the checkout (it needs Node 20 or newer)",
        ));
    }
    let folder = repo.target.join("platform/types");
    let _lock = lock(&folder)?;
    let plugins: BTreeMap<&str, &LoadedPlugin> =
        front.loaded.iter().map(|plugin| (plugin.slug(), plugin)).collect();
    let plugins: BTreeMap<&str, &LoadedPlugin> =
        plugins.into_iter().filter(|(slug, _)| front.resolved.roots.contains_key(*slug)).collect();
    link_all(repo, &folder, &plugins)?;
    let plan = &front.resolved.plan.web;
    let assertions = assertions(plan, &plugins);
    put(&folder.join(CLAIMS), &claims_ts(plan, &assertions))?;
    put(&folder.join(KEYS), &webgen::overrides_d_ts(plan))?;
    put(&folder.join("tsconfig.json"), &format!("{:#}\n", configuration(plan, &plugins)))?;
    let said = run(&packages.join(CHECKER), &folder)?;
    Ok(messages::diagnostics(&said, &assertions, &plugins, plan))
}

/// Takes the folder for this process: two checks at once would write over each other.
fn lock(folder: &Path) -> Result<fs::File, Machine> {
    let path = folder.join(".lock");
    let failed = |error: io::Error| Machine::io("lock", &path, &error);
    fs::create_dir_all(folder).map_err(failed)?;
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn put(file: &Path, text: &str) -> Result<(), Machine> {
    write_if_changed(file, text.as_bytes()).map(|_| ()).map_err(|error| Machine::io("write", file, &error))
}

/// Makes the folder's links anew, so that none leads to a plugin that is gone.
fn link_all(repo: &Repo, folder: &Path, plugins: &BTreeMap<&str, &LoadedPlugin>) -> Result<(), Machine> {
    let of_plugins = folder.join("plugins");
    let failed = |path: &Path, error: io::Error| Machine::io("write", path, &error);
    match fs::remove_dir_all(&of_plugins) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&of_plugins, error)),
        _ => fs::create_dir_all(&of_plugins).map_err(|error| failed(&of_plugins, error))?,
    }
    let own = ["node_modules", "host-template"].map(|name| (folder.join(name), repo.root.join(name)));
    let links = plugins.iter().map(|(slug, plugin)| (of_plugins.join(slug), plugin.folder.root.clone()));
    for (link, target) in own.into_iter().chain(links) {
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&link, error)),
            _ => symlink(&target, &link).map_err(|error| failed(&link, error))?,
        }
    }
    Ok(())
}

/// All claims and page modules of the plan, in the order of their lines.
fn assertions<'a>(plan: &WebPlan, plugins: &BTreeMap<&str, &'a LoadedPlugin>) -> Vec<Assertion<'a>> {
    let mut places: BTreeMap<&str, Vec<ClaimPlace>> = BTreeMap::new();
    for (slug, plugin) in plugins {
        places.insert(slug, claim_places(plugin));
    }
    let renamed = |key: &str| plan.surfaces.get(key).is_some_and(|surface| surface.renamed_to.is_some());
    let claims = plan.keys.iter().filter(|(key, _)| !renamed(key));
    let claims = claims.flat_map(|(key, chain)| chain.iter().map(move |claim| (key, claim)));
    let of_claims = claims.filter_map(|(key, claim)| {
        let places = places.get(claim.plugin.as_str())?;
        let same = |place: &&ClaimPlace| place.file == claim.file && place.export == claim.export;
        let place = places.iter().filter(same).find(|place| place.key == *key);
        Some(Assertion {
            key: Some(key.clone()),
            file: claim.file.clone(),
            export: claim.export.clone(),
            plugin: plugins.get(claim.plugin.as_str()).copied()?,
            place: place.or_else(|| places.iter().find(same)).cloned(),
        })
    });
    let of_entries = plan.entries.iter().filter_map(|entry| {
        Some(Assertion {
            key: None,
            file: entry.file.clone(),
            export: "default".to_owned(),
            plugin: plugins.get(entry.plugin.as_str()).copied()?,
            place: None,
        })
    });
    of_claims.chain(of_entries).collect()
}

/// The generated module: two lines of imports, then a line an assertion.
fn claims_ts(plan: &WebPlan, assertions: &[Assertion<'_>]) -> String {
    // JSON's text literals are TypeScript's too.
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = "import type { ComponentType } from \"react\";\n\
                    import type { OverrideProps, PluginPage } from \"@platform/plugin-host\";\n"
        .to_owned();
    for (number, assertion) in assertions.iter().enumerate() {
        let wanted = match &assertion.key {
            None => "readonly PluginPage[]".to_owned(),
            Some(key) if plan.surfaces.contains_key(key) => {
                format!("ComponentType<OverrideProps<{}>>", quoted(key))
            }
            // Nobody says what props it gets.
            Some(_) => "ComponentType<any>".to_owned(),
        };
        let module = quoted(&format!("./plugins/{}/{}", assertion.plugin.slug(), assertion.file));
        let export = quoted(&assertion.export);
        text.push_str(&format!(
            "export const c{number}: {wanted} = (undefined! as typeof import({module}))[{export}];\n"
        ));
    }
    text
}

/// What is checked, and how strictly: as the shell is, but without the rules of style.
fn configuration(plan: &WebPlan, plugins: &BTreeMap<&str, &LoadedPlugin>) -> Value {
    let platform = PLATFORM.iter().map(|name| format!("host-template/plugin-host/src/{name}"));
    let of_shell = plan.surfaces.values().filter(|surface| surface.owner.is_none());
    let of_plugins = plugins.iter().flat_map(|(slug, plugin)| {
        plugin.web.iter().map(move |source| format!("plugins/{slug}/{}", source.path))
    });
    let mut files: Vec<String> = [CLAIMS, KEYS].map(str::to_owned).into_iter().chain(platform).collect();
    files.extend(of_shell.map(|surface| surface.file.clone()));
    files.extend(of_plugins);
    files.dedup();
    json!({
        "compilerOptions": {
            "target": "ES2023", "lib": ["ES2023", "DOM", "DOM.Iterable"],
            "module": "ESNext", "moduleResolution": "bundler", "moduleDetection": "force",
            "jsx": "react-jsx", "types": [], "strict": true, "allowImportingTsExtensions": true,
            "allowJs": true, "checkJs": false, "resolveJsonModule": true, "skipLibCheck": true,
            "noEmit": true, "preserveSymlinks": true,
        },
        "files": files,
    })
}

/// What the checker prints.
fn run(checker: &Path, folder: &Path) -> Result<String, Machine> {
    let mut command = Command::new("node");
    command.arg(checker).args(["--pretty", "false", "--project", "tsconfig.json"]);
    let output =
        command.current_dir(folder).stdin(Stdio::null()).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Machine::new(
                "node is not installed (or not on the PATH)",
                "install Node 20 or newer: TypeScript's checker runs on it",
            ),
            _ => Machine::new(format!("cannot run node: {error}"), ""),
        })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let without_place = said.lines().any(|line| line.starts_with("error TS"));
    if (output.status.success() || said.contains("error TS")) && !without_place {
        return Ok(said);
    }
    let details = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    let help =
        "remove the folder target/platform/types and run the check again; see below what TypeScript says";
    Err(Machine::new("TypeScript's checker cannot run", help).details(details))
}

/// A generated or linked file's plugin and its path there: `plugins/<slug>/<path>`.
fn in_plugin<'a>(
    file: &str,
    plugins: &BTreeMap<&str, &'a LoadedPlugin>,
) -> Option<(&'a LoadedPlugin, PathBuf)> {
    let (slug, inner) = file.strip_prefix("plugins/")?.split_once('/')?;
    let plugin = plugins.get(slug).copied()?;
    Some((plugin, plugin.shown(inner)))
}
