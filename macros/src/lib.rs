//! Macros for plugin authors, re-exported by the `hub` library.

mod router;
mod routes;

use proc_macro::TokenStream;

/// Marks a plugin's router function and checks its form: `pub fn router() -> Router`.
///
/// The build finds the function by the spec in `plugin.yaml` and calls it once at start. This attribute says at the
/// place itself what is wrong with the form, instead of leaving it to an error in generated code.
#[proc_macro_attribute]
pub fn router(arguments: TokenStream, item: TokenStream) -> TokenStream {
    router::expand(arguments.into(), item.into()).into()
}

/// Collects handlers that carry `#[utoipa::path]`: `routes!(list, records::create)`.
#[proc_macro]
pub fn routes(handlers: TokenStream) -> TokenStream {
    routes::expand(handlers.into()).into()
}
