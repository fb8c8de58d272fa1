//! What the web sources say: TypeScript and JavaScript modules, parsed and reduced to the facts that a build needs.
//!
//! [`parse`] takes one file's text and gives a [`Module`]: its exports and imports, the override keys it asks for, the
//! surfaces it declares and the pages it lists, or all its syntax errors with their places. [`scan`] does so for a
//! folder, on all cores. [`check_export`] holds a claim against a module.
//!
//! The parser's own types stay inside: a [`Module`] is an owned value that can cross threads. No input makes these
//! functions panic or exhaust the stack: `depth`, beside this module, bounds what is parsed at all, and on how much stack.

mod about;
mod collect;
mod decode;
mod export;
mod keys;
mod lines;
mod module;
mod pages;
mod scan;
mod syntax;
mod tags;
#[cfg(test)]
mod tests;

pub use decode::{MAX_BYTES, decode, too_large};
pub use export::{Claimed, Wanted, check_export, pages_of};
pub use hub_manifest::grammar::nearest;
pub use module::{
    About, Asked, AskedBy, Declared, DynamicKey, Export, ExportKind, Import, Literal, Module, Page, Pages,
};
pub use scan::{Source, is_source, is_wanted, read, scan};
pub use syntax::parse;

/// The package whose hooks and components ask for override keys.
pub(crate) const PLUGIN_HOST: &str = "@platform/plugin-host";
