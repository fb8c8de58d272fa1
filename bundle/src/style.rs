//! One style sheet through lightningcss: `@import` and `composes` inlined, nesting and newer syntax lowered, minified,
//! class names of CSS modules scoped, and every `url()` handed to the caller.
//!
//! lightningcss only ever sees machine-independent names, so that the class names it derives from them are the same
//! wherever the repository lies.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use append_only_vec::AppendOnlyVec;
use hub_manifest::codes;
use lightningcss::bundler::{BundleErrorKind, Bundler, ResolveResult, SourceProvider};
use lightningcss::css_modules::{Config, CssModuleExport, CssModuleReference, Pattern};
use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::error::{Error, ErrorLocation, ParserError};
use lightningcss::printer::PrinterOptions;
use lightningcss::stylesheet::{MinifyOptions, ParserFlags, ParserOptions};
use lightningcss::targets::{Browsers, Targets};
use lightningcss::traits::ToCss;
use oxc_resolver::{ResolveOptions, Resolver};

use crate::finding::{Finding, Spot, read_text, spot_of_line};
use crate::places::Places;

/// The browsers that the platform supports: those of early 2023 and later, the same for scripts and styles.
const BROWSERS: Browsers = Browsers {
    android: None,
    chrome: Some(111 << 16),
    edge: Some(111 << 16),
    firefox: Some(114 << 16),
    ie: None,
    ios_saf: Some((16 << 16) | (4 << 8)),
    opera: None,
    safari: Some((16 << 16) | (4 << 8)),
    samsung: None,
};

/// A style sheet ready to be put into the output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    /// `@import` rules of other sites; they must stand before everything else of the final file.
    pub head: String,
    /// The rules.
    pub body: String,
    /// For a CSS module: each local name and the class names it stands for.
    pub classes: Option<BTreeMap<String, String>>,
    /// The files that it was made of.
    pub files: Vec<PathBuf>,
}

impl Style {
    /// Whether there is nothing to print.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }
}

/// Reads and transforms style sheets.
pub struct Styles {
    places: Arc<Places>,
    resolver: Resolver,
    minify: bool,
}

impl Styles {
    /// A reader for the given places.
    pub fn new(places: Arc<Places>, minify: bool) -> Styles {
        let resolver = Resolver::new(ResolveOptions {
            condition_names: ["style", "import", "default"].map(str::to_owned).to_vec(),
            extensions: vec![".css".to_owned()],
            main_fields: ["style", "main"].map(str::to_owned).to_vec(),
            main_files: ["index", "style"].map(str::to_owned).to_vec(),
            prefer_relative: true,
            ..ResolveOptions::default()
        });
        Styles { places, resolver, minify }
    }

    /// Transforms `file`. `asset` is asked for the address of each local file that the sheet refers to. Errors and
    /// warnings go to `findings`; whatever is sound comes back all the same.
    pub fn read(
        &self,
        file: &Path,
        asset: &dyn Fn(&Path) -> std::io::Result<String>,
        findings: &mut Vec<Finding>,
    ) -> Style {
        let files = Files::new(self);
        let entry = files.name(file.to_owned());
        let module = is_module(file);
        let warnings = Arc::new(RwLock::new(Vec::new()));
        let options = ParserOptions {
            css_modules: module.then(css_modules),
            error_recovery: true,
            warnings: Some(Arc::clone(&warnings)),
            flags: ParserFlags::CUSTOM_MEDIA,
            ..ParserOptions::default()
        };
        let bundled = Bundler::new(&files, None, options).bundle(&entry);
        let style = bundled.map_err(|error| files.bundle_error(&error, &entry)).and_then(|mut sheet| {
            let targets = Targets { browsers: Some(BROWSERS), ..Targets::default() };
            let options = MinifyOptions { targets, ..MinifyOptions::default() };
            sheet.minify(options).map_err(|error| files.error(&error.kind, error.loc.as_ref()))?;
            let options = PrinterOptions {
                minify: self.minify,
                targets,
                analyze_dependencies: Some(DependencyOptions { remove_imports: false }),
                ..PrinterOptions::default()
            };
            sheet.to_css(options).map_err(|error| files.error(&error.kind, error.loc.as_ref()))
        });
        if let Ok(warnings) = warnings.read() {
            for warning in warnings.iter() {
                let finding = files.error(&reason(&warning.kind), warning.loc.as_ref());
                // A vendor's sheet may hold what no parser but an old browser's takes: those rules are left out.
                if !finding.file.as_deref().is_some_and(|file| file.contains("/node_modules/")) {
                    findings.push(finding);
                }
            }
        }
        let css = match style {
            Ok(css) => css,
            Err(finding) => {
                findings.push(finding);
                return Style { classes: module.then(BTreeMap::new), ..Style::default() };
            }
        };
        let mut code = css.code;
        let mut head = String::new();
        for dependency in css.dependencies.unwrap_or_default() {
            match dependency {
                Dependency::Import(import) => code = code.replace(&import.placeholder, &import.url),
                Dependency::Url(url) => {
                    let address = files.address(&url.url, Path::new(&url.loc.file_path), asset).unwrap_or_else(|why| {
                        let text = files.text(Path::new(&url.loc.file_path));
                        let (line, column) = (url.loc.start.line as usize, url.loc.start.column as usize);
                        let spot = Spot { length: url.url.chars().count(), ..spot_of_line(text, line, column) };
                        findings.push(
                            Finding::error(codes::STYLE_SHEET, format!("`{}` cannot be used here: {why}", url.url))
                                .at(&files.real(Path::new(&url.loc.file_path)), spot)
                                .help("the address is relative to the style sheet; one that begins with `/` or a scheme is left as it is"),
                        );
                        url.url.clone()
                    });
                    code = code.replace(&url.placeholder, &address);
                }
            }
        }
        let body = split_imports(&code, &mut head);
        let classes = css.exports.map(|exports| class_names(&exports));
        Style { head, body, classes, files: files.all() }
    }
}

/// Whether the names in this file are local to it.
pub fn is_module(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".module.css"))
}

fn css_modules() -> Config {
    // The name first: it tells a reader of the page where a rule comes from.
    let pattern = Pattern::parse("[local]_[hash]").unwrap_or_default();
    Config { pattern, ..Config::default() }
}

/// The external `@import` rules at the head of `code` go to `head`; the rest comes back.
fn split_imports(code: &str, head: &mut String) -> String {
    let mut rest = code.trim();
    while rest.starts_with("@import") {
        let Some(end) = end_of_statement(rest) else { break };
        head.push_str(&rest[..end]);
        head.push('\n');
        rest = rest[end..].trim_start();
    }
    rest.to_owned()
}

/// Just past the `;` that ends the first statement; quoted text and brackets are skipped.
fn end_of_statement(code: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ';') if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Each local name with everything that it composes, sorted by name.
fn class_names(exports: &HashMap<String, CssModuleExport>) -> BTreeMap<String, String> {
    let compiled = |export: &CssModuleExport| {
        let mut names = vec![export.name.as_str()];
        names.extend(export.composes.iter().map(|reference| match reference {
            CssModuleReference::Local { name }
            | CssModuleReference::Global { name }
            | CssModuleReference::Dependency { name, .. } => name.as_str(),
        }));
        names.join(" ")
    };
    exports.iter().map(|(local, export)| (local.clone(), compiled(export))).collect()
}

/// The files that one sheet pulls in, under their machine-independent names.
struct Files<'a> {
    styles: &'a Styles,
    real: Mutex<HashMap<PathBuf, PathBuf>>,
    texts: AppendOnlyVec<(PathBuf, String)>,
}

impl<'a> Files<'a> {
    fn new(styles: &'a Styles) -> Files<'a> {
        Files { styles, real: Mutex::default(), texts: AppendOnlyVec::new() }
    }

    /// The name of a real file, remembered so that [`Files::real`] finds it again.
    fn name(&self, real: PathBuf) -> PathBuf {
        let name = PathBuf::from(self.styles.places.name(&real));
        if let Ok(mut map) = self.real.lock() {
            map.insert(name.clone(), real);
        }
        name
    }

    fn real(&self, name: &Path) -> PathBuf {
        self.real.lock().ok().and_then(|map| map.get(name).cloned()).unwrap_or_else(|| name.to_owned())
    }

    fn all(&self) -> Vec<PathBuf> {
        self.real.lock().map(|map| map.values().cloned().collect()).unwrap_or_default()
    }

    fn text(&self, name: &Path) -> &str {
        self.read_before(name).unwrap_or("")
    }

    fn read_before(&self, name: &Path) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    fn locate(&self, specifier: &str, from: &Path) -> Result<PathBuf, String> {
        let specifier = specifier.strip_prefix('~').unwrap_or(specifier);
        let from = self.real(from);
        let folder = from.parent().unwrap_or(Path::new("/"));
        if let Ok(found) = self.styles.resolver.resolve(folder, specifier) {
            return Ok(found.into_path_buf());
        }
        // A plugin outside the repository has no packages of its own as a rule.
        match self.styles.resolver.resolve(&self.styles.places.repo, specifier) {
            Ok(found) if !specifier.starts_with('.') => Ok(found.into_path_buf()),
            _ => Err(format!("no such file beside {}, and no such package", from.display())),
        }
    }

    /// What to print for `url(…)`.
    fn address(
        &self,
        url: &str,
        from: &Path,
        asset: &dyn Fn(&Path) -> std::io::Result<String>,
    ) -> Result<String, String> {
        if is_elsewhere(url) {
            return Ok(url.to_owned());
        }
        // `font.eot?#iefix`, `sprite.svg#icon`: what follows the path belongs to the address.
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let (path, suffix) = url.split_at(end);
        let file = self.locate(path, from)?;
        let address = asset(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(address + suffix)
    }

    fn bundle_error(&self, error: &Error<BundleErrorKind<'_, Unresolved>>, entry: &Path) -> Finding {
        let finding = match &error.kind {
            BundleErrorKind::ParserError(kind) => self.error(&reason(kind), error.loc.as_ref()),
            kind => self.error(kind, error.loc.as_ref()),
        };
        match finding.file {
            Some(_) => finding,
            None => finding.at(&self.real(entry), Spot::START),
        }
    }

    fn error(&self, kind: &impl std::fmt::Display, loc: Option<&ErrorLocation>) -> Finding {
        let finding = Finding::error(codes::STYLE_SHEET, format!("the style sheet is wrong: {kind}"));
        match loc {
            Some(loc) => {
                let name = Path::new(&loc.filename);
                let spot = spot_of_line(self.text(name), loc.line as usize + 1, loc.column as usize);
                finding.at(&self.real(name), spot)
            }
            None => finding,
        }
    }
}

/// What is wrong, in words; tokens as the author wrote them.
fn reason(kind: &ParserError<'_>) -> String {
    let token = match kind {
        ParserError::UnexpectedToken(token) => token.to_css_string(PrinterOptions::default()).ok(),
        _ => None,
    };
    token.map_or_else(|| kind.to_string(), |token| format!("`{token}` is not expected here"))
}

/// Whether an address needs no file: another site, data, an absolute path on this site, or a part of the same page.
fn is_elsewhere(url: &str) -> bool {
    url.is_empty()
        || url.starts_with(['/', '#'])
        || url.split_once(':').is_some_and(|(scheme, _)| {
            scheme.len() > 1
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        })
}

impl SourceProvider for Files<'_> {
    type Error = Unresolved;

    fn read<'a>(&'a self, name: &Path) -> Result<&'a str, Unresolved> {
        if let Some(text) = self.read_before(name) {
            return Ok(text);
        }
        let file = self.real(name);
        let text = read_text(&file, codes::STYLE_SHEET).map_err(|finding| Unresolved(finding.message))?;
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(&self.texts[self.texts.push((name.to_owned(), text))].1)
    }

    fn resolve(&self, specifier: &str, from: &Path) -> Result<ResolveResult, Unresolved> {
        if is_elsewhere(specifier) || specifier.starts_with("//") {
            return Ok(ResolveResult::External(specifier.to_owned()));
        }
        let file = self.locate(specifier, from).map_err(|why| Unresolved(format!("`{specifier}`: {why}")))?;
        Ok(ResolveResult::File(self.name(file)))
    }
}

/// An `@import` that leads nowhere.
#[derive(Debug)]
struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}
