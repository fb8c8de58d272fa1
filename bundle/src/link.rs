//! The narrow boundary to whatever links modules: what it is given, what it gives back. Nothing outside `link/` knows
//! which linker that is.

mod assets;
mod graph;
mod lazy;
mod report;
mod resolve;
mod rolldown;
mod styles;
mod suggest;

pub use graph::{Need, Page};
pub use rolldown::Rolldown;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use hub_manifest::wire::bundler::Mode;

use crate::finding::Finding;
use crate::places::Places;

/// What is to be linked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where everything lies.
    pub places: Arc<Places>,
    /// Production or development.
    pub mode: Mode,
}

/// One script of the output.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Path in the output folder, with the content's hash.
    pub file: String,
    /// The name by which other scripts ask for it, if any does so lazily.
    pub name: Option<String>,
    /// The script.
    pub code: String,
    /// Its source map.
    pub map: Option<String>,
    /// Whether the page starts it.
    pub entry: bool,
    /// The chunks that must run before it, in order.
    pub imports: Vec<String>,
    /// Machine-independent names of the modules in it, in the order they run.
    pub modules: Vec<String>,
    /// The style sheet of its own modules, if any: path in the output folder and text. The entry's is that of the whole
    /// page, and the chunks that it imports have none.
    pub style: Option<(String, String)>,
}

/// One file that is neither a script nor a style sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Path in the output folder, with the content's hash.
    pub file: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The outcome.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// All scripts, the page's own first.
    pub chunks: Vec<Chunk>,
    /// All other files.
    pub assets: Vec<Asset>,
    /// Machine-independent names of the modules that somebody imports lazily.
    pub lazy: Vec<String>,
    /// Folders of the packages of which something is in the output.
    pub packages: BTreeSet<PathBuf>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Links the shell, the plugins and their packages.
pub trait Linker {
    /// All errors at once, or everything that the page needs.
    fn link(&self, request: &Request) -> Result<Linked, Vec<Finding>>;
}
