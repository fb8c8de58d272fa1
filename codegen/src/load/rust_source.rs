//! Finds a router function in a plugin's Rust source with syn, before any compiler runs.

use syn::{FnArg, Item, ItemFn, ItemMod, ReturnType, Type, UseTree, Visibility};

use hub_manifest::codes::{self, Code};
use hub_manifest::grammar::{alternatives, nearest};

use super::depth::stack_for;

/// The sources of one crate: path relative to the plugin's folder → text, or why there is none.
pub type Sources = std::collections::BTreeMap<String, Result<String, String>>;

/// Stack for parsing, walking and dropping one file: syn recurses with the nesting of the source.
const STACK: usize = 64 * 1024 * 1024;
/// Most stack that the estimate for a text may call for: syn needs up to four times as much.
const MAX_ESTIMATE: usize = STACK / 4;

/// Why a router cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterProblem {
    /// Stable code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
    /// A place in the crate's sources: file, and byte range.
    pub place: Option<(String, std::ops::Range<usize>)>,
}

/// Checks that `modules::function` of the crate whose root is `root_file` exists, is public all the way, and gives a
/// router.
pub fn check_router(
    sources: &Sources,
    root_file: &str,
    modules: &[String],
    function: &str,
) -> Result<(), RouterProblem> {
    stacker::maybe_grow(STACK, STACK, || find_router(sources, root_file, modules, function))
}

fn find_router(
    sources: &Sources,
    root_file: &str,
    modules: &[String],
    function: &str,
) -> Result<(), RouterProblem> {
    let mut file = root_file.to_string();
    // Where files of child modules lie: `src` for the crate root, `src/a` for module `a`.
    let mut folder = parent(root_file).to_string();
    let mut items = parse(sources, &file)?;
    let mut path = String::from("crate");
    for module in modules {
        let found = items.iter().find_map(|item| match item {
            Item::Mod(item) if item.ident == module => Some(item.clone()),
            _ => None,
        });
        let Some(found) = found else {
            return Err(missing_module(sources, &file, &folder, module, &items));
        };
        if !matches!(found.vis, Visibility::Public(_)) {
            return Err(RouterProblem {
                code: codes::PRIVATE_ROUTER,
                message: format!("the module `{module}` is private, so the host cannot reach `{function}`"),
                help: format!("write `pub mod {module}`"),
                place: Some((file, range_of(&found))),
            });
        }
        path = format!("{path}::{module}");
        match found.content {
            Some(content) => items = content.1,
            None => {
                let candidates = [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")];
                let Some(next) = candidates.iter().find(|path| sources.contains_key(*path)) else {
                    return Err(RouterProblem {
                        code: codes::MISSING_ROUTER_MODULE,
                        message: format!("the module `{module}` has no file"),
                        help: format!("create `{}` or `{}`", candidates[0], candidates[1]),
                        place: Some((file, range_of(&found))),
                    });
                };
                file = next.clone();
                items = parse(sources, &file)?;
            }
        }
        folder = format!("{folder}/{module}");
    }
    let functions: Vec<&ItemFn> = items
        .iter()
        .filter_map(|item| match item {
            Item::Fn(item) => Some(item),
            _ => None,
        })
        .collect();
    match functions.iter().find(|item| item.sig.ident == function) {
        Some(item) => check_function(&file, item),
        None if reexports(&items, function) => Ok(()),
        None => {
            let names: Vec<String> = functions.iter().map(|item| item.sig.ident.to_string()).collect();
            let near = nearest(function, names.iter().map(String::as_str));
            let help = match near.as_slice() {
                [] => format!("add `#[hub::router] pub fn {function}() -> Router` to {file}"),
                near => format!("did you mean {}?", alternatives(near)),
            };
            Err(RouterProblem {
                code: codes::MISSING_ROUTER,
                message: format!("there is no function `{function}` in `{path}` ({file})"),
                help,
                place: None,
            })
        }
    }
}

fn check_function(file: &str, item: &ItemFn) -> Result<(), RouterProblem> {
    let name = &item.sig.ident;
    let problem = |code, message: String| {
        let help = format!("write `#[hub::router] pub fn {name}() -> Router`");
        Err(RouterProblem { code, message, help, place: Some((file.to_string(), span_range(name.span()))) })
    };
    if !matches!(item.vis, Visibility::Public(_)) {
        return problem(codes::PRIVATE_ROUTER, format!("the router function `{name}` is not public"));
    }
    if item.sig.asyncness.is_some() {
        return problem(
            codes::NOT_A_ROUTER,
            format!("the router function `{name}` is async: routers are built before the host runs"),
        );
    }
    if item.sig.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_) | FnArg::Typed(_))) {
        return problem(
            codes::NOT_A_ROUTER,
            format!("the router function `{name}` takes arguments: handlers get theirs from the request"),
        );
    }
    let gives_router = match &item.sig.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Router"),
            _ => false,
        },
    };
    if gives_router {
        Ok(())
    } else {
        problem(codes::NOT_A_ROUTER, format!("the function `{name}` does not give a `Router`"))
    }
}

fn missing_module(
    sources: &Sources,
    file: &str,
    folder: &str,
    module: &str,
    items: &[Item],
) -> RouterProblem {
    let on_disk = [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")]
        .into_iter()
        .find(|path| sources.contains_key(path));
    let known: Vec<String> = items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(item) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect();
    let near = nearest(module, known.iter().map(String::as_str));
    let (message, help) = match (on_disk, near.as_slice()) {
        (Some(path), _) => (
            format!("{path} is not part of the crate: {file} does not declare the module"),
            format!("add `pub mod {module};` to {file}"),
        ),
        (None, []) => (
            format!("there is no module `{module}` in {file}"),
            format!("add `pub mod {module};` to {file} and the file {folder}/{module}.rs"),
        ),
        (None, near) => (
            format!("there is no module `{module}` in {file}"),
            format!("did you mean {}?", alternatives(near)),
        ),
    };
    RouterProblem { code: codes::MISSING_ROUTER_MODULE, message, help, place: None }
}

fn parse(sources: &Sources, file: &str) -> Result<Vec<Item>, RouterProblem> {
    let unreadable = |message: String, help: &str, range| {
        Err(RouterProblem {
            code: codes::RUST_SOURCE,
            message,
            help: help.to_string(),
            place: Some((file.to_string(), range)),
        })
    };
    let text = match sources.get(file) {
        Some(Ok(text)) => text,
        Some(Err(reason)) => {
            let help = "a Rust source is a UTF-8 text of at most 4 MiB that the user who builds may read";
            return unreadable(format!("{file} cannot be read: {reason}"), help, 0..0);
        }
        None => {
            return Err(RouterProblem {
                code: codes::MISSING_ROUTER_MODULE,
                message: format!("the crate has no {file}"),
                help: "create the file, or name it as `path` under `[lib]` in backend/Cargo.toml".to_string(),
                place: None,
            });
        }
    };
    if stack_for(text).is_none_or(|needed| needed > MAX_ESTIMATE) {
        let help = "break the deepest expression into parts with names of their own";
        return unreadable(format!("{file} is nested too deeply to be read"), help, 0..0);
    }
    match syn::parse_file(text) {
        Ok(parsed) => Ok(parsed.items),
        Err(error) => {
            let cause = match error.to_string() {
                // proc-macro2 says no more where the tokens themselves cannot be told apart.
                text if text.contains("token stream") => {
                    "a bracket, quote or comment is not closed, or closes nothing".to_string()
                }
                text => text,
            };
            unreadable(
                format!("syntax error in {file}: {cause}"),
                "mend the Rust source at this place",
                span_range(error.span()),
            )
        }
    }
}

/// Whether a `pub use` brings the name in. Where from is rustc's business.
fn reexports(items: &[Item], name: &str) -> bool {
    fn gives(tree: &UseTree, name: &str) -> bool {
        match tree {
            UseTree::Path(path) => gives(&path.tree, name),
            UseTree::Name(item) => item.ident == name,
            UseTree::Rename(item) => item.rename == name,
            UseTree::Glob(_) => true,
            UseTree::Group(group) => group.items.iter().any(|tree| gives(tree, name)),
        }
    }
    items.iter().any(|item| match item {
        Item::Use(item) => matches!(item.vis, Visibility::Public(_)) && gives(&item.tree, name),
        _ => false,
    })
}

fn parent(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn range_of(item: &ItemMod) -> std::ops::Range<usize> {
    span_range(item.ident.span())
}

fn span_range(span: proc_macro2::Span) -> std::ops::Range<usize> {
    span.byte_range()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), &'static str> {
        let sources = Sources::from([("src/lib.rs".to_string(), Ok(text.to_string()))]);
        check_router(&sources, "src/lib.rs", &[], "router").map_err(|problem| problem.code.id())
    }

    #[test]
    fn what_gives_a_router() {
        for text in [
            "pub fn router() -> Router { Router::new() }",
            "pub fn router() -> hub::Router { x }",
            "#[hub::router] pub fn router() -> ::hub::Router { x }",
            "pub use inner::router;",
            "pub use inner::{other as router, more};",
            "pub use inner::*;",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, code) in [
            ("", "HUB037"),
            ("use inner::router;", "HUB037"),
            ("mod a { pub fn router() -> Router { x } }", "HUB037"),
            ("pub(crate) fn router() -> Router { x }", "HUB038"),
            ("pub fn router() -> Result<Router, ()> { x }", "HUB039"),
            ("pub fn router() { x ", "HUB074"),
        ] {
            assert_eq!(check(text), Err(code), "{text}");
        }
    }

    #[test]
    fn no_nesting_exhausts_the_stack() {
        for (open, close, most) in
            [("(", ")", 2_000), ("{", "}", 2_000), ("[", "]", 2_000), ("!", "", 12_000)]
        {
            let nested =
                |n: usize| format!("pub fn router() -> Router {{ {}1{} }}", open.repeat(n), close.repeat(n));
            assert_eq!(check(&nested(most)), Ok(()), "{open}");
            assert_eq!(check(&nested(500_000)), Err("HUB074"), "{open}");
        }
        assert_eq!(
            check(&format!("type A = {}u8{};", "Vec<".repeat(1_000), ">".repeat(1_000))),
            Err("HUB037")
        );
    }
}
