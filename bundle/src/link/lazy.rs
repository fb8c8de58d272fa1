//! Lazy chunks that need more than their own script: their `import()` goes through the loader of `load.js`.
//!
//! The rewrite replaces the six letters `import` by six others in the rendered chunk, before names are hashed: file
//! names stay true to their content, and source maps stay true without being rewritten.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use memchr::memmem;
use rolldown_common::RollupRenderedChunk;
use rolldown_plugin::{
    HookBuildEndArgs, HookNoopReturn, HookRenderChunkArgs, HookRenderChunkOutput, HookRenderChunkReturn,
    HookTransformOutputMap, HookUsage, Plugin, PluginContext,
};

use super::graph::closure;
use super::styles::Sheets;

/// The loader's global name; as long as `import`, see above.
const LOADER: &str = "$chunk";
/// How a rendered chunk refers to another one lazily.
const IMPORT: &str = "import(\"./";

/// The plugin.
#[derive(Debug)]
pub struct Lazy {
    sheets: Arc<Sheets>,
    needy: OnceLock<HashSet<String>>,
    targets: Arc<Targets>,
}

/// Ids of the modules that somebody imports lazily.
#[derive(Debug, Default)]
pub struct Targets(Mutex<BTreeSet<String>>);

impl Targets {
    /// All of them, sorted.
    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl Lazy {
    /// Looks for style sheets in `sheets` and notes in `targets` what is imported lazily.
    pub fn new(sheets: Arc<Sheets>, targets: Arc<Targets>) -> Lazy {
        Lazy { sheets, needy: OnceLock::new(), targets }
    }

    /// The chunks outside the page that bring styles or further scripts with them.
    fn needy(&self, args: &HookRenderChunkArgs<'_>) -> &HashSet<String> {
        self.needy.get_or_init(|| {
            let imports = |file: &str| args.chunks.get(file).map_or(&[][..], |chunk| &chunk.imports);
            let styled = |chunk: &RollupRenderedChunk| {
                self.sheets.any(chunk.modules.keys.iter().map(|id| id.as_str()))
            };
            let Some(entry) = args.chunks.values().find(|chunk| chunk.is_entry) else {
                return HashSet::new();
            };
            let page: HashSet<&str> = closure(entry.filename.as_str(), imports).into_iter().collect();
            let lazy = args.chunks.values().filter(|chunk| !page.contains(chunk.filename.as_str()));
            let needs_more = lazy.filter(|chunk| {
                let added =
                    closure(chunk.filename.as_str(), imports).into_iter().filter(|file| !page.contains(file));
                let mut added = added.filter_map(|file| args.chunks.get(file));
                added.any(|other| other.filename != chunk.filename || styled(other))
            });
            needs_more.map(|chunk| chunk.filename.to_string()).collect()
        })
    }
}

/// `code` with the lazy imports of `needy` files sent through the loader; nothing when there are none.
fn redirect(code: &str, folder: &str, needy: impl Fn(&str) -> bool) -> Option<String> {
    let mut result: Option<Vec<u8>> = None;
    for at in memmem::find_iter(code.as_bytes(), IMPORT) {
        let name = &code[at + IMPORT.len()..];
        let Some(end) = name.find('"') else { continue };
        if name[end + 1..].starts_with(')') && needy(&format!("{folder}{}", &name[..end])) {
            let bytes = result.get_or_insert_with(|| code.as_bytes().to_vec());
            bytes[at..at + LOADER.len()].copy_from_slice(LOADER.as_bytes());
        }
    }
    result.and_then(|bytes| String::from_utf8(bytes).ok())
}

impl Plugin for Lazy {
    fn name(&self) -> Cow<'static, str> {
        "hub:lazy".into()
    }

    async fn build_end(&self, ctx: &PluginContext, _: Option<&HookBuildEndArgs<'_>>) -> HookNoopReturn {
        let mut targets = self.targets.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for module in ctx.get_module_ids().iter().filter_map(|id| ctx.get_module_info(id)) {
            targets.extend(module.dynamically_imported_ids.iter().map(ToString::to_string));
        }
        Ok(())
    }

    async fn render_chunk(&self, _: &PluginContext, args: &HookRenderChunkArgs<'_>) -> HookRenderChunkReturn {
        if args.chunk.dynamic_imports.is_empty() {
            return Ok(None);
        }
        let needy = self.needy(args);
        let folder = args.chunk.filename.rfind('/').map_or("", |at| &args.chunk.filename[..=at]);
        Ok(redirect(&args.code, folder, |file| needy.contains(file))
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
    fn only_needy_chunks_go_through_the_loader() {
        let code = "a(() => import(\"./x-!~{01}~.js\").then(b), import(\"./y.js\"))";
        let done = redirect(code, "assets/", |file| file == "assets/x-!~{01}~.js").unwrap();
        assert_eq!(done, "a(() => $chunk(\"./x-!~{01}~.js\").then(b), import(\"./y.js\"))");
        assert_eq!(done.len(), code.len());
        assert_eq!(redirect(code, "assets/", |_| false), None);
    }
}
