//! Lazy chunks by name: every `import()` of another chunk goes through the loader of `load.js`.
//!
//! The rewrite happens in the rendered chunk, before names are hashed. A script then holds the name of a lazy chunk and
//! not its hash, so its own hash does not depend on it; the page has the hashes. `import("./Card-….js")` becomes
//! `$chunk("Card"     )`, filled up to the same length, so that source maps stay true without being rewritten.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use memchr::memmem;
use rolldown_plugin::{
    HookBuildEndArgs, HookNoopReturn, HookRenderChunkArgs, HookRenderChunkOutput, HookRenderChunkReturn,
    HookTransformOutputMap, HookUsage, Plugin, PluginContext,
};

use super::resolve::ENTRY;

/// How a rendered chunk refers to another one lazily.
const IMPORT: &str = "import(\"./";
/// How it refers to it afterwards.
const LOAD: &str = "$chunk(\"";

/// What is imported lazily; filled by the plugin, read when the linker is done.
#[derive(Debug, Default)]
pub struct Targets {
    modules: Mutex<BTreeSet<String>>,
    eager: OnceLock<HashSet<String>>,
    names: OnceLock<HashMap<String, String>>,
}

impl Targets {
    /// Ids of the modules that somebody imports lazily.
    pub fn modules(&self) -> BTreeSet<String> {
        self.modules.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Whether the page reaches this module by static imports, before anything unused is dropped.
    pub fn is_eager(&self, id: &str) -> bool {
        self.eager.get().is_some_and(|eager| eager.contains(id))
    }

    /// The name by which scripts ask for the chunk that the linker first called `file`.
    pub fn name(&self, file: &str) -> Option<&str> {
        self.names.get()?.get(file).map(String::as_str)
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Lazy {
    targets: Arc<Targets>,
}

impl Lazy {
    /// Notes in `targets` what is imported lazily.
    pub fn new(targets: Arc<Targets>) -> Lazy {
        Lazy { targets }
    }

    fn names(&self, args: &HookRenderChunkArgs<'_>) -> &HashMap<String, String> {
        self.targets.names.get_or_init(|| {
            let wanted: HashSet<&str> = args
                .chunks
                .values()
                .flat_map(|chunk| &chunk.dynamic_imports)
                .map(|file| file.as_str())
                .collect();
            let files = args.chunks.values().filter(|chunk| wanted.contains(chunk.filename.as_str()));
            names(files.map(|chunk| (chunk.filename.as_str(), chunk.name.as_str())))
        })
    }
}

/// Everything that the entry reaches by static imports.
fn eager(ctx: &PluginContext) -> HashSet<String> {
    let mut found = HashSet::from([ENTRY.to_owned()]);
    let mut open = vec![ENTRY.to_owned()];
    while let Some(id) = open.pop() {
        // What nobody needs of a package is never read, and has no information.
        let Some(module) = ctx.get_module_info(&id) else { continue };
        for import in &module.imported_ids {
            if found.insert(import.to_string()) {
                open.push(import.to_string());
            }
        }
    }
    found
}

/// A name for each file: that of its chunk, with a number behind it where two chunks have the same.
fn names<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> HashMap<String, String> {
    let mut namesakes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, name) in files {
        namesakes.entry(name).or_default().push(file);
    }
    let taken: HashSet<&str> = namesakes.keys().copied().collect();
    let mut names = HashMap::new();
    for (name, files) in &namesakes {
        let mut numbers =
            (2..).map(|number| format!("{name}~{number}")).filter(|name| !taken.contains(name.as_str()));
        names.insert(files[0].to_owned(), (*name).to_owned());
        names.extend(files[1..].iter().map(|file| (*file).to_owned()).zip(&mut numbers));
    }
    names
}

/// `code` with its lazy imports sent through the loader; nothing when there are none.
fn redirect(code: &str, folder: &str, names: &HashMap<String, String>) -> Option<String> {
    let mut result = String::new();
    let mut done = 0;
    for at in memmem::find_iter(code.as_bytes(), IMPORT) {
        let rest = &code[at + IMPORT.len()..];
        let Some(end) = rest.find('"').filter(|end| rest[end + 1..].starts_with(')')) else { continue };
        let Some(name) = names.get(&format!("{folder}{}", &rest[..end])) else { continue };
        let width = IMPORT.len() + end - LOAD.len() - name.len().min(IMPORT.len() + end - LOAD.len());
        result.push_str(&code[done..at]);
        result.extend([LOAD, name, "\""]);
        result.extend(std::iter::repeat_n(' ', width));
        done = at + IMPORT.len() + end + 1;
    }
    (done > 0).then(|| result + &code[done..])
}

impl Plugin for Lazy {
    fn name(&self) -> Cow<'static, str> {
        "hub:lazy".into()
    }

    async fn build_end(&self, ctx: &PluginContext, _: Option<&HookBuildEndArgs<'_>>) -> HookNoopReturn {
        let mut modules = self.targets.modules.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for module in ctx.get_module_ids().iter().filter_map(|id| ctx.get_module_info(id)) {
            modules.extend(module.dynamically_imported_ids.iter().map(ToString::to_string));
        }
        let _ = self.targets.eager.set(eager(ctx));
        Ok(())
    }

    async fn render_chunk(&self, _: &PluginContext, args: &HookRenderChunkArgs<'_>) -> HookRenderChunkReturn {
        if args.chunk.dynamic_imports.is_empty() {
            return Ok(None);
        }
        let folder = args.chunk.filename.rfind('/').map_or("", |at| &args.chunk.filename[..=at]);
        Ok(redirect(&args.code, folder, self.names(args))
            .map(|code| HookRenderChunkOutput { code, map: HookTransformOutputMap::Null }))
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::BuildEnd | HookUsage::RenderChunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lazy_imports_go_through_the_loader_without_moving_anything() {
        let names = HashMap::from([("assets/Card-!~{01}~.js".to_owned(), "Card".to_owned())]);
        let code = "a(() => import(\"./Card-!~{01}~.js\").then(b), import(\"./other.js\"))";
        let done = redirect(code, "assets/", &names).unwrap();
        assert_eq!(done, "a(() => $chunk(\"Card\"             ).then(b), import(\"./other.js\"))");
        assert_eq!(done.len(), code.len());
        assert_eq!(redirect(code, "elsewhere/", &names), None);
    }

    #[test]
    fn namesakes_are_numbered() {
        let names = names([("a1", "Card"), ("a2", "Card"), ("a3", "Card~2"), ("a4", "Page")].into_iter());
        assert_eq!(names["a1"], "Card");
        assert_eq!(names["a2"], "Card~3");
        assert_eq!(names["a3"], "Card~2");
        assert_eq!(names["a4"], "Page");
    }
}
