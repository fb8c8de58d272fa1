//! What the bundler is asked and what it answers: one JSON object in, one out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::licenses::Package;

/// Whether the output is for customers or for somebody who edits a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Minified, with source maps that no script refers to.
    Production,
    /// Readable, with source maps that the browser finds by itself.
    Development,
}

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The repository: the one place React and the shell's packages are taken from.
    pub repo: PathBuf,
    /// The shell's first module.
    pub entry: PathBuf,
    /// The handlebars template of the page.
    pub html: PathBuf,
    /// The folder of generated TypeScript; its `overrides.ts` is `@platform/overrides`.
    pub generated: PathBuf,
    /// Root folder of each vertical plugin; it may lie outside the repository.
    #[serde(default)]
    pub plugins: BTreeMap<String, PathBuf>,
    /// The folder that is replaced by the result.
    pub out: PathBuf,
    /// Production or development.
    pub mode: Mode,
    /// Whether gzip and brotli twins are written beside text assets.
    #[serde(default)]
    pub compress: bool,
    /// The page's title.
    #[serde(default = "default_title")]
    pub title: String,
}

fn default_title() -> String {
    "Platform".to_owned()
}

/// Where a lazily imported module ended up.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Placed {
    /// The script that holds it, relative to the output folder.
    pub chunk: String,
    /// The style sheets that are fetched with it.
    pub css: Vec<String>,
}

/// One file of the output folder.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Path relative to the output folder.
    pub path: String,
    /// Size in bytes.
    pub size: usize,
}

/// How long the two stages took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// Reading, linking, minifying.
    pub bundle_ms: u64,
    /// Compressed twins.
    pub compress_ms: u64,
}

/// The answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reply {
    /// Whether the output folder was replaced.
    pub ok: bool,
    /// Errors and warnings.
    pub diagnostics: Vec<Finding>,
    /// Each lazily imported module, by its machine-independent name.
    pub modules: BTreeMap<String, Placed>,
    /// What the output folder now holds, sorted by path.
    pub files: Vec<Written>,
    /// The packages of which something is in there.
    pub packages: Vec<Package>,
    /// Stage times.
    pub timings: Timings,
}
