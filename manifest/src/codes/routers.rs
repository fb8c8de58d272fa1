//! Codes of what is wrong with routers and with the crates that they are in.

use super::BuildOnly;

codes! {
    MISSING_ROUTER_MODULE = error("HUB036", "a router's module is missing")
        .cause("The crate has no library root, or the module that a router names has no file or is not declared by `mod` in its parent.")
        .cure("Create the file or the `pub mod` line that the help line names, or mend the module's name in `routers`.")
        .why("An error: the host would not compile, and rustc would point at generated code instead of the manifest.")
        .build_only(BuildOnly::NoBackend);
    MISSING_ROUTER = error("HUB037", "a router's function is missing")
        .cause("The module that a router names has no function of that name (a function brought in by `use` is none).")
        .cure("Take the name that the help line suggests, or write `#[hub::router] pub fn router() -> Router`.")
        .why("An error: the host would not compile, and rustc would point at generated code instead of the manifest.")
        .build_only(BuildOnly::NoBackend);
    PRIVATE_ROUTER = error("HUB038", "a router's module or function is not public")
        .cause("The function that a router names, or a module on the way to it, is not `pub`.")
        .cure("Write `pub` before the marked `fn` or `mod`.")
        .why("An error: the generated host is another crate and could not call it.")
        .build_only(BuildOnly::NoBackend);
    NOT_A_ROUTER = error("HUB039", "a function is no router")
        .cause("The function that a router names is async, takes arguments, or does not give a `Router`.")
        .cure("Write `#[hub::router] pub fn router() -> Router`; handlers get their state from the request.")
        .why("An error: routers are put together before the server runs, from nothing but the function.")
        .build_only(BuildOnly::NoBackend);
    PATH_LEADS_OUT = error("HUB050", "a path dependency leads out of the plugin")
        .cause("A `path` dependency in a plugin's Cargo.toml leads outside the plugin's folder to something that is none of the platform's own crates.")
        .cure("Move that crate into the plugin's folder, or depend on a published version.")
        .why("An error: a plugin is built from its own folder alone, or two checkouts would give two releases.")
        .build_only(BuildOnly::NoBackend);
    INHERITS_FROM_WORKSPACE = error("HUB051", "a plugin's crate takes something from a workspace")
        .cause("A plugin's Cargo.toml inherits a value or a dependency from a workspace, or is the root of one.")
        .cure("Write the value itself into the crate's Cargo.toml; an empty `[workspace]` may stay.")
        .why("An error: in the generated workspace the crate stands beside others, and there is nothing to inherit.")
        .build_only(BuildOnly::NoBackend);
    CARGO_TOML = error("HUB052", "a plugin's Cargo.toml cannot be used")
        .cause("The file is not valid TOML or no UTF-8 text, has no package name, or names a folder without a Cargo.toml.")
        .cure("Mend the file; `cargo check` in the crate's folder must work by itself.")
        .why("An error: cargo would stop with the same, for all plugins at once.")
        .build_only(BuildOnly::NoBackend);
    DUPLICATE_CRATE = error("HUB053", "two crates have one name")
        .cause("The package name in a plugin's Cargo.toml is that of a crate of another plugin or of the platform.")
        .cure("Rename the package, for example to `hub-plugin-<slug>`.")
        .why("An error: one workspace cannot hold two packages of one name.")
        .build_only(BuildOnly::NoBackend);
    INEFFECTIVE_TABLE = warning("HUB056", "a table of Cargo.toml has no effect")
        .cause("A plugin's Cargo.toml has a table that cargo reads in the root of a workspace only, such as `[profile]`.")
        .cure("Remove the table: the platform sets one profile and one version of each package for all plugins.")
        .why("A warning: the crate is built all the same, only not as the table says.")
        .build_only(BuildOnly::NoBackend);
    CRATE_NOT_COPIED = error("HUB057", "a file of a plugin's crate cannot be copied")
        .cause("A link leads out of the plugin or back into its own folder, or a file may not be read.")
        .cure("Copy what the link leads to into the plugin, remove the link, or let the user who builds read the file.")
        .why("An error: a plugin is built from its own folder alone; what lies outside would be missing elsewhere.")
        .build_only(BuildOnly::NoBackend);
    ROUTER_WITHOUT_CRATE = error("HUB073", "a router without a crate")
        .cause("The manifest mounts a router, but the plugin has no `backend/Cargo.toml`.")
        .cure("Run `cargo init --lib backend` in the plugin's folder, or remove `routers`.")
        .why("An error: there is nothing to mount.")
        .build_only(BuildOnly::NoBackend);
    RUST_SOURCE = error("HUB074", "a Rust source cannot be read")
        .cause("A source on the way to a router does not parse, is nested too deeply, is no UTF-8 text, or is longer than 4 MiB.")
        .cure("Mend the source at the marked place; `cargo check` in the crate's folder shows the same error.")
        .why("An error: the crate would not compile, and its routers cannot be looked at.")
        .build_only(BuildOnly::NoBackend);
    ROUTE_NOT_MOUNTED = error("HUB093", "a route cannot be mounted")
        .cause("The built host names two routes of one method and path, two patterns that fit the same paths, or a path that is none.")
        .cure("Give one of the two marked routes another path or method, or remove it; write a path as the help line shows.")
        .why("An error: the host could answer with one of the two only, and nothing says which.")
        .build_only(BuildOnly::NoBackend);
    ROUTER_FAILS = error("HUB094", "a router function gives no router")
        .cause("When the built host calls the router function, it panics, ends the process, or does not come back.")
        .cure("Let the function only list routes, and move whatever can fail or wait into a handler.")
        .why("An error: the plugin's routes would be missing in every installation.")
        .build_only(BuildOnly::NoBackend);
    UNMATCHED_PUBLIC_ROUTE = warning("HUB095", "a public route fits no route")
        .cause("A pattern of `public_routes` fits no route that the built host has of this plugin, or none of the method that it stands under.")
        .cure("Take the path or the method that the help line suggests, or remove the line.")
        .why("A warning: nothing is opened to anonymous callers by mistake, but a route that was meant to be public is not.")
        .build_only(BuildOnly::NoBackend);
}
