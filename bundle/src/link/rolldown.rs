//! rolldown behind the boundary: its options, one run, and its output in our own terms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use hub_manifest::codes;
use hub_manifest::wire::bundler::Mode;
use rolldown::{
    BundlerBuilder, BundlerOptions, BundlerTransformOptions, ChecksOptions, ChunkFilenamesOutputOption,
    CodeSplittingMode, CommentsOptions, Either, ExperimentalOptions, GeneratedCodeOptions, HashCharacters,
    InputItem, JsxOptions, ManualCodeSplittingOptions, MatchGroup, MatchGroupName, MatchGroupTest,
    OutputFormat, Platform, PreserveEntrySignatures, RawMinifyOptions, SourceMapPathTransform, SourceMapType,
    TsConfig,
};
use rolldown_common::{AttachDebugInfo, Output, OutputChunk, RollupPreRenderedChunk};
use rolldown_plugin::__inner::SharedPluginable;

use super::assets::{Assets, hashed_name};
use super::graph::closure;
use super::lazy::{Lazy, Targets};
use super::report::{Sink, finding_of};
use super::resolve::Resolve;
use super::styles::{Sheets, StyleModules};
use super::{Chunk, Linked, Linker, Request};
use crate::finding::Finding;
use crate::places::{Places, normalize};
use crate::style::Styles;

/// The scripts run in browsers of early 2023 and later, the same as those of the style sheets.
const TARGET: [&str; 4] = ["chrome111", "edge111", "firefox114", "safari16.4"];
/// The linker's idea of the output folder; nothing is ever written there.
const PACKAGES: &str = "packages";
const OUT: &str = "target/web";

/// The linker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rolldown;

impl Linker for Rolldown {
    fn link(&self, request: &Request) -> Result<Linked, Vec<Finding>> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(threads)
            .build()
            .map_err(|error| {
                vec![Finding::error(codes::BUNDLER, format!("no threads can be started: {error}"))]
            })?;
        let linked = runtime.block_on(link(request));
        // What is still to be freed is freed by the end of the process.
        runtime.shutdown_background();
        linked
    }
}

async fn link(request: &Request) -> Result<Linked, Vec<Finding>> {
    let places = &request.places;
    let assets = Arc::new(Assets::default());
    let sheets = Arc::new(Sheets::default());
    let sink = Arc::new(Sink::default());
    let targets = Arc::new(Targets::default());
    let styles = Styles::new(Arc::clone(places), request.mode == Mode::Production);
    let plugins: Vec<SharedPluginable> = vec![
        Arc::new(Resolve::new(Arc::clone(places), Arc::clone(&assets), Arc::clone(&sink))),
        Arc::new(StyleModules::new(styles, Arc::clone(&assets), Arc::clone(&sheets), Arc::clone(&sink))),
        Arc::new(Lazy::new(Arc::clone(&targets))),
    ];
    let built =
        BundlerBuilder::default().with_options(options(request, &targets)).with_plugins(plugins).build();
    let output = match built {
        Ok(mut bundler) => {
            let output = bundler.generate().await;
            // Taking the graph apart takes longer than the process has left to live.
            std::mem::forget(bundler);
            output
        }
        Err(errors) => Err(errors),
    };
    let mut findings = sink.take();
    let (output, diagnostics) = match output {
        Ok(output) => (Some(output.assets), output.warnings),
        Err(errors) => (None, errors.into_vec()),
    };
    findings.extend(diagnostics.into_iter().filter_map(|diagnostic| finding_of(diagnostic, places)));
    findings.sort_by(Finding::order);
    findings.dedup();
    match output {
        Some(output) if !findings.iter().any(Finding::is_error) => {
            let lazy = targets.modules().iter().map(|id| name_of(id, places)).collect();
            Ok(Linked { findings, lazy, ..linked(&output, places, &sheets, &assets, &targets) })
        }
        _ => Err(findings),
    }
}

fn options(request: &Request, targets: &Arc<Targets>) -> BundlerOptions {
    let production = request.mode == Mode::Production;
    let environment = if production { "\"production\"" } else { "\"development\"" };
    let define = [("process.env.NODE_ENV", environment)];
    BundlerOptions {
        cwd: Some(request.places.repo.clone()),
        input: Some(vec![InputItem { name: Some("main".to_owned()), import: "hub:entry".to_owned() }]),
        dir: Some(OUT.to_owned()),
        format: Some(OutputFormat::Esm),
        platform: Some(Platform::Browser),
        entry_filenames: Some("assets/[name]-[hash].js".to_owned().into()),
        chunk_filenames: Some(script_names()),
        code_splitting: Some(CodeSplittingMode::Advanced(packages(targets))),
        preserve_entry_signatures: Some(PreserveEntrySignatures::AllowExtension),
        // One case only: names must stay apart on file systems that know no case.
        hash_characters: Some(HashCharacters::Base36),
        define: Some(define.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        minify: Some(RawMinifyOptions::Bool(production)),
        sourcemap: Some(if production { SourceMapType::Hidden } else { SourceMapType::File }),
        sourcemap_path_transform: Some(source_names(&request.places)),
        transform: Some(BundlerTransformOptions {
            jsx: Some(Either::Right(JsxOptions {
                runtime: Some("automatic".to_owned()),
                development: Some(false),
                ..JsxOptions::default()
            })),
            target: Some(Either::Right(TARGET.map(str::to_owned).to_vec())),
            ..BundlerTransformOptions::default()
        }),
        // An author's tsconfig.json is for the editor; what it says must not change what is shipped.
        tsconfig: Some(TsConfig::Auto(false)),
        // Licences are gathered in one file of their own.
        comments: Some(CommentsOptions { legal: !production, annotation: !production, jsdoc: !production }),
        // Smaller and faster than `const`, which must check at run time that it has been set.
        top_level_var: Some(production),
        checks: Some(ChecksOptions {
            plugin_timings: Some(false),
            prefer_builtin_feature: Some(false),
            circular_dependency: Some(false),
            large_barrel_modules: Some(false),
            ..ChecksOptions::default()
        }),
        // Nothing here asks a module's namespace for its name.
        generated_code: Some(GeneratedCodeOptions { symbols: false }),
        experimental: Some(ExperimentalOptions {
            attach_debug_info: Some(AttachDebugInfo::None),
            lazy_barrel: Some(true),
            ..ExperimentalOptions::default()
        }),
        ..BundlerOptions::default()
    }
}

/// What a lazy chunk takes from packages, if it is much, is a chunk of its own: an edit of a dashboard does not send its
/// chart library anew. The modules are grouped by who needs them, as the linker would group them, and those of the page
/// stay on the page.
fn packages(targets: &Arc<Targets>) -> ManualCodeSplittingOptions {
    let targets = Arc::clone(targets);
    let test = move |id: &str| {
        let lazy = id.contains("/node_modules/") && !targets.is_eager(id);
        let answer: Pin<Box<dyn Future<Output = anyhow::Result<Option<bool>>> + Send>> =
            Box::pin(std::future::ready(Ok(Some(lazy))));
        answer
    };
    let group = MatchGroup {
        name: MatchGroupName::Static(PACKAGES.to_owned()),
        test: Some(MatchGroupTest::Function(Arc::new(test))),
        min_size: Some(50_000.0),
        entries_aware: Some(true),
        include_dependencies_recursively: Some(false),
        ..MatchGroup::default()
    };
    ManualCodeSplittingOptions { groups: Some(vec![group]), ..ManualCodeSplittingOptions::default() }
}

/// The file name of a script. The linker names a group of packages after all chunks that need it, which may be hundreds.
fn script_names() -> ChunkFilenamesOutputOption {
    ChunkFilenamesOutputOption::Fn(Arc::new(|chunk: &RollupPreRenderedChunk| {
        let name = if chunk.name.starts_with(PACKAGES) { PACKAGES } else { "[name]" };
        let name = format!("assets/{name}-[hash].js");
        Box::pin(std::future::ready(Ok(name)))
    }))
}

/// Source maps name their sources by the names that are the same on every machine.
fn source_names(places: &Arc<Places>) -> SourceMapPathTransform {
    let places = Arc::clone(places);
    let folder = places.repo.join(OUT).join("assets");
    SourceMapPathTransform::new(Arc::new(move |source: &str, _: &str| {
        let name = source_name(&places, &folder, source);
        Box::pin(async move { Ok(name) })
    }))
}

fn source_name(places: &Places, folder: &Path, source: &str) -> String {
    match source.find("hub:") {
        Some(at) => source[at..].to_owned(),
        None => places.name(&normalize(&folder.join(source))),
    }
}

/// rolldown's output in our terms.
fn linked(output: &[Output], places: &Places, sheets: &Sheets, assets: &Assets, targets: &Targets) -> Linked {
    let maps: HashMap<&str, &str> = output
        .iter()
        .filter_map(|file| match file {
            Output::Asset(asset) => {
                asset.source.try_as_inner_str().ok().map(|text| (asset.filename.as_str(), text))
            }
            Output::Chunk(_) => None,
        })
        .collect();
    let scripts: Vec<&OutputChunk> = output
        .iter()
        .filter_map(|file| match file {
            Output::Chunk(chunk) => Some(chunk.as_ref()),
            Output::Asset(_) => None,
        })
        .collect();
    let by_file: HashMap<&str, &OutputChunk> =
        scripts.iter().map(|chunk| (chunk.filename.as_str(), *chunk)).collect();
    let imports = |file: &str| by_file.get(file).map_or(&[][..], |chunk| &chunk.imports);
    let ids = |chunk: &OutputChunk| chunk.modules.keys.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    // The page has one style sheet, in the order in which its chunks run.
    let entry = scripts.iter().find(|chunk| chunk.is_entry).map_or("", |chunk| chunk.filename.as_str());
    let page: Vec<&OutputChunk> =
        closure(entry, imports).into_iter().filter_map(|file| by_file.get(file).copied()).collect();
    let style = |chunk: &OutputChunk| {
        let on_page = page.iter().any(|other| other.filename == chunk.filename);
        let ids: Vec<String> = match (chunk.is_entry, on_page) {
            (true, _) => page.iter().flat_map(|chunk| ids(chunk)).collect(),
            (false, true) => Vec::new(),
            (false, false) => ids(chunk),
        };
        let text = sheets.join(ids.iter().map(String::as_str))?;
        Some((hashed_name(&format!("{}.css", chunk.name), text.as_bytes()), text))
    };
    let chunks = scripts.iter().map(|chunk| Chunk {
        file: chunk.filename.to_string(),
        name: targets.name(&chunk.preliminary_filename).map(str::to_owned),
        code: chunk.code.clone(),
        map: chunk.sourcemap_filename.as_deref().and_then(|file| maps.get(file)).map(|map| (*map).to_owned()),
        entry: chunk.is_entry,
        imports: chunk
            .imports
            .iter()
            .filter(|file| by_file.contains_key(file.as_str()))
            .map(|file| file.to_string())
            .collect(),
        modules: chunk.modules.keys.iter().map(|id| name_of(id.as_str(), places)).collect(),
        style: style(chunk),
    });
    let modules = scripts.iter().flat_map(|chunk| &chunk.modules.keys).map(|id| PathBuf::from(id.as_str()));
    let packages = modules
        .chain(sheets.files())
        .chain(assets.files())
        .filter_map(|file| package_folder(&file))
        .collect();
    Linked { chunks: chunks.collect(), assets: assets.take(), packages, ..Linked::default() }
}

/// The folder of the package that a file belongs to; nothing for the platform's and the plugins' own files.
fn package_folder(file: &Path) -> Option<PathBuf> {
    let text = file.to_str()?;
    let start = text.rfind("/node_modules/")? + "/node_modules/".len();
    let parts = if text[start..].starts_with('@') { 2 } else { 1 };
    let end = text[start..].match_indices('/').nth(parts - 1).map(|(at, _)| start + at)?;
    Some(PathBuf::from(&text[..end]))
}

/// A module's machine-independent name.
fn name_of(id: &str, places: &Places) -> String {
    match id.strip_prefix('\0') {
        Some(inner) => inner.to_owned(),
        None => places.name(&PathBuf::from(id)),
    }
}
