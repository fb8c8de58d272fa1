//! Which module may use which: those of this crate and of the host lie in layers, and no arrow runs up.
//!
//! An arrow is a path in a source that leads from one module to another, in a `use` or anywhere else, macros included.
//! Tests may use whatever they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// The layers inside one module, the lowest first. Modules of one layer do not use each other, where `apart` says so.
struct Layers {
    /// The module, as in `load::websource`; empty for the crate itself.
    of: &'static str,
    apart: bool,
    /// Names of the modules in it. [`REST`] stands for those that are not named, and for what the module holds itself.
    rows: &'static [&'static [&'static str]],
}

/// The modules that a table does not name.
const REST: &str = "*";

/// What is shared, the stages in their order, what puts them in order, and what is asked for besides.
const CODEGEN: &[Layers] = &[
    Layers {
        of: "",
        apart: true,
        rows: &[
            &["base"],
            &["scan"],
            &["load"],
            &["resolve"],
            &["generate"],
            &["bundle", "compile"],
            &["pack"],
            &["pipeline"],
            &["checks", "docs", "explain", "report", "scaffold"],
        ],
    },
    Layers { of: "scan", apart: true, rows: &[&["links"], &[REST]] },
    Layers { of: "load", apart: true, rows: &[&["depth"], &["rust_source", "websource"], &[REST]] },
    Layers {
        of: "compile",
        apart: true,
        rows: &[&["stage"], &["graph"], &["embedded"], &[REST], &["routes"]],
    },
    Layers {
        of: "pack",
        apart: true,
        rows: &[&["inventory"], &["supply", REST], &["chart", "image", "sign"]],
    },
];

/// What knows nothing of requests; processes and the database; which plugins there are, and who may see them; all that a running
/// host can do; what every handler stands on; what answers; what starts it all.
const HOST: &[Layers] = &[Layers {
    of: "",
    apart: false,
    rows: &[
        &[
            "address",
            "base",
            "data_folder",
            "env_file",
            "fault",
            "life",
            "listing",
            "locate",
            "logs",
            "memory",
            "misspelt",
            "names",
            "networks",
            "objects",
            "privilege",
            "problem",
            "purse",
            "reach",
            "settings",
            "validate",
        ],
        &["db", "process"],
        &["access", "audit", "config", "discover", "live", "overrides", "page_paths", "registry", "rows"],
        &["connectors", "drivers", "enable", "host", "identity", "metrics", "runs", "streams"],
        &["ctx", "extract", "gate", "gather", "mount", "page", "platform", "router"],
        &["api", "middleware", "openapi", "probes", "web"],
        &["app", "cli", "install", "preflight", "serve", "start", "testing"],
    ],
}];

/// A module and what it is made of.
struct Module {
    /// As in `["load", "websource"]`; empty for the crate itself.
    path: Vec<String>,
    /// Its source, relative to the crate's `src`.
    file: String,
    /// Everything in it but its child modules and tests.
    tokens: TokenStream,
}

/// All modules of a crate that are compiled without tests.
#[derive(Default)]
struct Modules {
    all: Vec<Module>,
    /// What the crate's root takes in and gives on, by name: whoever names it there uses the module that it is from.
    root: BTreeMap<String, Vec<String>>,
}

/// Whether an item is there for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        text == "test" || attribute.path().is_ident("cfg") && text.contains("test") && !text.contains("not")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Modules {
    fn of(src: &Path) -> Modules {
        let mut modules = Modules::default();
        modules.file(src, Path::new("lib.rs"), Path::new(""), Vec::new());
        modules
    }

    /// Reads a file of `src`; files of its child modules lie in `folder`.
    fn file(&mut self, src: &Path, file: &Path, folder: &Path, path: Vec<String>) {
        let text =
            fs::read_to_string(src.join(file)).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        self.items(src, file, folder, path, parsed.items);
    }

    fn items(&mut self, src: &Path, file: &Path, folder: &Path, path: Vec<String>, items: Vec<Item>) {
        let mut tokens = TokenStream::new();
        for item in items.into_iter().filter(|item| !is_test(attributes(item))) {
            let Item::Mod(child) = item else {
                if let (Item::Use(import), []) = (&item, path.as_slice()) {
                    self.names_of_root(&import.tree, &[]);
                }
                item.to_tokens(&mut tokens);
                continue;
            };
            let name = child.ident.to_string();
            let inner = [path.as_slice(), std::slice::from_ref(&name)].concat();
            let below = folder.join(&name);
            if let Some((_, items)) = child.content {
                self.items(src, file, &below, inner, items);
                continue;
            }
            let flat = folder.join(format!("{name}.rs"));
            let file = if src.join(&flat).is_file() { flat } else { below.join("mod.rs") };
            self.file(src, &file, &below, inner);
        }
        self.all.push(Module { path, file: file.display().to_string(), tokens });
    }

    fn names_of_root(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.names_of_root(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.names_of_root(tree, before)),
            UseTree::Name(name) => drop(self.root.insert(name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(name) => drop(self.root.insert(name.rename.to_string(), with(&name.ident))),
            UseTree::Glob(_) => {}
        }
    }

    fn has(&self, path: &[String]) -> bool {
        self.all.iter().any(|module| module.path == path)
    }

    /// The module that a path in `from` leads to; none where it leaves the crate, or is no path to a module.
    fn target(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = from.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while let Some(("super", after)) =
                    rest.split_first().map(|(name, after)| (name.as_str(), after))
                {
                    at.pop()?;
                    rest = after;
                }
            }
            // Without one of these words it may be a child module; else it is another crate, or a name that a `use` gave.
            name if path.len() > 1 && self.has(&[from, &[name.to_string()]].concat()) => {}
            _ => return None,
        }
        if let (true, Some(name)) = (at.is_empty(), rest.first())
            && !self.has(std::slice::from_ref(name))
            && let Some(meant) = self.root.get(name)
        {
            let inside = matches!(meant[0].as_str(), "crate" | "self") || self.has(&meant[..1]);
            let start = usize::from(matches!(meant[0].as_str(), "crate" | "self"));
            at = if inside { meant[start..].to_vec() } else { return None };
            while !self.has(&at) {
                at.pop();
            }
            return Some(at);
        }
        for name in rest {
            at.push(name.clone());
            if !self.has(&at) {
                at.pop();
                break;
            }
        }
        Some(at)
    }
}

/// The paths of at least two names in a source, with their lines; those of a list in braces each by itself.
fn paths(tokens: TokenStream) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    within(&tokens.into_iter().collect::<Vec<_>>(), &[], &mut found);
    found
}

fn within(tokens: &[TokenTree], before: &[String], found: &mut Vec<(usize, Vec<String>)>) {
    let colons = |at: usize| {
        let is = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        is(at) && is(at + 1)
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(first) => {
                let line = first.span().start().line;
                let mut path = [before, &[first.to_string()]].concat();
                at += 1;
                while colons(at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(name)) => {
                            path.push(name.to_string());
                            at += 3;
                        }
                        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Brace => {
                            within(&list.stream().into_iter().collect::<Vec<_>>(), &path, found);
                            path.clear();
                            at += 3;
                        }
                        _ => at += 2,
                    }
                }
                // `use a::{self as b}` means `a`.
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                if path.len() > 1 || !before.is_empty() && !path.is_empty() {
                    found.push((line, path));
                }
            }
            TokenTree::Group(group) => {
                within(&group.stream().into_iter().collect::<Vec<_>>(), before, found);
                at += 1;
            }
            // A path that begins with `::`, or goes on behind `>`, is of no module of ours.
            TokenTree::Punct(_) if colons(at) => at += 3,
            _ => at += 1,
        }
    }
}

/// Where a module stands in a table: its row and its name there.
fn place<'a>(layers: &Layers, path: &'a [String]) -> Option<(usize, &'a str)> {
    let own = path.first().map_or(REST, String::as_str);
    let row = |name: &str| layers.rows.iter().position(|row| row.contains(&name));
    row(own).map(|row| (row, own)).or_else(|| row(REST).map(|row| (row, REST)))
}

/// An arrow that runs up, or between modules that are to know nothing of each other.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    file: String,
    line: usize,
    /// The names of both ends, in the module where they have a layer each.
    from: String,
    to: String,
    path: String,
}

/// All wrong arrows of a crate, and what the tables say of modules that are not as they say.
fn wrong(src: &Path, tables: &[Layers]) -> (BTreeSet<Arrow>, Vec<String>) {
    let modules = Modules::of(src);
    let (mut arrows, mut amiss) = (BTreeSet::new(), Vec::new());
    for layers in tables {
        let prefix: Vec<String> =
            layers.of.split("::").filter(|name| !name.is_empty()).map(String::from).collect();
        let named = layers.rows.iter().copied().flatten().filter(|name| **name != REST);
        for name in named {
            if !modules.has(&[prefix.as_slice(), &[name.to_string()]].concat()) {
                amiss.push(format!(
                    "there is no module `{name}` in `{}` any more: take it out of the table",
                    layers.of
                ));
            }
        }
        for module in &modules.all {
            let Some(inner) = module.path.strip_prefix(prefix.as_slice()) else { continue };
            // The crate's root only lists the modules and hands on names.
            if module.file == "lib.rs" {
                continue;
            }
            let Some((from_row, from)) = place(layers, inner) else {
                amiss
                    .push(format!("`{}` has no layer: give it a place in the table", module.path.join("::")));
                continue;
            };
            for (line, path) in paths(module.tokens.clone()) {
                let Some(target) = modules.target(&module.path, &path).filter(|target| !target.is_empty())
                else {
                    continue;
                };
                let Some((row, to)) =
                    target.strip_prefix(prefix.as_slice()).and_then(|inner| place(layers, inner))
                else {
                    continue;
                };
                if row > from_row || layers.apart && row == from_row && to != from {
                    let full = |name: &str| match name {
                        REST => layers.of.to_string(),
                        name => [prefix.as_slice(), &[name.to_string()]].concat().join("::"),
                    };
                    let (file, path) = (module.file.clone(), path.join("::"));
                    arrows.insert(Arrow { file, line, from: full(from), to: full(to), path });
                }
            }
        }
    }
    (arrows, amiss)
}

fn told(src: &str, arrow: &Arrow) -> String {
    let Arrow { file, line, from, to, path } = arrow;
    format!(
        "{src}/{file}:{line}: `{from}` uses `{path}`, but `{to}` is not below it: move what both need into a module below \
         both, or let the caller hand it in as a value"
    )
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn holds(src: &str, tables: &[Layers]) {
    let (arrows, mut amiss) = wrong(&here(src), tables);
    amiss.extend(arrows.iter().map(|arrow| told(src, arrow)));
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

#[test]
fn no_arrow_runs_up_in_codegen() {
    holds("codegen/src", CODEGEN);
}

#[test]
fn no_arrow_runs_up_in_the_host() {
    holds("host-template/runtime/src", HOST);
}

#[test]
fn arrows_are_found_wherever_they_stand() {
    const TABLE: &[Layers] =
        &[Layers { of: "", apart: true, rows: &[&["low"], &["mid", "other"], &["high"]] }];
    let root = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    };
    write("lib.rs", "mod low; mod mid; mod other; mod high; pub use high::{Top, Tip as End};");
    write("mid.rs", "use crate::low::x;");
    write("other/mod.rs", "mod deep; pub fn f() { deep::g() }");
    write("other/deep.rs", "pub fn g() { super::super::mid::x() } // crate::high");
    write("high.rs", "use super::{low, mid}; use crate::other;");
    write(
        "low.rs",
        "use crate::{\n    high::{self, Top},\n    low::y,\n};\nfn f() -> crate::End {\n    format!(\"{}\", crate::mid::x())\n}\n\
         pub fn g() { ::high::z(); std::mid::z(); }\n#[cfg(test)]\nmod tests { use crate::high::*; }\n\
         #[cfg(test)]\nuse crate::mid::x;\n",
    );
    let (arrows, amiss) = wrong(root.path(), TABLE);
    assert!(amiss.is_empty(), "{amiss:?}");
    let shown: Vec<String> =
        arrows.iter().map(|a| format!("{}:{} {} -> {} {}", a.file, a.line, a.from, a.to, a.path)).collect();
    assert_eq!(
        shown,
        [
            "low.rs:2 low -> high crate::high",
            "low.rs:2 low -> high crate::high::Top",
            "low.rs:5 low -> high crate::End",
            "low.rs:6 low -> mid crate::mid::x",
            "other/deep.rs:1 other -> mid super::super::mid::x",
        ]
    );
    write("lib.rs", "mod low; mod mid; mod high; mod new;");
    write("low.rs", "");
    write("new.rs", "");
    let (_, amiss) = wrong(root.path(), TABLE);
    assert_eq!(
        amiss,
        [
            "there is no module `other` in `` any more: take it out of the table",
            "`new` has no layer: give it a place in the table",
        ]
    );
}
