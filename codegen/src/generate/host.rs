//! The host's crate: its `Cargo.toml`, its `main.rs` and the plan that is compiled into it.

use hub_manifest::plan::{Plan, PluginCrate};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use toml_edit::{DocumentMut, InlineTable, Item, Table, value};

use super::{Files, HEADER};

/// Where the generated crate lies.
#[derive(Debug, Clone, Copy)]
pub struct HostPlace<'a> {
    /// Folder of the crate, relative to the root of the tree.
    pub folder: &'a str,
    /// The way back from there to the folder that holds `plugins/` and `host-template/`, like `../`.
    pub to_root: &'a str,
    /// Workspace that the crate belongs to, relative to its folder, where it is not one above it.
    pub workspace: Option<&'a str>,
}

/// The files of the crate but [`dependencies`].
pub fn host(plan: &Plan, place: HostPlace<'_>) -> Files {
    let mut plan_json = serde_json::to_string_pretty(&plan.host).expect("the plan has text keys only");
    plan_json.push('\n');
    [
        ("Cargo.toml", cargo_toml(plan, place)),
        ("plan.json", plan_json),
        ("src/main.rs", main_rs(&plan.crates)),
    ]
    .into_iter()
    .map(|(path, text)| (format!("{}/{path}", place.folder), text))
    .collect()
}

fn cargo_toml(plan: &Plan, place: HostPlace<'_>) -> String {
    let mut document = DocumentMut::new();
    let mut package = Table::new();
    package.decor_mut().set_prefix(format!("# {HEADER}\n"));
    package["name"] = value("hub-platform");
    package["version"] = value(&plan.host.version);
    package["edition"] = value("2024");
    package["publish"] = value(false);
    if let Some(workspace) = place.workspace {
        package["workspace"] = value(workspace);
    }
    document["package"] = Item::Table(package);

    let mut dependencies = Table::new();
    let path = |to: &str| {
        let mut table = InlineTable::new();
        table.insert("path", format!("{}{to}", place.to_root).into());
        table
    };
    let mut hub = path("host-template/runtime");
    hub.insert("package", "hub-host".into());
    dependencies["hub"] = value(hub);
    for found in &plan.crates {
        dependencies[&found.package] = value(path(&format!("plugins/{}/{}", found.plugin, found.dir)));
    }
    document["dependencies"] = Item::Table(dependencies);
    document.to_string()
}

fn main_rs(crates: &[PluginCrate]) -> String {
    let mounts = crates.iter().flat_map(|found| {
        found.routers.iter().map(|router| {
            let (plugin, spec) = (&found.plugin, &router.spec);
            let segments = std::iter::once(&found.lib).chain(&router.modules).chain([&router.function]);
            let path = rust_path(segments.map(String::as_str));
            quote!(hub::Mount { plugin: #plugin, spec: #spec, router: #path })
        })
    });
    let header = format!(" {HEADER}");
    let tokens = quote! {
        #![doc = #header]

        mod dependencies;

        fn main() -> std::process::ExitCode {
            std::hint::black_box(&dependencies::DEPENDENCIES);
            hub::main(hub::Platform {
                plan: include_str!("../plan.json"),
                routers: &[#(#mounts),*],
            })
        }
    };
    let file = syn::parse2(tokens).expect("the resolve stage lets only identifiers through");
    prettyplease::unparse(&file)
}

/// The module with the list of the host's crates, `data`, in a section of its own. `main` names it, so that the linker
/// keeps it.
pub fn dependencies(data: &[u8]) -> String {
    let (header, length) = (format!(" {HEADER}"), Literal::usize_unsuffixed(data.len()));
    let data = Literal::byte_string(data);
    let tokens = quote! {
        #![doc = #header]

        /// The crates that this program is made of, as `cargo audit bin` reads them: JSON, compressed with zlib.
        #[used]
        #[unsafe(link_section = ".dep-v0")]
        pub static DEPENDENCIES: [u8; #length] = *#data;
    };
    let file = syn::parse2(tokens).expect("a literal of bytes is always one");
    prettyplease::unparse(&file)
}

/// `a::b::c`.
fn rust_path<'a>(segments: impl Iterator<Item = &'a str>) -> TokenStream {
    let idents = segments.map(|segment| Ident::new(segment, Span::call_site()));
    quote!(#(#idents)::*)
}
