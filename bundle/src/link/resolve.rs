//! Where imports lead: the platform's own names, one copy of React for everybody, and the repository's packages for
//! plugins that lie outside it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hub_manifest::codes;
use rolldown_common::{ImportKind, ModuleType, ResolvedId};
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput,
    HookResolveIdReturn, HookUsage, Plugin, PluginContext, PluginContextResolveOptions,
    SharedLoadPluginContext,
};

use super::assets::{Assets, is_shipped};
use super::report::{Sink, explain};
use crate::finding::{Finding, Spot, read_text, token_len};
use crate::places::{Places, inside};

/// The page's first module: it installs the loader of lazy chunks, then starts the shell.
pub const ENTRY: &str = "\0hub:entry";
/// The loader of lazy chunks.
pub const LOADER: &str = "\0hub:load";

/// Packages of which the page must hold exactly one copy, because they keep state that components share.
const SINGLETONS: [&str; 9] = [
    "react",
    "react-dom",
    "react-router",
    "react-router-dom",
    "scheduler",
    "@platform/plugin-host",
    "@mantine/core",
    "@mantine/hooks",
    "@mantine/charts",
];

/// Modules that exist in Node only.
const NODE_ONLY: [&str; 24] = [
    "assert",
    "buffer",
    "child_process",
    "cluster",
    "crypto",
    "dns",
    "events",
    "fs",
    "http",
    "https",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "readline",
    "stream",
    "tls",
    "url",
    "util",
    "v8",
    "vm",
    "zlib",
];

type Found = HashMap<(String, bool), Option<ResolvedId>>;

/// The resolver plugin.
#[derive(Debug)]
pub struct Resolve {
    places: Arc<Places>,
    assets: Arc<Assets>,
    sink: Arc<Sink>,
    entry: String,
    singletons: Mutex<Found>,
}

impl Resolve {
    /// A resolver for the given places.
    pub fn new(places: Arc<Places>, assets: Arc<Assets>, sink: Arc<Sink>) -> Resolve {
        let entry = places.entry.to_string_lossy().into_owned();
        Resolve { places, assets, sink, entry, singletons: Mutex::default() }
    }

    async fn follow(
        &self,
        ctx: &PluginContext,
        args: &HookResolveIdArgs<'_>,
        specifier: &str,
        importer: Option<&str>,
    ) -> anyhow::Result<Option<ResolvedId>> {
        let options =
            PluginContextResolveOptions { import_kind: args.kind, ..PluginContextResolveOptions::default() };
        Ok(ctx.resolve(specifier, importer, Some(options)).await?.ok())
    }

    /// `@plugins/<slug>/…`: a file of that plugin and of no other place.
    async fn plugin_file(
        &self,
        ctx: &PluginContext,
        args: &HookResolveIdArgs<'_>,
        rest: &str,
    ) -> HookResolveIdReturn {
        let (slug, path) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(plugin) = self.places.plugin(slug) else {
            let known: Vec<_> = self.places.slugs().collect();
            self.wrong(
                args,
                format!("there is no plugin `{slug}` in this build"),
                format!("the plugins are {}", known.join(", ")),
            );
            return Ok(Some(nothing()));
        };
        let leaves = || {
            let message = format!("`{}` leads out of the folder of plugin `{slug}`", args.specifier);
            self.wrong(args, message, format!("keep to files below {}", plugin.root.display()));
            Ok(Some(nothing()))
        };
        let Some(path) = inside(path) else { return leaves() };
        let file = plugin.root.join(path);
        match self.follow(ctx, args, &file.to_string_lossy(), args.importer).await? {
            Some(found) if Path::new(found.id.as_str()).starts_with(&plugin.root) => {
                Ok(Some(HookResolveIdOutput::from_resolved_id(found)))
            }
            Some(_) => leaves(),
            None => {
                self.wrong(
                    args,
                    format!("`{}` does not exist", args.specifier),
                    format!("there is no {}", file.display()),
                );
                Ok(Some(nothing()))
            }
        }
    }

    /// A package of which there is one copy: as the shell would resolve it, whoever asks.
    async fn singleton(&self, ctx: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let key = (args.specifier.to_owned(), matches!(args.kind, ImportKind::Require));
        let known = self.singletons.lock().ok().and_then(|known| known.get(&key).cloned());
        let found = match known {
            Some(found) => found,
            None => {
                let found = self.follow(ctx, args, args.specifier, Some(&self.entry)).await?;
                if let Ok(mut known) = self.singletons.lock() {
                    known.insert(key, found.clone());
                }
                found
            }
        };
        Ok(found.map(HookResolveIdOutput::from_resolved_id))
    }

    /// A script or data file. Read here and not by the linker, which would move every one of them to another thread.
    fn script(&self, file: &Path) -> HookLoadOutput {
        match read_text(file, codes::MODULE_NOT_BUNDLED) {
            Ok(text) => HookLoadOutput { code: text.into(), ..HookLoadOutput::default() },
            Err(finding) => {
                self.sink.add(finding);
                HookLoadOutput { module_type: Some(ModuleType::Empty), ..HookLoadOutput::default() }
            }
        }
    }

    /// Reports an import that leads nowhere and lets the linker go on, so that it finds everything else that is wrong.
    /// What a package asks for on the off chance is left to the linker, which knows whether a failure is caught.
    fn nowhere(&self, args: &HookResolveIdArgs<'_>) -> Option<HookResolveIdOutput> {
        let importer = args.importer?;
        if args.kind != ImportKind::Import && in_packages(importer) {
            return None;
        }
        let (message, help) = match NODE_ONLY.contains(&args.specifier) {
            true => node_only(args.specifier),
            false => explain(args.specifier, Path::new(importer), &self.places),
        };
        self.wrong(args, message, help);
        Some(nothing())
    }

    /// A finding at the import specifier that `args` speaks of.
    fn wrong(&self, args: &HookResolveIdArgs<'_>, message: String, help: String) {
        let finding = Finding::error(codes::IMPORT_UNRESOLVED, message).help(help);
        self.sink.add(place_of_import(finding, args.importer, args.specifier));
    }
}

fn node_only(specifier: &str) -> (String, String) {
    (
        format!("`{specifier}` exists in Node only, not in a browser"),
        "use what the browser has, or a package that does the same in a browser".to_owned(),
    )
}

/// Puts `finding` where `importer` imports `specifier`.
fn place_of_import(finding: Finding, importer: Option<&str>, specifier: &str) -> Finding {
    let Some(importer) = importer.filter(|importer| !importer.starts_with('\0')) else {
        return finding;
    };
    let file = Path::new(importer.split('?').next().unwrap_or(importer));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let at = import_of(&text, specifier);
    finding.at(file, at.map_or(Spot::START, |at| Spot::at(&text, at, token_len(&text, at))))
}

/// Where `text` imports `specifier`: the offset of its opening quote.
fn import_of(text: &str, specifier: &str) -> Option<usize> {
    let written = ['"', '\'', '`'].map(|quote| format!("{quote}{specifier}{quote}"));
    let mut places: Vec<usize> =
        written.iter().flat_map(|quoted| text.match_indices(quoted).map(|(at, _)| at)).collect();
    places.sort_unstable();
    let imports = |at: &&usize| {
        let before = text[..**at].trim_end();
        ["from", "import", "import(", "require("].iter().any(|word| before.ends_with(word))
    };
    places.iter().find(imports).or(places.first()).copied()
}

/// Whether a module belongs to an installed package.
fn in_packages(id: &str) -> bool {
    id.contains("/node_modules/")
}

/// A module without content, for imports that have been reported already.
fn nothing() -> HookResolveIdOutput {
    HookResolveIdOutput::from_id("\0hub:nothing")
}

/// Whether a specifier names a package, and not a file or another site.
fn is_bare(specifier: &str) -> bool {
    !specifier.starts_with(['.', '/', '\0', '#']) && !specifier.contains(':')
}

fn is_script(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or("");
    matches!(extension, "ts" | "tsx" | "js" | "jsx" | "mjs" | "cjs" | "mts" | "cts" | "json")
}

fn is_singleton(specifier: &str) -> bool {
    SINGLETONS
        .iter()
        .any(|name| specifier.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

impl Plugin for Resolve {
    fn name(&self) -> Cow<'static, str> {
        "hub:resolve".into()
    }

    async fn resolve_id(&self, ctx: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = args.specifier;
        if specifier.starts_with(['.', '/']) && !specifier.starts_with("//") && !specifier.contains('?') {
            // Packages are sound; what is not found in them, the linker says.
            if args.importer.is_none_or(in_packages) {
                return Ok(None);
            }
            let found = self.follow(ctx, args, specifier, args.importer).await?;
            return Ok(found.map(HookResolveIdOutput::from_resolved_id).or_else(|| self.nowhere(args)));
        }
        match specifier {
            "hub:entry" => return Ok(Some(HookResolveIdOutput::from_id(ENTRY))),
            "hub:load" => return Ok(Some(HookResolveIdOutput::from_id(LOADER))),
            "hub:shell" => {
                let found = self.follow(ctx, args, &self.entry, None).await?;
                return Ok(found.map(HookResolveIdOutput::from_resolved_id));
            }
            "@platform/overrides" => {
                let file = self.places.generated.join("overrides.ts");
                let found = self.follow(ctx, args, &file.to_string_lossy(), None).await?;
                return Ok(found.map(HookResolveIdOutput::from_resolved_id));
            }
            _ => {}
        }
        if let Some(rest) = specifier.strip_prefix("@plugins/") {
            return self.plugin_file(ctx, args, rest).await;
        }
        // `./x.svg?raw`, `./x.pdf?url`: the file is found first, the wish stays in the name.
        if let Some((path, wish)) =
            specifier.rsplit_once('?').filter(|(_, wish)| matches!(*wish, "raw" | "url"))
        {
            let found = self.follow(ctx, args, path, args.importer).await?;
            return Ok(found.map(|found| HookResolveIdOutput::from_id(format!("{}?{wish}", found.id))));
        }
        if specifier.starts_with("http:") || specifier.starts_with("https:") || specifier.starts_with("//") {
            self.wrong(
                args,
                format!("`{specifier}` is on another site, which a customer's network may not reach"),
                "install it as a package and import it by its name".to_owned(),
            );
            return Ok(Some(nothing()));
        }
        if !is_bare(specifier) {
            if specifier.starts_with("node:") {
                let (message, help) = node_only(specifier);
                self.wrong(args, message, help);
                return Ok(Some(nothing()));
            }
            return Ok(None);
        }
        if is_singleton(specifier) {
            return match self.singleton(ctx, args).await? {
                None => Ok(self.nowhere(args)),
                found => Ok(found),
            };
        }
        let outside = args
            .importer
            .and_then(|importer| self.places.owner(Path::new(importer)))
            .is_some_and(|owner| owner.outside);
        let mut found = self.follow(ctx, args, specifier, args.importer).await?;
        if outside && found.as_ref().is_none_or(|found| found.external.is_external()) {
            found = self.follow(ctx, args, specifier, Some(&self.entry)).await?.or(found);
        }
        match found {
            Some(found) if !found.external.is_external() => {
                Ok(Some(HookResolveIdOutput::from_resolved_id(found)))
            }
            _ => Ok(self.nowhere(args)),
        }
    }

    async fn load(&self, _: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        let script = |code: &'static str| {
            Ok(Some(HookLoadOutput {
                code: code.into(),
                module_type: Some(ModuleType::Js),
                ..HookLoadOutput::default()
            }))
        };
        match args.id {
            ENTRY => return script(include_str!("entry.js")),
            LOADER => return script(include_str!("load.js")),
            "\0hub:nothing" => {
                return Ok(Some(HookLoadOutput {
                    module_type: Some(ModuleType::Empty),
                    ..HookLoadOutput::default()
                }));
            }
            _ => {}
        }
        let (path, wish) = args.id.rsplit_once('?').unwrap_or((args.id, ""));
        let file = Path::new(path);
        let value = if wish == "raw" {
            std::fs::read_to_string(file)
        } else if wish == "url" || is_shipped(path) {
            self.assets.ship(file)
        } else if is_script(path) {
            return Ok(Some(self.script(file)));
        } else {
            return Ok(None);
        };
        let value = value.unwrap_or_else(|error| {
            let message = format!("{} cannot be read: {error}", file.display());
            self.sink.add(Finding::error(codes::ASSET, message).at(file, Spot::START));
            String::new()
        });
        // JSON, because a value needs no code.
        Ok(Some(HookLoadOutput {
            code: serde_json::to_string(&value)?.into(),
            module_type: Some(ModuleType::Json),
            ..HookLoadOutput::default()
        }))
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_package_names_are_singletons() {
        assert!(is_singleton("react"));
        assert!(is_singleton("react-dom/client"));
        assert!(!is_singleton("react-is"));
        assert!(!is_singleton("@platform/plugin-hosts"));
    }

    #[test]
    fn imports_are_told_from_other_strings() {
        let text = "// './a'\nconst a = './a';\nimport b from './a';\n";
        assert_eq!(import_of(text, "./a"), text.rfind("'./a'"));
        assert_eq!(import_of("x('./a')", "./a"), Some(2));
        assert_eq!(import_of(text, "./c"), None);
    }

    #[test]
    fn bare_specifiers_name_packages() {
        assert!(is_bare("lucide-react"));
        assert!(is_bare("@scope/name/file"));
        assert!(!is_bare("./x"));
        assert!(!is_bare("https://x.org/y.js"));
    }
}
